//! The buffers of a run on its device. [`Room::allocate`] is run twice: on a [`crate::device::Plan`], which counts bytes,
//! then on the device. So a run takes what was planned, by construction.

use super::{
    epoch::schedule,
    evaluation::Evaluation,
    models::Models,
    observer::{Begin, Observe},
};
use crate::{
    backend::{Backend, Data, Memory, Values},
    base::Base,
    completion::Completion,
    config::{Estimator, TrainConfig},
    data::Dataset,
    device::Footprint,
    error::Result,
    estimator::{
        Phases, Replicas, start_chains,
        tempering::{Streams, Tempering},
        trajectory::Trajectory,
    },
    likelihood::Monitor,
    rbm::{Layers, Rbm},
};

/// The layers of a run's models.
pub(super) fn layers(config: &TrainConfig, dataset: &Dataset) -> Layers {
    Layers { visible: dataset.encoding.layer.clone(), hidden: config.hidden_layer() }
}

/// The buffers of a run on its device.
pub(super) struct Room {
    pub models: Models,
    pub phases: Phases,
    /// Fills in missing values, if there are any in the training cases.
    pub completion: Option<Completion>,
    pub replicas: Option<Replicas>,
    /// The training cases, or one block of them if they are streamed.
    pub training: Data,
    /// Squared errors, one for each case of a minibatch.
    pub costs: Values,
    pub evaluation: Evaluation,
    pub monitor: Option<Monitor>,
    /// Makes the observer, whose buffers are allocated.
    pub observe: Option<Begin>,
}

impl Room {
    /// Allocates the buffers of a run with these options. `stream_rows` says whether the training cases are streamed.
    /// [`Room::start`] writes their initial contents.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if the device has no room.
    pub fn allocate(
        memory: &mut dyn Memory,
        config: &TrainConfig,
        dataset: &Dataset,
        stream_rows: bool,
        observe: Option<Observe>,
    ) -> Result<Self> {
        let rows = &dataset.train.rows;
        let models = Models::allocate(memory, config)?;
        let (chains, temperatures) = (config.chains(config.batch), config.temperatures);
        let (positive, negative) = (memory.pair(config.batch)?, memory.pair(chains)?);
        let completion = rows.has_missing().then(|| Completion::new(memory, config.batch)).transpose()?;
        let replicas = match config.estimator {
            Estimator::Cd | Estimator::Pcd => None,
            Estimator::Pt => {
                let tempering = Tempering::new(memory, negative, chains, temperatures, Streams::TRAINING)?;
                Some(Replicas::Temperatures(tempering))
            }
            Estimator::Tt => {
                Some(Replicas::Trajectory(Trajectory::new(memory, negative, chains, temperatures)?))
            }
        };
        let schedule = schedule(config, dataset, memory.shape(), stream_rows, config.k.most());
        memory.uniforms(schedule.block_uniforms().max(1))?;
        let training_rows = if stream_rows { schedule.block_rows() } else { rows.len() };
        let observe = observe.map(|observe| observe(memory, config, dataset)).transpose()?;
        Ok(Self {
            models,
            phases: Phases { positive, negative, rows: config.batch, chains },
            completion,
            replicas,
            training: memory.data(rows.layout(), training_rows)?,
            costs: memory.values(config.batch)?,
            evaluation: Evaluation::allocate(memory, config, dataset)?,
            monitor: config.eval_every.map(|_| Monitor::new(memory, dataset)).transpose()?,
            observe,
        })
    }

    /// The bytes that [`Room::allocate`] takes.
    ///
    /// # Errors
    /// Those of [`Room::allocate`]: planning has none of its own.
    pub fn footprint(
        config: &TrainConfig,
        dataset: &Dataset,
        stream_rows: bool,
        observe: Option<Observe>,
    ) -> Result<Footprint> {
        let footprint = Footprint::planned(layers(config, dataset), |memory| {
            Self::allocate(memory, config, dataset, stream_rows, observe).map(drop)
        })?;
        Ok(if config.estimator == Estimator::Tt { footprint.of_snapshots() } else { footprint })
    }

    /// Writes the initial contents: the `initial` model, chains from independent units, and the training cases unless
    /// they are streamed. The observer writes its own cases.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start(
        &mut self,
        backend: &mut dyn Backend,
        config: &TrainConfig,
        dataset: &Dataset,
        stream_rows: bool,
        (initial, base): (Rbm, &Base),
    ) -> Result<()> {
        self.models.start(backend, &initial, base);
        drop(initial);
        let (theta, seed, Phases { negative, chains, .. }) = (self.models.theta, config.seed, self.phases);
        match (&mut self.replicas, config.estimator) {
            (Some(Replicas::Temperatures(tempering)), _) => tempering.restart(backend, theta, seed, base),
            (Some(Replicas::Trajectory(trajectory)), _) => trajectory.start(backend, theta, seed, base),
            (None, Estimator::Pcd) => start_chains(backend, theta, seed, base, negative, chains, 0),
            (None, _) => {}
        }
        if !stream_rows {
            backend.write_data(self.training, &dataset.train.rows.words());
        }
        if let Some(completion) = &self.completion {
            completion.start(backend, base);
        }
        self.evaluation.start(backend, base);
        self.monitor.as_mut().map_or(Ok(()), |monitor| monitor.start(backend, theta))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        backend::{
            Ascent, Buffer, Ceiling, ClampUnits, Clip, Combine, Contrast, Copy, DeviceInfo, Energy,
            FillMissing, FreeEnergy, Gather, HalfStep, LimitNorms, Model, MultiplyAdd, Offsets, Pair, Path,
            Penalise, Reading, SquaredError, Standardise, Swap, Track, Units, Update, Variances,
        },
        config::{ByEpoch, Optimizer, Uniforms},
        cpu::Cpu,
        data::{RowLayout, Source},
        device::Plan,
        doctor::watch::doctor,
        rbm::{Layers, Shape, Side},
        train::Trainer,
    };

    /// A device whose allocations are counted as in a plan.
    struct Counted {
        inner: Box<dyn Backend>,
        plan: Arc<Mutex<Plan>>,
    }

    /// Methods that forward to the device within, counted or not.
    macro_rules! forward {
        (counted: $($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
            $(fn $name(&mut self, $($argument: $kind),*) -> Result<$result> {
                self.plan.lock().unwrap().$name($($argument),*)?;
                self.inner.$name($($argument),*)
            })*
        };
        ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
            $(fn $name(&mut self, $($argument: $kind),*) $(-> $result)? {
                self.inner.$name($($argument),*)
            })*
        };
    }

    impl Memory for Counted {
        fn layers(&self) -> &Layers {
            self.inner.layers()
        }

        forward! {
            counted:
            model() -> Model;
            units(layer: Side, rows: usize) -> Units;
            data(layout: RowLayout, rows: usize) -> Data;
            values(count: usize) -> Values;
            uniforms(count: usize) -> ();
        }
    }

    impl Ceiling for Counted {
        forward! {
            multiply_add(op: &MultiplyAdd, values: Values);
            copy(op: &Copy, from: Values, to: Values);
        }
    }

    impl Backend for Counted {
        fn info(&self) -> &DeviceInfo {
            self.inner.info()
        }

        forward! {
            write_model(model: Model, rbm: &Rbm);
            write_data(data: Data, words: &[u32]);
            write_order(data: Data, order: &[u32]);
            write_uniforms(uniforms: &[f32]);
            write_units(units: Units, means: &[f32], states: &[f32]);
            write_values(values: Values, numbers: &[f32]);
            gather(op: &Gather, data: Data, visible: Units);
            sample(op: &HalfStep, path: Path, from: Units, to: Units);
            gradient(op: &Contrast, positive: Pair, negative: Pair, offsets: Option<Offsets>, gradient: Model);
            standardise(op: &Standardise, variances: Variances, gradient: Model);
            penalise(op: &Penalise, scales: Values, model: Model, gradient: Model);
            clip(op: &Clip, gradient: Model);
            ascend(op: &Ascent, gradient: Model, model: Model, velocity: Model, squares: Option<Model>);
            recentre(step: Model, offsets: Offsets, model: Model);
            update(
                op: &Update,
                positive: Pair,
                negative: Pair,
                offsets: Option<Offsets>,
                model: Model,
                velocity: Option<Model>
            );
            limit_norms(op: &LimitNorms, model: Model);
            fix_gauge(model: Model);
            track(op: &Track, hidden: Units, means: Values);
            track_variances(op: &Track, hidden: Units, means: Values, variances: Values);
            combine(op: &Combine, other: Model, model: Model);
            squared_error(op: &SquaredError, visible: Units, reconstruction: Units, values: Values);
            free_energy(op: &FreeEnergy, path: Path, visible: Units, values: Values);
            energy(op: &Energy, path: Path, pair: Pair, values: Values);
            swap(op: &Swap, cold: (Units, Values), hot: (Units, Values), accepted: Values, trips: Values);
            clamp_units(op: &ClampUnits, known: Units, mask: Values, visible: Units);
            fill_missing(op: &FillMissing, observed: Units, fill: Values, mask: Values, visible: Units);
            submit() -> Result<()>;
            read(buffer: Buffer, rows: usize) -> Reading;
            wait() -> Result<()>;
        }
    }

    #[test]
    fn a_run_takes_the_room_that_was_planned() {
        let base = TrainConfig {
            data: Source::BarsAndStripes(5),
            hidden: 30, // too many to enumerate
            batch: 7,
            epochs: 2,
            eval_every: Some(1),
            average: 0.5,
            temperatures: 3,
            k: ByEpoch::from(1),
            ..TrainConfig::default()
        };
        let of = |estimator| TrainConfig { estimator, ..base.clone() };
        let chains = Some(11);
        let configs = [
            of(Estimator::Cd),
            TrainConfig { optimizer: Optimizer::Adam, ..of(Estimator::Cd) },
            TrainConfig { hidden: 4, no_doctor: true, sparsity: Some(0.1), ..of(Estimator::Cd) },
            TrainConfig { chains, uniforms: Some(Uniforms::Host), ..of(Estimator::Pcd) },
            TrainConfig { fast_weights: Some(0.1), momentum: ByEpoch::from(0.0), ..of(Estimator::Pcd) },
            TrainConfig { chains, max_norm: Some(2.0), ..of(Estimator::Pt) },
            TrainConfig { optimizer: Optimizer::Adam, ..of(Estimator::Tt) },
        ];
        for config in configs {
            for stream_rows in [false, true] {
                let dataset = config.data.load().unwrap();
                let shape = Shape { visible: 25, hidden: config.hidden };
                let mut planned = Plan::new(shape);
                Room::allocate(&mut planned, &config, &dataset, stream_rows, doctor(&config)).unwrap();

                let taken = Arc::new(Mutex::new(Plan::new(shape)));
                let device = Counted { inner: Box::new(Cpu::open(shape)), plan: taken.clone() };
                let mut trainer =
                    Trainer::with_backend(&config, dataset, Box::new(device), stream_rows).unwrap();
                for _ in 0..config.epochs {
                    trainer.epoch(|_| {}).unwrap();
                    let state = trainer.state().unwrap();
                    trainer.restore(&state).unwrap();
                }
                trainer.fantasies(&[0, 1]).unwrap();
                trainer.reconstruct(&[0, 1]).unwrap();
                assert_eq!(*taken.lock().unwrap(), planned, "{config:?}, streamed {stream_rows}");
            }
        }
    }
}
