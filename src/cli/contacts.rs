//! `rbm-gpu contacts`

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Error, Result,
    contacts::{ContactOptions, Measure, Pair, Score, measure},
    data::npy::{Array, Values, write_array},
    picture,
};

use super::{outputs, print};

/// Pairs that are printed.
const SHOWN: usize = 10;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    measured: ContactOptions,
    /// What pairs are ranked by, and what is in a map and in an array: corrected (norms after the average product correction, for many
    /// sites with few contacts each) or norm (for few sites)
    #[arg(long, value_name = "WHAT", value_enum, default_value = "corrected", hide_possible_values = true)]
    score: Score,
    /// Write and print only pairs of sites at least this far from each other
    #[arg(long, value_name = "N", default_value_t = 1)]
    separation: usize,
    /// Files to write: .csv or .tsv (a pair a line, the strongest first), .png (a map of the scores), .npy (the
    /// scores, sites × sites)
    #[arg(short, long, value_name = "FILE", default_value = "contacts.csv")]
    out: Vec<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = |path: &PathBuf| outputs::target(path.clone(), options.force, &["csv", "tsv", "png", "npy"]);
    let targets = options.out.iter().map(target).collect::<Result<Vec<_>>>()?;
    let (found, source, contacts) = measure(&options.measured)?;
    let n = contacts.sites;
    let most = picture::LARGEST_MAP;
    if let Some(target) = targets.iter().find(|target| target.extension() == "png" && n > most) {
        return Err(Error::Usage(format!(
            "--out {}: a map has room for {most} sites, and there are {n}; choose a name that ends in .csv or .npy",
            target.path().display()
        )));
    }
    let pairs = contacts.ranked(options.separation, options.score);
    for target in &targets {
        match target.extension().as_str() {
            "png" => target.write_png(&picture::map(contacts.scores(options.score), n))?,
            "npy" => {
                let values =
                    Values::Floats(contacts.scores(options.score).iter().map(|&x| x as f32).collect());
                target.write(|out| write_array(out, &Array { shape: vec![n, n], values }))?;
            }
            extension => {
                let table = table(&pairs, if extension == "tsv" { '\t' } else { ',' });
                target.write(|out| out.write_all(table.as_bytes()))?;
            }
        }
    }
    let how = match options.measured.measure {
        Measure::Differences => "differences of log p",
        Measure::Variances => "variances of the hidden units, to second order in the weights",
    };
    let gap = match found.encoding.letters.as_ref().filter(|letters| letters.contains('-')) {
        None => "",
        Some(_) if options.measured.with_gap => "; with the gap",
        Some(_) => "; without the gap",
    };
    let mut text = format!(
        "{}: effective couplings of {n} sites, from {how}, averaged over {} cases of {source}{gap}\n",
        found.path.display(),
        contacts.cases
    );
    let _ = writeln!(text, "{:>6}{:>7}{:>7}{:>12}{:>12}", "rank", "site", "site", "corrected", "norm");
    for (rank, pair) in (1..).zip(pairs.iter().take(SHOWN)) {
        let (i, j) = pair.sites;
        let _ = writeln!(
            text,
            "{rank:>6}{:>7}{:>7}{:>12.4}{:>12.4}{}",
            i + 1,
            j + 1,
            pair.corrected,
            pair.raw,
            pair.coupling.map_or(String::new(), |coupling| format!("   J {coupling:+.4}"))
        );
    }
    if pairs.len() > SHOWN {
        let _ = writeln!(text, "     … of {} pairs; sites are counted from 1", pairs.len());
    }
    print(text);
    for target in &targets {
        print(format!("  {}\n", target.path().display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A pair a line, the strongest first; sites are counted from 1.
fn table(pairs: &[Pair], comma: char) -> String {
    let has_couplings = pairs.iter().any(|pair| pair.coupling.is_some());
    let mut head = vec!["rank", "site_i", "site_j", "corrected", "norm"];
    head.extend(has_couplings.then_some("coupling"));
    let line = |(rank, pair): (usize, &Pair)| {
        let (i, j) = pair.sites;
        let mut cells = vec![
            rank.to_string(),
            (i + 1).to_string(),
            (j + 1).to_string(),
            pair.corrected.to_string(),
            pair.raw.to_string(),
        ];
        cells.extend(pair.coupling.map(|coupling| coupling.to_string()));
        cells.join(&comma.to_string()) + "\n"
    };
    head.join(&comma.to_string()) + "\n" + &(1..).zip(pairs).map(line).collect::<String>()
}
