//! Layout of the model and its units in device memory: see `groups` in `shaders/shared/geometry.wgsl`. Each layer has one
//! more unit, the bias unit, which is always on and whose weights are the other layer's biases. Zeros pad rows to a whole
//! vec4. The further parameters of units follow the matrix: see `shaders/shared/parameters.wgsl`.

use crate::{
    rbm::{Layers, Rbm, Side},
    units::Layer,
};

/// Words per row of `units` units, the bias unit, and padding.
pub fn stride(units: usize) -> usize {
    (units / 4 + 1) * 4
}

/// Words of A = [W b; c 0], padded.
fn matrix_len(layers: &Layers) -> usize {
    stride(layers.visible.columns()) * stride(layers.hidden.columns())
}

/// Words of a row's moments, or of the parameters after the biases: a padded row for each.
pub fn moments_len(layer: &Layer) -> usize {
    (layer.planes() - 1) * stride(layer.columns())
}

/// Words of A, padded, and of the parameters after the biases.
pub fn parameters_len(layers: &Layers) -> usize {
    matrix_len(layers) + moments_len(&layers.visible) + moments_len(&layers.hidden)
}

/// A = [W b; c 0], padded, followed by the second, third, … parameter of the visible units' columns, and then of the hidden units'.
pub fn augment(rbm: &Rbm) -> Vec<f32> {
    let layers = rbm.layers();
    let (visible, hidden) = (layers.visible.columns(), layers.hidden.columns());
    let width = stride(hidden);
    let mut parameters = vec![0.0; parameters_len(layers)];
    let (matrix, mut rest) = parameters.split_at_mut(matrix_len(layers));
    let rows = matrix.chunks_exact_mut(width).zip(rbm.weights().chunks_exact(hidden)).zip(rbm.visible_bias());
    for ((row, weights), &bias) in rows {
        row[..hidden].copy_from_slice(weights);
        row[hidden] = bias;
    }
    matrix[visible * width..][..hidden].copy_from_slice(rbm.hidden_bias());
    for side in [Side::Visible, Side::Hidden] {
        let columns = layers.side(side).columns();
        for plane in rbm.potentials(side).chunks_exact(columns).skip(1) {
            let (padded, after) = std::mem::take(&mut rest).split_at_mut(stride(columns));
            padded[..columns].copy_from_slice(plane);
            rest = after;
        }
    }
    parameters
}

/// Inverts [`augment`]: W row by row, then the potentials of both sides.
pub fn split(parameters: &[f32], layers: &Layers) -> Vec<f32> {
    let (visible, hidden) = (layers.visible.columns(), layers.hidden.columns());
    let width = stride(hidden);
    let (matrix, planes) = parameters.split_at(matrix_len(layers));
    let (of_visible, of_hidden) = planes.split_at(moments_len(&layers.visible));
    let rows = || matrix.chunks_exact(width).take(visible);
    let mut all = Vec::with_capacity(visible * hidden + layers.base_len());
    rows().for_each(|row| all.extend_from_slice(&row[..hidden]));
    all.extend(rows().map(|row| row[hidden]));
    all.extend(unpad_rows(of_visible, visible));
    all.extend_from_slice(&matrix[visible * width..][..hidden]);
    all.extend(unpad_rows(of_hidden, hidden));
    all
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
    use crate::{
        rbm::Shape,
        units::{Block, Kind},
    };

    #[test]
    fn what_goes_to_the_device_comes_back() {
        for (visible, hidden) in [(1, 1), (3, 4), (4, 3), (5, 7), (8, 8)] {
            let rbm = Rbm::initial(Shape { visible, hidden }, &vec![0.3; visible], 7);
            let matrix = augment(&rbm);
            assert_eq!(split(&matrix, rbm.layers()), rbm.parameters());
            let corner = matrix[visible * stride(hidden) + hidden];
            let padding: f32 = matrix.chunks(stride(hidden)).flat_map(|row| &row[hidden + 1..]).sum();
            assert_eq!((corner, padding), (0.0, 0.0));
            assert_eq!(unpad_rows(&pad_rows(rbm.weights(), hidden), hidden), rbm.weights());
        }
    }

    #[test]
    fn parameters_after_the_biases_come_back() {
        for (visible, hidden) in [(1, 1), (3, 4), (4, 3), (5, 7)] {
            let mixed =
                [Block { kind: Kind::Spin, units: 2 }, Block { kind: Kind::Gaussian, units: visible }];
            let layers = Layers { visible: Layer::new(mixed), hidden: Layer::of(Kind::DoubleRelu, hidden) };
            let mut rbm = Rbm::zeros(&layers);
            rbm.parameters_mut()
                .iter_mut()
                .zip(1..)
                .for_each(|(parameter, number)| *parameter = number as f32);
            let parameters = augment(&rbm);
            assert_eq!(parameters.len(), parameters_len(&layers));
            assert_eq!(split(&parameters, &layers), rbm.parameters());
        }
    }
}
