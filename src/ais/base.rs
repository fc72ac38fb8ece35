//! The base of annealing and tempering: independent units, whose Z is known.

use crate::{rbm::Layers, reference::Potentials, units::Layer};

/// The base-rate model: independent visible units, each on as often as in the data, and hidden units without weights.
#[derive(Clone, Debug)]
pub struct Base {
    layers: Layers,
    /// [`Layers::base`].
    pub(super) potentials: Vec<f32>,
    pub(super) density: Vec<f64>,
    pub(super) log_z: f64,
    /// The hidden units' part of it.
    hidden_log_z: f64,
}

/// log Σ e^(potential) over a layer's states, or the log of the integral.
fn log_z(layer: &Layer, potentials: &[f32]) -> f64 {
    Potentials::new(layer, potentials).cumulant(&vec![0.0; layer.columns()])
}

impl Base {
    /// From the fraction of cases in which each unit is on. It is clipped as for initial biases, because the model may turn
    /// on a unit that is never on in the data.
    pub fn new(layers: impl Into<Layers>, density: &[f64]) -> Self {
        let layers = layers.into();
        let potentials = layers.base_of_shares(density);
        // The hidden units of a block are alike.
        let of_block = |of_one: Layer, units: usize| units as f64 * log_z(&of_one, &of_one.neutral());
        let blocks = layers.hidden.blocks().iter();
        let hidden_log_z = blocks.map(|block| of_block(Layer::of(block.kind, 1), block.units)).sum();
        let of_visible = log_z(&layers.visible, &potentials[..layers.visible.parameters()]);
        let (log_z, density) = (of_visible + hidden_log_z, density.to_vec());
        Self { layers, potentials, density, log_z, hidden_log_z }
    }

    /// log f_0(v).
    pub(super) fn log_density(&self, visible: &[f32]) -> f64 {
        let potentials = &self.potentials[..self.layers.visible.parameters()];
        Potentials::new(&self.layers.visible, potentials).sum(visible) + self.hidden_log_z
    }
}
