//! `rbm-gpu eval`

use std::{process::ExitCode, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use rbm_gpu::{
    Result,
    ais::Progress,
    command::flag,
    config::Binarize,
    likelihood::{EvalOptions, EvalReport, evaluate},
    units::Layer,
};

use super::{print, print_json, terminal};

pub fn run(options: &EvalOptions) -> Result<ExitCode> {
    let bar = ProgressBar::new_spinner();
    terminal::set_bar(Some(bar.clone()));
    let report = evaluate(options, |steps| show(&bar, steps));
    terminal::set_bar(None);
    bar.finish_and_clear();
    let report = report?.spelled(flag);
    if options.json {
        print_json(&report);
    } else {
        print(table(&report));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows progress on standard error, if that is a terminal.
pub fn show(bar: &ProgressBar, steps: u64) -> Progress {
    let template = match steps {
        0 => "{spinner} {elapsed} log Z by enumeration",
        _ => "{spinner} {elapsed} log Z by annealing and tempering {bar:24} {percent:>3} %  {eta} to go",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(steps);
    bar.enable_steady_tick(Duration::from_millis(200));
    let bar = bar.clone();
    Progress::new(move |steps| bar.inc(steps))
}

fn table(report: &EvalReport) -> String {
    let likelihood = &report.likelihood;
    let log_z = &likelihood.log_z;
    let [visible, hidden] =
        [&report.visible_units, &report.hidden_units].map(|text| text.parse::<Layer>().ok());
    let is_binary = visible.as_ref().is_some_and(Layer::is_binary);
    let has_densities = visible.iter().flat_map(Layer::blocks).any(|block| block.kind.states().is_none());
    let binarize = match report.binarize {
        _ if !is_binary => "",
        Binarize::Threshold => ", on above 0.5",
        Binarize::Sample => ", drawn once from grey pixels",
        Binarize::None => ", binary as they are",
    };
    let [visible, hidden] = [(visible, &report.visible_units), (hidden, &report.hidden_units)]
        .map(|(layer, text)| layer.map_or(text.clone(), |layer| layer.counted()));
    let has_data = report.train_cases > 0;
    let data = match has_data {
        true => format!(
            "{}{}{binarize}: {} training and {} test cases",
            report.data,
            if report.inverted { ", inverted" } else { "" },
            report.train_cases,
            report.test_cases
        ),
        false => "log Z alone, as there are no data; chains start from samples of the model instead".into(),
    };
    let mut text = format!(
        "{}: {} visible and {} hidden units\n{data}, on {}\n\n",
        report.model.display(),
        visible,
        hidden,
        report.device
    );
    let mut line = |what: &str, figures: String| text += &format!("{what:24}{figures}\n");
    let bracket = |low: f64, high: f64| match log_z.ais {
        Some(_) => format!("   between {low:.3} and {high:.3}"),
        None => String::new(),
    };
    line("log Z", format!("{:>12.3}{}", log_z.log_z, bracket(log_z.log_z_low, log_z.log_z_high)));
    match &log_z.ais {
        None => line("", "     exact, by enumeration".into()),
        Some(ais) => {
            line(
                "",
                format!(
                    "     by parallel tempering: {} chains at {} temperatures, {} rounds, {:.1} round trips a chain",
                    ais.tempered.chains,
                    ais.tempered.swaps.inverse_temperatures.len(),
                    ais.tempered.rounds,
                    ais.tempered.swaps.round_trips as f64 / ais.tempered.chains as f64
                ),
            );
            for (which, measured) in [
                ("  all", &ais.tempered.all),
                ("  from the base", &ais.tempered.from_base),
                (if has_data { "  from data" } else { "  from fantasies" }, &ais.tempered.from_data),
            ] {
                line(which, format!("{:>12.3}   ± {:.3}", measured.log_z, measured.standard_error));
            }
            line(
                "",
                format!(
                    "     by annealed importance sampling: {} chains, {} temperatures each way",
                    ais.chains, ais.temperatures
                ),
            );
            for (direction, estimate) in [("  forwards", &ais.forward), ("  backwards", &ais.reverse)] {
                line(
                    direction,
                    format!(
                        "{:>12.3}   ± {:.3}, worth {:.1} chains",
                        estimate.log_z, estimate.standard_error, estimate.effective_chains
                    ),
                );
            }
        }
    }
    if has_data {
        text += &of_cases(report, has_densities);
    }
    text += &match &log_z.reason {
        None => format!("\nreliable; {:.1} s\n", report.seconds),
        Some(reason) => format!("\nNOT reliable: {reason}; {:.1} s\n", report.seconds),
    };
    text
}

/// The figures that need cases.
fn of_cases(report: &EvalReport, has_densities: bool) -> String {
    let likelihood = &report.likelihood;
    let bracket = |low: f64, high: f64| match likelihood.log_z.ais {
        Some(_) => format!("   between {low:.3} and {high:.3}"),
        None => String::new(),
    };
    let mut text = String::new();
    let mut line = |what: &str, figures: String| text += &format!("{what:24}{figures}\n");
    line(
        "log-likelihood, train",
        format!(
            "{:>12.3}{}",
            likelihood.train_log_likelihood,
            bracket(likelihood.train_log_likelihood_low, likelihood.train_log_likelihood_high)
        ),
    );
    if let (Some(test), Some(low), Some(high)) = (
        likelihood.test_log_likelihood,
        likelihood.test_log_likelihood_low,
        likelihood.test_log_likelihood_high,
    ) {
        line("log-likelihood, test", format!("{test:>12.3}{}", bracket(low, high)));
    }
    if let Some(gap) = likelihood.free_energy_gap {
        line("free-energy gap", format!("{gap:>12.3}   train less test"));
    }
    let held_out = if report.test_cases > 0 { "test" } else { "training" };
    line(
        "pseudo-log-likelihood",
        format!(
            "{:>12.3}   {:.5} a unit, of {} {held_out} cases",
            likelihood.pseudo_log_likelihood,
            likelihood.pseudo_log_likelihood_per_unit,
            likelihood.pseudo_log_likelihood_cases
        ),
    );
    line("reconstruction error", format!("{:>12.3}   of {held_out} cases", likelihood.reconstruction_error));
    let notes = report.notes.iter().map(|note| format!("\nnote: {note}\n"));
    text += &notes.collect::<String>();
    if has_densities {
        text += "\nlog-likelihoods are log densities of the numbers in the file\n";
    }
    text
}
