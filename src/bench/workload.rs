//! The timed work: CD-k on some rows through the scheduler, as in training, without monitoring.

use crate::{
    backend::{Ascent, Backend, Contrast, Data, Draw, Gather, HalfStep, Memory, Model, Update},
    base::Base,
    check::random_states_of,
    config::VisibleStates,
    data::{Cases, Packing, RowLayout, Rows},
    error::Result,
    estimator::{Draws, Phases, contrastive_divergence},
    rbm::{Rbm, Shape, Side},
    rng::Stream,
    schedule::Schedule,
    units::{Kind, Layer},
};

/// A model, its data and its buffers on a device.
pub(super) struct Workload {
    rows: Rows,
    data: Data,
    shape: Shape,
    model: Model,
    /// The units of a whole minibatch.
    phases: Phases,
    cd: u32,
    epochs: usize,
}

/// Buffers of a [`Workload`] on a device.
pub(super) struct Room {
    data: Data,
    model: Model,
    phases: Phases,
}

impl Room {
    /// Allocates `rows` rows, in minibatches of up to `batch`.
    pub fn new(memory: &mut dyn Memory, layout: RowLayout, rows: usize, batch: usize) -> Result<Self> {
        let (positive, negative) = (memory.pair(batch)?, memory.pair(batch)?);
        let phases = Phases { positive, negative, rows: batch, chains: batch };
        Ok(Self { data: memory.data(layout, rows)?, model: memory.model()?, phases })
    }
}

/// The layout of [`random_rows`].
pub(super) fn random_layout(layer: &Layer) -> RowLayout {
    let all = |of: fn(Kind) -> bool| layer.blocks().iter().all(|block| of(block.kind));
    let packing = if all(|kind| matches!(kind, Kind::Binary | Kind::Potts { .. })) {
        Packing::Bits
    } else if all(|kind| kind == Kind::Spin) {
        Packing::Spins
    } else {
        Packing::Floats
    };
    RowLayout { units: layer.columns(), packing, scale: 1.0 }
}

/// Random rows: [`random_states_of`] a layer.
pub(super) fn random_rows(count: usize, layer: &Layer) -> Rows {
    const PART: usize = 1024; // bounds the unpacked numbers
    let layout = random_layout(layer);
    let mut rows = Rows::of_layout(layout, &[]);
    for first in (0..count).step_by(PART) {
        let states = random_states_of(layer, PART.min(count - first), first as u64);
        rows.append(Rows::of_layout(layout, &states));
    }
    rows
}

impl Workload {
    /// For minibatches of up to `batch` of these rows.
    pub fn new(backend: &mut dyn Backend, rows: Rows, batch: usize, cd: u32) -> Result<Self> {
        let Room { data, model, phases } = Room::new(backend, rows.layout(), rows.len(), batch)?;
        let shape = backend.shape();
        backend.write_data(data, &rows.words());
        backend.write_order(data, &(0..rows.len() as u32).collect::<Vec<_>>());
        let base = Base::new(backend.layers(), Cases::from(rows.clone()).marginals());
        backend.write_model(model, &Rbm::initial(backend.layers(), base.potentials(), 1));
        Ok(Self { rows, data, shape, model, phases, cd, epochs: 0 })
    }

    /// The number of whole minibatches of `batch` cases.
    pub fn steps(&self, batch: usize) -> usize {
        self.rows.len() / batch
    }

    /// Takes all steps of an epoch through the scheduler.
    pub fn epoch(&mut self, backend: &mut dyn Backend, batch: usize) -> Result<()> {
        let (rows, shape) = (&self.rows, self.shape);
        let schedule =
            Schedule { rows, weights: None, shape, batch, seed: 1, stream_rows: false, draws: Vec::new() };
        schedule.epoch(self.epochs, 0, |block| {
            backend.write_order(self.data, &block.order);
            for minibatch in block.minibatches.iter().filter(|minibatch| minibatch.rows == batch) {
                self.step(backend, minibatch.first_row, minibatch.step, batch);
            }
            backend.submit()
        })?;
        self.epochs += 1;
        Ok(())
    }

    /// The kernels of one step, always on the same minibatch.
    pub fn kernels(&self, backend: &mut dyn Backend) {
        self.step(backend, 0, 0, self.phases.rows);
    }

    fn step(&self, backend: &mut dyn Backend, first_row: usize, step: u32, rows: usize) {
        let &Self { data, shape, model, cd, .. } = self;
        let phases = Phases { rows, chains: rows, ..self.phases };
        let gather = Gather::new(self.rows.layout(), rows).from_row(first_row);
        backend.gather(&gather, data, phases.positive.visible);
        let draws = &mut Draws::new(shape, 1, step);
        contrastive_divergence(backend, model, draws, phases, cd, VisibleStates::Sample);
        self.update(backend, rows);
    }

    fn update(&self, backend: &mut dyn Backend, rows: usize) {
        let Phases { positive, negative, .. } = self.phases;
        // Real units on both sides may have no distribution at all far from the initial model.
        let rate = if backend.layers().are_binary() { 0.01 } else { 1e-5 };
        let op = Update::new(Contrast::new(rows, rows), Ascent::new(rate));
        backend.update(&op, positive, negative, None, self.model, None);
    }

    /// One call of a kernel, given by its index in [`super::KERNELS`].
    pub fn kernel(&self, backend: &mut dyn Backend, kernel: usize) {
        let &Self { data, model, phases: Phases { positive, negative, rows, .. }, .. } = self;
        let draw = |layer| HalfStep::new(rows, Draw::of(1, Stream::Train, layer, 0));
        match kernel {
            0 => backend.gather(&Gather::new(self.rows.layout(), rows), data, positive.visible),
            1 => backend.sample(&draw(Side::Hidden), model.into(), positive.visible, positive.hidden),
            2 => backend.sample(&draw(Side::Visible), model.into(), positive.hidden, negative.visible),
            _ => self.update(backend, rows),
        }
    }
}
