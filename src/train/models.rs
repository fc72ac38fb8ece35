//! The models of a run on its device: the one that is learnt, and those that learning keeps besides.

use super::observer::Watched;
use crate::{
    backend::{
        Ascent, Backend, Clip, Combine, Contrast, Memory, Model, Offsets, Penalise, Standardise, Update,
        Values, Variances,
    },
    base::Base,
    config::{Optimizer, Switch, TrainConfig},
    error::{Result, usage},
    estimator::Phases,
    model::{self, Stored},
    rbm::{Rbm, Shape},
    units::{Layer, Place},
};

/// The share of the fast weights that is kept at each step (Tieleman and Hinton 2009).
const FAST_SHARE: f32 = 0.95;

/// The models that the options call for.
pub(super) struct Models {
    /// The parameters.
    pub theta: Model,
    /// The last step, or Adam's first moments.
    pub velocity: Option<Model>,
    /// Adam's second moments.
    pub squares: Option<Model>,
    /// The gradient, then the step, where the two are not fused.
    gradient: Option<Model>,
    /// The average of the parameters over the end of the run.
    pub average: Option<Model>,
    /// Fast weights, and their sum with the parameters, which drives the chains.
    fast: Option<[Model; 2]>,
    /// Means of the units.
    pub offsets: Option<Offsets>,
    /// Variances of the units.
    pub variances: Option<Variances>,
    /// Factors of the visible columns in the penalty on the weights: 1/√q for a unit of q states.
    scales: Option<Values>,
    /// Whether there are Potts units.
    pub has_gauge: bool,
}

impl Models {
    /// Allocates the models.
    pub fn allocate(memory: &mut dyn Memory, config: &TrainConfig) -> Result<Self> {
        let adam = config.optimizer == Optimizer::Adam;
        let (fused, has_gauge) = (is_fused(config), memory.layers().have_gauge());
        let mut optional = |is_kept: bool| is_kept.then(|| memory.model()).transpose();
        let [velocity, squares, gradient, average] = [
            optional(keeps_velocity(config, has_gauge))?,
            optional(adam)?,
            optional(!fused)?,
            optional(config.average > 0.0)?,
        ];
        let fast = match config.fast_weights {
            Some(_) => Some([memory.model()?, memory.model()?]),
            None => None,
        };
        let theta = memory.model()?;
        let Shape { visible, hidden } = memory.shape();
        let offsets = match uses_offsets(config) {
            true => Some(Offsets { visible: memory.values(visible)?, hidden: memory.values(hidden)? }),
            false => None,
        };
        let variances = match config.standardised {
            Switch::On => {
                Some(Variances { visible: memory.values(visible)?, hidden: memory.values(hidden)? })
            }
            Switch::Off => None,
        };
        let scales = config.l1b.map(|_| memory.values(visible)).transpose()?;
        Ok(Self { theta, velocity, squares, gradient, average, fast, offsets, variances, scales, has_gauge })
    }

    /// Writes the initial model; the units' means begin as those of independent units.
    pub fn start(&self, backend: &mut dyn Backend, initial: &Rbm, base: &Base) {
        backend.write_model(self.theta, initial);
        self.fix_gauge(backend);
        if let Some([_, sum]) = self.fast {
            backend.combine(&Combine::COPY, self.theta, sum);
        }
        if let Some(scales) = self.scales {
            backend.write_values(scales, &scales_of(&base.layers().visible));
        }
        let narrow = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<_>>();
        if let Some(variances) = self.variances {
            let of_hidden = base.layers().hidden.neutral_marginals().variances;
            backend.write_values(variances.visible, &narrow(&base.marginals().variances));
            backend.write_values(variances.hidden, &narrow(&of_hidden));
        }
        if let Some(offsets) = self.offsets {
            backend.write_values(offsets.visible, &narrow(&base.marginals().means));
            // With weights near 0, as initial ones are: binary units are on half the time.
            backend.write_values(offsets.hidden, &narrow(&base.hidden_means()));
        }
    }

    /// The model that drives the chains.
    pub fn of_chains(&self) -> Model {
        self.fast.map_or(self.theta, |[_, sum]| sum)
    }

    /// The models that an observer reads.
    pub fn watched(&self) -> Watched {
        let &Self { theta, velocity, offsets, variances, .. } = self;
        Watched { theta, velocity, offsets, variances }
    }

    /// All models to resume from, with their names' prefixes.
    pub fn named(&self) -> Vec<(&'static str, Model)> {
        let [fast, sum] = [0, 1].map(|number| self.fast.map(|fast| fast[number]));
        [
            ("", Some(self.theta)),
            ("velocity_", self.velocity),
            ("squares_", self.squares),
            ("average_", self.average),
            ("fast_", fast),
            ("fast_sum_", sum),
        ]
        .into_iter()
        .filter_map(|(name, model)| Some((name, model?)))
        .collect()
    }

    /// Takes a step up the gradient, less that of the penalty `l1b`, and no longer than `clip`: fused where nothing comes between.
    pub fn learn(
        &self,
        backend: &mut dyn Backend,
        contrast: &Contrast,
        &TrainConfig { l1b, clip, .. }: &TrainConfig,
        ascent: &Ascent,
        phases: Phases,
    ) {
        let &Self { theta, velocity, squares, gradient, offsets, variances, scales, .. } = self;
        let Phases { positive, negative, .. } = phases;
        let (Some(gradient), Some(kept)) = (gradient, velocity) else {
            return backend.update(
                &Update::new(*contrast, *ascent),
                positive,
                negative,
                offsets,
                theta,
                velocity,
            );
        };
        backend.gradient(contrast, positive, negative, offsets, gradient);
        if let Some(variances) = variances {
            backend.standardise(&Standardise::USUAL, variances, gradient);
        }
        if let (Some(strength), Some(scales)) = (l1b, scales) {
            backend.penalise(&Penalise { strength }, scales, theta, gradient);
        }
        if let Some(largest) = clip {
            backend.clip(&Clip { largest }, gradient);
        }
        backend.ascend(ascent, gradient, theta, kept, squares);
        if let (1, Some(offsets)) = (contrast.centred, offsets) {
            backend.recentre(gradient, offsets, theta);
        }
    }

    /// Puts the parameters into the zero-sum gauge, if they have one. So are averages and snapshots of them.
    pub fn fix_gauge(&self, backend: &mut dyn Backend) {
        if self.has_gauge {
            backend.fix_gauge(self.theta);
        }
    }

    /// Lets fast weights follow the last step, at `rate` times its size, and adds them to the parameters.
    pub fn follow(&self, backend: &mut dyn Backend, rate: f32) {
        if let (Some([fast, sum]), Some(step)) = (self.fast, self.velocity) {
            backend.combine(&Combine { keep: FAST_SHARE, add: rate }, step, fast);
            backend.combine(&Combine::COPY, self.theta, sum);
            backend.combine(&Combine::SUM, fast, sum);
        }
    }
}

/// Factors of the visible columns in the penalty on the weights.
pub(crate) fn scales_of(visible: &Layer) -> Vec<f32> {
    let of_unit = |place: Place| {
        let columns = place.kind.columns();
        std::iter::repeat_n(1.0 / (columns as f32).sqrt(), columns)
    };
    visible.places().flat_map(of_unit).collect()
}

/// Whether a step is no more than momentum and L2 decay.
fn is_fused(config: &TrainConfig) -> bool {
    config.optimizer == Optimizer::Sgd
        && !config.nesterov
        && config.l1 == 0.0
        && config.l1b.is_none()
        && config.standardised == Switch::Off
        && config.clip.is_none()
}

/// Whether a step is kept: for momentum, for fast weights, or for the doctor where the parameters do not show it.
fn keeps_velocity(config: &TrainConfig, has_gauge: bool) -> bool {
    has_gauge
        || !is_fused(config)
        || config.momentum.values().any(|momentum| momentum != 0.0)
        || config.fast_weights.is_some()
        || config.max_norm.is_some()
}

/// The model that training starts from.
pub(super) fn initial(config: &TrainConfig, base: &Base) -> Result<Rbm> {
    let layers = base.layers();
    let Some(path) = &config.init else { return Ok(Rbm::initial(layers, base.potentials(), config.seed)) };
    let Stored { path, rbm, .. } = model::open(path)?;
    if rbm.layers() != layers {
        return usage!(
            "‹init› {}: expected a model of {} × {} units, to match the data and ‹hidden›, found {} × {}",
            path.display(),
            layers.visible.counted(),
            layers.hidden.counted(),
            rbm.layers().visible.counted(),
            rbm.layers().hidden.counted()
        );
    }
    Ok(rbm)
}

/// Whether the update subtracts offsets from the units, or follows their means.
fn uses_offsets(config: &TrainConfig) -> bool {
    config.is_centred() || config.sparsity.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_q_states_counts_as_one() {
        let visible: Layer = "1 gaussian, 2 potts:4, 1 binary".parse().unwrap();
        let half = [0.5; 8];
        assert_eq!(scales_of(&visible), [&[1.0][..], &half, &[1.0]].concat());
    }
}
