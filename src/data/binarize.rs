//! Binarization of grey pixels.

use serde::{Deserialize, Serialize};

/// How grey pixels become binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Binarize {
    /// 1 above 0.5, else 0.
    Threshold,
    /// 1 with the pixel's value as the probability, drawn anew for every minibatch.
    Sample,
    /// Not at all: a grey pixel is used as a probability.
    None,
}
