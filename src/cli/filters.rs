//! `rbm-gpu filters`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Error, Result,
    data::ImageSize,
    model,
    picture::{self, Form, logo},
};

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
    let found = model::open(&options.model)?;
    let layer = &found.encoding.layer;
    let letters = found.encoding.letters.as_deref();
    let (default, kinds) =
        if letters.is_some() { ("filters.svg", &["svg", "png"][..]) } else { ("filters.png", &["png"][..]) };
    let target = options.output.target(default, kinds)?;
    let image = options.image.map_or_else(|| found.image(), |ImageSize(height, width)| (height, width));
    if image.0 * image.1 != layer.units() {
        return Err(Error::Usage(format!(
            "--image {}x{}: the model has {} visible units; choose a height and a width that make these",
            image.0,
            image.1,
            layer.counted()
        )));
    }
    let form = Form::of(layer, image);
    if options.image.is_some() && !matches!(form, Form::Image(..)) {
        return Err(Error::Usage(format!(
            "--image {}x{}: the model's visible units, {layer}, are no pixels; leave the option out",
            image.0, image.1
        )));
    }
    let (height, width) = form.tile();
    let what = match letters.filter(|_| target.extension() == "svg") {
        Some(letters) => {
            let drawing = logo::filters(&found.rbm, letters);
            target.write(|file| file.write_all(drawing.as_bytes()))?;
            "as a logo of letters".into()
        }
        None => {
            target.write_png(&picture::filters(&found.rbm, (height, width)))?;
            match form {
                Form::Sites(sites, states) => format!("as {sites} lines of {states} states"),
                Form::Image(..) | Form::Columns(_) => format!("as {height}×{width} pixels"),
            }
        }
    };
    print(format!(
        "{}: the weights of {} hidden units, each {what}\n  {}\n",
        found.path.display(),
        found.rbm.layers().hidden.counted(),
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}
