//! Models from elsewhere: safetensors with a matrix of weights and two biases, whatever they are called and whichever way
//! round the matrix is; and archives of arrays (`.npz`) with the names of scikit-learn, of rbms, or ours.

use std::{fs, path::Path};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    config::TrainConfig,
    error::{Error, Result},
    exchange, model,
    rbm::{Rbm, Shape},
};

/// A model, the options it was trained with if it is one of ours, and how it was read if not.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    if is_archive(path) {
        return Ok((exchange::parameters(path)?, None, None));
    }
    match model::load(path) {
        Ok((rbm, config)) => Ok((rbm, config, None)),
        Err(ours) => {
            let bytes = fs::read(path).map_err(Error::read(path))?;
            let Ok(file) = SafeTensors::deserialize(&bytes) else { return Err(ours) };
            match foreign(&file) {
                Some((rbm, how)) => Ok((rbm, None, Some(how))),
                None => {
                    let tensors = file.tensors();
                    let found = tensors
                        .iter()
                        .map(|(name, view)| format!("{name} {:?} {:?}", view.dtype(), view.shape()));
                    let reason = format!(
                        "expected one matrix of weights and two biases as long as its sides, of floating-point numbers; found {}",
                        found.collect::<Vec<_>>().join(", ")
                    );
                    Err(Error::Model { path: path.into(), reason })
                }
            }
        }
    }
}

/// Whether this is an `.npz` file, by its name.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("npz"))
}

fn foreign(file: &SafeTensors) -> Option<(Rbm, String)> {
    let mut tensors: Vec<(String, TensorView)> = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let matrices: Vec<_> =
        tensors.iter().filter(|(_, view)| view.shape().len() == 2 && !view.shape().contains(&1)).collect();
    let &[(weights_name, weights)] = matrices.as_slice() else { return None };
    let &[rows, columns] = weights.shape() else { return None };
    let mut biases: Vec<(&str, Vec<f32>)> = tensors
        .iter()
        .filter(|(name, view)| {
            name != weights_name && view.shape().iter().filter(|&&size| size != 1).count() <= 1
        })
        .filter_map(|(name, view)| Some((name.as_str(), numbers(view)?)))
        .filter(|(_, bias)| [rows, columns].contains(&bias.len()))
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
    let values = numbers(weights)?;
    let turned = (rows, columns) != (shape.visible, shape.hidden);
    if turned && (columns, rows) != (shape.visible, shape.hidden) {
        return None;
    }
    let weights = match turned {
        false => values,
        true => (0..shape.visible)
            .flat_map(|i| (0..shape.hidden).map(move |j| (i, j)))
            .map(|(i, j)| values[j * shape.visible + i])
            .collect(),
    };
    let how = format!(
        "{weights_name} {rows}×{columns} as {}, {} as b, {} as c{}",
        if turned { "Wᵀ" } else { "W" },
        biases[0].0,
        biases[1].0,
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

/// The numbers of a tensor, if they are of a floating-point type.
fn numbers(view: &TensorView) -> Option<Vec<f32>> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(bytemuck::pod_collect_to_vec::<u8, f32>(bytes)),
        Dtype::F64 => {
            Some(bytemuck::pod_collect_to_vec::<u8, f64>(bytes).into_iter().map(|x| x as f32).collect())
        }
        Dtype::F16 => Some(halves(bytes).map(|bits| f16::from_bits(bits).to_f32()).collect()),
        Dtype::BF16 => Some(halves(bytes).map(|bits| bf16::from_bits(bits).to_f32()).collect()),
        _ => None,
    }
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytemuck::pod_collect_to_vec::<u8, u16>(bytes).into_iter()
}
