//! What is written into an HDF5 file of another program.

use crate::{
    data::npy::{Array, Values},
    hdf5::Content,
};

/// An array in 32 bits, where no number is lost by that, else in 64.
pub fn array(shape: Vec<usize>, values: Vec<f64>, is_narrow: bool) -> Content {
    match is_narrow {
        true => Content::Array(Array {
            shape,
            values: Values::Floats(values.into_iter().map(|x| x as f32).collect()),
        }),
        false => Content::Doubles(shape, values),
    }
}
