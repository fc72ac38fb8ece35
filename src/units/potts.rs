//! Units that are in one of q states, one-hot: the potential θ_s, so p(s) = softmax(θ + x)_s.

use super::{Columns, Moments, Planes, Unit, single};
use crate::level::Level;

/// A unit with as many states as it has columns; each state has the 1 in another column.
pub struct Potts;

/// Numbers that are compared or added together.
const LANES: usize = 8;

/// The largest number.
#[inline(always)]
fn largest(numbers: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = numbers.as_chunks::<LANES>();
    for numbers in whole {
        for (lane, x) in lanes.iter_mut().zip(numbers) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = lane.max(*x);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// The sum, in parts.
#[inline(always)]
fn sum(numbers: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = numbers.as_chunks::<LANES>();
    for numbers in whole {
        for (lane, x) in lanes.iter_mut().zip(numbers) {
            *lane += x;
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

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

    /// Softmax and draw in 32 bits, in stages that the compiler vectorises.
    fn finish(&self, level: Level, columns: Columns) {
        let Columns { per_unit, parameters: [theta, ..], means, states, uniforms, .. } = columns;
        level.run(
            #[inline(always)]
            || {
                for (x, theta) in means.iter_mut().zip(theta) {
                    *x += theta;
                }
                for unit in means.chunks_mut(per_unit) {
                    let largest = largest(unit);
                    unit.iter_mut().for_each(
                        #[inline(always)]
                        |x| *x -= largest,
                    );
                }
                for x in means.iter_mut() {
                    *x = single::exp(*x);
                }
                for unit in means.chunks_mut(per_unit) {
                    let share = 1.0 / sum(unit);
                    unit.iter_mut().for_each(
                        #[inline(always)]
                        |x| *x *= share,
                    );
                }
            },
        );
        match uniforms {
            None => states.copy_from_slice(means),
            Some(uniforms) => {
                let units = means.chunks(per_unit).zip(states.chunks_mut(per_unit));
                for ((mean, state), uniform) in units.zip(uniforms.iter().step_by(per_unit)) {
                    self.draw(&[], &[], mean, *uniform, state);
                }
            }
        }
    }

    fn sum_of_potentials(&self, _: Level, _: usize, [theta, ..]: Planes, states: &[f32]) -> f64 {
        states
            .iter()
            .zip(theta)
            .filter(|(state, _)| **state != 0.0)
            .map(|(&state, &theta)| f64::from(state * theta))
            .sum()
    }

    fn sum_of_cumulants(&self, level: Level, per_unit: usize, [theta, ..]: Planes, inputs: &[f32]) -> f64 {
        level.run(
            #[inline(always)]
            || {
                let mut all = 0.0;
                let mut logits = vec![0.0; per_unit];
                for (inputs, theta) in inputs.chunks(per_unit).zip(theta.chunks(per_unit)) {
                    for ((logit, x), theta) in logits.iter_mut().zip(inputs).zip(theta) {
                        *logit = x + theta;
                    }
                    let largest = largest(&logits);
                    logits.iter_mut().for_each(
                        #[inline(always)]
                        |x| *x = single::exp(*x - largest),
                    );
                    all += f64::from(largest + single::ln(sum(&logits)));
                }
                all
            },
        )
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
