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

mod command;
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

pub(crate) use pictures::{Kind, small};
pub use record::Record;

use crate::{
    error::{Error, Result},
    output,
};

/// The report's name in a run's folder.
pub const FILE: &str = "report.html";

/// The share of a run's time that may go into its report, and what a run takes at least before it has one.
const SHARE: f64 = 0.01;
const SOON: Duration = Duration::from_secs(20);

/// A report.
pub struct Report {
    /// The HTML page.
    pub page: String,
    /// What is not as it should be in the runs' folders, and so missing from the page, which says so, too.
    pub remarks: Vec<String>,
}

/// The report of one run, or of several side by side.
///
/// # Errors
/// [`crate::Error::Read`] for pictures that are there but cannot be read.
pub fn report(records: &[Record]) -> Result<Report> {
    match records {
        [record] => run::page(record),
        records => compare::page(records),
    }
}

/// Keeps the report of a run that is going on.
pub struct Keeper {
    path: PathBuf,
    began: Instant,
    spent: Duration,
    last: Duration,
}

impl Keeper {
    /// For the run that writes into this folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.into(), began: Instant::now(), spent: Duration::ZERO, last: Duration::ZERO }
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
        let report = Record::read(&self.path).and_then(|record| report(&[record]));
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
