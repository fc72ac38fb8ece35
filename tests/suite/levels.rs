//! The native path with each instruction set of this processor, chosen as a user would: `RBM_GPU_INSTRUCTIONS`.
//! tests/suite/kernels.rs checks each kernel with each of them.

use std::{fs, path::Path, process::Output};

use crate::common::program::{command, text};
use rbm_gpu::cpu::Level;

fn run(folder: &Path, level: &str, arguments: &[&str]) -> Output {
    command(folder, arguments).env("RBM_GPU_INSTRUCTIONS", level).output().unwrap()
}

/// Names of the levels: `baseline`, `AVX2`, …
fn levels() -> Vec<String> {
    let name = |level: &Level| level.to_string().split(' ').next().unwrap_or_default().to_string();
    Level::all().iter().map(name).collect()
}

fn succeed(folder: &Path, level: &str, arguments: &[&str]) -> String {
    let output = run(folder, level, arguments);
    assert!(output.status.success(), "{level}, {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Grey pixels as CSV: real states, whose products take another path than those of binary ones.
fn write_grey(folder: &Path) {
    let row =
        |i: usize| (0..20).map(|j| ((i * 7 + j * j) % 11 * 25).to_string()).collect::<Vec<_>>().join(",");
    fs::write(folder.join("grey.csv"), (0..40).map(row).collect::<Vec<_>>().join("\n")).unwrap();
}

#[test]
fn every_level_computes_what_the_mathematics_says() {
    let folder = tempfile::tempdir().unwrap();
    for level in levels() {
        let said = succeed(folder.path(), &level, &["verify", "--device", "cpu"]);
        assert!(said.contains(&level), "{level} was not used: {said}");
    }
}

#[test]
fn levels_agree() {
    let folder = tempfile::tempdir().unwrap();
    write_grey(folder.path());
    let binary = ["--data", "bars-and-stripes:4", "--batch", "10", "--hidden", "13", "--epochs", "20"];
    let few = ["--data", "bars-and-stripes:3", "--batch", "7", "--hidden", "6", "--epochs", "20"];
    let grey = ["--data", "grey.csv", "--batch", "10", "--hidden", "13", "--epochs", "20"];
    for (name, options) in [("binary", binary), ("few", few), ("grey", grey)] {
        let trained = levels().into_iter().map(|level| {
            let out = format!("{name}-{level}");
            succeed(
                folder.path(),
                &level,
                &[&["train", "--device", "cpu", "--quiet", "--out", &out], &options[..]].concat(),
            );
            let run = folder.path().join(out);
            let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
            let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
            let error = last["reconstruction_error"].as_f64().unwrap();
            (level, fs::read(run.join("model.safetensors")).unwrap(), error)
        });
        let trained: Vec<_> = trained.collect();
        for pair in trained.windows(2) {
            let [(level, model, error), (wider, same, close)] = pair else { unreachable!() };
            // With a fused multiply-add, rounding differs.
            if level == "AVX2" {
                assert!(model == same, "{name}: {level} and {wider} give different bytes");
            }
            assert!((error / close - 1.0).abs() < 0.05, "{name}: {level} {error}, {wider} {close}");
        }
    }
}

#[test]
fn a_level_that_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["train", "--data", "bars-and-stripes:3", "--batch", "8"][..],
        &["verify"],
        &["devices"],
        &["bench", "--device", "cpu"],
    ] {
        let output = run(folder.path(), "sse9", arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains("baseline") && message.contains("sse9"), "{arguments:?}: {message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was written");
}
