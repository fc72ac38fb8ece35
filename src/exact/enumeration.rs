//! Z by enumeration of one layer, with the other summed in closed form: Z = Σ_h e^(cᵀh) Π_i (1 + e^(b_i + Σ_j W_ij h_j)),
//! and likewise over v.
//!
//! Units form groups of five, with a table of e^(Σ W h) for the 32 states of each group. Each factor of the product is 1 plus
//! a product of table entries. This needs no exponential and no running sum that drifts. For 32 states at a time it costs
//! one multiplication per factor, and two for the product.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    LogSum, Odometer,
    product::{LANES, LARGEST_EXPONENT, log_product, run},
    states,
};
use crate::{
    level::Level,
    rbm::{Layers, Rbm, Side},
    reference::Potentials,
    units::{Kind, Layer, Unit},
};

/// Units per group; its table has 2^GROUP rows.
const GROUP: usize = 5;
/// States after which running sums begin anew, before they drift.
const FRESH: u64 = 1 << 10;
/// The most parts of the work. They must not depend on the number of threads, because they determine the order of a sum.
const PARTS: u64 = 1 << 10;

/// The enumerated layer and the summed layer.
struct Sides {
    /// Biases of the enumerated units.
    outer: Vec<f64>,
    /// Biases of the summed units.
    inner: Vec<f64>,
    /// Weights from each enumerated unit to every summed unit.
    weights: Vec<Vec<f64>>,
}

impl Sides {
    fn new(rbm: &Rbm, enumerated: Side) -> Self {
        let f64s = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
        let hidden = rbm.shape().hidden;
        let rows = |unit: usize| f64s(&rbm.weights()[unit * hidden..][..hidden]);
        let columns =
            |unit: usize| rbm.weights().iter().skip(unit).step_by(hidden).map(|&w| f64::from(w)).collect();
        let (visible_bias, hidden_bias) = (f64s(rbm.visible_bias()), f64s(rbm.hidden_bias()));
        let units = 0..rbm.shape().units(enumerated);
        match enumerated {
            Side::Visible => {
                Self { outer: visible_bias, inner: hidden_bias, weights: units.map(rows).collect() }
            }
            Side::Hidden => {
                Self { outer: hidden_bias, inner: visible_bias, weights: units.map(columns).collect() }
            }
        }
    }

    /// An upper bound on |input| of the summed units.
    fn largest_input(&self) -> f64 {
        let inputs = (0..self.inner.len())
            .map(|i| self.inner[i].abs() + self.weights.iter().map(|row| row[i].abs()).sum::<f64>());
        inputs.fold(0.0, f64::max)
    }
}

/// The states of one group: 2^units rows.
struct Table {
    units: usize,
    /// e^(Σ_j W_ij h_j) for every summed unit, padded to whole lanes with 0, whose factor is 1.
    factors: Vec<Vec<f64>>,
    /// Σ_j c_j h_j.
    biases: Vec<f64>,
}

impl Table {
    fn new(biases: &[f64], weights: &[Vec<f64>], width: usize) -> Self {
        let on = |state: usize| (0..biases.len()).filter(move |unit| state >> unit & 1 == 1);
        let states = 0..1 << biases.len();
        let factors = states.clone().map(|state| {
            let mut sums = vec![0.0; weights.first().map_or(width, Vec::len)];
            for unit in on(state) {
                sums.iter_mut().zip(&weights[unit]).for_each(|(sum, w)| *sum += w);
            }
            let mut factors: Vec<f64> = sums.into_iter().map(f64::exp).collect();
            factors.resize(width, 0.0);
            factors
        });
        Self {
            units: biases.len(),
            factors: factors.collect(),
            biases: states.map(|state| on(state).map(|unit| biases[unit]).sum()).collect(),
        }
    }
}

/// log Z by enumerating the layer `enumerated`.
pub fn log_partition_function(rbm: &Rbm, enumerated: Side) -> f64 {
    let Layers { visible, hidden } = rbm.layers();
    let mut blocks = visible.blocks().iter().chain(hidden.blocks());
    let sides = Sides::new(rbm, enumerated);
    let exponent = sides.largest_input();
    if exponent > LARGEST_EXPONENT || blocks.any(|block| block.kind != Kind::Binary) {
        return by_cumulants(rbm, enumerated);
    }
    let run = run(exponent);
    let width = sides.inner.len().next_multiple_of(LANES);
    let mut tables = sides
        .outer
        .chunks(GROUP)
        .zip(sides.weights.chunks(GROUP))
        .map(|(biases, weights)| Table::new(biases, weights, width));
    let first = tables.next().unwrap_or_else(|| Table::new(&[], &[], width));
    let others: Vec<Table> = tables.collect();
    let mut inner: Vec<f64> = sides.inner.iter().map(|b| b.exp()).collect();
    inner.resize(width, 0.0);

    let blocks = 1_u64 << (sides.outer.len() - first.units);
    let level = Level::default();
    in_parts(blocks, |blocks| {
        level.dispatch(
            #[inline(always)]
            || {
                let mut sum = LogSum::default();
                let mut factors = vec![0.0; width];
                for block in blocks {
                    factors.copy_from_slice(&inner);
                    let (mut bias, mut rest) = (0.0, block);
                    for table in &others {
                        let state = (rest & ((1 << table.units) - 1)) as usize;
                        rest >>= table.units;
                        bias += table.biases[state];
                        factors.iter_mut().zip(&table.factors[state]).for_each(|(x, factor)| *x *= factor);
                    }
                    for (factor, first_bias) in first.factors.iter().zip(&first.biases) {
                        sum.add(bias + first_bias + log_product(&factors, factor, run));
                    }
                }
                sum
            },
        )
    })
}

/// log Z for units of any kind, and for inputs whose exponentials `f64` cannot hold.
fn by_cumulants(rbm: &Rbm, enumerated: Side) -> f64 {
    let sum = Sum::new(rbm, enumerated);
    let count = rbm.layers().side(enumerated).places().map(|place| states(place.kind) as u64).product();
    in_parts(count, |numbers| sum.over(numbers))
}

/// The summed layer, and how the enumerated one enters its inputs.
struct Sum<'a> {
    enumerated: &'a Layer,
    /// The enumerated units' parameters, one for each of their columns.
    potentials: Vec<f64>,
    /// From each column of the enumerated layer to every column of the other.
    weights: Vec<Vec<f64>>,
    /// Each summed unit, its parameters and its columns.
    units: Vec<(&'static dyn Unit, Vec<f64>, Range<usize>)>,
}

impl<'a> Sum<'a> {
    fn new(rbm: &'a Rbm, side: Side) -> Self {
        let Sides { weights, .. } = Sides::new(rbm, side);
        let potentials = rbm.potentials(side).iter().map(|&parameter| f64::from(parameter)).collect();
        let units = Potentials::of(rbm, side.other()).units().collect();
        Self { enumerated: rbm.layers().side(side), potentials, weights, units }
    }

    /// log Σ over the states with these numbers.
    fn over(&self, numbers: Range<u64>) -> LogSum {
        let mut sum = LogSum::default();
        let mut odometer = Odometer::new(self.enumerated);
        let columns = self.weights.first().map_or(0, Vec::len);
        let mut inputs = vec![0.0; columns];
        let mut before = vec![0.0; odometer.state.len()];
        for number in numbers.clone() {
            let changed = match (number - numbers.start).is_multiple_of(FRESH) {
                true => {
                    odometer.set(number);
                    inputs.fill(0.0);
                    before.fill(0.0);
                    odometer.state.len()
                }
                false => {
                    let units = odometer.advance().unwrap_or(0);
                    odometer.units[..units].last().map_or(0, |&(kind, column, _)| column + kind.columns())
                }
            };
            for (column, before) in before[..changed].iter_mut().enumerate() {
                let step = f64::from(odometer.state[column] - *before);
                if step != 0.0 {
                    inputs.iter_mut().zip(&self.weights[column]).for_each(|(x, w)| *x += step * w);
                }
                *before = odometer.state[column];
            }
            let potential: f64 =
                self.potentials.iter().zip(&odometer.state).map(|(a, &s)| a * f64::from(s)).sum();
            let cumulants = self
                .units
                .iter()
                .map(|(unit, parameters, at)| unit.cumulant(parameters, &inputs[at.clone()]));
            sum.add(potential + cumulants.sum::<f64>());
        }
        sum
    }
}

/// The sum over `count` blocks on all cores, in an order that doesn't depend on the number of threads.
fn in_parts(count: u64, work: impl Fn(std::ops::Range<u64>) -> LogSum + Sync) -> f64 {
    let parts = count.min(PARTS);
    let sums: Vec<LogSum> = (0..parts)
        .into_par_iter()
        .map(|part| work(count * part / parts..count * (part + 1) / parts))
        .collect();
    let mut total = LogSum::default();
    sums.iter().for_each(|sum| total.add(sum.value()));
    total.value()
}
