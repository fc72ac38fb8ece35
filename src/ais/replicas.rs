//! Chains with replicas at all temperatures between the base and a model, and what they say of log Z.

use super::{Base, Progress, Tempered, tempered::Energies};
use crate::{
    backend::{Backend, Params, Units},
    data::Rows,
    error::Result,
    estimator::{
        Draws,
        tempering::{Streams, Tempering},
    },
};

/// Replicas on a device. Half of the chains start from the base, and half from data.
pub struct Replicas {
    tempering: Tempering,
    /// Its step is the number of the round.
    params: Params,
    pub progress: Progress,
}

impl Replicas {
    /// Makes room for `temperatures` replicas of each of the chains that `params` has; `coldest` is the room of those at β = 1.
    pub fn new(
        backend: &mut dyn Backend,
        params: Params,
        coldest: (Units, Units),
        temperatures: usize,
    ) -> Result<Self> {
        let tempering = Tempering::new(backend, params, coldest, temperatures, Streams::SAMPLING)?;
        Ok(Self { tempering, params, progress: Progress::default() })
    }

    fn chains(&self) -> usize {
        self.params.chains as usize
    }

    /// Gibbs steps of a round.
    fn steps(&self) -> u64 {
        (self.chains() * self.tempering.inverse_temperatures().len()) as u64
    }

    /// Starts all chains at evenly spread temperatures: one half from the base, the other from cases from all over the
    /// data, which may be in some order.
    pub fn start(&mut self, backend: &mut dyn Backend, base: &Base, data: &Rows) -> Result<()> {
        self.params.step = 0;
        let from_data = self.chains() - self.chains() / 2;
        let cases = (0..from_data).map(|chain| chain * data.len() / from_data);
        let starts: Vec<f32> = cases.flat_map(|case| data.values(case)).collect();
        self.tempering.restart(backend, self.params, &base.density);
        self.tempering.start_at(backend, self.params, &starts)
    }

    /// Rounds of swaps and Gibbs steps that do not count.
    pub fn advance(&mut self, backend: &mut dyn Backend, rounds: usize) -> Result<()> {
        for _ in 0..rounds {
            self.tempering.advance(backend, self.params, &mut Draws { host: None }, 1);
            backend.submit()?;
            self.progress.add(self.steps());
            self.params.step = self.params.step.wrapping_add(1);
        }
        Ok(())
    }

    /// Moves temperatures to where swaps were refused.
    pub fn adapt(&mut self, backend: &mut dyn Backend) -> Result<()> {
        self.tempering.respace(backend).map(drop)
    }

    /// The replicas themselves.
    pub fn tempering(&mut self) -> &mut Tempering {
        &mut self.tempering
    }

    /// Lets the random numbers go on with those of this round.
    pub fn set_round(&mut self, round: usize) {
        self.params.step = round as u32;
    }

    /// log Z from `rounds` measurements, `apart` rounds from one to the next. `look` gets the visible states at β = 1, row by row,
    /// after `looks` evenly spaced measurements.
    pub fn measure(
        &mut self,
        backend: &mut dyn Backend,
        base: &Base,
        (rounds, apart): (usize, usize),
        looks: usize,
        mut look: impl FnMut(Vec<f32>),
    ) -> Result<Tempered> {
        let chains = self.chains();
        self.tempering.reset_counts(backend);
        let inverse_temperatures = self.tempering.inverse_temperatures().to_vec();
        let mut energies = Energies { inverse_temperatures, chains, rounds: Vec::with_capacity(rounds) };
        for round in 0..rounds {
            self.advance(backend, apart - 1)?;
            energies.rounds.push(self.tempering.observe(backend, self.params)?);
            self.progress.add(self.steps());
            self.params.step = self.params.step.wrapping_add(1);
            if round * looks / rounds < (round + 1) * looks / rounds {
                look(backend.read_units(self.tempering.coldest().0, chains)?.1);
            }
        }
        Ok(Tempered {
            all: energies.log_z(base.log_z, 0..chains),
            from_base: energies.log_z(base.log_z, 0..chains / 2),
            from_data: energies.log_z(base.log_z, chains / 2..chains),
            chains,
            rounds,
            idle_chains: self.tempering.round_trips(backend)?.iter().filter(|&&trips| trips == 0.0).count(),
            swaps: self.tempering.swaps(backend)?,
        })
    }
}
