//! NetKet's real `models.RBM` (Carleo and Troyer 2017): log ψ(s) = a·s + Σ_j log cosh(b_j + (sW)_j), spins of ±1, and
//! p = |ψ|² / Σ |ψ|². That is an RBM of spins with biases 2a, and **two** copies of each hidden spin, as (2 cosh x)² is the sum over
//! two.
//!
//! The arrays are those of flax, joined by `/` or `.`: `Dense/kernel` [visible, hidden], `Dense/bias`, `visible_bias`.

use crate::{
    data::npy::Values,
    error::{Result, usage},
    rbm::{Layers, Side},
    units::{Kind, Layer},
};

use super::{
    Read,
    tensors::{Tensor, Tensors},
    unfit,
    wide::Wide,
};

/// The last parts of the arrays' names.
const NAMES: [&str; 3] = ["Dense/kernel", "Dense/bias", "visible_bias"];

/// The array whose name ends in these parts.
fn key(tensors: &Tensors, end: &str) -> Option<String> {
    let is_it = |name: &&String| {
        let name = name.replace('.', "/");
        name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'))
    };
    tensors.arrays.keys().find(is_it).cloned()
}

/// Whether these are such arrays.
pub fn are_these(tensors: &Tensors) -> bool {
    let [kernel, bias, visible] = NAMES.map(|name| key(tensors, name).is_some());
    kernel && (bias || visible)
}

/// Reads a model.
pub fn read(mut tensors: Tensors) -> Result<Read> {
    let mut of = |name: &str| key(&tensors, name).map(|key| tensors.take(&key)).transpose();
    let [kernel, bias, visible] = NAMES.map(&mut of);
    let (kernel, bias, visible) = (kernel?, bias?, visible?);
    let Some(Tensor { shape, values: kernel }) = kernel else {
        return Err(tensors.bad("expected Dense/kernel".into()));
    };
    let [m, n] = shape[..] else {
        return Err(tensors.bad(format!("expected Dense/kernel with 2 dimensions, found {shape:?}")));
    };
    // A bias may have been left out.
    let long = |bias: Option<Tensor>, units: usize, name: &str| match bias {
        None => Ok(vec![0.0; units]),
        Some(bias) if bias.values.len() == units => Ok(bias.values),
        Some(bias) => Err(tensors.bad(format!("expected {name} of {units} values, found {:?}", bias.shape))),
    };
    let (visible, hidden) = (long(visible, m, NAMES[2])?, long(bias, n, NAMES[1])?);
    let weights = kernel.chunks(n.max(1)).flat_map(|row| [row, row].concat()).collect();
    let visible = visible.into_iter().map(|a| 2.0 * a).collect();
    let layers = Layers { visible: Layer::of(Kind::Spin, m), hidden: Layer::of(Kind::Spin, 2 * n) };
    let potentials = [visible, [&hidden[..], &hidden].concat()];
    let wide = Wide::new(layers, weights, potentials).map_err(|reason| tensors.bad(reason))?;
    let notes = vec!["a wave function of NetKet: p = |ψ|², with two copies of each hidden spin".to_string()];
    Ok(Read { wide, letters: None, notes })
}

/// A model's arrays, where it is a wave function: its hidden spins are two times the same.
pub fn arrays(wide: &Wide) -> Result<[(&'static str, Vec<usize>, Values); 3]> {
    if [Side::Visible, Side::Hidden].map(|side| wide.kind(side)) != [Some(Kind::Spin); 2] {
        return Err(unfit(&wide.layers, "NetKet's RBM has spins only", None));
    }
    let (m, n) = (wide.shape().visible, wide.shape().hidden / 2);
    let hidden = wide.plane(Side::Hidden, 0);
    let twice = |row: &[f64]| row.len() == 2 * n && row[..n] == row[n..];
    if !(twice(hidden) && wide.weights.chunks(2 * n.max(1)).all(twice)) {
        return usage!(
            "NetKet's p = |ψ|² has each hidden spin twice: expected a model whose second half of hidden units repeats the first, as \
             import makes it, found another; write it as ‹to› ising, rbms or rbms-jl"
        );
    }
    let floats = |values: Vec<f64>| Values::Floats(values.into_iter().map(|x| x as f32).collect());
    let kernel = wide.weights.chunks(2 * n).flat_map(|row| row[..n].to_vec()).collect();
    let visible = wide.plane(Side::Visible, 0).iter().map(|b| b / 2.0).collect();
    Ok([
        (NAMES[0], vec![m, n], floats(kernel)),
        (NAMES[1], vec![n], floats(hidden[..n].to_vec())),
        (NAMES[2], vec![m], floats(visible)),
    ])
}

/// Whether an array of a file may be one of these.
pub fn is_wanted(name: &str) -> bool {
    let name = name.replace('.', "/");
    NAMES.iter().any(|end| name.ends_with(end))
}
