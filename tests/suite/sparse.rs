//! Sparse files give what dense ones give, from end to end.

use std::{fmt::Write, fs};

use safetensors::SafeTensors;

use crate::common::program::{refuse, succeed};

#[test]
fn a_sparse_file_gives_what_a_dense_one_gives() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (cases, units) = (90, 130);
    // Each class has its own units; the first and the last unit are never on.
    let is_on = |case: usize, unit: usize| {
        unit % 3 == case % 3 && (case * 31 + unit * 17).is_multiple_of(41) && unit > 0 && unit + 1 < units
    };
    let names: String = (0..units).map(|unit| format!(",x{unit}")).collect();
    let (mut dense, mut sparse) = (format!("label{names}\n"), String::new());
    for case in 0..cases {
        write!(dense, "c{}", case % 3).unwrap();
        write!(sparse, "c{}", case % 3).unwrap();
        for unit in 0..units {
            write!(dense, ",{}", u8::from(is_on(case, unit))).unwrap();
            if is_on(case, unit) {
                write!(sparse, " {unit}:1").unwrap();
            }
        }
        dense += "\n";
        sparse += "\n";
    }
    fs::write(folder.join("dense.csv"), dense).unwrap();
    fs::write(folder.join("sparse.svmlight"), sparse).unwrap();
    // The file does not say that there is a last unit, nor that indices begin at 0.
    let of = |name: &'static str| match name {
        "dense" => ["--data", "dense.csv", "--limit", "1000"],
        _ => ["--data", "sparse.svmlight", "--first-index", "0"],
    };
    let all_units = format!("1 binary, {} binary", units - 1);
    let run = |command: &str, name: &'static str, more: &[&str]| {
        let mut arguments = vec![command];
        arguments.extend(of(name));
        succeed(folder, &[&arguments[..], more].concat())
    };
    for name in ["dense", "sparse"] {
        let options =
            ["--hidden", "6", "--epochs", "3", "--batch", "7", "--validation", "0.2", "--device", "cpu"];
        run("train", name, &[&options[..], &["--visible", &all_units, "--out", name]].concat());
        succeed(folder, &["transform", name, "-o", &format!("{name}-features.npy"), "--device", "cpu"]);
        succeed(folder, &["reconstruct", name, "-o", &format!("{name}-means.npy"), "--device", "cpu"]);
    }
    let [dense, sparse] = ["dense", "sparse"].map(|name| {
        let bytes = fs::read(folder.join(name).join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> =
            tensors.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect();
        tensors.sort();
        let read = |what: &str| fs::read(folder.join(format!("{name}-{what}.npy"))).unwrap();
        let same = |text: String| {
            text.replace("dense.csv", "FILE").replace("sparse.svmlight", "FILE").replace(name, "RUN")
        };
        let eval = same(succeed(folder, &["eval", name, "--json", "--device", "cpu"]));
        let mut eval: serde_json::Value = serde_json::from_str(&eval).unwrap();
        // How long it took, and that the file is sparse.
        for key in ["seconds", "notes"] {
            eval.as_object_mut().unwrap().remove(key);
        }
        let probe = same(succeed(folder, &["probe", name, "--json", "--device", "cpu"]));
        let sum = fs::read_to_string(folder.join(name).join("config.json")).unwrap();
        let sum = sum.split("data_sha256").nth(1).unwrap()[..70].to_string();
        (tensors, read("features"), read("means"), eval, probe, sum)
    });
    assert_eq!(dense, sparse);
    // The doctor's exit code says whether it warns, as it does of data that are mostly 0.
    let data = succeed(folder, &["data", "sparse.svmlight", "--first-index", "0"]);
    assert!(data.contains("sparse: only the") && data.contains("indices begin at 0"), "{data}");
    refuse(
        folder,
        &["data", "sparse.svmlight", "--first-index", "2"],
        &["--first-index must be 0 or 1, found 2"],
    );
    let narrow =
        fs::read_to_string(folder.join("sparse.svmlight")).unwrap().lines().next().unwrap().to_string();
    fs::write(folder.join("narrow.svmlight"), narrow + "\n").unwrap();
    succeed(
        folder,
        &[
            "transform",
            "sparse",
            "narrow.svmlight",
            "-o",
            "narrow.npy",
            "--device",
            "cpu",
            "--validation",
            "0",
        ],
    );
}
