//! Named arrays and texts of another program's file, whatever the file's format.

use std::{
    collections::BTreeMap,
    io::Cursor,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    data::{file, npy::Archive},
    error::{Error, Result, excerpt, list},
    hdf5::{self, Holds},
};

/// An array in 64 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes of the dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Numbers, last index fastest.
    pub values: Vec<f64>,
}

impl Tensor {
    /// Whether it has at most one dimension above 1.
    pub fn is_vector(&self) -> bool {
        self.shape.iter().filter(|&&size| size != 1).count() <= 1
    }
}

/// Arrays and texts by name, and what else is known of the file.
pub struct Tensors {
    pub path: PathBuf,
    pub arrays: BTreeMap<String, Tensor>,
    pub texts: BTreeMap<String, String>,
    /// Names and shapes of all that the file has, for messages.
    pub found: Vec<String>,
}

/// Arrays of a model are few; a file with more is one of data.
const MOST_ARRAYS: usize = 256;

impl Tensors {
    /// An error about the file.
    pub fn bad(&self, reason: String) -> Error {
        Error::Model { path: self.path.clone(), reason }
    }

    /// Takes an array out.
    ///
    /// # Errors
    /// [`Error::Model`] if it is not there.
    pub fn take(&mut self, name: &str) -> Result<Tensor> {
        match self.arrays.remove(name) {
            Some(array) => Ok(array),
            None => Err(self.bad(format!("expected an array {name}, found {}", list(&self.found)))),
        }
    }

    /// Those of an `.npz` file whose names `wanted` accepts.
    pub fn of_npz(path: &Path, bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let mut archive = Archive::new(&path.display().to_string(), Cursor::new(bytes))?;
        let arrays = archive.arrays(wanted)?.into_iter().map(|(name, array)| {
            let values = array.values.floats().into_iter().map(f64::from).collect();
            (name, Tensor { shape: array.shape, values })
        });
        let arrays = arrays.collect();
        archive.names.sort();
        Ok(Self { path: path.into(), arrays, texts: BTreeMap::new(), found: archive.names })
    }

    /// The floating-point tensors of a safetensors file.
    pub fn of_safetensors(path: &Path, bytes: &[u8]) -> Result<Self> {
        let broken = |error| Error::Model {
            path: path.into(),
            reason: format!(
                "expected an .npz, an HDF5 or a safetensors file, or a folder of CSV files: {}",
                excerpt(&format!("{error}"))
            ),
        };
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let array = |(name, view): (&str, TensorView)| {
            Some((name.to_string(), Tensor { shape: view.shape().to_vec(), values: numbers(&view)? }))
        };
        let mut found: Vec<String> = file
            .iter()
            .map(|(name, view)| {
                format!("{} {:?} {}", excerpt(name), view.dtype(), excerpt(&format!("{:?}", view.shape())))
            })
            .collect();
        found.sort();
        Ok(Self {
            path: path.into(),
            arrays: file.iter().filter_map(array).collect(),
            texts: BTreeMap::new(),
            found,
        })
    }

    /// Those of an HDF5 file whose names `wanted` accepts; a name in a group has a `/`.
    pub fn of_hdf5(path: &Path, file: &hdf5::File, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let entries = file.entries("")?;
        let found = entries.iter().map(|entry| format!("{} {:?}", entry.path, entry.shape)).collect();
        let mut tensors = Self { path: path.into(), arrays: BTreeMap::new(), texts: BTreeMap::new(), found };
        let name = |path: &str| path.trim_start_matches('/').to_string();
        for entry in entries.iter().filter(|entry| wanted(&name(&entry.path))).take(MOST_ARRAYS) {
            let name = name(&entry.path);
            match entry.holds {
                Holds::Numbers if entry.shape.len() <= 8 => {
                    let (shape, values) = file.numbers(&entry.path)?;
                    tensors.arrays.insert(name, Tensor { shape, values });
                }
                Holds::Texts if entry.shape.iter().product::<usize>() == 1 => {
                    let text = file.texts(&entry.path)?.into_iter().next().unwrap_or_default();
                    tensors.texts.insert(name, text.trim_end_matches('\0').into());
                }
                Holds::Numbers | Holds::Texts | Holds::Others => {}
            }
        }
        Ok(tensors)
    }

    /// Those of a folder's CSV files with these names.
    pub fn of_folder(folder: &Path, names: &[&str]) -> Result<Self> {
        let mut arrays = BTreeMap::new();
        for name in names {
            let path = folder.join(format!("{name}.csv"));
            if path.is_file() {
                let array = super::parse_table(&path, &file::read_whole(&path)?)?;
                let values = array.values.floats().into_iter().map(f64::from).collect();
                arrays.insert((*name).to_string(), Tensor { shape: array.shape, values });
            }
        }
        Ok(Self {
            path: folder.into(),
            found: arrays.keys().cloned().collect(),
            arrays,
            texts: BTreeMap::new(),
        })
    }
}

/// The numbers of a floating-point tensor.
fn numbers(view: &TensorView) -> Option<Vec<f64>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f64()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f64()).collect(),
        _ => return None,
    })
}
