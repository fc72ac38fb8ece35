//! The base of annealing and tempering: independent units, whose Z is known.

use crate::{
    rbm::{Rbm, Shape},
    reference::softplus,
};

/// The base-rate model: independent visible units, each on as often as in the data, and hidden units without weights.
#[derive(Clone, Debug)]
pub struct Base {
    pub(super) bias: Vec<f32>,
    pub(super) density: Vec<f64>,
    pub(super) log_z: f64,
}

impl Base {
    /// From the fraction of cases in which each unit is on. It is clipped as for initial biases, because the model may turn
    /// on a unit that is never on in the data.
    pub fn new(shape: Shape, density: &[f64]) -> Self {
        let bias = Rbm::base_rates(density);
        let visible: f64 = bias.iter().map(|&b| softplus(f64::from(b))).sum();
        Self {
            log_z: visible + shape.hidden as f64 * std::f64::consts::LN_2,
            bias,
            density: density.to_vec(),
        }
    }

    /// log f_0(v).
    pub(super) fn log_density(&self, shape: Shape, visible: &[f32]) -> f64 {
        let bias: f64 = self.bias.iter().zip(visible).map(|(b, v)| f64::from(*b) * f64::from(*v)).sum();
        bias + shape.hidden as f64 * std::f64::consts::LN_2
    }
}
