//! Units that are in one of q states, one-hot: the potential θ_s, so p(s) = softmax(θ + x)_s.

use super::{Moments, Unit};

/// A unit with as many states as it has columns; each state has the 1 in another column.
pub struct Potts;

impl Unit for Potts {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        parameters.iter().zip(state).map(|(parameter, state)| parameter * state).sum()
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        statistics.copy_from_slice(state);
    }

    /// log Σ_s e^(θ_s + x_s)
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        let logits = || parameters.iter().zip(input).map(|(parameter, x)| parameter + x);
        let largest = logits().fold(f64::NEG_INFINITY, f64::max);
        largest + logits().map(|x| (x - largest).exp()).sum::<f64>().ln()
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        let largest =
            parameters.iter().zip(input).map(|(parameter, x)| parameter + x).fold(f64::MIN, f64::max);
        for ((out, parameter), x) in expectation.iter_mut().zip(parameters).zip(input) {
            *out = (parameter + x - largest).exp();
        }
        let sum: f64 = expectation.iter().sum();
        expectation.iter_mut().for_each(|out| *out /= sum);
    }

    /// The first state at which the means add up to more than the uniform number.
    fn draw(&self, _: &[f64], _: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]) {
        let mut sum = 0.0;
        let found = mean.iter().position(|mean| {
            sum += mean;
            uniform < sum
        });
        // Rounding may leave their sum below the number.
        let last = mean.iter().rposition(|&mean| mean > 0.0).unwrap_or(0);
        state.fill(0.0);
        state[found.unwrap_or(last)] = 1.0;
    }

    /// log p, less its mean over the states: the zero-sum gauge. Shares are clipped from below to 0.001.
    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        for (parameter, &p) in parameters.iter_mut().zip(moments.means) {
            *parameter = p.max(0.001).ln();
        }
        let mean = parameters.iter().sum::<f64>() / parameters.len() as f64;
        parameters.iter_mut().for_each(|parameter| *parameter -= mean);
    }
}
