//! Examines data sets, runs' folders, models and logs of costs, of this program and of others, and says what is wrong with
//! them.

pub(crate) mod foreign;
#[cfg(not(feature = "report"))]
mod no_plots;
#[cfg(feature = "report")]
pub(crate) mod plots;
pub(crate) mod run;

use std::{
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    data::{DataFigures, Values},
    levels::Levels,
    log::{self, LogFigures, Taken},
};
use crate::{
    data::{Dataset, Encoding, Packing, Selection, Source, file, table},
    device::DeviceChoice,
    error::{Error, Result, usage},
    finding::{Finding, Severity, sorted},
    memory,
    units::Layer,
    wording::{Spelling, spelled},
};
#[cfg(not(feature = "report"))]
use no_plots as plots;

/// The options of the doctor.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct DoctorOptions {
    /// Data sets (as for train), runs' folders, safetensors models, logs of costs (text or JSON lines), in any order
    #[cfg_attr(feature = "cli", arg(required = true, value_name = "DATA|RUN|MODEL|LOG"))]
    pub subjects: Vec<PathBuf>,
    /// What the data set's numbers mean, as for train
    #[cfg_attr(feature = "cli", command(flatten))]
    pub selection: Selection,
    /// Only the training cases from A up to, but without, B
    #[cfg_attr(feature = "cli", arg(long, value_name = "A..B"))]
    pub rows: Option<RowRange>,
    /// Divide the data's bytes by X, as your own code does [default: 255]
    #[cfg_attr(feature = "cli", arg(long, value_name = "X"))]
    pub scale: Option<f64>,
    /// Device to run models on: auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto))]
    pub device: DeviceChoice,
    /// Name of the costs in the logs, or the number of their column from 1 [default: the first found of cost, loss, error, …]
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME"))]
    pub key: Option<String>,
    /// What a file is that might be either: data or log
    #[cfg_attr(
        feature = "cli",
        arg(long = "as", value_name = "KIND", value_enum, hide_possible_values = true)
    )]
    pub read_as: Option<ReadAs>,
    /// Write pictures of the findings into this folder, new or empty
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    pub plots: Option<PathBuf>,
    /// One JSON object instead of text
    #[cfg_attr(feature = "cli", arg(long))]
    pub json: bool,
}

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ReadAs {
    /// A data set.
    Data,
    /// A log of costs.
    Log,
}

/// A range of rows of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowRange {
    /// The first row.
    pub first: usize,
    /// The row after the last.
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

/// A subject and its figures.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// `data`, `run`, `model` or `log`.
    pub kind: &'static str,
    /// The name, as given.
    pub name: String,
    /// A short description.
    pub about: String,
    /// All figures.
    pub figures: Value,
}

/// What the doctor says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this program.
    pub version: &'static str,
    /// Whether there is no error and no warning.
    pub healthy: bool,
    /// What was examined.
    pub subjects: Vec<Subject>,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// Pictures that were written.
    #[serde(serialize_with = "crate::output::lossy::paths")]
    pub plots: Vec<PathBuf>,
}

impl Report {
    /// The report with options in this spelling.
    pub fn spelled(mut self, spelling: Spelling) -> Self {
        self.findings.iter_mut().for_each(|finding| finding.spell(spelling));
        self.subjects.iter_mut().for_each(|subject| subject.about = spelled(&subject.about, spelling));
        self
    }
}

/// Something to examine. A table that might be either data or a log has a word on that.
enum Kind {
    Data(Source, &'static str),
    Log(PathBuf, &'static str),
    Run(PathBuf),
    Model(PathBuf),
}

/// All measurements and findings so far.
struct Examination {
    plots: Option<plots::Plots>,
    subjects: Vec<Subject>,
    findings: Vec<Finding>,
}

impl Examination {
    fn add(
        &mut self,
        kind: &'static str,
        name: String,
        about: String,
        figures: Value,
        findings: Vec<Finding>,
    ) {
        self.subjects.push(Subject { kind, name, about, figures });
        self.findings.extend(findings);
    }

    /// Examines a data set, for a model of these hidden units if they are known. `aside` is said of it, too.
    fn data(
        &mut self,
        name: &Source,
        values: &Values,
        labels: Option<&[u32]>,
        hidden: Option<&Layer>,
        aside: &str,
    ) -> Levels {
        let figures = DataFigures::measure(values, labels);
        let levels = Levels::measure(values);
        let about = format!(
            "{} training case{} of {}{aside}",
            figures.cases,
            if figures.cases == 1 { "" } else { "s" },
            match &figures.layer {
                None => format!("{} values, {:.4} on average", figures.units, figures.density),
                Some(layer) => layer.to_string(),
            }
        );
        let findings = figures.findings(hidden);
        self.add("data", name.to_string(), about, json!({ "data": figures, "levels": levels }), findings);
        levels
    }

    /// Examines the parts of a log, against the data's levels if there are any; `same_rows` says that its costs are of these very
    /// rows. `aside` is said of it, too. A finding of several parts says so once.
    fn log(
        &mut self,
        name: &Path,
        parts: &[log::Log],
        levels: Option<&Levels>,
        same_rows: bool,
        aside: &str,
    ) -> Result<()> {
        let mut all: Vec<Finding> = Vec::new();
        for log in parts {
            let figures = LogFigures::measure(log);
            let same_rows = same_rows || levels.is_some_and(|levels| is_total_of(levels, &figures));
            for mut finding in figures.findings(levels.map(|levels| (levels, same_rows))) {
                if let Some(part) = &log.part {
                    finding.seen = format!("{part}: {}", finding.seen);
                }
                match all.iter_mut().find(|other| other.name == finding.name) {
                    Some(other) => other.seen = format!("{}; {}", other.seen, finding.seen),
                    None => all.push(finding),
                }
            }
            let about = format!("{}{aside}", log.about());
            self.add("log", name.display().to_string(), about, json!(figures), Vec::new());
            if let Some(plots) = &mut self.plots {
                plots.costs(log, levels)?;
            }
        }
        self.findings.extend(all);
        Ok(())
    }
}

/// Examines everything that was named.
///
/// # Errors
/// [`Error::Usage`], [`Error::Data`], [`Error::Read`] or [`Error::Model`] for what cannot be read or understood;
/// [`Error::Device`]; and [`Error::Write`] for plots.
pub fn examine(options: &DoctorOptions) -> Result<Report> {
    if let Some(scale) = options.scale.filter(|scale| !(*scale > 0.0 && scale.is_finite())) {
        return usage!("‹scale› must be above 0 and finite, found {scale}");
    }
    let (mut source, mut others) = (None, Vec::new());
    for subject in &options.subjects {
        match kind(subject, options)? {
            Kind::Data(named, aside) => {
                if let Some((other, _)) = source.replace((named, aside)) {
                    return usage!(
                        "{other} and {}: expected one data set; name one at a time",
                        subject.display()
                    );
                }
            }
            other => others.push(other),
        }
    }
    if source.is_none() && (options.rows.is_some() || options.scale.is_some()) {
        return usage!("‹rows› and ‹scale› are about a data set: name one, as in rbm-gpu doctor mnist LOG");
    }

    let plots = options.plots.clone().map(plots::Plots::new).transpose()?;
    let mut examination = Examination { plots, subjects: Vec::new(), findings: Vec::new() };
    let mut levels = None;
    let named = match source {
        None => None,
        Some((source, aside)) => {
            let known =
                others.iter().find_map(|other| known(other, &options.selection).transpose()).transpose()?;
            let (dataset, usable) = load(&source, &options.selection, known.as_ref())?;
            let values = values(&dataset, options)?;
            levels = Some(examination.data(&source, &values, dataset.train.labels.as_deref(), None, aside));
            let left_out: Vec<&str> =
                dataset.notes.iter().filter_map(|note| note.strip_prefix("left out: ")).collect();
            if !left_out.is_empty() {
                examination.findings.push(Finding::note(
                    "left-out",
                    left_out.join("; "),
                    "a number of the case is no measurement, and nothing can be learnt from what is always the same; rbm-gpu train \
                     leaves them out, too",
                    "nothing, if that is meant; ‹columns› says what a column is for, as in NAME:gaussian",
                ));
            }
            usable.then_some((source, dataset))
        }
    };
    for other in others {
        match other {
            Kind::Log(path, aside) => {
                let parts = read_log(&path, options.key.as_deref())?;
                // Only named rows are known to be the log's own.
                examination.log(&path, &parts, levels.as_ref(), options.rows.is_some(), aside)?;
            }
            Kind::Run(path) => run::run(&mut examination, &path, named.as_ref(), &options.device)?,
            Kind::Model(path) => run::model(&mut examination, &path, named.as_ref(), &options.device)?,
            Kind::Data(..) => {}
        }
    }
    let findings = sorted(examination.findings);
    let healthy = findings.iter().all(|finding| finding.severity == Severity::Note);
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        healthy,
        subjects: examination.subjects,
        findings,
        plots: examination.plots.map_or(Vec::new(), plots::Plots::written),
    })
}

/// A model's file, its data's encoding, and the selection of its data.
struct Known {
    path: PathBuf,
    encoding: Encoding,
    selection: Selection,
}

/// The encoding of the data of a model, or of a run's: it says what the numbers of a data set are that was named beside it.
fn known(subject: &Kind, selection: &Selection) -> Result<Option<Known>> {
    let path = match subject {
        Kind::Model(path) => path.clone(),
        Kind::Run(folder) => folder.join(run::MODEL),
        Kind::Data(..) | Kind::Log(..) => return Ok(None),
    };
    if !path.is_file() {
        return Ok(None);
    }
    let foreign::Loaded { config, encoding, .. } = foreign::load(&path)?;
    let invert = config.and_then(|config| config.selection.invert);
    let selection = Selection { invert: selection.invert.or(invert), ..selection.clone() };
    Ok(encoding.map(|encoding| Known { path, encoding, selection }))
}

/// Loads the data set, for a model if one is known, and says whether it can be learnt from. If its numbers stand in the way, they
/// are read as they are: the findings say what is wrong with them.
fn load(source: &Source, selection: &Selection, known: Option<&Known>) -> Result<(Dataset, bool)> {
    let (dataset, can_be_learnt) = load_any(source, selection, known)?;
    let units = dataset.train.rows.layout().units;
    let needed = memory::product(&[units, DataFigures::BYTES_A_COLUMN]);
    memory::check(&format!("the figures of {units} columns"), needed, "choose fewer columns")?;
    Ok((dataset, can_be_learnt))
}

fn load_any(source: &Source, selection: &Selection, known: Option<&Known>) -> Result<(Dataset, bool)> {
    let loaded = match known {
        None => selection.load(source),
        Some(Known { path, encoding, selection }) => selection.load_for(source, encoding, |units| {
            usage!(
                "{}: expected data of {} units, as the model has visible ones, found {units} in {source}; name the model's \
                 own data",
                path.display(),
                encoding.file_columns()
            )
        }),
    };
    match loaded {
        Ok(dataset) => Ok((dataset, true)),
        Err(error @ Error::Data(_)) if selection.divide_by.is_none() => {
            let any = Selection { any_numbers: true, ..selection.clone() };
            any.load(source).map_or(Err(error), |dataset| Ok((dataset, false)))
        }
        Err(error) => Err(error),
    }
}

/// Whether a plateau of the log equals a level of these data to the last digit: then they are the log's own data.
fn is_total_of(levels: &Levels, figures: &LogFigures) -> bool {
    let saturated = levels.saturated.map(|saturated| [saturated.all_off, saturated.all_on]);
    let all = || saturated.iter().flatten().chain([&levels.mean_image]);
    let mut plateaus = figures.plateaus.iter();
    plateaus.any(|plateau| all().any(|&level| levels.matches(level, plateau.cost, true).is_some()))
}

/// The values, with the rows and the scale of the options.
fn values<'a>(dataset: &'a Dataset, options: &DoctorOptions) -> Result<Values<'a>> {
    let rows = &dataset.train.rows;
    if options.scale.is_some() && rows.layout().packing != Packing::Bytes {
        return usage!("‹scale› is for data of bytes; these are 0 and 1, or numbers between grey levels");
    }
    let values = Values::of(dataset).divided_by(options.scale);
    match options.rows {
        None => Ok(values),
        Some(RowRange { first, last }) if last <= rows.len() => Ok(values.range(first, last)),
        Some(RowRange { first, last }) => {
            usage!("‹rows› {first}..{last}: there are {} training cases; choose among them", rows.len())
        }
    }
}

/// The bytes of a file that say whether it is data or a log.
const SAMPLE: u64 = 1 << 16;

/// The beginning of a file.
fn sample(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    file::open(path)?.take(SAMPLE).read_to_end(&mut bytes).map_err(Error::read(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The kind of an argument.
fn kind(subject: &Path, options: &DoctorOptions) -> Result<Kind> {
    if run::FILES.iter().any(|name| subject.join(name).exists()) {
        return Ok(Kind::Run(subject.into()));
    }
    let extension = subject.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let arrays = foreign::is_archive(subject) && subject.is_file() && foreign::is_model(subject);
    if subject.is_file() && (extension == "safetensors" || arrays) {
        return Ok(Kind::Model(subject.into()));
    }
    let name = subject.to_string_lossy().to_lowercase();
    let unpacked = name.strip_suffix(".gz").unwrap_or(&name);
    let ends = |all: &[&str]| all.iter().any(|end| unpacked.ends_with(end));
    let is_array = foreign::is_archive(subject)
        || ends(&[
            ".npy",
            ".fasta",
            ".fa",
            ".faa",
            ".fna",
            ".afa",
            ".a2m",
            ".a3m",
            ".sto",
            ".stockholm",
            ".svmlight",
            ".libsvm",
            ".svm",
        ]);
    // Anything else, such as a pipe, is refused when it is read, with a fitting message.
    let is_folder = subject.is_dir() || !subject.exists();
    // Nor is one of many columns of numbers a log, whatever its name is.
    let is_array = is_array
        || subject.is_file() && file::head(subject, file::LINES).is_ok_and(|start| table::is_wide(&start));
    let taken = match options.read_as {
        _ if is_folder => Taken { is_log: false, is_unsure: false },
        Some(read_as) => Taken { is_log: read_as == ReadAs::Log, is_unsure: false },
        None if is_array => Taken { is_log: false, is_unsure: false },
        None if !subject.is_file() => Taken { is_log: true, is_unsure: false },
        None => log::taken(&sample(subject)?, ends(&[".csv", ".tsv"]), options.key.as_deref()),
    };
    if taken.is_log {
        let aside = "; taken for a log: ‹as=data› looks at it as data";
        return Ok(Kind::Log(subject.into(), if taken.is_unsure { aside } else { "" }));
    }
    let aside = "; taken for data: ‹as=log›, or ‹key› with its column, reads it as a log of costs";
    let aside = if taken.is_unsure { aside } else { "" };
    let text = subject.to_string_lossy();
    let source: Source = text.parse()?;
    match &source {
        Source::Path(path) if is_empty_folder(path) => usage!(
            "{text}: expected a run's folder ({}), or one of images (as for train); found an empty folder",
            run::FILES.join(", ")
        ),
        Source::Path(path) if !path.exists() => usage!(
            "{text}: expected a data set (as for train), a run's folder, a model or a log; found nothing there"
        ),
        _ => Ok(Kind::Data(source, aside)),
    }
}

fn is_empty_folder(path: &Path) -> bool {
    path.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

fn read_log(path: &Path, key: Option<&str>) -> Result<Vec<log::Log>> {
    if path.extension().is_none_or(|end| end != "gz") {
        return parse_log(path, &file::read_whole(path)?, key);
    }
    let mut bytes = Vec::new();
    file::open(path)?.read_to_end(&mut bytes).map_err(Error::read(path))?;
    parse_log(path, &bytes, key)
}

/// Parses a log from its bytes: one for each part, at least one.
pub(crate) fn parse_log(path: &Path, bytes: &[u8], key: Option<&str>) -> Result<Vec<log::Log>> {
    let text = String::from_utf8_lossy(bytes);
    let looked_for = key.unwrap_or("cost, loss, error, …");
    let parts = if text.contains('\0') { Vec::new() } else { log::parse(&text, key) };
    match parts.is_empty() {
        false => Ok(parts),
        true => crate::error::bad_data!(
            "{}: found no costs; expected lines such as `cost = 12.5`, JSON with such a key, or columns of numbers \
             (looked for: {looked_for}); name the key with ‹key›, or, if these are data, say ‹as=data›",
            path.display()
        ),
    }
}
