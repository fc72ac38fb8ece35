//! Columns that hold a class instead of a measurement.

use std::collections::HashMap;

use serde::Serialize;

use super::{CLASSES, Column, Values};

/// A label column, and the reason to think so: it is a function of the known classes; or its values are few, common and
/// equally spaced, and those of the other columns are not.
pub fn label_column(values: &Values, columns: &[Column], labels: Option<&[u32]>) -> Option<(usize, String)> {
    let count = |classes: usize| format!("it has {classes} different values");
    if let Some(labels) = labels.filter(|labels| labels.len() >= values.last) {
        let labels = &labels[values.first..values.last];
        let candidates = (0..columns.len()).filter(|&unit| columns[unit].classes().is_some_and(|n| n > 2));
        for unit in candidates {
            let mut value_of = HashMap::new();
            let agrees = (0..values.len()).all(|row| {
                let value = values.value(row, unit);
                *value_of.entry(labels[row]).or_insert(value) == value
            });
            if agrees && value_of.len() > 2 && columns[unit].classes() == Some(value_of.len()) {
                return Some((unit, format!("{}, one for each of the known classes", count(value_of.len()))));
            }
        }
    }
    // A label column is the first or the last.
    let ends = [0, columns.len() - 1];
    ends.into_iter().find_map(|unit| {
        let classes = columns[unit].classes().filter(|&classes| classes > 2)?;
        let mut found = columns[unit].values.clone();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let step = found[1].0 - found[0].0;
        let even = found.windows(2).all(|pair| (pair[1].0 - pair[0].0 - step).abs() < 1e-6 * step.abs());
        let often = found.iter().all(|&(_, times)| times * 10 * classes > values.len() && times > 3);
        let varying = columns.iter().filter(|column| !column.is_constant());
        let like_it =
            varying.clone().filter(|column| column.classes() == Some(classes) && column.largest == found[classes - 1].0);
        let rare = like_it.count() * 10 <= varying.count();
        (even && often && rare).then(|| {
            let (low, high) = (found[0].0, found[classes - 1].0);
            let reason = format!(
                "{} at equal distances from {low:.5} to {high:.5}, all of them common, unlike the other columns",
                count(classes)
            );
            (unit, reason)
        })
    })
}

/// A block of at least three one-hot columns at either end of the table: its first column, and how many it has.
pub fn one_hot(values: &Values, columns: &[Column]) -> Option<(usize, usize)> {
    let binary = |column: &Column| !column.is_constant() && column.smallest == 0.0 && column.largest == 1.0;
    let units = columns.len();
    for from_end in [true, false] {
        // The means of such columns add up to one.
        let (mut sum, mut count) = (0.0, 0);
        let order: Vec<usize> = if from_end { (0..units).rev().collect() } else { (0..units).collect() };
        for &unit in order.iter().take_while(|&&unit| binary(&columns[unit])).take(CLASSES) {
            sum += columns[unit].sum / values.len() as f64;
            count += 1;
            if sum > 1.0 - 1e-9 {
                break;
            }
        }
        if count < 3 || (sum - 1.0).abs() > 1e-9 {
            continue;
        }
        let first = if from_end { units - count } else { 0 };
        let one = |row: usize| values.row(row).skip(first).take(count).sum::<f64>() == 1.0;
        if count < units && (0..values.len()).all(one) {
            return Some((first, count));
        }
    }
    None
}

/// Adjacent blocks of one-hot columns: categories, each with a column for each of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// The first column of the first block.
    pub first: usize,
    /// Columns of each block.
    pub size: usize,
    /// Blocks.
    pub count: usize,
}

/// At least two blocks of one size, of three or more columns, that are at least nine tenths of all columns. In each row exactly one
/// column of each block is on; a column may be off in all rows.
pub fn one_hot_blocks(values: &Values, columns: &[Column]) -> Option<Blocks> {
    let (cases, units) = (values.len(), columns.len());
    if !columns.iter().all(|column| column.smallest >= 0.0 && column.largest <= 1.0) {
        return None;
    }
    // The sums of the columns of a block add up to the number of cases.
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(columns.iter().scan(0.0, |sum, column| {
            *sum += column.sum;
            Some(*sum)
        }))
        .collect();
    let is_block = |first: usize, size: usize| sums[first + size] - sums[first] == cases as f64;
    let candidates = (3..CLASSES.min(units / 2 + 1)).flat_map(|size| {
        let starts = (0..=units / 10).map(move |first| (first, size));
        starts.map(|(first, size)| {
            let count = (first..units + 1 - size).step_by(size).take_while(|&first| is_block(first, size));
            Blocks { first, size, count: count.count() }
        })
    });
    let mut candidates = candidates.filter(|blocks| blocks.count > 1 && blocks.columns() * 10 >= 9 * units);
    candidates.find(|blocks| {
        (0..cases).all(|row| {
            let row: Vec<f64> = values.row(row).skip(blocks.first).take(blocks.columns()).collect();
            let is_one_hot = |block: &[f64]| block.iter().filter(|&&x| x == 1.0).count() == 1;
            row.chunks(blocks.size).all(is_one_hot) && row.iter().all(|&x| x == 0.0 || x == 1.0)
        })
    })
}

impl Blocks {
    /// Columns of all blocks.
    pub fn columns(&self) -> usize {
        self.size * self.count
    }
}
