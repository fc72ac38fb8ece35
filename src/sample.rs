//! Fantasy particles: chains of Gibbs steps that forget where they started, and so show what a model believes in.
//!
//! Where modes are far apart, a chain stays in one. Parallel tempering ([`crate::estimator::tempering`]) runs a replica of
//! each chain at each of several inverse temperatures, from 0, where all that is left are independent units that are on as
//! often as in the data, to 1, and lets neighbours exchange their states, so that what is found there comes down.

use crate::{
    backend::BackendExt,
    error::{Result, usage},
    estimator::{
        Draws,
        tempering::{Streams, Swaps, Tempering},
    },
    inference::Inference,
    rng::{self, Address, Stream},
};

/// Where chains start. Data are spread evenly over the training cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Start {
    /// Visible units that are each on with the probability of one half.
    Random,
    /// Training cases.
    Data,
    /// The mean of the training cases.
    Mean,
}

/// So many fair coins for each chain: chains × units.
pub fn random_starts(chains: usize, units: usize, seed: u64) -> Vec<f32> {
    let mut states = vec![0.0; chains * units];
    for (chain, states) in states.chunks_mut(units).enumerate() {
        rng::fill(seed, Address::new(Stream::Chains, 0), chain as u32, 0, states);
        states.iter_mut().for_each(|state| *state = f32::from(*state < 0.5));
    }
    states
}

/// Chains on a device, at one or more temperatures.
pub struct Sampler {
    inference: Inference,
    /// Gibbs steps taken.
    steps: u32,
    tempering: Tempering,
    /// As the temperatures were last moved.
    swaps: Option<Swaps>,
}

impl Sampler {
    /// Chains that start at these states (chains × visible units, from 0 to 1), at `temperatures` inverse temperatures
    /// between independent units that are on as often as `density` says and the model: 1 is plain Gibbs sampling.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for no chains or no temperature, [`crate::Error::Device`] if there is no room.
    pub fn new(
        mut inference: Inference,
        density: &[f64],
        starts: &[f32],
        temperatures: usize,
    ) -> Result<Self> {
        let chains = starts.len() / inference.shape().visible;
        if chains == 0 {
            return usage!("sampling needs at least 1 chain, found 0");
        }
        if !(1..=1000).contains(&temperatures) {
            return usage!("‹tempered› must be from 1 to 1000 temperatures, found {temperatures}");
        }
        let (model, seed) = (inference.model, inference.seed);
        let backend = &mut *inference.backend;
        let coldest = backend.pair(chains)?;
        let mut tempering = Tempering::new(backend, coldest, chains, temperatures, Streams::SAMPLING)?;
        tempering.restart(backend, model, seed, density);
        tempering.start_at(backend, model, seed, starts)?;
        Ok(Self { inference, steps: 0, tempering, swaps: None })
    }

    /// Takes so many Gibbs steps, each h to v to h, with exchanges between the temperatures before each. Now and then
    /// temperatures are moved to where exchanges are refused.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn advance(&mut self, steps: usize) -> Result<()> {
        let Inference { backend, model, seed, .. } = &mut self.inference;
        let backend = &mut **backend;
        for _ in 0..steps {
            let mut draws = Draws::new(backend.shape(), *seed, self.steps);
            self.tempering.advance(backend, *model, &mut draws, 1);
            backend.submit()?;
            self.steps += 1;
            self.swaps = self.tempering.adapt(backend)?.or(self.swaps.take());
        }
        Ok(())
    }

    /// The chains at temperature 1: p(v|h) of the last step, and the states drawn from it; chains × visible units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn read(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        let coldest = self.tempering.coldest();
        self.inference.backend.read_units(coldest.visible, self.tempering.chains())
    }

    /// The shares of exchanges tried that were made lately, by pairs of neighbouring temperatures, the coldest first.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn exchange_rates(&mut self) -> Result<Vec<f64>> {
        match &self.swaps {
            Some(swaps) => Ok(swaps.acceptance.clone()),
            None => Ok(self.tempering.swaps(&mut *self.inference.backend)?.acceptance),
        }
    }
}
