//! Models of other programs: what their files say is what is read, and what is written is read again. The golden models' free
//! energies are those of the other programs and of an independent reference.

use std::path::Path;

use crate::golden::{Golden, golden, numbers};
use rbm_gpu::{
    Error,
    data::{
        Encoding,
        npy::{Array, Values, write_npz},
    },
    exchange::{Export, Format, Import, Names, States, export, import},
    hdf5::{self, Content},
    output::Target,
    rbm::{Rbm, Side},
    reference,
    units::Kind,
};
use serde_json::Value;

/// Free energies of a model's cases, less that of the first: constants are no part of a model.
fn free_energies(rbm: &Rbm, visible: &[f32]) -> Vec<f64> {
    let cases = visible.chunks(rbm.shape().visible);
    less_the_first(cases.map(|v| reference::free_energy(rbm, 1.0, v)).collect())
}

fn less_the_first(energies: Vec<f64>) -> Vec<f64> {
    energies.iter().map(|energy| energy - energies[0]).collect()
}

fn close(found: &[f64], expected: &[f64], what: &str) {
    let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-6 * size, "{what}: [{at}] is {found}, expected {expected}");
    }
}

/// What the reference has for the golden model's cases.
fn expected(golden: &Golden) -> Vec<f64> {
    less_the_first(numbers(&golden.values["reference"]["free_energy_v"]))
}

fn doubles(shape: Vec<usize>, values: Vec<f64>) -> Content {
    Content::Doubles(shape, values)
}

fn write(path: &Path, contents: Vec<(String, Content)>) {
    let target = Target::new(path, true).unwrap();
    target
        .write(|out| hdf5::write(out, contents.iter().map(|(name, content)| (&**name, content.clone()))))
        .unwrap();
}

#[test]
fn every_format_keeps_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let formats = [
        (Format::Rbms, "a.h5"),
        (Format::RbmsJl, "a.h5"),
        (Format::Pgm, "a.h5"),
        (Format::Ising, "a.json"),
        (Format::Npz, "a.npz"),
        (Format::Safetensors, "a.safetensors"),
    ];
    let mut kept = [0; 6];
    for golden in golden() {
        let encoding = Encoding::new(golden.rbm.layers().visible.clone());
        for ((format, file), kept) in formats.into_iter().zip(&mut kept) {
            let path = folder.path().join(file);
            let how = Export { format, names: Names::RbmGpu, states: None };
            match export(&golden.rbm, &encoding, &Target::new(&path, true).unwrap(), how) {
                Ok(_) => {}
                Err(Error::Usage(message)) => {
                    let visible = golden.rbm.layers().visible.to_string();
                    assert!(message.contains(&visible) && message.contains("safetensors"), "{message}");
                    continue;
                }
                Err(error) => panic!("{}: {error}", golden.name),
            }
            let what = format!("{} as {format:?}", golden.name);
            let imported = match format {
                Format::Safetensors if !golden.rbm.layers().are_binary() => {
                    rbm_gpu::model::load(&path).unwrap().rbm
                }
                _ => import(&path, &Import::default()).unwrap_or_else(|error| panic!("{what}: {error}")).rbm,
            };
            close(&free_energies(&imported, &golden.visible), &expected(&golden), &what);
            *kept += 1;
        }
    }
    // Of the 44, 42 have one kind of unit a layer.
    assert_eq!(kept, [17, 42, 42, 2, 7, 44]);
}

#[test]
fn spins_are_written_as_zeros_and_ones_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let mut turned = 0;
    for golden in golden() {
        let kinds: Vec<Kind> = golden.rbm.layers().visible.blocks().iter().map(|block| block.kind).collect();
        let (to, state): (_, fn(f32) -> f32) = match kinds[..] {
            [Kind::Binary] => (States::Spin, |x| 2.0 * x - 1.0),
            [Kind::Spin] => (States::Binary, |x| (x + 1.0) / 2.0),
            _ => continue,
        };
        let encoding = Encoding::new(golden.rbm.layers().visible.clone());
        let how = Export { format: Format::RbmsJl, names: Names::Sklearn, states: Some(to) };
        export(&golden.rbm, &encoding, &Target::new(&path, true).unwrap(), how).unwrap();
        let imported = import(&path, &Import::default()).unwrap().rbm;
        assert_ne!(imported.layers(), golden.rbm.layers());
        let visible: Vec<f32> = golden.visible.iter().map(|&x| state(x)).collect();
        close(&free_energies(&imported, &visible), &expected(&golden), &golden.name);
        turned += 1;
    }
    assert_eq!(turned, 23);
}

/// The one block of a side.
fn block<'a>(golden: &'a Golden, side: &str) -> &'a Value {
    &golden.values["model"][side][0]
}

/// The arrays of PGM, by the conversions that the golden models were made with: fields = b, θ = −b, θ₊ = −b₊, θ₋ = b₋.
fn of_pgm(golden: &Golden) -> Vec<(String, Content)> {
    let mut contents = Vec::new();
    for side in ["visible", "hidden"] {
        let block = block(golden, side);
        let units = block["n"].as_u64().unwrap() as usize;
        let of =
            |name: &str, sign: f64| numbers(&block[name]).into_iter().map(|x| sign * x).collect::<Vec<_>>();
        let (name, parameters) = match block["kind"].as_str().unwrap() {
            "binary" => ("Bernoulli", vec![("fields", of("b", 1.0))]),
            "spin" => ("Spin", vec![("fields", of("b", 1.0))]),
            "potts" => ("Potts", vec![("fields", of("b", 1.0))]),
            "gaussian" => ("Gaussian", vec![("gamma", of("gamma", 1.0)), ("theta", of("b", -1.0))]),
            "relu" => ("ReLU+", vec![("gamma", of("gamma", 1.0)), ("theta", of("b", -1.0))]),
            _ => {
                let mut both = vec![("theta_plus", of("b_pos", -1.0)), ("theta_minus", of("b_neg", 1.0))];
                let (positive, negative) = (of("gamma_pos", 1.0), of("gamma_neg", 1.0));
                let is_one = positive == negative;
                both.push((if is_one { "gamma" } else { "gamma_plus" }, positive));
                if !is_one {
                    both.push(("gamma_minus", negative));
                }
                (if is_one { "ReLU" } else { "dReLU" }, both)
            }
        };
        contents.push((side.to_string(), Content::Text(name.into())));
        for (parameter, values) in parameters {
            let shape = match values.len() / units {
                1 => vec![units],
                states => vec![units, states],
            };
            contents.push((format!("{}_{parameter}", &side[..1]), doubles(shape, values)));
        }
    }
    let sizes = |side: &str| {
        let block = block(golden, side);
        (block["n"].as_u64().unwrap() as usize, block["q"].as_u64().unwrap_or(1) as usize)
    };
    let ((n_v, q_v), (n_h, q_h)) = (sizes("visible"), sizes("hidden"));
    let columns = numbers(&golden.values["model"]["weights"]);
    let mut weights = Vec::new();
    for j in 0..n_h {
        for i in 0..n_v {
            for b in 0..q_h {
                for a in 0..q_v {
                    weights.push(columns[(i * q_v + a) * n_h * q_h + j * q_h + b]);
                }
            }
        }
    }
    let shape = [n_h, n_v].into_iter().chain([q_h, q_v].into_iter().filter(|&q| q > 1)).collect();
    contents.push(("weights".into(), doubles(shape, weights)));
    contents
}

#[test]
fn files_of_pgm_rbms_and_scikit_learn_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let mut read = [0; 3];
    for golden in golden() {
        let name = golden.name.clone();
        let shape = golden.rbm.shape();
        let weights = numbers(&golden.values["model"]["weights"]);
        // Double-rectified units, of PGM only, have two.
        let biases =
            ["visible", "hidden"].map(|side| block(&golden, side).get("b").map_or(Vec::new(), numbers));
        if name.starts_with("pgm") {
            write(&path, of_pgm(&golden));
            read[0] += 1;
        } else if name.starts_with("rbms") {
            let units = block(&golden, "visible")["n"].as_u64().unwrap() as usize;
            let states = block(&golden, "visible")["q"].as_u64().map(|states| states as usize);
            let seen = [Some(units), states].into_iter().flatten().collect::<Vec<_>>();
            let model_type =
                ["bbrbm", "pbrbm", "bgrbm", "igrbm", "iirbm"].into_iter().find(|kind| name.contains(kind));
            let group = if name.contains("050") { "update_7" } else { "update_7/params" };
            let [visible, hidden] = biases;
            let at = |name: &str| format!("{group}/{name}");
            let mut contents = vec![
                (at("weight_matrix"), doubles([&seen[..], &[shape.hidden]].concat(), weights)),
                (at("vbias"), doubles(seen, visible)),
                (at("hbias"), doubles(vec![hidden.len()], hidden)),
            ];
            // 0.5 does not name the model.
            if !name.contains("050") {
                contents.push(("model_type".into(), Content::Text(model_type.unwrap().to_uppercase())));
            }
            write(&path, contents);
            read[1] += 1;
        } else if name.starts_with("sklearn") {
            let [visible, hidden] = biases;
            let (m, n) = (shape.visible, shape.hidden);
            let components =
                (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).map(|(i, j)| weights[i * n + j]);
            let array = |shape: Vec<usize>, values: Vec<f64>| Array {
                shape,
                values: Values::Floats(values.into_iter().map(|x| x as f32).collect()),
            };
            let arrays = [
                ("components_", array(vec![n, m], components.collect())),
                ("intercept_hidden_", array(vec![n], hidden)),
                ("intercept_visible_", array(vec![m], visible)),
            ];
            let target = Target::new(&path, true).unwrap();
            target.write(|out| write_npz(out, arrays.iter().map(|(name, array)| (*name, array)))).unwrap();
            read[2] += 1;
        } else {
            continue;
        }
        let imported = import(&path, &Import::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(imported.rbm.layers(), golden.rbm.layers(), "{name}");
        close(&free_energies(&imported.rbm, &golden.visible), &expected(&golden), &name);
        for side in [Side::Visible, Side::Hidden] {
            let pairs = imported.rbm.potentials(side).iter().zip(golden.rbm.potentials(side));
            assert!(
                pairs.clone().all(|(one, other)| (one - other).abs() <= 1e-6 * other.abs().max(1.0)),
                "{name}"
            );
        }
    }
    assert_eq!(read, [28, 8, 2]);
}
