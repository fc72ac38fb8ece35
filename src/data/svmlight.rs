//! Files of SVMlight and LIBSVM: a case on each line, as `label index:value index:value …`. What is not given is 0.

use std::{
    collections::BTreeSet,
    io::{BufRead, Read},
    path::Path,
};

use super::{
    Dataset, Selection,
    numbers::{self, Places, Table, Values},
    sparse::{self, MOST_COLUMNS},
};
use crate::{
    error::{Error, Result, bad_data, excerpt},
    units::Kinds,
};

/// The most bytes of a line.
const LONGEST_LINE: u64 = 16 << 20;
/// More labels than this are no classes.
const MOST_CLASSES: usize = 256;

/// The lines of a file.
#[derive(Default)]
struct Lines {
    /// The first entry of each case, and the number of entries, last.
    starts: Vec<usize>,
    /// Indices as in the file, which rise in each case.
    indices: Vec<u32>,
    values: Vec<f32>,
    /// Labels of the cases; none, if no case has one.
    labels: Vec<String>,
    /// Numbers of the lines, from 1.
    numbers: Vec<u64>,
    has_queries: bool,
    /// The first index that a comment names, as scikit-learn writes it.
    first: Option<u32>,
}

/// Loads a data set from the lines of a file.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] say which line, what was expected and what was found.
pub fn load(path: &Path, file: impl BufRead, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let Lines { starts, indices, values, labels, numbers, has_queries, first: named } = lines(path, file)?;
    let least = indices.iter().copied().min();
    let first = selection.first_index.or(named).unwrap_or(if least == Some(0) { 0 } else { 1 });
    if least < Some(first) && least.is_some() {
        let entry = indices.iter().position(|&index| index < first).unwrap_or(0);
        let line = numbers[starts.partition_point(|&start| start <= entry) - 1];
        return bad_data!(
            "{name}: line {line}: expected indices from {first}, found {}; set ‹first-index=0›",
            indices[entry]
        );
    }
    let columns: Vec<u32> = indices.iter().map(|index| index - first).collect();
    let found = columns.iter().max().map_or(0, |&column| column as usize + 1);
    let (rows, entries) = (numbers.len(), columns.len());
    let units = selection.visible.as_ref().and_then(Kinds::units).map_or(found, |units| units.max(found));
    let mut notes = vec![sparse::note("sparse rows", entries, rows, units)];
    notes.push(match (selection.first_index, named, first) {
        (None, None, 1) => {
            "indices begin at 1, as 0 does not occur; if they begin at 0, set ‹first-index=0›".into()
        }
        (None, None, _) => "indices begin at 0, which occurs".into(),
        (Some(_), ..) => format!("indices begin at {first}, as ‹first-index› says"),
        _ => format!("indices begin at {first}, as a comment says"),
    });
    if found < units {
        notes.push(format!("only the first {found} of {units} columns have numbers"));
    }
    if has_queries {
        notes.push("query numbers (qid) are not used".into());
    }
    let different = labels.iter().collect::<BTreeSet<_>>().len();
    let are_classes = !labels.is_empty() && different <= MOST_CLASSES;
    if different > MOST_CLASSES {
        notes.push(format!(
            "the labels are {different} different ones, more than {MOST_CLASSES} classes: not used"
        ));
    }
    let places = Places { starts, columns };
    let place = |at: usize| {
        let (row, column) = places.of(at);
        format!("{name}: line {}, index {}", numbers[row], column + first as usize)
    };
    let labels = are_classes.then_some(labels);
    let table = Table {
        values: Values::Floats(values),
        labels,
        weights: None,
        place: Box::new(place),
        column: Box::new(numbers::column),
    };
    let dataset = numbers::sparse_dataset(&name, units, (table, &places), selection)?;
    Ok(Dataset { notes, ..dataset })
}

fn lines(path: &Path, mut file: impl BufRead) -> Result<Lines> {
    let name = path.display();
    let mut all = Lines { starts: vec![0], ..Lines::default() };
    let (mut bytes, mut number, mut entries) = (Vec::new(), 0, Vec::new());
    loop {
        bytes.clear();
        let read =
            file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(Error::read(path))?;
        number += 1;
        if read == 0 {
            return Ok(all);
        }
        if read as u64 == LONGEST_LINE {
            return bad_data!(
                "{name}: line {number}: expected less than {} MiB, found more",
                LONGEST_LINE >> 20
            );
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return bad_data!("{name}: line {number}: expected UTF-8, found other bytes");
        };
        let (text, comment) = text.split_once('#').unwrap_or((text, ""));
        all.first = match () {
            () if comment.contains("indices are zero-based") => Some(0),
            () if comment.contains("indices are one-based") => Some(1),
            () => all.first,
        };
        let mut words = text.trim_start_matches('\u{feff}').split_ascii_whitespace().peekable();
        let Some(&label) = words.peek() else { continue };
        let has_label = !label.contains(':');
        if has_label {
            all.labels.push(class(label));
            words.next();
        }
        all.numbers.push(number);
        let labelled = if has_label { all.numbers.len() } else { 0 };
        if all.labels.len() != labelled {
            return bad_data!(
                "{name}: line {number}: expected a label on each line, as in 1 5:0.5 9:1, or on none, found {:?}",
                excerpt(label)
            );
        }
        entries.clear();
        for word in words {
            let entry = word.split_once(':');
            if entry.is_some_and(|(key, _)| key == "qid") {
                all.has_queries = true;
                continue;
            }
            let entry = entry
                .and_then(|(index, value)| Some((index.parse::<u32>().ok()?, value.parse::<f32>().ok()?)));
            let Some((index, value)) = entry.filter(|&(index, _)| index as usize <= MOST_COLUMNS) else {
                return bad_data!(
                    "{name}: line {number}: expected index:value, as 5:0.5, with an index from 0 to {MOST_COLUMNS}, found {:?}",
                    excerpt(word)
                );
            };
            entries.push((index, value));
        }
        entries.sort_by_key(|&(index, _)| index);
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return bad_data!("{name}: line {number}: expected each index once, found {} again", pair[0].0);
        }
        all.indices.extend(entries.iter().map(|&(index, _)| index));
        all.values.extend(entries.iter().map(|&(_, value)| value));
        all.starts.push(all.indices.len());
    }
}

/// The name of a class: +1 and 1.0 are 1.
fn class(label: &str) -> String {
    match label.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        _ => label.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, selection: &Selection) -> Result<Dataset> {
        load(Path::new("f"), text.as_bytes(), selection)
    }

    fn values(dataset: &Dataset) -> Vec<Vec<f32>> {
        (0..dataset.train.rows.len()).map(|row| dataset.train.rows.values(row).collect()).collect()
    }

    #[test]
    fn lines_are_read_with_their_classes() {
        let plain = Selection::default();
        let from = |first| Selection { first_index: Some(first), ..Selection::default() };
        let rows = [vec![0.0, 1.0, 0.5], vec![0.0; 3], vec![1.0, 0.0, 0.0]];
        for (text, selection, classes, note) in [
            ("+1 2:1 3:0.5\n-1\n1 1:1\n", &plain, vec!["-1", "1"], "begin at 1, as 0 does not occur"),
            ("# a comment\n\na 2:.5 1:1 # more\r\nb\r\na 0:1.0", &plain, vec!["a", "b"], "begin at 0, which"),
            ("2 qid:1 1:1 2:0.5\n3 qid:2\n2 qid:2 0:1\n", &plain, vec!["2", "3"], "(qid) are not used"),
            ("2:1 3:0.5\n1:0\n1:1\n", &plain, vec![], "begin at 1"),
            (
                "# Column indices are zero-based\n1 1:1 2:5e-1\n0\n1 0:1\n",
                &plain,
                vec!["0", "1"],
                "as a comment says",
            ),
            ("0 1:1 2:0.5\n7\n0 0:1\n", &from(0), vec!["0", "7"], "begin at 0, as ‹first-index› says"),
        ] {
            let dataset = read(text, selection).unwrap();
            assert_eq!(values(&dataset), rows, "{text:?}");
            assert_eq!(dataset.classes, classes, "{text:?}");
            assert!(dataset.notes.join("; ").contains(note), "{note:?} in {:?}", dataset.notes);
        }
        // What a file does not say: that it begins with index 0, and ends with index 3.
        let wide = Selection { visible: Some("2 binary, 2 binary".parse().unwrap()), ..from(0) };
        let dataset = read("1 2:1\n", &wide).unwrap();
        assert_eq!(values(&dataset), [[0.0, 0.0, 1.0, 0.0]]);
        assert!(dataset.notes.join("; ").contains("only the first 3 of 4 columns"), "{:?}", dataset.notes);
        let targets: String = (0..300).map(|row| format!("{row}.5 1:1\n")).collect();
        let dataset = read(&targets, &plain).unwrap();
        assert!(dataset.train.labels.is_none() && dataset.notes.join("; ").contains("300 different"));
    }

    #[test]
    fn what_is_no_sparse_row_is_explained() {
        let plain = Selection::default();
        for (text, expected) in [
            ("", "0 cases of 0 values"),
            ("1\n", "1 cases of 0 values"),
            ("1 2\n", "line 1: expected index:value, as 5:0.5, with an index from 0 to 4194304, found \"2\""),
            ("1 2:\n", "found \"2:\""),
            ("1 -1:1\n", "found \"-1:1\""),
            ("1 1:1\n1 4294967297:1\n", "line 2: expected index:value"),
            ("1 4194305:1\n", "from 0 to 4194304"),
            ("1 3:1 3:1\n", "line 1: expected each index once, found 3 again"),
            ("1 3:1\n3:1\n", "line 2: expected a label on each line"),
            ("3:1\n1 3:1\n", "line 2: expected a label on each line"),
            ("1 1:inf\n", "line 1, index 1: expected a number, found inf"),
            ("1 1:0\n\n1 2:1 7:-3\n", "line 3, index 7: expected a number that is not negative, found -3"),
            ("1 1:16\n", "whole numbers up to 16"),
        ] {
            let message = read(text, &plain).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        let one = Selection { first_index: Some(1), ..plain };
        let message = read("1 5:1\n1 0:1\n", &one).unwrap_err().to_string();
        assert!(message.contains("line 2: expected indices from 1, found 0"), "{message}");
        let broken = load(Path::new("f"), &b"1 1:1\n1 \xff:1\n"[..], &one).unwrap_err().to_string();
        assert!(broken.contains("line 2: expected UTF-8"), "{broken}");
    }
}
