//! Z of Gaussian units on both sides, which is one normal distribution: log Z = (N/2) log 2π − ½ log det Λ + ½ θᵀΛ⁻¹θ, with
//! Λ = [Γ_v −W; −Wᵀ Γ_h].

use std::f64::consts::PI;

use super::{Normalisation, normalisation, normalisation::SMALLER};
use crate::{
    error::{Result, usage},
    rbm::{Rbm, Shape, Side},
};

/// log Z, by the Cholesky decomposition of Λ.
///
/// # Errors
/// [`crate::Error::Usage`] where Λ is not positive definite, so that there is no normalisation, with the unit and the ratio.
pub fn log_partition_function(rbm: &Rbm) -> Result<f64> {
    let Shape { visible, hidden } = rbm.shape();
    let parameters = [Side::Visible, Side::Hidden].map(|side| {
        let columns = rbm.shape().units(side);
        let wide = rbm.potentials(side).iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        (wide[..columns].to_vec(), wide[columns..].to_vec())
    });
    let [(b, of_visible), (c, of_hidden)] = parameters;
    let (theta, precision) = ([b, c].concat(), [of_visible, of_hidden].concat());
    let count = visible + hidden;
    // The lower triangle of the factor, row by row; and y = L⁻¹θ.
    let (mut factor, mut y) = (vec![0.0; count * count], theta);
    let mut log_z = count as f64 / 2.0 * (2.0 * PI).ln();
    for row in 0..count {
        for column in 0..=row {
            let mut sum = match () {
                () if row == column => precision[row],
                () if row >= visible && column < visible => {
                    -f64::from(rbm.weights()[column * hidden + row - visible])
                }
                () => 0.0,
            };
            let (above, own) = (&factor[column * count..][..column], &factor[row * count..][..column]);
            sum -= above.iter().zip(own).map(|(a, b)| a * b).sum::<f64>();
            if row > column {
                factor[row * count + column] = sum / factor[column * count + column];
            } else if sum > 0.0 {
                factor[row * count + row] = sum.sqrt();
            } else {
                // At 1 to rounding the search may see a ratio just below.
                let problem = normalisation(rbm)
                    .and_then(|found| Normalisation { ratio: found.ratio.max(1.0), ..found }.problem());
                return usage!("{}; {SMALLER}", problem.unwrap_or_default());
            }
        }
        let before: f64 = factor[row * count..][..row].iter().zip(&y).map(|(a, b)| a * b).sum();
        let pivot = factor[row * count + row];
        y[row] = (y[row] - before) / pivot;
        log_z += y[row] * y[row] / 2.0 - pivot.ln();
    }
    Ok(log_z)
}
