//! Kinds of units as people write them: one for all, or a list.

use std::{fmt, str::FromStr};

use super::{Block, Kind, Layer};

/// Kinds of units in order: one kind for all units, as `gaussian`, or a list with numbers of units, as
/// `4 binary, potts:3, potts:5, 3 gaussian`, where a number that is not given is 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kinds(Vec<(Option<usize>, Kind)>);

impl From<Kind> for Kinds {
    /// One for all.
    fn from(kind: Kind) -> Self {
        Self(vec![(None, kind)])
    }
}

impl From<&Layer> for Kinds {
    /// Those of a layer, with its numbers of units.
    fn from(layer: &Layer) -> Self {
        Self(layer.blocks().iter().map(|block| (Some(block.units), block.kind)).collect())
    }
}

impl Kinds {
    /// The number of units of a list; `None` of one kind for all.
    pub fn units(&self) -> Option<usize> {
        match self.0[..] {
            [(None, _)] => None,
            _ => Some(self.0.iter().fold(0, |sum: usize, (units, _)| sum.saturating_add(units.unwrap_or(1)))),
        }
    }

    /// A layer of these kinds: of `units` units, if they are one kind for all.
    pub fn layer(&self, units: usize) -> Layer {
        let count = |given: Option<usize>| match self.units() {
            None => units,
            Some(_) => given.unwrap_or(1),
        };
        Layer::new(self.0.iter().map(|&(given, kind)| Block { kind, units: count(given) }))
    }

    /// Whether all are binary.
    pub fn are_binary(&self) -> bool {
        self.0.iter().all(|(_, kind)| kind.is_binary())
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, (units, kind)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match units {
                Some(units) => write!(f, "{comma}{units} {kind}")?,
                None => write!(f, "{comma}{kind}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Kinds {
    type Err = String;

    /// The reverse. The error says what was expected and found.
    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let part = part.trim();
            let (units, kind) = match part.split_once(char::is_whitespace) {
                Some((units, kind)) => (Some(units), kind.trim()),
                None => (None, part),
            };
            let units = units.map(|units| match units.parse() {
                Ok(units @ 1..=0xff_ffff) => Ok(units),
                _ => Err(format!("expected a number of units from 1 to {}, found {units:?}", 0xff_ffff)),
            });
            Ok::<_, String>((units.transpose()?, kind.parse::<Kind>()?))
        };
        let kinds = text.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
        // Lists must fit a machine's memory, as a layer's text.
        let kinds = Self(kinds);
        if kinds.units().is_some() {
            kinds.layer(0).to_string().parse::<Layer>()?;
        }
        Ok(kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_is_for_all_and_a_list_says_how_many() {
        for (text, units, layer) in [
            ("gaussian", None, "9 gaussian"),
            ("potts:21", None, "9 potts:21"),
            ("4 binary, potts:3,potts:5, 3 gaussian", Some(9), "4 binary, 1 potts:3, 1 potts:5, 3 gaussian"),
            ("12 spin", Some(12), "12 spin"),
        ] {
            let kinds: Kinds = text.parse().unwrap();
            assert_eq!((kinds.units(), kinds.layer(9).to_string().as_str()), (units, layer), "{text}");
            assert_eq!(kinds.to_string().parse::<Kinds>().unwrap(), kinds);
        }
        for (text, expected) in [
            ("", "expected a kind of unit"),
            ("potts", "with its number of states"),
            ("0 binary", "from 1 to"),
            ("3binary", "expected a kind of unit"),
            ("binary,", "expected a kind of unit"),
            ("16777215 potts:65536, 16777215 potts:65536", ""),
        ] {
            match text.parse::<Kinds>() {
                Err(message) => assert!(message.contains(expected), "{text}: {message}"),
                Ok(_) => assert!(expected.is_empty(), "{text}"),
            }
        }
    }
}
