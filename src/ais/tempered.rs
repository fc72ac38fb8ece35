//! log Z from replicas at several temperatures: Bennett's acceptance ratio from each temperature to the next.
//!
//! With f_β(v,h) = e^(−β U(v,h) + b0ᵀv) as in [`crate::estimator::tempering`], log f is linear in β. So U alone gives a
//! replica's weight at any temperature. For two neighbours, β above β', Bennett (1976, equation 12) solves for the log
//! ratio x of their Z, at which replicas of either are equally likely to be mistaken for the other's:
//!
//! ```text
//! Σ_(v,h) at β'  σ(−(β − β') U − x)  =  Σ_(v,h) at β  σ((β − β') U + x)
//! ```
//!
//! It has the least variance of all estimates from these samples. log Z is the sum of all x from β = 0, where Z is known.
//! Chains are independent of each other. Their deviations, each the sum over all ratios of the chain's contribution (the
//! infinitesimal jackknife; Efron 1982), give the standard error despite correlations within a chain.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{reference::sigmoid, unknown};

/// An estimate and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The estimate.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub log_z: f64,
    /// Standard error, from the variance between chains.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub standard_error: f64,
}

/// U of the replicas, by round.
pub struct Energies {
    /// Inverse temperatures, from 1 downwards.
    pub inverse_temperatures: Vec<f32>,
    /// Replicas at each temperature.
    pub chains: usize,
    /// Temperatures × chains.
    pub rounds: Vec<Vec<f32>>,
}

impl Energies {
    /// log Z from some of the chains; `log_base` is log Z at β = 0.
    pub fn log_z(&self, log_base: f64, chains: Range<usize>) -> Measured {
        let ratios: Vec<_> = (0..self.inverse_temperatures.len())
            .into_par_iter()
            .map(|t| match self.inverse_temperatures.get(t + 1) {
                Some(_) => self.ratio(t, chains.clone()),
                None => self.last_ratio(t, chains.clone()),
            })
            .collect();
        let count = chains.len() as f64;
        let mut deviations = vec![0.0; chains.len()];
        for (_, added) in &ratios {
            deviations.iter_mut().zip(added).for_each(|(deviation, added)| *deviation += added);
        }
        let squares: f64 = deviations.iter().map(|deviation| deviation * deviation).sum();
        Measured {
            log_z: log_base + ratios.iter().map(|(ratio, _)| ratio).sum::<f64>(),
            standard_error: (squares * count / (count - 1.0)).sqrt(),
        }
    }

    fn of(&self, temperature: usize, chain: usize) -> impl Iterator<Item = f64> {
        let at = temperature * self.chains + chain;
        self.rounds.iter().map(move |energies| f64::from(energies[at]))
    }

    /// log Z of a temperature − log Z of the next, and each chain's contribution.
    fn ratio(&self, t: usize, chains: Range<usize>) -> (f64, Vec<f64>) {
        let step = f64::from(self.inverse_temperatures[t]) - f64::from(self.inverse_temperatures[t + 1]);
        let gains: Vec<[Vec<f64>; 2]> = chains
            .map(|chain| [t, t + 1].map(|t| self.of(t, chain).map(|energy| -step * energy).collect()))
            .collect();
        let all = || gains.iter().flatten().flatten().copied();
        // The root lies between the extremes of all replicas.
        let mut low = all().fold(f64::INFINITY, f64::min);
        let mut high = all().fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return (f64::NAN, vec![f64::NAN; gains.len()]);
        }
        // Each chain's right side − left side, and its slope.
        let surpluses = |x: f64| -> Vec<(f64, f64)> {
            let surplus = |[colder, hotter]: &[Vec<f64>; 2]| {
                let (mut surplus, mut slope) = (0.0, 0.0);
                for (gains, sign) in [(hotter, 1.0), (colder, -1.0)] {
                    for gain in gains {
                        let taken = sigmoid(sign * (gain - x));
                        surplus += sign * taken;
                        slope -= taken * (1.0 - taken);
                    }
                }
                (surplus, slope)
            };
            gains.iter().map(surplus).collect()
        };
        // Newton's method, with bisection where it leaves the interval.
        let (mut x, mut parts) = ((low + high) / 2.0, Vec::new());
        for _ in 0..100 {
            parts = surpluses(x);
            let (surplus, slope) =
                parts.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            if surplus > 0.0 {
                low = x
            } else {
                high = x
            }
            let newton = x - surplus / slope;
            let next = if (low..=high).contains(&newton) { newton } else { (low + high) / 2.0 };
            let moved = (next - x).abs();
            x = next;
            if moved < 1e-9 {
                break;
            }
        }
        let slope: f64 = parts.iter().map(|part| part.1).sum();
        (x, parts.iter().map(|part| -part.0 / slope).collect())
    }

    /// log Z of the hottest temperature above 0 − log Z at β = 0: Z_0/Z = E[e^(βU)].
    fn last_ratio(&self, t: usize, chains: Range<usize>) -> (f64, Vec<f64>) {
        let (beta, rounds) = (f64::from(self.inverse_temperatures[t]), self.rounds.len() as f64);
        let means: Vec<f64> = chains
            .map(|chain| self.of(t, chain).map(|energy| (beta * energy).exp()).sum::<f64>() / rounds)
            .collect();
        let count = means.len() as f64;
        let mean = means.iter().sum::<f64>() / count;
        (-mean.ln(), means.iter().map(|part| (1.0 - part / mean) / count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Address, Stream, uniform_at};

    /// Two states, U = 0 and U = −3, sampled exactly at each temperature.
    #[test]
    fn bennetts_ratio_finds_log_z_and_its_error() {
        let inverse_temperatures = vec![1.0_f32, 0.5, 1.0 / 4096.0];
        let (chains, rounds) = (40, 200);
        let exact = (1.0 + 3f64.exp()).ln();
        let mut deviations = Vec::new();
        for seed in 1..=30 {
            let energy = |at: usize, round: usize| {
                let p = 1.0 / (1.0 + (-3.0 * inverse_temperatures[at / chains]).exp());
                let u = uniform_at(seed, Address::new(Stream::Synthetic, round as u32), at as u32, 0);
                if u < p { -3.0 } else { 0.0 }
            };
            let rounds =
                (0..rounds).map(|round| (0..3 * chains).map(|at| energy(at, round)).collect()).collect();
            let energies = Energies { inverse_temperatures: inverse_temperatures.clone(), chains, rounds };
            let found = energies.log_z(2f64.ln(), 0..chains);
            deviations.push((found.log_z - exact) / found.standard_error);
            assert!((found.log_z - exact).abs() < 0.05, "{found:?}, exact {exact}");
        }
        let spread = (deviations.iter().map(|x| x * x).sum::<f64>() / deviations.len() as f64).sqrt();
        assert!((0.7..1.4).contains(&spread), "deviations are {spread} standard errors");
    }
}
