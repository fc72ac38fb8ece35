//! Why a run does not learn: what a data set, a run, a model or a log of costs shows, what it means, and what to change.
//!
//! ```text
//! data ──► DataFigures ──┐
//! log ───► LogFigures ───┼──► findings, by severity, the cause before what follows from it
//! ```
//!
//! Each check is a pure function of figures that were measured before, so that a finding can always show its evidence.

pub mod data;
pub mod finding;
pub mod levels;
pub mod log;

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;
use serde_json::{Value, json};

pub use finding::{Finding, Severity};

use crate::{
    data::{Dataset, Source},
    error::{Error, Result, usage},
};
use data::{DataFigures, Values};
use finding::sorted;
use levels::Levels;
use log::LogFigures;

/// The options of the doctor.
#[derive(Clone, Debug, clap::Args)]
pub struct DoctorOptions {
    /// Data sets (as for train), runs' folders, safetensors models, logs of costs (text or JSON lines), in any order
    #[arg(required = true, value_name = "DATA|RUN|MODEL|LOG")]
    pub subjects: Vec<PathBuf>,
    /// Only these training cases, from A to before B
    #[arg(long, value_name = "A..B")]
    pub rows: Option<RowRange>,
    /// The values are the data's bytes divided by this, as in your own code; 255 here
    #[arg(long, value_name = "X")]
    pub scale: Option<f64>,
    /// What the costs are called in the logs [default: cost, loss, error, …, whichever is there]
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Some of the rows of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowRange {
    /// The first row.
    pub first: usize,
    /// The one after the last.
    pub last: usize,
}

impl FromStr for RowRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let ends = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match ends {
            Some((first, last)) if first < last => Ok(Self { first, last }),
            _ => usage!(
                "expected the first row and the one after the last, as in 41933..44933; found {text:?}"
            ),
        }
    }
}

/// What was examined, and what was measured of it.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// `data`, `run`, `model` or `log`.
    pub kind: &'static str,
    /// As it was named.
    pub name: String,
    /// In a few words.
    pub about: String,
    /// All figures.
    pub figures: Value,
}

/// What the doctor says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of this program.
    pub version: &'static str,
    /// Whether there is no error and no warning.
    pub healthy: bool,
    /// What was examined.
    pub subjects: Vec<Subject>,
    /// The worst first.
    pub findings: Vec<Finding>,
}

/// Something to examine.
enum Kind {
    Data(Source),
    Log(PathBuf),
}

/// Looks at everything that was named.
///
/// # Errors
/// What cannot be read or understood: [`Error::Usage`], [`Error::Data`], [`Error::Read`], [`Error::Model`].
pub fn examine(options: &DoctorOptions) -> Result<Report> {
    if let Some(scale) = options.scale.filter(|scale| !(*scale > 0.0 && scale.is_finite())) {
        return usage!("--scale must be above 0 and finite, found {scale}");
    }
    let (mut data, mut logs) = (None, Vec::new());
    for subject in &options.subjects {
        match kind(subject)? {
            Kind::Data(source) => {
                if let Some((other, _)) = data.replace((source, subject)) {
                    return usage!(
                        "{other} and {}: expected one data set; name one at a time",
                        subject.display()
                    );
                }
            }
            Kind::Log(path) => logs.push(path),
        }
    }
    if data.is_none() && (options.rows.is_some() || options.scale.is_some()) {
        return usage!("--rows and --scale are about a data set: name one, as in rbm-gpu doctor mnist LOG");
    }

    let (mut subjects, mut findings) = (Vec::new(), Vec::new());
    let mut levels = None;
    if let Some((source, _)) = &data {
        let dataset = source.load()?;
        let values = values(&dataset, options)?;
        let figures = DataFigures::measure(&values, dataset.train.labels.as_deref());
        findings.extend(figures.findings(None));
        let of_data = Levels::measure(&values);
        subjects.push(Subject {
            kind: "data",
            name: source.to_string(),
            about: format!(
                "{} training cases of {} values, {:.4} on average",
                figures.cases, figures.units, figures.density
            ),
            figures: json!({ "data": figures, "levels": of_data }),
        });
        levels = Some(of_data);
    }
    for path in logs {
        let log = read_log(&path, options.key.as_deref())?;
        let figures = LogFigures::measure(&log);
        // Only rows that were named are known to be the log's own.
        let very = options.rows.is_some() || levels.is_some_and(|levels| is_total_of(&levels, &figures));
        findings.extend(figures.findings(levels.as_ref().map(|levels| (levels, very))));
        subjects.push(Subject {
            kind: "log",
            name: path.display().to_string(),
            about: format!("{} costs, called {:?}", figures.count, log.key),
            figures: json!(figures),
        });
    }
    let findings = sorted(findings);
    let healthy = findings.iter().all(|finding| finding.severity == Severity::Note);
    Ok(Report { version: env!("CARGO_PKG_VERSION"), healthy, subjects, findings })
}

/// Whether a plateau of the log is a level of these data to the last digits: then they are the log's own.
fn is_total_of(levels: &Levels, figures: &LogFigures) -> bool {
    let all = [levels.all_off, levels.all_on, levels.mean_image];
    let mut plateaus = figures.plateaus.iter();
    plateaus.any(|plateau| all.iter().any(|&level| levels.matches(level, plateau.cost, true).is_some()))
}

/// The values that were asked for.
fn values<'a>(dataset: &'a Dataset, options: &DoctorOptions) -> Result<Values<'a>> {
    let rows = &dataset.train.rows;
    if options.scale.is_some() && rows.layout().bits {
        return usage!("--scale is for data of bytes; these are bits, 0 or 1");
    }
    let values = Values::new(rows).divided_by(options.scale);
    match options.rows {
        None => Ok(values),
        Some(RowRange { first, last }) if last <= rows.len() => Ok(values.range(first, last)),
        Some(RowRange { first, last }) => {
            usage!("--rows {first}..{last}: there are {} training cases; choose among them", rows.len())
        }
    }
}

/// What an argument is.
fn kind(subject: &Path) -> Result<Kind> {
    if subject.is_file() {
        return Ok(Kind::Log(subject.into()));
    }
    let text = subject.to_string_lossy();
    let source: Source = text.parse()?;
    match &source {
        Source::Folder(path) if !path.exists() => usage!(
            "{text}: expected a data set (mnist, bars-and-stripes:N, shifter, a folder of IDX files), a run's folder, a \
             model or a log; found nothing there"
        ),
        _ => Ok(Kind::Data(source)),
    }
}

fn read_log(path: &Path, key: Option<&str>) -> Result<log::Log> {
    let bytes = fs::read(path).map_err(Error::read(path))?;
    let text = String::from_utf8_lossy(&bytes);
    let looked_for = key.unwrap_or("cost, loss, error, …");
    match log::parse(&text, key) {
        Some(log) if !text.contains('\0') => Ok(log),
        _ => crate::error::bad_data!(
            "{}: found no costs; expected lines such as `cost = 12.5`, JSON lines with such a key, or columns of numbers \
             (looked for: {looked_for}); name the key with --key",
            path.display()
        ),
    }
}
