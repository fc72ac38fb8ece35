//! Quick evaluations during training: the figures of an evaluation on fewer cases, with log Z tracked by a few chains.

use serde::{Deserialize, Serialize};

use super::{
    Likelihood,
    evaluator::{Evaluator, Finder},
    observed::Effort,
};
use crate::{
    ais::Tracker,
    backend::{Backend, Memory, Model},
    base::Base,
    clock::Clock,
    config::Binarize,
    data::Dataset,
    error::Result,
    exact,
    rbm::Rbm,
    unknown,
};

/// States of the smaller layer × units of the larger layer that enumerate in a fraction of a second.
const QUICK_ENUMERATION: f64 = (1 << 28) as f64;
/// The most training and test cases of a look.
const QUICK_CASES: usize = 5000;
/// Multiplications for its pseudo-likelihood.
const QUICK_PSEUDO_WORK: u64 = 40_000_000;
/// Effort for the missing values of a case.
const QUICK_EFFORT: Effort = Effort { chains: 2, temperatures: 10 };

/// Quick evaluations during training.
pub struct Monitor {
    evaluator: Evaluator,
    dataset: Dataset,
}

impl Monitor {
    /// Allocates beside the model. Grey data are thresholded, as by `eval`'s default. Of many training cases, a subset
    /// spread over the data is used.
    ///
    /// # Errors
    /// Those of [`Evaluator::new`].
    pub fn new(memory: &mut dyn Memory, dataset: &Dataset) -> Result<Self> {
        let test = dataset.test.as_ref().or(dataset.validation.as_ref()).map(|cases| cases.some(QUICK_CASES));
        let train = dataset.train.some(QUICK_CASES);
        let dataset =
            Dataset { test, encoding: dataset.encoding.clone(), ..Dataset::new(dataset.image, train) };
        let dataset = dataset.threshold();
        let mut evaluator = match exact::work(memory.layers()) <= QUICK_ENUMERATION {
            true => Evaluator::new(memory, None, &dataset)?,
            false => Evaluator::tracking(memory, &dataset)?,
        };
        evaluator.pseudo_work = QUICK_PSEUDO_WORK;
        evaluator.effort = QUICK_EFFORT;
        Ok(Self { evaluator, dataset })
    }

    /// Begins to follow a model on the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model) -> Result<()> {
        match &mut self.evaluator.finder {
            Finder::Tracker(tracker) => {
                let train = &self.dataset.train;
                let base = Base::new(backend.layers(), train.marginals());
                tracker.start(backend, model, &base.filled(&train.rows, 1))
            }
            Finder::Enumeration | Finder::Annealer(_) => Ok(()),
        }
    }

    /// The tracker, for the run's state, unless log Z is enumerated.
    pub(crate) fn tracker(&mut self) -> Option<&mut Tracker> {
        match &mut self.evaluator.finder {
            Finder::Tracker(tracker) => Some(tracker),
            Finder::Enumeration | Finder::Annealer(_) => None,
        }
    }

    /// The figures of `rbm`, which is the `model` on the device, after `epoch` epochs. `clock` times the look.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn look(
        &mut self,
        backend: &mut dyn Backend,
        clock: &dyn Clock,
        model: Model,
        rbm: &Rbm,
        epoch: usize,
    ) -> Result<Look> {
        let start = clock.now();
        self.evaluator.look = epoch;
        let likelihood = self.evaluator.run(backend, model, rbm, &self.dataset)?;
        let test_cases = self.dataset.test.as_ref().map_or(0, |test| test.rows.len());
        Ok(Look {
            binarize: Binarize::Threshold,
            train_cases: self.dataset.train.rows.len(),
            test_cases,
            likelihood,
            seconds: clock.since(start).as_secs_f64(),
        })
    }
}

/// Results of a quick evaluation.
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
    /// The figures.
    #[serde(flatten)]
    pub likelihood: Likelihood,
    /// Time in seconds.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub seconds: f64,
}

/// The binarization of every look.
fn threshold() -> Binarize {
    Binarize::Threshold
}
