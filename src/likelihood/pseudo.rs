//! The pseudo-likelihood over every unit of every case (Besag 1975, "Statistical analysis of non-lattice data").

mod binary;

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    data::Cases,
    exact::LogSum,
    rbm::{Rbm, Side},
    reference::Potentials,
    units::{Place, Unit},
};

/// Multiplications that the cumulant of a unit of another kind than binary is worth.
const CUMULANT: u64 = 32;
/// Nodes and weights of Gauss and Legendre's rule on [−1, 1], those above 0 (Abramowitz and Stegun, table 25.4, n = 8).
const RULE: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];
/// Parts of an integral below e^−this of the largest add nothing.
const DEEP: f64 = 45.0;
/// The most parts of an integral.
const MOST_PARTS: usize = 100_000;

/// Cases that this many multiplications are enough for.
pub(super) fn affordable(rbm: &Rbm, work: u64) -> u64 {
    let shape = rbm.shape();
    let one = shape.visible as u64 * shape.hidden as u64;
    work / if is_binary(rbm) { one } else { one.saturating_mul(CUMULANT) }
}

fn is_binary(rbm: &Rbm) -> bool {
    rbm.layers().visible.is_binary() && rbm.layers().hidden.is_binary()
}

/// The mean over cases, by their weights, of Σ_i log p(v_i | all other units), i running over the visible units that are not missing
/// in `observed`: the same cases, as they are. Exact over the units, unlike the usual estimate from one random unit per case. For continuous units log p is a
/// log density, by numerical integration to about 1e-9.
pub fn pseudo_log_likelihood(rbm: &Rbm, cases: &Cases, observed: &Cases) -> f64 {
    let has_missing = observed.rows.has_missing();
    if is_binary(rbm) && !has_missing {
        return cases.mean(&binary::pseudo_log_likelihoods(rbm, &cases.rows));
    }
    let conditionals = Conditionals::new(rbm);
    let columns: Vec<usize> = rbm.layers().visible.places().map(|place| place.column).collect();
    let sums = (0..cases.rows.len()).into_par_iter().map(|case| {
        let v: Vec<f64> = cases.rows.values(case).map(f64::from).collect();
        let observed: Vec<f32> = observed.rows.values(case).collect();
        let of_units = conditionals.of_case(&v).zip(&columns);
        of_units.filter(|(_, column)| !observed[**column].is_nan()).map(|(log, _)| log).sum()
    });
    cases.mean(&sums.collect::<Vec<f64>>())
}

/// A unit's mathematics, its parameters, and its columns.
type Own = (&'static dyn Unit, Vec<f64>, Range<usize>);

/// The distributions of each visible unit given all others:
///
/// ```text
/// log p(s | v_−i) = a_i(s) + Σ_j K_j(x_j + (s − v_i) W_i) − log Σ_s′ …,   x = vW
/// ```
pub struct Conditionals<'a> {
    rbm: &'a Rbm,
    visible: Vec<(Place, Own)>,
    hidden: Vec<Own>,
}

impl<'a> Conditionals<'a> {
    /// Of a model.
    pub fn new(rbm: &'a Rbm) -> Self {
        let units = |side| Potentials::of(rbm, side).units().collect::<Vec<_>>();
        let visible = rbm.layers().visible.places().zip(units(Side::Visible)).collect();
        Self { rbm, visible, hidden: units(Side::Hidden) }
    }

    /// log p(v_i | v_−i) of each visible unit.
    pub fn of_case(&self, v: &[f64]) -> impl Iterator<Item = f64> {
        let mut inputs = vec![0.0; self.rbm.shape().hidden];
        for (column, &v) in v.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            self.add(&mut inputs, column, v);
        }
        self.visible.iter().map(move |unit| self.of_unit(unit, v, &inputs)).collect::<Vec<_>>().into_iter()
    }

    fn of_unit(&self, (place, (unit, parameters, columns)): &(Place, Own), v: &[f64], inputs: &[f64]) -> f64 {
        let own = &v[columns.clone()];
        let weight = |state: &[f64]| {
            let mut inputs = inputs.to_vec();
            for ((column, state), own) in columns.clone().zip(state).zip(own) {
                self.add(&mut inputs, column, state - own);
            }
            let cumulants = self.hidden.iter().map(|(unit, own, at)| unit.cumulant(own, &inputs[at.clone()]));
            unit.potential(parameters, state) + cumulants.sum::<f64>()
        };
        let mut all = LogSum::default();
        match place.kind.states() {
            Some(states) => {
                let mut state = vec![0.0; own.len()];
                for number in 0..states {
                    place.kind.state(number, &mut state);
                    all.add(weight(&state));
                }
            }
            None => {
                let steepest =
                    self.weights(columns.start).iter().fold(0.0, |most: f64, w| most.max(w.abs().into()));
                let narrowest = (4.0 / steepest).min(1.0 / place.kind.largest_precision(parameters).sqrt());
                let part = |number: i64| {
                    let (middle, mut sum) = ((number as f64 + 0.5) * narrowest, LogSum::default());
                    for (node, share) in RULE {
                        for node in [-node, node] {
                            let state = [middle + node * narrowest / 2.0];
                            sum.add(weight(&state) + (share * narrowest / 2.0).ln());
                        }
                    }
                    sum.value()
                };
                let first = (own[0] / narrowest).floor() as i64;
                let mut largest = f64::NEG_INFINITY;
                for direction in [1, -1] {
                    let start = if direction == 1 { first } else { first - 1 };
                    for number in (0..MOST_PARTS as i64).map(|step| start + direction * step) {
                        if number < 0 && !place.kind.is_signed() {
                            break;
                        }
                        let log = part(number);
                        all.add(log);
                        largest = largest.max(log);
                        if log < largest - DEEP {
                            break;
                        }
                    }
                }
            }
        }
        weight(own) - all.value()
    }

    /// Adds a change of a visible column to the hidden units' inputs.
    fn add(&self, inputs: &mut [f64], column: usize, change: f64) {
        if change != 0.0 {
            let weights = self.weights(column);
            inputs.iter_mut().zip(weights).for_each(|(input, &w)| *input += change * f64::from(w));
        }
    }

    fn weights(&self, column: usize) -> &[f32] {
        let hidden = self.rbm.shape().hidden;
        &self.rbm.weights()[column * hidden..][..hidden]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::random_model, rbm::Layers, reference::free_energy};

    /// By the free energies of all states of a unit, or by a fine trapezoid rule.
    #[test]
    fn it_is_the_ratio_of_free_energies_for_every_kind() {
        let visible: crate::units::Layer =
            "2 binary, 2 spin, 1 potts:4, 2 gaussian, 1 relu, 1 drelu".parse().unwrap();
        for hidden in ["5 binary", "3 spin, 1 potts:3", "2 gaussian, 2 drelu, 1 relu"] {
            let layers = Layers { visible: visible.clone(), hidden: hidden.parse().unwrap() };
            let rbm = random_model(&layers, 0.3, 5, |x| 1.5 + x.abs());
            let v = [1.0_f32, 0.0, -1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.3, -1.2, 0.7, -0.4];
            let energy = |v: &[f32]| -free_energy(&rbm, 1.0, v);
            let of_case: Vec<f64> = Conditionals::new(&rbm).of_case(&v.map(f64::from)).collect();
            for (place, found) in visible.places().zip(of_case) {
                let (mut all, mut other) = (LogSum::default(), v);
                let columns = place.column..place.column + place.kind.columns();
                match place.kind.states() {
                    Some(states) => (0..states).for_each(|number| {
                        place.kind.state(number, &mut other[columns.clone()]);
                        all.add(energy(&other));
                    }),
                    None => {
                        let step = 1.0 / 512.0;
                        for at in -20 * 512..20 * 512 {
                            // The middle of each step, so that 0 is an edge.
                            other[place.column] = (at as f32 + 0.5) * step;
                            if other[place.column] > 0.0 || place.kind.is_signed() {
                                all.add(energy(&other) + f64::from(step).ln());
                            }
                        }
                    }
                }
                let expected = energy(&v) - all.value();
                assert!((found - expected).abs() < 1e-5, "{hidden}, {}: {found}, {expected}", place.kind);
            }
        }
    }
}
