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
    /// The opposite side.
    pub const fn other(self) -> Self {
        match self {
            Self::Visible => Self::Hidden,
            Self::Hidden => Self::Visible,
        }
    }

    /// Its number in the addresses of random numbers.
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

    /// Whether all units are binary.
    pub fn are_binary(&self) -> bool {
        self.visible.is_binary() && self.hidden.is_binary()
    }

    /// Whether units have parameters after the biases.
    pub fn have_precisions(&self) -> bool {
        self.visible.planes().max(self.hidden.planes()) > 1
    }

    /// Whether there are Potts units, whose parameters have a gauge: see [`crate::backend::Backend::fix_gauge`].
    pub fn have_gauge(&self) -> bool {
        let blocks = self.visible.blocks().iter().chain(self.hidden.blocks());
        blocks.into_iter().any(|block| matches!(block.kind, Kind::Potts { .. }))
    }

    /// Length of the base of a path ([`crate::backend::Path`]): the potentials of both sides.
    pub fn base_len(&self) -> usize {
        self.visible.parameters() + self.hidden.parameters()
    }

    /// The base of a path from independent units: visible units with these moments, and hidden units without an inclination. The
    /// potentials of the visible units, then those of the hidden ones.
    ///
    /// # Panics
    /// If there are not as many moments as visible columns.
    pub fn base(&self, moments: Moments) -> Vec<f32> {
        [self.visible.fit(moments), self.hidden.neutral()].concat()
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

/// The names of a side's parameters in files, as [`Kind::parameters`] counts them.
const NAMES: [[&str; 4]; 2] = [
    ["visible_bias", "visible_precision", "visible_negative_precision", "visible_asymmetry"],
    ["hidden_bias", "hidden_precision", "hidden_negative_precision", "hidden_asymmetry"],
];

/// The names and the dimensions of a model's tensors, in order.
pub fn tensors(layers: &Layers) -> Vec<(&'static str, Vec<usize>)> {
    let Shape { visible, hidden } = layers.shape();
    let mut tensors = vec![("weights", vec![visible, hidden])];
    for (layer, names) in [&layers.visible, &layers.hidden].into_iter().zip(NAMES) {
        tensors.extend(names.into_iter().take(layer.planes()).map(|name| (name, vec![layer.columns()])));
    }
    tensors
}

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

    /// Initial parameters for training (Hinton 2010, section 8): weights from N(0, 0.01²), and the potentials of
    /// `base`, [`Layers::base`]: visible units with the moments of the data, hidden units without an inclination.
    pub fn initial(layers: impl Into<Layers>, base: &[f32], seed: u64) -> Self {
        let mut rbm = Self::independent(layers, base);
        let mut generator = Philox::new(seed, Stream::Weights, 0);
        let mut normal = || -> f32 { StandardNormal.sample(&mut generator) };
        rbm.weights_mut().iter_mut().for_each(|weight| *weight = normal() * Self::INITIAL_DEVIATION);
        rbm
    }

    /// Independent units with these potentials, [`Layers::base`]: no weights.
    pub fn independent(layers: impl Into<Layers>, base: &[f32]) -> Self {
        let mut rbm = Self::zeros(layers);
        let weights = rbm.parameters.len() - base.len();
        rbm.parameters[weights..].copy_from_slice(base);
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

    /// The model at another temperature: all parameters times β, so that E becomes βE.
    pub fn at(&self, beta: f32) -> Self {
        let parameters = self.parameters.iter().map(|parameter| beta * parameter).collect();
        Self { layers: self.layers.clone(), parameters }
    }

    /// The model of p(v)^`copies`, up to its normalisation: `copies` copies of the hidden units, and the potentials of the
    /// visible units as many times, so that F(v) becomes copies·F(v) (Tubiana, Cocco and Monasson 2019, "Learning protein
    /// constitutive motifs from sequence data", section "Low-temperature sampling").
    ///
    /// # Panics
    /// If there are no copies.
    pub fn sharpened(&self, copies: usize) -> Self {
        assert!(copies > 0, "at least one copy");
        let blocks = self.layers.hidden.blocks();
        let hidden = Layer::new((0..copies).flat_map(|_| blocks).copied());
        let mut sharp = Self::zeros(Layers { visible: self.layers.visible.clone(), hidden });
        let Shape { hidden: n, .. } = self.shape();
        for (row, weights) in sharp.weights_mut().chunks_mut(copies * n).zip(self.weights().chunks(n)) {
            row.chunks_mut(n).for_each(|row| row.copy_from_slice(weights));
        }
        let own = self.potentials(Side::Visible).iter().map(|potential| copies as f32 * potential);
        sharp.potentials_mut(Side::Visible).iter_mut().zip(own).for_each(|(sharp, own)| *sharp = own);
        // Each parameter of all columns comes before the next.
        let planes = self.potentials(Side::Hidden).chunks(n);
        for (sharp, own) in sharp.potentials_mut(Side::Hidden).chunks_mut(copies * n).zip(planes) {
            sharp.chunks_mut(n).for_each(|sharp| sharp.copy_from_slice(own));
        }
        sharp
    }

    /// W row by row, the potentials of the visible units, those of the hidden units.
    pub fn tensors(&self) -> [&[f32]; 3] {
        let [weights, visible, _] = self.layers.lengths();
        let (weights, potentials) = self.parameters.split_at(weights);
        let (visible, hidden) = potentials.split_at(visible);
        [weights, visible, hidden]
    }

    /// These, mutable.
    pub fn tensors_mut(&mut self) -> [&mut [f32]; 3] {
        let [weights, visible, _] = self.layers.lengths();
        let (weights, potentials) = self.parameters.split_at_mut(weights);
        let (visible, hidden) = potentials.split_at_mut(visible);
        [weights, visible, hidden]
    }

    /// All parameters by the names and with the dimensions that they have in files.
    pub fn named(&self) -> Vec<(&'static str, Vec<usize>, &[f32])> {
        let names = tensors(&self.layers);
        let mut rest = &self.parameters[..];
        let named = names.into_iter().map(|(name, shape)| {
            let (values, after) = rest.split_at(shape.iter().product());
            rest = after;
            (name, shape, values)
        });
        named.collect()
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

    /// The potentials of a side's units: for each parameter of their kinds, a number for each column.
    pub fn potentials(&self, side: Side) -> &[f32] {
        self.tensors()[1 + side.number() as usize]
    }

    /// Those, mutable.
    pub fn potentials_mut(&mut self, side: Side) -> &mut [f32] {
        let [_, visible, hidden] = self.tensors_mut();
        if side == Side::Visible { visible } else { hidden }
    }

    /// b, one for each column of the visible units: the first parameter of their potentials.
    pub fn visible_bias(&self) -> &[f32] {
        &self.potentials(Side::Visible)[..self.shape().visible]
    }

    /// b, mutable.
    pub fn visible_bias_mut(&mut self) -> &mut [f32] {
        let columns = self.shape().visible;
        &mut self.potentials_mut(Side::Visible)[..columns]
    }

    /// c, one for each column of the hidden units.
    pub fn hidden_bias(&self) -> &[f32] {
        &self.potentials(Side::Hidden)[..self.shape().hidden]
    }

    /// c, mutable.
    pub fn hidden_bias_mut(&mut self) -> &mut [f32] {
        let columns = self.shape().hidden;
        &mut self.potentials_mut(Side::Hidden)[..columns]
    }

    /// The first parameter that is not finite: its tensor, its index and its value.
    pub fn non_finite(&self) -> Option<(&'static str, usize, f32)> {
        self.named().into_iter().find_map(|(name, _, values)| {
            values.iter().position(|x| !x.is_finite()).map(|at| (name, at, values[at]))
        })
    }
}
