//! The report of a run: one HTML file with its curves, pictures and findings, which needs no network. Of several runs, all
//! of them side by side.
//!
//! ```text
//! config.json, metrics.jsonl ──► Record ──► curves ────┐
//! model.safetensors ───────────► histograms ───────────┼──► page: everything escaped, pictures within
//! filters/ reconstructions/ chains/ ──► pictures ──────┘
//! ```
//!
//! It is made from the run's folder alone, during a run and afterwards alike.

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

/// The share of a run's time that may go into its report, and what a run takes at least before it has one.
const SHARE: f64 = 0.01;
const SOON: Duration = Duration::from_secs(20);

/// An option as a run had it.
pub struct Choice {
    /// What it is called.
    pub name: String,
    /// What the run had; empty if nothing was given and there is no default.
    pub value: String,
    /// What it would have been.
    pub default: String,
}

/// A run as whoever is to make it again, or to go on with it, says so: on the command line, in Python, or elsewhere.
pub struct Words {
    /// How an option is written.
    pub spelling: Spelling,
    /// Every option.
    pub choices: Vec<Choice>,
    /// What makes the run again.
    pub again: String,
    /// What is to be said of that.
    pub note: &'static str,
    /// What goes on with the run, if it can be said.
    pub resume: Option<String>,
}

/// Finds the words for a run: of its `config.json` and of its folder.
pub type Speaker = fn(&Map<String, Value>, &Path) -> Words;

/// A report.
pub struct Report {
    /// The HTML page.
    pub page: String,
    /// What is not as it should be in the runs' folders, and so missing from the page, which says so, too.
    pub remarks: Vec<String>,
}

/// The report of one run, or of several side by side, in the words of `speaker`.
///
/// # Errors
/// [`crate::Error::Read`] for pictures that are there but cannot be read.
pub fn report(records: &[Record], speaker: Speaker) -> Result<Report> {
    let words: Vec<Words> = records.iter().map(|record| speaker(&record.config, &record.folder)).collect();
    match (records, words.as_slice()) {
        ([record], [words]) => run::page(record, words),
        (records, words) => compare::page(records, words),
    }
}

/// Keeps the report of a run that is going on.
pub struct Keeper {
    path: PathBuf,
    speaker: Speaker,
    began: Instant,
    spent: Duration,
    last: Duration,
}

impl Keeper {
    /// For the run that writes into this folder, in the words of `speaker`.
    pub fn new(folder: &Path, speaker: Speaker) -> Self {
        Self {
            path: folder.into(),
            speaker,
            began: Instant::now(),
            spent: Duration::ZERO,
            last: Duration::ZERO,
        }
    }

    /// Writes the report if that keeps it within a hundredth of the time.
    ///
    /// # Errors
    /// Those of [`Keeper::write`].
    pub fn refresh(&mut self) -> Result<()> {
        let passed = self.began.elapsed();
        let due = (self.spent + self.last).as_secs_f64() < SHARE * passed.as_secs_f64();
        if passed > SOON && due { self.write().map(|_| ()) } else { Ok(()) }
    }

    /// Writes the report, whole, and gives its path.
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
        // Also of one that cannot be written, which is tried again no sooner.
        self.last = start.elapsed();
        self.spent += self.last;
        written.map(|()| path)
    }
}
