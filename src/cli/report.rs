//! `rbm-gpu report`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Result, command,
    report::{self, Record},
};

use super::{outputs, print};

#[derive(clap::Args)]
pub struct Options {
    /// Runs' folders: the report of one, or of several side by side
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// File to write [default: for one run, report.html in its folder, replaced; for several, report.html here]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = match (&options.out, options.runs.as_slice()) {
        (Some(path), _) => outputs::target(path.clone(), options.force, &["html", "htm"])?,
        // A run's own report is made from its folder alone, so replacing it loses nothing.
        (None, [run]) if run.is_dir() => outputs::target(run.join(report::FILE), true, &["html"])?,
        (None, _) => outputs::target(report::FILE.into(), options.force, &["html"])?,
    };
    let records = options.runs.iter().map(|run| Record::read(run)).collect::<Result<Vec<_>>>()?;
    let report = report::report(&records, command::words)?;
    target.write(|file| file.write_all(report.page.as_bytes()))?;
    report.remarks.iter().for_each(|remark| print(format!("{remark}\n")));
    print(format!("  {}\n", target.path().display()));
    Ok(ExitCode::SUCCESS)
}
