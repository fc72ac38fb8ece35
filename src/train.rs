//! The trainer: from a data set to a model, one epoch at a time. The step itself is Hinton's: show the data, run the
//! chains, update (Hinton 2010, sections 2 and 3).

mod averaging;
mod evaluation;
mod models;
mod replay;
pub mod state;
mod step;

pub use evaluation::FANTASY_STEPS;

use std::{sync::Arc, time::Duration};

use averaging::Averaging;

use crate::{
    backend::{Backend, BackendExt, Data, DeviceInfo, Model, Values},
    clock::{Clock, System},
    config::{Binarize, Estimator, Optimizer, Switch, TrainConfig, Uniforms},
    data::{Dataset, RowLayout, Rows},
    device::{self, Footprint},
    doctor::watch::{self, Watch},
    error::{Error, Result, usage},
    estimator::{
        Phases, Replicas, draws_of_step, start_chains,
        tempering::{Streams, Swaps, Tempering},
        trajectory::Trajectory,
    },
    likelihood::{Look, Monitor},
    model,
    rbm::{Rbm, Shape},
    schedule::{Block, Schedule},
};
use evaluation::Evaluation;
use models::{Models, is_fused, keeps_velocity};
use state::State;

/// Time between two reports within an epoch, and the device's time in one submission: aimed at, not promised.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Looking for numbers that are none takes a hundredth of the time at most.
const CHECK_SHARE: u32 = 100;
const SUBMISSION: Duration = Duration::from_millis(60);

/// Where a run stands within an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Cases shown so far in this epoch.
    pub cases: usize,
    /// As [`EpochMetrics::training_reconstruction_error`], so far.
    pub cost: Option<f64>,
    /// Cases a second in this epoch.
    pub samples_per_second: f64,
}

/// What an epoch came to: a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EpochMetrics {
    /// The epoch, from 1; 0 is the model before training.
    pub epoch: usize,
    /// Mean over the held-out cases of Σ (x − p(v|h))², with h = p(h|x), of the model as it is saved.
    pub reconstruction_error: f64,
    /// Mean of Σ (x − p(v|h))² over every eighth of the epoch's minibatches, as the chains left them: with h drawn,
    /// after k sweeps of CD-k, under the parameters of that step. Persistent chains reconstruct nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_reconstruction_error: Option<f64>,
    /// Time spent learning, without the measuring of errors.
    pub seconds: f64,
    /// Training cases learnt from in a second.
    pub samples_per_second: f64,
    /// How well the replicas of parallel tempering or of trajectory tempering moved, since this was last known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swaps: Option<Swaps>,
    /// What the model as it is saved comes to, in the epochs that the options choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval: Option<Look>,
}

/// What [`Trainer::advance`] came to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one an epoch")]
pub enum Advance {
    /// An epoch is over.
    Epoch(EpochMetrics),
    /// It is not, but there was to be a pause: the run is between two steps.
    Paused,
}

/// Why the steps of an epoch stopped.
enum Halt {
    Pause,
    NonFinite((&'static str, usize, f32)),
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A run: a model on a device, and the data it learns from.
pub struct Trainer {
    config: TrainConfig,
    dataset: Dataset,
    backend: Box<dyn Backend>,
    clock: Arc<dyn Clock>,
    /// How the training rows lie in memory.
    dataset_layout: RowLayout,
    models: Models,
    phases: Phases,
    replicas: Option<Replicas>,
    training: Data,
    costs: Values,
    stream_rows: bool,
    steps_an_epoch: usize,
    evaluation: Evaluation,
    monitor: Option<Monitor>,
    minibatches_a_submission: usize,
    /// Epochs done.
    epoch: usize,
    /// Steps done in the epoch after them, and what they came to.
    steps: usize,
    sums: Sums,
    /// A step before which work is sent off, whatever is to come after it.
    pause_at: Option<usize>,
    /// Where the run went on the last time.
    before: Option<State>,
    doctor: Option<Watch>,
    /// The parameters at the end of the last epoch.
    last: Option<Rbm>,
}

impl Trainer {
    /// Checks the options against the data, chooses the device, checks that everything fits it, and only then opens
    /// it and moves the initial model and the data there.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't go with the data or the device, [`crate::Error::Device`] if it fails.
    pub fn new(config: &TrainConfig, dataset: Dataset) -> Result<Self> {
        let config = &config.settled();
        check(config, &dataset)?;
        let cases = dataset.train.rows.len();
        let shape = Shape { visible: dataset.train.rows.layout().units, hidden: config.hidden };
        let monitored = config.eval_every.map(|_| Monitor::rows());
        let rows = config.batch.max(config.chains(config.batch)).max(Evaluation::rows(config, &dataset));
        let rows = rows.max(monitored.unwrap_or(0));
        // Blocks that carry their rows have fewer uniforms, if any.
        let uniforms = schedule(config, &dataset.train.rows, shape, false, config.k.most()).block_uniforms();
        let temperatures = config.temperatures as u64;
        let (replicas, snapshots) = match config.estimator {
            Estimator::Cd | Estimator::Pcd => (0, 0),
            Estimator::Pt => (temperatures, 0),
            Estimator::Tt => (temperatures, temperatures - 1),
        };
        let pairs_of_layers = 6 + replicas + if monitored.is_some() { 4 } else { 0 };
        let footprint = Footprint::new(shape, rows, pairs_of_layers, uniforms).with_snapshots(snapshots);
        let footprint = footprint.with_models(if config.fast_weights.is_some() { 2 } else { 0 });
        let kept = [
            keeps_velocity(config),
            !is_fused(config),
            config.optimizer == Optimizer::Adam,
            config.average > 0.0,
        ];
        let footprint = footprint.with_models(kept.into_iter().filter(|&is_kept| is_kept).count() as u64);
        let (candidate, backend) = device::open(&config.device, &footprint)?;
        let stream_rows = !candidate.holds(dataset.train.rows.layout(), cases, &footprint);
        Self::with_backend(config, dataset, backend, stream_rows)
    }

    /// The same on a device that is already open; `stream_rows` says whether the training cases are streamed with
    /// the minibatches rather than kept there.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't go with the data, or if the device has no room.
    pub fn with_backend(
        config: &TrainConfig,
        dataset: Dataset,
        backend: Box<dyn Backend>,
        stream_rows: bool,
    ) -> Result<Self> {
        Self::with_clock(config, dataset, backend, stream_rows, Arc::new(System::new()))
    }

    /// A run as [`Trainer::with_backend`] makes it, whose times are those of `clock` rather than of the operating system. The
    /// model does not depend on them.
    ///
    /// # Errors
    /// Those of [`Trainer::with_backend`].
    pub fn with_clock(
        config: &TrainConfig,
        dataset: Dataset,
        mut backend: Box<dyn Backend>,
        stream_rows: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let config = &config.settled();
        check(config, &dataset)?;
        let dataset = match config.binarize {
            Binarize::Threshold => dataset.threshold(),
            Binarize::Sample | Binarize::None => dataset,
        };
        let rows = &dataset.train.rows;
        let layout = rows.layout();
        let shape = Shape { visible: layout.units, hidden: config.hidden };
        let of_doctor = || (!config.no_doctor).then(|| watch::of_some(&dataset.train));
        let (density, data) = rayon::join(|| rows.density(), of_doctor);
        let models = Models::new(&mut *backend, config, &initial(config, shape, &density)?, &density)?;
        let chains = config.chains(config.batch);
        let (positive, negative) = (backend.pair(config.batch)?, backend.pair(chains)?);
        let phases = Phases { positive, negative, rows: config.batch, chains };
        let (theta, seed, temperatures) = (models.theta, config.seed, config.temperatures);
        let replicas = match config.estimator {
            Estimator::Cd => None,
            Estimator::Pcd => {
                start_chains(&mut *backend, theta, seed, &density, negative, chains, 0);
                None
            }
            Estimator::Pt => {
                let streams = Streams::TRAINING;
                let mut tempering = Tempering::new(&mut *backend, negative, chains, temperatures, streams)?;
                tempering.restart(&mut *backend, theta, seed, &density);
                Some(Replicas::Temperatures(tempering))
            }
            Estimator::Tt => {
                let mut trajectory = Trajectory::new(&mut *backend, negative, chains, temperatures)?;
                trajectory.start(&mut *backend, theta, seed, &density);
                Some(Replicas::Trajectory(trajectory))
            }
        };
        let costs = backend.values(config.batch)?;
        let schedule = schedule(config, rows, shape, stream_rows, config.k.most());
        backend.uniforms(schedule.block_uniforms().max(1))?;
        let training = if stream_rows {
            backend.data(layout, schedule.block_rows())?
        } else {
            let training = backend.data(layout, rows.len())?;
            backend.write_data(training, rows.words());
            training
        };
        let steps_an_epoch = schedule.steps();
        let evaluation = Evaluation::new(&mut *backend, config, &dataset)?;
        let monitor = config.eval_every.map(|_| Monitor::new(&mut *backend, &dataset, clock.clone()));
        let mut monitor = monitor.transpose()?;
        if let Some(monitor) = &mut monitor {
            monitor.start(&mut *backend, theta)?;
        }
        let doctor = data
            .map(|data| Watch::new(&mut *backend, theta, config, &dataset, &density, &data, clock.clone()));
        let doctor = doctor.transpose()?;
        Ok(Self {
            config: config.clone(),
            dataset,
            backend,
            clock,
            dataset_layout: layout,
            models,
            phases,
            replicas,
            training,
            costs,
            stream_rows,
            steps_an_epoch,
            evaluation,
            monitor,
            minibatches_a_submission: 1,
            epoch: 0,
            steps: 0,
            sums: Sums::default(),
            pause_at: None,
            before: None,
            doctor,
            last: None,
        })
    }

    /// The device that the run is on.
    pub fn device(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// The data as they are learnt from: thresholded, if the options say so.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The doctor that watches the run, unless the options say that there be none.
    pub fn doctor(&mut self) -> Option<&mut Watch> {
        self.doctor.as_mut()
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> usize {
        self.epoch
    }

    /// Steps done since training began.
    pub fn steps_done(&self) -> usize {
        self.epoch * self.steps_an_epoch + self.steps
    }

    /// Lets [`Trainer::advance`] ask for a pause after exactly so many steps, too.
    pub fn pause_at(&mut self, step: Option<usize>) {
        self.pause_at = step;
    }

    /// Ends the device, as a driver may at any time: for tests.
    #[doc(hidden)]
    pub fn lose_device(&mut self) {
        self.backend.lose();
    }

    /// The model as it is now: the average of its parameters, once that has begun. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn rbm(&mut self) -> Result<Rbm> {
        let model = self.model();
        self.backend.read_model(model)
    }

    /// The model as [`Trainer::rbm`] gives it.
    fn model(&self) -> Model {
        let steps = (self.epoch * self.steps_an_epoch) as u32;
        let is_average = self.averaging().is_some_and(|averaging| averaging.count(steps) > 0);
        self.models.average.filter(|_| is_average).unwrap_or(self.models.theta)
    }

    fn averaging(&self) -> Option<Averaging> {
        Averaging::new(&self.config, self.steps_an_epoch)
    }

    /// One pass over the training cases, then the error on the held-out ones. `report` is called now and then.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed, [`crate::Error::Diverged`] if a parameter is no longer a number.
    pub fn epoch(&mut self, mut report: impl FnMut(Progress)) -> Result<EpochMetrics> {
        loop {
            if let Advance::Epoch(metrics) = self.advance(&mut report, |_| false)? {
                return Ok(metrics);
            }
        }
    }

    /// Goes on until the epoch is over, or until `pause`, which is asked with the number of steps done whenever work was
    /// sent off, wants the run to be between two steps: for [`Trainer::state`], or for good.
    ///
    /// # Errors
    /// Those of [`Trainer::epoch`].
    pub fn advance(
        &mut self,
        mut report: impl FnMut(Progress),
        mut pause: impl FnMut(usize) -> bool,
    ) -> Result<Advance> {
        if self.steps == 0 {
            self.backend.write_values(self.costs, &vec![0.0; self.config.batch]);
            self.sums = Sums::default();
        }
        self.before = match &self.doctor {
            Some(_) => Some(self.read_state()?),
            None => None,
        };
        let start = self.clock.now();
        let mut pace =
            Pace { before: self.sums.seconds, start, last_report: start, next_check: start + REPORT_EVERY };
        // The schedule borrows the rows, and the steps borrow the rest of the trainer.
        let rows = std::mem::replace(&mut self.dataset.train.rows, Rows::from_bits(1, &[]));
        let k = self.config.k.at(self.epoch);
        let schedule = schedule(&self.config, &rows, self.backend.shape(), self.stream_rows, k);
        let outcome = schedule
            .epoch(self.epoch, self.steps, |block| self.block(block, &mut pace, &mut report, &mut pause));
        self.dataset.train.rows = rows;
        match outcome {
            Ok(()) => {}
            Err(Halt::Pause) => {
                self.backend.wait()?;
                self.sums.seconds = pace.seconds(&*self.clock);
                return Ok(Advance::Paused);
            }
            Err(Halt::NonFinite(found)) => return Err(self.diverged(found)),
            Err(Halt::Failed(error)) => return Err(error),
        }
        self.backend.wait()?;
        let last = self.progress(&pace)?;
        report(last);
        let seconds = pace.seconds(&*self.clock);
        let cases = self.sums.cases;

        let parameters = self.backend.read_model(self.models.theta)?;
        if let Some(found) = parameters.non_finite() {
            return Err(self.diverged(found));
        }
        (self.steps, self.sums) = (0, Sums::default());
        self.last = Some(parameters);
        let swaps = match &mut self.replicas {
            Some(Replicas::Temperatures(tempering)) => tempering.adapt(&mut *self.backend)?,
            Some(Replicas::Trajectory(trajectory)) => {
                let next = (self.epoch + 1) * self.steps_an_epoch;
                trajectory.adapt(&mut *self.backend, self.models.theta, next as u32)?
            }
            None => None,
        };
        self.epoch += 1;
        let reconstruction_error = self.reconstruction_error()?;
        let rbm = self.rbm()?;
        if let Some(doctor) = &mut self.doctor {
            doctor.after_epoch(&mut *self.backend, self.models.theta, reconstruction_error)?;
        }
        let looks = |every: usize| self.epoch.is_multiple_of(every) || self.epoch == self.config.epochs;
        let eval = if self.config.eval_every.is_some_and(looks) { self.look(&rbm)? } else { None };
        Ok(Advance::Epoch(EpochMetrics {
            epoch: self.epoch,
            reconstruction_error,
            training_reconstruction_error: last.cost,
            seconds,
            samples_per_second: cases as f64 / seconds,
            swaps,
            eval,
        }))
    }

    fn look(&mut self, rbm: &Rbm) -> Result<Option<Look>> {
        let (model, epoch, backend) = (self.model(), self.epoch, &mut *self.backend);
        self.monitor.as_mut().map(|monitor| monitor.look(backend, model, rbm, epoch)).transpose()
    }

    /// The steps of one block.
    fn block(
        &mut self,
        block: &Block,
        pace: &mut Pace,
        report: &mut dyn FnMut(Progress),
        pause: &mut dyn FnMut(usize) -> bool,
    ) -> std::result::Result<(), Halt> {
        self.show(block);
        let mut rest = block.minibatches.as_slice();
        while !rest.is_empty() {
            let most =
                self.pause_at.and_then(|at| at.checked_sub(self.steps_done())).filter(|&left| left > 0);
            let most = self.minibatches_a_submission.min(most.unwrap_or(usize::MAX));
            let (now, later) = rest.split_at(most.min(rest.len()));
            rest = later;
            let start = self.clock.now();
            for minibatch in now {
                self.watched_step(minibatch)?;
                self.steps += 1;
                self.sums.cases += minibatch.rows;
                if self.takes_cost(minibatch) {
                    self.sums.cost_cases += minibatch.rows;
                }
            }
            self.backend.submit()?;
            // Submitting waits for the submission before the last, so this is about the device's time for one.
            let took = self.clock.since(start);
            if took < SUBMISSION / 2 && now.len() == self.minibatches_a_submission {
                self.minibatches_a_submission *= 2;
            } else if took > SUBMISSION * 2 {
                self.minibatches_a_submission = (self.minibatches_a_submission / 2).max(1);
            }
            if self.clock.since(pace.last_report) > REPORT_EVERY {
                report(self.progress(pace)?);
                pace.last_report = self.clock.now();
            }
            let start = self.clock.now();
            if pace.next_check <= start {
                if let Some(found) = self.backend.read_model(self.models.theta)?.non_finite() {
                    return Err(Halt::NonFinite(found));
                }
                pace.next_check = start + (self.clock.since(start) * CHECK_SHARE).max(REPORT_EVERY);
            }
            // At the end of an epoch there is something to be said first.
            if self.steps < self.steps_an_epoch && pause(self.steps_done()) {
                return Err(Halt::Pause);
            }
        }
        Ok(())
    }

    /// Brings a block's order, and what else it carries, to the device.
    fn show(&mut self, block: &Block) {
        if self.stream_rows {
            self.backend.write_data(self.training, &block.words);
        }
        self.backend.write_order(self.training, &block.order);
        if !block.uniforms.is_empty() {
            self.backend.write_uniforms(&block.uniforms);
        }
    }

    fn progress(&mut self, pace: &Pace) -> Result<Progress> {
        let costs = self.backend.read_values(self.costs, self.config.batch)?;
        let sum: f64 = costs.iter().map(|&cost| f64::from(cost)).sum();
        Ok(Progress {
            epoch: self.epoch + 1,
            cases: self.sums.cases,
            cost: (self.sums.cost_cases > 0).then(|| sum / self.sums.cost_cases as f64),
            samples_per_second: self.sums.cases as f64 / pace.seconds(&*self.clock),
        })
    }

    /// Mean over the held-out cases of Σ (x − p(v|h))², with h = p(h|x), so that nothing is left to chance; x is as
    /// the data set has it, also where training draws binary pixels from grey ones.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn reconstruction_error(&mut self) -> Result<f64> {
        let model = self.model();
        let rows = &self.dataset.held_out().rows;
        self.evaluation.reconstruction_error(&mut *self.backend, model, rows)
    }

    /// Fantasy particles, as many as there are cases here at most: p(v|h) of the persistent chains, where there are such,
    /// else of chains that start at these held-out cases and take [`FANTASY_STEPS`] Gibbs steps; chains × visible units.
    /// Persistent chains are where the run has them; in nothing does this change the run.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn fantasies(&mut self, cases: &[usize]) -> Result<Vec<f32>> {
        if self.config.estimator != Estimator::Cd {
            let chains = self.config.chains(self.config.batch).min(cases.len());
            return Ok(self.backend.read_units(self.phases.negative.visible, chains)?.0);
        }
        let (model, seed) = (self.model(), self.config.seed);
        let rows = &self.dataset.held_out().rows;
        self.evaluation.fantasies(&mut *self.backend, model, seed, rows, cases)
    }

    /// p(v|h) for the held-out cases with these numbers, with h = p(h|x): cases × visible units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn reconstruct(&mut self, cases: &[usize]) -> Result<Vec<f32>> {
        let model = self.model();
        let rows = &self.dataset.held_out().rows;
        self.evaluation.reconstruct(&mut *self.backend, model, rows, cases)
    }
}

/// Checks the options by themselves and against the data.
fn check(config: &TrainConfig, dataset: &Dataset) -> Result<()> {
    config.check()?;
    let cases = dataset.train.rows.len();
    if config.batch > cases {
        return usage!(
            "‹batch› {} is larger than the data: {} has {cases} training cases; choose at most {cases}",
            config.batch,
            config.data
        );
    }
    let steps = cases.div_ceil(config.batch) as u64;
    if steps.saturating_mul(config.epochs as u64) >= 1 << 32 {
        return usage!(
            "{} epochs of {steps} steps are more than 2^32 steps; choose fewer ‹epochs› or a larger ‹batch›",
            config.epochs
        );
    }
    Ok(())
}

/// The model that training starts from.
fn initial(config: &TrainConfig, shape: Shape, density: &[f64]) -> Result<Rbm> {
    let Some(path) = &config.init else { return Ok(Rbm::initial(shape, density, config.seed)) };
    let (path, rbm, _) = model::open(path)?;
    if rbm.shape() != shape {
        return usage!(
            "‹init› {}: expected a model of {} × {} units, as the data and ‹hidden› are, found {} × {}",
            path.display(),
            shape.visible,
            shape.hidden,
            rbm.shape().visible,
            rbm.shape().hidden
        );
    }
    Ok(rbm)
}

/// Whether the update takes something off the units, or follows their means.
fn uses_offsets(config: &TrainConfig) -> bool {
    config.centred == Switch::On || config.sparsity.is_some()
}

/// What an epoch has come to so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    cases: usize,
    /// Cases whose cost was taken.
    cost_cases: usize,
    /// Time spent learning, up to the last pause.
    seconds: f64,
}

/// The times of an epoch since the last pause, by the run's clock.
struct Pace {
    /// Seconds before that.
    before: f64,
    start: Duration,
    last_report: Duration,
    /// When to look for numbers that are none.
    next_check: Duration,
}

impl Pace {
    fn seconds(&self, clock: &dyn Clock) -> f64 {
        self.before + clock.since(self.start).as_secs_f64()
    }
}

fn schedule<'a>(
    config: &TrainConfig,
    rows: &'a Rows,
    shape: Shape,
    stream_rows: bool,
    k: u32,
) -> Schedule<'a> {
    let draws = match config.uniforms {
        Some(Uniforms::Host) => draws_of_step(config, k, config.binarize == Binarize::Sample),
        Some(Uniforms::Device) | None => Vec::new(),
    };
    Schedule { rows, shape, batch: config.batch, seed: config.seed, stream_rows, draws }
}
