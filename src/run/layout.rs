//! The layout of a run's folder. The folder may be a stranger's, or a killed run's: nothing in it may lead a run to write
//! elsewhere, and only a run's own files count as leftovers.

use std::{
    fs::{self, FileType},
    io,
    path::{Path, PathBuf},
};

use crate::{
    checkpoint::store,
    error::{Error, Result, usage},
    output,
};

/// The lock file. Whoever writes into the folder holds its lock, which ends with the process, however that ends.
pub(super) const LOCK: &str = ".lock";
/// The options. A folder that has them is a run.
pub(super) const CONFIG: &str = "config.json";
/// A line for each epoch.
pub(super) const METRICS: &str = "metrics.jsonl";
/// The model.
pub(super) const MODEL: &str = "model.safetensors";
/// The copy of the initial model, if the run was given one.
pub(super) const INITIAL: &str = "initial.safetensors";
/// The report.
pub(crate) const REPORT: &str = "report.html";
/// The folders of pictures.
pub(super) const PICTURES: [&str; 3] = ["filters", "reconstructions", "chains"];

/// The epoch of a picture with this name, `epoch-0001.png` or `epoch-0001.svg`.
pub(crate) fn epoch(name: &str) -> Option<usize> {
    let name = name.strip_prefix("epoch-")?;
    name.strip_suffix(".png").or(name.strip_suffix(".svg"))?.parse().ok()
}

/// The folders that a run writes into, besides its own.
fn folders(run: &Path) -> impl Iterator<Item = PathBuf> {
    PICTURES.into_iter().chain([store::FOLDER]).map(|name| run.join(name))
}

/// Refuses a folder in which a run would write through a link, wait for a pipe, or find a folder in place of a file.
///
/// # Errors
/// [`Error::Usage`] names the path.
pub(super) fn check(run: &Path) -> Result<()> {
    for name in [LOCK, CONFIG, METRICS, MODEL, INITIAL] {
        expect(&run.join(name), "a file", FileType::is_file)?;
    }
    for folder in folders(run) {
        expect(&folder, "a folder", FileType::is_dir)?;
    }
    // A folder there costs only the report.
    expect(&run.join(REPORT), "a file", |kind| kind.is_file() || kind.is_dir())
}

fn expect(path: &Path, expected: &str, is_expected: impl Fn(&FileType) -> bool) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::read(path)(source)),
    };
    if is_expected(&found) {
        return Ok(());
    }
    let found = match found {
        kind if kind.is_symlink() => "a link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_file() => "a file",
        _ => "a pipe, a socket or a device",
    };
    usage!(
        "{}: expected {expected}, or nothing there; found {found}: remove it, or name another folder",
        path.display()
    )
}

/// Number of entries left by a run that was stopped before it had its options; `None` if there is anything else.
///
/// # Errors
/// The operating system's.
pub(super) fn leftovers(run: &Path) -> io::Result<Option<usize>> {
    let entries = fs::read_dir(run)?.collect::<io::Result<Vec<_>>>()?;
    for entry in &entries {
        if !is_leftover(entry)? {
            return Ok(None);
        }
    }
    // A run makes the lock first: without it, the rest is not a run's.
    let is_ours = entries.is_empty() || entries.iter().any(|entry| entry.file_name() == LOCK);
    Ok(is_ours.then_some(entries.len()))
}

fn is_leftover(entry: &fs::DirEntry) -> io::Result<bool> {
    let kind = entry.file_type()?;
    let name = entry.file_name();
    Ok(match name.to_str() {
        Some(LOCK | INITIAL) => kind.is_file(),
        Some(METRICS) => kind.is_file() && entry.metadata()?.len() == 0,
        Some(name) if PICTURES.contains(&name) => {
            kind.is_dir() && fs::read_dir(entry.path())?.next().is_none()
        }
        _ => kind.is_file() && output::is_temporary(&name),
    })
}

/// Removes the temporary files of killed runs. Failing to remove one does no harm.
pub(super) fn remove_temporaries(run: &Path) {
    for folder in folders(run).chain([run.into()]) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && output::is_temporary(&entry.file_name()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
