//! The layers of a model: blocks of units, each of one kind; and the definition of each kind, in `f64`.
//!
//! ```text
//! E(v,h) = −Σ_ij v_i W_ij h_j − Σ_i a_i(v_i) − Σ_j c_j(h_j)          a, c: the potential of each unit, by its kind
//! ```

mod binary;

pub use binary::{sigmoid, softplus};

use std::{fmt, str::FromStr};

/// A kind of unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 0 or 1.
    Binary,
}

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

/// The definition of a kind of unit, given its parameters and its input x, the sum of its weights times the states of the
/// other side.
///
/// A state and an input are slices of the unit's columns, which are rows or columns of W; a parameter slice has
/// [`Kind::parameters`] numbers.
pub trait Unit: Sync {
    /// The potential of a state: the log of its weight without input.
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64;
    /// log Σ_s e^(potential(s) + x·s), or the integral.
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64;
    /// The mean of the state.
    fn mean(&self, parameters: &[f64], input: &[f64], mean: &mut [f64]);
    /// Draws a state from a uniform number in [0, 1). `mean` is the mean of the state, as stored in `f32`.
    fn draw(&self, parameters: &[f64], input: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]);
    /// The derivative of the potential with respect to each parameter.
    fn statistics(&self, state: &[f64], statistics: &mut [f64]);
    /// Parameters with which a unit without input has these means.
    fn fit(&self, means: &[f64], parameters: &mut [f32]);
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 1] = [Self::Binary];

    /// The definition of the kind.
    pub fn unit(self) -> &'static dyn Unit {
        match self {
            Self::Binary => &binary::Binary,
        }
    }

    /// Rows or columns of W per unit.
    pub fn columns(self) -> usize {
        match self {
            Self::Binary => 1,
        }
    }

    /// Parameters of a unit's potential per column.
    pub fn parameters(self) -> usize {
        match self {
            Self::Binary => 1,
        }
    }

    /// The states of a column, for enumeration; empty if there are too many.
    pub fn states(self) -> &'static [f64] {
        match self {
            Self::Binary => &[0.0, 1.0],
        }
    }
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

    /// Length of the layer's potential: its columns × the largest number of parameters of its kinds.
    pub fn parameters(&self) -> usize {
        self.columns() * self.0.iter().map(|block| block.kind.parameters()).max().unwrap_or(1)
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "binary",
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
            let kind = Kind::ALL.into_iter().find(|kind| kind.to_string() == name)?;
            Some(Block { kind, units: units.parse().ok()? })
        };
        let parts = text.split(',').filter(|_| !text.is_empty());
        let blocks = parts.map(|part| {
            block(part).ok_or_else(|| {
                let kinds = Kind::ALL.map(|kind| kind.to_string()).join(", ");
                format!("expected numbers of units and kinds of this version ({kinds}), as 784 binary, found {part:?}")
            })
        });
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let mut columns = 0_usize;
        for Block { kind, units } in &blocks {
            let sum = units.checked_mul(kind.columns()).and_then(|more| columns.checked_add(more));
            columns =
                sum.ok_or_else(|| format!("expected units that fit a machine's memory, found {text:?}"))?;
        }
        Ok(Self::new(blocks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind's cumulant is that of its states, and mean and statistics are its derivatives.
    #[test]
    fn a_kind_is_what_its_cumulant_says() {
        let h = 1e-5;
        for kind in Kind::ALL {
            let unit = kind.unit();
            for (theta, x) in [(0.0, 0.0), (0.7, -1.9), (-3.0, 12.5), (40.0, -2.0)] {
                let cumulant = |theta: f64, x: f64| unit.cumulant(&[theta], &[x]);
                let weights = kind.states().iter().map(|&s| (unit.potential(&[theta], &[s]) + x * s).exp());
                let sum = weights.sum::<f64>().ln();
                assert!((cumulant(theta, x) - sum).abs() < 1e-12 * sum.abs().max(1.0), "{kind} {theta} {x}");
                let (mut mean, mut statistics) = ([0.0], [0.0]);
                unit.mean(&[theta], &[x], &mut mean);
                let slope = (cumulant(theta, x + h) - cumulant(theta, x - h)) / (2.0 * h);
                assert!((mean[0] - slope).abs() < 1e-9, "{kind} {theta} {x}: {} {slope}", mean[0]);
                for &state in kind.states() {
                    unit.statistics(&[state], &mut statistics);
                    let potential = |theta: f64| unit.potential(&[theta], &[state]);
                    let slope = (potential(theta + h) - potential(theta - h)) / (2.0 * h);
                    assert!((statistics[0] - slope).abs() < 1e-9, "{kind} {state}");
                }
            }
            // `fit` inverts `mean`.
            let (mut parameters, mut mean) = ([0.0_f32], [0.0]);
            unit.fit(&[0.3], &mut parameters);
            unit.mean(&parameters.map(f64::from), &[0.0], &mut mean);
            assert!((mean[0] - 0.3).abs() < 1e-6, "{kind}");
        }
    }

    #[test]
    fn a_layer_is_written_and_read() {
        let layer = Layer::of(Kind::Binary, 784);
        assert_eq!((layer.to_string(), "784 binary".parse()), ("784 binary".into(), Ok(layer.clone())));
        assert_eq!((layer.columns(), layer.parameters(), layer.places().count()), (784, 784, 784));
        assert_eq!(("".parse(), Layer::new([]).to_string()), (Ok(Layer::of(Kind::Binary, 0)), String::new()));
        let two: Layer = "3 binary, 2 binary".parse().unwrap();
        assert_eq!(two.places().map(|place| place.column).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        // The sum would wrap around to 4.
        let wrapped = format!("{} binary, 5 binary", usize::MAX);
        assert!(Layer::from_str(&wrapped).unwrap_err().contains("memory"));
        for wrong in ["784 potts", "binary", " ", "-1 binary", "1 binary; 2 binary"] {
            assert!(Layer::from_str(wrong).unwrap_err().contains("this version (binary)"), "{wrong}");
        }
    }
}
