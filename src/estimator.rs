//! Estimators of the gradient's negative phase, the mean over the model: where its chains start and how they move.

mod ladder;
pub mod tempering;
pub mod trajectory;

pub use ladder::start_chains;

use crate::{
    backend::{Backend, Draw, HalfStep, Model, Pair},
    config::{Estimator, TrainConfig, VisibleStates},
    rbm::{Shape, Side},
    rng::{Address, Stream},
    schedule::PreparedDraw,
};
use tempering::Tempering;
use trajectory::Trajectory;

/// The units of one step, and its numbers of cases and chains.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// v⁽⁰⁾ and h⁽⁰⁾: the positive phase.
    pub positive: Pair,
    /// v⁽ᵏ⁾ and h⁽ᵏ⁾: the negative phase.
    pub negative: Pair,
    /// Cases of the positive phase.
    pub rows: usize,
    /// Chains of the negative phase.
    pub chains: usize,
}

/// Allots the draws of a step. With uniforms from the host, each draw's begin where the previous draw's end.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Units of each layer.
    pub shape: Shape,
    /// The seed of every random number.
    pub seed: u64,
    /// The step number.
    pub step: u32,
    /// Index of the next draw's first uniform in the host's buffer, if the host prepares them.
    pub host: Option<usize>,
}

impl Draws {
    /// The draws of a step, from the device's own generator.
    pub fn new(shape: Shape, seed: u64, step: u32) -> Self {
        Self { shape, seed, step, host: None }
    }

    /// The next draw: of a layer's units in a sweep, for `rows` rows.
    pub fn next(&mut self, stream: Stream, layer: Side, sweep: u32, rows: usize) -> Draw {
        let draw = Draw::at(self.seed, Address::new(stream, self.step).layer(layer.number()).sweep(sweep));
        let Some(at) = self.host else { return draw };
        self.skip(layer, rows);
        draw.from_host(at)
    }

    /// A draw of one number per chain, always from the device's generator.
    pub fn of_chains(&self, stream: Stream, number: u32) -> Draw {
        Draw::at(self.seed, Address::new(stream, self.step).sweep(number))
    }

    /// Skips the uniforms of a draw that is not made.
    pub fn skip(&mut self, layer: Side, rows: usize) {
        if let Some(at) = &mut self.host {
            *at += rows * self.shape.units(layer);
        }
    }
}

/// Chains with replicas.
#[derive(Debug)]
pub enum Replicas {
    /// At several temperatures.
    Temperatures(Tempering),
    /// At several moments of training.
    Trajectory(Trajectory),
}

/// Contrastive divergence, CD-k (Hinton 2002; equation (30)): the chains start at the data and take k Gibbs steps. The
/// visible units of `phases.positive` hold the minibatch; afterwards both phases are ready for the update.
pub fn contrastive_divergence(
    backend: &mut dyn Backend,
    model: Model,
    draws: &mut Draws,
    phases: Phases,
    k: u32,
    visible_states: VisibleStates,
) {
    let Phases { positive, negative, rows, .. } = phases;
    let first = draws.next(Stream::Train, Side::Hidden, 0, rows);
    backend.sample(&HalfStep::new(rows, first), model.into(), positive.visible, positive.hidden);
    let mut from = positive.hidden;
    for sweep in 0..k {
        let reconstruct = match visible_states {
            VisibleStates::Sample => draws.next(Stream::Train, Side::Visible, sweep, rows),
            VisibleStates::Mean => Draw::none(),
        };
        backend.sample(&HalfStep::new(rows, reconstruct), model.into(), from, negative.visible);
        // The last hidden pass uses the probabilities: sampling would only add noise (Hinton 2010, section 3.1).
        let drive = match sweep + 1 == k {
            true => Draw::none(),
            false => draws.next(Stream::Train, Side::Hidden, sweep + 1, rows),
        };
        backend.sample(&HalfStep::new(rows, drive), model.into(), negative.visible, negative.hidden);
        from = negative.hidden;
    }
}

/// Persistent contrastive divergence, PCD-k: the chains continue from the last step with k Gibbs steps (Younes 1989;
/// Tieleman 2008). The visible units of `phases.positive` hold the minibatch, the hidden units of `phases.negative` the
/// chains' states; afterwards both phases are ready for the update, and the chains for the next step. With fast weights,
/// the chains use another model than the data (FPCD; Tieleman and Hinton 2009).
pub fn persistent_contrastive_divergence(
    backend: &mut dyn Backend,
    [of_data, of_chains]: [Model; 2],
    draws: &mut Draws,
    phases: Phases,
    k: u32,
    visible_states: VisibleStates,
) {
    let Phases { positive, negative, rows, chains } = phases;
    // No chain starts at the data, so their hidden units need only means.
    let data = HalfStep::new(rows, Draw::none());
    for sweep in 0..k {
        let fantasy = match visible_states {
            VisibleStates::Sample => draws.next(Stream::Train, Side::Visible, sweep, chains),
            VisibleStates::Mean => Draw::none(),
        };
        backend.sample(&HalfStep::new(chains, fantasy), of_chains.into(), negative.hidden, negative.visible);
        // The update reads the means, the next sweep the states.
        let up = HalfStep::new(chains, draws.next(Stream::Train, Side::Hidden, sweep, chains));
        if sweep + 1 == k && of_data == of_chains {
            let minibatches =
                [(&data, positive.visible, positive.hidden), (&up, negative.visible, negative.hidden)];
            return backend.sample_twice(of_data, minibatches);
        }
        backend.sample(&up, of_chains.into(), negative.visible, negative.hidden);
    }
    backend.sample(&data, of_data.into(), positive.visible, positive.hidden);
}

/// The draws of one step with `k` sweeps, in order of use, for the host to prepare; before them, `missing` Gibbs steps fill in missing
/// values.
pub fn draws_of_step(config: &TrainConfig, k: u32, binarize: bool, missing: u32) -> Vec<PreparedDraw> {
    let draw = |stream, layer, sweep, chains| PreparedDraw { stream, layer, sweep, chains };
    let mut draws = Vec::new();
    if binarize {
        draws.push(draw(Stream::Binarize, Side::Visible, 0, None));
    }
    for step in 0..missing {
        draws.extend([Side::Hidden, Side::Visible].map(|side| draw(Stream::Complete, side, step, None)));
    }
    let chains = match config.estimator {
        Estimator::Cd => None,
        Estimator::Pcd | Estimator::Pt | Estimator::Tt => Some(config.chains(config.batch)),
    };
    // Each temperature or rung has its own sweep number.
    let sweeps = match config.estimator {
        Estimator::Cd | Estimator::Pcd => k,
        Estimator::Pt | Estimator::Tt => k.saturating_mul(config.temperatures as u32),
    };
    for sweep in 0..sweeps {
        let hidden = draw(Stream::Train, Side::Hidden, sweep, chains);
        let visible = draw(Stream::Train, Side::Visible, sweep, chains);
        let visible = (config.visible_states == VisibleStates::Sample).then_some(visible);
        match config.estimator {
            Estimator::Cd | Estimator::Tt => draws.extend([Some(hidden), visible].into_iter().flatten()),
            Estimator::Pcd | Estimator::Pt => draws.extend([visible, Some(hidden)].into_iter().flatten()),
        }
    }
    draws
}
