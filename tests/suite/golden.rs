//! Conventions: what other programs and an independent reference in 50 digits compute for a model, this computes too.
//! `fixtures/golden/models.json.gz` has models of every kind of unit: of PGM, rbms, scikit-learn and PyDeep, and mixed ones that
//! no other program can have. Its numbers have 15 digits; parameters and inputs are rounded to 32 bits here.

use std::io::Read;

use crate::common;
use flate2::read::GzDecoder;
use rbm_gpu::{
    backend::{BackendExt, Draw, Energy, FreeEnergy, HalfStep},
    data::Rows,
    exact,
    likelihood::pseudo_log_likelihood,
    rbm::{Layers, Rbm, Shape, Side},
    reference,
    units::{Block, Kind, Layer},
};
use serde_json::Value;

pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        _ => vec![value.as_f64().unwrap()],
    }
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|x| x as f32).collect()
}

/// What a block's units have for their parameters, in the file's convention, as [`Kind::parameters`] has them; `join` is given what
/// belongs to positive and negative states.
fn parameters(block: &Value, kind: Kind, join: fn(f64, f64) -> (f64, f64)) -> Vec<Vec<f64>> {
    let of = |name: &str| numbers(&block[name]);
    match kind {
        Kind::Gaussian | Kind::Relu => vec![of("b"), of("gamma")],
        Kind::DoubleRelu => {
            let both = of("b_pos").into_iter().zip(of("b_neg")).map(|(above, below)| join(above, below));
            let (theta, delta) = both.unzip();
            vec![theta, of("gamma_pos"), of("gamma_neg"), delta]
        }
        Kind::Binary | Kind::Spin | Kind::Potts { .. } => vec![of("b")],
    }
}

pub struct Golden {
    pub name: String,
    pub rbm: Rbm,
    /// Columns.
    pub visible: Vec<f32>,
    hidden: Vec<f32>,
    rows: usize,
    pub values: Value,
}

pub fn golden() -> Vec<Golden> {
    let mut text = String::new();
    let file = include_bytes!("../fixtures/golden/models.json.gz");
    GzDecoder::new(&file[..]).read_to_string(&mut text).unwrap();
    let models: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(models.len(), 44);
    models.into_iter().map(Golden::new).collect()
}

impl Golden {
    fn new(values: Value) -> Self {
        let layers =
            Layers { visible: Self::layer(&values, "visible"), hidden: Self::layer(&values, "hidden") };
        let join = |above, below| ((above + below) / 2.0, (above - below) / 2.0);
        let of = |layer: &Layer, side: &str| {
            let potentials = Self::potentials(&values["model"][side], layer, join);
            potentials.into_iter().map(|x| x as f32).collect()
        };
        let tensors = [
            floats(&values["model"]["weights"]),
            of(&layers.visible, "visible"),
            of(&layers.hidden, "hidden"),
        ];
        let columns = |layer: &Layer, inputs: &str| -> Vec<f32> {
            let rows = values["inputs"][inputs].as_array().unwrap();
            rows.iter().flat_map(|row| Self::columns(layer, &numbers(row))).collect()
        };
        let (visible, hidden) = (columns(&layers.visible, "v"), columns(&layers.hidden, "h"));
        let rows = visible.len() / layers.visible.columns();
        let name = values["name"].as_str().unwrap().into();
        Self { name, rbm: Rbm::from_tensors(layers, tensors), visible, hidden, rows, values }
    }

    fn layer(values: &Value, side: &str) -> Layer {
        let blocks = values["model"][side].as_array().unwrap().iter();
        Layer::new(blocks.map(|block| {
            let number = |name: &str| block[name].as_u64().unwrap() as usize;
            let kind = match block["kind"].as_str().unwrap() {
                "potts" => Kind::Potts { states: number("q") as u32 },
                name => name.parse().unwrap(),
            };
            Block { kind, units: number("n") }
        }))
    }

    /// The blocks' parameters, in the order of a model's.
    fn potentials(blocks: &Value, layer: &Layer, join: fn(f64, f64) -> (f64, f64)) -> Vec<f64> {
        let columns = layer.columns();
        let mut all = vec![0.0; layer.parameters()];
        let mut column = 0;
        for (block, Block { kind, units }) in blocks.as_array().unwrap().iter().zip(layer.blocks()) {
            for (number, values) in parameters(block, *kind, join).into_iter().enumerate() {
                all[number * columns + column..][..values.len()].copy_from_slice(&values);
            }
            column += units * kind.columns();
        }
        all
    }

    /// Units' values as columns: Potts units have the number of their state.
    fn columns(layer: &Layer, values: &[f64]) -> Vec<f32> {
        let mut columns = vec![0.0; layer.columns()];
        for (place, &value) in layer.places().zip(values) {
            match place.kind {
                Kind::Potts { states } => {
                    place.kind.state(value as usize, &mut columns[place.column..][..states as usize]);
                }
                _ => columns[place.column] = value as f32,
            }
        }
        columns
    }

    /// What the reference, or the other program where it offers it, has under this name.
    fn expected(&self, name: &str) -> Vec<(&'static str, Vec<f64>)> {
        let of = |of: &'static str| self.values[of].get(name).map(|value| (of, numbers(value)));
        let found: Vec<_> = ["reference", "program_values"].into_iter().filter_map(of).collect();
        assert!(!found.is_empty(), "nobody has {name}");
        found
    }

    /// Checks numbers against both; `tolerance` is relative to the largest, or to 1.
    fn check(&self, name: &str, found: &[f64], tolerance: f64, whose: &str) {
        for (of, expected) in self.expected(name) {
            assert_eq!(found.len(), expected.len(), "{}, {whose}: {name}", self.name);
            let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs();
                let own = &self.name;
                assert!(
                    error <= tolerance * size,
                    "{own}, {whose}: {name}[{at}] is {found}, {of} {expected}"
                );
            }
        }
    }

    /// Of each case, by its visible and its hidden columns.
    fn cases(&self, of: impl Fn(&[f32], &[f32]) -> Vec<f64>) -> Vec<f64> {
        let Shape { visible, hidden } = self.rbm.shape();
        self.visible.chunks(visible).zip(self.hidden.chunks(hidden)).flat_map(|(v, h)| of(v, h)).collect()
    }
}

#[test]
fn the_reference_has_the_conventions_of_the_field() {
    let mut exact = 0;
    for golden in golden() {
        let rbm = &golden.rbm;
        let Shape { visible: m, hidden: n } = rbm.shape();
        let check = |name: &str, found: &[f64]| golden.check(name, found, 1e-6, "the reference");
        check("energy", &golden.cases(|v, h| vec![reference::energy(rbm, v, h)]));
        check("free_energy_v", &golden.cases(|v, _| vec![reference::free_energy(rbm, 1.0, v)]));
        check("free_energy_h", &golden.cases(|_, h| vec![-reference::log_marginal(rbm, Side::Hidden, h)]));
        check("mean_h", &golden.cases(|v, _| reference::expectation(rbm, Side::Hidden, v)[..n].to_vec()));
        check("mean_v", &golden.cases(|_, h| reference::expectation(rbm, Side::Visible, h)[..m].to_vec()));
        if !exact::is_enumerable(rbm.layers()) {
            continue;
        }
        exact += 1;
        check("log_z", &[exact::log_partition_function(rbm).unwrap()]);
        let rows = Rows::from_values(m, &golden.visible);
        let Ok(gradient) = exact::log_likelihood_gradient(rbm, &rows) else { continue };
        let expected = &golden.values["reference"]["gradient_of_mean_log_p_v"];
        // What θ and δ move, by what b₊ = θ + δ and b₋ = θ − δ move.
        let join = |above, below| (above + below, above - below);
        let of = |side: &str, layer: &Layer| Golden::potentials(&expected[side], layer, join);
        let expected = [
            numbers(&expected["weights"]),
            of("visible", &rbm.layers().visible),
            of("hidden", &rbm.layers().hidden),
        ];
        for (number, (found, expected)) in
            gradient.iter().flatten().zip(expected.iter().flatten()).enumerate()
        {
            let error = (found - expected).abs();
            let size = expected.abs().max(1.0);
            assert!(error < 2e-6 * size, "{}: gradient [{number}]: {found}, {expected}", golden.name);
        }
    }
    // All but Gaussian visible units with rectified hidden ones.
    assert_eq!(exact, 41);
}

#[test]
fn the_pseudo_likelihood_is_the_fields() {
    let mut found = 0;
    for golden in golden() {
        if golden.values["reference"].get("site_log_cond").is_none() {
            continue;
        }
        found += 1;
        let rows = Rows::from_values(golden.rbm.shape().visible, &golden.visible);
        let cases = rows.into();
        let pseudo = pseudo_log_likelihood(&golden.rbm, &cases, &cases);
        for (of, conditionals) in golden.expected("site_log_cond") {
            let expected = conditionals.iter().sum::<f64>() / golden.rows as f64;
            let name = &golden.name;
            assert!((pseudo - expected).abs() < 1e-5 * expected.abs(), "{name}: {pseudo}, {of} {expected}");
        }
    }
    // All with discrete visible units.
    assert!(found > 20, "{found} models");
}

#[test]
fn every_device_has_them() {
    for golden in golden() {
        let Golden { rbm, visible, hidden, rows, .. } = &golden;
        for (device, mut backend) in common::all("every_device_has_them", rbm.layers()) {
            // The mathematics of rectified units have 32 bits on a GPU.
            let tolerance = if device == "gpu" { 1e-5 } else { 1e-6 };
            let backend = &mut *backend;
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
            golden.check("mean_h", &mean_h, tolerance, &device);
            golden.check("mean_v", &mean_v, tolerance, &device);
            backend.energy(&Energy { rows: *rows as u32 }, model.into(), pair, values);
            golden.check("energy", &widen(backend.read_values(values, *rows).unwrap()), tolerance, &device);
            backend.free_energy(&FreeEnergy::new(*rows), model.into(), pair.visible, values);
            golden.check(
                "free_energy_v",
                &widen(backend.read_values(values, *rows).unwrap()),
                tolerance,
                &device,
            );
        }
    }
}
