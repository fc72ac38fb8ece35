//! Binary matrices with few ones, as the places of these: the states of Potts units. A product adds up the rows of the right matrix
//! at these places, one addition a vector for each unit, however many states it has.

use std::{cell::RefCell, ops::Range};

use bytemuck::Zeroable;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    lookup::{LANES, Lanes, Line, Part, Term, for_each_part},
    units::{Units, WORD},
};
use crate::level::Level;

/// Rows whose places are listed together.
const CHUNK: usize = 64;
/// Columns of a transposed matrix that are sorted together: whole words.
const COLUMNS: usize = 9 * u32::BITS as usize;
/// Packing fewer words than this takes less time than waking another thread.
const FEWEST_WORDS: usize = 1 << 12;
/// The most adjacent vectors that are added up together.
const VECTORS: usize = 8;
/// Rows of a part of the sum: they stay in the L1 cache.
const ROWS: usize = 32;
/// The fewest vector additions that pay for a second thread.
const FEWEST: usize = 32 << 10;

/// A binary matrix, in chunks of rows.
#[derive(Default)]
pub struct Ones {
    rows: usize,
    depth: usize,
    /// Rows of each chunk except the last.
    chunk: usize,
    chunks: Vec<Places>,
}

/// Places of the ones of some rows.
#[derive(Default)]
struct Places {
    /// Where each row begins in `columns`, and the end of the last.
    starts: Vec<u32>,
    columns: Vec<u32>,
}

impl Places {
    fn clear(&mut self) {
        self.starts.clear();
        self.starts.push(0);
        self.columns.clear();
    }

    /// Adds a row, given by its bits.
    #[inline(always)]
    fn push(&mut self, bits: &[u16]) {
        /// Places that are written for every word, even if it has fewer ones.
        const AT_ONCE: usize = 4;
        const BITS: usize = u64::BITS as usize;
        let words = bits.chunks(BITS / WORD);
        let word =
            |words: &[u16]| words.iter().rev().fold(0, |all: u64, &word| all << WORD | u64::from(word));
        let mut at = self.columns.len();
        let mut end = at;
        for words in words.clone() {
            end += word(words).count_ones() as usize;
        }
        self.columns.resize(end + AT_ONCE, 0);
        let mut first = 0;
        for words in words {
            let mut word = word(words);
            let next = at + word.count_ones() as usize;
            for column in &mut self.columns[at..at + AT_ONCE] {
                *column = first + word.trailing_zeros();
                word &= word.wrapping_sub(1);
            }
            if next > at + AT_ONCE {
                for column in &mut self.columns[at + AT_ONCE..next] {
                    *column = first + word.trailing_zeros();
                    word &= word.wrapping_sub(1);
                }
            }
            at = next;
            first += BITS as u32;
        }
        self.columns.truncate(end);
        self.starts.push(end as u32);
    }

    fn row(&self, row: usize) -> &[u32] {
        &self.columns[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// Writes the transpose, which has `rows` rows.
    fn transpose(&self, rows: usize, out: &mut Self) {
        out.starts.clear();
        out.starts.resize(rows + 2, 0);
        for &column in &self.columns {
            out.starts[column as usize + 2] += 1;
        }
        for row in 2..out.starts.len() {
            out.starts[row] += out.starts[row - 1];
        }
        out.columns.resize(self.columns.len(), 0);
        // Until the end, a row's start is one place farther on: there it moves to the start of the next row.
        for row in 0..self.starts.len() - 1 {
            for &column in self.row(row) {
                let next = &mut out.starts[column as usize + 1];
                out.columns[*next as usize] = row as u32;
                *next += 1;
            }
        }
        out.starts.truncate(rows + 1);
    }
}

impl Ones {
    /// Lists the states of the first cases of some minibatches, cases × units, one below the other.
    pub fn pack(&mut self, level: Level, minibatches: &[(&Units, usize)]) {
        let cases = minibatches.iter().map(|(_, cases)| cases).sum::<usize>();
        let words = minibatches[0].0.words().div_ceil(2);
        self.fill(
            level,
            (cases, minibatches[0].0.width),
            CHUNK,
            words * CHUNK,
            #[inline(always)]
            |rows, places| {
                places.clear();
                let mut first = 0;
                for &(units, cases) in minibatches {
                    for row in rows.start.max(first)..rows.end.min(first + cases) {
                        places.push(units.row_bits(row - first));
                    }
                    first += cases;
                }
            },
        );
    }

    /// Lists the transpose of cases × units: a row is a unit.
    pub fn pack_transposed(&mut self, level: Level, units: &Units, cases: usize) {
        let words = cases * COLUMNS / u32::BITS as usize;
        self.fill(
            level,
            (units.width, cases),
            COLUMNS,
            words,
            #[inline(always)]
            |rows, places| {
                let words = rows.start / WORD..rows.end.div_ceil(WORD);
                CASES.with_borrow_mut(
                    #[inline(always)]
                    |of_cases| {
                        of_cases.clear();
                        for case in 0..cases {
                            of_cases.push(&units.row_bits(case)[words.clone()]);
                        }
                        of_cases.transpose(rows.len(), places);
                    },
                );
            },
        );
    }

    /// Lists each chunk of rows, which has `words` words.
    fn fill(
        &mut self,
        level: Level,
        (rows, depth): (usize, usize),
        chunk: usize,
        words: usize,
        list: impl Fn(Range<usize>, &mut Places) + Sync,
    ) {
        (self.rows, self.depth, self.chunk) = (rows, depth, chunk);
        self.chunks.resize_with(rows.div_ceil(chunk), Places::default);
        let chunks = self.chunks.par_iter_mut().enumerate().with_min_len(FEWEST_WORDS.div_ceil(words));
        chunks.for_each(|(index, places)| {
            // Ones are counted by an instruction, where there is one.
            level.run(
                #[inline(always)]
                || list(index * chunk..rows.min((index + 1) * chunk), places),
            );
        });
    }

    /// Rows and depth.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.depth)
    }

    /// Number of ones in each row.
    pub fn counts(&self) -> Vec<u32> {
        self.chunks.iter().flat_map(|places| places.starts.windows(2).map(|ends| ends[1] - ends[0])).collect()
    }

    /// Places of a row's ones.
    #[inline(always)]
    fn row(&self, row: usize) -> &[u32] {
        self.chunks[row / self.chunk].row(row % self.chunk)
    }
}

/// Adds up the terms, whose right matrices have contiguous rows, and passes each part of the sum to `finish` while it is in the
/// cache. Results don't depend on how the work is cut: places and terms are always added in one order.
pub fn sum(level: Level, terms: &[Term<Ones>], finish: impl Fn(Part) + Sync) {
    let ((rows, _), columns) = (terms[0].left.shape(), terms[0].right.columns);
    for Term { left, right, .. } in terms {
        assert_eq!((left.shape(), right.columns), ((rows, right.rows), columns));
        assert!(right.has_rows());
    }
    let lanes = level.dispatch(Lanes);
    let ones = |ones: &Ones| ones.chunks.iter().map(|places| places.columns.len()).sum::<usize>();
    let additions: usize = terms.iter().map(|term| ones(term.left) * columns.div_ceil(LANES)).sum();
    let threads = if additions < FEWEST { 1 } else { rayon::current_num_threads() };
    let (strips, parts) = (columns.div_ceil(VECTORS * lanes), rows.div_ceil(ROWS));
    for_each_part(threads, strips * parts, |part| {
        let (strip, part) = (part / parts, part % parts);
        let columns = strip * VECTORS * lanes..columns.min((strip + 1) * VECTORS * lanes);
        let rows = part * ROWS..rows.min((part + 1) * ROWS);
        let stride = columns.len().next_multiple_of(lanes);
        SUMS.with_borrow_mut(|sums| {
            sums.resize((rows.len() * stride).div_ceil(LANES).max(sums.len()), Line::zeroed());
            level.dispatch(Strip { terms, rows: &rows, first: columns.start, vectors: stride / lanes, sums });
            finish(Part { rows, columns, sums: bytemuck::cast_slice(sums), stride });
        });
    });
}

thread_local! {
    static CASES: RefCell<Places> = RefCell::default();
    static SUMS: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// A part of the sum.
struct Strip<'a> {
    terms: &'a [Term<'a, Ones>],
    rows: &'a Range<usize>,
    /// The first column.
    first: usize,
    vectors: usize,
    sums: &'a mut [Line],
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.vectors {
            1 => self.add::<S, 1>(simd),
            2 => self.add::<S, 2>(simd),
            3 => self.add::<S, 3>(simd),
            4 => self.add::<S, 4>(simd),
            5 => self.add::<S, 5>(simd),
            6 => self.add::<S, 6>(simd),
            7 => self.add::<S, 7>(simd),
            _ => self.add::<S, VECTORS>(simd),
        }
    }
}

impl Strip<'_> {
    /// sums = Σ scale × left × right, for `V` adjacent vectors of columns.
    #[inline(always)]
    fn add<S: Simd, const V: usize>(self, simd: S) {
        let Self { terms, rows, first, sums, .. } = self;
        let sums: &mut [S::f32s] = bytemuck::cast_slice_mut(sums);
        let zero = [simd.splat_f32s(0.0); V];
        for (row, out) in rows.clone().zip(sums.as_chunks_mut::<V>().0) {
            *out = zero;
            for Term { left, right, scale } in terms {
                let mut sum = zero;
                for &place in left.row(row) {
                    let start = place as usize * right.stride.0 + first;
                    // What follows a row goes to columns that are not there.
                    let whole = right.values.get(start..start + V * S::F32_LANES);
                    let mut end = zero;
                    let row = match whole.and_then(|row| S::as_simd_f32s(row).0.first_chunk::<V>()) {
                        Some(row) => row,
                        None => {
                            // The last rows, which nothing follows.
                            let parts = right.values[start..].chunks(S::F32_LANES);
                            for (vector, part) in end.iter_mut().zip(parts) {
                                *vector = simd.partial_load_f32s(part);
                            }
                            &end
                        }
                    };
                    for v in 0..V {
                        sum[v] = simd.add_f32s(sum[v], row[v]);
                    }
                }
                let scale = simd.splat_f32s(*scale);
                for v in 0..V {
                    out[v] = simd.add_f32s(out[v], simd.mul_f32s(scale, sum[v]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cpu::matrix::Matrix,
        host::HostUnits,
        units::{Kind, Layer},
    };

    #[test]
    fn ones_are_added_at_their_places() {
        // Dense, sparse and empty rows; more units than a chunk's, and no whole number of words.
        for (cases, units, columns) in [(1, 5, 3), (70, 33, 17), (9, 700, 130), (130, 289, 1)] {
            let layer = Layer::of(Kind::Binary, units);
            let state = |case: usize, unit: usize| match case % 3 {
                0 => false,
                1 => unit % 21 == case % 21,
                _ => unit.is_multiple_of(2),
            };
            let states: Vec<f32> =
                (0..cases * units).map(|at| f32::from(state(at / units, at % units))).collect();
            let mut packed = Units::new(&layer, cases);
            packed.write(&states, &states);
            let of_rows: Vec<u32> =
                (0..cases).map(|case| (0..units).filter(|&u| state(case, u)).count() as u32).collect();
            let of_units: Vec<u32> =
                (0..units).map(|unit| (0..cases).filter(|&c| state(c, unit)).count() as u32).collect();
            for level in Level::all() {
                let mut ones = [Ones::default(), Ones::default()];
                ones[0].pack(level, &[(&packed, cases)]);
                ones[1].pack_transposed(level, &packed, cases);
                assert_eq!((ones[0].counts(), ones[1].counts()), (of_rows.clone(), of_units.clone()));
                for (ones, is_transposed) in ones.iter().zip([false, true]) {
                    let (rows, depth) = ones.shape();
                    let values: Vec<f32> = (0..depth * columns).map(|at| (at % 19) as f32 - 9.0).collect();
                    let right = Matrix::new(&values, depth, columns);
                    let expected = |row: usize, column: usize| -> f32 {
                        let on = |at: usize| if is_transposed { state(at, row) } else { state(row, at) };
                        let sum: f32 =
                            (0..depth).filter(|&at| on(at)).map(|at| values[at * columns + column]).sum();
                        1.5 * sum
                    };
                    let seen = std::sync::Mutex::new(vec![f32::NAN; rows * columns]);
                    let terms = [1.0, 0.5].map(|scale| Term { left: ones, right, scale });
                    sum(level, &terms, |part| {
                        let mut seen = seen.lock().unwrap();
                        for (row, sums) in part.rows() {
                            seen[row * columns..][part.columns.clone()].copy_from_slice(sums);
                        }
                    });
                    for (at, found) in seen.into_inner().unwrap().into_iter().enumerate() {
                        assert_eq!(found, expected(at / columns, at % columns), "{level}: {at}");
                    }
                }
            }
        }
    }
}
