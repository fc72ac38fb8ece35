//! Packed rows, as they are uploaded to the device, and their layout in memory.

use rayon::prelude::*;

use crate::rng::{self, Address, Stream};

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

    /// The value of `unit` in a row. Every device computes exactly this value.
    #[inline(always)]
    pub fn value(&self, row: &[u32], unit: usize) -> f32 {
        match self.packing {
            Packing::Bits => (row[unit / 32] >> (unit % 32) & 1) as f32,
            Packing::Spins => (row[unit / 32] >> (unit % 32) & 1) as f32 * 2.0 - 1.0,
            Packing::Bytes => (row[unit / 4] >> (unit % 4 * 8) & 0xff) as f32 * self.scale,
            Packing::Floats => f32::from_bits(row[unit]),
        }
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

/// Packed rows.
#[derive(Clone, Debug)]
pub struct Rows {
    layout: RowLayout,
    words: Vec<u32>,
}

impl Rows {
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
        Self { layout, words }
    }

    /// Binary rows.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_bits(units: usize, values: &[bool]) -> Self {
        assert!(units > 0 && values.len().is_multiple_of(units), "rows of {units} bits in {}", values.len());
        let layout = RowLayout { units, packing: Packing::Bits, scale: 1.0 };
        let word = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u32::from(bit));
        Self { layout, words: values.chunks(units).flat_map(|row| row.chunks(32).map(word)).collect() }
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
        let byte = |x: f32| (x * 255.0).round();
        let is_byte = |x: f32| (x * 255.0 - byte(x)).abs() <= 2.0 * f32::EPSILON * byte(x);
        let (packing, scale) = if values.iter().all(|&x| x == 0.0 || x == 1.0) {
            (Packing::Bits, 1.0)
        } else if values.iter().all(|&x| x.abs() == 1.0) {
            (Packing::Spins, 1.0)
        } else if values.iter().all(|&x| (0.0..=1.0).contains(&x) && is_byte(x)) {
            (Packing::Bytes, 1.0 / 255.0)
        } else {
            (Packing::Floats, 1.0)
        };
        Self::of_layout(RowLayout { units, packing, scale }, values)
    }

    /// Rows of values that a layout can hold.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub(crate) fn of_layout(layout: RowLayout, values: &[f32]) -> Self {
        let units = layout.units;
        match layout.packing {
            Packing::Bits | Packing::Spins => {
                let bits: Vec<bool> = values.iter().map(|&x| x == 1.0).collect();
                Self { layout, ..Self::from_bits(units, &bits) }
            }
            Packing::Bytes => {
                let bytes: Vec<u8> = values.iter().map(|&x| (x / layout.scale).round() as u8).collect();
                Self::from_bytes(units, &bytes, layout.scale)
            }
            Packing::Floats => Self { layout, words: values.iter().map(|x| x.to_bits()).collect() },
        }
    }

    /// The same values as floats.
    pub(crate) fn as_floats(self) -> Self {
        let layout = RowLayout { packing: Packing::Floats, scale: 1.0, ..self.layout };
        if self.layout == layout {
            return self;
        }
        let values: Vec<f32> = (0..self.len()).flat_map(|row| self.values(row)).collect();
        Self::of_layout(layout, &values)
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

    /// All rows, one after another.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.words.len() / self.layout.words()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// One packed row.
    pub fn row(&self, row: usize) -> &[u32] {
        let words = self.layout.words();
        &self.words[row * words..][..words]
    }

    /// The values of one row.
    pub fn values(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        let packed = self.row(row);
        (0..self.layout.units).map(move |unit| self.layout.value(packed, unit))
    }

    /// Whether a value is missing: NaN.
    pub fn has_missing(&self) -> bool {
        self.layout.packing == Packing::Floats
            && self.words.par_iter().any(|word| f32::from_bits(*word).is_nan())
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
        let a_word = self.layout.packing.values_a_word();
        // A share of the units to each thread: the order of additions does not depend on the number of threads.
        let share = words.div_ceil(rayon::current_num_threads());
        let shares = (0..words.div_ceil(share)).into_par_iter().flat_map_iter(|index| {
            let first = index * share;
            let units = units.min((first + share) * a_word) - first * a_word;
            let layout = RowLayout { units, ..self.layout };
            let (mut sums, mut values) = (vec![0.0; units], vec![0.0; units]);
            for row in self.words.chunks(words) {
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
        let parts: Vec<[Vec<f64>; 2]> = self
            .words
            .par_chunks(PART * self.layout.words())
            .enumerate()
            .map(|(part, words)| {
                let (mut sums, mut values) = ([vec![0.0; units], vec![0.0; units]], vec![0.0; units]);
                for (row, packed) in (part * PART..).zip(words.chunks(self.layout.words())) {
                    let weight = weight(row);
                    self.layout.unpack(packed, &mut values);
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
        Self { layout: self.layout, words: rows.iter().flat_map(|&row| self.row(row)).copied().collect() }
    }

    /// Adds rows of the same layout at the end.
    pub fn append(&mut self, mut more: Self) {
        assert_eq!(self.layout, more.layout, "rows of one layout");
        self.words.append(&mut more.words);
    }

    /// At most `count` rows, spread over all, which may be in some order.
    pub fn some(&self, count: usize) -> Self {
        self.select(&starts(self.len(), count))
    }

    /// The first rows, at most `count`.
    pub fn truncate(&mut self, count: usize) {
        self.words.truncate(count * self.layout.words());
    }

    /// Whether every value is 0 or 1, or missing.
    pub fn is_binary(&self) -> bool {
        self.layout.packing == Packing::Bits
            || (0..self.len()).all(|row| self.values(row).all(|x| x == 0.0 || x == 1.0 || x.is_nan()))
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
            let Self { layout, mut words } = self;
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
            return Self { layout, words };
        }
        let layout = RowLayout { packing: Packing::Bits, scale: 1.0, ..self.layout };
        let mut words = vec![0; self.len() * layout.words()];
        words.par_chunks_mut(layout.words()).enumerate().with_min_len(64).for_each_init(
            || (vec![0.0; layout.units], vec![0.5; layout.units]),
            |(values, limits), (row, words)| {
                self.layout.unpack(self.row(row), values);
                set_limits(row, limits);
                for (word, (values, limits)) in words.iter_mut().zip(values.chunks(32).zip(limits.chunks(32)))
                {
                    let bits = values.iter().zip(limits).zip(0..);
                    *word =
                        bits.fold(0, |word, ((value, limit), bit)| word | u32::from(value > limit) << bit);
                }
            },
        );
        Self { layout, words }
    }

    pub(super) fn invert(self) -> Self {
        let Self { layout, words } = self;
        let packed = words.chunks(layout.words());
        match layout.packing {
            Packing::Bits => {
                let values =
                    packed.flat_map(|row| (0..layout.units).map(|unit| layout.value(row, unit) == 0.0));
                Self::from_bits(layout.units, &values.collect::<Vec<_>>())
            }
            Packing::Bytes => {
                // The byte for 1; no value is above it.
                let one = (1.0 / layout.scale).round() as u8;
                let bytes = packed.flat_map(|row| {
                    (0..layout.units)
                        .map(move |unit| one.saturating_sub((row[unit / 4] >> (unit % 4 * 8)) as u8))
                });
                Self::from_bytes(layout.units, &bytes.collect::<Vec<_>>(), layout.scale)
            }
            // Only binary data are inverted.
            Packing::Spins => Self { layout, words },
            Packing::Floats => {
                let words = words.iter().map(|word| (1.0 - f32::from_bits(*word)).to_bits()).collect();
                Self { layout, words }
            }
        }
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
            rows.layout().unpack(rows.row(1), &mut unpacked);
            let (first, second) = kept.split_at(unpacked.len());
            assert_eq!(unpacked, second, "{packing:?}");
            let means = first.iter().zip(second).map(|(x, y)| (f64::from(*x) + f64::from(*y)) / 2.0);
            assert_eq!(rows.density(), means.collect::<Vec<_>>(), "{packing:?}");
        }
    }
}
