//! `rbm-gpu score`

use std::process::ExitCode;

use indicatif::ProgressBar;
use rbm_gpu::{
    Result,
    command::flag,
    data::{
        Source,
        npy::{Array, Values, write_array},
    },
    likelihood::EvalOptions,
    score::{Score, Scores, score},
};

use super::{eval, outputs, print, print_json, terminal};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    eval: EvalOptions,
    /// Cases to score
    #[arg(value_name = "CASES")]
    cases: Source,
    /// Only F(v) and quantiles, without log Z: faster
    #[arg(long)]
    no_log_z: bool,
    /// File to write, a line or a row for each case: .csv or .npy
    #[arg(short, long, value_name = "FILE", default_value = "scores.csv")]
    out: std::path::PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

/// The columns of a file.
const COLUMNS: [&str; 5] =
    ["free_energy", "log_likelihood", "log_likelihood_low", "log_likelihood_high", "quantile"];

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = outputs::target(options.out.clone(), options.force, &["csv", "npy"])?;
    let bar = ProgressBar::new_spinner();
    terminal::set_bar(Some(bar.clone()));
    let scores = score(&options.eval, &options.cases, !options.no_log_z, |steps| eval::show(&bar, steps));
    terminal::set_bar(None);
    bar.finish_and_clear();
    let mut scores = scores?;
    if let Some(log_z) = &mut scores.log_z {
        log_z.spell(flag);
    }
    let rows = scores.cases.iter().map(numbers);
    if target.extension() == "npy" {
        let values = Values::Floats(rows.flatten().map(|x| x as f32).collect());
        let shape = vec![scores.cases.len(), COLUMNS.len()];
        target.write(|out| write_array(out, &Array { shape, values }))?;
    } else {
        target.write(|out| {
            writeln!(out, "{}", COLUMNS.join(","))?;
            for row in rows {
                // An unknown number is an empty cell.
                let cell = |x: f64| if x.is_nan() { String::new() } else { x.to_string() };
                writeln!(out, "{}", row.map(cell).join(","))?;
            }
            Ok(())
        })?;
    }
    if options.eval.json {
        print_json(&scores);
    } else {
        print(text(&scores) + &format!("  {}\n", target.path().display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn numbers(score: &Score) -> [f64; 5] {
    let Score { free_energy, log_likelihood, log_likelihood_low, log_likelihood_high, quantile } = *score;
    let [log, low, high] =
        [log_likelihood, log_likelihood_low, log_likelihood_high].map(|log| log.unwrap_or(f64::NAN));
    [free_energy, log, low, high, quantile]
}

fn text(scores: &Scores) -> String {
    let mut text = format!(
        "{}: {} cases of {}, beside {} {} of {}, on {}\n",
        scores.model.display(),
        scores.cases.len(),
        scores.data,
        scores.held_out_cases,
        scores.held_out,
        scores.reference,
        scores.device
    );
    if scores.has_missing {
        text += "values are missing: scores are of what was observed\n";
    }
    if let Some(log_z) = &scores.log_z {
        let bracket = match log_z.log_z_low < log_z.log_z_high {
            true => format!(", between {:.3} and {:.3}", log_z.log_z_low, log_z.log_z_high),
            false => ", exact".into(),
        };
        let doubt = log_z.reason.as_ref().map_or(String::new(), |reason| format!("; NOT reliable: {reason}"));
        text += &format!("log Z {:.3}{bracket}{doubt}\n", log_z.log_z);
    }
    let count = scores.cases.len() as f64;
    for threshold in [0.05, 0.01] {
        let flagged = scores.cases.iter().filter(|case| case.quantile < threshold).count();
        text += &format!(
            "{flagged} cases ({:.1} %) are less likely than all but {} % of the {}\n",
            flagged as f64 / count * 1e2,
            threshold * 1e2,
            scores.held_out
        );
    }
    text
}
