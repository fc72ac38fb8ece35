//! Reads the [`State`] to resume from, and restores it.

use super::{Trainer, epoch::Sums};
use crate::{
    backend::{Backend, BackendExt, Model, Pair, Units},
    checkpoint::{Position, State},
    config::Estimator,
    data::Encoding,
    error::{Error, Result},
    estimator::{Replicas, tempering::Tempering, trajectory::Trajectory},
    likelihood::Monitor,
    model::{Names, STANDARDS},
    rbm::Shape,
    rng,
};

/// Prefix of the names of the replicas that follow the model for the likelihood.
const MONITOR: &str = "monitor_";

impl State {
    /// Adds the replicas at all temperatures, and their counts, under names with this prefix.
    fn push_replicas(
        &mut self,
        prefix: &str,
        backend: &mut dyn Backend,
        tempering: &Tempering,
    ) -> Result<()> {
        let betas = tempering.inverse_temperatures().to_vec();
        self.push(format!("{prefix}inverse_temperatures"), &[betas.len()], betas);
        for (t, Pair { visible, hidden }) in tempering.replicas().enumerate() {
            self.push_units(format!("{prefix}replica_{t}_visible"), backend, visible, tempering.chains())?;
            self.push_units(format!("{prefix}replica_{t}_hidden"), backend, hidden, tempering.chains())?;
        }
        for (name, values, len) in tempering.counts() {
            self.push(format!("{prefix}{name}"), &[len], backend.read_values(values, len)?);
        }
        Ok(())
    }

    /// Restores what [`State::push_replicas`] added.
    fn write_replicas(
        &self,
        prefix: &str,
        backend: &mut dyn Backend,
        tempering: &mut Tempering,
        tries: [u32; 2],
    ) {
        for (t, Pair { visible, hidden }) in tempering.replicas().enumerate() {
            self.write_units(backend, visible, &format!("{prefix}replica_{t}_visible"));
            self.write_units(backend, hidden, &format!("{prefix}replica_{t}_hidden"));
        }
        for (name, values, _) in tempering.counts() {
            backend.write_values(values, self.tensor(&format!("{prefix}{name}")));
        }
        tempering.set(self.tensor(&format!("{prefix}inverse_temperatures")), tries);
    }

    /// Adds the replicas in all snapshots, and their counts. The hidden units are drawn anew from the visible ones.
    fn push_trajectory(&mut self, backend: &mut dyn Backend, trajectory: &Trajectory) -> Result<()> {
        for (name, visible) in trajectory.states() {
            self.push_units(name, backend, visible, trajectory.chains())?;
        }
        for (name, values, len) in trajectory.counts() {
            self.push(name, &[len], backend.read_values(values, len)?);
        }
        Ok(())
    }

    /// Restores what [`State::push_trajectory`] added.
    fn write_trajectory(&self, backend: &mut dyn Backend, trajectory: &Trajectory) {
        for (name, visible) in trajectory.states() {
            self.write_units(backend, visible, &name);
        }
        for (name, values, _) in trajectory.counts() {
            backend.write_values(values, self.tensor(&name));
        }
    }

    fn write_units(&self, backend: &mut dyn Backend, units: Units, name: &str) {
        let states = self.tensor(name);
        backend.write_units(units, states, states);
    }

    fn push_units(
        &mut self,
        name: String,
        backend: &mut dyn Backend,
        units: Units,
        chains: usize,
    ) -> Result<()> {
        let (_, states) = backend.read_units(units, chains)?;
        self.push(name, &[chains, states.len() / chains], states);
        Ok(())
    }
}

impl Trainer {
    /// The state to resume from. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed, [`Error::Diverged`] if a number is NaN or infinite.
    pub fn state(&mut self) -> Result<State> {
        let mut state = self.read_state()?;
        if let Some(found) = state.non_finite() {
            return Err(self.diverged(found));
        }
        if let Some(observer) = &self.observer {
            state.position.observer = observer.memory();
            state.position.findings = [&self.findings, observer.untaken()].concat();
        }
        Ok(state)
    }

    /// The state without the observer's memory, with numbers that may be NaN or infinite.
    pub(super) fn read_state(&mut self) -> Result<State> {
        let (sums, layers) = (&self.sums, self.backend.layers());
        let (ladder, tries) = match &self.replicas {
            Some(Replicas::Temperatures(tempering)) => (None, Some(tempering.tries())),
            Some(Replicas::Trajectory(trajectory)) => {
                let (ladder, tries) = trajectory.ladder();
                (Some(ladder), Some(tries))
            }
            None => (None, None),
        };
        let position = Position {
            addresses: rng::ADDRESSES,
            epoch: self.epoch,
            steps: self.steps,
            steps_an_epoch: self.steps_an_epoch,
            cases: sums.cases,
            cost_cases: sums.cost_cases,
            seconds: sums.seconds,
            tries,
            ladder,
            log_z: None,
            observer: None,
            findings: Vec::new(),
            layers: (!layers.are_binary()).then(|| Names::of(layers, &self.dataset.encoding)),
            origin: None,
        };
        let mut state = State { position, tensors: Vec::new() };
        let mut last = self.last.take();
        for (prefix, model) in self.kept() {
            let rbm = match last.take().filter(|_| model == self.models.theta) {
                Some(rbm) => rbm,
                None => self.backend.read_model(model)?,
            };
            state.push_rbm(&prefix, &rbm);
        }
        if let Some(offsets) = self.models.offsets {
            let Shape { visible, hidden } = self.backend.shape();
            state.push("visible_offsets", &[visible], self.backend.read_values(offsets.visible, visible)?);
            state.push("hidden_offsets", &[hidden], self.backend.read_values(offsets.hidden, hidden)?);
        }
        let Encoding { means, deviations, .. } = &self.dataset.encoding;
        for (name, values) in
            STANDARDS.into_iter().zip([means, deviations]).filter(|(_, values)| !values.is_empty())
        {
            // So that a checkpoint is a whole model.
            state.push(name, &[values.len()], values.clone());
        }
        if let Some(variances) = self.models.variances {
            let hidden = self.backend.shape().hidden;
            // Those of the visible units are of the data.
            state.push("hidden_variances", &[hidden], self.backend.read_values(variances.hidden, hidden)?);
        }
        let backend = &mut *self.backend;
        let chains = self.config.chains(self.config.batch);
        match (&self.replicas, self.config.estimator) {
            (Some(Replicas::Temperatures(tempering)), _) => state.push_replicas("", backend, tempering)?,
            (Some(Replicas::Trajectory(trajectory)), _) => state.push_trajectory(backend, trajectory)?,
            // The visible units are drawn anew from the hidden ones.
            (None, Estimator::Pcd) => {
                state.push_units("chains_hidden".into(), backend, self.phases.negative.hidden, chains)?;
            }
            (None, _) => {}
        }
        if let Some(tracker) = self.monitor.as_mut().and_then(Monitor::tracker) {
            state.push_replicas(MONITOR, backend, tracker.tempering())?;
            state.position.log_z = tracker.last;
        }
        let batch = self.config.batch;
        state.push("costs", &[batch], backend.read_values(self.costs, batch)?);
        Ok(state)
    }

    /// Resumes from a state of the same run: the next step is the one after it.
    ///
    /// # Errors
    /// [`Error::Usage`] if the state is another run's, with what is missing and what is extra, or if the observer cannot
    /// read its memory; [`Error::Device`] if the device failed.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        self.go_back(state)?;
        self.findings.clear();
        match (&mut self.observer, &state.position.observer) {
            (Some(observer), Some(memory)) => {
                observer.remember(memory, &state.position.findings, state.position.steps)
            }
            _ => Ok(()),
        }
    }

    /// Restores the state without telling the observer.
    pub(super) fn go_back(&mut self, state: &State) -> Result<()> {
        if state.position.addresses != rng::ADDRESSES {
            return Err(Error::Usage(
                "it was written by a version that drew other random numbers, so its run cannot be resumed; a new run can \
                 begin with its parameters: ‹init› and this file"
                    .into(),
            ));
        }
        let (expected, found) = (self.read_state()?.outline(), state.outline());
        let only = |these: &[String], those: &[String]| -> String {
            let only: Vec<_> = these.iter().filter(|one| !those.contains(one)).cloned().collect();
            if only.is_empty() { "nothing else".into() } else { only.join(", ") }
        };
        if state.position.epoch > self.config.epochs {
            let (found, expected) = (state.position.epoch, self.config.epochs);
            return Err(Error::Usage(format!("the state is of epoch {found}, but the run has {expected}")));
        }
        if expected != found {
            return Err(Error::Usage(format!(
                "the state is not one of this run: expected {}, found {}",
                only(&expected, &found),
                only(&found, &expected)
            )));
        }
        let Position { epoch, steps, cases, cost_cases, seconds, tries, .. } = state.position;
        if let Some(Replicas::Trajectory(trajectory)) = &mut self.replicas {
            // First of all, as it may fail: a file may hold any ladder.
            trajectory
                .set(state.position.ladder.as_deref().unwrap_or_default(), tries.unwrap_or_default())?;
        }
        let kept = self.kept();
        let backend = &mut *self.backend;
        let layers = backend.layers().clone();
        for (prefix, model) in kept {
            backend.write_model(model, &state.rbm(&prefix, &layers));
        }
        if let Some(offsets) = self.models.offsets {
            backend.write_values(offsets.visible, state.tensor("visible_offsets"));
            backend.write_values(offsets.hidden, state.tensor("hidden_offsets"));
        }
        if let Some(variances) = self.models.variances {
            backend.write_values(variances.hidden, state.tensor("hidden_variances"));
        }
        match (&mut self.replicas, self.config.estimator) {
            (Some(Replicas::Temperatures(tempering)), _) => {
                state.write_replicas("", backend, tempering, tries.unwrap_or_default());
            }
            (Some(Replicas::Trajectory(trajectory)), _) => state.write_trajectory(backend, trajectory),
            (None, Estimator::Pcd) => {
                state.write_units(backend, self.phases.negative.hidden, "chains_hidden")
            }
            (None, _) => {}
        }
        if let Some(tracker) = self.monitor.as_mut().and_then(Monitor::tracker) {
            // Each look counts from 0.
            state.write_replicas(MONITOR, backend, tracker.tempering(), [0; 2]);
            tracker.last = state.position.log_z;
        }
        backend.write_values(self.costs, state.tensor("costs"));
        (self.epoch, self.steps) = (epoch, steps);
        self.sums = Sums { cases, cost_cases, seconds };
        self.last = None;
        self.backend.wait()
    }

    /// The models to resume from, with the prefixes of their tensors' names.
    fn kept(&self) -> Vec<(String, Model)> {
        let snapshots = match &self.replicas {
            Some(Replicas::Trajectory(trajectory)) => trajectory.snapshots(),
            Some(Replicas::Temperatures(_)) | None => Vec::new(),
        };
        let models = self.models.named().into_iter().map(|(name, model)| (name.to_string(), model));
        models.chain(snapshots).collect()
    }
}
