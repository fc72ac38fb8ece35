//! `rbm-gpu reconstruct`

use std::process::ExitCode;

use rbm_gpu::{Result, inference::ModelOptions, inpaint::squared_error, memory, picture};

use super::{
    outputs::{self, Output},
    print,
};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// Cases in the picture
    #[arg(long, value_name = "N", default_value_t = 40)]
    count: usize,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let found = options.model.open()?;
    let encoding = &found.encoding;
    let target = options.output.target(
        &outputs::named("reconstructions", encoding),
        &["png", "npy", "csv", "h5", "hdf5", "fasta", "fa"],
    )?;
    outputs::check(encoding, &target)?;
    let (source, dataset) = options.model.load(&found)?;
    let dataset = dataset.judging();
    let cases = dataset.held_out();
    let units = found.rbm.shape().visible;
    let what = format!("{} reconstructions of {units} values", cases.rows.len());
    memory::check(&what, memory::product(&[cases.rows.len(), units, 12]), "choose fewer cases with --limit")?;
    let mut inference = options.model.inference(&found.rbm, 0)?;
    let means = inference.reconstruct(&cases.rows)?;
    let values: Vec<f32> = (0..cases.rows.len()).flat_map(|case| cases.rows.values(case)).collect();
    if target.extension() != "png" {
        outputs::write_cases(&target, encoding, encoding.decode(&means), false)?;
    } else {
        let pictured = cases.pictured(options.count.max(1));
        let of = |all: &[f32]| -> Vec<f32> {
            pictured.iter().flat_map(|case| &all[case * units..(case + 1) * units]).copied().collect()
        };
        let originals = of(&values);
        let greys = |shown: &[f32]| outputs::greys(encoding, shown, &originals, &target);
        let picture = picture::reconstructions(&greys(&originals)?, &greys(&of(&means))?, dataset.image);
        target.write_png(&picture)?;
    }
    print(format!(
        "{}: reconstruction error {:.3}, of {} {} of {source}, on {}\n{}  {}\n",
        found.path.display(),
        squared_error(&values, &means, &vec![true; units]),
        cases.rows.len(),
        dataset.held_out_name(),
        inference.device(),
        outputs::notes(&dataset),
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}
