//! The model: its layers and its parameters.

use rand_distr::{Distribution, StandardNormal};

use crate::{
    rng::{Philox, Stream},
    units::{Kind, Layer, Moments},
};

/// The numbers of units of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Visible units, m in the equations.
    pub visible: usize,
    /// Hidden units, n in the equations.
    pub hidden: usize,
}

impl Shape {
    /// Units in `layer`.
    pub fn units(&self, layer: Side) -> usize {
        match layer {
            Side::Visible => self.visible,
            Side::Hidden => self.hidden,
        }
    }
}

/// A side of the bipartite graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Visible units, clamped to the data.
    Visible,
    /// Hidden units, never observed.
    Hidden,
}

impl Side {
    /// The number of the side in addresses of random numbers.
    pub const fn number(self) -> u32 {
        match self {
            Self::Visible => 0,
            Self::Hidden => 1,
        }
    }
}

/// The layers of both sides of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layers {
    /// Visible units, clamped to the data.
    pub visible: Layer,
    /// Hidden units, never observed.
    pub hidden: Layer,
}

impl Layers {
    /// The numbers of units.
    pub fn shape(&self) -> Shape {
        Shape { visible: self.visible.columns(), hidden: self.hidden.columns() }
    }

    /// The layer of one side.
    pub fn side(&self, side: Side) -> &Layer {
        match side {
            Side::Visible => &self.visible,
            Side::Hidden => &self.hidden,
        }
    }

    /// Lengths of the tensors: W, the potentials of the visible units, those of the hidden units.
    fn lengths(&self) -> [usize; 3] {
        let Shape { visible, hidden } = self.shape();
        [visible * hidden, self.visible.parameters(), self.hidden.parameters()]
    }
}

impl From<Shape> for Layers {
    /// Binary units on both sides.
    fn from(Shape { visible, hidden }: Shape) -> Self {
        Self { visible: Layer::of(Kind::Binary, visible), hidden: Layer::of(Kind::Binary, hidden) }
    }
}

impl From<&Layers> for Layers {
    fn from(layers: &Layers) -> Self {
        layers.clone()
    }
}

/// A Restricted Boltzmann Machine, or numbers of its shape: a velocity, a gradient.
///
/// ```text
/// E(v,h) = −vᵀWh − bᵀv − cᵀh          for binary units; for others see [`crate::units`]
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rbm {
    layers: Layers,
    /// W row by row, the potentials of the visible units, those of the hidden units.
    parameters: Vec<f32>,
}

/// The names of the tensors, in order.
pub const TENSORS: [&str; 3] = ["weights", "visible_bias", "hidden_bias"];

impl Rbm {
    /// The standard deviation of the initial weights (Hinton 2010, section 8).
    pub const INITIAL_DEVIATION: f32 = 0.01;

    /// All parameters zero.
    pub fn zeros(layers: impl Into<Layers>) -> Self {
        let layers = layers.into();
        Self { parameters: vec![0.0; layers.lengths().iter().sum()], layers }
    }

    /// A model from one vector: W row by row, then b, then c.
    ///
    /// # Panics
    /// If its length doesn't match the layers.
    pub fn from_parameters(layers: impl Into<Layers>, parameters: Vec<f32>) -> Self {
        let layers = layers.into();
        assert_eq!(parameters.len(), layers.lengths().iter().sum::<usize>(), "a number for each parameter");
        Self { layers, parameters }
    }

    /// A model from its tensors: W row by row, b and c.
    ///
    /// # Panics
    /// If a length doesn't match the layers.
    pub fn from_tensors(layers: impl Into<Layers>, tensors: [Vec<f32>; 3]) -> Self {
        let layers = layers.into();
        assert_eq!(tensors.each_ref().map(Vec::len), layers.lengths(), "a number for each parameter");
        Self { layers, parameters: tensors.concat() }
    }

    /// Initial parameters for training (Hinton 2010, section 8): weights from N(0, 0.01²), hidden biases 0, and visible
    /// biases [`Rbm::base_rates`] of `density`, the fraction of cases in which each unit is on.
    pub fn initial(layers: impl Into<Layers>, density: &[f64], seed: u64) -> Self {
        let mut rbm = Self::zeros(layers);
        let mut generator = Philox::new(seed, Stream::Weights, 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut generator) };
        rbm.weights_mut().iter_mut().for_each(|weight| *weight = normal() * Self::INITIAL_DEVIATION);
        rbm.visible_bias_mut().copy_from_slice(&Self::base_rates(density));
        rbm
    }

    /// log(p/(1−p)): the visible biases of a model without weights whose units are on with probability p. p is clipped to
    /// 0.001…0.999, so that a unit that never changes keeps a finite bias.
    pub fn base_rates(density: &[f64]) -> Vec<f32> {
        let fit = |&p: &f64| {
            let mut bias = [0.0];
            Kind::Binary.unit().fit(Moments { means: &[p], variances: &[p * (1.0 - p)] }, &mut bias);
            bias[0] as f32
        };
        density.iter().map(fit).collect()
    }

    /// The layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The numbers of units.
    pub fn shape(&self) -> Shape {
        self.layers.shape()
    }

    /// All parameters: W row by row, then b, then c.
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// All parameters, mutable.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// W, row by row, b, and c.
    pub fn tensors(&self) -> [&[f32]; 3] {
        let [weights, visible, _] = self.layers.lengths();
        let (weights, biases) = self.parameters.split_at(weights);
        let (visible_bias, hidden_bias) = biases.split_at(visible);
        [weights, visible_bias, hidden_bias]
    }

    /// W, b and c, mutable.
    pub fn tensors_mut(&mut self) -> [&mut [f32]; 3] {
        let [weights, visible, _] = self.layers.lengths();
        let (weights, biases) = self.parameters.split_at_mut(weights);
        let (visible_bias, hidden_bias) = biases.split_at_mut(visible);
        [weights, visible_bias, hidden_bias]
    }

    /// W, visible × hidden, row-major: `weights()[i * hidden + j]` joins visible unit i and hidden unit j.
    pub fn weights(&self) -> &[f32] {
        self.tensors()[0]
    }

    /// W, mutable.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        let [weights, ..] = self.tensors_mut();
        weights
    }

    /// b, one for each visible unit.
    pub fn visible_bias(&self) -> &[f32] {
        self.tensors()[1]
    }

    /// b, mutable.
    pub fn visible_bias_mut(&mut self) -> &mut [f32] {
        let [_, bias, _] = self.tensors_mut();
        bias
    }

    /// c, one for each hidden unit.
    pub fn hidden_bias(&self) -> &[f32] {
        self.tensors()[2]
    }

    /// c, mutable.
    pub fn hidden_bias_mut(&mut self) -> &mut [f32] {
        let [_, _, bias] = self.tensors_mut();
        bias
    }

    /// The first parameter that is not finite: its tensor, its index and its value.
    pub fn non_finite(&self) -> Option<(&'static str, usize, f32)> {
        TENSORS.into_iter().zip(self.tensors()).find_map(|(name, values)| {
            values.iter().position(|x| !x.is_finite()).map(|at| (name, at, values[at]))
        })
    }
}
