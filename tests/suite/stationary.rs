//! Chains of every pair of kinds, drawn exactly from a model, stay there, however they are moved; and they leave where they
//! should.

use crate::common;
use rbm_gpu::{
    backend::{Backend, BackendExt, Draw, HalfStep, Memory, Pair, Units},
    base::Base,
    check::random_model,
    config::VisibleStates,
    estimator::{
        Draws, Phases, contrastive_divergence, persistent_contrastive_divergence,
        tempering::{Streams, Tempering},
        trajectory::Trajectory,
    },
    exact,
    rbm::{Layers, Rbm, Side},
    reference,
    rng::{Address, Stream, uniform_at},
    units::{Layer, Marginals},
};

const CHAINS: usize = 5_000;
const STEPS: u32 = 6;
const SEED: u64 = 5;
/// Standard errors by which chance alone hardly ever moves one of some thousand means.
const BY_CHANCE: f64 = 5.5;
/// Standard errors by which a wrong distribution must be told apart.
const WRONG: f64 = 8.0;

/// Visible units × hidden units, and the deviation of the weights.
const PAIRS: [(&str, &str, f32); 14] = [
    ("4 binary", "3 binary", 1.2),
    ("4 binary", "2 potts:3", 1.0),
    ("4 binary", "1 gaussian, 1 relu, 1 drelu", 0.8),
    ("4 spin", "3 binary", 1.0),
    ("3 spin", "3 spin", 0.6),
    ("3 spin", "1 gaussian, 1 relu, 1 drelu", 0.6),
    ("2 potts:3", "3 binary", 1.2),
    ("2 potts:3", "2 spin, 1 potts:3", 0.8),
    ("2 potts:3", "1 gaussian, 1 relu, 1 drelu", 0.8),
    ("3 gaussian", "2 binary, 1 spin, 1 potts:3", 0.9),
    ("3 gaussian", "1 gaussian", 0.5),
    ("3 gaussian", "1 relu", 0.6),
    ("3 gaussian", "1 drelu", 0.5),
    ("1 binary, 1 spin, 1 potts:3, 1 gaussian, 1 relu, 1 drelu", "2 binary, 1 potts:3", 0.7),
];

fn model((visible, hidden, deviation): (&str, &str, f32), seed: u64) -> Rbm {
    let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
    random_model(&layers, deviation, seed, |x| 1.2 + x.abs())
}

/// Visible states drawn exactly: states of a side that can be counted, or of one continuous hidden unit from a table, then
/// those of the other side given them.
fn exact_sample(rbm: &Rbm, count: usize, seed: u64) -> Vec<f32> {
    let countable = |layer: &Layer| layer.blocks().iter().all(|block| block.kind.states().is_some());
    let layers = rbm.layers();
    let side = if countable(&layers.visible) { Side::Visible } else { Side::Hidden };
    let mut states: Vec<Vec<f32>> = Vec::new();
    if countable(layers.side(side)) {
        exact::for_each_state_of(layers.side(side), |state| states.push(state.to_vec()));
    } else {
        assert_eq!(layers.hidden.columns(), 1, "one continuous hidden unit");
        let signed = layers.hidden.blocks()[0].kind.is_signed();
        let middles = (-40_000..40_000).map(|at| (at as f32 + 0.5) / 2500.0);
        states.extend(middles.filter(|h| signed || *h > 0.0).map(|h| vec![h]));
    }
    let logs: Vec<f64> = states.iter().map(|state| reference::log_marginal(rbm, side, state)).collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    let passed: Vec<f64> = logs
        .iter()
        .map(|log| {
            sum += (log - largest).exp();
            sum
        })
        .collect();
    let drawn = |chain: usize| {
        let u = f64::from(uniform_at(seed, Address::new(Stream::Synthetic, 3), chain as u32, 0));
        &states[passed.partition_point(|&passed| passed <= u * sum).min(states.len() - 1)]
    };
    let drawn: Vec<f32> = (0..count).flat_map(drawn).copied().collect();
    if side == Side::Visible {
        return drawn;
    }
    let mut reference = common::reference(layers);
    let (model, pair) = (reference.model_of(rbm).unwrap(), reference.pair(count).unwrap());
    reference.write_units(pair.hidden, &drawn, &drawn);
    let draw = Draw::of(seed, Stream::Synthetic, Side::Visible, 4);
    reference.sample(&HalfStep::new(count, draw), model.into(), pair.hidden, pair.visible);
    reference.read_units(pair.visible, count).unwrap().1
}

/// Each column, and each product of two.
fn features(state: &[f32]) -> Vec<f64> {
    let columns = state.iter().map(|&s| f64::from(s));
    let products = state
        .iter()
        .enumerate()
        .flat_map(|(at, &a)| state[at..].iter().map(move |&b| f64::from(a) * f64::from(b)));
    columns.chain(products).collect()
}

/// The largest difference of two samples' mean features, in standard errors.
fn apart(width: usize, one: &[f32], other: &[f32]) -> f64 {
    let moments = |states: &[f32]| {
        let rows: Vec<Vec<f64>> = states.chunks(width).map(features).collect();
        let count = rows.len() as f64;
        (0..rows[0].len())
            .map(|feature| {
                let mean = rows.iter().map(|row| row[feature]).sum::<f64>() / count;
                let square = rows.iter().map(|row| (row[feature] - mean).powi(2)).sum::<f64>() / count;
                (mean, square / count)
            })
            .collect::<Vec<_>>()
    };
    let pairs = moments(one).into_iter().zip(moments(other));
    pairs.map(|((a, x), (b, y))| (a - b).abs() / (x + y + 1e-9).sqrt()).fold(0.0, f64::max)
}

/// A model on the path from a base.
fn tempered(rbm: &Rbm, base: &Base, beta: f32) -> Rbm {
    let mut parameters: Vec<f32> = rbm.parameters().iter().map(|parameter| beta * parameter).collect();
    let weights = rbm.weights().len();
    parameters[weights..]
        .iter_mut()
        .zip(base.potentials())
        .for_each(|(parameter, base)| *parameter += (1.0 - beta) * base);
    Rbm::from_parameters(rbm.layers(), parameters)
}

fn base(rbm: &Rbm) -> Base {
    let Marginals { mut means, mut variances } = rbm.layers().visible.neutral_marginals();
    for (mean, variance) in means.iter_mut().zip(&mut variances) {
        (*mean, *variance) = (0.8 * *mean + 0.05, 1.2 * *variance);
    }
    Base::new(rbm.layers(), Marginals { means, variances })
}

fn states(backend: &mut dyn Backend, units: Units) -> Vec<f32> {
    backend.read_units(units, CHAINS).unwrap().1
}

/// Moves chains from `from` by an estimator of the negative phase, or by Gibbs steps at β.
fn moved(backend: &mut dyn Backend, rbm: &Rbm, from: &[f32], how: &str, beta: f32) -> Vec<f32> {
    let (positive, negative) = (backend.pair(CHAINS).unwrap(), backend.pair(CHAINS).unwrap());
    let phases = Phases { positive, negative, rows: CHAINS, chains: CHAINS };
    let model = backend.model_of(rbm).unwrap();
    let Pair { visible, hidden } = negative;
    if how == "cd" {
        backend.write_units(positive.visible, from, from);
        let draws = &mut Draws::new(rbm.shape(), SEED, 0);
        contrastive_divergence(backend, model, draws, phases, STEPS, VisibleStates::Sample);
        return states(backend, visible);
    }
    backend.write_units(visible, from, from);
    let draw = Draw::of(SEED, Stream::Synthetic, Side::Hidden, 0).sweep(9);
    backend.sample(&HalfStep::new(CHAINS, draw).at(beta), model.into(), visible, hidden);
    for step in 0..STEPS {
        let draws = &mut Draws::new(rbm.shape(), SEED, step);
        if how == "pcd" {
            let sampled = VisibleStates::Sample;
            persistent_contrastive_divergence(backend, [model; 2], draws, phases, 1, sampled);
            continue;
        }
        for (layer, from, to) in [(Side::Visible, hidden, visible), (Side::Hidden, visible, hidden)] {
            let draw = draws.next(Stream::Train, layer, 0, CHAINS);
            backend.sample(&HalfStep::new(CHAINS, draw).at(beta), model.into(), from, to);
        }
    }
    states(backend, visible)
}

#[test]
fn chains_of_every_kind_stay_where_they_were_drawn() {
    for (pair, seed) in PAIRS.into_iter().zip(1..) {
        let rbm = model(pair, seed);
        let width = rbm.shape().visible;
        let (start, expected) = (exact_sample(&rbm, CHAINS, 1), exact_sample(&rbm, 4 * CHAINS, 2));
        let off = apart(width, &start, &expected);
        assert!(off < BY_CHANCE, "{pair:?}: two exact samples are {off} standard errors apart");
        for (name, mut backend) in
            common::one_of_each("chains_of_every_kind_stay_where_they_were_drawn", rbm.layers())
        {
            let backend = &mut *backend;
            for how in ["cd", "pcd"] {
                let off = apart(width, &moved(backend, &rbm, &start, how, 1.0), &expected);
                assert!(off < BY_CHANCE, "{name}, {pair:?}, {how}: {off} standard errors from the model");
            }
            let off = apart(width, &moved(backend, &rbm, &start, "gibbs", 0.6), &expected);
            assert!(off > WRONG, "{name}, {pair:?}: another temperature is another distribution: {off}");
        }
    }
}

#[test]
fn replicas_of_every_kind_stay_at_their_temperatures() {
    for (pair, seed) in PAIRS.into_iter().zip(1..) {
        let (rbm, betas) = (model(pair, seed), [1.0, 0.5, 1.0 / 4096.0]);
        let (width, base) = (rbm.shape().visible, base(&rbm));
        let models = betas.map(|beta| tempered(&rbm, &base, beta));
        let samples: Vec<_> = models.iter().map(|model| exact_sample(model, 4 * CHAINS, 2)).collect();
        for (name, mut backend) in
            common::one_of_each("replicas_of_every_kind_stay_at_their_temperatures", rbm.layers())
        {
            let backend = &mut *backend;
            let (own, model) = (backend.pair(CHAINS).unwrap(), backend.model_of(&rbm).unwrap());
            let positive = backend.pair(CHAINS).unwrap();
            let phases = Phases { positive, negative: own, rows: CHAINS, chains: CHAINS };
            let mut tempering = Tempering::new(backend, own, CHAINS, 3, Streams::TRAINING).unwrap();
            tempering.restart(backend, model, SEED, &base);
            tempering.set(&betas, [0; 2]);
            let replicas: Vec<Pair> = tempering.replicas().collect();
            for ((of, &Pair { visible, hidden }), number) in models.iter().zip(&replicas).zip(7..) {
                let start = exact_sample(of, CHAINS, number);
                backend.write_units(visible, &start, &start);
                let own = backend.model_of(of).unwrap();
                let draw = Draw::of(SEED, Stream::Synthetic, Side::Hidden, number as u32);
                backend.sample(&HalfStep::new(CHAINS, draw), own.into(), visible, hidden);
            }
            for step in 0..STEPS {
                tempering.sample(backend, model, &mut Draws::new(rbm.shape(), SEED, step), phases, 1);
            }
            let found: Vec<_> = replicas.iter().map(|pair| states(backend, pair.visible)).collect();
            for ((found, expected), beta) in found.iter().zip(&samples).zip(betas) {
                let off = apart(width, found, expected);
                assert!(
                    off < BY_CHANCE,
                    "{name}, {pair:?}, β = {beta}: {off} standard errors from the model"
                );
            }
            let off = apart(width, &found[1], &samples[0]);
            assert!(off > WRONG, "{name}, {pair:?}: another temperature is another distribution: {off}");
            let swaps = tempering.swaps(backend).unwrap();
            assert!(
                swaps.acceptance.iter().all(|share| (0.01..0.995).contains(share)),
                "{name}, {pair:?}: {swaps:?}"
            );
        }
    }
}

#[test]
fn replicas_of_every_kind_stay_in_their_snapshots() {
    for (pair, seed) in PAIRS.into_iter().zip(1..) {
        let rbm = model(pair, seed);
        let (width, base) = (rbm.shape().visible, base(&rbm));
        let models = [rbm.clone(), tempered(&rbm, &base, 0.6), tempered(&rbm, &base, 0.0)];
        let samples: Vec<_> = models.iter().map(|model| exact_sample(model, 4 * CHAINS, 2)).collect();
        for (name, mut backend) in
            common::one_of_each("replicas_of_every_kind_stay_in_their_snapshots", rbm.layers())
        {
            let backend = &mut *backend;
            let (own, model) = (backend.pair(CHAINS).unwrap(), backend.model_of(&rbm).unwrap());
            let mut trajectory = Trajectory::new(backend, own, CHAINS, 3).unwrap();
            trajectory.start(backend, model, SEED, &base);
            backend.write_model(trajectory.snapshots()[1].1, &models[1]);
            trajectory.set(&[(0, 0), (2, 4), (1, 0)], [0; 2]).unwrap();
            let replicas: Vec<Units> = trajectory.replicas().collect();
            for ((of, &visible), number) in models.iter().zip(&replicas).zip(7..) {
                let start = exact_sample(of, CHAINS, number);
                backend.write_units(visible, &start, &start);
            }
            for step in 0..STEPS {
                trajectory.advance(backend, model, &mut Draws::new(rbm.shape(), SEED, step), 1);
            }
            let found: Vec<_> = replicas.iter().map(|&visible| states(backend, visible)).collect();
            for ((found, expected), rung) in found.iter().zip(&samples).zip(0..) {
                let off = apart(width, found, expected);
                assert!(
                    off < BY_CHANCE,
                    "{name}, {pair:?}, rung {rung}: {off} standard errors from the model"
                );
            }
            let off = apart(width, &found[1], &samples[0]);
            assert!(off > WRONG, "{name}, {pair:?}: another model is another distribution: {off}");
        }
    }
}
