//! Compares one whole CD-k step of a device with the oracle, half step by half step. The reference gets the device's own
//! inputs each time, so a state that a rounding error flips doesn't make the rest of the step look wrong.

pub mod cases;
pub mod stage;

use serde::Serialize;

use crate::{
    backend::{Ascent, Backend, BackendExt, Contrast, Draw, HalfStep, Pair, Units, Update},
    error::Result,
    host::Host,
    rbm::{Layers, Rbm, Shape, Side},
    reference::Reference,
    rng::{Address, Philox, Stream, uniform_at},
    units::{Layer, PRECISIONS, Place},
};

/// Largest absolute difference from the reference, for means and parameters.
pub const TOLERANCE: f32 = 1e-5;

/// Differences between a device's step and the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepCheck {
    /// Cases in the step.
    pub rows: usize,
    /// The largest difference of a mean.
    pub mean_error: f32,
    /// States that differ from u < mean.
    pub wrong_states: usize,
    /// The largest difference of a parameter or a velocity after the update.
    pub parameter_error: f32,
}

impl StepCheck {
    /// Whether the step is within [`TOLERANCE`].
    pub fn passes(&self) -> bool {
        self.mean_error <= TOLERANCE && self.wrong_states == 0 && self.parameter_error <= TOLERANCE
    }
}

/// Random binary states, rows × units, half of them on.
pub fn random_states(rows: usize, units: usize, seed: u64) -> Vec<f32> {
    let mut states = vec![0.0; rows * units];
    for (row, states) in states.chunks_mut(units).enumerate() {
        crate::rng::fill(seed, Address::new(Stream::Synthetic, 0), row as u32, 0, states);
        states.iter_mut().for_each(|u| *u = f32::from(*u < 0.5));
    }
    states
}

/// A model with weights from N(0, `deviation`²) and biases from N(0, 1).
pub fn random_rbm(shape: Shape, deviation: f32, seed: u64) -> Rbm {
    random_model(&shape.into(), deviation, seed, |x| x)
}

/// [`random_rbm`] for layers of any kind. Their other parameters are from N(0, 1), too; `precision` gets those that must be above
/// 0. What a kind has no use for is 0.
pub fn random_model(layers: &Layers, deviation: f32, seed: u64, precision: fn(f32) -> f32) -> Rbm {
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
    let Shape { visible, hidden } = layers.shape();
    let weights = draw(deviation, visible * hidden);
    let mut potentials = |layer: &Layer| {
        let mut numbers = draw(1.0, layer.parameters());
        for Place { kind, column } in layer.places() {
            for number in 1..layer.planes() {
                for column in column..column + kind.columns() {
                    let parameter = &mut numbers[number * layer.columns() + column];
                    match (number < kind.parameters(), PRECISIONS.contains(&number)) {
                        (false, _) => *parameter = 0.0,
                        (true, true) => *parameter = precision(*parameter),
                        (true, false) => {}
                    }
                }
            }
        }
        numbers
    };
    Rbm::from_tensors(layers, [weights, potentials(&layers.visible), potentials(&layers.hidden)])
}

/// The largest absolute difference of two slices of one length; infinity if there is a NaN.
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
    let tensors = a.tensors().into_iter().zip(b.tensors());
    tensors.map(|(a, b)| largest_difference(a, b)).fold(0.0, f32::max)
}

/// The number of states that differ from what the draw makes of the means.
pub fn wrong_states(draw: &Draw, units: usize, means: &[f32], states: &[f32]) -> usize {
    let rows = means.chunks(units).zip(states.chunks(units)).enumerate();
    let wrong = rows.flat_map(|(row, (means, states))| {
        means.iter().zip(states).enumerate().filter(move |&(unit, (&mean, &state))| {
            let u = || uniform_at(draw.seed(), draw.address(), draw.chain(row), unit as u32);
            state != if draw.is_drawn() { f32::from(u() < mean) } else { mean }
        })
    });
    wrong.count()
}

/// Takes one CD-1 step on random data, with momentum and decay, on `backend` and on the reference.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
pub fn step(backend: &mut dyn Backend, rows: usize, seed: u64) -> Result<StepCheck> {
    let shape = backend.shape();
    let rbm = random_rbm(shape, (1.0 / shape.visible.max(shape.hidden) as f32).sqrt(), seed);
    let velocity = random_rbm(shape, 1e-3, seed + 1);
    let data = random_states(rows, shape.visible, seed);

    let mut reference = Host::new(Reference, backend.info().clone(), shape);
    let mut sides: [&mut dyn Backend; 2] = [backend, &mut reference];
    let mut models = Vec::new();
    let mut units: Vec<[Units; 4]> = Vec::new();
    for side in &mut sides {
        models.push([side.model_of(&rbm)?, side.model_of(&velocity)?]);
        let (positive, negative) = (side.pair(rows)?, side.pair(rows)?);
        side.write_units(positive.visible, &data, &data);
        units.push([positive.visible, positive.hidden, negative.visible, negative.hidden]);
    }

    let mut check = StepCheck { rows, mean_error: 0.0, wrong_states: 0, parameter_error: 0.0 };
    // Source and target units of each half step, and its draw.
    let passes = [
        (0, 1, Draw::of(seed, Stream::Train, Side::Hidden, 3)),
        (1, 2, Draw::of(seed, Stream::Train, Side::Visible, 3)),
        (2, 3, Draw::none()),
    ];
    for (from, to, draw) in passes {
        let mut outputs = Vec::new();
        for ((side, models), units) in sides.iter_mut().zip(&models).zip(&units) {
            side.sample(&HalfStep::new(rows, draw), models[0].into(), units[from], units[to]);
            outputs.push(side.read_units(units[to], rows)?);
        }
        let (means, states) = &outputs[0];
        check.mean_error = check.mean_error.max(largest_difference(means, &outputs[1].0));
        let width = shape.units(units[0][to].layer);
        check.wrong_states += wrong_states(&draw, width, means, states);
        // The reference continues from the device's units.
        sides[1].write_units(units[1][to], means, states);
    }
    let ascent = Ascent { momentum: 0.5, weight_decay: 0.01, ..Ascent::new(0.1) };
    let op = Update::new(Contrast::new(rows, rows), ascent);
    let mut updated = Vec::new();
    for ((side, &[model, velocity]), units) in sides.iter_mut().zip(&models).zip(&units) {
        let [positive, negative] =
            [0, 2].map(|first| Pair { visible: units[first], hidden: units[first + 1] });
        side.update(&op, positive, negative, None, model, Some(velocity));
        updated.push([side.read_model(model)?, side.read_model(velocity)?]);
    }
    let errors =
        updated[0].iter().zip(&updated[1]).map(|(found, expected)| largest_rbm_difference(found, expected));
    check.parameter_error = errors.fold(0.0, f32::max);
    Ok(check)
}
