//! The project's dependencies: licences that may be linked, one registry, and a reason for each direct dependency.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn every_dependency_may_be_linked() {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let policy = read("deny.toml");
    let list = policy.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
    let allowed: Vec<spdx::Licensee> =
        list.split('"').skip(1).step_by(2).map(|licence| spdx::Licensee::parse(licence).unwrap()).collect();
    let mut wrong = Vec::new();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        let may = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .is_ok_and(|licence| licence.evaluate(|wanted| allowed.iter().any(|one| one.satisfies(wanted))));
        if !may {
            wrong.push(format!("{name}: licence {licence:?}"));
        }
        let from = &package["source"];
        let registry = from == "registry+https://github.com/rust-lang/crates.io-index";
        if !(registry || from.is_null() && name == "rbm-gpu") {
            wrong.push(format!("{name}: from {from}"));
        }
    }
    assert!(packages.len() > 100 && wrong.is_empty(), "of {}: {}", packages.len(), wrong.join("\n"));
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let manifest = read("Cargo.toml");
    let (mut section, mut reason, mut count) = ("", false, 0);
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains('=') {
            assert!(reason, "Cargo.toml: no comment above {line:?}");
            count += 1;
        }
        reason = line.starts_with("# ");
    }
    assert!(count > 20, "{count} dependencies");
}
