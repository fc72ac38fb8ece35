//! Errors, in words that say what was expected, what was found, and what to do.
//!
//! What to do is often to set an option. A message names it as [`wording`] says, and [`Error::message`] writes it in
//! the front end's spelling.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::wording::{self, Spelling};

/// The result type of the crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The errors of the crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option's value is invalid, alone or with these data or this device.
    Usage(String),
    /// A data set was not found, or is invalid.
    Data(String),
    /// A file of the user could not be read.
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A result could not be written.
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A model file is invalid, or not one of ours.
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A parameter is NaN or infinite.
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The step since training began, from 0, if it could be found.
        step: Option<u32>,
        /// The tensor of the parameter.
        tensor: String,
        /// Index in the tensor.
        index: usize,
        /// The parameter.
        value: f32,
    },
    /// Unbounded units of a model in training have no normalisation any more.
    Unnormalised {
        /// The epoch, from 1; 0 before training.
        epoch: usize,
        /// The unit and the figures: [`crate::exact::Normalisation::problem`].
        problem: String,
    },
    /// A run ended early, or without its report, and can be resumed.
    Stopped {
        /// Why the run ended.
        cause: Box<Error>,
        /// What is left of the run, and how to resume it.
        advice: String,
    },
    /// The device failed while it worked.
    Device {
        /// Name of the device.
        device: String,
        /// What the driver said.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message(wording::plain))
    }
}

impl Error {
    /// The message, with options in this spelling.
    pub fn message(&self, spelling: Spelling) -> String {
        wording::spelled(&self.marked(), spelling)
    }

    /// The message with options marked, for an error that contains it.
    pub(crate) fn marked(&self) -> String {
        match self {
            Self::Usage(message) | Self::Data(message) => message.clone(),
            Self::Read { path, source } => format!("cannot read {}: {source}", path.display()),
            Self::Write { path, source } => format!("cannot write {}: {source}", path.display()),
            Self::Model { path, reason } => format!("{}: {reason}", path.display()),
            Self::Diverged { epoch, step, tensor, index, value } => {
                let step = step.map_or(String::new(), |step| format!(", at step {step}"));
                format!(
                    "training diverged in epoch {epoch}{step}: {tensor}[{index}] is {value}; lower ‹lr›, or ‹momentum›"
                )
            }
            Self::Unnormalised { epoch: 0, problem } => format!(
                "at the start of training {problem}; begin with smaller weights, or scale the data to a variance of 1"
            ),
            Self::Unnormalised { epoch, problem } => format!(
                "in epoch {epoch} {problem}; lower ‹lr›, or limit the weights: a ‹max-norm›, or more ‹weight-decay›"
            ),
            Self::Stopped { cause, advice } => format!("{}\n{advice}", cause.marked()),
            Self::Device { device, reason } => format!(
                "the device {device} failed: {reason}; try another ‹device› (`rbm-gpu devices` lists them)"
            ),
        }
    }

    /// The process's exit code: 2 for input that can't be used, 1 for work that failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Data(_) | Error::Read { .. } | Error::Model { .. } => 2,
            Error::Stopped { cause, .. } => cause.exit_code(),
            Error::Write { .. }
            | Error::Device { .. }
            | Error::Diverged { .. }
            | Error::Unnormalised { .. } => 1,
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Write { path: path.into(), source }
    }
}

/// The beginning of a text of any length, without characters that move a terminal's cursor.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 200;
    let mut letters = text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    let start: String = letters.by_ref().take(MOST).collect();
    if letters.next().is_none() { start } else { start + "…" }
}

/// Some of these names.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    const MOST: usize = 12;
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(MOST).map(|name| excerpt(name.as_ref())).collect();
    match (first.is_empty(), names.count()) {
        (true, _) => "nothing".into(),
        (_, 0) => first.join(", "),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// `Err(Error::Usage)` with a formatted message.
macro_rules! usage {
    ($($message:tt)*) => { Err($crate::error::Error::Usage(format!($($message)*))) };
}

/// `Err(Error::Data)` with a formatted message.
macro_rules! bad_data {
    ($($message:tt)*) => { Err($crate::error::Error::Data(format!($($message)*))) };
}

pub(crate) use {bad_data, usage};
