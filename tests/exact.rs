//! The oracle itself, held by enumeration and by finite differences: equations (1) and (22)–(28).

mod common;

use rbm_gpu::{
    backend::{Backend, Params},
    check::{largest_rbm_difference, random_rbm, random_states},
    data::Rows,
    exact,
    host::{HostKernels, Offsets, Phase, PlainUnits},
    rbm::{Layer, Rbm, Shape},
    reference::{self, Reference, sigmoid},
    rng::{Stream, uniform_at},
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

fn parameters(rbm: &mut Rbm) -> [&mut Vec<f32>; 3] {
    [&mut rbm.weights, &mut rbm.visible_bias, &mut rbm.hidden_bias]
}

#[test]
fn the_enumerated_gradient_is_the_finite_difference_of_the_log_likelihood() {
    for shape in SHAPES {
        let rbm = random_rbm(shape, 0.5, 5);
        let rows = binary_rows(shape, 6, 6);
        let gradient = exact::log_likelihood_gradient(&rbm, &rows).unwrap();
        for (tensor, expected) in gradient.iter().enumerate() {
            for (index, &expected) in expected.iter().enumerate() {
                // The step as it is after rounding to f32.
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

/// Units whose means and states are the same.
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
        let params = Params { learning_rate: 1.0, ..Params::new(shape, cases, 0) };
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
        let mut sums = [vec![0.0; rbm.weights.len()], vec![0.0; shape.visible], vec![0.0; shape.hidden]];
        let mut state = 0;
        exact::for_each_state(shape.visible, |v| {
            let chains = v.repeat(cases);
            let [data, hidden, chains, driven] =
                [&data, &hidden, &chains, &driven(&chains)].map(|values| both(values));
            let positive = Phase { rows: cases, visible: &data, hidden: &hidden };
            let negative = Phase { rows: cases, visible: &chains, hidden: &driven };
            let (mut moved, mut velocity) = (rbm.clone(), Rbm::zeros(shape));
            let offsets = Offsets::default();
            Reference.update(&params, positive, negative, &offsets, &mut moved, &mut velocity);
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

/// Where every unit is turned around, 1 for 0, the model is another with the same probabilities. A plain step of that one
/// is this one's centred step with all offsets at 1 (Melchior, Fischer and Wiskott 2016, section 3.1).
#[test]
fn a_centred_step_at_ones_is_the_plain_step_of_the_model_turned_around() {
    let turned = |units: &[f32]| -> Vec<f32> { units.iter().map(|x| 1.0 - x).collect() };
    let turn = |rbm: &Rbm| {
        let Shape { visible, hidden } = rbm.shape;
        let weight = |i: usize, j: usize| rbm.weights[i * hidden + j];
        let visible_bias =
            (0..visible).map(|i| -rbm.visible_bias[i] - (0..hidden).map(|j| weight(i, j)).sum::<f32>());
        let hidden_bias =
            (0..hidden).map(|j| -rbm.hidden_bias[j] - (0..visible).map(|i| weight(i, j)).sum::<f32>());
        Rbm {
            shape: rbm.shape,
            weights: rbm.weights.clone(),
            visible_bias: visible_bias.collect(),
            hidden_bias: hidden_bias.collect(),
        }
    };
    let shape = Shape { visible: 7, hidden: 5 };
    let (cases, chains) = (9, 4);
    let [v0, h0] = [(7, 1), (5, 2)].map(|(units, seed)| random_states(cases, units, seed));
    let [v1, h1] = [(7, 3), (5, 4)].map(|(units, seed)| random_states(chains, units, seed));
    let plain = Params { learning_rate: 0.3, momentum: 0.6, ..Params::new(shape, cases, 1) };
    let centred = Params { flags: Params::CENTRED, ..plain };
    let ones = Offsets { visible: vec![1.0; 7], hidden: vec![1.0; 5] };

    let mut rbm = random_rbm(shape, 0.5, 5);
    let mut other = turn(&rbm);
    let (mut velocity, mut other_velocity) = (Rbm::zeros(shape), Rbm::zeros(shape));
    for _ in 0..3 {
        let phase = |rows, visible, hidden| Phase { rows, visible, hidden };
        let units = [&v0, &h0, &v1, &h1].map(|units| both(units));
        let (positive, negative) = (phase(cases, &units[0], &units[1]), phase(chains, &units[2], &units[3]));
        Reference.update(&centred, positive, negative, &ones, &mut rbm, &mut velocity);
        let units = [&v0, &h0, &v1, &h1].map(|units| both(&turned(units)));
        let (positive, negative) = (phase(cases, &units[0], &units[1]), phase(chains, &units[2], &units[3]));
        Reference.update(&plain, positive, negative, &ones, &mut other, &mut other_velocity);
    }
    let error = largest_rbm_difference(&rbm, &turn(&other));
    assert!(error < 1e-5, "{error:e}");
}

/// Total variation between the chains' visible states after `sweeps` and p(v), at inverse temperature `beta`, when
/// the chains begin with states drawn exactly from p(v).
fn drift(backend: &mut dyn Backend, rbm: &Rbm, chains: usize, beta: f32) -> f64 {
    let distribution = exact::visible_distribution(rbm).unwrap();
    let mut states = Vec::new();
    for chain in 0..chains as u32 {
        let mut u = f64::from(uniform_at(1, 0, Stream::Synthetic.draw(0), chain, 0));
        let number = distribution
            .iter()
            .position(|p| {
                u -= p;
                u < 0.0
            })
            .unwrap_or(distribution.len() - 1);
        states.extend((0..rbm.shape.visible).map(|unit| (number >> unit & 1) as f32));
    }
    let visible = backend.units(Layer::Visible, chains).unwrap();
    let hidden = backend.units(Layer::Hidden, chains).unwrap();
    backend.write_rbm(rbm, &Rbm::zeros(rbm.shape));
    backend.write_units(visible, &states, &states);
    let params = Params { beta, ..Params::new(rbm.shape, chains, 2) };
    for sweep in 0..20 {
        backend.sample_hidden(&params.sample(Stream::Hidden, sweep), visible, hidden);
        backend.sample_visible(&params.sample(Stream::Visible, sweep), hidden, visible);
    }
    let (_, states) = backend.read_units(visible, chains).unwrap();
    let mut counts = vec![0.0; distribution.len()];
    for state in states.chunks(rbm.shape.visible) {
        counts[state.iter().rev().fold(0, |number, &unit| number << 1 | unit as usize)] += 1.0;
    }
    counts.iter().zip(&distribution).map(|(n, p)| (n / chains as f64 - p).abs()).sum::<f64>() / 2.0
}

#[test]
fn chains_drawn_from_the_model_stay_there() {
    let shape = Shape { visible: 6, hidden: 4 };
    let rbm = random_rbm(shape, 1.0, 9);
    let chains = 20_000;
    // What the total variation of an exact sample of this size is expected to be.
    let floor: f64 = exact::visible_distribution(&rbm)
        .unwrap()
        .iter()
        .map(|p| (p * (1.0 - p) / (2.0 * std::f64::consts::PI * chains as f64)).sqrt())
        .sum();
    for (name, mut backend) in common::all("chains_drawn_from_the_model_stay_there", shape) {
        let stayed = drift(&mut *backend, &rbm, chains, 1.0);
        assert!(stayed < 2.0 * floor, "{name}: {stayed} from p(v), where chance alone gives {floor}");
        let warmer = drift(&mut *backend, &rbm, chains, 0.7);
        assert!(warmer > 4.0 * floor, "{name}: chains at another temperature must leave p(v): {warmer}");
    }
}

#[test]
fn models_too_large_to_enumerate_are_refused() {
    let rbm = Rbm::zeros(Shape { visible: 26, hidden: 26 });
    let message = exact::log_partition_function(&rbm).unwrap_err().to_string();
    assert!(message.contains("at most 25 units"), "{message}");
}

/// log Z by brute force over the visible units of a model with few: no tables, no products, one logarithm a term.
fn log_z_over_visible(rbm: &Rbm) -> f64 {
    let mut energies = Vec::new();
    exact::for_each_state(rbm.shape.visible, |v| energies.push(-reference::free_energy(rbm, 1.0, v)));
    let largest = energies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + energies.iter().map(|energy| (energy - largest).exp()).sum::<f64>().ln()
}

#[test]
fn log_z_agrees_with_an_independent_enumeration() {
    // Around the groups of five and the lanes, and what the issue of large models asks for: 12 to 25 hidden units.
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
        for layer in [Layer::Visible, Layer::Hidden] {
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
    // The last one's inputs reach past what the exponential of an f64 holds.
    for deviation in [0.3, 3.0, 300.0] {
        let rbm = random_rbm(shape, deviation, 3);
        let mut terms = Vec::new();
        exact::for_each_state(shape.hidden, |h| {
            let bias: f64 = h.iter().zip(&rbm.hidden_bias).map(|(h, c)| f64::from(h * c)).sum();
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
        rbm.weights[4] = value;
        let message = exact::log_partition_function(&rbm).unwrap_err().to_string();
        assert!(message.contains("weights[4] is"), "{message}");
    }
}
