//! Scores of cases: F(v), log p(v), and how unusual a case is among those that the model has not learnt from.
//!
//! A free energy alone has no threshold: log p(v) = −F(v) − log Z needs log Z, and a likelihood depends on the number of units. The
//! share of held-out cases that are less likely needs neither: if a case is of the same kind as those, it is uniform on [0, 1], so a
//! threshold of 0.01 flags one ordinary case in a hundred.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    ais::Progress,
    backend::{BackendExt, DeviceInfo},
    base::Base,
    data::{Cases, Dataset, Source},
    device::{self, Footprint},
    error::Result,
    likelihood::{EvalOptions, Evaluator, LogZ, evaluate},
    model::{self, DataOptions},
};

/// The scores of cases, and what they are compared with.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// The model's file.
    #[serde(serialize_with = "crate::output::lossy::path")]
    pub model: PathBuf,
    /// The cases that were scored.
    pub data: String,
    /// The data set whose held-out cases they are compared with.
    pub reference: String,
    /// Which of its cases: `test cases`, `validation cases` or `the training cases`.
    pub held_out: &'static str,
    /// How many.
    pub held_out_cases: usize,
    /// The device.
    pub device: DeviceInfo,
    /// log Z, unless it was not asked for.
    pub log_z: Option<LogZ>,
    /// Whether values are missing: scores are then of what was observed.
    pub has_missing: bool,
    /// The cases, in the order of the file.
    pub cases: Vec<Score>,
}

/// The score of a case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// F(v), of the numbers in the file.
    pub free_energy: f64,
    /// log p(v), if log Z is known.
    pub log_likelihood: Option<f64>,
    /// With the upper bound of log Z.
    pub log_likelihood_low: Option<f64>,
    /// With the lower bound of log Z.
    pub log_likelihood_high: Option<f64>,
    /// The share of held-out cases that are less likely; of equally likely ones, half.
    pub quantile: f64,
}

/// Scores the cases of `source`. Without `with_log_z`, log p(v) stays unknown, which is much faster for a large model. `begin` is that of
/// [`evaluate`].
///
/// # Errors
/// Those of [`evaluate`], and of data that don't fit the model.
pub fn score(
    options: &EvalOptions,
    source: &Source,
    with_log_z: bool,
    begin: impl FnOnce(u64) -> Progress,
) -> Result<Scores> {
    let stored = model::open(&options.model)?;
    let rbm = &stored.rbm;
    let (reference, compared) = options.data.load(&stored)?;
    let compared = compared.binarize(options.binarize, options.seed);
    let of_cases = DataOptions { data: Some(source.clone()), ..options.data.clone() };
    let (_, scored) = of_cases.load(&stored)?;
    let scored = scored.binarize(options.binarize, options.seed).train;
    let log_z = match with_log_z {
        true => Some(evaluate(options, begin)?.likelihood.log_z),
        false => None,
    };
    let base = Base::new(rbm.layers(), compared.train.marginals());
    let known = compared.held_out();
    // Both are packed alike, so that they take one way.
    let (mut both, scored) = match known.rows.layout() == scored.rows.layout() {
        true => (known.rows.clone(), scored.rows),
        false => (known.rows.clone().into_floats(), scored.rows.into_floats()),
    };
    both.append(scored);
    let both = Dataset { encoding: stored.encoding.clone(), ..Dataset::new(compared.image, both) };
    let footprint = Footprint::planned(rbm.layers(), |memory| {
        memory.model()?;
        Evaluator::new(memory, None, &both).map(drop)
    })?;
    let (_, mut backend) = device::open(&options.device, &footprint.of_model())?;
    let model = backend.model_of(rbm)?;
    let evaluator = Evaluator::new(&mut *backend, None, &both)?;
    let energies = evaluator.energies(&mut *backend, (model, &base), &both.train, &stored.encoding)?;
    let (of_known, of_scored) = energies.split_at(known.rows.len());
    let ranks = Ranks::of(known, of_known);
    let bounds = log_z.as_ref().map(|log_z| [log_z.log_z, log_z.log_z_high, log_z.log_z_low]);
    let cases = of_scored.iter().map(|&free_energy| {
        let with = |number: usize| bounds.map(|bounds| -free_energy - bounds[number]);
        Score {
            free_energy,
            log_likelihood: with(0),
            log_likelihood_low: with(1),
            log_likelihood_high: with(2),
            quantile: ranks.quantile(free_energy),
        }
    });
    Ok(Scores {
        model: stored.path.clone(),
        data: source.to_string(),
        reference: reference.to_string(),
        held_out: compared.held_out_name(),
        held_out_cases: known.rows.len(),
        device: backend.info().clone(),
        has_missing: both.has_missing(),
        cases: cases.collect(),
        log_z,
    })
}

/// Sorted free energies, with the weight of all cases up to each.
struct Ranks {
    energies: Vec<f64>,
    weights: Vec<f64>,
}

impl Ranks {
    fn of(cases: &Cases, energies: &[f64]) -> Self {
        let weight = |case: usize| cases.weights.as_ref().map_or(1.0, |weights| f64::from(weights[case]));
        let mut sorted: Vec<(f64, f64)> =
            energies.iter().enumerate().map(|(case, &energy)| (energy, weight(case))).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        let weights = sorted.iter().map(|(_, weight)| {
            sum += weight;
            sum
        });
        Self { weights: weights.collect(), energies: sorted.into_iter().map(|(energy, _)| energy).collect() }
    }

    /// The share with a larger free energy, and half of those with the same.
    fn quantile(&self, energy: f64) -> f64 {
        let below = |is_before: fn(&f64, f64) -> bool| {
            let at = self.energies.partition_point(|other| is_before(other, energy));
            if at == 0 { 0.0 } else { self.weights[at - 1] }
        };
        let (smaller, not_larger) =
            (below(|other, energy| *other < energy), below(|other, energy| *other <= energy));
        let all = self.weights.last().copied().unwrap_or(f64::NAN);
        1.0 - (smaller + not_larger) / (2.0 * all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;

    #[test]
    fn a_quantile_is_the_share_of_less_likely_cases() {
        let cases = Cases::from(Rows::from_bits(1, &[true; 4]));
        let ranks = Ranks::of(&cases, &[3.0, 1.0, 2.0, 2.0]);
        for (energy, expected) in
            [(0.0, 1.0), (1.0, 0.875), (1.5, 0.75), (2.0, 0.5), (3.0, 0.125), (4.0, 0.0)]
        {
            assert_eq!(ranks.quantile(energy), expected, "{energy}");
        }
        let weighted = Cases { weights: Some(vec![3.0, 1.0, 0.0, 0.0]), ..cases };
        assert_eq!(Ranks::of(&weighted, &[3.0, 1.0, 2.0, 2.0]).quantile(2.0), 0.75);
    }
}
