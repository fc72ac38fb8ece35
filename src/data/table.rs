//! Tables in text files: one case a line, with or without names, classes and words.
//!
//! A table of numbers of one scale (0 and 1, from 0 to 1, whole numbers up to 255, or −1 and 1) is read as an array of them is:
//! `numbers`. In every other table each column has a type of its own, by `schema`: where a column has words, where the columns
//! are of several scales (`Scale`), or where `--columns` says so.

mod cells;
mod column;
mod header;
mod known;
mod schema;
mod text;
mod write;

use std::{io::BufRead, path::Path};

use super::{
    Dataset, Encoding, Selection,
    numbers::{self, Values},
    ranges::{Range, Scale},
};
use crate::{
    error::{Result, bad_data, excerpt, usage},
    units::{Block, Kind, Layer},
};
use cells::{Cells, Content};
pub use column::{Column, ColumnUse, Use};
use header::Header;
pub use write::{write, write_numbers};

/// Fewer columns of numbers may be a log of costs.
const WIDE: usize = 8;

/// Whether a text file, from its beginning, has lines of numbers, so many that it is no log of costs.
pub(crate) fn is_wide(start: &[u8]) -> bool {
    numbers_a_line(start).is_some_and(|count| count >= WIDE)
}

/// Whether a text file, from its beginning, has nothing but numbers in its first lines.
pub(crate) fn is_of_numbers(start: &[u8]) -> bool {
    numbers_a_line(start).is_some_and(|count| count > 0)
}

/// Numbers in each of the first lines, if there is nothing else, and there are as many in each. The last line may be cut.
fn numbers_a_line(start: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(start).ok().or_else(|| {
        // A letter may be cut, too.
        let whole = start.iter().rposition(|&byte| byte == b'\n')?;
        std::str::from_utf8(&start[..whole]).ok()
    })?;
    let lines = text.split_inclusive('\n').filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let lines: Vec<&str> = lines.take(10).collect();
    let whole = lines.iter().filter(|line| line.ends_with('\n'));
    let lines: Vec<&str> = if lines.len() > 1 { whole.copied().collect() } else { lines };
    let count = |line: &&str| {
        let fields = line.split([',', ';', ' ', '\t', '\r', '\n']).filter(|field| !field.is_empty());
        let are_numbers = fields.clone().all(|field| field.parse::<f32>().is_ok());
        are_numbers.then(|| fields.count())
    };
    let counts: Vec<usize> = lines.iter().map(count).collect::<Option<_>>()?;
    counts.windows(2).all(|pair| pair[0] == pair[1]).then(|| counts.first().copied()).flatten()
}

/// Loads a data set from the lines of a file.
///
/// # Errors
/// [`crate::Error::Data`] and [`crate::Error::Read`] say what was expected and found; [`crate::Error::Usage`] for options that
/// name other columns.
pub fn load(path: &Path, file: impl BufRead, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let marks = selection.missing.as_deref().unwrap_or_default();
    let mut text = text::read(&name, path, file, marks, |first| header::texts(first, selection))?;
    let header = Header::of(&name, &text, selection)?;
    if header.is_first_line {
        text.cells.remove(0);
    }
    let notes = [&text.notes[..], &header.notes].concat();
    let table = Table { name: &name, header, found: Found::of(&text.cells), cells: text.cells, notes };
    let trained = selection.trained.as_ref().filter(|trained| !trained.columns.is_empty());
    match trained {
        Some(trained) => table.of_model(trained, selection),
        None => table.dataset(selection),
    }
}

/// What is in a column.
#[derive(Clone, Debug, Default)]
struct Found {
    /// The numbers.
    range: Range,
    /// How many cells have words.
    words: usize,
}

impl Found {
    /// For each column.
    fn of(cells: &Cells) -> Vec<Self> {
        let mut found = vec![Self::default(); cells.width];
        for row in 0..cells.rows() {
            for (cell, found) in cells.row(row).zip(&mut found) {
                let x = if let Content::Number(x) = cell { x } else { f32::NAN };
                found.range.add(row, x);
                found.words += usize::from(matches!(cell, Content::Word(_)));
            }
        }
        found
    }
}

/// A table that was read, and what its columns are.
struct Table<'a> {
    name: &'a str,
    header: Header,
    cells: Cells,
    found: Vec<Found>,
    notes: Vec<String>,
}

/// A column as units take it.
struct Typed {
    /// Its number in the table.
    at: usize,
    kind: Kind,
    /// The words for its numbers.
    words: Vec<String>,
    /// A number for each row; NaN where it is missing.
    values: Vec<f32>,
}

/// Names that columns of classes often have, besides `label`.
const TARGETS: [&str; 5] = ["target", "class", "classes", "labels", "species"];

/// Rows that are enough to tell a running index.
const INDEX_ROWS: usize = 5;

impl Table<'_> {
    /// A place for people, by row and column.
    fn place(&self, row: usize, column: usize) -> String {
        format!("{}: line {}, column {}", self.name, self.cells.lines[row], column + 1)
    }

    /// Leaves columns out that have nothing to learn from, and returns the others, without classes.
    fn kept(&mut self, selection: &Selection) -> Vec<usize> {
        let columns = 0..self.cells.width;
        let mut kept: Vec<usize> = columns
            .filter(|column| !matches!(self.header.uses.get(column), Some(Use::Drop | Use::Label)))
            .collect();
        // Kinds that are listed are of all columns.
        let listed = selection.visible.as_ref().and_then(|kinds| kinds.units());
        if listed == Some(kept.len()) {
            return kept;
        }
        let rest = kept.clone();
        kept.retain(|&column| {
            if self.header.uses.contains_key(&column) || rest.len() < 2 {
                return true;
            }
            let reason = self.is_empty(column).then_some("without a value").or_else(|| self.index(column));
            self.notes
                .extend(reason.map(|reason| format!("left out: {}, {reason}", self.header.shown(column))));
            reason.is_none()
        });
        // Where nothing is left, it was no index.
        if kept.is_empty() { rest } else { kept }
    }

    fn is_empty(&self, column: usize) -> bool {
        self.cells.rows() > 0 && self.found[column].words == 0 && self.found[column].range.count == 0
    }

    /// Why a column is no measurement but a number of the case: pandas' index, a running number, or an id.
    fn index(&self, column: usize) -> Option<&'static str> {
        let Found { range, words } = self.found[column];
        let (rows, name) = (self.cells.rows(), self.header.names[column].to_lowercase());
        let is_of_pandas = self.header.is_first_line && (name.is_empty() || name.starts_with("unnamed: "));
        let is_running = range.count == rows && range.is_running && !range.has_fractions;
        if is_running && (range.greatest > 1.0 && rows >= INDEX_ROWS || is_of_pandas && rows > 1) {
            return Some("a running index");
        }
        let is_id =
            ["id", "idx", "index", "row", "rowid", "row_id"].contains(&&*name) || name.ends_with("_id");
        let is_beyond = words > 0 || range.greatest > 1.0 && !range.has_fractions;
        if (is_of_pandas || self.header.is_first_line && is_id)
            && rows >= INDEX_ROWS
            && is_beyond
            && self.are_distinct(column)
        {
            return Some(if is_of_pandas {
                "an index without a name"
            } else {
                "different in each line, as an id"
            });
        }
        None
    }

    fn are_distinct(&self, column: usize) -> bool {
        let mut seen = std::collections::HashSet::new();
        self.cells.column(column).all(|cell| match cell {
            Content::Number(x) => seen.insert((0, x.to_bits())),
            Content::Word(number) => seen.insert((1, number)),
            Content::Missing => false,
        })
    }

    /// The classes, as text.
    fn labels(&self, column: Option<usize>) -> Option<Vec<String>> {
        column.map(|column| (0..self.cells.rows()).map(|row| self.cells.text(row, column)).collect())
    }

    /// Reads the columns, alike or each by its type.
    fn dataset(mut self, selection: &Selection) -> Result<Dataset> {
        let kept = self.kept(selection);
        let is_asked = self.header.uses.values().any(|of| matches!(of, Use::Categories | Use::Unit(_)));
        let has_words = kept.iter().any(|&column| self.found[column].words > 0);
        let ranges: Vec<Range> = kept.iter().map(|&column| self.found[column].range).collect();
        let is_judged =
            selection.visible.is_none() && selection.divide_by.is_none() && !selection.any_numbers;
        let is_mixed = is_judged && Scale::of(&ranges, self.cells.rows()) == Scale::Several;
        if !(is_asked || has_words || is_mixed) {
            return self.alike(&kept, selection);
        }
        if let Some(divisor) = selection.divide_by {
            // A word among numbers is said first.
            schema::typed(&self, &kept, selection)?;
            return usage!(
                "‹divide-by› {divisor} is for numbers of one scale, but each column of {} has its own type",
                self.name
            );
        }
        let columns = schema::typed(&self, &kept, selection)?;
        let columns = columns.into_iter().filter_map(|column| match column.kind {
            Kind::Potts { states: 0 | 1 } => {
                let shown = self.header.shown(column.at);
                self.notes.push(match column.words.first() {
                    Some(word) => format!("left out: {shown}, always {}", excerpt(word)),
                    None => format!("left out: {shown}, without a value"),
                });
                None
            }
            _ => Some(column),
        });
        let columns: Vec<Typed> = columns.collect();
        let label = self.header.label();
        let is_target = |column: &&Typed| TARGETS.contains(&&*self.header.names[column.at].to_lowercase());
        if let Some(target) =
            columns.iter().find(is_target).filter(|_| label.is_none() && self.header.is_first_line)
        {
            let shown = self.header.shown(target.at);
            self.notes.push(format!(
                "{shown} is for a unit, as the others are; if it has the classes, name it as the label column"
            ));
        }
        self.typed(columns, label)
    }

    /// Numbers of one scale.
    fn alike(self, kept: &[usize], selection: &Selection) -> Result<Dataset> {
        let (rows, units) = (self.cells.rows(), kept.len());
        let labels = self.labels(self.header.label());
        let mut values = Vec::with_capacity(rows * units);
        for row in 0..rows {
            values.extend(kept.iter().map(|&column| match self.cells.get(row, column) {
                Content::Number(x) => x,
                Content::Word(_) | Content::Missing => f32::NAN,
            }));
        }
        let Self { name, header, cells, notes, .. } = self;
        let lines = cells.lines;
        drop(cells.values);
        let place =
            |at: usize| format!("{name}: line {}, column {}", lines[at / units], kept[at % units] + 1);
        let table = numbers::Table {
            values: Values::Floats(values),
            labels,
            weights: None,
            place: Box::new(place),
            column: Box::new(|unit| (header.shown(kept[unit]), Some(header.option(kept[unit])))),
        };
        let dataset = numbers::dataset(name, (units, None), table, None, selection)?;
        Ok(Dataset { notes: [notes, dataset.notes].concat(), ..dataset })
    }

    /// Columns of several types.
    fn typed(self, columns: Vec<Typed>, label: Option<usize>) -> Result<Dataset> {
        let units = columns.len();
        if units == 0 {
            return bad_data!(
                "{}: expected columns to learn from, found none that has more than one value",
                self.name
            );
        }
        let rows = self.cells.rows();
        let values: Vec<f32> =
            (0..rows).flat_map(|row| columns.iter().map(move |column| column.values[row])).collect();
        let place = |at: usize| self.place(at / units, columns[at % units].at);
        let table = numbers::Table {
            values: Values::Floats(values),
            labels: self.labels(label),
            weights: None,
            place: Box::new(place),
            column: Box::new(|unit| (self.header.shown(columns[unit].at), None)),
        };
        // The values are those of the units already.
        let as_they_are = Selection { any_numbers: true, ..Selection::default() };
        let dataset = numbers::dataset(self.name, (units, Some((1, units))), table, None, &as_they_are)?;
        let mut blocks: Vec<Block> = Vec::new();
        for column in &columns {
            match blocks.last_mut().filter(|block| block.kind == column.kind) {
                Some(block) => block.units += 1,
                None => blocks.push(Block { kind: column.kind, units: 1 }),
            }
        }
        let named = |column: &Typed| Column {
            name: self.header.names[column.at].clone(),
            words: column.words.clone(),
        };
        let encoding =
            Encoding { columns: columns.iter().map(named).collect(), ..Encoding::new(Layer::new(blocks)) };
        Ok(Dataset { encoding, notes: [self.notes.clone(), dataset.notes].concat(), ..dataset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether units take missing values is not for the reader to say.
    #[test]
    fn what_is_missing_is_nan_in_the_rows() {
        let read = |text: &str, missing: Option<&str>| {
            let missing = missing.map(|mark| vec![mark.to_string()]);
            let selection = Selection { any_numbers: true, missing, ..Selection::default() };
            let dataset = load(Path::new("f"), text.as_bytes(), &selection).unwrap();
            let values = (0..dataset.train.rows.len())
                .flat_map(|row| dataset.train.rows.values(row).collect::<Vec<_>>());
            (values.collect::<Vec<f32>>(), dataset.encoding)
        };
        let nan = f32::NAN;
        for (text, missing, layer, expected) in [
            ("1,\n0,1\n", None, "2 binary", &[1.0, nan, 0.0, 1.0][..]),
            ("size,w\nL,1.5\n?,\nS,NA\n", None, "1 potts:2, 1 gaussian", &[0.0, 1.5, nan, nan, 1.0, nan]),
            ("q,w\nyes,1\n,0\nno,null\n", None, "2 binary", &[1.0, 1.0, nan, 0.0, 0.0, nan]),
            (
                "q,w\nyes,-9\nnone,0\nno,1\n",
                Some("-9"),
                "1 potts:3, 1 binary",
                &[2.0, nan, 1.0, 0.0, 0.0, 1.0],
            ),
            ("q,w\nyes,1\nnone,0\nno,1\n", Some("none"), "2 binary", &[1.0, 1.0, nan, 0.0, 0.0, 1.0]),
        ] {
            let (found, encoding) = read(text, missing);
            assert_eq!(encoding.layer.to_string(), layer, "{text:?}");
            let alike = found.iter().zip(expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
            assert!(alike && found.len() == expected.len(), "{text:?}: {found:?}");
        }
        // It is an empty cell again where it is written.
        let (values, encoding) = read("size,w\nL,1.5\n?,\nS,NA\n", None);
        let mut written = Vec::new();
        write(&mut written, &encoding, &values).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "size,w\nL,1.5\n,\nS,\n");
    }
}
