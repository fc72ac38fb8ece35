//! Evaluation on held-out cases: their reconstructions, the errors of these, and chains that start there.

use super::Trainer;
use crate::{
    backend::{
        Backend, BackendExt, Data, Draw, Gather, HalfStep, Memory, Model, Pair, SquaredError, Units, Values,
    },
    base::Base,
    completion::Completion,
    config::{Estimator, TrainConfig},
    data::{Dataset, RowLayout, Rows},
    error::Result,
    likelihood::Look,
    rbm::{Rbm, Side},
    rng::Stream,
};

/// Reconstructions are measured in parts of this many cases, or of a minibatch if that is larger.
const ROWS: usize = 512;
/// Gibbs steps of the chains that are shown if none persist.
pub const FANTASY_STEPS: u32 = 50;

/// Buffers for reconstructions of held-out cases, one part at a time.
pub(super) struct Evaluation {
    /// Cases in a part.
    rows: usize,
    data: Data,
    visible: Units,
    hidden: Units,
    reconstruction: Units,
    errors: Values,
    /// Fills in missing values, if there are any.
    completion: Option<Completion>,
}

impl Evaluation {
    pub fn allocate(memory: &mut dyn Memory, config: &TrainConfig, dataset: &Dataset) -> Result<Self> {
        let held_out = &dataset.held_out().rows;
        let rows = config.batch.max(ROWS).min(held_out.len());
        Ok(Self {
            rows,
            data: memory.data(held_out.layout(), rows)?,
            visible: memory.units(Side::Visible, rows)?,
            hidden: memory.units(Side::Hidden, rows)?,
            reconstruction: memory.units(Side::Visible, rows)?,
            errors: memory.values(rows)?,
            completion: held_out.has_missing().then(|| Completion::new(memory, rows)).transpose()?,
        })
    }

    /// Writes the order of a part's cases, which is always the identity, and where missing values start.
    pub fn start(&self, backend: &mut dyn Backend, base: &Base) {
        if let Some(completion) = &self.completion {
            completion.start(backend, base);
        }
        backend.write_order(self.data, &(0..self.rows as u32).collect::<Vec<_>>());
    }

    /// Passes the states of the visible units through the model and back.
    fn reflect(&self, backend: &mut dyn Backend, model: Model, cases: usize) {
        let means = HalfStep::new(cases, Draw::none());
        backend.sample(&means, model.into(), self.visible, self.hidden);
        backend.sample(&means, model.into(), self.hidden, self.reconstruction);
    }

    pub fn reconstruction_error(&self, backend: &mut dyn Backend, model: Model, rows: &Rows) -> Result<f64> {
        backend.write_values(self.errors, &vec![0.0; self.rows]);
        for (part, (cases, words)) in rows.parts(self.rows).enumerate() {
            self.show(backend, model, rows.layout(), &words, part * self.rows);
            self.reflect(backend, model, cases);
            if let Some(completion) = &self.completion {
                completion.forgive(backend, cases, self.reconstruction, self.visible);
            }
            let op = SquaredError { rows: cases as u32 };
            backend.squared_error(&op, self.visible, self.reconstruction, self.errors);
            backend.submit()?;
        }
        let errors = backend.read_values(self.errors, self.rows)?;
        Ok(errors.iter().map(|&error| f64::from(error)).sum::<f64>() / rows.len() as f64)
    }

    /// Uploads packed cases, the first of which has this number, as the states of the visible units.
    fn show(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        layout: RowLayout,
        words: &[u32],
        first_case: usize,
    ) {
        let cases = words.len() / layout.words();
        backend.write_data(self.data, words);
        let gathered = self.completion.map_or(self.visible, |completion| completion.observed());
        backend.gather(&Gather::new(layout, cases), self.data, gathered);
        if let Some(completion) = &self.completion {
            let pair = Pair { visible: self.visible, hidden: self.hidden };
            completion.show(backend, model, pair, (first_case, cases), 0);
        }
    }

    /// Uploads some cases as the states of the visible units.
    fn show_some(&self, backend: &mut dyn Backend, model: Model, rows: &Rows, cases: &[usize]) {
        self.show(backend, model, rows.layout(), &rows.select(cases).words(), 0);
    }

    pub fn fantasies(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        seed: u64,
        rows: &Rows,
        cases: &[usize],
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let cases = &cases[..cases.len().min(self.rows)];
        self.show_some(backend, model, rows, cases);
        let mut from = self.visible;
        for step in 0..FANTASY_STEPS {
            let draw = |layer| HalfStep::new(cases.len(), Draw::of(seed, Stream::Sample, layer, step));
            backend.sample(&draw(Side::Hidden), model.into(), from, self.hidden);
            backend.sample(&draw(Side::Visible), model.into(), self.hidden, self.reconstruction);
            from = self.reconstruction;
            backend.submit()?;
        }
        backend.read_units(self.reconstruction, cases.len())
    }

    pub fn reconstruct(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        rows: &Rows,
        cases: &[usize],
    ) -> Result<Vec<f32>> {
        let mut means = Vec::new();
        for cases in cases.chunks(self.rows) {
            self.show_some(backend, model, rows, cases);
            self.reflect(backend, model, cases.len());
            means.extend(backend.read_units(self.reconstruction, cases.len())?.0);
        }
        Ok(means)
    }
}

impl Trainer {
    /// Mean over the held-out cases of Σ (x − p(v|h))², with h = p(h|x), so that nothing is random; x is as in the data set,
    /// even where training draws binary pixels from grey ones. Missing values add nothing to it, and are sampled for h.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn reconstruction_error(&mut self) -> Result<f64> {
        let model = self.model();
        let rows = &self.dataset.held_out().rows;
        self.evaluation.reconstruction_error(&mut *self.backend, model, rows)
    }

    /// Fantasy particles, at most one per case: p(v|h) of the persistent chains, if any, else of chains that start at these
    /// held-out cases and take [`FANTASY_STEPS`] Gibbs steps; and their states; both chains × visible units. Persistent chains
    /// are read where they stand. The run is unchanged.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn fantasies(&mut self, cases: &[usize]) -> Result<(Vec<f32>, Vec<f32>)> {
        if self.config.estimator != Estimator::Cd {
            let chains = self.config.chains(self.config.batch).min(cases.len());
            return self.backend.read_units(self.phases.negative.visible, chains);
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

    /// Evaluates the model, whose parameters are `rbm`, in the epochs that the options choose.
    pub(super) fn look(&mut self, rbm: &Rbm) -> Result<Option<Look>> {
        let (model, epoch, clock) = (self.model(), self.epoch, &*self.clock);
        let backend = &mut *self.backend;
        self.monitor.as_mut().map(|monitor| monitor.look(backend, clock, model, rbm, epoch)).transpose()
    }
}
