//! The standard normal distribution above a bound z: what rectified units need. Nothing cancels in either tail.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Terms of the continued fraction; above [`FAR`] fewer than forty count.
const TERMS: u32 = 100;
/// From here on, moments are taken from the continued fraction.
const FAR: f64 = 3.0;

/// Polynomials for 32 bits, constant term first, fitted to [`tail`] with a relative error of about 1e-7. With a = |z| ≥ 0 and
/// t = (a−4)/(a+4): the Mills ratio is MILLS(t)/(a+3), the excess EXCESS(t)/(a+2.5), the square SQUARE(t)/(a+2.5)².
pub const MILLS: &[f64] = &[
    1.65656658,
    -1.09664665,
    0.658642241,
    -0.287807678,
    0.0739823356,
    0.00244676557,
    -0.0098702461,
    0.00234097591,
    0.000650396482,
    -0.000304665338,
];
/// See [`MILLS`].
pub const EXCESS: &[f64] = &[
    1.4664465,
    -0.622131278,
    0.104922335,
    0.130249285,
    -0.0996001575,
    0.0012667955,
    0.0318428277,
    -0.0102361904,
    -0.00719047423,
    0.00428718565,
    0.000934731913,
    -0.000791554648,
];
/// See [`MILLS`].
pub const SQUARE: &[f64] = &[
    4.12239263,
    -3.00611015,
    0.496790395,
    0.989008146,
    -0.724672762,
    -0.06956599,
    0.303613892,
    -0.0699913888,
    -0.0908088094,
    0.0439900969,
    0.0202745732,
    -0.0147369569,
    -0.00258997218,
    0.00240628128,
];
/// The inverse error function in 32 bits, constant term first (Giles 2010, "Approximating the erfinv function"): with
/// w = −log(1−x²), x·NEAR(w − 2.5) for w < 5, and x·FAR(√w − 3) beyond.
pub const ERFINV_NEAR: &[f64] = &[
    1.50140941,
    0.246640727,
    -0.00417768164,
    -0.00125372503,
    0.00021858087,
    -4.39150654e-06,
    -3.5233877e-06,
    3.43273939e-07,
    2.81022636e-08,
];
/// See [`ERFINV_NEAR`].
pub const ERFINV_FAR: &[f64] = &[
    2.83297682,
    1.00167406,
    0.00943887047,
    -0.0076224613,
    0.00573950773,
    -0.00367342844,
    0.00134934322,
    0.000100950558,
    -0.000200214257,
];
/// Newton steps that [`quantile_above`] takes in 32 bits.
pub const NEWTON_STEPS: usize = 6;

/// Moments of a standard normal variable x, given that it is above z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// log(Q(z)/φ(z)), φ being the density and Q(z) = P(x > z): the log of the Mills ratio.
    pub log_mills: f64,
    /// ⟨x − z⟩.
    pub excess: f64,
    /// ⟨(x − z)²⟩.
    pub square: f64,
}

/// The moments above z, any finite number.
///
/// For large z they come from Laplace's continued fraction, φ/Q = z + 1/(z + 2/(z + 3/(z + …))) (Abramowitz and Stegun 1964,
/// 26.2.14), in which all terms are positive.
pub fn tail(z: f64) -> Tail {
    if z > FAR {
        let after = (3..=TERMS).rev().fold(z, |after, term| z + f64::from(term) / after);
        let excess = 1.0 / (z + 2.0 / after);
        return Tail { log_mills: -(z + excess).ln(), excess, square: 2.0 / after * excess };
    }
    let log_mills = log_upper(z) + z * z / 2.0 + (2.0 * PI).sqrt().ln();
    let excess = (-log_mills).exp() - z;
    Tail { log_mills, excess, square: 1.0 - z * excess }
}

/// log Q(z), Q(z) = P(x > z).
pub fn log_upper(z: f64) -> f64 {
    match z > FAR {
        true => tail(z).log_mills - z * z / 2.0 - (2.0 * PI).sqrt().ln(),
        false => (0.5 * libm::erfc(z * FRAC_1_SQRT_2)).ln(),
    }
}

/// y ≥ 0 with Q(z + y) = share·Q(z), for z ≥ −1 and a share in (0, 1]. Newton's method on log Q, which is concave: after one
/// step it comes from above.
pub fn quantile_above(z: f64, share: f64) -> f64 {
    let (from, fall) = (tail(z), share.ln());
    let mut y = 0.0;
    for _ in 0..200 {
        let now = tail(z + y);
        let gone = now.log_mills - from.log_mills - y * (z + y / 2.0);
        let step = (gone - fall) / (now.excess + z + y);
        y = (y + step).max(0.0);
        if step.abs() <= 1e-15 * y {
            break;
        }
    }
    y
}

/// Φ⁻¹(p): x with P(below x) = p, for p in (0, 1).
pub fn quantile(p: f64) -> f64 {
    match p < 0.5 {
        true => -quantile_above(0.0, 2.0 * p),
        false => quantile_above(0.0, 2.0 * (1.0 - p)),
    }
}

/// A draw of s ≥ 0 from the density ∝ e^(ts − γs²/2), by a uniform number in [0, 1).
pub fn draw(t: f64, gamma: f64, uniform: f64) -> f64 {
    let z = -t / gamma.sqrt();
    let y = match z > -1.0 {
        true => quantile_above(z, 1.0 - uniform),
        // Hardly anything is cut off: from the whole distribution, by the nearer of its tails.
        false => {
            let below = libm::erfc(-z * FRAC_1_SQRT_2) / 2.0;
            quantile((below + uniform * (1.0 - below)).max(f64::MIN_POSITIVE)) - z
        }
    };
    y.max(0.0) / gamma.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_cuts_off_its_share() {
        for z in [-1.0, -0.5, 0.0, 2.9, 3.1, 40.0, 500.0] {
            for share in [1.0, 0.999, 0.5, 1e-3, 1e-7] {
                let y = quantile_above(z, share);
                let found = log_upper(z + y) - log_upper(z);
                assert!((found - share.ln()).abs() < 1e-11 * (1.0 + z * z), "{z} {share}: {y}");
            }
        }
        for p in [1e-7_f64, 0.025, 0.5, 0.84, 1.0 - 1e-7] {
            let x = quantile(p);
            assert!((libm::erfc(-x * FRAC_1_SQRT_2) / 2.0 - p).abs() < 1e-14, "{p}: {x}");
        }
    }
}
