//! Multiplies a binary matrix by a real one without multiplications: the method of the four Russians (Arlazarov, Dinic,
//! Kronrod and Faradžev 1970).
//!
//! Four rows of the right matrix have only sixteen subset sums. With a table of those, four binary inputs of a row cost one
//! look-up and one addition instead of four multiply-adds; one table serves all rows. All five products of a CD-1 step have
//! a binary side: the states of a layer, by row or by column.

use std::{
    cell::RefCell,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytemuck::{Pod, Zeroable};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    codes::{Codes, DEPTH, ENTRIES, GROUP},
    matrix::Matrix,
    units::WORD,
};
use crate::level::Level;

/// The most rows per table: their sums stay in the L2 cache.
const ROWS: usize = 512;
/// Adjacent vectors that share the reading of a code.
const VECTORS: usize = 4;
/// The fewest vector additions that pay for a second thread.
const FEWEST: usize = 56 << 10;
/// Cost of a vector's sigmoids and draws, in vector additions.
const FINISH: usize = 16;
/// Entries of the table: all that a byte can address. Those past the last group are unused.
const TABLE: usize = 1 << u8::BITS;
/// Floats per cache line, and the most per vector.
pub const LANES: usize = 16;

/// A product to add: `scale` × a binary matrix × a real matrix.
pub struct Term<'a, L> {
    /// rows × depth.
    pub left: &'a L,
    /// depth × columns.
    pub right: Matrix<'a>,
    /// Factor of the right matrix.
    pub scale: f32,
}

impl<'a, L> Term<'a, L> {
    /// The term with a part of the left matrix's data.
    pub fn of<P>(self, part: impl FnOnce(&'a L) -> &'a P) -> Term<'a, P> {
        Term { left: part(self.left), right: self.right, scale: self.scale }
    }
}

/// A part of the sum: `sums[row - rows.start][column - columns.start]`, with a row stride in floats.
pub struct Part<'a> {
    /// Rows.
    pub rows: Range<usize>,
    /// Columns; the first is a multiple of [`WORD`].
    pub columns: Range<usize>,
    pub sums: &'a [f32],
    pub stride: usize,
}

impl Part<'_> {
    /// Splits into the rows before `row`, and the rest, renumbered from 0.
    pub fn split_at(self, row: usize) -> [Self; 2] {
        let Self { rows, columns, sums, stride } = self;
        let before = rows.start.min(row)..rows.end.min(row);
        let after = rows.start.max(row) - row..rows.end.max(row) - row;
        let (first, second) = sums.split_at(before.len() * stride);
        [
            Self { rows: before, columns: columns.clone(), sums: first, stride },
            Self { rows: after, columns, sums: second, stride },
        ]
    }

    /// Iterates over row numbers and their sums.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.rows.clone().zip(self.sums.chunks(self.stride).map(|sums| &sums[..self.columns.len()]))
    }
}

/// Adds up the terms, and passes each part of the sum to `finish` while it is in the cache. Results don't depend on how the
/// work is cut: terms and depth are always added in one order.
pub fn sum(level: Level, terms: &[Term<Codes>], finish: impl Fn(Part) + Sync) {
    let ((rows, _), columns) = (terms[0].left.shape(), terms[0].right.columns);
    for Term { left, right, .. } in terms {
        assert_eq!((left.shape(), right.columns), ((rows, right.rows), columns));
    }
    let depth = terms.iter().map(|term| term.right.rows).sum();
    let threads = if is_small(rows, depth, columns) { 1 } else { rayon::current_num_threads() };
    // A strip begins with a whole word of states; random numbers come in fours.
    let lanes = level.dispatch(Lanes);
    let unit = WORD;
    let units = columns.div_ceil(unit);
    let strips = units.div_ceil(VECTORS * lanes / unit).next_multiple_of(threads).min(units);
    let chunk = terms[0].left.chunk();
    let chunks = rows.div_ceil(chunk);
    // Rows are cut too if columns alone are too few for all threads.
    let parts = rows.div_ceil(ROWS).max(threads.div_ceil(strips)).min(chunks);
    for_each_part(threads, strips * parts, |part| {
        let (strip, part) = (part / parts, part % parts);
        let (first, end) = (units * strip / strips * unit, units * (strip + 1) / strips * unit);
        let columns = first..end.min(columns);
        let chunks = chunks * part / parts..chunks * (part + 1) / parts;
        let rows = chunks.start * chunk..rows.min(chunks.end * chunk);
        let stride = end - first;
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.sums.clear();
            scratch.sums.resize((rows.len() * stride).div_ceil(LANES), Line::zeroed());
            let Scratch { panel, table, sums } = scratch;
            for term in terms {
                level.dispatch(Strip {
                    term,
                    chunks: &chunks,
                    columns: &columns,
                    stride,
                    panel,
                    table,
                    sums,
                });
            }
            finish(Part { rows, columns, sums: bytemuck::cast_slice(sums), stride });
        });
    });
}

/// Whether one thread would finish a sum before another woke up.
pub fn is_small(rows: usize, depth: usize, columns: usize) -> bool {
    // Making a table's entries costs as much as looking them up.
    columns.div_ceil(LANES) * (depth.div_ceil(GROUP) * (rows + ENTRIES) + rows * FINISH) < FEWEST
}

/// Does all parts of some work with one thread, or with all. Each thread begins with its own part, the same one in every
/// call, whose data are in its cache, and then helps the others. A thread that doesn't wake in time is not waited for.
pub fn for_each_part(threads: usize, parts: usize, work: impl Fn(usize) + Sync) {
    if threads == 1 {
        return (0..parts).for_each(work);
    }
    let next: Vec<_> = (0..threads).map(|thread| AtomicUsize::new(parts * thread / threads)).collect();
    (0..threads).into_par_iter().for_each(|_| {
        let thread = rayon::current_thread_index().unwrap_or(0);
        for turn in 0..threads {
            let owner = (thread + turn) % threads;
            let end = parts * (owner + 1) / threads;
            loop {
                let part = next[owner].fetch_add(1, Ordering::Relaxed);
                if part >= end {
                    break;
                }
                work(part);
            }
        }
    });
}

/// A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Line([f32; LANES]);

/// Scratch of one thread.
struct Scratch {
    panel: Vec<Line>,
    table: Vec<Line>,
    sums: Vec<Line>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        panel: vec![Line::zeroed(); DEPTH * VECTORS],
        table: vec![Line::zeroed(); TABLE * VECTORS],
        sums: Vec::new(),
    });
}

/// Floats per vector.
pub struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// One term's contribution to a part of the sum.
struct Strip<'a> {
    term: &'a Term<'a, Codes>,
    chunks: &'a Range<usize>,
    columns: &'a Range<usize>,
    stride: usize,
    panel: &'a mut [Line],
    table: &'a mut [Line],
    sums: &'a mut [Line],
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.stride / S::F32_LANES {
            1 => self.add::<S, 1>(simd),
            2 => self.add::<S, 2>(simd),
            3 => self.add::<S, 3>(simd),
            _ => self.add::<S, VECTORS>(simd),
        }
    }
}

impl Strip<'_> {
    /// sums += scale × left × right, for `V` adjacent vectors of columns.
    #[inline(always)]
    fn add<S: Simd, const V: usize>(self, simd: S) {
        let Self { term: Term { left, right, scale }, chunks, columns, stride, panel, table, sums } = self;
        let sums: &mut [S::f32s] = bytemuck::cast_slice_mut(sums);
        let sums = sums.as_chunks_mut::<V>().0;
        let table: &mut [S::f32s] = bytemuck::cast_slice_mut(table);
        let table: &mut [[S::f32s; V]; TABLE] =
            table.as_chunks_mut::<V>().0.first_chunk_mut().expect("room for VECTORS vectors");
        let zero = simd.splat_f32s(0.0);
        let scale = simd.splat_f32s(*scale);
        for block in 0..left.blocks() {
            let first = block * DEPTH;
            let depth = first..(first + DEPTH).min(right.rows);
            // Contiguous rows are read in place.
            let panel: &mut [f32] = &mut bytemuck::cast_slice_mut(panel)[..DEPTH * stride];
            let (block_of_right, width) = match right.block_of_rows(&depth, columns) {
                Some(rows) => rows,
                None => {
                    right.copy_block(depth.clone(), columns.clone(), panel, stride);
                    (&*panel, stride)
                }
            };
            let groups = table.as_chunks_mut::<ENTRIES>().0.iter_mut().take(depth.len().div_ceil(GROUP));
            for (group, table) in groups.enumerate() {
                for v in 0..V {
                    // All subset sums of four rows, made in registers.
                    let mut sums = [zero; ENTRIES];
                    for input in 0..GROUP {
                        let row = group * GROUP + input;
                        let next = if row < depth.len() {
                            let row = &block_of_right[row * width..][..columns.len()];
                            let vector = row.get(v * S::F32_LANES..).unwrap_or(&[]);
                            let vector = match S::as_simd_f32s(vector) {
                                ([vector, ..], _) => *vector,
                                ([], part) => simd.partial_load_f32s(part),
                            };
                            simd.mul_f32s(scale, vector)
                        } else {
                            zero
                        };
                        for sum in 0..1 << input {
                            sums[1 << input | sum] = simd.add_f32s(sums[sum], next);
                        }
                    }
                    for (entry, sum) in table.iter_mut().zip(sums) {
                        entry[v] = sum;
                    }
                }
            }
            for (chunk, sums) in chunks.clone().zip(sums.chunks_mut(left.chunk())) {
                for (count, rows) in left.block(chunk, block).rows() {
                    for (row, entries) in rows {
                        let mut sum = sums[row];
                        for &entry in &entries[..count] {
                            let entry = &table[usize::from(entry)];
                            for v in 0..V {
                                sum[v] = simd.add_f32s(sum[v], entry[v]);
                            }
                        }
                        sums[row] = sum;
                    }
                }
            }
        }
    }
}
