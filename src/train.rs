//! The trainer: from a data set to a model, one epoch at a time. The step itself is Hinton's: show the data, run the
//! chains, update (Hinton 2010, sections 2 and 3).

mod averaging;
mod check;
mod epoch;
mod evaluation;
mod event;
mod models;
pub mod observer;
mod replay;
mod room;
mod state;
mod step;

pub use epoch::Advance;
pub use evaluation::FANTASY_STEPS;
pub use event::{EpochMetrics, Event, Failure, Progress};

use std::sync::Arc;

use crate::{
    backend::{Backend, BackendExt, Data, DeviceInfo, Model, Values},
    base::Base,
    checkpoint::State,
    clock::{Clock, System},
    completion::Completion,
    config::{Binarize, TrainConfig},
    data::{Dataset, RowLayout},
    device,
    error::Result,
    estimator::{Phases, Replicas},
    finding::Finding,
    likelihood::Monitor,
    rbm::Rbm,
};
use averaging::Averaging;
use epoch::Sums;
use evaluation::Evaluation;
pub(crate) use models::scales_of;
use models::{Models, initial};
use observer::{Begin, Observe, Observer, Start};
use room::{Room, layers};

/// A run: a model on a device, and the data it learns from.
pub struct Trainer {
    config: TrainConfig,
    dataset: Arc<Dataset>,
    backend: Box<dyn Backend>,
    clock: Arc<dyn Clock>,
    /// Layout of the training rows in memory.
    dataset_layout: RowLayout,
    models: Models,
    phases: Phases,
    /// Fills in missing values, if there are any in the training cases.
    completion: Option<Completion>,
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
    /// Steps done in the current epoch.
    steps: usize,
    sums: Sums,
    /// A submission ends at this step, so that the run can pause there.
    pause_at: Option<usize>,
    /// The state to replay from if the run diverges: the start of the epoch, or the last pause.
    before: Option<State>,
    observer: Option<Box<dyn Observer>>,
    /// Findings emitted since the last epoch ended.
    findings: Vec<Finding>,
    /// The parameters at the end of the last epoch.
    last: Option<Rbm>,
}

/// Most runs are built by the constructors in `doctor/watch/trainer.rs`, which add the doctor.
impl Trainer {
    /// Checks the options against the data, chooses a device, and checks that the run fits it. Only then opens the device,
    /// and copies the initial model and the data there. `observe` makes the run's observer, if any.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't suit the data or the device, [`crate::Error::Device`] if the device
    /// fails; those of `observe`.
    pub fn open(config: &TrainConfig, dataset: Dataset, observe: Option<Observe>) -> Result<Self> {
        let config = &config.settled();
        check::options(config, &dataset)?;
        let dataset = as_learnt(config, dataset);
        let footprint = |stream_rows| Room::footprint(config, &dataset, stream_rows, observe);
        // Streaming the cases takes least memory; sparse cases stay so.
        let (candidate, backend) = device::open(&config.device, &footprint(true)?)?;
        let stream_rows = dataset.train.rows.is_sparse() || !candidate.holds(&footprint(false)?);
        Self::build(config, dataset, backend, stream_rows, Arc::new(System::new()), observe)
    }

    /// Builds a run on an open device. `stream_rows` says whether the training cases are streamed with the minibatches
    /// rather than kept on the device. `clock` tells the times, on which the model does not depend.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't suit the data, or if the device has no room;
    /// [`crate::Error::Unnormalised`] if unbounded units of the initial model have no normalisation; those of `observe`.
    pub fn build(
        config: &TrainConfig,
        dataset: Dataset,
        mut backend: Box<dyn Backend>,
        stream_rows: bool,
        clock: Arc<dyn Clock>,
        observe: Option<Observe>,
    ) -> Result<Self> {
        let config = &config.settled();
        check::options(config, &dataset)?;
        let dataset = as_learnt(config, dataset);
        let rows = &dataset.train.rows;
        let base = Base::new(layers(config, &dataset), dataset.train.marginals());
        let mut room = Room::allocate(&mut *backend, config, &dataset, stream_rows, observe)?;
        let initial = initial(config, &base)?;
        check::normalisation(&initial, 0)?;
        room.start(&mut *backend, config, &dataset, stream_rows, (initial, &base))?;
        let Room { models, phases, completion, replicas, training, costs, evaluation, monitor, observe } =
            room;
        let begin = |observe: Begin| {
            let (backend, model, clock) = (&mut *backend, models.theta, clock.clone());
            observe(Start { backend, model, config, dataset: &dataset, base: &base, clock })
        };
        let observer = observe.map(begin).transpose()?;
        let (dataset_layout, steps_an_epoch) = (rows.layout(), rows.len().div_ceil(config.batch));
        Ok(Self {
            config: config.clone(),
            dataset: dataset.into(),
            backend,
            clock,
            dataset_layout,
            models,
            phases,
            completion,
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
            observer,
            findings: Vec::new(),
            last: None,
        })
    }

    /// The device of the run.
    pub fn device(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// The data that the run learns from: thresholded, if the options say so.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The observer of the run, if any.
    pub fn observer(&mut self) -> Option<&mut dyn Observer> {
        self.observer.as_deref_mut()
    }

    /// Findings that were emitted since the last epoch ended.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> usize {
        self.epoch
    }

    /// Steps done since training began.
    pub fn steps_done(&self) -> usize {
        self.epoch * self.steps_an_epoch + self.steps
    }

    /// Ends a submission after exactly this many steps, so that [`Trainer::advance`] can pause there.
    pub fn pause_at(&mut self, step: Option<usize>) {
        self.pause_at = step;
    }

    /// Loses the device, as may happen at any time: for tests.
    #[doc(hidden)]
    pub fn lose_device(&mut self) {
        self.backend.lose();
    }

    /// The current model: the average of its parameters, once averaging has begun. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn rbm(&mut self) -> Result<Rbm> {
        let model = self.model();
        self.backend.read_model(model)
    }

    /// The model that [`Trainer::rbm`] reads.
    fn model(&self) -> Model {
        let steps = (self.epoch * self.steps_an_epoch) as u32;
        let is_average = self.averaging().is_some_and(|averaging| averaging.count(steps) > 0);
        self.models.average.filter(|_| is_average).unwrap_or(self.models.theta)
    }

    fn averaging(&self) -> Option<Averaging> {
        Averaging::new(&self.config, self.steps_an_epoch)
    }
}

/// The data that the run learns from: thresholded, if the options say so.
fn as_learnt(config: &TrainConfig, dataset: Dataset) -> Dataset {
    match config.binarize {
        Binarize::Threshold => dataset.threshold(),
        // The data of each minibatch are drawn on the device, which leaves no values missing.
        Binarize::Sample if dataset.has_missing() => dataset.sample(config.seed),
        Binarize::Sample | Binarize::None => dataset,
    }
}
