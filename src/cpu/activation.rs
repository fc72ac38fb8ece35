//! The end of both half steps: bias, sigmoid and draw.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{
    lookup::Part,
    math::sigmoid,
    strips::Strips,
    units::{Kind, Units, WORD, draw},
};
use crate::{backend::HalfStep, host::Uniforms, rng::BLOCK};

/// Vectors finished together.
const TOGETHER: usize = 4;

/// Turns the input sums of a layer's units into means and states.
pub struct Activation<'a> {
    beta: f32,
    /// The bias term: β × the biases, and the base's part.
    bias: &'a [f32],
    uniforms: Uniforms<'a>,
    means: Strips<'a, f32>,
    bits: Strips<'a, u16>,
}

impl<'a> Activation<'a> {
    /// Writes the first rows of a layer.
    pub fn new(op: &HalfStep, bias: &'a [f32], uniforms: Uniforms<'a>, units: &'a mut Units) -> Self {
        let kind = if uniforms.are_drawn() { Kind::Binary } else { Kind::Means };
        units.kinds[..op.rows as usize].fill(kind);
        let words = units.words();
        let (means, bits) = (Strips::new(&mut units.means, units.width), Strips::new(&mut units.bits, words));
        Self { beta: op.beta, bias, uniforms, means, bits }
    }

    /// Finishes some units of a row from their sums.
    ///
    /// # Safety
    /// No other thread may access these units.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, simd: S, row: usize, columns: &Range<usize>, sums: &[f32]) {
        // SAFETY: the caller's promise; a part begins at a whole word.
        let (means, bits) = unsafe {
            let words = columns.start / WORD..columns.end.div_ceil(WORD);
            (self.means.row(row, columns), self.bits.row(row, &words))
        };
        let (sums, last_sums) = S::as_simd_f32s(sums);
        let (bias, last_bias) = S::as_simd_f32s(&self.bias[columns.clone()]);
        let (mean_vectors, last_means) = S::as_mut_simd_f32s(means);
        let ((sums, more_sums), (bias, more_bias)) =
            (sums.as_chunks::<TOGETHER>(), bias.as_chunks::<TOGETHER>());
        let (mean_vectors, more_means) = mean_vectors.as_chunks_mut::<TOGETHER>();
        for ((means, sums), bias) in mean_vectors.iter_mut().zip(sums).zip(bias) {
            self.activate::<S, TOGETHER>(simd, sums, bias, means);
        }
        match more_means.len() {
            1 => self.activate::<S, 1>(simd, more_sums, more_bias, more_means),
            2 => self.activate::<S, 2>(simd, more_sums, more_bias, more_means),
            3 => self.activate::<S, 3>(simd, more_sums, more_bias, more_means),
            _ => {}
        }
        if !last_means.is_empty() {
            let (sums, bias) = (simd.partial_load_f32s(last_sums), simd.partial_load_f32s(last_bias));
            let mut vector = [sums];
            self.activate::<S, 1>(simd, &[sums], &[bias], &mut vector);
            simd.partial_store_f32s(last_means, vector[0]);
        }

        if !self.uniforms.are_drawn() {
            return;
        }
        let blocks = means.chunks(BLOCK).zip(bits.chunks_mut(BLOCK / WORD));
        for ((means, bits), first) in blocks.zip(columns.clone().step_by(BLOCK)) {
            let mut uniforms = [0.0; BLOCK];
            self.uniforms.fill(self.bias.len(), row, first, &mut uniforms);
            let (means, last) = means.as_chunks();
            let uniforms = uniforms.as_chunks().0;
            for (word, (means, uniforms)) in bits.iter_mut().zip(means.iter().zip(uniforms)) {
                *word = draw(simd, uniforms, means);
            }
            if let (false, Some(word)) = (last.is_empty(), bits.last_mut()) {
                // Zeros past the last unit draw 0.
                let mut padded = [0.0; WORD];
                padded[..last.len()].copy_from_slice(last);
                *word = draw(simd, &uniforms[means.len()], &padded);
            }
        }
    }

    /// means = σ(β sums + bias).
    #[inline(always)]
    fn activate<S: Simd, const N: usize>(
        &self,
        simd: S,
        sums: &[S::f32s],
        bias: &[S::f32s],
        means: &mut [S::f32s],
    ) {
        let beta = simd.splat_f32s(self.beta);
        let mut x = [beta; N];
        for (x, (sum, bias)) in x.iter_mut().zip(sums.iter().zip(bias)) {
            *x = simd.add_f32s(simd.mul_f32s(beta, *sum), *bias);
        }
        sigmoid(simd, &mut x);
        for (mean, x) in means.iter_mut().zip(x) {
            *mean = x;
        }
    }
}

/// Finishes a part of a layer.
pub struct Finish<'a> {
    pub activation: &'a Activation<'a>,
    pub part: Part<'a>,
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (row, sums) in self.part.rows() {
            // SAFETY: the parts of a sum don't overlap.
            unsafe { self.activation.finish(simd, row, &self.part.columns, sums) };
        }
    }
}
