//! HDF5 files of data: rbms' layout, the usual names of arrays, or one array named behind the file, as `file.h5:/path`.
//!
//! | array | what |
//! | --- | --- |
//! | `samples`, or a name as in an `.npz` file | cases × values, or cases × height × width |
//! | `labels` … | the classes: numbers or texts |
//! | `weights` … | the weights of the cases |
//! | `variable_type` | `bernoulli`, `ising`, `categorical` or `continuous`: kinds of units |

use std::path::{Path, PathBuf};

use super::{
    Dataset, Encoding, Selection,
    labels::Labels,
    npy::{self, Array, Named, Values},
};
use crate::{
    error::{Result, bad_data, excerpt, list, usage},
    hdf5::{Entry, File, Holds},
    units::{Kind, Kinds},
};

/// The extensions of such files; MATLAB's `.mat` files are HDF5 since its version 7.3.
pub const EXTENSIONS: [&str; 5] = ["h5", "hdf5", "hdf", "he5", "mat"];

/// What rbms calls the kinds of units of a file; [`Kind::Potts`] has as many states as the data.
pub const TYPES: [(&str, &str); 4] =
    [("bernoulli", "binary"), ("ising", "spin"), ("categorical", "potts"), ("continuous", "gaussian")];

/// The file and the path inside it, if this names both: `file.h5:/path`.
pub fn inside(path: &Path) -> Option<(PathBuf, String)> {
    let text = path.to_str()?;
    let (file, inner) = text.rsplit_once(":/")?;
    let is_hdf5 = file.rsplit_once('.').is_some_and(|(_, end)| EXTENSIONS.contains(&&*end.to_lowercase()));
    (is_hdf5 && !path.exists()).then(|| (file.into(), format!("/{}", inner.trim_matches('/'))))
}

/// Loads a data set from a file, or from the array or the group at `inner`.
pub fn load(file: &File, inner: Option<&str>, selection: &Selection) -> Result<Dataset> {
    let arrays = Arrays::find(file, inner)?;
    let mut notes = Vec::new();
    if file.is_matlab() {
        notes.push(
            "MATLAB stores the first index fastest: arrays are turned round, so that rows are cases".into(),
        );
    }
    let mut taken = vec![format!("{} as cases", excerpt(&arrays.train.path))];
    let mut take = |names: &[&str], what: &str| {
        let entry = arrays.take(names);
        taken.extend(entry.map(|entry| format!("{} as {what}", excerpt(&entry.path))));
        entry
    };
    let labels = take(&npy::TRAIN_LABELS, "classes");
    let weights = take(&npy::WEIGHTS, "weights");
    let test = take(&npy::TEST, "test cases");
    let of_test = |entry| if test.is_some() { entry } else { None };
    let test_labels = of_test(take(&npy::TEST_LABELS, "their classes"));
    let test_weights = of_test(take(&npy::TEST_WEIGHTS, "their weights"));
    let read = |entry: Option<&Entry>| entry.map(|entry| arrays.cases(entry)).transpose();
    let of_labels = |entry: Option<&Entry>| entry.map(|entry| arrays.labels(entry)).transpose();
    let found = npy::Arrays {
        train: arrays.cases(&arrays.train)?,
        labels: of_labels(labels)?,
        weights: read(weights)?,
        test: read(test)?,
        test_labels: of_labels(test_labels)?,
        test_weights: read(test_weights)?,
    };
    let of_test = found.test.as_ref().map(|test| &test.1);
    let kind = arrays.kind(&found.train.1, of_test, selection, &mut notes)?;
    let raw = Selection { visible: kind.map(Kinds::from), ..selection.clone() };
    let selection = if kind.is_some() { &raw } else { selection };
    let dataset = found.dataset(file.name(), selection)?;
    notes.insert(0, format!("read {}", taken.join(", ")));
    notes.extend(dataset.notes.clone());
    let units = dataset.train.rows.layout().units;
    let encoding = kind.map_or(dataset.encoding.clone(), |kind| Encoding::of(kind, units));
    Ok(Dataset { notes, encoding, ..dataset })
}

/// The arrays of a file that may be taken.
struct Arrays<'a> {
    file: &'a File,
    /// The group whose arrays are looked at.
    group: String,
    /// Arrays of that group; empty if the cases were named.
    all: Vec<Entry>,
    train: Entry,
}

impl<'a> Arrays<'a> {
    /// Finds the cases: those that were named, those with a usual name, or the only array that may be cases.
    fn find(file: &'a File, inner: Option<&str>) -> Result<Self> {
        let group = match inner {
            Some(path) if file.has(path)? => {
                let train = file.entries(path.rsplit_once('/').map_or("", |(group, _)| group))?;
                let train = train.into_iter().find(|entry| entry.path == path);
                let Some(train) = train.filter(|entry| entry.holds == Holds::Numbers) else {
                    return bad_data!("{}: expected numbers in {}", file.name(), excerpt(path));
                };
                return Ok(Self { file, group: String::new(), all: Vec::new(), train });
            }
            Some(path) => path.trim_end_matches('/').to_string(),
            None => String::new(),
        };
        let below = match file.entries(&group) {
            Ok(below) => below,
            Err(_) if inner.is_some() => {
                return bad_data!(
                    "{}: expected an array or a group at {}, found nothing there; it has {}",
                    file.name(),
                    excerpt(&group),
                    shown(&file.entries("")?)
                );
            }
            Err(error) => return Err(error),
        };
        let is_own = |entry: &Entry| entry.path.rsplit_once('/').is_some_and(|(parent, _)| parent == group);
        let all: Vec<Entry> = below.iter().filter(|entry| is_own(entry)).cloned().collect();
        let named = std::iter::once("samples").chain(npy::TRAIN);
        let named = named
            .filter_map(|name| all.iter().find(|entry| entry.holds == Holds::Numbers && base(entry) == name));
        let may_be: Vec<&Entry> = below
            .iter()
            .filter(|entry| entry.holds == Holds::Numbers && (2..=4).contains(&entry.shape.len()))
            .collect();
        let train = match (named.into_iter().next(), &may_be[..]) {
            (Some(train), _) => train.clone(),
            (None, [only]) => (*only).clone(),
            (None, []) => {
                return bad_data!(
                    "{}: expected an array of cases × values, found {}",
                    file.name(),
                    shown(&below)
                );
            }
            (None, several) => {
                let several: Vec<Entry> = several.iter().map(|&entry| entry.clone()).collect();
                return bad_data!(
                    "{}: expected an array named samples or x_train, or only one of cases × values, found {}; name one as in \
                     {}:{}",
                    file.name(),
                    shown(&several),
                    file.name(),
                    several[0].path
                );
            }
        };
        Ok(Self { file, group, all, train })
    }

    /// An array beside the cases with one of these names.
    fn take(&self, names: &[&str]) -> Option<&Entry> {
        let is_other = |entry: &&Entry| **entry != self.train;
        names.iter().find_map(|name| self.all.iter().filter(is_other).find(|entry| base(entry) == *name))
    }

    /// Reads an array, turned round if MATLAB wrote it.
    fn cases(&self, entry: &Entry) -> Result<Named> {
        let mut array = self.file.array(&entry.path)?;
        if self.file.is_matlab() {
            array = reversed(array);
        }
        Ok((format!("{}: {}", self.file.name(), excerpt(&entry.path)), array))
    }

    /// The classes of some cases: numbers or texts.
    fn labels(&self, entry: &Entry) -> Result<npy::NamedLabels> {
        let name = format!("{}: {}", self.file.name(), excerpt(&entry.path));
        if entry.holds == Holds::Texts {
            let labels = self.file.texts(&entry.path)?;
            return Ok((name, Ok((vec![labels.len()], Labels::Texts(labels)))));
        }
        let (_, array) = self.cases(entry)?;
        let numbers = array.values.floats().into_iter().map(f64::from).collect();
        Ok((name, Ok((array.shape, Labels::Floats(numbers)))))
    }

    /// The kind of the units, by `variable_type`, unless the user named it; `None` for binary units.
    fn kind(
        &self,
        train: &Array,
        test: Option<&Array>,
        selection: &Selection,
        notes: &mut Vec<String>,
    ) -> Result<Option<Kind>> {
        let file = self.file;
        let given = match self.all.is_empty() {
            true => None,
            false => file.text(&self.group, "variable_type")?,
        };
        let Some(given) = given.filter(|_| selection.visible.is_none() && !selection.any_numbers) else {
            return Ok(None);
        };
        let kind = match TYPES.iter().find(|(name, _)| *name == given.trim()).map(|(_, kind)| *kind) {
            Some("binary") => None,
            Some("spin") => Some(Kind::Spin),
            Some("gaussian") => Some(Kind::Gaussian),
            Some(_) => {
                let largest = |array: &Array| match &array.values {
                    Values::Bytes(bytes) => f32::from(bytes.iter().copied().max().unwrap_or(0)),
                    Values::Floats(floats) => floats.iter().copied().fold(0.0, f32::max),
                };
                let states = test.map_or(0.0, largest).max(largest(train)) + 1.0;
                // The encoding says which number is none of a state.
                let states = (states.max(2.0)).min(Kind::MOST_STATES as f32) as u32;
                notes.push(format!(
                    "variable_type categorical: {states} states, as the largest number is {}; units of more states are named \
                     potts:Q",
                    states - 1
                ));
                return Ok(Some(Kind::Potts { states }));
            }
            None => {
                return usage!(
                    "{}: expected variable_type {}, found {:?}; choose the kind with ‹visible›",
                    file.name(),
                    TYPES.map(|(name, _)| name).join(", "),
                    excerpt(&given)
                );
            }
        };
        let name = kind.map_or("binary".into(), |kind| kind.to_string());
        notes.push(format!("variable_type {}: {name} units", given.trim()));
        Ok(kind)
    }
}

/// The last part of an array's path, in lower case.
fn base(entry: &Entry) -> String {
    entry.path.rsplit('/').next().unwrap_or_default().to_lowercase()
}

/// Arrays with their shapes, for messages.
fn shown(entries: &[Entry]) -> String {
    list(entries.iter().map(|Entry { path, shape, holds }| match holds {
        Holds::Numbers => format!("{path} {shape:?}"),
        Holds::Texts => format!("{path} (texts)"),
        Holds::Others => format!("{path} (no numbers)"),
    }))
}

/// An array with its dimensions in reverse order: first index fastest becomes last index fastest.
fn reversed(Array { mut shape, values }: Array) -> Array {
    shape.reverse();
    let values = match values {
        Values::Bytes(values) => Values::Bytes(npy::row_major(values, &shape)),
        Values::Floats(values) => Values::Floats(npy::row_major(values, &shape)),
    };
    Array { shape, values }
}
