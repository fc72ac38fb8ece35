//! Writes HDF5 files.

use std::io::{self, Write};

use hdf5_writer::{DatasetBuilder, Hdf5Builder, WriteOptions};

use crate::data::npy::{Array, Values};

/// What is written under a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Bytes, or 32-bit floats.
    Array(Array),
    /// 64-bit floats of this shape.
    Doubles(Vec<usize>, Vec<f64>),
    /// Whole numbers in a row.
    Whole(Vec<i64>),
    /// Texts in a row.
    Texts(Vec<String>),
    /// One text.
    Text(String),
}

/// Writes a file of these contents, each at its path, as `group/name`. Groups are made as they are needed.
///
/// # Errors
/// Those of `out`.
pub fn write<'a>(
    out: &mut dyn Write,
    contents: impl IntoIterator<Item = (&'a str, Content)>,
) -> io::Result<()> {
    let mut file = Hdf5Builder::new();
    for (path, content) in contents {
        let sizes = |shape: &[usize]| shape.iter().map(|&size| size as u64).collect::<Vec<_>>();
        let dataset = match content {
            Content::Array(Array { shape, values: Values::Bytes(values) }) => {
                DatasetBuilder::typed_data(path, sizes(&shape), &values)
            }
            Content::Array(Array { shape, values: Values::Floats(values) }) => {
                DatasetBuilder::typed_data(path, sizes(&shape), &values)
            }
            Content::Doubles(shape, values) => DatasetBuilder::typed_data(path, sizes(&shape), &values),
            Content::Whole(values) => DatasetBuilder::typed_data(path, [values.len() as u64], &values),
            Content::Texts(texts) => DatasetBuilder::vlen_string_data(path, [texts.len() as u64], &texts),
            Content::Text(text) => DatasetBuilder::vlen_string_data(path, [], &[text]),
        };
        file = file.dataset(dataset.map_err(io::Error::other)?);
    }
    let plan = file.into_plan().map_err(io::Error::other)?;
    out.write_all(&plan.encode(WriteOptions::default()).map_err(io::Error::other)?)
}
