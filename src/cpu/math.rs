//! Functions that the compiler vectorises, where libm's are calls.

/// e^x to about 2e-7 relative, for x within ±87: 2^n · e^r with |r| ≤ ln 2 / 2 and a polynomial for e^r (Cephes'
/// `expf`, Moshier 1989).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it leaves an integer in the lower bits
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut y = 1.987_569_2e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        y = y * r + coefficient;
    }
    let y = y * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    y * power
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Σ_j softplus(β(x_j + b_j)) to about 1e-6: max(x, 0) summed, and log(1 + e^−|x|) as the logarithm of a product, which
/// is taken before it can overflow.
#[inline(always)]
pub fn sum_of_softplus(beta: f32, x: &[f32], bias: &[f32]) -> f64 {
    const LANES: usize = 16;
    const RUN: usize = 48; // 2^(16·48) is an f64, and 2^48 an f32
    let mut sum = 0.0;
    for (x, bias) in x.chunks(LANES * RUN).zip(bias.chunks(LANES * RUN)) {
        let mut products = [1.0_f32; LANES];
        let mut sums = [0.0_f64; LANES];
        for (x, bias) in x.chunks(LANES).zip(bias.chunks(LANES)) {
            for (((sum, product), x), bias) in sums.iter_mut().zip(&mut products).zip(x).zip(bias) {
                let input = beta * (x + bias);
                *sum += f64::from(input.max(0.0));
                *product *= 1.0 + exp(-input.abs());
            }
        }
        sum += sums.iter().sum::<f64>() + products.iter().map(|&x| f64::from(x)).product::<f64>().ln();
    }
    sum
}

/// Σ x·y with the sums in `f64`, for numbers that are far larger than what their sum is used for.
#[inline(always)]
pub fn long_dot(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 16];
    for (x, y) in x.chunks(16).zip(y.chunks(16)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += f64::from(x * y);
        }
    }
    sums.iter().sum()
}

/// Σ x·y, in sums that the compiler makes vectors of.
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for (x, y) in x.chunks(16).zip(y.chunks(16)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum()
}
