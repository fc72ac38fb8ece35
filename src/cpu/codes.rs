//! Binary matrices packed for look-ups: four bits to a code, and only the codes that are not zero.

use std::ops::Range;

use rayon::prelude::*;

use super::units::{Units, WORD};
use crate::level::Level;

/// Binary inputs of a code.
pub const GROUP: usize = 4;
/// Subset sums of a group.
pub const ENTRIES: usize = 1 << GROUP;
/// Groups whose tables are in use together: 32 KiB with AVX-512, which fits the L1 cache.
pub const GROUPS: usize = 8;
/// Binary inputs of [`GROUPS`] groups.
pub const DEPTH: usize = GROUP * GROUPS;
/// A row with this many codes keeps its zeros, too: looking them up costs less than leaving them out.
const DENSE: usize = 6;

/// Squares of bits that are transposed together; each covers [`DEPTH`] units.
const SQUARES: usize = 8;
/// Products with fewer columns take less time than sorting their rows.
const SORTED: usize = 128;
/// Packing fewer words than this takes less time than waking another thread.
const FEWEST: usize = 1 << 12;

/// A binary matrix, rows × depth, in chunks of rows and blocks of [`DEPTH`] columns. In each chunk and block the rows are
/// sorted by their number of codes, so that the processor predicts the loops over them. Sparse rows, such as images, have
/// few codes. The order of the rows changes when a sum is taken, but not its terms.
#[derive(Default)]
pub struct Codes {
    rows: usize,
    depth: usize,
    chunk: usize,
    /// The bits of each row, by chunk, then by block, then by row.
    words: Vec<u32>,
    /// The non-zero codes of each row, as `ENTRIES * group + code`, by chunk, then by block, with the rows sorted.
    entries: Vec<[u8; GROUPS]>,
    /// The row in the chunk of each of `entries`.
    order: Vec<u16>,
    /// Where rows of each number of codes end, by chunk, then by block.
    ends: Vec<Ends>,
}

/// Where in a chunk the rows with 0, 1, … codes end.
type Ends = [u16; GROUPS + 1];

/// The rows of a chunk in a block of columns.
pub struct Block<'a> {
    entries: &'a [[u8; GROUPS]],
    order: &'a [u16],
    ends: &'a Ends,
}

impl Block<'_> {
    /// For each number of codes above zero, the rows with that many, with their entries.
    #[inline(always)]
    pub fn rows(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = (usize, &[u8; GROUPS])>)> {
        (1..=GROUPS).map(|count| {
            let rows = self.ends[count - 1].into()..self.ends[count].into();
            let order = self.order[rows.clone()].iter().map(|&row| usize::from(row));
            (count, order.zip(&self.entries[rows]))
        })
    }
}

impl Codes {
    /// Rows and depth.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.depth)
    }

    /// Rows of each chunk except the last.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Blocks of columns.
    pub fn blocks(&self) -> usize {
        self.depth.div_ceil(DEPTH)
    }

    /// A chunk's rows in a block of columns.
    pub fn block(&self, chunk: usize, block: usize) -> Block<'_> {
        let first = chunk * self.chunk;
        let rows = self.chunk.min(self.rows - first);
        let first = first * self.blocks() + block * rows;
        Block {
            entries: &self.entries[first..][..rows],
            order: &self.order[first..][..rows],
            ends: &self.ends[chunk * self.blocks() + block],
        }
    }

    /// Packs the states of the first cases of some minibatches, cases × units, one below the other, for a product with
    /// `columns` columns.
    pub fn pack(&mut self, level: Level, minibatches: &[(&Units, usize)], columns: usize) {
        let cases = minibatches.iter().map(|(_, cases)| cases).sum::<usize>();
        let chunk = cases.div_ceil(cases.div_ceil(64));
        self.fill(
            level,
            (cases, minibatches[0].0.width),
            columns,
            chunk,
            #[inline(always)]
            |rows, words| {
                let mut first = 0;
                for &(units, cases) in minibatches {
                    for row in rows.start.max(first)..rows.end.min(first + cases) {
                        let blocks = units.row_bits(row - first).as_chunks::<2>().0;
                        for (block, [low, high]) in blocks.iter().enumerate() {
                            words[block * rows.len() + row - rows.start] =
                                u32::from(*low) | u32::from(*high) << WORD;
                        }
                    }
                    first += cases;
                }
            },
        );
    }

    /// Packs the transpose of cases × units: a row is a unit.
    pub fn pack_transposed(&mut self, level: Level, units: &Units, cases: usize, columns: usize) {
        self.fill(
            level,
            (units.width, cases),
            columns,
            SQUARES * DEPTH,
            #[inline(always)]
            |rows, words| {
                let (first, len) = (rows.start / WORD, rows.len());
                for (first_case, words) in (0..cases).step_by(DEPTH).zip(words.chunks_mut(len)) {
                    let mut square = [[0; SQUARES]; DEPTH];
                    for (row, case) in square.iter_mut().zip(first_case..cases.min(first_case + DEPTH)) {
                        let bits = units.row_bits(case)[first..].as_chunks::<2>().0;
                        for (word, [low, high]) in row.iter_mut().zip(bits) {
                            *word = u32::from(*low) | u32::from(*high) << WORD;
                        }
                    }
                    transpose(&mut square);
                    for (words, block) in words.chunks_mut(DEPTH).zip(0..) {
                        for (word, row) in words.iter_mut().zip(&square) {
                            *word = row[block];
                        }
                    }
                }
            },
        );
    }

    /// Number of ones in each row.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.rows];
        let chunks = self.words.chunks(self.blocks() * self.chunk).zip(counts.chunks_mut(self.chunk));
        for (words, counts) in chunks {
            for words in words.chunks(counts.len()) {
                counts.iter_mut().zip(words).for_each(|(count, word)| *count += word.count_ones());
            }
        }
        counts
    }

    /// Makes room, packs each chunk of rows, and sorts it.
    fn fill(
        &mut self,
        level: Level,
        (rows, depth): (usize, usize),
        columns: usize,
        chunk: usize,
        pack: impl Fn(Range<usize>, &mut [u32]) + Sync,
    ) {
        (self.rows, self.depth, self.chunk) = (rows, depth, chunk);
        let blocks = self.blocks();
        self.words.resize(blocks * rows, 0);
        self.entries.resize(blocks * rows, [0; GROUPS]);
        self.order.resize(blocks * rows, 0);
        self.ends.resize(blocks * rows.div_ceil(chunk), Ends::default());
        let words = self.words.par_chunks_mut(blocks * chunk);
        let entries = self.entries.par_chunks_mut(blocks * chunk);
        let order = self.order.par_chunks_mut(blocks * chunk);
        let chunks = (words, entries, order, self.ends.par_chunks_mut(blocks));
        let chunks = chunks.into_par_iter().enumerate().with_min_len(FEWEST.div_ceil(blocks * chunk));
        chunks.for_each(|(index, (words, entries, order, ends))| {
            level.run(
                #[inline(always)]
                || {
                    let rows = index * chunk..rows.min((index + 1) * chunk);
                    let len = rows.len();
                    pack(rows, words);
                    let sorted = entries.chunks_mut(len).zip(order.chunks_mut(len)).zip(ends);
                    let words = words.chunks(len).zip((0..depth).step_by(DEPTH));
                    for ((words, first), ((entries, order), ends)) in words.zip(sorted) {
                        let groups = (depth - first).div_ceil(GROUP).min(GROUPS);
                        if columns < SORTED {
                            keep(words, groups, entries, order, ends);
                        } else {
                            sort(level, words, groups, entries, order, ends);
                        }
                    }
                },
            );
        });
    }
}

/// The codes of a row in a block: four bits to a byte.
#[inline(always)]
fn codes_of(word: u32) -> u64 {
    let x = u64::from(word);
    let x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    let x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f
}

/// `ENTRIES * group` in each byte.
const GROUP_OF_BYTE: u64 = 0x7060_5040_3020_1000;
const BYTES: u64 = u64::MAX / 0xff;

/// The highest bit of each byte with a non-zero code. A code is below 16, so only a non-zero one carries into that bit.
#[inline(always)]
fn not_zero(codes: u64) -> u64 {
    (codes + 0x7f * BYTES) & (0x80 * BYTES)
}

/// Keeps the rows of a chunk in order, with all codes of these groups.
#[inline(always)]
fn keep(words: &[u32], groups: usize, entries: &mut [[u8; GROUPS]], order: &mut [u16], ends: &mut Ends) {
    for (entries, word) in entries.iter_mut().zip(words) {
        *entries = (codes_of(*word) | GROUP_OF_BYTE).to_le_bytes();
    }
    order.iter_mut().zip(0..).for_each(|(order, row)| *order = row);
    *ends = Ends::default();
    ends[groups..].fill(words.len() as u16);
}

/// Sorts the rows of a chunk by their number of non-zero codes, and lists these codes.
#[inline(always)]
fn sort(
    level: Level,
    words: &[u32],
    groups: usize,
    entries: &mut [[u8; GROUPS]],
    order: &mut [u16],
    ends: &mut Ends,
) {
    let count = |not_zero: u64| {
        let count = not_zero.count_ones() as usize;
        if count < DENSE { count } else { groups }
    };
    let mut slots = [0; GROUPS + 2];
    words.iter().for_each(|word| slots[count(not_zero(codes_of(*word))) + 1] += 1);
    for i in 1..slots.len() {
        slots[i] += slots[i - 1];
    }
    for (row, word) in (0..).zip(words) {
        let codes = codes_of(*word);
        let not_zero = not_zero(codes);
        let count = count(not_zero);
        let slot = &mut slots[count];
        order[usize::from(*slot)] = row;
        let all = codes | GROUP_OF_BYTE;
        let kept = if count == groups { all } else { compress(level, all, (not_zero >> 7) * 0xff) };
        entries[usize::from(*slot)] = kept.to_le_bytes();
        *slot += 1;
    }
    // Each slot is now where its rows end.
    ends.copy_from_slice(&slots[..=GROUPS]);
}

/// The bytes where `mask` is set, moved together from the lowest on.
#[inline(always)]
fn compress(level: Level, bytes: u64, mask: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if level.has_bmi2() {
        // SAFETY: the processor has BMI2.
        return unsafe { std::arch::x86_64::_pext_u64(bytes, mask) };
    }
    let _ = level;
    let (mut kept, mut len) = (0, 0);
    for group in 0..GROUPS {
        let byte = mask >> (8 * group) & 0xff;
        kept |= (bytes >> (8 * group) & byte) << (8 * len);
        len += (byte & 1) as usize;
    }
    kept
}

/// Transposes adjacent squares of bits: bit j of word i becomes bit i of word j (Warren, Hacker's Delight, 7-3).
#[inline(always)]
fn transpose(squares: &mut [[u32; SQUARES]; DEPTH]) {
    let mut mask = u32::MAX;
    for distance in [16, 8, 4, 2, 1] {
        mask ^= mask << distance;
        for i in (0..DEPTH).filter(|i| i & distance == 0) {
            let (rows, later) = squares.split_at_mut(i + distance);
            for (a, b) in rows[i].iter_mut().zip(&mut later[0]) {
                let swap = (*a >> distance ^ *b) & mask;
                *a ^= swap << distance;
                *b ^= swap;
            }
        }
    }
}
