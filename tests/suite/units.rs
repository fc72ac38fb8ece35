//! Every kind of unit in its hard places: inputs up to 1000, precisions from 0.01 to 100, logits 200 apart. The values of
//! `../fixtures/golden/tails_units.json` were computed with 50 to 120 digits.

use rbm_gpu::units::Kind;
use serde_json::Value;

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
    for (kind, name) in [
        (Kind::Binary, "binary"),
        (Kind::Spin, "spin"),
        (Kind::Potts { states: 3 }, "potts"),
        (Kind::Gaussian, "gaussian"),
        (Kind::Relu, "relu"),
        (Kind::DoubleRelu, "drelu"),
    ] {
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
