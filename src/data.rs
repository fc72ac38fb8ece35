//! A data set: packed rows, one case each, and how its cases look as images.
//!
//! Rows are kept as they are shipped to the device: one bit a unit where every value is 0 or 1, one byte where
//! pixels are grey, padded to whole 32-bit words. MNIST takes 47 MB this way, a quarter of its size in `f32`.

mod generated;
mod idx;
mod mnist;

use std::{fmt, path::PathBuf, str::FromStr};

use crate::{
    error::{Error, Result, usage},
    rng::{self, Stream},
};

/// Where a data set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The MNIST database of handwritten digits, which ships with the project.
    Mnist,
    /// All images of N×N pixels whose rows, or whose columns, are each all on or all off.
    BarsAndStripes(usize),
    /// The labelled shifter ensemble: 8 bits, the same shifted by −1, 0 or 1, and which of the three it was.
    Shifter,
    /// A folder with IDX files, compressed or not.
    Folder(PathBuf),
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("bars-and-stripes:")) {
            ("", _) => {
                usage!("expected a data set, found nothing: mnist, bars-and-stripes:N, shifter or a folder")
            }
            ("mnist", _) => Ok(Self::Mnist),
            ("shifter", _) => Ok(Self::Shifter),
            ("bars-and-stripes", _) => usage!("bars-and-stripes needs its size, as in bars-and-stripes:4"),
            (_, Some(size)) => match size.parse() {
                Ok(n @ 1..=generated::LARGEST_BARS) => Ok(Self::BarsAndStripes(n)),
                _ => {
                    usage!("bars-and-stripes:N needs N from 1 to {}, found {size:?}", generated::LARGEST_BARS)
                }
            },
            (folder, None) => Ok(Self::Folder(folder.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Mnist => f.write_str("mnist"),
            Self::BarsAndStripes(n) => write!(f, "bars-and-stripes:{n}"),
            Self::Shifter => f.write_str("shifter"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Source {
    /// A short name for folders and messages.
    pub fn name(&self) -> String {
        match self {
            Self::BarsAndStripes(n) => format!("bars-and-stripes-{n}"),
            Self::Folder(path) => {
                path.file_name().map_or("data".into(), |name| name.to_string_lossy().into())
            }
            other => other.to_string(),
        }
    }

    /// Finds, reads and checks the data set.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Read`] say which file, what was expected and what was found.
    pub fn load(&self) -> Result<Dataset> {
        match self {
            Self::Mnist => mnist::load(),
            Self::BarsAndStripes(n) => Ok(generated::bars_and_stripes(*n)),
            Self::Shifter => Ok(generated::shifter()),
            Self::Folder(path) => idx::load(path),
        }
    }
}

/// Training cases, and test cases where there are any.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Height and width of a case as an image; their product is the number of visible units.
    pub image: (usize, usize),
    /// The cases to learn from.
    pub train: Cases,
    /// Cases that are never learnt from.
    pub test: Option<Cases>,
}

impl Dataset {
    /// The cases by which a model is judged: the test cases, or the training cases where there are none.
    pub fn held_out(&self) -> &Cases {
        self.test.as_ref().unwrap_or(&self.train)
    }

    /// Whether every value is 0 or 1.
    pub fn is_binary(&self) -> bool {
        [Some(&self.train), self.test.as_ref()].into_iter().flatten().all(|cases| cases.rows.is_binary())
    }

    /// The data set with every value drawn once, as the probability of a 1: the same for the same seed.
    pub fn sample(self, seed: u64) -> Self {
        let sample = |cases: Cases, step| Cases { rows: cases.rows.sample(seed, step), ..cases };
        Self { train: sample(self.train, 0), test: self.test.map(|test| sample(test, 1)), ..self }
    }

    /// The data set with 1 − x in the place of every value x.
    pub fn invert(self) -> Self {
        let invert = |cases: Cases| Cases { rows: cases.rows.invert(), ..cases };
        Self { train: invert(self.train), test: self.test.map(invert), ..self }
    }

    /// The data set with every value above 0.5 turned to 1 and every other to 0.
    pub fn threshold(self) -> Self {
        let threshold = |cases: Cases| Cases { rows: cases.rows.threshold(), ..cases };
        Self { train: threshold(self.train), test: self.test.map(threshold), ..self }
    }
}

/// Rows and, where known, the class of each.
#[derive(Clone, Debug)]
pub struct Cases {
    /// One row a case.
    pub rows: Rows,
    /// One class a case.
    pub labels: Option<Vec<u8>>,
}

/// How a row lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLayout {
    /// Values in a row.
    pub units: usize,
    /// One bit a value (0 or 1), rather than one byte.
    pub bits: bool,
    /// What a byte is multiplied by.
    pub scale: f32,
}

impl RowLayout {
    /// 32-bit words in a row.
    pub fn words(&self) -> usize {
        self.units.div_ceil(if self.bits { 32 } else { 4 })
    }

    /// The value of `unit` in a row. Every device computes exactly this.
    #[inline(always)]
    pub fn value(&self, row: &[u32], unit: usize) -> f32 {
        if self.bits {
            (row[unit / 32] >> (unit % 32) & 1) as f32
        } else {
            (row[unit / 4] >> (unit % 4 * 8) & 0xff) as f32 * self.scale
        }
    }

    /// The values of a row, word by word: loops that the compiler vectorises.
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
        if self.bits {
            each::<32>(row, values, |word, bit| (word >> bit & 1) as f32);
        } else {
            each::<4>(row, values, |word, byte| (word >> (8 * byte) & 0xff) as f32 * self.scale);
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
        let layout = RowLayout { units, bits: false, scale };
        let word = |four: &[u8]| four.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        Self { layout, words: bytes.chunks(units).flat_map(|row| row.chunks(4).map(word)).collect() }
    }

    /// Binary rows.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_bits(units: usize, values: &[bool]) -> Self {
        assert!(units > 0 && values.len().is_multiple_of(units), "rows of {units} bits in {}", values.len());
        let layout = RowLayout { units, bits: true, scale: 1.0 };
        let word = |bits: &[bool]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u32::from(bit));
        Self { layout, words: values.chunks(units).flat_map(|row| row.chunks(32).map(word)).collect() }
    }

    /// Rows that are packed already.
    pub(crate) fn from_words(layout: RowLayout, words: Vec<u32>) -> Self {
        Self { layout, words }
    }

    /// How each row lies in memory.
    pub fn layout(&self) -> RowLayout {
        self.layout
    }

    /// All rows, one after another.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.words.len() / self.layout.words()
    }

    /// Whether there is no row at all.
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

    /// The mean of each unit over all rows: for binary rows, the share of cases in which it is on.
    pub fn density(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.layout.units];
        for row in 0..self.len() {
            sums.iter_mut().zip(self.values(row)).for_each(|(sum, x)| *sum += f64::from(x));
        }
        sums.iter().map(|sum| sum / self.len() as f64).collect()
    }

    /// Adds rows of the same layout at the end.
    pub fn append(&mut self, mut more: Self) {
        assert_eq!(self.layout, more.layout, "rows of one layout");
        self.words.append(&mut more.words);
    }

    /// The first rows, at most `count`.
    pub fn truncate(&mut self, count: usize) {
        self.words.truncate(count * self.layout.words());
    }

    /// Rows from all over, which may be in some order: at most `count`.
    pub fn some(&self, count: usize) -> Self {
        let count = count.min(self.len());
        let rows = (0..count).flat_map(|row| self.row(row * self.len() / count)).copied();
        Self { layout: self.layout, words: rows.collect() }
    }

    fn is_binary(&self) -> bool {
        self.layout.bits || (0..self.len()).all(|row| self.values(row).all(|x| x == 0.0 || x == 1.0))
    }

    fn sample(self, seed: u64, step: u32) -> Self {
        if self.layout.bits {
            return self;
        }
        let mut uniforms = vec![0.0; self.layout.units];
        let mut bits = Vec::with_capacity(self.len() * self.layout.units);
        for row in 0..self.len() {
            rng::fill(seed, step, Stream::Evaluation.draw(0), row as u32, 0, &mut uniforms);
            bits.extend(self.values(row).zip(&uniforms).map(|(x, u)| *u < x));
        }
        Self::from_bits(self.layout.units, &bits)
    }

    fn invert(self) -> Self {
        let units = self.layout.units;
        if self.layout.bits {
            let bits: Vec<bool> = (0..self.len())
                .flat_map(|row| self.values(row).map(|x| x == 0.0).collect::<Vec<_>>())
                .collect();
            return Self::from_bits(units, &bits);
        }
        // The byte that stands for 1; no value is above it.
        let one = (1.0 / self.layout.scale).round() as u8;
        let bytes = self.words.chunks(self.layout.words()).flat_map(|row| {
            (0..units).map(move |unit| one.saturating_sub((row[unit / 4] >> (unit % 4 * 8)) as u8))
        });
        Self::from_bytes(units, &bytes.collect::<Vec<u8>>(), self.layout.scale)
    }

    fn threshold(self) -> Self {
        if self.layout.bits {
            return self;
        }
        let bits: Vec<bool> =
            (0..self.len()).flat_map(|row| self.values(row).map(|x| x > 0.5).collect::<Vec<_>>()).collect();
        Self::from_bits(self.layout.units, &bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverted_rows_are_what_is_left_to_one() {
        let bytes = [0, 1, 64, 127, 254, 255, 3, 0, 255, 80];
        let bits: Vec<bool> = (0..70).map(|i| i * i % 7 < 3).collect();
        for rows in [Rows::from_bytes(5, &bytes, 1.0 / 255.0), Rows::from_bits(35, &bits)] {
            let inverted = rows.clone().invert();
            for row in 0..rows.len() {
                for (x, y) in rows.values(row).zip(inverted.values(row)) {
                    assert!((x + y - 1.0).abs() < 1e-6, "{x} became {y}");
                }
            }
            assert_eq!(inverted.invert().words(), rows.words());
        }
    }
}
