//! Weighted chains: their effective sample size, and resampling.

use super::Estimate;

/// Annealed chains. When their weights become uneven they are resampled, and weigh the same again (Del Moral, Doucet and
/// Jasra 2006, section 3.1.1). The estimate stays unbiased.
pub struct Population {
    /// log w of each chain since the last resampling.
    log_weights: Vec<f64>,
    /// The initial chain that each descends from.
    ancestors: Vec<usize>,
    /// log of the mean weight up to the last resampling.
    log_mean: f64,
}

impl Population {
    pub fn new(chains: usize) -> Self {
        Self { log_weights: vec![0.0; chains], ancestors: (0..chains).collect(), log_mean: 0.0 }
    }

    /// Adds to each chain's log w.
    pub fn weigh(&mut self, added: impl Iterator<Item = f64>) {
        self.log_weights.iter_mut().zip(added).for_each(|(log_weight, added)| *log_weight += added);
    }

    /// Each chain's fraction of the weight, and the log of the mean weight.
    fn shares(&self) -> (Vec<f64>, f64) {
        let largest = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> =
            self.log_weights.iter().map(|log_weight| (log_weight - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let log_mean = self.log_mean + largest + (sum / weights.len() as f64).ln();
        (weights.into_iter().map(|weight| weight / sum).collect(), log_mean)
    }

    /// Resamples systematically (Kitagawa 1996) from one uniform number if the effective sample size is below half of the
    /// chains (Kong 1992). Returns the chains drawn.
    pub fn resample(&mut self, uniform: f64) -> Option<Vec<usize>> {
        let chains = self.log_weights.len();
        let (shares, log_mean) = self.shares();
        let worth = 1.0 / shares.iter().map(|share| share * share).sum::<f64>();
        // NaN passes: `estimate` reports it.
        if worth.is_nan() || worth >= chains as f64 / 2.0 {
            return None;
        }
        let (mut chain, mut passed) = (0, shares[0]);
        let drawn: Vec<usize> = (0..chains)
            .map(|number| {
                while passed < (number as f64 + uniform) / chains as f64 && chain + 1 < chains {
                    chain += 1;
                    passed += shares[chain];
                }
                chain
            })
            .collect();
        self.ancestors = drawn.iter().map(|&chain| self.ancestors[chain]).collect();
        self.log_weights.fill(0.0);
        self.log_mean = log_mean;
        Some(drawn)
    }

    /// log Z at the end; `sign` is −1 where w estimates 1/Z. Chains with a common ancestor are dependent, so the variance
    /// is that of the weights of families (Chan and Lai 2013; Lee and Whiteley 2018).
    pub fn estimate(&self, log_base: f64, sign: f64) -> Estimate {
        self.estimate_where(log_base, sign, |_| true)
    }

    /// log Z from the chains that count; the others get weight 0. If only chains that ended in one cell count, this is the
    /// log mass of the cell.
    pub fn estimate_where(&self, log_base: f64, sign: f64, counts: impl Fn(usize) -> bool) -> Estimate {
        let count = self.log_weights.len() as f64;
        let (shares, log_mean) = self.shares();
        let mut families = vec![0.0; shares.len()];
        for (chain, (&ancestor, share)) in self.ancestors.iter().zip(shares).enumerate() {
            if counts(chain) {
                families[ancestor] += share;
            }
        }
        let sum: f64 = families.iter().sum();
        let squares = families.iter().map(|share| share * share).sum::<f64>() / (sum * sum);
        Estimate {
            log_z: log_base + sign * (log_mean + sum.ln()),
            // Standard error of the log of a mean: the relative standard error of the mean.
            standard_error: ((squares - 1.0 / count).max(0.0) * count / (count - 1.0)).sqrt(),
            effective_chains: 1.0 / squares,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_drawn_by_weight_and_the_estimate_stays() {
        let mut population = Population::new(4);
        population.weigh([0.0, 4f64.ln(), f64::NEG_INFINITY, f64::NEG_INFINITY].into_iter());
        let before = population.estimate(1.0, 1.0);
        assert!((before.log_z - (1.0 + 1.25_f64.ln())).abs() < 1e-12, "{before:?}");
        assert_eq!(population.resample(0.5), Some(vec![0, 1, 1, 1]));
        let after = population.estimate(1.0, 1.0);
        assert!((after.log_z - before.log_z).abs() < 1e-12, "{after:?}");
        // Three of one family and one of another: (1/4)² + (3/4)².
        assert!((after.effective_chains - 1.6).abs() < 1e-12, "{after:?}");
        assert_eq!(population.resample(0.5), None, "chains of equal weights stay");
        // Alone, the first weighed 1 of 5; by chance it now weighs 1 of 4.
        let part = population.estimate_where(1.0, 1.0, |chain| chain == 0);
        assert!((part.log_z - (before.log_z - 4f64.ln())).abs() < 1e-12, "{part:?}");
        assert!((part.effective_chains - 1.0).abs() < 1e-12, "{part:?}");
        let nothing = population.estimate_where(1.0, 1.0, |_| false);
        assert_eq!(nothing.log_z, f64::NEG_INFINITY, "{nothing:?}");
        assert!((population.estimate(1.0, -1.0).log_z - (2.0 - before.log_z)).abs() < 1e-12);
    }
}
