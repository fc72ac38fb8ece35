//! The doctor as a user meets it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// The costs of the question that this project grew from.
const QUESTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/question.txt");

fn rbm_gpu(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbm-gpu"));
    command.current_dir(folder).args(arguments).env_remove("RBM_GPU_DATA").output().unwrap()
}

/// The report as JSON, and the exit code.
fn doctor(folder: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = rbm_gpu(folder, &[&["doctor", "--json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code())
}

fn names(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["name"].as_str().unwrap()).collect()
}

#[test]
fn the_questions_costs_name_their_cause() {
    let folder = tempfile::tempdir().unwrap();
    let (report, code) = doctor(folder.path(), &[QUESTION]);
    assert_eq!((names(&report), code), (vec!["two-plateaus"], Some(1)));
    assert!(report["findings"][0]["seen"].as_str().unwrap().contains("two plateaus, saturated units"));

    // With data like those, the number of cases follows; with the very rows, the plateaus hold to the last digit.
    for (more, expected) in [
        (&[][..], "for 3012 ± "),
        (
            &["--rows", "41933..44933", "--scale", "256"],
            "for these 3000 cases Σx² is 258872.77507019 and Σ(1−x)² is 2003326.79850769",
        ),
    ] {
        let (report, code) = doctor(folder.path(), &[&["mnist", QUESTION], more].concat());
        assert_eq!(code, Some(1));
        assert_eq!(names(&report)[..2], ["visible-units-flip", "gradient-summed"]);
        let seen = report["findings"][0]["seen"].as_str().unwrap();
        for part in [
            "86 are 258872.77507019 = Σx², every visible unit off",
            "13 are 2003326.79850769 = Σ(1−x)², every visible unit on",
            expected,
        ] {
            assert!(seen.contains(part), "{seen}");
        }
        let why = report["findings"][0]["why"].as_str().unwrap();
        assert!(
            why.contains("bias gradient summed over everything") && why.contains("not averaged"),
            "{why}"
        );
    }
    // Data of another density don't fit.
    let (report, _) = doctor(folder.path(), &["shifter", QUESTION]);
    assert_eq!(names(&report)[0], "two-plateaus");
}

#[test]
fn bad_input_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.txt"), "").unwrap();
    fs::write(folder.path().join("binary.bin"), [0_u8, 159, 146, 150, 49, 10]).unwrap();
    for (arguments, expected) in [
        (&["nothing-here"][..], "found nothing there"),
        (&["empty.txt"], "found no costs"),
        (&["binary.bin"], "found no costs"),
        (&["mnist", "shifter"], "expected one data set"),
        (&["mnist", "--rows", "5..5"], "41933..44933"),
        (&["mnist", "--rows", "0..60001"], "there are 60000 training cases"),
        (&["mnist", "--scale", "0"], "--scale must be above 0"),
        (&["shifter", "--scale", "255"], "these are bits"),
        (&[QUESTION, "--rows", "0..5"], "name one"),
        (&[QUESTION, "--key", "nats"], "looked for: nats"),
        (&[], "DATA|RUN|MODEL|LOG"),
    ] {
        let output = rbm_gpu(folder.path(), &[&["doctor"], arguments].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
