//! How the columns of a file become visible units, and back.

use super::{Cases, Rows, table::Column};
use crate::{
    error::{Result, bad_data},
    units::{Domain, Kind, Layer, Marginals, Place},
};

/// The visible units of a data set, and what their values are in the file: one column there for each unit.
///
/// Binary units and spins are as in the file. A Potts unit is the number of its state, from 0, and becomes one-hot. A Gaussian or
/// rectified unit is a number, which may be standardised: less the mean of the training cases, divided by their standard
/// deviation. NaN is a missing value, in each column of its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// The visible units.
    pub layer: Layer,
    /// What is subtracted from each column of the layer; empty if nothing is.
    pub means: Vec<f32>,
    /// What the rest of each column is divided by; empty if `means` is.
    pub deviations: Vec<f32>,
    /// The letters of the states of Potts units, if the file has letters.
    pub letters: Option<String>,
    /// The columns of a table whose columns have types of their own, one for each unit; else empty.
    pub columns: Vec<Column>,
    /// What the file's whole numbers were divided by, if that was found from their range: 255; else 1.
    pub scale: f32,
}

/// The most that a standardised value of the training cases may be. A column that hardly ever changes has a small standard
/// deviation, and would have huge values.
const LARGEST: f64 = 10.0;

impl Encoding {
    /// Of these units, whose values are as in the file.
    pub fn new(layer: Layer) -> Self {
        Self {
            layer,
            means: Vec::new(),
            deviations: Vec::new(),
            letters: None,
            columns: Vec::new(),
            scale: 1.0,
        }
    }

    /// Units of one kind for values as they are.
    pub fn of(kind: Kind, units: usize) -> Self {
        Self::new(Layer::of(kind, units))
    }

    /// Standardises the Gaussian units by the mean and the standard deviation of training cases of the file, one column
    /// for each unit. The deviation is taken for at least a tenth of the largest distance from the mean, and for 1 where a
    /// column never changes.
    pub fn standardised(self, train: &Cases) -> Self {
        let is_gaussian = |place: &Place| place.kind == Kind::Gaussian;
        if !self.layer.places().any(|place| is_gaussian(&place)) {
            return self;
        }
        let Marginals { means, variances } = train.marginals();
        let mut farthest = vec![0.0_f64; means.len()];
        for row in 0..train.rows.len() {
            for ((far, mean), x) in farthest.iter_mut().zip(&means).zip(train.rows.values(row)) {
                *far = far.max((f64::from(x) - mean).abs());
            }
        }
        let columns = self.layer.columns();
        let (mut all_means, mut deviations) = (vec![0.0; columns], vec![1.0; columns]);
        for (unit, Place { column, .. }) in
            self.layer.places().enumerate().filter(|(_, place)| is_gaussian(place))
        {
            let deviation = variances[unit].sqrt().max(farthest[unit] / LARGEST) as f32;
            all_means[column] = means[unit] as f32;
            // A mean of many equal numbers may be off by a rounding.
            let is_constant = farthest[unit] <= 1e-6 * means[unit].abs() || deviation < f32::MIN_POSITIVE;
            deviations[column] = if is_constant { 1.0 } else { deviation };
        }
        Self { means: all_means, deviations, ..self }
    }

    /// Columns of the file: one for each unit.
    pub fn file_columns(&self) -> usize {
        self.layer.units()
    }

    /// log |d(file's numbers)/d(units)|: what is subtracted from a log density of the units for that of the file's numbers.
    pub fn log_volume(&self) -> f64 {
        self.deviations.iter().map(|&deviation| f64::from(deviation).ln()).sum()
    }

    /// Turns rows of the file into rows of the layer. `place` names a row and a column of the file.
    ///
    /// # Errors
    /// [`crate::Error::Data`] if there are more or fewer columns, or a value is none of its unit's.
    pub fn encode(&self, rows: Rows, place: impl Fn(usize, usize) -> String) -> Result<Rows> {
        let (found, expected) = (rows.layout().units, self.file_columns());
        if found != expected {
            return bad_data!(
                "{}: expected {expected} columns, one for each visible unit ({}), found {found}",
                place(0, 0),
                self.layer
            );
        }
        if self.layer.is_binary() {
            return Ok(rows);
        }
        let mut values = vec![0.0; expected];
        Rows::from_rows(self.layer.columns(), rows.len(), rows.is_sparse(), |row, out| {
            rows.unpack(row, &mut values);
            for (unit, (Place { kind, column }, &x)) in self.layer.places().zip(&values).enumerate() {
                let wrong = |expected: &str, cure: &str| {
                    bad_data!("{}: expected {expected}, found {x}{cure}", place(row, unit))
                };
                if x.is_nan() {
                    out[column..][..kind.columns()].fill(x);
                    continue;
                }
                match kind {
                    Kind::Binary if x != 0.0 && x != 1.0 => return wrong("0 or 1 for a binary unit", ""),
                    Kind::Spin if x != -1.0 && x != 1.0 => {
                        let cure = "; for zeros and ones choose ‹visible› binary, or write 2x − 1";
                        return wrong("-1 or 1 for a spin", cure);
                    }
                    Kind::Potts { states } if !(x >= 0.0 && x < states as f32 && x.fract() == 0.0) => {
                        let most = states - 1;
                        return wrong(
                            &format!("a state from 0 to {most} of a {kind} unit, a whole number"),
                            "",
                        );
                    }
                    _ if kind.domain() == Domain::NotNegative && x < 0.0 => {
                        return wrong("a number that is not negative for a rectified unit", "");
                    }
                    _ if kind.states().is_none() && !x.is_finite() => {
                        return wrong("a number", "");
                    }
                    Kind::Potts { .. } => kind.state(x as usize, &mut out[column..][..kind.columns()]),
                    Kind::Gaussian if !self.means.is_empty() => {
                        out[column] = (x - self.means[column]) / self.deviations[column];
                    }
                    _ => out[column] = x,
                }
            }
            Ok(())
        })
    }

    /// [`Encoding::encode`] of numbers of the file, row by row. NaN stands for an unknown number, and becomes an arbitrary state
    /// of its unit.
    ///
    /// # Errors
    /// Those of [`Encoding::encode`].
    pub fn encode_known(&self, values: &[f32], place: impl Fn(usize, usize) -> String) -> Result<Vec<f32>> {
        let kinds: Vec<Kind> = self.layer.places().map(|place| place.kind).collect();
        let filled = values.iter().zip(kinds.iter().cycle()).map(|(&x, kind)| match kind {
            _ if !x.is_nan() => x,
            Kind::Spin => 1.0,
            _ => 0.0,
        });
        let rows = Rows::from_values(self.file_columns(), &filled.collect::<Vec<_>>());
        let encoded = self.encode(rows, place)?;
        Ok((0..encoded.len()).flat_map(|row| encoded.values(row)).collect())
    }

    /// Turns states or means of the units, row by row, into numbers of the file: a Potts unit's largest column becomes its
    /// state's number.
    pub fn decode(&self, states: &[f32]) -> Vec<f32> {
        if self.layer.is_binary() {
            return states.to_vec();
        }
        let mut values = Vec::with_capacity(states.len() / self.layer.columns() * self.file_columns());
        for state in states.chunks(self.layer.columns()) {
            values.extend(self.layer.places().map(|Place { kind, column }| match kind {
                _ if state[column].is_nan() => f32::NAN,
                Kind::Potts { .. } => {
                    let state = &state[column..][..kind.columns()];
                    let largest = state.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    state.iter().position(|&x| x == largest).unwrap_or(0) as f32
                }
                _ if self.means.is_empty() => state[column],
                _ => state[column] * self.deviations[column] + self.means[column],
            }));
        }
        values
    }

    /// [`Encoding::decode`] of means, with the likelier state of a binary unit or a spin.
    pub fn likeliest(&self, means: &[f32]) -> Vec<f32> {
        let kinds: Vec<Kind> = self.layer.places().map(|place| place.kind).collect();
        let state = |(mean, kind): (f32, &Kind)| match kind {
            Kind::Binary => f32::from(mean > 0.5),
            Kind::Spin => f32::from(mean > 0.0) * 2.0 - 1.0,
            _ => mean,
        };
        self.decode(means).into_iter().zip(kinds.iter().cycle()).map(state).collect()
    }

    /// The uncertainty of each unit's value in the file, given means and standard deviations of the layer's columns, row by row: of
    /// a number its standard deviation, of a state the probability that it is another than the likeliest one.
    pub fn spread(&self, means: &[f32], deviations: &[f32]) -> Vec<f32> {
        let columns = self.layer.columns();
        let rows = means.chunks(columns).zip(deviations.chunks(columns));
        let of_row = |(means, deviations): (&[f32], &[f32])| -> Vec<f32> {
            let of_unit = |Place { kind, column }: Place| {
                let largest = means[column..][..kind.columns()].iter().copied().fold(0.0, f32::max);
                match kind {
                    Kind::Binary => means[column].min(1.0 - means[column]),
                    Kind::Spin => (1.0 - means[column].abs()) / 2.0,
                    Kind::Potts { .. } => 1.0 - largest,
                    _ => deviations[column] * self.deviations.get(column).copied().unwrap_or(1.0),
                }
            };
            self.layer.places().map(of_unit).collect()
        };
        rows.flat_map(of_row).collect()
    }

    /// Grey levels from 0 to 1 of states or means of the units, row by row, a pixel each: those of binary units as they are, spins
    /// from −1 to 1, other numbers from the smallest to the largest of `of`. `None` of Potts units, which are no grey levels, and
    /// of units of several kinds, which have no common scale.
    pub fn greys(&self, states: &[f32], of: &[f32]) -> Option<Vec<f32>> {
        if self.layer.is_binary() {
            return Some(states.to_vec());
        }
        let kind = self.layer.blocks().first()?.kind;
        if matches!(kind, Kind::Potts { .. }) || self.layer.blocks().iter().any(|block| block.kind != kind) {
            return None;
        }
        if kind == Kind::Spin {
            return Some(states.iter().map(|x| (x + 1.0) / 2.0).collect());
        }
        let of = self.decode(of);
        let least = of.iter().copied().fold(f32::INFINITY, f32::min);
        let range = of.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least;
        let grey = |x: f32| if range > 0.0 { ((x - least) / range).clamp(0.0, 1.0) } else { 0.5 };
        Some(self.decode(states).into_iter().map(grey).collect())
    }

    /// For each column of the layer what is given for its unit.
    pub fn by_column<T: Copy>(&self, of_units: &[T]) -> Vec<T> {
        let units = self.layer.places().zip(of_units);
        units.flat_map(|(place, &of_unit)| std::iter::repeat_n(of_unit, place.kind.columns())).collect()
    }

    /// The letters of rows of numbers of the file, a line each, if the units have letters.
    pub fn spelled(&self, values: &[f32]) -> Option<Vec<String>> {
        let letters: Vec<char> = self.letters.as_ref()?.chars().collect();
        let letter = |&x: &f32| match x.is_nan() {
            true => '?',
            false => letters.get(x as usize).copied().unwrap_or('?'),
        };
        Some(values.chunks(self.file_columns()).map(|row| row.iter().map(letter).collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Packing;

    #[test]
    fn what_is_encoded_is_decoded() {
        let layer: Layer = "1 binary, 1 spin, 1 potts:3, 2 gaussian".parse().unwrap();
        let values = [1.0, -1.0, 2.0, 10.0, 7.0, 0.0, 1.0, 0.0, 14.0, 7.0];
        let rows = Rows::from_values(5, &values);
        let encoding = Encoding::new(layer).standardised(&rows.clone().into());
        assert_eq!(encoding.means[5..], [12.0, 7.0]);
        assert_eq!(encoding.deviations[5..], [2.0, 1.0], "a constant column is divided by 1");
        let encoded = encoding.encode(rows, |row, column| format!("{row} {column}")).unwrap();
        assert_eq!(encoded.values(0).collect::<Vec<_>>(), [1.0, -1.0, 0.0, 0.0, 1.0, -1.0, 0.0]);
        let states: Vec<f32> = (0..2).flat_map(|row| encoded.values(row)).collect();
        assert_eq!(encoding.decode(&states), values);
        assert!((encoding.log_volume() - 2f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn missing_values_stay_missing() {
        let layer: Layer = "1 binary, 1 potts:3, 1 gaussian".parse().unwrap();
        let values = [1.0, f32::NAN, 10.0, f32::NAN, 2.0, f32::NAN, 0.0, 1.0, 14.0];
        let rows = Rows::from_values(3, &values);
        let encoding = Encoding::new(layer).standardised(&rows.clone().into());
        assert_eq!((encoding.means[4], encoding.deviations[4]), (12.0, 2.0));
        let encoded = encoding.encode(rows, |_, _| String::new()).unwrap();
        assert!(encoded.has_missing());
        let states: Vec<f32> = (0..3).flat_map(|row| encoded.values(row)).collect();
        assert!(states[1..4].iter().all(|x| x.is_nan()), "{states:?}");
        let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
        assert!(encoding.decode(&states).iter().zip(&values).all(same));
        let means = [0.75, 0.25, 0.5, 0.25, 1.5];
        assert_eq!(encoding.likeliest(&means), [1.0, 1.0, 15.0]);
        assert_eq!(encoding.spread(&means, &[0.0, 0.0, 0.0, 0.0, 0.5]), [0.25, 0.5, 1.0]);
        assert_eq!(Cases::from(encoded).marginals().means, [0.5, 0.0, 0.5, 0.5, 0.0]);
    }

    #[test]
    fn sparse_rows_are_encoded_as_dense_ones() {
        let starts: Vec<usize> = (0..=50).collect();
        let columns: Vec<u32> = (0..50).map(|row| row * 7 % 64).collect();
        let sparse = Rows::from_entries(64, &starts, &columns, &[2.0; 50]);
        assert!(sparse.is_sparse());
        let dense = Rows::from_values(64, &(0..50).flat_map(|row| sparse.values(row)).collect::<Vec<_>>());
        for (kinds, stays) in
            [("64 gaussian", false), ("64 relu", true), ("60 relu, 4 drelu", true), ("64 potts:3", false)]
        {
            let encoding = Encoding::new(kinds.parse().unwrap());
            let encode = |rows: &Rows| {
                let encoding = encoding.clone().standardised(&rows.clone().into());
                encoding.encode(rows.clone(), |row, column| format!("{row} {column}")).unwrap()
            };
            let (dense, sparse) = (encode(&dense), encode(&sparse));
            assert_eq!((dense.layout(), dense.words()), (sparse.layout(), sparse.words()), "{kinds}");
            assert_eq!(sparse.is_sparse(), stays, "{kinds}");
        }
    }

    #[test]
    fn a_value_that_hardly_ever_changes_stays_small() {
        let mut values = vec![0.0; 1000];
        values[7] = 1.0;
        let rows = Rows::from_values(1, &values);
        let encoding = Encoding::of(Kind::Gaussian, 1).standardised(&rows.clone().into());
        let encoded = encoding.encode(rows, |_, _| String::new()).unwrap();
        let largest = (0..1000).flat_map(|row| encoded.values(row)).fold(0.0, f32::max);
        assert!((largest - 10.0).abs() < 1e-4, "{largest}");
    }

    #[test]
    fn states_are_packed_tightly_and_others_refused() {
        let encode = |kinds: &str, values: &[f32]| {
            let layer: Layer = kinds.parse().unwrap();
            let rows = Rows::from_values(layer.units(), values);
            let place = |row: usize, column: usize| format!("row {row}, column {column}");
            Encoding::new(layer).encode(rows, place).map_err(|error| error.to_string())
        };
        assert_eq!(encode("2 potts:4", &[3.0, 0.0, 1.0, 2.0]).unwrap().layout().packing, Packing::Bits);
        assert_eq!(encode("2 spin", &[-1.0, 1.0, 1.0, 1.0]).unwrap().layout().packing, Packing::Spins);
        for (kinds, values, expected) in [
            ("2 potts:3", [0.0, 3.0], "row 0, column 1: expected a state from 0 to 2"),
            ("2 potts:3", [0.5, 1.0], "found 0.5"),
            ("2 spin", [1.0, 0.0], "expected -1 or 1"),
            ("1 spin, 1 binary", [1.0, 0.5], "expected 0 or 1"),
            ("1 gaussian, 1 relu", [1.0, -0.5], "not negative"),
            ("3 gaussian", [1.0, -0.5], ""),
            ("2 gaussian", [f32::INFINITY, 0.0], "expected a number, found inf"),
        ] {
            let layer: Layer = kinds.parse().unwrap();
            let place = |row: usize, column: usize| format!("row {row}, column {column}");
            let found =
                Encoding::new(layer).encode(Rows::from_values(2, &values), place).unwrap_err().to_string();
            let expected = if expected.is_empty() { "expected 3 columns" } else { expected };
            assert!(found.contains(expected), "{kinds}: {found}");
        }
    }
}
