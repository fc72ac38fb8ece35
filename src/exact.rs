//! Exact figures of small models: the partition function by enumeration, and with it the log-likelihood and its gradient.
//! In `f64`; equations (22)–(28).

mod enumeration;
mod gaussian;
mod normalisation;
pub(crate) mod product;

pub use normalisation::{Normalisation, check_normalisation, normalisation};

use crate::{
    data::Rows,
    error::{Result, usage},
    rbm::{Layers, Rbm, Shape, Side},
    reference,
    units::{Kind, Layer},
};

/// The most bits of the enumerated layer's states: 2^25 states of 784 binary units take seconds.
pub const LARGEST_LAYER: usize = 25;

/// Bits of a layer's states, if they can be counted: one for each binary or spin unit.
fn bits(layer: &Layer) -> Option<f64> {
    layer.blocks().iter().map(|block| Some(block.units as f64 * (block.kind.states()? as f64).log2())).sum()
}

/// The side to enumerate: the one with fewer states.
fn smaller(layers: &Layers) -> Option<Side> {
    match (bits(&layers.visible), bits(&layers.hidden)) {
        (Some(visible), Some(hidden)) if visible <= hidden => Some(Side::Visible),
        (_, Some(_)) => Some(Side::Hidden),
        (visible, None) => visible.map(|_| Side::Visible),
    }
}

fn are_gaussian(layers: &Layers) -> bool {
    let blocks = || layers.visible.blocks().iter().chain(layers.hidden.blocks());
    blocks().all(|block| block.kind == Kind::Gaussian)
}

/// Whether [`log_partition_function`] is within reach: a layer of few states, or Gaussian units alone.
pub fn is_enumerable(layers: &Layers) -> bool {
    let of = |side| bits(layers.side(side)).is_some_and(|bits| bits <= LARGEST_LAYER as f64);
    of(Side::Visible) || of(Side::Hidden) || are_gaussian(layers)
}

/// The work of [`log_partition_function`]: states of the enumerated layer × columns of the other. Infinite if it is out of
/// reach.
pub(crate) fn work(layers: &Layers) -> f64 {
    match smaller(layers) {
        Some(side) => {
            let states = bits(layers.side(side)).unwrap_or(f64::INFINITY).exp2();
            states * layers.shape().units(side.other()) as f64
        }
        // A determinant.
        None if are_gaussian(layers) => (layers.shape().visible + layers.shape().hidden).pow(3) as f64,
        None => f64::INFINITY,
    }
}

/// log Z = log Σ_v Σ_h e^(−E(v,h)): enumerates the layer with fewer states and sums or integrates the other in closed form, on
/// all cores. The relative error is about 1e-14. Of Gaussian units on both sides it takes the determinant.
///
/// # Errors
/// [`crate::Error::Usage`] when neither layer has at most 2^[`LARGEST_LAYER`] states, a parameter is not finite, or Gaussian
/// units have no normalisation.
pub fn log_partition_function(rbm: &Rbm) -> Result<f64> {
    match smaller(rbm.layers()) {
        Some(side) => log_partition_function_over(rbm, side),
        None if are_gaussian(rbm.layers()) => gaussian::log_partition_function(rbm),
        None => usage!(
            "exact log Z needs a layer of units whose states can be counted; this model has {}",
            of(rbm)
        ),
    }
}

fn of(rbm: &Rbm) -> String {
    format!("{} × {}", rbm.layers().visible, rbm.layers().hidden)
}

/// [`log_partition_function`] by enumerating a given layer.
///
/// # Errors
/// [`crate::Error::Usage`] when this layer has more than 2^[`LARGEST_LAYER`] states, or a parameter is not finite.
pub fn log_partition_function_over(rbm: &Rbm, side: Side) -> Result<f64> {
    check(rbm, side, "exact log Z needs")?;
    if let Some((tensor, index, value)) = rbm.non_finite() {
        return usage!("log Z needs finite parameters; {tensor}[{index}] is {value}");
    }
    Ok(enumeration::log_partition_function(rbm, side))
}

fn check(rbm: &Rbm, side: Side, what: &str) -> Result<()> {
    match bits(rbm.layers().side(side)) {
        Some(bits) if bits <= LARGEST_LAYER as f64 => Ok(()),
        _ => usage!("{what} a layer of at most {LARGEST_LAYER} units; this model has {}", of(rbm)),
    }
}

/// The mean of log p(v) over `rows`, in nats: equation (22) divided by the number of cases.
///
/// # Errors
/// Those of [`log_partition_function`].
pub fn log_likelihood(rbm: &Rbm, rows: &Rows) -> Result<f64> {
    let log_z = log_partition_function(rbm)?;
    let energy = |row| reference::free_energy(rbm, 1.0, &rows.values(row).collect::<Vec<_>>());
    let sum: f64 = (0..rows.len()).map(|row| -energy(row)).sum();
    Ok(sum / rows.len() as f64 - log_z)
}

/// The gradient of [`log_likelihood`], equations (26)–(28), with the model's means by enumeration: for tiny models. Gradients of
/// the weights, visible × hidden, and of the potentials of visible and hidden units.
///
/// # Errors
/// [`crate::Error::Usage`] when neither layer has at most 2^[`LARGEST_LAYER`] states.
pub fn log_likelihood_gradient(rbm: &Rbm, rows: &Rows) -> Result<[Vec<f64>; 3]> {
    let log_z = log_partition_function(rbm)?;
    let Some(side) = smaller(rbm.layers()) else {
        return usage!(
            "an exact gradient needs a layer of units whose states can be counted; this model has {}",
            of(rbm)
        );
    };
    let mut gradient = Statistics::zeros(rbm);
    for row in 0..rows.len() {
        gradient.add(rbm, 1.0 / rows.len() as f64, Side::Visible, &rows.values(row).collect::<Vec<_>>());
    }
    for_each_state_of(rbm.layers().side(side), |state| {
        gradient.add(rbm, -(reference::log_marginal(rbm, side, state) - log_z).exp(), side, state);
    });
    Ok([gradient.associations, gradient.visible, gradient.hidden])
}

/// p(v) for every v, in the order of [`for_each_state_of`].
///
/// # Errors
/// [`crate::Error::Usage`] when the visible layer has more than 2^[`LARGEST_LAYER`] states.
pub fn visible_distribution(rbm: &Rbm) -> Result<Vec<f64>> {
    check(rbm, Side::Visible, "enumeration of visible states needs")?;
    let log_z = log_partition_function(rbm)?;
    let mut distribution = Vec::new();
    for_each_state_of(&rbm.layers().visible, |v| {
        distribution.push((-reference::free_energy(rbm, 1.0, v) - log_z).exp());
    });
    Ok(distribution)
}

/// Calls `visit` with each of the 2^`units` binary states; unit i is bit i of the state's index.
pub fn for_each_state(units: usize, visit: impl FnMut(&[f32])) {
    for_each_state_of(&Layer::of(Kind::Binary, units), visit);
}

/// Calls `visit` with each state of a layer; the first unit changes fastest.
///
/// # Panics
/// If a unit's states cannot be counted.
pub fn for_each_state_of(layer: &Layer, mut visit: impl FnMut(&[f32])) {
    let mut odometer = Odometer::new(layer);
    loop {
        visit(&odometer.state);
        if odometer.advance().is_none() {
            return;
        }
    }
}

/// A layer's states, one after the other; the first unit changes fastest.
struct Odometer {
    /// Kind and first column of each unit, and the number of its state.
    units: Vec<(Kind, usize, usize)>,
    state: Vec<f32>,
}

impl Odometer {
    fn new(layer: &Layer) -> Self {
        let units: Vec<_> = layer.places().map(|place| (place.kind, place.column, 0)).collect();
        let mut odometer = Self { units, state: vec![0.0; layer.columns()] };
        odometer.set(0);
        odometer
    }

    /// Sets the state with this index.
    fn set(&mut self, mut index: u64) {
        for (kind, column, number) in &mut self.units {
            let states = states(*kind) as u64;
            *number = (index % states) as usize;
            index /= states;
            kind.state(*number, &mut self.state[*column..][..kind.columns()]);
        }
    }

    /// Goes to the next state and gives how many units have changed, the first ones; `None` after the last.
    fn advance(&mut self) -> Option<usize> {
        for (changed, (kind, column, number)) in self.units.iter_mut().enumerate() {
            *number = (*number + 1) % states(*kind);
            kind.state(*number, &mut self.state[*column..][..kind.columns()]);
            if *number > 0 {
                return Some(changed + 1);
            }
        }
        None
    }
}

fn states(kind: Kind) -> usize {
    kind.states().unwrap_or_else(|| panic!("states of {kind} units cannot be counted"))
}

/// Weighted sums of statistics, which become means or a gradient.
struct Statistics {
    /// ⟨v h⟩, visible × hidden.
    associations: Vec<f64>,
    /// Of the visible units' potentials.
    visible: Vec<f64>,
    /// Of the hidden units' potentials.
    hidden: Vec<f64>,
}

impl Statistics {
    fn zeros(rbm: &Rbm) -> Self {
        let [associations, visible, hidden] = rbm.tensors().map(|tensor| vec![0.0; tensor.len()]);
        Self { associations, visible, hidden }
    }

    /// Adds a state of one side, and the means of the other side given it.
    fn add(&mut self, rbm: &Rbm, weight: f64, side: Side, state: &[f32]) {
        let own = reference::statistics(rbm, side, state);
        let others = match side {
            Side::Visible => reference::expectation(rbm, Side::Hidden, state),
            Side::Hidden => reference::expectation(rbm, Side::Visible, state),
        };
        let (v, h) = if side == Side::Visible { (own, others) } else { (others, own) };
        for (sums, values) in [(&mut self.visible, &v), (&mut self.hidden, &h)] {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        let Shape { visible, hidden } = rbm.shape();
        for (sums, v) in self.associations.chunks_mut(hidden.max(1)).zip(&v[..visible]) {
            sums.iter_mut().zip(&h[..hidden]).for_each(|(sum, h)| *sum += weight * v * h);
        }
    }
}

/// log Σ e^x over a stream of x, without overflow.
pub(crate) struct LogSum {
    largest: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    pub(crate) fn add(&mut self, x: f64) {
        if x > self.largest {
            self.sum *= (self.largest - x).exp();
            self.largest = x;
        }
        self.sum += (x - self.largest).exp();
    }

    pub(crate) fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}
