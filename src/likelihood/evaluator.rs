//! Computes all figures of a model on a device, including log Z.

use std::collections::HashSet;

use super::{Likelihood, LogZ, pseudo};
use crate::{
    ais::{AisOptions, Annealer, Progress, Tracker},
    backend::{
        Backend, BackendExt, Data, Draw, FreeEnergy, Gather, HalfStep, Memory, Model, SquaredError, Units,
        Values,
    },
    base::Base,
    data::{Cases, Dataset, RowLayout, Rows},
    error::{Result, usage},
    exact::{self, LogSum},
    rbm::{Rbm, Side},
};

/// Cases per upload to the device.
const PART: usize = 512;
/// Multiplications for the pseudo-likelihood: seconds on two cores. A large model uses fewer cases.
const PSEUDO_WORK: u64 = 8_000_000_000;

/// log Σ e^(−F) over cases, counting duplicates once: a lower bound of log Z where the visible units are discrete.
#[derive(Default)]
struct DistinctCases<'a> {
    seen: HashSet<&'a [u32]>,
    mass: LogSum,
}

impl<'a> DistinctCases<'a> {
    fn add(&mut self, case: &'a [u32], free_energy: f64) {
        if self.seen.insert(case) {
            self.mass.add(-free_energy);
        }
    }
}

/// The method to find log Z.
pub(super) enum Finder {
    Enumeration,
    Annealer(Box<Annealer>),
    Tracker(Box<Tracker>),
}

/// Buffers on a device that holds a model; reusable, also during training.
pub struct Evaluator {
    data: Data,
    visible: Units,
    hidden: Units,
    reconstruction: Units,
    values: Values,
    pub(super) finder: Finder,
    /// The number of the next look, for a tracked log Z.
    pub(super) look: usize,
    pub(super) pseudo_work: u64,
}

impl Evaluator {
    /// Allocates beside the model, for cases of this layout. Without options for annealed importance sampling, log Z is found by enumeration.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room, [`crate::Error::Usage`] for options out of range.
    pub fn new(memory: &mut dyn Memory, ais: Option<AisOptions>, layout: RowLayout) -> Result<Self> {
        let finder = match ais {
            None => Finder::Enumeration,
            Some(options) => Finder::Annealer(Box::new(Annealer::new(memory, options)?)),
        };
        Self::with(memory, finder, layout)
    }

    /// Allocates for a model that changes little between evaluations, whose log Z is tracked ([`Tracker`]).
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room.
    pub fn tracking(memory: &mut dyn Memory, data: &Cases) -> Result<Self> {
        let finder = Finder::Tracker(Box::new(Tracker::new(memory, data.marginals())?));
        Self::with(memory, finder, data.rows.layout())
    }

    fn with(memory: &mut dyn Memory, finder: Finder, layout: RowLayout) -> Result<Self> {
        Ok(Self {
            data: memory.data(layout, PART)?,
            visible: memory.units(Side::Visible, PART)?,
            hidden: memory.units(Side::Hidden, PART)?,
            reconstruction: memory.units(Side::Visible, PART)?,
            values: memory.values(PART)?,
            finder,
            look: 0,
            pseudo_work: PSEUDO_WORK,
        })
    }

    /// Reports Gibbs steps of log Z's estimates to `progress` from now on.
    pub fn set_progress(&mut self, progress: Progress) {
        if let Finder::Annealer(annealer) = &mut self.finder {
            annealer.set_progress(progress);
        }
    }

    /// All figures of `rbm`, which is the `model` on the device, on data that are states of its visible units: binary ones
    /// have been thresholded or sampled ([`Dataset::threshold`], [`Dataset::sample`]). Likelihoods of continuous units are
    /// densities of the numbers in the file.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for other data, or a model that can't be enumerated or has no normalisation;
    /// [`crate::Error::Device`].
    pub fn run(
        &mut self,
        backend: &mut dyn Backend,
        model: Model,
        rbm: &Rbm,
        dataset: &Dataset,
    ) -> Result<Likelihood> {
        let (train, test) = (&dataset.train, dataset.test.as_ref());
        if dataset.encoding.layer.is_binary() && !dataset.is_binary() {
            return usage!("a likelihood needs binary data; threshold or sample the data first");
        }
        exact::check_normalisation(rbm)?;
        backend.write_order(self.data, &(0..PART as u32).collect::<Vec<_>>());
        let mut cases = DistinctCases::default();
        let train_energy = self.free_energy(backend, model, train, &mut cases)?;
        let test_energy = test.map(|test| self.free_energy(backend, model, test, &mut cases)).transpose()?;
        let is_discrete = rbm.layers().visible.blocks().iter().all(|block| block.kind.states().is_some());
        let mass = if is_discrete { cases.mass.value() } else { f64::NAN };
        let held_out = dataset.held_out();
        let reconstruction_error = self.reconstruction_error(backend, model, held_out)?;
        let cases = pseudo::affordable(rbm, self.pseudo_work).clamp(1, held_out.rows.len() as u64) as usize;
        let pseudo_log_likelihood = pseudo::pseudo_log_likelihood(rbm, held_out, cases);

        let base = || Base::new(rbm.layers(), train.marginals());
        let mut log_z = match &mut self.finder {
            Finder::Enumeration => LogZ::exact(exact::log_partition_function(rbm)?, mass),
            Finder::Annealer(annealer) => {
                LogZ::estimated(annealer.run(backend, model, &base(), &train.rows)?, mass)
            }
            Finder::Tracker(tracker) => LogZ::tracked(tracker.look(backend, model, self.look)?, mass),
        };
        let figures = [train_energy, test_energy.unwrap_or(0.0), pseudo_log_likelihood, reconstruction_error];
        if log_z.reliable && figures.iter().any(|figure| !figure.is_finite()) {
            log_z.reliable = false;
            log_z.reason = Some("a free energy is not a finite number: the parameters are too large".into());
        }
        let volume = dataset.encoding.log_volume();
        let of = |energy: f64, log_z: f64| -energy - log_z - volume;
        let of_test = |log_z: f64| test_energy.map(|energy| of(energy, log_z));
        Ok(Likelihood {
            train_log_likelihood: of(train_energy, log_z.log_z),
            train_log_likelihood_low: of(train_energy, log_z.log_z_high),
            train_log_likelihood_high: of(train_energy, log_z.log_z_low),
            test_log_likelihood: of_test(log_z.log_z),
            test_log_likelihood_low: of_test(log_z.log_z_high),
            test_log_likelihood_high: of_test(log_z.log_z_low),
            free_energy_gap: test_energy.map(|energy| train_energy - energy),
            pseudo_log_likelihood: pseudo_log_likelihood - volume,
            pseudo_log_likelihood_per_unit: (pseudo_log_likelihood - volume)
                / rbm.layers().visible.units() as f64,
            pseudo_log_likelihood_cases: cases,
            reconstruction_error,
            log_z,
        })
    }

    /// Uploads the cases in parts; `work` gets the number of cases in each.
    fn parts(
        &self,
        backend: &mut dyn Backend,
        rows: &Rows,
        mut work: impl FnMut(&mut dyn Backend, usize) -> Result<()>,
    ) -> Result<()> {
        let (layout, width) = (rows.layout(), rows.layout().words());
        for words in rows.words().chunks(PART * width) {
            let cases = words.len() / width;
            backend.write_data(self.data, words);
            backend.gather(&Gather::new(layout, cases), self.data, self.visible);
            work(backend, cases)?;
        }
        Ok(())
    }

    /// The mean of F(v). Adds to the mass of the distinct cases.
    fn free_energy<'a>(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        cases: &'a Cases,
        distinct: &mut DistinctCases<'a>,
    ) -> Result<f64> {
        let mut energies = Vec::with_capacity(cases.rows.len());
        self.parts(backend, &cases.rows, |backend, count| {
            backend.free_energy(&FreeEnergy::new(count), model.into(), self.visible, self.values);
            for energy in backend.read_values(self.values, count)?.into_iter().map(f64::from) {
                distinct.add(cases.rows.row(energies.len()), energy);
                energies.push(energy);
            }
            Ok(())
        })?;
        Ok(cases.mean(&energies))
    }

    fn reconstruction_error(&self, backend: &mut dyn Backend, model: Model, cases: &Cases) -> Result<f64> {
        let mut errors = Vec::with_capacity(cases.rows.len());
        self.parts(backend, &cases.rows, |backend, count| {
            let means = HalfStep::new(count, Draw::none());
            backend.sample(&means, model.into(), self.visible, self.hidden);
            backend.sample(&means, model.into(), self.hidden, self.reconstruction);
            let op = SquaredError { rows: count as u32 };
            backend.write_values(self.values, &[0.0; PART]);
            backend.squared_error(&op, self.visible, self.reconstruction, self.values);
            errors.extend(backend.read_values(self.values, count)?.into_iter().map(f64::from));
            Ok(())
        })?;
        Ok(cases.mean(&errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_that_are_met_again_count_once() {
        let rows = [[1, 2], [1, 3], [1, 2]];
        let mut cases = DistinctCases::default();
        for (case, free_energy) in rows.iter().zip([-3.0, -2.0, -3.0]) {
            cases.add(case, free_energy);
        }
        let expected = (3f64.exp() + 2f64.exp()).ln();
        assert!((cases.mass.value() - expected).abs() < 1e-12, "{}", cases.mass.value());
    }
}
