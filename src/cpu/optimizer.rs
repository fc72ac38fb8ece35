//! Fast weights, and the updates that keep more than a velocity: the gradient comes first, as a whole, and then a pass over the parameters.
//! The plain update, in `src/cpu/descent.rs`, needs no such pass.

use rayon::prelude::*;

use super::{Units, level::Level, vectorize};
use crate::{
    backend::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, FAST_SHARE, Params},
    host::{Fast, Moments, Offsets, Phase},
    rbm::Rbm,
};

/// Whether the update is velocity = momentum·velocity + lr·(gradient − decay·θ), θ += velocity.
pub fn is_plain(params: &Params) -> bool {
    params.l1 == 0.0 && !params.has(Params::ADAM) && !params.has(Params::NESTEROV)
}

/// The means of the hidden units in the positive phase, less what draws them to the target; see
/// [`crate::backend::Backend::update`].
pub fn drawn_to_target(params: &Params, positive: Phase<Units>, offsets: &Offsets) -> Vec<f32> {
    let units = offsets.hidden.len();
    let mut means = positive.hidden.means[..positive.rows * units].to_vec();
    let draw = |q: f32| params.sparsity_cost * (q - params.sparsity_target);
    let draws: Vec<f32> = offsets.hidden.iter().map(|&q| draw(q)).collect();
    means.par_chunks_mut(units).for_each(|row| row.iter_mut().zip(&draws).for_each(|(x, draw)| *x -= draw));
    means
}

/// Takes a step by `gradient`, which is left with the step.
pub fn ascend(level: Level, params: &Params, gradient: &mut Rbm, rbm: &mut Rbm, moments: &mut Moments) {
    const PART: usize = 1 << 13;
    let Moments { velocity, squares } = moments;
    let biases = Params { weight_decay: 0.0, l1: 0.0, ..*params };
    for (params, gradient, theta, velocity, squares) in [
        (params, &mut gradient.weights, &mut rbm.weights, &mut velocity.weights, &mut squares.weights),
        (
            &biases,
            &mut gradient.visible_bias,
            &mut rbm.visible_bias,
            &mut velocity.visible_bias,
            &mut squares.visible_bias,
        ),
        (
            &biases,
            &mut gradient.hidden_bias,
            &mut rbm.hidden_bias,
            &mut velocity.hidden_bias,
            &mut squares.hidden_bias,
        ),
    ] {
        let parts = gradient.par_chunks_mut(PART).zip(theta.par_chunks_mut(PART));
        let moments = velocity.par_chunks_mut(PART).zip(squares.par_chunks_mut(PART));
        parts.zip(moments).for_each(|((gradient, theta), (velocity, squares))| {
            vectorize(
                level,
                #[inline(always)]
                || {
                    if params.has(Params::ADAM) {
                        adam(params, gradient, theta, velocity, squares);
                    } else {
                        momentum(params, gradient, theta, velocity);
                    }
                },
            );
        });
    }
}

#[inline(always)]
fn decay(params: &Params, theta: f32) -> f32 {
    let sign = f32::from(theta > 0.0) - f32::from(theta < 0.0);
    params.weight_decay * theta + params.l1 * sign
}

#[inline(always)]
fn adam(params: &Params, gradient: &mut [f32], theta: &mut [f32], velocity: &mut [f32], squares: &mut [f32]) {
    const FIRST: f32 = ADAM_FIRST as f32;
    const SECOND: f32 = ADAM_SECOND as f32;
    let parameters = gradient.iter_mut().zip(theta);
    for ((gradient, theta), (velocity, square)) in parameters.zip(velocity.iter_mut().zip(squares)) {
        *velocity = FIRST * *velocity + (1.0 - ADAM_FIRST) as f32 * *gradient;
        *square = SECOND * *square + (1.0 - ADAM_SECOND) as f32 * *gradient * *gradient;
        let deviation = (*square * params.second_correction).sqrt() + ADAM_EPSILON as f32;
        let ascent = *velocity * params.first_correction / deviation;
        *gradient = params.learning_rate * (ascent - decay(params, *theta));
        *theta += *gradient;
    }
}

#[inline(always)]
fn momentum(params: &Params, gradient: &mut [f32], theta: &mut [f32], velocity: &mut [f32]) {
    let ahead = params.has(Params::NESTEROV);
    for ((gradient, theta), velocity) in gradient.iter_mut().zip(theta).zip(velocity) {
        let push = params.learning_rate * (*gradient - decay(params, *theta));
        *velocity = params.momentum * *velocity + push;
        *gradient = if ahead { params.momentum * *velocity + push } else { *velocity };
        *theta += *gradient;
    }
}

/// Lets the fast weights follow the last update, and adds them to the parameters.
pub fn fast_weights(level: Level, params: &Params, rbm: &Rbm, velocity: &Rbm, fast: &mut Fast) {
    const PART: usize = 1 << 13;
    let Fast { weights: fast, sum } = fast;
    for (fast, sum, theta, velocity) in [
        (&mut fast.weights, &mut sum.weights, &rbm.weights, &velocity.weights),
        (&mut fast.visible_bias, &mut sum.visible_bias, &rbm.visible_bias, &velocity.visible_bias),
        (&mut fast.hidden_bias, &mut sum.hidden_bias, &rbm.hidden_bias, &velocity.hidden_bias),
    ] {
        let written = fast.par_chunks_mut(PART).zip(sum.par_chunks_mut(PART));
        let read = theta.par_chunks(PART).zip(velocity.par_chunks(PART));
        written.zip(read).for_each(|((fast, sum), (theta, velocity))| {
            vectorize(
                level,
                #[inline(always)]
                || {
                    let read = theta.iter().zip(velocity);
                    for ((fast, sum), (theta, velocity)) in fast.iter_mut().zip(sum).zip(read) {
                        *fast = FAST_SHARE as f32 * *fast + params.rate * velocity;
                        *sum = theta + *fast;
                    }
                },
            );
        });
    }
}

/// Scales the weights of each hidden unit down to the largest norm.
pub fn limit_norms(level: Level, params: &Params, rbm: &mut Rbm) {
    let units = rbm.shape.hidden;
    let mut factors = vec![0.0_f64; units];
    vectorize(
        level,
        #[inline(always)]
        || {
            for row in rbm.weights.chunks(units) {
                for (sum, &weight) in factors.iter_mut().zip(row) {
                    *sum += f64::from(weight) * f64::from(weight);
                }
            }
        },
    );
    let largest = f64::from(params.largest_norm);
    factors.iter_mut().for_each(|factor| *factor = (largest / factor.sqrt()).min(1.0));
    if factors.iter().all(|&factor| factor == 1.0) {
        return;
    }
    rbm.weights.par_chunks_mut(units).with_min_len(64).for_each(|row| {
        row.iter_mut().zip(&factors).for_each(|(weight, &factor)| *weight *= factor as f32);
    });
}
