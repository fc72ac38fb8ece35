//! Parallel tempering (Geyer 1991; for RBMs Desjardins et al. 2010, Cho, Raiko and Ilin 2010): each chain has replicas at
//! several temperatures, which take Gibbs steps and are sometimes swapped with their neighbours. Hot replicas move freely
//! between modes; swaps bring their states down to β = 1. Only the replicas at β = 1 enter the gradient.
//!
//! The path is that of annealed importance sampling, from independent units ([`Base`]) to the model; for binary units:
//!
//! ```text
//! f_β(v,h) = e^(−β E(v,h) + (1−β) b0ᵀv)               1 = β_1 > … > β_N ≈ 0, b0_i = logit of unit i's mean in the data
//! swap x_t and x_(t+1) with the probability            min(1, e^((β_t − β_(t+1)) (U(x_t) − U(x_(t+1)))))
//! U(v,h)   = −vᵀWh − (b − b0)ᵀv − cᵀh
//! ```
//!
//! f_β is a [`Path`] from the base b0 to the model. Even and odd pairs alternate, which carries replicas farther than
//! random choice (Okabe et al. 2001; Syed et al. 2022).
//!
//! The same replicas train a model, sample it ([`crate::sample`]) and estimate its log Z ([`crate::ais`]).

use super::{
    Draws, Phases,
    ladder::{Ladder, Pairs, Rung, sum},
};
use crate::{
    backend::{
        Backend, BackendExt, ClampUnits, Draw, Energy, HalfStep, Memory, Model, Pair, Path, Units, Values,
    },
    base::Base,
    error::Result,
    rbm::Side,
    rng::Stream,
};

/// The lowest inverse temperature, practically 0.
const HOTTEST: f32 = 1.0 / 4096.0;
/// The fewest swaps tried per pair, over all chains, before temperatures move.
const ENOUGH: usize = 50;

/// Streams of the random numbers of replicas.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// The states of units.
    pub states: Stream,
    /// Whether replicas are swapped.
    pub swap: Stream,
}

impl Streams {
    /// Streams of training.
    pub const TRAINING: Self = Self { states: Stream::Train, swap: Stream::Swap };
    /// Streams for a trained model.
    pub const SAMPLING: Self = Self { states: Stream::Sample, swap: Stream::Exchange };
}

/// Chains at one or more temperatures.
#[derive(Debug)]
pub struct Tempering {
    /// Coldest rung first; its units are those of the negative phase.
    ladder: Ladder,
    betas: Vec<f32>,
    streams: Streams,
    /// The base, [`crate::rbm::Layers::base`].
    base: Values,
    /// Units that keep their states.
    clamps: Vec<Clamp>,
}

/// Units of a layer whose states are known, for each chain.
#[derive(Clone, Copy, Debug)]
pub struct Clamp {
    known: Units,
    mask: Values,
}

/// Swap rates and round trips of replicas.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Swaps {
    /// The inverse temperatures, from 1 downwards. Parallel tempering only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inverse_temperatures: Vec<f32>,
    /// The steps at which the snapshots were taken, approximately, latest first, without the model itself and the
    /// independent units. Trajectory tempering only ([`super::trajectory`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Vec<u32>>,
    /// For each pair of neighbours, the fraction of swaps accepted.
    pub acceptance: Vec<f64>,
    /// Returns of a replica from the hottest end to the model.
    pub round_trips: u64,
}

impl Tempering {
    /// Allocates `temperatures` temperatures, at least 1, of `chains` chains. `coldest` holds the replicas at β = 1. Call
    /// [`Tempering::restart`] first.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(
        memory: &mut dyn Memory,
        coldest: Pair,
        chains: usize,
        temperatures: usize,
        streams: Streams,
    ) -> Result<Self> {
        let ladder = Ladder::new(memory, coldest, temperatures, chains)?;
        let base = memory.values(memory.layers().base_len())?;
        Ok(Self { ladder, betas: Vec::new(), streams, base, clamps: Vec::new() })
    }

    /// Starts every replica from independent visible units, at evenly spaced inverse temperatures, and resets the counts.
    pub fn restart(&mut self, backend: &mut dyn Backend, model: Model, seed: u64, base: &Base) {
        backend.write_values(self.base, base.potentials());
        self.ladder.start(backend, model, seed, base);
        let count = self.ladder.rungs.len();
        let last = (count - 1).max(1) as f32;
        self.betas = (0..count).map(|t| (1.0 - t as f32 / last).max(HOTTEST)).collect();
        self.reset_counts(backend);
    }

    /// Resets the counts of [`Tempering::swaps`].
    pub fn reset_counts(&mut self, backend: &mut dyn Backend) {
        self.ladder.reset_swaps(backend);
        self.ladder.reset_trips(backend);
    }

    /// Clamps the units of a layer whose mask is not 0, in every chain to its own known state; both are chains × columns.
    /// Call it before [`Tempering::start_at`].
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn clamp(
        &mut self,
        backend: &mut dyn Backend,
        layer: Side,
        known: &[f32],
        mask: &[f32],
    ) -> Result<()> {
        let clamp = Clamp { known: backend.units(layer, self.chains())?, mask: backend.values(mask.len())? };
        backend.write_units(clamp.known, known, known);
        backend.write_values(clamp.mask, mask);
        self.clamps.push(clamp);
        Ok(())
    }

    /// Puts the known states back after a draw.
    fn keep(&self, backend: &mut dyn Backend, units: Units) {
        for &Clamp { known, mask } in self.clamps.iter().filter(|clamp| clamp.known.layer == units.layer) {
            let columns = backend.shape().units(units.layer);
            let op = ClampUnits::new(self.chains(), columns).per_row();
            backend.clamp_units(&op, known, mask, units);
        }
    }

    /// Starts the last chains of every temperature from these visible states, chains × visible units, from 0 to 1.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start_at(&self, backend: &mut dyn Backend, model: Model, seed: u64, states: &[f32]) -> Result<()> {
        let chains = self.chains();
        let before = chains * backend.shape().visible - states.len();
        for (&Rung { pair, .. }, number) in self.ladder.rungs.iter().zip(0..) {
            let (_, mut all) = backend.read_units(pair.visible, chains)?;
            all[before..].copy_from_slice(states);
            backend.write_units(pair.visible, &all, &all);
            self.keep(backend, pair.visible);
            let draw = Draw::of(seed, Stream::Chains, Side::Hidden, 0).sweep(1 + number);
            backend.sample(&HalfStep::new(chains, draw), model.into(), pair.visible, pair.hidden);
            self.keep(backend, pair.hidden);
        }
        Ok(())
    }

    /// The number of chains.
    pub fn chains(&self) -> usize {
        self.ladder.chains
    }

    /// The inverse temperatures, from 1 downwards.
    pub fn inverse_temperatures(&self) -> &[f32] {
        &self.betas
    }

    /// Rounds that tried the even and the odd pairs since the last reset.
    pub fn tries(&self) -> [u32; 2] {
        self.ladder.tries
    }

    /// Counts and marks of a run's state: name, buffer, length.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        self.ladder.counts()
    }

    /// Restores [`Tempering::inverse_temperatures`] and [`Tempering::tries`].
    pub fn set(&mut self, inverse_temperatures: &[f32], tries: [u32; 2]) {
        self.betas = inverse_temperatures.to_vec();
        self.ladder.tries = tries;
    }

    /// The units at β = 1.
    pub fn coldest(&self) -> Pair {
        self.ladder.rungs[0].pair
    }

    /// The units of each temperature, from β = 1.
    pub fn replicas(&self) -> impl Iterator<Item = Pair> {
        self.ladder.rungs.iter().map(|rung| rung.pair)
    }

    /// Parallel tempering: k rounds of swaps and a Gibbs step of each replica. The visible units of `phases.positive` hold
    /// the minibatch; afterwards both phases are ready for the update.
    pub fn sample(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        draws: &mut Draws,
        phases: Phases,
        k: u32,
    ) {
        let Pair { visible, hidden } = phases.positive;
        backend.sample(&HalfStep::new(phases.rows, Draw::none()), model.into(), visible, hidden);
        self.advance(backend, model, draws, k);
    }

    /// Parallel tempering without a minibatch: k rounds of swaps and Gibbs steps.
    pub fn advance(&mut self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, k: u32) {
        let path = self.path(model);
        for sweep in 0..k {
            let half = Pairs::of_round(draws.step.wrapping_mul(k).wrapping_add(sweep));
            let pairs = self.ladder.rungs.len() - 1;
            for rung in half.of(pairs).flat_map(|pair| [pair, pair + 1]) {
                self.energy(backend, path, rung);
            }
            self.swap(backend, draws, sweep, half);
            self.step(backend, path, draws, sweep);
        }
    }

    /// One round of swaps and a Gibbs step of each replica, as [`Tempering::advance`] with k = 1. Returns U of each replica
    /// before it, temperatures × chains, coldest first. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn observe(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        draws: &mut Draws,
    ) -> Result<Vec<f32>> {
        let path = self.path(model);
        (0..self.ladder.rungs.len()).for_each(|rung| self.energy(backend, path, rung));
        self.swap(backend, draws, 0, Pairs::of_round(draws.step));
        self.step(backend, path, draws, 0);
        let mut energies = Vec::with_capacity(self.ladder.rungs.len() * self.chains());
        for rung in &self.ladder.rungs {
            energies.extend(backend.read_values(rung.values, self.chains())?);
        }
        Ok(energies)
    }

    fn path(&self, model: Model) -> Path {
        Path { model, base: Some(self.base) }
    }

    /// U of the replicas of a rung.
    fn energy(&self, backend: &mut dyn Backend, path: Path, rung: usize) {
        let Rung { pair, values } = self.ladder.rungs[rung];
        backend.energy(&Energy { rows: self.chains() as u32 }, path, pair, values);
    }

    /// A Gibbs step of each replica.
    fn step(&self, backend: &mut dyn Backend, path: Path, draws: &mut Draws, sweep: u32) {
        let (first, states, chains) = (self.ladder.number(sweep), self.streams.states, self.chains());
        for ((&Rung { pair: Pair { visible, hidden }, .. }, &beta), number) in
            self.ladder.rungs.iter().zip(&self.betas).zip(first..)
        {
            let down = draws.next(states, Side::Visible, number, chains);
            backend.sample(&HalfStep::new(chains, down).at(beta), path, hidden, visible);
            self.keep(backend, visible);
            let up = draws.next(states, Side::Hidden, number, chains);
            backend.sample(&HalfStep::new(chains, up).at(beta), path, visible, hidden);
            self.keep(backend, hidden);
        }
    }

    /// Tries to swap half of the pairs of neighbours, by energies computed before. Swaps the hidden units, because the
    /// visible ones are drawn anew next.
    fn swap(&mut self, backend: &mut dyn Backend, draws: &Draws, sweep: u32, half: Pairs) {
        let Self { ladder, betas, streams, .. } = self;
        let order: Vec<usize> = (0..betas.len()).collect();
        let factor = |pair: usize| betas[pair] - betas[pair + 1];
        ladder.swap(backend, (draws, streams.swap, sweep), (&order, half), Side::Hidden, factor);
    }

    /// Swap rates and round trips since the last reset. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn swaps(&self, backend: &mut dyn Backend) -> Result<Swaps> {
        let acceptance = self.ladder.acceptance(backend, self.betas.len() - 1)?;
        let trips = self.round_trips(backend)?;
        let (inverse_temperatures, round_trips) = (self.betas.clone(), sum(&trips) as u64);
        Ok(Swaps { inverse_temperatures, acceptance, round_trips, ..Swaps::default() })
    }

    /// Round trips of each chain since the last reset. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn round_trips(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        self.ladder.round_trips(backend)
    }

    /// [`Tempering::respace`] once every pair was tried often enough; `None` before. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn adapt(&mut self, backend: &mut dyn Backend) -> Result<Option<Swaps>> {
        let pairs = self.betas.len() - 1;
        if pairs == 0 || !self.ladder.was_tried(pairs, ENOUGH) {
            return Ok(None);
        }
        self.respace(backend).map(Some)
    }

    /// Returns the swap rates and round trips since the last reset, resets them, and moves the temperatures so that all
    /// pairs are swapped equally often. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn respace(&mut self, backend: &mut dyn Backend) -> Result<Swaps> {
        let swaps = self.swaps(backend)?;
        self.betas = respaced(&self.betas, &swaps.acceptance);
        self.reset_counts(backend);
        Ok(swaps)
    }
}

/// Moves temperatures to equal rejection rates. Rejections between two temperatures add up along the path, approximately,
/// however it is cut (Predescu et al. 2004; Syed et al. 2022, section 5.1).
fn respaced(betas: &[f32], acceptance: &[f64]) -> Vec<f32> {
    // Every segment gets a minimal length: a rate without rejections may be chance.
    let lengths: Vec<f64> = acceptance
        .iter()
        .zip(betas.windows(2))
        .map(|(share, pair)| 1.0 - share.min(1.0) + 0.02 * f64::from(pair[0] - pair[1]))
        .collect();
    let step = lengths.iter().sum::<f64>() / lengths.len() as f64;
    let mut moved = betas.to_vec();
    let (mut segment, mut behind) = (0, 0.0);
    for (t, beta) in moved.iter_mut().enumerate().take(betas.len() - 1).skip(1) {
        let aim = step * t as f64;
        while segment + 1 < lengths.len() && behind + lengths[segment] < aim {
            behind += lengths[segment];
            segment += 1;
        }
        let share = ((aim - behind) / lengths[segment]).clamp(0.0, 1.0) as f32;
        *beta = betas[segment] + share * (betas[segment + 1] - betas[segment]);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_move_to_where_swaps_are_rejected() {
        let betas = [1.0, 0.75, 0.5, 0.25, 0.0];
        assert_eq!(respaced(&betas, &[0.6; 4]), betas);
        // All rejections are in one segment, so the new temperatures are too.
        let moved = respaced(&betas, &[1.0, 0.2, 1.0, 1.0]);
        assert_eq!((moved[0], moved[4]), (1.0, 0.0));
        assert!(moved[1..4].iter().all(|beta| (0.5..=0.75).contains(beta)), "{moved:?}");
        assert!(moved.is_sorted_by(|colder, hotter| colder > hotter), "{moved:?}");
    }
}
