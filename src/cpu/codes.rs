//! Binary matrices packed for look-ups: four bits to a code, and only the codes that are not zero.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::vectorize;

/// Binary inputs to a code.
pub const GROUP: usize = 4;
/// Subset sums of a group.
pub const ENTRIES: usize = 1 << GROUP;
/// Groups whose tables are in use together: 32 KiB of them with AVX-512, which the innermost cache holds.
pub const GROUPS: usize = 8;
/// Binary inputs of these groups.
pub const DEPTH: usize = GROUP * GROUPS;
/// A row with so many codes keeps its zeros too: to look them up costs less than to leave them out.
const DENSE: usize = 6;

/// A product with fewer columns is done before its rows would be sorted.
const SORTED: usize = 128;

/// A binary matrix, rows × depth. It is cut into chunks of rows and into blocks of [`DEPTH`] columns; in each, the rows
/// are sorted by how many codes they have, so that the loops over them are foreseen by the processor. Sparse rows, such
/// as pictures, have few. The order of the rows changes when a sum is taken, not what is summed.
#[derive(Default)]
pub struct Codes {
    rows: usize,
    depth: usize,
    chunk: usize,
    /// By chunk, then by block, then by row: a row's codes,
    codes: Vec<[u8; GROUPS]>,
    /// the same sorted: `ENTRIES * group + code` for each code that is not zero,
    entries: Vec<[u8; GROUPS]>,
    /// and which row of the chunk that is.
    order: Vec<u16>,
    /// By chunk, then by block.
    ends: Vec<Ends>,
}

/// Where in a chunk the rows with no codes end, those with one, …
type Ends = [u16; GROUPS + 1];

/// The rows of a chunk in a block of columns.
pub struct Block<'a> {
    entries: &'a [[u8; GROUPS]],
    order: &'a [u16],
    ends: &'a Ends,
}

impl Block<'_> {
    /// For each number of codes above zero, the rows that have so many, with their entries.
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

    /// Rows of each chunk but the last.
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

    /// Packs cases × units, for a product with so many columns. False, and nothing of use, if one of the numbers is
    /// neither 0 nor 1.
    pub fn pack(
        &mut self,
        arch: Arch,
        states: &[f32],
        (cases, units): (usize, usize),
        columns: usize,
    ) -> bool {
        self.fill(
            arch,
            (cases, units),
            columns,
            64,
            #[inline(always)]
            |rows, codes| {
                let mut others = 0;
                for (row, states) in states[rows.start * units..rows.end * units].chunks(units).enumerate() {
                    let (blocks, rest) = states.as_chunks::<DEPTH>();
                    for (block, states) in blocks.iter().enumerate() {
                        codes[block * rows.len() + row] = codes_of(states, &mut others);
                    }
                    if !rest.is_empty() {
                        let mut states = [0.0; DEPTH];
                        states[..rest.len()].copy_from_slice(rest);
                        codes[blocks.len() * rows.len() + row] = codes_of(&states, &mut others);
                    }
                }
                others == 0
            },
        )
    }

    /// The same for the transpose of cases × units: a row is a unit.
    pub fn pack_transposed(
        &mut self,
        arch: Arch,
        states: &[f32],
        (cases, units): (usize, usize),
        columns: usize,
    ) -> bool {
        self.fill(
            arch,
            (units, cases),
            columns,
            256,
            #[inline(always)]
            |rows, codes| {
                let mut others = 0;
                codes.fill([0; GROUPS]);
                let groups = states[..cases * units].chunks(GROUP * units).enumerate();
                for (group, states) in groups {
                    let codes = &mut codes[group / GROUPS * rows.len()..][..rows.len()];
                    let group = group % GROUPS;
                    let row = |i: usize| &states[i * units..][rows.clone()];
                    if states.len() == GROUP * units {
                        let [a, b, c, d] = std::array::from_fn(row);
                        for ((((codes, a), b), c), d) in codes.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                            let [a, b, c, d] =
                                [a, b, c, d].map(|state| u32::from(bit_of(*state, &mut others)));
                            codes[group] = (a | b << 1 | c << 2 | d << 3) as u8;
                        }
                    } else {
                        for i in 0..states.len() / units {
                            for (codes, state) in codes.iter_mut().zip(row(i)) {
                                codes[group] |= bit_of(*state, &mut others) << i;
                            }
                        }
                    }
                }
                others == 0
            },
        )
    }

    /// Makes room, packs each chunk of rows, at most so many at a time, and sorts it.
    fn fill(
        &mut self,
        arch: Arch,
        (rows, depth): (usize, usize),
        columns: usize,
        most: usize,
        pack: impl Fn(Range<usize>, &mut [[u8; GROUPS]]) -> bool + Sync,
    ) -> bool {
        let chunk = rows.div_ceil(rows.div_ceil(most));
        (self.rows, self.depth, self.chunk) = (rows, depth, chunk);
        let blocks = self.blocks();
        self.codes.resize(blocks * rows, [0; GROUPS]);
        self.entries.resize(blocks * rows, [0; GROUPS]);
        self.order.resize(blocks * rows, 0);
        self.ends.resize(blocks * rows.div_ceil(chunk), Ends::default());
        let codes = self.codes.par_chunks_mut(blocks * chunk);
        let entries = self.entries.par_chunks_mut(blocks * chunk);
        let order = self.order.par_chunks_mut(blocks * chunk);
        let chunks = (codes, entries, order, self.ends.par_chunks_mut(blocks));
        let pack_and_sort =
            |(index, (codes, entries, order, ends)): (usize, (&mut [_], &mut [_], &mut [_], &mut [_]))| {
                vectorize(
                    arch,
                    #[inline(always)]
                    || {
                        let rows = index * chunk..rows.min((index + 1) * chunk);
                        let len = rows.len();
                        let binary = pack(rows, codes);
                        let sorted = entries.chunks_mut(len).zip(order.chunks_mut(len)).zip(ends);
                        for (codes, ((entries, order), ends)) in codes.chunks(len).zip(sorted) {
                            if columns < SORTED {
                                keep(codes, entries, order, ends);
                            } else {
                                sort(codes, entries, order, ends);
                            }
                        }
                        binary
                    },
                )
            };
        chunks.into_par_iter().enumerate().map(pack_and_sort).reduce(|| true, |a, b| a & b)
    }
}

/// The codes of a row in a block; states that are neither 0 nor 1 leave a trace in `others`.
#[inline(always)]
fn codes_of(states: &[f32; DEPTH], others: &mut u64) -> [u8; GROUPS] {
    // Two states to a word, whose bits are then brought side by side; two words to a code.
    let mut pairs = [0; DEPTH / 2];
    for (pair, [a, b]) in pairs.iter_mut().zip(states.as_chunks::<2>().0) {
        let word = u64::from(a.to_bits()) | u64::from(b.to_bits()) << 32;
        *others |= other_bits(word);
        *pair = (word >> EXPONENT & 1 | word >> (EXPONENT + 31) & 2) as u8;
    }
    let mut codes = [0; GROUPS];
    for (code, [a, b]) in codes.iter_mut().zip(pairs.as_chunks::<2>().0) {
        *code = a | b << 2;
    }
    codes
}

/// A state as a bit; one that is neither 0 nor 1 leaves a trace in `others`.
#[inline(always)]
fn bit_of(state: f32, others: &mut u64) -> u8 {
    *others |= other_bits(state.to_bits().into());
    (state.to_bits() >> EXPONENT & 1) as u8
}

/// The lowest bit of an f32's exponent: set in 1.0, as are the six after it, and no other.
const EXPONENT: u32 = f32::MANTISSA_DIGITS - 1;

/// Zero if both halves of a word are 0.0 or 1.0: seven bits are all set or all clear, and the others are clear.
#[inline(always)]
fn other_bits(word: u64) -> u64 {
    const BOTH: u64 = 1 << 32 | 1;
    const ONE: u64 = BOTH * 1.0_f32.to_bits() as u64;
    const NEIGHBOURS: u64 = ONE >> 1 & ONE;
    word & !ONE | (word ^ word >> 1) & NEIGHBOURS
}

/// Keeps the rows of a chunk as they are, with all codes.
#[inline(always)]
fn keep(codes: &[[u8; GROUPS]], entries: &mut [[u8; GROUPS]], order: &mut [u16], ends: &mut Ends) {
    for (entries, codes) in entries.iter_mut().zip(codes) {
        *entries = all_entries(codes);
    }
    order.iter_mut().zip(0..).for_each(|(order, row)| *order = row);
    *ends = Ends::default();
    ends[GROUPS] = codes.len() as u16;
}

#[inline(always)]
fn all_entries(codes: &[u8; GROUPS]) -> [u8; GROUPS] {
    std::array::from_fn(|group| (ENTRIES * group) as u8 | codes[group])
}

/// Sorts the rows of a chunk by how many of their codes are not zero, and lists these.
#[inline(always)]
fn sort(codes: &[[u8; GROUPS]], entries: &mut [[u8; GROUPS]], order: &mut [u16], ends: &mut Ends) {
    // A code is below 16: only where it is not zero does this sum reach the byte's highest bit.
    let count = |codes: &[u8; GROUPS]| {
        const BYTES: u64 = u64::MAX / 0xff;
        let count = ((u64::from_le_bytes(*codes) + 0x7f * BYTES) & (0x80 * BYTES)).count_ones() as usize;
        if count < DENSE { count } else { GROUPS }
    };
    let mut slots = [0; GROUPS + 2];
    codes.iter().for_each(|codes| slots[count(codes) + 1] += 1);
    for i in 1..slots.len() {
        slots[i] += slots[i - 1];
    }
    for (row, codes) in (0..).zip(codes) {
        let count = count(codes);
        let slot = &mut slots[count];
        order[usize::from(*slot)] = row;
        let entries = &mut entries[usize::from(*slot)];
        *slot += 1;
        if count == GROUPS {
            *entries = all_entries(codes);
        } else {
            let mut len = 0;
            for (group, code) in codes.iter().enumerate() {
                entries[len % GROUPS] = (ENTRIES * group) as u8 | code;
                len += usize::from(*code != 0);
            }
        }
    }
    // Each slot has moved to where its rows end.
    ends.copy_from_slice(&slots[..=GROUPS]);
}
