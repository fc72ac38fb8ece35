//! `rbm-gpu train`

mod fault;
mod session;
mod stop;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rbm_gpu::{
    Error, Result,
    checkpoint::Policy,
    config::{Estimator, TrainConfig},
    doctor::Finding,
    estimator::tempering::Swaps,
    likelihood::Look,
    model, picture,
    train::{Advance, EpochMetrics, Progress, Trainer},
};
use serde::Serialize;

use super::{doctor, print};
use session::Session;

/// Test cases in a picture of reconstructions.
const PICTURED: usize = 40;

/// A line of `metrics.jsonl`: an epoch, and what the doctor found since the one before.
#[derive(Serialize)]
struct MetricsLine<'a> {
    #[serde(flatten)]
    metrics: &'a EpochMetrics,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    findings: &'a [Finding],
}

/// What is trained, and what is done about interruptions.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub config: TrainConfig,
    /// Go on with a run that was stopped, from its last checkpoint, with its options; --epochs trains longer
    #[arg(long, value_name = "RUN", help_heading = "Interruptions")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    policy: Policy,
    /// The options that were given.
    #[arg(skip)]
    pub given: Vec<String>,
}

pub fn run(mut options: Options) -> Result<ExitCode> {
    let start = Instant::now();
    let (mut session, trainer) = match options.resume.clone() {
        Some(run) => Session::resume(&run, &options)?,
        None => {
            if let Some(init) = options.config.init.as_ref().filter(|_| !options.is_given("hidden")) {
                options.config.hidden = model::open(init)?.1.shape.hidden;
            }
            let (session, trainer) = Session::begin(options)?;
            (session, Some(trainer))
        }
    };
    let Some(mut trainer) = trainer else {
        let run = session.folder.path().display();
        let epochs = session.config.epochs;
        print(&format!(
            "{run}: all {epochs} epochs are done; to train longer: rbm-gpu train --resume {run} --epochs {}\n",
            2 * epochs
        ));
        return Ok(ExitCode::SUCCESS);
    };

    let cases = trainer.dataset().train.rows.len();
    let config = &session.config;
    print(&format!(
        "{}: {cases} training cases, {} visible and {} hidden units, {}-{}, on {}\n",
        config.data,
        trainer.dataset().train.rows.layout().units,
        config.hidden,
        match config.estimator {
            Estimator::Cd => "CD",
            Estimator::Pcd => "PCD",
            Estimator::Pt => "PT",
        },
        config.k,
        trainer.device()
    ));
    let before = trainer.reconstruction_error()?;
    let steps = trainer.steps_done();
    if steps == 0 {
        print(&format!("before training: reconstruction error {before:.2}\n"));
    }
    let last = loop {
        match epochs(&mut session, &mut trainer) {
            Ok(last) => break last,
            Err(error @ Error::Device { .. }) => {
                // What is left of it must be gone before there can be another.
                drop(trainer);
                trainer = match session.recover(error) {
                    Ok(trainer) => trainer,
                    Err(error) => return Err(session.stopped(error)),
                };
            }
            Err(error) => {
                session.findings.extend(warnings(&mut trainer));
                return Err(session.stopped(error));
            }
        }
    };
    if let Some(code) = session.stop.exit_code().filter(|_| trainer.epochs_done() < session.config.epochs) {
        print(&session.how_to_go_on(&trainer));
        return Ok(ExitCode::from(code));
    }

    let path = session.folder.path().display();
    let epoch = session.config.epochs;
    let before_what = if steps == 0 { "before" } else { "when it went on" };
    print(&format!(
        "\ndone in {:.1} s; reconstruction error {before:.2} {before_what}, {:.3} after {epoch} epochs, on {}\n  \
         model            {}\n  \
         metrics          {path}/metrics.jsonl\n  \
         configuration    {path}/config.json\n  \
         filters          {path}/filters/epoch-{epoch:04}.png\n  \
         reconstructions  {path}/reconstructions/epoch-{epoch:04}.png\n",
        start.elapsed().as_secs_f64(),
        last.map_or(before, |metrics| metrics.reconstruction_error),
        trainer.dataset().held_out_name(),
        session.folder.model().display(),
    ));
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn is_given(&self, option: &str) -> bool {
        self.given.iter().any(|given| given == option)
    }
}

/// The epochs that are left, or as many as somebody lets it do.
fn epochs(session: &mut Session, trainer: &mut Trainer) -> Result<Option<EpochMetrics>> {
    let (epochs, cases) = (session.config.epochs, trainer.dataset().train.rows.len());
    let image = trainer.dataset().image;
    let pictured = trainer.dataset().held_out().pictured(PICTURED);
    let originals: Vec<f32> =
        pictured.iter().flat_map(|&case| trainer.dataset().held_out().rows.values(case)).collect();
    session.findings.extend(warnings(trainer));
    let mut last = None;
    while trainer.epochs_done() < epochs {
        trainer.pause_at(session.fault.map(|fault| fault.step));
        let wanted = |step: usize| {
            session.stop.exit_code().is_some()
                || session.is_due()
                || session.fault.is_some_and(|fault| fault.step == step)
        };
        let advance = epoch(trainer, epochs, cases, wanted);
        session.findings.extend(warnings(trainer));
        match advance {
            Ok(Advance::Paused) => {}
            Ok(Advance::Epoch(metrics)) => {
                let folder = &mut session.folder;
                let rbm = trainer.rbm()?;
                folder.save_model(&rbm, &session.config)?;
                folder.add_picture("filters", metrics.epoch, &picture::filters(&rbm, image))?;
                let reconstructed = trainer.reconstruct(&pictured)?;
                let picture = picture::reconstructions(&originals, &reconstructed, image);
                folder.add_picture("reconstructions", metrics.epoch, &picture)?;
                folder.add_metrics(&MetricsLine { metrics: &metrics, findings: &session.findings })?;
                session.findings.clear();
                print(&line(&metrics));
                last = Some(metrics);
            }
            Err(error) => return Err(error),
        }
        if let Some(fault) = session.fault.filter(|fault| fault.step == trainer.steps_done()) {
            session.fault = fault.strike(trainer);
        }
        let stops = session.stop.exit_code().is_some();
        if stops || session.is_due() || trainer.epochs_done() == epochs {
            session.save(trainer)?;
        }
        if stops {
            break;
        }
    }
    Ok(last)
}

/// What an epoch came to, in a line, or two.
fn line(metrics: &EpochMetrics) -> String {
    let swaps = metrics.swaps.as_ref().map_or(String::new(), moves);
    format!(
        "epoch {:>3}: reconstruction error {:.3}, {:.0} samples/s, {:.2} s{swaps}\n{}",
        metrics.epoch,
        metrics.reconstruction_error,
        metrics.samples_per_second,
        metrics.seconds,
        metrics.eval.as_ref().map_or(String::new(), figures)
    )
}

/// What the doctor found since it was asked last; printed, too.
fn warnings(trainer: &mut Trainer) -> Vec<Finding> {
    let found = trainer.doctor().map_or(Vec::new(), |doctor| doctor.take());
    found.iter().for_each(|finding| print(&doctor::finding(finding)));
    found
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
    let certainty = match found.log_z.ais {
        None => "exact".to_string(),
        Some(_) => format!("{low:.2} to {high:.2}"),
    };
    let gap = found.free_energy_gap.map_or(String::new(), |gap| format!(", free-energy gap {gap:.2}"));
    format!(
        "           log-likelihood {figure:.2} ({certainty}) on {what} cases, pseudo {:.4} a unit{gap}; {:.2} s\n",
        found.pseudo_log_likelihood_per_unit, look.seconds
    )
}

/// One epoch, or a part of it, behind a progress bar, which shows where standard error is a terminal.
fn epoch(
    trainer: &mut Trainer,
    epochs: usize,
    cases: usize,
    pause: impl FnMut(usize) -> bool,
) -> Result<Advance> {
    let done = trainer.epochs_done() * cases;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new((epochs * cases) as u64).with_position(done as u64)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("epoch {prefix} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(format!("{}/{epochs}", trainer.epochs_done() + 1));
    let report = |progress: Progress| {
        let Progress { cost, samples_per_second, .. } = progress;
        let left = (epochs * cases - done - progress.cases) as f64 / samples_per_second;
        let cost = cost.map_or(String::new(), |cost| format!("cost {cost:.2}, "));
        bar.set_message(format!("{cost}{samples_per_second:.0} samples/s, {left:.0} s left"));
        bar.set_position((done + progress.cases) as u64);
    };
    let advance = trainer.advance(report, pause);
    bar.finish_and_clear();
    advance
}
