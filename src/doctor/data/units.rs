//! What is measured of data for units of all kinds.

use serde::Serialize;

use super::Column;
use crate::{
    data::Encoding,
    units::{Kind, Layer, Place},
};

/// The most that the standard deviations of healthy columns may differ by, and the most that one may differ from 1 by: factors.
const MOST_APART: f64 = 10.0;

/// Columns of Gaussian units with standard deviations far from one another, or from 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unscaled {
    /// The column with the smallest standard deviation, and that.
    pub smallest: (usize, f64),
    /// The column with the largest one, and that.
    pub largest: (usize, f64),
    /// Columns of Gaussian units that vary.
    pub columns: usize,
}

impl Unscaled {
    /// Looks for such columns among those that were not standardised.
    pub(super) fn find(encoding: &Encoding, columns: &[Column], cases: usize) -> Option<Self> {
        if !encoding.means.is_empty() {
            return None;
        }
        let kinds = kinds(Some(&encoding.layer), columns.len());
        let gaussian = columns.iter().zip(kinds).enumerate().filter(|(_, (_, kind))| *kind == Kind::Gaussian);
        let varying = gaussian.filter(|(_, (column, _))| !column.is_constant());
        let deviations: Vec<(usize, f64)> =
            varying.map(|(unit, (column, _))| (unit, column.deviation(cases))).collect();
        let by_deviation = |a: &&(usize, f64), b: &&(usize, f64)| a.1.total_cmp(&b.1);
        let smallest = *deviations.iter().min_by(by_deviation)?;
        let largest = *deviations.iter().max_by(by_deviation)?;
        let is_unscaled =
            largest.1 > MOST_APART * smallest.1 || largest.1 > MOST_APART || smallest.1 < 1.0 / MOST_APART;
        is_unscaled.then_some(Self { smallest, largest, columns: deviations.len() })
    }
}

/// The kind of each unit.
pub(super) fn kinds(layer: Option<&Layer>, units: usize) -> Vec<Kind> {
    match layer {
        None => vec![Kind::Binary; units],
        Some(layer) => layer.places().map(|place| place.kind).collect(),
    }
}

/// The value of each unit, from a row of columns: of a Potts unit, the number of its state.
pub(super) fn states(layer: Option<&Layer>, row: &[f32]) -> Vec<f32> {
    let Some(layer) = layer else { return row.to_vec() };
    let state = |Place { kind, column }| match kind {
        Kind::Potts { .. } => {
            let columns = &row[column..][..kind.columns()];
            columns.iter().position(|&x| x == 1.0).unwrap_or(0) as f32
        }
        _ => row[column],
    };
    layer.places().map(state).collect()
}

/// Whether all units take any number, or any that is not negative.
pub(super) fn are_numbers(layer: &Layer) -> bool {
    layer.blocks().iter().all(|block| block.kind.states().is_none())
}

/// Whether some units do.
pub(super) fn has_numbers(layer: &Layer) -> bool {
    layer.blocks().iter().any(|block| block.kind.states().is_none())
}

/// The parameters that change a layer's energies, and the columns that W has for them: of a Potts unit one fewer than states.
pub(super) fn free(layer: &Layer) -> (usize, usize) {
    let of_unit = |kind: Kind| match kind {
        Kind::Potts { states } => (states as usize - 1, states as usize - 1),
        _ => (kind.parameters(), 1),
    };
    let blocks = layer.blocks().iter().map(|block| (of_unit(block.kind), block.units));
    blocks.fold((0, 0), |(parameters, columns), (unit, units)| {
        (parameters + unit.0 * units, columns + unit.1 * units)
    })
}
