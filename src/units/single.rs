//! The mathematics of units in 32 bits, without branches, for loops that the compiler vectorises: libm's functions would be
//! calls. The twins of `shaders/shared/truncated.wgsl` and of the kinds' shaders, with the coefficients of
//! [`super::truncated`].

use super::{
    Columns, Planes,
    truncated::{ERFINV_FAR, ERFINV_NEAR, EXCESS, MILLS, NEWTON_STEPS, SQUARE},
};
use crate::level::Level;

/// Inputs of e^x are clamped to ± this.
pub const LARGEST: f32 = 87.0;
/// 1.5 · 2^23: adding it rounds to an integer in the low bits.
pub const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has few bits, so its multiples are exact.
pub const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// (e^r − 1 − r) / r², highest power first.
pub const POLYNOMIAL: [f32; 6] =
    [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5];
/// Exponent bias of an f32.
pub const BIAS: u32 = 127;
/// (log(1+x) − x + x²/2) / x³, highest power first, for x from √½ − 1 to √2 − 1 (Cephes' `logf`, Moshier 1989).
const LOG: [f32; 9] = [
    7.037_683_6e-2,
    -0.115_146_1,
    0.116_769_98,
    -0.124_201_41,
    0.142_493_23,
    -0.166_680_57,
    0.200_007_14,
    -0.249_999_94,
    0.333_333_3,
];
/// log √2π
pub const HALF_LOG_TWO_PI: f32 = 0.918_938_5;
/// 1/√2π
const DENSITY: f32 = 0.398_942_3;
/// Half of the distance between two uniform numbers.
const HALF_STEP: f32 = 0.5 / 16_777_216.0;

/// e^x with a relative error of about 2e-7, for |x| ≤ 87: 2^n · e^r with |r| ≤ ln 2 / 2, and a polynomial for e^r (Cephes'
/// `expf`, Moshier 1989).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-LARGEST, LARGEST);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let y = POLYNOMIAL.into_iter().fold(0.0, |y, coefficient| y * r + coefficient);
    let y = y * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(BIAS << 23));
    y * power
}

/// log x with a relative error of about 1e-7, for normal numbers above 0.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // The mantissa from √½ to √2.
    let bits = x.to_bits();
    let shifted = bits.wrapping_sub(0x3f35_04f3) as i32 >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub((shifted as u32) << 23)) - 1.0;
    let power = shifted as f32;
    let square = mantissa * mantissa;
    let y = LOG.into_iter().fold(0.0, |y, coefficient| y * mantissa + coefficient) * mantissa * square;
    let y = y + power * LN_2[1] - 0.5 * square;
    mantissa + y + power * LN_2[0]
}

/// 1 / (1 + e^−x)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// log(1 + e^x)
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    x.max(0.0) + ln(1.0 + exp(-x.abs()))
}

/// tanh x
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    // Its series near 0, where the quotient would cancel.
    let y = x * x;
    let near = x * (1.0 + y * (-1.0 / 3.0 + y * (2.0 / 15.0 + y * (-17.0 / 315.0 + y * (62.0 / 2835.0)))));
    let e = exp(-2.0 * x.abs().min(40.0));
    let far = (1.0 - e) / (1.0 + e);
    if x.abs() < 0.3 { near } else { far.copysign(x) }
}

/// log 2cosh x
#[inline(always)]
pub fn log_two_cosh(x: f32) -> f32 {
    x.abs() + ln(1.0 + exp(-2.0 * x.abs().min(40.0)))
}

/// A polynomial, constant term first.
#[inline(always)]
fn polynomial(coefficients: &[f64], x: f32) -> f32 {
    let mut y = 0.0;
    for &coefficient in coefficients.iter().rev() {
        y = y * x + coefficient as f32;
    }
    y
}

/// Q(a)/φ(a), a ≥ 0.
#[inline(always)]
fn mills(a: f32) -> f32 {
    polynomial(MILLS, (a - 4.0) / (a + 4.0)) / (a + 3.0)
}

/// φ(a)
#[inline(always)]
fn density(a: f32) -> f32 {
    DENSITY * exp(-(0.5 * a * a).min(LARGEST))
}

/// The moments above z ([`super::truncated::Tail`]): log(Q/φ), ⟨x − z⟩ and ⟨(x − z)²⟩.
#[inline(always)]
pub fn tail(z: f32) -> [f32; 3] {
    let a = z.abs();
    let t = (a - 4.0) / (a + 4.0);
    let (mills, width) = (mills(a), a + 2.5);
    let (excess, square) = (polynomial(EXCESS, t) / width, polynomial(SQUARE, t) / width / width);
    let density = density(a);
    let upper = 1.0 - density * mills;
    let whole = density / upper + a;
    let is_above = z >= 0.0;
    let log = ln(if is_above { mills } else { upper });
    [
        if is_above { log } else { log + 0.5 * a * a + HALF_LOG_TWO_PI },
        if is_above { excess } else { whole },
        if is_above { square } else { 1.0 + a * whole },
    ]
}

/// The middle of what a uniform number stands for, and what is left to 1.
#[inline(always)]
pub fn below_and_above(uniform: f32) -> [f32; 2] {
    [uniform + HALF_STEP, (1.0 - uniform) - HALF_STEP]
}

/// Φ⁻¹(p), given p and 1 − p.
#[inline(always)]
pub fn quantile(p: f32, rest: f32) -> f32 {
    let w = -ln(4.0 * p * rest);
    let far = polynomial(ERFINV_FAR, w.max(0.0).sqrt() - 3.0);
    let near = polynomial(ERFINV_NEAR, w - 2.5);
    std::f32::consts::SQRT_2 * (p - rest) * if w < 5.0 { near } else { far }
}

/// A step of Newton's method for [`quantile_above`]; `start` is log(Q/φ) at z, and log Q shall fall by `fall` from there.
#[inline(always)]
fn newton(z: f32, start: f32, fall: f32, y: f32) -> f32 {
    let [log, excess, _] = tail(z + y);
    let gone = log - start - y * (z + 0.5 * y);
    (y + (gone + fall) / (excess + z + y)).max(0.0)
}

/// y ≥ 0 with Q(z + y) = share·Q(z), for z ≥ −1: Newton's method from a bound above.
#[inline(always)]
fn quantile_above(z: f32, share: f32) -> f32 {
    let [start, ..] = tail(z);
    let fall = -ln(share.min(1.0));
    let root = (z * z + 2.0 * fall).sqrt();
    let y = if z >= 0.0 { 2.0 * fall / (z + root).max(f32::MIN_POSITIVE) } else { root - z };
    // A loop would keep the compiler from vectorising the one over the units.
    const { assert!(NEWTON_STEPS == 6) };
    let y = newton(z, start, fall, newton(z, start, fall, newton(z, start, fall, y)));
    newton(z, start, fall, newton(z, start, fall, newton(z, start, fall, y)))
}

/// A draw of s ≥ 0 from the density ∝ e^(xs − γs²/2), γ = 1/deviation²: `share` of it lies above s, `rest` = 1 − share below.
#[inline(always)]
pub fn rectified_draw(x: f32, deviation: f32, share: f32, rest: f32) -> f32 {
    let z = -x * deviation;
    let is_cut = z > -1.0;
    let cut_off = quantile_above(z.max(-1.0), share);
    // Hardly anything is cut off: from the whole distribution.
    let whole_z = z.min(-1.0);
    let cut = density(whole_z) * mills(-whole_z);
    let p = (cut + rest * (1.0 - cut)).max(f32::MIN_POSITIVE);
    let whole = quantile(p, (share * (1.0 - cut)).max(f32::MIN_POSITIVE)) - whole_z;
    (if is_cut { cut_off } else { whole }).max(0.0) * deviation
}

/// The mathematics of a kind whose units have one column, given the parameters and the input. Parameters beyond those of the kind
/// are 1.
pub trait Single {
    /// The means of the statistics; 0 beyond those of the kind.
    fn expectation(parameters: [f32; 4], x: f32) -> [f32; 4];
    /// A state, by a uniform number in [0, 1).
    fn draw(parameters: [f32; 4], x: f32, mean: f32, uniform: f32) -> f32;
    /// log Σ_s e^(potential(s) + x·s), or the log of the integral.
    fn cumulant(parameters: [f32; 4], x: f32) -> f32;
}

/// Units that go through each loop together: a vector or more.
const LANES: usize = 16;

/// Up to [`LANES`] numbers, and `rest` for the others.
#[inline(always)]
fn lanes(numbers: &[f32], rest: f32) -> [f32; LANES] {
    let mut lanes = [rest; LANES];
    lanes[..numbers.len()].copy_from_slice(numbers);
    lanes
}

/// The parameters of up to [`LANES`] units from a place on.
#[inline(always)]
fn parameters_from(planes: &Planes, first: usize, count: usize) -> [[f32; LANES]; 4] {
    let mut own = [[1.0; LANES]; 4];
    for (own, plane) in own.iter_mut().zip(planes) {
        if !plane.is_empty() {
            *own = lanes(&plane[first..first + count], 1.0);
        }
    }
    own
}

/// The parameters of one of them.
#[inline(always)]
fn of_lane(own: &[[f32; LANES]; 4], lane: usize) -> [f32; 4] {
    [own[0][lane], own[1][lane], own[2][lane], own[3][lane]]
}

/// [`super::Unit::finish`] of such a kind.
pub fn finish<K: Single>(level: Level, columns: Columns) {
    let Columns { parameters, means, mut moments, states, uniforms, .. } = columns;
    level.run(
        #[inline(always)]
        || {
            for first in (0..means.len()).step_by(LANES) {
                let count = LANES.min(means.len() - first);
                let own = parameters_from(&parameters, first, count);
                let inputs = lanes(&means[first..][..count], 0.0);
                let mut expectations = [[0.0; LANES]; 4];
                for lane in 0..LANES {
                    let [mean, second, third, fourth] = K::expectation(of_lane(&own, lane), inputs[lane]);
                    expectations[0][lane] = mean;
                    expectations[1][lane] = second;
                    expectations[2][lane] = third;
                    expectations[3][lane] = fourth;
                }
                means[first..][..count].copy_from_slice(&expectations[0][..count]);
                for (out, plane) in moments.iter_mut().zip(&expectations[1..]) {
                    if !out.is_empty() {
                        out[first..][..count].copy_from_slice(&plane[..count]);
                    }
                }
                let mut drawn = expectations[0];
                if let Some(uniforms) = uniforms {
                    let uniforms = lanes(&uniforms[first..][..count], 0.5);
                    for lane in 0..LANES {
                        drawn[lane] =
                            K::draw(of_lane(&own, lane), inputs[lane], expectations[0][lane], uniforms[lane]);
                    }
                }
                states[first..][..count].copy_from_slice(&drawn[..count]);
            }
        },
    );
}

/// [`super::Unit::sum_of_cumulants`] of such a kind.
pub fn sum_of_cumulants<K: Single>(level: Level, parameters: Planes, inputs: &[f32]) -> f64 {
    level.run(
        #[inline(always)]
        || {
            let mut sums = [0.0_f64; LANES];
            for first in (0..inputs.len()).step_by(LANES) {
                let count = LANES.min(inputs.len() - first);
                let own = parameters_from(&parameters, first, count);
                let inputs = lanes(&inputs[first..][..count], 0.0);
                let mut found = [0.0; LANES];
                for lane in 0..LANES {
                    found[lane] = K::cumulant(of_lane(&own, lane), inputs[lane]);
                }
                for (sum, found) in sums.iter_mut().zip(found).take(count) {
                    *sum += f64::from(found);
                }
            }
            sums.iter().sum()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::truncated;

    #[test]
    fn they_are_right_to_32_bits() {
        for at in -4000..4000 {
            let x = at as f32 / 100.0;
            let wide = f64::from(x);
            let close = |found: f32, expected: f64, tolerance: f64| {
                let error = (f64::from(found) - expected).abs();
                assert!(error <= tolerance * expected.abs() + 1e-37, "{x}: {found}, {expected}");
            };
            close(exp(x), wide.exp(), 3e-7);
            close(sigmoid(x), 1.0 / (1.0 + (-wide).exp()), 4e-7);
            close(tanh(x), wide.tanh(), 5e-7);
            if x > 0.0 {
                close(ln(x), wide.ln(), 3e-7);
                close(ln(1.0 + x / 4000.0), f64::from(1.0 + x / 4000.0).ln(), 3e-7);
            }
            let expected = truncated::tail(wide);
            let [log, excess, square] = tail(x);
            assert!(
                (f64::from(log) - expected.log_mills).abs() < 1e-6 * expected.log_mills.abs().max(1.0),
                "{x}"
            );
            close(excess, expected.excess, 2e-6);
            close(square, expected.square, 2e-6);
        }
        for at in 0..1000 {
            let uniform = at as f32 / 1000.0;
            let [below, above] = below_and_above(uniform);
            let expected = truncated::quantile(f64::from(uniform) + f64::from(HALF_STEP));
            assert!(
                (f64::from(quantile(below, above)) - expected).abs() < 4e-6 * expected.abs().max(1.0),
                "{uniform}"
            );
            for (x, gamma) in
                [(0.0_f32, 1.0_f32), (-30.0, 1.0), (0.9, 0.25), (5.0, 4.0), (-1.0, 100.0), (3.0, 0.01)]
            {
                let found = rectified_draw(x, 1.0 / gamma.sqrt(), above, below);
                let wide = f64::from(uniform) + f64::from(HALF_STEP);
                let expected = truncated::draw(x.into(), gamma.into(), wide);
                let error = (f64::from(found) - expected).abs();
                assert!(
                    error < 2e-5 * expected.max(0.2 / f64::from(gamma).sqrt()),
                    "{x} {gamma} {uniform}: {found}, {expected}"
                );
            }
        }
    }
}
