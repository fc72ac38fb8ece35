//! log Z of a model too large to enumerate: one estimate by parallel tempering, bracketed by two from annealed importance
//! sampling (AIS; Neal 2001), forward and reverse.
//!
//! All three use distributions between the base-rate model, whose Z is known, and the model (Salakhutdinov and Murray 2008,
//! "On the quantitative analysis of deep belief networks"):
//!
//! ```text
//! f_β(v)  = e^((1−β) b0ᵀv) · e^(β bᵀv) · Π_j (1 + e^(β(c_j + (vW)_j)))       β from 0 to 1
//! log Z_0 = n log 2 + Σ_i softplus(b0_i)                                  b0_i = logit of unit i's mean in the data
//! ```
//!
//! They form the [`crate::backend::Path`] from the base to the model.
//!
//! **Tempered.** Chains with replicas at all temperatures ([`crate::estimator::tempering`]) run until they have forgotten
//! where they started. log Z is then the sum of Bennett's (1976) ratios over neighbouring temperatures ([`Measured`]). A
//! chain changes modes as often as its replicas travel to β = 0 and back, which is counted. So each chain sees a mode's
//! share of the mass many times; an annealed chain sees it once. Half of the chains start from the base, half from data. If
//! the halves disagree, one of them has not yet found or left a mode; the bracket contains both estimates.
//!
//! **Annealed.** Chains go from the base to the model, at temperatures spaced by the replicas' swap rates:
//!
//! ```text
//! log w   = Σ_k log f_k(v_k) − log f_(k−1)(v_k),   E[w] = Z / Z_0
//! ```
//!
//! By Jensen's inequality this estimate of log Z is low on average, which flatters the model. By Markov's inequality it is
//! too high by a nats with probability below e^−a, however badly chains mix. Chains that go back to the base, from the
//! replicas' states at β = 1, give an estimate that is high on average if those states are samples of the model (Burda,
//! Grosse and Salakhutdinov 2015; Grosse, Ghahramani and Adams 2015, "Sandwiching the marginal likelihood using
//! bidirectional Monte Carlo"). Both directions resample chains when their weights become uneven, which keeps the mean of w
//! and needs far fewer chains. An annealed chain enters a mode once or never, so there are more of them than of tempered
//! chains.
//!
//! **Doubt.** Figures that contradict each other are no answer (`doubt.rs`). Chains annealed from elsewhere ([`Search`])
//! find mass that replicas may have missed. Mass that neither the data nor any chain leads to stays unknown.

mod annealed;
mod cells;
mod doubt;
mod population;
mod progress;
mod replicas;
mod search;
mod tempered;
mod tracker;

pub use cells::Share;
pub(crate) use doubt::halves as halves_that_disagree;
pub use progress::Progress;
pub use search::{Part, Search};
pub use tempered::Measured;
pub use tracker::{Tracked, Tracker};

use serde::{Deserialize, Serialize};

use crate::{
    backend::{Backend, Memory, Model},
    base::Base,
    data::Rows,
    error::{Result, usage},
    estimator::tempering::Swaps,
    rbm::Shape,
};
use annealed::{Annealed, Run, Way};
use cells::{Cells, Visits};
use replicas::Replicas;

/// The widest acceptable bracket, in nats.
pub const WIDEST: f64 = 1.0;
/// The least effective sample size of an annealed estimate. Below it, one family has most of the weight, and the standard
/// error is meaningless.
pub const FEWEST: f64 = 3.0;
/// The fewest round trips per chain, on average.
pub const TRIPS: f64 = 1.0;
/// Times that the replicas' states at β = 1 are read.
const LOOKS: usize = 100;
/// Warm-up rounds between two moves of the temperatures.
const ADAPT_EVERY: usize = 100;
/// Weights of a small model: some tens of hidden units and an image.
const SMALL: usize = 1 << 16;
/// The most energies kept: 8 GiB.
const MOST_ENERGIES: u64 = 1 << 31;

/// Effort of an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AisOptions {
    /// Chains with replicas.
    pub chains: usize,
    /// Replicas of a chain, one per temperature.
    pub replicas: usize,
    /// Measured rounds of swaps and Gibbs steps, after half as many of warm-up.
    pub rounds: usize,
    /// Chains annealed in each direction.
    pub annealed: usize,
    /// Temperatures of annealed chains, the last of them β = 1. β = 0 is not counted.
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
    /// Rounds for a model of this shape. A small model gets five times as many: there they are cheap and modes are far
    /// apart. The standard error is then below 0.02 nat.
    pub fn usual_rounds(shape: Shape) -> usize {
        let rounds = Self::default().rounds;
        if shape.visible * shape.hidden <= SMALL { 5 * rounds } else { rounds }
    }

    /// Gibbs steps of chains in an estimate, without the search, which takes few.
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

/// log Z from annealed chains in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub log_z: f64,
    /// Standard error, from the variance of the weights.
    pub standard_error: f64,
    /// Effective sample size, (Σw)² / Σw² (Kong 1992). Chains with a common ancestor count as one.
    pub effective_chains: f64,
}

/// log Z from replicas at several temperatures.
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
    /// Measured rounds.
    #[serde(default)]
    pub rounds: usize,
    /// Chains without any round trip.
    #[serde(default)]
    pub idle_chains: usize,
    /// Swap rates and round trips.
    #[serde(flatten)]
    pub swaps: Swaps,
}

impl Tempered {
    /// Lower estimate of the two halves − 2 standard errors, to higher estimate + 2 standard errors.
    pub fn bracket(&self) -> (f64, f64) {
        let Self { all, from_base, from_data, .. } = self;
        let low = |half: &Measured| half.log_z - 2.0 * half.standard_error;
        let high = |half: &Measured| half.log_z + 2.0 * half.standard_error;
        (
            all.log_z.min(low(from_base)).min(low(from_data)),
            all.log_z.max(high(from_base)).max(high(from_data)),
        )
    }

    /// Whether all figures are finite.
    pub fn is_finite(&self) -> bool {
        [self.all, self.from_base, self.from_data]
            .iter()
            .all(|measured| (measured.log_z + measured.standard_error).is_finite())
    }
}

/// log Z and its bracket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ais {
    /// The best single estimate: the tempered one.
    pub log_z: f64,
    /// Lower bound: the low end of [`Tempered::bracket`], or lower if an annealed estimate lies more than two of its
    /// standard errors below it.
    pub log_z_low: f64,
    /// Upper bound, likewise.
    pub log_z_high: f64,
    /// By parallel tempering.
    pub tempered: Tempered,
    /// Annealed from the base-rate model: low on average.
    pub forward: Estimate,
    /// Annealed back from the replicas' states: high on average.
    pub reverse: Estimate,
    /// Annealed from elsewhere: mass that replicas may have missed.
    pub search: Search,
    /// Annealed chains in each direction.
    pub chains: usize,
    /// Temperatures in each direction.
    pub temperatures: usize,
    /// Why the answer is doubtful, if it is. Options are marked, as [`crate::wording`] says.
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
        // Replicas measure log Z best if they have found all mass; the annealed estimates check that.
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

/// Buffers for the chains on a device; reusable.
pub struct Annealer {
    replicas: Replicas,
    annealed: Annealed,
    search: Annealed,
    options: AisOptions,
}

impl Annealer {
    /// Allocates on a device.
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

    /// Reports Gibbs steps to `progress` from now on: [`AisOptions::steps`] in all.
    pub fn set_progress(&mut self, progress: Progress) {
        self.replicas.progress = progress.clone();
        self.annealed.progress = progress;
    }

    /// log Z of a model on the device. `data` are binary; half of the chains start from them.
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
        let (annealed, log_base) = (&self.annealed, base.log_z());
        let forward = annealed.forward(backend, way, &temperatures, Run::FORWARD)?.estimate(log_base, 1.0);
        let reverse = annealed.reverse(backend, way, &temperatures, &samples)?.estimate(log_base, -1.0);
        Ok(Ais::new(tempered, [forward, reverse], found.beside(&visits, chains), self.options))
    }

    /// Measures log Z by the replicas. Also returns one visible state at β = 1 per annealed chain, from rounds as far apart
    /// as possible, and how often chains visited each cell.
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
        let rows: Vec<_> =
            states.iter().flat_map(|states| states.chunks(way.base.marginals().means.len())).collect();
        let samples =
            (0..annealed).flat_map(|sample| rows[sample * rows.len() / annealed]).copied().collect();
        Ok((tempered, samples, visits))
    }
}
