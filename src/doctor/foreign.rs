//! Models from elsewhere: safetensors with a matrix of weights and two biases, whatever they are called and whichever way
//! round the matrix is.

use std::{fs, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    config::TrainConfig,
    error::{Error, Result},
    model,
    rbm::{Rbm, Shape},
};

/// A model, the options it was trained with if it is one of ours, and how it was read if not.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    match model::load(path) {
        Ok((rbm, config)) => Ok((rbm, config, None)),
        Err(ours) => {
            let bytes = fs::read(path).map_err(Error::read(path))?;
            match SafeTensors::deserialize(&bytes).ok().and_then(|file| foreign(&file)) {
                Some((rbm, how)) => Ok((rbm, None, Some(how))),
                None => Err(ours),
            }
        }
    }
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
        Dtype::BF16 => {
            let halves = bytemuck::pod_collect_to_vec::<u8, u16>(bytes).into_iter();
            Some(halves.map(|bits| f32::from_bits(u32::from(bits) << 16)).collect())
        }
        _ => None,
    }
}
