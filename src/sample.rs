//! Fantasy particles: Gibbs chains that forget where they started, and so show the model's distribution.
//!
//! If modes are far apart, a chain stays in one. Parallel tempering ([`crate::estimator::tempering`]) gives each chain a
//! replica at each of several inverse temperatures, from 0, independent units with the data's means, to 1, the model.
//! Neighbours swap their states, so that modes found at high temperatures reach β = 1.

use crate::{
    backend::BackendExt,
    base::Base,
    error::{Result, usage},
    estimator::{
        Draws,
        tempering::{Streams, Swaps, Tempering},
    },
    inference::Inference,
    rbm::{Layers, Side},
    rng::{Address, Stream},
};

/// Start states of chains. Data are spread evenly over the training cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Start {
    /// Visible units without an inclination: binary ones are on with probability 1/2.
    Random,
    /// Training cases.
    Data,
    /// The mean of the training cases.
    Mean,
}

/// Visible states of units without an inclination, chains × columns: for binary units fair coins.
pub fn random_starts(layers: &Layers, chains: usize, seed: u64) -> Vec<f32> {
    Base::neutral(layers).draw(seed, Address::new(Stream::Chains, 0), 0, chains)
}

/// Units of a layer that keep their states, chains × columns each.
#[derive(Clone, Debug, PartialEq)]
pub struct Clamped {
    /// The layer.
    pub layer: Side,
    /// Their states; of other units anything.
    pub known: Vec<f32>,
    /// Not 0 for those units.
    pub mask: Vec<f32>,
}

/// Chains on a device, at one or more temperatures.
pub struct Sampler {
    inference: Inference,
    /// Gibbs steps so far.
    steps: u32,
    tempering: Tempering,
    /// Swap rates when the temperatures last moved.
    swaps: Option<Swaps>,
}

impl Sampler {
    /// Starts chains at these states (chains × visible units, from 0 to 1). `temperatures` inverse temperatures lead from
    /// the independent units of `base` to the model; 1 is plain Gibbs sampling.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if there are no chains or no temperature, [`crate::Error::Device`] if there is no room.
    pub fn new(inference: Inference, base: &Base, starts: &[f32], temperatures: usize) -> Result<Self> {
        Self::clamped(inference, base, starts, temperatures, &[])
    }

    /// [`Sampler::new`] with units that keep their states.
    ///
    /// # Errors
    /// Those of [`Sampler::new`].
    pub fn clamped(
        mut inference: Inference,
        base: &Base,
        starts: &[f32],
        temperatures: usize,
        clamps: &[Clamped],
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
        for Clamped { layer, known, mask } in clamps {
            tempering.clamp(backend, *layer, known, mask)?;
        }
        tempering.restart(backend, model, seed, base);
        tempering.start_at(backend, model, seed, starts)?;
        Ok(Self { inference, steps: 0, tempering, swaps: None })
    }

    /// Takes Gibbs steps, each h to v to h, with swaps between temperatures before each. Sometimes moves the temperatures
    /// towards pairs with few swaps.
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

    /// The chains at β = 1: p(v|h) of the last step, and the states drawn from it, each chains × visible units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn read(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        let coldest = self.tempering.coldest();
        self.inference.backend.read_units(coldest.visible, self.tempering.chains())
    }

    /// Recent swap rates, by pairs of neighbouring temperatures, coldest first.
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
