//! The doctor during a run: it is told about steps and epochs, looks now and then, and says each thing once.
//!
//! At the start of a due epoch it examines two steps ([`step`]), and at the end the model on some cases ([`super::look`]).
//! The first epoch is always due. Later epochs are due by steps, not by time, so that a repeated run has the same findings.
//! The doctor changes nothing in the run.

mod learning;
pub mod step;
mod trainer;

#[cfg(test)]
pub(crate) use trainer::doctor;

pub(super) use learning::{NOTHING_LEARNT, outcome};

use std::{borrow::Cow, collections::HashSet, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    config,
    data::{DataFigures, Values},
    log::{Log, LogFigures},
    look::{Look, LookFigures},
    model::{ModelFigures, non_finite},
};
use crate::{
    backend::{Backend, BackendExt, DeviceKind, Model},
    checkpoint::{Opaque, Position},
    clock::Clock,
    config::Estimator,
    data::{Dataset, spread_out},
    error::{Error, Result},
    finding::{Finding, NAMES, Severity, sorted},
    train::observer::{Observer, Start, StepTaken, Watched},
    units::Marginals,
};
use learning::Expected;
use step::{Parameters, StepFigures, StepReading, Trace};

/// The least number of steps from one look to the next, by the kind of device. On two cores a look took as long as 4 steps
/// (784×2000 units), 16 (784×500) or 22 (784×20), so at most 3 % of the time. On GPUs steps are faster, but looks are not.
fn steps_between_looks(kind: DeviceKind) -> usize {
    match kind {
        DeviceKind::Discrete => 32_000,
        DeviceKind::Integrated => 8_000,
        _ => 1_000,
    }
}

/// Training cases to check before training.
const DATA_CASES: usize = 5000;
/// Consecutive steps to examine in a due epoch.
const STEPS: usize = 2;

/// The figures of the latest look.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// Figures of the parameters.
    pub model: Option<ModelFigures>,
    /// Figures of the hidden units and of the free energies.
    pub look: Option<LookFigures>,
    /// Figures of a step.
    pub step: Option<StepFigures>,
}

/// What a resumed run must remember, so that nothing is said twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Names of the findings that were said.
    said: Vec<String>,
    /// The reconstruction error after each epoch.
    errors: Vec<f64>,
    largest_shift: f64,
}

impl Memory {
    /// The doctor's memory at this position; empty if there was no doctor.
    ///
    /// # Errors
    /// Why it is no memory of the doctor.
    pub fn of(position: &Position) -> std::result::Result<Self, String> {
        let memory = position.observer.as_ref().map(Opaque::read).transpose();
        memory.map(Option::unwrap_or_default).map_err(|error| error.to_string())
    }

    /// The reconstruction error after each epoch, if the doctor watched them all.
    pub fn errors(&self) -> &[f64] {
        &self.errors
    }
}

/// The doctor as the observer of a run.
pub struct Watch {
    look: Look,
    /// Means and variances of the training cases.
    marginals: Marginals,
    /// What ends of the run are judged by.
    expected: Expected,
    /// Epochs from one look to the next.
    every: usize,
    clock: Arc<dyn Clock>,
    /// Time spent looking.
    spent: Duration,
    estimator: Estimator,
    k: u32,
    steps_an_epoch: usize,
    /// Steps of the whole run.
    steps: usize,
    /// Epochs done.
    epoch: usize,
    looking: bool,
    steps_left: usize,
    before: Option<Parameters>,
    trace: Trace,
    errors: Vec<f64>,
    largest_shift: f64,
    latest: Latest,
    said: HashSet<Cow<'static, str>>,
    fresh: Vec<Finding>,
}

impl Watch {
    /// Checks the training cases, the options and the initial model. `look` has the doctor's buffers on the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn new(mut look: Look, start: Start) -> Result<Self> {
        let Start { backend, model, config, dataset, base, clock } = start;
        let data = of_some(dataset);
        let began = clock.now();
        let steps_an_epoch = dataset.train.rows.len().div_ceil(config.batch);
        let kind = backend.info().kind;
        look.start(backend);
        let mut watch = Self {
            look,
            marginals: base.marginals().clone(),
            expected: Expected::of(config, dataset),
            every: steps_between_looks(kind).div_ceil(steps_an_epoch),
            clock,
            spent: Duration::ZERO,
            estimator: config.estimator,
            k: config.k.at(0),
            steps_an_epoch,
            steps: steps_an_epoch * config.epochs,
            epoch: 0,
            looking: false,
            steps_left: 0,
            before: None,
            trace: Trace::default(),
            errors: Vec::new(),
            largest_shift: 0.0,
            latest: Latest::default(),
            said: HashSet::new(),
            fresh: Vec::new(),
        };
        watch.say(config::answered(data.findings(Some(&config.hidden_layer())), config));
        watch.say(config::findings(config));
        let rbm = backend.read_model(model)?;
        // A model that was trained before has no initial weights.
        if config.init.is_none() {
            watch.say(learning::initial(&rbm, base));
        }
        let figures = watch.look.look(backend, model, &rbm)?;
        watch.say(figures.arithmetic().into_iter().collect());
        let of_data = Some(base.marginals());
        watch.latest =
            Latest { model: Some(ModelFigures::measure(&rbm, of_data)), look: Some(figures), step: None };
        watch.count(began);
        Ok(watch)
    }

    /// Sets the number of epochs from one look to the next.
    pub fn look_every(&mut self, epochs: usize) {
        self.every = epochs.max(1);
    }

    /// The figures of the latest look.
    pub fn latest(&self) -> &Latest {
        &self.latest
    }

    /// Time spent looking, including the initial model.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// Whether this epoch is due for a look.
    fn is_due(&self) -> bool {
        self.epoch.is_multiple_of(self.every)
    }

    fn count(&mut self, start: Duration) {
        self.spent += self.clock.since(start);
    }

    /// Keeps new findings that are worse than notes.
    fn say(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if finding.severity != Severity::Note && self.said.insert(finding.name.clone()) {
                self.fresh.push(finding);
            }
        }
    }

    /// Findings from the course of the reconstruction error so far.
    fn course(&self) -> Vec<Finding> {
        if self.errors.len() < 10 {
            return Vec::new();
        }
        // Some of many epochs are enough to show the course.
        let some = spread_out(self.errors.len(), 300).into_iter().map(|at| self.errors[at]);
        let log = Log::new("reconstruction_error", some.collect());
        let mut found = LogFigures::measure(&log).findings(None);
        // The first error may be of a model that has learnt much; the end of the run is judged by the data.
        found.retain(|finding| finding.name != "cost-does-not-fall");
        found
    }
}

impl Observer for Watch {
    fn before_step(
        &mut self,
        backend: &mut dyn Backend,
        models: &Watched,
        first_of_epoch: bool,
        k: u32,
    ) -> Result<()> {
        if first_of_epoch {
            self.k = k;
            self.looking = self.is_due();
            if self.looking {
                self.steps_left = STEPS;
            }
        }
        if self.steps_left > 0 {
            backend.wait()?; // so that the run's own work is not counted as the doctor's time
            let start = self.clock.now();
            self.before = Some(step::read(models, backend)?);
            self.count(start);
        }
        Ok(())
    }

    fn after_step(&mut self, backend: &mut dyn Backend, taken: &StepTaken) -> Result<()> {
        let Some(before) = self.before.take() else { return Ok(()) };
        self.steps_left -= 1;
        backend.wait()?;
        let start = self.clock.now();
        let after = step::read(&taken.models, backend)?;
        let [v, h, chains, last] = StepReading::units(backend, taken.phases)?;
        let reading = StepReading {
            taken,
            estimator: self.estimator,
            k: self.k,
            before: &before,
            after: &after,
            positive: (v, h),
            negative: (chains, last),
            offsets: StepReading::offsets(backend, taken)?,
            variances: StepReading::variances(backend, taken)?,
            moments: StepReading::moments(backend, taken.phases)?,
        };
        let figures = reading.measure(&mut self.trace);
        self.largest_shift = self.largest_shift.max(figures.shift);
        self.say(figures.arithmetic());
        self.say(learning::rate(&figures, self.largest_shift, self.steps));
        self.say(learning::chains(&figures, self.k).into_iter().collect());
        self.latest.step = Some(figures);
        self.count(start);
        Ok(())
    }

    fn after_epoch(&mut self, backend: &mut dyn Backend, model: Model, error: f64) -> Result<()> {
        self.epoch += 1;
        self.errors.push(error);
        if self.epoch * self.steps_an_epoch == self.steps {
            // A resumed run that goes on may end so again.
            self.fresh.extend(self.expected.outcome(&self.errors));
        }
        if !std::mem::take(&mut self.looking) {
            return Ok(());
        }
        let start = self.clock.now();
        let rbm = backend.read_model(model)?;
        let figures = self.look.look(backend, model, &rbm)?;
        let model = ModelFigures::measure(&rbm, Some(&self.marginals));
        // Findings about learning need some steps: at first, all units look alike.
        let settled = self.epoch * self.steps_an_epoch >= 100;
        if settled {
            // In some models, hidden units are alike for a while until they differ.
            let early = self.epoch * self.steps_an_epoch * 2 < self.steps;
            let late_only = ["duplicate-hidden-units", "unused-hidden-units"];
            let mut found = model.findings();
            found.extend(figures.findings());
            found.extend(self.course());
            found.retain(|finding| !(early && late_only.contains(&&*finding.name)));
            self.say(found);
        } else {
            self.say(figures.arithmetic().into_iter().collect());
        }
        self.latest.model = Some(model);
        self.latest.look = Some(figures);
        self.count(start);
        Ok(())
    }

    fn diverged(&mut self, seen: &str) {
        self.say(vec![non_finite(seen)]);
    }

    fn take(&mut self) -> Vec<Finding> {
        sorted(std::mem::take(&mut self.fresh))
    }

    fn untaken(&self) -> &[Finding] {
        &self.fresh
    }

    fn memory(&self) -> Option<Opaque> {
        let mut said: Vec<_> = self.said.iter().map(|name| name.to_string()).collect();
        said.sort();
        Opaque::of(&Memory { said, errors: self.errors.clone(), largest_shift: self.largest_shift })
    }

    fn remember(&mut self, memory: &Opaque, untaken: &[Finding], steps: usize) -> Result<()> {
        let memory: Memory = memory.read().map_err(|error| {
            Error::Usage(format!(
                "expected the doctor's memory of the run, found something else ({error}); resume without the doctor: \
                 ‹no-doctor›"
            ))
        })?;
        let name = |name: &String| NAMES.iter().find(|known| *known == name).map(|&known| known.into());
        self.said = memory.said.iter().filter_map(name).collect();
        self.errors = memory.errors;
        self.largest_shift = memory.largest_shift;
        self.fresh = untaken.to_vec();
        self.epoch = self.errors.len();
        self.looking = self.is_due();
        self.steps_left = if self.looking { STEPS.saturating_sub(steps) } else { 0 };
        Ok(())
    }
}

/// The figures of some of the training cases, which are enough to judge all.
fn of_some(dataset: &Dataset) -> DataFigures {
    let cases = &dataset.train;
    let some = cases.select(&spread_out(cases.rows.len(), DATA_CASES));
    DataFigures::measure(&Values::new(&some.rows).encoded(&dataset.encoding), some.labels.as_deref())
}
