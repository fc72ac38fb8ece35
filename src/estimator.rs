//! How the gradient's second term, the mean over the model, is estimated: where the chains of the negative phase
//! start and how they move.

pub mod tempering;
pub mod trajectory;

use crate::{
    backend::{Backend, Params, Units},
    config::{Estimator, TrainConfig, VisibleStates},
    rbm::Layer,
    rng::Stream,
    schedule::Draw,
};
use tempering::Tempering;
use trajectory::Trajectory;

/// The buffers of one step: data-driven units, and the chains'.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// v⁽⁰⁾ and h⁽⁰⁾: the positive phase.
    pub positive: (Units, Units),
    /// v⁽ᵏ⁾ and h⁽ᵏ⁾: the negative phase.
    pub negative: (Units, Units),
}

/// Hands out the uniforms of a step: where the host prepared them, each draw's begin where the last draw's end.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Where the next draw's uniforms begin, if they come from the host.
    pub host: Option<usize>,
}

impl Draws {
    /// The parameters of a kernel that draws a layer's states.
    pub fn next(&mut self, params: Params, layer: Layer, stream: Stream, sweep: u32) -> Params {
        let params = params.sample(stream, sweep);
        let Some(at) = self.host else { return params };
        self.skip(params, layer);
        Params { flags: params.flags | Params::HOST_UNIFORMS, uniforms_at: at as u32, ..params }
    }

    /// Leaves out the uniforms of a draw that is not made.
    pub fn skip(&mut self, params: Params, layer: Layer) {
        if let Some(at) = &mut self.host {
            *at += params.rows as usize * params.shape().units(layer);
        }
    }
}

/// Chains that have replicas.
#[derive(Debug)]
pub enum Replicas {
    /// At several temperatures.
    Temperatures(Tempering),
    /// In the model as it was at several moments.
    Trajectory(Trajectory),
}

/// Contrastive divergence, CD-k (Hinton 2002; equation (30)): the chains start at the data and take k Gibbs steps.
/// The visible units of `phases.positive` hold the minibatch; afterwards both phases are ready for the update.
pub fn contrastive_divergence(
    backend: &mut dyn Backend,
    params: Params,
    draws: &mut Draws,
    phases: Phases,
    k: u32,
    visible_states: VisibleStates,
) {
    let (data, driven) = phases.positive;
    let (visible, hidden) = phases.negative;

    backend.sample_hidden(&draws.next(params, Layer::Hidden, Stream::Hidden, 0), data, driven);
    let mut from = driven;
    for sweep in 0..k {
        let reconstruct = match visible_states {
            VisibleStates::Sample => draws.next(params, Layer::Visible, Stream::Visible, sweep),
            VisibleStates::Mean => params,
        };
        backend.sample_visible(&reconstruct, from, visible);
        // The last hidden pass uses the probabilities: a draw would only add noise (Hinton 2010, section 3.1).
        let last = sweep + 1 == k;
        let drive = if last { params } else { draws.next(params, Layer::Hidden, Stream::Hidden, sweep + 1) };
        backend.sample_hidden(&drive, visible, hidden);
        from = hidden;
    }
}

/// Persistent contrastive divergence, PCD-k: the chains go on from where they stopped, k Gibbs steps (Younes 1989;
/// Tieleman 2008). The visible units of `phases.positive` hold the minibatch, the hidden ones of `phases.negative` the
/// chains' states; afterwards both phases are ready for the update, and the chains for the next step. With [`Params::FAST`]
/// the chains, and they alone, take the fast weights beside the parameters (FPCD; Tieleman and Hinton 2009).
pub fn persistent_contrastive_divergence(
    backend: &mut dyn Backend,
    params: Params,
    draws: &mut Draws,
    phases: Phases,
    k: u32,
    visible_states: VisibleStates,
) {
    let (data, driven) = phases.positive;
    let (visible, hidden) = phases.negative;
    // Nothing starts at the data: their hidden units need no states, only means.
    let of_data = Params { flags: params.flags & !Params::FAST, ..params };
    let chains = params.of_chains();
    for sweep in 0..k {
        let fantasy = match visible_states {
            VisibleStates::Sample => draws.next(chains, Layer::Visible, Stream::Visible, sweep),
            VisibleStates::Mean => chains,
        };
        backend.sample_visible(&fantasy, hidden, visible);
        // The update takes the means, the next sweep takes the states.
        let up = draws.next(chains, Layer::Hidden, Stream::Hidden, sweep);
        if sweep + 1 < k || params.has(Params::FAST) {
            backend.sample_hidden(&up, visible, hidden);
        } else {
            backend.sample_hidden_twice([(&of_data, data, driven), (&up, visible, hidden)]);
        }
    }
    if params.has(Params::FAST) {
        backend.sample_hidden(&of_data, data, driven);
    }
}

/// The uniforms of one step with `k` sweeps in the order of use.
pub fn draws_of_step(config: &TrainConfig, k: u32, binarize: bool) -> Vec<Draw> {
    let cases = |layer, draw| Draw { layer, draw, chains: None };
    let mut draws = Vec::new();
    if binarize {
        draws.push(cases(Layer::Visible, Stream::Binarize.draw(0)));
    }
    let chains = match config.estimator {
        Estimator::Cd => None,
        Estimator::Pcd | Estimator::Pt | Estimator::Tt => Some(config.chains(config.batch)),
    };
    // The draws of each temperature, or of each rung, have numbers of their own.
    let sweeps = match config.estimator {
        Estimator::Cd | Estimator::Pcd => k,
        Estimator::Pt | Estimator::Tt => k.saturating_mul(config.temperatures as u32),
    };
    for sweep in 0..sweeps {
        let hidden = Draw { layer: Layer::Hidden, draw: Stream::Hidden.draw(sweep), chains };
        let visible = Draw { layer: Layer::Visible, draw: Stream::Visible.draw(sweep), chains };
        let visible = (config.visible_states == VisibleStates::Sample).then_some(visible);
        match config.estimator {
            Estimator::Cd | Estimator::Tt => draws.extend([Some(hidden), visible].into_iter().flatten()),
            Estimator::Pcd | Estimator::Pt => draws.extend([visible, Some(hidden)].into_iter().flatten()),
        }
    }
    draws
}
