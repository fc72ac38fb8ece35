//! The events of a run. The trainer emits them, and a run's folder keeps those that have a line in `metrics.jsonl`.
//! Whatever shows, reports, examines or resumes a run reads the same type.
//!
//! ```text
//! Finding* ( Progress* Finding* Epoch )* Failed?        Epoch, Failed: a line each
//! ```

use std::slice;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Map, Value};

use crate::{estimator::tempering::Swaps, finding::Finding, likelihood::Look, unknown, wording::Spelling};

/// A key that only an epoch's line has.
const OF_EPOCH: &str = "reconstruction_error";

/// An event of a run. Read from JSON, it is a line of `metrics.jsonl`: unknown keys are ignored, missing values are
/// unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "the large one comes once an epoch")]
pub enum Event {
    /// Steps were taken.
    Progress(Progress),
    /// The doctor found something. It comes once in a run, and again in the event of its epoch.
    Finding(Finding),
    /// An epoch is over.
    Epoch(EpochMetrics),
    /// The run failed, and cannot go on.
    Failed(Failure),
}

/// The position of a run within an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Cases shown so far in this epoch.
    pub cases: usize,
    /// [`EpochMetrics::training_reconstruction_error`] so far.
    pub cost: Option<f64>,
    /// Cases a second in this epoch.
    pub samples_per_second: f64,
}

/// The metrics of an epoch: a line of `metrics.jsonl`. A number missing from the file is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1; 0 is the model before training.
    #[serde(default)]
    pub epoch: usize,
    /// Mean over the held-out cases of Σ (x − p(v|h))², with h = p(h|x), of the model as saved.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub reconstruction_error: f64,
    /// Mean of Σ (x − p(v|h))² over every eighth minibatch of the epoch, with h drawn, after the k sweeps of CD-k, under the
    /// parameters of that step. `None` for persistent chains, which reconstruct nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_reconstruction_error: Option<f64>,
    /// Learning time in seconds, without measuring errors.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    #[serde(skip_serializing_if = "unknown::is_unknown")]
    pub seconds: f64,
    /// Training cases per second.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    #[serde(skip_serializing_if = "unknown::is_unknown")]
    pub samples_per_second: f64,
    /// Swaps of parallel or trajectory tempering since they were last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swaps: Option<Swaps>,
    /// Evaluation of the model as saved, in the epochs that the options choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval: Option<Look>,
    /// Findings of the doctor since the previous epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Why a run failed: the last line of its `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The epoch of the failure, from 1.
    #[serde(default)]
    pub epoch: usize,
    /// The error's message; missing in files of the first versions.
    pub error: Option<String>,
    /// Findings of the doctor since the last epoch.
    #[serde(default, serialize_with = "by_key")]
    pub findings: Vec<Finding>,
}

impl EpochMetrics {
    /// The metrics of an epoch when only its reconstruction error is known.
    pub fn of_error(epoch: usize, reconstruction_error: f64) -> Self {
        Self {
            epoch,
            reconstruction_error,
            training_reconstruction_error: None,
            seconds: unknown::missing(),
            samples_per_second: unknown::missing(),
            swaps: None,
            eval: None,
            findings: Vec::new(),
        }
    }
}

impl Event {
    /// The event with options in this spelling, for display and for its line.
    pub fn spelled(mut self, spelling: Spelling) -> Self {
        let findings = match &mut self {
            Self::Progress(_) => &mut [],
            Self::Finding(finding) => slice::from_mut(finding),
            Self::Epoch(EpochMetrics { findings, eval, .. }) => {
                eval.iter_mut().for_each(|look| look.likelihood.log_z.spell(spelling));
                findings.as_mut_slice()
            }
            Self::Failed(Failure { findings, .. }) => findings.as_mut_slice(),
        };
        findings.iter_mut().for_each(|finding| finding.spell(spelling));
        self
    }

    /// Reads a line of `metrics.jsonl`, with or without its line feed.
    ///
    /// # Errors
    /// The error of a line that is torn or damaged: not JSON, or no event.
    pub fn from_line(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    /// The event's line in `metrics.jsonl`, with its line feed, if it has one.
    pub fn line(&self) -> Option<String> {
        match self {
            // A struct of numbers, strings and lists of them always has its JSON.
            Self::Epoch(_) | Self::Failed(_) => serde_json::to_string(self).ok().map(|line| line + "\n"),
            Self::Progress(_) | Self::Finding(_) => None,
        }
    }

    /// The epoch of the event's line.
    pub fn epoch(&self) -> Option<usize> {
        match self {
            Self::Epoch(EpochMetrics { epoch, .. }) | Self::Failed(Failure { epoch, .. }) => Some(*epoch),
            Self::Progress(_) | Self::Finding(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line = Map::deserialize(deserializer)?;
        let event = match line.contains_key(OF_EPOCH) {
            true => EpochMetrics::deserialize(Value::Object(line)).map(Self::Epoch),
            false => Failure::deserialize(Value::Object(line)).map(Self::Failed),
        };
        event.map_err(D::Error::custom)
    }
}

/// Serialises with sorted keys, as every version has written a failure's findings.
fn by_key<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::to_value(findings).map_err(S::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likelihood::LogZMethod;

    #[test]
    fn a_line_that_was_read_is_written_as_it_was() {
        let finding =
            r#"{"severity":"error","name":"non-finite","seen":"weights[0] is NaN","why":"b","fix":"c"}"#;
        let by_key =
            r#"{"fix":"c","name":"a later version's","seen":"a","severity":"warning","why":"b"}"#.to_string();
        for line in [
            r#"{"epoch":2,"reconstruction_error":2.25}"#.into(),
            r#"{"epoch":1,"reconstruction_error":null,"seconds":0.1,"samples_per_second":null}"#.into(),
            format!(r#"{{"epoch":3,"reconstruction_error":0.1,"seconds":1e-7,"findings":[{finding}]}}"#),
            format!(r#"{{"epoch":3,"error":"training diverged","findings":[{by_key}]}}"#),
            r#"{"epoch":3,"error":null,"findings":[]}"#.into(),
        ] {
            let event = Event::from_line(line.as_bytes()).unwrap();
            // A NaN speed is left out.
            let expected = line.replace(r#","samples_per_second":null"#, "");
            assert_eq!(event.line(), Some(expected + "\n"));
        }
    }

    #[test]
    fn lines_of_an_earlier_version_are_read() {
        let text = include_bytes!("../../tests/fixtures/earlier/metrics.jsonl");
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let epochs = lines.map(|line| match Event::from_line(line).unwrap() {
            Event::Epoch(metrics) => metrics,
            other => panic!("{other:?}"),
        });
        let epochs: Vec<EpochMetrics> = epochs.collect();
        assert_eq!(epochs.iter().map(|metrics| metrics.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(epochs[3].reconstruction_error, 1.001_971_356_570_720_7);
        let likelihood = &epochs[3].eval.as_ref().unwrap().likelihood;
        assert_eq!(likelihood.log_z.log_z_method, LogZMethod::Enumeration);
        assert!(likelihood.log_z.reliable && likelihood.log_z.log_mass_of_cases.is_nan());
        assert_eq!(likelihood.held_out().unwrap().mean, -2.776_645_061_922_135_2);
    }

    #[test]
    fn what_is_missing_is_unknown_and_what_is_unknown_ignored() {
        let line = br#"{"reconstruction_error":7,"later":{},"eval":{"log_z_method":"by magic"},"swaps":{}}"#;
        let Ok(Event::Epoch(metrics)) = Event::from_line(line) else { panic!("no epoch") };
        assert!(metrics.seconds.is_nan() && metrics.findings.is_empty());
        let likelihood = metrics.eval.unwrap().likelihood;
        assert!(likelihood.held_out().is_none() && likelihood.log_z.log_z_method == LogZMethod::Unknown);
        let event = Event::from_line(br#"{"epoch":3,"findings":[{"name":"a\u001b[31m"}]}"#);
        let Ok(Event::Failed(Failure { error: None, findings, .. })) = event else { panic!("{event:?}") };
        assert_eq!(findings[0].name, "a [31m");
        for damaged in ["", "{", "[]", r#"{"epoch":-1}"#, r#"{"reconstruction_error":"7"}"#] {
            assert!(Event::from_line(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }
}
