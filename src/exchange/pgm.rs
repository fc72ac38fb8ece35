//! Models of PGM (Tubiana, Cocco and Monasson) as named arrays, in an HDF5 or an `.npz` file.
//!
//! | array | of | here |
//! | --- | --- | --- |
//! | `weights` | [hidden, visible(, hidden's states)(, visible's states)] | Wᵀ |
//! | `v_fields`, `h_fields` | Bernoulli, Spin: [units]; Potts: [units, states] | θ |
//! | `v_gamma`, `v_theta`, … | Gaussian, ReLU+ | γ, −θ |
//! | `h_gamma`, `h_theta_plus`, `h_theta_minus` | ReLU, which has both signs | γ₊ = γ₋, −(θ + δ), θ − δ |
//! | `h_gamma_plus`, `h_gamma_minus`, `h_theta_plus`, `h_theta_minus` | dReLU | the same |
//!
//! The texts `visible` and `hidden` name the kinds; without them, fields are of Bernoulli or Potts units.

use crate::{
    error::{Result, excerpt},
    hdf5::Content,
    rbm::{Layers, Side},
    units::{Kind, Kinds, Layer},
};

use super::{
    Import, Read,
    contents::array,
    letters, only,
    tensors::{Tensor, Tensors},
    unfit,
    wide::Wide,
};

/// Whether these are such arrays.
pub fn are_these(tensors: &Tensors) -> bool {
    let has = |start: &str| tensors.arrays.keys().any(|name| name.starts_with(start) && is_wanted(name));
    tensors.arrays.contains_key("weights") && has("v_") && has("h_")
}

/// Whether a file's array may be one of these.
pub fn is_wanted(name: &str) -> bool {
    let of_side = name.strip_prefix("v_").or(name.strip_prefix("h_"));
    let parameters = ["fields", "gamma", "theta", "gamma_plus", "gamma_minus", "theta_plus", "theta_minus"];
    ["weights", "visible", "hidden", letters::TEXT].contains(&name)
        || of_side.is_some_and(|name| parameters.contains(&name))
}

/// A side: its units and their parameters.
fn side(
    tensors: &mut Tensors,
    name: &str,
    wanted: Option<Kind>,
    notes: &mut Vec<String>,
) -> Result<(Layer, Vec<f64>)> {
    let letter = &name[..1];
    let key = |parameter: &str| format!("{letter}_{parameter}");
    let has = |tensors: &Tensors, parameter: &str| tensors.arrays.contains_key(&key(parameter));
    let named = match tensors.texts.get(name).map(|kind| kind.trim()) {
        None => None,
        Some("Bernoulli") => Some("binary"),
        Some("Spin") => Some("spin"),
        Some("Potts") => Some("potts"),
        Some("Gaussian") => Some("gaussian"),
        Some("ReLU+" | "ReLUplus") => Some("relu"),
        Some("ReLU" | "dReLU") => Some("drelu"),
        Some(other) => {
            let expected = "Bernoulli, Spin, Potts, Gaussian, ReLU+, ReLU or dReLU";
            return Err(
                tensors.bad(format!("expected {name} units of {expected}, found {:?}", excerpt(other)))
            );
        }
    };
    let wanted = wanted.map(|kind| Kind::NAMES[kind.number() as usize]).or(named);
    if has(tensors, "fields") {
        let Tensor { shape, values } = tensors.take(&key("fields"))?;
        let kind = match (shape[..].len(), wanted) {
            (2, Some("potts") | None) => {
                let states =
                    u32::try_from(shape[1]).ok().filter(|states| (2..=Kind::MOST_STATES).contains(states));
                Kind::Potts {
                    states: states.ok_or_else(|| tensors.bad(format!("{letter}_fields of {shape:?}")))?,
                }
            }
            (1, Some("spin")) => Kind::Spin,
            (1, Some("binary")) => Kind::Binary,
            (1, None) => {
                notes
                    .push(format!("{letter}_fields: taken as units of 0 and 1; choose ‹{name}› spin for ±1"));
                Kind::Binary
            }
            _ => {
                let wanted = wanted.unwrap_or("binary, spin or Potts");
                return Err(tensors
                    .bad(format!("expected fields of {wanted} units, found {letter}_fields of {shape:?}")));
            }
        };
        return Ok((Layer::of(kind, shape[0]), values));
    }
    let negative = |values: Vec<f64>| values.into_iter().map(|x| -x).collect::<Vec<_>>();
    let (kind, rows) = if has(tensors, "theta_plus") {
        let mut of = |name: &str| Ok::<_, crate::Error>(tensors.take(&key(name))?.values);
        let (above, below) = (negative(of("theta_plus")?), of("theta_minus")?);
        let both = tensors.arrays.remove(&key("gamma")).map(|gamma| gamma.values);
        let (positive, negative) = match both {
            Some(gamma) => (gamma.clone(), gamma),
            None => (tensors.take(&key("gamma_plus"))?.values, tensors.take(&key("gamma_minus"))?.values),
        };
        (Kind::DoubleRelu, vec![above, below, positive, negative])
    } else {
        let (gamma, theta) = (tensors.take(&key("gamma"))?.values, tensors.take(&key("theta"))?.values);
        let kind = match wanted {
            Some("gaussian") => Kind::Gaussian,
            Some("relu") => Kind::Relu,
            Some(other) => {
                return Err(
                    tensors.bad(format!("expected the parameters of {other} units, found {letter}_gamma"))
                );
            }
            None => {
                return Err(tensors.bad(format!(
                    "{letter}_gamma and {letter}_theta are those of Gaussian or of rectified units: choose ‹{name}› gaussian or \
                     relu"
                )));
            }
        };
        (kind, vec![negative(theta), gamma])
    };
    let units = rows[0].len();
    if rows.iter().any(|row| row.len() != units) {
        let found: Vec<_> = rows.iter().map(Vec::len).collect();
        return Err(
            tensors.bad(format!("expected as many of each parameter of the {name} units, found {found:?}"))
        );
    }
    Ok((Layer::of(kind, units), Wide::potentials(kind, rows)))
}

/// Reads a model.
pub fn read(mut tensors: Tensors, wanted: &Import) -> Result<Read> {
    let of = |kinds: &Option<Kinds>| kinds.is_some().then(|| only(kinds, Kind::Binary)).transpose();
    let mut notes = vec!["arrays of PGM".to_string()];
    let (visible, seen) = side(&mut tensors, "visible", of(&wanted.visible)?, &mut notes)?;
    let (hidden, unseen) = side(&mut tensors, "hidden", of(&wanted.hidden)?, &mut notes)?;
    let Tensor { shape, values } = tensors.take("weights")?;
    let (n_v, n_h) = (visible.units(), hidden.units());
    let states = |layer: &Layer| layer.blocks().first().map_or(1, |block| block.kind.columns());
    let (q_v, q_h) = (states(&visible), states(&hidden));
    let sizes: Vec<usize> = shape.iter().copied().filter(|&size| size != 1).collect();
    let expected: Vec<usize> = [n_h, n_v, q_h, q_v].into_iter().filter(|&size| size != 1).collect();
    if sizes != expected {
        return Err(tensors
            .bad(format!("expected weights of {expected:?} [hidden, visible, states], found {shape:?}")));
    }
    let mut weights = vec![0.0; values.len()];
    for (at, &value) in values.iter().enumerate() {
        let (rest, a) = (at / q_v, at % q_v);
        let (rest, b) = (rest / q_h, rest % q_h);
        let (j, i) = (rest / n_v, rest % n_v);
        weights[(i * q_v + a) * n_h * q_h + j * q_h + b] = value;
    }
    let text = tensors.texts.remove(letters::TEXT);
    let letters = if q_v > 1 { letters::PGM.of_file(q_v, text, &mut notes) } else { None };
    let wide = Wide::new(Layers { visible, hidden }, weights, [seen, unseen])
        .map_err(|reason| tensors.bad(reason))?;
    Ok(Read { wide, letters, notes })
}

/// A model's contents of such a file.
pub fn contents(wide: &Wide) -> Result<Vec<(String, Content)>> {
    let narrow = wide.is_narrow();
    let mut contents = Vec::new();
    let mut sizes = Vec::new();
    for (side, name) in [(Side::Visible, "visible"), (Side::Hidden, "hidden")] {
        let Some(kind) = wide.kind(side) else {
            return Err(unfit(&wide.layers, "PGM has one kind of unit a layer", None));
        };
        let rows = wide.rows(side, kind);
        let negative = |values: &[f64]| values.iter().map(|x| -x).collect::<Vec<_>>();
        let (kind_name, parameters) = match kind {
            Kind::Binary => ("Bernoulli", vec![("fields", rows[0].clone())]),
            Kind::Spin => ("Spin", vec![("fields", rows[0].clone())]),
            Kind::Potts { .. } => ("Potts", vec![("fields", rows[0].clone())]),
            Kind::Gaussian | Kind::Relu => (
                if kind == Kind::Relu { "ReLU+" } else { "Gaussian" },
                vec![("gamma", rows[1].clone()), ("theta", negative(&rows[0]))],
            ),
            Kind::DoubleRelu => (
                "dReLU",
                vec![
                    ("gamma_plus", rows[2].clone()),
                    ("gamma_minus", rows[3].clone()),
                    ("theta_plus", negative(&rows[0])),
                    ("theta_minus", rows[1].clone()),
                ],
            ),
        };
        let units = wide.layers.side(side).units();
        let mut shape = vec![units];
        if let Kind::Potts { states } = kind {
            shape.push(states as usize);
        }
        sizes.push((units, kind.columns()));
        contents.push((name.to_string(), Content::Text(kind_name.into())));
        for (parameter, values) in parameters {
            contents.push((format!("{}_{parameter}", &name[..1]), array(shape.clone(), values, narrow)));
        }
    }
    let [(n_v, q_v), (n_h, q_h)] = sizes[..] else { unreachable!("two sides") };
    let mut weights = Vec::with_capacity(wide.weights.len());
    for (j, i) in (0..n_h).flat_map(|j| (0..n_v).map(move |i| (j, i))) {
        for (b, a) in (0..q_h).flat_map(|b| (0..q_v).map(move |a| (b, a))) {
            weights.push(wide.weights[(i * q_v + a) * n_h * q_h + j * q_h + b]);
        }
    }
    let states = [q_h, q_v].into_iter().filter(|&q| q > 1);
    let shape = [n_h, n_v].into_iter().chain(states).collect();
    contents.push(("weights".into(), array(shape, weights, narrow)));
    Ok(contents)
}
