//! Functions that the compiler vectorises; libm's would be calls.

use pulp::Simd;

use crate::{
    level::multiply_add,
    units::single::{BIAS, LARGEST, LN_2, POLYNOMIAL, ROUND, exp},
};

/// Replaces each x by 1 / (1 + e^−x), with a relative error of about 2e-7. Several vectors go through each stage together,
/// because stages depend on each other and one vector would leave most of the processor idle. Plain loops, because closures
/// of the standard library's functions would not be compiled for the instruction set.
#[inline(always)]
pub fn sigmoid<S: Simd, const N: usize>(simd: S, x: &mut [S::f32s; N]) {
    let one = simd.splat_f32s(1.0);
    let (least, largest) = (simd.splat_f32s(-LARGEST), simd.splat_f32s(LARGEST));
    let (round, log2_e) = (simd.splat_f32s(ROUND), simd.splat_f32s(-std::f32::consts::LOG2_E));
    let [high, low] = [simd.splat_f32s(-LN_2[0]), simd.splat_f32s(-LN_2[1])];
    let (zero, mut shifted) = (simd.splat_f32s(0.0), *x);
    for x in &mut *x {
        *x = simd.min_f32s(simd.max_f32s(*x, least), largest);
    }
    for (shifted, x) in shifted.iter_mut().zip(&*x) {
        *shifted = multiply_add(simd, *x, log2_e, round);
    }
    for (shifted, x) in shifted.iter().zip(&mut *x) {
        let n = simd.sub_f32s(*shifted, round);
        *x = multiply_add(simd, n, low, multiply_add(simd, n, high, simd.sub_f32s(zero, *x)));
    }
    let mut y = [simd.splat_f32s(POLYNOMIAL[0]); N];
    for coefficient in &POLYNOMIAL[1..] {
        let coefficient = simd.splat_f32s(*coefficient);
        for (y, r) in y.iter_mut().zip(&*x) {
            *y = multiply_add(simd, *y, *r, coefficient);
        }
    }
    for (y, r) in y.iter_mut().zip(&*x) {
        *y = multiply_add(simd, *y, simd.mul_f32s(*r, *r), simd.add_f32s(*r, one));
    }
    for ((x, y), shifted) in x.iter_mut().zip(y).zip(shifted) {
        let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
        let power = simd.transmute_f32s_u32s(simd.add_u32s(exponent, simd.splat_u32s(BIAS << 23)));
        *x = simd.div_f32s(one, multiply_add(simd, y, power, one));
    }
}

/// Σ_j softplus(β(x_j + b_j)) to about 1e-6: the sum of max(x, 0), and the sum of log(1 + e^−|x|) as the log of a product,
/// taken before it can overflow.
#[inline(always)]
pub fn sum_of_softplus(beta: f32, x: &[f32], bias: &[f32]) -> f64 {
    const RUN: usize = 48; // 2^(16·48) is an f64, and 2^48 an f32
    let mut sum = 0.0;
    for (x, bias) in x.chunks(LANES * RUN).zip(bias.chunks(LANES * RUN)) {
        let mut products = [1.0_f32; LANES];
        let mut sums = [0.0_f64; LANES];
        each(
            x,
            bias,
            #[inline(always)]
            |lane, x, bias| {
                let input = beta * (x + bias);
                sums[lane] += f64::from(input.max(0.0));
                products[lane] *= 1.0 + exp(-input.abs());
            },
        );
        sum += sums.iter().sum::<f64>() + products.iter().map(|&x| f64::from(x)).product::<f64>().ln();
    }
    sum
}

/// Σ x·y with sums in `f64`, for terms much larger than the accuracy needed of the sum.
#[inline(always)]
pub fn long_dot(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    each(
        x,
        y,
        #[inline(always)]
        |lane, x, y| sums[lane] += f64::from(x * y),
    );
    sums.iter().sum()
}

/// Σ x·y, in partial sums that the compiler vectorises.
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0; TOGETHER];
    let ((x, last_x), (y, last_y)) = (x.as_chunks::<TOGETHER>(), y.as_chunks::<TOGETHER>());
    for (x, y) in x.iter().zip(y) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    for ((sum, x), y) in sums.iter_mut().zip(last_x).zip(last_y) {
        *sum += x * y;
    }
    total(sums)
}

/// Independent partial sums: several vectors, to hide the latency of additions.
pub const TOGETHER: usize = 64;

/// The sum of the partial sums.
#[inline(always)]
pub fn total(mut sums: [f32; TOGETHER]) -> f32 {
    let mut len = TOGETHER;
    while len > 1 {
        len /= 2;
        for i in 0..len {
            sums[i] += sums[len + i];
        }
    }
    sums[0]
}

/// Σ (x − y)², in partial sums that the compiler vectorises.
#[inline(always)]
pub fn squared_distance(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    each(
        x,
        y,
        #[inline(always)]
        |lane, x, y| sums[lane] += (x - y) * (x - y),
    );
    sums.iter().sum()
}

/// Independent partial sums of [`each`].
const LANES: usize = 16;

/// Calls `work` with each pair and its lane. Whole vectors use a loop of constant length, which keeps the partial sums in
/// registers.
#[inline(always)]
fn each(x: &[f32], y: &[f32], mut work: impl FnMut(usize, f32, f32)) {
    let ((x, last_x), (y, last_y)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            work(lane, x[lane], y[lane]);
        }
    }
    for (lane, (x, y)) in last_x.iter().zip(last_y).enumerate() {
        work(lane, *x, *y);
    }
}
