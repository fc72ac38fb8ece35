//! The end of a gradient's product, while a part of it is in the cache: centring and, in a fused update, the step.

use std::ops::Range;

use crate::backend::Update;

/// velocity = momentum·velocity + gradient − decay·θ, and θ += velocity. The gradient includes the learning rate.
#[inline(always)]
pub fn step(momentum: f32, decay: f32, theta: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
    for ((theta, velocity), gradient) in theta.iter_mut().zip(velocity).zip(gradient) {
        *velocity = momentum * *velocity + gradient - decay * *theta;
        *theta += *velocity;
    }
}

/// Centring terms of the weights' gradient: (v − μ)(h − λ) = vh − μh − (v − μ)λ.
#[derive(Clone, Copy)]
pub struct Centring<'a> {
    /// Offsets of the visible units.
    pub mu: &'a [f32],
    /// Offsets of the hidden units.
    pub lambda: &'a [f32],
    /// The gradient of the visible biases.
    pub visible: &'a [f32],
    /// The gradient of the hidden biases.
    pub hidden: &'a [f32],
}

/// The centring terms of some columns of a row.
struct CentringRow<'a> {
    mu: f32,
    visible: f32,
    lambda: &'a [f32],
    hidden: &'a [f32],
}

impl<'a> Centring<'a> {
    fn row(&self, unit: usize, columns: &Range<usize>) -> CentringRow<'a> {
        CentringRow {
            mu: self.mu[unit],
            visible: self.visible[unit],
            lambda: &self.lambda[columns.clone()],
            hidden: &self.hidden[columns.clone()],
        }
    }
}

impl CentringRow<'_> {
    /// Adds the centring terms to the row's gradient.
    #[inline(always)]
    fn of<'b>(&'b self, associations: &'b [f32]) -> impl Iterator<Item = f32> + 'b {
        let columns = self.lambda.iter().zip(self.hidden);
        associations
            .iter()
            .zip(columns)
            .map(|(association, (lambda, hidden))| association - self.mu * hidden - self.visible * lambda)
    }
}

/// Centres the gradient of some weights of a visible unit.
#[inline(always)]
pub fn gradient(
    centring: Option<Centring>,
    unit: usize,
    columns: &Range<usize>,
    out: &mut [f32],
    associations: &[f32],
) {
    match centring {
        Some(centring) => {
            let row = centring.row(unit, columns);
            out.iter_mut().zip(row.of(associations)).for_each(|(out, gradient)| *out = gradient);
        }
        None => out.copy_from_slice(associations),
    }
}

/// The plain step of the weights.
pub struct Descent<'a> {
    pub momentum: f32,
    /// The decay × the learning rate.
    pub decay: f32,
    pub centring: Option<Centring<'a>>,
}

impl<'a> Descent<'a> {
    pub fn new(op: &Update, centring: Option<Centring<'a>>) -> Self {
        Self { momentum: op.momentum, decay: op.rate * op.weight_decay, centring }
    }

    /// Moves some weights of a visible unit, and stores the step.
    #[inline(always)]
    pub fn step(
        &self,
        unit: usize,
        columns: &Range<usize>,
        weights: &mut [f32],
        velocity: &mut [f32],
        associations: &[f32],
    ) {
        let &Self { momentum, decay, centring } = self;
        let Some(centring) = centring else { return step(momentum, decay, weights, velocity, associations) };
        let row = centring.row(unit, columns);
        for ((weight, velocity), gradient) in weights.iter_mut().zip(velocity).zip(row.of(associations)) {
            *velocity = momentum * *velocity + gradient - decay * *weight;
            *weight += *velocity;
        }
    }

    /// Moves some weights of a visible unit without momentum or storing the step: a third of the traffic of [`Descent::step`].
    #[inline(always)]
    pub fn step_only(&self, unit: usize, columns: &Range<usize>, weights: &mut [f32], associations: &[f32]) {
        let decay = self.decay;
        match self.centring {
            Some(centring) => {
                let row = centring.row(unit, columns);
                for (weight, gradient) in weights.iter_mut().zip(row.of(associations)) {
                    *weight += gradient - decay * *weight;
                }
            }
            None => {
                for (weight, gradient) in weights.iter_mut().zip(associations) {
                    *weight += gradient - decay * *weight;
                }
            }
        }
    }
}
