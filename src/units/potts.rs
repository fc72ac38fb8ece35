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

/// The state of a draw whose number is above the sum of the means, by rounding: the last that may be.
fn last(mean: &[f32]) -> usize {
    mean.iter().rposition(|&mean| mean > 0.0).unwrap_or(0)
}

/// Units that go through each loop together.
const TOGETHER: usize = 16;

/// Replaces the inputs of the states of some units by e^(x − largest), and returns the units' 1 / Σ of these.
#[inline(always)]
fn softmax(lanes: &mut [[f32; TOGETHER]]) -> [f32; TOGETHER] {
    let mut largest = [f32::NEG_INFINITY; TOGETHER];
    for x in &*lanes {
        for lane in 0..TOGETHER {
            largest[lane] = if x[lane] > largest[lane] { x[lane] } else { largest[lane] };
        }
    }
    for x in &mut *lanes {
        for lane in 0..TOGETHER {
            x[lane] -= largest[lane];
        }
    }
    for x in lanes.as_flattened_mut() {
        *x = single::exp(*x);
    }
    let mut sums = [0.0; TOGETHER];
    for x in &*lanes {
        for lane in 0..TOGETHER {
            sums[lane] += x[lane];
        }
    }
    let mut shares = [0.0; TOGETHER];
    for lane in 0..TOGETHER {
        shares[lane] = 1.0 / sums[lane];
    }
    shares
}

/// The first state of each unit at which the means, which are x · share, add up to more than the uniform number; the number of
/// states if there is none.
#[inline(always)]
fn first_above(
    lanes: &[[f32; TOGETHER]],
    shares: &[f32; TOGETHER],
    numbers: &[f32; TOGETHER],
) -> [u32; TOGETHER] {
    let (mut sums, mut found) = ([0.0; TOGETHER], [0; TOGETHER]);
    for x in lanes {
        for lane in 0..TOGETHER {
            sums[lane] += x[lane] * shares[lane];
            found[lane] += if numbers[lane] < sums[lane] { 0 } else { 1 };
        }
    }
    found
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
        state.fill(0.0);
        state[found.unwrap_or_else(|| last(mean))] = 1.0;
    }

    /// Softmax and draw in 32 bits, a unit in each lane.
    fn finish(&self, level: Level, columns: Columns) {
        let Columns { per_unit, parameters: [theta, ..], means, states, uniforms, .. } = columns;
        level.without_scatters().run(
            #[inline(always)]
            || {
                let mut lanes = vec![[0.0; TOGETHER]; per_unit];
                let together = TOGETHER * per_unit;
                let units = means.chunks_mut(together).zip(states.chunks_mut(together));
                for ((means, states), (number, theta)) in units.zip(theta.chunks(together).enumerate()) {
                    let each = means.chunks(per_unit).zip(theta.chunks(per_unit));
                    for (lane, (x, theta)) in each.enumerate() {
                        for ((lanes, x), theta) in lanes.iter_mut().zip(x).zip(theta) {
                            lanes[lane] = x + theta;
                        }
                    }
                    let shares = softmax(&mut lanes);
                    let found = uniforms.map(
                        #[inline(always)]
                        |uniforms| {
                            let mut numbers = [0.0; TOGETHER];
                            let of_units = uniforms[number * together..].iter().step_by(per_unit);
                            numbers.iter_mut().zip(of_units).for_each(|(number, u)| *number = *u);
                            first_above(&lanes, &shares, &numbers)
                        },
                    );
                    for (lane, means) in means.chunks_mut(per_unit).enumerate() {
                        for (mean, lanes) in means.iter_mut().zip(&lanes) {
                            *mean = lanes[lane] * shares[lane];
                        }
                    }
                    let Some(found) = found else {
                        states.copy_from_slice(means);
                        continue;
                    };
                    states.fill(0.0);
                    for ((state, mean), found) in
                        states.chunks_mut(per_unit).zip(means.chunks(per_unit)).zip(found)
                    {
                        match state.get_mut(found as usize) {
                            Some(state) => *state = 1.0,
                            None => state[last(mean)] = 1.0,
                        }
                    }
                }
            },
        );
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
