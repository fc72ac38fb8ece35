//! Compares one whole CD-k step of a device with the oracle, half step by half step. The reference gets the device's own
//! inputs each time, so a state that a rounding error flips doesn't make the rest of the step look wrong.

pub mod cases;
pub mod stage;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use crate::{
    backend::{Ascent, Backend, BackendExt, Contrast, Draw, HalfStep, Pair, Units, Update},
    error::Result,
    host::Host,
    rbm::{Layers, Rbm, Shape, Side},
    reference::Reference,
    rng::{Address, Philox, Stream, uniform_at},
    units::{Domain, Layer, PRECISIONS, Place},
};

/// Largest absolute difference from the reference, for means and parameters.
pub const TOLERANCE: f32 = 1e-5;

/// Tolerance of real states, relative to 1 plus their size: a uniform number has 24 bits, and between two modes of a unit the last
/// of them moves a state by so much.
pub const OF_DRAWS: f32 = 1e-3;

/// Differences between a device's step and the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepCheck {
    /// Cases in the step.
    pub rows: usize,
    /// The largest difference of a mean. Where units are not all binary, relative to 1 plus its size.
    pub mean_error: f32,
    /// States that differ from the draw's, by their means; real ones that differ from the reference's by more than [`OF_DRAWS`].
    pub wrong_states: usize,
    /// The largest difference of a parameter or a velocity after the update, as of a mean.
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

/// Random states of a layer, rows × columns. Of units whose states can be counted all are equally frequent, and of binary ones they
/// are those of [`random_states`]. Real states are from N(0, 1); those of rectified units are their absolute values.
pub fn random_states_of(layer: &Layer, rows: usize, seed: u64) -> Vec<f32> {
    let columns = layer.columns();
    let mut states = random_states(rows, columns, seed);
    if layer.is_binary() {
        return states;
    }
    let places: Vec<Place> = layer.places().collect();
    let mut generator = Philox::new(seed, Stream::Synthetic, 2);
    for states in states.chunks_mut(columns) {
        for &Place { kind, column } in &places {
            let mut normal = || -> f32 { StandardNormal.sample(&mut generator) };
            let state = &mut states[column..column + kind.columns()];
            match kind.domain() {
                Domain::Bits => {}
                Domain::Signs => state[0] = 2.0 * state[0] - 1.0,
                Domain::OneHot => kind.state(generator.random_range(0..kind.columns()), state),
                Domain::NotNegative => state[0] = normal().abs(),
                Domain::Real => state[0] = normal(),
            }
        }
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

/// The largest difference of two slices of one length, relative to 1 plus the size of the expected number; infinity if there is a
/// NaN.
pub fn largest_relative_difference(found: &[f32], expected: &[f32]) -> f32 {
    let scaled = |numbers: &[f32]| -> Vec<f32> {
        numbers.iter().zip(expected).map(|(x, of)| x / (1.0 + of.abs())).collect()
    };
    largest_difference(&scaled(found), &scaled(expected))
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

/// The number of units of a layer whose states differ from what the draw makes of the means. Only units whose states can be counted
/// are compared.
pub fn wrong_units(draw: &Draw, layer: &Layer, means: &[f32], states: &[f32]) -> usize {
    let (columns, mut wrong) = (layer.columns(), 0);
    for (row, (means, states)) in means.chunks(columns).zip(states.chunks(columns)).enumerate() {
        for Place { kind, column } in layer.places().filter(|place| place.kind.states().is_some()) {
            let at = column..column + kind.columns();
            let mut expected = means[at.clone()].to_vec();
            if draw.is_drawn() {
                let uniform = uniform_at(draw.seed(), draw.address(), draw.chain(row), column as u32);
                kind.unit().draw(&[], &[], &means[at.clone()], uniform, &mut expected);
            }
            wrong += usize::from(expected != states[at]);
        }
    }
    wrong
}

/// Replaces the states of units whose states can be counted by 0: a rounding error of a mean may make one state another.
pub fn keep_real_states(layer: &Layer, states: &mut [f32]) {
    for states in states.chunks_mut(layer.columns()) {
        for Place { kind, column } in layer.places().filter(|place| place.kind.states().is_some()) {
            states[column..column + kind.columns()].fill(0.0);
        }
    }
}

/// Takes one CD-1 step on random data, with momentum and decay, on `backend` and on the reference.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
pub fn step(backend: &mut dyn Backend, rows: usize, seed: u64) -> Result<StepCheck> {
    let (layers, shape) = (backend.layers().clone(), backend.shape());
    let deviation = (1.0 / shape.visible.max(shape.hidden) as f32).sqrt();
    let rbm = random_model(&layers, deviation, seed, |x| 0.5 + x.abs());
    let velocity = random_model(&layers, 1e-3, seed + 1, |x| x);
    let data = random_states_of(&layers.visible, rows, seed);
    let difference = if layers.are_binary() { largest_difference } else { largest_relative_difference };

    let mut reference = Host::new(Reference, backend.info().clone(), layers.clone());
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
        check.mean_error = check.mean_error.max(difference(means, &outputs[1].0));
        let layer = layers.side(units[0][to].layer);
        check.wrong_states += wrong_units(&draw, layer, means, states);
        let [found, expected] = [states, &outputs[1].1].map(|states| {
            let mut states = states.clone();
            keep_real_states(layer, &mut states);
            states
        });
        let is_far =
            |found: &f32, expected: &f32| largest_relative_difference(&[*found], &[*expected]) > OF_DRAWS;
        check.wrong_states += found.iter().zip(&expected).filter(|(x, y)| is_far(x, y)).count();
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
    let errors = updated[0]
        .iter()
        .zip(&updated[1])
        .map(|(found, expected)| difference(found.parameters(), expected.parameters()));
    check.parameter_error = errors.fold(0.0, f32::max);
    Ok(check)
}
