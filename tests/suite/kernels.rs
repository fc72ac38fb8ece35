//! Every kernel of every backend against its textbook twin, in every mode ([`cases::all`]), at sizes around the edges of
//! every tile, with guard rows at the end that nothing may touch.

use crate::common;
use rbm_gpu::{
    backend::{
        Ascent, Backend, BackendExt, Contrast, Draw, FreeEnergy, Gather, HalfStep, LimitNorms, Memory,
        Offsets, Pair, Penalise, SquaredError, Update,
    },
    check::{
        self, TOLERANCE,
        cases::{self, CASES},
        largest_difference, largest_rbm_difference, random_model, random_rbm, random_states,
        stage::{Size, observe},
        wrong_states, wrong_units,
    },
    data::Rows,
    rbm::{Layers, Rbm, Shape, Side},
    rng::{Address, Stream, uniform_at},
    units::{Kind, Layer},
};

/// Rows, visible and hidden units: 1, around 4 (a vec4), 32 and 128 (the tiles), never square; and, for the tables of the
/// native path, more rows than one table serves, and single units with enough rows for a table.
const SIZES: [(usize, usize, usize); 18] = [
    (1, 1, 1),
    (1, 2, 130),
    (2, 127, 1),
    (3, 4, 5),
    (4, 5, 3),
    (5, 3, 4),
    (7, 31, 33),
    (8, 32, 31),
    (9, 33, 32),
    (31, 127, 63),
    (32, 128, 65),
    (33, 129, 127),
    (65, 63, 128),
    (130, 260, 129),
    (12, 1, 1),
    (11, 127, 1),
    (40, 1, 130),
    MANY_ROWS,
];
/// More rows than one table of the native path serves, which takes the reference seconds.
const MANY_ROWS: (usize, usize, usize) = (530, 600, 70);

fn size((rows, visible, hidden): (usize, usize, usize)) -> Size {
    Size { rows, shape: Shape { visible, hidden } }
}

/// Tests a kernel in all modes, on all backends and at all sizes; on the adapter with every tile, if it is a product.
fn kernel(name: &str, is_product: bool) {
    let cases: Vec<_> = cases::all().filter(|(_, case)| case.kernel == name).collect();
    assert!(!cases.is_empty(), "there is no case of {name}");
    for (seed, sizes) in (7..).zip(SIZES) {
        let size = size(sizes);
        for (layers, case) in &cases {
            let layers = layers(size.shape);
            let expected = observe(case.prepare, &mut common::reference(&layers), size, seed).unwrap();
            let backends = match is_product && sizes != MANY_ROWS {
                true => common::fast_products(name, &layers),
                false => common::fast(name, &layers),
            };
            for (backend, mut tested) in backends {
                let found = observe(case.prepare, &mut *tested, size, seed).unwrap();
                for (output, deviation) in found.deviations(&expected).enumerate() {
                    assert!(
                        deviation.passes(),
                        "{name} {} on {backend}: {size} seed={seed}, output {output}: {deviation:?}",
                        case.way
                    );
                }
            }
        }
    }
}

/// A test for each kernel.
macro_rules! kernels {
    ($($name:ident $is_product:literal,)*) => {
        $(#[test]
        fn $name() {
            kernel(stringify!($name), $is_product);
        })*

        #[test]
        fn every_kernel_has_a_test() {
            for (_, case) in cases::all() {
                assert!([$(stringify!($name)),*].contains(&case.kernel), "{}", case.kernel);
            }
            for kernel in rbm_gpu::gpu::kernels::Kernel::ALL {
                assert!(cases::all().any(|(_, case)| case.kernel == kernel.name()), "{}", kernel.name());
            }
        }
    };
}

kernels! {
    gather false,
    sample_hidden true,
    sample_visible true,
    gradient true,
    standardise false,
    penalise false,
    clip false,
    ascend false,
    recentre false,
    update true,
    limit_norms false,
    fix_gauge false,
    track false,
    track_variances false,
    combine false,
    squared_error false,
    free_energy false,
    energy false,
    swap false,
    clamp_units false,
    fill_missing false,
    finish_units false,
    cumulants false,
    potentials false,
    gradient_of_potentials false,
    multiply_add false,
    copy false,
}

/// Two minibatches at once, of different sizes, give the same bits as one after the other.
#[test]
fn two_minibatches_at_once_are_one_after_the_other() {
    for (seed, sizes) in (7..).zip(SIZES) {
        let Size { rows, shape } = size(sizes);
        let few = rows.div_ceil(3);
        for (name, mut backend) in common::fast_products("sample_twice", shape) {
            let model = backend.model_of(&random_rbm(shape, 0.3, seed)).unwrap();
            let states = random_states(rows, shape.visible, seed);
            let grey: Vec<f32> = states.iter().map(|x| 0.2 + 0.5 * x).collect();
            for other in [&states, &grey] {
                let inputs = [&states, other].map(|states| {
                    let units = backend.units(Side::Visible, rows).unwrap();
                    backend.write_units(units, states, states);
                    units
                });
                let outputs = [0; 4].map(|_| backend.units(Side::Hidden, rows).unwrap());
                let draw = Draw::of(seed, Stream::Train, Side::Hidden, 5).chains_from(3);
                let ops = [HalfStep::new(rows, Draw::none()), HalfStep::new(few, draw)];
                let halves = [(&ops[0], inputs[0], outputs[0]), (&ops[1], inputs[1], outputs[1])];
                backend.sample_twice(model, halves);
                for (op, from, to) in [(ops[0], inputs[0], outputs[2]), (ops[1], inputs[1], outputs[3])] {
                    backend.sample(&op, model.into(), from, to);
                }
                for (at_once, count) in [rows, few].into_iter().enumerate() {
                    let found =
                        [at_once, at_once + 2].map(|at| backend.read_units(outputs[at], count).unwrap());
                    assert!(found[0] == found[1], "{name}: {sizes:?}, minibatch {at_once}");
                }
            }
        }
    }
}

/// A fused update equals the gradient, the ascent and the recentring, one after the other.
#[test]
fn fused_and_in_three_steps_a_model_moves_alike() {
    for (seed, sizes) in (7..).zip(&SIZES[..17]) {
        let Size { rows, shape } = size(*sizes);
        for (name, mut backend) in common::all("fused", shape) {
            for (centred, sparsity_cost, momentum, weight_decay) in [
                (0, 0.0, 0.7, 0.05),
                (0, 0.3, 0.0, 0.0),
                (1, 0.0, 0.7, 0.05),
                (1, 0.0, 0.0, 0.0),
                (1, 0.3, 0.5, 0.01),
            ] {
                let backend = &mut *backend;
                let pairs = [1, 3].map(|salt| {
                    let pair = backend.pair(rows).unwrap();
                    let v = random_states(rows, shape.visible, seed + salt);
                    let h: Vec<f32> = random_states(rows, shape.hidden, seed + salt + 1)
                        .iter()
                        .map(|x| 0.1 + 0.7 * x)
                        .collect();
                    backend.write_units(pair.visible, &v, &v);
                    backend.write_units(pair.hidden, &h, &h);
                    pair
                });
                let offsets = Offsets {
                    visible: backend.values(shape.visible).unwrap(),
                    hidden: backend.values(shape.hidden).unwrap(),
                };
                backend.write_values(offsets.visible, &vec![0.3; shape.visible]);
                backend.write_values(offsets.hidden, &vec![0.6; shape.hidden]);
                let contrast =
                    Contrast { centred, sparsity_target: 0.2, sparsity_cost, ..Contrast::new(rows, rows) };
                let ascent = Ascent { momentum, weight_decay, ..Ascent::new(0.3) };
                let (rbm, step) = (random_rbm(shape, 0.3, seed), random_rbm(shape, 0.1, seed + 9));
                let [fused, apart] = [0; 2].map(|_| backend.model_of(&rbm).unwrap());
                let [fused_velocity, velocity] = [0; 2].map(|_| backend.model_of(&step).unwrap());
                let gradient = backend.model().unwrap();
                let kept = (momentum != 0.0).then_some(fused_velocity);
                for _ in 0..2 {
                    let update = Update::new(contrast, ascent);
                    backend.update(&update, pairs[0], pairs[1], Some(offsets), fused, kept);
                    backend.gradient(&contrast, pairs[0], pairs[1], Some(offsets), gradient);
                    backend.ascend(&ascent, gradient, apart, velocity, None);
                    if centred == 1 {
                        backend.recentre(gradient, offsets, apart);
                    }
                }
                let [fused, apart] = [fused, apart].map(|model| backend.read_model(model).unwrap());
                let row = (shape.visible.max(shape.hidden) as f32 / 20.0).max(1.0);
                let error = largest_rbm_difference(&fused, &apart);
                assert!(error <= TOLERANCE * row, "{name}: {sizes:?} centred {centred}: {error:e}");
            }
        }
    }
}

/// No unit's weights are longer than the largest norm, and shorter ones are unchanged.
#[test]
fn norms_are_as_long_as_they_may_be() {
    let shape = Shape { visible: 37, hidden: 21 };
    for (name, mut backend) in common::all("norms_are_as_long_as_they_may_be", shape) {
        let rbm = random_rbm(shape, 0.3, 4);
        let norm = |rbm: &Rbm, j: usize| {
            (0..37).map(|i| f64::from(rbm.weights()[i * 21 + j]).powi(2)).sum::<f64>().sqrt() as f32
        };
        let largest = (0..21).map(|j| norm(&rbm, j)).sum::<f32>() / 21.0;
        let model = backend.model_of(&rbm).unwrap();
        backend.limit_norms(&LimitNorms { largest }, model);
        let limited = backend.read_model(model).unwrap();
        for j in 0..21 {
            let expected = norm(&rbm, j).min(largest);
            assert!((norm(&limited, j) - expected).abs() <= TOLERANCE, "{name}: unit {j}");
        }
        assert!(
            limited.visible_bias() == rbm.visible_bias() && limited.hidden_bias() == rbm.hidden_bias(),
            "{name}"
        );
    }
}

/// More rows than a grid has workgroups: the one-dimensional kernels must stride over the grid.
#[test]
fn more_rows_than_workgroups() {
    let test = "more_rows_than_workgroups";
    let shape = Shape { visible: 30, hidden: 2 };
    let rows = 600_000; // 8 groups a row: gather takes 4.8 million invocations, a grid has 4.2
    let bits: Vec<bool> = (0..37 * shape.visible).map(|i| i * i % 7 < 3).collect();
    let cases = Rows::from_bits(shape.visible, &bits);
    let order: Vec<u32> = (0..rows as u32).map(|row| row % 37).collect();
    let mut results = Vec::new();
    for (name, mut backend) in common::all(test, shape) {
        let model = backend.model_of(&random_rbm(shape, 0.3, 1)).unwrap();
        let data = backend.data(cases.layout(), rows).unwrap();
        backend.write_data(data, &cases.words());
        backend.write_order(data, &order);
        let visible = backend.units(Side::Visible, rows).unwrap();
        let values = backend.values(rows).unwrap();
        backend.gather(&Gather::new(cases.layout(), rows), data, visible);
        // The means are zeros, so the squared error is the number of units that are on.
        backend.squared_error(&SquaredError { rows: rows as u32 }, visible, visible, values);
        let on = backend.read_values(values, rows).unwrap();
        backend.free_energy(&FreeEnergy::new(rows), model.into(), visible, values);
        results.push((name, on, backend.read_values(values, rows).unwrap()));
    }
    let (_, expected_on, expected_energy) = &results[results.len() - 1];
    for (name, on, energy) in &results {
        assert!(on == expected_on, "{name}: squared errors");
        let error = largest_difference(energy, expected_energy);
        assert!(error < 1e-4, "{name}: free energies differ by {error:e}");
    }
}

#[test]
fn uniforms_from_the_host_draw_the_same_states() {
    let shape = Shape { visible: 37, hidden: 21 };
    let rows = 11;
    for (name, mut backend) in common::all("uniforms_from_the_host_draw_the_same_states", shape) {
        let model = backend.model_of(&random_rbm(shape, 0.3, 1)).unwrap();
        let Pair { visible, hidden } = backend.pair(rows).unwrap();
        let states = random_states(rows, 37, 2);
        backend.write_units(visible, &states, &states);
        let draw = Draw::of(3, Stream::Train, Side::Hidden, 4).sweep(1);
        backend.sample(&HalfStep::new(rows, draw), model.into(), visible, hidden);
        let drawn_there = backend.read_units(hidden, rows).unwrap();

        let offset = 13;
        let mut uniforms = vec![f32::NAN; offset];
        for row in 0..rows as u32 {
            uniforms.extend((0..21).map(|unit| uniform_at(3, draw.address(), row, unit)));
        }
        backend.uniforms(uniforms.len()).unwrap();
        backend.write_uniforms(&uniforms);
        backend.sample(&HalfStep::new(rows, draw.from_host(offset)), model.into(), visible, hidden);
        assert_eq!(backend.read_units(hidden, rows).unwrap(), drawn_there, "{name}");
    }
}

/// A draw belongs to a unit, not to an invocation. Tiles differ only by rounding, and so only in states whose uniform
/// lies between two means.
#[test]
fn every_tile_draws_the_same_states() {
    let shape = Shape { visible: 203, hidden: 150 };
    let rows = 70;
    for (from, to) in [(Side::Visible, Side::Hidden), (Side::Hidden, Side::Visible)] {
        let states = random_states(rows, shape.units(from), 1);
        let draw = Draw::of(3, Stream::Train, to, 4);
        let mut first: Option<(Vec<f32>, Vec<f32>)> = None;
        for (name, mut backend) in common::tiles("every_tile_draws_the_same_states", shape) {
            let model = backend.model_of(&random_rbm(shape, 0.1, 1)).unwrap();
            let [input, output] = [from, to].map(|layer| backend.units(layer, rows).unwrap());
            backend.write_units(input, &states, &states);
            backend.sample(&HalfStep::new(rows, draw), model.into(), input, output);
            let drawn = backend.read_units(output, rows).unwrap();
            let (means, expected) = first.get_or_insert_with(|| drawn.clone());
            let error = largest_difference(&drawn.0, means);
            assert!(error < 1e-6, "{name}: {to:?} means differ by {error:e}");
            for (at, (state, expected)) in drawn.1.iter().zip(expected).enumerate() {
                let (row, unit) = (at / shape.units(to), at % shape.units(to));
                let u = uniform_at(3, draw.address(), row as u32, unit as u32);
                let near = (u - means[at]).abs() <= 1e-6;
                assert!(state == expected || near, "{name}: {to:?} unit {unit} of row {row}");
            }
        }
    }
}

#[test]
fn a_whole_step_at_full_size() {
    let shape = Shape { visible: 784, hidden: 500 };
    for (name, mut backend) in common::fast("a_whole_step_at_full_size", shape) {
        let check = check::step(&mut *backend, 100, 1).unwrap();
        assert!(check.passes(), "{name}: {check:?}");
    }
}

#[test]
fn a_whole_step_of_every_kind() {
    let kinds = "20 potts:21, 30 spin, 30 gaussian, 30 relu, 30 drelu, 30 binary";
    for (visible, hidden) in [("53 potts:21", "100 binary"), ("53 potts:21", "100 drelu"), (kinds, kinds)] {
        let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
        for (name, mut backend) in common::fast("a_whole_step_of_every_kind", &layers) {
            let check = check::step(&mut *backend, 100, 1).unwrap();
            assert!(check.passes(), "{name}, {visible} and {hidden}: {check:?}");
        }
    }
}

/// The comparison itself must be able to fail: one weight is wrong by 1e-3.
#[test]
fn a_wrong_kernel_is_found() {
    let shape = Shape { visible: 9, hidden: 6 };
    let mut rbm = random_rbm(shape, 0.3, 1);
    let right = rbm.clone();
    rbm.weights_mut()[4] += 1e-3;
    let draw = Draw::at(1, Address::new(Stream::Train, 0).layer(Side::Hidden.number()));
    let means = [right, rbm].map(|rbm| {
        let mut side = common::reference(shape);
        let (model, Pair { visible, hidden }) = (side.model_of(&rbm).unwrap(), side.pair(2).unwrap());
        side.write_units(visible, &[1.0; 18], &[1.0; 18]);
        side.sample(&HalfStep::new(2, draw), model.into(), visible, hidden);
        side.read_units(hidden, 2).unwrap()
    });
    assert!(largest_difference(&means[0].0, &means[1].0) > TOLERANCE);
    let mut states = means[0].1.clone();
    states[3] = 1.0 - states[3];
    assert_eq!(wrong_states(&draw, 6, &means[0].0, &states), 1);
    let layer: Layer = "1 potts:3, 1 gaussian".parse().unwrap();
    let mut right = [0.0; 4];
    let at = |mean: &[f32], state: &mut [f32]| {
        let uniform = uniform_at(1, draw.address(), 0, 0);
        Kind::Potts { states: 3 }.unit().draw(&[], &[], mean, uniform, state);
    };
    let mean = [0.2, 0.3, 0.5, 0.0];
    at(&mean[..3], &mut right[..3]);
    assert_eq!(wrong_units(&draw, &layer, &mean, &right), 0);
    right[..3].rotate_left(1);
    assert_eq!(wrong_units(&draw, &layer, &mean, &right), 1);
    // The table must fail, too, if the model changes between two looks.
    let size = Size { rows: 5, shape };
    let update = CASES.iter().find(|case| case.kernel == "update").unwrap();
    let [one, other] =
        [1, 2].map(|seed| observe(update.prepare, &mut common::reference(shape), size, seed).unwrap());
    assert!(one.deviations(&other).any(|deviation| !deviation.passes()));
}

/// The penalty that is subtracted is the gradient of λ/2q · Σ_j (Σ_ia |W_(ia,j)|)², by central differences.
#[test]
fn a_penalty_is_followed_down() {
    let (states, strength, step) = (4, 0.3, 1e-3);
    let layers = Layers { visible: "3 potts:4".parse().unwrap(), hidden: "2 relu".parse().unwrap() };
    let rbm = random_model(&layers, 0.3, 5, |x| 1.0 + x.abs());
    let penalty = |rbm: &Rbm| -> f64 {
        let sum = |j: usize| rbm.weights()[j..].iter().step_by(2).map(|w| f64::from(w.abs())).sum::<f64>();
        f64::from(strength) / (2.0 * f64::from(states)) * (sum(0).powi(2) + sum(1).powi(2))
    };
    for (name, mut backend) in common::all("a_penalty_is_followed_down", &layers) {
        let (model, gradient) = (backend.model_of(&rbm).unwrap(), backend.model().unwrap());
        let scales = backend.values(12).unwrap();
        backend.write_values(scales, &[0.5; 12]);
        backend.penalise(&Penalise { strength }, scales, model, gradient);
        let found = backend.read_model(gradient).unwrap();
        for at in 0..rbm.parameters().len() {
            let moved = |by: f32| {
                let mut rbm = rbm.clone();
                rbm.parameters_mut()[at] += by;
                penalty(&rbm)
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
            let error = (f64::from(found.parameters()[at]) + slope).abs();
            assert!(error < 2e-4, "{name}: parameter {at}: {error}");
        }
    }
}
