//! Chains with weights: what they are worth, and how those that have come to weigh little are replaced by others.

use super::Estimate;

/// Annealed chains. Where their weights have become uneven, chains are drawn anew by them, and all weigh the same again
/// (Del Moral, Doucet and Jasra 2006, section 3.1.1): the estimate stays unbiased.
pub struct Population {
    /// Of each chain since chains were last drawn.
    log_weights: Vec<f64>,
    /// Which chain of the beginning each comes from.
    ancestors: Vec<usize>,
    /// The logarithm of the mean weight up to then.
    log_mean: f64,
}

impl Population {
    pub fn new(chains: usize) -> Self {
        Self { log_weights: vec![0.0; chains], ancestors: (0..chains).collect(), log_mean: 0.0 }
    }

    /// Adds to the chains' log w.
    pub fn weigh(&mut self, added: impl Iterator<Item = f64>) {
        self.log_weights.iter_mut().zip(added).for_each(|(log_weight, added)| *log_weight += added);
    }

    /// Each chain's share of all weight, and the logarithm of the mean weight.
    fn shares(&self) -> (Vec<f64>, f64) {
        let largest = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> =
            self.log_weights.iter().map(|log_weight| (log_weight - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let log_mean = self.log_mean + largest + (sum / weights.len() as f64).ln();
        (weights.into_iter().map(|weight| weight / sum).collect(), log_mean)
    }

    /// Where the chains are worth less than half of them (Kong 1992), draws each as often as its weight says (systematic
    /// resampling; Kitagawa 1996), by a uniform number, and gives which ones.
    pub fn resample(&mut self, uniform: f64) -> Option<Vec<usize>> {
        let chains = self.log_weights.len();
        let (shares, log_mean) = self.shares();
        let worth = 1.0 / shares.iter().map(|share| share * share).sum::<f64>();
        // A weight that is not a number is for the end to see.
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

    /// log Z where the chains are done; `sign` is −1 where w estimates 1/Z. Chains that descend from one are not independent:
    /// the variance is that of the weights of families (Chan and Lai 2013; Lee and Whiteley 2018).
    pub fn estimate(&self, log_base: f64, sign: f64) -> Estimate {
        self.estimate_where(log_base, sign, |_| true)
    }

    /// log Z from the chains that count; all others have weight 0. If chains count that ended in one part of the states, this is
    /// the log mass of that part.
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
            // That of a logarithm of a mean: the mean's, relative.
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
        // Three of one family and one of another: 1/4² + 3/4² of all weight squared.
        assert!((after.effective_chains - 1.6).abs() < 1e-12, "{after:?}");
        assert_eq!(population.resample(0.5), None, "chains of equal weights stay");
        // The first alone weighed 1 of 5 and is 1 of 4 now; chance has it.
        let part = population.estimate_where(1.0, 1.0, |chain| chain == 0);
        assert!((part.log_z - (before.log_z - 4f64.ln())).abs() < 1e-12, "{part:?}");
        assert!((part.effective_chains - 1.0).abs() < 1e-12, "{part:?}");
        let nothing = population.estimate_where(1.0, 1.0, |_| false);
        assert_eq!(nothing.log_z, f64::NEG_INFINITY, "{nothing:?}");
        assert!((population.estimate(1.0, -1.0).log_z - (2.0 - before.log_z)).abs() < 1e-12);
    }
}
