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
//! f_β is the model at the inverse temperature β with the visible biases b + (1/β − 1) b0, and U is the energy of that with
//! b − b0: so the kernels of the Gibbs step need no change. Pairs take turns, even and odd, which carries replicas farther
//! than chance would (Okabe et al. 2001; Syed et al. 2022).
//!
//! The same replicas train a model, draw its samples ([`crate::sample`]), and say what its log Z is ([`crate::ais`]).

use super::{Draws, Phases};
use crate::{
    backend::{Backend, Params, Units, Values},
    error::Result,
    rbm::{Layer, Rbm, Shape},
    rng::{self, Stream},
};

/// The lowest inverse temperature: as good as 0, by which there is no dividing.
const HOTTEST: f32 = 1.0 / 4096.0;
/// Swaps of each pair of a chain that must have been tried before temperatures are moved.
const ENOUGH: u32 = 50;

/// The replicas of one temperature, one for each chain.
#[derive(Clone, Copy, Debug)]
struct Rung {
    visible: Units,
    hidden: Units,
    /// Energies, and the marks of [`Backend::swap`].
    values: Values,
    /// The visible biases of this temperature.
    bias: Values,
}

/// What the random numbers of replicas are for, by the same names as in training.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// The states of visible units.
    pub visible: Stream,
    /// The states of hidden units.
    pub hidden: Stream,
    /// Whether replicas are swapped.
    pub swap: Stream,
}

impl Streams {
    /// Those of training.
    pub const TRAINING: Self = Self { visible: Stream::Visible, hidden: Stream::Hidden, swap: Stream::Swap };
    /// Those of what is done with a trained model.
    pub const SAMPLING: Self =
        Self { visible: Stream::SampledVisible, hidden: Stream::SampledHidden, swap: Stream::Exchange };
}

/// Chains at one or more temperatures.
#[derive(Debug)]
pub struct Tempering {
    /// From the coldest, whose units are those of the negative phase.
    rungs: Vec<Rung>,
    betas: Vec<f32>,
    chains: usize,
    streams: Streams,
    base: Values,
    energy_bias: Values,
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
    /// Makes room for `temperatures` temperatures, at least 1, of as many chains as `params` says. `coldest` is the room of
    /// the coldest ones. [`Tempering::restart`] comes first.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room.
    pub fn new(
        backend: &mut dyn Backend,
        params: Params,
        coldest: (Units, Units),
        temperatures: usize,
        streams: Streams,
    ) -> Result<Self> {
        let (shape, chains) = (params.shape(), params.chains as usize);
        let mut rungs = Vec::new();
        for rung in 0..temperatures {
            let (visible, hidden) = match rung {
                0 => coldest,
                _ => (backend.units(Layer::Visible, chains)?, backend.units(Layer::Hidden, chains)?),
            };
            let (values, bias) = (backend.values(2 * chains)?, backend.values(shape.visible)?);
            rungs.push(Rung { visible, hidden, values, bias });
        }
        Ok(Self {
            rungs,
            betas: Vec::new(),
            chains,
            streams,
            base: backend.values(shape.visible)?,
            energy_bias: backend.values(shape.visible)?,
            accepted: backend.values(chains * temperatures)?,
            trips: backend.values(chains)?,
            tries: [0; 2],
        })
    }

    /// Starts every replica from independent visible units that are on as often as `density` says, at temperatures that are
    /// evenly spread, and counts from 0.
    pub fn restart(&mut self, backend: &mut dyn Backend, params: Params, density: &[f64]) {
        backend.write_values(self.base, &Rbm::base_rates(density));
        for (rung, first_chain) in self.rungs.iter().zip((0..).step_by(self.chains)) {
            start_chains(backend, params, density, (rung.visible, rung.hidden), first_chain);
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
    pub fn start_at(&self, backend: &mut dyn Backend, params: Params, states: &[f32]) -> Result<()> {
        let before = self.chains * params.visible as usize - states.len();
        for (rung, number) in self.rungs.iter().zip(0..) {
            let (_, mut all) = backend.read_units(rung.visible, self.chains)?;
            all[before..].copy_from_slice(states);
            backend.write_units(rung.visible, &all, &all);
            let draw = params.of_chains().sample(Stream::Chains, 2 + number);
            backend.sample_hidden(&draw, rung.visible, rung.hidden);
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
    pub fn coldest(&self) -> (Units, Units) {
        (self.rungs[0].visible, self.rungs[0].hidden)
    }

    /// The units of each temperature, from 1.
    pub fn replicas(&self) -> impl Iterator<Item = (Units, Units)> {
        self.rungs.iter().map(|rung| (rung.visible, rung.hidden))
    }

    /// Parallel tempering, k rounds of swaps and a Gibbs step of each replica. The visible units of `phases.positive` hold
    /// the minibatch; afterwards both phases are ready for the update.
    pub fn sample(
        &mut self,
        backend: &mut dyn Backend,
        params: Params,
        draws: &mut Draws,
        phases: Phases,
        k: u32,
    ) {
        backend.sample_hidden(&params, phases.positive.0, phases.positive.1);
        self.advance(backend, params.of_chains(), draws, k);
    }

    /// The same without data: `params` has as many rows as there are chains.
    pub fn advance(&mut self, backend: &mut dyn Backend, params: Params, draws: &mut Draws, k: u32) {
        self.set_biases(backend, params);
        for sweep in 0..k {
            let odd = (params.step.wrapping_mul(k).wrapping_add(sweep) % 2) as usize;
            self.swap(backend, params, sweep, odd, false);
            self.step(backend, params, draws, sweep);
        }
        // That of the temperature 1, to the last bit.
        backend.set_visible_bias(&params, self.rungs[0].bias);
    }

    /// One round of swaps and a Gibbs step of each replica, as [`Tempering::advance`] with k = 1; gives U of each replica
    /// before it, temperatures × chains, from the coldest. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn observe(&mut self, backend: &mut dyn Backend, params: Params) -> Result<Vec<f32>> {
        self.set_biases(backend, params);
        self.swap(backend, params, 0, (params.step % 2) as usize, true);
        self.step(backend, params, &mut Draws { host: None }, 0);
        backend.set_visible_bias(&params, self.rungs[0].bias);
        let mut energies = Vec::with_capacity(self.rungs.len() * self.chains);
        for rung in &self.rungs {
            energies.extend(backend.read_values(rung.values, self.chains)?);
        }
        Ok(energies)
    }

    /// The visible biases of each temperature, as the model has them now.
    fn set_biases(&self, backend: &mut dyn Backend, params: Params) {
        for (rung, beta) in self.rungs.iter().zip(&self.betas) {
            backend.temper_bias(&Params { rate: 1.0 / beta - 1.0, ..params }, self.base, rung.bias);
        }
        backend.temper_bias(&Params { rate: -1.0, ..params }, self.base, self.energy_bias);
    }

    /// A Gibbs step of each replica.
    fn step(&self, backend: &mut dyn Backend, params: Params, draws: &mut Draws, sweep: u32) {
        let first = sweep * self.rungs.len() as u32;
        for ((rung, &beta), number) in self.rungs.iter().zip(&self.betas).zip(first..) {
            let params = Params { beta, ..params };
            backend.set_visible_bias(&params, rung.bias);
            let draw = draws.next(params, Layer::Visible, self.streams.visible, number);
            backend.sample_visible(&draw, rung.hidden, rung.visible);
            let draw = draws.next(params, Layer::Hidden, self.streams.hidden, number);
            backend.sample_hidden(&draw, rung.visible, rung.hidden);
        }
    }

    /// Tries to swap the even pairs of neighbours, or the odd ones. The energies of `all` replicas are wanted, or only of those.
    fn swap(&mut self, backend: &mut dyn Backend, params: Params, sweep: u32, odd: usize, all: bool) {
        let pairs = self.rungs.len() - 1;
        let numbers = || (odd..pairs).step_by(2);
        backend.set_visible_bias(&params, self.energy_bias);
        let first = if all { 0 } else { odd };
        let rungs = if all { self.rungs.len() } else { (pairs + 1 - odd) / 2 * 2 };
        for rung in &self.rungs[first..][..rungs] {
            backend.energy(&params, rung.visible, rung.hidden, rung.values);
        }
        for pair in numbers() {
            let (cold, hot) = (self.rungs[pair], self.rungs[pair + 1]);
            let coldest = if pair == 0 { Params::COLDEST } else { 0 };
            let hottest = if pair + 1 == pairs { Params::HOTTEST } else { 0 };
            let swap = Params {
                rate: self.betas[pair] - self.betas[pair + 1],
                first_row: (pair * self.chains) as u32,
                flags: params.flags | coldest | hottest,
                draw: self.streams.swap.draw(sweep * self.rungs.len() as u32 + pair as u32),
                ..params
            };
            let sides = [cold, hot].map(|rung| (rung.hidden, rung.values));
            backend.swap(&swap, sides[0], sides[1], self.accepted, self.trips);
        }
        self.tries[odd] += 1;
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
    params: Params,
    density: &[f64],
    (visible, hidden): (Units, Units),
    first_chain: usize,
) {
    let Shape { visible: units, .. } = params.shape();
    let chains = params.chains as usize;
    let mut states = vec![0.0; chains * units];
    for (chain, states) in (first_chain..).zip(states.chunks_mut(units)) {
        rng::fill(params.seed(), 0, Stream::Chains.draw(0), chain as u32, 0, states);
        states.iter_mut().zip(density).for_each(|(state, &mean)| *state = f32::from(*state < mean as f32));
    }
    backend.write_units(visible, &states, &states);
    let draw = Params { first_chain: first_chain as u32, ..params }.of_chains();
    backend.sample_hidden(&draw.sample(Stream::Chains, 1), visible, hidden);
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
