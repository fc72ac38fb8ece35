//! `rbm-gpu inpaint`

use std::process::ExitCode;

use rbm_gpu::{
    Error, Result,
    base::Base,
    inference::ModelOptions,
    inpaint::{Effort, Mask, inpaint, squared_error},
    memory,
    picture::{self, Form},
};

use super::{
    outputs::{self, Output},
    print,
};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// Unknown values: lower-half, upper-half, left-half, right-half, centre, random:SHARE, a PNG file (white pixels),
    /// or an .npy file (values other than 0)
    #[arg(long, value_name = "MASK", default_value = "lower-half")]
    mask: Mask,
    /// Chains of each case; their means are averaged
    #[arg(long, value_name = "N", default_value_t = 10)]
    chains: usize,
    /// Gibbs steps of each chain; p(v|h) is averaged over the second half
    #[arg(long, value_name = "N", default_value_t = 400)]
    steps: usize,
    /// Cases to fill in: test cases, or training cases if there are none
    #[arg(long, value_name = "N", default_value_t = 200)]
    count: usize,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    for (option, value) in [("chains", options.chains), ("steps", options.steps), ("count", options.count)] {
        if value == 0 || value >= 1 << 24 {
            return Err(Error::Usage(format!("--{option} must be from 1 to 2^24 − 1, found {value}")));
        }
    }
    let found = options.model.open()?;
    let encoding = &found.encoding;
    let target = options.output.target(
        &outputs::named("inpainted", encoding),
        &["png", "npy", "csv", "h5", "hdf5", "fasta", "fa"],
    )?;
    outputs::check(encoding, &target)?;
    let (source, dataset) = options.model.load(&found)?;
    let dataset = dataset.judging();
    let units = found.rbm.shape().visible;
    let unknown_units = options.mask.units(dataset.image, options.model.seed)?;
    let unknown = encoding.by_column(&unknown_units);
    let base = Base::new(found.rbm.layers(), dataset.train.marginals());
    let name = dataset.held_out_name();
    let held_out = dataset.held_out();
    let count = options.count.min(held_out.rows.len());
    let what = format!("{count} cases of {units} values");
    memory::check(&what, memory::product(&[count, units, 20]), "choose a smaller --count")?;
    let cases = held_out.select(&held_out.pictured(count));
    let mut inference = options.model.inference(&found.rbm, 0)?;
    let effort = Effort { chains: options.chains, steps: options.steps };
    let filled = inpaint(&mut inference, &cases.rows, &unknown, &base, effort)?;

    let count = cases.rows.len();
    let values: Vec<f32> = (0..count).flat_map(|case| cases.rows.values(case)).collect();
    if target.extension() != "png" {
        outputs::write_cases(&target, encoding, encoding.decode(&filled), false)?;
    } else {
        // Unknown values are dark grey.
        let pictured = 40.min(count) * units;
        let [shown, filled] = [&values, &filled]
            .map(|all| outputs::greys(encoding, &all[..pictured], &values[..pictured], &target));
        let shown: Vec<f32> =
            shown?.iter().zip(unknown.iter().cycle()).map(|(&x, &u)| if u { 0.3 } else { x }).collect();
        target.write_png(&picture::reconstructions(&shown, &filled?, dataset.image))?;
    }
    let error = squared_error(&values, &filled, &unknown);
    let mean: Vec<f32> = base.marginals().means.iter().map(|&mean| mean as f32).collect();
    let of_mean = squared_error(&values, &mean.repeat(count), &unknown);
    let scale = if encoding.means.is_empty() { "" } else { ", in standardised columns," };
    let mean_of = match Form::of(&encoding.layer, dataset.image) {
        Form::Image(..) => "image",
        Form::Sites(..) | Form::Columns(..) => "case",
    };
    print(format!(
        "{}: {} of {} values unknown, in {count} {name} of {source}, {} chains of {} Gibbs steps each, on {}\n\
         squared error of the unknown values{scale} {error:.3}; of the mean {mean_of} {of_mean:.3}: {:.1} % {}\n{}  {}\n",
        found.path.display(),
        unknown_units.iter().filter(|&&unknown| unknown).count(),
        unknown_units.len(),
        options.chains,
        options.steps,
        inference.device(),
        1e2 * (1.0 - error / of_mean).abs(),
        if error <= of_mean {
            "less"
        } else {
            "MORE: this model has not learnt how values depend on each other"
        },
        outputs::notes(&dataset),
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}
