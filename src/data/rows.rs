//! Rows: packed, as they are uploaded to the device, or sparse, and packed on the way there.

mod entries;

use std::{borrow::Cow, ops::Range};

use rayon::prelude::*;

use crate::{
    error::Result,
    memory,
    rng::{self, Address, Stream},
};
use entries::Entries;

/// The storage of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One bit: 0 or 1.
    Bits,
    /// One bit: −1 or +1.
    Spins,
    /// One byte, times a scale.
    Bytes,
    /// An `f32`: values between the levels of a byte, and NaN for a missing value.
    Floats,
}

impl Packing {
    /// Values in a 32-bit word.
    fn values_a_word(self) -> usize {
        match self {
            Self::Bits | Self::Spins => 32,
            Self::Bytes => 4,
            Self::Floats => 1,
        }
    }
}

/// The layout of a row in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLayout {
    /// Values in a row.
    pub units: usize,
    /// The storage of a value.
    pub packing: Packing,
    /// The factor of a byte.
    pub scale: f32,
}

impl RowLayout {
    /// 32-bit words in a row.
    pub fn words(&self) -> usize {
        self.units.div_ceil(self.packing.values_a_word())
    }

    fn is_bits(&self) -> bool {
        self.packing == Packing::Bits
    }

    /// What is stored of a number.
    fn stored(&self, x: f32) -> u32 {
        match self.packing {
            Packing::Bits | Packing::Spins => u32::from(x == 1.0),
            Packing::Bytes => u32::from((x / self.scale).round() as u8),
            Packing::Floats => x.to_bits(),
        }
    }

    /// The number that is stored as these bits.
    #[inline(always)]
    fn number(&self, stored: u32) -> f32 {
        match self.packing {
            Packing::Bits => stored as f32,
            Packing::Spins => stored as f32 * 2.0 - 1.0,
            Packing::Bytes => stored as f32 * self.scale,
            Packing::Floats => f32::from_bits(stored),
        }
    }

    /// Stores a number in a row whose words are 0 there.
    #[inline(always)]
    fn put(&self, row: &mut [u32], unit: usize, stored: u32) {
        let a_word = self.packing.values_a_word();
        row[unit / a_word] |= stored << (unit % a_word * (32 / a_word));
    }

    /// Adds a packed row of numbers that the layout can hold.
    fn pack(&self, values: &[f32], words: &mut Vec<u32>) {
        let bits = 32 / self.packing.values_a_word();
        let word = |part: &[f32]| {
            part.iter().zip(0..).fold(0, |word, (&x, at)| word | self.stored(x) << (at * bits))
        };
        words.extend(values.chunks(self.packing.values_a_word()).map(word));
    }

    /// The value of `unit` in a row. Every device computes exactly this value.
    #[inline(always)]
    pub fn value(&self, row: &[u32], unit: usize) -> f32 {
        self.number(match self.packing {
            Packing::Bits | Packing::Spins => row[unit / 32] >> (unit % 32) & 1,
            Packing::Bytes => row[unit / 4] >> (unit % 4 * 8) & 0xff,
            Packing::Floats => row[unit],
        })
    }

    /// Unpacks the values of a row, word by word, in loops that the compiler vectorises.
    #[inline(always)]
    pub fn unpack(&self, row: &[u32], values: &mut [f32]) {
        #[inline(always)]
        fn each<const N: usize>(row: &[u32], values: &mut [f32], value: impl Fn(u32, u32) -> f32) {
            let (words, rest) = values.as_chunks_mut::<N>();
            for (word, values) in row.iter().zip(words.iter_mut().map(|values| &mut values[..])) {
                values.iter_mut().zip(0..).for_each(|(out, at)| *out = value(*word, at));
            }
            if let Some(word) = row.get(words.len()) {
                rest.iter_mut().zip(0..).for_each(|(out, at)| *out = value(*word, at));
            }
        }
        match self.packing {
            Packing::Bits => each::<32>(row, values, |word, bit| (word >> bit & 1) as f32),
            Packing::Spins => each::<32>(row, values, |word, bit| (word >> bit & 1) as f32 * 2.0 - 1.0),
            Packing::Bytes => {
                each::<4>(row, values, |word, byte| (word >> (8 * byte) & 0xff) as f32 * self.scale);
            }
            Packing::Floats => each::<1>(row, values, |word, _| f32::from_bits(word)),
        }
    }
}

/// The packings that lose nothing of some numbers.
struct Packings {
    bits: bool,
    spins: bool,
    bytes: bool,
}

impl Packings {
    /// Of no numbers.
    fn all() -> Self {
        Self { bits: true, spins: true, bytes: true }
    }

    fn of(numbers: impl IntoIterator<Item = f32>) -> Self {
        let mut packings = Self::all();
        numbers.into_iter().for_each(|x| packings.add(x));
        packings
    }

    fn add(&mut self, x: f32) {
        self.bits &= x == 0.0 || x == 1.0;
        self.spins &= x.abs() == 1.0;
        if self.bytes && !self.bits {
            let byte = (x * 255.0).round();
            let is_byte = (x * 255.0 - byte).abs() <= 2.0 * f32::EPSILON * byte;
            self.bytes = (0.0..=1.0).contains(&x) && is_byte;
        }
    }

    /// The tightest: bits if all numbers are 0 or 1, or all −1 or +1, bytes if all are multiples of 1/255 from 0 to 1, else
    /// `f32`.
    fn tightest(&self, units: usize) -> RowLayout {
        let (packing, scale) = match self {
            Self { bits: true, .. } => (Packing::Bits, 1.0),
            Self { spins: true, .. } => (Packing::Spins, 1.0),
            Self { bytes: true, .. } => (Packing::Bytes, 1.0 / 255.0),
            _ => (Packing::Floats, 1.0),
        };
        RowLayout { units, packing, scale }
    }
}

/// Rows of numbers: packed, or sparse.
///
/// Sparse rows are kept as the numbers that are not 0 and their columns, where that takes less memory. They are packed in parts,
/// on their way to a device.
#[derive(Clone, Debug)]
pub struct Rows {
    layout: RowLayout,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Packed(Vec<u32>),
    Sparse(Entries),
}

impl Rows {
    fn packed_as(layout: RowLayout, words: Vec<u32>) -> Self {
        Self { layout, store: Store::Packed(words) }
    }

    /// Rows of `units` bytes each; a value is a byte times `scale`.
    ///
    /// # Panics
    /// If `bytes` is not a whole number of rows.
    pub fn from_bytes(units: usize, bytes: &[u8], scale: f32) -> Self {
        assert!(units > 0 && bytes.len().is_multiple_of(units), "rows of {units} bytes in {}", bytes.len());
        let layout = RowLayout { units, packing: Packing::Bytes, scale };
        let mut words = Vec::with_capacity(bytes.len() / units * layout.words());
        for row in bytes.chunks(units) {
            let (fours, rest) = row.as_chunks();
            words.extend(fours.iter().map(|four| u32::from_le_bytes(*four)));
            if !rest.is_empty() {
                words.push(rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)));
            }
        }
        Self::packed_as(layout, words)
    }

    /// Binary rows.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_bits(units: usize, values: &[bool]) -> Self {
        assert!(units > 0 && values.len().is_multiple_of(units), "rows of {units} bits in {}", values.len());
        let layout = RowLayout { units, packing: Packing::Bits, scale: 1.0 };
        let word = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u32::from(bit));
        Self::packed_as(layout, values.chunks(units).flat_map(|row| row.chunks(32).map(word)).collect())
    }

    /// Rows of values in the tightest lossless packing: as bits if all are 0 or 1, or all −1 or +1, as bytes if all are multiples of
    /// 1/255 up to 1 (to within two roundings), else as floats.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_values(units: usize, values: &[f32]) -> Self {
        assert!(
            units > 0 && values.len().is_multiple_of(units),
            "rows of {units} values in {}",
            values.len()
        );
        Self::of_layout(Packings::of(values.iter().copied()).tightest(units), values)
    }

    /// Rows of values that a layout can hold.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub(crate) fn of_layout(layout: RowLayout, values: &[f32]) -> Self {
        let units = layout.units;
        assert!(values.len().is_multiple_of(units), "rows of {units} values in {}", values.len());
        let mut words = Vec::with_capacity(values.len() / units * layout.words());
        values.chunks(units).for_each(|row| layout.pack(row, &mut words));
        Self::packed_as(layout, words)
    }

    /// Rows of which only some numbers are given, by their columns, and all others are 0. `starts` has the first entry of each
    /// row, and the number of entries last. The numbers are packed as those of [`Rows::from_values`], or kept sparse if that takes
    /// less memory.
    ///
    /// # Panics
    /// If `starts` does not rise from 0 to the number of columns and values, or the columns of a row do not rise, or reach
    /// `units`.
    pub fn from_entries(units: usize, starts: &[usize], columns: &[u32], values: &[f32]) -> Self {
        let is_full = columns.len() == (starts.len().saturating_sub(1)).saturating_mul(units);
        let zero = (!is_full).then_some(0.0);
        let layout = Packings::of(values.iter().copied().chain(zero)).tightest(units);
        Self::of_entries(layout, starts, columns, values)
    }

    /// [`Rows::from_entries`] of bytes, divided by 255.
    pub(super) fn from_byte_entries(units: usize, starts: &[usize], columns: &[u32], values: &[f32]) -> Self {
        let layout = RowLayout { units, packing: Packing::Bytes, scale: 1.0 / 255.0 };
        Self::of_entries(layout, starts, columns, values)
    }

    /// [`Rows::from_entries`] in a layout that can hold the numbers.
    fn of_entries(layout: RowLayout, starts: &[usize], columns: &[u32], values: &[f32]) -> Self {
        assert!(starts.first() == Some(&0) && starts.last() == Some(&columns.len()), "all entries");
        assert_eq!(columns.len(), values.len(), "a number for each entry");
        let count = starts.len() - 1;
        let stored = values.iter().filter(|&&x| x != 0.0).count();
        let sparse = Self::is_smaller_sparse(layout, count, stored);
        let (mut entries, mut words) = (Entries::new(), Vec::new());
        for row in starts.windows(2) {
            let (columns, values) = (&columns[row[0]..row[1]], &values[row[0]..row[1]]);
            let are_in_order = columns.is_sorted_by(|a, b| a < b);
            assert!(are_in_order && columns.last().is_none_or(|&last| (last as usize) < layout.units));
            let row = columns.iter().copied().zip(values.iter().copied());
            match sparse {
                true => entries.push(layout, row),
                false => {
                    let first = words.len();
                    words.resize(first + layout.words(), 0);
                    row.for_each(|(unit, x)| {
                        layout.put(&mut words[first..], unit as usize, layout.stored(x))
                    });
                }
            }
        }
        if sparse { Self { layout, store: Store::Sparse(entries) } } else { Self::packed_as(layout, words) }
    }

    /// Whether rows with so many numbers that are not 0 take less memory if they are sparse. Spins are never 0.
    fn is_smaller_sparse(layout: RowLayout, rows: usize, entries: usize) -> bool {
        let packed = memory::product(&[rows, layout.words(), 4]);
        layout.packing != Packing::Spins && Entries::bytes_of(layout, rows, entries) < packed
    }

    /// Rows whose values `fill` writes, called twice for each row: never are all values in memory at once. If `may_be_sparse`,
    /// they are kept sparse where that takes less memory.
    ///
    /// # Errors
    /// The first of `fill`; [`crate::Error::Usage`] if the packed rows don't fit the memory that is left.
    pub(super) fn from_rows(
        units: usize,
        count: usize,
        may_be_sparse: bool,
        mut fill: impl FnMut(usize, &mut [f32]) -> Result<()>,
    ) -> Result<Self> {
        let mut values = vec![0.0; units];
        let (mut packings, mut entries) = (Packings::all(), 0);
        for row in 0..count {
            values.fill(0.0);
            fill(row, &mut values)?;
            values.iter().for_each(|&x| packings.add(x));
            entries += values.iter().filter(|&&x| x != 0.0).count();
        }
        let layout = packings.tightest(units);
        let sparse = may_be_sparse && Self::is_smaller_sparse(layout, count, entries);
        let (mut kept, mut words) = (Entries::new(), Vec::new());
        if !sparse {
            let bytes = memory::product(&[count, layout.words(), 4]);
            memory::check(&format!("{count} cases of {units} values"), bytes, "choose fewer with ‹limit›")?;
            words.reserve_exact(count * layout.words());
        }
        for row in 0..count {
            values.fill(0.0);
            fill(row, &mut values)?;
            match sparse {
                true => kept.push(layout, (0..).zip(values.iter().copied())),
                false => layout.pack(&values, &mut words),
            }
        }
        Ok(if sparse { Self { layout, store: Store::Sparse(kept) } } else { Self::packed_as(layout, words) })
    }

    /// The same values as floats.
    pub(crate) fn into_floats(self) -> Self {
        let layout = RowLayout { packing: Packing::Floats, scale: 1.0, ..self.layout };
        match self.layout == layout && !self.is_sparse() {
            true => self,
            false => Self::of_layout(layout, &self.all_values()),
        }
    }

    /// These rows with NaN for the units that are missing.
    ///
    /// # Panics
    /// If there is not a value for each unit.
    pub fn without(&self, missing: &[bool]) -> Self {
        assert_eq!(missing.len(), self.layout.units, "a value for each unit");
        let value = |(x, &missing): (f32, &bool)| if missing { f32::NAN } else { x };
        let values = (0..self.len()).flat_map(|row| self.values(row).zip(missing).map(value));
        let layout = RowLayout { packing: Packing::Floats, scale: 1.0, ..self.layout };
        Self::of_layout(layout, &values.collect::<Vec<_>>())
    }

    /// The layout of each row.
    pub fn layout(&self) -> RowLayout {
        self.layout
    }

    /// All rows, one after another, packed.
    pub fn words(&self) -> Cow<'_, [u32]> {
        self.packed(0..self.len())
    }

    /// Some rows, one after another, packed.
    pub fn packed(&self, rows: Range<usize>) -> Cow<'_, [u32]> {
        let width = self.layout.words();
        match &self.store {
            Store::Packed(words) => words[rows.start * width..rows.end * width].into(),
            Store::Sparse(entries) => {
                let mut words = vec![0; rows.len() * width];
                for (row, words) in rows.zip(words.chunks_mut(width)) {
                    entries.pack(self.layout, row, words);
                }
                words.into()
            }
        }
    }

    /// All rows in parts of at most `most`: the number of rows of each part, and its words.
    pub fn parts(&self, most: usize) -> impl Iterator<Item = (usize, Cow<'_, [u32]>)> {
        let most = most.max(1);
        (0..self.len()).step_by(most).map(move |first| {
            let end = self.len().min(first + most);
            (end - first, self.packed(first..end))
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Packed(words) => words.len() / self.layout.words(),
            Store::Sparse(entries) => entries.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether only the numbers that are not 0 are kept.
    pub fn is_sparse(&self) -> bool {
        matches!(self.store, Store::Sparse(_))
    }

    /// Bytes that the rows take.
    pub fn bytes(&self) -> u64 {
        match &self.store {
            Store::Packed(words) => 4 * words.len() as u64,
            Store::Sparse(entries) => Entries::bytes_of(self.layout, entries.len(), entries.count()),
        }
    }

    /// The columns and numbers that are not 0 of one row, if the rows are sparse.
    pub fn entries(&self, row: usize) -> Option<impl Iterator<Item = (usize, f32)>> {
        match &self.store {
            Store::Packed(_) => None,
            Store::Sparse(entries) => Some(entries.row(self.layout, row)),
        }
    }

    /// One packed row.
    pub fn row(&self, row: usize) -> Cow<'_, [u32]> {
        self.packed(row..row + 1)
    }

    /// What equal rows have in common, and others of the same store have not.
    pub(crate) fn key(&self, row: usize) -> Cow<'_, [u32]> {
        match &self.store {
            Store::Packed(_) => self.row(row),
            Store::Sparse(entries) => entries.key(row),
        }
    }

    /// Writes the values of one row.
    pub fn unpack(&self, row: usize, values: &mut [f32]) {
        match self.entries(row) {
            None => self.layout.unpack(&self.row(row), values),
            Some(entries) => {
                values.fill(0.0);
                entries.for_each(|(unit, x)| values[unit] = x);
            }
        }
    }

    /// The values of one row.
    pub fn values(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        let packed = self.row(row);
        (0..self.layout.units).map(move |unit| self.layout.value(&packed, unit))
    }

    /// One value.
    pub fn value(&self, row: usize, unit: usize) -> f32 {
        match self.entries(row) {
            None => self.layout.value(&self.row(row), unit),
            Some(mut entries) => entries.find(|&(column, _)| column == unit).map_or(0.0, |(_, x)| x),
        }
    }

    /// Whether a value is missing: NaN.
    pub fn has_missing(&self) -> bool {
        self.layout.packing == Packing::Floats
            && match &self.store {
                Store::Packed(words) => words.par_iter().any(|word| f32::from_bits(*word).is_nan()),
                Store::Sparse(entries) => {
                    (0..self.len()).any(|row| entries.row(self.layout, row).any(|(_, x)| x.is_nan()))
                }
            }
    }

    /// The values of all rows, one row after another.
    pub fn all_values(&self) -> Vec<f32> {
        (0..self.len()).flat_map(|row| self.values(row)).collect()
    }

    /// The mean of each unit over all rows in which it is not missing: for binary rows, the share of cases in which it is on.
    pub fn density(&self) -> Vec<f64> {
        if self.has_missing() {
            return self.column_means(None, |_, x| x);
        }
        let (words, units) = (self.layout.words(), self.layout.units);
        let packed = match &self.store {
            Store::Packed(packed) => packed,
            Store::Sparse(entries) => {
                let mut sums = vec![0.0; units];
                for row in 0..self.len() {
                    entries.row(self.layout, row).for_each(|(unit, x)| sums[unit] += f64::from(x));
                }
                return sums.into_iter().map(|sum| sum / self.len() as f64).collect();
            }
        };
        let a_word = self.layout.packing.values_a_word();
        // A share of the units to each thread: the order of additions does not depend on the number of threads.
        let share = words.div_ceil(rayon::current_num_threads());
        let shares = (0..words.div_ceil(share)).into_par_iter().flat_map_iter(|index| {
            let first = index * share;
            let units = units.min((first + share) * a_word) - first * a_word;
            let layout = RowLayout { units, ..self.layout };
            let (mut sums, mut values) = (vec![0.0; units], vec![0.0; units]);
            for row in packed.chunks(words) {
                layout.unpack(&row[first..][..layout.words()], &mut values);
                sums.iter_mut().zip(&values).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            sums
        });
        shares.map(|sum| sum / self.len() as f64).collect()
    }

    /// The mean over the rows of a number for each column and value, by the rows' weights. Missing values are left out; of a column
    /// without a value it is NaN.
    pub(super) fn column_means(
        &self,
        weights: Option<&[f32]>,
        of: impl Fn(usize, f64) -> f64 + Sync,
    ) -> Vec<f64> {
        /// Rows of each part: parts are added in order, whatever the number of threads.
        const PART: usize = 1024;
        let units = self.layout.units;
        let weight = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row]));
        // The sum of each column, and the weight of its missing values.
        let parts: Vec<[Vec<f64>; 2]> = (0..self.len().div_ceil(PART))
            .into_par_iter()
            .map(|part| {
                let (mut sums, mut values) = ([vec![0.0; units], vec![0.0; units]], vec![0.0; units]);
                for row in part * PART..self.len().min((part + 1) * PART) {
                    let weight = weight(row);
                    self.unpack(row, &mut values);
                    let [known, missing] = &mut sums;
                    for (column, (sum, &x)) in known.iter_mut().zip(&values).enumerate() {
                        if x.is_nan() {
                            missing[column] += weight;
                        } else {
                            *sum += weight * of(column, x.into());
                        }
                    }
                }
                sums
            })
            .collect();
        let total: f64 = (0..self.len()).map(weight).sum();
        let [mut means, mut missing] = [0, 1].map(|_| vec![0.0; units]);
        for [known, without] in parts {
            means.iter_mut().zip(known).for_each(|(mean, sum)| *mean += sum);
            missing.iter_mut().zip(without).for_each(|(missing, weight)| *missing += weight);
        }
        means.iter_mut().zip(missing).for_each(|(mean, missing)| *mean /= total - missing);
        means
    }

    /// These rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let store = match &self.store {
            Store::Packed(_) => {
                let mut words = Vec::with_capacity(rows.len() * self.layout.words());
                rows.iter().for_each(|&row| words.extend_from_slice(&self.row(row)));
                Store::Packed(words)
            }
            Store::Sparse(entries) => {
                let mut selected = Entries::new();
                rows.iter().for_each(|&row| selected.take(entries, row));
                Store::Sparse(selected)
            }
        };
        Self { layout: self.layout, store }
    }

    /// Adds rows of the same layout at the end. Rows that are not both sparse are packed.
    pub fn append(&mut self, mut more: Self) {
        assert_eq!(self.layout, more.layout, "rows of one layout");
        match (&mut self.store, &mut more.store) {
            (Store::Packed(words), Store::Packed(more)) => words.append(more),
            (Store::Sparse(entries), Store::Sparse(more)) => {
                (0..more.len()).for_each(|row| entries.take(more, row));
            }
            _ => self.store = Store::Packed([self.words(), more.words()].concat()),
        }
    }

    /// At most `count` rows, spread over all, which may be in some order.
    pub fn some(&self, count: usize) -> Self {
        self.select(&starts(self.len(), count))
    }

    /// The first rows, at most `count`.
    pub fn truncate(&mut self, count: usize) {
        match &mut self.store {
            Store::Packed(words) => words.truncate(count * self.layout.words()),
            Store::Sparse(entries) => entries.truncate(count),
        }
    }

    /// Whether every value is 0 or 1, or missing.
    pub fn is_binary(&self) -> bool {
        let is_bit = |x: f32| x == 0.0 || x == 1.0 || x.is_nan();
        self.layout.is_bits()
            || (0..self.len()).all(|row| match self.entries(row) {
                Some(mut entries) => entries.all(|(_, x)| is_bit(x)),
                None => self.values(row).all(is_bit),
            })
    }

    pub(super) fn sample(self, seed: u64, step: u32) -> Self {
        if self.layout.packing == Packing::Bits {
            return self;
        }
        self.above(|row, limits| {
            rng::fill(seed, Address::new(Stream::Evaluation, step), row as u32, 0, limits)
        })
    }

    /// Binary rows: a unit is on if its value is above its limit. Limits are 0.5 unless set, row by row. Missing values stay so.
    fn above(self, set_limits: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        if self.has_missing() {
            let (layout, mut words) = (self.layout, self.words().into_owned());
            words.par_chunks_mut(layout.units).enumerate().for_each_init(
                || vec![0.5; layout.units],
                |limits, (row, words)| {
                    set_limits(row, limits);
                    for (word, limit) in words.iter_mut().zip(limits) {
                        let x = f32::from_bits(*word);
                        *word = if x.is_nan() { *word } else { f32::from(x > *limit).to_bits() };
                    }
                },
            );
            return Self::packed_as(layout, words);
        }
        let layout = RowLayout { packing: Packing::Bits, scale: 1.0, ..self.layout };
        let buffers = || (vec![0.0; layout.units], vec![0.5; layout.units]);
        if let Store::Sparse(entries) = &self.store {
            // What is 0 is above no limit.
            let (mut bits, (_, mut limits)) = (Entries::new(), buffers());
            for row in 0..self.len() {
                set_limits(row, &mut limits);
                let entries = entries.row(self.layout, row).filter(|&(unit, x)| x > limits[unit]);
                bits.push(layout, entries.map(|(unit, _)| (unit as u32, 1.0)));
            }
            return Self { layout, store: Store::Sparse(bits) };
        }
        let mut words = vec![0; self.len() * layout.words()];
        words.par_chunks_mut(layout.words()).enumerate().with_min_len(64).for_each_init(
            buffers,
            |(values, limits), (row, words)| {
                self.unpack(row, values);
                set_limits(row, limits);
                for (word, (values, limits)) in words.iter_mut().zip(values.chunks(32).zip(limits.chunks(32)))
                {
                    let bits = values.iter().zip(limits).zip(0..);
                    *word =
                        bits.fold(0, |word, ((value, limit), bit)| word | u32::from(value > limit) << bit);
                }
            },
        );
        Self::packed_as(layout, words)
    }

    /// 1 − x for each x, packed: few of these are 0 where many x are. Only numbers from 0 to 1 are inverted.
    pub(super) fn invert(self) -> Self {
        let layout = self.layout;
        if layout.packing == Packing::Spins {
            return self;
        }
        let mut words = match self.store {
            Store::Packed(words) => words,
            Store::Sparse(_) => self.words().into_owned(),
        };
        let inverted: &dyn Fn(u32) -> u32 = match layout.packing {
            Packing::Bits | Packing::Spins => &|word| !word,
            Packing::Bytes => {
                // The byte for 1; no value is above it.
                let one = (1.0 / layout.scale).round() as u8;
                &move |word| u32::from_le_bytes(word.to_le_bytes().map(|byte| one.saturating_sub(byte)))
            }
            Packing::Floats => &|word| (1.0 - f32::from_bits(word)).to_bits(),
        };
        words.iter_mut().for_each(|word| *word = inverted(*word));
        // What pads a row stays 0.
        let a_word = layout.packing.values_a_word();
        let rest = layout.units % a_word;
        if rest > 0 {
            let kept = (1 << (rest * (32 / a_word))) - 1;
            words.chunks_mut(layout.words()).for_each(|row| row[layout.words() - 1] &= kept);
        }
        Self::packed_as(layout, words)
    }

    pub(super) fn threshold(self) -> Self {
        if self.layout.packing == Packing::Bits {
            return self;
        }
        self.above(|_, _| {})
    }
}

/// Where each of at most `most` equal parts of `count` things begins.
pub(super) fn starts(count: usize, most: usize) -> Vec<usize> {
    let parts = count.min(most);
    (0..parts).map(|part| (part as u128 * count as u128 / parts as u128) as usize).collect()
}

/// At most `most` of `count` things: one from each of equal parts, each time at another place in it, so that a period
/// in the data (MNIST's training images are heavier at odd positions) meets no other period.
pub fn spread_out(count: usize, most: usize) -> Vec<usize> {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let starts = starts(count, most);
    let ends = starts.iter().skip(1).copied().chain([count]);
    let place = |part: usize, len: usize| ((part as f64 * GOLDEN).fract() * len as f64) as usize;
    starts.iter().zip(ends).zip(0..).map(|((&start, end), part)| start + place(part, end - start)).collect()
}

/// At most `most` of `count` things, at equal distances, including the first and the last; of one, the last.
#[cfg(feature = "report")]
pub fn end_to_end(count: usize, most: usize) -> Vec<usize> {
    let Some(last) = count.checked_sub(1) else { return Vec::new() };
    let mut places = starts(last, count.min(most).saturating_sub(1));
    places.extend((most > 0).then_some(last));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Cases;

    #[test]
    fn moments_are_those_of_cases_that_come_as_often_as_their_weights() {
        let values = [0.5, -2.0, 1.5, 4.0, 0.25, 8.0];
        let weighted = Cases { weights: Some(vec![2.0, 0.0, 1.0]), ..Rows::from_values(2, &values).into() };
        let repeated = [&values[..2], &values[..2], &values[4..]].concat();
        let expected = Cases::from(Rows::from_values(2, &repeated)).marginals();
        let found = weighted.marginals();
        let off = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off(&found.means, &expected.means) + off(&found.variances, &expected.variances) < 1e-12);
        let mean = (0.5 + 0.5 + 0.25) / 3.0;
        let variance = (2.0 * 0.25 + 0.0625) / 3.0 - mean * mean;
        assert!((found.variances[0] - variance).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_spread_out_keeps_its_order_and_no_rhythm() {
        for (count, most) in [(0, 5), (3, 5), (7, 6), (1000, 999), (60_000, 6000), (60_000, 30_000)] {
            let taken = spread_out(count, most);
            assert_eq!(taken.len(), count.min(most));
            assert!(taken.is_sorted_by(|a, b| a < b) && taken.iter().all(|&at| at < count));
            let odd = taken.iter().filter(|&at| at % 2 == 1).count();
            assert!(odd.abs_diff(taken.len() / 2) <= 1 + taken.len() / 100, "{odd} of {}", taken.len());
        }
    }

    #[cfg(feature = "report")]
    #[test]
    fn the_first_and_the_last_are_always_among_those_chosen() {
        assert_eq!(
            (end_to_end(3, 30), end_to_end(5, 1), end_to_end(0, 30), end_to_end(1, 9)),
            (vec![0, 1, 2], vec![4], vec![], vec![0])
        );
        let some = end_to_end(500, 30);
        assert!(some.len() == 30 && some[0] == 0 && some[29] == 499 && some.is_sorted());
        assert!(some.iter().zip(0..).all(|(&place, at)| place == at * 499 / 29));
    }

    #[test]
    fn inverted_rows_are_what_is_left_to_one() {
        let bytes = [0, 1, 64, 127, 254, 255, 3, 0, 255, 80];
        let bits: Vec<bool> = (0..70).map(|i| i * i % 7 < 3).collect();
        for rows in [
            Rows::from_bytes(5, &bytes, 1.0 / 255.0),
            Rows::from_bits(35, &bits),
            Rows::from_values(2, &[0.5, 0.25, 0.125, 1.0]),
        ] {
            let inverted = rows.clone().invert();
            for row in 0..rows.len() {
                for (x, y) in rows.values(row).zip(inverted.values(row)) {
                    assert!((x + y - 1.0).abs() < 1e-6, "{x} became {y}");
                }
            }
            assert_eq!(inverted.invert().words(), rows.words());
        }
    }

    /// Rows that are mostly 0, dense and sparse.
    fn both(units: usize, values: &[f32]) -> (Rows, Rows) {
        let (mut starts, mut columns, mut given) = (vec![0], Vec::new(), Vec::new());
        for row in values.chunks(units) {
            let entries = row.iter().zip(0..).filter(|(x, _)| **x != 0.0);
            entries.for_each(|(&x, column)| {
                columns.push(column);
                given.push(x);
            });
            starts.push(columns.len());
        }
        (Rows::from_values(units, values), Rows::from_entries(units, &starts, &columns, &given))
    }

    #[test]
    fn sparse_rows_are_the_same_rows_in_less_memory() {
        for (packing, one) in [
            (Packing::Bits, [1.0, 1.0]),
            (Packing::Bytes, [1.0, 80.0 / 255.0]),
            (Packing::Floats, [0.37, -5.0]),
        ] {
            let (units, rows) = (1003, 41);
            let mut values = vec![0.0; units * rows];
            (0..400).for_each(|i| values[i * i * 7 % (units * rows)] = one[i % 2]);
            values[4 * units..6 * units].fill(0.0);
            let (dense, sparse) = both(units, &values);
            assert_eq!((sparse.layout(), sparse.is_sparse()), (dense.layout(), true), "{packing:?}");
            assert_eq!(sparse.layout().packing, packing);
            assert!(sparse.bytes() < dense.bytes() && !dense.is_sparse());
            let same = |dense: &Rows, sparse: &Rows| {
                assert_eq!((dense.len(), dense.words()), (sparse.len(), sparse.words()), "{packing:?}");
            };
            same(&dense, &sparse);
            assert_eq!(dense.density(), sparse.density());
            let parts: Vec<u32> = sparse.parts(7).flat_map(|(_, words)| words.into_owned()).collect();
            assert_eq!(parts, *dense.words());
            let chosen = [40, 3, 3, 5, 0];
            same(&dense.select(&chosen), &sparse.select(&chosen));
            let (mut a, mut b) = (dense.clone(), sparse.clone());
            a.truncate(9);
            b.truncate(9);
            same(&a, &b);
            a.append(dense.select(&chosen));
            let mut c = b.clone();
            b.append(sparse.select(&chosen));
            c.append(dense.select(&chosen));
            same(&a, &b);
            same(&a, &c);
            same(&dense.clone().threshold(), &sparse.clone().threshold());
            assert!(sparse.clone().threshold().is_sparse());
            if packing != Packing::Floats {
                same(&dense.clone().sample(3, 1), &sparse.clone().sample(3, 1));
                same(&dense.clone().invert(), &sparse.clone().invert());
            }
            let [x, y] =
                [dense, sparse].map(|rows| Cases { weights: Some(vec![0.5; rows.len()]), ..rows.into() });
            assert_eq!(x.marginals(), y.marginals());
            let mut unpacked = vec![9.0; units];
            y.rows.unpack(3, &mut unpacked);
            assert_eq!(unpacked, values[3 * units..4 * units]);
            assert!((0..units).all(|unit| y.rows.value(3, unit) == unpacked[unit]));
            assert_ne!(y.rows.key(0), y.rows.key(1));
            assert_eq!(y.rows.key(4), y.rows.key(5));
        }
        // Not where it takes more memory.
        let (dense, sparse) = both(64, &(0..640).map(|i| f32::from(i % 3 == 0)).collect::<Vec<_>>());
        assert!(!sparse.is_sparse());
        assert_eq!(dense.words(), sparse.words());
    }

    #[test]
    fn values_are_kept_as_tightly_as_loses_nothing() {
        for (values, packing) in [
            ((0..140).map(|i| f32::from(i * i % 7 < 3)).collect(), Packing::Bits),
            ((0..=255).map(|byte| byte as f32 / 255.0).collect(), Packing::Bytes),
            ((0..140).map(|i| if i * i % 7 < 3 { 1.0 } else { -1.0 }).collect(), Packing::Spins),
            (vec![0.0, 0.5, 1.0, 0.25], Packing::Floats),
            (vec![0.0, 1.0, 1e-6, 1.0], Packing::Floats),
        ] {
            let rows = Rows::from_values(values.len() / 2, &values);
            assert_eq!(rows.layout().packing, packing);
            let kept: Vec<f32> = (0..2).flat_map(|row| rows.values(row)).collect();
            let error = crate::check::largest_difference(&kept, &values);
            assert!(error <= if packing == Packing::Bytes { 1.2e-7 } else { 0.0 }, "{packing:?}: {error:e}");
            let mut unpacked = vec![0.0; rows.layout().units];
            rows.unpack(1, &mut unpacked);
            let (first, second) = kept.split_at(unpacked.len());
            assert_eq!(unpacked, second, "{packing:?}");
            let means = first.iter().zip(second).map(|(x, y)| (f64::from(*x) + f64::from(*y)) / 2.0);
            assert_eq!(rows.density(), means.collect::<Vec<_>>(), "{packing:?}");
        }
    }
}
