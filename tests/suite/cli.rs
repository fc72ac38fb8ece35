//! The command line as a user meets it: what a run leaves behind, and what bad input prints.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common::{
    self,
    program::{command, files, rbm_gpu, succeed, text},
};
use rbm_gpu::{config::TrainConfig, model};
use serde_json::Value;

/// Arguments of a quick run.
const QUICK: [&str; 12] = [
    "train",
    "--data",
    "bars-and-stripes:3",
    "--hidden",
    "5",
    "--epochs",
    "3",
    "--batch",
    "7",
    "--device",
    "cpu",
    "--out",
];

fn quick<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&QUICK[..], &[out], more].concat()
}

/// An IDX file of bytes.
fn idx(sizes: &[u32], bytes: usize) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend((0..bytes).map(|i| (i * 37 % 256) as u8));
    file
}

#[test]
fn a_run_leaves_everything_it_promised() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let printed = succeed(folder.path(), &quick("run", &["--lr", "0.07", "--seed", "12"]));
    for promised in [
        "model.safetensors",
        "config.json",
        "metrics.jsonl",
        "filters/epoch-0001.png",
        "filters/epoch-0003.png",
        "reconstructions/epoch-0003.png",
    ] {
        assert!(out.join(promised).is_file(), "{promised}");
    }
    assert!(printed.contains("run/model.safetensors"), "{printed}");

    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (line, epoch) in lines.iter().zip(1..) {
        assert_eq!(line["epoch"], epoch);
        for key in ["reconstruction_error", "seconds", "samples_per_second"] {
            assert!(line[key].as_f64().is_some_and(|number| number > 0.0), "{key} in {line}");
        }
    }
    let config: Value = serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["seed"], &config["data"]), (&Value::from(12), &Value::from("bars-and-stripes:3")));

    let model::Stored { rbm, config: options, .. } = model::load(&out.join("model.safetensors")).unwrap();
    assert_eq!((rbm.shape().visible, rbm.shape().hidden), (9, 5));
    let options: TrainConfig = options.expect("the options are in the metadata");
    assert_eq!((options.seed, options.learning_rate), (12, 0.07));
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape) in [("weights", vec![9, 5]), ("visible_bias", vec![9]), ("hidden_bias", vec![5])] {
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (&shape[..], safetensors::Dtype::F32), "{name}");
    }
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut devices = vec!["cpu".to_string(), "reference".into()];
    if let Some(context) = common::context("the_same_options_give_the_same_bytes") {
        devices.push(context.info().name.clone());
    }
    for device in &devices {
        let model = |name: &str, more: &[&str]| {
            let out = format!("{device}-{name}");
            let mut arguments = quick(&out, more);
            arguments[10] = device;
            succeed(folder.path(), &arguments);
            fs::read(folder.path().join(&out).join("model.safetensors")).unwrap()
        };
        let first = model("first", &[]);
        assert!(model("again", &[]) == first, "{device}: two equal runs");
        assert!(model("host", &["--uniforms", "host"]) == first, "{device}: uniforms from the host");
        assert!(model("seed", &["--seed", "2"]) != first, "{device}: another seed");
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train-images-idx3-ubyte"), idx(&[60, 28, 28], 60 * 784)).unwrap();
    for batch in ["3", "33"] {
        let models = ["1", "2", "7", "33"].map(|threads| {
            let out = format!("{batch}-{threads}");
            let arguments =
                ["train", "--data", ".", "--device", "cpu", "--batch", batch, "--epochs", "2", "--out"];
            let status = command(folder.path(), &[&arguments[..], &[&out]].concat())
                .env("RAYON_NUM_THREADS", threads)
                .output()
                .unwrap()
                .status;
            assert!(status.success());
            fs::read(folder.path().join(out).join("model.safetensors")).unwrap()
        });
        assert!(models.iter().all(|model| *model == models[0]), "batch {batch}");
    }
}

#[test]
fn runs_that_start_at_once_get_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = ["1", "2", "3", "4"];
    let runs = seeds.map(|seed| command(folder.path(), &quick("run", &["--seed", seed])).spawn().unwrap());
    let winners = runs.map(|mut run| run.wait().unwrap().success());
    assert_eq!(winners.iter().filter(|&&success| success).count(), 1, "one --out, one run");
    let seed = 1 + winners.iter().position(|&success| success).unwrap();
    let config: Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/config.json")).unwrap()).unwrap();
    let options = model::load(&folder.path().join("run/model.safetensors")).unwrap().config;
    assert_eq!((&config["seed"], options.unwrap().seed), (&Value::from(seed), seed as u64));
}

#[test]
fn without_out_each_run_gets_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = &QUICK[..QUICK.len() - 1];
    succeed(folder.path(), arguments);
    succeed(folder.path(), arguments);
    let runs: Vec<_> = files(&folder.path().join("runs"));
    let names: Vec<_> = runs.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
    assert_eq!(names, ["bars-and-stripes-3-1", "bars-and-stripes-3-2"]);
}

#[test]
fn mnist_is_found_from_any_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["train", "--device", "cpu", "--hidden", "4", "--epochs", "1", "--batch", "1000", "--out", "run"];
    let printed = succeed(folder.path(), &arguments);
    assert!(printed.contains("60000 training cases"), "{printed}");

    // From the folder that the variable names, and from no other; files may be uncompressed, too.
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let output = command(folder.path(), &["train"]).env("RBM_GPU_DATA", &empty).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in ["train-images-idx3-ubyte", "empty", "RBM_GPU_DATA"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist");
    for file in files(&assets).iter().filter(|file| file.extension().is_some_and(|end| end == "gz")) {
        fs::copy(file, empty.join(file.file_name().unwrap())).unwrap();
    }
    let labels = empty.join("t10k-labels-idx1-ubyte");
    fs::remove_file(labels.with_extension("gz")).unwrap();
    fs::write(&labels, idx(&[10_000], 10_000)).unwrap();
    let output = command(folder.path(), &["train"]).env("RBM_GPU_DATA", &empty).output().unwrap();
    let message = text(&output.stderr);
    assert!(message.contains("expected SHA-256") && message.contains("t10k-labels-idx1-ubyte"), "{message}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_folder_of_idx_files_is_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train-images.idx3-ubyte"), idx(&[40, 4, 6], 960)).unwrap();
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), idx(&[9, 4, 6], 216)).unwrap();
    for binarize in ["threshold", "sample", "none"] {
        let arguments = ["train", "--data", ".", "--hidden", "3", "--batch", "40", "--device", "cpu"];
        let arguments =
            [&arguments[..], &["--binarize", binarize, "--visible-states", "mean", "--out", binarize]];
        let printed = succeed(folder.path(), &arguments.concat());
        assert!(printed.contains("40 training cases, 24 visible"), "{printed}");
    }
}

#[test]
fn how_replicas_move_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--estimator", "pt", "--temperatures", "4", "--k", "40", "--chains", "6"];
    let printed = succeed(folder.path(), &quick("run", &more));
    assert!(printed.contains("PT-40") && printed.contains("round trips"), "{printed}");
    let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    let line: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let numbers = |key: &str| -> Vec<f64> {
        line["swaps"][key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let (betas, acceptance) = (numbers("inverse_temperatures"), numbers("acceptance"));
    assert!(betas.len() == 4 && betas[0] == 1.0 && betas.is_sorted_by(|a, b| a > b), "{metrics}");
    assert!(
        acceptance.len() == 3 && acceptance.iter().all(|share| (0.01..=1.0).contains(share)),
        "{metrics}"
    );
    assert!(line["swaps"]["round_trips"].as_u64().unwrap() > 0, "{metrics}");

    let more = ["--estimator", "tt", "--temperatures", "4", "--k", "40", "--chains", "6", "--lr", "1"];
    let printed = succeed(folder.path(), &quick("trajectory", &more));
    assert!(printed.contains("TT-40") && printed.contains("round trips"), "{printed}");
    let metrics = fs::read_to_string(folder.path().join("trajectory/metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ladders: Vec<Vec<Value>> =
        lines.filter_map(|line| line["swaps"]["snapshots"].as_array().cloned()).collect();
    let last = ladders.last().unwrap();
    assert!((1..=2).contains(&last.len()) && last.iter().all(|step| step.as_u64().is_some()), "{metrics}");
}

#[test]
fn the_likelihood_is_watched_and_data_turned_around() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("train-images-idx3-ubyte"), idx(&[40, 4, 6], 960)).unwrap();
    fs::write(folder.join("t10k-images-idx3-ubyte"), idx(&[9, 4, 6], 216)).unwrap();
    let arguments = ["train", "--data", ".", "--hidden", "3", "--batch", "20", "--device", "cpu", "--out"];
    let more = ["--invert", "--epochs", "3", "--eval-every", "2", "--optimizer", "adam"];
    let printed = succeed(folder, &[&arguments[..], &["run"], &more].concat());
    assert_eq!(printed.matches("(exact) on test cases, pseudo").count(), 2, "{printed}");

    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["eval"].is_null() && lines[1]["eval"].is_object(), "{metrics}");
    let config: Value = serde_json::from_slice(&fs::read(folder.join("run/config.json")).unwrap()).unwrap();
    assert!((config["learning_rate"].as_f64().unwrap() - 0.001).abs() < 1e-9, "{config}");
    assert_eq!((&config["invert"], &config["momentum"]), (&"on".into(), &0.5.into()));

    let eval = |more: &[&str]| -> Value {
        let arguments = [&["eval", "run", "--device", "cpu", "--json"], more].concat();
        serde_json::from_str(&succeed(folder, &arguments)).unwrap()
    };
    let inverted = eval(&[]);
    assert_eq!(inverted["inverted"], true);
    for key in ["log_z", "train_log_likelihood", "test_log_likelihood", "pseudo_log_likelihood_per_unit"] {
        assert_eq!(lines[2]["eval"][key], inverted[key], "{key}");
    }
    assert_eq!(eval(&["--invert"])["test_log_likelihood"], inverted["test_log_likelihood"]);
    let plain = eval(&["--invert=off"]);
    assert_eq!(plain["inverted"], false);
    assert_ne!(plain["test_log_likelihood"], inverted["test_log_likelihood"]);
}

/// Bad input gives a message that says what was expected, what was found and what to do, exit code 2, and no files.
#[test]
fn bad_input_is_explained_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = |name: &str, files: &[(&str, Vec<u8>)]| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        files.iter().for_each(|(file, bytes)| fs::write(path.join(file), bytes).unwrap());
    };
    let images = |bytes| ("train-images-idx3-ubyte", idx(&[10, 3, 3], bytes));
    data("good", &[images(90)]);
    data("nothing", &[]);
    data("truncated", &[images(89)]);
    data("header", &[("train-images-idx3-ubyte", vec![0, 0, 8, 3, 0, 0])]);
    data("magic", &[("train-images-idx3-ubyte", idx(&[10], 10))]);
    data("broken-gz", &[("train-images-idx3-ubyte.gz", vec![0x1f, 0x8b, 8, 0, 1, 2])]);
    data("no-images", &[("train-images-idx3-ubyte", idx(&[0, 3, 3], 0))]);
    data("sizes", &[images(90), ("t10k-images-idx3-ubyte", idx(&[10, 3, 4], 120))]);
    data("taken", &[("model.safetensors", vec![1, 2, 3])]);
    fs::write(folder.path().join("file"), "text").unwrap();

    let cases: &[(&[&str], &[&str])] = &[
        (&["--data", "absent"], &["absent", "No such file"]),
        (&["--data", ""], &["expected a data set"]),
        (&["--data", "nothing"], &["no training images", "train-images-idx3-ubyte"]),
        (&["--data", "truncated"], &["10 × 3 × 3 = 90 bytes", "89 follow", "truncated"]),
        (&["--data", "header"], &["truncated"]),
        (&["--data", "magic"], &["0x00000803", "0x00000801"]),
        (&["--data", "broken-gz"], &["cannot read", "ubyte.gz"]),
        (&["--data", "no-images"], &["nothing to learn from"]),
        (&["--data", "sizes"], &["3×3", "3×4"]),
        (&["--data", "bars-and-stripes:0"], &["from 1 to 12", "\"0\""]),
        (&["--data", "bars-and-stripes:999"], &["from 1 to 12", "\"999\""]),
        (&["--data", "bars-and-stripes"], &["bars-and-stripes:4"]),
        (&["--hidden", "0"], &["--hidden must be at least 1"]),
        (&["--epochs", "0"], &["--epochs must be at least 1"]),
        (&["--batch", "0"], &["--batch must be at least 1"]),
        (&["--cd", "0"], &["--cd must be at least 1"]),
        (&["--cd", "99999999"], &["--cd must be below"]),
        (&["--cd", "2", "--k", "3"], &["--cd", "--k"]),
        (&["--k", "0"], &["--k must be at least 1"]),
        (&["--k", "1@5"], &["1@0,5@20"]),
        (&["--chains", "10"], &["--chains are for --estimator pcd"]),
        (&["--fast-weights", "0.1"], &["--fast-weights need --estimator pcd", "--momentum 0"]),
        (&["--fast-weights", "-1"], &["--fast-weights must be at least 0"]),
        (&["--estimator", "pt", "--temperatures", "1"], &["--temperatures must be from 2", "found 1"]),
        (&["--estimator", "pt", "--visible-states", "mean"], &["--visible-states mean is not for"]),
        (&["--estimator", "pcd", "--chains", "0"], &["--chains must be at least 1"]),
        (&["--average", "1.5"], &["--average must be from 0 to 1"]),
        (&["--batch", "11"], &["--batch 11", "10 training cases", "at most 10"]),
        (&["--lr", "0"], &["--lr must be above 0"]),
        (&["--lr", "-0.1"], &["--lr must be above 0", "-0.1"]),
        (&["--lr", "NaN"], &["--lr must be above 0"]),
        (&["--lr", "fast"], &["invalid value 'fast'"]),
        (&["--momentum", "1"], &["below 1, found 1"]),
        (&["--momentum", "0.5@0,1.5@2"], &["below 1, found 1.5"]),
        (&["--momentum", "0.5@2"], &["1@0,5@20", "0.5@2"]),
        (&["--optimizer", "best"], &["sgd", "adam"]),
        (&["--optimizer", "adam", "--nesterov"], &["--nesterov is for --optimizer sgd"]),
        (&["--l1", "-1"], &["--l1 must be at least 0", "-1"]),
        (&["--max-norm", "0"], &["--max-norm must be above 0", "found 0"]),
        (&["--sparsity", "1"], &["--sparsity must be above 0 and below 1", "found 1"]),
        (&["--sparsity-cost", "inf"], &["--sparsity-cost must be at least 0 and finite"]),
        (&["--eval-every", "0"], &["--eval-every must be at least 1"]),
        (&["--weight-decay", "-1"], &["--weight-decay must be at least 0"]),
        (&["--epochs", "18446744073709551615"], &["more than 2^32 steps"]),
        (&["--hidden", "18446744073709551615"], &["the weights of 9", "smaller --hidden"]),
        (&["--hidden", "1000000000000"], &["the weights of 9", "smaller --hidden"]),
        (&["--hidden", "100000000"], &["GB", "--hidden"]),
        (
            &["--cd", "1000000", "--hidden", "1000", "--uniforms", "host"],
            &["the uniforms", "--uniforms device"],
        ),
        (&["--device", "no-such-device"], &["no such device", "reference"]),
        (&["--device", ""], &["expected a device's name"]),
        (&["--binarize", "maybe"], &["threshold", "sample", "none"]),
        (&["--out", "taken"], &["not empty", "new folder"]),
        (&["--out", "file"], &["expected a folder, found a file"]),
        (&["--out", "file/below"], &["cannot be used", "new folder"]),
    ];
    let before = files(folder.path());
    for (arguments, expected) in cases {
        let mut all = vec!["train", "--device", "cpu", "--batch", "5", "--epochs", "1", "--hidden", "3"];
        if !arguments.contains(&"--data") {
            all.extend(["--data", "good"]);
        }
        if !arguments.contains(&"--out") {
            all.extend(["--out", "new"]);
        }
        // clap takes an option once, so the case's own replaces the default.
        for pair in arguments.chunks(2) {
            if let Some(at) = all.iter().position(|argument| *argument == pair[0]) {
                all.drain(at..at + 2);
            }
            all.extend(pair);
        }
        let output = rbm_gpu(folder.path(), &all);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
        for part in *expected {
            assert!(message.contains(part), "{arguments:?}: expected {part:?} in {message:?}");
        }
        assert_eq!(files(folder.path()), before, "{arguments:?} wrote something");
    }
    assert_eq!(fs::read(folder.path().join("taken/model.safetensors")).unwrap(), [1, 2, 3]);
}

#[test]
fn a_device_that_is_not_there_is_answered_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let listed = succeed(folder.path(), &["devices"]);
    assert!(listed.contains("auto takes this one") && listed.contains("reference"), "{listed}");
    if !listed.contains("type     discrete") {
        let output = rbm_gpu(folder.path(), &["train", "--device", "discrete"]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("--device discrete") && message.contains("reference"), "{message}");
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_preset_sets_what_is_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["train", "--data", "bars-and-stripes:3", "--hidden", "4", "--batch", "16", "--device", "cpu"];
    let preset = ["--preset", "density", "--epochs", "2", "--lr", "0.1", "--out", "run"];
    succeed(folder.path(), &[&arguments[..], &preset].concat());
    let config: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("run/config.json")).unwrap()).unwrap();
    for (option, expected) in [("estimator", "pcd"), ("centred", "on"), ("lr_schedule", "linear")] {
        assert_eq!(config[option], expected, "{option}");
    }
    assert_eq!((config["epochs"].as_u64(), config["batch"].as_u64()), (Some(2), Some(16)));
    assert!((config["learning_rate"].as_f64().unwrap() - 0.1).abs() < 1e-6, "{config}");
}

#[test]
fn bench_checks_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--batch=8", "--visible=20", "--hidden=10", "--cd=2", "--rows=400", "--device=cpu"];
    let json = succeed(folder.path(), &[&["bench"], &small[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    for (key, expected) in [("visible", 20), ("hidden", 10), ("batch", 8), ("cd", 2)] {
        assert_eq!(report[key], expected, "{key}");
    }
    assert!(report["device"]["name"].is_string() && report["device"]["backend"] == "cpu", "{report}");
    assert!(report["samples_per_second"].as_f64().unwrap() > 0.0);
    let names: Vec<_> = report["kernels"].as_array().unwrap().iter().map(|kernel| &kernel["name"]).collect();
    assert_eq!(names, ["gather", "sample_hidden", "sample_visible", "update"]);
    let table = succeed(folder.path(), &[&["bench"], &small[..]].concat());
    assert!(table.contains("passed") && table.contains("samples a second"), "{table}");
    for key in ["visible_units", "hidden_units"] {
        assert!(report[key].is_null(), "binary units need no name: {report}");
    }

    let kinds = ["--visible-units=potts:4", "--hidden-units=4 drelu, 6 spin"];
    let json = succeed(folder.path(), &[&["bench"], &small[..], &kinds, &["--json"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    for (key, expected) in [("visible_units", "20 potts:4"), ("hidden_units", "4 drelu, 6 spin")] {
        assert_eq!(report[key], expected, "{key}");
    }
    assert_eq!((&report["visible"], &report["hidden"]), (&20.into(), &10.into()), "{report}");
    assert!(
        report["kernels"]
            .as_array()
            .unwrap()
            .iter()
            .all(|kernel| kernel["share_of_ceiling"].as_f64() > Some(0.0)),
        "{report}"
    );
    for visible in ["gaussian", "spin", "3 potts:5, 4 relu, 2 binary"] {
        let kinds = [format!("--visible-units={visible}"), "--hidden-units=drelu".into()];
        let kinds = kinds.each_ref().map(String::as_str);
        let table = succeed(folder.path(), &[&["bench"], &small[..], &kinds].concat());
        assert!(table.contains("passed") && table.contains(visible), "{table}");
    }

    for (arguments, expected) in [
        (&["--hidden", "0"][..], "--hidden must be at least 1"),
        (&["--batch", "9999999999"], "choose"),
        (&["--visible", "18446744073709551615"], "choose"),
        (&["--cd", "4294967295"], "--cd must be below"),
        (&["--rows", "18446744073709551615"], "choose fewer --rows"),
        (&["--data", "no-such-folder"], "no-such-folder"),
        (&["--data", "shifter", "--batch", "1000"], "there are 768 training cases"),
        (&["--sweep", "--plot", "no-such-folder/sweep.svg"], "no-such-folder"),
        (&["--plot", "sweep.svg"], "--sweep"),
        (&["--sweep", "--batch", "5"], "--batch"),
        (&["--sweep", "--hidden-units", "3 binary, 2 spin"], "expected one kind, as --hidden-units drelu"),
        (&["--visible-units", "potts"], "with its number of states"),
        (&["--visible", "18446744073709551615", "--visible-units", "potts:9"], "choose"),
        (&["--data", "bars-and-stripes:3", "--visible-units", "2 potts:2"], "these are 2 units"),
    ] {
        let output = rbm_gpu(folder.path(), &[&["bench", "--device", "cpu"], arguments].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn help_and_no_arguments_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["train", "--help"], &["bench", "--help"], &["--version"]] {
        assert!(!succeed(folder.path(), arguments).is_empty());
    }
    assert!(succeed(folder.path(), &["train", "--help"]).contains("[default: mnist]"));
    assert_eq!(rbm_gpu(folder.path(), &[]).status.code(), Some(2));
}

/// The core names options as `‹batch›`, and knows nothing of the command line.
#[test]
fn options_that_messages_name_are_there() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["man", "-o", "man"]);
    let manual: String = files(&folder.path().join("man"))
        .iter()
        .map(|page| fs::read_to_string(page).unwrap().replace("\\-", "-"))
        .collect();
    let mut named = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in files(&folder) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap_or_default();
            let is_front = path.iter().any(|part| part == "cli" || part == "cli.rs" || part == "command.rs");
            let is_core = !is_front && path.extension().is_some_and(|extension| extension == "rs");
            for line in source.lines().filter(|line| is_core && !line.trim_start().starts_with("//")) {
                let mut flags = line.split("--").skip(1);
                let is_flag = |text: &str| text.starts_with(|letter: char| letter.is_ascii_lowercase());
                assert!(!flags.any(is_flag), "{}: a flag of the command line in {line:?}", path.display());
            }
            let marks = source.split('‹').skip(1).filter_map(|rest| rest.split_once('›'));
            let names = marks.map(|(mark, _)| mark.split('=').next().unwrap_or_default());
            for name in names
                .filter(|name| !name.contains(|letter: char| !letter.is_ascii_lowercase() && letter != '-'))
            {
                assert!(manual.contains(&format!("--{name}")), "{}: there is no --{name}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 50, "{named}");
}
