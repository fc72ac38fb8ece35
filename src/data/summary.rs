//! Summary of a data set.

use std::collections::HashMap;

use serde::Serialize;

use super::{Cases, Dataset, Encoding, Packing, Rows};
use crate::units::Kind;

/// Summary of a data set, for people and for reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Values of a case in the file, one for each visible unit.
    pub units: usize,
    /// The visible units that the values are for.
    pub visible: String,
    /// Height and width of a case as an image.
    pub image: (usize, usize),
    /// Packing of the values: `bits`, `spins`, `bytes` or `floats`.
    pub packing: &'static str,
    /// If the rows are sparse, what is kept of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse: Option<Sparse>,
    /// How the file was read, where that is not plain, and how its columns were standardised.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The parts: `train`, and `validation` and `test` if there are any.
    pub parts: Vec<Part>,
    /// Units with the same value in all training cases.
    pub constant_units: usize,
    /// The columns of a table whose columns have types of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnSummary>,
}

/// A column of a table, in the training cases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnSummary {
    /// Its name.
    pub name: String,
    /// The kind of its unit.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its words with their numbers of cases, if it has words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<(String, usize)>,
    /// The smallest and the largest number, if it has numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<(f32, f32)>,
    /// Cases in which its value is missing.
    pub missing: usize,
}

/// What is kept of sparse rows: the numbers that are not 0, and their columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sparse {
    /// Numbers that are not 0.
    pub numbers: usize,
    /// Their share of all numbers.
    pub share: f64,
    /// Bytes that all parts take.
    pub bytes: u64,
}

/// A part of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `train`, `validation` or `test`.
    pub name: &'static str,
    /// The number of cases.
    pub cases: usize,
    /// Sum of the cases' weights and effective number of cases, (Σw)² / Σw² (Kish 1965), if they have weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<(f64, f64)>,
    /// Missing values.
    #[serde(skip_serializing_if = "is_zero")]
    pub missing: usize,
    /// The smallest value.
    pub least: f32,
    /// The largest value.
    pub greatest: f32,
    /// The mean of all values; for binary ones, the fraction of 1s.
    pub density: f64,
    /// The fraction of values above 0.5.
    pub above_half: f64,
    /// Class names and their numbers of cases.
    pub classes: Vec<(String, usize)>,
}

impl Summary {
    /// Reads all values.
    pub fn of(dataset: &Dataset) -> Self {
        let layout = dataset.train.rows.layout();
        let parts = [
            ("train", Some(&dataset.train)),
            ("validation", dataset.validation.as_ref()),
            ("test", dataset.test.as_ref()),
        ];
        let units = dataset.encoding.file_columns();
        let columns = &dataset.encoding.columns;
        let mut words: Vec<Vec<usize>> = columns.iter().map(|column| vec![0; column.words.len()]).collect();
        let mut missing = vec![0; columns.len()];
        let [mut low, mut high] = [f32::INFINITY, f32::NEG_INFINITY].map(|x| vec![x; columns.len()]);
        let mut row = vec![0.0; layout.units];
        let typed = if columns.is_empty() { 0 } else { dataset.train.rows.len() };
        for case in 0..typed {
            dataset.train.rows.unpack(case, &mut row);
            for (unit, &x) in dataset.encoding.decode(&row).iter().enumerate() {
                (low[unit], high[unit]) = (low[unit].min(x), high[unit].max(x));
                missing[unit] += usize::from(x.is_nan());
                if let Some(count) = words[unit].get_mut(x as usize).filter(|_| !x.is_nan()) {
                    *count += 1;
                }
            }
        }
        let kinds = dataset.encoding.layer.places().map(|place| place.kind);
        let columns = columns.iter().zip(kinds).enumerate().map(|(unit, (column, kind))| ColumnSummary {
            name: column.name.clone(),
            kind: kind.to_string(),
            words: column.words.iter().cloned().zip(words[unit].iter().copied()).collect(),
            range: (column.words.is_empty() && low[unit] <= high[unit]).then_some((low[unit], high[unit])),
            missing: missing[unit],
        });
        Self {
            columns: columns.collect(),
            units,
            visible: dataset.encoding.layer.to_string(),
            notes: [dataset.notes.clone(), standards(&dataset.encoding)].concat(),
            image: dataset.image,
            packing: match layout.packing {
                Packing::Bits => "bits",
                Packing::Spins => "spins",
                Packing::Bytes => "bytes",
                Packing::Floats => "floats",
            },
            parts: parts.into_iter().filter_map(|(name, cases)| Some(part(name, cases?, dataset))).collect(),
            sparse: sparse(dataset),
            constant_units: constant_units(dataset),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn sparse(dataset: &Dataset) -> Option<Sparse> {
    if !dataset.parts().any(|cases| cases.rows.is_sparse()) {
        return None;
    }
    let numbers = dataset.parts().map(|cases| entries(&cases.rows).count()).sum();
    let all: f64 =
        dataset.parts().map(|cases| cases.rows.len() as f64 * cases.rows.layout().units as f64).sum();
    let bytes = dataset.parts().map(|cases| cases.rows.bytes()).sum();
    Some(Sparse { numbers, share: numbers as f64 / all, bytes })
}

/// The columns and numbers that are not 0 of all rows, if they are sparse.
fn entries(rows: &Rows) -> impl Iterator<Item = (usize, f32)> {
    (0..rows.len()).filter_map(|row| rows.entries(row)).flatten()
}

/// Whether the numbers of the file are the rows' own, and those that are 0 need not be looked at.
fn are_entries_all(rows: &Rows, encoding: &Encoding) -> bool {
    rows.is_sparse() && encoding.layer.is_binary()
}

/// Units with the same value in all training cases.
fn constant_units(Dataset { train, encoding, .. }: &Dataset) -> usize {
    let (units, rows) = (encoding.file_columns(), &train.rows);
    if are_entries_all(rows, encoding) {
        let mut of_columns: HashMap<usize, (f32, f32, usize)> = HashMap::new();
        for (column, x) in entries(rows) {
            let (low, high, count) = of_columns.entry(column).or_insert((x, x, 0));
            (*low, *high, *count) = (low.min(x), high.max(x), *count + 1);
        }
        let changes = |(low, high, count): &&(f32, f32, usize)| low != high || *count < rows.len();
        return units - of_columns.values().filter(changes).count();
    }
    let mut row = vec![0.0; rows.layout().units];
    let (mut low, mut high) = (vec![f32::INFINITY; units], vec![f32::NEG_INFINITY; units]);
    for case in 0..rows.len() {
        rows.unpack(case, &mut row);
        let row = encoding.decode(&row);
        low.iter_mut().zip(&row).for_each(|(low, x)| *low = low.min(*x));
        high.iter_mut().zip(&row).for_each(|(high, x)| *high = high.max(*x));
    }
    low.iter().zip(&high).filter(|(low, high)| low == high).count()
}

/// How the columns were standardised.
fn standards(encoding: &Encoding) -> Vec<String> {
    let range = |numbers: &[f32]| {
        let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        format!("{least:.4} to {greatest:.4}")
    };
    let gaussian = encoding.layer.places().filter(|place| place.kind == Kind::Gaussian);
    let columns: Vec<usize> = gaussian.map(|place| place.column).collect();
    if columns.is_empty() || encoding.means.is_empty() {
        return Vec::new();
    }
    let of = |numbers: &[f32]| columns.iter().map(|&column| numbers[column]).collect::<Vec<_>>();
    vec![format!(
        "{} standardised: less the mean ({}), divided by the standard deviation, or a tenth of the largest distance from \
         the mean if that is more ({})",
        if columns.len() == 1 { "1 column is".into() } else { format!("{} columns are", columns.len()) },
        range(&of(&encoding.means)),
        range(&of(&encoding.deviations))
    )]
}

fn part(name: &'static str, cases: &Cases, Dataset { encoding, classes, .. }: &Dataset) -> Part {
    let rows = &cases.rows;
    let (mut least, mut greatest, mut sum, mut above) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0);
    let mut missing = 0;
    let mut add = |x: f32| {
        if x.is_nan() {
            missing += 1;
            return;
        }
        (least, greatest) = (least.min(x), greatest.max(x));
        sum += f64::from(x);
        above += usize::from(x > 0.5);
    };
    if are_entries_all(rows, encoding) {
        // Some number is 0, as rows without zeros are not sparse.
        add(0.0);
        entries(rows).for_each(|(_, x)| add(x));
    } else {
        let mut row = vec![0.0; rows.layout().units];
        for case in 0..rows.len() {
            rows.unpack(case, &mut row);
            encoding.decode(&row).into_iter().for_each(&mut add);
        }
    }
    let values = rows.len() as f64 * encoding.file_columns() as f64 - missing as f64;
    let mut counts: Vec<(String, usize)> = classes.iter().map(|name| (name.clone(), 0)).collect();
    cases.labels.iter().flatten().for_each(|&label| counts[label as usize].1 += 1);
    counts.retain(|(_, count)| *count > 0);
    Part {
        name,
        cases: rows.len(),
        weights: cases.weights.as_ref().map(|weights| {
            let sum = |power| weights.iter().map(|&weight| f64::from(weight).powi(power)).sum::<f64>();
            (sum(1), sum(1).powi(2) / sum(2))
        }),
        missing,
        least,
        greatest,
        density: sum / values,
        above_half: above as f64 / values,
        classes: counts,
    }
}
