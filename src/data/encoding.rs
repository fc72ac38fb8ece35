//! How the columns of a file become visible units, and back.

use crate::units::{Kind, Layer};

/// The visible units of a data set, and what its numbers were before.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// The visible units.
    pub layer: Layer,
    /// What was subtracted from each column of the layer; empty if nothing was.
    pub means: Vec<f32>,
    /// What the rest of each column was divided by; empty if `means` is.
    pub deviations: Vec<f32>,
    /// The letters of the states of Potts units, if the file has letters.
    pub letters: Option<String>,
}

impl Encoding {
    /// Units of one kind for values as they are.
    pub fn of(kind: Kind, units: usize) -> Self {
        Self { layer: Layer::of(kind, units), means: Vec::new(), deviations: Vec::new(), letters: None }
    }

    /// log |d(file's numbers)/d(units)|: what is subtracted from a log density of the units for that of the file's numbers.
    pub fn log_volume(&self) -> f64 {
        self.deviations.iter().map(|&deviation| f64::from(deviation).ln()).sum()
    }
}
