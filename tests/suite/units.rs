//! Every kind of unit in its hard places: inputs up to 1000, precisions from 0.01 to 100, logits 200 apart. The values of
//! `../fixtures/golden/tails_units.json` were computed with 50 to 120 digits.

use std::collections::BTreeSet;

use crate::common;
use rbm_gpu::{
    backend::{BackendExt, Draw, FreeEnergy, HalfStep},
    rbm::{Layers, Rbm},
    units::{Kind, Layer},
};
use serde_json::Value;

/// The kinds and their names in the file.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Binary, "binary"),
    (Kind::Spin, "spin"),
    (Kind::Potts { states: 3 }, "potts"),
    (Kind::Gaussian, "gaussian"),
    (Kind::Relu, "relu"),
    (Kind::DoubleRelu, "drelu"),
];

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().map(number).collect(),
        _ => vec![number(value)],
    }
}

/// The cases of a kind, as the file names it, each with the parameters that a unit of ours takes.
fn cases(kind: Kind, name: &str) -> Vec<(Vec<f64>, Value)> {
    let file: Value = serde_json::from_str(include_str!("../fixtures/golden/tails_units.json")).unwrap();
    let parameters = |case: &Value| match kind {
        Kind::Gaussian | Kind::Relu => vec![number(&case["b"]), number(&case["gamma"])],
        Kind::DoubleRelu => {
            let (above, below) = (number(&case["b_pos"]), number(&case["b_neg"]));
            let [positive, negative] = ["gamma_pos", "gamma_neg"].map(|name| number(&case[name]));
            vec![(above + below) / 2.0, positive, negative, (above - below) / 2.0]
        }
        Kind::Binary | Kind::Spin | Kind::Potts { .. } => numbers(&case["b"]),
    };
    let cases = file["cases"][name].as_array().unwrap().iter();
    cases.map(|case| (parameters(case), case.clone())).collect()
}

/// Holds numbers to a relative error. The file has 50 decimals of some.
fn check(kind: Kind, case: &Value, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * expected.abs() + 1e-50,
            "{kind}: {what} is {found}, expected {expected}: {case}"
        );
    }
}

#[test]
fn every_kind_is_right_in_its_tails() {
    let mut count = 0;
    for (kind, name) in KINDS {
        for (parameters, case) in cases(kind, name) {
            count += 1;
            let unit = kind.unit();
            let input = numbers(&case["I"]);
            let mut expectation = vec![0.0; parameters.len()];
            unit.expectation(&parameters, &input, &mut expectation);
            let cumulant = unit.cumulant(&parameters, &input);
            check(kind, &case, "the cumulant", &[cumulant], &numbers(&case["cgf"]), 1e-12);
            let mean = &expectation[..input.len()];
            check(kind, &case, "the mean", mean, &numbers(&case["mean"]), 1e-12);
            let variance = match kind {
                Kind::Binary => vec![mean[0] * (1.0 - mean[0])],
                Kind::Gaussian | Kind::Relu => vec![-2.0 * expectation[1] - mean[0] * mean[0]],
                Kind::DoubleRelu => vec![-2.0 * (expectation[1] + expectation[2]) - mean[0] * mean[0]],
                Kind::Spin | Kind::Potts { .. } => continue,
            };
            // What is left of ⟨s²⟩ and ⟨s⟩², which may be millions of times larger.
            let expected = numbers(&case["var"]);
            let error = (variance[0] - expected[0]).abs();
            let scale = expected[0] + mean[0] * mean[0];
            assert!(
                error <= 1e-12 * scale,
                "{kind}: the variance is {}, expected {}: {case}",
                variance[0],
                expected[0]
            );
        }
    }
    assert_eq!(count, 421);
}

/// On a device, with 32 bits: to a relative error of 1e-5, besides what the rounding of parameters and inputs makes of the result.
#[test]
fn every_device_is_right_in_their_tails() {
    let mut count = 0;
    for (kind, name) in KINDS {
        let all = cases(kind, name);
        count += all.len();
        let columns: BTreeSet<usize> = all.iter().map(|(_, case)| numbers(&case["I"]).len()).collect();
        for columns in columns {
            let kind = match kind {
                Kind::Potts { .. } => Kind::Potts { states: columns as u32 },
                kind => kind,
            };
            let cases: Vec<_> = all.iter().filter(|(_, case)| numbers(&case["I"]).len() == columns).collect();
            of_kind(kind, &cases);
        }
    }
    assert_eq!(count, 421);
}

/// Holds every device to the cases of a kind.
fn of_kind(kind: Kind, cases: &[&(Vec<f64>, Value)]) {
    const ROUNDING: f64 = 1.5e-7;
    let layers = Layers { visible: Layer::of(Kind::Binary, 1), hidden: Layer::of(kind, 1) };
    for (device, mut backend) in common::fast("every_device_is_right_in_their_tails", &layers) {
        let backend = &mut *backend;
        let (model, pair, values) =
            (backend.model().unwrap(), backend.pair(1).unwrap(), backend.values(1).unwrap());
        backend.write_units(pair.visible, &[1.0], &[1.0]);
        for (parameters, case) in cases {
            let narrow = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<_>>();
            let input = numbers(&case["I"]);
            let tensors = [narrow(&input), vec![0.0], narrow(parameters)];
            backend.write_model(model, &Rbm::from_tensors(&layers, tensors));
            let op = HalfStep::new(1, Draw::none());
            backend.sample(&op, model.into(), pair.visible, pair.hidden);
            backend.free_energy(&FreeEnergy::new(1), model.into(), pair.visible, values);
            let cumulant = -f64::from(backend.read_values(values, 1).unwrap()[0]);
            let (means, _) = backend.read_units(pair.hidden, 1).unwrap();
            // θ + x is rounded; so are the terms of a double rectified unit's two sides.
            let size = input.iter().chain(parameters).fold(0.0_f64, |size, x| size.max(x.abs()));
            let expected = (numbers(&case["mean"]), number(&case["cgf"]));
            let largest = expected.0.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            let error = (cumulant - expected.1).abs();
            assert!(
                error <= 1e-5 * expected.1.abs().max(1.0) + ROUNDING * size * largest,
                "{kind} on {device}: the cumulant is {cumulant}, expected {}: {case}",
                expected.1
            );
            for (&mean, &expected_mean) in means.iter().zip(&expected.0) {
                let variance = match case.get("var") {
                    Some(variance) if !matches!(kind, Kind::Potts { .. }) => numbers(variance)[0],
                    _ => expected_mean.abs(),
                };
                // Of the odds of the two sides.
                let of_odds = match kind {
                    Kind::DoubleRelu => 4.0 * ROUNDING * expected.1.abs() * variance.sqrt(),
                    _ => 0.0,
                };
                // The kernels of binary layers are right to so many decimals.
                let smallest = if kind == Kind::Binary { 1e-6 } else { 2e-38 };
                let tolerance = 1e-5 * expected_mean.abs() + ROUNDING * size * variance + of_odds + smallest;
                let error = (f64::from(mean) - expected_mean).abs();
                assert!(
                    error <= tolerance,
                    "{kind} on {device}: the mean is {mean}, expected {expected_mean}: {case}"
                );
            }
        }
    }
}
