//! Σ_i log(1 + e^(x_i)) as the log of a product: one logarithm for all terms, and no exponential if the x are sums of terms
//! whose exponentials are known.

/// Independent partial products: a few of the widest vectors.
pub(crate) const LANES: usize = 32;
/// The largest |x| for which e^x and the products are used.
pub(crate) const LARGEST_EXPONENT: f64 = 300.0;

/// The number of factors of at most 1 + e^`exponent` that can be multiplied before the product's exponent is extracted.
///
/// Below [`LARGEST_EXPONENT`], it and one more factor stay within `f64`.
pub(crate) fn run(exponent: f64) -> usize {
    let bits = exponent.max(0.0) * std::f64::consts::LOG2_E + 1.0;
    ((1022.0 / bits) as usize).saturating_sub(1).max(1)
}

/// Σ_i log(1 + a_i b_i) for non-negative a and b of equal length. `run` is [`run`] of the largest a_i b_i.
///
/// The products' exponents are summed separately as integers, so nothing overflows. The relative error is that of a product
/// of as many factors as a lane has, about 1e-15.
#[inline(always)]
pub(crate) fn log_product(a: &[f64], b: &[f64], run: usize) -> f64 {
    const ONE: u64 = 1023 << 52;
    const MANTISSA: u64 = (1 << 52) - 1;
    let mut mantissas = [1.0_f64; LANES];
    let mut exponents = [0_u64; LANES];
    let mut times = 0;
    for (a, b) in a.chunks(LANES * run).zip(b.chunks(LANES * run)) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                mantissas[lane] *= a[lane] * b[lane] + 1.0;
            }
        }
        for ((mantissa, a), b) in mantissas.iter_mut().zip(a_rest).zip(b_rest) {
            *mantissa *= a * b + 1.0;
        }
        for lane in 0..LANES {
            let bits = mantissas[lane].to_bits();
            exponents[lane] += bits >> 52;
            mantissas[lane] = f64::from_bits(bits & MANTISSA | ONE);
        }
        times += 1;
    }
    let exponent = exponents.iter().sum::<u64>() as f64 - (times * LANES * 1023) as f64;
    // By halves, so that dependency chains are five multiplications long.
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            mantissas[lane] *= mantissas[lane + width];
        }
    }
    mantissas[0].ln() + exponent * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::softplus;

    #[test]
    fn the_product_is_the_sum_of_softpluses() {
        for (length, size) in [(0, 1.0), (1, 1.0), (31, 5.0), (784, 0.01), (784, 40.0), (1000, 150.0)] {
            let x: Vec<(f64, f64)> =
                (0..length).map(|i| ((i as f64).sin() * size, (i as f64 * 1.7).cos() * size)).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = x.iter().map(|(x, y)| (x.exp(), y.exp())).unzip();
            let expected: f64 = x.iter().map(|(x, y)| softplus(x + y)).sum();
            let found = log_product(&a, &b, run(2.0 * size));
            assert!(
                (found - expected).abs() <= 1e-13 * expected.max(1.0),
                "{length} terms up to {size}: {found}, {expected}"
            );
        }
    }
}
