//! Checks before training: can an RBM learn from these data? A column is one of the file: a Potts unit is one, and its value is the
//! number of its state.

mod classes;
mod findings;
mod units;

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    data::{Dataset, Encoding, Rows, ranges::Range},
    units::Layer,
};
use classes::{Blocks, label_column, one_hot, one_hot_blocks};
use units::Unscaled;

/// The values of a data set as the user's code has them: some of the rows, with a scale of their own.
pub struct Values<'a> {
    rows: &'a Rows,
    first: usize,
    last: usize,
    /// The units, if they are not all binary.
    encoding: Option<&'a Encoding>,
    /// Divisor of the bytes, instead of the data set's own scale.
    divisor: Option<f64>,
}

impl<'a> Values<'a> {
    /// All rows, with the data set's own scale.
    pub fn new(rows: &'a Rows) -> Self {
        Self { rows, first: 0, last: rows.len(), encoding: None, divisor: None }
    }

    /// All training cases of a data set, with its own scale.
    pub fn of(dataset: &'a Dataset) -> Self {
        Self::new(&dataset.train.rows).encoded(&dataset.encoding)
    }

    /// The rows as values of these units.
    pub fn encoded(self, encoding: &'a Encoding) -> Self {
        Self { encoding: Some(encoding).filter(|encoding| !encoding.layer.is_binary()), ..self }
    }

    /// The rows `first..last`.
    pub fn range(self, first: usize, last: usize) -> Self {
        Self { first, last, ..self }
    }

    /// The bytes of the values, divided by `divisor`.
    pub fn divided_by(self, divisor: Option<f64>) -> Self {
        Self { divisor, ..self }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.last - self.first
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all units are binary.
    pub fn are_binary(&self) -> bool {
        self.encoding.is_none()
    }

    /// Values in a row.
    pub fn units(&self) -> usize {
        self.rows.layout().units
    }

    /// One row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.rows.values(self.first + row).map(|x| self.as_meant(x))
    }

    /// Writes one row, with the data set's own scale, into `values`.
    fn unpack(&self, row: usize, values: &mut [f32]) {
        self.rows.unpack(self.first + row, values);
    }

    /// One value.
    pub fn value(&self, row: usize, unit: usize) -> f64 {
        self.as_meant(self.rows.value(self.first + row, unit))
    }

    fn as_meant(&self, x: f32) -> f64 {
        match self.divisor {
            None => x.into(),
            // A byte is recovered exactly.
            Some(divisor) => (f64::from(x) / f64::from(self.rows.layout().scale)).round() / divisor,
        }
    }
}

/// The figures of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataFigures {
    /// The units, if they are not all binary.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_words")]
    pub layer: Option<Layer>,
    /// Cases that were measured.
    pub cases: usize,
    /// Values in a case: one for each unit.
    pub units: usize,
    /// The smallest value.
    pub smallest: f64,
    /// The largest value.
    pub largest: f64,
    /// Values that are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub missing: usize,
    /// Values that are infinite.
    pub not_finite: usize,
    /// The first infinity: case, unit, value as text.
    pub first_not_finite: Option<(usize, usize, String)>,
    /// Values of binary units below 0 or above 1.
    pub outside: usize,
    /// The first value outside [0, 1]: case, unit, value.
    pub first_outside: Option<(usize, usize, f64)>,
    /// The only number below 0, if it seems to stand for what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<f32>,
    /// Columns with values outside [0, 1].
    pub columns_outside: usize,
    /// The share of values that are neither 0 nor 1, though their units are binary.
    pub grey: f64,
    /// The mean of all finite values.
    pub density: f64,
    /// Columns that never change.
    pub constant_columns: usize,
    /// Columns that equal an earlier one, without constant ones.
    pub duplicated_columns: usize,
    /// Those of them that have so many bits that few cases cannot make them equal.
    pub copied_columns: usize,
    /// Two equal columns.
    pub equal_columns: Option<(usize, usize)>,
    /// Rows that equal an earlier one.
    pub duplicated_rows: usize,
    /// Rows that equal no other.
    pub single_rows: usize,
    /// A column of class numbers, and the reason to think so.
    pub label_column: Option<(usize, String)>,
    /// A block of one-hot columns, exactly one on in each row: its first column, and how many it has.
    pub one_hot: Option<(usize, usize)>,
    /// Blocks of columns of binary units that are categories, one-hot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_hot_blocks: Option<Blocks>,
    /// Columns of Gaussian units that are not standardised, though they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unscaled: Option<Unscaled>,
    /// Σ H(mean of the unit): bits in a case if units were independent. A column of many numbers has as many as tell the cases
    /// apart.
    pub bits: f64,
}

/// The figures of a column.
#[derive(Clone)]
struct Column {
    smallest: f64,
    largest: f64,
    sum: f64,
    squares: f64,
    outside: bool,
    /// Values that are missing.
    missing: usize,
    hash: u64,
    /// Values with their counts, up to [`CLASSES`] of them.
    values: Vec<(f64, usize)>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Bits of a column, over all cases, that chance does not make equal to another's, even if both go together.
const BITS_OF_A_COPY: f64 = 64.0;

/// A label has fewer values than this.
const CLASSES: usize = 33;

impl DataFigures {
    /// The most memory for a column: its own figures, and its values while their vector grows.
    pub(super) const BYTES_A_COLUMN: usize = size_of::<Column>() + 2 * CLASSES * size_of::<(f64, usize)>();

    /// Measures all rows in one pass. `labels` are the classes, if known.
    pub fn measure(values: &Values, labels: Option<&[u32]>) -> Self {
        let layer = values.encoding.map(|encoding| encoding.layer.clone());
        let units = layer.as_ref().map_or(values.units(), Layer::units);
        let kinds = units::kinds(layer.as_ref(), units);
        let cases = values.len();
        let empty = Column {
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            sum: 0.0,
            squares: 0.0,
            outside: false,
            hash: 0,
            missing: 0,
            values: Vec::new(),
        };
        let mut columns = vec![empty; units];
        let (mut outside, mut first_outside, mut grey) = (0, None, 0);
        let (mut missing, mut not_finite, mut first_not_finite) = (0, 0, None);
        let mut range = Range::default();
        let mut rows: HashMap<u64, usize> = HashMap::new();
        let (mut duplicated_rows, mut row) = (0, vec![0.0; values.units()]);
        for case in 0..cases {
            let mut row_hash = 0;
            values.unpack(case, &mut row);
            let states = units::states(layer.as_ref(), &row);
            for (unit, (&x, column)) in states.iter().zip(&mut columns).enumerate() {
                let x = values.as_meant(x);
                if x.is_nan() {
                    missing += 1;
                    column.missing += 1;
                    column.hash = mix(column.hash, x);
                    row_hash = mix(row_hash, x);
                    continue;
                }
                if !x.is_finite() {
                    not_finite += 1;
                    first_not_finite.get_or_insert_with(|| (case, unit, x.to_string()));
                    continue;
                }
                range.add(0, x as f32);
                let is_binary = kinds[unit].is_binary();
                if is_binary && !(0.0..=1.0).contains(&x) {
                    outside += 1;
                    column.outside = true;
                    first_outside.get_or_insert((case, unit, x));
                }
                grey += usize::from(is_binary && x != 0.0 && x != 1.0);
                column.smallest = column.smallest.min(x);
                column.largest = column.largest.max(x);
                column.sum += x;
                column.squares += x * x;
                column.hash = mix(column.hash, x);
                row_hash = mix(row_hash, x);
                if column.values.len() < CLASSES {
                    match column.values.iter_mut().find(|(value, _)| *value == x) {
                        Some((_, count)) => *count += 1,
                        None => column.values.push((x, 1)),
                    }
                }
            }
            *rows.entry(row_hash).or_default() += 1;
        }
        duplicated_rows += rows.values().map(|count| count - 1).sum::<usize>();
        let single_rows = rows.values().filter(|&&count| count == 1).count();

        let mut first_with: HashMap<u64, usize> = HashMap::new();
        let entropy =
            |p: f64| if p > 0.0 && p < 1.0 { -p * p.log2() - (1.0 - p) * (1.0 - p).log2() } else { 0.0 };
        let bits_of = |unit: usize| match kinds[unit].is_binary() {
            true => entropy(columns[unit].sum / (cases - columns[unit].missing).max(1) as f64),
            false => columns[unit].bits(cases),
        };
        let (mut duplicated_columns, mut copied_columns, mut equal_columns) = (0, 0, None);
        for (unit, column) in columns.iter().enumerate().filter(|(_, column)| !column.is_constant()) {
            match first_with.get(&column.hash) {
                Some(&first) => {
                    duplicated_columns += 1;
                    copied_columns += usize::from(bits_of(unit) * cases as f64 > BITS_OF_A_COPY);
                    equal_columns.get_or_insert((first, unit));
                }
                None => {
                    first_with.insert(column.hash, unit);
                }
            }
        }
        let fold = |pick: &dyn Fn(&Column) -> f64, start: f64, of: fn(f64, f64) -> f64| {
            columns.iter().map(pick).fold(start, of)
        };
        let are_labels_possible = layer.as_ref().is_none_or(units::are_numbers);
        let label = are_labels_possible.then(|| label_column(values, &columns, labels)).flatten();
        let bits = (0..units).map(bits_of).sum();
        let one_hot_blocks = values.are_binary().then(|| one_hot_blocks(values, &columns)).flatten();
        let is_class = values.are_binary() && one_hot_blocks.is_none();
        Self {
            cases,
            units,
            smallest: fold(&|column| column.smallest, f64::INFINITY, f64::min),
            largest: fold(&|column| column.largest, f64::NEG_INFINITY, f64::max),
            missing,
            not_finite,
            first_not_finite,
            outside,
            first_outside,
            mark: range.mark(),
            columns_outside: columns.iter().filter(|column| column.outside).count(),
            grey: grey as f64 / (cases * units) as f64,
            density: columns.iter().map(|column| column.sum).sum::<f64>()
                / (cases * units - not_finite - missing).max(1) as f64,
            constant_columns: columns.iter().filter(|column| column.is_constant()).count(),
            duplicated_columns,
            copied_columns,
            equal_columns,
            duplicated_rows,
            single_rows,
            label_column: label,
            one_hot: is_class.then(|| one_hot(values, &columns)).flatten(),
            one_hot_blocks,
            unscaled: values.encoding.and_then(|encoding| Unscaled::find(encoding, &columns, cases)),
            bits,
            layer,
        }
    }

    /// Measures the training cases of a data set.
    pub fn of(dataset: &Dataset) -> Self {
        Self::measure(&Values::of(dataset), dataset.train.labels.as_deref())
    }
}

impl Column {
    fn is_constant(&self) -> bool {
        self.smallest == self.largest
    }

    /// The standard deviation over this many cases.
    fn deviation(&self, cases: usize) -> f64 {
        let cases = (cases - self.missing).max(1);
        let mean = self.sum / cases as f64;
        (self.squares / cases as f64 - mean * mean).max(0.0).sqrt()
    }

    /// The entropy of its values, if there are few; else as many bits as tell the cases apart.
    fn bits(&self, cases: usize) -> f64 {
        let cases = (cases - self.missing).max(1);
        let share = |&(_, count): &(f64, usize)| count as f64 / cases as f64;
        match self.classes() {
            Some(_) => self.values.iter().map(share).map(|p| -p * p.log2()).sum(),
            None => (cases as f64).log2(),
        }
    }

    /// Number of different values, if there are few.
    fn classes(&self) -> Option<usize> {
        (self.values.len() < CLASSES).then_some(self.values.len())
    }
}

/// Writes units in words.
fn in_words<S: serde::Serializer>(layer: &Option<Layer>, serializer: S) -> Result<S::Ok, S::Error> {
    layer.as_ref().map(Layer::to_string).serialize(serializer)
}

/// Adds a value to a hash: FNV-1a's multiplication over the bits, with their upper half folded in.
fn mix(hash: u64, value: f64) -> u64 {
    let hash = (hash ^ value.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0x0100_0000_01B3);
    hash ^ hash >> 29
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Source, units::Kind};

    fn names(figures: &DataFigures, hidden: Option<usize>) -> Vec<String> {
        let hidden = hidden.map(|units| Layer::of(Kind::Binary, units));
        figures.findings(hidden.as_ref()).into_iter().map(|finding| finding.name.into()).collect()
    }

    #[test]
    fn the_generated_data_are_what_they_are() {
        let bars = DataFigures::of(&Source::BarsAndStripes(4).load().unwrap());
        assert_eq!((bars.cases, bars.units, bars.duplicated_rows, bars.grey), (32, 16, 2, 0.0));
        assert_eq!((bars.density, bars.constant_columns, bars.duplicated_columns), (0.5, 0, 0));
        assert!((bars.bits - 16.0).abs() < 1e-12);
        assert_eq!(names(&bars, Some(16)), ["duplicated-rows", "binary-values"]);
        let shifter = DataFigures::of(&Source::Shifter.load().unwrap());
        assert_eq!(shifter.one_hot, Some((16, 3)));
        assert_eq!(names(&shifter, Some(16)), ["one-hot-columns", "binary-values"]);
    }

    #[test]
    fn rows_and_divisors_are_the_users_own() {
        let rows = Rows::from_bytes(2, &[0, 255, 128, 3, 7, 9], 1.0 / 255.0);
        let values = Values::new(&rows).range(1, 3).divided_by(Some(256.0));
        let all: Vec<f64> = (0..2).flat_map(|row| values.row(row).collect::<Vec<_>>()).collect();
        assert_eq!(all, [128.0 / 256.0, 3.0 / 256.0, 7.0 / 256.0, 9.0 / 256.0]);
    }
}
