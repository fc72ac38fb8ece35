//! What the doctor says: what was seen, why it matters, what to do.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing can be learnt this way.
    Error,
    /// Something is very likely wrong, or learning will be worse than it could be.
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

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name, in kebab case.
    pub name: &'static str,
    /// The figures.
    pub seen: String,
    /// What they mean, with the source of that.
    pub why: String,
    /// A flag of ours, and the line of an equation for people with their own code.
    pub fix: String,
}

impl Finding {
    /// Nothing can be learnt this way.
    pub fn error(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, name, seen: seen.into(), why: why.into(), fix: fix.into() }
    }

    /// Something is very likely wrong.
    pub fn warning(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(name, seen, why, fix) }
    }

    /// Worth knowing.
    pub fn note(
        name: &'static str,
        seen: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Note, ..Self::error(name, seen, why, fix) }
    }

    /// Where the name stands among [`NAMES`].
    fn rank(&self) -> usize {
        NAMES.iter().position(|name| *name == self.name).unwrap_or(NAMES.len())
    }
}

/// Every name that a finding can have, the causes before what follows from them: of findings that are equally bad, the
/// cause is printed first.
pub const NAMES: &[&str] = &[
    // The data.
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
    // What the run was told.
    "weight-decay-too-strong",
    "momentum-too-high",
    "initial-weights-large",
    "initial-visible-biases",
    // What a log of costs shows.
    "visible-units-flip",
    "visible-units-all-off",
    "visible-units-all-on",
    "two-plateaus",
    "mean-image",
    // What comes of it.
    "learning-rate-too-high",
    "learning-rate-too-low",
    "chains-stuck",
    "overfitting",
    "dead-hidden-units",
    "always-on-hidden-units",
    "duplicate-hidden-units",
    "saturated-hidden-units",
    "unused-hidden-units",
    "weights-too-large",
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

/// A finding as a file has it, where its name may be any.
#[derive(Deserialize)]
struct Written {
    severity: Severity,
    name: String,
    seen: String,
    why: String,
    fix: String,
}

impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { severity, name, seen, why, fix } = Written::deserialize(deserializer)?;
        // It is printed, and a terminal obeys some characters.
        let [seen, why, fix] = [seen, why, fix].map(|text| text.replace(char::is_control, " "));
        match NAMES.iter().find(|known| **known == name) {
            Some(name) => Ok(Self { severity, name, seen, why, fix }),
            None => Err(D::Error::custom(format!("no finding is called {name:?}"))),
        }
    }
}

/// The worst first, and of those that are equally bad the cause; of each name only the first.
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.severity, finding.rank()));
    let mut seen = std::collections::HashSet::new();
    findings.retain(|finding| seen.insert(finding.name));
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
        let names: Vec<_> = findings.iter().map(|finding| finding.name).collect();
        assert_eq!(names, ["gradient-not-averaged", "cost-explodes", "label-column"]);
    }
}
