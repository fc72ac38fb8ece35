//! Models of any program, for the doctor: those of [`exchange`], where what names do not tell is guessed, and said.

use std::path::Path;

use crate::{
    config::TrainConfig,
    data::{Encoding, file},
    error::Result,
    exchange::{self, Import, Imported},
    model,
    rbm::Rbm,
};

/// A model, of this program or of another.
pub struct Loaded {
    pub rbm: Rbm,
    /// The options, if it is one of ours that has them.
    pub config: Option<TrainConfig>,
    /// What its visible units are in files of data, if it is one of ours.
    pub encoding: Option<Encoding>,
    /// How the model of another program was read.
    pub how: Option<String>,
}

/// Loads a model.
pub fn load(path: &Path) -> Result<Loaded> {
    if is_hdf5(path) {
        return exchange::parameters(path, &wanted()).map(of_other);
    }
    parse(path, &file::read_whole(path)?)
}

/// Parses a model from its bytes, as [`load`] does.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Loaded> {
    if bytes.starts_with(b"PK") {
        return exchange::parse(path, bytes, &wanted()).map(of_other);
    }
    match model::parse(path, bytes) {
        Ok(model::Stored { rbm, config, encoding, .. }) => {
            Ok(Loaded { rbm, config, encoding: Some(encoding), how: None })
        }
        Err(ours) if safetensors::SafeTensors::deserialize(bytes).is_err() => Err(ours),
        Err(_) => exchange::parse(path, bytes, &wanted()).map(of_other),
    }
}

fn wanted() -> Import {
    Import { may_guess: true, ..Import::default() }
}

fn of_other(Imported { rbm, notes, .. }: Imported) -> Loaded {
    Loaded { rbm, config: None, encoding: None, how: (!notes.is_empty()).then(|| notes.join("; ")) }
}

/// Whether this may be a model or data, by its name: an archive of arrays, or an HDF5 file.
pub fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("npz")) || is_hdf5(path)
}

/// Whether this is an HDF5 file, by its name.
fn is_hdf5(path: &Path) -> bool {
    let end = path.extension().map_or(String::new(), |end| end.to_string_lossy().to_lowercase());
    crate::data::hdf5::EXTENSIONS.contains(&&*end)
}

/// Whether such a file is a model.
pub fn is_model(path: &Path) -> bool {
    exchange::parameters(path, &wanted()).is_ok()
}
