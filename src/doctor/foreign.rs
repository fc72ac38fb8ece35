//! Models from elsewhere: safetensors with a matrix of weights and two biases, whatever they are called and whichever way
//! round the matrix is.

use std::{collections::BTreeMap, path::Path};

use crate::{
    config::TrainConfig,
    data::{file, npy::Array},
    error::{Result, excerpt},
    exchange::{arrays_of, transposed},
    model,
    rbm::{Rbm, Shape},
};

/// A model, the options it was trained with if it is one of ours, and how it was read if not.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    parse(path, &file::read_whole(path)?)
}

/// The same of a file's bytes.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    match model::parse(path, bytes) {
        Ok((rbm, config)) => Ok((rbm, config, None)),
        Err(ours) => match arrays_of(path, bytes, |_| true).ok().and_then(|found| foreign(&found.arrays)) {
            Some((rbm, how)) => Ok((rbm, None, Some(how))),
            None => Err(ours),
        },
    }
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
    // By their names; else the first is the visible units'.
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
    Some((Rbm { shape, weights, visible_bias, hidden_bias }, how))
}

/// Whether a bias is called as those of hidden units are: `hidden_bias`, `bh`, `h_bias`, `hb`, `c`.
fn is_hidden(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let visible = last.contains("vis") || last.contains('v');
    !visible && (last.contains('h') || last == "c")
}
