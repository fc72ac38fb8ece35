//! An epoch: its steps, submitted a few at a time, and its metrics.

use std::{sync::Arc, time::Duration};

use super::{EpochMetrics, Event, Progress, Trainer, check};
use crate::{
    backend::BackendExt,
    clock::Clock,
    config::{Binarize, TrainConfig, Uniforms},
    data::{Cases, Dataset},
    error::{Error, Result},
    estimator::{Replicas, draws_of_step, tempering::Swaps},
    rbm::Shape,
    schedule::{Block, Minibatch, Schedule},
};

/// Target time between two reports within an epoch.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// Checks for NaN, for infinity and for a normalisation take at most one part in this many of the time.
const CHECK_SHARE: u32 = 100;
/// Target time of a submission on the device.
const SUBMISSION: Duration = Duration::from_millis(60);

/// Where [`Trainer::advance`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// After an epoch, whose event was the last.
    Epoch,
    /// Between two steps of an epoch, for a pause.
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

/// Sums over the steps of an epoch so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub cases: usize,
    /// Cases whose cost was measured.
    pub cost_cases: usize,
    /// Learning time in seconds, up to the last pause.
    pub seconds: f64,
}

/// The times of an epoch since the last pause, by the run's clock.
struct Pace {
    /// Seconds up to the last pause.
    before: f64,
    start: Duration,
    last_report: Duration,
    /// When to check next.
    next_check: Duration,
}

impl Pace {
    fn new(before: f64, start: Duration) -> Self {
        Self { before, start, last_report: start, next_check: start + REPORT_EVERY }
    }

    fn seconds(&self, clock: &dyn Clock) -> f64 {
        self.before + clock.since(self.start).as_secs_f64()
    }
}

impl Trainer {
    /// Trains for one pass over the training cases, then measures the error on the held-out ones. `emit` gets every event,
    /// including the epoch's own.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed, [`crate::Error::Diverged`] if a parameter is NaN or infinite,
    /// [`crate::Error::Unnormalised`] if the model has no normalisation any more.
    pub fn epoch(&mut self, mut emit: impl FnMut(Event)) -> Result<EpochMetrics> {
        loop {
            let mut over = None;
            let emit = |event| {
                if let Event::Epoch(metrics) = &event {
                    over = Some(metrics.clone());
                }
                emit(event);
            };
            self.advance(emit, |_| false)?;
            if let Some(metrics) = over {
                return Ok(metrics);
            }
        }
    }

    /// Trains until the epoch is over or `pause` returns true. `pause` is called after each submission with the number of
    /// steps done; it stops the run between two steps, where [`Trainer::state`] can be read. `emit` gets the events.
    ///
    /// # Errors
    /// Those of [`Trainer::epoch`].
    pub fn advance(
        &mut self,
        mut emit: impl FnMut(Event),
        mut pause: impl FnMut(usize) -> bool,
    ) -> Result<Advance> {
        self.tell_findings(&mut emit);
        let outcome = self.go_on(&mut emit, &mut pause);
        self.tell_findings(&mut emit);
        let Some(metrics) = outcome? else { return Ok(Advance::Paused) };
        let findings = std::mem::take(&mut self.findings);
        emit(Event::Epoch(EpochMetrics { findings, ..metrics }));
        Ok(Advance::Epoch)
    }

    /// Emits the new findings of the observer. [`Trainer::advance`] begins and ends with it.
    pub fn tell_findings(&mut self, mut emit: impl FnMut(Event)) {
        let found = self.observer.as_mut().map_or(Vec::new(), |observer| observer.take());
        self.findings.extend(found.iter().cloned());
        found.into_iter().for_each(|finding| emit(Event::Finding(finding)));
    }

    /// Takes the remaining steps of the epoch and returns its metrics; `None` after a pause.
    fn go_on(
        &mut self,
        emit: &mut dyn FnMut(Event),
        pause: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<EpochMetrics>> {
        self.begin()?;
        let mut pace = Pace::new(self.sums.seconds, self.clock.now());
        match self.each_block(|trainer, block| trainer.block(block, &mut pace, emit, pause)) {
            Ok(()) => self.end(&pace, emit).map(Some),
            Err(Halt::Pause) => {
                self.backend.wait()?;
                self.sums.seconds = pace.seconds(&*self.clock);
                Ok(None)
            }
            Err(Halt::NonFinite(found)) => Err(self.diverged(found)),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// Clears the sums of a new epoch, and keeps the state for a replay.
    fn begin(&mut self) -> Result<()> {
        if self.steps == 0 {
            self.backend.write_values(self.costs, &vec![0.0; self.config.batch]);
            self.sums = Sums::default();
        }
        self.before = match &self.observer {
            Some(_) => Some(self.read_state()?),
            None => None,
        };
        Ok(())
    }

    /// Calls `work` for the remaining blocks of the epoch.
    pub(super) fn each_block<E>(
        &mut self,
        mut work: impl FnMut(&mut Self, &Block) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        // The schedule borrows the rows while the steps change the trainer.
        let dataset = Arc::clone(&self.dataset);
        let k = self.config.k.at(self.epoch);
        let schedule = schedule(&self.config, &dataset, self.backend.shape(), self.stream_rows, k);
        schedule.epoch(self.epoch, self.steps, |block| work(self, block))
    }

    /// Takes the steps of one block.
    fn block(
        &mut self,
        block: &Block,
        pace: &mut Pace,
        emit: &mut dyn FnMut(Event),
        pause: &mut dyn FnMut(usize) -> bool,
    ) -> std::result::Result<(), Halt> {
        self.show(block);
        let mut rest = block.minibatches.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.next_submission().min(rest.len()));
            rest = later;
            self.submission(now)?;
            if self.clock.since(pace.last_report) > REPORT_EVERY {
                emit(Event::Progress(self.progress(pace)?));
                pace.last_report = self.clock.now();
            }
            if pace.next_check <= self.clock.now() {
                self.check_model(pace)?;
            }
            // At the end of an epoch, its event comes before a pause.
            if self.steps < self.steps_an_epoch && pause(self.steps_done()) {
                return Err(Halt::Pause);
            }
        }
        Ok(())
    }

    /// Uploads a block's order, and its rows and uniforms if it has any.
    pub(super) fn show(&mut self, block: &Block) {
        if self.stream_rows {
            self.backend.write_data(self.training, &block.words);
        }
        self.backend.write_order(self.training, &block.order);
        if !block.uniforms.is_empty() {
            self.backend.write_uniforms(&block.uniforms);
        }
    }

    /// Number of minibatches to submit together: none beyond the step to pause at.
    fn next_submission(&self) -> usize {
        let left = self.pause_at.and_then(|at| at.checked_sub(self.steps_done())).filter(|&left| left > 0);
        self.minibatches_a_submission.min(left.unwrap_or(usize::MAX))
    }

    /// Submits some steps, and adapts the size of the next submission to their time.
    fn submission(&mut self, minibatches: &[Minibatch]) -> Result<()> {
        let start = self.clock.now();
        for minibatch in minibatches {
            self.watched_step(minibatch)?;
            self.steps += 1;
            self.sums.cases += minibatch.rows;
            if self.takes_cost(minibatch) {
                self.sums.cost_cases += minibatch.rows;
            }
        }
        self.backend.submit()?;
        // Submitting waits for the submission before the last, so `took` is about the device's time for one.
        let took = self.clock.since(start);
        if took < SUBMISSION / 2 && minibatches.len() == self.minibatches_a_submission {
            self.minibatches_a_submission *= 2;
        } else if took > SUBMISSION * 2 {
            self.minibatches_a_submission = (self.minibatches_a_submission / 2).max(1);
        }
        Ok(())
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

    fn check_model(&mut self, pace: &mut Pace) -> std::result::Result<(), Halt> {
        let start = self.clock.now();
        let rbm = self.backend.read_model(self.models.theta)?;
        if let Some(found) = rbm.non_finite() {
            return Err(Halt::NonFinite(found));
        }
        check::normalisation(&rbm, self.epoch + 1)?;
        pace.next_check = start + (self.clock.since(start) * CHECK_SHARE).max(REPORT_EVERY);
        Ok(())
    }

    /// The metrics of an epoch whose steps are all submitted.
    fn end(&mut self, pace: &Pace, emit: &mut dyn FnMut(Event)) -> Result<EpochMetrics> {
        self.backend.wait()?;
        let last = self.progress(pace)?;
        emit(Event::Progress(last));
        let seconds = pace.seconds(&*self.clock);

        let parameters = self.backend.read_model(self.models.theta)?;
        if let Some(found) = parameters.non_finite() {
            return Err(self.diverged(found));
        }
        check::normalisation(&parameters, self.epoch + 1)?;
        (self.steps, self.sums) = (0, Sums::default());
        self.last = Some(parameters);
        let swaps = self.adapt()?;
        self.epoch += 1;
        let reconstruction_error = self.reconstruction_error()?;
        let rbm = self.rbm()?;
        if let Some(observer) = &mut self.observer {
            observer.after_epoch(&mut *self.backend, self.models.theta, reconstruction_error)?;
        }
        let looks = |every: usize| self.epoch.is_multiple_of(every) || self.epoch == self.config.epochs;
        let eval = if self.config.eval_every.is_some_and(looks) { self.look(&rbm)? } else { None };
        Ok(EpochMetrics {
            training_reconstruction_error: last.cost,
            seconds,
            samples_per_second: last.cases as f64 / seconds,
            swaps,
            eval,
            ..EpochMetrics::of_error(self.epoch, reconstruction_error)
        })
    }

    /// Moves the temperatures, or the rungs, of the replicas to where they swap best. Called before the epoch is counted.
    fn adapt(&mut self) -> Result<Option<Swaps>> {
        match &mut self.replicas {
            Some(Replicas::Temperatures(tempering)) => tempering.adapt(&mut *self.backend),
            Some(Replicas::Trajectory(trajectory)) => {
                let next = (self.epoch + 1) * self.steps_an_epoch;
                trajectory.adapt(&mut *self.backend, self.models.theta, next as u32)
            }
            None => Ok(None),
        }
    }
}

/// The schedule of an epoch with k Gibbs steps.
pub(super) fn schedule<'a>(
    config: &TrainConfig,
    dataset: &'a Dataset,
    shape: Shape,
    stream_rows: bool,
    k: u32,
) -> Schedule<'a> {
    let draws = match config.uniforms {
        Some(Uniforms::Host) => {
            let missing = dataset.train.rows.has_missing().then(|| config.missing_steps());
            draws_of_step(config, k, draws_data(config, dataset) && missing.is_none(), missing.unwrap_or(0))
        }
        Some(Uniforms::Device) | None => Vec::new(),
    };
    let Cases { rows, weights, .. } = &dataset.train;
    let (batch, seed, weights) = (config.batch, config.seed, weights.as_deref());
    Schedule { rows, weights, shape, batch, seed, stream_rows, draws }
}

/// Whether each minibatch draws its states from the data, as the probabilities of binary units.
pub(super) fn draws_data(config: &TrainConfig, dataset: &Dataset) -> bool {
    config.binarize == Binarize::Sample && dataset.encoding.layer.is_binary()
}
