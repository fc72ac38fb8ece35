//! Chains with replicas at all temperatures between the base and a model, and the log Z that they measure.

use super::{Progress, Tempered, annealed::Way, tempered::Energies};
use crate::{
    backend::{Backend, BackendExt, Memory, Model, Pair},
    base::Base,
    data::Rows,
    error::Result,
    estimator::{
        Draws,
        tempering::{Streams, Tempering},
    },
};

/// Replicas on a device. Half of the chains start from the base, half from data.
pub struct Replicas {
    tempering: Tempering,
    seed: u64,
    /// The next round; replaces the step in the addresses of random numbers.
    round: u32,
    pub progress: Progress,
}

impl Replicas {
    /// Allocates `temperatures` replicas of each chain; `coldest` holds those at β = 1.
    pub fn new(
        memory: &mut dyn Memory,
        coldest: Pair,
        chains: usize,
        temperatures: usize,
        seed: u64,
    ) -> Result<Self> {
        let tempering = Tempering::new(memory, coldest, chains, temperatures, Streams::SAMPLING)?;
        Ok(Self { tempering, seed, round: 0, progress: Progress::default() })
    }

    fn chains(&self) -> usize {
        self.tempering.chains()
    }

    /// Draws of the next round. Increments the round.
    fn next_round(&mut self, backend: &dyn Backend) -> Draws {
        let round = self.round;
        self.round = round.wrapping_add(1);
        Draws::new(backend.shape(), self.seed, round)
    }

    /// Gibbs steps of a round.
    fn steps(&self) -> u64 {
        (self.chains() * self.tempering.inverse_temperatures().len()) as u64
    }

    /// Starts all chains at evenly spaced temperatures: half from the base, half from cases spread over the data, which may
    /// be sorted.
    pub fn start(&mut self, backend: &mut dyn Backend, model: Model, base: &Base, data: &Rows) -> Result<()> {
        self.round = 0;
        let from_data = self.chains() - self.chains() / 2;
        let cases = (0..from_data).map(|chain| chain * data.len() / from_data);
        let starts: Vec<f32> = cases.flat_map(|case| data.values(case)).collect();
        self.tempering.restart(backend, model, self.seed, base);
        self.tempering.start_at(backend, model, self.seed, &starts)
    }

    /// Rounds of swaps and Gibbs steps without measurement.
    pub fn advance(&mut self, backend: &mut dyn Backend, model: Model, rounds: usize) -> Result<()> {
        for _ in 0..rounds {
            let mut draws = self.next_round(backend);
            self.tempering.advance(backend, model, &mut draws, 1);
            backend.submit()?;
            self.progress.add(self.steps());
        }
        Ok(())
    }

    /// Moves the temperatures closer where swaps are rejected.
    pub fn adapt(&mut self, backend: &mut dyn Backend) -> Result<()> {
        self.tempering.respace(backend).map(drop)
    }

    /// The replicas themselves.
    pub fn tempering(&mut self) -> &mut Tempering {
        &mut self.tempering
    }

    /// Continues with the random numbers of this round.
    pub fn set_round(&mut self, round: usize) {
        self.round = round as u32;
    }

    /// log Z from `rounds` measurements, `apart` rounds from one to the next. `look` gets the visible states at β = 1, row
    /// by row, after `looks` evenly spaced measurements.
    pub fn measure(
        &mut self,
        backend: &mut dyn Backend,
        Way { base, model }: Way,
        (rounds, apart): (usize, usize),
        looks: usize,
        mut look: impl FnMut(Vec<f32>),
    ) -> Result<Tempered> {
        let chains = self.chains();
        self.tempering.reset_counts(backend);
        let inverse_temperatures = self.tempering.inverse_temperatures().to_vec();
        let mut energies = Energies { inverse_temperatures, chains, rounds: Vec::with_capacity(rounds) };
        for round in 0..rounds {
            self.advance(backend, model, apart - 1)?;
            let mut draws = self.next_round(backend);
            energies.rounds.push(self.tempering.observe(backend, model, &mut draws)?);
            self.progress.add(self.steps());
            if round * looks / rounds < (round + 1) * looks / rounds {
                look(backend.read_units(self.tempering.coldest().visible, chains)?.1);
            }
        }
        Ok(Tempered {
            all: energies.log_z(base.log_z(), 0..chains),
            from_base: energies.log_z(base.log_z(), 0..chains / 2),
            from_data: energies.log_z(base.log_z(), chains / 2..chains),
            chains,
            rounds,
            idle_chains: self.tempering.round_trips(backend)?.iter().filter(|&&trips| trips == 0.0).count(),
            swaps: self.tempering.swaps(backend)?,
        })
    }
}
