//! The report of a run: one HTML file with its curves, pictures and findings, which needs no network. The report of
//! several runs shows them side by side.
//!
//! ```text
//! config.json, metrics.jsonl ──► Record ──► curves ────┐
//! model.safetensors ───────────► histograms ───────────┼──► page: everything escaped, pictures within
//! filters/ reconstructions/ chains/ ──► pictures ──────┘
//! ```
//!
//! It is made from the run's folder alone, during a run as well as afterwards.

mod compare;
mod curves;
mod page;
mod pictures;
mod record;
mod run;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use record::Record;
use serde_json::{Map, Value};
#[cfg(feature = "cli")]
pub(crate) use {
    pictures::{Kind, small},
    record::text,
};

use crate::{
    error::{Error, Result},
    output,
    run::layout,
    wording::Spelling,
};

/// The report's name in a run's folder.
pub const FILE: &str = layout::REPORT;

/// The largest share of a run's time that its report may take.
const SHARE: f64 = 0.01;
/// Least age of a run before its first report.
const SOON: Duration = Duration::from_secs(20);

/// An option of a run.
pub struct Choice {
    /// The name.
    pub name: String,
    /// The value; empty if nothing was given and there is no default.
    pub value: String,
    /// The default.
    pub default: String,
}

/// A run in the words of those who repeat or resume it: on the command line, in Python, or elsewhere.
pub struct Words {
    /// The spelling of an option.
    pub spelling: Spelling,
    /// Every option.
    pub choices: Vec<Choice>,
    /// The command that repeats the run.
    pub again: String,
    /// A remark on that command.
    pub note: &'static str,
    /// The command that resumes the run, if there is one.
    pub resume: Option<String>,
}

/// Finds the words for a run, from its `config.json` and its folder.
pub type Speaker = fn(&Map<String, Value>, &Path) -> Words;

/// A report.
pub struct Report {
    /// The HTML page.
    pub page: String,
    /// Problems in the runs' folders, which leave gaps in the page. The page has them, too.
    pub remarks: Vec<String>,
}

/// The report of one run, or of several side by side, in the words of `speaker`.
///
/// # Errors
/// [`crate::Error::Read`] for pictures that exist but cannot be read.
pub fn report(records: &[Record], speaker: Speaker) -> Result<Report> {
    let words: Vec<Words> = records.iter().map(|record| speaker(&record.config, &record.folder)).collect();
    match (records, words.as_slice()) {
        ([record], [words]) => run::page(record, words),
        (records, words) => compare::page(records, words),
    }
}

/// Keeps the report of a run up to date.
pub struct Keeper {
    path: PathBuf,
    speaker: Speaker,
    began: Instant,
    spent: Duration,
    last: Duration,
}

impl Keeper {
    /// A keeper for the run in this folder, in the words of `speaker`.
    pub fn new(folder: &Path, speaker: Speaker) -> Self {
        Self {
            path: folder.into(),
            speaker,
            began: Instant::now(),
            spent: Duration::ZERO,
            last: Duration::ZERO,
        }
    }

    /// Writes the report if that keeps its cost within a hundredth of the run's time.
    ///
    /// # Errors
    /// Those of [`Keeper::write`].
    pub fn refresh(&mut self) -> Result<()> {
        let passed = self.began.elapsed();
        let due = (self.spent + self.last).as_secs_f64() < SHARE * passed.as_secs_f64();
        if passed > SOON && due { self.write().map(|_| ()) } else { Ok(()) }
    }

    /// Writes the report atomically, and returns its path.
    ///
    /// # Errors
    /// Those of [`Record::read`] and [`report`], and [`Error::Write`].
    pub fn write(&mut self) -> Result<PathBuf> {
        let start = Instant::now();
        let path = self.path.join(FILE);
        let report = Record::read(&self.path).and_then(|record| report(&[record], self.speaker));
        let written = report.and_then(|report| {
            output::write_synced(&path, |file| file.write_all(report.page.as_bytes()))
                .map_err(Error::write(&path))
        });
        // A failed attempt counts too, so that it is not repeated sooner.
        self.last = start.elapsed();
        self.spent += self.last;
        written.map(|()| path)
    }
}
