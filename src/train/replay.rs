//! Finds the first step that gave NaN or infinity, or a model without a normalisation, which comes before. The run goes back
//! to the last state it kept, at the start of the epoch or at a pause, and repeats the steps with a check after each. Runs
//! are deterministic, so the same step fails.

use super::Trainer;
use crate::{backend::BackendExt, checkpoint::State, error::Error, train::check};

/// Why a replay stopped.
enum Stop {
    Found(u32, (&'static str, usize, f32)),
    Failed(Error),
}

impl Trainer {
    /// The error of a run in which this NaN or infinity was found.
    pub(super) fn diverged(&mut self, found: (&str, usize, f32)) -> Error {
        let before = self.before.take();
        let (step, (tensor, index, value)) = match before.and_then(|before| self.replay(&before)) {
            Some(Stop::Found(step, first)) => (Some(step), first),
            // Where there is no normalisation, NaN follows.
            Some(Stop::Failed(error)) => return error,
            None => (None, found),
        };
        if let Some(observer) = &mut self.observer {
            let at = step.map_or(String::new(), |step| format!(" at step {step}"));
            observer.diverged(&format!("{tensor}[{index}] is {value}{at}, the first NaN or infinity"));
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
                check::normalisation(&rbm, trainer.epoch + 1).map_err(Stop::Failed)?;
            }
            Ok(())
        });
        outcome.err()
    }
}
