//! log Z of a model too large to enumerate: one estimate by parallel tempering, and two by annealed importance sampling (AIS;
//! Neal 2001), forwards and backwards, between which it must lie.
//!
//! All of them move through distributions between the base-rate model, whose Z is known, and the model (Salakhutdinov and
//! Murray 2008, "On the quantitative analysis of deep belief networks"):
//!
//! ```text
//! f_β(v)  = e^((1−β) b0ᵀv) · e^(β bᵀv) · Π_j (1 + e^(β(c_j + (vW)_j)))       β from 0 to 1
//! log Z_0 = n log 2 + Σ_i softplus(b0_i)                                  b0_i = logit of unit i's mean in the data
//! ```
//!
//! They are the [`crate::backend::Path`] from the base to the model.
//!
//! **Tempered.** Chains with replicas at all temperatures ([`crate::estimator::tempering`]) run until they have forgotten where
//! they started; then log Z is the sum over neighbouring temperatures of Bennett's (1976) ratios ([`Measured`]). A chain gets
//! from mode to mode as often as its replicas travel to β = 0 and back, which is counted, so a mode's share of the mass is
//! seen many times by each; an annealed chain sees it once. Half of the chains start from the base, half from data. While they
//! disagree, there is a mode that one half has not found or not left yet, and the bracket has both halves' estimates.
//!
//! **Annealed.** Chains go from the base to the model, at temperatures as far apart as the replicas' swaps say:
//!
//! ```text
//! log w   = Σ_k log f_k(v_k) − log f_(k−1)(v_k),   E[w] = Z / Z_0
//! ```
//!
//! By Jensen's inequality this estimate of log Z is low on average, which flatters the model, and by Markov's it is hardly ever
//! high: by a nats with a probability below e^−a, whatever mixes or doesn't. Chains that go back, from where the replicas at
//! β = 1 arrived to the base, give an estimate that is high on average if those are samples of the model (Burda, Grosse and
//! Salakhutdinov 2015; Grosse, Ghahramani and Adams 2015, "Sandwiching the marginal likelihood using bidirectional Monte
//! Carlo"). Both ways, where weights have become uneven, chains are drawn anew by them: this keeps w's mean, and needs far
//! fewer chains. There are still more of them than of those with replicas: a chain that is annealed enters a mode once, or not.
//!
//! **Doubt.** Figures that contradict each other are no answer (`doubt.rs`). Chains annealed from elsewhere ([`Search`]) say where
//! there is mass that replicas may have missed. What none of this can know of is mass that neither data nor any chain lead to.

mod annealed;
mod base;
mod cells;
mod doubt;
mod population;
mod progress;
mod replicas;
mod search;
mod tempered;
mod tracker;

pub use base::Base;
pub use cells::Share;
pub(crate) use doubt::halves as halves_that_disagree;
pub use progress::Progress;
pub use search::{Part, Search};
pub use tempered::Measured;
pub use tracker::{Tracked, Tracker};

use serde::{Deserialize, Serialize};

use crate::{
    backend::{Backend, Memory, Model},
    data::Rows,
    error::{Result, usage},
    estimator::tempering::Swaps,
    rbm::Shape,
};
use annealed::{Annealed, Run, Way};
use cells::{Cells, Visits};
use replicas::Replicas;

/// The widest bracket that counts as an answer, in nats.
pub const WIDEST: f64 = 1.0;
/// The fewest chains, of equal weights, that an annealed estimate may be worth: below, one family has most of the weight, and
/// the standard error means nothing.
pub const FEWEST: f64 = 3.0;
/// The fewest round trips of its replicas that a chain must have made, on average.
pub const TRIPS: f64 = 1.0;
/// Times that it is looked where replicas at β = 1 are.
const LOOKS: usize = 100;
/// Temperatures are moved after every so many rounds of those that do not count.
const ADAPT_EVERY: usize = 100;
/// Weights of a small model: some tens of hidden units and an image.
const SMALL: usize = 1 << 16;
/// Energies that are kept: 8 GiB.
const MOST_ENERGIES: u64 = 1 << 31;

/// How thoroughly to estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AisOptions {
    /// Chains with replicas.
    pub chains: usize,
    /// Replicas of a chain, each at a temperature of its own.
    pub replicas: usize,
    /// Rounds of swaps and Gibbs steps that count; half as many go before.
    pub rounds: usize,
    /// Chains that are annealed forwards, and as many backwards.
    pub annealed: usize,
    /// Temperatures of annealed chains above 0, of which the last is 1.
    pub temperatures: usize,
    /// Seed of every random number.
    pub seed: u64,
}

impl Default for AisOptions {
    fn default() -> Self {
        Self { chains: 100, replicas: 32, rounds: 1000, annealed: 400, temperatures: 10_000, seed: 1 }
    }
}

impl AisOptions {
    /// Rounds for a model of this shape: where they cost little and modes are far apart, as in models of few units, five times
    /// as many, for a standard error of less than 0.02 nat.
    pub fn usual_rounds(shape: Shape) -> usize {
        let rounds = Self::default().rounds;
        if shape.visible * shape.hidden <= SMALL { 5 * rounds } else { rounds }
    }

    /// Gibbs steps of chains that an estimate takes, but for the search, which takes few.
    pub fn steps(&self) -> u64 {
        let [chains, replicas, rounds, annealed, temperatures] =
            [self.chains, self.replicas, self.rounds, self.annealed, self.temperatures]
                .map(|count| count as u64);
        chains * replicas * (rounds + rounds / 2) + annealed * (2 * temperatures - 1)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        for (option, value, least, most) in [
            ("chains", self.chains, 4, 10_000_000),
            ("replicas", self.replicas, 2, 1000),
            ("rounds", self.rounds, 10, 10_000_000),
            ("annealed", self.annealed, 4, 10_000_000),
            ("temperatures", self.temperatures, 10, 10_000_000),
        ] {
            if !(least..=most).contains(&value) {
                return usage!("‹{option}› must be from {least} to {most}, found {value}");
            }
        }
        let energies = self.chains as u64 * self.replicas as u64 * self.rounds as u64;
        if energies > MOST_ENERGIES {
            return usage!(
                "‹chains› × ‹replicas› × ‹rounds› must be at most {MOST_ENERGIES}, 4 bytes each, found {energies}"
            );
        }
        Ok(())
    }
}

/// log Z as annealed chains in one direction have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub log_z: f64,
    /// Its standard error, from the variance of the weights.
    pub standard_error: f64,
    /// (Σw)² / Σw²: how many chains of equal weights would be worth as much (Kong 1992). Chains that descend from one count
    /// as one.
    pub effective_chains: f64,
}

/// log Z as replicas at several temperatures have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tempered {
    /// From all chains.
    #[serde(flatten)]
    pub all: Measured,
    /// From the chains that started at the base.
    pub from_base: Measured,
    /// From the chains that started at data.
    pub from_data: Measured,
    /// Chains, each with its replicas.
    #[serde(default)]
    pub chains: usize,
    /// Rounds that count.
    #[serde(default)]
    pub rounds: usize,
    /// Chains none of whose replicas made a round trip.
    #[serde(default)]
    pub idle_chains: usize,
    /// How well replicas moved.
    #[serde(flatten)]
    pub swaps: Swaps,
}

impl Tempered {
    /// The lower estimate of either half less two of its standard errors, and the higher one and two more.
    pub fn bracket(&self) -> (f64, f64) {
        let Self { all, from_base, from_data, .. } = self;
        let low = |half: &Measured| half.log_z - 2.0 * half.standard_error;
        let high = |half: &Measured| half.log_z + 2.0 * half.standard_error;
        (
            all.log_z.min(low(from_base)).min(low(from_data)),
            all.log_z.max(high(from_base)).max(high(from_data)),
        )
    }

    /// Whether all of it are numbers.
    pub fn is_finite(&self) -> bool {
        [self.all, self.from_base, self.from_data]
            .iter()
            .all(|measured| (measured.log_z + measured.standard_error).is_finite())
    }
}

/// log Z between the estimates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ais {
    /// The best single estimate: the tempered one.
    pub log_z: f64,
    /// What is hardly above log Z: the lower estimate of either half of the tempered chains, less two of its standard errors;
    /// or as far down as an annealed estimate says that is below by more than two of its own.
    pub log_z_low: f64,
    /// What is hardly below log Z, likewise.
    pub log_z_high: f64,
    /// By parallel tempering.
    pub tempered: Tempered,
    /// Annealed, from the base-rate model: low on average.
    pub forward: Estimate,
    /// Annealed, back from where the replicas arrived: high on average.
    pub reverse: Estimate,
    /// Annealed from elsewhere: of what replicas may have missed.
    pub search: Search,
    /// Annealed chains each way.
    pub chains: usize,
    /// Temperatures each way.
    pub temperatures: usize,
    /// Why this is not to be believed, if it is not.
    pub doubt: Option<String>,
}

impl Ais {
    fn new(
        tempered: Tempered,
        [forward, reverse]: [Estimate; 2],
        search: Search,
        options: AisOptions,
    ) -> Self {
        let Measured { log_z, .. } = tempered.all;
        let (mut low, mut high) = tempered.bracket();
        // Replicas measure log Z best, if they have found all mass; what the annealed chains say is held against it.
        for annealed in [forward, reverse] {
            low = low.min(annealed.log_z + 2.0 * annealed.standard_error);
            high = high.max(annealed.log_z - 2.0 * annealed.standard_error);
        }
        let mut ais = Self {
            log_z,
            log_z_low: low,
            log_z_high: high,
            tempered,
            forward,
            reverse,
            search,
            chains: options.annealed,
            temperatures: options.temperatures,
            doubt: None,
        };
        let is_finite = [forward, reverse].iter().all(|way| (way.log_z + way.standard_error).is_finite())
            && ais.tempered.is_finite();
        ais.doubt = if is_finite {
            doubt::find(&ais)
        } else {
            Some("a chain's weight is not a finite number: the parameters are too large".into())
        };
        ais
    }
}

/// Room for the chains on a device, to be used as often as one likes.
pub struct Annealer {
    replicas: Replicas,
    annealed: Annealed,
    search: Annealed,
    options: AisOptions,
}

impl Annealer {
    /// Makes room on a device.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options out of range, or when there is no room.
    pub fn new(memory: &mut dyn Memory, options: AisOptions) -> Result<Self> {
        options.check()?;
        let AisOptions { chains, annealed, replicas, seed, .. } = options;
        let coldest = memory.pair(chains)?;
        Ok(Self {
            replicas: Replicas::new(memory, coldest, chains, replicas, seed)?,
            annealed: Annealed::new(memory, annealed, seed)?,
            search: Annealed::new(memory, search::CHAINS, seed)?,
            options,
        })
    }

    /// From now on, `progress` is told of Gibbs steps: [`AisOptions::steps`] in all.
    pub fn set_progress(&mut self, progress: Progress) {
        self.replicas.progress = progress.clone();
        self.annealed.progress = progress;
    }

    /// log Z of a model on the device. `data` are binary, and half of the chains start from them.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn run(&mut self, backend: &mut dyn Backend, model: Model, base: &Base, data: &Rows) -> Result<Ais> {
        let way = Way { base, model };
        let AisOptions { chains, rounds, temperatures, .. } = self.options;
        self.replicas.start(backend, model, base, data)?;
        let warm_up = rounds / 2;
        for done in (0..warm_up).step_by(ADAPT_EVERY) {
            if done > 0 {
                self.replicas.adapt(backend)?;
            }
            self.replicas.advance(backend, model, ADAPT_EVERY.min(warm_up - done))?;
        }
        let inverse_temperatures = self.replicas.tempering().inverse_temperatures().to_vec();
        let found = search::search(&self.search, backend, way, data, &inverse_temperatures)?;
        let (tempered, samples, visits) = self.measure(backend, way, found.cells())?;
        let temperatures = annealed::temperatures(&tempered.swaps.inverse_temperatures, temperatures);
        let (annealed, log_base) = (&self.annealed, base.log_z);
        let forward = annealed.forward(backend, way, &temperatures, Run::FORWARD)?.estimate(log_base, 1.0);
        let reverse = annealed.reverse(backend, way, &temperatures, &samples)?.estimate(log_base, -1.0);
        Ok(Ais::new(tempered, [forward, reverse], found.beside(&visits, chains), self.options))
    }

    /// log Z by the replicas; as many visible states at β = 1 as there are annealed chains, of rounds as far apart as can be;
    /// and how often chains were in each cell.
    fn measure(
        &mut self,
        backend: &mut dyn Backend,
        way: Way,
        cells: &Cells,
    ) -> Result<(Tempered, Vec<f32>, Visits)> {
        let AisOptions { chains, rounds, annealed, .. } = self.options;
        let kept = annealed.div_ceil(chains).min(rounds);
        let between = (LOOKS / kept).clamp(1, rounds / kept);
        let (mut visits, mut states, mut look) = (Visits::new(chains, cells), Vec::with_capacity(kept), 0);
        let tempered = self.replicas.measure(backend, way, (rounds, 1), kept * between, |now| {
            visits.count(cells, &now);
            look += 1;
            if look % between == 0 {
                states.push(now);
            }
        })?;
        let rows: Vec<_> = states.iter().flat_map(|states| states.chunks(way.base.density.len())).collect();
        let samples =
            (0..annealed).flat_map(|sample| rows[sample * rows.len() / annealed]).copied().collect();
        Ok((tempered, samples, visits))
    }
}
