//! The pseudo-likelihood of binary units on both sides.

use rayon::prelude::*;

use crate::{
    data::Rows,
    exact::product::{LARGEST_EXPONENT, log_product, run},
    level::Level,
    rbm::{Rbm, Shape},
    reference::softplus,
};

/// Cases that share the reading of a unit's weights.
const BLOCK: usize = 16;

/// Σ_i log p(v_i | all other units) of each case, for binary rows. With v' equal to v except in unit i,
///
/// ```text
/// log p(v_i | v_−i) = −softplus(F(v) − F(v'))
/// F(v) − F(v') = ±b_i + Σ_j softplus(x_j ± W_ij) − softplus(x_j),   x = c + vW,   + where v_i is off
/// ```
///
/// The sums are logs of products of e^x and e^(±W), which are computed once.
pub fn pseudo_log_likelihoods(rbm: &Rbm, rows: &Rows) -> Vec<f64> {
    let Shape { visible, hidden } = rbm.shape();
    let largest_weight = rbm.weights().iter().map(|&w| f64::from(w.abs())).fold(0.0, f64::max);
    let factors =
        |sign: f64| -> Vec<f64> { rbm.weights().iter().map(|&w| (sign * f64::from(w)).exp()).collect() };
    let [on, off] = [factors(1.0), factors(-1.0)];
    let numbers: Vec<usize> = (0..rows.len()).collect();
    let level = Level::default();
    numbers
        .par_chunks(BLOCK)
        .flat_map_iter(|block| {
            let states: Vec<Vec<f32>> = block.iter().map(|&case| rows.values(case).collect()).collect();
            let inputs: Vec<Vec<f64>> = states.iter().map(|v| inputs(rbm, v)).collect();
            let largest = inputs.iter().flatten().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            // NaN fails the comparison, as it should.
            let small = largest + largest_weight < LARGEST_EXPONENT;
            let run = run(largest + largest_weight);
            let exponentials: Vec<Vec<f64>> =
                inputs.iter().map(|x| x.iter().map(|x| x.exp()).collect()).collect();
            let rest: Vec<f64> = inputs.iter().map(|x| x.iter().copied().map(softplus).sum()).collect();
            let mut sums = vec![0.0; block.len()];
            for unit in 0..visible {
                let of_unit = unit * hidden..(unit + 1) * hidden;
                for (case, v) in states.iter().enumerate() {
                    let (sign, factors) = if v[unit] == 0.0 { (1.0, &on) } else { (-1.0, &off) };
                    let turned = if small {
                        let (a, b) = (&exponentials[case], &factors[of_unit.clone()]);
                        level.dispatch(
                            #[inline(always)]
                            || log_product(a, b, run),
                        )
                    } else {
                        let weights = &rbm.weights()[of_unit.clone()];
                        inputs[case]
                            .iter()
                            .zip(weights)
                            .map(|(x, w)| softplus(x + sign * f64::from(*w)))
                            .sum()
                    };
                    sums[case] -= softplus(sign * f64::from(rbm.visible_bias()[unit]) + turned - rest[case]);
                }
            }
            sums
        })
        .collect()
}

/// c + vW.
fn inputs(rbm: &Rbm, visible: &[f32]) -> Vec<f64> {
    let mut sums: Vec<f64> = rbm.hidden_bias().iter().map(|&c| f64::from(c)).collect();
    for (v, weights) in visible.iter().zip(rbm.weights().chunks(rbm.shape().hidden)) {
        if *v != 0.0 {
            sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum += f64::from(*w));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::random_rbm, reference::free_energy};

    #[test]
    fn it_is_the_ratio_of_two_free_energies() {
        for (visible, hidden, deviation) in [(1, 1, 0.5), (7, 5, 1.0), (33, 70, 0.3), (9, 4, 200.0)] {
            let rbm = random_rbm(Shape { visible, hidden }, deviation, 3);
            let bits: Vec<bool> = (0..37 * visible).map(|i| i * i % 11 < 4).collect();
            let rows = Rows::from_bits(visible, &bits);
            let mut expected = 0.0;
            for case in 0..35 {
                let mut v: Vec<f32> = rows.values(case).collect();
                let energy = free_energy(&rbm, 1.0, &v);
                for unit in 0..visible {
                    v[unit] = 1.0 - v[unit];
                    expected -= softplus(energy - free_energy(&rbm, 1.0, &v)) / 35.0;
                    v[unit] = 1.0 - v[unit];
                }
            }
            let found = pseudo_log_likelihoods(&rbm, &rows);
            let found = found[..35].iter().sum::<f64>() / 35.0;
            assert!(
                (found - expected).abs() < 1e-11 * expected.abs(),
                "{visible} × {hidden}: {found}, {expected}"
            );
        }
    }
}
