//! Layout of the model and its units in device memory: see `groups` in `shaders/shared/geometry.wgsl`. Each layer has one
//! more unit, the bias unit, which is always on and whose weights are the other layer's biases. Zeros pad rows to a whole
//! vec4.

use crate::rbm::{Rbm, Shape};

/// Words per row of `units` units, the bias unit, and padding.
pub fn stride(units: usize) -> usize {
    (units / 4 + 1) * 4
}

/// Words of A = [W b; c 0], padded.
pub fn parameters_len(shape: Shape) -> usize {
    stride(shape.visible) * stride(shape.hidden)
}

/// A = [W b; c 0], padded.
pub fn augment(rbm: &Rbm) -> Vec<f32> {
    let Shape { visible, hidden } = rbm.shape();
    let width = stride(hidden);
    let mut matrix = vec![0.0; parameters_len(rbm.shape())];
    let rows = matrix.chunks_exact_mut(width).zip(rbm.weights().chunks_exact(hidden)).zip(rbm.visible_bias());
    for ((row, weights), &bias) in rows {
        row[..hidden].copy_from_slice(weights);
        row[hidden] = bias;
    }
    matrix[visible * width..][..hidden].copy_from_slice(rbm.hidden_bias());
    matrix
}

/// Inverts [`augment`]: W row by row, b and c.
pub fn split(matrix: &[f32], Shape { visible, hidden }: Shape) -> Vec<f32> {
    let width = stride(hidden);
    let rows = || matrix.chunks_exact(width).take(visible);
    let mut parameters = Vec::with_capacity(visible * hidden + visible + hidden);
    rows().for_each(|row| parameters.extend_from_slice(&row[..hidden]));
    parameters.extend(rows().map(|row| row[hidden]));
    parameters.extend_from_slice(&matrix[visible * width..][..hidden]);
    parameters
}

/// Appends the bias unit and padding to rows of `units` values.
pub fn pad_rows(values: &[f32], units: usize) -> Vec<f32> {
    let mut padded = vec![0.0; values.len() / units * stride(units)];
    for (out, row) in padded.chunks_exact_mut(stride(units)).zip(values.chunks_exact(units)) {
        out[..units].copy_from_slice(row);
        out[units] = 1.0;
    }
    padded
}

/// Inverts [`pad_rows`].
pub fn unpad_rows(padded: &[f32], units: usize) -> Vec<f32> {
    padded.chunks_exact(stride(units)).flat_map(|row| &row[..units]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_the_device_comes_back() {
        for (visible, hidden) in [(1, 1), (3, 4), (4, 3), (5, 7), (8, 8)] {
            let rbm = Rbm::initial(Shape { visible, hidden }, &vec![0.3; visible], 7);
            let matrix = augment(&rbm);
            assert_eq!(split(&matrix, rbm.shape()), rbm.parameters());
            let corner = matrix[visible * stride(hidden) + hidden];
            let padding: f32 = matrix.chunks(stride(hidden)).flat_map(|row| &row[hidden + 1..]).sum();
            assert_eq!((corner, padding), (0.0, 0.0));
            assert_eq!(unpad_rows(&pad_rows(rbm.weights(), hidden), hidden), rbm.weights());
        }
    }
}
