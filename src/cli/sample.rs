//! `rbm-gpu sample`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use rbm_gpu::{
    Error, Result,
    base::Base,
    data::{
        Cases, Encoding,
        npy::{Array, read_array},
    },
    inference::ModelOptions,
    memory,
    output::Target,
    picture,
    rbm::Side,
    sample::{Clamped, Sampler, Start, random_starts},
};

use super::{outputs, print};

/// Frames of an animation, or columns of a strip.
const FRAMES: usize = 20;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// Chains
    #[arg(long, value_name = "N", default_value_t = 100)]
    chains: usize,
    /// Gibbs steps of each chain
    #[arg(long, value_name = "N", default_value_t = 1000)]
    steps: usize,
    /// Where chains start: random (fair coins), data (training cases), mean (the mean training case)
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = Start::Random, hide_possible_values = true)]
    start: Start,
    /// Parallel tempering over N temperatures, for models whose modes are far apart [default: 20, if given]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20", default_value_t = 1, hide_default_value = true)]
    tempered: usize,
    /// Inverse temperature β, above 0: samples of e^(−βE); above 1 they are nearer to the modes
    #[arg(long, value_name = "B", default_value_t = 1.0)]
    beta: f32,
    /// Sample p(v)^N, by N copies of the hidden units: at low temperature, without hidden units that freeze
    #[arg(long, value_name = "N", default_value_t = 1)]
    sharpen: usize,
    /// Visible units that keep their values: an .npy file with a row for each chain, or one for all, and a column for each
    /// column of the data; NaN is free
    #[arg(long, value_name = "FILE")]
    clamp: Option<PathBuf>,
    /// Hidden units that keep their states: an .npy file likewise, with a column for each of the model's; NaN is free
    #[arg(long, value_name = "FILE")]
    clamp_hidden: Option<PathBuf>,
    /// What to write: mean (p(v|h) of the last step) or state (drawn from it) [default: state if letters or tables are written, else
    /// mean]
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    show: Option<Show>,
    /// Files to write: .png (the last step as a grid), .gif (the chains over the steps), .npy or .h5 (chains × columns of the data),
    /// .csv (the same with the columns' names and words), .fasta (states of a model of letters) [default: samples.png, samples.fasta
    /// of letters, samples.csv of columns with types, or samples.npy of other Potts units and of several kinds]
    #[arg(short, long, value_name = "FILE")]
    out: Vec<PathBuf>,
    /// Also write the chains over the steps as a PNG strip, a row for each of the first chains
    #[arg(long, value_name = "FILE")]
    strip: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
}

/// Which values of a visible unit are shown.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Show {
    Mean,
    State,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    if options.chains == 0 || options.chains > 1 << 24 {
        return Err(Error::Usage(format!("--chains must be from 1 to 2^24, found {}", options.chains)));
    }
    if options.steps == 0 || options.steps >= 1 << 32 {
        return Err(Error::Usage(format!("--steps must be from 1 to 2^32 − 1, found {}", options.steps)));
    }
    if !(options.beta > 0.0 && options.beta.is_finite()) {
        return Err(Error::Usage(format!("--beta must be above 0 and finite, found {}", options.beta)));
    }
    if options.sharpen == 0 || options.sharpen > 1000 {
        return Err(Error::Usage(format!("--sharpen must be from 1 to 1000, found {}", options.sharpen)));
    }
    let strip =
        options.strip.clone().map(|path| outputs::target(path, options.force, &["png"])).transpose()?;
    let found = options.model.open()?;
    let encoding = &found.encoding;
    let targets = targets(options, encoding)?;
    for target in targets.iter().chain(&strip) {
        outputs::check(encoding, target)?;
    }
    let of_letters = targets.iter().find(|target| outputs::LETTERS.contains(&&*target.extension()));
    let are_tables = options.strip.is_none() && targets.iter().all(|target| target.extension() == "csv");
    let are_states = of_letters.is_some() || are_tables;
    let show = options.show.unwrap_or(if are_states { Show::State } else { Show::Mean });
    if let (Show::Mean, Some(target)) = (show, of_letters) {
        let path = target.path().display();
        return Err(Error::Usage(format!("--out {path}: letters are states; choose --show state")));
    }
    let (image, units) = (found.image(), found.rbm.shape().visible);
    // The states shown; a replica has means and states of both layers.
    let layers = found
        .rbm
        .shape()
        .visible
        .saturating_add(found.rbm.shape().hidden.saturating_mul(options.sharpen))
        .saturating_mul(2 * options.tempered);
    let needed =
        memory::product(&[options.chains, units.saturating_mul(FRAMES + 4).saturating_add(layers), 4]);
    let what = format!("{} chains at {} temperatures", options.chains, options.tempered);
    memory::check(&what, needed, "choose fewer --chains or fewer temperatures (--tempered)")?;
    let rbm = found.rbm.at(options.beta).sharpened(options.sharpen);
    let inference = options.model.inference(&rbm, options.chains)?;
    let device = inference.device().to_string();
    // Chains from a random start, at one temperature, need no data.
    let needs_data = options.start != Start::Random || options.tempered > 1;
    let data = if needs_data { Some(options.model.load(&found)?.1.train) } else { None };
    let base = match &data {
        Some(cases) => Base::new(rbm.layers(), cases.marginals()),
        None => Base::neutral(rbm.layers()),
    };
    let starts = match (options.start, &data) {
        (Start::Mean, _) => {
            let means = base.marginals().means.iter().map(|&mean| mean as f32);
            means.collect::<Vec<_>>().repeat(options.chains)
        }
        (Start::Data, Some(Cases { rows, .. })) => {
            let cases = (0..options.chains).map(|chain| chain * rows.len() / options.chains);
            cases.flat_map(|case| rows.values(case)).collect()
        }
        _ => random_starts(rbm.layers(), options.chains, options.model.seed),
    };
    let mut clamps = Vec::new();
    if let Some(path) = &options.clamp {
        let (values, columns) = given(path, encoding.file_columns(), options.chains)?;
        let mask = values.chunks(columns).flat_map(|row| {
            encoding.by_column(&row.iter().map(|x| f32::from(!x.is_nan())).collect::<Vec<_>>())
        });
        let mask: Vec<f32> = mask.collect();
        let place = |row: usize, column: usize| format!("{}: row {row}, column {column}", path.display());
        let known = encoding.encode_known(&values, place)?;
        clamps.push(Clamped { layer: Side::Visible, known, mask });
    }
    if let Some(path) = &options.clamp_hidden {
        let (values, _) = given(path, rbm.shape().hidden, options.chains)?;
        let mask = values.iter().map(|x| f32::from(!x.is_nan())).collect();
        let known = values.iter().map(|&x| if x.is_nan() { 0.0 } else { x }).collect();
        clamps.push(Clamped { layer: Side::Hidden, known, mask });
    }
    let mut sampler = Sampler::clamped(inference, &base, &starts, options.tempered, &clamps)?;

    // The start, then evenly spread steps up to the last.
    let moving = strip.is_some() || targets.iter().any(|target| target.extension() == "gif");
    let frames = if moving { FRAMES.min(options.steps + 1) } else { 2 };
    let mut states = vec![starts];
    for frame in 1..frames {
        let step = |frame: usize| frame * options.steps / (frames - 1);
        sampler.advance(step(frame) - step(frame - 1))?;
        let (means, drawn) = sampler.read()?;
        states.push(if show == Show::Mean { means } else { drawn });
    }

    let last = &states[frames - 1];
    for target in &targets {
        match target.extension().as_str() {
            "npy" | "csv" | "h5" | "hdf5" => {
                outputs::write_cases(target, encoding, encoding.decode(last), show == Show::State)?;
            }
            "fasta" | "fa" => outputs::write_letters(target, encoding, &encoding.decode(last))?,
            "gif" => {
                let pictures = states.iter().map(|cases| {
                    Ok(grid(&outputs::greys(encoding, cases, last, target)?, image, options.chains))
                });
                let pictures = pictures.collect::<Result<Vec<_>>>()?;
                target.write(|out| picture::write_gif(out, &pictures))?;
            }
            _ => target.write_png(&grid(
                &outputs::greys(encoding, last, last, target)?,
                image,
                options.chains,
            ))?,
        }
    }
    if let Some(strip) = &strip {
        // A row for each chain, as far as there is room.
        let rows = options.chains.min(FRAMES);
        let cases: Vec<f32> = (0..rows)
            .flat_map(|chain| states.iter().flat_map(move |cases| &cases[chain * units..(chain + 1) * units]))
            .copied()
            .collect();
        strip.write_png(&picture::cases(&outputs::greys(encoding, &cases, &cases, strip)?, image, frames))?;
    }

    print(format!(
        "{}: {} chains, {} Gibbs steps, on {device}\n",
        found.path.display(),
        options.chains,
        options.steps
    ));
    let rates = sampler.exchange_rates()?;
    if let Some(least) = rates.iter().copied().reduce(f64::min) {
        print(format!(
            "{} temperatures; neighbours exchange their states in {:.0} % of tries, the least willing in {:.1} %{}\n",
            options.tempered,
            1e2 * rates.iter().sum::<f64>() / rates.len() as f64,
            1e2 * least,
            if least < 0.05 { ": too few temperatures for chains to pass; give --tempered more" } else { "" }
        ));
    }
    for target in targets.iter().chain(&strip) {
        print(format!("  {}\n", target.path().display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers of a file of clamped units, a row for each chain, and the columns; NaN is free.
fn given(path: &Path, columns: usize, chains: usize) -> Result<(Vec<f32>, usize)> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let Array { shape, values } = read_array(&name, std::io::BufReader::new(file))?;
    let rows = match shape[..] {
        [found] if found == columns => 1,
        [rows, found] if found == columns && (rows == 1 || rows == chains) => rows,
        _ => {
            return Err(Error::Usage(format!(
                "{name}: expected {columns} columns, and 1 row or one for each of {chains} chains, found an array of \
                 shape {shape:?}"
            )));
        }
    };
    let values = values.floats();
    if let Some(x) = values.iter().find(|x| x.is_infinite()) {
        return Err(Error::Data(format!("{name}: expected numbers, or NaN for free units, found {x}")));
    }
    Ok((if rows == chains { values } else { values.repeat(chains) }, columns))
}

fn targets(options: &Options, encoding: &Encoding) -> Result<Vec<Target>> {
    let name = match encoding.letters {
        Some(_) if options.show == Some(Show::Mean) => "samples.npy".into(),
        _ => outputs::named("samples", encoding),
    };
    let default = (options.out.is_empty() && options.strip.is_none()).then(|| PathBuf::from(name));
    let paths = options.out.iter().cloned().chain(default);
    paths
        .map(|path| {
            outputs::target(path, options.force, &["png", "gif", "npy", "csv", "fasta", "fa", "h5", "hdf5"])
        })
        .collect()
}

fn grid(cases: &[f32], image: (usize, usize), chains: usize) -> image::GrayImage {
    picture::cases(cases, image, (chains as f64).sqrt().ceil() as usize)
}
