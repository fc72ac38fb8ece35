//! Replicas of chains on the rungs of a ladder: room for them, swaps between neighbours, and what is counted of these. What a
//! rung is, parallel tempering ([`super::tempering`]) and trajectory tempering ([`super::trajectory`]) say.

use super::Draws;
use crate::{
    backend::{Backend, BackendExt, Draw, HalfStep, Memory, Model, Pair, Swap, Values},
    error::Result,
    rbm::Side,
    rng::{self, Address, Stream},
};

/// The replicas of one rung, one for each chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung {
    pub pair: Pair,
    /// Energies, and the marks of [`Backend::swap`].
    pub values: Values,
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

    /// The index of each pair's colder rung; `pairs` is the number of neighbouring pairs.
    pub fn of(self, pairs: usize) -> impl Iterator<Item = usize> {
        (self as usize..pairs).step_by(2)
    }
}

/// Chains with replicas on several rungs.
#[derive(Debug)]
pub(super) struct Ladder {
    /// From the model's own.
    pub rungs: Vec<Rung>,
    pub chains: usize,
    /// For each pair of neighbours its chains' counts.
    accepted: Values,
    trips: Values,
    /// Times that the even and the odd pairs were tried since the counts began.
    pub tries: [u32; 2],
}

impl Ladder {
    /// Makes room for `rungs` rungs, at least 1, of `chains` chains. `own` is the room of the model's own rung.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, own: Pair, rungs: usize, chains: usize) -> Result<Self> {
        let mut all = Vec::with_capacity(rungs);
        for rung in 0..rungs {
            let pair = if rung == 0 { own } else { memory.pair(chains)? };
            all.push(Rung { pair, values: memory.values(2 * chains)? });
        }
        let (accepted, trips) = (memory.values(chains * rungs)?, memory.values(chains)?);
        Ok(Self { rungs: all, chains, accepted, trips, tries: [0; 2] })
    }

    /// Starts every replica from independent visible units that are on as often as `density` says.
    pub fn start(&self, backend: &mut dyn Backend, model: Model, seed: u64, density: &[f64]) {
        for (rung, first_chain) in self.rungs.iter().zip((0..).step_by(self.chains)) {
            start_chains(backend, model, seed, density, rung.pair, self.chains, first_chain);
            backend.write_values(rung.values, &vec![0.0; 2 * self.chains]);
        }
    }

    /// Lets the counts of swaps begin anew.
    pub fn reset_swaps(&mut self, backend: &mut dyn Backend) {
        backend.write_values(self.accepted, &vec![0.0; self.chains * self.rungs.len()]);
        self.tries = [0; 2];
    }

    /// Lets the counts of round trips begin anew.
    pub fn reset_trips(&self, backend: &mut dyn Backend) {
        backend.write_values(self.trips, &vec![0.0; self.chains]);
    }

    /// Tries to swap half of the pairs of neighbours along `order`, the rungs in use: their states of one side, by energies that
    /// are known. `factor` is what the difference of a pair's energies is multiplied by. Numbers are those of a stream in a sweep.
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

    /// The first number of a sweep's draws, of which each rung has one.
    pub fn number(&self, sweep: u32) -> u32 {
        sweep * self.rungs.len() as u32
    }

    /// Whether each of the first `pairs` pairs was tried at least `times` times.
    pub fn was_tried(&self, pairs: usize, times: usize) -> bool {
        // With two rungs there is no odd pair, and with one there is none.
        self.tries.iter().take(pairs).all(|&tries| tries as usize >= times)
    }

    /// The share of swaps accepted since the counts began, by pair. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed; so for the next.
    pub fn acceptance(&self, backend: &mut dyn Backend, pairs: usize) -> Result<Vec<f64>> {
        let accepted = backend.read_values(self.accepted, pairs * self.chains)?;
        let share = |(pair, counts): (usize, &[f32])| {
            sum(counts) / (f64::from(self.tries[pair % 2].max(1)) * self.chains as f64)
        };
        Ok(accepted.chunks(self.chains).enumerate().map(share).collect())
    }

    /// The replicas of each chain that came from the other end since the counts began. Waits for the device.
    ///
    /// # Errors
    /// As above.
    pub fn round_trips(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        backend.read_values(self.trips, self.chains)
    }

    /// What counts and marks there are beside the states: a name, where they lie, how many.
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
