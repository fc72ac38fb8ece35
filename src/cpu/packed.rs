//! Binary matrices, packed for products in the way that suits them: as codes for look-ups, or as the places of few ones.

use super::{
    codes::Codes,
    lookup::{self, Part, Term},
    matrix::Matrix,
    ones::{self, Ones},
    units::Units,
};
use crate::level::Level;

/// A binary matrix.
#[derive(Default)]
pub struct Packed {
    codes: Codes,
    ones: Ones,
    /// Whether it is in `ones`.
    has_few: bool,
}

impl Packed {
    /// Packs the states of the first cases of some minibatches, cases × units, one below the other, for a product with `right`.
    pub fn pack(&mut self, level: Level, minibatches: &[(&Units, usize)], right: &Matrix) {
        self.has_few = minibatches.iter().all(|(units, _)| units.few_ones) && right.has_rows();
        match self.has_few {
            true => self.ones.pack(level, minibatches),
            false => self.codes.pack(level, minibatches, right.columns),
        }
    }

    /// Packs the transpose of cases × units, for a product with `columns` columns: a row is a unit.
    pub fn pack_transposed(&mut self, level: Level, units: &Units, cases: usize, columns: usize) {
        self.has_few = units.few_ones;
        match self.has_few {
            true => self.ones.pack_transposed(level, units, cases),
            false => self.codes.pack_transposed(level, units, cases, columns),
        }
    }

    /// Number of ones in each row.
    pub fn counts(&self) -> Vec<u32> {
        if self.has_few { self.ones.counts() } else { self.codes.counts() }
    }
}

/// Adds up the terms, whose left matrices are packed in the same way, and passes the sum to `finish` in parts.
pub fn sum<const N: usize>(level: Level, terms: [Term<Packed>; N], finish: impl Fn(Part) + Sync) {
    if terms.iter().all(|term| term.left.has_few) {
        return ones::sum(level, &terms.map(|term| term.of(|packed| &packed.ones)), finish);
    }
    lookup::sum(level, &terms.map(|term| term.of(|packed| &packed.codes)), finish);
}
