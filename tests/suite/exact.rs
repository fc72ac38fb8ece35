//! The oracle itself, checked by enumeration and by finite differences: equations (1) and (22)–(28).

use crate::common;
use rbm_gpu::{
    backend::{
        Ascent, Backend, BackendExt, Contrast, Draw, HalfStep, Offsets, Pair, Standardise, Update, Variances,
    },
    base::Base,
    check::{largest_rbm_difference, random_model, random_rbm, random_states},
    config::VisibleStates,
    data::Rows,
    estimator::{
        Draws, Phases, persistent_contrastive_divergence,
        tempering::{Streams, Tempering},
        trajectory::Trajectory,
    },
    exact,
    host::{self, HostKernels, Phase, PlainUnits},
    rbm::{Layers, Rbm, Shape, Side},
    reference::{self, Reference, sigmoid},
    rng::{Address, Stream, uniform_at},
    units::{Marginals, PRECISIONS},
};

const SHAPES: [Shape; 4] = [
    Shape { visible: 1, hidden: 1 },
    Shape { visible: 5, hidden: 3 },
    Shape { visible: 3, hidden: 6 },
    Shape { visible: 7, hidden: 4 },
];

fn binary_rows(shape: Shape, rows: usize, seed: u64) -> Rows {
    let bits: Vec<bool> = random_states(rows, shape.visible, seed).iter().map(|&x| x > 0.5).collect();
    Rows::from_bits(shape.visible, &bits)
}

#[test]
fn free_energy_and_log_z_are_sums_over_all_states() {
    for shape in SHAPES {
        let rbm = random_rbm(shape, 0.8, 3);
        let mut z = 0.0;
        exact::for_each_state(shape.visible, |v| {
            let mut sum = 0.0;
            exact::for_each_state(shape.hidden, |h| sum += (-reference::energy(&rbm, v, h)).exp());
            let free_energy = reference::free_energy(&rbm, 1.0, v);
            assert!((free_energy + sum.ln()).abs() < 1e-12, "{shape:?}");
            z += sum;
        });
        let log_z = exact::log_partition_function(&rbm).unwrap();
        assert!((log_z - z.ln()).abs() < 1e-12, "{shape:?}: {log_z} against {}", z.ln());
        let total: f64 = exact::visible_distribution(&rbm).unwrap().iter().sum();
        assert!((total - 1.0).abs() < 1e-12);
    }
}

#[test]
fn the_conditionals_are_ratios_of_the_joint_distribution() {
    let shape = SHAPES[1];
    let rbm = random_rbm(shape, 0.8, 4);
    let p = |v: &[f32], h: &[f32]| (-reference::energy(&rbm, v, h)).exp();
    exact::for_each_state(shape.visible, |v| {
        exact::for_each_state(shape.hidden, |h| {
            for j in 0..shape.hidden {
                let (mut on, mut off) = (h.to_vec(), h.to_vec());
                (on[j], off[j]) = (1.0, 0.0);
                let expected = p(v, &on) / (p(v, &on) + p(v, &off)); // equation (14)
                assert!((sigmoid(reference::hidden_input(&rbm, v, j)) - expected).abs() < 1e-12);
            }
            for i in 0..shape.visible {
                let (mut on, mut off) = (v.to_vec(), v.to_vec());
                (on[i], off[i]) = (1.0, 0.0);
                let expected = p(&on, h) / (p(&on, h) + p(&off, h)); // equation (4)
                assert!((sigmoid(reference::visible_input(&rbm, h, i)) - expected).abs() < 1e-12);
            }
        });
    });
}

fn parameters(rbm: &mut Rbm) -> [&mut [f32]; 3] {
    rbm.tensors_mut()
}

#[test]
fn the_enumerated_gradient_is_the_finite_difference_of_the_log_likelihood() {
    for shape in SHAPES {
        let rbm = random_rbm(shape, 0.5, 5);
        let rows = binary_rows(shape, 6, 6);
        let gradient = exact::log_likelihood_gradient(&rbm, &rows).unwrap();
        for (tensor, expected) in gradient.iter().enumerate() {
            for (index, &expected) in expected.iter().enumerate() {
                // The actual step, after rounding to f32.
                let at = |sign: f32| {
                    let mut moved = rbm.clone();
                    let parameter = &mut parameters(&mut moved)[tensor][index];
                    *parameter += sign * 1e-3;
                    let to = f64::from(*parameter);
                    (to, exact::log_likelihood(&moved, &rows).unwrap())
                };
                let ((x1, y1), (x0, y0)) = (at(1.0), at(-1.0));
                let slope = (y1 - y0) / (x1 - x0);
                assert!(
                    (slope - expected).abs() < 1e-6,
                    "{shape:?}, tensor {tensor}, index {index}: slope {slope}, gradient {expected}"
                );
            }
        }
    }
}

/// Units whose means and states are equal.
fn both(values: &[f32]) -> PlainUnits {
    PlainUnits { means: values.into(), states: values.into(), ..PlainUnits::default() }
}

/// The reference's update is linear in its negative phase. So updates with every v in turn as the negative phase,
/// weighted by p(v), add up to the exact gradient.
#[test]
fn the_references_gradient_is_the_enumerated_gradient() {
    for shape in SHAPES {
        let rbm = random_rbm(shape, 0.5, 7);
        let cases = 6;
        let rows = binary_rows(shape, cases, 8);
        let data: Vec<f32> = (0..cases).flat_map(|row| rows.values(row).collect::<Vec<_>>()).collect();
        let contrast = Contrast::new(cases, cases);
        let op = Update::new(contrast, Ascent::new(1.0));
        let driven = |v: &[f32]| -> Vec<f32> {
            let case = |v: &[f32]| {
                (0..shape.hidden)
                    .map(|j| sigmoid(reference::hidden_input(&rbm, v, j)) as f32)
                    .collect::<Vec<_>>()
            };
            v.chunks(shape.visible).flat_map(case).collect()
        };
        let hidden = driven(&data);
        let distribution = exact::visible_distribution(&rbm).unwrap();
        let mut sums = [vec![0.0; rbm.weights().len()], vec![0.0; shape.visible], vec![0.0; shape.hidden]];
        let mut state = 0;
        exact::for_each_state(shape.visible, |v| {
            let chains = v.repeat(cases);
            let [data, hidden, chains, driven] =
                [&data, &hidden, &chains, &driven(&chains)].map(|values| both(values));
            let positive = Phase { rows: cases, visible: &data, hidden: &hidden };
            let negative = Phase { rows: cases, visible: &chains, hidden: &driven };
            let phases = || host::Phases { positive, negative, mu: &[], lambda: &[] };
            let (mut gradient, mut velocity) = (Rbm::zeros(shape), Rbm::zeros(shape));
            Reference.gradient(&contrast, phases(), &mut gradient);
            Reference.update(&op, phases(), &mut rbm.clone(), Some(&mut velocity));
            assert!(gradient == velocity, "{shape:?}: a plain step at learning rate 1 is the gradient");
            for (sums, velocity) in sums.iter_mut().zip(parameters(&mut velocity)) {
                for (sum, step) in sums.iter_mut().zip(velocity) {
                    *sum += distribution[state] * f64::from(*step);
                }
            }
            state += 1;
        });
        let expected = exact::log_likelihood_gradient(&rbm, &rows).unwrap();
        for (sums, expected) in sums.iter().flatten().zip(expected.iter().flatten()) {
            assert!((sums - expected).abs() < 1e-6, "{shape:?}: {sums} against {expected}");
        }
    }
}

/// With every unit flipped, 1 for 0, another model has the same probabilities. Its plain step is this model's centred
/// step with all offsets at 1 (Melchior, Fischer and Wiskott 2016, section 3.1).
#[test]
fn a_centred_step_at_ones_is_the_plain_step_of_the_model_turned_around() {
    let turned = |units: &[f32]| -> Vec<f32> { units.iter().map(|x| 1.0 - x).collect() };
    let turn = |rbm: &Rbm| {
        let Shape { visible, hidden } = rbm.shape();
        let weight = |i: usize, j: usize| rbm.weights()[i * hidden + j];
        let visible_bias =
            (0..visible).map(|i| -rbm.visible_bias()[i] - (0..hidden).map(|j| weight(i, j)).sum::<f32>());
        let hidden_bias =
            (0..hidden).map(|j| -rbm.hidden_bias()[j] - (0..visible).map(|i| weight(i, j)).sum::<f32>());
        Rbm::from_tensors(
            rbm.layers(),
            [rbm.weights().to_vec(), visible_bias.collect(), hidden_bias.collect()],
        )
    };
    let shape = Shape { visible: 7, hidden: 5 };
    let (cases, chains) = (9, 4);
    let [v0, h0] = [(7, 1), (5, 2)].map(|(units, seed)| random_states(cases, units, seed));
    let [v1, h1] = [(7, 3), (5, 4)].map(|(units, seed)| random_states(chains, units, seed));
    let plain = Update::new(Contrast::new(cases, chains), Ascent { momentum: 0.6, ..Ascent::new(0.3) });
    let centred = Update { centred: 1, ..plain };

    let mut rbm = random_rbm(shape, 0.5, 5);
    let mut other = turn(&rbm);
    let (mut velocity, mut other_velocity) = (Rbm::zeros(shape), Rbm::zeros(shape));
    let step = |op: &Update, units: [PlainUnits; 4], rbm: &mut Rbm, velocity: &mut Rbm| {
        let [v0, h0, v1, h1] = &units;
        let positive = Phase { rows: cases, visible: v0, hidden: h0 };
        let negative = Phase { rows: chains, visible: v1, hidden: h1 };
        let ones = host::Phases { positive, negative, mu: &[1.0; 7], lambda: &[1.0; 5] };
        Reference.update(op, ones, rbm, Some(velocity));
    };
    for _ in 0..3 {
        let units = [&v0, &h0, &v1, &h1];
        step(&centred, units.map(|units| both(units)), &mut rbm, &mut velocity);
        step(&plain, units.map(|units| both(&turned(units))), &mut other, &mut other_velocity);
    }
    let error = largest_rbm_difference(&rbm, &turn(&other));
    assert!(error < 1e-5, "{error:e}");
}

/// Steps by update rules, each checked against the formula of its paper.
struct Rules {
    shape: Shape,
    rbm: Rbm,
    phases: [Vec<f32>; 4],
}

impl Rules {
    const CASES: usize = 6;

    fn new() -> Self {
        let shape = Shape { visible: 4, hidden: 3 };
        let states = |units, seed| random_states(Self::CASES, units, seed);
        Self {
            shape,
            rbm: random_rbm(shape, 0.5, 5),
            phases: [states(4, 1), states(3, 2), states(4, 3), states(3, 4)],
        }
    }

    fn gradient(&self) -> Rbm {
        let [v0, h0, vk, hk] = &self.phases.each_ref().map(|units| both(units));
        let phase = |visible, hidden| Phase { rows: Self::CASES, visible, hidden };
        let phases = host::Phases { positive: phase(v0, h0), negative: phase(vk, hk), mu: &[], lambda: &[] };
        let mut gradient = Rbm::zeros(self.shape);
        Reference.gradient(&Contrast::new(Self::CASES, Self::CASES), phases, &mut gradient);
        gradient
    }

    /// Takes a step up the gradient.
    fn ascend(&self, op: &Ascent, rbm: &mut Rbm, velocity: &mut Rbm, squares: Option<&mut Rbm>) {
        Reference.ascend(op, &mut self.gradient(), rbm, velocity, squares);
    }
}

/// Adam as in Kingma and Ba 2015, with the means written as sums over all gradients so far (their equation 1).
#[test]
fn adams_steps_are_corrected_means_of_gradients() {
    let rules = Rules::new();
    let mut gradient = rules.gradient();
    let (mut rbm, mut expected) = (rules.rbm.clone(), rules.rbm.clone());
    let (mut velocity, mut squares) = (Rbm::zeros(rules.shape), Rbm::zeros(rules.shape));
    // Gradients that differ by a factor: exchanging the phases changes the sign.
    let factors = [1.0, -1.0, 1.0, 1.0];
    for step in 0..factors.len() {
        let op = Ascent { weight_decay: 0.2, ..Ascent::new(0.1) }.adam(step as u32);
        let [v0, h0, vk, hk] = rules.phases.clone();
        let phases = if factors[step] > 0.0 { [v0, h0, vk, hk] } else { [vk, hk, v0, h0] };
        let here = Rules { phases, rbm: rules.rbm.clone(), ..rules };
        here.ascend(&op, &mut rbm, &mut velocity, Some(&mut squares));
        for (tensor, (expected, gradient)) in
            parameters(&mut expected).into_iter().zip(parameters(&mut gradient)).enumerate()
        {
            for (theta, g) in expected.iter_mut().zip(gradient) {
                let mean = |beta: f64, power: i32| {
                    let weight = |i: usize| beta.powi((step - i) as i32);
                    let sum: f64 =
                        (0..=step).map(|i| weight(i) * (factors[i] * f64::from(*g)).powi(power)).sum();
                    sum / (0..=step).map(weight).sum::<f64>()
                };
                let decay = if tensor == 0 { 0.2 * f64::from(*theta) } else { 0.0 };
                let ascent = mean(0.9, 1) / (mean(0.999, 2).sqrt() + 1e-8);
                *theta = (f64::from(*theta) + 0.1 * (ascent - decay)) as f32;
            }
        }
        let error = largest_rbm_difference(&rbm, &expected);
        assert!(error < 2e-6, "step {step}: {error:e}");
    }
}

/// Sutskever, Martens, Dahl and Hinton 2013, equations 3 and 4: v = μv + ε∇f(θ + μv), θ = θ + v; the reference keeps
/// θ + μv. Here the decay makes the gradient depend on θ.
#[test]
fn nesterovs_gradient_is_taken_where_the_momentum_leads_to() {
    let rules = Rules::new();
    let gradient = rules.gradient();
    let (decay, l1, momentum, rate) = (0.9, 0.3, 0.8, 0.1);
    let op = Ascent { rule: Ascent::NESTEROV, weight_decay: decay, l1, momentum, ..Ascent::new(rate) };
    let (mut rbm, mut velocity) = (rules.rbm.clone(), Rbm::zeros(rules.shape));
    let (mut theta, mut v) = (rbm.weights().to_vec(), vec![0.0_f32; rbm.weights().len()]);
    for step in 0..6 {
        rules.ascend(&op, &mut rbm, &mut velocity, None);
        for (at, weight) in rbm.weights().iter().enumerate() {
            let ahead = theta[at] + momentum * v[at];
            let slope = gradient.weights()[at] - decay * ahead - l1 * ahead.signum();
            v[at] = momentum * v[at] + rate * slope;
            theta[at] += v[at];
            let expected = theta[at] + momentum * v[at];
            assert!((weight - expected).abs() < 1e-5, "step {step}: {weight} against {expected}");
        }
    }
}

/// Hinton 2010, section 11: for one case, the pull to the target is the slope of the cross entropy −p log q − (1−p)
/// log(1−q) between the target p and the unit's activity q, here its probability.
#[test]
fn the_draw_to_a_sparsity_target_is_the_slope_of_a_cross_entropy() {
    let shape = Shape { visible: 5, hidden: 3 };
    let rbm = random_rbm(shape, 0.5, 5);
    let visible = [1.0, 0.0, 1.0, 1.0, 0.0];
    let (cost, target) = (0.7, 0.1_f32);
    let activities = |rbm: &Rbm| [0, 1, 2].map(|j| sigmoid(reference::hidden_input(rbm, &visible, j)));
    let penalty = |rbm: &Rbm| -> f64 {
        let p = f64::from(target);
        activities(rbm).into_iter().map(|q| -p * q.ln() - (1.0 - p) * (1.0 - q).ln()).sum()
    };
    let contrast = Contrast { sparsity_cost: cost, sparsity_target: target, ..Contrast::new(1, 1) };
    let lambda = activities(&rbm).map(|q| q as f32);
    let (v, h) = (both(&visible), both(&[0.3, 0.6, 0.9]));
    let phase = Phase { rows: 1, visible: &v, hidden: &h };
    let mut velocity = Rbm::zeros(shape);
    // With equal phases, only the pull is left.
    let phases = host::Phases { positive: phase, negative: phase, mu: &[0.0; 5], lambda: &lambda };
    let op = Update::new(contrast, Ascent::new(1.0));
    Reference.update(&op, phases, &mut rbm.clone(), Some(&mut velocity));
    for (tensor, steps) in parameters(&mut velocity).into_iter().enumerate() {
        for (index, step) in steps.iter().enumerate() {
            let at = |sign: f32| {
                let mut moved = rbm.clone();
                let parameter = &mut parameters(&mut moved)[tensor][index];
                *parameter += sign * 1e-3;
                (f64::from(*parameter), penalty(&moved))
            };
            let ((x1, y1), (x0, y0)) = (at(1.0), at(-1.0));
            let expected = -f64::from(cost) * (y1 - y0) / (x1 - x0);
            assert!(
                (f64::from(*step) - expected).abs() < 1e-5,
                "tensor {tensor}, index {index}: {step} against {expected}"
            );
        }
    }
}

/// Draws chains exactly from p(v).
fn exact_sample(rbm: &Rbm, chains: usize, seed: u64) -> Vec<f32> {
    let distribution = exact::visible_distribution(rbm).unwrap();
    let mut states = Vec::new();
    for chain in 0..chains as u32 {
        let mut u = f64::from(uniform_at(seed, Address::new(Stream::Synthetic, 0), chain, 0));
        let number = distribution
            .iter()
            .position(|p| {
                u -= p;
                u < 0.0
            })
            .unwrap_or(distribution.len() - 1);
        states.extend((0..rbm.shape().visible).map(|unit| (number >> unit & 1) as f32));
    }
    states
}

/// Sampling for design: e^(−βE), and p(v)^N by copies of the hidden units, of every kind.
#[test]
fn models_at_low_temperature_are_powers_of_themselves() {
    for (visible, hidden) in [("4 binary", "3 binary"), ("2 potts:3, 1 gaussian", "1 drelu, 2 spin, 1 relu")]
    {
        let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
        let rbm = random_model(&layers, 0.5, 3, |x| 1.0 + x.abs());
        let base = Base::neutral(&layers);
        let states = base.draw(1, Address::new(Stream::Synthetic, 0), 0, 20);
        let sharp = rbm.sharpened(3);
        assert_eq!(sharp.layers().hidden.units(), 3 * layers.hidden.units());
        for v in states.chunks(layers.visible.columns()) {
            let expected = 3.0 * reference::free_energy(&rbm, 1.0, v);
            assert!((reference::free_energy(&sharp, 1.0, v) - expected).abs() < 1e-4, "{visible} × {hidden}");
            let warm = reference::free_energy(&rbm, 0.5, v);
            assert!(
                (reference::free_energy(&rbm.at(0.5), 1.0, v) - warm).abs() < 1e-4,
                "{visible} × {hidden}"
            );
        }
    }
}

/// Total variation between the states of chains and p(v), and its expectation for an exact sample of the same size.
fn total_variation(rbm: &Rbm, states: &[f32]) -> (f64, f64) {
    let distribution = exact::visible_distribution(rbm).unwrap();
    let mut counts = vec![0.0; distribution.len()];
    let chains = (states.len() / rbm.shape().visible) as f64;
    for state in states.chunks(rbm.shape().visible) {
        counts[state.iter().rev().fold(0, |number, &unit| number << 1 | unit as usize)] += 1.0;
    }
    let variation = counts.iter().zip(&distribution).map(|(n, p)| (n / chains - p).abs()).sum::<f64>() / 2.0;
    let floor = |p: &f64| (p * (1.0 - p) / (2.0 * std::f64::consts::PI * chains)).sqrt();
    (variation, distribution.iter().map(floor).sum())
}

/// A way to move the chains of the negative phase.
#[derive(Clone, Copy, Debug)]
enum Moves {
    /// Gibbs steps as in contrastive divergence, at an inverse temperature.
    Gibbs(f32),
    Persistent,
    Tempering(usize),
}

/// Seed of the chains' random numbers.
const SEED: u64 = 2;

/// The visible states, for each temperature, of chains after some steps from `states`.
fn moved(
    backend: &mut dyn Backend,
    rbm: &Rbm,
    states: &[Vec<f32>],
    moves: Moves,
    steps: u32,
) -> Vec<Vec<f32>> {
    let chains = states[0].len() / rbm.shape().visible;
    let (positive, negative) = (backend.pair(chains).unwrap(), backend.pair(chains).unwrap());
    let phases = Phases { positive, negative, rows: chains, chains };
    let model = backend.model_of(rbm).unwrap();
    let mut replicas = vec![negative];
    let mut tempering = None;
    if let Moves::Tempering(temperatures) = moves {
        let base = Base::new(rbm.layers(), Marginals::of_shares(vec![0.3; rbm.shape().visible]));
        let streams = Streams::TRAINING;
        let mut all = Tempering::new(backend, negative, chains, temperatures, streams).unwrap();
        all.restart(backend, model, SEED, &base);
        replicas = all.replicas().collect();
        tempering = Some(all);
    }
    for (states, &Pair { visible, hidden }) in states.iter().zip(&replicas) {
        backend.write_units(visible, states, states);
        let draw = Draw::of(SEED, Stream::Synthetic, Side::Hidden, 0).sweep(9);
        backend.sample(&HalfStep::new(chains, draw), model.into(), visible, hidden);
    }
    for step in 0..steps {
        let draws = &mut Draws::new(rbm.shape(), SEED, step);
        match (moves, &mut tempering) {
            (Moves::Gibbs(beta), _) => {
                let Pair { visible, hidden } = negative;
                let mut half = |layer, from, to| {
                    let draw = draws.next(Stream::Train, layer, 0, chains);
                    backend.sample(&HalfStep::new(chains, draw).at(beta), model.into(), from, to);
                };
                half(Side::Hidden, visible, hidden);
                half(Side::Visible, hidden, visible);
            }
            (_, None) => {
                let states = VisibleStates::Sample;
                persistent_contrastive_divergence(backend, [model; 2], draws, phases, 1, states);
            }
            (_, Some(tempering)) => tempering.sample(backend, model, draws, phases, 1),
        }
    }
    let after = backend.read_model(model).unwrap();
    assert!(after == *rbm, "the model must be as it was");
    replicas.iter().map(|pair| backend.read_units(pair.visible, chains).unwrap().1).collect()
}

#[test]
fn chains_drawn_from_the_model_stay_there() {
    let shape = Shape { visible: 6, hidden: 4 };
    let rbm = random_rbm(shape, 1.0, 9);
    let exact = [exact_sample(&rbm, 20_000, 1)];
    for (name, mut backend) in common::all("chains_drawn_from_the_model_stay_there", shape) {
        for moves in [Moves::Gibbs(1.0), Moves::Persistent] {
            let states = moved(&mut *backend, &rbm, &exact, moves, 20);
            let (stayed, floor) = total_variation(&rbm, &states[0]);
            assert!(stayed < 2.0 * floor, "{name}: {moves:?}: {stayed}, where chance alone gives {floor}");
        }
        let states = moved(&mut *backend, &rbm, &exact, Moves::Gibbs(0.7), 20);
        let (warmer, floor) = total_variation(&rbm, &states[0]);
        assert!(warmer > 4.0 * floor, "{name}: chains at another temperature must leave p(v): {warmer}");
    }
}

/// The model at an inverse temperature, on the way to independent units with probability 0.3.
fn tempered(rbm: &Rbm, beta: f32) -> Rbm {
    let base = Rbm::base_rates(&[0.3])[0];
    let tensors = [
        rbm.weights().iter().map(|w| beta * w).collect(),
        rbm.visible_bias().iter().map(|b| beta * b + (1.0 - beta) * base).collect(),
        rbm.hidden_bias().iter().map(|c| beta * c).collect(),
    ];
    Rbm::from_tensors(rbm.layers(), tensors)
}

/// Replicas drawn exactly from the distribution of their temperature keep that distribution under swaps.
#[test]
fn replicas_drawn_from_their_temperatures_stay_there() {
    let shape = Shape { visible: 6, hidden: 4 };
    let rbm = random_rbm(shape, 1.0, 9);
    let betas = [1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0];
    let models = betas.map(|beta| tempered(&rbm, beta));
    let exact: Vec<_> =
        models.iter().zip(1..).map(|(model, seed)| exact_sample(model, 20_000, seed)).collect();
    for (name, mut backend) in common::all("replicas_drawn_from_their_temperatures_stay_there", shape) {
        let states = moved(&mut *backend, &rbm, &exact, Moves::Tempering(betas.len()), 20);
        for ((model, states), beta) in models.iter().zip(&states).zip(betas) {
            let (stayed, floor) = total_variation(model, states);
            assert!(stayed < 2.0 * floor, "{name}: β = {beta}: {stayed}, where chance alone gives {floor}");
        }
        let (other, floor) = total_variation(&rbm, &states[1]);
        assert!(other > 4.0 * floor, "{name}: another temperature is another distribution: {other}");
    }
}

/// Replicas drawn exactly from the distribution of their snapshot keep that distribution under swaps, however little the
/// snapshots have in common.
#[test]
fn replicas_drawn_from_their_snapshots_stay_there() {
    let shape = Shape { visible: 6, hidden: 4 };
    let rbm = random_rbm(shape, 1.0, 9);
    let models =
        [rbm.clone(), tempered(&random_rbm(shape, 1.0, 10), 0.7), tempered(&rbm, 0.4), tempered(&rbm, 0.0)];
    let chains = 20_000;
    for (name, mut backend) in common::all("replicas_drawn_from_their_snapshots_stay_there", shape) {
        let backend = &mut *backend;
        let (own, model) = (backend.pair(chains).unwrap(), backend.model_of(&rbm).unwrap());
        let mut trajectory = Trajectory::new(backend, own, chains, 4).unwrap();
        let base = Base::new(shape, Marginals::of_shares(vec![0.3; 6]));
        trajectory.start(backend, model, SEED, &base);
        // Out of order, as rungs are in a run.
        let snapshots = trajectory.snapshots();
        backend.write_model(snapshots[2].1, &models[1]);
        backend.write_model(snapshots[1].1, &models[2]);
        trajectory.set(&[(0, 0), (3, 9), (2, 4), (1, 0)], [0; 2]).unwrap();
        let replicas: Vec<_> = trajectory.replicas().collect();
        for ((model, visible), seed) in models.iter().zip(&replicas).zip(1..) {
            let states = exact_sample(model, chains, seed);
            backend.write_units(*visible, &states, &states);
        }
        for step in 0..20 {
            trajectory.advance(backend, model, &mut Draws::new(shape, SEED, step), 1);
        }
        let states: Vec<_> = replicas.iter().map(|&v| backend.read_units(v, chains).unwrap().1).collect();
        for ((model, states), rung) in models.iter().zip(&states).zip(0..) {
            let (stayed, floor) = total_variation(model, states);
            assert!(stayed < 2.0 * floor, "{name}: rung {rung}: {stayed}, where chance alone gives {floor}");
        }
        let (other, floor) = total_variation(&rbm, &states[1]);
        assert!(other > 4.0 * floor, "{name}: another model is another distribution: {other}");
        let swaps = trajectory.adapt(backend, model, 20).unwrap().unwrap();
        assert!(swaps.acceptance.iter().all(|share| (0.02..0.98).contains(share)), "{name}: {swaps:?}");
        assert!(swaps.round_trips > 0 && swaps.snapshots == Some(vec![9, 4]), "{name}: {swaps:?}");
    }
}

/// A model with two modes, all units on and all off. Gibbs steps hardly ever cross between them, but replicas do.
#[test]
fn tempering_goes_from_mode_to_mode_where_persistent_chains_do_not() {
    let shape = Shape { visible: 10, hidden: 6 };
    let strength = 1.3;
    let tensors = [vec![strength; 60], vec![-strength * 3.0; 10], vec![-strength * 5.0; 6]];
    let rbm = Rbm::from_tensors(shape, tensors);
    let chains = 400;
    let off = vec![vec![0.0; 10 * chains]; 8];
    let test = "tempering_goes_from_mode_to_mode_where_persistent_chains_do_not";
    for (name, mut backend) in common::fast(test, shape) {
        let [persistent, tempering] = [Moves::Persistent, Moves::Tempering(8)].map(|moves| {
            let states = moved(&mut *backend, &rbm, &off, moves, 300);
            let on = |chain: &&[f32]| chain.iter().sum::<f32>() > 5.0;
            states[0].chunks(10).filter(on).count() as f64 / chains as f64
        });
        println!("{name}: in the other mode: {persistent} of persistent chains, {tempering} with replicas");
        assert!(persistent < 0.1, "{name}: {persistent}");
        assert!((tempering - 0.5).abs() < 0.1, "{name}: {tempering}");
    }
}

#[test]
fn models_too_large_to_enumerate_are_refused() {
    let rbm = Rbm::zeros(Shape { visible: 26, hidden: 26 });
    let message = exact::log_partition_function(&rbm).unwrap_err().to_string();
    assert!(message.contains("at most 25 units"), "{message}");
}

/// log Z by brute force over the visible units of a small model: no tables, no products, one logarithm per term.
fn log_z_over_visible(rbm: &Rbm) -> f64 {
    let mut energies = Vec::new();
    exact::for_each_state(rbm.shape().visible, |v| energies.push(-reference::free_energy(rbm, 1.0, v)));
    let largest = energies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + energies.iter().map(|energy| (energy - largest).exp()).sum::<f64>().ln()
}

#[test]
fn log_z_agrees_with_an_independent_enumeration() {
    // Around the groups of five and the lanes, and 12 to 25 hidden units, as in large models.
    for (seed, (visible, hidden)) in (1..).zip([
        (1, 1),
        (3, 4),
        (2, 5),
        (4, 6),
        (9, 10),
        (7, 11),
        (8, 12),
        (11, 14),
        (9, 17),
        (12, 20),
        (10, 25),
    ]) {
        let rbm = random_rbm(Shape { visible, hidden }, 0.3, seed);
        let expected = log_z_over_visible(&rbm);
        for layer in [Side::Visible, Side::Hidden] {
            let found = exact::log_partition_function_over(&rbm, layer).unwrap();
            assert!(
                (found - expected).abs() <= 1e-12 * expected.abs(),
                "{visible} × {hidden} over {layer:?}: {found} against {expected}"
            );
        }
    }
}

#[test]
fn log_z_of_a_wide_model_agrees_with_sums_of_logarithms() {
    let shape = Shape { visible: 784, hidden: 12 };
    // The inputs of the last model overflow the exponential of an f64.
    for deviation in [0.3, 3.0, 300.0] {
        let rbm = random_rbm(shape, deviation, 3);
        let mut terms = Vec::new();
        exact::for_each_state(shape.hidden, |h| {
            let bias: f64 = h.iter().zip(rbm.hidden_bias()).map(|(h, c)| f64::from(h * c)).sum();
            terms.push(
                bias + (0..784)
                    .map(|i| reference::softplus(reference::visible_input(&rbm, h, i)))
                    .sum::<f64>(),
            );
        });
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let expected = largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln();
        let found = exact::log_partition_function(&rbm).unwrap();
        assert!(
            (found - expected).abs() <= 1e-12 * expected.abs(),
            "N(0, {deviation}²): {found} against {expected}"
        );
    }
}

#[test]
fn a_model_with_a_parameter_that_is_no_number_has_no_log_z() {
    for value in [f32::NAN, f32::INFINITY] {
        let mut rbm = random_rbm(SHAPES[1], 0.3, 1);
        rbm.weights_mut()[4] = value;
        let message = exact::log_partition_function(&rbm).unwrap_err().to_string();
        assert!(message.contains("weights[4] is"), "{message}");
    }
}

/// A step up the log-likelihood in standardised coordinates, whose slopes are central differences, is the standardised step of the
/// plain parameters: E = −xᵀŴy − b̂ᵀx − ĉᵀy …, x = (v−μ)/σ, y = (h−λ)/τ, and the statistics s² and |s| divided by σ² and σ.
#[test]
fn a_standardised_step_is_one_in_standardised_coordinates() {
    for (visible, hidden) in [
        ("2 binary, 1 potts:3", "1 gaussian, 1 relu, 1 drelu, 1 spin"),
        ("1 gaussian, 1 drelu, 1 relu, 1 binary", "2 binary, 1 spin, 1 potts:3"),
    ] {
        let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
        let Shape { visible: m, hidden: n } = layers.shape();
        let rbm = random_model(&layers, 0.3, 5, |x| 1.0 + x.abs());
        let states = Base::neutral(&layers).draw(3, Address::new(Stream::Synthetic, 0), 0, 5);
        let rows = Rows::from_values(m, &states);
        let numbers = |count: usize, low: f32, first: usize| -> Vec<f32> {
            (first..first + count).map(|at| low + (at as f32).sin().abs()).collect()
        };
        let (mu, lambda) = (numbers(m, -0.2, 0), numbers(n, -0.3, 20));
        let ridge = 0.25;
        let squares = [numbers(m, 0.1, 40), numbers(n, 0.1, 60)];
        let deviation = |side: Side, at: usize| (squares[side.number() as usize][at] + ridge).sqrt();

        // How the plain parameters move with each standardised one.
        let [weights, of_visible, _] = rbm.tensors().map(<[f32]>::len);
        let (b, c) = (weights, weights + of_visible);
        let direction = |number: usize| -> Vec<(usize, f32)> {
            if number < weights {
                let (i, j) = (number / n, number % n);
                let by = 1.0 / (deviation(Side::Visible, i) * deviation(Side::Hidden, j));
                return vec![(number, by), (b + i, -by * lambda[j]), (c + j, -by * mu[i])];
            }
            let (side, columns, at) =
                if number < c { (Side::Visible, m, number - b) } else { (Side::Hidden, n, number - c) };
            let own = deviation(side, at % columns);
            let is_square = PRECISIONS.contains(&(at / columns));
            vec![(number, 1.0 / if is_square { own * own } else { own })]
        };
        let likelihood = |direction: &[(usize, f32)], by: f32| {
            let mut rbm = rbm.clone();
            direction.iter().for_each(|&(at, of)| rbm.parameters_mut()[at] += by * of);
            exact::log_likelihood(&rbm, &rows).unwrap()
        };
        let mut expected = vec![0.0; rbm.parameters().len()];
        let by = 3e-3;
        for number in 0..expected.len() {
            let direction = direction(number);
            let slope = (likelihood(&direction, by) - likelihood(&direction, -by)) / (2.0 * f64::from(by));
            direction.iter().for_each(|&(at, of)| expected[at] += slope * f64::from(of));
        }

        let plain = exact::log_likelihood_gradient(&rbm, &rows).unwrap();
        let mut gradient =
            Rbm::from_tensors(&layers, plain.map(|all| all.iter().map(|&x| x as f32).collect()));
        let (of_b, of_c) = (gradient.visible_bias().to_vec(), gradient.hidden_bias().to_vec());
        for (at, slope) in gradient.weights_mut().iter_mut().enumerate() {
            *slope -= mu[at / n] * of_c[at % n] + lambda[at % n] * of_b[at / n];
        }
        let test = "a_standardised_step_is_one_in_standardised_coordinates";
        for (name, mut backend) in common::all(test, &layers) {
            let [step, model] = [&gradient, &Rbm::zeros(&layers)].map(|rbm| backend.model_of(rbm).unwrap());
            let mut values = |numbers: &[f32]| {
                let values = backend.values(numbers.len()).unwrap();
                backend.write_values(values, numbers);
                values
            };
            let offsets = Offsets { visible: values(&mu), hidden: values(&lambda) };
            let variances = Variances { visible: values(&squares[0]), hidden: values(&squares[1]) };
            backend.standardise(&Standardise { ridge }, variances, step);
            backend.recentre(step, offsets, model);
            let [step, shift] = [step, model].map(|model| backend.read_model(model).unwrap());
            let found = step.parameters().iter().zip(shift.parameters()).map(|(step, shift)| step + shift);
            for (at, (found, expected)) in found.zip(&expected).enumerate() {
                let error = (f64::from(found) - expected).abs();
                assert!(
                    error < 1e-3 * (1.0 + expected.abs()),
                    "{name}: {visible} × {hidden}, parameter {at}: {found}, {expected}"
                );
            }
        }
    }
}
