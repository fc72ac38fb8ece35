//! Looks at the held-out cases: their reconstructions, how far off these are, and chains that start at them.

use crate::{
    backend::{Backend, Data, Params, Units, Values},
    config::TrainConfig,
    data::{Dataset, Rows},
    error::Result,
    rbm::Layer,
    rng::Stream,
};

/// Reconstructions are measured in parts of so many cases, or of a minibatch if that is larger.
const ROWS: usize = 512;
/// Gibbs steps of the chains that are shown where none persist.
pub const FANTASY_STEPS: u32 = 50;

/// Buffers for looking at reconstructions of held-out cases, a part at a time.
pub(super) struct Evaluation {
    rows: usize,
    data: Data,
    visible: Units,
    hidden: Units,
    reconstruction: Units,
    errors: Values,
}

impl Evaluation {
    /// Cases in a part.
    pub fn rows(config: &TrainConfig, dataset: &Dataset) -> usize {
        config.batch.max(ROWS).min(dataset.held_out().rows.len())
    }

    pub fn new(backend: &mut dyn Backend, config: &TrainConfig, dataset: &Dataset) -> Result<Self> {
        let rows = Self::rows(config, dataset);
        let data = backend.data(dataset.held_out().rows.layout(), rows)?;
        let order: Vec<u32> = (0..rows as u32).collect();
        backend.write_order(data, &order);
        Ok(Self {
            rows,
            data,
            visible: backend.units(Layer::Visible, rows)?,
            hidden: backend.units(Layer::Hidden, rows)?,
            reconstruction: backend.units(Layer::Visible, rows)?,
            errors: backend.values(rows)?,
        })
    }

    /// Brings a part of the cases through the model and back.
    fn pass(&self, backend: &mut dyn Backend, params: Params, words: &[u32]) {
        backend.write_data(self.data, words);
        backend.gather(&params, self.data, self.visible);
        self.reflect(backend, params);
    }

    /// Brings what the visible units have through the model and back.
    fn reflect(&self, backend: &mut dyn Backend, params: Params) {
        backend.sample_hidden(&params, self.visible, self.hidden);
        backend.sample_visible(&params, self.hidden, self.reconstruction);
    }

    pub fn reconstruction_error(
        &self,
        backend: &mut dyn Backend,
        params: Params,
        rows: &Rows,
    ) -> Result<f64> {
        backend.write_values(self.errors, &vec![0.0; self.rows]);
        let width = rows.layout().words();
        for words in rows.words().chunks(self.rows * width) {
            let params = params.layout(rows.layout()).minibatch(0, words.len() / width);
            self.pass(backend, params, words);
            backend.squared_error(&params, self.visible, self.reconstruction, self.errors);
            backend.submit()?;
        }
        let errors = backend.read_values(self.errors, self.rows)?;
        Ok(errors.iter().map(|&error| f64::from(error)).sum::<f64>() / rows.len() as f64)
    }

    /// Brings these cases to the device, as the states of the visible units.
    fn show(&self, backend: &mut dyn Backend, params: Params, rows: &Rows, cases: &[usize]) -> Params {
        let words: Vec<u32> = cases.iter().flat_map(|&case| rows.row(case)).copied().collect();
        let params = params.layout(rows.layout()).minibatch(0, cases.len());
        backend.write_data(self.data, &words);
        backend.gather(&params, self.data, self.visible);
        params
    }

    pub fn fantasies(
        &self,
        backend: &mut dyn Backend,
        params: Params,
        rows: &Rows,
        cases: &[usize],
    ) -> Result<Vec<f32>> {
        let cases = &cases[..cases.len().min(self.rows)];
        let params = self.show(backend, params, rows, cases);
        let mut from = self.visible;
        for step in 0..FANTASY_STEPS {
            let params = Params { step, ..params };
            backend.sample_hidden(&params.sample(Stream::SampledHidden, 0), from, self.hidden);
            backend.sample_visible(
                &params.sample(Stream::SampledVisible, 0),
                self.hidden,
                self.reconstruction,
            );
            from = self.reconstruction;
            backend.submit()?;
        }
        Ok(backend.read_units(self.reconstruction, cases.len())?.0)
    }

    pub fn reconstruct(
        &self,
        backend: &mut dyn Backend,
        params: Params,
        rows: &Rows,
        cases: &[usize],
    ) -> Result<Vec<f32>> {
        let mut means = Vec::new();
        for cases in cases.chunks(self.rows) {
            let params = self.show(backend, params, rows, cases);
            self.reflect(backend, params);
            means.extend(backend.read_units(self.reconstruction, cases.len())?.0);
        }
        Ok(means)
    }
}
