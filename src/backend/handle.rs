//! Handles to buffers. Only the device that gave them knows what they mean.

use crate::rbm::Side;

/// The parameters of a model, or numbers of the same shape: a velocity, a gradient, an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model(pub(crate) usize);

/// The units of one layer for many cases: a mean and a state each, rows × units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Units {
    pub(crate) number: usize,
    /// The layer.
    pub layer: Side,
}

/// Packed data rows, and the order in which minibatches take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data(pub(crate) usize);

/// Numbers: one per row, or one per unit of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Values(pub(crate) usize);

/// A buffer that can be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// The parameters of a model: W row by row, then b, then c.
    Model(Model),
    /// The means of the first rows.
    Means(Units),
    /// The states of the first rows.
    States(Units),
    /// The means of the statistics after the first, of the first rows: in each row all columns' second, then all columns' third,
    /// and so on. Nothing for units with one parameter each.
    Moments(Units),
    /// The first numbers.
    Values(Values),
}

/// Distributions between independent visible units and a model:
///
/// ```text
/// f_β(v,h) = e^(−β E(v,h) + (1−β) b0ᵀv)         β from 0 to 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The model, where β = 1.
    pub model: Model,
    /// b0 and the base's other parameters: the potentials of the visible units, then those of the hidden ones
    /// ([`crate::rbm::Layers::base`]); 0 if `None`.
    pub base: Option<Values>,
}

impl From<Model> for Path {
    fn from(model: Model) -> Self {
        Self { model, base: None }
    }
}

/// Offsets of a centred gradient, and running means of a sparse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// μ, one per visible unit.
    pub visible: Values,
    /// λ, one per hidden unit.
    pub hidden: Values,
}

/// Variances of the columns of both layers, for a standardised gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variances {
    /// σ², one per visible column.
    pub visible: Values,
    /// τ², one per hidden column.
    pub hidden: Values,
}

/// The units of both layers, for the cases or chains of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// v.
    pub visible: Units,
    /// h.
    pub hidden: Units,
}
