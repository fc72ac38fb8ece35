//! Parallel tempering (Geyer 1991; for RBMs Desjardins et al. 2010, Cho, Raiko and Ilin 2010): each chain has replicas at
//! several temperatures, which take Gibbs steps by themselves and are swapped with their neighbours now and then. A hot
//! replica moves freely, and what it found comes down to the temperature 1, which alone is learnt from.
//!
//! The way is that of annealed importance sampling, from independent visible units that are on as often as in the data to
//! the model:
//!
//! ```text
//! f_β(v,h) = e^(−β E(v,h) + (1−β) b0ᵀv)               1 = β_1 > … > β_N ≈ 0, b0_i = logit of unit i's mean in the data
//! swap x_t and x_(t+1) with the probability            min(1, e^((β_t − β_(t+1)) (U(x_t) − U(x_(t+1)))))
//! U(v,h)   = −vᵀWh − (b − b0)ᵀv − cᵀh
//! ```
//!
//! f_β is a [`Path`] from the base b0 to the model: every verb takes it as it is. Pairs take turns, even and odd, which carries
//! replicas farther than chance would (Okabe et al. 2001; Syed et al. 2022).
//!
//! The same replicas train a model, draw its samples ([`crate::sample`]), and say what its log Z is ([`crate::ais`]).

use super::{Draws, Phases};
use crate::{
    backend::{Backend, BackendExt, Draw, Energy, HalfStep, Model, Pair, Path, Swap, Values},
    error::Result,
    rbm::{Rbm, Side},
    rng::{self, Address, Stream},
};

/// The lowest inverse temperature: as good as 0.
const HOTTEST: f32 = 1.0 / 4096.0;
/// Swaps of each pair of a chain that must have been tried before temperatures are moved.
const ENOUGH: u32 = 50;

/// The replicas of one temperature, one for each chain.
#[derive(Clone, Copy, Debug)]
struct Rung {
    pair: Pair,
    /// Energies, and the marks of [`Backend::swap`].
    values: Values,
}

/// What the random numbers of replicas are for, by the same names as in training.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// The states of units.
    pub states: Stream,
    /// Whether replicas are swapped.
    pub swap: Stream,
}

impl Streams {
    /// Those of training.
    pub const TRAINING: Self = Self { states: Stream::Train, swap: Stream::Swap };
    /// Those of what is done with a trained model.
    pub const SAMPLING: Self = Self { states: Stream::Sample, swap: Stream::Exchange };
}

/// Chains at one or more temperatures.
#[derive(Debug)]
pub struct Tempering {
    /// From the coldest, whose units are those of the negative phase.
    rungs: Vec<Rung>,
    betas: Vec<f32>,
    chains: usize,
    streams: Streams,
    /// b0, one number for each visible unit.
    base: Values,
    /// For each pair of neighbours its chains' counts.
    accepted: Values,
    trips: Values,
    /// Times that the even and the odd pairs were tried since the counts began.
    tries: [u32; 2],
}

/// How well replicas move between temperatures.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Swaps {
    /// The inverse temperatures, from 1; of parallel tempering.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inverse_temperatures: Vec<f32>,
    /// The steps before which, or about, the model was what its replicas are swapped with, the last first, without the model
    /// itself and the independent units at the other end; of trajectory tempering ([`super::trajectory`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Vec<u32>>,
    /// For each pair of neighbours, the share of the swaps tried that was accepted.
    pub acceptance: Vec<f64>,
    /// Replicas that came from the highest temperature to 1.
    pub round_trips: u64,
}

impl Tempering {
    /// Makes room for `temperatures` temperatures, at least 1, of so many chains. `coldest` is the room of the coldest ones.
    /// [`Tempering::restart`] comes first.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(
        backend: &mut dyn Backend,
        coldest: Pair,
        chains: usize,
        temperatures: usize,
        streams: Streams,
    ) -> Result<Self> {
        let mut rungs = Vec::new();
        for rung in 0..temperatures {
            let pair = if rung == 0 { coldest } else { backend.pair(chains)? };
            rungs.push(Rung { pair, values: backend.values(2 * chains)? });
        }
        Ok(Self {
            rungs,
            betas: Vec::new(),
            chains,
            streams,
            base: backend.values(backend.shape().visible)?,
            accepted: backend.values(chains * temperatures)?,
            trips: backend.values(chains)?,
            tries: [0; 2],
        })
    }

    /// Starts every replica from independent visible units that are on as often as `density` says, at temperatures that are
    /// evenly spread, and counts from 0.
    pub fn restart(&mut self, backend: &mut dyn Backend, model: Model, seed: u64, density: &[f64]) {
        backend.write_values(self.base, &Rbm::base_rates(density));
        for (rung, first_chain) in self.rungs.iter().zip((0..).step_by(self.chains)) {
            start_chains(backend, model, seed, density, rung.pair, self.chains, first_chain);
            backend.write_values(rung.values, &vec![0.0; 2 * self.chains]);
        }
        let last = (self.rungs.len() - 1).max(1) as f32;
        self.betas = (0..self.rungs.len()).map(|t| (1.0 - t as f32 / last).max(HOTTEST)).collect();
        self.reset_counts(backend);
    }

    /// Lets the counts of [`Tempering::swaps`] begin anew.
    pub fn reset_counts(&mut self, backend: &mut dyn Backend) {
        backend.write_values(self.accepted, &vec![0.0; self.chains * self.rungs.len()]);
        backend.write_values(self.trips, &vec![0.0; self.chains]);
        self.tries = [0; 2];
    }

    /// Starts the last chains of every temperature from these visible states, from 0 to 1, as many as there are: chains ×
    /// visible units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn start_at(&self, backend: &mut dyn Backend, model: Model, seed: u64, states: &[f32]) -> Result<()> {
        let before = self.chains * backend.shape().visible - states.len();
        for (&Rung { pair, .. }, number) in self.rungs.iter().zip(0..) {
            let (_, mut all) = backend.read_units(pair.visible, self.chains)?;
            all[before..].copy_from_slice(states);
            backend.write_units(pair.visible, &all, &all);
            let draw = Draw::of(seed, Stream::Chains, Side::Hidden, 0).sweep(1 + number);
            backend.sample(&HalfStep::new(self.chains, draw), model.into(), pair.visible, pair.hidden);
        }
        Ok(())
    }

    /// Chains.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// The inverse temperatures, from 1.
    pub fn inverse_temperatures(&self) -> &[f32] {
        &self.betas
    }

    /// Times that the even and the odd pairs were tried since the counts began.
    pub fn tries(&self) -> [u32; 2] {
        self.tries
    }

    /// What counts and marks there are beside the states: a name, where they lie, how many.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        let marks = self.rungs.iter().enumerate();
        let marks = marks.map(|(t, rung)| (format!("replica_{t}_marks"), rung.values, 2 * self.chains));
        let pairs = self.rungs.len() - 1;
        let accepted = ("swaps_accepted".to_string(), self.accepted, pairs * self.chains);
        marks.chain([accepted, ("round_trips".to_string(), self.trips, self.chains)]).collect()
    }

    /// Puts back what [`Tempering::inverse_temperatures`] and [`Tempering::tries`] gave.
    pub fn set(&mut self, inverse_temperatures: &[f32], tries: [u32; 2]) {
        self.betas = inverse_temperatures.to_vec();
        self.tries = tries;
    }

    /// The units at the temperature 1.
    pub fn coldest(&self) -> Pair {
        self.rungs[0].pair
    }

    /// The units of each temperature, from 1.
    pub fn replicas(&self) -> impl Iterator<Item = Pair> {
        self.rungs.iter().map(|rung| rung.pair)
    }

    /// Parallel tempering, k rounds of swaps and a Gibbs step of each replica. The visible units of `phases.positive` hold
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

    /// The same without data.
    pub fn advance(&mut self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, k: u32) {
        let path = self.path(model);
        for sweep in 0..k {
            let pairs = Pairs::of_round(draws.step.wrapping_mul(k).wrapping_add(sweep));
            let last = self.rungs.len() - 1;
            for rung in pairs.of(last).flat_map(|pair| [pair, pair + 1]) {
                self.energy(backend, path, rung);
            }
            self.swap(backend, draws, sweep, pairs);
            self.step(backend, path, draws, sweep);
        }
    }

    /// One round of swaps and a Gibbs step of each replica, as [`Tempering::advance`] with k = 1; gives U of each replica
    /// before it, temperatures × chains, from the coldest. Waits for the device.
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
        (0..self.rungs.len()).for_each(|rung| self.energy(backend, path, rung));
        self.swap(backend, draws, 0, Pairs::of_round(draws.step));
        self.step(backend, path, draws, 0);
        let mut energies = Vec::with_capacity(self.rungs.len() * self.chains);
        for rung in &self.rungs {
            energies.extend(backend.read_values(rung.values, self.chains)?);
        }
        Ok(energies)
    }

    fn path(&self, model: Model) -> Path {
        Path { model, base: Some(self.base) }
    }

    /// U of the replicas of a rung.
    fn energy(&self, backend: &mut dyn Backend, path: Path, rung: usize) {
        let Rung { pair, values } = self.rungs[rung];
        backend.energy(&Energy { rows: self.chains as u32 }, path, pair, values);
    }

    /// A Gibbs step of each replica.
    fn step(&self, backend: &mut dyn Backend, path: Path, draws: &mut Draws, sweep: u32) {
        let (first, states) = (sweep * self.rungs.len() as u32, self.streams.states);
        for ((&Rung { pair: Pair { visible, hidden }, .. }, &beta), number) in
            self.rungs.iter().zip(&self.betas).zip(first..)
        {
            let down = draws.next(states, Side::Visible, number, self.chains);
            backend.sample(&HalfStep::new(self.chains, down).at(beta), path, hidden, visible);
            let up = draws.next(states, Side::Hidden, number, self.chains);
            backend.sample(&HalfStep::new(self.chains, up).at(beta), path, visible, hidden);
        }
    }

    /// Tries to swap half of the pairs of neighbours, whose energies are known.
    fn swap(&mut self, backend: &mut dyn Backend, draws: &Draws, sweep: u32, half: Pairs) {
        let pairs = self.rungs.len() - 1;
        for pair in half.of(pairs) {
            let number = sweep * self.rungs.len() as u32 + pair as u32;
            let swap = Swap {
                draw: draws.of_chains(self.streams.swap, number),
                rows: self.chains as u32,
                factor: self.betas[pair] - self.betas[pair + 1],
                units: draws.shape.hidden as u32,
                counts_at: (pair * self.chains) as u32,
                coldest: u32::from(pair == 0),
                hottest: u32::from(pair + 1 == pairs),
            };
            let sides = [pair, pair + 1].map(|rung| (self.rungs[rung].pair.hidden, self.rungs[rung].values));
            backend.swap(&swap, sides[0], sides[1], self.accepted, self.trips);
        }
        self.tries[half as usize] += 1;
    }

    /// How well replicas have moved since the counts began. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn swaps(&self, backend: &mut dyn Backend) -> Result<Swaps> {
        let pairs = self.rungs.len() - 1;
        let accepted = backend.read_values(self.accepted, pairs * self.chains)?;
        let trips = self.round_trips(backend)?;
        let acceptance = shares(&accepted, self.chains, self.tries);
        let (inverse_temperatures, round_trips) = (self.betas.clone(), sum(&trips) as u64);
        Ok(Swaps { inverse_temperatures, acceptance, round_trips, ..Swaps::default() })
    }

    /// The replicas of each chain that came from the highest temperature to 1 since the counts began. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn round_trips(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        backend.read_values(self.trips, self.chains)
    }

    /// How well replicas have moved since the counts began, where that is known well enough; then they begin anew, and
    /// temperatures from now on are such that all pairs are swapped equally often. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn adapt(&mut self, backend: &mut dyn Backend) -> Result<Option<Swaps>> {
        let pairs = self.rungs.len() - 1;
        // With two temperatures there is no odd pair, and with one there is none.
        if pairs == 0 || self.tries.iter().take(pairs).any(|&tries| tries < ENOUGH) {
            return Ok(None);
        }
        self.respace(backend).map(Some)
    }

    /// The same, however little is known.
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

/// The pairs of neighbours that are tried in one round: every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// The first with the second, the third with the fourth.
    Even,
    /// The second with the third.
    Odd,
}

impl Pairs {
    /// They take turns.
    pub fn of_round(round: u32) -> Self {
        if round.is_multiple_of(2) { Self::Even } else { Self::Odd }
    }

    /// The first of each pair, of so many pairs of neighbours.
    pub fn of(self, pairs: usize) -> impl Iterator<Item = usize> {
        (self as usize..pairs).step_by(2)
    }
}

/// The sum of counts.
pub(super) fn sum(counts: &[f32]) -> f64 {
    counts.iter().map(|&count| f64::from(count)).sum()
}

/// The share of its swaps that each pair of neighbours accepted: `accepted` is pairs × chains, and `tries` says how often the
/// even and the odd pairs were tried.
pub(super) fn shares(accepted: &[f32], chains: usize, tries: [u32; 2]) -> Vec<f64> {
    let share =
        |(pair, counts): (usize, &[f32])| sum(counts) / (f64::from(tries[pair % 2].max(1)) * chains as f64);
    accepted.chunks(chains).enumerate().map(share).collect()
}

/// Temperatures between which as many swaps will be rejected everywhere: the rejections between two temperatures add up
/// along the way, about, however it is cut (Predescu et al. 2004; Syed et al. 2022, section 5.1).
fn respaced(betas: &[f32], acceptance: &[f64]) -> Vec<f32> {
    // No part of the way is free: what was seen there may be chance.
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

/// Chains that start from independent visible units that are on as often as `density` says, and hidden units drawn from
/// them. The random numbers are those of the chains from `first_chain` on.
pub fn start_chains(
    backend: &mut dyn Backend,
    model: Model,
    seed: u64,
    density: &[f64],
    pair: Pair,
    chains: usize,
    first_chain: usize,
) {
    let units = density.len();
    let mut states = vec![0.0; chains * units];
    for (chain, states) in (first_chain..).zip(states.chunks_mut(units)) {
        rng::fill(seed, Address::new(Stream::Chains, 0), chain as u32, 0, states);
        states.iter_mut().zip(density).for_each(|(state, &mean)| *state = f32::from(*state < mean as f32));
    }
    backend.write_units(pair.visible, &states, &states);
    let draw = Draw::of(seed, Stream::Chains, Side::Hidden, 0).chains_from(first_chain as u32);
    backend.sample(&HalfStep::new(chains, draw), model.into(), pair.visible, pair.hidden);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_move_to_where_swaps_are_rejected() {
        let betas = [1.0, 0.75, 0.5, 0.25, 0.0];
        assert_eq!(respaced(&betas, &[0.6; 4]), betas);
        // All rejections lie in one part of the way: so do the temperatures afterwards.
        let moved = respaced(&betas, &[1.0, 0.2, 1.0, 1.0]);
        assert_eq!((moved[0], moved[4]), (1.0, 0.0));
        assert!(moved[1..4].iter().all(|beta| (0.5..=0.75).contains(beta)), "{moved:?}");
        assert!(moved.is_sorted_by(|colder, hotter| colder > hotter), "{moved:?}");
    }
}
