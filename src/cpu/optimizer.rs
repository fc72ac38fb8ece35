//! Steps up a complete gradient, and other passes over the parameters. `src/cpu/descent.rs` fuses the plain step with its
//! gradient, which saves a pass.

use rayon::prelude::*;

use super::math::long_dot;
use crate::level::Level;
use crate::{
    backend::{
        Ascent, Clip, Combine, LimitNorms, Penalise, Standardise,
        operation::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND},
    },
    rbm::{Rbm, Shape, Side},
    units::{PRECISIONS, Place},
};

/// Parameters per task of a thread.
const PART: usize = 1 << 13;

/// Steps up `gradient`, and leaves the step in it.
pub fn ascend(
    level: Level,
    op: &Ascent,
    gradient: &mut Rbm,
    rbm: &mut Rbm,
    velocity: &mut Rbm,
    squares: Option<&mut Rbm>,
) {
    let mut none = [&mut [][..], &mut [], &mut []];
    let squares = squares.map_or(none.each_mut().map(|none| &mut **none), Rbm::tensors_mut);
    let biases = Ascent { weight_decay: 0.0, l1: 0.0, ..*op };
    let tensors = gradient.tensors_mut().into_iter().zip(rbm.tensors_mut()).zip(velocity.tensors_mut());
    for (op, (((gradient, theta), velocity), squares)) in
        [op, &biases, &biases].into_iter().zip(tensors.zip(squares))
    {
        let parts =
            gradient.par_chunks_mut(PART).zip(theta.par_chunks_mut(PART)).zip(velocity.par_chunks_mut(PART));
        if op.rule == Ascent::ADAM {
            parts.zip(squares.par_chunks_mut(PART)).for_each(|(((gradient, theta), velocity), squares)| {
                level.run(
                    #[inline(always)]
                    || adam(op, gradient, theta, velocity, squares),
                );
            });
        } else {
            parts.for_each(|((gradient, theta), velocity)| {
                level.run(
                    #[inline(always)]
                    || momentum(op, gradient, theta, velocity),
                );
            });
        }
    }
}

#[inline(always)]
fn decay(op: &Ascent, theta: f32) -> f32 {
    let sign = f32::from(theta > 0.0) - f32::from(theta < 0.0);
    op.weight_decay * theta + op.l1 * sign
}

#[inline(always)]
fn adam(op: &Ascent, gradient: &mut [f32], theta: &mut [f32], velocity: &mut [f32], squares: &mut [f32]) {
    const FIRST: f32 = ADAM_FIRST as f32;
    const SECOND: f32 = ADAM_SECOND as f32;
    let parameters = gradient.iter_mut().zip(theta);
    for ((gradient, theta), (velocity, square)) in parameters.zip(velocity.iter_mut().zip(squares)) {
        *velocity = FIRST * *velocity + (1.0 - ADAM_FIRST) as f32 * *gradient;
        *square = SECOND * *square + (1.0 - ADAM_SECOND) as f32 * *gradient * *gradient;
        let deviation = (*square * op.second_correction).sqrt() + ADAM_EPSILON as f32;
        let ascent = *velocity * op.first_correction / deviation;
        *gradient = op.rate * (ascent - decay(op, *theta));
        *theta += *gradient;
    }
}

#[inline(always)]
fn momentum(op: &Ascent, gradient: &mut [f32], theta: &mut [f32], velocity: &mut [f32]) {
    let ahead = op.rule == Ascent::NESTEROV;
    for ((gradient, theta), velocity) in gradient.iter_mut().zip(theta).zip(velocity) {
        let push = op.rate * (*gradient - decay(op, *theta));
        *velocity = op.momentum * *velocity + push;
        *gradient = if ahead { op.momentum * *velocity + push } else { *velocity };
        *theta += *gradient;
    }
}

/// rbm = keep·rbm + add·other.
pub fn combine(level: Level, op: &Combine, other: &Rbm, rbm: &mut Rbm) {
    let &Combine { keep, add } = op;
    for (out, other) in rbm.tensors_mut().into_iter().zip(other.tensors()) {
        out.par_chunks_mut(PART).zip(other.par_chunks(PART)).for_each(|(out, other)| {
            level.run(
                #[inline(always)]
                || match keep {
                    0.0 => out.iter_mut().zip(other).for_each(|(out, other)| *out = add * other),
                    _ => out.iter_mut().zip(other).for_each(|(out, other)| *out = keep * *out + add * other),
                },
            );
        });
    }
}

/// Divides a gradient by the variances of the units.
pub fn standardise(op: &Standardise, variances: [&[f32]; 2], gradient: &mut Rbm) {
    let Shape { visible, hidden } = gradient.shape();
    let [of_visible, of_hidden] = [(variances[0], visible), (variances[1], hidden)]
        .map(|(all, count)| all[..count].iter().map(|x| 1.0 / (x + op.ridge)).collect::<Vec<f32>>());
    let rows = gradient.weights_mut().par_chunks_mut(hidden).zip(&of_visible);
    rows.with_min_len(64).for_each(|(row, of_row)| {
        row.iter_mut().zip(&of_hidden).for_each(|(slope, of_column)| *slope *= of_row * of_column);
    });
    for (side, factors) in [(Side::Visible, &of_visible), (Side::Hidden, &of_hidden)] {
        for (number, plane) in gradient.potentials_mut(side).chunks_mut(factors.len()).enumerate() {
            let is_square = PRECISIONS.contains(&number);
            for (slope, factor) in plane.iter_mut().zip(factors) {
                *slope *= if is_square { factor * factor } else { *factor };
            }
        }
    }
}

/// Subtracts the gradient of the penalty on each hidden unit's sum of weights.
pub fn penalise(level: Level, op: &Penalise, scales: &[f32], rbm: &Rbm, gradient: &mut Rbm) {
    let units = rbm.shape().hidden;
    let mut sums = vec![0.0_f64; units];
    level.run(
        #[inline(always)]
        || {
            for (row, &scale) in rbm.weights().chunks(units).zip(scales) {
                for (sum, &weight) in sums.iter_mut().zip(row) {
                    *sum += f64::from(scale * weight.abs());
                }
            }
        },
    );
    let pulls: Vec<f32> = sums.iter().map(|&sum| (f64::from(op.strength) * sum) as f32).collect();
    let rows = gradient.weights_mut().par_chunks_mut(units).zip(rbm.weights().par_chunks(units));
    rows.zip(scales).with_min_len(64).for_each(|((slopes, row), scale)| {
        for ((slope, &weight), pull) in slopes.iter_mut().zip(row).zip(&pulls) {
            let sign = f32::from(weight > 0.0) - f32::from(weight < 0.0);
            *slope -= pull * scale * sign;
        }
    });
}

/// Shortens a gradient that is longer than the largest norm.
pub fn clip(level: Level, op: &Clip, gradient: &mut Rbm) {
    // Parts of one length, so that the sum does not depend on the threads.
    let parts = gradient.parameters().par_chunks(PART).map(|part| {
        level.run(
            #[inline(always)]
            || long_dot(part, part),
        )
    });
    let squares: f64 = parts.collect::<Vec<_>>().iter().sum();
    let factor = f64::from(op.largest) / squares.sqrt();
    if factor < 1.0 {
        let parts = gradient.parameters_mut().par_chunks_mut(PART);
        parts.for_each(|part| part.iter_mut().for_each(|slope| *slope *= factor as f32));
    }
}

/// Scales each hidden unit's weights down to at most the largest norm.
pub fn limit_norms(level: Level, op: &LimitNorms, rbm: &mut Rbm) {
    let units = rbm.shape().hidden;
    let mut factors = vec![0.0_f64; units];
    level.run(
        #[inline(always)]
        || {
            for row in rbm.weights().chunks(units) {
                for (sum, &weight) in factors.iter_mut().zip(row) {
                    *sum += f64::from(weight) * f64::from(weight);
                }
            }
        },
    );
    let largest = f64::from(op.largest);
    factors.iter_mut().for_each(|factor| *factor = (largest / factor.sqrt()).min(1.0));
    if factors.iter().all(|&factor| factor == 1.0) {
        return;
    }
    rbm.weights_mut().par_chunks_mut(units).with_min_len(64).for_each(|row| {
        row.iter_mut().zip(&factors).for_each(|(weight, &factor)| *weight *= factor as f32);
    });
}

/// Subtracts the mean over the states of each Potts unit from its weights and its biases; the other side's biases get those of the
/// weights.
pub fn fix_gauge(level: Level, rbm: &mut Rbm) {
    let Shape { hidden, .. } = rbm.shape();
    let layers = rbm.layers().clone();
    let mut means = vec![0.0; hidden];
    for Place { column, kind } in layers.visible.potts() {
        let states = column..column + kind.columns();
        let rows = &mut rbm.weights_mut()[states.start * hidden..states.end * hidden];
        level.run(
            #[inline(always)]
            || centre_rows(rows, &mut means),
        );
        rbm.hidden_bias_mut().iter_mut().zip(&means).for_each(|(bias, mean)| *bias += mean);
        centre(&mut rbm.visible_bias_mut()[states]);
    }
    let units: Vec<Place> = layers.hidden.potts().collect();
    if units.is_empty() {
        return;
    }
    let centre_units = |row: &mut [f32]| -> f32 {
        units.iter().map(|&Place { column, kind }| centre(&mut row[column..column + kind.columns()])).sum()
    };
    let rows = rbm.weights_mut().par_chunks_mut(hidden).with_min_len(64);
    let shifts: Vec<f32> = rows.map(centre_units).collect();
    rbm.visible_bias_mut().iter_mut().zip(shifts).for_each(|(bias, shift)| *bias += shift);
    centre_units(rbm.hidden_bias_mut());
}

/// Subtracts the mean of some rows from each of them, and writes it.
#[inline(always)]
fn centre_rows(rows: &mut [f32], means: &mut [f32]) {
    let count = rows.len() / means.len();
    means.fill(0.0);
    for row in rows.chunks(means.len()) {
        means.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
    }
    means.iter_mut().for_each(|mean| *mean /= count as f32);
    for row in rows.chunks_mut(means.len()) {
        row.iter_mut().zip(&*means).for_each(|(x, mean)| *x -= mean);
    }
}

/// Subtracts the mean of some numbers from each of them, and returns it.
fn centre(numbers: &mut [f32]) -> f32 {
    let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
    numbers.iter_mut().for_each(|x| *x -= mean);
    mean
}
