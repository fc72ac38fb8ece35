//! Trajectory tempering: each chain has replicas in the model as it was at several moments of its own training, which take
//! Gibbs steps by themselves and are swapped with their neighbours now and then (Béreux, Decelle, Furtlehner, Rosset and
//! Seoane 2024, "Fast training and sampling of restricted Boltzmann machines", section 5). A model learns its modes one
//! after the other, and each step of the way is a small one: where temperatures would lead through a transition at which
//! no replica is taken over, the way that training took leads around it.
//!
//! The rungs of the ladder are the model as it is, the model as it was, the youngest first, and, at the bottom, independent
//! visible units that are on as often as in the data, which every round draws exactly:
//!
//! ```text
//! θ_0 = θ, θ_1, …, θ_(N−1)                             W_(N−1) = 0, c_(N−1) = 0, b_(N−1),i = logit of unit i's mean in the data
//! swap v_t and v_(t+1) with the probability            min(1, p_t(v_(t+1)) p_(t+1)(v_t) / (p_t(v_t) p_(t+1)(v_(t+1))))
//!                                                      = min(1, e^(U_t(v_t) − U_t(v_(t+1)))),   U_t = F_t − F_(t+1)
//! ```
//!
//! It is the visible units that are swapped, by free energies: the hidden ones are drawn anew in any case. Pairs take turns,
//! as in parallel tempering ([`super::tempering`]).
//!
//! The ladder grows with the run, one rung at a time, where the fewest swaps are accepted: between the model and the
//! youngest rung by a snapshot of the model, elsewhere by the mean of both rungs' parameters, about what the model was on
//! the way from one to the other. Once it is full, a rung moves there that is missed less elsewhere.

use super::{
    Draws, Phases,
    tempering::{Pairs, Swaps, shares, start_chains, sum},
};
use crate::{
    backend::{Backend, BackendExt, Combine, Draw, FreeEnergy, HalfStep, Model, Pair, Swap, Units, Values},
    error::{Result, usage},
    rbm::{Rbm, Side},
    rng::Stream,
};

/// The share of a pair's swaps below which a rung comes between them, as long as there is room.
const WILLING: f64 = 0.5;
/// The share of the widest gap that another must stay below when its rung is taken away, lest chance moves rungs to and fro.
const CLEARLY: f64 = 0.9;
/// Swaps that each pair must have tried before anything is made of their share.
const ENOUGH: usize = 200;
/// Steps between two looks at how many were accepted: each waits for the device.
const LOOK: u32 = 8;
/// The rung of the independent units.
const BASE: usize = 1;

/// The replicas of one moment, one for each chain.
#[derive(Clone, Copy, Debug)]
struct Rung {
    pair: Pair,
    /// U of the last pair that was tried with this rung, for each chain; and the marks of [`Backend::swap`].
    values: Values,
    /// The parameters as they were; none for the model itself.
    snapshot: Option<Model>,
    /// The step before which they were the model's, about.
    taken: u32,
}

/// Chains with replicas along the way that the training took.
#[derive(Debug)]
pub struct Trajectory {
    /// Room for all: first the model itself, then the independent units, then snapshots.
    rungs: Vec<Rung>,
    /// Those in use, in order: from the model itself to the independent units.
    ladder: Vec<usize>,
    chains: usize,
    /// For each pair of neighbours its chains' counts.
    accepted: Values,
    trips: Values,
    /// Times that the even and the odd pairs were tried since the counts began.
    tries: [u32; 2],
}

impl Trajectory {
    /// Makes room for a ladder of `rungs` rungs, at least 2, with so many chains. `own` is the room of the replicas in the model
    /// itself. All start from independent visible units that are on as often as `density` says.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(
        backend: &mut dyn Backend,
        model: Model,
        seed: u64,
        own: Pair,
        (chains, rungs): (usize, usize),
        density: &[f64],
    ) -> Result<Self> {
        let mut all = Vec::new();
        for rung in 0..rungs {
            let (pair, snapshot) = match rung {
                0 => (own, None),
                _ => (backend.pair(chains)?, Some(backend.model()?)),
            };
            all.push(Rung { pair, values: backend.values(2 * chains)?, snapshot, taken: 0 });
            start_chains(backend, model, seed, density, pair, chains, rung * chains);
        }
        let mut base = Rbm::zeros(backend.layers());
        base.visible_bias_mut().copy_from_slice(&Rbm::base_rates(density));
        if let Some(of_base) = all[BASE].snapshot {
            backend.write_model(of_base, &base);
        }
        let (accepted, trips) = (backend.values(chains * rungs)?, backend.values(chains)?);
        Ok(Self { rungs: all, ladder: vec![0, BASE], chains, accepted, trips, tries: [0; 2] })
    }

    /// Chains.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// The visible units of the rungs in use, from the model itself on.
    pub fn replicas(&self) -> impl Iterator<Item = Units> {
        self.ladder.iter().map(|&rung| self.rungs[rung].pair.visible)
    }

    /// Trajectory tempering, k rounds of swaps and a Gibbs step of each replica. The visible units of `phases.positive` hold
    /// the minibatch; afterwards both phases are ready for the update. Now and then it waits for the device, and takes a
    /// snapshot.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn sample(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        draws: &mut Draws,
        phases: Phases,
        k: u32,
    ) -> Result<()> {
        if draws.step.is_multiple_of(LOOK) && self.is_known() {
            let acceptance = self.acceptance(backend)?;
            self.climb(backend, model, draws.step, &acceptance)?;
        }
        self.advance(backend, model, draws, k);
        let Phases { positive, negative, rows, chains } = phases;
        let [of_data, of_chains] = [rows, chains].map(|rows| HalfStep::new(rows, Draw::none()));
        let minibatches =
            [(&of_data, positive.visible, positive.hidden), (&of_chains, negative.visible, negative.hidden)];
        backend.sample_twice(model, minibatches);
        Ok(())
    }

    /// The same without data, and on the ladder as it is.
    pub fn advance(&mut self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, k: u32) {
        for sweep in 0..k {
            let half = Pairs::of_round(draws.step.wrapping_mul(k).wrapping_add(sweep));
            self.swap(backend, model, draws, sweep, half);
            self.step(backend, model, draws, sweep);
        }
    }

    /// A Gibbs step of each replica.
    fn step(&self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, sweep: u32) {
        let first = sweep * self.rungs.len() as u32;
        for (&rung, number) in self.ladder.iter().zip(first..) {
            let Rung { pair: Pair { visible, hidden }, snapshot, .. } = self.rungs[rung];
            let of = snapshot.unwrap_or(model);
            let up = draws.next(Stream::Train, Side::Hidden, number, self.chains);
            backend.sample(&HalfStep::new(self.chains, up), of.into(), visible, hidden);
            let down = draws.next(Stream::Train, Side::Visible, number, self.chains);
            backend.sample(&HalfStep::new(self.chains, down), of.into(), hidden, visible);
        }
        // The host knows of no ladder, and prepares as many draws as it may come to.
        for _ in self.ladder.len()..self.rungs.len() {
            draws.skip(Side::Hidden, self.chains);
            draws.skip(Side::Visible, self.chains);
        }
    }

    /// Tries to swap half of the pairs of neighbours.
    fn swap(&mut self, backend: &mut dyn Backend, model: Model, draws: &Draws, sweep: u32, half: Pairs) {
        let pairs = self.ladder.len() - 1;
        for pair in half.of(pairs) {
            let (cold, hot) = (self.rungs[self.ladder[pair]], self.rungs[self.ladder[pair + 1]]);
            let [of_cold, of_hot] = [cold, hot].map(|rung| rung.snapshot.unwrap_or(model));
            for Rung { pair, values, .. } in [cold, hot] {
                let op = FreeEnergy::new(self.chains);
                backend.free_energy(&op, of_hot.into(), pair.visible, values);
                backend.free_energy(&op.less(), of_cold.into(), pair.visible, values);
            }
            let swap = Swap {
                draw: draws.of_chains(Stream::Swap, sweep * self.rungs.len() as u32 + pair as u32),
                rows: self.chains as u32,
                factor: 1.0,
                units: draws.shape.visible as u32,
                counts_at: (pair * self.chains) as u32,
                coldest: u32::from(pair == 0),
                hottest: u32::from(pair + 1 == pairs),
            };
            let sides = [cold, hot].map(|rung| (rung.pair.visible, rung.values));
            backend.swap(&swap, sides[0], sides[1], self.accepted, self.trips);
        }
        self.tries[half as usize] += 1;
    }

    /// Whether each pair was tried often enough to say how often it is swapped.
    fn is_known(&self) -> bool {
        let pairs = self.ladder.len() - 1;
        self.tries.iter().take(pairs).all(|&tries| tries as usize * self.chains >= ENOUGH)
    }

    /// The share of its swaps that each pair accepted since the counts began. Waits for the device.
    fn acceptance(&self, backend: &mut dyn Backend) -> Result<Vec<f64>> {
        let pairs = self.ladder.len() - 1;
        let accepted = backend.read_values(self.accepted, pairs * self.chains)?;
        Ok(shares(&accepted, self.chains, self.tries))
    }

    fn reset_acceptance(&mut self, backend: &mut dyn Backend) {
        backend.write_values(self.accepted, &vec![0.0; self.chains * self.rungs.len()]);
        self.tries = [0; 2];
    }

    /// Puts a rung into the widest gap, if there is room and fewer than [`WILLING`] swaps cross it, or if it is missed less
    /// where it is.
    fn climb(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        step: u32,
        acceptance: &[f64],
    ) -> Result<()> {
        let gaps: Vec<f64> = acceptance.iter().map(|&share| distance(share)).collect();
        let mut widest = (0..gaps.len()).max_by(|&a, &b| gaps[a].total_cmp(&gaps[b])).unwrap_or(0);
        let rung = if self.ladder.len() < self.rungs.len() {
            if acceptance[widest] >= WILLING {
                return Ok(());
            }
            self.ladder.len()
        } else {
            let Some(least) = least_missed(&gaps) else { return Ok(()) };
            // The gap that it leaves is larger than those on both sides of it, so it is none of the widest's own.
            if least <= widest {
                widest -= 1;
            }
            self.ladder.remove(least)
        };
        let (colder, hotter) = (self.rungs[self.ladder[widest]], self.rungs[self.ladder[widest + 1]]);
        self.ladder.insert(widest + 1, rung);
        let young = &mut self.rungs[rung];
        young.taken = match (young.snapshot, colder.snapshot, hotter.snapshot) {
            // Half of one and half of the other.
            (Some(own), Some(one), Some(other)) => {
                backend.combine(&Combine { keep: 0.0, add: 0.5 }, one, own);
                backend.combine(&Combine { keep: 1.0, add: 0.5 }, other, own);
                hotter.taken.midpoint(colder.taken)
            }
            (own, ..) => {
                own.into_iter().for_each(|own| backend.combine(&Combine::COPY, model, own));
                step
            }
        };
        // Its replicas start as those of its neighbour: the model's own, where it is a snapshot of the model.
        let (means, states) = backend.read_units(colder.pair.visible, self.chains)?;
        backend.write_units(self.rungs[rung].pair.visible, &means, &states);
        backend.write_values(self.rungs[rung].values, &vec![0.0; 2 * self.chains]);
        self.reset_acceptance(backend);
        Ok(())
    }

    /// How many swaps were accepted since the ladder was last another, where that is known well enough, and how many round
    /// trips there were since this was last asked for; then the counts begin anew, and there may be another rung before the
    /// step `next`. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn adapt(&mut self, backend: &mut dyn Backend, model: Model, next: u32) -> Result<Option<Swaps>> {
        if !self.is_known() {
            return Ok(None);
        }
        let acceptance = self.acceptance(backend)?;
        let trips = backend.read_values(self.trips, self.chains)?;
        backend.write_values(self.trips, &vec![0.0; self.chains]);
        let round_trips = sum(&trips) as u64;
        let snapshots = &self.ladder[1..self.ladder.len() - 1];
        let snapshots = snapshots.iter().map(|&rung| self.rungs[rung].taken).collect();
        self.reset_acceptance(backend);
        self.climb(backend, model, next, &acceptance)?;
        Ok(Some(Swaps { snapshots: Some(snapshots), acceptance, round_trips, ..Swaps::default() }))
    }

    /// The rungs in use and the steps before which their parameters were taken; and how often pairs were tried: what
    /// [`Trajectory::set`] puts back.
    pub fn ladder(&self) -> (Vec<(usize, u32)>, [u32; 2]) {
        (self.ladder.iter().map(|&rung| (rung, self.rungs[rung].taken)).collect(), self.tries)
    }

    /// Puts back what [`Trajectory::ladder`] gave.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if it is no ladder of so many rungs.
    pub fn set(&mut self, ladder: &[(usize, u32)], tries: [u32; 2]) -> Result<()> {
        let mut sorted: Vec<usize> = ladder.iter().map(|&(rung, _)| rung).collect();
        let ends = (sorted.first().copied(), sorted.last().copied());
        sorted.sort_unstable();
        // Rungs come into use one after the other.
        if ends != (Some(0), Some(BASE))
            || sorted.len() > self.rungs.len()
            || !sorted.iter().copied().eq(0..sorted.len())
        {
            return usage!(
                "the state's ladder of {} rungs begins with {:?}: expected 0 first, {BASE} last, and 2, 3, … between them, \
                 each once, at most {} in all",
                ladder.len(),
                &ladder[..ladder.len().min(4)],
                self.rungs.len()
            );
        }
        for &(rung, taken) in ladder {
            self.rungs[rung].taken = taken;
        }
        (self.ladder, self.tries) = (ladder.iter().map(|&(rung, _)| rung).collect(), tries);
        Ok(())
    }

    /// The states of all rungs, whether they are in use or not: a name, and where they lie.
    pub fn states(&self) -> Vec<(String, Units)> {
        self.rungs
            .iter()
            .enumerate()
            .map(|(at, rung)| (format!("replica_{at}_visible"), rung.pair.visible))
            .collect()
    }

    /// The parameters of all rungs but the model itself, whether they are in use or not: a name, and where they lie.
    pub fn snapshots(&self) -> Vec<(String, Model)> {
        let snapshots = self.rungs.iter().filter_map(|rung| rung.snapshot).enumerate();
        snapshots.map(|(number, model)| (format!("snapshot_{number}_"), model)).collect()
    }

    /// Their counts and marks: a name, where they lie, how many.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        let marks = self.rungs.iter().enumerate();
        let marks = marks.map(|(at, rung)| (format!("replica_{at}_marks"), rung.values, 2 * self.chains));
        let accepted = ("swaps_accepted".to_string(), self.accepted, self.rungs.len() * self.chains);
        marks.chain([accepted, ("round_trips".to_string(), self.trips, self.chains)]).collect()
    }
}

/// Which rung, of those between the ends, would leave the smallest gap, if that is clearly smaller than the widest.
fn least_missed(gaps: &[f64]) -> Option<usize> {
    let left_by = |rung: usize| gaps[rung - 1] + gaps[rung];
    let least = (1..gaps.len()).min_by(|&a, &b| left_by(a).total_cmp(&left_by(b)))?;
    let widest = gaps.iter().copied().fold(0.0, f64::max);
    (left_by(least) < CLEARLY * widest).then_some(least)
}

/// How far apart two rungs are that accept this share of their swaps: where the difference of their energies is a normal
/// variable, as for many units it is, share = erfc(distance / 2), and the distances along the way add up (Predescu et al.
/// 2004; the inverse of erf is that of Winitzki 2008, to 0.002).
fn distance(share: f64) -> f64 {
    let x = 1.0 - share.clamp(1e-6, 1.0);
    let log = (1.0 - x * x).ln();
    let half = 2.0 / (std::f64::consts::PI * 0.147) + log / 2.0;
    2.0 * ((half * half - log / 0.147).sqrt() - half).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rung_goes_that_leaves_the_smallest_gap() {
        assert_eq!(least_missed(&[3.0, 2.0, 0.5, 0.6, 2.0]), Some(3));
        assert_eq!(least_missed(&[0.5, 0.4, 2.0]), Some(1));
        // It would be as wide a gap as the one that it is to fill.
        assert_eq!(least_missed(&[1.0, 0.5, 0.5]), None);
        assert_eq!(least_missed(&[2.0]), None);
    }

    #[test]
    fn distances_are_those_of_normal_differences() {
        // erfc(1/2) and erfc(1), from tables.
        for (share, expected) in [(1.0, 0.0), (0.479_500, 1.0), (0.157_299, 2.0)] {
            assert!((distance(share) - expected).abs() < 0.005, "{share}: {}", distance(share));
        }
    }
}
