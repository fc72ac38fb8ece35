//! Runs that end early, as a user meets them: killed, stopped, out of space, without their device, with broken files.
//! Each is resumed, and ends as if nothing had happened.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use crate::common::{
    self,
    program::{command, files, refuse, succeed, text},
};
use rbm_gpu::{checkpoint, model, rbm::Rbm};
use serde_json::Value;

/// 32 cases in minibatches of 4: 8 steps an epoch, 48 steps, with all options of a good density.
const RUN: [&str; 19] = [
    "train",
    "--data",
    "bars-and-stripes:4",
    "--hidden",
    "6",
    "--batch",
    "4",
    "--epochs",
    "6",
    "--estimator",
    "pcd",
    "--centred",
    "on",
    "--average",
    "0.5",
    "--lr-schedule",
    "linear",
    "--checkpoint-every",
    "0",
];

fn run<'a>(device: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&RUN[..], &["--device", device, "--out", out], more].concat()
}

/// Runs the program with a fault: see `src/cli/train/fault.rs`.
fn with_fault(folder: &Path, fault: &str, arguments: &[&str]) -> Output {
    command(folder, arguments).env("RBM_GPU_TEST_FAULT", fault).output().unwrap()
}

/// The model's bytes, each epoch and its error, and the pictures by name.
type Results = (Vec<u8>, Vec<(Value, Value)>, Vec<(String, Vec<u8>)>);

/// A run's results without its times: the model's bytes, the epochs of `metrics.jsonl` with their errors, the pictures'
/// bytes.
fn results(run: &Path) -> Results {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let pictures = ["filters", "reconstructions"].iter().flat_map(|kind| files(&run.join(kind)));
    let picture = |path: std::path::PathBuf| {
        (path.strip_prefix(run).unwrap().display().to_string(), fs::read(&path).unwrap())
    };
    (
        fs::read(run.join("model.safetensors")).unwrap(),
        lines.map(|line| (line["epoch"].clone(), line["reconstruction_error"].clone())).collect(),
        pictures.map(picture).collect(),
    )
}

/// The devices to test on: the native path, and the adapter, if there is one.
fn devices() -> Vec<String> {
    let adapter = common::context("interruptions").map(|context| context.info().name.clone());
    [Some("cpu".into()), adapter].into_iter().flatten().collect()
}

#[test]
fn a_run_killed_at_any_step_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    for device in devices() {
        let whole = format!("whole on {device}");
        succeed(folder.path(), &run(&device, &whole, &[]));
        let expected = results(&folder.path().join(whole));
        // Starting a driver takes time.
        let steps: &[&str] = if device == "cpu" {
            &["1", "2", "7", "8", "9", "16", "23", "30", "40", "47", "48"]
        } else {
            &["5", "24", "48"]
        };
        for step in steps {
            let out = format!("{step} on {device}");
            let killed = with_fault(folder.path(), &format!("kill@{step}"), &run(&device, &out, &[]));
            assert!(!killed.status.success() && killed.status.code() != Some(1), "{killed:?}");
            let printed = succeed(folder.path(), &["train", "--resume", &out]);
            assert!(
                printed.contains(if *step == "1" { "begins again" } else { "resuming from" }),
                "{printed}"
            );
            let run = folder.path().join(&out);
            assert!(results(&run) == expected, "killed after step {step} on {device}");
            assert!(run.join("report.html").is_file(), "killed after step {step} on {device}");
            assert!(run.join("checkpoints/step-0000000048.safetensors").is_file());
            assert!(succeed(folder.path(), &["train", "--resume", &out]).contains("all 6 epochs are done"));
        }
    }
}

#[test]
fn a_broken_checkpoint_gives_way_to_the_one_before_and_none_to_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "whole", &[]));
    let expected = results(&folder.path().join("whole"));
    for broken in 1..=2 {
        let out = format!("{broken} broken");
        with_fault(folder.path(), "kill@30", &run("cpu", &out, &[]));
        let checkpoints = files(&folder.path().join(&out).join("checkpoints"));
        assert_eq!(checkpoints.len(), 2);
        for path in checkpoints.iter().rev().take(broken) {
            let mut bytes = fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            fs::write(path, bytes).unwrap();
        }
        let printed = succeed(folder.path(), &["train", "--resume", &out]);
        assert_eq!(printed.matches("cannot be used: its SHA-256").count(), broken, "{printed}");
        assert!(printed.contains(["resuming from", "begins again"][broken - 1]), "{printed}");
        assert!(results(&folder.path().join(&out)) == expected, "{out}");
    }
}

#[test]
fn wherever_the_metrics_are_cut_no_epoch_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "whole", &[]));
    let expected = results(&folder.path().join("whole"));
    with_fault(folder.path(), "kill@40", &run("cpu", "cut", &[]));
    let path = folder.path().join("cut/metrics.jsonl");
    let whole = fs::read(&path).unwrap();
    // src/run.rs tests a cut at every byte; here, one is in the middle of the last line, one in the line before.
    let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap();
    for len in [last + 20, last - 20] {
        fs::write(&path, &whole[..len]).unwrap();
        succeed(folder.path(), &["train", "--resume", "cut"]);
        assert!(results(&folder.path().join("cut")) == expected, "cut to {len} bytes");
    }
}

/// A damaged line, or lost lines at the end, cost only their own content: neither the run nor another line.
#[test]
fn damaged_metrics_cost_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &str, more: &[&str]| {
        succeed(folder.path(), &run("cpu", out, more));
        (folder.path().join(out).join("metrics.jsonl"), results(&folder.path().join(out)))
    };
    let (path, expected) = train("watched", &[]);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let damaged = |from: usize, to: usize| {
        let line = |(at, line): (usize, &&str)| {
            if (from..to).contains(&at) { "torn{".into() } else { line.to_string() }
        };
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
    };
    for (text, lost) in [
        (damaged(2, 3), "epoch 3;"),
        (damaged(0, 6), "epochs 1, 2, 3, 4, 5, 6;"),
        (String::new(), "epochs 1, 2"),
    ] {
        fs::write(&path, &text).unwrap();
        let printed = succeed(folder.path(), &["train", "--resume", "watched"]);
        assert!(printed.contains(lost) && printed.contains("resuming from"), "{printed}");
        // The doctor remembers the errors.
        assert!(results(&folder.path().join("watched")) == expected, "{lost}");
        assert!(succeed(folder.path(), &["train", "--resume", "watched"]).contains("all 6 epochs are done"));
    }
    // Without the doctor, the errors are lost.
    let (path, mut expected) = train("alone", &["--no-doctor"]);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    fs::write(&path, whole.replace(lines[2], "torn{")).unwrap();
    let printed = succeed(folder.path(), &["train", "--resume", "alone"]);
    assert!(printed.contains("epoch 3; left out"), "{printed}");
    expected.1.remove(2);
    assert!(results(&folder.path().join("alone")) == expected);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole.replace(&format!("{}\n", lines[2]), ""));
    // Without a checkpoint to resume from, a run whose epochs are done is left unchanged.
    fs::remove_dir_all(folder.path().join("alone/checkpoints")).unwrap();
    let printed = succeed(folder.path(), &["train", "--resume", "alone"]);
    assert!(printed.contains("there is no checkpoint"), "{printed}");
    assert!(results(&folder.path().join("alone")) == expected);
}

/// The leftovers of a run that was killed before it had a config.json are no run, and do not stand in the way of one.
#[test]
fn a_run_killed_before_it_began_is_begun_by_the_same_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    succeed(folder.path(), &run("cpu", "whole", &["--seed", "2"]));
    let command = run("cpu", "run", &["--init", "whole"]);
    let killed = with_fault(folder.path(), "kill@0", &command);
    assert!(!killed.status.success() && !path.join("config.json").exists(), "{killed:?}");
    fs::write(path.join(".rbm-gpu-abc123"), "{").unwrap();
    let left = files(&path);
    assert_eq!(left.len(), 7, "{left:?}");
    refuse(folder.path(), &["train", "--resume", "run"], &["before it began", "repeat the command"]);
    assert_eq!(files(&path), left);
    // Anything else in the folder is somebody else's.
    for other in ["notes.txt", "filters/epoch-0001.png"] {
        fs::write(path.join(other), "mine").unwrap();
        refuse(folder.path(), &command, &["not empty"]);
        fs::remove_file(path.join(other)).unwrap();
    }
    fs::write(path.join("metrics.jsonl"), "{}\n").unwrap();
    refuse(folder.path(), &command, &["not empty"]);
    fs::write(path.join("metrics.jsonl"), "").unwrap();
    fs::create_dir(folder.path().join("models")).unwrap();
    fs::write(folder.path().join("models/initial.safetensors"), "mine").unwrap();
    refuse(folder.path(), &run("cpu", "models", &[]), &["not empty"]);
    // Another command may take the folder, too.
    succeed(folder.path(), &run("cpu", "run", &["--seed", "2"]));
    assert!(results(&path) == results(&folder.path().join("whole")));
    assert!(!path.join("initial.safetensors").exists() && !path.join(".rbm-gpu-abc123").exists());
}

/// The next run in a folder removes the temporary files of a killed run; a file of another name stays.
#[test]
fn temporary_files_of_a_killed_run_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "run", &[]));
    let inside = ["", "filters", "reconstructions", "chains", "checkpoints"];
    let inside = inside.map(|name| folder.path().join("run").join(name));
    for place in &inside {
        fs::write(place.join(".rbm-gpu-Ab1c2D"), "half").unwrap();
        fs::write(place.join(".rbm-gpu-notes"), "mine").unwrap();
    }
    succeed(folder.path(), &["train", "--resume", "run"]);
    for place in &inside {
        assert!(!place.join(".rbm-gpu-Ab1c2D").exists(), "{}", place.display());
        assert_eq!(fs::read(place.join(".rbm-gpu-notes")).unwrap(), b"mine");
    }
}

#[test]
fn what_an_ended_run_lacks_is_made_from_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "run", &[]));
    let path = folder.path().join("run");
    let expected = results(&path);
    fs::write(path.join("model.safetensors"), "").unwrap();
    fs::remove_file(path.join("filters/epoch-0006.png")).unwrap();
    fs::remove_file(path.join("report.html")).unwrap();
    let printed = succeed(folder.path(), &["train", "--resume", "run"]);
    assert!(printed.contains("its model is missing or damaged; it is completed"), "{printed}");
    assert!(results(&path) == expected && path.join("report.html").is_file());
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    with_fault(folder.path(), "kill@30", &run("cpu", "run", &[]));
    with_fault(folder.path(), "kill@35", &run("cpu", "other", &["--seed", "2"]));
    let path = folder.path().join("run");
    let before = (files(&path.join("checkpoints")), fs::read(path.join("metrics.jsonl")).unwrap());
    let unchanged =
        || (files(&path.join("checkpoints")), fs::read(path.join("metrics.jsonl")).unwrap()) == before;
    // An edited config.json.
    let config = fs::read_to_string(path.join("config.json")).unwrap();
    for (from, to, expected) in [
        ("\"seed\": 1", "\"seed\": 7", "its seed is 1, and config.json says 7"),
        (
            "\"learning_rate\": 0.1",
            "\"learning_rate\": 0.2",
            "its learning_rate is 0.1, and config.json says 0.2",
        ),
        ("\"centred\": \"on\"", "\"centred\": \"off\"", "its centred is \"on\""),
    ] {
        assert!(config.contains(from), "{config}");
        fs::write(path.join("config.json"), config.replace(from, to)).unwrap();
        refuse(folder.path(), &["train", "--resume", "run"], &["not of the run", expected]);
        assert!(unchanged(), "{expected}");
    }
    fs::write(path.join("config.json"), &config).unwrap();
    // Another run's checkpoint.
    let foreign = files(&folder.path().join("other/checkpoints")).pop().unwrap();
    let among = path.join("checkpoints").join(foreign.file_name().unwrap());
    fs::copy(&foreign, &among).unwrap();
    refuse(folder.path(), &["train", "--resume", "run"], &["not of the run", "its seed is 2"]);
    fs::remove_file(&among).unwrap();
    assert!(unchanged());
    // A checkpoint of an earlier version does not say whose it is.
    let last = files(&path.join("checkpoints")).pop().unwrap();
    let mut state = checkpoint::from_bytes(fs::read(&last).unwrap()).unwrap();
    assert!(state.position.origin.take().is_some());
    fs::write(&last, checkpoint::to_bytes(&state).unwrap()).unwrap();
    let printed = succeed(folder.path(), &["train", "--resume", "run", "--epochs", "7", "--keep", "3"]);
    assert!(printed.contains("taken on trust") && printed.contains("resuming from"), "{printed}");
}

#[test]
fn a_report_that_cannot_be_written_ends_no_training() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "whole", &[]));
    with_fault(folder.path(), "kill@30", &run("cpu", "run", &[]));
    fs::create_dir(folder.path().join("run/report.html")).unwrap();
    for _ in ["to its end", "with all epochs done"] {
        let output = command(folder.path(), &["train", "--resume", "run"]).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("cannot write") && message.contains("rbm-gpu report run"), "{message}");
        assert!(results(&folder.path().join("run")) == results(&folder.path().join("whole")));
    }
    fs::remove_dir(folder.path().join("run/report.html")).unwrap();
    succeed(folder.path(), &["report", "run"]);
}

#[test]
fn a_run_that_goes_on_has_no_doctor_if_it_began_without() {
    let folder = tempfile::tempdir().unwrap();
    let has_doctor = |more: &[&str]| {
        succeed(folder.path(), &[&["train", "--resume", "run"], more].concat());
        let config = fs::read(folder.path().join("run/config.json")).unwrap();
        serde_json::from_slice::<Value>(&config).unwrap()["no_doctor"] == false
    };
    succeed(folder.path(), &run("cpu", "run", &[]));
    assert!(has_doctor(&["--epochs", "7"]));
    assert!(!has_doctor(&["--epochs", "8", "--no-doctor"]));
    assert!(!has_doctor(&["--epochs", "9"]));
}

/// Other systems do not allow such names.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_may_have_any_name() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"run \xff");
    let train = |arguments: &[&str], end: &str| {
        let mut command = command(folder.path(), &arguments[..arguments.len() - 1]);
        command.arg(name).env("RBM_GPU_TEST_FAULT", end).output().unwrap()
    };
    let killed = train(&run("cpu", "", &[]), "kill@30");
    assert!(!killed.status.success() && folder.path().join(name).join("config.json").is_file());
    let output = train(&["train", "--resume", ""], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    succeed(folder.path(), &run("cpu", "whole", &[]));
    assert!(results(&folder.path().join(name)) == results(&folder.path().join("whole")));
    // A dangling link is no folder; that is said before the work.
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    refuse(folder.path(), &run("cpu", "link", &[]), &["--out link", "a link to nothing"]);
}

#[test]
fn a_longer_run_is_the_run_that_was_longer_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |out: &'static str, epochs: &'static str| {
        let options =
            ["train", "--data", "bars-and-stripes:3", "--hidden", "5", "--batch", "7", "--epochs", epochs];
        [&options[..], &["--device", "cpu", "--out", out]].concat()
    };
    succeed(folder.path(), &plain("long", "5"));
    succeed(folder.path(), &plain("short", "2"));
    succeed(folder.path(), &["train", "--resume", "short", "--epochs", "5"]);
    assert!(results(&folder.path().join("short")) == results(&folder.path().join("long")));
    // A schedule that depends on the length of the run changes.
    succeed(folder.path(), &run("cpu", "schedule", &[]));
    let printed = succeed(folder.path(), &["train", "--resume", "schedule", "--epochs", "7"]);
    assert!(printed.contains("depend on the length of the run"), "{printed}");
}

#[test]
fn another_model_may_be_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run("cpu", "first", &[]));
    let first: Rbm = model::open(&folder.path().join("first")).unwrap().rbm;
    let more = |out: &'static str, init: &'static str| {
        let options =
            ["train", "--data", "bars-and-stripes:4", "--batch", "4", "--epochs", "2", "--lr", "1e-9"];
        [&options[..], &["--momentum", "0", "--device", "cpu", "--out", out, "--init", init]].concat()
    };
    succeed(folder.path(), &more("second", "first"));
    let second = model::open(&folder.path().join("second")).unwrap().rbm;
    let largest =
        |a: &Rbm| first.weights().iter().zip(a.weights()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest(&second) < 1e-6, "so small a learning rate leaves the model where it began");
    // The run resumes even if that model is gone, and accepts a checkpoint as well as a run.
    let checkpoint = files(&folder.path().join("first/checkpoints"))[0].display().to_string();
    with_fault(folder.path(), "kill@3", &more("third", "first"));
    fs::remove_dir_all(folder.path().join("first")).unwrap();
    succeed(folder.path(), &["train", "--resume", "third"]);
    assert!(
        fs::read(folder.path().join("third/model.safetensors")).unwrap()
            == fs::read(folder.path().join("second/model.safetensors")).unwrap()
    );
    refuse(folder.path(), &more("fourth", "first"), &["first", "nothing there"]);
    refuse(folder.path(), &["train", "--init", "second"], &["784 × 6", "found 16 × 6"]);
    refuse(folder.path(), &[&more("fifth", "second")[..], &["--hidden", "7"]].concat(), &["16 × 7"]);
    assert!(checkpoint.ends_with(".safetensors"));
}

#[test]
fn what_conflicts_with_a_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("data.csv");
    let cases = |last: &str| format!("{}{last}", "0,1,1,0\n1,0,0,1\n".repeat(6));
    fs::write(&csv, cases("1,1,1,1\n")).unwrap();
    let options =
        ["train", "--data", "data.csv", "--batch", "3", "--hidden", "2", "--device", "cpu", "--out", "run"];
    let killed = with_fault(folder.path(), "kill@7", &options);
    assert!(!killed.status.success());
    let resume = ["train", "--resume", "run"];
    for (more, expected) in [
        (&["--hidden", "7"][..], &["--hidden", "(2)", "--init run"][..]),
        (&["--lr", "0.2"], &["--lr", "(0.1)"]),
        (&["--out", "other"], &["--out"]),
        (&["--preset", "density"], &["--preset"]),
        (&["--keep", "0"], &["--keep"]),
        (&["--checkpoint-every", "often"], &["seconds", "off"]),
        (&["--epochs", "0"], &["--epochs"]),
    ] {
        refuse(folder.path(), &[&resume[..], more].concat(), expected);
    }
    refuse(folder.path(), &["train", "--resume", "nowhere"], &["nothing there"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    refuse(folder.path(), &["train", "--resume", "empty"], &["without config.json"]);
    fs::write(&csv, cases("0,0,0,0\n")).unwrap();
    refuse(folder.path(), &resume, &["training cases differ"]);
    fs::write(&csv, cases("1,1,1,1\n")).unwrap();
    succeed(folder.path(), &[&resume[..], &["--hidden", "2"]].concat());
    refuse(folder.path(), &[&resume[..], &["--epochs", "3"]].concat(), &["has 10 epochs already"]);
}

#[test]
fn what_diverged_is_in_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["train", "--data", "bars-and-stripes:4", "--lr", "1e38", "--hidden", "6", "--batch", "4"];
    let options = [&options[..], &["--checkpoint-every", "0", "--device", "cpu", "--out", "run"]].concat();
    let output = command(folder.path(), &options).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("diverged") && message.contains("at step"), "{message}");
    let last = files(&folder.path().join("run/checkpoints")).pop();
    if let Some(last) = last {
        let rbm = model::load(&last).unwrap().rbm;
        assert!(rbm.non_finite().is_none());
        assert!(message.contains(&last.file_name().unwrap().to_string_lossy()[..]), "{message}");
    }
    let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    assert!(metrics.contains("non-finite"), "{metrics}");
}

#[test]
fn a_lost_device_is_opened_again_or_done_without() {
    let Some(context) = common::context("a lost device") else { return };
    let device = context.info().name.clone();
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &run(&device, "whole", &[]));
    let expected = results(&folder.path().join("whole"));

    let output = with_fault(folder.path(), "lose-once@20", &run(&device, "again", &[]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("opening the device again"));
    assert!(results(&folder.path().join("again")) == expected);

    // Each checkpoint reached allows another try.
    for (policy, tries) in [("stop", 0..1), ("retry", 1..4)] {
        let output =
            with_fault(folder.path(), "lose@20", &run(&device, policy, &["--on-device-loss", policy]));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("lost") && message.contains("step-00000000"), "{message}");
        let tried = text(&output.stdout).matches("opening the device again").count();
        assert!(tries.contains(&tried), "{policy}: tried {tried} times");
        succeed(folder.path(), &["train", "--resume", policy]);
        assert!(results(&folder.path().join(policy)) == expected, "{policy}");
    }

    let output = with_fault(folder.path(), "lose@20", &run(&device, "cpu", &["--on-device-loss", "cpu"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("on the native path"));
    let found = results(&folder.path().join("cpu"));
    assert_eq!(found.1.len(), 6, "{:?}", found.1);
    assert!(
        fs::read_to_string(folder.path().join("cpu/config.json")).unwrap().contains("\"device\": \"cpu\"")
    );
}

/// Waits until a file is there.
#[cfg(unix)]
fn until_there(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} is not there", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a run has done `epochs` epochs.
fn until(run: &Path, epochs: usize) {
    let start = Instant::now();
    while fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default().lines().count() < epochs {
        assert!(start.elapsed() < Duration::from_secs(60), "the run did not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits at most `seconds` seconds for a process to end.
#[cfg(unix)]
fn ended_within(child: &mut Child, seconds: u64) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

#[cfg(unix)]
#[test]
fn a_long_step_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        ["train", "--data", "bars-and-stripes:4", "--hidden", "1000", "--k", "1000000", "--batch", "32"];
    for (name, show) in [("told", &[][..]), ("quiet", &["--quiet"])] {
        let arguments = [&options[..], &["--no-doctor", "--device", "cpu", "--out", name], show].concat();
        let mut started = command(folder.path(), &arguments);
        let mut child = started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if name == "told" {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().starts_with("before training")));
        } else {
            until_there(&folder.path().join(name).join("config.json"));
        }
        std::thread::sleep(Duration::from_millis(500));
        // The loss of a terminal is signalled twice; the run must still end with a checkpoint.
        signal(&child, "HUP");
        signal(&child, "HUP");
        signal(&child, "TERM");
        assert_eq!(ended_within(&mut child, 1), None, "{name}: the step is not done");
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        if name == "told" {
            errors.read_line(&mut told).unwrap();
            assert!(told.contains("Ctrl-C again ends the run at once"), "{told}");
        }
        signal(&child, "TERM");
        let status = ended_within(&mut child, 10).expect("the second signal ends it at once");
        assert_eq!(status.code(), Some(143));
        told.clear();
        errors.read_to_string(&mut told).unwrap();
        assert_eq!(told, "", "{name}");
        assert!(!folder.path().join(name).join("checkpoints").exists());
    }
}

/// SIGHUP is ignored, as under nohup.
#[cfg(unix)]
#[test]
fn a_lost_terminal_is_nothing_to_a_run_that_ignores_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = run("cpu", "run", &[]);
    let epochs = arguments.iter().position(|argument| *argument == "--epochs").unwrap();
    arguments[epochs + 1] = "300";
    let child = Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_rbm-gpu")])
        .args(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until(&folder.path().join("run"), 2);
    signal(&child, "HUP");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && text(&output.stdout).contains("after 300 epochs"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_between_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let endless = |out: &'static str| {
        let options = ["train", "--data", "bars-and-stripes:4", "--hidden", "6", "--epochs", "1000000"];
        [&options[..], &["--batch", "4", "--device", "cpu", "--out", out]].concat()
    };
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut started = command(folder.path(), &endless(name));
        let child = started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until(&folder.path().join(name), 2);
        // While the run writes there, nobody else may.
        let other = command(folder.path(), &["train", "--resume", name]).output().unwrap();
        assert_eq!(other.status.code(), Some(2));
        assert!(text(&other.stderr).contains("another rbm-gpu"), "{}", text(&other.stderr));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains(&format!("rbm-gpu train --resume {name}")), "{printed}");
        let told = text(&output.stderr);
        assert!(told.starts_with("stopping when this step is done") && told.lines().count() == 1, "{told:?}");
        let done =
            fs::read_to_string(folder.path().join(name).join("metrics.jsonl")).unwrap().lines().count();
        let more = (done + 2).to_string();
        let printed = succeed(folder.path(), &["train", "--resume", name, "--epochs", &more]);
        assert!(printed.contains(&format!("resuming from {name}/checkpoints/step-")), "{printed}");
        assert!(printed.contains(&format!("{done} of {more} epochs")), "{printed}");
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_a_run_to_go_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let long = |out: &'static str| {
        let mut arguments = run("cpu", out, &[]);
        let epochs = arguments.iter().position(|argument| *argument == "--epochs").unwrap();
        arguments[epochs + 1] = "100";
        arguments
    };
    succeed(folder.path(), &long("whole"));
    // No file may be larger than 6 kB (12 in some shells' blocks): checkpoints are smaller, metrics.jsonl soon is not.
    let script = "ulimit -f 12; exec \"$0\" \"$@\"";
    let full = Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", script, env!("CARGO_BIN_EXE_rbm-gpu")])
        .args(long("full"))
        .output()
        .unwrap();
    let message = text(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot write") && message.contains("checkpoints/step-"), "{message}");
    succeed(folder.path(), &["train", "--resume", "full"]);
    assert!(results(&folder.path().join("full")) == results(&folder.path().join("whole")));
}

#[test]
fn runs_without_out_that_start_at_once_take_the_next_number() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["train", "--data", "bars-and-stripes:3", "--hidden", "5", "--batch", "7", "--epochs", "1"];
    let arguments = [&options[..], &["--device", "cpu"]].concat();
    let runs = [(); 4].map(|()| command(folder.path(), &arguments).spawn().unwrap());
    assert!(runs.into_iter().all(|mut run| run.wait().unwrap().success()));
    let found = files(&folder.path().join("runs"));
    let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
    assert_eq!(names, [1, 2, 3, 4].map(|n| format!("bars-and-stripes-3-{n}")));
}
