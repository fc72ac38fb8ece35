//! A run in its folder: begun or resumed, epoch after epoch, with checkpoints between steps, until it is done, stopped,
//! or fails.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use rbm_gpu::{
    Error, Result,
    backend::DeviceInfo,
    checkpoint::{
        OnDeviceLoss, Origin, Policy,
        store::{Checkpoints, Disk, Newest},
    },
    command,
    config::{DeviceChoice, LearningRate, TrainConfig, Uniforms},
    data::ImageSize,
    digest::sha256_of,
    doctor::watch::Memory,
    finding::Finding,
    model,
    report::Keeper,
    run::RunFolder,
    train::{Event, Failure, Trainer},
    units::Layer,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Options, fault::Fault, stop::Stop};
use crate::cli::{progress::Display, terminal::words};

/// Options that may change when a run resumes.
const FREE: [&str; 3] = ["epochs", "device", "no_doctor"];

/// `config.json`: the options, and their results on this machine.
#[derive(Serialize)]
struct RunConfig<'a> {
    version: &'static str,
    #[serde(flatten)]
    config: &'a TrainConfig,
    #[serde(flatten)]
    policy: &'a Policy,
    /// Not an option of the model, so not in its metadata.
    no_doctor: bool,
    device_used: &'a DeviceInfo,
    visible: usize,
    /// The layers, unless all units are binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_layer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_layer: Option<String>,
    data_sha256: &'a str,
}

/// The rest of `config.json`. Earlier versions did not write all of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Begun {
    no_doctor: bool,
    data_sha256: String,
}

/// What a run whose epochs are done still lacks.
struct Lacks {
    /// What is missing, in words.
    what: Option<&'static str>,
    /// Whether a checkpoint can complete the run.
    can_be_completed: bool,
}

/// A run under way, without its trainer.
pub struct Session {
    pub folder: RunFolder,
    report: Keeper,
    /// Whether a failure to write the report was reported.
    is_report_missed: bool,
    pub config: TrainConfig,
    policy: Policy,
    checkpoints: Checkpoints,
    pub stop: Stop,
    /// SHA-256 of the training cases.
    data: String,
    pub fault: Option<Fault>,
    last: Instant,
    /// Seconds that the last checkpoint took to write.
    cost: f64,
    /// The checkpoint at which the device was last reopened.
    retried: Option<Option<PathBuf>>,
}

impl Session {
    fn new(folder: RunFolder, config: TrainConfig, policy: Policy, data: String) -> Result<Self> {
        let stop = Stop::listen().map_err(|source| Error::Write { path: folder.path().into(), source })?;
        Ok(Self {
            checkpoints: Checkpoints::new(folder.path(), policy.keep, Disk),
            report: Keeper::new(folder.path(), command::words),
            is_report_missed: false,
            folder,
            config,
            policy,
            stop,
            data,
            fault: Fault::wanted(),
            last: Instant::now(),
            cost: 0.0,
            retried: None,
        })
    }

    /// Begins a new run. Errors in its options show before anything is written.
    pub fn begin(options: Options) -> Result<(Self, Trainer)> {
        let Options { mut config, policy, given, .. } = options;
        policy.check()?;
        let given = |option: &str| given.iter().any(|given| given == option);
        if let (true, Some(units)) = (given("hidden"), config.hidden_units.units()) {
            let hidden = config.hidden;
            if hidden != units {
                return Err(Error::Usage(format!(
                    "--hidden {hidden}: --hidden-units {} are {units} units",
                    config.hidden_units
                )));
            }
        }
        config.check()?;
        config = config.settled();
        RunFolder::check(&config)?;
        let dataset = config.selection.load(&config.data)?;
        config.suit_units(&dataset.encoding.layer, given);
        let mut trainer = Trainer::new(&config, dataset)?;
        // Drawing in the kernels saves a way through memory. On llvmpipe that is a quarter faster; on the native path
        // the difference is below the noise.
        config.uniforms.get_or_insert(Uniforms::Device);
        // The device taken, not the one asked for: where auto and cpu are the same, they give the same model file.
        config.device = DeviceChoice::of(trainer.device());
        let (height, width) = trainer.dataset().image;
        config.selection.image = Some(ImageSize(height, width));
        let folder = RunFolder::create(&config)?;
        config.out = Some(folder.path().into());
        if config.init.is_some() {
            // A resumed run must begin with the same model, even if the original is gone.
            folder.save_initial(&trainer.rbm()?, &config, &trainer.dataset().encoding)?;
        }
        let session = Self::new(folder, config, policy, data_sum(&trainer))?;
        if let Some(fault) = session.fault.filter(|fault| fault.step == 0) {
            fault.strike(&mut trainer);
        }
        session.write_config(&trainer)?;
        Ok((session, trainer))
    }

    /// Resumes a run; without a trainer if it is done.
    pub fn resume(run: &Path, options: &Options, display: &Display) -> Result<(Self, Option<Trainer>)> {
        let folder = RunFolder::open(run)?;
        let Begun { no_doctor, data_sha256 } = folder.read_config()?;
        let mut config: TrainConfig = folder.read_config()?;
        let mut policy: Policy = folder.read_config()?;
        refuse_conflicts(run, options, &config)?;
        let given = |option: &str| options.given.iter().any(|given| given == option);
        let begun = config.clone();
        config.no_doctor = options.config.no_doctor || no_doctor;
        if given("epochs") {
            config.epochs = options.config.epochs;
        }
        if given("device") {
            config.device = options.config.device.clone();
        }
        if given("checkpoint_every") {
            policy.checkpoint_every = options.policy.checkpoint_every;
        }
        if given("keep") {
            policy.keep = options.policy.keep;
        }
        if given("on_device_loss") {
            policy.on_device_loss = options.policy.on_device_loss;
        }
        config.out = Some(run.into());
        config.check()?;
        policy.check()?;
        let done = folder.lines()?.last();
        if done > config.epochs {
            return Err(Error::Usage(format!(
                "--epochs {}: {} has {done} epochs already; choose more",
                config.epochs,
                run.display()
            )));
        }
        let mut session = Self::new(folder, config, policy, data_sha256)?;
        if done == session.config.epochs {
            let lacks = session.lacks()?;
            if let Some(what) = lacks.what {
                let then = if lacks.can_be_completed {
                    "it is completed"
                } else {
                    "there is no checkpoint to restore it from"
                };
                display.say(&format!("{}: all {done} epochs are done, but {what}; {then}\n", run.display()));
            }
            if lacks.what.is_none() || !lacks.can_be_completed {
                return Ok((session, None));
            }
        }
        let mut trainer = session.open()?;
        if session.data != data_sum(&trainer) {
            return Err(Error::Data(format!(
                "{}: the training cases differ from those that {} was begun with; bring those back, or begin a new \
                 run with --init {}",
                session.config.data,
                run.display(),
                run.display()
            )));
        }
        session.go_back(&mut trainer, display)?;
        if session.config.device != begun.device {
            session.config.device = DeviceChoice::of(trainer.device());
            display
                .say("another device rounds differently: the model will not be the same to the last bit\n");
        }
        if session.config.epochs != begun.epochs
            && (begun.lr_schedule != LearningRate::Constant || begun.average > 0.0)
        {
            display.say(&format!(
                "--lr-schedule and --average depend on the length of the run: from here on they are those of a run of {} epochs, up \
                 to here of a run of {}\n",
                session.config.epochs, begun.epochs
            ));
        }
        session.write_config(&trainer)?;
        Ok((session, Some(trainer)))
    }

    fn write_config(&self, trainer: &Trainer) -> Result<()> {
        let named = |layer: &Layer| (!layer.is_binary()).then(|| layer.to_string());
        self.folder.write_config(&RunConfig {
            version: env!("CARGO_PKG_VERSION"),
            config: &self.config,
            policy: &self.policy,
            no_doctor: self.config.no_doctor,
            device_used: trainer.device(),
            visible: trainer.dataset().train.rows.layout().units,
            visible_layer: named(&trainer.dataset().encoding.layer),
            hidden_layer: named(&self.config.hidden_layer()),
            data_sha256: &self.data,
        })
    }

    /// Builds the trainer of the run at its beginning.
    fn open(&self) -> Result<Trainer> {
        let init = self.config.init.as_ref().map(|_| self.folder.initial());
        let config = TrainConfig { init, ..self.config.clone() };
        Trainer::new(&config, config.selection.load(&config.data.near(&self.folder.model())?)?)
    }

    /// Restores the last checkpoint into a new trainer, and takes the folder back to it.
    fn go_back(&mut self, trainer: &mut Trainer, display: &Display) -> Result<()> {
        let newest = self.newest()?;
        let mut errors = Vec::new();
        newest.broken.iter().for_each(|broken| display.say(&format!("{broken}\n")));
        match newest.found {
            Some((path, state)) => {
                if state.position.origin.is_none() {
                    display.say(&format!(
                        "{}: does not say which run it is of, like those of earlier versions: taken on trust\n",
                        path.display()
                    ));
                }
                trainer.restore(&state).map_err(|error| match error {
                    Error::Usage(reason) => Error::Usage(format!("{}: {reason}", path.display())),
                    error => error,
                })?;
                display.say(&format!(
                    "resuming from {}: {} of {} epochs, {} steps\n",
                    path.display(),
                    trainer.epochs_done(),
                    self.config.epochs,
                    trainer.steps_done()
                ));
                let memory = Memory::of(&state.position).map_err(Error::Data)?;
                errors = memory.errors().to_vec();
                self.tell_of_lost_lines(state.position.epoch, &errors, display)?;
            }
            None => display.say(&format!(
                "{}: there is no checkpoint to resume from, so the run begins again\n",
                self.folder.path().display()
            )),
        }
        self.last = Instant::now();
        self.folder.go_back(trainer.epochs_done(), &errors)
    }

    /// The newest checkpoint whose epochs all have their lines, or else the newest. A checkpoint of another run is an
    /// error: we must not remove it, and it may be ours if config.json was changed.
    fn newest(&mut self) -> Result<Newest> {
        let (lines, origin) = (self.folder.lines()?, self.origin());
        let mut others = None;
        let mut find = |needs_lines: bool| {
            self.checkpoints.newest(|path, state| {
                Memory::of(&state.position)?;
                let epoch = state.position.epoch;
                let difference = state.position.origin.as_ref().and_then(|found| found.differs_from(&origin));
                match difference {
                    Some(difference) => {
                        others.get_or_insert((path.to_path_buf(), difference.clone()));
                        Err(difference)
                    }
                    None if needs_lines && !lines.reach(epoch) => {
                        Err(format!("it is of epoch {epoch}, and metrics.jsonl lacks lines up to there"))
                    }
                    None => Ok(()),
                }
            })
        };
        let mut newest = find(true);
        if newest.found.is_none() {
            // Training counts for more than its metrics.
            newest = find(false);
        }
        match others {
            None => Ok(newest),
            Some((path, difference)) => Err(Error::Usage(format!(
                "{0}: is not of the run in {1}: {difference}; undo that, or move the checkpoint away, or \
                 begin a new run there with --init {0}",
                path.display(),
                self.folder.path().display()
            ))),
        }
    }

    fn origin(&self) -> Origin {
        Origin::new(&self.config, &self.data)
    }

    fn tell_of_lost_lines(&self, epoch: usize, errors: &[f64], display: &Display) -> Result<()> {
        let missing = self.folder.lines()?.missing(epoch);
        if missing.is_empty() {
            return Ok(());
        }
        let mended = if errors.len() == epoch {
            "rewritten from the checkpoint, which has only the errors"
        } else {
            "left out"
        };
        let epochs: Vec<_> = missing.iter().map(usize::to_string).collect();
        display.say(&format!(
            "{}: metrics.jsonl has no readable line of {} {}; {mended}\n",
            self.folder.path().display(),
            if epochs.len() == 1 { "epoch" } else { "epochs" },
            epochs.join(", ")
        ));
        Ok(())
    }

    /// What a run whose epochs are done still lacks.
    fn lacks(&mut self) -> Result<Lacks> {
        let newest = self.newest()?.found.map(|(_, state)| state.position.epoch);
        let epochs = self.config.epochs;
        let what = if !self.policy.is_off() && newest.is_some_and(|epoch| epoch < epochs) {
            Some("its last checkpoint is missing")
        } else if !self.folder.lines()?.reach(epochs) {
            Some("lines of metrics.jsonl are missing or damaged")
        } else if model::load(&self.folder.model()).is_err() {
            Some("its model is missing or damaged")
        } else {
            None
        };
        Ok(Lacks { what, can_be_completed: newest.is_some() })
    }

    /// Updates the report if that is due. A failure does not end the run; it is reported once.
    pub fn refresh_report(&mut self, display: &Display) {
        if let Err(error) = self.report.refresh()
            && !std::mem::replace(&mut self.is_report_missed, true)
        {
            display.say(&format!("the report is left out for now: {}\n", words(&error)));
        }
    }

    /// Writes the report of a run that has ended.
    pub fn write_report(&mut self) -> Result<PathBuf> {
        self.report.write().map_err(|cause| {
            let run = self.folder.path().display();
            let advice = format!(
                "the run has all but its report; see to it that this can be written, and `rbm-gpu report {run}` makes it"
            );
            Error::Stopped { cause: Box::new(cause), advice }
        })
    }

    /// Whether a checkpoint is due.
    pub fn is_due(&self) -> bool {
        self.policy.is_due(self.last.elapsed().as_secs_f64(), self.cost)
    }

    /// Syncs the folder, and writes a checkpoint unless they are off.
    pub fn save(&mut self, trainer: &mut Trainer) -> Result<()> {
        let start = Instant::now();
        // A checkpoint must not have more epochs than the lines and the model, even after a power cut.
        self.folder.sync()?;
        if self.policy.is_off() {
            return Ok(());
        }
        let mut state = trainer.state()?;
        state.position.origin = Some(self.origin());
        self.checkpoints.save(&state)?;
        self.cost = start.elapsed().as_secs_f64();
        self.last = Instant::now();
        Ok(())
    }

    /// Rebuilds the run after the device failed, on the reopened device or on the native path.
    pub fn recover(&mut self, error: Error, display: &Display) -> Result<Trainer> {
        let here = self.checkpoints.last();
        let on_loss = self.policy.on_device_loss;
        let mut error = error;
        if on_loss != OnDeviceLoss::Stop && self.retried.as_ref() != Some(&here) {
            self.retried = Some(here);
            display.say(&format!("{}\nopening the device again\n", words(&error)));
            match self.open().and_then(|mut trainer| self.go_back(&mut trainer, display).map(|()| trainer)) {
                Ok(trainer) => return Ok(trainer),
                Err(again) => error = again,
            }
        }
        if on_loss == OnDeviceLoss::Cpu && self.config.device != DeviceChoice::Cpu {
            display
                .say(&format!("{}\nresuming on the native path, which rounds differently\n", words(&error)));
            self.config.device = DeviceChoice::Cpu;
            let mut trainer = self.open()?;
            self.go_back(&mut trainer, display)?;
            self.write_config(&trainer)?;
            return Ok(trainer);
        }
        Err(error)
    }

    /// Adds to an error what is left of the run and how to resume it. `findings` are those since the last epoch.
    pub fn stopped(&mut self, cause: Error, findings: &[Finding]) -> Error {
        // If this line cannot be written, the error still says the same.
        if let Error::Diverged { epoch, .. } | Error::Unnormalised { epoch, .. } = cause {
            let failure = Failure { epoch, error: Some(words(&cause)), findings: findings.to_vec() };
            let _ = self.folder.add(&Event::Failed(failure).spelled(command::flag));
        }
        let _ = self.report.write();
        let run = self.folder.path().display();
        let last = self.checkpoints.last();
        let advice = match (&cause, last) {
            (Error::Diverged { .. } | Error::Unnormalised { .. }, Some(last)) => format!(
                "the last good state is {0}; a new run can begin there, with other options: --init {0}",
                last.display()
            ),
            (Error::Diverged { .. } | Error::Unnormalised { .. }, None) => return cause,
            (_, Some(last)) => format!(
                "the last good state is {}; resume from there with `rbm-gpu train --resume {run}`",
                last.display()
            ),
            (_, None) => {
                format!("there is no checkpoint yet; `rbm-gpu train --resume {run}` begins the run again")
            }
        };
        Error::Stopped { cause: Box::new(cause), advice }
    }

    /// How to resume a stopped run.
    pub fn how_to_go_on(&self, trainer: &Trainer) -> String {
        let run = self.folder.path().display();
        let from = match self.checkpoints.last() {
            Some(last) => last.display().to_string(),
            None => "no checkpoint was written: the run would begin again".into(),
        };
        format!(
            "\nstopped after {} of {} epochs, {} steps\n  \
             checkpoint       {from}\n  \
             resume with      rbm-gpu train --resume {run}\n",
            trainer.epochs_done(),
            self.config.epochs,
            trainer.steps_done()
        )
    }
}

/// The SHA-256 of the training cases, as the run learns from them.
fn data_sum(trainer: &Trainer) -> String {
    let parts = trainer.dataset().train.rows.parts(1024);
    sha256_of(parts.map(|(_, words)| bytemuck::cast_slice(&words).to_vec()))
}

/// Refuses options that differ from those that the run was begun with.
fn refuse_conflicts(run: &Path, options: &Options, begun: &TrainConfig) -> Result<()> {
    // As text: 0.1 is 0.1, not the nearest 64-bit number.
    let written = |config: &TrainConfig| -> Value {
        serde_json::to_string(config).and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
    };
    let [given, begun] = [&options.config, begun].map(written);
    let command = TrainConfig::augment_args(clap::Command::new(""));
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let is_other = given.get(id).is_none_or(|value| Some(value) != begun.get(id));
        if options.given.iter().any(|given| given == id) && !FREE.contains(&id) && is_other {
            let was = begun.get(id).filter(|was| !was.is_null()).map_or(String::new(), |was| {
                format!(" ({})", was.as_str().map_or(was.to_string(), str::to_string))
            });
            return Err(Error::Usage(format!(
                "--{}: a resumed run keeps what it was begun with{was}; leave it out, or begin a new run from the \
                 model with --init {}",
                argument.get_long().unwrap_or(id),
                run.display()
            )));
        }
    }
    Ok(())
}
