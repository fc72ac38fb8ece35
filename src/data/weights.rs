//! Weights of cases, from a file of their own or from an array beside the cases.

use std::path::Path;

use super::{Selection, file, npy, table};
use crate::error::{Result, bad_data};

/// Checks weights: one for each case, none negative, one above 0.
pub fn checked(name: &str, weights: Vec<f32>, cases: usize) -> Result<Vec<f32>> {
    if weights.len() != cases {
        return bad_data!("{name}: expected a weight for each of {cases} cases, found {}", weights.len());
    }
    if let Some(at) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return bad_data!(
            "{name}: expected weights that are not negative, found {} for case {at}",
            weights[at]
        );
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return bad_data!("{name}: expected a weight above 0, found only 0");
    }
    Ok(weights)
}

/// Reads the weights of this many training cases: an `.npy` array, or a text file with one number a line.
pub fn read(path: &Path, cases: usize) -> Result<Vec<f32>> {
    let name = path.display().to_string();
    let is_array = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"));
    let weights = match is_array {
        true => npy::read_array(&name, file::open(path)?)?.values.floats(),
        false => {
            let raw = Selection { any_numbers: true, ..Selection::default() };
            let rows = table::load(path, file::open(path)?, &raw)?.train.rows;
            if rows.layout().units != 1 {
                return bad_data!(
                    "{name}: expected one weight a line, found {} columns",
                    rows.layout().units
                );
            }
            (0..rows.len()).flat_map(|row| rows.values(row)).collect()
        }
    };
    checked(&name, weights, cases)
}
