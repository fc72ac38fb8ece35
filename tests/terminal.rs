//! What reaches people: nothing that a terminal obeys out of strangers' files, and no answer that is lost without a word.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Output, Stdio},
};

use common::program::{command, succeed, text};
use image::GrayImage;
use rbm_gpu::data::npy::{Array, Values, write_npz};
use serde_json::Value;

/// A title for the window, a colour of none of our styles, a bell, moves of the cursor in one byte and in C1, DEL, and
/// writing turned around; with a word to find it by.
const EVIL: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[45mmagenta\u{8}\r\u{7f}\u{9b}2J\u{85}\u{202e}dne\u{2066}";
/// The beginnings of our own styles: none, bold, red and yellow.
const STYLES: [&str; 4] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[33m"];

fn is_obeyed(letter: char) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// What was printed, once it is known to be harmless.
fn harmless(arguments: &[&str], output: &Output) -> String {
    let printed = text(&output.stdout) + &text(&output.stderr);
    let rest = STYLES.iter().fold(printed.clone(), |rest, style| rest.replace(style, ""));
    assert!(!rest.contains(is_obeyed), "{arguments:?}: {printed:?}");
    assert!(!printed.contains("panicked"), "{arguments:?}: {printed}");
    printed
}

/// Runs the program with its styles, as in a terminal, and without; gives how often what it printed was cleaned.
fn look(folder: &Path, arguments: &[&str]) -> usize {
    let plain = harmless(arguments, &command(folder, arguments).output().unwrap());
    let styled = command(folder, arguments).env("CLICOLOR_FORCE", "1").output().unwrap();
    harmless(arguments, &styled);
    plain.matches("\u{fffd}").count()
}

/// Every place in a JSON value.
fn places(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(entries) => {
            entries.iter().flat_map(|(key, value)| places(value, &format!("{at}/{key}"))).collect()
        }
        _ => vec![at.to_string()],
    }
}

/// A safetensors file with its header changed.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (size, rest) = bytes.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(size.try_into().unwrap()) as usize);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    change(&mut header);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

const TRAIN: [&str; 11] =
    ["train", "--hidden", "2", "--batch", "4", "--epochs", "1", "--device", "cpu", "--quiet", "--out"];

/// A class with this name, and another.
fn table(folder: &Path, class: &str) {
    let class = class.replace('\r', "");
    let rows = (0..12).map(|row| format!("{},{}\n", [&class[..], "b"][row % 2], ["0,1,1", "1,0,1"][row % 2]));
    let head = format!("kind{EVIL},a,b,c\n").replace('\r', "");
    fs::write(folder.join("table.csv"), head + &rows.collect::<String>()).unwrap();
}

#[test]
fn nothing_of_a_runs_files_is_obeyed_by_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder, "class\u{202e}");
    let data = ["run", "--data", "table.csv", "--label-column", "1", "--validation", "0.25"];
    succeed(folder, &[&TRAIN[..], &data].concat());
    let keep = |name: &str| fs::read(folder.join("run").join(name)).unwrap();
    let (config, model, metrics) = (keep("config.json"), keep("model.safetensors"), keep("metrics.jsonl"));
    let value: Value = serde_json::from_slice(&config).unwrap();
    let evil = |place: &str| {
        let mut value = value.clone();
        *value.pointer_mut(place).unwrap() = EVIL.into();
        value.to_string()
    };
    let commands: [&[&str]; 11] = [
        &["train", "--resume", "run", "--epochs", "2"],
        &["report", "run"],
        &["doctor", "run"],
        &["eval", "run", "--device", "cpu"],
        &["sample", "run", "--device", "cpu", "--steps", "1", "--force"],
        &["reconstruct", "run", "--device", "cpu", "--force"],
        &["inpaint", "run", "--device", "cpu", "--steps", "2", "--force"],
        &["transform", "run", "--device", "cpu", "--force"],
        &["probe", "run", "--device", "cpu", "--steps", "1"],
        &["filters", "run", "--force"],
        &["export", "run", "--force"],
    ];
    let mut cleaned = BTreeMap::new();
    let mut look =
        |arguments: &[&str]| *cleaned.entry(arguments[0].to_string()).or_insert(0) += look(folder, arguments);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join("run").join(name), bytes).unwrap();
    let all = places(&value, "");
    assert!(all.len() > 30, "{all:?}");
    for place in &all {
        write("config.json", evil(place).as_bytes());
        // The model's metadata have the same options.
        write(
            "model.safetensors",
            &with_header(&model, |header| {
                for (_, text) in header["__metadata__"].as_object_mut().unwrap() {
                    let mut options: Value = serde_json::from_str(text.as_str().unwrap()).unwrap_or_default();
                    if let Some(option) = options.pointer_mut(place) {
                        *option = EVIL.into();
                        *text = options.to_string().into();
                    }
                }
            }),
        );
        // All commands read the model alike.
        let is_text = value.pointer(place).unwrap().is_string() || place == "/init";
        commands[..if is_text { commands.len() } else { 4 }].iter().for_each(|arguments| look(arguments));
    }
    write("config.json", &config);
    write(
        "model.safetensors",
        &with_header(&model, |header| {
            let weights = header.as_object_mut().unwrap().remove("weights").unwrap();
            header[EVIL] = weights;
            header["__metadata__"][EVIL] = EVIL.into();
        }),
    );
    commands.iter().for_each(|arguments| look(arguments));
    look(&["import", "run/model.safetensors", "-o", "imported.safetensors"]);
    look(&["doctor", "run/model.safetensors"]);
    write("model.safetensors", &model);
    for line in [EVIL.to_string(), serde_json::json!({ "epoch": EVIL, EVIL: 1, "error": EVIL }).to_string()] {
        write("metrics.jsonl", &[&metrics[..], line.as_bytes(), b"\n"].concat());
        commands[..3].iter().for_each(|arguments| look(arguments));
        look(&["doctor", "run/metrics.jsonl"]);
    }
    for (command, least) in
        [("train", 3), ("report", 1), ("eval", 3), ("sample", 1), ("import", 1), ("doctor", 3)]
    {
        assert!(cleaned[command] >= least, "{command} had nothing to clean: {cleaned:?}");
    }
}

#[test]
fn nothing_of_data_or_arguments_is_obeyed_by_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    table(folder, &format!("class{EVIL}"));
    let array = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: Values::Floats((0..shape.iter().product()).map(|at: usize| (at % 2) as f32).collect()),
    };
    let arrays = |name: &str, arrays: &[(&str, Array)]| {
        let file = fs::File::create(folder.join(name)).unwrap();
        write_npz(file, arrays.iter().map(|(name, array)| (*name, array))).unwrap();
    };
    arrays("one.npz", &[(EVIL, array(&[4, 4]))]);
    arrays("two.npz", &[(EVIL, array(&[4, 4])), (&format!("{EVIL}2"), array(&[4, 5]))]);
    let named = format!("named{EVIL}.csv");
    fs::copy(folder.join("table.csv"), folder.join(&named)).unwrap();
    for (root, sizes) in [("pngs", [4, 4]), ("sizes", [4, 5])] {
        for (class, size) in [format!("class{EVIL}"), "b".into()].iter().zip(sizes) {
            let class = folder.join(root).join("train").join(class);
            fs::create_dir_all(&class).unwrap();
            GrayImage::new(size, 4).save(class.join(format!("a{EVIL}.png"))).unwrap();
        }
    }
    fs::create_dir_all(folder.join("broken")).unwrap();
    fs::write(folder.join("broken").join(format!("a{EVIL}.png")), "none").unwrap();

    let label = format!("kind{EVIL}").replace('\r', "");
    let option = format!("--{EVIL}");
    let mut commands: Vec<Vec<&str>> = vec![
        vec![EVIL],
        vec![&option],
        vec!["train", &option],
        vec!["train", "--hidden", EVIL],
        vec!["train", "--device", EVIL],
        vec!["train", "--binarize", EVIL],
        vec!["train", "--resume", EVIL],
        vec!["train", "--init", EVIL],
        vec!["eval", EVIL],
        vec!["inpaint", "run", "--mask", EVIL],
        vec!["report", EVIL],
        vec!["completions", EVIL],
        vec!["import", "two.npz"],
        vec!["doctor", EVIL],
        vec!["bench", "--data", EVIL],
        vec!["data", "shifter", "-o", EVIL],
        vec!["data", "table.csv", "--label-column", &label],
        vec!["data", "table.csv", "--label-column", &label, "--classes", EVIL],
        vec!["data", &named, "--label-column", "1"],
    ];
    let sets = [
        "one.npz",
        "two.npz",
        "table.csv",
        "pngs",
        "sizes",
        "broken",
        &named,
        EVIL,
        "bars-and-stripes:\u{1b}[45m",
    ];
    for data in sets {
        commands.push(vec!["data", data]);
        commands.push(vec!["doctor", data]);
        commands.push([&TRAIN[..9], &["--out", "run", "--data", data]].concat());
    }
    let harmful: usize = commands.iter().filter(|arguments| look(folder, arguments) > 0).count();
    assert!(2 * harmful > commands.len(), "{harmful} of {} had something to clean", commands.len());

    // JSON has the very name.
    let json = succeed(folder, &["data", "pngs", "--json"]);
    assert!(!json.contains(is_obeyed), "{json:?}");
    let summary: Value = serde_json::from_str(&json).unwrap();
    let classes: Vec<_> =
        summary["parts"][0]["classes"].as_array().unwrap().iter().map(|class| class[0].as_str()).collect();
    assert!(classes.contains(&Some(&format!("class{EVIL}"))), "{json}");
}

/// A path that is no UTF-8 is shown as well as it can be, also where JSON is asked for.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_utf_8_is_shown() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeed(folder, &[&TRAIN[..], &["run", "--data", "bars-and-stripes:2"]].concat());
    let name = OsStr::from_bytes(b"r\xff");
    fs::rename(folder.join("run"), folder.join(name)).unwrap();
    let ask = |arguments: &[&str], more: &[&OsStr]| -> Value {
        let output = command(folder, arguments).args(more).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
    };
    let json = ask(&["eval", "--json", "--device", "cpu"], &[name]);
    assert_eq!(json["model"], "r\u{fffd}/model.safetensors");
    let json = ask(&["doctor", "--json", "--plots"], &[OsStr::from_bytes(b"p\xff"), name]);
    assert!(json["plots"][0].as_str().unwrap().starts_with("p\u{fffd}/"), "{json}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeed(folder, &[&TRAIN[..], &["run", "--data", "bars-and-stripes:3"]].concat());
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let gone = || Stdio::from(std::io::pipe().unwrap().1);
    let train = [&TRAIN[..9], &["--data", "bars-and-stripes:3", "--out", "other"]].concat();
    let answers: [&[&str]; 12] = [
        &["eval", "run", "--device", "cpu"],
        &["eval", "run", "--device", "cpu", "--json"],
        &["data", "shifter"],
        &["devices"],
        &["man"],
        &["completions", "bash"],
        &["filters", "run", "--force"],
        &["report", "run"],
        &["verify", "--device", "cpu"],
        &["--help"],
        &["train", "--help"],
        &["--version"],
    ];
    for arguments in answers.into_iter().chain([&train[..]]) {
        let output = command(folder, arguments).stdout(full()).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert_eq!(message.matches("cannot write to standard output").count(), 1, "{arguments:?}: {message}");
        if arguments != train {
            let both = command(folder, arguments).stdout(full()).stderr(full()).status().unwrap();
            assert_eq!(both.code(), Some(1), "{arguments:?}");
            // As with `| head`.
            let output = command(folder, arguments).stdout(gone()).output().unwrap();
            assert_eq!(
                (output.status.code(), text(&output.stderr)),
                (Some(0), String::new()),
                "{arguments:?}"
            );
        }
    }
    // The run itself is done.
    assert!(folder.join("other/model.safetensors").is_file());
    let refused: [(&[&str], i32); 4] =
        [(&["eval", "absent"], 2), (&["--absent"], 2), (&[], 2), (&["doctor", "run"], 1)];
    for (arguments, code) in refused {
        for errors in [full(), gone()] {
            let status = command(folder, arguments).stdout(Stdio::null()).stderr(errors).status().unwrap();
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
    }
}
