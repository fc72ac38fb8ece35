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
    ladder::{Ladder, Pairs, Rung, sum},
    tempering::Swaps,
};
use crate::{
    backend::{Backend, BackendExt, Combine, Draw, FreeEnergy, HalfStep, Memory, Model, Pair, Units, Values},
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

/// The model as it was.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Its parameters; none for the model as it is.
    snapshot: Option<Model>,
    /// The step before which they were the model's, about.
    taken: u32,
}

/// Chains with replicas along the way that the training took.
#[derive(Debug)]
pub struct Trajectory {
    /// Room for all: first the model itself, then the independent units, then snapshots. A rung's values are U of the last pair
    /// that was tried with it.
    ladder: Ladder,
    /// What each rung is.
    moments: Vec<Moment>,
    /// The rungs in use, in order: from the model itself to the independent units.
    order: Vec<usize>,
}

impl Trajectory {
    /// Makes room for a ladder of `rungs` rungs, at least 2, of `chains` chains. `own` is the room of the replicas in the model
    /// itself. [`Trajectory::start`] comes first.
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

    /// Starts all replicas from independent visible units that are on as often as `density` says.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model, seed: u64, density: &[f64]) {
        let mut base = Rbm::zeros(backend.layers());
        base.visible_bias_mut().copy_from_slice(&Rbm::base_rates(density));
        if let Some(snapshot) = self.moments[BASE].snapshot {
            backend.write_model(snapshot, &base);
        }
        self.ladder.start(backend, model, seed, density);
    }

    /// Chains.
    pub fn chains(&self) -> usize {
        self.ladder.chains
    }

    /// The visible units of the rungs in use, from the model itself on.
    pub fn replicas(&self) -> impl Iterator<Item = Units> {
        self.order.iter().map(|&rung| self.ladder.rungs[rung].pair.visible)
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

    /// Trajectory tempering without a minibatch, on the ladder as it is.
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
        // The host knows of no ladder, and prepares as many draws as it may come to.
        for _ in self.order.len()..self.moments.len() {
            draws.skip(Side::Hidden, chains);
            draws.skip(Side::Visible, chains);
        }
    }

    /// The parameters of a rung.
    fn parameters(&self, rung: usize, model: Model) -> Model {
        self.moments[rung].snapshot.unwrap_or(model)
    }

    /// Tries to swap half of the pairs of neighbours: the visible units, by the free energies of either in both.
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

    /// Whether each pair was tried often enough to say how often it is swapped.
    fn is_known(&self) -> bool {
        self.ladder.was_tried(self.pairs(), ENOUGH.div_ceil(self.chains()))
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
        let rung = if self.order.len() < self.moments.len() {
            if acceptance[widest] >= WILLING {
                return Ok(());
            }
            self.order.len()
        } else {
            let Some(least) = least_missed(&gaps) else { return Ok(()) };
            // The gap that it leaves is larger than those on both sides of it, so it is none of the widest's own.
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
        let (its, colder) = (self.ladder.rungs[rung], self.ladder.rungs[neighbours[0]]);
        let (means, states) = backend.read_units(colder.pair.visible, self.chains())?;
        backend.write_units(its.pair.visible, &means, &states);
        backend.write_values(its.values, &vec![0.0; 2 * self.chains()]);
        self.ladder.reset_swaps(backend);
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

    /// The rungs in use and the steps before which their parameters were taken; and how often pairs were tried: what
    /// [`Trajectory::set`] puts back.
    pub fn ladder(&self) -> (Vec<(usize, u32)>, [u32; 2]) {
        (self.order.iter().map(|&rung| (rung, self.moments[rung].taken)).collect(), self.ladder.tries)
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
            || sorted.len() > self.moments.len()
            || !sorted.iter().copied().eq(0..sorted.len())
        {
            return usage!(
                "the state's ladder of {} rungs begins with {:?}: expected 0 first, {BASE} last, and 2, 3, … between them, \
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

    /// The states of all rungs, whether they are in use or not: a name, and where they lie.
    pub fn states(&self) -> Vec<(String, Units)> {
        self.ladder
            .rungs
            .iter()
            .enumerate()
            .map(|(at, rung)| (format!("replica_{at}_visible"), rung.pair.visible))
            .collect()
    }

    /// The parameters of all rungs but the model itself, whether they are in use or not: a name, and where they lie.
    pub fn snapshots(&self) -> Vec<(String, Model)> {
        let snapshots = self.moments.iter().filter_map(|moment| moment.snapshot).enumerate();
        snapshots.map(|(number, model)| (format!("snapshot_{number}_"), model)).collect()
    }

    /// Their counts and marks: a name, where they lie, how many.
    pub fn counts(&self) -> Vec<(String, Values, usize)> {
        self.ladder.counts()
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
