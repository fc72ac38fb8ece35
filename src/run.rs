//! A run's folder: what it was told, what it measured, what it learnt, and pictures of that. Whoever writes there holds its
//! lock, so two runs never mix.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use image::GrayImage;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    config::TrainConfig,
    data::file,
    error::{Error, Result, excerpt, usage},
    model,
    output::{self, Target},
    rbm::Rbm,
};

/// The file whose lock says that somebody writes into the folder: it is let go when the process ends, however that may be.
const LOCK: &str = ".lock";
/// The folders of pictures.
const PICTURES: [&str; 3] = ["filters", "reconstructions", "chains"];

/// A folder that a run writes its results into.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    _lock: File,
}

impl RunFolder {
    /// Checks, before any work is done for it, that the folder that the options name can be taken.
    ///
    /// # Errors
    /// [`Error::Usage`] if it holds anything, which nothing may overwrite.
    pub fn check(config: &TrainConfig) -> Result<()> {
        match &config.out {
            Some(path) if path.is_dir() => {
                let entries = fs::read_dir(path).map_err(Error::read(path))?;
                if entries.flatten().any(|entry| entry.file_name() != LOCK) {
                    return usage!(
                        "--out {}: the folder is not empty, and a run never overwrites; name a new folder, go on with \
                         the run that is there by --resume, or remove this one",
                        path.display()
                    );
                }
                Ok(())
            }
            Some(path) if path.exists() => {
                usage!("--out {}: expected a folder, found a file", path.display())
            }
            _ => Ok(()),
        }
    }

    /// Takes the folder that the options name, or makes the first `runs/DATA-N` that is not there.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot be made, or has been taken since it was checked.
    pub fn create(config: &TrainConfig) -> Result<Self> {
        let unusable = |path: &Path, source: io::Error| {
            let path = path.display();
            Error::Usage(format!(
                "--out {path}: cannot be used ({source}); name a new folder that can be written"
            ))
        };
        let path = match &config.out {
            Some(path) => {
                fs::create_dir_all(path).map_err(|source| unusable(path, source))?;
                path.clone()
            }
            None => {
                let runs = Path::new("runs");
                fs::create_dir_all(runs).map_err(|source| unusable(runs, source))?;
                let mut n = 1;
                loop {
                    let path = runs.join(format!("{}-{n}", config.data.name()));
                    match fs::create_dir(&path) {
                        Ok(()) => break path,
                        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => n += 1,
                        Err(source) => return Err(unusable(&path, source)),
                    }
                }
            }
        };
        let lock = lock(&path).map_err(|error| match error {
            Error::Write { source, .. } => unusable(&path, source),
            other => other,
        })?;
        Self::check(&TrainConfig { out: Some(path.clone()), ..config.clone() })?;
        for folder in PICTURES {
            fs::create_dir(path.join(folder)).map_err(|source| unusable(&path, source))?;
        }
        let metrics = open_metrics(&path).map_err(|source| unusable(&path, source))?;
        Ok(Self { path, metrics, _lock: lock })
    }

    /// Takes the folder of a run that was begun before.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or somebody else writes into it; [`Error::Write`] if it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join("config.json").is_file() {
            let found = if path.is_dir() {
                "a folder without config.json"
            } else if path.exists() {
                "a file"
            } else {
                "nothing there"
            };
            return usage!(
                "--resume {}: expected a run's folder, as rbm-gpu train writes them, found {found}",
                path.display()
            );
        }
        let lock = lock(path)?;
        plain(&path.join("metrics.jsonl"))?;
        for folder in PICTURES {
            fs::create_dir_all(path.join(folder)).map_err(Error::write(path))?;
        }
        let metrics = open_metrics(path).map_err(Error::write(&path.join("metrics.jsonl")))?;
        Ok(Self { path: path.into(), metrics, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's file.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// A copy of the model that the run began with, where it was given one.
    pub fn initial(&self) -> PathBuf {
        self.path.join("initial.safetensors")
    }

    /// Writes `config.json`, whole or not at all: a folder that has one is a run that can be gone on with.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        let path = self.path.join("config.json");
        let text = serde_json::to_string_pretty(config).map_err(|error| Error::write(&path)(error.into()))?;
        Target::new(&path, true)?.write(|file| writeln!(file, "{text}"))
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Data`] if it is not what a run writes.
    pub fn read_config<T: DeserializeOwned>(&self) -> Result<T> {
        let path = self.path.join("config.json");
        serde_json::from_slice(&file::read_whole(&path)?).map_err(|error| {
            Error::Data(format!(
                "{}: expected the options of a run, as rbm-gpu train writes them: {}",
                path.display(),
                excerpt(&error.to_string())
            ))
        })
    }

    /// Adds a line to `metrics.jsonl`, in one write: an epoch's [`crate::train::EpochMetrics`], and what goes with them.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_metrics(&mut self, metrics: &impl Serialize) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let mut line = serde_json::to_string(metrics)
            .map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        line.push('\n');
        self.metrics.write_all(line.as_bytes()).map_err(Error::write(&path))
    }

    /// Waits until the lines are on the disk.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn sync_metrics(&self) -> Result<()> {
        self.metrics.sync_all().map_err(Error::write(&self.path.join("metrics.jsonl")))
    }

    /// Epochs that `metrics.jsonl` has a whole line of, from the first on, and the bytes that those of the first `most` take.
    fn epochs(&self, most: usize) -> Result<(usize, u64)> {
        Ok(epochs(&file::read_whole(&self.path.join("metrics.jsonl"))?, most))
    }

    /// Epochs that are measured, saved and said: each has its line, which is written last.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn epochs_done(&self) -> Result<usize> {
        Ok(self.epochs(usize::MAX)?.0)
    }

    /// Goes back to the end of an epoch: cuts what comes after its line off `metrics.jsonl`, and removes later pictures. The
    /// model stays until there is another.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Write`].
    pub fn go_back(&mut self, epoch: usize) -> Result<()> {
        let (_, bytes) = self.epochs(epoch)?;
        let path = self.path.join("metrics.jsonl");
        // Not every system lets a file be cut that was opened for adding to it.
        let cut = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(bytes));
        cut.map_err(Error::write(&path))?;
        for folder in PICTURES.map(|kind| self.path.join(kind)) {
            for entry in fs::read_dir(&folder).map_err(Error::read(&folder))?.flatten() {
                let name = entry.file_name();
                let of = name.to_str().and_then(|name| name.strip_prefix("epoch-")?.strip_suffix(".png"));
                if of.and_then(|of| of.parse::<usize>().ok()).is_some_and(|of| of > epoch) {
                    fs::remove_file(entry.path()).map_err(Error::write(&entry.path()))?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the model.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_model(&self, rbm: &Rbm, config: &TrainConfig) -> Result<()> {
        model::save(&self.model(), rbm, config)
    }

    /// Keeps the model that the run began with.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_initial(&self, rbm: &Rbm, config: &TrainConfig) -> Result<()> {
        model::save(&self.initial(), rbm, config)
    }

    /// Writes `KIND/epoch-0001.png`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_picture(&self, kind: &str, epoch: usize, picture: &GrayImage) -> Result<()> {
        let path = self.path.join(kind).join(format!("epoch-{epoch:04}.png"));
        output::png(picture).and_then(|bytes| output::write_anew(&path, &bytes)).map_err(Error::write(&path))
    }
}

/// The same of a file's bytes.
pub(crate) fn epochs(text: &[u8], most: usize) -> (usize, u64) {
    let (mut epochs, mut bytes) = (0, 0);
    for line in text.split_inclusive(|&byte| byte == b'\n').take(most) {
        let value: Option<Value> =
            line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
        // What is said of an epoch that failed is no line of an epoch.
        let is_next =
            |value: Value| value["epoch"] == epochs + 1 && value["reconstruction_error"].is_number();
        if !value.is_some_and(is_next) {
            break;
        }
        epochs += 1;
        bytes += line.len() as u64;
    }
    (epochs, bytes)
}

/// Takes a folder for this process.
fn lock(path: &Path) -> Result<File> {
    let at = path.join(LOCK);
    plain(&at)?;
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&at).map_err(Error::write(&at))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => usage!(
            "{}: another rbm-gpu writes into this folder; wait until it is done, or name another folder",
            path.display()
        ),
        // Some file systems of networks have no locks: then there is nothing to hold on to.
        Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(source)) => Err(Error::Write { path: at, source }),
    }
}

/// Lines are added at the end, wherever that is.
fn open_metrics(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path.join("metrics.jsonl"))
}

/// A run's folder may be a stranger's: what is written into is a file there, and no link to one elsewhere.
fn plain(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => usage!(
            "{}: expected a file, or nothing there; found a link, a folder or a pipe: remove it, or name another folder",
            path.display()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_the_lines_are_cut_no_epoch_is_missing_or_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let config = TrainConfig { out: Some(folder.path().join("run")), ..TrainConfig::default() };
        let mut run = RunFolder::create(&config).unwrap();
        let line = |epoch: usize| serde_json::json!({ "epoch": epoch, "reconstruction_error": 1.5 });
        let path = run.path().join("metrics.jsonl");
        (1..=4).for_each(|epoch| run.add_metrics(&line(epoch)).unwrap());
        let whole = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').map(|at| at + 1).collect();
        for len in 0..=whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let done = ends.iter().filter(|&&end| end <= len).count();
            assert_eq!(run.epochs_done().unwrap(), done, "cut to {len} bytes");
            for back in 0..=done {
                fs::write(&path, &whole[..len]).unwrap();
                run.go_back(back).unwrap();
                assert_eq!(fs::metadata(&path).unwrap().len() as usize, [&[0], &ends[..]].concat()[back]);
                (back + 1..=4).for_each(|epoch| run.add_metrics(&line(epoch)).unwrap());
                assert_eq!(fs::read(&path).unwrap(), whole, "cut to {len} bytes, back to epoch {back}");
            }
        }
        // What is said of an epoch that failed goes, too.
        run.go_back(2).unwrap();
        run.add_metrics(&serde_json::json!({ "epoch": 3, "findings": [] })).unwrap();
        assert_eq!(run.epochs_done().unwrap(), 2);
    }

    #[test]
    fn a_folder_is_for_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let config = TrainConfig { out: Some(folder.path().join("run")), ..TrainConfig::default() };
        let run = RunFolder::create(&config).unwrap();
        run.write_config(&config).unwrap();
        let said = |result: Result<RunFolder>| result.unwrap_err().to_string();
        assert!(said(RunFolder::create(&config)).contains("another rbm-gpu"));
        assert!(said(RunFolder::open(run.path())).contains("another rbm-gpu"));
        drop(run);
        assert!(said(RunFolder::create(&config)).contains("not empty"));
        RunFolder::open(&folder.path().join("run")).unwrap();
    }
}
