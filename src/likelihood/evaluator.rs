//! Computes all figures of a model on a device, including log Z.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use super::{
    Likelihood, LogZ,
    observed::{self, Effort, Observed},
    pseudo,
};
use crate::{
    ais::{AisOptions, Annealer, Progress, Tracker},
    backend::{
        Backend, BackendExt, Data, Draw, FreeEnergy, Gather, HalfStep, Memory, Model, Pair, SquaredError,
        Units, Values,
    },
    base::Base,
    completion::Completion,
    data::{Cases, Dataset, Encoding, Rows},
    error::{Result, usage},
    exact::{self, LogSum},
    rbm::{Rbm, Side},
};

/// Cases per upload to the device.
const PART: usize = 512;
/// Multiplications for the pseudo-likelihood: seconds on two cores. A large model uses fewer cases.
const PSEUDO_WORK: u64 = 8_000_000_000;

/// Effort for the missing values of a case.
const EFFORT: Effort = Effort { chains: 10, temperatures: 30 };
/// The seed of what takes the place of missing values where chains start.
const START: u64 = 1;

/// log Σ e^(−F) over cases, counting duplicates once: a lower bound of log Z where the visible units are discrete.
#[derive(Default)]
struct DistinctCases<'a> {
    seen: HashSet<Cow<'a, [u32]>>,
    mass: LogSum,
}

impl<'a> DistinctCases<'a> {
    fn add(&mut self, case: Cow<'a, [u32]>, free_energy: f64) {
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
    /// For missing values, if there are any.
    observed: Option<Observed>,
    /// Its effort for a case.
    pub(super) effort: Effort,
    /// The number of the next look, for a tracked log Z.
    pub(super) look: usize,
    pub(super) pseudo_work: u64,
}

impl Evaluator {
    /// Allocates beside the model, for data as these. Without options for annealed importance sampling, log Z is found by enumeration.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room, [`crate::Error::Usage`] for options out of range.
    pub fn new(memory: &mut dyn Memory, ais: Option<AisOptions>, dataset: &Dataset) -> Result<Self> {
        let finder = match ais {
            None => Finder::Enumeration,
            Some(options) => Finder::Annealer(Box::new(Annealer::new(memory, options)?)),
        };
        Self::with(memory, finder, dataset)
    }

    /// Allocates for a model that changes little between evaluations, whose log Z is tracked ([`Tracker`]).
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room.
    pub fn tracking(memory: &mut dyn Memory, dataset: &Dataset) -> Result<Self> {
        let finder = Finder::Tracker(Box::new(Tracker::new(memory, dataset.train.marginals())?));
        Self::with(memory, finder, dataset)
    }

    fn with(memory: &mut dyn Memory, finder: Finder, dataset: &Dataset) -> Result<Self> {
        let observed = dataset.has_missing().then(|| Observed::new(memory, PART)).transpose()?;
        Ok(Self {
            observed,
            effort: EFFORT,
            data: memory.data(dataset.train.rows.layout(), PART)?,
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
    /// densities of the numbers in the file. Where values are missing, likelihoods are of the observed part of a case, by annealing; a
    /// pseudo-likelihood is of the observed units, given a sample of the missing ones.
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
        let base = Base::new(rbm.layers(), train.marginals());
        if let Some(observed) = &self.observed {
            observed.start(backend, &base);
        }
        let of = (model, &base);
        let mut cases = DistinctCases::default();
        let train_energy = self.free_energy(backend, of, train, &mut cases)?;
        let test_energy = test.map(|test| self.free_energy(backend, of, test, &mut cases)).transpose()?;
        let is_discrete = rbm.layers().visible.blocks().iter().all(|block| block.kind.states().is_some());
        let mass = if is_discrete { cases.mass.value() } else { f64::NAN };
        let held_out = dataset.held_out();
        let reconstruction_error = self.reconstruction_error(backend, model, held_out)?;
        let cases = pseudo::affordable(rbm, self.pseudo_work).clamp(1, held_out.rows.len() as u64) as usize;
        let first = held_out.select(&(0..cases).collect::<Vec<_>>());
        let completed = self.completed(backend, model, &first)?;
        let pseudo_log_likelihood = pseudo::pseudo_log_likelihood(rbm, &completed, &first);

        // Chains may start anywhere.
        let starts = base.filled(&train.rows, START);
        let mut log_z = match &mut self.finder {
            Finder::Enumeration => LogZ::exact(exact::log_partition_function(rbm)?, mass),
            Finder::Annealer(annealer) => {
                LogZ::estimated(annealer.run(backend, model, &base, &starts)?, mass)
            }
            Finder::Tracker(tracker) => LogZ::tracked(tracker.look(backend, model, self.look)?, mass),
        };
        let figures = [train_energy, test_energy.unwrap_or(0.0), pseudo_log_likelihood, reconstruction_error];
        if log_z.reliable && figures.iter().any(|figure| !figure.is_finite()) {
            log_z.reliable = false;
            log_z.reason = Some("a free energy is not a finite number: the parameters are too large".into());
        }
        let volume = |cases: &Cases| match dataset.encoding.deviations.is_empty() {
            true => 0.0,
            false => cases.mean(&observed::log_volumes(&dataset.encoding, &cases.rows)),
        };
        let train_volume = volume(train);
        let of = |energy: f64, log_z: f64| -energy - log_z - train_volume;
        let test_part = test.zip(test_energy).map(|(test, energy)| energy + volume(test));
        let of_test = |log_z: f64| test_part.map(|energy| -energy - log_z);
        let pseudo_log_likelihood = pseudo_log_likelihood - volume(&first);
        Ok(Likelihood {
            train_log_likelihood: of(train_energy, log_z.log_z),
            train_log_likelihood_low: of(train_energy, log_z.log_z_high),
            train_log_likelihood_high: of(train_energy, log_z.log_z_low),
            test_log_likelihood: of_test(log_z.log_z),
            test_log_likelihood_low: of_test(log_z.log_z_high),
            test_log_likelihood_high: of_test(log_z.log_z_low),
            free_energy_gap: test_energy.map(|energy| train_energy - energy),
            pseudo_log_likelihood,
            pseudo_log_likelihood_per_unit: pseudo_log_likelihood / rbm.layers().visible.units() as f64,
            pseudo_log_likelihood_cases: cases,
            reconstruction_error,
            log_z,
        })
    }

    /// F(v) of each case, of its observed part if values are missing, less log |d(file's numbers)/d(units)|: −log p(v) − log Z of the
    /// numbers in the file. `base` has the moments of the training cases. The cases are packed as the data that the buffers were
    /// allocated for.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn energies(
        &self,
        backend: &mut dyn Backend,
        of: (Model, &Base),
        cases: &Cases,
        encoding: &Encoding,
    ) -> Result<Vec<f64>> {
        backend.write_order(self.data, &(0..PART as u32).collect::<Vec<_>>());
        if let Some(observed) = &self.observed {
            observed.start(backend, of.1);
        }
        let mut energies = self.free_energies(backend, of, &cases.rows, |_, _| {})?;
        let volumes = observed::log_volumes(encoding, &cases.rows);
        energies.iter_mut().zip(volumes).for_each(|(energy, volume)| *energy += volume);
        Ok(energies)
    }

    /// Uploads the cases in parts, with missing values sampled; `work` gets the numbers of the cases in each.
    fn parts(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        rows: &Rows,
        mut work: impl FnMut(&mut dyn Backend, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        for (part, (cases, words)) in rows.parts(PART).enumerate() {
            let first = part * PART;
            backend.write_data(self.data, &words);
            let completion = self.observed.as_ref().map(Observed::completion);
            let gathered = completion.map_or(self.visible, Completion::observed);
            backend.gather(&Gather::new(rows.layout(), cases), self.data, gathered);
            if let Some(completion) = completion {
                completion.show(backend, model, self.pair(), (first, cases), 0);
            }
            work(backend, first..first + cases)?;
        }
        Ok(())
    }

    fn pair(&self) -> Pair {
        Pair { visible: self.visible, hidden: self.hidden }
    }

    /// The cases with missing values sampled.
    fn completed(&self, backend: &mut dyn Backend, model: Model, cases: &Cases) -> Result<Cases> {
        if self.observed.is_none() {
            return Ok(cases.clone());
        }
        let mut states = Vec::new();
        self.parts(backend, model, &cases.rows, |backend, part| {
            states.extend(backend.read_units(self.visible, part.len())?.1);
            Ok(())
        })?;
        Ok(Cases { rows: Rows::from_values(cases.rows.layout().units, &states), ..cases.clone() })
    }

    /// The mean of F(v). Adds to the mass of the distinct cases.
    fn free_energy<'a>(
        &self,
        backend: &mut dyn Backend,
        of: (Model, &Base),
        cases: &'a Cases,
        distinct: &mut DistinctCases<'a>,
    ) -> Result<f64> {
        let has_missing = self.observed.is_some();
        let energies = self.free_energies(backend, of, &cases.rows, |case, energy| {
            if !has_missing {
                distinct.add(cases.rows.key(case), energy);
            }
        })?;
        Ok(cases.mean(&energies))
    }

    /// F(v) of each case, of its observed part if values are missing; `see` gets each with the case's number.
    fn free_energies(
        &self,
        backend: &mut dyn Backend,
        (model, base): (Model, &Base),
        rows: &Rows,
        mut see: impl FnMut(usize, f64),
    ) -> Result<Vec<f64>> {
        let mut energies = Vec::with_capacity(rows.len());
        self.parts(backend, model, rows, |backend, part| {
            let of_part = match &self.observed {
                Some(observed) => {
                    observed.free_energies(backend, (model, base), self.pair(), (rows, part), self.effort)?
                }
                None => {
                    let op = FreeEnergy::new(part.len());
                    backend.free_energy(&op, model.into(), self.visible, self.values);
                    let energies = backend.read_values(self.values, part.len())?;
                    energies.into_iter().map(f64::from).collect()
                }
            };
            of_part.iter().zip(energies.len()..).for_each(|(&energy, case)| see(case, energy));
            energies.extend(of_part);
            Ok(())
        })?;
        Ok(energies)
    }

    fn reconstruction_error(&self, backend: &mut dyn Backend, model: Model, cases: &Cases) -> Result<f64> {
        let mut errors = Vec::with_capacity(cases.rows.len());
        self.parts(backend, model, &cases.rows, |backend, part| {
            let count = part.len();
            let means = HalfStep::new(count, Draw::none());
            backend.sample(&means, model.into(), self.visible, self.hidden);
            backend.sample(&means, model.into(), self.hidden, self.reconstruction);
            if let Some(observed) = &self.observed {
                observed.completion().forgive(backend, count, self.reconstruction, self.visible);
            }
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
            cases.add(case.into(), free_energy);
        }
        let expected = (3f64.exp() + 2f64.exp()).ln();
        assert!((cases.mass.value() - expected).abs() < 1e-12, "{}", cases.mass.value());
    }
}
