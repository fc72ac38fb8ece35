//! Where annealing and tempering begin: independent units, whose Z is known.

use crate::{
    rbm::{Rbm, Shape},
    reference::softplus,
};

/// The base-rate model: visible units that are independent, each on as often as in the data, and hidden units without
/// any weight.
#[derive(Clone, Debug)]
pub struct Base {
    pub(super) bias: Vec<f32>,
    pub(super) density: Vec<f64>,
    pub(super) log_z: f64,
}

impl Base {
    /// From the share of cases in which each unit is on. It is clipped as for initial biases: the model may turn on what
    /// was never on in the data.
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

    /// b + (1/β − 1) b0: the visible biases with which the kernels, which multiply all of the energy by β, compute what lies
    /// between the base and a model of biases `bias`.
    pub fn towards(&self, bias: &[f32], beta: f32) -> Vec<f32> {
        let share = 1.0 / f64::from(beta) - 1.0;
        bias.iter()
            .zip(&self.bias)
            .map(|(b, base)| (f64::from(*b) + share * f64::from(*base)) as f32)
            .collect()
    }
}
