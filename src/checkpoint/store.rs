//! The folder of a run's checkpoints. Each is written under a temporary name, synced and renamed, so it is complete
//! even after a power cut. The last few are kept, in case one is damaged all the same.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{State, from_bytes, to_bytes};
use crate::{
    data::file,
    error::{Error, Result},
    output,
};

/// Name of the folder, in that of a run.
pub const FOLDER: &str = "checkpoints";
/// Prefix of a checkpoint's name, before its step.
const STEP: &str = "step-";
/// Extension of a checkpoint that is being written.
const BESIDE: &str = "new";

/// The file system operations that write a checkpoint, so that tests can let each of them fail.
///
/// # Errors
/// Each operation returns the operating system's error.
pub trait Files {
    /// Makes a folder, if it does not exist.
    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }
    /// Writes a file.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        output::write_anew(path, bytes)
    }
    /// Waits until a file is on the disk.
    fn sync(&mut self, path: &Path) -> io::Result<()> {
        output::sync_file(path)
    }
    /// Renames a file, in place of one that may have the new name.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    /// Waits until a folder's entries are on the disk.
    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        output::sync_folder(path)
    }
    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {}

/// A run's checkpoints.
#[derive(Debug)]
pub struct Checkpoints<F = Disk> {
    folder: PathBuf,
    keep: usize,
    files: F,
    /// Checkpoints that could not be read, and need not be kept.
    broken: Vec<PathBuf>,
}

/// The newest complete checkpoint, and what is wrong with later ones.
#[derive(Debug, Default)]
pub struct Newest {
    /// Its file and its state, if there is one.
    pub found: Option<(PathBuf, State)>,
    /// What is wrong with later checkpoints, in words.
    pub broken: Vec<String>,
}

impl<F: Files> Checkpoints<F> {
    /// The checkpoints in a run's folder. The newest `keep` are kept.
    pub fn new(run: &Path, keep: usize, files: F) -> Self {
        Self { folder: run.join(FOLDER), keep, files, broken: Vec::new() }
    }

    /// Writes a checkpoint, and removes those that are no longer kept. If it fails, earlier ones are untouched.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::Usage`] if the state has a NaN or infinity, which is never written.
    pub fn save(&mut self, state: &State) -> Result<PathBuf> {
        let path = self.folder.join(name(state.position.step()));
        let failed = |reason: String| Error::write(&path)(io::Error::other(reason));
        if let Some((tensor, index, value)) = state.non_finite() {
            return Err(Error::Usage(format!("{tensor}[{index}] is {value}, which no checkpoint may hold")));
        }
        let bytes = to_bytes(state).map_err(failed)?;
        let beside = path.with_extension(BESIDE);
        let files = &mut self.files;
        let write = files
            .create_folder(&self.folder)
            .and_then(|()| files.write(&beside, &bytes))
            .and_then(|()| files.sync(&beside))
            .and_then(|()| files.rename(&beside, &path))
            .and_then(|()| files.sync_folder(&self.folder));
        if let Err(source) = write {
            let _ = self.files.remove(&beside); // it may not exist
            return Err(Error::Write { path, source });
        }
        self.remove_others(state.position.step());
        Ok(path)
    }

    /// Removes what a run that resumes from this step no longer needs: older checkpoints, damaged ones, and later ones,
    /// which another course of the run left. Failing to remove one does no harm.
    fn remove_others(&mut self, step: usize) {
        let broken = std::mem::take(&mut self.broken);
        let (kept, others): (Vec<_>, Vec<_>) =
            self.steps().into_iter().partition(|(other, path)| *other <= step && !broken.contains(path));
        for (_, path) in kept.into_iter().skip(self.keep).chain(others) {
            let _ = self.files.remove(&path);
        }
        for (_, path) in named(&self.folder, BESIDE) {
            let _ = self.files.remove(&path);
        }
    }

    /// The newest complete checkpoint that `fits`.
    pub fn newest(
        &mut self,
        mut fits: impl FnMut(&Path, &State) -> std::result::Result<(), String>,
    ) -> Newest {
        let mut newest = Newest::default();
        self.broken.clear();
        for (_, path) in self.steps() {
            let state = file::read_whole(&path).map_err(|error| error.to_string()).and_then(from_bytes);
            match state.and_then(|state| fits(&path, &state).map(|()| state)) {
                Ok(state) => {
                    newest.found = Some((path, state));
                    break;
                }
                Err(reason) => {
                    newest.broken.push(format!("{} cannot be used: {reason}", path.display()));
                    self.broken.push(path);
                }
            }
        }
        newest
    }

    /// The file of the newest checkpoint, complete or not.
    pub fn last(&self) -> Option<PathBuf> {
        self.steps().into_iter().next().map(|(_, path)| path)
    }

    /// The files and their steps, newest first.
    fn steps(&self) -> Vec<(usize, PathBuf)> {
        let mut steps: Vec<_> = named(&self.folder, "safetensors").collect();
        steps.sort_by(|a, b| b.cmp(a));
        steps
    }
}

/// The files of steps with this extension, and their steps. Other files are ignored.
fn named(folder: &Path, extension: &str) -> impl Iterator<Item = (usize, PathBuf)> {
    let step = move |path: &Path| -> Option<usize> {
        let name = path.file_name()?.to_str()?.strip_prefix(STEP)?;
        name.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()
    };
    entries(folder).filter_map(move |path| Some((step(&path)?, path)))
}

fn name(step: usize) -> String {
    format!("{STEP}{step:010}.safetensors")
}

/// The entries of a folder, if it exists.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system whose nth operation fails, where a file that is being written may be left truncated.
    #[derive(Default)]
    struct Failing {
        asked: usize,
        fails: Option<usize>,
    }

    impl Failing {
        fn ask(&mut self) -> io::Result<()> {
            self.asked += 1;
            if self.fails == Some(self.asked) { Err(io::Error::other("no space left")) } else { Ok(()) }
        }
    }

    impl Files for Failing {
        fn create_folder(&mut self, path: &Path) -> io::Result<()> {
            self.ask().and_then(|()| Disk.create_folder(path))
        }
        fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            let asked = self.ask();
            let len = if asked.is_ok() { bytes.len() } else { bytes.len() / 2 };
            Disk.write(path, &bytes[..len]).and(asked)
        }
        fn sync(&mut self, path: &Path) -> io::Result<()> {
            self.ask().and_then(|()| Disk.sync(path))
        }
        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.ask().and_then(|()| Disk.rename(from, to))
        }
        fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
            self.ask().and_then(|()| Disk.sync_folder(path))
        }
        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.ask().and_then(|()| Disk.remove(path))
        }
    }

    fn state(step: usize) -> State {
        let mut state = crate::checkpoint::tests::state();
        state.position.epoch = 0;
        (state.position.steps, state.position.steps_an_epoch) = (step, step + 1);
        state
    }

    fn newest<F: Files>(checkpoints: &mut Checkpoints<F>) -> (Option<usize>, usize) {
        let newest = checkpoints.newest(|_, _| Ok(()));
        (newest.found.map(|(_, state)| state.position.step()), newest.broken.len())
    }

    #[test]
    fn whatever_fails_the_checkpoint_before_is_there() {
        let mut failures = 0;
        // Making the folder, writing, both syncs, renaming; then the removal of the oldest.
        for fails in 1..=7 {
            let folder = tempfile::tempdir().unwrap();
            let mut checkpoints = Checkpoints::new(folder.path(), 2, Failing::default());
            checkpoints.save(&state(1)).unwrap();
            checkpoints.save(&state(2)).unwrap();
            checkpoints.files = Failing { asked: 0, fails: Some(fails) };
            let saved = checkpoints.save(&state(3));
            failures += usize::from(saved.is_err());
            // A renamed one is there, though perhaps not on the disk.
            let expected = if fails < 5 { 2 } else { 3 };
            assert_eq!(newest(&mut checkpoints), (Some(expected), 0), "the {fails}th fails");
            // The next save puts things in order.
            checkpoints.files = Failing::default();
            checkpoints.save(&state(4)).unwrap();
            let left: Vec<_> = checkpoints.steps().into_iter().map(|(step, _)| step).collect();
            assert_eq!(left, [4, expected], "the {fails}th failed");
            assert_eq!(entries(&checkpoints.folder).count(), 2, "nothing else is left behind");
        }
        assert_eq!(failures, 5);
    }

    #[test]
    fn a_broken_one_gives_way_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path(), 2, Disk);
        assert_eq!(newest(&mut checkpoints), (None, 0));
        let paths = [1, 2].map(|step| checkpoints.save(&state(step)).unwrap());
        let whole = fs::read(&paths[1]).unwrap();
        fs::write(&paths[1], &whole[..whole.len() - 1]).unwrap();
        assert_eq!(newest(&mut checkpoints), (Some(1), 1));
        // The broken one does not count as kept.
        checkpoints.save(&state(3)).unwrap();
        assert_eq!(checkpoints.steps().len(), 2);
        assert!(!paths[1].exists());
        fs::write(&paths[0], b"").unwrap();
        fs::write(checkpoints.last().unwrap(), &whole[1..]).unwrap();
        assert_eq!(newest(&mut checkpoints), (None, 2));
        // One from another course of the run is removed, too.
        fs::write(checkpoints.folder.join(name(9)), &whole).unwrap();
        checkpoints.save(&state(5)).unwrap();
        assert_eq!(newest(&mut checkpoints), (Some(5), 0));
        assert_eq!(checkpoints.steps().len(), 1);
    }

    #[test]
    fn nan_is_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::new(folder.path(), 2, Disk);
        let mut state = state(1);
        state.tensors[0].values[3] = f32::NAN;
        assert!(checkpoints.save(&state).unwrap_err().to_string().contains("weights[3]"));
        assert!(checkpoints.last().is_none());
    }
}
