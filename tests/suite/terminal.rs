//! Output for people: no control characters from strangers' files, no answer lost in silence, and a terminal that is
//! restored whatever happens.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Output, Stdio},
};

use crate::common::program::{command, succeed, text};
use image::GrayImage;
use rbm_gpu::data::npy::{Array, Values, write_npz};
use serde_json::Value;

/// A window title, a colour that is none of our styles, a bell, cursor moves as one byte and in C1, DEL, and reversed
/// writing; with a word to find it by.
const EVIL: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[45mmagenta\u{8}\r\u{7f}\u{9b}2J\u{85}\u{202e}dne\u{2066}";
/// The escape sequences of our own styles: none, bold, red and yellow.
const STYLES: [&str; 4] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[33m"];

fn is_obeyed(letter: char) -> bool {
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// The output, after a check that it is harmless.
fn harmless(arguments: &[&str], output: &Output) -> String {
    let printed = text(&output.stdout) + &text(&output.stderr);
    let rest = STYLES.iter().fold(printed.clone(), |rest, style| rest.replace(style, ""));
    assert!(!rest.contains(is_obeyed), "{arguments:?}: {printed:?}");
    assert!(!printed.contains("panicked"), "{arguments:?}: {printed}");
    printed
}

/// Runs the program with its styles, as in a terminal, and without; returns how often its output was cleaned.
fn look(folder: &Path, arguments: &[&str]) -> usize {
    let plain = harmless(arguments, &command(folder, arguments).output().unwrap());
    let styled = command(folder, arguments).env("CLICOLOR_FORCE", "1").output().unwrap();
    harmless(arguments, &styled);
    plain.matches("\u{fffd}").count()
}

/// The pointers to all values in a JSON value.
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

/// A table with a class of this name, and another class.
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
        // All commands read the model in the same way.
        let is_text = value.pointer(place).unwrap().is_string() || place == "/init";
        commands[..if is_text { commands.len() } else { 4 }].iter().for_each(|arguments| look(arguments));
    }
    write("config.json", &config);
    let stranger = with_header(&model, |header| {
        let weights = header.as_object_mut().unwrap().remove("weights").unwrap();
        header[EVIL] = weights;
        header["__metadata__"][EVIL] = EVIL.into();
    });
    let others: [&[&str]; 2] = [
        &["import", "run/model.safetensors", "-o", "imported.safetensors"],
        &["doctor", "run/model.safetensors"],
    ];
    for arguments in commands.iter().copied().chain(others) {
        // A resumed run may restore its own model.
        write("model.safetensors", &stranger);
        look(arguments);
    }
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

    // JSON has the name unchanged.
    let json = succeed(folder, &["data", "pngs", "--json"]);
    assert!(!json.contains(is_obeyed), "{json:?}");
    let summary: Value = serde_json::from_str(&json).unwrap();
    let classes: Vec<_> =
        summary["parts"][0]["classes"].as_array().unwrap().iter().map(|class| class[0].as_str()).collect();
    assert!(classes.contains(&Some(&format!("class{EVIL}"))), "{json}");
}

/// A path that is not UTF-8 is shown as far as possible, also in JSON.
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
            // A reader that goes away, as in `| head`.
            let output = command(folder, arguments).stdout(gone()).output().unwrap();
            assert_eq!(
                (output.status.code(), text(&output.stderr)),
                (Some(0), String::new()),
                "{arguments:?}"
            );
        }
    }
    // The run itself was completed.
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

/// `train --tui` in a terminal made by the test.
#[cfg(unix)]
mod screen {
    use std::{
        ffi::CStr,
        fs::File,
        io::{Read, Write},
        os::{
            fd::AsRawFd,
            unix::{
                fs::OpenOptionsExt,
                process::{CommandExt, ExitStatusExt},
            },
        },
        path::Path,
        process::{Child, ExitStatus, Stdio},
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, Ordering},
        },
        thread::{self, JoinHandle},
        time::{Duration, Instant},
    };

    use libc::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, c_int};

    use crate::common::program::{command, files, text};

    const ENTER: &str = "\u{1b}[?1049h";
    const LEAVE: &str = "\u{1b}[?1049l";
    const HIDE: &str = "\u{1b}[?25l";
    const SHOW: &str = "\u{1b}[?25h";

    /// Waits until `is_so` holds.
    fn wait_for(what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The two ends of a terminal, which other children do not inherit.
    fn pair() -> (File, File) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock();
        let open = |path: &str| {
            File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap()
        };
        let keys = open("/dev/ptmx");
        let size = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the number is an open terminal's; its name is copied before the next call.
        let name = unsafe {
            assert_eq!((libc::grantpt(keys.as_raw_fd()), libc::unlockpt(keys.as_raw_fd())), (0, 0));
            CStr::from_ptr(libc::ptsname(keys.as_raw_fd())).to_str().unwrap().to_string()
        };
        let other_end = open(&name);
        // SAFETY: the call reads a size, of the type that it expects.
        assert_eq!(unsafe { libc::ioctl(other_end.as_raw_fd(), libc::TIOCSWINSZ, &size) }, 0);
        (keys, other_end)
    }

    struct Terminal {
        keys: File,
        other_end: File,
        child: Child,
        shown: Arc<Mutex<Vec<u8>>>,
        reader: JoinHandle<()>,
        /// Whether the reader has stopped.
        gone: Arc<AtomicBool>,
    }

    impl Terminal {
        /// A run on the whole screen, with a fault.
        fn run(folder: &Path, options: &[&str], fault: &str) -> Self {
            let (keys, other_end) = pair();
            let end = || Stdio::from(other_end.try_clone().unwrap());
            let train = ["train", "--data", "bars-and-stripes:4", "--batch", "4", "--epochs", "1000000"];
            let more = ["--device", "cpu", "--out", "run", "--tui"];
            let mut started = command(folder, &[&train[..], &more, options].concat());
            started.stdin(end()).stdout(end()).stderr(end()).env("RBM_GPU_TEST_FAULT", fault);
            // SAFETY: both are system calls that are allowed between fork and exec.
            unsafe {
                started.pre_exec(|| {
                    libc::setsid();
                    libc::ioctl(0, libc::TIOCSCTTY as _, 0);
                    Ok(())
                });
            }
            let child = started.spawn().unwrap();
            let shown = Arc::new(Mutex::new(Vec::new()));
            let gone = Arc::new(AtomicBool::new(false));
            let (mut screen, seen, ends) = (keys.try_clone().unwrap(), shown.clone(), gone.clone());
            let reader = thread::spawn(move || {
                let mut bytes = [0; 4096];
                // On some systems the end is an error.
                while let Ok(count @ 1..) = screen.read(&mut bytes) {
                    seen.lock().unwrap().extend(&bytes[..count]);
                    if ends.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
            let terminal = Self { keys, other_end, child, shown, reader, gone };
            wait_for("the screen", || terminal.count("held-out") > 0);
            terminal
        }

        fn shown(&self) -> String {
            text(&self.shown.lock().unwrap())
        }

        fn count(&self, what: &str) -> usize {
            self.shown().matches(what).count()
        }

        fn signal(&self, signal: c_int) {
            // SAFETY: the process is our child, and was not waited for yet.
            assert_eq!(unsafe { libc::kill(self.child.id() as c_int, signal) }, 0);
        }

        /// Whether keys are echoed and Ctrl-C is a signal.
        fn is_usual(&self) -> bool {
            // SAFETY: an all-zero structure is valid, and the call fills it.
            unsafe {
                let mut found: libc::termios = std::mem::zeroed();
                assert_eq!(libc::tcgetattr(self.other_end.as_raw_fd(), &mut found), 0);
                let wanted = libc::ECHO | libc::ICANON | libc::ISIG;
                found.c_lflag & wanted == wanted
            }
        }

        /// The exit status of the run, and all its output, after a check that the terminal is restored.
        fn end(mut self) -> (ExitStatus, String) {
            let status = self.child.wait().unwrap();
            assert!(self.is_usual(), "raw after {status}");
            drop(self.other_end);
            self.reader.join().unwrap();
            let shown = text(&self.shown.lock().unwrap());
            let [entered, left] = [ENTER, LEAVE].map(|what| shown.matches(what).count());
            assert!(
                entered > 0 && entered == left,
                "{status}: entered {entered} times, left {left}: {shown:?}"
            );
            assert!(shown.rfind(SHOW) > shown.rfind(HIDE), "{status}: no cursor: {shown:?}");
            (status, shown)
        }
    }

    #[test]
    fn a_terminal_is_given_back_whatever_ends_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        for (signal, name, code) in [(SIGINT, "int", 130), (SIGTERM, "term", 143), (SIGHUP, "hup", 129)] {
            let folder = folder(name);
            let terminal = Terminal::run(&folder, &[], "");
            terminal.signal(signal);
            let (status, shown) = terminal.end();
            assert_eq!(status.code(), Some(code), "{shown:?}");
            let lines = shown.rsplit_once(LEAVE).unwrap().1;
            assert!(
                lines.contains("stopping when this step is done") && lines.contains("--resume run"),
                "{lines}"
            );
            assert_eq!(files(&folder.join("run/checkpoints")).len(), 1, "{name}");
        }

        let terminal = Terminal::run(&folder("quit"), &[], "");
        terminal.signal(SIGQUIT);
        assert_eq!(terminal.end().0.signal(), Some(SIGQUIT));

        let mut terminal = Terminal::run(&folder("key"), &[], "");
        terminal.keys.write_all(b"\x03").unwrap();
        assert_eq!(terminal.end().0.code(), Some(130));

        // A step that takes long.
        let long = ["--k", "1000000", "--hidden", "4000", "--no-doctor"];
        let terminal = Terminal::run(&folder("twice"), &long, "");
        terminal.signal(SIGTERM);
        wait_for("an answer", || terminal.count("stopping when this step is done") > 0);
        assert!(terminal.is_usual());
        terminal.signal(SIGTERM);
        assert_eq!(terminal.end().0.code(), Some(143));
        let terminal = Terminal::run(&folder("at-once"), &long, "");
        terminal.signal(SIGTERM);
        thread::sleep(Duration::from_millis(50));
        terminal.signal(SIGTERM);
        assert_eq!(terminal.end().0.code(), Some(143));

        let (status, shown) = Terminal::run(&folder("panic"), &[], "panic@8000").end();
        assert_eq!(status.code(), Some(101));
        assert!(shown.rsplit_once(LEAVE).unwrap().1.contains("panicked"), "{shown:?}");
    }

    #[test]
    fn a_stopped_run_lends_the_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::run(folder.path(), &[], "");
        for times in 1..=2 {
            // First the signal, then the key.
            if times == 1 {
                terminal.signal(SIGTSTP)
            } else {
                terminal.keys.write_all(b"\x1a").unwrap()
            }
            let mut status = 0;
            // SAFETY: the process is our child; stopping does not end it.
            let stopped =
                unsafe { libc::waitpid(terminal.child.id() as c_int, &mut status, libc::WUNTRACED) };
            assert!(stopped > 0 && libc::WIFSTOPPED(status));
            assert!(terminal.is_usual());
            wait_for("the screen before", || terminal.count(LEAVE) == times);
            terminal.signal(SIGCONT);
            wait_for("the screen again", || terminal.count(ENTER) == times + 1);
        }
        terminal.keys.write_all(b"q").unwrap();
        wait_for("lines", || terminal.count(LEAVE) == 3);
        wait_for("lines", || terminal.is_usual());
        terminal.signal(SIGTERM);
        assert_eq!(terminal.end().0.code(), Some(143));
    }

    /// The window is closed, or the connection lost: nothing can be written, and the run ends with a checkpoint.
    #[test]
    fn a_terminal_that_is_gone_ends_the_run_with_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let Terminal { keys, other_end, mut child, reader, gone, .. } = Terminal::run(folder.path(), &[], "");
        gone.store(true, Ordering::SeqCst);
        reader.join().unwrap();
        drop((keys, other_end));
        assert_eq!(child.wait().unwrap().code(), Some(129));
        assert_eq!(files(&folder.path().join("run/checkpoints")).len(), 1);
    }
}
