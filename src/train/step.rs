//! One step of training: the data, the chains, the update.

use super::{Trainer, epoch::draws_data, observer::StepTaken};
use crate::{
    backend::{Ascent, Combine, Contrast, Gather, LimitNorms, SquaredError, Track},
    config::{Estimator, Optimizer, TrainConfig, Uniforms},
    error::Result,
    estimator::{Draws, Phases, Replicas, contrastive_divergence, persistent_contrastive_divergence},
    rbm::Side,
    rng::Stream,
    schedule::Minibatch,
};

/// One minibatch in this many has its cost measured. The cost is for display, not for learning.
const COST_EVERY: usize = 8;
/// Rate at which the offsets of hidden units follow their means; at first, they are the means of all steps so far.
const TRACK: f32 = 0.01;

impl Trainer {
    /// Takes a step, with calls to the observer before and after.
    pub(super) fn watched_step(&mut self, minibatch: &Minibatch) -> Result<()> {
        if let Some(observer) = &mut self.observer {
            let first = (minibatch.step as usize).is_multiple_of(self.steps_an_epoch);
            let k = self.config.k.at(self.epoch);
            observer.before_step(&mut *self.backend, &self.models.watched(), first, k)?;
        }
        let taken = self.step(minibatch)?;
        match &mut self.observer {
            Some(observer) => observer.after_step(&mut *self.backend, &taken),
            None => Ok(()),
        }
    }

    /// Takes one step: the data, the chains, the update. Returns what the update was given.
    pub(super) fn step(&mut self, minibatch: &Minibatch) -> Result<StepTaken> {
        let &Minibatch { step, rows, first_row, uniforms_at } = minibatch;
        let TrainConfig { estimator, visible_states, .. } = self.config;
        let (shape, seed) = (self.backend.shape(), self.config.seed);
        let host = (self.config.uniforms == Some(Uniforms::Host)).then_some(uniforms_at);
        let mut draws = Draws { host, ..Draws::new(shape, seed, step) };
        let phases = Phases { rows, chains: self.config.chains(rows), ..self.phases };
        let Phases { positive, negative, chains, .. } = phases;
        let backend = &mut *self.backend;
        let models = &self.models;

        let gather = Gather::new(self.dataset_layout, rows).from_row(first_row);
        let gather = match draws_data(&self.config, &self.dataset) && self.completion.is_none() {
            true => gather.drawn(draws.next(Stream::Binarize, Side::Visible, 0, rows)),
            false => gather,
        };
        let gathered = self.completion.map_or(positive.visible, |completion| completion.observed());
        backend.gather(&gather, self.training, gathered);
        if let Some(completion) = self.completion {
            let steps = self.config.missing_steps();
            completion.complete(backend, models.theta, positive, rows, steps, |side, step| {
                draws.next(Stream::Complete, side, step, rows)
            });
        }
        let k = self.config.k.at(self.epoch);
        match (&mut self.replicas, estimator) {
            (Some(Replicas::Temperatures(tempering)), _) => {
                tempering.sample(backend, models.theta, &mut draws, phases, k);
            }
            (Some(Replicas::Trajectory(trajectory)), _) => {
                trajectory.sample(backend, models.theta, &mut draws, phases, k)?;
            }
            (None, Estimator::Cd) => {
                contrastive_divergence(backend, models.theta, &mut draws, phases, k, visible_states);
            }
            (None, _) => {
                let of = [models.theta, models.of_chains()];
                persistent_contrastive_divergence(backend, of, &mut draws, phases, k, visible_states);
            }
        }
        if let Some(offsets) = models.offsets {
            let rate = TRACK.max(1.0 / (step as f32 + 1.0));
            let op = Track { rows: rows as u32, rate };
            backend.track(&op, positive.hidden, offsets.hidden);
            if let Some(variances) = models.variances {
                backend.track_variances(&op, positive.hidden, offsets.hidden, variances.hidden);
            }
        }
        let contrast = self.contrast(rows, chains);
        let ascent = self.ascent(step);
        let models = &self.models;
        let backend = &mut *self.backend;
        models.learn(backend, &contrast, &self.config, &ascent, phases);
        if let Some(largest) = self.config.max_norm {
            backend.limit_norms(&LimitNorms { largest }, models.theta);
        }
        models.fix_gauge(backend);
        if let Some(fast) = self.config.fast_weights {
            models.follow(backend, fast / ascent.rate);
        }
        let average = self.averaging().and_then(|averaging| averaging.rate(step));
        if let (Some(rate), Some(average)) = (average, self.models.average) {
            self.backend.combine(&Combine::towards(rate), self.models.theta, average);
        }
        if self.takes_cost(minibatch) {
            let op = SquaredError { rows: rows as u32 };
            self.backend.squared_error(&op, positive.visible, negative.visible, self.costs);
        }
        let (models, is_clipped) = (self.models.watched(), self.config.clip.is_some());
        let l1b = self.config.l1b.unwrap_or(0.0);
        let is_moved_later = self.config.max_norm.is_some() || self.models.has_gauge;
        Ok(StepTaken { shape, seed, step, contrast, l1b, is_clipped, ascent, is_moved_later, phases, models })
    }

    fn contrast(&self, rows: usize, chains: usize) -> Contrast {
        let TrainConfig { sparsity, sparsity_cost, .. } = self.config;
        Contrast {
            centred: u32::from(self.config.is_centred()),
            sparsity_target: sparsity.unwrap_or(0.0),
            sparsity_cost: if sparsity.is_some() { sparsity_cost } else { 0.0 },
            ..Contrast::new(rows, chains)
        }
    }

    fn ascent(&self, step: u32) -> Ascent {
        let config = &self.config;
        let steps = (config.epochs * self.steps_an_epoch) as f64;
        let factor = config.lr_schedule.factor((f64::from(step) / steps).min(1.0));
        let ascent = Ascent {
            momentum: config.momentum.at(self.epoch),
            weight_decay: config.weight_decay,
            l1: config.l1,
            ..Ascent::new((f64::from(config.learning_rate) * factor) as f32)
        };
        match config.optimizer {
            Optimizer::Adam => ascent.adam(step),
            Optimizer::Sgd if config.nesterov => Ascent { rule: Ascent::NESTEROV, ..ascent },
            Optimizer::Sgd => ascent,
        }
    }

    /// Whether the cost is measured: for the first minibatch of an epoch, and every [`COST_EVERY`]th after it. Missing values have none.
    pub(super) fn takes_cost(&self, minibatch: &Minibatch) -> bool {
        let steps = self.steps_an_epoch;
        self.config.estimator == Estimator::Cd
            && self.completion.is_none()
            && (minibatch.step as usize % steps).is_multiple_of(COST_EVERY)
    }
}
