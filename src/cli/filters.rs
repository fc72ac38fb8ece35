//! `rbm-gpu filters`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{Error, Result, data::ImageSize, model, picture};

use super::{outputs::Output, print};

#[derive(clap::Args)]
pub struct Options {
    /// A run's folder, or a model's file
    model: PathBuf,
    /// Height and width of a case as an image [default: as in training, or a square]
    #[arg(long, value_name = "HxW")]
    image: Option<ImageSize>,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = options.output.target("filters.png", &["png"])?;
    let found = model::open(&options.model)?;
    let image = options.image.map_or_else(|| found.image(), |ImageSize(height, width)| (height, width));
    let units = found.rbm.shape().visible;
    if image.0 * image.1 != units {
        return Err(Error::Usage(format!(
            "--image {}x{}: the model has {units} visible units; choose a height and a width that make these",
            image.0, image.1
        )));
    }
    target.write_png(&picture::filters(&found.rbm, image))?;
    print(format!(
        "{}: the weights of {} hidden units, each as {}×{} pixels\n  {}\n",
        found.path.display(),
        found.rbm.shape().hidden,
        image.0,
        image.1,
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}
