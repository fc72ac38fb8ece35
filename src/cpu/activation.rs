//! What follows the product in both half steps: bias, sigmoid and draw.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{
    lookup::Part,
    math::sigmoid,
    strips::Strips,
    units::{Kind, Units, WORD, draw},
};
use crate::{backend::Params, host::Uniforms, rng::BLOCK};

/// A layer that takes the sums of its units and becomes their means and states.
pub struct Activation<'a> {
    params: &'a Params,
    bias: &'a [f32],
    uniforms: Uniforms<'a>,
    means: Strips<'a, f32>,
    bits: Strips<'a, u16>,
}

impl<'a> Activation<'a> {
    /// For the first rows of a layer.
    pub fn new(params: &'a Params, bias: &'a [f32], uniforms: Uniforms<'a>, units: &'a mut Units) -> Self {
        let kind = if params.has(Params::SAMPLE) { Kind::Binary } else { Kind::Means };
        units.kinds[..params.rows as usize].fill(kind);
        let words = units.words();
        let (means, bits) = (Strips::new(&mut units.means, units.width), Strips::new(&mut units.bits, words));
        Self { params, bias, uniforms, means, bits }
    }

    /// Finishes some units of a row from their sums.
    ///
    /// # Safety
    /// No other thread may be at these units.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, simd: S, row: usize, columns: &Range<usize>, sums: &[f32]) {
        let Self { params, bias, uniforms, .. } = self;
        // SAFETY: as the caller promises; a part's first column is a word's first.
        let (means, bits) = unsafe {
            let words = columns.start / WORD..columns.end.div_ceil(WORD);
            (self.means.row(row, columns), self.bits.row(row, &words))
        };
        let beta = params.beta;
        let mut numbers = [0.0; BLOCK];
        for (at, word) in (0..columns.len()).step_by(WORD).zip(bits) {
            let (unit, end) = (columns.start + at, columns.len().min(at + WORD));
            let (sums, bias) = (padded(&sums[at..end]), padded(&bias[unit..columns.end]));
            let mean = std::array::from_fn(|lane| sigmoid(beta * (sums[lane] + bias[lane])));
            match means[at..end].as_mut_array() {
                Some(means) => *means = mean,
                None => means[at..end].copy_from_slice(&mean[..end - at]),
            }
            if params.has(Params::SAMPLE) {
                if at % BLOCK == 0 {
                    uniforms.fill(params, self.bias.len(), row, unit, &mut numbers);
                }
                let uniforms = &numbers.as_chunks().0[at % BLOCK / WORD];
                *word = draw(simd, uniforms, &mean) & (u16::MAX >> (WORD - (end - at)));
            }
        }
    }
}

/// The first units of a word; zeros beyond the end.
#[inline(always)]
fn padded(values: &[f32]) -> [f32; WORD] {
    values.first_chunk().copied().unwrap_or_else(|| {
        let mut word = [0.0; WORD];
        word[..values.len()].copy_from_slice(values);
        word
    })
}

/// A part of a layer to finish.
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
