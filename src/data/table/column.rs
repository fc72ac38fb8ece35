//! What a column of a table is for, and what its values are called.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result, excerpt, usage},
    units::Kind,
};

/// A column of a table that visible units were made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the first line; v1, v2 and so on in a file without names.
    pub name: String,
    /// Words for 0 and 1, or for the states from 0; empty where the file has numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is left out.
    Drop,
    /// It has the classes.
    Label,
    /// Each different value is a state of a Potts unit.
    Categories,
    /// A unit of this kind.
    Unit(Kind),
}

/// A column of a table by its name or its number from 1, and what it is for: `age:gaussian`, `city:potts`, `id:drop`,
/// `species:label`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnUse {
    /// Name or number.
    pub column: String,
    /// What it is for.
    pub of: Use,
}

impl FromStr for Use {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        match text {
            "drop" => Ok(Self::Drop),
            "label" => Ok(Self::Label),
            "potts" => Ok(Self::Categories),
            _ => text.parse().map(Self::Unit).map_err(|_| ()),
        }
    }
}

impl FromStr for ColumnUse {
    type Err = Error;

    /// Splits at the first colon after which there is a use: names may have colons, too, as `potts:3` has.
    fn from_str(text: &str) -> Result<Self> {
        let colons = text.match_indices(':').map(|(at, _)| text.split_at(at));
        let mut uses = colons.filter_map(|(column, rest)| Some((column, rest[1..].parse().ok()?)));
        match uses.next() {
            Some((column, of)) if !column.is_empty() => Ok(Self { column: column.into(), of }),
            _ => usage!(
                "expected a column and what it is for, as in age:gaussian (binary, spin, gaussian, relu, drelu, potts, potts:Q, \
                 label or drop), found {:?}",
                excerpt(text)
            ),
        }
    }
}

impl fmt::Display for ColumnUse {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.of {
            Use::Drop => write!(f, "{}:drop", self.column),
            Use::Label => write!(f, "{}:label", self.column),
            Use::Categories => write!(f, "{}:potts", self.column),
            Use::Unit(kind) => write!(f, "{}:{kind}", self.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_after_the_colon() {
        for (text, column, of) in [
            ("age:gaussian", "age", Use::Unit(Kind::Gaussian)),
            ("a:b:drop", "a:b", Use::Drop),
            ("city:potts", "city", Use::Categories),
            ("3:potts:5", "3", Use::Unit(Kind::Potts { states: 5 })),
            ("kind of:label", "kind of", Use::Label),
        ] {
            let read: ColumnUse = text.parse().unwrap();
            assert_eq!((read.column.as_str(), read.of, read.to_string()), (column, of, text.to_string()));
        }
        for text in ["", "age", "age:", ":drop", "age:number", "age:potts:1"] {
            assert!(text.parse::<ColumnUse>().is_err(), "{text}");
        }
    }
}
