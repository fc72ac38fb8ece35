//! Test bench of a case: a device, a size, and guard rows past the last that nothing may touch.

use super::{
    keep_real_states, largest_difference, largest_relative_difference, random_model, random_states,
    wrong_states, wrong_units,
};
use crate::{
    backend::{Backend, BackendExt, Draw, Model, Pair, Units, Values},
    error::Result,
    rbm::{Shape, Side},
    units::Domain,
};

/// Guard rows in every buffer.
const GUARD: usize = 3;
/// Content of the guard rows.
const UNTOUCHED: f32 = 7.5;

/// Cases and units of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Cases or chains.
    pub rows: usize,
    /// Units.
    pub shape: Shape,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "rows={} visible={} hidden={}", self.rows, self.shape.visible, self.shape.hidden)
    }
}

/// One side of a comparison: a device, and the size and seed of its inputs. Both sides get equal inputs.
pub struct Stage<'a> {
    /// The device.
    pub backend: &'a mut dyn Backend,
    /// The size.
    pub size: Size,
    /// Seed of the inputs.
    pub seed: u64,
}

/// One call of a kernel.
pub type Call = Box<dyn Fn(&mut dyn Backend)>;

/// A kernel that is ready to run, and its outputs.
pub struct Prepared {
    /// One call.
    pub call: Call,
    /// Outputs to compare afterwards.
    pub outputs: Vec<Output>,
}

/// An output of a kernel, with its tolerance.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// Units: the means of the first rows, within a tolerance; the states must follow from the means and the draw.
    Units(Units, usize, Draw, f32),
    /// The means and the moments of the first rows of units of any kind; see [`Output::Near`] for the tolerance.
    Moments(Units, usize, f32),
    /// The states of the first rows of units of any kind. Numbered states must follow from the means and the draw; for real ones
    /// see [`Output::Near`].
    Drawn(Units, usize, Draw, f32),
    /// Parameters. The tolerance is relative to 1 plus the size of each.
    Near(Model, f32),
    /// States alone, bit for bit.
    States(Units),
    /// Parameters.
    Model(Model, f32),
    /// The first numbers. The tolerance is relative to the largest of them, or to 1 if that is larger.
    Values(Values, usize, f32),
}

/// An output as read.
#[derive(Clone, Debug)]
struct Read {
    numbers: Vec<f32>,
    /// States that don't follow from their means and uniforms, and touched guard rows.
    wrong: usize,
}

impl Stage<'_> {
    /// Values in [0, 1], rows × units.
    pub fn grey(&self, layer: Side, seed: u64) -> Vec<f32> {
        let units = self.size.shape.units(layer);
        let states = random_states(self.size.rows, units + 1, self.seed + seed);
        (0..self.size.rows * units).map(|i| states[i] * 0.75 + (i % 97) as f32 / 400.0).collect()
    }

    /// Random states, rows × units: of binary units half are on, real ones are from −2 to 2.
    pub fn states(&self, layer: Side, seed: u64) -> Vec<f32> {
        let units = self.size.shape.units(layer);
        let mut states = random_states(self.size.rows, units, self.seed + seed);
        let grey = self.grey(layer, seed);
        for (row, (states, grey)) in states.chunks_mut(units).zip(grey.chunks(units)).enumerate() {
            for place in self.backend.layers().side(layer).places() {
                let at = place.column;
                match place.kind.domain() {
                    Domain::Bits => {}
                    Domain::Signs => states[at] = 2.0 * states[at] - 1.0,
                    Domain::OneHot => {
                        let count = place.kind.columns();
                        let number = (row * 7 + at * 5 + seed as usize) % count;
                        place.kind.state(number, &mut states[at..at + count]);
                    }
                    Domain::NotNegative => states[at] = 2.0 * grey[at],
                    Domain::Real => states[at] = 4.0 * grey[at] - 2.0,
                }
            }
        }
        states
    }

    /// Units with these means and states in their first rows, followed by guard rows.
    pub fn units(&mut self, layer: Side, values: &[f32]) -> Result<Units> {
        let mut all = vec![UNTOUCHED; (self.size.rows + GUARD) * self.size.shape.units(layer)];
        all[..values.len()].copy_from_slice(values);
        let units = self.backend.units(layer, self.size.rows + GUARD)?;
        self.backend.write_units(units, &all, &all);
        Ok(units)
    }

    /// Units with guard values everywhere.
    pub fn empty(&mut self, layer: Side) -> Result<Units> {
        self.units(layer, &[])
    }

    /// Units of both layers with these values.
    pub fn pair(&mut self, visible: &[f32], hidden: &[f32]) -> Result<Pair> {
        Ok(Pair { visible: self.units(Side::Visible, visible)?, hidden: self.units(Side::Hidden, hidden)? })
    }

    /// A model whose weights have this standard deviation.
    pub fn model(&mut self, deviation: f32, seed: u64) -> Result<Model> {
        let rbm = random_model(self.backend.layers(), deviation, self.seed + seed, |x| 0.5 + x.abs());
        self.backend.model_of(&rbm)
    }

    /// A step of a model, whose weights' steps have this standard deviation: precisions may fall.
    pub fn step(&mut self, deviation: f32, seed: u64) -> Result<Model> {
        let rbm = random_model(self.backend.layers(), deviation, self.seed + seed, |x| x);
        self.backend.model_of(&rbm)
    }

    /// Numbers, followed by guard values.
    pub fn values(&mut self, numbers: &[f32]) -> Result<Values> {
        let values = self.backend.values(numbers.len() + GUARD)?;
        self.backend.write_values(values, &[numbers, &[UNTOUCHED; GUARD]].concat());
        Ok(values)
    }

    fn read(&mut self, output: &Output) -> Result<Read> {
        let Size { rows, shape } = self.size;
        Ok(match *output {
            Output::Units(units, rows, draw, _) => {
                let width = shape.units(units.layer);
                let (means, states) = self.backend.read_units(units, self.size.rows + GUARD)?;
                let (used, touched) = unguarded(means, rows * width);
                let (states, also_touched) = unguarded(states, rows * width);
                let wrong = wrong_states(&draw, width, &used, &states);
                Read { numbers: used, wrong: wrong + touched + also_touched }
            }
            Output::Moments(units, rows, _) => {
                let (means, _) = self.backend.read_units(units, self.size.rows + GUARD)?;
                let (means, wrong) = unguarded(means, rows * shape.units(units.layer));
                Read { numbers: [means, self.backend.read_moments(units, rows)?].concat(), wrong }
            }
            Output::Drawn(units, rows, draw, _) => {
                let width = shape.units(units.layer);
                let (means, states) = self.backend.read_units(units, self.size.rows + GUARD)?;
                let (mut states, touched) = unguarded(states, rows * width);
                let layer = self.backend.layers().side(units.layer);
                let wrong = wrong_units(&draw, layer, &means, &states) + touched;
                keep_real_states(layer, &mut states);
                Read { numbers: states, wrong }
            }
            Output::States(units) => {
                let (_, states) = self.backend.read_units(units, rows + GUARD)?;
                let (numbers, wrong) = unguarded(states, rows * shape.units(units.layer));
                Read { numbers, wrong }
            }
            Output::Model(model, _) | Output::Near(model, _) => {
                Read { numbers: self.backend.read_model(model)?.tensors().concat(), wrong: 0 }
            }
            Output::Values(values, count, _) => {
                let (numbers, wrong) = unguarded(self.backend.read_values(values, count + GUARD)?, count);
                Read { numbers, wrong }
            }
        })
    }
}

/// Cuts off the guard values, and counts those that were touched.
fn unguarded(mut numbers: Vec<f32>, used: usize) -> (Vec<f32>, usize) {
    let touched = numbers[used..].iter().filter(|&&x| x != UNTOUCHED).count();
    numbers.truncate(used);
    (numbers, touched)
}

/// Difference between a device and the reference in one output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// The largest difference over its tolerance: at most 1 passes; infinite for NaN.
    pub share: f64,
    /// The largest difference.
    pub error: f64,
    /// The tolerance.
    pub tolerance: f64,
    /// Wrong states, and touched guard rows.
    pub wrong: usize,
}

impl Deviation {
    /// Whether the output is right.
    pub fn passes(&self) -> bool {
        self.share <= 1.0 && self.wrong == 0
    }
}

/// Outputs of one side.
pub struct Outcome {
    outputs: Vec<Output>,
    reads: Vec<Read>,
}

/// Prepares a kernel, calls it once and reads its outputs.
///
/// # Errors
/// When there is no room, or the device failed.
pub fn observe(
    prepare: fn(&mut Stage) -> Result<Prepared>,
    backend: &mut dyn Backend,
    size: Size,
    seed: u64,
) -> Result<Outcome> {
    let mut stage = Stage { backend, size, seed };
    let Prepared { call, outputs } = prepare(&mut stage)?;
    call(stage.backend);
    let reads = outputs.iter().map(|output| stage.read(output)).collect::<Result<_>>()?;
    Ok(Outcome { outputs, reads })
}

impl Outcome {
    /// Differences of each output from the reference's.
    pub fn deviations<'a>(&'a self, reference: &'a Self) -> impl Iterator<Item = Deviation> + 'a {
        let all = self.outputs.iter().zip(self.reads.iter().zip(&reference.reads));
        all.map(|(output, (found, expected))| output.deviation(found, expected))
    }
}

impl Output {
    fn deviation(&self, found: &Read, expected: &Read) -> Deviation {
        let difference = match self {
            Self::Moments(..) | Self::Drawn(..) | Self::Near(..) => {
                f64::from(largest_relative_difference(&found.numbers, &expected.numbers))
            }
            _ => f64::from(largest_difference(&found.numbers, &expected.numbers)),
        };
        let largest = expected.numbers.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
        let (error, tolerance) = match *self {
            Self::Units(_, _, _, tolerance)
            | Self::Model(_, tolerance)
            | Self::Moments(_, _, tolerance)
            | Self::Drawn(_, _, _, tolerance)
            | Self::Near(_, tolerance) => (difference, tolerance),
            Self::States(_) => (difference, 0.0),
            Self::Values(_, _, tolerance) => (difference / f64::from(largest), tolerance),
        };
        let tolerance = f64::from(tolerance);
        let share = if error == 0.0 { 0.0 } else { error / tolerance };
        Deviation { share, error, tolerance, wrong: found.wrong }
    }
}
