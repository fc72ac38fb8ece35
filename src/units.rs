//! The layers of a model: blocks of units, each of one kind; and the definition of each kind, in `f64`.
//!
//! ```text
//! E(v,h) = −Σ_ij v_i W_ij h_j − Σ_i a_i(v_i) − Σ_j c_j(h_j)          a, c: the potential of each unit, by its kind
//! ```

mod binary;
mod double_relu;
mod gaussian;
mod kind;
mod kinds;
mod potts;
mod relu;
pub(crate) mod single;
mod spin;
pub(crate) mod truncated;

pub use binary::{sigmoid, softplus};
pub use kind::{Domain, Kind, PRECISIONS};
pub use kinds::Kinds;

use std::{fmt, str::FromStr};

use crate::level::Level;

/// Adjacent units of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Kind of the units.
    pub kind: Kind,
    /// Number of units.
    pub units: usize,
}

/// The units of one side of a model: its blocks, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer(Vec<Block>);

/// Moments of a unit's columns in the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments<'a> {
    /// Means.
    pub means: &'a [f64],
    /// Variances.
    pub variances: &'a [f64],
}

/// Means and variances of a layer's columns over cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Marginals {
    /// The mean of each column.
    pub means: Vec<f64>,
    /// The variance of each column.
    pub variances: Vec<f64>,
}

impl Marginals {
    /// Those of columns of zeros and ones, from the share of ones in each.
    pub fn of_shares(shares: Vec<f64>) -> Self {
        Self { variances: shares.iter().map(|p| p * (1.0 - p)).collect(), means: shares }
    }

    /// All of them.
    pub fn moments(&self) -> Moments<'_> {
        Moments { means: &self.means, variances: &self.variances }
    }
}

impl Moments<'_> {
    /// What a smaller variance is taken for: a column that never changes has no precision.
    pub const SMALLEST_VARIANCE: f64 = 1e-4;
}

/// The mathematics of a kind of unit, given its parameters and its input x: the sum of its weights times the states of the other
/// side.
///
/// A state and an input are slices of a unit's columns, which are rows or columns of W. Parameters are in the order of
/// [`Kind::parameters`]: the first of all columns, the second of all columns, and so on.
pub trait Unit: Sync {
    /// The potential of a state: the log of its weight without an input. It is Σ parameter·statistic.
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64;
    /// The derivative of the potential by each parameter. The first are the state itself.
    fn statistics(&self, state: &[f64], statistics: &mut [f64]);
    /// K(x) = log Σ_s e^(potential(s) + x·s), or the log of the integral.
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64;
    /// The means of the statistics: the derivatives of the cumulant. The first are those of the state itself.
    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]);
    /// A state, by a uniform number in [0, 1). `mean` is that of the state, as it is kept, in 32 bits.
    fn draw(&self, parameters: &[f64], input: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]);
    /// The parameters of a unit that has these moments without an input.
    fn fit(&self, moments: Moments, parameters: &mut [f64]);

    /// Σ of the potentials of many units' states, `per_unit` columns each.
    fn sum_of_potentials(&self, _: Level, per_unit: usize, parameters: Planes, states: &[f32]) -> f64 {
        let numbers = parameters.iter().take_while(|parameters| !parameters.is_empty()).count();
        let (mut state, mut statistics) = (vec![0.0; per_unit], vec![0.0; numbers * per_unit]);
        let mut sum = 0.0;
        for first in (0..states.len()).step_by(per_unit) {
            let at = first..first + per_unit;
            state.iter_mut().zip(&states[at.clone()]).for_each(|(state, &s)| *state = s.into());
            self.statistics(&state, &mut statistics);
            for (statistics, parameters) in statistics.chunks(per_unit).zip(parameters) {
                let terms = statistics.iter().zip(&parameters[at.clone()]);
                sum += terms.map(|(statistic, &parameter)| statistic * f64::from(parameter)).sum::<f64>();
            }
        }
        sum
    }

    /// Σ of the cumulants of many units, `per_unit` columns each.
    fn sum_of_cumulants(&self, _: Level, per_unit: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        let numbers = parameters.iter().take_while(|parameters| !parameters.is_empty()).count();
        let (mut own, mut input) = (vec![0.0; numbers * per_unit], vec![0.0; per_unit]);
        let mut sum = 0.0;
        for first in (0..inputs.len()).step_by(per_unit) {
            let at = first..first + per_unit;
            for (own, parameters) in own.chunks_mut(per_unit).zip(parameters) {
                own.iter_mut().zip(&parameters[at.clone()]).for_each(|(own, &p)| *own = p.into());
            }
            input.iter_mut().zip(&inputs[at]).for_each(|(input, &x)| *input = x.into());
            sum += self.cumulant(&own, &input);
        }
        sum
    }

    /// Means, moments and states of many units on the processor. This way of doing it is right for every kind; a kind may have a
    /// faster one for the instructions of a level.
    fn finish(&self, _: Level, columns: Columns) {
        let Columns { per_unit, parameters, means, mut moments, states, uniforms } = columns;
        let numbers = parameters.iter().take_while(|parameters| !parameters.is_empty()).count();
        let (mut own, mut input) = (vec![0.0; numbers * per_unit], vec![0.0; per_unit]);
        let mut expectation = own.clone();
        for first in (0..means.len()).step_by(per_unit) {
            let at = first..first + per_unit;
            for (own, parameters) in own.chunks_mut(per_unit).zip(parameters) {
                own.iter_mut().zip(&parameters[at.clone()]).for_each(|(own, &p)| *own = p.into());
            }
            input.iter_mut().zip(&means[at.clone()]).for_each(|(input, &x)| *input = x.into());
            self.expectation(&own, &input, &mut expectation);
            let planes = std::iter::once(&mut *means).chain(moments.iter_mut().map(|moments| &mut **moments));
            for (out, expectation) in planes.zip(expectation.chunks(per_unit)) {
                out[at.clone()].iter_mut().zip(expectation).for_each(|(out, &mean)| *out = mean as f32);
            }
            let (mean, state) = (&means[at.clone()], &mut states[at]);
            match uniforms {
                Some(uniforms) => self.draw(&own, &input, mean, uniforms[first], state),
                None => state.copy_from_slice(mean),
            }
        }
    }
}

/// Parameters of some units in a row, in 32 bits: the first of each column, the second, and so on; empty beyond those of the
/// kind.
pub type Planes<'a> = [&'a [f32]; 4];

/// Some units of one kind in a row, column by column, in 32 bits.
pub struct Columns<'a> {
    /// Columns of each unit.
    pub per_unit: usize,
    /// Their parameters.
    pub parameters: Planes<'a>,
    /// Inputs, which become means.
    pub means: &'a mut [f32],
    /// What becomes the means of the statistics after the first; they may be more than those of the kind.
    pub moments: [&'a mut [f32]; 3],
    /// What becomes the states: drawn, or the means.
    pub states: &'a mut [f32],
    /// The uniform numbers, where states are drawn. A unit takes that of its first column.
    pub uniforms: Option<&'a [f32]>,
}

/// A uniform number in (0, 1) for one of the 2²⁴ in [0, 1): the middle of what it stands for.
fn open(uniform: f32) -> f64 {
    f64::from(uniform) + 0.5 / f64::from(1 << 24)
}

/// A unit of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Kind of the unit.
    pub kind: Kind,
    /// First column of the unit in the layer.
    pub column: usize,
}

impl Layer {
    /// A layer of these blocks; blocks without units are dropped.
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        Self(blocks.into_iter().filter(|block| block.units > 0).collect())
    }

    /// A layer of `units` units of one kind.
    pub fn of(kind: Kind, units: usize) -> Self {
        Self::new([Block { kind, units }])
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.0
    }

    /// Columns of all units: the length of a state.
    pub fn columns(&self) -> usize {
        self.0.iter().map(|block| block.units * block.kind.columns()).sum()
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.0.iter().map(|block| block.units).sum()
    }

    /// The units in words: their number, if all are binary, as `784`; else their kinds too, as `31 potts:21`.
    pub fn counted(&self) -> String {
        if self.is_binary() { self.units().to_string() } else { self.to_string() }
    }

    /// Parameters that a model keeps for each column: the largest number of its kinds.
    pub fn planes(&self) -> usize {
        self.0.iter().map(|block| block.kind.parameters()).max().unwrap_or(1)
    }

    /// Length of the layer's potential: its columns × [`Layer::planes`].
    pub fn parameters(&self) -> usize {
        self.columns() * self.planes()
    }

    /// Whether all units are binary.
    pub fn is_binary(&self) -> bool {
        self.0.iter().all(|block| block.kind == Kind::Binary)
    }

    /// The units' parameters that have these moments without an input, as a model keeps them: the first of all columns, then the
    /// second, and so on. Rounded to 32 bits.
    ///
    /// # Panics
    /// If there are not as many moments as columns.
    pub fn fit(&self, Moments { means, variances }: Moments) -> Vec<f32> {
        let columns = self.columns();
        assert_eq!([means.len(), variances.len()], [columns; 2], "moments of each column");
        self.each(|kind, at, parameters| {
            let at = at..at + kind.columns();
            kind.unit().fit(Moments { means: &means[at.clone()], variances: &variances[at] }, parameters);
        })
    }

    /// The parameters of units without an inclination: 0, and precisions of 1.
    pub fn neutral(&self) -> Vec<f32> {
        self.each(|kind, _, parameters| kind.neutral(parameters))
    }

    /// The moments of units without an inclination: those of [`Layer::neutral`].
    pub fn neutral_marginals(&self) -> Marginals {
        let (mut means, mut variances) = (vec![0.0; self.columns()], vec![0.0; self.columns()]);
        for Place { kind, column } in self.places() {
            let at = column..column + kind.columns();
            let mut parameters = vec![0.0; kind.columns() * kind.parameters()];
            kind.neutral(&mut parameters);
            let mut expectation = vec![0.0; parameters.len()];
            kind.unit().expectation(&parameters, &vec![0.0; kind.columns()], &mut expectation);
            for (column, &mean) in at.zip(&expectation) {
                let square = match kind.domain() {
                    Domain::Bits | Domain::OneHot => mean,
                    Domain::Signs => 1.0,
                    // Their neutral potential is −s²/2.
                    Domain::Real | Domain::NotNegative => 1.0,
                };
                (means[column], variances[column]) = (mean, square - mean * mean);
            }
        }
        Marginals { means, variances }
    }

    /// Parameters from what `make` writes for each unit of a kind at its first column.
    fn each(&self, make: impl Fn(Kind, usize, &mut [f64])) -> Vec<f32> {
        let columns = self.columns();
        let mut all = vec![0.0; self.parameters()];
        for Place { kind, column } in self.places() {
            let mut parameters = vec![0.0; kind.columns() * kind.parameters()];
            make(kind, column, &mut parameters);
            for (number, parameters) in parameters.chunks(kind.columns()).enumerate() {
                for (at, &parameter) in parameters.iter().enumerate() {
                    all[number * columns + column + at] = parameter as f32;
                }
            }
        }
        all
    }

    /// Iterates over the Potts units, in order.
    pub fn potts(&self) -> impl Iterator<Item = Place> {
        self.places().filter(|place| matches!(place.kind, Kind::Potts { .. }))
    }

    /// Iterates over the units, in order.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let starts = self.0.iter().scan(0, |start, block| {
            let first = *start;
            *start += block.units * block.kind.columns();
            Some((first, block))
        });
        starts.flat_map(|(first, block)| {
            let kind = block.kind;
            (0..block.units).map(move |unit| Place { kind, column: first + unit * kind.columns() })
        })
    }
}

impl fmt::Display for Layer {
    /// The form in model files: `784 binary`, with blocks separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (number, Block { kind, units }) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{units} {kind}")?;
        }
        Ok(())
    }
}

impl FromStr for Layer {
    type Err = String;

    /// Parses [`Layer`]'s display form. The error says what was expected and found.
    fn from_str(text: &str) -> Result<Self, String> {
        let block = |text: &str| {
            let (units, name) = text.trim().split_once(' ')?;
            Some(Block { kind: name.parse().ok()?, units: units.parse().ok()? })
        };
        let parts = text.split(',').filter(|_| !text.is_empty());
        let blocks = parts.map(|part| {
            block(part).ok_or_else(|| {
                let kinds = Kind::NAMES.join(", ");
                format!("expected numbers of units and kinds of this version ({kinds}), as 784 binary, found {part:?}")
            })
        });
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let mut columns = 0_usize;
        for Block { kind, units } in &blocks {
            let sum = units.checked_mul(kind.columns()).and_then(|more| columns.checked_add(more));
            // A column has up to four parameters.
            let sum = sum.filter(|columns| columns.checked_mul(4).is_some());
            columns =
                sum.ok_or_else(|| format!("expected units that fit a machine's memory, found {text:?}"))?;
        }
        Ok(Self::new(blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All kinds, Potts units with three states.
    fn all() -> [Kind; Kind::ALL.len()] {
        Kind::ALL.map(|kind| if let Kind::Potts { .. } = kind { Kind::Potts { states: 3 } } else { kind })
    }

    /// Parameters of a unit, spread around; precisions between 0.3 and 3.
    fn parameters(kind: Kind, spread: f64, number: usize) -> Vec<f64> {
        let at = |parameter: usize, column: usize| {
            let x = ((7 * number + 3 * parameter + 5 * column) as f64).sin();
            if PRECISIONS.contains(&parameter) { 3_f64.powf(x) } else { spread * x }
        };
        let columns = kind.columns();
        (0..kind.parameters()).flat_map(|p| (0..columns).map(move |c| at(p, c))).collect()
    }

    /// A sum over the states, or an integral, of a function of the state that is times e^(potential + x·s).
    fn sum_over_states(kind: Kind, theta: &[f64], x: &[f64], f: impl Fn(&[f64]) -> f64) -> f64 {
        let unit = kind.unit();
        let weighted = |s: &[f64]| {
            let product: f64 = x.iter().zip(s).map(|(x, s)| x * s).sum();
            f(s) * (unit.potential(theta, s) + product).exp()
        };
        let mut state = vec![0.0; kind.columns()];
        match kind.states() {
            Some(states) => (0..states)
                .map(|number| {
                    kind.state(number, &mut state);
                    weighted(&state)
                })
                .sum(),
            // Simpson's rule on either side of 0.
            None => {
                let (steps, most) = (20_000, 30.0);
                let width = most / f64::from(steps);
                let half = |sign: f64| -> f64 {
                    (0..=steps)
                        .map(|i| {
                            let weight = if i == 0 || i == steps { 1.0 } else { f64::from(2 + i % 2 * 2) };
                            weight * weighted(&[sign * (f64::from(i) * width + 1e-300)]) * width / 3.0
                        })
                        .sum()
                };
                half(1.0) + if kind.domain() == Domain::NotNegative { 0.0 } else { half(-1.0) }
            }
        }
    }

    /// Every kind holds to the definitions: its cumulant is that of its states, its expectation the cumulant's derivative, and its
    /// statistics the potential's; and a unit has the moments that it was made for.
    #[test]
    fn a_kind_is_what_its_potential_says() {
        for kind in all() {
            let (unit, columns) = (kind.unit(), kind.columns());
            for (number, spread) in [0.0, 0.7, 2.0, 3.0].into_iter().enumerate() {
                let theta = parameters(kind, spread, number);
                let x: Vec<f64> = (0..columns).map(|c| spread * ((c + number) as f64).cos()).collect();
                let z = sum_over_states(kind, &theta, &x, |_| 1.0);
                let cumulant = unit.cumulant(&theta, &x);
                assert!((cumulant - z.ln()).abs() < 1e-10, "{kind} {number}: {cumulant}, {}", z.ln());
                let mut expectation = vec![0.0; theta.len()];
                unit.expectation(&theta, &x, &mut expectation);
                let statistics = |s: &[f64]| {
                    let mut statistics = vec![0.0; theta.len()];
                    unit.statistics(s, &mut statistics);
                    statistics
                };
                for (at, &found) in expectation.iter().enumerate() {
                    let expected = sum_over_states(kind, &theta, &x, |s| statistics(s)[at]) / z;
                    assert!((found - expected).abs() < 1e-9, "{kind} {number} [{at}]: {found}, {expected}");
                    let moved = |by: f64| {
                        let mut theta = theta.clone();
                        theta[at] += by;
                        theta
                    };
                    let slope = (unit.cumulant(&moved(1e-5), &x) - unit.cumulant(&moved(-1e-5), &x)) / 2e-5;
                    assert!((found - slope).abs() < 1e-7, "{kind} {number} [{at}]: {found}, {slope}");
                    let state = match kind.states() {
                        Some(_) => {
                            let mut state = vec![0.0; columns];
                            kind.state(1, &mut state);
                            state
                        }
                        None => vec![0.8],
                    };
                    let potential = |by: f64| unit.potential(&moved(by), &state);
                    let slope = (potential(1e-5) - potential(-1e-5)) / 2e-5;
                    assert!((statistics(&state)[at] - slope).abs() < 1e-9, "{kind} [{at}]");
                }
            }
            if kind == Kind::Relu {
                continue; // it fits the second moment alone
            }
            let (means, variances) = (vec![1.0 / columns.max(3) as f64; columns], vec![0.4; columns]);
            let mut fitted = vec![0.0; columns * kind.parameters()];
            let mut found = fitted.clone();
            unit.fit(Moments { means: &means, variances: &variances }, &mut fitted);
            unit.expectation(&fitted, &vec![0.0; columns], &mut found);
            assert!(found.iter().zip(&means).all(|(found, mean)| (found - mean).abs() < 1e-12), "{kind}");
        }
    }

    /// Draws by evenly spaced numbers have the moments of the unit.
    #[test]
    fn draws_have_the_moments_of_the_unit() {
        for kind in all() {
            let (unit, columns) = (kind.unit(), kind.columns());
            for number in 0..4 {
                let theta = parameters(kind, 2.0, number);
                let x: Vec<f64> = (0..columns).map(|c| ((c + number) as f64).cos()).collect();
                let mut expected = vec![0.0; theta.len()];
                unit.expectation(&theta, &x, &mut expected);
                let mean: Vec<f32> = expected[..columns].iter().map(|&m| m as f32).collect();
                let (draws, mut found) = (1 << 14, vec![0.0; theta.len()]);
                let (mut state, mut statistics) = (vec![0.0_f32; columns], vec![0.0; theta.len()]);
                for draw in 0..draws {
                    unit.draw(&theta, &x, &mean, draw as f32 / draws as f32, &mut state);
                    let wide: Vec<f64> = state.iter().map(|&s| s.into()).collect();
                    unit.statistics(&wide, &mut statistics);
                    found.iter_mut().zip(&statistics).for_each(|(sum, s)| *sum += s / f64::from(draws));
                }
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() < 3e-3 * (1.0 + expected.abs()),
                        "{kind} {number}: {found}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_layer_is_written_and_read() {
        let layer = Layer::of(Kind::Binary, 784);
        assert_eq!((layer.to_string(), "784 binary".parse()), ("784 binary".into(), Ok(layer.clone())));
        assert_eq!((layer.columns(), layer.parameters(), layer.places().count()), (784, 784, 784));
        assert_eq!(("".parse(), Layer::new([]).to_string()), (Ok(Layer::of(Kind::Binary, 0)), String::new()));
        let mixed: Layer = "3 binary, 2 potts:21, 1 drelu".parse().unwrap();
        assert_eq!(mixed.places().map(|place| place.column).collect::<Vec<_>>(), [0, 1, 2, 3, 24, 45]);
        assert_eq!((mixed.columns(), mixed.parameters()), (46, 4 * 46));
        assert_eq!(mixed.to_string(), "3 binary, 2 potts:21, 1 drelu");
        // Their sum would wrap around to 4.
        let wrapped = format!("{} binary, 5 binary", usize::MAX);
        assert!(Layer::from_str(&wrapped).unwrap_err().contains("memory"));
        // Their parameters would.
        let wrapped = format!("{} drelu", usize::MAX / 2);
        assert!(Layer::from_str(&wrapped).unwrap_err().contains("memory"));
        for wrong in
            ["784 potts", "3 potts:1", "3 potts:99999999", "binary", " ", "-1 binary", "1 binary; 2 binary"]
        {
            assert!(Layer::from_str(wrong).unwrap_err().contains("this version (binary"), "{wrong}");
        }
    }
}
