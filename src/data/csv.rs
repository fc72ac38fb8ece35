//! CSV files: one case per line, with or without a header, with or without a column of classes.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use csv::{ReaderBuilder, StringRecord};

use super::{
    Dataset, Selection,
    numbers::{self, Table, Values},
};
use crate::error::{Error, Result, bad_data, excerpt, list, usage};

/// The default column of classes.
const LABEL: &str = "label";

/// The most bytes of a line: a million numbers with all their digits.
const LONGEST_LINE: u64 = 16 << 20;

/// Reads the fields of a file line by line; skips empty lines.
struct Lines<'a, R> {
    path: &'a Path,
    file: R,
    delimiter: u8,
    /// The number of the line, from 1.
    line: u64,
    bytes: Vec<u8>,
    fields: StringRecord,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(path: &'a Path, mut file: R) -> Result<Self> {
        let start = file.fill_buf().map_err(Error::read(path))?;
        let first_line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        // The delimiter: the most frequent one in the first line.
        let count = |delimiter: &u8| first_line.iter().filter(|byte| *byte == delimiter).count();
        let delimiter = [b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',');
        Ok(Self { path, file, delimiter, line: 0, bytes: Vec::new(), fields: StringRecord::new() })
    }

    /// Goes to the next line that is not empty; false at the end.
    fn next(&mut self) -> Result<bool> {
        loop {
            self.bytes.clear();
            let mut rest = self.file.by_ref().take(LONGEST_LINE);
            if rest.read_until(b'\n', &mut self.bytes).map_err(Error::read(self.path))? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if self.bytes.len() as u64 == LONGEST_LINE {
                return bad_data!(
                    "{}: line {}: expected a line of less than {} MiB, found a longer one; is this a table of numbers?",
                    self.path.display(),
                    self.line,
                    LONGEST_LINE >> 20
                );
            }
            let not_utf8 = || {
                let (path, line) = (self.path.display(), self.line);
                Error::Data(format!("{path}: line {line}: expected UTF-8, found other bytes"))
            };
            let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            // Most tables have no quotes. A reader per line would rebuild its tables each time.
            if !bytes.contains(&b'"') && !bytes.contains(&b'\r') {
                let text = std::str::from_utf8(bytes).map_err(|_| not_utf8())?;
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                self.fields.clear();
                self.fields.extend(text.split(char::from(self.delimiter)));
                if text.is_empty() {
                    continue;
                }
                return Ok(true);
            }
            // One reader per line, because the crate's own line count is off after empty lines.
            let mut reader = ReaderBuilder::new()
                .has_headers(false)
                .delimiter(self.delimiter)
                .buffer_capacity(self.bytes.len())
                .from_reader(self.bytes.as_slice());
            match reader.read_record(&mut self.fields) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(_) => return Err(not_utf8()),
            }
        }
    }
}

/// Loads a data set from the lines of a file.
pub fn load(path: &Path, file: impl BufRead, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let mut lines = Lines::new(path, file)?;
    if !lines.next()? {
        return bad_data!("{name}: expected one case per line, found an empty file");
    }
    let columns = Columns::of(&name, &lines.fields, selection)?;
    let (mut values, mut labels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut more = !columns.header || lines.next()?;
    while more {
        let Lines { line, fields, .. } = &lines;
        if fields.len() != columns.count {
            return bad_data!(
                "{name}: line {line}: expected {} columns, as in the first line, found {}",
                columns.count,
                fields.len()
            );
        }
        for (column, field) in fields.iter().enumerate() {
            if Some(column) == columns.label {
                labels.push(field.trim().to_string());
                continue;
            }
            let Ok(value) = field.trim().parse() else {
                return bad_data!(
                    "{name}: line {line}, column {}: expected a number, found {:?}; \
                     name a column of classes with ‹label-column›",
                    column + 1,
                    excerpt(field)
                );
            };
            values.push(value);
        }
        numbers.push(*line);
        more = lines.next()?;
    }

    let units = columns.count - usize::from(columns.label.is_some());
    let place = |at: usize| {
        let (case, value) = (at / units, at % units);
        let column = value + 1 + usize::from(columns.label.is_some_and(|label| label <= value));
        format!("{name}: line {}, column {column}", numbers[case])
    };
    let labels = columns.label.map(|_| labels);
    let table = Table { values: Values::Floats(values), labels, weights: None, place: Box::new(place) };
    numbers::dataset(&name, (units, None), table, None, selection)
}

/// The columns, according to the first line.
struct Columns {
    count: usize,
    label: Option<usize>,
    /// Whether the first line names the columns.
    header: bool,
}

impl Columns {
    fn of(name: &str, first: &StringRecord, selection: &Selection) -> Result<Self> {
        let count = first.len();
        let named = |wanted: &str| first.iter().position(|field| field.trim() == wanted);
        let label = match &selection.label_column {
            None => first.iter().position(|field| field.trim().eq_ignore_ascii_case(LABEL)),
            Some(wanted) => match (named(wanted), wanted.parse::<usize>()) {
                (Some(column), _) => Some(column),
                (None, Ok(number)) if (1..=count).contains(&number) => Some(number - 1),
                _ => {
                    return usage!(
                        "‹label-column› {wanted}: expected a name of the first line of {name}, or a number from 1 to \
                         {count}; the first line begins with {}",
                        list(first.iter().take(4))
                    );
                }
            },
        };
        let is_number = |field: &str| field.trim().parse::<f32>().is_ok();
        let header =
            first.iter().enumerate().any(|(column, field)| Some(column) != label && !is_number(field));
        Ok(Self { count, label, header })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, selection: &Selection) -> String {
        load(Path::new("f"), text.as_bytes(), selection).unwrap_err().to_string()
    }

    #[test]
    fn a_table_is_read_with_its_classes() {
        let selection = Selection { label_column: Some("kind".into()), ..Selection::default() };
        for text in [
            "a,kind,b\n0.5,cat,1\n0,dog,0.25\n",
            "\u{feff}a;kind;b\r\n0.5;cat;1\r\n0; dog ;0.25",
            "\"a\"\tkind\tb\n\n0.5\tcat\t1\n0\tdog\t0.25\n",
        ] {
            let dataset = load(Path::new("f"), text.as_bytes(), &selection).unwrap();
            let values: Vec<f32> = (0..2).flat_map(|row| dataset.train.rows.values(row)).collect();
            assert_eq!(values, [0.5, 1.0, 0.0, 0.25], "{text:?}");
            assert_eq!(
                (dataset.classes, dataset.train.labels),
                (vec!["cat".into(), "dog".into()], Some(vec![0, 1]))
            );
        }
        // A column named label holds the classes; grey levels are bytes; numeric classes keep their order.
        let dataset =
            load(Path::new("f"), "Label,x\n10,255\n9,0\n".as_bytes(), &Selection::default()).unwrap();
        assert_eq!(
            (dataset.classes, dataset.train.labels),
            (vec!["9".into(), "10".into()], Some(vec![1, 0]))
        );
        assert_eq!(dataset.train.rows.values(0).collect::<Vec<_>>(), [1.0]);
        // Neither header nor classes.
        let dataset = load(Path::new("f"), "0,1\n1,1\n".as_bytes(), &Selection::default()).unwrap();
        assert_eq!((dataset.train.rows.len(), dataset.train.labels), (2, None));
        let by_number = Selection { label_column: Some("2".into()), ..Selection::default() };
        let dataset = load(Path::new("f"), "0,x\n1,y\n".as_bytes(), &by_number).unwrap();
        assert_eq!((dataset.train.rows.len(), dataset.classes.len()), (2, 2));
    }

    #[test]
    fn what_is_no_table_of_numbers_is_explained() {
        let plain = Selection::default();
        for (text, expected) in [
            ("", "empty file"),
            ("a,b\n", "0 cases of 2 values"),
            ("1,0\n1,0,1\n", "line 2: expected 2 columns, as in the first line, found 3"),
            ("a,b\n1,0\n\n1,zebra\n", "line 4, column 2: expected a number, found \"zebra\""),
            ("a,b\n1,\n", "line 2, column 2: expected a number, found \"\""),
            ("1,0\n1,inf\n", "line 2, column 2: expected a number, found inf"),
            ("1,0\n-1,0\n", "line 2, column 1: expected a number that is not negative, found -1"),
            ("0.5,0\n0,3.5\n", "line 2, column 2: expected numbers from 0 to 1, found 3.5"),
            ("1,16\n0,3\n", "whole numbers up to 16"),
        ] {
            assert!(message(text, &plain).contains(expected), "{text:?}: {}", message(text, &plain));
        }
        let by_name = Selection { label_column: Some("kind".into()), ..plain.clone() };
        assert!(message("a,b\n1,2\n", &by_name).contains("begins with a, b"));
        let scaled = Selection { divide_by: Some(16.0), ..plain };
        assert!(message("1,17\n", &scaled).contains("column 2: expected numbers from 0 to 16, found 17"));
        let broken = load(Path::new("f"), &b"0,1\n1,\xff\n"[..], &scaled).unwrap_err().to_string();
        assert!(broken.contains("line 2: expected UTF-8"), "{broken}");
    }
}
