//! log Z of a model while it is being trained, from look to look.
//!
//! Replicas stay where the last look left them. The model has changed little since, and they need few rounds to follow it
//! (Desjardins, Courville and Bengio 2011, "On tracking the partition function"). Each look finds log Z from its own rounds
//! alone, so errors do not add up.
//!
//! How many rounds a look needs, the look itself finds. They come in stretches, each twice as long as the one before, and each
//! with an estimate of its own. What is left of a wrong beginning is shared by all rounds of a stretch: of two stretches, of r
//! and R rounds, the longer is wrong by r/(R − r) of the way between their estimates. The most that any earlier one gives, the
//! last look among them, is the lag. The bracket reaches that much farther, and a look ends where it is lost in chance.

use serde::{Deserialize, Serialize};

use super::{Base, Tempered, annealed::Way, replicas::Replicas};
use crate::{
    backend::{Backend, Memory, Model},
    data::Rows,
    error::Result,
    estimator::tempering::Tempering,
    unknown,
};

/// Chains, each with its replicas.
const CHAINS: usize = 20;
/// Replicas of a chain.
const REPLICAS: usize = 20;
/// One of so many rounds counts: those next to each other differ little, and to read energies costs time on an adapter.
const APART: usize = 3;
/// Rounds that count in the first stretch.
const FIRST: usize = 3;
/// Rounds that count in the longest, in the first look of a run and in those after it, which are to cost a few per cent of
/// the time.
const LONGEST: [usize; 2] = [48, 12];
/// What the last look is worth, in rounds: the stretches after it are wrong by so little of what the model has changed since,
/// or less, as was seen with 500 hidden units in the first epochs.
const LAST: f64 = 0.5;

/// log Z as replicas have it that follow a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// From the last stretch of rounds.
    #[serde(flatten)]
    pub tempered: Tempered,
    /// How far the replicas may still be behind the model.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub lag: f64,
}

impl Tracked {
    /// That of either half of the chains, and of all chains two standard errors and the lag.
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
    /// What the last look found.
    pub(crate) last: Option<f32>,
}

impl Tracker {
    /// Rows of units that it needs room for.
    pub const ROWS: usize = CHAINS * REPLICAS;

    /// Makes room beside a model. [`Tracker::start`] comes first.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, data: &Rows) -> Result<Self> {
        let coldest = memory.pair(CHAINS)?;
        let replicas = Replicas::new(memory, coldest, CHAINS, REPLICAS, 1)?;
        Ok(Self { replicas, base: Base::new(memory.shape(), &data.density()), last: None })
    }

    /// Starts the replicas: half of the chains from the base, half from `data`, which are binary.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model, data: &Rows) -> Result<()> {
        self.replicas.start(backend, model, &self.base, data)
    }

    /// The replicas, for a run's state.
    pub(crate) fn tempering(&mut self) -> &mut Tempering {
        self.replicas.tempering()
    }

    /// log Z of the model as it is now. Random numbers are those of `look`, a number that no other look
    /// of a run has.
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
