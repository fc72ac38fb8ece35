//! `rbm-gpu export` and `rbm-gpu import`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Error, Result,
    exchange::{self, Format, Names},
    model,
    output::Target,
    rbm::Layers,
};

use super::{outputs::target, print};

#[derive(clap::Args)]
pub struct ExportOptions {
    /// A run's folder, or a model's file
    model: PathBuf,
    /// Kind of file: npz (NumPy), safetensors, or csv (a folder with a file for each array)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Npz, hide_possible_values = true)]
    to: Format,
    /// Names of the arrays: sklearn (components_ …), rbms (weight_matrix …), rbm-gpu (weights …)
    #[arg(long, value_name = "WHOSE", value_enum, default_value_t = Names::Sklearn, hide_possible_values = true)]
    names: Names,
    /// File or folder to write [default: model.npz, model-export.safetensors, or model-csv]
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub fn export(options: &ExportOptions) -> Result<ExitCode> {
    let default = match options.to {
        Format::Npz => "model.npz",
        Format::Safetensors => "model-export.safetensors",
        Format::Csv => "model-csv",
    };
    let target = Target::new(options.out.as_deref().unwrap_or(default.as_ref()), options.force)?;
    if options.to == Format::Csv && target.path().exists() {
        return Err(Error::Usage(format!(
            "{}: expected the name of a new folder, found a file",
            target.path().display()
        )));
    }
    // A file of another kind under a model's name would be a broken model.
    if let (Format::Npz, "safetensors") | (Format::Safetensors, "npz") = (options.to, &*target.extension()) {
        let (path, found) = (target.path().display(), target.extension());
        return Err(Error::Usage(format!(
            "--out {path}: ends as another kind of file than is to be written; give --to {found}, or another name"
        )));
    }
    let model::Stored { path, rbm, .. } = model::open(&options.model)?;
    exchange::export(&rbm, &target, options.to, options.names)?;
    print(format!("{}: {}\n  {}\n", path.display(), units(rbm.layers()), target.path().display()));
    Ok(ExitCode::SUCCESS)
}

#[derive(clap::Args)]
pub struct ImportOptions {
    /// An .npz or safetensors file, or a folder of CSV files, with scikit-learn's arrays (components_, intercept_hidden_,
    /// intercept_visible_), those of rbms (weight_matrix, hbias, vbias) or this project's
    arrays: PathBuf,
    /// Model file to write
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    out: PathBuf,
    /// Replace an existing model
    #[arg(long)]
    force: bool,
}

pub fn import(options: &ImportOptions) -> Result<ExitCode> {
    let target = target(options.out.clone(), options.force, &["safetensors"])?;
    let rbm = exchange::import(&options.arrays)?;
    exchange::export(&rbm, &target, Format::Safetensors, Names::RbmGpu)?;
    print(format!("{}: {}\n  {}\n", options.arrays.display(), units(rbm.layers()), target.path().display()));
    Ok(ExitCode::SUCCESS)
}

fn units(Layers { visible, hidden }: &Layers) -> String {
    format!("{} visible and {} hidden units", visible.counted(), hidden.counted())
}
