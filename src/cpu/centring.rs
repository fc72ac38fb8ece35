//! The correction of the biases in a centred update. A step ΔW leaves the biases of the centred model unchanged, so those
//! of the plain model shift by −ΔWλ and −μΔW (Melchior, Fischer and Wiskott 2016, algorithm 1).

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    math::{TOGETHER, dot, total},
    units::{Kind, Units, WORD, states_of},
};
use crate::level::Level;
use crate::{host::Phase, rbm::Rbm};

/// ΔWλ and μΔW.
pub struct Shifts {
    visible: Vec<f32>,
    hidden: Vec<f32>,
}

impl Shifts {
    /// For ΔW = Σ scale · (v − μ)(h − λ), summed over both phases, without decay or momentum. Computed from (h − λ)·λ and
    /// (v − μ)·μ of each case, so ΔW is not read again. `hidden` are the gradient's hidden units.
    pub fn of_gradient(
        level: Level,
        phases: [(Phase<Units>, f32); 2],
        hidden: [&[f32]; 2],
        (mu, lambda): (&[f32], &[f32]),
    ) -> Self {
        level.dispatch(OfGradient { phases, hidden, mu, lambda })
    }

    /// For any ΔW, visible × hidden units.
    pub fn of_weights(level: Level, change: &[f32], (mu, lambda): (&[f32], &[f32])) -> Self {
        let units = lambda.len();
        let rows = change.par_chunks(units).with_min_len(64);
        let visible = rows.map(|row| {
            level.run(
                #[inline(always)]
                || dot(row, lambda),
            )
        });
        let mut shifts = Self { visible: visible.collect(), hidden: vec![0.0; units] };
        const STRIP: usize = 64;
        shifts.hidden.par_chunks_mut(STRIP).enumerate().for_each(|(strip, shifts)| {
            level.run(
                #[inline(always)]
                || {
                    let mut sums = [0.0; STRIP];
                    for (row, mu) in change.chunks(units).zip(mu) {
                        for (sum, change) in sums.iter_mut().zip(&row[strip * STRIP..]) {
                            *sum += change * mu;
                        }
                    }
                    shifts.copy_from_slice(&sums[..shifts.len()]);
                },
            );
        });
        shifts
    }

    /// Subtracts the shifts from the biases.
    pub fn follow(&self, rbm: &mut Rbm) {
        let [_, visible, hidden] = rbm.tensors_mut();
        for (biases, shifts) in [(visible, &self.visible), (hidden, &self.hidden)] {
            biases.iter_mut().zip(shifts).for_each(|(bias, shift)| *bias -= shift);
        }
    }
}

/// The loops of [`Shifts::of_gradient`].
struct OfGradient<'a> {
    phases: [(Phase<'a, Units>, f32); 2],
    hidden: [&'a [f32]; 2],
    mu: &'a [f32],
    lambda: &'a [f32],
}

impl WithSimd for OfGradient<'_> {
    type Output = Shifts;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Shifts {
        let Self { phases, hidden, mu, lambda } = self;
        let mut shifts = Shifts { visible: vec![0.0; mu.len()], hidden: vec![0.0; lambda.len()] };
        let mut scratch = vec![0.0; mu.len()];
        let (of_mu, of_lambda) = (dot(mu, mu), dot(lambda, lambda));
        let (mut visible_sum, mut hidden_sum) = (0.0, 0.0);
        for ((phase, scale), hidden) in phases.into_iter().zip(hidden) {
            for (row, h) in hidden.chunks(lambda.len()).enumerate() {
                let along_lambda = scale * (dot(h, lambda) - of_lambda);
                let of_v = if phase.visible.kinds[row] == Kind::Binary {
                    add_bits(simd, phase.visible.row_bits(row), &mut shifts.visible, along_lambda, mu)
                } else {
                    let v = phase.visible.row(row, &mut scratch);
                    add(&mut shifts.visible, along_lambda, v);
                    dot(v, mu)
                };
                let along_mu = scale * (of_v - of_mu);
                add(&mut shifts.hidden, along_mu, h);
                visible_sum += along_lambda;
                hidden_sum += along_mu;
            }
        }
        add(&mut shifts.visible, -visible_sum, mu);
        add(&mut shifts.hidden, -hidden_sum, lambda);
        shifts
    }
}

/// sums += factor · v, and returns v·μ, for the bits v of a row.
#[inline(always)]
fn add_bits<S: Simd>(simd: S, bits: &[u16], sums: &mut [f32], factor: f32, mu: &[f32]) -> f32 {
    const WORDS: usize = TOGETHER / WORD;
    let mut products = [[0.0; WORD]; WORDS];
    let (sum_parts, last_sums) = sums.as_chunks_mut::<TOGETHER>();
    let (mu_parts, last_mu) = mu.as_chunks::<TOGETHER>();
    let last_bits = &bits[WORDS * mu_parts.len()..];
    for ((words, sums), mu) in bits.as_chunks::<WORDS>().0.iter().zip(sum_parts).zip(mu_parts) {
        let (sums, mu) = (sums.as_chunks_mut().0, mu.as_chunks().0);
        for k in 0..WORDS {
            add_word(simd, words[k], &mut products[k], &mut sums[k], factor, &mu[k]);
        }
    }
    let ((sums, last_sums), (mu, last_mu)) = (last_sums.as_chunks_mut(), last_mu.as_chunks());
    let whole = mu.len();
    for k in 0..whole {
        add_word(simd, last_bits[k], &mut products[k], &mut sums[k], factor, &mu[k]);
    }
    for (unit, (sum, mu)) in last_sums.iter_mut().zip(last_mu).enumerate() {
        let v = f32::from(last_bits[whole] >> unit & 1);
        products[whole][unit] += v * mu;
        *sum += factor * v;
    }
    total(bytemuck::cast(products))
}

/// [`add_bits`] for one word; returns the products v_i μ_i.
#[inline(always)]
fn add_word<S: Simd>(
    simd: S,
    word: u16,
    products: &mut [f32; WORD],
    sums: &mut [f32; WORD],
    factor: f32,
    mu: &[f32; WORD],
) {
    let vectors = S::as_mut_simd_f32s(products).0.iter_mut().zip(S::as_mut_simd_f32s(sums).0);
    for (first, ((product, sum), mu)) in (0..).step_by(S::F32_LANES).zip(vectors.zip(S::as_simd_f32s(mu).0)) {
        let v = states_of(simd, word, first);
        *product = simd.add_f32s(*product, simd.mul_f32s(v, *mu));
        *sum = simd.add_f32s(*sum, simd.mul_f32s(v, simd.splat_f32s(factor)));
    }
}

/// sums += factor · x.
#[inline(always)]
fn add(sums: &mut [f32], factor: f32, x: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum += factor * x;
    }
}
