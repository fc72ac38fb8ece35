//! Models of any program, for the doctor: those of [`exchange`], where what names do not tell is guessed, and said.

use std::path::Path;

use crate::{
    config::TrainConfig,
    data::file,
    error::Result,
    exchange::{self, Import, Imported},
    model,
    rbm::Rbm,
};

/// Loads a model, with its options if it is one of ours, else with a note on how it was read.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    if is_hdf5(path) {
        return exchange::parameters(path, &wanted()).map(noted);
    }
    parse(path, &file::read_whole(path)?)
}

/// Parses a model from its bytes, as [`load`] does.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Rbm, Option<TrainConfig>, Option<String>)> {
    if bytes.starts_with(b"PK") {
        return exchange::parse(path, bytes, &wanted()).map(noted);
    }
    match model::parse(path, bytes) {
        Ok(model::Stored { rbm, config, .. }) => Ok((rbm, config, None)),
        Err(ours) if safetensors::SafeTensors::deserialize(bytes).is_err() => Err(ours),
        Err(_) => exchange::parse(path, bytes, &wanted()).map(noted),
    }
}

fn wanted() -> Import {
    Import { may_guess: true, ..Import::default() }
}

fn noted(Imported { rbm, notes, .. }: Imported) -> (Rbm, Option<TrainConfig>, Option<String>) {
    (rbm, None, (!notes.is_empty()).then(|| notes.join("; ")))
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
