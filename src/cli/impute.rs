//! `rbm-gpu impute`

use std::process::ExitCode;

use rbm_gpu::{
    Error, Result,
    base::Base,
    data::{
        Source,
        npy::{Array, Values, write_array, write_npz},
    },
    inference::ModelOptions,
    inpaint::{Effort, Wanted, impute},
    memory,
};

use super::{
    outputs::{self, Output},
    print,
};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// Data with missing values; short for --data
    #[arg(value_name = "DATA", conflicts_with = "data")]
    cases: Option<Source>,
    /// Chains of each case; their means are averaged
    #[arg(long, value_name = "N", default_value_t = 10)]
    chains: usize,
    /// Gibbs steps of each chain; means are over the second half
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: usize,
    /// Write the means of binary units and spins too, not their likelier state
    #[arg(long, conflicts_with = "draws")]
    means: bool,
    /// Write N draws of the missing values instead, which keep their spread: an array of N × cases × values, or the cases of each
    /// draw one after another
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    #[command(flatten)]
    output: Output,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let chains = options.draws.unwrap_or(options.chains);
    for (option, value) in [("draws", chains), ("chains", options.chains), ("steps", options.steps)] {
        if value == 0 || value >= 1 << 24 {
            return Err(Error::Usage(format!("--{option} must be from 1 to 2^24 − 1, found {value}")));
        }
    }
    let found = options.model.open()?;
    let is_table = !found.encoding.columns.is_empty();
    let default = if is_table { "imputed.csv" } else { "imputed.npy" };
    let target = options.output.target(default, &["npy", "npz", "csv", "h5", "hdf5", "fasta", "fa"])?;
    outputs::check(&found.encoding, &target)?;
    let mut model = options.model.clone();
    model.data.data = options.cases.clone().or(model.data.data);
    let (source, dataset) = model.load(&found)?;
    let (cases, encoding) = (&dataset.train, &found.encoding);
    let (count, units, columns) = (cases.rows.len(), found.rbm.shape().visible, encoding.file_columns());
    let values: Vec<f32> = (0..count).flat_map(|case| cases.rows.values(case)).collect();
    let observed = encoding.decode(&values);
    let missing = observed.iter().filter(|x| x.is_nan()).count();
    if missing == 0 {
        return Err(Error::Usage(format!(
            "{source}: expected missing values (NaN, or the mark named by --missing), found none in {count} cases"
        )));
    }
    let kept = if options.draws.is_some() { chains } else { 0 };
    let what = format!("{count} cases of {units} values");
    memory::check(&what, memory::product(&[count, units, 24 + 8 * kept]), "choose fewer cases with --limit")?;
    let base = Base::new(found.rbm.layers(), cases.marginals());
    let mut inference = model.inference(&found.rbm, 0)?;
    let effort = Effort { chains, steps: options.steps };
    let wanted = Wanted { draws: options.draws.is_some(), hidden: false };
    let imputed = impute(&mut inference, &cases.rows, &base, effort, wanted)?;
    let filled = match options.means {
        true => encoding.decode(&imputed.visible),
        false => encoding.likeliest(&imputed.visible),
    };
    let pick = |(observed, filled): (&f32, f32)| if observed.is_nan() { filled } else { *observed };
    let filled: Vec<f32> = observed.iter().zip(filled).map(pick).collect();
    let array = |values: Vec<f32>, shape: Vec<usize>| Array { shape, values: Values::Floats(values) };
    let extension = target.extension();
    let (values, shape) = match options.draws {
        Some(draws) => (encoding.decode(&imputed.draws), vec![draws, count, columns]),
        None => (filled, vec![count, columns]),
    };
    if extension == "npz" {
        let written = array(values, shape);
        let spread = encoding.spread(&imputed.visible, &imputed.deviations);
        let of_missing = |(observed, spread): (&f32, f32)| if observed.is_nan() { spread } else { 0.0 };
        let spread = observed.iter().zip(spread).map(of_missing).collect();
        let spread = array(spread, vec![count, columns]);
        let is_missing: Vec<u8> = observed.iter().map(|x| u8::from(x.is_nan())).collect();
        let is_missing = Array { shape: vec![count, columns], values: Values::Bytes(is_missing) };
        let name = if options.draws.is_some() { "draws" } else { "imputed" };
        let arrays = [(name, &written), ("spread", &spread), ("missing", &is_missing)];
        target.write(|out| write_npz(out, arrays))?;
    } else if extension == "npy" {
        target.write(|out| write_array(out, &array(values, shape)))?;
    } else {
        // Draws one after another.
        outputs::write_cases(&target, encoding, values, !options.means)?;
    }
    print(format!(
        "{}: {missing} missing of {} values, in {count} cases of {source}, {} of {chains} chains of {} Gibbs steps each, on {}\n  {}\n",
        found.path.display(),
        observed.len(),
        if options.draws.is_some() { "draws" } else { "means and likeliest states" },
        options.steps,
        inference.device(),
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}
