//! `rbm-gpu completions` and `rbm-gpu man`, from the definition of the command line.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::CommandFactory;
use clap_complete::Shell;
use rbm_gpu::{Result, output::Target};

use super::{Cli, print, terminal::Text};

#[derive(clap::Args)]
pub struct CompletionOptions {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn completions(options: &CompletionOptions) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "rbm-gpu", &mut script);
    print(Text::own(String::from_utf8_lossy(&script).into_owned()));
    Ok(ExitCode::SUCCESS)
}

#[derive(clap::Args)]
pub struct ManOptions {
    /// Folder to write, which must be new: a page for each command
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn man(options: &ManOptions) -> Result<ExitCode> {
    let Some(out) = &options.out else {
        let mut page = Vec::new();
        let _ = clap_mangen::Man::new(Cli::command()).render(&mut page); // writing to memory cannot fail
        print(Text::own(String::from_utf8_lossy(&page).into_owned()));
        return Ok(ExitCode::SUCCESS);
    };
    let target = Target::new(out, false)?;
    target.write_folder(|folder| clap_mangen::generate_to(Cli::command(), folder))?;
    let pages = fs::read_dir(out).map_or(0, Iterator::count);
    print(format!("{}: {pages} pages; man -l {}\n", out.display(), out.join("rbm-gpu.1").display()));
    Ok(ExitCode::SUCCESS)
}
