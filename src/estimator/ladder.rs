//! Replicas of chains on the rungs of a ladder: buffers, swaps between neighbours, and their counts. A rung is a
//! temperature ([`super::tempering`]) or a moment of training ([`super::trajectory`]).

use super::Draws;
use crate::{
    backend::{Backend, BackendExt, Draw, HalfStep, Memory, Model, Pair, Swap, Values},
    base::Base,
    error::Result,
    rbm::Side,
    rng::{Address, Stream},
};

/// The replicas of one rung, one per chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung {
    pub pair: Pair,
    /// Energies, followed by the marks of [`Backend::swap`].
    pub values: Values,
}

/// The pairs of neighbours tried in one round: every other pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairs {
    /// The first with the second, the third with the fourth.
    Even,
    /// The second with the third.
    Odd,
}

impl Pairs {
    /// Even and odd rounds alternate.
    pub fn of_round(round: u32) -> Self {
        if round.is_multiple_of(2) { Self::Even } else { Self::Odd }
    }

    /// Index of each pair's colder rung; `pairs` is the number of neighbouring pairs.
    pub fn of(self, pairs: usize) -> impl Iterator<Item = usize> {
        (self as usize..pairs).step_by(2)
    }
}

/// Chains with replicas on several rungs.
#[derive(Debug)]
pub(super) struct Ladder {
    /// The model's own rung first.
    pub rungs: Vec<Rung>,
    pub chains: usize,
    /// Accepted swaps, pairs × chains.
    accepted: Values,
    trips: Values,
    /// Rounds that tried the even and the odd pairs since the last reset.
    pub tries: [u32; 2],
}

impl Ladder {
    /// Allocates `rungs` rungs, at least 1, of `chains` chains. `own` holds the model's own rung.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, own: Pair, rungs: usize, chains: usize) -> Result<Self> {
        let mut all = Vec::with_capacity(rungs);
        for rung in 0..rungs {
            let pair = if rung == 0 { own } else { memory.pair(chains)? };
            all.push(Rung { pair, values: memory.values(chains.saturating_mul(2))? });
        }
        let (accepted, trips) = (memory.values(chains.saturating_mul(rungs))?, memory.values(chains)?);
        Ok(Self { rungs: all, chains, accepted, trips, tries: [0; 2] })
    }

    /// Starts every replica from independent visible units.
    pub fn start(&self, backend: &mut dyn Backend, model: Model, seed: u64, base: &Base) {
        for (rung, first_chain) in self.rungs.iter().zip((0..).step_by(self.chains)) {
            start_chains(backend, model, seed, base, rung.pair, self.chains, first_chain);
            backend.write_values(rung.values, &vec![0.0; 2 * self.chains]);
        }
    }

    /// Resets the counts of swaps.
    pub fn reset_swaps(&mut self, backend: &mut dyn Backend) {
        backend.write_values(self.accepted, &vec![0.0; self.chains * self.rungs.len()]);
        self.tries = [0; 2];
    }

    /// Resets the counts of round trips.
    pub fn reset_trips(&self, backend: &mut dyn Backend) {
        backend.write_values(self.trips, &vec![0.0; self.chains]);
    }

    /// Tries to swap half of the pairs of neighbours in `order`, the rungs in use: the states of one side, by energies
    /// computed before. `factor` is the factor of a pair's difference of energies. Random numbers are those of a stream in
    /// a sweep.
    pub fn swap(
        &mut self,
        backend: &mut dyn Backend,
        (draws, stream, sweep): (&Draws, Stream, u32),
        (order, half): (&[usize], Pairs),
        side: Side,
        factor: impl Fn(usize) -> f32,
    ) {
        let pairs = order.len() - 1;
        for pair in half.of(pairs) {
            let op = Swap {
                draw: draws.of_chains(stream, self.number(sweep) + pair as u32),
                rows: self.chains as u32,
                factor: factor(pair),
                units: draws.shape.units(side) as u32,
                counts_at: (pair * self.chains) as u32,
                coldest: u32::from(pair == 0),
                hottest: u32::from(pair + 1 == pairs),
            };
            let sides = [pair, pair + 1].map(|at| {
                let Rung { pair: Pair { visible, hidden }, values } = self.rungs[order[at]];
                (if side == Side::Visible { visible } else { hidden }, values)
            });
            backend.swap(&op, sides[0], sides[1], self.accepted, self.trips);
        }
        self.tries[half as usize] += 1;
    }

    /// The first of a sweep's draw numbers, one per rung.
    pub fn number(&self, sweep: u32) -> u32 {
        sweep * self.rungs.len() as u32
    }

    /// Whether each of the first `pairs` pairs was tried at least `times` times.
    pub fn was_tried(&self, pairs: usize, times: usize) -> bool {
        // With two rungs there is no odd pair, and with one rung no pair.
        self.tries.iter().take(pairs).all(|&tries| tries as usize >= times)
    }

    /// Fraction of swaps accepted since the last reset, by pair. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn acceptance(&self, backend: &mut dyn Backend, pairs: usize) -> Result<Vec<f64>> {
        let accepted = backend.read_values(self.accepted, pairs * self.chains)?;
        let share = |(pair, counts): (usize, &[f32])| {
            sum(counts) / (f64::from(self.tries[pair % 2].max(1)) * self.chains as f64)
        };
        Ok(accepted.chunks(self.chains).enumerate().map(share).collect())
    }

    /// Round trips of each chain since the last reset. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn round_trips(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        backend.read_values(self.trips, self.chains)
    }

    /// Counts and marks of a run's state: name, buffer, length.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        let marks = self.rungs.iter().enumerate();
        let marks = marks.map(|(t, rung)| (format!("replica_{t}_marks"), rung.values, 2 * self.chains));
        let accepted = ("swaps_accepted".to_string(), self.accepted, self.rungs.len() * self.chains);
        marks.chain([accepted, ("round_trips".to_string(), self.trips, self.chains)]).collect()
    }
}

/// The sum of counts.
pub(super) fn sum(counts: &[f32]) -> f64 {
    counts.iter().map(|&count| f64::from(count)).sum()
}

/// Starts chains from independent visible units, and hidden units drawn from them. Random numbers are those of the chains from `first_chain` on.
pub fn start_chains(
    backend: &mut dyn Backend,
    model: Model,
    seed: u64,
    base: &Base,
    pair: Pair,
    chains: usize,
    first_chain: usize,
) {
    let states = base.draw(seed, Address::new(Stream::Chains, 0), first_chain, chains);
    backend.write_units(pair.visible, &states, &states);
    let draw = Draw::of(seed, Stream::Chains, Side::Hidden, 0).chains_from(first_chain as u32);
    backend.sample(&HalfStep::new(chains, draw), model.into(), pair.visible, pair.hidden);
}
