//! Models of other programs: safetensors with a matrix of weights, either way round, and two biases, under any names; and
//! archives of arrays (`.npz`) with the names of scikit-learn, of rbms, or ours.

use std::{collections::BTreeMap, path::Path};

use safetensors::SafeTensors;

use crate::{
    config::TrainConfig,
    data::{file, npy::Array},
    error::{Error, Result, excerpt},
    exchange::{self, arrays_of, transposed},
    model,
    rbm::{Rbm, Shape},
};

/// Loads a model, with its options if it is one of ours, else with a note on how it was read.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    parse(path, &file::read_whole(path)?)
}

/// Parses a model from its bytes, as [`load`] does.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    if bytes.starts_with(b"PK") {
        return Ok((exchange::parse(path, bytes)?, None, None));
    }
    let ours = match model::parse(path, bytes) {
        Ok(model::Stored { rbm, config, .. }) => return Ok((rbm, config, None)),
        Err(error) => error,
    };
    let Ok(file) = SafeTensors::deserialize(bytes) else { return Err(ours) };
    match foreign(&arrays_of(path, bytes, |_| true)?.arrays) {
        Some((rbm, how)) => Ok((rbm, None, Some(how))),
        None => {
            let found = file.iter().take(9).map(|(name, view)| {
                format!("{} {:?} {}", excerpt(name), view.dtype(), excerpt(&format!("{:?}", view.shape())))
            });
            let more = if file.len() > 9 { ", …" } else { "" };
            let reason = format!(
                "expected one matrix of weights and two biases as long as its sides, of floating-point numbers; found {}{more}",
                found.collect::<Vec<_>>().join(", ")
            );
            Err(Error::Model { path: path.into(), reason })
        }
    }
}

/// Whether this is an `.npz` file, by its name.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("npz"))
}

fn foreign(arrays: &BTreeMap<String, Array>) -> Option<(Rbm, String)> {
    let matrices: Vec<_> =
        arrays.iter().filter(|(_, array)| array.shape.len() == 2 && !array.shape.contains(&1)).collect();
    let &[(weights_name, weights)] = matrices.as_slice() else { return None };
    let &[rows, columns] = weights.shape.as_slice() else { return None };
    let mut biases: Vec<(&str, Vec<f32>)> = arrays
        .iter()
        .filter(|(name, array)| {
            *name != weights_name
                && array.shape.iter().filter(|&&size| size != 1).count() <= 1
                && [rows, columns].contains(&array.values.len())
        })
        .map(|(name, array)| (name.as_str(), array.values.floats()))
        .collect();
    if biases.len() != 2 {
        return None;
    }
    // By name; else the first is the visible units'.
    let hidden_first = is_hidden(biases[0].0) && !is_hidden(biases[1].0);
    if hidden_first {
        biases.reverse();
    }
    let (visible_bias, hidden_bias) = (biases[0].1.clone(), biases[1].1.clone());
    let shape = Shape { visible: visible_bias.len(), hidden: hidden_bias.len() };
    let turned = (rows, columns) != (shape.visible, shape.hidden);
    if turned && (columns, rows) != (shape.visible, shape.hidden) {
        return None;
    }
    let weights = match turned {
        false => weights.values.floats(),
        true => transposed(&weights.values.floats(), rows, columns),
    };
    let how = format!(
        "{} {rows}×{columns} as {}, {} as b, {} as c{}",
        excerpt(weights_name),
        if turned { "Wᵀ" } else { "W" },
        excerpt(biases[0].0),
        excerpt(biases[1].0),
        if rows == columns { "; a square matrix may be the other way round" } else { "" }
    );
    Some((Rbm::from_tensors(shape, [weights, visible_bias, hidden_bias]), how))
}

/// Whether the name of a bias is one for hidden units: `hidden_bias`, `bh`, `h_bias`, `hb`, `c`.
fn is_hidden(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let visible = last.contains("vis") || last.contains('v');
    !visible && (last.contains('h') || last == "c")
}
