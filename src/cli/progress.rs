//! How a run is shown while it goes on: lines on standard output, and a progress bar where standard error is a terminal.

use std::{io::IsTerminal, path::Path, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rbm_gpu::{
    doctor::Finding,
    estimator::tempering::Swaps,
    likelihood::Look,
    train::{EpochMetrics, Progress},
};

use super::{doctor, print, sparkline::sparkline};

/// Characters of a sparkline.
const SPARKS: usize = 16;

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Show {
    /// Print nothing but errors and, at the end, the run's folder
    #[arg(long)]
    quiet: bool,
}

/// A run on the screen. Whatever becomes of the run, the bar is gone when this is.
pub struct Display {
    show: Show,
    start: Instant,
    epochs: usize,
    /// Training cases.
    cases: usize,
    bar: ProgressBar,
    /// As they were reported, and of the epochs done.
    costs: Vec<f64>,
    errors: Vec<f64>,
}

impl Display {
    pub fn new(show: Show) -> Self {
        Self {
            show,
            start: Instant::now(),
            epochs: 0,
            cases: 0,
            bar: ProgressBar::hidden(),
            costs: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Begins with a line about the run, which has so many epochs of so many cases.
    pub fn begin(&mut self, epochs: usize, cases: usize, about: &str) {
        (self.epochs, self.cases) = (epochs, cases);
        if std::io::stderr().is_terminal() && !self.show.quiet {
            self.bar = ProgressBar::new((epochs * cases) as u64);
        }
        if let Ok(style) = ProgressStyle::with_template("epoch {prefix} {bar:24} {percent:>3} %  {msg}") {
            self.bar.set_style(style);
        }
        self.say(about);
    }

    /// The error of the model as it is, at the run's beginning or where it goes on.
    pub fn before(&mut self, error: f64, is_beginning: bool) {
        self.errors.push(error);
        if is_beginning {
            self.say(&format!("before training: reconstruction error {error:.2}\n"));
        }
    }

    /// Seconds since the program began.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Where the run stands within an epoch.
    pub fn progress(&mut self, progress: Progress) {
        let Progress { epoch, cases, cost, samples_per_second } = progress;
        let done = (epoch - 1) * self.cases + cases;
        self.costs.extend(cost);
        let left = (self.epochs * self.cases).saturating_sub(done) as f64 / samples_per_second;
        let curve = |name: &str, values: &[f64]| match values.last() {
            Some(last) => format!("{name} {last:.2} {}  ", sparkline(values, SPARKS)),
            None => String::new(),
        };
        self.bar.set_prefix(format!("{epoch}/{}", self.epochs));
        self.bar.set_message(format!(
            "{}{}{samples_per_second:.0} samples/s, {} left",
            curve("cost", &self.costs),
            curve("error", &self.errors),
            duration(left)
        ));
        self.bar.set_position(done as u64);
    }

    /// What an epoch came to.
    pub fn epoch(&mut self, metrics: &EpochMetrics) {
        self.errors.push(metrics.reconstruction_error);
        let mut text = format!(
            "epoch {:>3}: reconstruction error {:.3}, {:.0} samples/s, {:.2} s{}\n",
            metrics.epoch,
            metrics.reconstruction_error,
            metrics.samples_per_second,
            metrics.seconds,
            metrics.swaps.as_ref().map_or(String::new(), moves)
        );
        if let Some(look) = &metrics.eval {
            text += &figures(look);
        }
        self.say(&text);
    }

    /// What the doctor found.
    pub fn finding(&self, finding: &Finding) {
        self.say(&doctor::finding(finding));
    }

    /// The end: what the run came to and what it wrote; or, if quiet, its folder alone.
    pub fn finish(self, what: &str, folder: &Path) {
        self.say(what);
        if self.show.quiet {
            print(&format!("{}\n", folder.display()));
        }
    }

    /// Prints above the bar, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.show.quiet {
            self.bar.suspend(|| print(text));
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// How well replicas moved, in a few words.
fn moves(swaps: &Swaps) -> String {
    let least = swaps.acceptance.iter().copied().fold(f64::INFINITY, f64::min);
    let most = swaps.acceptance.iter().copied().fold(0.0, f64::max);
    format!(", swaps {:.0}–{:.0} %, {} round trips", 100.0 * least, 100.0 * most, swaps.round_trips)
}

/// What a look at the model found, in a line.
fn figures(look: &Look) -> String {
    let found = &look.likelihood;
    let (what, figure, low, high) =
        match (found.test_log_likelihood, found.test_log_likelihood_low, found.test_log_likelihood_high) {
            (Some(figure), Some(low), Some(high)) => ("test", figure, low, high),
            _ => (
                "training",
                found.train_log_likelihood,
                found.train_log_likelihood_low,
                found.train_log_likelihood_high,
            ),
        };
    let certainty = match found.log_z.log_z_method {
        "enumeration" => "exact".to_string(),
        _ => format!("{low:.2} to {high:.2}"),
    };
    let gap = found.free_energy_gap.map_or(String::new(), |gap| format!(", free-energy gap {gap:.2}"));
    format!(
        "           log-likelihood {figure:.2} ({certainty}) on {what} cases, pseudo {:.4} a unit{gap}; {:.2} s\n",
        found.pseudo_log_likelihood_per_unit, look.seconds
    )
}
