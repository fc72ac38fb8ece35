//! What lies on a device: names for buffers, which only the device that gave them knows.

use crate::rbm::Side;

/// The parameters of a model, or as many numbers that belong to them: a velocity, a gradient, an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model(pub(crate) usize);

/// The units of one layer for many cases: a mean and a state each, rows × units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Units {
    pub(crate) number: usize,
    /// Whose units they are.
    pub layer: Side,
}

/// Packed data rows, and the order in which minibatches take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data(pub(crate) usize);

/// Numbers: one for each row, or for each unit of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Values(pub(crate) usize);

/// What can be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// The parameters of a model: W row by row, then b, then c.
    Model(Model),
    /// The means of the first rows.
    Means(Units),
    /// The states of the first rows.
    States(Units),
    /// The first numbers.
    Values(Values),
}

/// The distributions between independent visible units and a model:
///
/// ```text
/// f_β(v,h) = e^(−β E(v,h) + (1−β) b0ᵀv)         β from 0 to 1
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The model, where β = 1.
    pub model: Model,
    /// b0, one number for each visible unit; 0 where there are none.
    pub base: Option<Values>,
}

impl From<Model> for Path {
    fn from(model: Model) -> Self {
        Self { model, base: None }
    }
}

/// What a centred gradient takes off the units, and a sparse one draws to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// μ, one for each visible unit.
    pub visible: Values,
    /// λ, one for each hidden unit.
    pub hidden: Values,
}

/// The units of both layers, for as many cases or chains as the operation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// v.
    pub visible: Units,
    /// h.
    pub hidden: Units,
}
