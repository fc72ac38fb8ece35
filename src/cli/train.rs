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
    data::{Cases, Encoding, Rows},
    model,
    picture::{self, Form, logo},
    train::{Event, Trainer},
    units::Marginals,
};

use super::{
    progress::{Display, Show},
    terminal::words,
};
use session::Session;

/// Test cases in a picture of reconstructions.
const PICTURED: usize = 40;
/// Chains for frequencies and means.
const COUNTED: usize = 500;
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
    let shown = Shown::of(&trainer);
    let written = report.as_ref().map_or("not written".into(), |path| path.display().to_string());
    let path = session.folder.path().display();
    let epoch = session.config.epochs;
    let before_what = if steps == 0 { "before" } else { "when resumed" };
    let what = format!(
        "\ndone in {:.1} s; reconstruction error {before:.2} {before_what}, {:.3} after {epoch} epochs, on {}\n  \
         report           {written}\n  \
         model            {}\n  \
         metrics          {path}/metrics.jsonl\n  \
         configuration    {path}/config.json\n  \
         filters          {path}/filters/epoch-{epoch:04}.{}\n{}",
        display.seconds(),
        last.unwrap_or(before),
        trainer.dataset().held_out_name(),
        session.folder.model().display(),
        if shown.encoding.letters.is_some() { "svg" } else { "png" },
        if shown.greys(&[], &[]).is_some() {
            format!("  reconstructions  {path}/reconstructions/epoch-{epoch:04}.png\n")
        } else {
            format!("  marginals        {path}/chains/epoch-{epoch:04}.svg\n")
        }
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

/// What the pictures of a run show.
struct Shown {
    form: Form,
    encoding: Encoding,
    /// The held-out cases of the reconstructions.
    cases: Vec<usize>,
    /// The held-out cases where chains start that no estimator keeps.
    starts: Vec<usize>,
    /// Means and variances of the training cases, where they are shown.
    data: Option<Marginals>,
}

impl Shown {
    fn of(trainer: &Trainer) -> Self {
        let dataset = trainer.dataset();
        let encoding = dataset.encoding.clone();
        let form = Form::of(&encoding.layer, dataset.image);
        let counts = encoding.letters.is_some() || matches!(form, Form::Columns(_));
        let held_out = dataset.held_out();
        Self {
            form,
            cases: held_out.pictured(PICTURED),
            starts: held_out.pictured(if counts { COUNTED } else { PICTURED }),
            data: counts.then(|| dataset.train.marginals()),
            encoding,
        }
    }

    fn greys(&self, states: &[f32], of: &[f32]) -> Option<Vec<f32>> {
        self.form.greys(&self.encoding, states, of)
    }
}

/// Trains the remaining epochs, or until someone stops the run. Returns the reconstruction error after the last epoch.
fn epochs(session: &mut Session, trainer: &mut Trainer, display: &mut Display) -> Result<Option<f64>> {
    let epochs = session.config.epochs;
    let shown = Shown::of(trainer);
    trainer.tell_findings(|event| display.show(&event.spelled(flag)));
    if trainer.epochs_done() == epochs {
        // A run that was killed at its end may lack some of its files.
        keep(session, trainer, display, &shown)?;
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
            keep(session, trainer, display, &shown)?;
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
fn keep(session: &mut Session, trainer: &mut Trainer, display: &mut Display, shown: &Shown) -> Result<()> {
    let folder = &mut session.folder;
    let tile = shown.form.tile();
    let (epoch, epochs) = (trainer.epochs_done(), session.config.epochs);
    let rbm = trainer.rbm()?;
    folder.save_model(&rbm, &session.config, &trainer.dataset().encoding)?;
    display.weights(&rbm, tile);
    if !is_pictured(epoch, epochs) {
        return Ok(());
    }
    let letters = shown.encoding.letters.as_deref();
    match letters {
        Some(letters) => folder.add_drawing("filters", epoch, &logo::filters(&rbm, letters))?,
        None => folder.add_picture("filters", epoch, &picture::filters(&rbm, tile))?,
    }
    let cases = &trainer.dataset().held_out().rows;
    let originals: Vec<f32> = shown.cases.iter().flat_map(|&case| cases.values(case)).collect();
    if let Some(above) = shown.greys(&originals, &originals) {
        let reconstructed = trainer.reconstruct(&shown.cases)?;
        if let Some(below) = shown.greys(&reconstructed, &originals) {
            let picture = picture::reconstructions(&above, &below, tile);
            folder.add_picture("reconstructions", epoch, &picture)?;
        }
    }
    // Persistent chains exist already; other chains must be run for the picture.
    if session.config.estimator != Estimator::Cd || epoch.is_power_of_two() || epoch == epochs {
        let (means, states) = trainer.fantasies(&shown.starts)?;
        match (&shown.data, letters) {
            (Some(data), Some(letters)) => {
                let model = of_chains(&means, &states, tile);
                let sets = [("training cases", data), ("the model's chains", &model)];
                folder.add_drawing("chains", epoch, &logo::frequencies(&sets, letters))?;
            }
            (Some(data), None) => {
                let model = of_chains(&means, &states, tile);
                let drawing = picture::marginals(data, &model, &shown.encoding);
                folder.add_drawing("chains", epoch, &drawing)?;
            }
            (None, _) => {
                if let Some(greys) = shown.greys(&means, &originals) {
                    folder.add_picture("chains", epoch, &picture::cases(&greys, tile, CHAIN_COLUMNS))?;
                }
            }
        }
    }
    Ok(())
}

/// Means of the columns over chains, from p(v|h), and variances, from the states.
fn of_chains(means: &[f32], states: &[f32], (height, width): (usize, usize)) -> Marginals {
    let of = |values: &[f32]| Cases::from(Rows::from_values(height * width, values)).marginals();
    Marginals { means: of(means).means, variances: of(states).variances }
}
