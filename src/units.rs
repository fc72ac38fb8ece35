//! What a layer is made of: blocks of units, each of one kind; and what a kind is, in `f64`.
//!
//! ```text
//! E(v,h) = −Σ_ij v_i W_ij h_j − Σ_i a_i(v_i) − Σ_j c_j(h_j)          a, c: the potential of each unit, by its kind
//! ```

mod binary;

use std::{fmt, str::FromStr};

/// A kind of unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 0 or 1.
    Binary,
}

/// Units of one kind, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Their kind.
    pub kind: Kind,
    /// How many.
    pub units: usize,
}

/// The units of one side of a model: its blocks, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layer(Vec<Block>);

/// What a unit of one kind is, given its parameters and what comes into it: x, the sum of its weights times the states of the
/// other side.
///
/// A state and an input are slices of a unit's columns, which are rows or columns of W; a parameter slice has
/// [`Kind::parameters`] numbers.
pub trait Unit: Sync {
    /// The potential of a state: the log of its weight where nothing comes into the unit.
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64;
    /// log Σ_s e^(potential(s) + x·s), or the integral.
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64;
    /// The mean of the state.
    fn mean(&self, parameters: &[f64], input: &[f64], mean: &mut [f64]);
    /// A state, by a uniform number in [0, 1). `mean` is that of the state, as it is kept, in 32 bits.
    fn draw(&self, parameters: &[f64], input: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]);
    /// The derivative of the potential by each parameter.
    fn statistics(&self, state: &[f64], statistics: &mut [f64]);
    /// The parameters of a unit by itself that has these means.
    fn fit(&self, means: &[f64], parameters: &mut [f32]);
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Binary];

    /// What such a unit is.
    pub fn unit(self) -> &'static dyn Unit {
        match self {
            Self::Binary => &binary::Binary,
        }
    }

    /// Rows or columns of W that a unit has.
    pub fn columns(self) -> usize {
        match self {
            Self::Binary => 1,
        }
    }

    /// Parameters of a unit's potential for each of its columns.
    pub fn parameters(self) -> usize {
        match self {
            Self::Binary => 1,
        }
    }

    /// The states of a column, if there are few: what enumeration goes through.
    pub fn states(self) -> &'static [f64] {
        match self {
            Self::Binary => &[0.0, 1.0],
        }
    }
}

/// A unit of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its kind.
    pub kind: Kind,
    /// Its first column of the layer's.
    pub column: usize,
}

impl Layer {
    /// Of these blocks, those without units left out.
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        Self(blocks.into_iter().filter(|block| block.units > 0).collect())
    }

    /// A layer of `units` units of one kind.
    pub fn of(kind: Kind, units: usize) -> Self {
        Self::new([Block { kind, units }])
    }

    /// Its blocks.
    pub fn blocks(&self) -> &[Block] {
        &self.0
    }

    /// Columns of all units: how many numbers a state has.
    pub fn columns(&self) -> usize {
        self.0.iter().map(|block| block.units * block.kind.columns()).sum()
    }

    /// Numbers that a layer's potential has: its columns, times the parameters that its kinds have at most.
    pub fn parameters(&self) -> usize {
        self.columns() * self.0.iter().map(|block| block.kind.parameters()).max().unwrap_or(1)
    }

    /// Each unit, in order.
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
    /// As model files have it: `784 binary`, blocks with commas between them.
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

    /// The reverse. The error says what was expected and found.
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

    /// Every kind holds to the definitions: its cumulant is that of its states, and mean and statistics are its derivatives.
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
            // A unit by itself has the mean that it was made for.
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
        // Their sum would wrap around to 4.
        let wrapped = format!("{} binary, 5 binary", usize::MAX);
        assert!(Layer::from_str(&wrapped).unwrap_err().contains("memory"));
        for wrong in ["784 potts", "binary", " ", "-1 binary", "1 binary; 2 binary"] {
            assert!(Layer::from_str(wrong).unwrap_err().contains("this version (binary)"), "{wrong}");
        }
    }
}
