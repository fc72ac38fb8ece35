//! Quick looks at a model while it is being trained: the figures of an evaluation, of fewer cases, with log Z tracked by a
//! few chains.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Likelihood,
    evaluator::{Evaluator, Finder, PART},
};
use crate::{
    ais::Tracker,
    backend::{Backend, Memory, Model},
    clock::Clock,
    config::Binarize,
    data::{Cases, Dataset},
    error::Result,
    rbm::{Rbm, Shape},
    unknown,
};

/// States of the smaller layer times units of the larger that take a fraction of a second to enumerate.
const QUICK_ENUMERATION: usize = 1 << 28;
/// Training and test cases that it looks at, at most.
const QUICK_CASES: usize = 5000;
/// Products for its pseudo-likelihood.
const QUICK_PSEUDO_WORK: u64 = 40_000_000;

/// Quick looks at a model while it is being trained.
pub struct Monitor {
    evaluator: Evaluator,
    dataset: Dataset,
    clock: Arc<dyn Clock>,
}

impl Monitor {
    /// Makes room beside the model. Data that are grey are made binary by a threshold, as `eval` does by itself; of many
    /// training cases some from all over the data are taken. `clock` times the looks.
    ///
    /// # Errors
    /// Those of [`Evaluator::new`].
    pub fn new(memory: &mut dyn Memory, dataset: &Dataset, clock: Arc<dyn Clock>) -> Result<Self> {
        let some = |cases: &Cases| Cases { rows: cases.rows.some(QUICK_CASES), labels: None };
        let test = dataset.test.as_ref().or(dataset.validation.as_ref()).map(some);
        let dataset = Dataset { test, ..Dataset::new(dataset.image, some(&dataset.train).rows) }.threshold();
        let Shape { visible, hidden } = memory.shape();
        let states = 1_usize.checked_shl(visible.min(hidden) as u32).unwrap_or(usize::MAX);
        let mut evaluator = match states.saturating_mul(visible.max(hidden)) <= QUICK_ENUMERATION {
            true => Evaluator::new(memory, None)?,
            false => Evaluator::tracking(memory, &dataset.train.rows)?,
        };
        evaluator.pseudo_work = QUICK_PSEUDO_WORK;
        Ok(Self { evaluator, dataset, clock })
    }

    /// Begins to follow a model on the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model) -> Result<()> {
        match &mut self.evaluator.finder {
            Finder::Tracker(tracker) => tracker.start(backend, model, &self.dataset.train.rows),
            Finder::Enumeration | Finder::Annealer(_) => Ok(()),
        }
    }

    /// Rows of units that it needs room for.
    pub fn rows() -> usize {
        PART.max(Tracker::ROWS)
    }

    /// What follows the model, if it cannot be enumerated, for a run's state.
    pub(crate) fn tracker(&mut self) -> Option<&mut Tracker> {
        match &mut self.evaluator.finder {
            Finder::Tracker(tracker) => Some(tracker),
            Finder::Enumeration | Finder::Annealer(_) => None,
        }
    }

    /// What `rbm`, which is the `model` on the device, comes to after so many epochs.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn look(&mut self, backend: &mut dyn Backend, model: Model, rbm: &Rbm, epoch: usize) -> Result<Look> {
        let start = self.clock.now();
        self.evaluator.look = epoch;
        let likelihood = self.evaluator.run(backend, model, rbm, &self.dataset)?;
        let test_cases = self.dataset.test.as_ref().map_or(0, |test| test.rows.len());
        Ok(Look {
            binarize: Binarize::Threshold,
            train_cases: self.dataset.train.rows.len(),
            test_cases,
            likelihood,
            seconds: self.clock.since(start).as_secs_f64(),
        })
    }
}

/// What a quick look at a model found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// How grey pixels were made binary.
    #[serde(default = "threshold")]
    pub binarize: Binarize,
    /// Training cases.
    #[serde(default)]
    pub train_cases: usize,
    /// Test cases.
    #[serde(default)]
    pub test_cases: usize,
    /// What the model comes to.
    #[serde(flatten)]
    pub likelihood: Likelihood,
    /// How long it took.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub seconds: f64,
}

/// How every look makes them binary.
fn threshold() -> Binarize {
    Binarize::Threshold
}
