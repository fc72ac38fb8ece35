//! `rbm-gpu train`

mod fault;
mod session;
mod stop;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use rbm_gpu::{
    Error, Result,
    checkpoint::Policy,
    command::flag,
    config::{Estimator, TrainConfig},
    model, picture,
    train::{Event, Trainer},
};

use super::{
    progress::{Display, Show},
    terminal::words,
};
use session::Session;

/// Test cases in a picture of reconstructions.
const PICTURED: usize = 40;
/// Chains in a row of a picture.
const CHAIN_COLUMNS: usize = 20;

/// The options of training, of interruptions, and of the display.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub config: TrainConfig,
    /// Resume a stopped run from its last checkpoint, with its options; --epochs trains longer
    #[arg(long, value_name = "RUN", help_heading = "Interruptions")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    show: Show,
    /// The names of the options that were given.
    #[arg(skip)]
    pub given: Vec<String>,
}

pub fn run(mut options: Options) -> Result<ExitCode> {
    let mut display = Display::new(options.show)?;
    let (mut session, trainer) = match options.resume.clone() {
        Some(run) => Session::resume(&run, &options, &display)?,
        None => {
            if let Some(init) = options.config.init.as_ref().filter(|_| !options.is_given("hidden")) {
                let hidden = model::open(init)?.rbm.layers().hidden.clone();
                options.config.hidden = hidden.units();
                if !options.is_given("hidden_units") {
                    options.config.hidden_units = match hidden.blocks() {
                        [block] => block.kind.into(),
                        _ => (&hidden).into(),
                    };
                }
            }
            let (session, trainer) = Session::begin(options)?;
            (session, Some(trainer))
        }
    };
    let Some(mut trainer) = trainer else {
        // The run may have been killed before its report was written.
        let report = session.write_report();
        let run = session.folder.path();
        let epochs = session.config.epochs;
        let what = format!(
            "{0}: all {epochs} epochs are done; to train longer: rbm-gpu train --resume {0} --epochs {1}\n",
            run.display(),
            2 * epochs
        );
        display.finish(&what, run);
        return report.map(|_| ExitCode::SUCCESS);
    };

    let cases = trainer.dataset().train.rows.len();
    let config = &session.config;
    let about = format!(
        "{}: {cases} training cases, {} visible and {} hidden units, {}-{}, on {}\n",
        config.data,
        trainer.dataset().encoding.layer.counted(),
        config.hidden_layer().counted(),
        match config.estimator {
            Estimator::Cd => "CD",
            Estimator::Pcd => "PCD",
            Estimator::Pt => "PT",
            Estimator::Tt => "TT",
        },
        config.k,
        trainer.device()
    );
    display.begin(config.epochs, cases, &about);
    if !display.is_quiet() {
        session.stop.speak();
    }
    let before = trainer.reconstruction_error()?;
    let steps = trainer.steps_done();
    display.before(before, trainer.epochs_done(), steps == 0);
    let last = loop {
        match epochs(&mut session, &mut trainer, &mut display) {
            Ok(last) => break last,
            Err(error @ Error::Device { .. }) => {
                // The old trainer must free the device first.
                drop(trainer);
                trainer = match session.recover(error, &display) {
                    Ok(trainer) => trainer,
                    Err(error) => return Err(session.stopped(error, &[])),
                };
            }
            Err(error) => {
                trainer.tell_findings(|event| display.show(&event.spelled(flag)));
                return Err(session.stopped(error, trainer.findings()));
            }
        }
    };
    if let Some(code) = session.stop.exit_code().filter(|_| trainer.epochs_done() < session.config.epochs) {
        session.stop.answer();
        if let Err(error) = session.write_report() {
            display.say(&format!("{}\n", words(&error)));
        }
        display.finish(&session.how_to_go_on(&trainer), session.folder.path());
        return Ok(ExitCode::from(code));
    }

    let report = session.write_report();
    let shown = report.as_ref().map_or("not written".into(), |path| path.display().to_string());
    let path = session.folder.path().display();
    let epoch = session.config.epochs;
    let before_what = if steps == 0 { "before" } else { "when resumed" };
    let what = format!(
        "\ndone in {:.1} s; reconstruction error {before:.2} {before_what}, {:.3} after {epoch} epochs, on {}\n  \
         report           {shown}\n  \
         model            {}\n  \
         metrics          {path}/metrics.jsonl\n  \
         configuration    {path}/config.json\n  \
         filters          {path}/filters/epoch-{epoch:04}.png\n  \
         reconstructions  {path}/reconstructions/epoch-{epoch:04}.png\n",
        display.seconds(),
        last.unwrap_or(before),
        trainer.dataset().held_out_name(),
        session.folder.model().display(),
    );
    display.finish(&what, session.folder.path());
    report.map(|_| ExitCode::SUCCESS)
}

impl Options {
    fn is_given(&self, option: &str) -> bool {
        self.given.iter().any(|given| given == option)
    }
}

/// Whether an epoch's pictures are kept: the first, the last, and about a hundred in between.
fn is_pictured(epoch: usize, epochs: usize) -> bool {
    epoch == 1 || epoch == epochs || epoch.is_multiple_of(epochs.div_ceil(100))
}

/// Trains the remaining epochs, or until someone stops the run. Returns the reconstruction error after the last epoch.
fn epochs(session: &mut Session, trainer: &mut Trainer, display: &mut Display) -> Result<Option<f64>> {
    let epochs = session.config.epochs;
    let pictured = trainer.dataset().held_out().pictured(PICTURED);
    trainer.tell_findings(|event| display.show(&event.spelled(flag)));
    if trainer.epochs_done() == epochs {
        // A run that was killed at its end may lack some of its files.
        keep(session, trainer, display, &pictured)?;
        session.folder.sync()?;
    }
    let mut last = None;
    while trainer.epochs_done() < epochs {
        trainer.pause_at(session.fault.map(|fault| fault.step));
        let wanted = |step: usize| {
            session.stop.exit_code().is_some()
                || session.is_due()
                || session.fault.is_some_and(|fault| fault.step == step)
        };
        let mut over = None;
        let emit = |event: Event| match event.spelled(flag) {
            // It is shown after it has been kept.
            Event::Epoch(metrics) => over = Some(metrics),
            event => display.show(&event),
        };
        trainer.advance(emit, wanted)?;
        if let Some(metrics) = over {
            keep(session, trainer, display, &pictured)?;
            last = Some(metrics.reconstruction_error);
            let event = Event::Epoch(metrics);
            session.folder.add(&event)?;
            display.show(&event);
            session.refresh_report(display);
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

/// Keeps the results of an epoch: the model, and pictures of it.
fn keep(
    session: &mut Session,
    trainer: &mut Trainer,
    display: &mut Display,
    pictured: &[usize],
) -> Result<()> {
    let folder = &mut session.folder;
    let image = trainer.dataset().image;
    let (epoch, epochs) = (trainer.epochs_done(), session.config.epochs);
    let rbm = trainer.rbm()?;
    folder.save_model(&rbm, &session.config, &trainer.dataset().encoding)?;
    display.weights(&rbm, image);
    if !is_pictured(epoch, epochs) {
        return Ok(());
    }
    folder.add_picture("filters", epoch, &picture::filters(&rbm, image))?;
    let cases = &trainer.dataset().held_out().rows;
    let originals: Vec<f32> = pictured.iter().flat_map(|&case| cases.values(case)).collect();
    let reconstructed = trainer.reconstruct(pictured)?;
    let picture = picture::reconstructions(&originals, &reconstructed, image);
    folder.add_picture("reconstructions", epoch, &picture)?;
    // Persistent chains exist already; other chains must be run for the picture.
    if session.config.estimator != Estimator::Cd || epoch.is_power_of_two() || epoch == epochs {
        let fantasies = trainer.fantasies(pictured)?;
        folder.add_picture("chains", epoch, &picture::cases(&fantasies, image, CHAIN_COLUMNS))?;
    }
    Ok(())
}
