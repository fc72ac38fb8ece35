//! One step of training: the data, the chains, the update.

use super::{Trainer, uses_offsets};
use crate::{
    backend::Params,
    config::{Binarize, Estimator, Optimizer, Switch, TrainConfig, Uniforms},
    error::Result,
    estimator::{Draws, Phases, Replicas, contrastive_divergence, persistent_contrastive_divergence},
    rbm::Layer,
    rng::Stream,
    schedule::Minibatch,
};

/// The cost is taken from every so many minibatches: it is for watching, and takes no part in learning.
const COST_EVERY: usize = 8;
/// The offsets of hidden units follow their means at this rate, and as fast as a mean of all so far at first.
const TRACK: f32 = 0.01;

impl Trainer {
    /// A step that the doctor may watch.
    pub(super) fn watched_step(&mut self, minibatch: &Minibatch) -> Result<()> {
        if let Some(doctor) = &mut self.doctor {
            let first = (minibatch.step as usize).is_multiple_of(self.steps_an_epoch);
            doctor.before_step(&mut *self.backend, first, self.config.k.at(self.epoch))?;
        }
        let params = self.step(minibatch)?;
        match &mut self.doctor {
            Some(doctor) => doctor.after_step(&mut *self.backend, &params, self.phases),
            None => Ok(()),
        }
    }

    /// One step: the data, the chains, the update. Gives what the update was told.
    pub(super) fn step(&mut self, minibatch: &Minibatch) -> Result<Params> {
        let TrainConfig { estimator, visible_states, .. } = self.config;
        let centred = self.config.centred == Switch::On;
        let sparse = self.config.sparsity.is_some();
        let steps = (self.config.epochs * self.steps_an_epoch) as f64;
        let factor = self.config.lr_schedule.factor((f64::from(minibatch.step) / steps).min(1.0));
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let params = Params {
            step: minibatch.step,
            momentum: self.config.momentum.at(self.epoch),
            chains: self.config.chains(minibatch.rows) as u32,
            learning_rate: (f64::from(self.config.learning_rate) * factor) as f32,
            flags: self.params.flags
                | flag(centred, Params::CENTRED)
                | flag(sparse, Params::SPARSE)
                | flag(self.config.nesterov, Params::NESTEROV)
                | flag(self.forgets(minibatch.step), Params::FORGET),
            ..self.params.minibatch(minibatch.first_row, minibatch.rows)
        };
        let average = self.averaging().and_then(|averaging| averaging.rate(minibatch.step));
        let host = (self.config.uniforms == Some(Uniforms::Host)).then_some(minibatch.uniforms_at);
        let mut draws = Draws { host };
        let backend = &mut *self.backend;
        let Phases { positive, negative } = self.phases;

        let show = match self.config.binarize {
            Binarize::Sample => draws.next(params, Layer::Visible, Stream::Binarize, 0),
            Binarize::Threshold | Binarize::None => params,
        };
        backend.gather(&show, self.training, positive.0);
        let k = self.config.k.at(self.epoch);
        match (&mut self.replicas, estimator) {
            (Some(Replicas::Temperatures(tempering)), _) => {
                tempering.sample(backend, params, &mut draws, self.phases, k);
            }
            (Some(Replicas::Trajectory(trajectory)), _) => {
                trajectory.sample(backend, params, &mut draws, self.phases, k)?;
            }
            (None, Estimator::Cd) => {
                contrastive_divergence(backend, params, &mut draws, self.phases, k, visible_states);
            }
            (None, _) => {
                let fast = flag(self.config.fast_weights.is_some(), Params::FAST);
                let params = Params { flags: params.flags | fast, ..params };
                persistent_contrastive_divergence(
                    backend,
                    params,
                    &mut draws,
                    self.phases,
                    k,
                    visible_states,
                );
            }
        }
        if uses_offsets(&self.config) {
            let rate = TRACK.max(1.0 / (minibatch.step as f32 + 1.0));
            backend.track(&Params { rate, ..params }, positive.1);
        }
        let params = match self.config.optimizer {
            Optimizer::Sgd => params,
            Optimizer::Adam => params.adam(minibatch.step),
        };
        backend.update(&params, positive, negative);
        if self.config.max_norm.is_some() {
            backend.limit_norms(&params);
        }
        if let Some(fast) = self.config.fast_weights {
            backend.fast_weights(&Params { rate: fast / params.learning_rate, ..params });
        }
        if let Some(rate) = average {
            backend.average(&Params { rate, ..params });
        }
        if self.takes_cost(minibatch) {
            self.backend.squared_error(&params, positive.0, negative.0, self.costs);
        }
        Ok(params)
    }

    /// Whether the velocity that a step leaves is read by nobody: it is the next epoch that may have a momentum.
    fn forgets(&self, step: u32) -> bool {
        let config = &self.config;
        let is_last = (step as usize + 1).is_multiple_of(self.steps_an_epoch);
        config.momentum.at(self.epoch) == 0.0
            && !is_last
            && config.optimizer == Optimizer::Sgd
            && !config.nesterov
            && config.max_norm.is_none()
            && config.fast_weights.is_none()
    }

    /// The first minibatch of an epoch, and every so many after it.
    pub(super) fn takes_cost(&self, minibatch: &Minibatch) -> bool {
        let steps = self.steps_an_epoch;
        self.config.estimator == Estimator::Cd && (minibatch.step as usize % steps).is_multiple_of(COST_EVERY)
    }
}
