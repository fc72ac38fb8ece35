//! The first step that left the numbers: where a parameter is not finite, the run goes back to where it went on the last
//! time, the beginning of the epoch or a pause, and on from there with a look after every step. A run is the same each
//! time, so it is the same step.

use super::{Block, State, Trainer, schedule};
use crate::{backend::BackendExt, data::Rows, error::Error};

/// Why a replay stopped.
enum Stop {
    Found(u32, (&'static str, usize, f32)),
    Failed(Error),
}

impl Trainer {
    /// The error of a run that came to this number.
    pub(super) fn diverged(&mut self, found: (&str, usize, f32)) -> Error {
        let before = self.before.take();
        let (step, (tensor, index, value)) = match before.and_then(|before| self.replay(&before)) {
            Some(Stop::Found(step, first)) => (Some(step), first),
            Some(Stop::Failed(error)) => return error,
            None => (None, found),
        };
        if let Some(doctor) = &mut self.doctor {
            let at = step.map_or(String::new(), |step| format!(" at step {step}"));
            doctor.diverged(&format!("{tensor}[{index}] is {value}{at}, the first number that is none"));
        }
        Error::Diverged { epoch: self.epoch + 1, step, tensor: tensor.into(), index, value }
    }

    fn replay(&mut self, before: &State) -> Option<Stop> {
        if let Err(error) = self.go_back(before) {
            return Some(Stop::Failed(error));
        }
        // As in an epoch, the schedule borrows the rows.
        let rows = std::mem::replace(&mut self.dataset.train.rows, Rows::from_bits(1, &[]));
        let k = self.config.k.at(self.epoch);
        let schedule = schedule(&self.config, &rows, self.backend.shape(), self.stream_rows, k);
        let outcome = schedule.epoch(self.epoch, self.steps, |block: &Block| {
            self.show(block);
            for minibatch in &block.minibatches {
                self.step(minibatch).map_err(Stop::Failed)?;
                let rbm = self.backend.read_model(self.models.theta).map_err(Stop::Failed)?;
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
