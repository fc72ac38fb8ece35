//! The files that a command writes, as its options name them.

use std::path::PathBuf;

use rbm_gpu::{Error, Result, output::Target};

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
