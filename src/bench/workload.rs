//! What is timed: CD-k on some rows, through the scheduler, as training does it, without the watching.

use crate::{
    backend::{Backend, Data, Params},
    check::random_states,
    config::VisibleStates,
    data::Rows,
    error::Result,
    estimator::{Draws, Phases, contrastive_divergence},
    rbm::{Layer, Rbm, Shape},
    rng::Stream,
    schedule::Schedule,
};

/// A model, its data and its buffers on a device.
pub(super) struct Workload {
    rows: Rows,
    data: Data,
    phases: Phases,
    params: Params,
    cd: u32,
    epochs: usize,
}

/// Random rows, half of the bits on.
pub(super) fn random_rows(count: usize, units: usize) -> Rows {
    const PART: usize = 1024; // so that there are never many numbers that are not packed yet
    let mut rows = Rows::from_bits(units, &[]);
    for first in (0..count).step_by(PART) {
        let states = random_states(PART.min(count - first), units, first as u64);
        let bits: Vec<bool> = states.iter().map(|&state| state > 0.5).collect();
        rows.append(Rows::from_bits(units, &bits));
    }
    rows
}

impl Workload {
    /// For minibatches of up to `batch` cases.
    pub fn new(backend: &mut dyn Backend, rows: Rows, hidden: usize, batch: usize, cd: u32) -> Result<Self> {
        let shape = Shape { visible: rows.layout().units, hidden };
        let data = backend.data(rows.layout(), rows.len())?;
        backend.write_data(data, rows.words());
        backend.write_order(data, &(0..rows.len() as u32).collect::<Vec<_>>());
        backend.write_rbm(&Rbm::initial(shape, &rows.density(), 1), &Rbm::zeros(shape));
        let mut phase = || Ok((backend.units(Layer::Visible, batch)?, backend.units(Layer::Hidden, batch)?));
        let phases = Phases { positive: phase()?, negative: phase()? };
        let params = Params { learning_rate: 0.01, ..Params::new(shape, batch, 1).layout(rows.layout()) };
        Ok(Self { rows, data, phases, params, cd, epochs: 0 })
    }

    /// Bytes of a packed row.
    pub fn row_bytes(&self) -> usize {
        4 * self.rows.layout().words()
    }

    /// As many steps as there are whole minibatches of `batch` cases: how many these are.
    pub fn steps(&self, batch: usize) -> usize {
        self.rows.len() / batch
    }

    /// Takes these steps, through the scheduler.
    pub fn epoch(&mut self, backend: &mut dyn Backend, batch: usize) -> Result<()> {
        let rows = &self.rows;
        let schedule = Schedule {
            rows,
            shape: self.params.shape(),
            batch,
            seed: 1,
            stream_rows: false,
            draws: Vec::new(),
        };
        schedule.epoch(self.epochs, 0, |block| {
            backend.write_order(self.data, &block.order);
            for minibatch in block.minibatches.iter().filter(|minibatch| minibatch.rows == batch) {
                let params = self.params.minibatch(minibatch.first_row, batch);
                self.step(backend, Params { step: minibatch.step, ..params });
            }
            backend.submit()
        })?;
        self.epochs += 1;
        Ok(())
    }

    /// The kernels of one step, always of the same minibatch.
    pub fn kernels(&self, backend: &mut dyn Backend) {
        self.step(backend, self.params);
    }

    fn step(&self, backend: &mut dyn Backend, params: Params) {
        let &Self { data, phases, cd, .. } = self;
        backend.gather(&params, data, phases.positive.0);
        let draws = &mut Draws { host: None };
        contrastive_divergence(backend, params, draws, phases, cd, VisibleStates::Sample);
        backend.update(&params, phases.positive, phases.negative);
    }

    /// One call of a kernel: its place in [`super::KERNELS`].
    pub fn kernel(&self, backend: &mut dyn Backend, kernel: usize) {
        let Self { data, phases, params, .. } = self;
        let ((v0, h0), (v1, _)) = (phases.positive, phases.negative);
        match kernel {
            0 => backend.gather(params, *data, v0),
            1 => backend.sample_hidden(&params.sample(Stream::Hidden, 0), v0, h0),
            2 => backend.sample_visible(&params.sample(Stream::Visible, 0), h0, v1),
            _ => backend.update(params, phases.positive, phases.negative),
        }
    }
}
