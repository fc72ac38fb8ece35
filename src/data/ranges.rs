//! The range of each column of a table, and whether all columns are of one scale.
//!
//! Columns of one scale are read alike: 0 and 1, numbers from 0 to 1, or whole numbers up to 255. A scale is never taken from one
//! column for others: where a few columns of many are out of line they are named, and a table in which many are is one of
//! columns of several types.

/// The numbers of a column. NaN is none.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// How many there are.
    pub count: usize,
    /// The smallest.
    pub least: f32,
    /// The largest.
    pub greatest: f32,
    /// The largest of those below 0.
    highest_negative: f32,
    /// Whether some are no whole numbers.
    pub has_fractions: bool,
    /// Whether some are neither −1 nor 1.
    pub has_others: bool,
    /// Whether each is the last one plus 1, from the first row on.
    pub is_running: bool,
}

impl Default for Range {
    fn default() -> Self {
        Self {
            count: 0,
            least: f32::INFINITY,
            greatest: f32::NEG_INFINITY,
            highest_negative: f32::NEG_INFINITY,
            has_fractions: false,
            has_others: false,
            is_running: true,
        }
    }
}

/// Numbers that people write for what is missing.
const MARKS: [f32; 5] = [-1.0, -9.0, -99.0, -999.0, -9999.0];

/// Fewer rows show nothing about their columns.
const FEW_ROWS: usize = 8;

/// How many times more than a tenth of the columns another kind must have: fewer are out of line.
const OUT_OF_LINE: usize = 10;

impl Range {
    /// Adds the number of the next row, or NaN.
    pub fn add(&mut self, row: usize, x: f32) {
        self.is_running &= !x.is_nan() && (row == 0 || x == self.greatest + 1.0);
        if x.is_nan() {
            return;
        }
        self.count += 1;
        self.least = self.least.min(x);
        self.greatest = self.greatest.max(x);
        if x < 0.0 {
            self.highest_negative = self.highest_negative.max(x);
        }
        self.has_fractions |= x.fract() != 0.0;
        self.has_others |= x.abs() != 1.0;
    }

    /// The ranges of the columns of rows.
    pub fn of(columns: usize, values: impl IntoIterator<Item = f32>) -> Vec<Self> {
        let mut ranges = vec![Self::default(); columns];
        for (at, x) in values.into_iter().enumerate() {
            ranges[at % columns].add(at / columns, x);
        }
        ranges
    }

    /// Whether all numbers are 0 or 1.
    pub fn are_bits(&self) -> bool {
        self.is_small() && !self.has_fractions
    }

    /// Whether all are −1 or 1, and some are −1.
    pub fn are_spins(&self) -> bool {
        self.count > 0 && self.least == -1.0 && !self.has_others
    }

    /// Whether all are from 0 to 1.
    fn is_small(&self) -> bool {
        self.least >= 0.0 && self.greatest <= 1.0
    }

    /// Whether all are whole numbers from 0 to 255.
    fn are_bytes(&self) -> bool {
        self.least >= 0.0 && self.greatest <= 255.0 && !self.has_fractions
    }

    /// A number that seems to mark what is missing: the only one below 0.
    pub fn mark(&self) -> Option<f32> {
        let is_mark = self.least < 0.0 && self.least == self.highest_negative && MARKS.contains(&self.least);
        (is_mark && self.has_others).then_some(self.least)
    }

    /// For people: `whole numbers from 18 to 90`.
    pub fn named(&self) -> String {
        let numbers = if self.has_fractions { "numbers" } else { "whole numbers" };
        match self.are_bits() {
            true => "0 and 1".into(),
            false => format!("{numbers} from {} to {}", self.least, self.greatest),
        }
    }
}

/// What the ranges of the columns say about a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// All are of one scale, as far as can be seen.
    One,
    /// Only these columns are of another scale than the others.
    But(Vec<usize>),
    /// Columns are of several scales.
    Several,
}

impl Scale {
    /// Judges the columns of a table with this many rows.
    pub fn of(ranges: &[Range], rows: usize) -> Self {
        let columns = || ranges.iter().enumerate().filter(|(_, range)| range.count > 0);
        // −1, 0 and 1 are of one scale, whatever they mean.
        if rows < FEW_ROWS
            || columns()
                .all(|(_, range)| range.least >= -1.0 && range.greatest <= 1.0 && !range.has_fractions)
        {
            return Self::One;
        }
        let varies = |range: &Range| range.least < range.greatest;
        let small = || columns().filter(|(_, range)| range.is_small() && varies(range));
        let big: Vec<usize> = columns().filter(|(_, range)| !range.is_small()).map(|(at, _)| at).collect();
        let are_bytes = columns().all(|(_, range)| range.are_bytes());
        if small().count() == 0 {
            // Numbers of any size; of one scale, unless their sizes differ.
            let size = |at: &usize| ranges[*at].greatest.abs().max(ranges[*at].least.abs());
            let largest = big.iter().map(size).fold(0.0, f32::max);
            let smallest = big.iter().map(size).fold(f32::INFINITY, f32::min);
            return if are_bytes || largest < 10.0 * smallest { Self::One } else { Self::Several };
        }
        // Pixels at the border of images may be 0 or 1 by chance.
        if big.is_empty() || are_bytes && small().count() * OUT_OF_LINE < big.len() {
            return Self::One;
        }
        if big.len() * OUT_OF_LINE <= (big.len() + small().count()).max(OUT_OF_LINE) {
            return Self::But(big);
        }
        Self::Several
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_columns_are_out_of_line_and_many_are_of_another_scale() {
        let bits = |row: usize, column: usize| ((row * 7 + column * 3) % 5 / 3) as f32;
        let age = |row: usize, _| (18 + row * 13 % 60) as f32;
        let real = |row: usize, column: usize| (row * 37 % 11) as f32 * 0.7 - column as f32;
        let grey = |row: usize, column: usize| (row * 91 % 256 * usize::from(column != 0)) as f32;
        type Of<'a> = &'a dyn Fn(usize, usize) -> f32;
        let judged = |parts: &[(usize, Of)], rows: usize| {
            let columns: Vec<Of> =
                parts.iter().flat_map(|&(count, of)| std::iter::repeat_n(of, count)).collect();
            let values = (0..rows).flat_map(|row| {
                columns.iter().enumerate().map(move |(column, of)| of(row, column)).collect::<Vec<_>>()
            });
            Scale::of(&Range::of(columns.len(), values), rows)
        };
        for (parts, rows, expected) in [
            (&[(9, &bits as Of)][..], 20, Scale::One),
            (&[(9, &bits), (1, &age)], 20, Scale::But(vec![9])),
            (&[(1, &bits), (1, &age)], 20, Scale::But(vec![1])),
            (&[(30, &bits), (3, &real)], 20, Scale::But(vec![30, 31, 32])),
            (&[(9, &bits), (2, &real)], 20, Scale::Several),
            (&[(9, &bits), (2, &age)], 20, Scale::Several),
            (&[(9, &bits), (2, &age)], 7, Scale::One),
            (&[(16, &grey)], 20, Scale::One),
            (&[(1, &bits), (16, &grey)], 20, Scale::One),
            (&[(4, &real)], 20, Scale::One),
            (&[(4, &real), (1, &|row: usize, _| 1e4 * row as f32)], 20, Scale::Several),
            (&[(4, &|row: usize, column: usize| ((row + column) % 3) as f32 - 1.0)], 20, Scale::One),
        ] {
            assert_eq!(judged(parts, rows), expected);
        }
    }

    #[test]
    fn a_mark_is_the_only_negative_number() {
        let mark = |values: &[f32]| Range::of(1, values.iter().copied())[0].mark();
        assert_eq!(mark(&[1.0, -1.0, 0.0]), Some(-1.0));
        assert_eq!(mark(&[5.0, -99.0, 3.0, f32::NAN]), Some(-99.0));
        for other in [&[1.0, -1.0][..], &[0.0, -1.0, -2.0], &[0.0, 1.0], &[-0.5, 0.0]] {
            assert_eq!(mark(other), None, "{other:?}");
        }
    }
}
