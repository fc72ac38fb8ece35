//! Strided matrices, and their product by a GEMM crate.

use std::ops::Range;

use gemm::Parallelism;

use crate::level::Level;

/// A strided matrix: element (i, j) is at `i * stride.0 + j * stride.1`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f32],
    pub stride: (usize, usize),
    pub rows: usize,
    pub columns: usize,
}

impl<'a> Matrix<'a> {
    /// A contiguous matrix, rows × columns, row-major.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, stride: (columns, 1), rows, columns }
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self { stride: (self.stride.1, self.stride.0), rows: self.columns, columns: self.rows, ..self }
    }

    /// Whether its rows are contiguous.
    pub fn has_rows(&self) -> bool {
        // A single column may look like rows.
        self.stride.1 == 1 && self.stride.0 >= self.columns
    }

    /// The start of a block and its row stride, if its rows are contiguous.
    pub fn block_of_rows(&self, rows: &Range<usize>, columns: &Range<usize>) -> Option<(&'a [f32], usize)> {
        self.has_rows().then(|| (&self.values[rows.start * self.stride.0 + columns.start..], self.stride.0))
    }

    /// Copies a block with contiguous columns to rows of `width` floats.
    #[inline(always)]
    pub fn copy_block(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], width: usize) {
        let block = &self.values[rows.start * self.stride.0 + columns.start * self.stride.1..];
        // Four columns at a time: their elements become adjacent.
        let mut all = block.chunks(self.stride.1).take(columns.len()).map(|column| &column[..rows.len()]);
        for j in (0..columns.len()).step_by(4) {
            let [a, b, c, d] = std::array::from_fn(|_| all.next());
            if let (Some(a), Some(b), Some(c), Some(d)) = (a, b, c, d) {
                for ((((out, a), b), c), d) in out.chunks_mut(width).zip(a).zip(b).zip(c).zip(d) {
                    out[j..j + 4].copy_from_slice(&[*a, *b, *c, *d]);
                }
            } else {
                for (j, column) in (j..).zip([a, b, c, d].into_iter().flatten()) {
                    for (out, x) in out.chunks_mut(width).zip(column) {
                        out[j] = *x;
                    }
                }
            }
        }
    }
}

/// Depth of a block of the right matrix that stays in the L1 cache while all rows of the left one are multiplied by it.
const DEPTH: usize = 32;
/// Columns of that block.
const COLUMNS: usize = 128;

/// out = keep · out + scale · left × right, row-major, on this thread.
pub fn product(level: Level, out: &mut [f32], keep: f32, scale: f32, left: Matrix, right: Matrix) {
    let (m, n, k) = (left.rows, right.columns, left.columns);
    let last = |matrix: &Matrix| (matrix.rows - 1) * matrix.stride.0 + (matrix.columns - 1) * matrix.stride.1;
    assert!(m > 0 && n > 0 && k > 0 && k == right.rows);
    assert!(out.len() == m * n && last(&left) < left.values.len() && last(&right) < right.values.len());
    if level.is_baseline() {
        return level.dispatch(
            #[inline(always)]
            || plain_product(out, keep, scale, left, right),
        );
    }
    // SAFETY: the assertions bound every access to its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            keep != 0.0,
            left.values.as_ptr(),
            left.stride.1 as isize,
            left.stride.0 as isize,
            right.values.as_ptr(),
            right.stride.1 as isize,
            right.stride.0 as isize,
            keep,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// [`product`] for the baseline. The GEMM crate has no vectors for it, or would detect AVX2 and AVX-512 by itself.
#[inline(always)]
fn plain_product(out: &mut [f32], keep: f32, scale: f32, left: Matrix, right: Matrix) {
    if keep == 0.0 {
        out.fill(0.0);
    } else {
        out.iter_mut().for_each(|x| *x *= keep);
    }
    let mut packed = [0.0; DEPTH * COLUMNS];
    for first in (0..right.rows).step_by(DEPTH) {
        let depth = first..(first + DEPTH).min(right.rows);
        for first in (0..right.columns).step_by(COLUMNS) {
            let columns = first..(first + COLUMNS).min(right.columns);
            let (block, width) = match right.block_of_rows(&depth, &columns) {
                Some(rows) => rows,
                None => {
                    right.copy_block(depth.clone(), columns.clone(), &mut packed, COLUMNS);
                    (&packed[..], COLUMNS)
                }
            };
            for (row, out) in out.chunks_mut(right.columns).enumerate() {
                let out = &mut out[columns.clone()];
                for (k, right) in depth.clone().zip(block.chunks(width)) {
                    let factor = scale * left.values[row * left.stride.0 + k * left.stride.1];
                    out.iter_mut().zip(right).for_each(|(x, y)| *x += factor * y);
                }
            }
        }
    }
}
