//! The files that a command writes, as its options name them.

use std::path::PathBuf;

use rbm_gpu::{
    Error, Result,
    data::{
        Dataset, Encoding, fasta,
        npy::{Array, Values, write_array},
        table,
    },
    hdf5::{self, Content},
    output::Target,
    units::Kind,
};

/// A file to write.
#[derive(clap::Args)]
pub struct Output {
    /// File to write; its extension gives the format
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

impl Output {
    /// The file, or the default; its extension must be one of these.
    pub fn target(&self, default: &str, kinds: &[&str]) -> Result<Target> {
        target(self.out.clone().unwrap_or(default.into()), self.force, kinds)
    }
}

/// The values of some cases as grey levels, for a picture: by the range of `of`, where these are numbers.
pub fn greys(encoding: &Encoding, values: &[f32], of: &[f32], target: &Target) -> Result<Vec<f32>> {
    encoding.greys(values, of).ok_or_else(|| {
        Error::Usage(format!(
            "--out {}: a picture has a grey level for each unit, all on one scale, and these are {} units; choose a name that ends in {}",
            target.path().display(),
            encoding.layer,
            if encoding.letters.is_some() { ".fasta, .csv or .npy" } else { ".csv or .npy" }
        ))
    })
}

/// Writes rows of numbers as an array, in bytes where these are whole numbers that fit and no means.
pub fn write_numbers(target: &Target, columns: usize, values: Vec<f32>, are_states: bool) -> Result<()> {
    let shape = vec![values.len() / columns, columns];
    let values = numbers(values, are_states);
    target.write(|out| write_array(out, &Array { shape, values }))
}

/// The extensions of HDF5 files.
pub const HDF5: [&str; 2] = ["h5", "hdf5"];

/// Writes rows of numbers of these units as an HDF5 file in rbms' layout: `samples`, and `variable_type` where it has a word for
/// the units.
pub fn write_samples(target: &Target, encoding: &Encoding, values: Vec<f32>, are_states: bool) -> Result<()> {
    let columns = encoding.file_columns();
    let samples = Array { shape: vec![values.len() / columns, columns], values: numbers(values, are_states) };
    let kinds = encoding.layer.blocks();
    let is_one = |is: fn(Kind) -> bool| kinds.iter().all(|block| is(block.kind));
    let kind = match () {
        () if is_one(|kind| kind.is_binary()) => Some("bernoulli"),
        () if is_one(|kind| matches!(kind, Kind::Potts { .. })) => Some("categorical"),
        // Means of spins are no spins.
        () if is_one(|kind| kind == Kind::Spin) && are_states => Some("ising"),
        () if is_one(|kind| !matches!(kind, Kind::Binary | Kind::Potts { .. })) => Some("continuous"),
        () => None,
    };
    let kind = kind.map(|kind| ("variable_type", Content::Text(kind.into())));
    let contents = [("samples", Content::Array(samples))].into_iter().chain(kind);
    target.write(|out| hdf5::write(out, contents))
}

/// Numbers, in bytes where these are whole numbers that fit and no means.
fn numbers(values: Vec<f32>, are_states: bool) -> Values {
    let are_bytes = are_states && values.iter().all(|x| (0.0..256.0).contains(x) && x.fract() == 0.0);
    match are_bytes {
        true => Values::Bytes(values.iter().map(|&x| x as u8).collect()),
        false => Values::Floats(values),
    }
}

/// The name of a file of cases by default: a picture of what has grey levels, sequences of letters, or an array.
pub fn named(stem: &str, encoding: &Encoding) -> String {
    let extension = match encoding.greys(&[], &[]) {
        _ if encoding.letters.is_some() => "fasta",
        _ if !encoding.columns.is_empty() => "csv",
        Some(_) => "png",
        None => "npy",
    };
    format!("{stem}.{extension}")
}

/// Checks before any work that cases of these units can be written to a file of its kind.
pub fn check(encoding: &Encoding, target: &Target) -> Result<()> {
    match target.extension().as_str() {
        "npy" | "npz" | "csv" | "h5" | "hdf5" => Ok(()),
        extension if LETTERS.contains(&extension) => letters(encoding, &[], target).map(drop),
        _ => greys(encoding, &[], &[], target).map(drop),
    }
}

/// The extensions of files of sequences.
pub const LETTERS: [&str; 2] = ["fasta", "fa"];

/// Rows of letters' numbers as sequences.
pub fn letters(encoding: &Encoding, values: &[f32], target: &Target) -> Result<Vec<String>> {
    encoding.spelled(values).ok_or_else(|| {
        Error::Usage(format!(
            "--out {}: the model was not trained on letters, but on {} units; choose a name that ends in .npy",
            target.path().display(),
            encoding.layer
        ))
    })
}

/// Writes rows of numbers as an array, a table with the columns' names and words, an HDF5 file or sequences, by the file's extension.
pub fn write_cases(target: &Target, encoding: &Encoding, values: Vec<f32>, are_states: bool) -> Result<()> {
    match target.extension().as_str() {
        "csv" => target.write(|out| table::write(out, encoding, &values)),
        "h5" | "hdf5" => write_samples(target, encoding, values, are_states),
        "fasta" | "fa" => write_letters(target, encoding, &values),
        _ => write_numbers(target, encoding.file_columns(), values, are_states),
    }
}

/// How the file of a data set was read, where that is not plain, a line each.
pub fn notes(dataset: &Dataset) -> String {
    dataset.notes.iter().map(|note| format!("  note: {note}\n")).collect()
}

/// Writes rows of letters' numbers as sequences.
pub fn write_letters(target: &Target, encoding: &Encoding, values: &[f32]) -> Result<()> {
    let sequences = letters(encoding, values, target)?;
    target.write(|out| fasta::write(out, &sequences))
}

/// A file to write, with one of these extensions.
pub fn target(path: PathBuf, force: bool, kinds: &[&str]) -> Result<Target> {
    let target = Target::new(&path, force)?;
    if !kinds.contains(&target.extension().as_str()) {
        let kinds = kinds.join(", .");
        return Err(Error::Usage(format!(
            "--out {}: expected a name that ends in .{kinds}, which gives the format",
            path.display()
        )));
    }
    Ok(target)
}
