//! `rbm-gpu data`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Result,
    data::{Dataset, Selection, Source, Summary},
    output::Target,
    picture,
};

use super::{print, print_json};

/// Cases in a picture.
const PICTURED: usize = 100;
/// Cases in the terminal.
const SHOWN: usize = 10;
/// Characters in a line of the terminal.
const LINE: usize = 120;

#[derive(clap::Args)]
pub struct Options {
    /// mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder of IDX files or of PNGs, or an .npy, .npz or .csv file
    data: Source,
    #[command(flatten)]
    selection: Selection,
    /// Write a picture of training cases, the same number of each class, as a PNG file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing picture
    #[arg(long, requires = "out")]
    force: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = options.out.as_ref().map(|path| Target::new(path, options.force)).transpose()?;
    let dataset = options.selection.load(&options.data)?;
    let summary = Summary::of(&dataset);
    if let Some(target) = &target {
        let cases = values(&dataset, PICTURED);
        target.write_png(&picture::cases(&cases, dataset.image, 10))?;
    }
    if options.json {
        print_json(&summary);
        return Ok(ExitCode::SUCCESS);
    }
    print(text(&options.data, &summary));
    match target {
        Some(target) => print(format!("  picture        {}\n", target.path().display())),
        None => {
            let shown = SHOWN.min(LINE / (dataset.image.1 + 1)).max(1);
            print(format!("\n{}", picture::blocks(&values(&dataset, shown), dataset.image)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The values of some training cases.
fn values(dataset: &Dataset, count: usize) -> Vec<f32> {
    let cases = dataset.train.pictured(count);
    cases.iter().flat_map(|&case| dataset.train.rows.values(case)).collect()
}

fn text(source: &Source, summary: &Summary) -> String {
    let (height, width) = summary.image;
    let packing = match summary.packing {
        "bits" => "0 or 1, a bit each",
        "bytes" => "grey levels, a byte each",
        _ => "between grey levels, 32-bit floats",
    };
    let mut text =
        format!("{source}: {} values a case, as {height}×{width} pixels; {packing}\n", summary.units);
    for part in &summary.parts {
        text += &format!(
            "  {:15}{} cases; values {} to {}, mean {:.4}, {:.1} % above 0.5\n",
            match part.name {
                "train" => "training",
                name => name,
            },
            part.cases,
            part.least,
            part.greatest,
            part.density,
            part.above_half * 1e2
        );
        if !part.classes.is_empty() {
            let counts: Vec<_> = part.classes.iter().map(|(name, count)| format!("{name} {count}")).collect();
            text += &format!("  {:15}{}\n", "  classes", counts.join(", "));
        }
    }
    if summary.constant_units > 0 {
        text += &format!("  {:15}{} values never change in training\n", "constant", summary.constant_units);
    }
    text
}
