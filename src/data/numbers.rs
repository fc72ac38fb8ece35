//! Converts the numbers of a file to rows: determines their scale, and rejects infinite and negative ones. NaN is a missing value.

use std::collections::HashMap;

use super::{
    Cases, Dataset, Encoding, ImageSize, Rows, Selection,
    ranges::{Range, Scale},
};
use crate::{
    error::{Result, bad_data, excerpt, list},
    units::Kind,
};

/// The most bytes in the name of a class.
const LONGEST_CLASS: usize = 200;
/// More classes than this, hardly met twice, are probably none.
const MANY_CLASSES: usize = 256;

/// Whether a text may be the name of a class.
pub fn is_class(text: &str) -> bool {
    text.len() <= LONGEST_CLASS && !text.contains(char::is_control)
}

/// The numbers of a file, unscaled.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Unsigned bytes: grey levels, unless none is above 1.
    Bytes(Vec<u8>),
    /// Other types, as `f32`.
    Floats(Vec<f32>),
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value as `f32`.
    fn get(&self, at: usize) -> f32 {
        match self {
            Self::Bytes(values) => f32::from(values[at]),
            Self::Floats(values) => values[at],
        }
    }

    /// All values as `f32`.
    pub fn floats(&self) -> Vec<f32> {
        match self {
            Self::Bytes(values) => values.iter().map(|&x| f32::from(x)).collect(),
            Self::Floats(values) => values.clone(),
        }
    }
}

/// A table with one case per row: its values, optionally its classes, and the place of each value in the file.
pub struct Table<'a> {
    /// The cases.
    pub values: Values,
    /// The class of each case, as named in the file.
    pub labels: Option<Vec<String>>,
    /// The weight of each case.
    pub weights: Option<Vec<f32>>,
    /// Place of a value, for messages: the file, and a line and column or an index.
    pub place: Box<dyn Fn(usize) -> String + 'a>,
    /// A column for people, and how an option names it, if there is one that leaves it out.
    pub column: Box<dyn Fn(usize) -> (String, Option<String>) + 'a>,
}

/// The places of the values of a sparse table, row by row. All other values are 0.
pub struct Places {
    /// The first entry of each row, and the number of entries, last.
    pub starts: Vec<usize>,
    /// Columns of the entries, which rise in each row.
    pub columns: Vec<u32>,
}

impl Places {
    fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The row and the column of an entry.
    pub fn of(&self, entry: usize) -> (usize, usize) {
        let row = self.starts.partition_point(|&start| start <= entry) - 1;
        (row, self.columns[entry] as usize)
    }
}

/// Bytes up to this are asked about, as whole numbers of other types are: grey levels would all be dark.
const DARK: f32 = 32.0;

/// A column that no option leaves out.
pub fn column(unit: usize) -> (String, Option<String>) {
    (format!("column {}", unit + 1), None)
}

/// A data set of training cases and optional test cases, of `units` values each, shaped as `image`.
pub fn dataset(
    name: &str,
    (units, image): (usize, Option<(usize, usize)>),
    train: Table,
    test: Option<Table>,
    selection: &Selection,
) -> Result<Dataset> {
    of_tables(name, (units, image), (train, None), test, selection)
}

/// A data set of sparse training cases of `units` values each; the table has only the values at these places.
pub fn sparse_dataset(
    name: &str,
    units: usize,
    train: (Table, &Places),
    selection: &Selection,
) -> Result<Dataset> {
    of_tables(name, (units, None), (train.0, Some(train.1)), None, selection)
}

fn of_tables(
    name: &str,
    (units, image): (usize, Option<(usize, usize)>),
    (mut train, places): (Table, Option<&Places>),
    mut test: Option<Table>,
    selection: &Selection,
) -> Result<Dataset> {
    let marks = selection.missing.as_deref().unwrap_or_default();
    train.mark_missing(marks);
    if let Some(test) = &mut test {
        test.mark_missing(marks);
    }
    let tables: Vec<&Table> = [Some(&train), test.as_ref()].into_iter().flatten().collect();
    let cases = match places {
        None => train.values.len().checked_div(units).unwrap_or(0),
        Some(places) => places.rows(),
    };
    if units == 0 || cases == 0 {
        return bad_data!("{name}: {cases} cases of {units} values: nothing to learn from");
    }
    let is_full = places.is_none_or(|places| places.columns.len() == cases.saturating_mul(units));
    let are_spins = is_full && !selection.is_raw() && selection.divide_by.is_none() && are_spins(&tables);
    let is_asked = selection.is_raw() || are_spins || selection.divide_by.is_some() || image.is_some();
    if places.is_none() && !is_asked {
        check_scale(name, units, &train)?;
    }
    let divisor = match selection.is_raw() || are_spins {
        true => selection.divide_by.unwrap_or(1.0),
        false => divisor(name, &tables, selection)?,
    };
    let trained = selection.trained.as_ref().filter(|_| selection.divide_by.is_none() && !selection.is_raw());
    let notes = trained.and_then(|trained| {
        let scale = trained.scale;
        let of_model = if scale == 1.0 { "from 0 to 1".to_string() } else { format!("divided by {scale}") };
        (scale != divisor)
            .then(|| format!("the model's data were {of_model}, these are divided by {divisor}"))
    });
    let classes = classes(name, &tables)?;
    let numbers: HashMap<&String, u32> = classes.iter().zip(0..).collect();
    let scaled =
        |values: &Values| -> Vec<f32> { (0..values.len()).map(|at| values.get(at) / divisor).collect() };
    let cases = |table: &Table, places: Option<&Places>| Cases {
        weights: table.weights.clone(),
        rows: match (&table.values, places) {
            (Values::Bytes(bytes), None) if divisor == 255.0 => Rows::from_bytes(units, bytes, 1.0 / 255.0),
            (values, None) => Rows::from_values(units, &scaled(values)),
            (Values::Bytes(_), Some(Places { starts, columns })) if divisor == 255.0 => {
                Rows::from_byte_entries(units, starts, columns, &scaled(&table.values))
            }
            (values, Some(Places { starts, columns })) => {
                Rows::from_entries(units, starts, columns, &scaled(values))
            }
        },
        // There is a number for every label.
        labels: table
            .labels
            .as_ref()
            .map(|labels| labels.iter().map(|label| numbers.get(label).copied().unwrap_or(0)).collect()),
    };
    let ImageSize(height, width) = ImageSize::guess(units);
    let test = test.as_ref().map(|test| cases(test, None)).filter(|test| !test.rows.is_empty());
    let train = cases(&train, places);
    let kind = if are_spins { Kind::Spin } else { Kind::Binary };
    let mut dataset = Dataset::new(image.unwrap_or((height, width)), train);
    let cases = dataset.train.rows.len();
    if classes.len() > MANY_CLASSES && 2 * classes.len() > cases {
        dataset.notes.push(format!("{} classes for {cases} cases: are these the classes?", classes.len()));
    }
    dataset.notes.extend(notes);
    let scale = if selection.divide_by.is_none() { divisor } else { 1.0 };
    let encoding = Encoding { scale, ..Encoding::of(kind, units) };
    Ok(Dataset { test, classes, encoding, ..dataset })
}

impl Table<'_> {
    /// Makes NaN of the numbers that mark what is missing.
    fn mark_missing(&mut self, marks: &[String]) {
        let marks: Vec<f32> = marks.iter().filter_map(|mark| mark.parse().ok()).collect();
        if !marks.is_empty() {
            let floats = self.values.floats();
            let without = floats.into_iter().map(|x| if marks.contains(&x) { f32::NAN } else { x });
            self.values = Values::Floats(without.collect());
        }
    }
}

/// Checks that all columns are of one scale.
fn check_scale(name: &str, units: usize, table: &Table) -> Result<()> {
    let ranges = Range::of(units, (0..table.values.len()).map(|at| table.values.get(at)));
    let shown = |&column: &usize| format!("{}: {}", (table.column)(column).0, ranges[column].named());
    match Scale::of(&ranges, table.values.len() / units) {
        Scale::One => Ok(()),
        Scale::But(columns) => {
            let (these, others) = (columns.len(), units - columns.len());
            let options: Option<Vec<String>> =
                columns.iter().map(|&column| (table.column)(column).1).collect();
            let cure = match options {
                Some(options) if these == 1 => {
                    let option = &options[0];
                    format!(
                        "leave it out with ‹drop› {option}, name it with ‹label-column› {option} if it has the classes, or give it \
                         a unit of its own with ‹columns› {option}:gaussian"
                    )
                }
                Some(options) => format!(
                    "leave them out with ‹drop› {}, or give them units of their own with ‹columns›",
                    list(options)
                ),
                None => "leave it out, or choose the kinds of the units by column with ‹visible›".into(),
            };
            bad_data!(
                "{name}: expected columns of one scale, found {}, where the {} from 0 to 1; {cure}",
                list(columns.iter().map(shown)),
                if others == 1 { "other one is".into() } else { format!("{others} others are") }
            )
        }
        Scale::Several => bad_data!(
            "{name}: expected columns of one scale, found several: {}; choose the kinds of the units by column with ‹visible›, as in \
             \"4 binary, 3 gaussian\"",
            list((0..units).collect::<Vec<_>>().iter().map(shown))
        ),
    }
}

/// Whether all numbers are −1 or +1, and both occur.
fn are_spins(tables: &[&Table]) -> bool {
    let of = |table: &&Table| match &table.values {
        Values::Bytes(_) => None,
        Values::Floats(values) => {
            let all = values.iter().all(|x| x.abs() == 1.0 || x.is_nan());
            all.then(|| values.iter().any(|&x| x == -1.0))
        }
    };
    let signs: Option<Vec<bool>> = tables.iter().map(of).collect();
    signs.is_some_and(|signs| signs.contains(&true))
}

/// Divisor that scales the numbers to 0…1, the same for all tables.
fn divisor(name: &str, tables: &[&Table], selection: &Selection) -> Result<f32> {
    let (mut high, mut whole, mut bytes) = (0.0_f32, true, true);
    for table in tables {
        match &table.values {
            Values::Bytes(values) => high = high.max(f32::from(values.iter().copied().max().unwrap_or(0))),
            Values::Floats(values) => {
                bytes = false;
                for (at, &x) in values.iter().enumerate() {
                    if x.is_nan() {
                        continue;
                    }
                    if x.is_infinite() {
                        return bad_data!("{}: expected a number, found {x}", (table.place)(at));
                    }
                    if x < 0.0 {
                        let place = (table.place)(at);
                        return match mark(tables) {
                            Some(mark) => bad_data!(
                                "{place}: expected a number that is not negative, found {mark}, and no other number is below 0: if \
                                 it stands for a missing value, say ‹missing› {mark}; if it is a number, choose ‹visible› gaussian"
                            ),
                            None => bad_data!(
                                "{place}: expected a number that is not negative, found {x}; for units of real numbers choose \
                                 ‹visible› gaussian"
                            ),
                        };
                    }
                    high = high.max(x);
                    whole &= x.fract() == 0.0;
                }
            }
        }
    }
    let trained = selection.trained.as_ref().map_or(1.0, |trained| trained.scale);
    let divisor = match selection.divide_by {
        Some(divisor) => divisor,
        // Whole numbers are the model's, whatever the largest one here is; fractions are scaled already.
        None if trained > 1.0 && whole => trained,
        None if high <= 1.0 => 1.0,
        None if whole && (bytes && high > DARK || (128.0..=255.0).contains(&high)) => 255.0,
        None if whole => {
            let states = f64::from(high) + 1.0;
            let categories = match states <= f64::from(Kind::MOST_STATES) {
                true => format!(", or, if they are categories, choose ‹visible› potts:{states}"),
                false => String::new(),
            };
            return bad_data!(
                "{name}: whole numbers up to {high}: expected 0 and 1, or grey levels up to 255; \
                 set the scale with ‹divide-by› {high} or ‹divide-by› 255{categories}"
            );
        }
        None => f32::INFINITY,
    };
    let most = if divisor.is_finite() { divisor } else { 1.0 };
    for table in tables {
        if let Some(at) = (0..table.values.len()).find(|&at| table.values.get(at) > most) {
            return bad_data!(
                "{}: expected numbers from 0 to {most}, found {}; set the scale with ‹divide-by›, \
                 scale the data first, or choose ‹visible› gaussian",
                (table.place)(at),
                table.values.get(at)
            );
        }
    }
    Ok(divisor)
}

/// A number that seems to stand for what is missing.
fn mark(tables: &[&Table]) -> Option<f32> {
    let values = tables.iter().flat_map(|table| (0..table.values.len()).map(|at| table.values.get(at)));
    Range::of(1, values)[0].mark()
}

/// The names of all classes, sorted numerically if all are integers, else alphabetically.
fn classes(name: &str, tables: &[&Table]) -> Result<Vec<String>> {
    let labels = tables.iter().filter_map(|table| table.labels.as_ref()).flatten();
    let mut classes: Vec<String> =
        labels.collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
    if let Some(class) = classes.iter().find(|class| !is_class(class)) {
        return bad_data!(
            "{name}: expected class names of at most {LONGEST_CLASS} bytes without control characters, found {:?}",
            excerpt(class)
        );
    }
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| class.parse::<i64>().unwrap_or(0));
    }
    Ok(classes)
}
