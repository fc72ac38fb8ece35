//! A run's folder: its options, metrics, model and pictures. Whoever writes there holds its lock, so two runs never mix.

pub(crate) mod layout;
pub mod lines;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use image::GrayImage;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::TrainConfig,
    data::Encoding,
    data::file,
    error::{Error, Result, excerpt, usage},
    model,
    output::{self, Target},
    rbm::Rbm,
    train::Event,
};
use layout::{CONFIG, INITIAL, LOCK, METRICS, MODEL, PICTURES};
use lines::Lines;

/// A folder that a run writes its results into.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
    /// Whether the saved model is known to be on the disk.
    is_model_synced: bool,
    _lock: File,
}

impl RunFolder {
    /// Checks that the folder named in the options can be used, before any work is done for it. The leftovers of a run
    /// that was stopped before it began are allowed.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds anything else, which is never overwritten.
    pub fn check(config: &TrainConfig) -> Result<()> {
        let Some(path) = &config.out else { return Ok(()) };
        let shown = path.display();
        if path.is_dir() {
            return match layout::leftovers(path).map_err(Error::read(path))? {
                Some(_) => Ok(()),
                None => usage!(
                    "‹out› {shown}: the folder is not empty, and a run never overwrites; name a new folder, resume \
                     the run in this one with ‹resume›, or remove it"
                ),
            };
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => {
                usage!("‹out› {shown}: expected a folder, found a link to nothing; name a new folder")
            }
            Ok(_) => usage!("‹out› {shown}: expected a folder, found a file"),
            Err(_) => Ok(()),
        }
    }

    /// Takes the folder named in the options, or makes the first free `runs/DATA-N`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder cannot be made, or was taken after the check.
    pub fn create(config: &TrainConfig) -> Result<Self> {
        let unusable = |path: &Path, source: io::Error| {
            let path = path.display();
            Error::Usage(format!(
                "‹out› {path}: cannot be used ({source}); name a new folder that can be written"
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
        layout::check(&path)?;
        let lock = lock(&path).map_err(|error| match error {
            Error::Write { source, .. } => unusable(&path, source),
            other => other,
        })?;
        Self::check(&TrainConfig { out: Some(path.clone()), ..config.clone() })?;
        let _ = fs::remove_file(path.join(INITIAL)); // exists only if an earlier run never began
        // The folder itself must survive a power cut, too. If it cannot be synced, the run is still valid.
        let _ = output::sync_folder(output::folder(&path));
        Self::take(path.clone(), lock).map_err(|source| unusable(&path, source))
    }

    /// Takes the folder of an earlier run.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no run, if another process writes into it, or if a link in it leads elsewhere;
    /// [`Error::Write`] if it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG).is_file() {
            return Err(no_run(path));
        }
        layout::check(path)?;
        let lock = lock(path)?;
        Self::take(path.into(), lock).map_err(Error::write(path))
    }

    /// Makes what is missing in a locked folder, and removes what killed runs left.
    fn take(path: PathBuf, lock: File) -> io::Result<Self> {
        layout::remove_temporaries(&path);
        for folder in PICTURES {
            fs::create_dir_all(path.join(folder))?;
        }
        let metrics = open_metrics(&path)?;
        Ok(Self { path, metrics, is_model_synced: true, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's file.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// The copy of the initial model, if the run was given one.
    pub fn initial(&self) -> PathBuf {
        self.path.join(INITIAL)
    }

    /// Writes `config.json` atomically. A folder that has it is a run that can be resumed.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        let path = self.path.join(CONFIG);
        let text = serde_json::to_string_pretty(config).map_err(|error| Error::write(&path)(error.into()))?;
        Target::new(&path, true)?.write(|file| writeln!(file, "{text}"))
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Data`] if the file is damaged.
    pub fn read_config<T: DeserializeOwned>(&self) -> Result<T> {
        let path = self.path.join(CONFIG);
        serde_json::from_slice(&file::read_whole(&path)?).map_err(|error| {
            Error::Data(format!(
                "{}: expected the options of a run, as rbm-gpu train writes them: {}",
                path.display(),
                excerpt(&error.to_string())
            ))
        })
    }

    /// Appends an event's line, if it has one, to `metrics.jsonl`, in one write. The file has options in the front end's
    /// spelling, so the event must be spelled ([`Event::spelled`]).
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add(&mut self, event: &Event) -> Result<()> {
        let Some(line) = event.line() else { return Ok(()) };
        self.metrics.write_all(line.as_bytes()).map_err(Error::write(&self.path.join(METRICS)))
    }

    /// Waits until the lines and the model are on the disk.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn sync(&mut self) -> Result<()> {
        self.metrics.sync_all().map_err(Error::write(&self.path.join(METRICS)))?;
        if !self.is_model_synced {
            let path = self.model();
            let synced = output::sync_file(&path).and_then(|()| output::sync_folder(&self.path));
            synced.map_err(Error::write(&path))?;
            self.is_model_synced = true;
        }
        Ok(())
    }

    /// The lines of `metrics.jsonl`. An epoch's line is written last, so an epoch with a line is measured and saved.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn lines(&self) -> Result<Lines> {
        Ok(Lines::of(&file::read_whole(&self.path.join(METRICS))?))
    }

    /// Goes back to the end of an epoch: cuts `metrics.jsonl` after its line, and removes later pictures. The model
    /// stays until the next one is saved. Damaged lines up to there are left out, or rewritten if the errors of all
    /// these epochs are known.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Write`].
    pub fn go_back(&mut self, epoch: usize, errors: &[f64]) -> Result<()> {
        let path = self.path.join(METRICS);
        let text = file::read_whole(&path)?;
        match lines::beginning(&text, epoch) {
            // Not every system can truncate a file that was opened for appending.
            Some(bytes) => {
                OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(bytes as u64))
            }
            None => {
                let mended = Lines::of(&text).mended(epoch, errors);
                output::write_synced(&path, |file| file.write_all(&mended))
                    .and_then(|()| open_metrics(&self.path))
                    .map(|metrics| self.metrics = metrics)
            }
        }
        .map_err(Error::write(&path))?;
        for folder in PICTURES.map(|kind| self.path.join(kind)) {
            for entry in fs::read_dir(&folder).map_err(Error::read(&folder))?.flatten() {
                let name = entry.file_name();
                if name.to_str().and_then(layout::epoch).is_some_and(|of| of > epoch) {
                    fs::remove_file(entry.path()).map_err(Error::write(&entry.path()))?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the model atomically. It is on the disk only after [`RunFolder::sync`].
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_model(&mut self, rbm: &Rbm, config: &TrainConfig, encoding: &Encoding) -> Result<()> {
        let path = self.model();
        let bytes = model::to_bytes(&path, rbm, config, encoding)?;
        // Syncing takes longer than many epochs: see [`RunFolder::sync`].
        self.is_model_synced = false;
        output::write_whole(&path, |file| file.write_all(&bytes)).map_err(Error::write(&path))
    }

    /// Saves the initial model.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_initial(&self, rbm: &Rbm, config: &TrainConfig, encoding: &Encoding) -> Result<()> {
        model::save(&self.initial(), rbm, config, encoding)
    }

    /// Writes `KIND/epoch-0001.png`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_picture(&self, kind: &str, epoch: usize, picture: &GrayImage) -> Result<()> {
        let path = self.path.join(kind).join(format!("epoch-{epoch:04}.png"));
        output::png(picture)
            .and_then(|bytes| output::write_whole(&path, |file| file.write_all(&bytes)))
            .map_err(Error::write(&path))
    }

    /// Writes `KIND/epoch-0001.svg` or so atomically.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_drawing(&self, kind: &str, epoch: usize, svg: &str) -> Result<()> {
        let path = self.path.join(kind).join(format!("epoch-{epoch:04}.svg"));
        output::write_whole(&path, |file| file.write_all(svg.as_bytes())).map_err(Error::write(&path))
    }
}

/// Why there is no run to resume.
fn no_run(path: &Path) -> Error {
    let found = match layout::leftovers(path) {
        Ok(Some(1..)) => {
            return Error::Usage(format!(
                "‹resume› {}: the run was stopped before it began, so there is nothing to resume; repeat the command that \
                 was to begin it",
                path.display()
            ));
        }
        _ if path.is_dir() => "a folder without config.json",
        _ if path.exists() => "a file",
        _ => "nothing there",
    };
    Error::Usage(format!(
        "‹resume› {}: expected a run's folder, as rbm-gpu train writes them, found {found}",
        path.display()
    ))
}

/// Locks a folder for this process.
fn lock(path: &Path) -> Result<File> {
    let at = path.join(LOCK);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&at).map_err(Error::write(&at))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => usage!(
            "{}: another rbm-gpu writes into this folder; wait until it is done, or name another folder",
            path.display()
        ),
        // Some network file systems have no locks; then there is nothing to hold.
        Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(source)) => Err(Error::Write { path: at, source }),
    }
}

/// Opens a file for appending lines.
fn open_metrics(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path.join(METRICS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{EpochMetrics, Failure};

    #[test]
    fn wherever_the_lines_are_cut_no_epoch_is_missing_or_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let config = TrainConfig { out: Some(folder.path().join("run")), ..TrainConfig::default() };
        let mut run = RunFolder::create(&config).unwrap();
        let done = |run: &RunFolder| run.lines().unwrap().last();
        let line = |epoch: usize| Event::Epoch(EpochMetrics::of_error(epoch, 1.5));
        let path = run.path().join("metrics.jsonl");
        (1..=4).for_each(|epoch| run.add(&line(epoch)).unwrap());
        let whole = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').map(|at| at + 1).collect();
        for len in 0..=whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let whole_lines = ends.iter().filter(|&&end| end <= len).count();
            assert_eq!(done(&run), whole_lines, "cut to {len} bytes");
            for back in 0..=whole_lines {
                fs::write(&path, &whole[..len]).unwrap();
                run.go_back(back, &[]).unwrap();
                assert_eq!(fs::metadata(&path).unwrap().len() as usize, [&[0], &ends[..]].concat()[back]);
                (back + 1..=4).for_each(|epoch| run.add(&line(epoch)).unwrap());
                assert_eq!(fs::read(&path).unwrap(), whole, "cut to {len} bytes, back to epoch {back}");
            }
        }
        // The line of a failed epoch is removed, too.
        run.go_back(2, &[]).unwrap();
        run.add(&Event::Failed(Failure { epoch: 3, error: None, findings: Vec::new() })).unwrap();
        assert_eq!(done(&run), 2);
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
