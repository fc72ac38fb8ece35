//! The doctor as a user meets it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use rbm_gpu::{
    config::{ByEpoch, DeviceChoice, TrainConfig},
    data::Source,
    train::Trainer,
};
use serde_json::Value;

/// The costs of the question that started this project.
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

    // Similar data give the number of cases; with the very rows, the plateaus match to the last digit.
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
    // Data of another density don't match.
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
        (&["shifter", "--scale", "255"], "for data of bytes"),
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

#[test]
fn tables_are_data_or_logs_by_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{},0.5,{}\n", i % 2, (i / 2) % 2, i * 977 % 5000);
    fs::write(folder.path().join("wide.csv"), (0..60).map(row).collect::<String>()).unwrap();
    let (report, code) = doctor(folder.path(), &["wide.csv"]);
    // train refuses such values; the doctor says which column has them.
    assert_eq!((names(&report)[0], code), ("unscaled-columns", Some(1)), "{report}");
    assert!(report["findings"][0]["seen"].as_str().unwrap().contains("these are 1 of 4 columns"), "{report}");

    // The finding is the label, not its unscaled column.
    let pixels =
        |i: usize| (0..12).map(|b| format!("{},", (i * i + i * b + 5 * b * b) % 7 % 2)).collect::<String>();
    let row = |i: usize| format!("{}{}\n", pixels(i), i % 10);
    fs::write(folder.path().join("labelled.csv"), (0..90).map(row).collect::<String>()).unwrap();
    let (report, _) = doctor(folder.path(), &["labelled.csv"]);
    assert_eq!(names(&report)[0], "label-column", "{report}");
    assert!(report["findings"][0]["fix"].as_str().unwrap().contains("--label-column 13 "), "{report}");
    // Signs are spins.
    let sign = |i: usize| if i.is_multiple_of(3) { -1 } else { 1 };
    let row = |i: usize| format!("{},{},{}\n", sign(i), sign(i / 3), sign(i / 9));
    fs::write(folder.path().join("signs.csv"), (0..27).map(row).collect::<String>()).unwrap();
    let (report, code) = doctor(folder.path(), &["signs.csv"]);
    assert_eq!((&report["healthy"], code), (&Value::Bool(true), Some(0)), "{report}");
    assert_eq!(report["subjects"][0]["figures"]["data"]["layer"], "3 spin", "{report}");
    // The doctor also reports what cannot be data.
    for (name, values, finding, part) in [
        ("standard", ["-1.2", "0.5", "1.7"], "values-outside-0-1", "Gaussian visible units"),
        ("holes", ["0", "inf", "1"], "values-not-finite", "isfinite"),
    ] {
        let row = |i: usize| format!("{},{},{}\n", values[i % 3], values[i / 3 % 3], values[i / 9 % 3]);
        let file = format!("{name}.csv");
        fs::write(folder.path().join(&file), (0..27).map(row).collect::<String>()).unwrap();
        let (report, code) = doctor(folder.path(), &[&file]);
        assert_eq!((names(&report)[0], code), (finding, Some(1)), "{report}");
        assert!(report["findings"][0]["fix"].as_str().unwrap().contains(part), "{report}");
    }

    // Missing values are no fault.
    let row =
        |i: usize| format!("{},{},{}\n", i % 2, i / 2 % 2, if i.is_multiple_of(5) { "nan" } else { "1" });
    fs::write(folder.path().join("missing.csv"), (0..60).map(row).collect::<String>()).unwrap();
    let (report, code) = doctor(folder.path(), &["missing.csv"]);
    assert!(names(&report).contains(&"values-missing") && code == Some(0), "{report}");

    let lines: String = (0..40).map(|epoch| format!("{epoch},{}\n", 9.5 * 1.2_f64.powi(epoch))).collect();
    fs::write(folder.path().join("log.csv"), format!("epoch,loss\n{lines}")).unwrap();
    let (report, code) = doctor(folder.path(), &["log.csv"]);
    assert_eq!((names(&report), code), (vec!["cost-explodes"], Some(1)));
    // scikit-learn's figure should grow.
    for (name, slope, healthy) in [("grows.txt", 3.0, true), ("falls.txt", -3.0, false)] {
        let line = |i: u32| {
            format!(
                "[BernoulliRBM] Iteration {i}, pseudo-likelihood = {:.2}\n",
                -150.0 + slope * f64::from(i)
            )
        };
        fs::write(folder.path().join(name), (1..40).map(line).collect::<String>()).unwrap();
        let (report, _) = doctor(folder.path(), &[name]);
        assert_eq!(report["healthy"], healthy, "{report}");
    }
}

/// A quick run on the native path.
fn train(folder: &Path, out: &str, more: &[&str]) -> Output {
    let arguments =
        ["train", "--device", "cpu", "--data", "bars-and-stripes:4", "--hidden", "12", "--batch", "8"];
    let output = rbm_gpu(folder, &[&arguments[..], &["--epochs", "60", "--out", out], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_healthy_run_has_nothing_worse_than_notes() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", &["--lr", "0.2", "--momentum", "0.8"]);
    let (report, code) = doctor(folder.path(), &["run", "--device", "cpu", "--plots", "plots"]);
    assert_eq!((report["healthy"].as_bool(), code), (Some(true), Some(0)), "{report}");
    let kinds: Vec<_> =
        report["subjects"].as_array().unwrap().iter().map(|subject| &subject["kind"]).collect();
    assert_eq!(kinds, ["data", "log", "run", "model"]);
    // Each file shows its subject.
    for (file, says) in [
        ("cost.svg", "mean image, Σ(x−x̄)²"),
        ("weights.svg", "visible biases b"),
        ("updates.svg", "moved by one CD-1 step"),
        ("activity.svg", "p(h=1|v) of 12 hidden units"),
    ] {
        let svg = fs::read_to_string(folder.path().join("plots").join(file)).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains(says), "{file}");
    }
    // The same model, as scikit-learn's arrays.
    assert!(rbm_gpu(folder.path(), &["export", "run", "-o", "model.npz"]).status.success());
    let (arrays, _) = doctor(folder.path(), &["model.npz", "bars-and-stripes:4", "--device", "cpu"]);
    assert_eq!(arrays["subjects"][1]["figures"]["model"], report["subjects"][3]["figures"]["model"]);
    let again = rbm_gpu(folder.path(), &["doctor", "run", "--plots", "plots"]);
    assert_eq!(again.status.code(), Some(2), "plots are never overwritten");
}

#[test]
fn what_is_found_during_a_run_is_said_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let output = train(folder.path(), "sick", &["--lr", "30"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(printed.matches("error: learning-rate-too-high").count(), 1, "{printed}");
    let metrics = fs::read_to_string(folder.path().join("sick/metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("\"learning-rate-too-high\"").count(), 1, "{metrics}");
    assert_eq!(metrics.lines().count(), 60, "a line an epoch");
    let (report, code) = doctor(folder.path(), &["sick", "--device", "cpu"]);
    assert_eq!((names(&report)[0], code), ("learning-rate-too-high", Some(1)));

    // Watching does not change the run.
    let output = train(folder.path(), "alone", &["--lr", "30", "--no-doctor"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("learning-rate"));
    let model = |run: &str| fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("sick") == model("alone"));
}

#[test]
fn a_run_without_a_model_yet_is_looked_at_by_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", &["--lr", "0.2", "--momentum", "0.8"]);
    let run = folder.path().join("run");
    fs::remove_file(run.join("model.safetensors")).unwrap();
    let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
    fs::write(run.join("metrics.jsonl"), &metrics[..metrics.len() - 30]).unwrap();
    let (report, code) = doctor(folder.path(), &["run", "--device", "cpu"]);
    assert_eq!(code, Some(0), "{report}");
    let model = &report["subjects"][3];
    assert!(model["name"].as_str().unwrap().contains("checkpoints"), "{report}");
    assert!(model["about"].as_str().unwrap().contains("looked at with bars-and-stripes:4"), "{report}");
    assert!(report["subjects"][2]["about"].as_str().unwrap().ends_with("59 epochs"), "{report}");
    // Checkpoints are not needed either, nor are epochs.
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    fs::write(run.join("metrics.jsonl"), "").unwrap();
    let (report, code) = doctor(folder.path(), &["run"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(
        report["subjects"][1]["about"].as_str().unwrap().contains("no model and no checkpoint"),
        "{report}"
    );
}

/// Epochs and names of the findings of a run whose rate is far too high, each epoch of which takes `delay` µs longer.
/// Before the epochs `stops` the run is stopped and resumed.
fn found_in(delay: u64, stops: &[usize]) -> Vec<(usize, String)> {
    let config = TrainConfig {
        data: Source::BarsAndStripes(4),
        device: DeviceChoice::Cpu,
        hidden: 16,
        batch: 4,
        epochs: 600,
        learning_rate: 0.7,
        momentum: ByEpoch::from(0.95),
        ..TrainConfig::default()
    };
    let open = || Trainer::new(&config, config.data.load().unwrap()).unwrap();
    let (mut trainer, mut found) = (open(), Vec::new());
    while trainer.epochs_done() < config.epochs {
        let epoch = trainer.epochs_done();
        if stops.contains(&epoch) {
            let state = trainer.state().unwrap();
            trainer = open();
            trainer.restore(&state).unwrap();
        }
        std::thread::sleep(Duration::from_micros(delay));
        let metrics = trainer.epoch(|_| {}).unwrap();
        found.extend(metrics.findings.into_iter().map(|finding| (epoch, finding.name.into())));
    }
    found
}

#[test]
fn findings_do_not_depend_on_time() {
    let found = found_in(0, &[]);
    assert!(
        found.iter().any(|(epoch, _)| *epoch > 0),
        "the run should be sick in later epochs, too: {found:?}"
    );
    assert_eq!(found, found_in(200, &[]), "on a slower machine");
    assert_eq!(found, found_in(0, &[1, 7, 250, 251]), "stopped and gone on with");
}

#[test]
fn models_from_elsewhere_are_read() {
    let folder = tempfile::tempdir().unwrap();
    // Three visible and five hidden units, in the layout of PyTorch's examples; all hidden biases are equal.
    let weights: Vec<u8> = (0..15).flat_map(|i| (0.1 * i as f32 - 0.7).to_le_bytes()).collect();
    let visible: Vec<u8> = [0.5_f32, -0.25, 1.0].iter().flat_map(|b| b.to_le_bytes()).collect();
    let write = |name: &str, weights_shape: Vec<usize>, hidden: [f64; 5]| {
        let hidden: Vec<u8> = hidden.iter().flat_map(|c| c.to_le_bytes()).collect();
        let view = |dtype, shape: Vec<usize>, bytes| {
            safetensors::tensor::TensorView::new(dtype, shape, bytes).unwrap()
        };
        let tensors = [
            ("rbm.W", view(safetensors::Dtype::F32, weights_shape, &weights)),
            ("rbm.h_bias", view(safetensors::Dtype::F64, vec![1, 5], &hidden)),
            ("rbm.v_bias", view(safetensors::Dtype::F32, vec![3], &visible)),
        ];
        fs::write(folder.path().join(name), safetensors::serialize(tensors, None).unwrap()).unwrap();
    };
    write("turned.safetensors", vec![5, 3], [2.5; 5]);
    let (report, code) = doctor(folder.path(), &["turned.safetensors"]);
    assert_eq!((names(&report), code), (vec!["bias-moves-as-one"], Some(1)));
    let about = report["subjects"][0]["about"].as_str().unwrap();
    assert!(about.contains("3 visible and 5 hidden") && about.contains("as Wᵀ, rbm.v_bias as b"), "{about}");

    let halves = |values: &[f32]| -> Vec<u8> {
        values.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect()
    };
    let arrays =
        [vec![0.5, -1.0, 2.0, 0.25, 0.75, 1.0], vec![7.5, 7.5, 7.5], vec![0.5, -0.5]].map(|x| halves(&x));
    let tensors = [("W", vec![2, 3]), ("bh", vec![3]), ("bv", vec![2])].into_iter().zip(&arrays).map(
        |((name, shape), bytes)| {
            (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F16, shape, bytes).unwrap())
        },
    );
    fs::write(folder.path().join("half.safetensors"), safetensors::serialize(tensors, None).unwrap())
        .unwrap();
    let (report, _) = doctor(folder.path(), &["half.safetensors"]);
    assert!(report["findings"][0]["seen"].as_str().unwrap().contains("are 7.500000"), "{report}");

    write("broken.safetensors", vec![3, 5], [0.0, 1.0, f64::NAN, 0.5, 2.0]);
    let (report, _) = doctor(folder.path(), &["broken.safetensors"]);
    assert_eq!(names(&report), ["non-finite"]);
    assert!(report["findings"][0]["seen"].as_str().unwrap().contains("hidden_bias[2] is NaN"), "{report}");

    let output = rbm_gpu(folder.path(), &["doctor", "turned.safetensors", "shifter"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && message.contains("found 19 in shifter"), "{message}");
    fs::write(folder.path().join("torn.safetensors"), [9, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    assert_eq!(rbm_gpu(folder.path(), &["doctor", "torn.safetensors"]).status.code(), Some(2));
}

#[test]
fn a_run_that_learnt_nothing_says_so_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["train", "--device", "cpu", "--data", "shifter", "--hidden", "40", "--out", "run"];
    let output = rbm_gpu(folder.path(), &[&arguments[..], &["--epochs", "3"]].concat());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(printed.matches("warning: nothing-learnt").count(), 1, "{printed}");
    assert!(printed.contains("after 24 updates (3 epochs of 8)"), "{printed}");
    assert!(printed.contains("--epochs 125, which are 1000 updates; or --batch 10"), "{printed}");
    let (report, code) = doctor(folder.path(), &["run", "--device", "cpu"]);
    assert_eq!((names(&report)[0], code), ("nothing-learnt", Some(1)), "{report}");
    // The end of the longer run counts.
    let longer = ["train", "--resume", "run", "--epochs", "200"];
    let output = rbm_gpu(folder.path(), &longer);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("nothing-learnt"), "{output:?}");
    let (report, _) = doctor(folder.path(), &["run", "--device", "cpu"]);
    assert!(!names(&report).contains(&"nothing-learnt"), "{report}");
}

#[test]
fn one_hot_rows_are_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| (0..8).map(|j| if i == j { "1" } else { "0" }).collect::<Vec<_>>().join(",") + "\n";
    fs::write(folder.path().join("eye.csv"), (0..8).map(row).collect::<String>()).unwrap();
    let arguments =
        ["train", "--device", "cpu", "--data", "eye.csv", "--hidden", "4", "--out", "run", "--batch", "8"];
    let output = rbm_gpu(folder.path(), &[&arguments[..], &["--epochs", "60"]].concat());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(!printed.contains("bias-moves-as-one"), "{printed}");
    let (report, _) = doctor(folder.path(), &["run", "--device", "cpu"]);
    assert!(!names(&report).contains(&"bias-moves-as-one"), "{report}");
}

#[test]
fn data_beside_a_model_are_read_as_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{},{}\n", i % 3, i / 3 % 3, i % 3);
    fs::write(folder.path().join("states.csv"), (0..60).map(row).collect::<String>()).unwrap();
    let arguments =
        ["train", "--device", "cpu", "--data", "states.csv", "--visible", "potts:3", "--hidden", "4"];
    let output = rbm_gpu(
        folder.path(),
        &[&arguments[..], &["--out", "run", "--epochs", "20", "--batch", "10"]].concat(),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Nothing says that these are states but the model.
    let (report, _) = doctor(folder.path(), &["run/model.safetensors", "states.csv", "--plots", "plots"]);
    assert_eq!(report["subjects"][0]["figures"]["data"]["layer"], "3 potts:3", "{report}");
    assert!(
        report["subjects"][0]["figures"]["levels"]["mean_image"]["total"].as_f64().unwrap() > 0.0,
        "{report}"
    );
    assert!(
        report["subjects"][1]["about"].as_str().unwrap().contains("looked at with states.csv"),
        "{report}"
    );
}

#[test]
fn a_table_that_might_be_either_says_what_it_was_taken_for() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{}\n", i % 2, i / 3 % 2);
    let rows: String = (0..60).map(row).collect();
    fs::write(folder.path().join("census.csv"), format!("native,capital-loss\n{rows}")).unwrap();
    for (more, kind, about) in [
        (&[][..], "data", "--as log"),
        (&["--as", "log"], "log", "called \"capital-loss\""),
        (&["--key", "capital-loss"], "log", "called \"capital-loss\""),
    ] {
        let (report, _) = doctor(folder.path(), &[&["census.csv"], more].concat());
        let subject = &report["subjects"][0];
        assert_eq!(subject["kind"], kind, "{report}");
        assert!(subject["about"].as_str().unwrap().contains(about), "{report}");
    }
}

#[test]
fn verify_ends_with_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let output = rbm_gpu(folder.path(), &["verify", "--device", "cpu"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(0) && printed.contains("passed"), "{printed}");
    let output = rbm_gpu(folder.path(), &["verify", "--device", "reference", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["passed"] == true && report["checks"].as_array().unwrap().len() > 12, "{report}");
    assert_eq!(rbm_gpu(folder.path(), &["verify", "--device", "no-such"]).status.code(), Some(2));
}
