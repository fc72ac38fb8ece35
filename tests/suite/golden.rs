//! Conventions: for some models, all backends compute what scikit-learn 1.9.1 and an independent reference with 50 digits
//! compute. The parameters of `fixtures/golden` are rounded to 32 bits here.

use crate::common;
use rbm_gpu::{
    backend::{BackendExt, Draw, Energy, FreeEnergy, HalfStep},
    data::Rows,
    exact,
    likelihood::pseudo_log_likelihood,
    rbm::{Rbm, Shape},
    reference,
};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        _ => vec![value.as_f64().unwrap()],
    }
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|x| x as f32).collect()
}

struct Golden {
    rbm: Rbm,
    visible: Vec<f32>,
    hidden: Vec<f32>,
    rows: usize,
    values: Value,
}

fn golden() -> Vec<(&'static str, Golden)> {
    let files = [
        ("small parameters", include_str!("../fixtures/golden/binary.json")),
        ("large parameters", include_str!("../fixtures/golden/binary_large.json")),
    ];
    files.map(|(name, text)| (name, Golden::new(serde_json::from_str(text).unwrap()))).into()
}

impl Golden {
    fn new(values: Value) -> Self {
        let block = |side: &str| {
            assert_eq!(values["model"][side][0]["kind"], "binary");
            floats(&values["model"][side][0]["b"])
        };
        let (visible_bias, hidden_bias) = (block("visible"), block("hidden"));
        let shape = Shape { visible: visible_bias.len(), hidden: hidden_bias.len() };
        let rbm = Rbm::from_tensors(shape, [floats(&values["model"]["weights"]), visible_bias, hidden_bias]);
        let (visible, hidden) = (floats(&values["inputs"]["v"]), floats(&values["inputs"]["h"]));
        Self { rbm, rows: visible.len() / shape.visible, visible, hidden, values }
    }

    /// The values of this name, from the reference and, where it has them, from scikit-learn.
    fn expected(&self, name: &str) -> Vec<(&'static str, Vec<f64>)> {
        let of = |of: &'static str| self.values[of].get(name).map(|value| (of, numbers(value)));
        let found: Vec<_> = ["reference", "program_values"].into_iter().filter_map(of).collect();
        assert!(!found.is_empty(), "nobody has {name}");
        found
    }

    /// Checks numbers against both; `tolerance` is relative to the largest, or to 1.
    fn check(&self, name: &str, found: &[f64], tolerance: f64, whose: &str) {
        for (of, expected) in self.expected(name) {
            assert_eq!(found.len(), expected.len(), "{whose}: {name}");
            let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs();
                assert!(error <= tolerance * size, "{whose}: {name}[{at}] is {found}, {of} {expected}");
            }
        }
    }
}

#[test]
fn the_reference_has_the_conventions_of_the_field() {
    for (name, golden) in golden() {
        let Golden { rbm, visible, hidden, rows, .. } = &golden;
        let Shape { visible: m, hidden: n } = rbm.shape();
        let cases = || visible.chunks(m).zip(hidden.chunks(n));
        let energies: Vec<f64> = cases().map(|(v, h)| reference::energy(rbm, v, h)).collect();
        golden.check("energy", &energies, 1e-6, name);
        let free: Vec<f64> = cases().map(|(v, _)| reference::free_energy(rbm, 1.0, v)).collect();
        golden.check("free_energy_v", &free, 1e-6, name);
        golden.check("log_z", &[exact::log_partition_function(rbm).unwrap()], 1e-6, name);
        let bits: Vec<bool> = visible.iter().map(|&v| v == 1.0).collect();
        let rows_of_bits = Rows::from_bits(m, &bits);
        let pseudo = pseudo_log_likelihood(rbm, &rows_of_bits, *rows);
        for (of, conditionals) in golden.expected("site_log_cond") {
            let expected = conditionals.iter().sum::<f64>() / *rows as f64;
            assert!((pseudo - expected).abs() < 1e-5 * expected.abs(), "{name}: {pseudo}, {of} {expected}");
        }
        let [weights, b, c] = exact::log_likelihood_gradient(rbm, &rows_of_bits).unwrap();
        let expected = &golden.values["reference"]["gradient_of_mean_log_p_v"];
        for (tensor, found, expected) in [
            ("weights", weights, numbers(&expected["weights"])),
            ("visible", b, numbers(&expected["visible"][0]["b"])),
            ("hidden", c, numbers(&expected["hidden"][0]["b"])),
        ] {
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-6, "{name}: {tensor}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn every_device_has_them() {
    for (name, golden) in golden() {
        let Golden { rbm, visible, hidden, rows, .. } = &golden;
        for (device, mut backend) in common::all("every_device_has_them", rbm.shape()) {
            let backend = &mut *backend;
            let whose = format!("{name}, {device}");
            let (model, pair) = (backend.model_of(rbm).unwrap(), backend.pair(*rows).unwrap());
            let (back, values) = (backend.pair(*rows).unwrap(), backend.values(*rows).unwrap());
            backend.write_units(pair.visible, visible, visible);
            backend.write_units(pair.hidden, hidden, hidden);
            let means = HalfStep::new(*rows, Draw::none());
            backend.sample(&means, model.into(), pair.visible, back.hidden);
            backend.sample(&means, model.into(), pair.hidden, back.visible);
            let widen = |numbers: Vec<f32>| numbers.into_iter().map(f64::from).collect::<Vec<_>>();
            let mut read = |units| widen(backend.read_units(units, *rows).unwrap().0);
            let (mean_h, mean_v) = (read(back.hidden), read(back.visible));
            golden.check("mean_h", &mean_h, 1e-6, &whose);
            golden.check("mean_v", &mean_v, 1e-6, &whose);
            backend.energy(&Energy { rows: *rows as u32 }, model.into(), pair, values);
            golden.check("energy", &widen(backend.read_values(values, *rows).unwrap()), 1e-6, &whose);
            backend.free_energy(&FreeEnergy::new(*rows), model.into(), pair.visible, values);
            golden.check("free_energy_v", &widen(backend.read_values(values, *rows).unwrap()), 1e-6, &whose);
        }
    }
}
