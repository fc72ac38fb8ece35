//! The zero-sum gauge of Potts units: it changes parameters, and nothing that they are for.

use crate::common;
use rbm_gpu::{
    backend::{Ascent, Backend, BackendExt, Contrast, Draw, FreeEnergy, HalfStep, Offsets},
    check::{largest_difference, random_model},
    config::{ByEpoch, Switch, TrainConfig},
    cpu::Cpu,
    data::Source,
    exact,
    rbm::{Layers, Rbm, Side},
    train::Trainer,
    units::Kind,
};

fn layers(visible: &str, hidden: &str) -> Layers {
    Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() }
}

/// The largest sum of a Potts unit's weights to a column of the other side, and of its biases, over its states.
fn largest_sum(rbm: &Rbm) -> f32 {
    let shape = rbm.shape();
    let mut largest = 0.0_f32;
    for side in [Side::Visible, Side::Hidden] {
        for place in rbm.layers().side(side).potts() {
            let states = || place.column..place.column + place.kind.columns();
            let weight = |own: usize, other: usize| match side {
                Side::Visible => rbm.weights()[own * shape.hidden + other],
                Side::Hidden => rbm.weights()[other * shape.hidden + own],
            };
            let sums =
                (0..shape.units(side.other())).map(|other| states().map(|own| weight(own, other)).sum());
            let of_biases = states().map(|own| rbm.potentials(side)[own]).sum();
            largest = sums.chain([of_biases]).fold(largest, |largest: f32, sum: f32| largest.max(sum.abs()));
        }
    }
    largest
}

/// Visible states of some cases.
fn cases(layers: &Layers, rows: usize) -> Vec<f32> {
    let columns = layers.visible.columns();
    let mut states = vec![0.0; rows * columns];
    for (row, state) in states.chunks_mut(columns).enumerate() {
        for (at, place) in layers.visible.places().enumerate() {
            let own = &mut state[place.column..place.column + place.kind.columns()];
            match place.kind.states() {
                Some(states) => place.kind.state((5 * row + 3 * at + row / 3) % states, own),
                None => own[0] = ((row * 7 + at) as f32).sin().abs(),
            }
        }
    }
    states
}

#[test]
fn free_energies_move_by_one_number_and_the_sums_are_0() {
    let rows = 20;
    for (visible, hidden) in [
        ("1 gaussian, 3 potts:4, 1 relu", "2 binary, 2 potts:3, 1 spin, 1 gaussian, 1 relu, 1 drelu"),
        ("5 potts:21", "2 drelu"),
        ("2 spin, 1 drelu", "70 potts:2"),
    ] {
        let layers = layers(visible, hidden);
        let rbm = random_model(&layers, 0.3, 7, |x| 3.0 + x.abs());
        for (name, mut backend) in common::all("free_energies_move_by_one_number_and_the_sums_are_0", &layers)
        {
            let model = backend.model_of(&rbm).unwrap();
            let (units, values) =
                (backend.units(Side::Visible, rows).unwrap(), backend.values(rows).unwrap());
            let states = cases(&layers, rows);
            backend.write_units(units, &states, &states);
            let energies = |backend: &mut dyn Backend| {
                backend.free_energy(&FreeEnergy::new(rows), model.into(), units, values);
                backend.read_values(values, rows).unwrap()
            };
            let before = energies(&mut *backend);
            backend.fix_gauge(model);
            let after = energies(&mut *backend);
            let moved: Vec<f32> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let spread = largest_difference(&moved, &vec![moved[0]; rows]);
            let size = before.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
            assert!(spread < 4e-6 * size, "{name}: {visible} × {hidden}: {moved:?}");
            let found = backend.read_model(model).unwrap();
            assert!(largest_sum(&rbm) > 0.1, "the model was not in the gauge before");
            assert!(
                largest_sum(&found) < 2e-6 * visible.len().max(70) as f32,
                "{name}: {}",
                largest_sum(&found)
            );
        }
    }
}

/// Adds a number to the weights of a Potts unit to each column, and takes it from the column's bias.
fn in_another_gauge(rbm: &Rbm) -> Rbm {
    let mut other = rbm.clone();
    let hidden = rbm.shape().hidden;
    for (number, place) in rbm.layers().visible.potts().enumerate() {
        for j in 0..hidden {
            let by = 0.5 * ((number + 2 * j) as f32).sin();
            for i in place.column..place.column + place.kind.columns() {
                other.weights_mut()[i * hidden + j] += by;
            }
            other.hidden_bias_mut()[j] -= by;
        }
    }
    other
}

/// CD-1 by means, so that no rounding moves a draw.
fn learn(backend: &mut dyn Backend, start: &Rbm, in_gauge: bool, centred: bool) -> Rbm {
    let (rows, layers) = (12, start.layers());
    let [theta, gradient, velocity] = [0; 3].map(|_| backend.model_of(start).unwrap());
    backend.write_model(velocity, &Rbm::zeros(layers));
    let (positive, negative) = (backend.pair(rows).unwrap(), backend.pair(rows).unwrap());
    let states = cases(layers, rows);
    backend.write_units(positive.visible, &states, &states);
    let [mu, lambda] = [Side::Visible, Side::Hidden].map(|side| {
        let count = layers.side(side).columns();
        let values = backend.values(count).unwrap();
        backend.write_values(values, &vec![0.25; count]);
        values
    });
    let offsets = Offsets { visible: mu, hidden: lambda };
    let contrast = Contrast { centred: centred.into(), ..Contrast::new(rows, rows) };
    let ascent = Ascent { momentum: 0.5, ..Ascent::new(0.2) };
    let mean = HalfStep::new(rows, Draw::none());
    for _ in 0..20 {
        backend.sample(&mean, theta.into(), positive.visible, positive.hidden);
        backend.sample(&mean, theta.into(), positive.hidden, negative.visible);
        backend.sample(&mean, theta.into(), negative.visible, negative.hidden);
        backend.gradient(&contrast, positive, negative, Some(offsets), gradient);
        backend.ascend(&ascent, gradient, theta, velocity, None);
        if centred {
            backend.recentre(gradient, offsets, theta);
        }
        if in_gauge {
            backend.fix_gauge(theta);
        }
    }
    backend.read_model(theta).unwrap()
}

#[test]
fn from_two_gauges_of_a_model_training_gives_one_distribution() {
    let layers = layers("2 potts:3, 1 binary", "1 potts:4, 1 spin, 2 binary");
    let start = random_model(&layers, 0.3, 3, |x| x);
    let other = in_another_gauge(&start);
    for (name, mut backend) in
        common::all("from_two_gauges_of_a_model_training_gives_one_distribution", &layers)
    {
        for centred in [false, true] {
            let in_gauge = learn(&mut *backend, &start, true, centred);
            let free = learn(&mut *backend, &other, false, centred);
            let [start, in_gauge, free] =
                [&start, &in_gauge, &free].map(|rbm| exact::visible_distribution(rbm).unwrap());
            let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
            assert!(apart(&start, &free) > 0.1, "{name}: it learns");
            let difference = apart(&in_gauge, &free);
            assert!(difference < 2e-5, "{name}, centred {centred}: {difference}");
        }
    }
}

#[test]
fn a_run_stays_in_the_gauge_and_the_doctor_knows_it() {
    let plain = TrainConfig { momentum: ByEpoch::from(0.0), ..TrainConfig::default() };
    for options in [
        plain.clone(),
        TrainConfig {
            centred: Switch::On,
            momentum: ByEpoch::from(0.5),
            max_norm: Some(0.3),
            ..plain.clone()
        },
        TrainConfig { l1b: Some(0.3), ..plain.clone() },
        TrainConfig { standardised: Switch::On, learning_rate: 0.01, l1b: Some(0.1), ..plain },
    ] {
        let config = TrainConfig {
            data: Source::BarsAndStripes(4),
            hidden: 6,
            hidden_units: Kind::Potts { states: 3 }.into(),
            epochs: 3,
            batch: 5,
            average: 0.5,
            ..options
        };
        let layers = Layers { hidden: config.hidden_layer(), ..layers("16 binary", "1 binary") };
        let dataset = config.data.load().unwrap();
        let mut trainer =
            Trainer::with_backend(&config, dataset, Box::new(Cpu::open(layers)), false).unwrap();
        for _ in 0..config.epochs {
            trainer.epoch(|_| {}).unwrap();
            let step = trainer.doctor().unwrap().latest().step.clone().unwrap();
            for group in step.groups {
                let is_right = (group.factor - 1.0).abs() < 0.01 && group.residual < 0.01;
                assert!(is_right || !group.measurable, "{step:?}");
            }
            let rbm = trainer.rbm().unwrap();
            assert!(largest_sum(&rbm) < 1e-6, "{}", largest_sum(&rbm));
            assert!(rbm.weights().iter().any(|weight| weight.abs() > 1e-3), "not all are 0");
        }
    }
}
