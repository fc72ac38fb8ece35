//! Before training: is this what an RBM with binary units can learn from?

mod classes;

use std::collections::HashMap;

use serde::Serialize;

use super::finding::{Finding, Severity};
use crate::{
    config::TrainConfig,
    data::{Cases, Dataset, Rows},
};
use classes::{label_column, one_hot};

/// The values of a data set as the user's code has them: the rows that are meant, divided as they are meant.
pub struct Values<'a> {
    rows: &'a Rows,
    first: usize,
    last: usize,
    /// Bytes are divided by this, rather than by the data set's own scale.
    divisor: Option<f64>,
}

impl<'a> Values<'a> {
    /// All rows as they are.
    pub fn new(rows: &'a Rows) -> Self {
        Self { rows, first: 0, last: rows.len(), divisor: None }
    }

    /// Rows `first` to before `last`.
    pub fn range(self, first: usize, last: usize) -> Self {
        Self { first, last, ..self }
    }

    /// The bytes that the values were made from, divided by `divisor`.
    pub fn divided_by(self, divisor: Option<f64>) -> Self {
        Self { divisor, ..self }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.last - self.first
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in a row.
    pub fn units(&self) -> usize {
        self.rows.layout().units
    }

    /// One row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.rows.values(self.first + row).map(|x| self.as_meant(x))
    }

    /// One row as it is in the data set, at once.
    fn unpack(&self, row: usize, values: &mut [f32]) {
        self.rows.layout().unpack(self.rows.row(self.first + row), values);
    }

    /// One value.
    pub fn value(&self, row: usize, unit: usize) -> f64 {
        self.as_meant(self.rows.layout().value(self.rows.row(self.first + row), unit))
    }

    fn as_meant(&self, x: f32) -> f64 {
        match self.divisor {
            None => x.into(),
            // The byte itself is known exactly.
            Some(divisor) => (f64::from(x) / f64::from(self.rows.layout().scale)).round() / divisor,
        }
    }
}

/// What was measured of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataFigures {
    /// Cases that were looked at.
    pub cases: usize,
    /// Values in each.
    pub units: usize,
    /// The smallest value.
    pub smallest: f64,
    /// The largest.
    pub largest: f64,
    /// Values that are NaN or infinite.
    pub not_finite: usize,
    /// The first of them: case, unit, value as text.
    pub first_not_finite: Option<(usize, usize, String)>,
    /// Numbers below 0 or above 1.
    pub outside: usize,
    /// The first of them: case, unit, value.
    pub first_outside: Option<(usize, usize, f64)>,
    /// Columns that have such values.
    pub columns_outside: usize,
    /// The share of values that are neither 0 nor 1.
    pub grey: f64,
    /// The mean of all finite values.
    pub density: f64,
    /// Columns that never change.
    pub constant_columns: usize,
    /// Columns that are the same as one before, constant ones left out.
    pub duplicated_columns: usize,
    /// Two of them.
    pub equal_columns: Option<(usize, usize)>,
    /// Rows that are the same as one before.
    pub duplicated_rows: usize,
    /// A column that is a number of a class, and why it looks so.
    pub label_column: Option<(usize, String)>,
    /// Where columns begin of which each row has exactly one on, and how many they are.
    pub one_hot: Option<(usize, usize)>,
    /// Σ H(mean of the unit): bits that a case needs if units were independent.
    pub bits: f64,
}

/// What is kept of each column.
#[derive(Clone)]
struct Column {
    smallest: f64,
    largest: f64,
    sum: f64,
    outside: bool,
    hash: u64,
    /// Values and how often each was met, up to [`CLASSES`].
    values: Vec<(f64, usize)>,
}

/// A label has fewer values than this.
const CLASSES: usize = 33;

impl DataFigures {
    /// Memory that measuring takes for each column, at most: its own figures and its values while their room grows.
    pub(super) const BYTES_A_COLUMN: usize = size_of::<Column>() + 2 * CLASSES * size_of::<(f64, usize)>();

    /// Goes through all rows once. `labels` are the classes where they are known.
    pub fn measure(values: &Values, labels: Option<&[u8]>) -> Self {
        let (cases, units) = (values.len(), values.units());
        let empty = Column {
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            sum: 0.0,
            outside: false,
            hash: 0,
            values: Vec::new(),
        };
        let mut columns = vec![empty; units];
        let (mut outside, mut first_outside, mut grey) = (0, None, 0);
        let (mut not_finite, mut first_not_finite) = (0, None);
        let mut rows: HashMap<u64, usize> = HashMap::new();
        let (mut duplicated_rows, mut row) = (0, vec![0.0; units]);
        for case in 0..cases {
            let mut row_hash = 0;
            values.unpack(case, &mut row);
            for (unit, (&x, column)) in row.iter().zip(&mut columns).enumerate() {
                let x = values.as_meant(x);
                if !x.is_finite() {
                    not_finite += 1;
                    first_not_finite.get_or_insert_with(|| (case, unit, x.to_string()));
                    continue;
                }
                if !(0.0..=1.0).contains(&x) {
                    outside += 1;
                    column.outside = true;
                    first_outside.get_or_insert((case, unit, x));
                }
                grey += usize::from(x != 0.0 && x != 1.0);
                column.smallest = column.smallest.min(x);
                column.largest = column.largest.max(x);
                column.sum += x;
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

        let mut first_with: HashMap<u64, usize> = HashMap::new();
        let (mut duplicated_columns, mut equal_columns) = (0, None);
        for (unit, column) in columns.iter().enumerate().filter(|(_, column)| !column.is_constant()) {
            match first_with.get(&column.hash) {
                Some(&first) => {
                    duplicated_columns += 1;
                    equal_columns.get_or_insert((first, unit));
                }
                None => {
                    first_with.insert(column.hash, unit);
                }
            }
        }
        let entropy =
            |p: f64| if p > 0.0 && p < 1.0 { -p * p.log2() - (1.0 - p) * (1.0 - p).log2() } else { 0.0 };
        let fold = |pick: &dyn Fn(&Column) -> f64, start: f64, of: fn(f64, f64) -> f64| {
            columns.iter().map(pick).fold(start, of)
        };
        Self {
            cases,
            units,
            smallest: fold(&|column| column.smallest, f64::INFINITY, f64::min),
            largest: fold(&|column| column.largest, f64::NEG_INFINITY, f64::max),
            not_finite,
            first_not_finite,
            outside,
            first_outside,
            columns_outside: columns.iter().filter(|column| column.outside).count(),
            grey: grey as f64 / (cases * units) as f64,
            density: columns.iter().map(|column| column.sum).sum::<f64>()
                / (cases * units - not_finite).max(1) as f64,
            constant_columns: columns.iter().filter(|column| column.is_constant()).count(),
            duplicated_columns,
            equal_columns,
            duplicated_rows,
            label_column: label_column(values, &columns, labels),
            one_hot: one_hot(values, &columns),
            bits: columns.iter().map(|column| entropy(column.sum / cases as f64)).sum(),
        }
    }

    /// Of the training cases of a data set.
    pub fn of(dataset: &Dataset) -> Self {
        let Cases { rows, labels } = &dataset.train;
        Self::measure(&Values::new(rows), labels.as_deref())
    }

    /// What these figures say; `hidden` is the number of hidden units, if they are known.
    pub fn findings(&self, hidden: Option<usize>) -> Vec<Finding> {
        let mut found = Vec::new();
        let share = |count: usize, of: usize| 100.0 * count as f64 / of as f64;
        if let Some((case, unit, value)) = &self.first_not_finite {
            found.push(Finding::error(
                "values-not-finite",
                format!(
                    "{} of {} values are no finite numbers; the first is case {case}, unit {unit}: {value}",
                    self.not_finite,
                    self.cases * self.units
                ),
                "every parameter that such a value meets is no number after one update, and rbm-gpu train refuses them",
                "leave these cases out, or put the column's mean in their place; in your own code: \
                 x = x[np.isfinite(x).all(axis=1)]",
            ));
        }
        if let Some((case, unit, value)) = self.first_outside {
            let seen = format!(
                "{} of {} values are outside [0, 1], from {:.6} to {:.6}; the first is case {case}, unit {unit}: \
                 {value}",
                self.outside,
                self.cases * self.units,
                self.smallest,
                self.largest
            );
            let why = "a visible unit is on or off, and a grey value is the probability that it is on; p(v|h) = σ(b + hWᵀ) \
                       cannot reach a value outside [0, 1], so the gradient pushes for ever (Hinton 2010, section 13)";
            let is_label = self.label_column.as_ref().is_some_and(|&(column, _)| column == unit);
            if is_label && self.columns_outside == 1 {
                // It is said below, with what to do about a label.
            } else if self.columns_outside * 2 < self.units {
                found.push(Finding::error(
                    "unscaled-columns",
                    format!("{seen}; these are {} of {} columns", self.columns_outside, self.units),
                    why,
                    "scale these columns to [0, 1], each by its own smallest and largest value, or leave them out; in your \
                     own code: x ← (x − min) / (max − min)",
                ));
            } else {
                let fix = if self.smallest >= -1.0 && self.largest <= 1.0 && self.grey < 1.0 {
                    "make 0 and 1 of −1 and 1; in your own code: x ← (x + 1) / 2"
                } else if self.smallest < 0.0 {
                    "the values were standardised, or their mean was taken off, which is for Gaussian visible units; these are \
                     binary: take the values from before, divided by their largest (--divide-by); in your own code: \
                     x ← (x − min) / (max − min), with one min and max for all columns of an image, or each its own"
                } else {
                    "divide by the largest value (--divide-by); in your own code: x ← x / 255 for bytes"
                };
                found.push(Finding::error("values-outside-0-1", seen, why, fix));
            }
        } else if self.largest > 0.0 && self.largest < 0.1 {
            found.push(Finding::error(
                "values-scaled-twice",
                format!("the largest value is {:.6}, 1/{:.0}", self.largest, 1.0 / self.largest),
                "as probabilities of being on, such values leave every visible unit off: 0 and 1 were divided by 255, or \
                 bytes were divided twice",
                "save the data as bytes from 0 to 255; in your own code: divide once",
            ));
        }
        if self.cases > 1 && self.duplicated_rows + 1 == self.cases || self.constant_columns == self.units {
            found.push(Finding::error(
                "all-rows-alike",
                match self.cases {
                    1 => "there is one row".into(),
                    cases => format!("all {cases} rows are the same, and all columns are constant"),
                },
                "there is nothing to learn but the visible biases",
                "look at how the file was written, and name another with --data",
            ));
            return found;
        }
        if let Some((column, reason)) = &self.label_column {
            let label = Finding::warning(
                "label-column",
                format!(
                    "column {} of {} looks like a class, not like a measurement: {reason}",
                    column + 1,
                    self.units
                ),
                "the model spends its hidden units on predicting a number that is no pixel; as a value in [0, 1] it means \
                 nothing, and later accuracies come from it",
                format!(
                    "--label-column {} for a table, else leave the column out; to learn classes on purpose, give each its own \
                     unit, of which one is on (Hinton 2010, section 16)",
                    column + 1
                ),
            );
            let severity = if self.outside > 0 { Severity::Error } else { label.severity };
            found.push(Finding { severity, ..label });
        }
        if self.density > 0.7 && self.outside == 0 {
            found.push(Finding::warning(
                "inverted-data",
                format!("the mean of all values is {:.3}: the background is on", self.density),
                "sums over visible units are then large and shared by all hidden units, and learning is slow and poor: on \
                 flipped MNIST 16 hidden units lose several nats (Melchior, Fischer and Wiskott 2016)",
                "invert the values, or train with --centred on; in your own code: x ← 1 − x, or take v − ⟨v⟩ and h − ⟨h⟩ in the \
                 gradient",
            ));
        }
        // Where there are few rows to choose from, some come again by chance.
        let by_chance = self.bits < (self.cases as f64).log2() + 2.0;
        if self.duplicated_rows * 2 > self.cases && !by_chance {
            found.push(Finding::warning(
                "duplicated-rows",
                format!(
                    "{} of {} rows ({:.1} %) are the same as one before",
                    self.duplicated_rows,
                    self.cases,
                    share(self.duplicated_rows, self.cases)
                ),
                "copies are no new cases: the model learns the few that there are by heart, and test cases that are copies of \
                 training cases prove nothing",
                "remove the copies, or say how often each case counts by design",
            ));
        } else if self.duplicated_rows > 0 {
            found.push(Finding::note(
                "duplicated-rows",
                format!(
                    "{} of {} rows ({:.1} %) are the same as one before",
                    self.duplicated_rows,
                    self.cases,
                    share(self.duplicated_rows, self.cases)
                ),
                if by_chance && self.duplicated_rows * 2 > self.cases {
                    "rows that are told by so few bits come again by chance; if it is not that, the model learns the few that \
                     there are by heart"
                } else {
                    "a few copies do no harm; make sure that none are in both training and test cases"
                },
                "nothing, if the data are meant to be so",
            ));
        }
        if let Some((first, second)) = self.equal_columns {
            let most = self.duplicated_columns * 2 > self.units;
            let make = if most { Finding::warning } else { Finding::note };
            found.push(make(
                "duplicated-columns",
                format!(
                    "columns that are the same as one before: {}; columns {first} and {second}, for example",
                    self.duplicated_columns
                ),
                "a copied unit counts twice in every sum, and its likelihood is that of a copy",
                "leave out the copies, unless they are there by chance, as at the border of images",
            ));
        }
        if self.constant_columns > 0 {
            let most = self.constant_columns * 10 > self.units * 9;
            let make = if most { Finding::warning } else { Finding::note };
            found.push(make(
                "constant-columns",
                format!(
                    "{} of {} columns ({:.1} %) never change",
                    self.constant_columns,
                    self.units,
                    share(self.constant_columns, self.units)
                ),
                "a unit that never changes has a bias of ±∞ at the optimum; its base rate is clipped to 0.001…0.999 here, \
                 other programs get parameters that are not finite",
                "nothing for the borders of images; else leave the columns out. In your own code: b = log(p/(1−p)) with p clipped",
            ));
        }
        if let Some((first, count)) = self.one_hot {
            found.push(Finding::note(
                "one-hot-columns",
                format!("of columns {first} to {}, each row has exactly one on", first + count - 1),
                "these look like a class with a unit for each: the model then learns p(v, class)",
                "nothing, if that is meant; else leave the columns out",
            ));
        }
        if self.grey > 0.0 {
            found.push(Finding::note(
                "grey-values",
                format!("{:.1} % of the values are between 0 and 1", 100.0 * self.grey),
                "a grey value is taken as the probability of being on; likelihoods are only defined for binary data, and \
                 depend on how they were made binary (Salakhutdinov and Murray 2008)",
                "--binarize sample draws them anew for each minibatch, threshold and none are the other choices; in your own \
                 code: use one and the same x for the hidden units and for the statistics",
            ));
        }
        if self.grey == 0.0 && self.not_finite == 0 {
            found.push(Finding::note(
                "binary-values",
                "all values are 0 or 1",
                "an RBM's likelihood is that of such data. If grey levels were meant, they have been lost: by a threshold, or by \
                 a division of whole numbers, which leaves 1 only where a pixel had its largest value",
                "nothing, if that is meant; else, in your own code: x ← x / 255.0 and not x // 255",
            ));
        }
        if self.density < 0.01 && self.outside == 0 {
            found.push(Finding::warning(
                "sparse-data",
                format!("the mean of all values is {:.5}: fewer than one unit in a hundred is on", self.density),
                "with so little to see a case, all hidden units may take the same state for every case, on or off",
                "leave out columns that are hardly ever on, use --batch and --lr for many rare events (more cases, a smaller \
                 rate), and look at the hidden units with rbm-gpu doctor RUN; b must begin at log(p/(1−p))",
            ));
        }
        found.extend(self.parameters(hidden));
        found
    }

    /// Whether so many hidden units are too many; of the default number, where there is no model, only a note.
    fn parameters(&self, hidden: Option<usize>) -> Option<Finding> {
        let units = hidden.unwrap_or(TrainConfig::default().hidden);
        let parameters = (self.units as f64 + 1.0) * (units as f64 + 1.0) - 1.0;
        let bits = self.bits * self.cases as f64;
        if self.outside > 0 || bits <= 0.0 || parameters <= bits {
            return None;
        }
        let many = hidden.is_some() && parameters > 30.0 * bits;
        Some(if many { Finding::warning } else { Finding::note }(
            "more-parameters-than-bits",
            format!(
                "{units} hidden units{} have {parameters} parameters for {} cases of at most {:.0} bits each: {:.2} parameters a \
                 bit",
                if hidden.is_some() { "" } else { ", as rbm-gpu train has by default," },
                self.cases,
                self.bits,
                parameters / bits
            ),
            "each case constrains the parameters by as many bits as it takes to describe it; with many more parameters the \
             model learns the cases by heart (Hinton 2010, section 12)",
            "fewer --hidden units, more cases, --weight-decay, and stop when the free-energy gap grows",
        ))
    }
}

impl Column {
    fn is_constant(&self) -> bool {
        self.smallest == self.largest
    }

    /// How many different values it has, if they are few.
    fn classes(&self) -> Option<usize> {
        (self.values.len() < CLASSES).then_some(self.values.len())
    }
}

/// One value more of a hash: FNV-1a's multiplication over the bits, with their upper half folded in.
fn mix(hash: u64, value: f64) -> u64 {
    let hash = (hash ^ value.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0x0100_0000_01B3);
    hash ^ hash >> 29
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Source;

    fn names(figures: &DataFigures, hidden: Option<usize>) -> Vec<&'static str> {
        figures.findings(hidden).into_iter().map(|finding| finding.name).collect()
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
