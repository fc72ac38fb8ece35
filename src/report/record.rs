//! The contents of a run's folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    data::file,
    error::{Error, Result, excerpt, usage},
    finding::Finding,
    likelihood::Look,
    rbm::Side,
    train::{EpochMetrics, Event},
    units::{Kind, Layer},
};

/// A run, read from its folder.
pub struct Record {
    pub(super) folder: PathBuf,
    /// `config.json`.
    pub(super) config: Map<String, Value>,
    /// The epochs in order, each once.
    pub(super) epochs: Vec<EpochMetrics>,
    /// The findings in order, with their epochs.
    pub(super) findings: Vec<(usize, Finding)>,
    /// Why the run failed, if it did.
    pub(super) error: Option<String>,
    /// Problems in the folder.
    pub(super) remarks: Vec<String>,
}

impl Record {
    /// Reads a run's folder. Lines of `metrics.jsonl` that are no events, such as the torn last line of an interrupted
    /// run, are left out, and the report says so.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder is not a run's, [`Error::Data`] if its `config.json` is damaged, [`Error::Read`].
    pub fn read(folder: &Path) -> Result<Self> {
        let expected = "expected a run's folder, as rbm-gpu train writes it";
        let path = folder.join("config.json");
        if !folder.is_dir() {
            let found = if folder.exists() { "a file" } else { "nothing there" };
            return usage!("{}: {expected}, found {found}", folder.display());
        }
        if !path.is_file() {
            return usage!("{}: {expected}, found a folder without config.json", folder.display());
        }
        let mut record = Self::new(folder, &file::read_whole(&path)?).map_err(|error| {
            Error::Data(format!(
                "{}: expected the options of a run: {}",
                path.display(),
                excerpt(&error.to_string())
            ))
        })?;
        let path = folder.join("metrics.jsonl");
        match file::read_whole(&path) {
            Ok(bytes) => record.lines(&bytes),
            Err(_) if !path.exists() => record.remarks.push("metrics.jsonl is missing: no figures".into()),
            Err(error) => return Err(error),
        }
        Ok(record)
    }

    /// A run whose `config.json` has these bytes, and which has no epochs yet.
    pub(crate) fn new(folder: &Path, config: &[u8]) -> serde_json::Result<Self> {
        Ok(Self {
            folder: folder.into(),
            config: serde_json::from_slice(config)?,
            epochs: Vec::new(),
            findings: Vec::new(),
            error: None,
            remarks: Vec::new(),
        })
    }

    /// Adds the lines of `metrics.jsonl`. If a resumed run repeated an epoch, the last line counts.
    pub(crate) fn lines(&mut self, bytes: &[u8]) {
        let mut events = BTreeMap::new();
        let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
            match Event::from_line(line) {
                Ok(event) => {
                    events.insert(event.epoch(), event);
                }
                // Each line ends with a line feed, so text after the last one is incomplete.
                Err(_) if at + 1 == lines.len() => self.remarks.push(
                    "the last line of metrics.jsonl is torn and was left out: the run was interrupted as it wrote it".into(),
                ),
                Err(error) => {
                    let error = excerpt(&error.to_string());
                    self.remarks.push(format!("line {} of metrics.jsonl was left out: {error}", at + 1));
                }
            }
        }
        for event in events.into_values() {
            let (epoch, findings) = match event {
                Event::Epoch(mut metrics) => {
                    self.error = None;
                    let found = (metrics.epoch, std::mem::take(&mut metrics.findings));
                    if metrics.reconstruction_error.is_finite() {
                        self.epochs.push(metrics);
                    }
                    found
                }
                Event::Failed(failure) => {
                    self.error = failure.error.map(|error| excerpt(&error));
                    (failure.epoch, failure.findings)
                }
                Event::Progress(_) | Event::Finding(_) => continue,
            };
            self.findings.extend(findings.into_iter().map(|finding| (epoch, finding)));
        }
    }

    /// The folder's name.
    pub(super) fn name(&self) -> String {
        let whole = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        whole.file_name().map_or("run".into(), |name| name.to_string_lossy().into_owned())
    }

    /// An option as text; empty if there is none.
    pub(super) fn option(&self, name: &str) -> String {
        self.config.get(name).map_or(String::new(), text)
    }

    /// The units of a side; `None` if the options do not say.
    pub(super) fn layer(&self, side: Side) -> Option<Layer> {
        let (named, number) = match side {
            Side::Visible => ("visible_layer", "visible"),
            Side::Hidden => ("hidden_layer", "hidden"),
        };
        match self.config.get(named) {
            Some(layer) => text(layer).parse().ok(),
            None => Some(Layer::of(Kind::Binary, self.option(number).parse().ok()?)),
        }
    }

    /// The units of a side, in words.
    pub(super) fn units(&self, side: Side) -> String {
        self.layer(side).map_or("unknown".into(), |layer| layer.counted())
    }

    /// The run's device.
    pub(super) fn device(&self) -> String {
        let device = self.config.get("device_used").and_then(Value::as_object);
        let part = |name: &str| device.and_then(|device| device.get(name)).and_then(Value::as_str);
        match (part("name"), part("kind"), part("driver")) {
            (Some(name), Some(kind), Some(driver)) => format!("{name} ({kind}, {driver})"),
            _ => self.option("device"),
        }
    }

    /// Planned epochs.
    pub(super) fn planned(&self) -> Option<usize> {
        self.config.get("epochs").and_then(Value::as_u64).map(|epochs| epochs as usize)
    }

    /// The estimator in short, such as CD-1.
    pub(super) fn estimator(&self) -> String {
        format!("{}-{}", self.option("estimator").to_uppercase(), self.option("k"))
    }

    /// The last evaluation of the model, and its epoch.
    pub(super) fn last_eval(&self) -> Option<(usize, &Look)> {
        self.epochs.iter().rev().find_map(|epoch| epoch.eval.as_ref().map(|eval| (epoch.epoch, eval)))
    }

    /// Learning time in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).filter(|seconds| !seconds.is_nan()).sum()
    }

    /// The median over the epochs of samples per second.
    pub(super) fn samples_per_second(&self) -> Option<f64> {
        let rates = self.epochs.iter().map(|epoch| epoch.samples_per_second);
        let mut rates: Vec<f64> = rates.filter(|rate| !rate.is_nan()).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    }

    /// The state of the run in a few words.
    pub(super) fn state(&self) -> String {
        let done = self.epochs.last().map_or(0, |epoch| epoch.epoch);
        match (self.planned(), &self.error) {
            (_, Some(_)) => format!("failed after {}", epochs(done)),
            (Some(planned), None) if done < planned => format!("{done} of {} done", epochs(planned)),
            _ => epochs(done),
        }
    }

    /// Whether the run has not failed and has epochs left.
    pub(super) fn is_unfinished(&self) -> bool {
        let done = self.epochs.last().map_or(0, |epoch| epoch.epoch);
        self.error.is_none() && self.planned().is_some_and(|planned| done < planned)
    }
}

/// A value of `config.json` as the command line writes it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(on) => if *on { "on" } else { "off" }.into(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A number of epochs, in words.
pub(super) fn epochs(count: usize) -> String {
    if count == 1 { "1 epoch".into() } else { format!("{count} epochs") }
}
