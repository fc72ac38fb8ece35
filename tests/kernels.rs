//! Every kernel of every backend against its textbook twin, at sizes around the edges of every tile, on outputs that
//! were poisoned before, with rows beyond the last that nothing may touch.

mod common;

use rbm_gpu::{
    backend::{Backend, Kept, Params, Units},
    check::{
        self, TOLERANCE, largest_difference, largest_rbm_difference, random_rbm, random_states, wrong_states,
    },
    data::Rows,
    rbm::{Layer, Rbm, Shape},
    rng::{Stream, uniform_at},
};

/// Rows, visible and hidden units: 1, around 4 (a vec4), 32 and 128 (the tiles), never square; and, for the tables of the
/// native path, more rows than one table serves, and single units with rows enough for a table.
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
/// More rows than one table of the native path serves: seconds for the reference.
const MANY_ROWS: (usize, usize, usize) = (530, 600, 70);
/// Rows beyond the last, in every buffer.
const GUARD: usize = 3;
const POISON: f32 = f32::NAN;

/// One case: what a failure prints is enough to run it again.
struct Case {
    rows: usize,
    shape: Shape,
    seed: u64,
    name: String,
}

/// The backend under test, and the reference.
type Sides = [Box<dyn Backend>; 2];

/// Runs `test` on each backend beside a reference that holds the same model, at every size.
fn each(test: &str, run: impl FnMut(&Case, &mut Sides)) {
    each_of(|test, _, shape| common::fast(test, shape), test, run);
}

/// The same with each tile on the adapter, for the kernels whose work is cut into tiles.
fn each_tile(test: &str, run: impl FnMut(&Case, &mut Sides)) {
    let backends = |test: &str, rows, shape| {
        if rows == MANY_ROWS.0 { common::fast(test, shape) } else { common::fast_products(test, shape) }
    };
    each_of(backends, test, run);
}

fn each_of(
    backends: impl Fn(&str, usize, Shape) -> Vec<common::Named>,
    test: &str,
    mut run: impl FnMut(&Case, &mut Sides),
) {
    for (seed, (rows, visible, hidden)) in (7..).zip(SIZES) {
        let shape = Shape { visible, hidden };
        for (backend, tested) in backends(test, rows, shape) {
            let mut sides = [tested, Box::new(common::reference(shape)) as Box<dyn Backend>];
            let rbm = random_rbm(shape, 0.3, seed);
            let velocity = random_rbm(shape, 0.1, seed + 1);
            sides.iter_mut().for_each(|side| side.write_rbm(&rbm, &velocity));
            let name =
                format!("{test} on {backend}: rows={rows} visible={visible} hidden={hidden} seed={seed}");
            run(&Case { rows, shape, seed, name }, &mut sides);
        }
    }
}

/// The same units on both sides: means and states in the first rows, poison in the guarded ones.
fn units(case: &Case, sides: &mut Sides, layer: Layer, values: Option<&[f32]>) -> [Units; 2] {
    let width = case.shape.units(layer);
    sides.each_mut().map(|side| {
        let units = side.units(layer, case.rows + GUARD).unwrap();
        let mut all = vec![POISON; (case.rows + GUARD) * width];
        if let Some(values) = values {
            all[..values.len()].copy_from_slice(values);
        }
        side.write_units(units, &all, &all);
        units
    })
}

/// Reads the units of a layer; fails if the guarded rows were touched.
fn read(case: &Case, side: &mut dyn Backend, layer: Layer, units: Units) -> (Vec<f32>, Vec<f32>) {
    let (mut means, mut states) = side.read_units(units, case.rows + GUARD).unwrap();
    let used = case.rows * case.shape.units(layer);
    let untouched = means[used..].iter().chain(&states[used..]).all(|x| x.is_nan());
    assert!(untouched, "{}: wrote past the last row", case.name);
    means.truncate(used);
    states.truncate(used);
    (means, states)
}

/// Numbers in [0, 1] that are no states: what a positive phase on grey pixels multiplies.
fn random_means(rows: usize, units: usize, seed: u64) -> Vec<f32> {
    let states = random_states(rows, units + 1, seed);
    (0..rows * units).map(|i| states[i] * 0.75 + (i % 97) as f32 / 400.0).collect()
}

#[test]
fn gather() {
    each("gather", |case, sides| {
        let units = case.shape.visible;
        let bytes: Vec<u8> = (0..(case.rows + 5) * units).map(|i| (i * 89 % 256) as u8).collect();
        let bits: Vec<bool> = bytes.iter().map(|byte| byte % 3 == 0).collect();
        let order: Vec<u32> =
            (0..case.rows as u32 + 2).map(|row| (row * 7 + 3) % (case.rows as u32 + 5)).collect();
        let floats: Vec<f32> = bytes.iter().map(|&byte| (f32::from(byte) / 255.0).powi(2)).collect();
        let packed = [
            Rows::from_bytes(units, &bytes, 1.0 / 255.0),
            Rows::from_bits(units, &bits),
            Rows::from_values(units, &floats),
        ];
        for rows in packed {
            let plain = Params { step: 9, ..Params::new(case.shape, case.rows, case.seed) };
            let plain = plain.layout(rows.layout()).minibatch(2, case.rows);
            for params in [plain, plain.sample(Stream::Binarize, 0)] {
                let mut states = Vec::new();
                for side in sides.iter_mut() {
                    let data = side.data(rows.layout(), rows.len()).unwrap();
                    side.write_data(data, rows.words());
                    side.write_order(data, &order);
                    let units = side.units(Layer::Visible, case.rows + GUARD).unwrap();
                    let poison = vec![POISON; (case.rows + GUARD) * case.shape.visible];
                    side.write_units(units, &poison, &poison);
                    side.gather(&params, data, units);
                    states.push(read(case, &mut **side, Layer::Visible, units).1);
                }
                assert_eq!(states[0], states[1], "{}: {:?}", case.name, rows.layout());
            }
        }
    });
}

/// Both half steps, with and without a draw, at two temperatures.
fn half_step(case: &Case, sides: &mut Sides, from: Layer, to: Layer) {
    let width = case.shape.units(from);
    let plain = Params { step: 5, first_chain: 3, ..Params::new(case.shape, case.rows, case.seed) };
    let cold = Params { beta: 0.4, ..plain };
    let draws = [plain, plain.sample(Stream::Hidden, 2), cold.sample(Stream::Visible, 1)];
    // States are looked up on the native path, other numbers are multiplied.
    for input in [random_means(case.rows, width, case.seed), random_states(case.rows, width, case.seed)] {
        let inputs = units(case, sides, from, Some(&input));
        for params in draws {
            let outputs = units(case, sides, to, None);
            let mut results = Vec::new();
            for (side, (input, output)) in sides.iter_mut().zip(inputs.into_iter().zip(outputs)) {
                match to {
                    Layer::Hidden => side.sample_hidden(&params, input, output),
                    Layer::Visible => side.sample_visible(&params, input, output),
                }
                results.push(read(case, &mut **side, to, output));
            }
            let error = largest_difference(&results[0].0, &results[1].0);
            assert!(error <= TOLERANCE, "{}: means differ by {error:e}", case.name);
            let wrong = wrong_states(&params, case.shape.units(to), &results[0].0, &results[0].1);
            assert_eq!(wrong, 0, "{}: states that are not u < mean", case.name);
        }
    }
}

#[test]
fn sample_hidden() {
    each_tile("sample_hidden", |case, sides| {
        half_step(case, sides, Layer::Visible, Layer::Hidden);
    });
}

/// Two minibatches at once, of different sizes, with and without draws, come out as one after the other.
#[test]
fn sample_hidden_twice() {
    each_tile("sample_hidden_twice", |case, sides| {
        let width = case.shape.visible;
        let plain = Params { step: 5, ..Params::new(case.shape, case.rows, case.seed) };
        let few = Params { rows: plain.rows.div_ceil(3), first_chain: 3, ..plain }.sample(Stream::Hidden, 2);
        let states = random_states(case.rows, width, case.seed);
        for other in [random_means(case.rows, width, 9), random_states(case.rows, width, 9)] {
            let inputs = [&states, &other].map(|values| units(case, sides, Layer::Visible, Some(values)));
            let outputs = [0; 4].map(|_| units(case, sides, Layer::Hidden, None));
            for (side, s) in sides.iter_mut().zip(0..) {
                let [one, two] = [(&plain, inputs[0][s]), (&few, inputs[1][s])];
                side.sample_hidden_twice([(one.0, one.1, outputs[0][s]), (two.0, two.1, outputs[1][s])]);
                side.sample_hidden(one.0, one.1, outputs[2][s]);
                side.sample_hidden(two.0, two.1, outputs[3][s]);
                for (at_once, params) in [plain, few].iter().enumerate() {
                    let case = &Case { rows: params.rows as usize, name: case.name.clone(), ..*case };
                    let found = [at_once, at_once + 2]
                        .map(|output| read(case, &mut **side, Layer::Hidden, outputs[output][s]));
                    assert!(found[0] == found[1], "{}: {} rows", case.name, case.rows);
                }
            }
        }
    });
}

#[test]
fn sample_visible() {
    each_tile("sample_visible", |case, sides| {
        half_step(case, sides, Layer::Hidden, Layer::Visible);
    });
}

#[test]
fn update() {
    each_tile("update", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let params = Params {
            learning_rate: 0.3,
            momentum: 0.7,
            weight_decay: 0.05,
            ..Params::new(case.shape, case.rows, case.seed)
        };
        let few = Params { rows: params.rows.div_ceil(2), ..params };
        let centred = |params: Params| Params { flags: params.flags | Params::CENTRED, ..params };
        // Without momentum the velocity need not be kept from the first step to the second.
        let forgetful = Params { momentum: 0.0, flags: Params::FORGET, ..params };
        let free = Params { weight_decay: 0.0, ..forgetful };
        let offsets = [random_means(1, visible, 5), random_means(1, hidden, 6)];
        let (rbm, velocity) = sides[1].read_rbm().unwrap();
        // The visible units of the negative phase: probabilities and states.
        for (negative, params) in [
            (random_means(case.rows, visible, 3), params),
            (random_states(case.rows, visible, 3), few),
            (random_states(case.rows, visible, 3), forgetful),
            (random_means(case.rows, visible, 3), centred(few)),
            (random_states(case.rows, visible, 3), centred(params)),
            (random_means(case.rows, visible, 3), centred(forgetful)),
            (random_means(case.rows, visible, 3), centred(free)),
            (random_states(case.rows, visible, 3), centred(Params { rows: few.rows, ..free })),
        ] {
            let inputs: Vec<_> = [
                (Layer::Visible, random_states(case.rows, visible, 1)),
                (Layer::Hidden, random_means(case.rows, hidden, 2)),
                (Layer::Visible, negative),
                (Layer::Hidden, random_means(case.rows, hidden, 4)),
            ]
            .map(|(layer, values)| units(case, sides, layer, Some(&values)))
            .into();
            let mut results = Vec::new();
            for (side, s) in sides.iter_mut().zip(0..) {
                side.write_rbm(&rbm, &velocity);
                side.write_offsets(&offsets[0], &offsets[1]);
                let last = Params { flags: params.flags & !Params::FORGET, ..params };
                for params in [params, last] {
                    side.update(&params, (inputs[0][s], inputs[1][s]), (inputs[2][s], inputs[3][s]));
                }
                results.push(side.read_rbm().unwrap());
            }
            let ((rbm, velocity), (expected_rbm, expected_velocity)) = (&results[0], &results[1]);
            let error = largest_rbm_difference(rbm, expected_rbm)
                .max(largest_rbm_difference(velocity, expected_velocity));
            // A centred bias takes in the errors of a whole row of weights.
            let row = if params.has(Params::CENTRED) { visible.max(hidden) as f32 / 20.0 } else { 0.0 };
            let tolerance = TOLERANCE * row.max(1.0);
            assert!(
                error <= tolerance,
                "{}: flags {}: parameters differ by {error:e}",
                case.name,
                params.flags
            );
        }
    });
}

/// Momentum of Nesterov's, Adam, L1 decay and a sparsity target, with and without centring; two steps, the second on
/// phases that have changed places.
#[test]
fn update_by_other_rules() {
    each("update_by_other_rules", |case, sides| {
        if case.rows == MANY_ROWS.0 {
            return; // the tables of the native path are for the product, which `update` has tested
        }
        let Shape { visible, hidden } = case.shape;
        let plain = Params {
            learning_rate: 0.02,
            momentum: 0.7,
            weight_decay: 0.05,
            sparsity_cost: 0.3,
            sparsity_target: 0.1,
            ..Params::new(case.shape, case.rows, case.seed)
        };
        let with = |flags: u32, l1: f32| Params { flags, l1, ..plain };
        let offsets = [random_means(1, visible, 5), random_means(1, hidden, 6)];
        // No mean of one phase is exactly one of the other: Adam would make a whole step of the rounding error.
        let other = |means: Vec<f32>| -> Vec<f32> { means.iter().map(|x| 0.97 - 0.9 * x).collect() };
        let states = [random_states(case.rows, visible, 1), other(random_means(case.rows, visible, 3))];
        let means = [random_means(case.rows, hidden, 2), other(random_means(case.rows, hidden, 4))];
        let rbm = sides[1].read_rbm().unwrap().0;
        for params in [
            with(0, 0.1),
            with(Params::SPARSE | Params::CENTRED, 0.0),
            with(Params::NESTEROV | Params::SPARSE | Params::CENTRED, 0.1),
            with(Params::ADAM, 0.1),
            with(Params::ADAM | Params::SPARSE | Params::CENTRED, 0.0),
        ] {
            let visible_units = states.each_ref().map(|x| units(case, sides, Layer::Visible, Some(x)));
            let hidden_units = means.each_ref().map(|x| units(case, sides, Layer::Hidden, Some(x)));
            let mut results = Vec::new();
            for (side, s) in sides.iter_mut().zip(0..) {
                side.moments().unwrap();
                side.write_rbm(&rbm, &Rbm::zeros(case.shape));
                side.write_offsets(&offsets[0], &offsets[1]);
                let [one, other] = [0, 1].map(|phase| (visible_units[phase][s], hidden_units[phase][s]));
                for (step, phases) in [(one, other), (other, one), (one, other)].into_iter().enumerate() {
                    let step = if params.has(Params::ADAM) { params.adam(step as u32) } else { params };
                    side.update(&step, phases.0, phases.1);
                }
                results.push(side.read_rbm().unwrap());
            }
            let row = if params.has(Params::CENTRED) { visible.max(hidden) as f32 / 20.0 } else { 0.0 };
            // Adam divides by the gradient's size: where that is small, so are the errors' divisors, and a gradient that is
            // nothing but its rounding error, one in many thousands, has either sign.
            let (tolerance, allowed) = if params.has(Params::ADAM) {
                (20.0 * TOLERANCE * row.max(1.0), visible * hidden / 1000)
            } else {
                (TOLERANCE * row.max(1.0), 0)
            };
            let [(rbm, velocity), (expected_rbm, expected_velocity)] = [&results[0], &results[1]];
            let wrong = [(rbm, expected_rbm), (velocity, expected_velocity)].map(|(found, expected)| {
                let found = [&found.weights[..], &found.visible_bias, &found.hidden_bias].concat();
                let expected =
                    [&expected.weights[..], &expected.visible_bias, &expected.hidden_bias].concat();
                let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                differences.filter(|difference| *difference > tolerance || difference.is_nan()).count()
            });
            let error = largest_rbm_difference(rbm, expected_rbm);
            let flags = params.flags;
            assert!(
                wrong[0] <= allowed && wrong[1] == 0,
                "{}: flags {flags}: {wrong:?} parameters and velocities differ, by {error:e}",
                case.name
            );
        }
    });
}

#[test]
fn limit_norms() {
    each("limit_norms", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let (rbm, velocity) = sides[1].read_rbm().unwrap();
        let norm = |rbm: &Rbm, j: usize| {
            (0..visible).map(|i| f64::from(rbm.weights[i * hidden + j]).powi(2)).sum::<f64>().sqrt() as f32
        };
        // Some are longer and some are not, where there are several.
        let largest_norm = (0..hidden).map(|j| norm(&rbm, j)).sum::<f32>() / hidden as f32 * 0.99;
        let params = Params { largest_norm, ..Params::new(case.shape, 1, case.seed) };
        let results = sides.each_mut().map(|side| {
            side.limit_norms(&params);
            side.read_rbm().unwrap()
        });
        let error = largest_rbm_difference(&results[0].0, &results[1].0);
        assert!(error <= TOLERANCE, "{}: {error:e}", case.name);
        let limited = &results[0].0;
        for j in 0..hidden {
            let expected = norm(&rbm, j).min(largest_norm);
            assert!((norm(limited, j) - expected).abs() <= TOLERANCE, "{}: unit {j}", case.name);
        }
        assert!(limited.visible_bias == rbm.visible_bias && limited.hidden_bias == rbm.hidden_bias);
        assert!(results[0].1 == velocity, "{}", case.name);
    });
}

#[test]
fn fast_weights() {
    each("fast_weights", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let params = Params { rate: 0.4, ..Params::new(case.shape, case.rows, case.seed) };
        let fast = Params { flags: Params::FAST, ..params };
        let v = units(case, sides, Layer::Visible, Some(&random_states(case.rows, visible, case.seed)));
        let [plain_means, fast_means] = [(); 2].map(|()| units(case, sides, Layer::Hidden, None));
        let back = units(case, sides, Layer::Visible, None);
        let mut results = Vec::new();
        for (side, s) in sides.iter_mut().zip(0..) {
            let before = side.read_rbm().unwrap();
            side.fast_room().unwrap();
            (0..3).for_each(|_| side.fast_weights(&params));
            side.sample_hidden(&params, v[s], plain_means[s]);
            side.sample_hidden(&fast, v[s], fast_means[s]);
            side.sample_visible(&fast, fast_means[s], back[s]);
            assert!(side.read_rbm().unwrap() == before, "{}: the parameters are what they were", case.name);
            let hidden =
                [plain_means[s], fast_means[s]].map(|units| read(case, &mut **side, Layer::Hidden, units).0);
            results.push((hidden, read(case, &mut **side, Layer::Visible, back[s]).0));
        }
        let error = largest_difference(&results[0].0[1], &results[1].0[1])
            .max(largest_difference(&results[0].1, &results[1].1));
        assert!(error <= 2.0 * TOLERANCE, "{}: {error:e}", case.name);
        // By the formula: after three steps at one velocity, rate·(1 + 0.95 + 0.95²) of it.
        let (rbm, velocity) = sides[0].read_rbm().unwrap();
        let share = 0.4 * (1.0 + 0.95 + 0.95 * 0.95);
        let sum = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + share * b).collect();
        let model = Rbm {
            shape: case.shape,
            weights: sum(&rbm.weights, &velocity.weights),
            visible_bias: sum(&rbm.visible_bias, &velocity.visible_bias),
            hidden_bias: sum(&rbm.hidden_bias, &velocity.hidden_bias),
        };
        let v = &random_states(case.rows, visible, case.seed)[..visible];
        for j in 0..hidden {
            let input = rbm_gpu::reference::hidden_input(&model, v, j);
            let expected = rbm_gpu::reference::sigmoid(input) as f32;
            assert!((results[0].0[1][j] - expected).abs() <= 2.0 * TOLERANCE, "{}: unit {j}", case.name);
        }
        assert!(results[0].0[0] != results[0].0[1], "{}: fast weights must show", case.name);
    });
}

#[test]
fn exchange_average() {
    each("exchange_average", |case, sides| {
        let params = Params { rate: 0.25, ..Params::new(case.shape, case.rows, case.seed) };
        let side = &mut sides[0];
        side.average(&params);
        let (before, average) = (side.read_rbm().unwrap(), side.read_kept(Kept::Average).unwrap());
        let v = random_states(case.rows, case.shape.visible, case.seed);
        let visible = side.units(Layer::Visible, case.rows).unwrap();
        let values = side.values(case.rows).unwrap();
        side.write_units(visible, &v, &v);
        side.exchange_average();
        assert!(side.read_rbm().unwrap() == (average.clone(), before.1.clone()), "{}", case.name);
        side.free_energy(&params, visible, values);
        side.exchange_average();
        assert!(side.read_rbm().unwrap() == before && side.read_kept(Kept::Average).unwrap() == average);
        let found = side.read_values(values, 1).unwrap()[0];
        let expected = rbm_gpu::reference::free_energy(&average, 1.0, &v[..case.shape.visible]) as f32;
        assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{}", case.name);
    });
}

#[test]
fn track() {
    each("track", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let params = Params { rate: 0.3, ..Params::new(case.shape, case.rows, case.seed) };
        let means = units(case, sides, Layer::Hidden, Some(&random_means(case.rows, hidden, 2)));
        let offsets = [random_means(1, visible, 5), random_means(1, hidden, 6)];
        let mut results = Vec::new();
        for (side, means) in sides.iter_mut().zip(means) {
            side.write_offsets(&offsets[0], &offsets[1]);
            (0..2).for_each(|_| side.track(&params, means));
            results.push(side.read_offsets().unwrap());
        }
        assert_eq!(results[0].0, offsets[0], "{}", case.name);
        let error = largest_difference(&results[0].1, &results[1].1);
        assert!(error <= TOLERANCE, "{}: {error:e}", case.name);
    });
}

#[test]
fn average() {
    each("average", |case, sides| {
        let params = Params { rate: 0.25, ..Params::new(case.shape, case.rows, case.seed) };
        let mut results = Vec::new();
        for side in sides.iter_mut() {
            (0..3).for_each(|_| side.average(&params));
            results.push(side.read_kept(Kept::Average).unwrap());
        }
        let error = largest_rbm_difference(&results[0], &results[1]);
        assert!(error <= TOLERANCE, "{}: {error:e}", case.name);
        let share = 1.0 - 0.75_f32.powi(3);
        let rbm = sides[0].read_rbm().unwrap().0;
        assert!((results[0].weights[0] - share * rbm.weights[0]).abs() < TOLERANCE, "{}", case.name);
    });
}

#[test]
fn squared_error() {
    each("squared_error", |case, sides| {
        let width = case.shape.visible;
        let (x, p) = (random_states(case.rows, width, 1), random_means(case.rows, width, 2));
        let params = Params::new(case.shape, case.rows, case.seed);
        let xs = units(case, sides, Layer::Visible, Some(&x));
        let ps = units(case, sides, Layer::Visible, Some(&p));
        let mut results = Vec::new();
        for (side, s) in sides.iter_mut().zip(0..) {
            let values = side.values(case.rows + GUARD).unwrap();
            side.write_values(values, &vec![1.5; case.rows + GUARD]);
            side.squared_error(&params, xs[s], ps[s], values);
            results.push(side.read_values(values, case.rows + GUARD).unwrap());
        }
        let error = largest_difference(&results[0], &results[1]);
        assert!(error <= 1e-6 * width as f32 + 1e-6, "{}: errors differ by {error:e}", case.name);
        assert_eq!(results[0][case.rows..], [1.5; GUARD], "{}: wrote past the last row", case.name);
    });
}

#[test]
fn free_energy() {
    each("free_energy", |case, sides| {
        let v = random_states(case.rows, case.shape.visible, case.seed);
        let params = Params { beta: 0.8, ..Params::new(case.shape, case.rows, case.seed) };
        let visible = units(case, sides, Layer::Visible, Some(&v));
        let mut results = Vec::new();
        for (side, s) in sides.iter_mut().zip(0..) {
            let values = side.values(case.rows + GUARD).unwrap();
            side.write_values(values, &vec![1.5; case.rows + GUARD]);
            side.free_energy(&params, visible[s], values);
            results.push(side.read_values(values, case.rows + GUARD).unwrap());
        }
        // A sum of as many terms as there are hidden units, each of the size of its input.
        let size = results[1].iter().fold(1.0f32, |size, f| size.max(f.abs()));
        let error = largest_difference(&results[0], &results[1]);
        assert!(error <= 2e-6 * size, "{}: free energies of {size} differ by {error:e}", case.name);
        assert_eq!(results[0][case.rows..], [1.5; GUARD], "{}: wrote past the last row", case.name);
    });
}

/// What is kept of a model is that model, to the last bit, when the parameters have become others.
#[test]
fn snapshots() {
    each("snapshots", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let params = Params::new(case.shape, case.rows, case.seed);
        let v = units(case, sides, Layer::Visible, Some(&random_states(case.rows, visible, case.seed)));
        let h = units(case, sides, Layer::Hidden, None);
        let back = units(case, sides, Layer::Visible, None);
        let mut differences = Vec::new();
        for (side, s) in sides.iter_mut().zip(0..) {
            let (rbm, velocity) = side.read_rbm().unwrap();
            let other = random_rbm(case.shape, 0.3, case.seed + 5);
            side.snapshot_room(3).unwrap();
            side.keep(2);
            side.write_kept(Kept::Snapshot(0), &other);
            let values = side.values(case.rows + GUARD).unwrap();
            side.write_values(values, &vec![1.5; case.rows + GUARD]);
            let figures = |side: &mut dyn Backend, params: Params| {
                side.free_energy(&params, v[s], values);
                side.sample_hidden(&params, v[s], h[s]);
                side.sample_visible(&params, h[s], back[s]);
                let energies = side.read_values(values, case.rows + GUARD).unwrap();
                let means = [(Layer::Hidden, h[s]), (Layer::Visible, back[s])];
                (energies, means.map(|(layer, units)| read(case, side, layer, units).0))
            };
            let (expected, expected_other) =
                (figures(&mut **side, params), figures(&mut **side, params.of_snapshot(0)));
            assert!(expected != expected_other, "{}", case.name);
            side.write_rbm(&other, &velocity);
            assert!(figures(&mut **side, params.of_snapshot(2)) == expected, "{}", case.name);
            assert!(figures(&mut **side, params) == expected_other, "{}", case.name);
            // The values are the other model's free energies.
            side.free_energy(&Params { flags: Params::LESS, ..params }.of_snapshot(2), v[s], values);
            let differences_here = side.read_values(values, case.rows + GUARD).unwrap();
            for ((difference, f), other) in
                differences_here.iter().zip(&expected.0).zip(&expected_other.0).take(case.rows)
            {
                assert!((difference - (f - other)).abs() <= 1e-6 * (f.abs() + other.abs()), "{}", case.name);
            }
            assert_eq!(differences_here[case.rows..], [1.5; GUARD], "{}: wrote past the last row", case.name);
            assert!(side.read_kept(Kept::Snapshot(2)).unwrap() == rbm, "{}", case.name);
            assert!(side.read_kept(Kept::Snapshot(1)).unwrap() == Rbm::zeros(case.shape), "{}", case.name);
            side.write_rbm(&rbm, &velocity);
            differences.push(differences_here);
        }
        let error = largest_difference(&differences[0], &differences[1]);
        let size = (visible + hidden) as f32;
        assert!(error <= 2e-6 * size, "{}: {error:e}", case.name);
    });
}

#[test]
fn energy() {
    each("energy", |case, sides| {
        let Shape { visible, hidden } = case.shape;
        let params = Params::new(case.shape, case.rows, case.seed);
        let v = units(case, sides, Layer::Visible, Some(&random_states(case.rows, visible, case.seed)));
        let h = units(case, sides, Layer::Hidden, Some(&random_states(case.rows, hidden, case.seed + 1)));
        let mut results = Vec::new();
        for (side, s) in sides.iter_mut().zip(0..) {
            let values = side.values(case.rows + GUARD).unwrap();
            side.write_values(values, &vec![1.5; case.rows + GUARD]);
            side.energy(&params, v[s], h[s], values);
            results.push(side.read_values(values, case.rows + GUARD).unwrap());
        }
        let size = results[1].iter().fold(1.0f32, |size, f| size.max(f.abs()));
        let error = largest_difference(&results[0], &results[1]);
        assert!(error <= 1e-5 * size, "{}: energies of {size} differ by {error:e}", case.name);
        assert_eq!(results[0][case.rows..], [1.5; GUARD], "{}: wrote past the last row", case.name);
    });
}

#[test]
fn temper_bias() {
    each("temper_bias", |case, sides| {
        let visible = case.shape.visible;
        let params = Params { rate: -0.75, ..Params::new(case.shape, 1, case.seed) };
        let numbers = random_means(1, visible, 8);
        let results = sides.each_mut().map(|side| {
            let [base, values] = [0; 2].map(|_| side.values(visible + GUARD).unwrap());
            side.write_values(base, &numbers);
            side.write_values(values, &vec![1.5; visible + GUARD]);
            side.temper_bias(&params, base, values);
            side.read_values(values, visible + GUARD).unwrap()
        });
        let error = largest_difference(&results[0], &results[1]);
        assert!(error <= TOLERANCE, "{}: {error:e}", case.name);
        assert_eq!(results[0][visible..], [1.5; GUARD], "{}: wrote past the last", case.name);
    });
}

#[test]
fn swap() {
    each("swap", |case, sides| {
        let rows = case.rows;
        let params = Params { rate: 0.3, first_row: 2, step: 3, ..Params::new(case.shape, rows, case.seed) };
        let params = Params { draw: Stream::Swap.draw(5), ..params };
        // Some swaps are certain and some are not; marks of every kind; and what must be left alone.
        let number = |row: usize, seed: u64| {
            uniform_at(seed, 0, Stream::Synthetic.draw(3), row as u32, 0) * 12.0 - 6.0
        };
        let values = |seed: u64| -> Vec<f32> {
            let energies = (0..rows).map(|row| number(row, seed));
            let marks = (0..rows).map(|row| f32::from(number(row, seed + 9) > 0.0));
            energies.chain(marks).chain([1.5; GUARD]).collect()
        };
        for (layer, flags, all) in [
            (Layer::Hidden, 0, values(1)),
            (Layer::Hidden, Params::COLDEST, values(2)),
            (Layer::Visible, Params::HOTTEST, values(3)),
        ] {
            let params = Params { flags, ..params };
            let states = [1, 2].map(|seed| random_states(rows, case.shape.units(layer), seed));
            let cold = units(case, sides, layer, Some(&states[0]));
            let hot = units(case, sides, layer, Some(&states[1]));
            let mut results = Vec::new();
            for (side, s) in sides.iter_mut().zip(0..) {
                let buffers = [0; 4].map(|_| side.values(2 * rows + GUARD + 2).unwrap());
                let [cold_values, hot_values, accepted, trips] = buffers;
                side.write_values(cold_values, &all);
                side.write_values(hot_values, &values(4));
                side.swap(&params, (cold[s], cold_values), (hot[s], hot_values), accepted, trips);
                let values = buffers.map(|values| side.read_values(values, 2 * rows + GUARD).unwrap());
                let states = [cold[s], hot[s]].map(|units| read(case, &mut **side, layer, units).1);
                results.push((values, states));
            }
            assert!(results[0] == results[1], "{}: {layer:?}, flags {flags}", case.name);
            let swapped = &results[1].1[0];
            assert!(rows <= 30 || !states.contains(swapped), "{}: {layer:?}: all or none", case.name);
        }
    });
}

#[test]
fn set_visible_bias() {
    each("set_visible_bias", |case, sides| {
        let visible = case.shape.visible;
        // One row, as a kernel that has nothing to do with rows is called.
        let params = Params::new(case.shape, 1, case.seed);
        let bias: Vec<f32> = random_means(1, visible + GUARD, 8).iter().map(|x| 9.0 * x - 4.0).collect();
        let (rbm, velocity) = sides[1].read_rbm().unwrap();
        for side in sides.iter_mut() {
            let values = side.values(visible + GUARD).unwrap();
            side.write_values(values, &bias);
            side.set_visible_bias(&params, values);
            let expected = Rbm { visible_bias: bias[..visible].to_vec(), ..rbm.clone() };
            assert!(side.read_rbm().unwrap() == (expected, velocity.clone()), "{}", case.name);
        }
    });
}

/// More rows than a grid has workgroups: the one-dimensional kernels must come round again.
#[test]
fn more_rows_than_workgroups() {
    let test = "more_rows_than_workgroups";
    let shape = Shape { visible: 30, hidden: 2 };
    let rows = 600_000; // 8 groups a row: gather takes 4.8 million invocations, a grid has 4.2
    let bits: Vec<bool> = (0..37 * shape.visible).map(|i| i * i % 7 < 3).collect();
    let cases = Rows::from_bits(shape.visible, &bits);
    let order: Vec<u32> = (0..rows as u32).map(|row| row % 37).collect();
    let params = Params::new(shape, rows, 1).layout(cases.layout());
    let rbm = random_rbm(shape, 0.3, 1);
    let mut results = Vec::new();
    for (name, mut backend) in common::all(test, shape) {
        backend.write_rbm(&rbm, &rbm);
        let data = backend.data(cases.layout(), rows).unwrap();
        backend.write_data(data, cases.words());
        backend.write_order(data, &order);
        let visible = backend.units(Layer::Visible, rows).unwrap();
        let values = backend.values(rows).unwrap();
        backend.gather(&params, data, visible);
        // The means are zeros, so the squared error is the number of units that are on.
        backend.squared_error(&params, visible, visible, values);
        let on = backend.read_values(values, rows).unwrap();
        backend.free_energy(&params, visible, values);
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
        backend.write_rbm(&random_rbm(shape, 0.3, 1), &Rbm::zeros(shape));
        let visible = backend.units(Layer::Visible, rows).unwrap();
        let states = random_states(rows, 37, 2);
        backend.write_units(visible, &states, &states);
        let hidden = backend.units(Layer::Hidden, rows).unwrap();
        let params = Params { step: 4, ..Params::new(shape, rows, 3) }.sample(Stream::Hidden, 1);
        backend.sample_hidden(&params, visible, hidden);
        let drawn_there = backend.read_units(hidden, rows).unwrap();

        let offset = 13;
        let mut uniforms = vec![POISON; offset];
        for row in 0..rows as u32 {
            uniforms.extend((0..21).map(|unit| uniform_at(3, 4, params.draw, row, unit)));
        }
        backend.uniforms(uniforms.len()).unwrap();
        backend.write_uniforms(&uniforms);
        let from_host =
            Params { flags: params.flags | Params::HOST_UNIFORMS, uniforms_at: offset as u32, ..params };
        backend.sample_hidden(&from_host, visible, hidden);
        assert_eq!(backend.read_units(hidden, rows).unwrap(), drawn_there, "{name}");
    }
}

/// A draw belongs to a unit, not to an invocation: the tiles differ by rounding, and so by the states whose number lies
/// between two means, but by nothing else.
#[test]
fn every_tile_draws_the_same_states() {
    let shape = Shape { visible: 203, hidden: 150 };
    let rows = 70;
    for (from, to) in [(Layer::Visible, Layer::Hidden), (Layer::Hidden, Layer::Visible)] {
        let states = random_states(rows, shape.units(from), 1);
        let params = Params { step: 4, ..Params::new(shape, rows, 3) }.sample(Stream::Hidden, 0);
        let mut first: Option<(Vec<f32>, Vec<f32>)> = None;
        for (name, mut backend) in common::tiles("every_tile_draws_the_same_states", shape) {
            backend.write_rbm(&random_rbm(shape, 0.1, 1), &Rbm::zeros(shape));
            let [input, output] = [from, to].map(|layer| backend.units(layer, rows).unwrap());
            backend.write_units(input, &states, &states);
            match to {
                Layer::Hidden => backend.sample_hidden(&params, input, output),
                Layer::Visible => backend.sample_visible(&params, input, output),
            }
            let drawn = backend.read_units(output, rows).unwrap();
            let (means, expected) = first.get_or_insert_with(|| drawn.clone());
            let error = largest_difference(&drawn.0, means);
            assert!(error < 1e-6, "{name}: {to:?} means differ by {error:e}");
            for (at, (state, expected)) in drawn.1.iter().zip(expected).enumerate() {
                let (row, unit) = (at / shape.units(to), at % shape.units(to));
                let u = uniform_at(3, 4, params.draw, row as u32, unit as u32);
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
        let check = check::step(&mut *backend, shape, 100, 1).unwrap();
        assert!(check.passes(), "{name}: {check:?}");
    }
}

#[test]
fn clamp_visible() {
    each("clamp_visible", |case, sides| {
        let width = case.shape.visible;
        let known = random_means(case.rows, width, 5);
        let mask: Vec<f32> = (0..width).map(|i| (i * 7 % 3) as f32).collect();
        let params = Params::new(case.shape, case.rows, case.seed);
        let from = units(case, sides, Layer::Visible, Some(&known));
        let to = units(case, sides, Layer::Visible, Some(&random_states(case.rows, width, 6)));
        let mut states = Vec::new();
        for (side, (from, to)) in sides.iter_mut().zip(from.into_iter().zip(to)) {
            let values = side.values(width).unwrap();
            side.write_values(values, &mask);
            side.clamp_visible(&params, from, values, to);
            states.push(read(case, &mut **side, Layer::Visible, to).1);
        }
        assert_eq!(states[0], states[1], "{}", case.name);
        let taken = |at: usize| mask[at % width] == 0.0 || states[0][at] == known[at];
        assert!((0..known.len()).all(taken), "{}: a known unit changed", case.name);
    });
}

/// The two kernels that only benchmarks need.
#[test]
fn multiply_add_and_copy() {
    each("multiply_add_and_copy", |case, sides| {
        let count = case.rows * case.shape.visible;
        let params = Params { rows: count as u32, ..Params::new(case.shape, case.rows, case.seed) };
        let numbers: Vec<f32> = random_means(1, count + GUARD, 5).iter().map(|x| x * 20.0).collect();
        let mut results = Vec::new();
        for side in sides.iter_mut() {
            let [values, copies] = [side.values(count + GUARD).unwrap(), side.values(count + GUARD).unwrap()];
            side.write_values(values, &numbers);
            side.write_values(copies, &vec![POISON; count + GUARD]);
            side.multiply_add(&params, values);
            side.copy(&params, values, copies);
            let [values, copies] = [values, copies].map(|all| side.read_values(all, count + GUARD).unwrap());
            assert_eq!(values[..count], copies[..count], "{}", case.name);
            assert_eq!(values[count..], numbers[count..], "{}: changed past the last", case.name);
            assert!(copies[count..].iter().all(|x| x.is_nan()), "{}: wrote past the last", case.name);
            results.push(values);
        }
        let error = largest_difference(&results[0], &results[1]);
        assert!(error <= 20.0 * TOLERANCE, "{}: {error:e}", case.name);
    });
}

#[test]
fn a_wrong_kernel_is_found() {
    // The comparison itself must be able to fail: one weight is off by 1e-3.
    let shape = Shape { visible: 9, hidden: 6 };
    let (mut right, mut wrong) = (common::reference(shape), common::reference(shape));
    let mut rbm = random_rbm(shape, 0.3, 1);
    right.write_rbm(&rbm, &rbm);
    rbm.weights[4] += 1e-3;
    wrong.write_rbm(&rbm, &rbm);
    let params = Params::new(shape, 2, 1).sample(Stream::Hidden, 0);
    let means = [&mut right, &mut wrong].map(|side| {
        let (visible, hidden) =
            (side.units(Layer::Visible, 2).unwrap(), side.units(Layer::Hidden, 2).unwrap());
        side.write_units(visible, &[1.0; 18], &[1.0; 18]);
        side.sample_hidden(&params, visible, hidden);
        side.read_units(hidden, 2).unwrap()
    });
    assert!(largest_difference(&means[0].0, &means[1].0) > TOLERANCE);
    let mut states = means[0].1.clone();
    states[3] = 1.0 - states[3];
    assert_eq!(wrong_states(&params, 6, &means[0].0, &states), 1);
}
