//! The first step that left the numbers: where a parameter is not finite, the run goes back to where it went on the last
//! time, the beginning of the epoch or a pause, and on from there with a look after every step. A run is the same each
//! time, so it is the same step.

use super::Trainer;
use crate::{backend::BackendExt, checkpoint::State, error::Error};

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
        if let Some(observer) = &mut self.observer {
            let at = step.map_or(String::new(), |step| format!(" at step {step}"));
            observer.diverged(&format!("{tensor}[{index}] is {value}{at}, the first number that is none"));
        }
        Error::Diverged { epoch: self.epoch + 1, step, tensor: tensor.into(), index, value }
    }

    fn replay(&mut self, before: &State) -> Option<Stop> {
        if let Err(error) = self.go_back(before) {
            return Some(Stop::Failed(error));
        }
        let outcome = self.each_block(|trainer, block| {
            trainer.show(block);
            for minibatch in &block.minibatches {
                trainer.step(minibatch).map_err(Stop::Failed)?;
                let rbm = trainer.backend.read_model(trainer.models.theta).map_err(Stop::Failed)?;
                if let Some(first) = rbm.non_finite() {
                    return Err(Stop::Found(minibatch.step, first));
                }
            }
            Ok(())
        });
        outcome.err()
    }
}
