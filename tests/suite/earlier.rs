//! Files of an earlier version can still be read: a run's folder, its report, its model. `fixtures/earlier` is from commit
//! 6cfe717: `train --data bars-and-stripes:2 --hidden 3 --epochs 4 --batch 4 --estimator pcd --centred on --average 0.5
//! --eval-every 2 --device cpu --seed 1 --checkpoint-every 1`, without its pictures.

use std::{fs, path::Path};

use crate::common::program::{rbm_gpu, succeed, text};

fn earlier(folder: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/earlier");
    fs::create_dir_all(folder.join("earlier/checkpoints")).unwrap();
    for file in
        ["config.json", "metrics.jsonl", "model.safetensors", "checkpoints/step-0000000008.safetensors"]
    {
        fs::copy(fixture.join(file), folder.join("earlier").join(file)).unwrap();
    }
}

#[test]
fn its_model_comes_to_what_it_came_to_then() {
    let folder = tempfile::tempdir().unwrap();
    earlier(folder.path());
    let printed = succeed(folder.path(), &["eval", "earlier", "--device", "cpu", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    // Figures that `eval` of that version printed.
    for (figure, then) in [
        ("log_z", 4.964_456_466_388_764),
        ("train_log_likelihood", -2.776_645_061_922_135),
        ("pseudo_log_likelihood", -2.776_628_122_444_603),
        ("reconstruction_error", 1.001_971_356_570_72),
    ] {
        let now = report[figure].as_f64().unwrap();
        assert!((now - then).abs() < 1e-6, "{figure}: {now}, then {then}");
    }
}

#[test]
fn its_report_has_its_epochs() {
    let folder = tempfile::tempdir().unwrap();
    earlier(folder.path());
    succeed(folder.path(), &["report", "earlier"]);
    let page = fs::read_to_string(folder.path().join("earlier/report.html")).unwrap();
    for part in ["bars-and-stripes:2", "1.00", "-2.77"] {
        assert!(page.contains(part), "{part}");
    }
}

/// The addresses of random numbers changed, so the run cannot be resumed. The message says so, and what to do.
#[test]
fn its_run_cannot_go_on_and_says_what_can() {
    let folder = tempfile::tempdir().unwrap();
    earlier(folder.path());
    let checkpoint = folder.path().join("earlier/checkpoints/step-0000000008.safetensors");
    let before = fs::read(&checkpoint).unwrap();
    let output = rbm_gpu(folder.path(), &["train", "--resume", "earlier", "--epochs", "6"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in
        ["a version that drew other random numbers", "--init", "checkpoints/step-0000000008.safetensors"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!folder.path().join("earlier/report.html").exists());
    assert_eq!(fs::read(&checkpoint).unwrap(), before);
    let begun = ["train", "--data", "bars-and-stripes:2", "--hidden", "3", "--epochs", "1", "--batch", "4"];
    let init = ["--device", "cpu", "--out", "new", "--init", checkpoint.to_str().unwrap()];
    succeed(folder.path(), &[&begun[..], &init].concat());
}
