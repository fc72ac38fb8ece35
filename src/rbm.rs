//! The model: its shape and its parameters.

use rand_distr::{Distribution, StandardNormal};

use crate::rng::{Philox, Stream};

/// How many units a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Visible units, m in the equations.
    pub visible: usize,
    /// Hidden units, n in the equations.
    pub hidden: usize,
}

impl Shape {
    /// Units in `layer`.
    pub fn units(&self, layer: Layer) -> usize {
        match layer {
            Layer::Visible => self.visible,
            Layer::Hidden => self.hidden,
        }
    }
}

/// One of the two sides of the bipartite graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The units that data set.
    Visible,
    /// The units that are never observed.
    Hidden,
}

impl Layer {
    /// Its number in the addresses of random numbers.
    pub const fn number(self) -> u32 {
        match self {
            Self::Visible => 0,
            Self::Hidden => 1,
        }
    }
}

/// A Restricted Boltzmann Machine with binary units, or its velocities: the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rbm {
    /// How many units there are.
    pub shape: Shape,
    /// W, visible × hidden, row-major: `weights[i * hidden + j]` joins visible unit i and hidden unit j.
    pub weights: Vec<f32>,
    /// b, one for each visible unit.
    pub visible_bias: Vec<f32>,
    /// c, one for each hidden unit.
    pub hidden_bias: Vec<f32>,
}

impl Rbm {
    /// The standard deviation of the initial weights (Hinton 2010, section 8).
    pub const INITIAL_DEVIATION: f32 = 0.01;

    /// Parameters that are all zero.
    pub fn zeros(shape: Shape) -> Self {
        Self {
            shape,
            weights: vec![0.0; shape.visible * shape.hidden],
            visible_bias: vec![0.0; shape.visible],
            hidden_bias: vec![0.0; shape.hidden],
        }
    }

    /// From W row by row, then b, then c.
    pub fn from_parameters(shape: Shape, parameters: &[f32]) -> Self {
        let (weights, biases) = parameters.split_at(shape.visible * shape.hidden);
        let (visible_bias, hidden_bias) = biases.split_at(shape.visible);
        Self {
            shape,
            weights: weights.to_vec(),
            visible_bias: visible_bias.to_vec(),
            hidden_bias: hidden_bias.to_vec(),
        }
    }

    /// W row by row, b, and c.
    pub fn tensors(&self) -> [&[f32]; 3] {
        [&self.weights, &self.visible_bias, &self.hidden_bias]
    }

    /// The same, to be changed.
    pub fn tensors_mut(&mut self) -> [&mut [f32]; 3] {
        [&mut self.weights, &mut self.visible_bias, &mut self.hidden_bias]
    }

    /// A model to start training from (Hinton 2010, section 8): weights from N(0, 0.01²), hidden biases 0, and
    /// visible biases [`Rbm::base_rates`] of `density`, the share of cases in which each unit is on.
    pub fn initial(shape: Shape, density: &[f64], seed: u64) -> Self {
        let mut generator = Philox::new(seed, Stream::Weights, 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut generator) };
        Self {
            weights: (0..shape.visible * shape.hidden).map(|_| normal() * Self::INITIAL_DEVIATION).collect(),
            visible_bias: Self::base_rates(density),
            hidden_bias: vec![0.0; shape.hidden],
            shape,
        }
    }

    /// The visible biases of units that are on in a share p of the cases without any weight: log(p/(1−p)). The share is
    /// clipped to 0.001…0.999: a unit that never changes must not be at ±∞.
    pub fn base_rates(density: &[f64]) -> Vec<f32> {
        density.iter().map(|p| p.clamp(0.001, 0.999)).map(|p| (p / (1.0 - p)).ln() as f32).collect()
    }

    /// The first parameter that is not a finite number, if any: its tensor, its index and its value.
    pub fn non_finite(&self) -> Option<(&'static str, usize, f32)> {
        [("weights", &self.weights), ("visible_bias", &self.visible_bias), ("hidden_bias", &self.hidden_bias)]
            .into_iter()
            .find_map(|(name, values)| {
                values.iter().position(|x| !x.is_finite()).map(|at| (name, at, values[at]))
            })
    }
}
