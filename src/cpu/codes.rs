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

    /// Packs cases × units. False, and nothing of use, if one of the numbers is neither 0 nor 1.
    pub fn pack(&mut self, arch: Arch, states: &[f32], cases: usize, units: usize) -> bool {
        self.fill(arch, cases, units, 64, |rows, codes| {
            let mut others = 0;
            for (row, states) in states[rows.start * units..rows.end * units].chunks(units).enumerate() {
                for (block, states) in states.chunks(DEPTH).enumerate() {
                    let mut bits = [0; DEPTH];
                    // A loop of a length that is known here needs no other for what is left over.
                    match states.first_chunk::<DEPTH>() {
                        Some(states) => set_bits(&mut bits, states, &mut others),
                        None => set_bits(&mut bits, states, &mut others),
                    }
                    // Four bytes of 0 or 1 times this number: their bits lie side by side in the highest byte.
                    const SIDE_BY_SIDE: u32 = 0x0102_0408;
                    let codes = &mut codes[block * rows.len() + row];
                    for (code, four) in codes.iter_mut().zip(bits.as_chunks::<GROUP>().0) {
                        *code = (u32::from_le_bytes(*four).wrapping_mul(SIDE_BY_SIDE) >> 24) as u8;
                    }
                }
            }
            others == 0
        })
    }

    /// Packs the transpose of cases × units: a row is a unit.
    pub fn pack_transposed(&mut self, arch: Arch, states: &[f32], cases: usize, units: usize) -> bool {
        self.fill(arch, units, cases, 256, |rows, codes| {
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
                        let [a, b, c, d] = [a, b, c, d].map(|state| bit_of(*state, &mut others));
                        codes[group] = (a | b << 1 | c << 2 | d << 3) as u8;
                    }
                } else {
                    for i in 0..states.len() / units {
                        for (codes, state) in codes.iter_mut().zip(row(i)) {
                            codes[group] |= (bit_of(*state, &mut others) << i) as u8;
                        }
                    }
                }
            }
            others == 0
        })
    }

    /// Makes room, packs each chunk of rows, at most so many at a time, and sorts it.
    fn fill(
        &mut self,
        arch: Arch,
        rows: usize,
        depth: usize,
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
                            sort(codes, entries, order, ends);
                        }
                        binary
                    },
                )
            };
        chunks.into_par_iter().enumerate().map(pack_and_sort).reduce(|| true, |a, b| a & b)
    }
}

/// States as bits; one that is neither 0 nor 1 leaves a trace in `others`.
#[inline(always)]
fn set_bits(bits: &mut [u8; DEPTH], states: &[f32], others: &mut u32) {
    for (bit, state) in bits.iter_mut().zip(states) {
        *bit = bit_of(*state, others) as u8;
    }
}

#[inline(always)]
fn bit_of(state: f32, others: &mut u32) -> u32 {
    const ONE: u32 = 1.0_f32.to_bits();
    let bit = state.to_bits() >> (f32::MANTISSA_DIGITS - 1) & 1; // the lowest of the exponent, which is set in 1.0
    *others |= state.to_bits() ^ (bit.wrapping_neg() & ONE);
    bit
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
            *entries = std::array::from_fn(|group| (ENTRIES * group) as u8 | codes[group]);
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
