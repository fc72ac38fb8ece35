//! The average of the parameters over the end of a run.

use crate::config::TrainConfig;

/// One step in this many enters the average: more would cost time and change nothing.
const EVERY: u32 = 8;

/// Which steps enter the average.
#[derive(Clone, Copy, Debug)]
pub struct Averaging {
    /// First step that may enter.
    first: u32,
}

impl Averaging {
    /// The averaging of a run with these options, if it averages.
    pub fn new(config: &TrainConfig, steps_an_epoch: usize) -> Option<Self> {
        let steps = (config.epochs * steps_an_epoch) as f64;
        let first = (steps * (1.0 - config.average)).floor() as u32;
        (config.average > 0.0).then_some(Self { first })
    }

    /// Number of steps before this one that entered.
    pub fn count(self, step: u32) -> u32 {
        step.div_ceil(EVERY).saturating_sub(self.first.div_ceil(EVERY))
    }

    /// The fraction of the way that the average moves to the parameters after this step; `None` if the step does not enter.
    pub fn rate(self, step: u32) -> Option<f32> {
        (step >= self.first && step.is_multiple_of(EVERY)).then(|| 1.0 / (self.count(step) as f32 + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_that_counts_is_counted() {
        for (epochs, steps_an_epoch, average) in [(10, 7, 0.4), (3, 8, 1.0), (2, 100, 0.33), (1, 5, 0.1)] {
            let config = TrainConfig { epochs, average, ..TrainConfig::default() };
            let averaging = Averaging::new(&config, steps_an_epoch).unwrap();
            let mut counted = 0;
            for step in 0..(epochs * steps_an_epoch) as u32 {
                assert_eq!(
                    averaging.count(step),
                    counted,
                    "{average} of {epochs} × {steps_an_epoch}, {step}"
                );
                if let Some(rate) = averaging.rate(step) {
                    counted += 1;
                    assert_eq!(rate, 1.0 / counted as f32);
                }
            }
        }
        assert!(Averaging::new(&TrainConfig { average: 0.0, ..TrainConfig::default() }, 5).is_none());
    }
}
