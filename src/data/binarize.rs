//! Grey pixels as binary ones.

use serde::{Deserialize, Serialize};

/// How grey pixels become binary ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Binarize {
    /// On above 0.5.
    Threshold,
    /// On with the pixel's value as its probability, drawn anew for every minibatch.
    Sample,
    /// Not at all: a grey pixel counts as a probability.
    None,
}
