//! Tracks log Z of a model during training.
//!
//! Replicas continue from the last look. The model has changed little since, so they need few rounds to follow it
//! (Desjardins, Courville and Bengio 2011, "On tracking the partition function"). Each look measures log Z from its own
//! rounds alone, so errors do not accumulate.
//!
//! A look decides how many rounds it needs. They come in stretches, each twice as long as the one before, with an estimate
//! each. All rounds of a stretch share the bias of its start. Of two stretches, of r and R rounds, the longer is therefore
//! off by r/(R − r) of the difference between their estimates. The lag is the largest such error over the earlier stretches
//! and the last look. It widens the bracket; a look ends when the lag is below the statistical error.

use serde::{Deserialize, Serialize};

use super::{Tempered, annealed::Way, replicas::Replicas};
use crate::{
    backend::{Backend, Memory, Model},
    base::Base,
    data::Rows,
    error::Result,
    estimator::tempering::Tempering,
    units::Marginals,
    unknown,
};

/// Chains, each with its replicas.
const CHAINS: usize = 20;
/// Replicas of a chain.
const REPLICAS: usize = 20;
/// One round in three is measured: successive rounds differ little, and reading energies is slow on a GPU.
const APART: usize = 3;
/// Measured rounds of the first stretch.
const FIRST: usize = 3;
/// Measured rounds of the longest stretch, in a run's first look and in later ones, which must cost only a few per cent of
/// the time.
const LONGEST: [usize; 2] = [48, 12];
/// Weight of the last look, in rounds: later stretches inherit at most this much of the model's change since. Observed with
/// 500 hidden units in the first epochs.
const LAST: f64 = 0.5;

/// log Z from replicas that follow a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Estimates from the last stretch of rounds.
    #[serde(flatten)]
    pub tempered: Tempered,
    /// How far the replicas may lag behind the model, in nats.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub lag: f64,
}

impl Tracked {
    /// Covers both halves' estimates, and that of all chains ± (2 standard errors + lag).
    pub fn bracket(&self) -> (f64, f64) {
        let (low, high) = self.tempered.bracket();
        let log_z = self.tempered.all.log_z;
        let reach = self.lag + self.chance();
        (low.min(log_z - reach), high.max(log_z + reach))
    }

    fn chance(&self) -> f64 {
        2.0 * self.tempered.all.standard_error
    }
}

/// Replicas that follow a model.
pub struct Tracker {
    replicas: Replicas,
    base: Base,
    /// log Z of the last look.
    pub(crate) last: Option<f32>,
}

impl Tracker {
    /// Allocates beside a model, for data with these moments. Call [`Tracker::start`] first.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, marginals: Marginals) -> Result<Self> {
        let coldest = memory.pair(CHAINS)?;
        let replicas = Replicas::new(memory, coldest, CHAINS, REPLICAS, 1)?;
        Ok(Self { replicas, base: Base::new(memory.layers(), marginals), last: None })
    }

    /// Starts the replicas: half of the chains from the base, half from `data`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model, data: &Rows) -> Result<()> {
        self.replicas.start(backend, model, &self.base, data)
    }

    /// The replicas, for the run's state.
    pub(crate) fn tempering(&mut self) -> &mut Tempering {
        self.replicas.tempering()
    }

    /// log Z of the model as it is now. `look` addresses the random numbers and must be unique within a run.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn look(&mut self, backend: &mut dyn Backend, model: Model, look: usize) -> Result<Tracked> {
        // All stretches together are shorter than two of the longest.
        self.replicas.set_round(look * 2 * LONGEST[0] * APART);
        let longest = LONGEST[usize::from(self.last.is_some())];
        let mut earlier: Vec<_> = self.last.map(|log_z| (LAST, f64::from(log_z))).into_iter().collect();
        let mut rounds = FIRST;
        loop {
            let tempered =
                self.replicas.measure(backend, Way { base: &self.base, model }, (rounds, APART), 0, drop)?;
            self.replicas.adapt(backend)?;
            let (log_z, count) = (tempered.all.log_z, rounds as f64);
            let behind = |&(fewer, before): &(f64, f64)| (log_z - before).abs() * fewer / (count - fewer);
            let tracked = Tracked { tempered, lag: earlier.iter().map(behind).fold(0.0, f64::max) };
            if rounds > FIRST && tracked.lag <= tracked.chance() || rounds == longest {
                self.last = Some(log_z as f32).filter(|log_z| log_z.is_finite());
                backend.submit()?;
                return Ok(tracked);
            }
            earlier.push((count, log_z));
            rounds *= 2;
        }
    }
}
