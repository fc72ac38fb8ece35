//! The plain update, while a part of the gradient is in the cache: momentum and decay, centred or not.

use std::ops::Range;

use crate::{backend::Params, host::Offsets};

/// velocity = momentum·velocity + gradient − decay·θ, and θ += velocity.
#[inline(always)]
pub fn step(params: &Params, decay: f32, theta: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
    for ((theta, velocity), gradient) in theta.iter_mut().zip(velocity).zip(gradient) {
        *velocity = params.momentum * *velocity + gradient - decay * *theta;
        *theta += *velocity;
    }
}

/// The same for a row of weights whose gradient is not centred yet: (v − μ)(h − λ) = vh − μh − (v − μ)λ. `mu` is the
/// row's μ, `visible` its unit's gradient; `lambda` and `hidden` are those of its columns.
#[inline(always)]
fn centred_step(
    params: &Params,
    decay: f32,
    weights: &mut [f32],
    velocity: &mut [f32],
    gradient: &[f32],
    (mu, visible): (f32, f32),
    (lambda, hidden): (&[f32], &[f32]),
) {
    let weights = weights.iter_mut().zip(velocity).zip(gradient);
    for (((weight, velocity), gradient), (lambda, hidden)) in weights.zip(lambda.iter().zip(hidden)) {
        let gradient = gradient - mu * hidden - visible * lambda;
        *velocity = params.momentum * *velocity + gradient - decay * *weight;
        *weight += *velocity;
    }
}

/// The same gradient by itself.
#[inline(always)]
fn centred_gradient(
    out: &mut [f32],
    gradient: &[f32],
    (mu, visible): (f32, f32),
    (lambda, hidden): (&[f32], &[f32]),
) {
    for ((out, gradient), (lambda, hidden)) in out.iter_mut().zip(gradient).zip(lambda.iter().zip(hidden)) {
        *out = gradient - mu * hidden - visible * lambda;
    }
}

/// What follows the product of an update.
pub struct Descent<'a> {
    pub params: &'a Params,
    /// Whether weights stay, and the gradient takes the velocity's place.
    pub gradient_only: bool,
    pub decay: f32,
    /// Where the update is centred, if it is.
    pub offsets: Option<&'a Offsets>,
    pub visible_gradient: &'a [f32],
    pub hidden_gradient: &'a [f32],
}

impl Descent<'_> {
    /// Moves some weights of a visible unit.
    #[inline(always)]
    pub fn step(
        &self,
        unit: usize,
        columns: &Range<usize>,
        weights: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
    ) {
        let Self { params, decay, .. } = self;
        match self.offsets {
            Some(offsets) => {
                let row = (offsets.visible[unit], self.visible_gradient[unit]);
                let columns = (&offsets.hidden[columns.clone()], &self.hidden_gradient[columns.clone()]);
                if self.gradient_only {
                    centred_gradient(velocity, gradient, row, columns);
                } else {
                    centred_step(params, *decay, weights, velocity, gradient, row, columns);
                }
            }
            None if self.gradient_only => velocity.copy_from_slice(gradient),
            None => step(params, *decay, weights, velocity, gradient),
        }
    }

    /// The same where there is no momentum, and nobody reads the velocity: a third of what would go through the caches.
    #[inline(always)]
    pub fn forgetful_step(&self, unit: usize, columns: &Range<usize>, weights: &mut [f32], gradient: &[f32]) {
        let parts = weights.iter_mut().zip(gradient);
        match self.offsets {
            Some(offsets) => {
                let (mu, visible) = (offsets.visible[unit], self.visible_gradient[unit]);
                let columns =
                    offsets.hidden[columns.clone()].iter().zip(&self.hidden_gradient[columns.clone()]);
                for ((weight, gradient), (lambda, hidden)) in parts.zip(columns) {
                    *weight += gradient - mu * hidden - visible * lambda - self.decay * *weight;
                }
            }
            None => parts.for_each(|(weight, gradient)| *weight += gradient - self.decay * *weight),
        }
    }
}
