//! A layer's units on the native path: drawn states are stored as bits.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::{
    data::RowLayout,
    host::{HostUnits, Uniforms},
    units::Layer,
};

/// States per word. Parts of a sum begin at whole words, so threads never share one.
pub const WORD: usize = u16::BITS as usize;

/// Columns a unit, on average, from which the places of ones take less time than look-ups: a code of four has one of them.
const MANY: usize = 4;

/// How the states of a row are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Bits.
    #[default]
    Binary,
    /// Equal to the means: nothing was drawn.
    Means,
    /// Other numbers, in [`Units::real`].
    Real,
}

/// Means and states, rows × width.
#[derive(Default)]
pub struct Units {
    /// Units in a row.
    pub width: usize,
    /// Numbers of `moments` per row.
    pub extra: usize,
    /// Whether rows of bits have few ones, because most units are Potts units.
    pub few_ones: bool,
    /// p(unit = 1).
    pub means: Vec<f32>,
    /// Rows × an even number of words; [`WORD`] states per word, lowest bit first. Bits past the width are 0.
    pub bits: Vec<u16>,
    /// Rows × width; used by rows of kind [`Kind::Real`].
    pub real: Vec<f32>,
    /// Means of the statistics after the first, as those of [`crate::host::PlainUnits`].
    pub moments: Vec<f32>,
    /// One per row.
    pub kinds: Vec<Kind>,
}

impl Units {
    /// Words per row.
    pub fn words(&self) -> usize {
        (self.width.div_ceil(WORD)).next_multiple_of(2)
    }

    /// Whether the states of the first `rows` rows are all bits.
    pub fn are_binary(&self, rows: usize) -> bool {
        self.kinds[..rows].iter().all(|&kind| kind == Kind::Binary)
    }

    /// The bits of a row, by word.
    pub fn row_bits(&self, row: usize) -> &[u16] {
        &self.bits[row * self.words()..][..self.words()]
    }

    /// The states of a row; unpacks them to `scratch` if necessary.
    #[inline(always)]
    pub fn row<'a>(&'a self, row: usize, scratch: &'a mut [f32]) -> &'a [f32] {
        let range = row * self.width..(row + 1) * self.width;
        match self.kinds[row] {
            Kind::Means => &self.means[range],
            Kind::Real => &self.real[range],
            Kind::Binary => {
                let (whole, last) = scratch.as_chunks_mut::<WORD>();
                let mut words = self.row_bits(row).iter();
                for (states, word) in whole.iter_mut().zip(&mut words) {
                    unpack(*word, states);
                }
                if let Some(word) = words.next() {
                    let mut states = [0.0; WORD];
                    unpack(*word, &mut states);
                    last.copy_from_slice(&states[..last.len()]);
                }
                scratch
            }
        }
    }

    /// The states of the first `rows` rows as numbers.
    pub fn states(&self, rows: usize) -> Cow<'_, [f32]> {
        let all = |kind| self.kinds[..rows].iter().all(|&other| other == kind);
        let len = rows * self.width;
        if all(Kind::Means) {
            return self.means[..len].into();
        } else if all(Kind::Real) {
            return self.real[..len].into();
        }
        let mut states = vec![0.0; len];
        let mut scratch = vec![0.0; self.width];
        for (row, states) in states.chunks_mut(self.width).enumerate() {
            states.copy_from_slice(self.row(row, &mut scratch));
        }
        states.into()
    }
}

impl HostUnits for Units {
    fn new(layer: &Layer, rows: usize) -> Self {
        let width = layer.columns();
        let extra = layer.parameters() - width;
        let moments = vec![0.0; rows * extra];
        let few_ones = width >= MANY * layer.units();
        let mut units =
            Self { width, extra, few_ones, moments, kinds: vec![Kind::Binary; rows], ..Self::default() };
        units.means = vec![0.0; rows * width];
        units.real = vec![0.0; rows * width];
        units.bits = vec![0; rows * units.words()];
        units
    }

    fn write(&mut self, means: &[f32], states: &[f32]) {
        self.means[..means.len()].copy_from_slice(means);
        self.real[..states.len()].copy_from_slice(states);
        let words = self.words();
        let rows = states.chunks(self.width).zip(self.bits.chunks_mut(words)).zip(&mut self.kinds);
        for ((states, bits), kind) in rows {
            let binary = states.iter().all(|&state| state == 0.0 || state == 1.0);
            *kind = if binary { Kind::Binary } else { Kind::Real };
            bits.fill(0);
            for (unit, _) in states.iter().enumerate().filter(|&(_, &state)| state == 1.0) {
                bits[unit / WORD] |= 1 << (unit % WORD);
            }
        }
    }

    fn means(&self, rows: usize) -> Vec<f32> {
        self.means[..rows * self.width].to_vec()
    }

    fn states(&self, rows: usize) -> Vec<f32> {
        Units::states(self, rows).into_owned()
    }

    fn moments(&self, rows: usize) -> Vec<f32> {
        self.moments[..rows * self.extra].to_vec()
    }

    fn exchange(&mut self, other: &mut Self, row: usize) {
        let (range, words) = (row * self.width..(row + 1) * self.width, self.words());
        for units in [&mut *self, &mut *other] {
            // Means are not swapped, so states that equal them need a copy.
            if units.kinds[row] == Kind::Means {
                units.kinds[row] = Kind::Real;
                units.real[range.clone()].copy_from_slice(&units.means[range.clone()]);
            }
        }
        std::mem::swap(&mut self.kinds[row], &mut other.kinds[row]);
        self.real[range.clone()].swap_with_slice(&mut other.real[range]);
        let range = row * words..(row + 1) * words;
        self.bits[range.clone()].swap_with_slice(&mut other.bits[range]);
    }
}

/// Copies the bits of a packed row.
pub fn copy_bits(packed: &[u32], bits: &mut [u16]) {
    for (pair, word) in bits.as_chunks_mut::<2>().0.iter_mut().zip(packed) {
        *pair = [*word as u16, (word >> WORD) as u16];
    }
}

/// Draws states from a packed row of bytes, each the probability of its unit.
pub struct Binarize<'a> {
    pub layout: RowLayout,
    pub packed: &'a [u32],
    pub uniforms: Uniforms<'a>,
    /// The row, for its random numbers.
    pub row: usize,
    /// Scratch for values and uniforms, in whole words. Values past the last unit are 0, which draws 0.
    pub scratch: &'a mut [Vec<f32>; 2],
    pub bits: &'a mut [u16],
}

impl WithSimd for Binarize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layout, packed, uniforms, row, scratch: [values, buffer], bits } = self;
        layout.unpack(packed, values);
        uniforms.fill(layout.units, row, 0, buffer);
        let words = values.as_chunks().0.iter().zip(buffer.as_chunks().0);
        for (word, (values, uniforms)) in bits.iter_mut().zip(words) {
            *word = draw(simd, uniforms, values);
        }
    }
}

/// States of a word's units: u < mean.
#[inline(always)]
pub fn draw<S: Simd>(simd: S, uniforms: &[f32; WORD], means: &[f32; WORD]) -> u16 {
    let vectors = S::as_simd_f32s(uniforms).0.iter().zip(S::as_simd_f32s(means).0);
    vectors
        .zip((0..).step_by(S::F32_LANES))
        .fold(0, |bits, ((u, mean), lane)| bits | bits_of::<S>(simd.less_than_f32s(*u, *mean)) << lane)
}

/// Packs states that are 0 or 1.
pub struct Pack<'a> {
    pub states: &'a [f32],
    pub bits: &'a mut [u16],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { states, bits } = self;
        let (whole, last) = states.as_chunks::<WORD>();
        for (word, states) in bits.iter_mut().zip(whole) {
            *word = draw(simd, &[0.5; WORD], states);
        }
        if !last.is_empty() {
            let mut padded = [0.0; WORD];
            padded[..last.len()].copy_from_slice(last);
            bits[whole.len()] = draw(simd, &[0.5; WORD], &padded);
        }
    }
}

/// A mask as bits, lane 0 lowest.
#[inline(always)]
fn bits_of<S: Simd>(mask: S::m32s) -> u16 {
    let bytes = bytemuck::bytes_of(&mask);
    // AVX-512 masks are bits; in other masks all bits of a lane are equal.
    if S::F32_LANES == WORD && size_of::<S::m32s>() == size_of::<u16>() {
        return u16::from_le_bytes([bytes[0], bytes[1]]);
    }
    let lanes = bytes.chunks(bytes.len() / S::F32_LANES);
    lanes.enumerate().fold(0, |bits, (lane, bytes)| bits | u16::from(bytes[0] & 1) << lane)
}

/// A vector of a word's states, beginning at state `first`.
#[inline(always)]
pub fn states_of<S: Simd>(simd: S, word: u16, first: usize) -> S::f32s {
    if S::F32_LANES == WORD && size_of::<S::m32s>() == size_of::<u16>() {
        let mask = bytemuck::checked::pod_read_unaligned(&word.to_ne_bytes());
        return simd.select_f32s(mask, simd.splat_f32s(1.0), simd.splat_f32s(0.0));
    }
    let states = &OF_BYTE[usize::from(word.to_le_bytes()[first / 8])];
    S::as_simd_f32s(states).0[first % 8 / S::F32_LANES]
}

/// The bits of a word as `f32`.
#[inline(always)]
fn unpack(word: u16, states: &mut [f32; WORD]) {
    let [low, high] = word.to_le_bytes();
    states[..8].copy_from_slice(&OF_BYTE[usize::from(low)]);
    states[8..].copy_from_slice(&OF_BYTE[usize::from(high)]);
}

/// The bits of each byte as `f32`.
static OF_BYTE: [[f32; 8]; 256] = {
    let mut all = [[0.0; 8]; 256];
    let mut at = 0;
    while at < 8 * all.len() {
        all[at / 8][at % 8] = ((at / 8) >> (at % 8) & 1) as f32;
        at += 1;
    }
    all
};
