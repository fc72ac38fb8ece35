//! p(h|v) on the native path with sums in `f64`, as NumPy computes them from an exported model. The kernels' `f32` sums
//! suffice for learning; features are computed once and kept.

use rayon::prelude::*;

use crate::{
    cpu::Level,
    data::Rows,
    rbm::{Rbm, Shape, Side},
    reference::{Potentials, sigmoid},
};

/// Cases that share the reading of a unit's weights.
const BLOCK: usize = 16;

/// The means of the hidden units given each row, σ(c + vW) of binary ones: rows × hidden columns.
pub(super) fn features(rbm: &Rbm, rows: &Rows) -> Vec<f32> {
    let Shape { visible, hidden } = rbm.shape();
    let mut features = vec![0.0; rows.len() * hidden];
    let (level, is_binary) = (Level::default(), rbm.layers().hidden.is_binary());
    let potentials = Potentials::of(rbm, Side::Hidden);
    features.par_chunks_mut(BLOCK * hidden).enumerate().for_each(|(block, features)| {
        let cases = features.len() / hidden;
        let mut values = vec![0.0_f32; cases * visible];
        for (case, values) in values.chunks_mut(visible).enumerate() {
            rows.unpack(block * BLOCK + case, values);
        }
        let bias: Vec<f64> = match is_binary {
            true => rbm.hidden_bias().iter().map(|&c| f64::from(c)).collect(),
            false => vec![0.0; hidden],
        };
        let mut sums = bias.repeat(cases);
        level.dispatch(
            #[inline(always)]
            || {
                for (unit, weights) in rbm.weights().chunks(hidden).enumerate() {
                    for (sums, values) in sums.chunks_mut(hidden).zip(values.chunks(visible)) {
                        let x = f64::from(values[unit]);
                        if x != 0.0 {
                            sums.iter_mut().zip(weights).for_each(|(sum, &w)| *sum += x * f64::from(w));
                        }
                    }
                }
            },
        );
        if is_binary {
            features.iter_mut().zip(&sums).for_each(|(p, &x)| *p = sigmoid(x) as f32);
            return;
        }
        for (features, inputs) in features.chunks_mut(hidden).zip(sums.chunks(hidden)) {
            let means = potentials.expectation(inputs);
            features.iter_mut().zip(means).for_each(|(feature, mean)| *feature = mean as f32);
        }
    });
    features
}
