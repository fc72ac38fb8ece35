//! `rbm-gpu export` and `rbm-gpu import`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use rbm_gpu::{
    Error, Result,
    command::flag,
    data::{Selection, Source},
    exchange::{self, Export, Format, Import, Names, States},
    model,
    output::Target,
    rbm::Layers,
    units::Kinds,
    wording::spelled,
};

use super::{outputs::target, print};

#[derive(clap::Args)]
pub struct ExportOptions {
    /// A run's folder, or a model's file
    model: PathBuf,
    /// Kind of file: npz (NumPy), safetensors, csv (a folder with a file for each array); rbms, rbms-jl, pgm (HDF5 files of
    /// these programs); ising (a spin glass in JSON, for D-Wave's tools); netket (a wave function)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Npz, hide_possible_values = true)]
    to: Format,
    /// Names of the arrays of npz, safetensors and csv: sklearn (components_ …), rbms (weight_matrix …), rbm-gpu (weights …)
    /// [default: sklearn]
    #[arg(long, value_name = "WHOSE", value_enum, hide_possible_values = true)]
    names: Option<Names>,
    /// Turn units of 0 and 1 into spins of ±1, or the reverse, which is the same model: spin or binary
    #[arg(long = "as", value_name = "STATES", value_enum, hide_possible_values = true)]
    states: Option<States>,
    /// File or folder to write [default: model.npz, model-export.safetensors, model-csv, model.h5 or model.json]
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub fn export(options: &ExportOptions) -> Result<ExitCode> {
    let default = match options.to {
        Format::Npz | Format::Netket => "model.npz",
        Format::Safetensors => "model-export.safetensors",
        Format::Csv => "model-csv",
        Format::Rbms | Format::RbmsJl | Format::Pgm => "model.h5",
        Format::Ising => "model.json",
    };
    let target = Target::new(options.out.as_deref().unwrap_or(default.as_ref()), options.force)?;
    if options.to == Format::Csv && target.path().exists() {
        return Err(Error::Usage(format!(
            "{}: expected the name of a new folder, found a file",
            target.path().display()
        )));
    }
    if options.names.is_some() && !options.to.has_names() {
        return Err(Error::Usage(
            "--names is for npz, safetensors and csv; the other kinds of file have their own names".into(),
        ));
    }
    // A file of another kind under a model's name would be a broken model.
    let found = target.extension();
    let is_other = ["npz", "safetensors", "h5", "hdf5", "json"].contains(&&*found);
    if is_other && options.to.extension() != Some(if found == "hdf5" { "h5" } else { &*found }) {
        let path = target.path().display();
        let cure = match &*found {
            "h5" | "hdf5" => "rbms, rbms-jl or pgm",
            "json" => "ising",
            other => other,
        };
        return Err(Error::Usage(format!(
            "--out {path}: ends as another kind of file than is to be written; give --to {cure}, or another name"
        )));
    }
    let model::Stored { path, rbm, encoding, .. } = model::open(&options.model)?;
    let how =
        Export { format: options.to, names: options.names.unwrap_or(Names::Sklearn), states: options.states };
    let notes = exchange::export(&rbm, &encoding, &target, how)?;
    print(said(&path, rbm.layers(), &notes, &target));
    Ok(ExitCode::SUCCESS)
}

#[derive(clap::Args)]
pub struct ImportOptions {
    /// An .npz or safetensors file with a matrix of weights and two biases under usual names; an HDF5 file of rbms, RBMs.jl or
    /// PGM; a spin glass in JSON; a wave function of NetKet as .npz; or a folder of CSV files
    arrays: PathBuf,
    /// Update of a file of rbms [default: the last]
    #[arg(long, value_name = "N")]
    update: Option<u64>,
    /// Data set of the model, which tells which side is visible where names do not
    #[arg(long, value_name = "DATA")]
    data: Option<Source>,
    /// Kind of the visible units, where the file does not name it: binary, spin, gaussian, relu, drelu
    #[arg(long, value_name = "KIND")]
    visible: Option<Kinds>,
    /// Kind of the hidden units, where the file does not name it
    #[arg(long, value_name = "KIND")]
    hidden: Option<Kinds>,
    /// Letters of the states of Potts units, in order, for FASTA files
    #[arg(long, value_name = "LETTERS")]
    alphabet: Option<String>,
    /// Model file to write
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    out: PathBuf,
    /// Replace an existing model
    #[arg(long)]
    force: bool,
}

pub fn import(options: &ImportOptions) -> Result<ExitCode> {
    let target = target(options.out.clone(), options.force, &["safetensors"])?;
    let columns = options.data.as_ref().map(|data| {
        // Only the columns are looked at: any numbers will do.
        let selection = Selection { any_numbers: true, ..Selection::default() };
        selection.load(data).map(|dataset| dataset.encoding.file_columns())
    });
    let wanted = Import {
        update: options.update,
        visible: options.visible.clone(),
        hidden: options.hidden.clone(),
        letters: options.alphabet.clone(),
        columns: columns.transpose()?,
        may_guess: false,
    };
    let imported = exchange::import(&options.arrays, &wanted)?;
    exchange::save(&imported, &target)?;
    print(said(&options.arrays, imported.rbm.layers(), &imported.notes, &target));
    Ok(ExitCode::SUCCESS)
}

/// What was read and written.
fn said(path: &Path, Layers { visible, hidden }: &Layers, notes: &[String], target: &Target) -> String {
    let notes: String = notes.iter().map(|note| format!("  {}\n", spelled(note, flag))).collect();
    format!(
        "{}: {} visible and {} hidden units\n{notes}  {}\n",
        path.display(),
        visible.counted(),
        hidden.counted(),
        target.path().display()
    )
}
