//! The display of a run: lines on standard output, and a progress bar if standard error is a terminal; or, if asked
//! for, the whole screen, until the user leaves it.

use std::{
    io::{self, IsTerminal},
    path::Path,
    time::Instant,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rbm_gpu::{
    Error, Result,
    estimator::tempering::Swaps,
    likelihood::{LogZMethod, Look},
    rbm::Rbm,
    train::{EpochMetrics, Event, Progress},
};

use super::{
    doctor, print,
    screen::{Screen, View, Weights},
    sparkline::sparkline,
    terminal::{self, Text},
};

/// Characters of a sparkline.
const SPARKS: usize = 16;
/// The most costs to keep; beyond it, every second one is dropped.
const MOST_COSTS: usize = 2000;
/// The most hidden units whose weights are shown.
const MOST_UNITS: usize = 60;

/// How much of a run to show.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Show {
    /// Print only errors and, at the end, the run's folder
    #[arg(long)]
    quiet: bool,
    /// Show the run on the whole screen: curves, weights, speed; q leaves the screen, and the run continues in lines
    #[arg(long, conflicts_with = "quiet")]
    tui: bool,
}

/// A run on the terminal. Dropping it removes the progress bar, however the run ends.
pub struct Display {
    show: Show,
    start: Instant,
    epochs: usize,
    /// Training cases.
    cases: usize,
    bar: ProgressBar,
    screen: Option<Screen>,
    /// Epochs and costs, as reported.
    costs: Vec<(f64, f64)>,
    errors: Vec<(f64, f64)>,
    /// Cases per second, of the fastest report.
    fastest: f64,
}

impl Display {
    /// A display that shows nothing yet.
    ///
    /// # Errors
    /// [`Error::Usage`] if the whole screen is asked for without a terminal.
    pub fn new(show: Show) -> Result<Self> {
        if show.tui && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Err(Error::Usage(
                "--tui: expected a terminal on standard input and output, found none; leave it out, and the run is shown in \
                 lines"
                    .into(),
            ));
        }
        Ok(Self {
            show,
            start: Instant::now(),
            epochs: 0,
            cases: 0,
            bar: ProgressBar::hidden(),
            screen: None,
            costs: Vec::new(),
            errors: Vec::new(),
            fastest: 0.0,
        })
    }

    /// Begins with a line about the run, which has `epochs` epochs of `cases` cases.
    pub fn begin(&mut self, epochs: usize, cases: usize, about: &str) {
        (self.epochs, self.cases) = (epochs, cases);
        let hidden = ProgressDrawTarget::hidden();
        self.bar = ProgressBar::with_draw_target(Some((epochs * cases) as u64), hidden);
        if let Ok(style) = ProgressStyle::with_template("epoch {prefix} {bar:24} {percent:>3} %  {msg}") {
            self.bar.set_style(style);
        }
        terminal::set_bar(Some(self.bar.clone()));
        if self.show.tui {
            match Screen::open() {
                Ok(screen) => {
                    *screen.view() = View { about: about.into(), epochs, ..View::default() };
                    self.screen = Some(screen);
                }
                Err(error) => {
                    self.say(&format!("the screen cannot be used, so the run is shown in lines: {error}\n"))
                }
            }
        }
        if self.screen.is_none() {
            self.show_bar();
        }
        self.say(about);
    }

    fn show_bar(&self) {
        if io::stderr().is_terminal() && !self.show.quiet {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Continues in lines if the user left the screen, beginning with those that were kept meanwhile.
    fn look_for_leaving(&mut self) {
        if let Some(screen) = self.screen.take_if(|screen| !screen.is_open()) {
            print(screen.close());
            self.show_bar();
        }
    }

    /// Shows the error of the model after `epoch` epochs, where the run begins or resumes.
    pub fn before(&mut self, error: f64, epoch: usize, is_beginning: bool) {
        self.errors.push((epoch as f64, error));
        if is_beginning {
            self.say(&format!("before training: reconstruction error {error:.2}\n"));
        }
    }

    /// Time since the program began, in seconds.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Shows an event of the run.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Progress(progress) => self.progress(progress),
            Event::Finding(finding) => self.tell(doctor::finding(finding)),
            Event::Epoch(metrics) => self.epoch(metrics),
            // The program prints the error itself.
            Event::Failed(_) => {}
        }
    }

    /// Shows the position within an epoch.
    fn progress(&mut self, progress: &Progress) {
        let &Progress { epoch, cases, cost, samples_per_second } = progress;
        self.look_for_leaving();
        let done = (epoch - 1) * self.cases + cases;
        if self.costs.len() >= MOST_COSTS {
            self.costs = self.costs.iter().copied().skip(1).step_by(2).collect();
        }
        self.costs.extend(cost.map(|cost| (done as f64 / self.cases as f64, cost)));
        self.fastest = self.fastest.max(samples_per_second);
        let left = duration((self.epochs * self.cases).saturating_sub(done) as f64 / samples_per_second);
        if let Some(screen) = &self.screen {
            let mut view = screen.view();
            (view.epochs, view.epoch) = (self.epochs, epoch);
            view.cases = (done, self.epochs * self.cases);
            (view.samples_per_second, view.fastest, view.left) = (samples_per_second, self.fastest, left);
            view.costs.clone_from(&self.costs);
            view.errors.clone_from(&self.errors);
            return;
        }
        let curve = |name: &str, points: &[(f64, f64)]| {
            let values: Vec<f64> = points.iter().map(|point| point.1).collect();
            match values.last() {
                Some(last) => format!("{name} {last:.2} {}  ", sparkline(&values, SPARKS)),
                None => String::new(),
            }
        };
        self.bar.set_prefix(format!("{epoch}/{}", self.epochs));
        self.bar.set_message(format!(
            "{}{}{samples_per_second:.0} samples/s, {left} left",
            curve("cost", &self.costs),
            curve("error", &self.errors),
        ));
        self.bar.set_position(done as u64);
    }

    /// Shows the weights of hidden units.
    pub fn weights(&mut self, rbm: &Rbm, image: (usize, usize)) {
        let Some(screen) = &self.screen else { return };
        let hidden = rbm.shape().hidden;
        let unit = |j: usize| rbm.weights().iter().copied().skip(j).step_by(hidden).collect();
        let units = (0..hidden.min(MOST_UNITS)).map(unit).collect();
        screen.view().weights = Weights { image, of: hidden, units };
    }

    /// Shows the metrics of an epoch.
    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.look_for_leaving();
        self.errors.push((metrics.epoch as f64, metrics.reconstruction_error));
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

    /// Shows the end: the results and the files written; or, if quiet, only the folder.
    pub fn finish(mut self, what: &str, folder: &Path) {
        self.leave();
        self.say(what);
        if self.show.quiet {
            print(format!("{}\n", folder.display()));
        }
    }

    /// Prints a text unless quiet; keeps it for later if there is a screen.
    pub fn say(&self, text: &str) {
        self.tell(text.into());
    }

    fn tell(&self, text: Text) {
        match &self.screen {
            _ if self.show.quiet => {}
            Some(screen) => screen.view().lines += text,
            None => print(text),
        }
    }

    /// Whether only errors and the run's folder are printed.
    pub fn is_quiet(&self) -> bool {
        self.show.quiet
    }

    fn leave(&mut self) {
        if let Some(screen) = self.screen.take() {
            print(screen.close());
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.leave();
        terminal::set_bar(None);
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

/// Swaps of replicas, in a few words.
fn moves(swaps: &Swaps) -> String {
    let least = swaps.acceptance.iter().copied().fold(f64::INFINITY, f64::min);
    let most = swaps.acceptance.iter().copied().fold(0.0, f64::max);
    format!(", swaps {:.0}–{:.0} %, {} round trips", 100.0 * least, 100.0 * most, swaps.round_trips)
}

/// An evaluation of the model, in a line.
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
        LogZMethod::Enumeration => "exact".to_string(),
        LogZMethod::Ais | LogZMethod::Tempering | LogZMethod::Unknown => format!("{low:.2} to {high:.2}"),
    };
    let gap = found.free_energy_gap.map_or(String::new(), |gap| format!(", free-energy gap {gap:.2}"));
    format!(
        "           log-likelihood {figure:.2} ({certainty}) on {what} cases, pseudo {:.4} a unit{gap}; {:.2} s\n",
        found.pseudo_log_likelihood_per_unit, look.seconds
    )
}
