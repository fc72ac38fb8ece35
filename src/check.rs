//! One whole CD-k step of a device, held against the oracle half step by half step: the reference gets the device's own
//! inputs each time, so that a state which fell the other way for a rounding error does not look like a wrong kernel.

use serde::Serialize;

use crate::{
    backend::{Backend, Params, Units},
    error::Result,
    host::Host,
    rbm::{Layer, Rbm, Shape},
    reference::Reference,
    rng::{Philox, Stream, uniform_at},
};

/// How far a device may be from the reference: absolute, for means and for parameters.
pub const TOLERANCE: f32 = 1e-5;

/// How a device's step differs from the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepCheck {
    /// Cases in the step.
    pub rows: usize,
    /// The largest difference of a mean.
    pub mean_error: f32,
    /// States that are not exactly u < mean.
    pub wrong_states: usize,
    /// The largest difference of a parameter or of its velocity after the update.
    pub parameter_error: f32,
}

impl StepCheck {
    /// Whether the step is right.
    pub fn passes(&self) -> bool {
        self.mean_error <= TOLERANCE && self.wrong_states == 0 && self.parameter_error <= TOLERANCE
    }
}

/// Random binary rows, half of the bits on, as states.
pub fn random_states(rows: usize, units: usize, seed: u64) -> Vec<f32> {
    let mut states = vec![0.0; rows * units];
    for (row, states) in states.chunks_mut(units).enumerate() {
        crate::rng::fill(seed, 0, Stream::Synthetic.draw(0), row as u32, 0, states);
        states.iter_mut().for_each(|u| *u = f32::from(*u < 0.5));
    }
    states
}

/// A model with weights from N(0, `deviation`²) and biases from N(0, 1).
pub fn random_rbm(shape: Shape, deviation: f32, seed: u64) -> Rbm {
    use rand_distr::{Distribution, StandardNormal};
    let mut generator = Philox::new(seed, Stream::Synthetic, 1);
    let mut draw = |scale: f32, count: usize| -> Vec<f32> {
        (0..count)
            .map(|_| {
                let x: f32 = StandardNormal.sample(&mut generator);
                x * scale
            })
            .collect()
    };
    Rbm {
        shape,
        weights: draw(deviation, shape.visible * shape.hidden),
        visible_bias: draw(1.0, shape.visible),
        hidden_bias: draw(1.0, shape.hidden),
    }
}

/// The largest absolute difference of two slices; NaN anywhere gives infinity.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "slices of one length");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |largest, x| {
        if x <= largest {
            largest
        } else if x.is_nan() {
            f32::INFINITY
        } else {
            x
        }
    })
}

/// The largest absolute difference of two models' parameters.
pub fn largest_rbm_difference(a: &Rbm, b: &Rbm) -> f32 {
    [(&a.weights, &b.weights), (&a.visible_bias, &b.visible_bias), (&a.hidden_bias, &b.hidden_bias)]
        .into_iter()
        .map(|(a, b)| largest_difference(a, b))
        .fold(0.0, f32::max)
}

/// States that are not exactly what `params` draws from the means that stand beside them.
pub fn wrong_states(params: &Params, units: usize, means: &[f32], states: &[f32]) -> usize {
    let rows = means.chunks(units).zip(states.chunks(units)).enumerate();
    let wrong = rows.flat_map(|(row, (means, states))| {
        means.iter().zip(states).enumerate().filter(move |&(unit, (&mean, &state))| {
            let chain = params.first_chain.wrapping_add(row as u32);
            let drawn = || uniform_at(params.seed(), params.step, params.draw, chain, unit as u32) < mean;
            state != if params.has(Params::SAMPLE) { f32::from(drawn()) } else { mean }
        })
    });
    wrong.count()
}

/// Takes one CD-1 step on random data, with momentum and decay, on `backend` and on the reference.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
pub fn step(backend: &mut dyn Backend, shape: Shape, rows: usize, seed: u64) -> Result<StepCheck> {
    let rbm = random_rbm(shape, (1.0 / shape.visible.max(shape.hidden) as f32).sqrt(), seed);
    let velocity = random_rbm(shape, 1e-3, seed + 1);
    let data = random_states(rows, shape.visible, seed);

    let mut reference = Host::new(Reference, backend.info().clone(), shape);
    let mut sides: [(&mut dyn Backend, Vec<Units>); 2] = [(backend, vec![]), (&mut reference, vec![])];
    for (side, units) in &mut sides {
        side.write_rbm(&rbm, &velocity);
        for layer in [Layer::Visible, Layer::Hidden, Layer::Visible, Layer::Hidden] {
            units.push(side.units(layer, rows)?);
        }
        side.write_units(units[0], &data, &data);
    }

    let params = Params {
        step: 3,
        learning_rate: 0.1,
        momentum: 0.5,
        weight_decay: 0.01,
        ..Params::new(shape, rows, seed)
    };
    let mut check = StepCheck { rows, mean_error: 0.0, wrong_states: 0, parameter_error: 0.0 };
    // From which units to which, and how they are drawn.
    let passes = [
        (0, 1, Layer::Hidden, params.sample(Stream::Hidden, 0)),
        (1, 2, Layer::Visible, params.sample(Stream::Visible, 0)),
        (2, 3, Layer::Hidden, params),
    ];
    for (from, to, layer, params) in passes {
        let mut outputs = Vec::new();
        for (side, units) in &mut sides {
            match layer {
                Layer::Hidden => side.sample_hidden(&params, units[from], units[to]),
                Layer::Visible => side.sample_visible(&params, units[from], units[to]),
            }
            outputs.push(side.read_units(units[to], rows)?);
        }
        let (means, states) = &outputs[0];
        check.mean_error = check.mean_error.max(largest_difference(means, &outputs[1].0));
        check.wrong_states += wrong_states(&params, shape.units(layer), means, states);
        let (side, units) = &mut sides[1];
        side.write_units(units[to], means, states); // the reference goes on from the device's units
    }
    let mut updated = Vec::new();
    for (side, units) in &mut sides {
        side.update(&params, (units[0], units[1]), (units[2], units[3]));
        updated.push(side.read_rbm()?);
    }
    check.parameter_error = largest_rbm_difference(&updated[0].0, &updated[1].0)
        .max(largest_rbm_difference(&updated[0].1, &updated[1].1));
    Ok(check)
}
