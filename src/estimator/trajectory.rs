//! Trajectory tempering: each chain has replicas in snapshots of the model from several moments of its training, which take
//! Gibbs steps and are sometimes swapped with their neighbours (Béreux, Decelle, Furtlehner, Rosset and Seoane 2024, "Fast
//! training and sampling of restricted Boltzmann machines", section 5). A model learns its modes one after the other, in
//! small steps. Temperatures can lead through a phase transition that no replica crosses; the path of training leads around
//! it.
//!
//! The rungs of the ladder are the model itself, its snapshots, latest first, and independent units ([`Base`]), which every
//! round draws exactly; for binary units:
//!
//! ```text
//! θ_0 = θ, θ_1, …, θ_(N−1)                             W_(N−1) = 0, c_(N−1) = 0, b_(N−1),i = logit of unit i's mean in the data
//! swap v_t and v_(t+1) with the probability            min(1, p_t(v_(t+1)) p_(t+1)(v_t) / (p_t(v_t) p_(t+1)(v_(t+1))))
//!                                                      = min(1, e^(U_t(v_t) − U_t(v_(t+1)))),   U_t = F_t − F_(t+1)
//! ```
//!
//! Swaps exchange visible units, by free energies, because hidden units are drawn anew next. Even and odd pairs alternate,
//! as in parallel tempering ([`super::tempering`]).
//!
//! The ladder grows with the run, one rung at a time, where the fewest swaps are accepted. Between the model and the latest
//! snapshot, the new rung is a snapshot of the model; elsewhere it is the mean of both rungs' parameters, roughly the model
//! between them. A full ladder moves the rung that it can best spare.

use super::{
    Draws, Phases,
    ladder::{Ladder, Pairs, Rung, sum},
    tempering::Swaps,
};
use crate::{
    backend::{Backend, BackendExt, Combine, Draw, FreeEnergy, HalfStep, Memory, Model, Pair, Units, Values},
    base::Base,
    error::{Result, usage},
    rbm::{Rbm, Side},
    rng::Stream,
};

/// A pair with a lower acceptance rate than this gets a rung in between, while there is room.
const WILLING: f64 = 0.5;
/// A rung moves only if the gap that it leaves is below this fraction of the widest gap, so that chance doesn't move rungs
/// back and forth.
const CLEARLY: f64 = 0.9;
/// The fewest swaps tried per pair, over all chains, before its acceptance rate is used.
const ENOUGH: usize = 200;
/// Steps between two readings of the acceptance rates, each of which waits for the device.
const LOOK: u32 = 8;
/// The rung of the independent units.
const BASE: usize = 1;

/// A snapshot of the model.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Parameters of the snapshot; `None` for the model itself.
    snapshot: Option<Model>,
    /// The step at which it was taken, approximately.
    taken: u32,
}

/// Chains with replicas along the path of training.
#[derive(Debug)]
pub struct Trajectory {
    /// All rungs: the model itself, the independent units, then snapshots. A rung's values are U of the last pair tried
    /// with it.
    ladder: Ladder,
    /// The snapshot of each rung.
    moments: Vec<Moment>,
    /// The rungs in use, from the model itself to the independent units.
    order: Vec<usize>,
}

impl Trajectory {
    /// Allocates a ladder of `rungs` rungs, at least 2, of `chains` chains. `own` holds the replicas in the model itself.
    /// Call [`Trajectory::start`] first.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, own: Pair, chains: usize, rungs: usize) -> Result<Self> {
        let ladder = Ladder::new(memory, own, rungs, chains)?;
        let mut moments = vec![Moment { snapshot: None, taken: 0 }];
        for _ in 1..rungs {
            moments.push(Moment { snapshot: Some(memory.model()?), taken: 0 });
        }
        Ok(Self { ladder, moments, order: vec![0, BASE] })
    }

    /// Starts all replicas from independent units.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model, seed: u64, base: &Base) {
        if let Some(snapshot) = self.moments[BASE].snapshot {
            backend.write_model(snapshot, &Rbm::independent(base.layers(), base.potentials()));
        }
        self.ladder.start(backend, model, seed, base);
    }

    /// The number of chains.
    pub fn chains(&self) -> usize {
        self.ladder.chains
    }

    /// The visible units of the rungs in use, from the model itself.
    pub fn replicas(&self) -> impl Iterator<Item = Units> {
        self.order.iter().map(|&rung| self.ladder.rungs[rung].pair.visible)
    }

    /// Trajectory tempering: k rounds of swaps and a Gibbs step of each replica. The visible units of `phases.positive`
    /// hold the minibatch; afterwards both phases are ready for the update. Sometimes waits for the device and takes a
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
            let acceptance = self.ladder.acceptance(backend, self.pairs())?;
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

    /// Trajectory tempering without a minibatch, on the present ladder.
    pub fn advance(&mut self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, k: u32) {
        for sweep in 0..k {
            let half = Pairs::of_round(draws.step.wrapping_mul(k).wrapping_add(sweep));
            self.swap(backend, model, draws, sweep, half);
            self.step(backend, model, draws, sweep);
        }
    }

    /// A Gibbs step of each replica.
    fn step(&self, backend: &mut dyn Backend, model: Model, draws: &mut Draws, sweep: u32) {
        let (first, chains) = (self.ladder.number(sweep), self.chains());
        for (&rung, number) in self.order.iter().zip(first..) {
            let (Pair { visible, hidden }, of) = (self.ladder.rungs[rung].pair, self.parameters(rung, model));
            let up = draws.next(Stream::Train, Side::Hidden, number, chains);
            backend.sample(&HalfStep::new(chains, up), of.into(), visible, hidden);
            let down = draws.next(Stream::Train, Side::Visible, number, chains);
            backend.sample(&HalfStep::new(chains, down), of.into(), hidden, visible);
        }
        // The host doesn't know the ladder, and prepares draws for a full one.
        for _ in self.order.len()..self.moments.len() {
            draws.skip(Side::Hidden, chains);
            draws.skip(Side::Visible, chains);
        }
    }

    /// The parameters of a rung.
    fn parameters(&self, rung: usize, model: Model) -> Model {
        self.moments[rung].snapshot.unwrap_or(model)
    }

    /// Tries to swap half of the pairs of neighbours: their visible units, by the free energies of each in both models.
    fn swap(&mut self, backend: &mut dyn Backend, model: Model, draws: &Draws, sweep: u32, half: Pairs) {
        for pair in half.of(self.pairs()) {
            let rungs = [self.order[pair], self.order[pair + 1]];
            let [of_cold, of_hot] = rungs.map(|rung| self.parameters(rung, model));
            for Rung { pair, values } in rungs.map(|rung| self.ladder.rungs[rung]) {
                let op = FreeEnergy::new(self.chains());
                backend.free_energy(&op, of_hot.into(), pair.visible, values);
                backend.free_energy(&op.less(), of_cold.into(), pair.visible, values);
            }
        }
        let swaps = (draws, Stream::Swap, sweep);
        self.ladder.swap(backend, swaps, (&self.order, half), Side::Visible, |_| 1.0);
    }

    /// Pairs of neighbours in use.
    fn pairs(&self) -> usize {
        self.order.len() - 1
    }

    /// Whether every pair was tried often enough for its acceptance rate to be used.
    fn is_known(&self) -> bool {
        self.ladder.was_tried(self.pairs(), ENOUGH.div_ceil(self.chains()))
    }

    /// Puts a rung into the widest gap: a new one if there is room and the acceptance rate is below [`WILLING`], or else
    /// one that its place can spare.
    fn climb(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        step: u32,
        acceptance: &[f64],
    ) -> Result<()> {
        let gaps: Vec<f64> = acceptance.iter().map(|&share| distance(share)).collect();
        let mut widest = (0..gaps.len()).max_by(|&a, &b| gaps[a].total_cmp(&gaps[b])).unwrap_or(0);
        let rung = if self.order.len() < self.moments.len() {
            if acceptance[widest] >= WILLING {
                return Ok(());
            }
            self.order.len()
        } else {
            let Some(least) = least_missed(&gaps) else { return Ok(()) };
            // The gap that the rung leaves exceeds both of its neighbours, so neither is the widest gap.
            if least <= widest {
                widest -= 1;
            }
            self.order.remove(least)
        };
        let neighbours = [self.order[widest], self.order[widest + 1]];
        let [colder, hotter] = neighbours.map(|rung| self.moments[rung]);
        self.order.insert(widest + 1, rung);
        let young = &mut self.moments[rung];
        young.taken = match (young.snapshot, colder.snapshot, hotter.snapshot) {
            // The mean of both.
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
        // Its replicas start as copies of its colder neighbour's.
        let (its, colder) = (self.ladder.rungs[rung], self.ladder.rungs[neighbours[0]]);
        let (means, states) = backend.read_units(colder.pair.visible, self.chains())?;
        backend.write_units(its.pair.visible, &means, &states);
        backend.write_values(its.values, &vec![0.0; 2 * self.chains()]);
        self.ladder.reset_swaps(backend);
        Ok(())
    }

    /// Returns the acceptance rates since the ladder last changed, once they are reliable, and the round trips since the
    /// last call; `None` before. Resets both counts, and may add a rung, taken at step `next`. Waits for the device.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn adapt(&mut self, backend: &mut dyn Backend, model: Model, next: u32) -> Result<Option<Swaps>> {
        if !self.is_known() {
            return Ok(None);
        }
        let acceptance = self.ladder.acceptance(backend, self.pairs())?;
        let trips = self.ladder.round_trips(backend)?;
        self.ladder.reset_trips(backend);
        let round_trips = sum(&trips) as u64;
        let snapshots = &self.order[1..self.pairs()];
        let snapshots = snapshots.iter().map(|&rung| self.moments[rung].taken).collect();
        self.ladder.reset_swaps(backend);
        self.climb(backend, model, next, &acceptance)?;
        Ok(Some(Swaps { snapshots: Some(snapshots), acceptance, round_trips, ..Swaps::default() }))
    }

    /// The rungs in use, with the steps at which their snapshots were taken, and how often pairs were tried.
    pub fn ladder(&self) -> (Vec<(usize, u32)>, [u32; 2]) {
        (self.order.iter().map(|&rung| (rung, self.moments[rung].taken)).collect(), self.ladder.tries)
    }

    /// Restores [`Trajectory::ladder`].
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if it is not a ladder of at most as many rungs.
    pub fn set(&mut self, ladder: &[(usize, u32)], tries: [u32; 2]) -> Result<()> {
        let mut sorted: Vec<usize> = ladder.iter().map(|&(rung, _)| rung).collect();
        let ends = (sorted.first().copied(), sorted.last().copied());
        sorted.sort_unstable();
        // Rungs come into use in order.
        if ends != (Some(0), Some(BASE))
            || sorted.len() > self.moments.len()
            || !sorted.iter().copied().eq(0..sorted.len())
        {
            return usage!(
                "the ladder of {} rungs in the run's state begins with {:?}: expected 0 first, {BASE} last, and 2, 3, … between, \
                 each once, at most {} in all",
                ladder.len(),
                &ladder[..ladder.len().min(4)],
                self.moments.len()
            );
        }
        for &(rung, taken) in ladder {
            self.moments[rung].taken = taken;
        }
        self.order = ladder.iter().map(|&(rung, _)| rung).collect();
        self.ladder.tries = tries;
        Ok(())
    }

    /// The states of all rungs, used or not: name and buffer.
    pub fn states(&self) -> Vec<(String, Units)> {
        self.ladder
            .rungs
            .iter()
            .enumerate()
            .map(|(at, rung)| (format!("replica_{at}_visible"), rung.pair.visible))
            .collect()
    }

    /// The parameters of all rungs but the model itself, used or not: name and buffer.
    pub fn snapshots(&self) -> Vec<(String, Model)> {
        let snapshots = self.moments.iter().filter_map(|moment| moment.snapshot).enumerate();
        snapshots.map(|(number, model)| (format!("snapshot_{number}_"), model)).collect()
    }

    /// Counts and marks of a run's state: name, buffer, length.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        self.ladder.counts()
    }
}

/// Index of the inner rung that would leave the smallest gap, if that is clearly below the widest gap.
fn least_missed(gaps: &[f64]) -> Option<usize> {
    let left_by = |rung: usize| gaps[rung - 1] + gaps[rung];
    let least = (1..gaps.len()).min_by(|&a, &b| left_by(a).total_cmp(&left_by(b)))?;
    let widest = gaps.iter().copied().fold(0.0, f64::max);
    (left_by(least) < CLEARLY * widest).then_some(least)
}

/// Distance of two rungs with this acceptance rate. If the difference of their energies is normal, as it is for many units,
/// share = erfc(distance / 2), and distances add up along the path (Predescu et al. 2004; the inverse of erf is that of
/// Winitzki 2008, to 0.002).
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
        // It would leave as wide a gap as the one to fill.
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
