//! Labels from an array beside the cases. An RBM learns without them, so an array that holds no classes never blocks the
//! data: it is left out, and a note says why.

use super::numbers;
use crate::error::excerpt;

/// Whole numbers beyond this are not all 64-bit floats.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The elements of an array of labels, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Names of classes.
    Texts(Vec<String>),
    /// Numbers of classes, or one-hot rows.
    Integers(Vec<i128>),
    /// Numbers of classes, or one-hot rows, if they are whole.
    Floats(Vec<f64>),
}

/// The classes of cases, and how they were read if that is not plain.
pub type Classes = (Vec<String>, Option<String>);

impl Labels {
    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Integers(numbers) => numbers.len(),
            Self::Floats(numbers) => numbers.len(),
        }
    }

    /// The number of cases that an array of this shape has labels for.
    pub fn cases(&self, shape: &[usize]) -> Option<usize> {
        match (shape, self) {
            ([rows, columns], Self::Integers(_) | Self::Floats(_)) if *rows > 1 && *columns > 1 => {
                Some(*rows)
            }
            _ => Some(self.len()).filter(|_| shape.iter().filter(|&&size| size != 1).count() < 2),
        }
    }

    /// The class of each of `cases` cases: a number or a name each, or one-hot rows.
    ///
    /// # Errors
    /// Why these are no classes.
    pub fn classes(self, shape: &[usize], cases: usize) -> Result<Classes, String> {
        match *shape {
            _ if self.len() == cases => Ok((self.names()?, None)),
            [rows, columns] if rows == cases && columns > 0 => {
                let classes = self.hot(columns)?;
                let names = classes.iter().map(usize::to_string).collect();
                Ok((names, Some(format!("one-hot rows, read as classes 0 to {}", columns - 1))))
            }
            _ => Err(format!(
                "expected a label for each of {cases} cases, or one-hot rows, found an array of shape {}",
                excerpt(&format!("{shape:?}"))
            )),
        }
    }

    /// A name for each.
    fn names(self) -> Result<Vec<String>, String> {
        match self {
            Self::Texts(texts) => match texts.iter().find(|text| !numbers::is_class(text)) {
                Some(text) => Err(format!("expected names of classes, found {:?}", excerpt(text))),
                None => Ok(texts),
            },
            Self::Integers(numbers) => Ok(numbers.iter().map(i128::to_string).collect()),
            Self::Floats(numbers) => {
                let is_whole = |x: f64| x.fract() == 0.0 && x.abs() < LARGEST_WHOLE;
                match numbers.iter().find(|x| !is_whole(**x)) {
                    Some(x) => Err(format!("expected whole numbers, one a class, found {x}")),
                    None => Ok(numbers.iter().map(|&x| (x as i64).to_string()).collect()),
                }
            }
        }
    }

    /// The column of the only 1 in each row of this many columns; the others must be 0.
    fn hot(self, columns: usize) -> Result<Vec<usize>, String> {
        let numbers: Vec<f64> = match self {
            Self::Texts(_) => return Err(format!("expected one name a case, found {columns}")),
            Self::Integers(numbers) => numbers.iter().map(|&x| x as f64).collect(),
            Self::Floats(numbers) => numbers,
        };
        let of_row = |(row, values): (usize, &[f64])| {
            let hot = values.iter().position(|&x| x == 1.0);
            let others = values.iter().filter(|&&x| x != 0.0).count();
            hot.filter(|_| others == 1).ok_or(format!(
                "expected one label a case, or one-hot rows: one 1 among 0s; found {columns} other numbers for case {row}"
            ))
        };
        numbers.chunks(columns).enumerate().map(of_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_however_they_are_stored() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        for (labels, shape, expected) in [
            (Labels::Texts(names(&["cat", "", "cat"])), vec![3], names(&["cat", "", "cat"])),
            (Labels::Integers(vec![-1, 1 << 60, 3]), vec![3, 1], names(&["-1", "1152921504606846976", "3"])),
            (Labels::Floats(vec![1.0, -0.0, 300.0]), vec![1, 3], names(&["1", "0", "300"])),
            (Labels::Floats(vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0]), vec![3, 2], names(&["1", "0", "1"])),
            (Labels::Integers(vec![0, 0, 1, 1, 0, 0, 0, 1, 0]), vec![3, 3], names(&["2", "0", "1"])),
        ] {
            let (classes, note) = labels.clone().classes(&shape, 3).unwrap();
            assert_eq!(classes, expected, "{labels:?}");
            assert_eq!(note.is_some(), labels.len() > 3, "{labels:?}: {note:?}");
        }
    }

    #[test]
    fn what_is_no_class_is_explained() {
        for (labels, shape, expected) in [
            (Labels::Floats(vec![1.0, 0.58, 2.0]), vec![3], "found 0.58"),
            (Labels::Floats(vec![1.0, f64::NAN, 2.0]), vec![3], "found NaN"),
            (Labels::Floats(vec![1e300, 1.0, 2.0]), vec![3], "whole numbers"),
            (Labels::Texts(vec!["a\u{1b}".into(), "b".into(), "c".into()]), vec![3], "found \"a\u{fffd}\""),
            (Labels::Texts(vec!["a".into(); 6]), vec![3, 2], "one name a case, found 2"),
            (Labels::Integers(vec![1, 0, 1, 1, 0, 1]), vec![3, 2], "other numbers for case 1"),
            (Labels::Integers(vec![0; 6]), vec![3, 2], "other numbers for case 0"),
            (Labels::Integers(vec![0; 4]), vec![4], "each of 3 cases"),
            (Labels::Integers(vec![]), vec![3, 0], "each of 3 cases"),
        ] {
            let reason = labels.clone().classes(&shape, 3).unwrap_err();
            assert!(reason.contains(expected), "{labels:?}: {reason}");
        }
    }
}
