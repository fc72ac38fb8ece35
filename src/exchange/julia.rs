//! HDF5 files of RestrictedBoltzmannMachines.jl (Fernandez-de-Cossio-Diaz), format 1.0.0.
//!
//! Julia's arrays have their first index fastest, so that one of (q, N, M) is (M, N, q) in the file. `weights` is [hidden,
//! visible], each with its states; `visible_par` and `hidden_par` are [units(, states), parameters]:
//!
//! | type | parameters | here |
//! | --- | --- | --- |
//! | `Binary`, `Spin`, `Potts`, `PottsGumbel` | θ | the same |
//! | `Gaussian`, `ReLU` | θ, γ | the same, of \|γ\| |
//! | `dReLU` | θ₊, θ₋, γ₊, γ₋ | θ₊ = θ + δ, θ₋ = θ − δ |
//!
//! A `StandardizedRBM` has the interaction −Σ w (v − o_v)/s_v · (h − o_h)/s_h, a `CenteredRBM` the same with scales of 1: they
//! are undone, which changes energies by a constant.

use crate::{
    error::{Result, excerpt},
    hdf5::Content,
    rbm::{Layers, Side},
    units::{Kind, Layer},
};

use super::{
    Read,
    contents::array,
    letters,
    tensors::{Tensor, Tensors},
    unfit,
    wide::Wide,
};

/// What names the format, and its version.
pub const HEADER: (&str, &str) = ("rbm_hdf5_file_format_version", "1.0.0");

/// The arrays of such a file.
pub const ARRAYS: [&str; 11] = [
    letters::TEXT,
    "weights",
    "visible_par",
    "hidden_par",
    "offset_v",
    "offset_h",
    "scale_v",
    "scale_h",
    "rbm_type",
    "visible_type",
    "hidden_type",
];

/// A side: its units and their parameters, by column.
fn side(tensors: &mut Tensors, name: &str) -> Result<(Layer, Vec<f64>)> {
    let key = format!("{name}_type");
    let Some(kind) = tensors.texts.get(&key).cloned() else {
        return Err(tensors.bad(format!("expected the text {key}")));
    };
    let par = format!("{name}_par");
    let Tensor { shape, values } = tensors.take(&par)?;
    let bad =
        |expected: String| tensors.bad(format!("expected {par} of {expected}, found an array of {shape:?}"));
    let states = || {
        let states = shape.len().checked_sub(2).and_then(|at| u32::try_from(shape[at]).ok());
        let states = states.filter(|states| (2..=Kind::MOST_STATES).contains(states));
        states.ok_or_else(|| bad(format!("units, 2 to {} states, 1 parameter", Kind::MOST_STATES)))
    };
    let kind = match kind.trim() {
        "Binary" => Kind::Binary,
        "Spin" => Kind::Spin,
        "Potts" | "PottsGumbel" => Kind::Potts { states: states()? },
        "Gaussian" => Kind::Gaussian,
        "ReLU" => Kind::Relu,
        "dReLU" => Kind::DoubleRelu,
        name @ ("xReLU" | "pReLU" | "nsReLU") => {
            return Err(tensors.bad(format!(
                "expected Binary, Spin, Potts, Gaussian, ReLU or dReLU units, found {name}, whose parameters have no fixed order in \
                 files; in Julia, save RBM(dReLU(rbm.visible), …) or RBM(…, dReLU(rbm.hidden), rbm.w)"
            )));
        }
        other => {
            return Err(tensors.bad(format!(
                "expected Binary, Spin, Potts, Gaussian, ReLU or dReLU units, found {:?}",
                excerpt(other)
            )));
        }
    };
    let parameters = kind.parameters();
    if shape.last() != Some(&parameters) || shape.len() < 2 || values.is_empty() {
        return Err(bad(format!("units × {parameters} parameter(s)")));
    }
    let row = |number: usize| values.iter().skip(number).step_by(parameters).copied().collect::<Vec<f64>>();
    let mut rows: Vec<Vec<f64>> = (0..parameters).map(row).collect();
    // RBMs.jl takes the magnitude of a precision.
    let precisions = match kind {
        Kind::Gaussian | Kind::Relu => 1..2,
        Kind::DoubleRelu => 2..4,
        Kind::Binary | Kind::Spin | Kind::Potts { .. } => 0..0,
    };
    rows[precisions].iter_mut().flatten().for_each(|gamma| *gamma = gamma.abs());
    let columns = rows[0].len();
    if !columns.is_multiple_of(kind.columns()) {
        return Err(bad(format!("whole {kind} units")));
    }
    Ok((Layer::of(kind, columns / kind.columns()), Wide::potentials(kind, rows)))
}

/// Reads a model.
pub fn read(mut tensors: Tensors) -> Result<Read> {
    let version = tensors.texts.get(HEADER.0).map_or("", |version| version.trim());
    if version != HEADER.1 {
        let found = excerpt(version);
        return Err(tensors.bad(format!("expected {} {}, found {found:?}", HEADER.0, HEADER.1)));
    }
    let (visible, seen) = side(&mut tensors, "visible")?;
    let (hidden, unseen) = side(&mut tensors, "hidden")?;
    let Tensor { shape, values } = tensors.take("weights")?;
    let (m, n) = (visible.columns(), hidden.columns());
    if values.len() != m * n {
        return Err(
            tensors.bad(format!("expected weights of {n} × {m} numbers, found an array of {shape:?}"))
        );
    }
    let weights = (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| values[j * m + i]).collect();
    let layers = Layers { visible, hidden };
    let mut wide = Wide::new(layers, weights, [seen, unseen]).map_err(|reason| tensors.bad(reason))?;
    let variant = tensors.texts.get("rbm_type").map_or(String::new(), |name| name.trim().to_string());
    let mut notes = Vec::new();
    match variant.as_str() {
        "RBM" => {}
        "StandardizedRBM" | "CenteredRBM" => {
            let mut of = |name: &str, columns: usize, default: Option<f64>| match (
                tensors.arrays.remove(name),
                default,
            ) {
                (Some(array), _) if array.values.len() == columns => Ok(array.values),
                (Some(array), _) => {
                    Err(tensors.bad(format!("expected {name} of {columns} numbers, found {:?}", array.shape)))
                }
                (None, Some(default)) => Ok(vec![default; columns]),
                (None, None) => Err(tensors.bad(format!("expected {name}"))),
            };
            let scale = (variant == "CenteredRBM").then_some(1.0);
            let (offset_v, offset_h) = (of("offset_v", m, None)?, of("offset_h", n, None)?);
            let (scale_v, scale_h) = (of("scale_v", m, scale)?, of("scale_h", n, scale)?);
            for i in 0..m {
                for j in 0..n {
                    let weight = &mut wide.weights[i * n + j];
                    *weight /= scale_v[i] * scale_h[j];
                    wide.potentials[0][i] -= *weight * offset_h[j];
                    wide.potentials[1][j] -= *weight * offset_v[i];
                }
            }
            notes.push(format!(
                "a {variant}: its offsets and scales are undone; energies change by a constant"
            ));
        }
        other => {
            let found = excerpt(other);
            return Err(tensors
                .bad(format!("expected rbm_type RBM, StandardizedRBM or CenteredRBM, found {found:?}")));
        }
    }
    let letters = tensors.texts.remove(letters::TEXT);
    if letters.is_none() && matches!(wide.kind(Side::Visible), Some(Kind::Potts { .. })) {
        notes.push(
            "the file does not name the states' letters; for FASTA files, ‹alphabet› gives them in order"
                .into(),
        );
    }
    Ok(Read { wide, letters, notes })
}

/// A model's contents of such a file.
pub fn contents(wide: &Wide) -> Result<Vec<(String, Content)>> {
    let narrow = wide.is_narrow();
    let text = |name: &str, text: &str| (name.to_string(), Content::Text(text.into()));
    let mut contents = vec![text(HEADER.0, HEADER.1), text("rbm_type", "RBM")];
    let mut sizes = Vec::new();
    for (side, name) in [(Side::Visible, "visible"), (Side::Hidden, "hidden")] {
        let Some(kind) = wide.kind(side) else {
            return Err(unfit(&wide.layers, "RBMs.jl has one kind of unit a layer", None));
        };
        let kind_name = match kind {
            Kind::Binary => "Binary",
            Kind::Spin => "Spin",
            Kind::Potts { .. } => "Potts",
            Kind::Gaussian => "Gaussian",
            Kind::Relu => "ReLU",
            Kind::DoubleRelu => "dReLU",
        };
        let rows = wide.rows(side, kind);
        let columns = rows[0].len();
        let values = (0..columns).flat_map(|column| rows.iter().map(move |row| row[column])).collect();
        let mut shape = vec![columns / kind.columns()];
        if let Kind::Potts { states } = kind {
            shape.push(states as usize);
        }
        sizes.push(shape.clone());
        shape.push(rows.len());
        contents.push(text(&format!("{name}_type"), kind_name));
        contents.push((format!("{name}_par"), array(shape, values, narrow)));
    }
    sizes.reverse();
    contents.push(("weights".into(), array(sizes.concat(), wide.turned(), narrow)));
    Ok(contents)
}
