//! The first step that left the numbers: an epoch that ended with a parameter that is not finite is run again from where it
//! began, with a look after every step. A run is the same each time, so it is the same step.

use super::{Block, Trainer, keeps_moments, schedule};
use crate::{
    config::{Estimator, Switch},
    data::Rows,
    error::{Error, Result},
    rbm::Rbm,
};

/// All that an epoch starts from, beside the data.
pub(super) struct Snapshot {
    parameters: (Rbm, Rbm),
    /// Means and states of persistent chains' hidden units.
    chains: Option<(Vec<f32>, Vec<f32>)>,
    /// Offsets of a centred update.
    offsets: Option<(Vec<f32>, Vec<f32>)>,
}

/// Why a replay stopped.
enum Stop {
    Found(u32, (&'static str, usize, f32)),
    Failed(Error),
}

impl Trainer {
    /// What the next epoch starts from; `None` without a doctor, who is the one that asks, and where a device keeps more
    /// than can be read: moments, fast weights, replicas.
    pub(super) fn snapshot(&mut self) -> Result<Option<Snapshot>> {
        let kept =
            keeps_moments(&self.config) || self.config.fast_weights.is_some() || self.tempering.is_some();
        if self.doctor.is_none() || kept {
            return Ok(None);
        }
        let parameters = match self.last.take() {
            Some(last) => last,
            None => self.backend.read_rbm()?,
        };
        let chains = match self.config.estimator {
            Estimator::Cd => None,
            Estimator::Pcd | Estimator::Pt => {
                let chains = self.config.chains(self.config.batch);
                Some(self.backend.read_units(self.phases.negative.1, chains)?)
            }
        };
        let offsets = match self.config.centred {
            Switch::Off => None,
            Switch::On => Some(self.backend.read_offsets()?),
        };
        Ok(Some(Snapshot { parameters, chains, offsets }))
    }

    /// The error of an epoch that ended with this parameter, with the step where the first such one came up.
    pub(super) fn diverged(&mut self, before: &Option<Snapshot>, found: (&'static str, usize, f32)) -> Error {
        let (step, (tensor, index, value)) = match before.as_ref().and_then(|before| self.replay(before)) {
            Some(Stop::Found(step, first)) => (Some(step), first),
            Some(Stop::Failed(error)) => return error,
            None => (None, found),
        };
        if let Some(doctor) = &mut self.doctor {
            let at = step.map_or(String::new(), |step| format!(" at step {step}"));
            doctor.diverged(&format!("{tensor}[{index}] is {value}{at}, the first number that is none"));
        }
        Error::Diverged { epoch: self.epoch + 1, step, tensor, index, value }
    }

    fn replay(&mut self, before: &Snapshot) -> Option<Stop> {
        self.backend.write_rbm(&before.parameters.0, &before.parameters.1);
        if let Some((visible, hidden)) = &before.offsets {
            self.backend.write_offsets(visible, hidden);
        }
        if let Some((means, states)) = &before.chains {
            self.backend.write_units(self.phases.negative.1, means, states);
        }
        // As in an epoch, the schedule borrows the rows.
        let rows = std::mem::replace(&mut self.dataset.train.rows, Rows::from_bits(1, &[]));
        let k = self.config.k.at(self.epoch);
        let schedule = schedule(&self.config, &rows, self.params.shape(), self.stream_rows, k);
        let outcome = schedule.epoch(self.epoch, |block: &Block| {
            self.show(block);
            for minibatch in &block.minibatches {
                self.step(minibatch);
                let (rbm, _) = self.backend.read_rbm().map_err(Stop::Failed)?;
                if let Some(first) = rbm.non_finite() {
                    return Err(Stop::Found(minibatch.step, first));
                }
            }
            Ok(())
        });
        self.dataset.train.rows = rows;
        outcome.err()
    }
}
