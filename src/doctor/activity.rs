//! What hidden units of all kinds do on some cases, each in its own scale.
//!
//! ```text
//! binary p(1)   spin p(+1)   Potts p(state), a column each   others mean·√γ, with γ the smaller of a unit's precisions
//! ```

use serde::Serialize;

use crate::units::{Kind, Layer, Place};

/// A probability below this, or above 1 less this, is as good as certain; a smaller share of a double rectified unit's |s| is none.
const CERTAIN: f32 = 0.01;
/// The least range over the cases, in a unit's own scale, of a unit that tells cases apart.
const RANGE: f32 = 0.02;
/// A rectified unit is off below this mean, in its own scale: its input is then 20 deviations below 0.
const OFF: f32 = 0.05;

/// Hidden units by what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Activity {
    /// Binary units with p(h=1|v) below 0.01 for every case, and rectified ones at 0.
    pub dead: usize,
    /// Binary units with p(h=1|v) above 0.99 for every case.
    pub always_on: usize,
    /// Spins and Potts units with one state of a probability above 0.99 for every case.
    #[serde(skip_serializing_if = "is_none")]
    pub stuck: usize,
    /// Double rectified units with a side that is empty for every case.
    #[serde(skip_serializing_if = "is_none")]
    pub halved: usize,
    /// Units that do the same for all cases, and are none of the above.
    pub unused: usize,
    /// The share of the binary units, spins and Potts units, over all cases, that are certain of their state.
    pub extreme: f64,
    /// The first unit of each of `dead`, `stuck` and `halved`.
    #[serde(skip)]
    pub first: [Option<usize>; 3],
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The deviation of each column: 1/√γ, 1 of units without a precision.
pub fn deviations(layer: &Layer, potentials: &[f32]) -> Vec<f32> {
    let columns = layer.columns();
    let mut all = vec![1.0; columns];
    for Place { kind, column } in layer.places() {
        let precisions = kind.precisions().map(|number| potentials[number * columns + column]);
        if let Some(smallest) = precisions.reduce(f32::min) {
            all[column] = 1.0 / smallest.sqrt();
        }
    }
    all
}

impl Activity {
    /// Measures units with these potentials, from the means of their states and of their other statistics, case by case.
    pub fn measure(layer: &Layer, potentials: &[f32], means: &[f32], moments: &[f32]) -> Self {
        let columns = layer.columns();
        let deviations = deviations(layer, potentials);
        let mut found = Self::default();
        let (mut certain, mut discrete) = (0, 0);
        for (unit, Place { kind, column }) in layer.places().enumerate() {
            let of_case = |row: usize, column: usize| match kind {
                Kind::Spin => means[row * columns + column].midpoint(1.0),
                _ => means[row * columns + column] / deviations[column],
            };
            let cases = means.len() / columns;
            let range = |column: usize| {
                let ends = (f32::INFINITY, f32::NEG_INFINITY);
                (0..cases)
                    .map(|row| of_case(row, column))
                    .fold(ends, |(low, high), x| (low.min(x), high.max(x)))
            };
            let ranges: Vec<(f32, f32)> = (column..column + kind.columns()).map(range).collect();
            let (low, high) = ranges[0];
            let is_varying = ranges.iter().any(|(low, high)| high - low >= RANGE);
            let is_certain = ranges.iter().any(|&(low, _)| low > 1.0 - CERTAIN);
            if kind.states().is_some() {
                discrete += cases;
                certain += (0..cases)
                    .filter(|&row| {
                        let p = (column..column + kind.columns()).map(|column| of_case(row, column));
                        p.clone().count() == 1 && p.clone().all(|p| p < CERTAIN)
                            || p.into_iter().any(|p| p > 1.0 - CERTAIN)
                    })
                    .count();
            }
            let which = match kind {
                Kind::Binary if high < CERTAIN => Some(0),
                Kind::Binary if is_certain => {
                    found.always_on += 1;
                    continue;
                }
                Kind::Spin if high < CERTAIN || is_certain => Some(1),
                Kind::Potts { .. } if is_certain => Some(1),
                Kind::Relu if high < OFF => Some(0),
                Kind::DoubleRelu if is_halved(columns, column, means, moments) => Some(2),
                _ if !is_varying && low <= high => {
                    found.unused += 1;
                    continue;
                }
                _ => None,
            };
            if let Some(which) = which {
                *[&mut found.dead, &mut found.stuck, &mut found.halved][which] += 1;
                found.first[which].get_or_insert(unit);
            }
        }
        found.extreme = if discrete > 0 { certain as f64 / discrete as f64 } else { 0.0 };
        found
    }
}

/// Whether one side of a double rectified unit has next to nothing of ⟨|s|⟩, which is its fourth statistic, in every case.
fn is_halved(columns: usize, column: usize, means: &[f32], moments: &[f32]) -> bool {
    let rows = || means.chunks(columns).zip(moments.chunks(3 * columns));
    let is_empty = |sign: f32| {
        rows().all(|(means, moments)| {
            let size = moments[2 * columns + column];
            size.midpoint(sign * means[column]) < CERTAIN * size
        })
    };
    is_empty(1.0) || is_empty(-1.0)
}
