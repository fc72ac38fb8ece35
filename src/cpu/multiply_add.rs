//! Arithmetic only, for benchmarks.

use pulp::{Simd, WithSimd};

use crate::backend::operation::MULTIPLY_ADDS;
use crate::level::multiply_add;

/// Independent vectors, to hide the latency of a multiply-add.
const CHAINS: usize = 8;

/// values = x·(1 − 2⁻¹⁰) + 2⁻¹⁰, [`MULTIPLY_ADDS`] times.
pub struct MultiplyAdd<'a>(pub &'a mut [f32]);

impl WithSimd for MultiplyAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let small = f32::exp2(-10.0);
        let (factor, summand) = (simd.splat_f32s(1.0 - small), simd.splat_f32s(small));
        let (vectors, rest) = S::as_mut_simd_f32s(self.0);
        let (blocks, vectors) = vectors.as_chunks_mut::<CHAINS>();
        for block in blocks {
            let mut x = *block;
            for _ in 0..MULTIPLY_ADDS {
                for x in &mut x {
                    *x = multiply_add(simd, *x, factor, summand);
                }
            }
            *block = x;
        }
        for vector in vectors {
            for _ in 0..MULTIPLY_ADDS {
                *vector = multiply_add(simd, *vector, factor, summand);
            }
        }
        for x in rest {
            for _ in 0..MULTIPLY_ADDS {
                *x = *x * (1.0 - small) + small;
            }
        }
    }
}
