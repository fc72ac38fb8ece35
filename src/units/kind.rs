//! The table of kinds of units. A new kind is a file in `src/units/`, a file in `shaders/shared/`, and a row here.

use std::{fmt, str::FromStr};

use super::Unit;

/// What a unit's columns may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// 0 or 1.
    Bits,
    /// −1 or +1.
    Signs,
    /// A 1 in one of several columns, 0 in the others.
    OneHot,
    /// Any number.
    Real,
    /// A number that is at least 0.
    NotNegative,
}

/// A row of the table.
struct Row {
    name: &'static str,
    domain: Domain,
    /// Names of a column's parameters.
    parameters: &'static [&'static str],
    unit: &'static dyn Unit,
    shader: &'static str,
}

/// One row defines a variant of [`Kind`], its number, which is its place, and all that is asked of it. The shader is that of the
/// name, `shaders/shared/unit_NAME.wgsl`.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $kind:ident $({ $(#[$of_states:meta])* $states:ident })?
        = $name:literal, $domain:ident, $parameters:expr, $unit:expr;
    )*) => {
        /// A kind of unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind $({ $(#[$of_states])* $states: u32 })?,)*
        }

        impl Kind {
            /// Their names; units with states have their number after a colon.
            pub const NAMES: [&str; ROWS.len()] = [$($name),*];

            /// All kinds, in the order of their numbers, with as few states as may be.
            pub const ALL: [Self; ROWS.len()] = [$(Self::$kind $({ $states: 2 })?),*];

            /// Its number in the kernels: the index of its name.
            pub const fn number(self) -> u32 {
                enum Number { $($kind),* }
                match self {
                    $(Self::$kind { .. } => Number::$kind as u32,)*
                }
            }
        }

        const ROWS: [Row; [$($name),*].len()] = [$(Row {
            name: $name,
            domain: Domain::$domain,
            parameters: &$parameters,
            unit: &$unit,
            shader: include_str!(concat!("../../shaders/shared/unit_", $name, ".wgsl")),
        }),*];
    };
}

kinds! {
    /// 0 or 1.
    Binary = "binary", Bits, ["θ"], super::binary::Binary;
    /// −1 or +1.
    Spin = "spin", Signs, ["θ"], super::spin::Spin;
    /// One of some states, one-hot: a column for each.
    Potts {
        /// How many, from 2 to [`Kind::MOST_STATES`].
        states
    } = "potts", OneHot, ["θ"], super::potts::Potts;
    /// Any number, normally distributed.
    Gaussian = "gaussian", Real, ["θ", "γ"], super::gaussian::Gaussian;
    /// At least 0, normally distributed above.
    Relu = "relu", NotNegative, ["θ", "γ"], super::relu::Relu;
    /// Any number, with a normal distribution on either side of 0.
    DoubleRelu = "drelu", Real, ["θ", "γ₊", "γ₋", "δ"], super::double_relu::DoubleRelu;
}

/// The numbers of the parameters that must stay above 0: precisions, γ of all states, or γ₊ and γ₋ of those on either side of 0.
/// Their statistics are −s²/2 of these states.
pub const PRECISIONS: std::ops::Range<usize> = 1..3;

impl Kind {
    /// States of a Potts unit, at most.
    pub const MOST_STATES: u32 = 1 << 16;

    const fn row(self) -> &'static Row {
        let rows: &'static [Row] = &ROWS;
        &rows[self.number() as usize]
    }

    /// The name, without a number of states.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What its columns may hold.
    pub const fn domain(self) -> Domain {
        self.row().domain
    }

    /// The mathematics of such a unit.
    pub const fn unit(self) -> &'static dyn Unit {
        self.row().unit
    }

    /// The mathematics of such a unit in WGSL.
    pub const fn shader(self) -> &'static str {
        self.row().shader
    }

    /// Whether it is binary.
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary)
    }

    /// Rows or columns of W per unit.
    pub fn columns(self) -> usize {
        match self {
            Self::Potts { states } => states as usize,
            _ => 1,
        }
    }

    /// The parameters of a unit's potential for each of its columns: θ; with two or more the precision γ, that of positive states
    /// where there are two; then γ₋ and δ.
    pub const fn parameters(self) -> usize {
        self.row().parameters.len()
    }

    /// The numbers of its precisions among the parameters of a column.
    pub fn precisions(self) -> std::ops::Range<usize> {
        let count = self.parameters();
        PRECISIONS.start.min(count)..PRECISIONS.end.min(count)
    }

    /// Whether a unit takes values below 0.
    pub fn is_signed(self) -> bool {
        matches!(self.domain(), Domain::Signs | Domain::Real)
    }

    /// The largest of a unit's precisions, given its parameters; 0 if it has none.
    pub fn largest_precision(self, parameters: &[f64]) -> f64 {
        parameters[self.precisions()].iter().copied().reduce(f64::max).unwrap_or(0.0)
    }

    /// ⟨s²⟩ of a column, given the mean of its state and those of its other statistics, by their number.
    pub fn mean_square(self, mean: f64, statistic: impl Fn(usize) -> f64) -> f64 {
        match self.domain() {
            Domain::Bits | Domain::OneHot => mean,
            Domain::Signs => 1.0,
            Domain::Real | Domain::NotNegative => -2.0 * self.precisions().map(statistic).sum::<f64>(),
        }
    }

    /// How many states a unit has, if they can be counted.
    pub fn states(self) -> Option<usize> {
        match self.domain() {
            Domain::Bits | Domain::Signs => Some(2),
            Domain::OneHot => Some(self.columns()),
            Domain::Real | Domain::NotNegative => None,
        }
    }

    /// Writes the parameters of a unit without an inclination: 0, and precisions of 1.
    pub(super) fn neutral(self, parameters: &mut [f64]) {
        parameters.fill(0.0);
        parameters[self.precisions()].fill(1.0);
    }

    /// Writes the state with this number, from 0 to [`Kind::states`] − 1, into a unit's columns.
    ///
    /// # Panics
    /// Where states cannot be counted, or there is no such state.
    pub fn state<T: From<i8>>(self, number: usize, columns: &mut [T]) {
        match self.domain() {
            Domain::Bits => columns[0] = T::from(number as i8),
            Domain::Signs => columns[0] = T::from(2 * number as i8 - 1),
            Domain::OneHot => {
                columns.iter_mut().for_each(|column| *column = T::from(0));
                columns[number] = T::from(1);
            }
            Domain::Real | Domain::NotNegative => panic!("{self} units have no numbered states"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Potts { states } => write!(f, "{}:{states}", self.name()),
            kind => f.write_str(kind.name()),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    /// The reverse. The error says what was expected and found.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
        match (Self::ALL.into_iter().find(|kind| kind.name() == name), number) {
            (Some(Self::Potts { .. }), Some(number)) => match number.parse() {
                Ok(states @ 2..=Self::MOST_STATES) => Ok(Self::Potts { states }),
                _ => Err(format!(
                    "expected potts:Q with Q from 2 to {} states, found {text:?}",
                    Self::MOST_STATES
                )),
            },
            (Some(Self::Potts { .. }), None) => {
                Err("expected potts with its number of states, as potts:21, found \"potts\"".into())
            }
            (Some(kind), None) => Ok(kind),
            _ => Err(format!("expected a kind of unit ({}), found {text:?}", Self::NAMES.join(", "))),
        }
    }
}
