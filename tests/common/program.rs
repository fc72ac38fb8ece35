//! Runs the program as a user does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Runs the program in `folder`.
pub fn rbm_gpu(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rbm-gpu"));
    command.current_dir(folder).args(arguments).env_remove("RBM_GPU_DATA");
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The standard output of a run of the program that must succeed.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = rbm_gpu(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Checks that bad input gives a message with all of `expected`, exit code 2, and no files.
pub fn refuse(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let before = files(folder);
    let output = rbm_gpu(folder, arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    for part in expected {
        assert!(message.contains(part), "{arguments:?}: expected {part:?} in {message:?}");
    }
    assert_eq!(files(folder), before, "{arguments:?} wrote something");
}

/// The entries of a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}
