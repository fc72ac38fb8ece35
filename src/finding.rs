//! A finding of the doctor: what was seen, why it matters, what to do.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use crate::wording::{self, Spelling};

/// How severe a finding is. A file that does not say so has a warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing can be learnt this way.
    Error,
    /// Something is very likely wrong, or learning will be worse than it could be.
    #[default]
    Warning,
    /// Worth knowing; healthy runs have notes.
    Note,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A finding. A text that its file lacks is empty. Options are marked in the texts as [`wording`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The severity.
    #[serde(default)]
    pub severity: Severity,
    /// A stable name, in kebab case: one of [`NAMES`], unless it was read from another version's file.
    #[serde(default, deserialize_with = "printable")]
    pub name: Cow<'static, str>,
    /// The figures.
    #[serde(default, deserialize_with = "printable")]
    pub seen: String,
    /// What the figures mean, with a source.
    #[serde(default, deserialize_with = "printable")]
    pub why: String,
    /// An option of ours, and an equation for people with their own code.
    #[serde(default, deserialize_with = "printable")]
    pub fix: String,
}

/// Reads a text without its control characters, which a terminal would obey.
fn printable<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<T, D::Error> {
    Ok(String::deserialize(deserializer)?.replace(char::is_control, " ").into())
}

impl Finding {
    /// Writes options in this spelling.
    pub(crate) fn spell(&mut self, spelling: Spelling) {
        for text in [&mut self.seen, &mut self.why, &mut self.fix] {
            *text = wording::spelled(text, spelling);
        }
    }

    /// An error: nothing can be learnt this way.
    pub fn error(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            name: name.into(),
            seen: seen.into(),
            why: why.into(),
            fix: fix.into(),
        }
    }

    /// A warning: something is very likely wrong.
    pub fn warning(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(name, seen, why, fix) }
    }

    /// A note: worth knowing.
    pub fn note(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Note, ..Self::error(name, seen, why, fix) }
    }

    /// The index of the name in [`NAMES`].
    fn rank(&self) -> usize {
        NAMES.iter().position(|name| *name == self.name).unwrap_or(NAMES.len())
    }
}

/// All names of findings, causes before effects: of equally severe findings, the cause is printed first.
pub const NAMES: &[&str] = &[
    // The data.
    "values-missing",
    "values-not-finite",
    "label-column",
    "values-outside-0-1",
    "unscaled-columns",
    "values-scaled-twice",
    "all-rows-alike",
    "inverted-data",
    "duplicated-rows",
    "duplicated-columns",
    "constant-columns",
    "one-hot-columns",
    "one-hot-data",
    "grey-values",
    "binary-values",
    "sparse-data",
    "more-parameters-than-bits",
    // The arithmetic of a step.
    "weights-not-transposed",
    "half-step-wrong",
    "random-numbers-frozen",
    "random-numbers-wrong",
    "hidden-not-sampled",
    "same-minibatch",
    "bias-moves-as-one",
    "gradient-not-averaged",
    "gradient-sign",
    "parameters-frozen",
    "update-scaled",
    "update-wrong",
    // The options.
    "weight-decay-too-strong",
    "momentum-too-high",
    "initial-weights-large",
    "initial-visible-biases",
    // A log of costs.
    "visible-units-flip",
    "visible-units-all-off",
    "visible-units-all-on",
    "two-plateaus",
    "mean-image",
    // Effects.
    "learning-rate-too-high",
    "learning-rate-too-low",
    "chains-stuck",
    "overfitting",
    "dead-hidden-units",
    "always-on-hidden-units",
    "stuck-hidden-units",
    "halved-hidden-units",
    "duplicate-hidden-units",
    "saturated-hidden-units",
    "unused-hidden-units",
    "nothing-learnt",
    "weights-too-large",
    "variance-wrong",
    "gauge-drifts",
    "energies-explode",
    "non-finite",
    "cost-explodes",
    "cost-constant",
    "cost-oscillates",
    "cost-rises",
    "cost-does-not-fall",
    "too-few-costs",
    // Milder causes that a log alone cannot tell apart.
    "gradient-summed",
    "usual-suspects",
];

/// Notes that are true of most data: of all images with a border, of all grey and of all binary data. They explain least.
const COMMON: [&str; 4] = ["duplicated-columns", "constant-columns", "grey-values", "binary-values"];

/// Sorts findings by severity, then causes before effects, and common notes last; keeps only the first of each name.
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| {
        let is_common = finding.severity == Severity::Note && COMMON.contains(&&*finding.name);
        (finding.severity, is_common, finding.rank())
    });
    let mut seen = std::collections::HashSet::new();
    findings.retain(|finding| seen.insert(finding.name.clone()));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_the_worst_comes_first() {
        let make = |name, severity| Finding { severity, ..Finding::note(name, "", "", "") };
        let findings = sorted(vec![
            make("cost-explodes", Severity::Error),
            make("label-column", Severity::Warning),
            make("gradient-not-averaged", Severity::Error),
            make("cost-explodes", Severity::Warning),
        ]);
        let names: Vec<_> = findings.iter().map(|finding| &*finding.name).collect();
        assert_eq!(names, ["gradient-not-averaged", "cost-explodes", "label-column"]);
        let notes = [
            "constant-columns",
            "binary-values",
            "one-hot-columns",
            "duplicate-hidden-units",
            "duplicated-rows",
        ];
        let notes = sorted(notes.map(|name| make(name, Severity::Note)).to_vec());
        let names: Vec<_> = notes.iter().map(|finding| &*finding.name).collect();
        let expected = [
            "duplicated-rows",
            "one-hot-columns",
            "duplicate-hidden-units",
            "constant-columns",
            "binary-values",
        ];
        assert_eq!(names, expected);
    }
}
