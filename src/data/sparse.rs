//! Sparse matrices in an `.npz` file, as `scipy.sparse.save_npz` writes them: a row is a case, and what is not given is 0.

use std::io::{Read, Seek};

use super::{
    Dataset, Selection,
    npy::{Archive, Array, Values},
    numbers::{self, Places, Table},
};
use crate::error::{Result, bad_data, excerpt};

/// The most columns of sparse rows: a few numbers in a file may name any column, and a model has units for all.
pub(super) const MOST_COLUMNS: usize = 1 << 22;
/// More rows than this need entries: at least one for [`EMPTY_ROWS`] rows.
const MOST_ROWS: usize = 1 << 20;
const EMPTY_ROWS: usize = 64;

/// Whether arrays with these names are a sparse matrix.
pub(super) fn is_sparse(names: &[String]) -> bool {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    ["format", "shape", "data"].into_iter().all(has)
        && ["indptr", "row", "coords", "offsets"].into_iter().any(has)
}

/// Numbers and their places, in any order.
struct Entries {
    rows: Vec<u32>,
    columns: Vec<u32>,
    values: Values,
}

/// A data set from a sparse matrix.
///
/// # Errors
/// [`crate::Error::Data`] says what was expected and found.
pub(super) fn load<F: Read + Seek>(archive: &mut Archive<F>, selection: &Selection) -> Result<Dataset> {
    let name = archive.name().to_string();
    let format = archive.text("format")?;
    if !["csr", "csc", "coo", "bsr"].contains(&format.as_str()) {
        return bad_data!(
            "{name}: expected a sparse matrix in the format csr, csc, coo or bsr, found {:?}; convert it with .tocsr() \
             before it is saved",
            excerpt(&format)
        );
    }
    let shape = archive.indices("shape")?;
    let [rows, units] = shape[..] else {
        return bad_data!("{name}: expected a shape of cases × values, found {} sizes", shape.len());
    };
    let (rows, units) = (rows as usize, units as usize);
    if units > MOST_COLUMNS {
        return bad_data!("{name}: expected at most {MOST_COLUMNS} columns, found {units}");
    }
    let entries = match format.as_str() {
        "coo" => coordinates(&name, archive)?,
        format => compressed(&name, archive, format, (rows, units))?,
    };
    let count = entries.columns.len();
    if rows > MOST_ROWS.max(count.saturating_mul(EMPTY_ROWS)) {
        return bad_data!(
            "{name}: expected at most {MOST_ROWS} rows, or at least a number in each {EMPTY_ROWS} rows, found {rows} rows \
             with {count} numbers; leave out rows that are 0"
        );
    }
    let Entries { rows: of_rows, columns, .. } = &entries;
    let is_outside = |entry: &usize| of_rows[*entry] as usize >= rows || columns[*entry] as usize >= units;
    if let Some(entry) = (0..count).find(is_outside) {
        return bad_data!(
            "{name}: number {entry}: expected a place in {rows} rows and {units} columns, found row {}, column {}",
            of_rows[entry],
            columns[entry]
        );
    }
    let (places, values) = in_order(&name, entries, rows)?;
    let place = |at: usize| {
        let (row, column) = places.of(at);
        format!("{name}: case {row}, value {column}")
    };
    let table = Table {
        values,
        labels: None,
        weights: None,
        place: Box::new(place),
        column: Box::new(numbers::column),
    };
    let dataset = numbers::sparse_dataset(&name, units, (table, &places), selection)?;
    Ok(Dataset { notes: vec![note(&format!("a sparse {format} matrix"), count, rows, units)], ..dataset })
}

/// How sparse rows were read.
pub(super) fn note(what: &str, entries: usize, rows: usize, units: usize) -> String {
    let share = 100.0 * entries as f64 / (rows as f64 * units as f64);
    format!("{what}: {entries} numbers are given, {share:.3} % of all; the others are 0")
}

/// The entries of a matrix in COO format.
fn coordinates<F: Read + Seek>(name: &str, archive: &mut Archive<F>) -> Result<Entries> {
    let (rows, columns) = match archive.names.iter().any(|name| name == "coords") {
        false => (archive.indices("row")?, archive.indices("col")?),
        true => {
            let mut rows = archive.indices("coords")?;
            let columns = rows.split_off(rows.len() / 2);
            (rows, columns)
        }
    };
    let values = archive.array("data")?.values;
    if rows.len() != columns.len() || rows.len() != values.len() {
        return bad_data!(
            "{name}: expected a row and a column for each number, found {} rows, {} columns and {} numbers",
            rows.len(),
            columns.len(),
            values.len()
        );
    }
    Ok(Entries { rows, columns, values })
}

/// The entries of a matrix in CSR, CSC or BSR format: indices of each row, of each column, or of each row of blocks.
fn compressed<F: Read + Seek>(
    name: &str,
    archive: &mut Archive<F>,
    format: &str,
    (rows, units): (usize, usize),
) -> Result<Entries> {
    let starts = archive.indices("indptr")?;
    let indices = archive.indices("indices")?;
    let Array { shape, values } = archive.array("data")?;
    let (height, width) = match shape[..] {
        [_, height, width] if format == "bsr" && height > 0 && width > 0 => (height, width),
        [_] if format != "bsr" => (1, 1),
        _ => {
            return bad_data!(
                "{name}: data: expected numbers of a {format} matrix, found the shape {shape:?}"
            );
        }
    };
    let lines = if format == "csc" { units } else { rows };
    if starts.len() != lines.div_ceil(height) + 1 {
        return bad_data!(
            "{name}: indptr: expected {} numbers for {rows} × {units} values, found {}",
            lines.div_ceil(height) + 1,
            starts.len()
        );
    }
    if starts[0] != 0 || !starts.is_sorted() || starts[starts.len() - 1] as usize != indices.len() {
        return bad_data!(
            "{name}: indptr: expected numbers that rise from 0 to {}, the number of indices, found others",
            indices.len()
        );
    }
    if shape[0] != indices.len() {
        return bad_data!(
            "{name}: expected a number for each index, found {} for {}",
            shape[0],
            indices.len()
        );
    }
    let lines: Vec<u32> =
        (0..).zip(starts.windows(2)).flat_map(|(line, of)| (of[0]..of[1]).map(move |_| line)).collect();
    let (rows, columns) = match format {
        "csc" => (indices, lines),
        "bsr" => {
            // The first row and column of each block, and the places in it.
            let (height, width) = (height as u32, width as u32);
            let places = || (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
            let blocks = lines.iter().zip(&indices);
            let all = blocks.flat_map(|(&line, &index)| {
                let at = |first: u32, size: u32, place: u32| first.saturating_mul(size).saturating_add(place);
                places().map(move |(row, column)| (at(line, height, row), at(index, width, column)))
            });
            all.unzip()
        }
        _ => (lines, indices),
    };
    Ok(Entries { rows, columns, values })
}

/// Sorts entries by their rows and columns.
fn in_order(name: &str, entries: Entries, rows: usize) -> Result<(Places, Values)> {
    let Entries { rows: of_rows, mut columns, mut values } = entries;
    let place = |entry: usize| (of_rows[entry], columns[entry]);
    let mut order: Vec<usize> = Vec::new();
    if !(1..columns.len()).all(|entry| place(entry - 1) < place(entry)) {
        order.extend(0..columns.len());
        order.sort_unstable_by_key(|&entry| place(entry));
        if let Some(pair) = order.windows(2).find(|pair| place(pair[0]) == place(pair[1])) {
            let (row, column) = place(pair[0]);
            return bad_data!(
                "{name}: case {row}, value {column}: expected one number, found more; add them with .sum_duplicates() \
                 before the matrix is saved"
            );
        }
    }
    let mut starts = vec![0; rows + 1];
    of_rows.iter().for_each(|&row| starts[row as usize + 1] += 1);
    (0..rows).for_each(|row| starts[row + 1] += starts[row]);
    if !order.is_empty() {
        columns = order.iter().map(|&entry| columns[entry]).collect();
        values = match values {
            Values::Bytes(values) => Values::Bytes(order.iter().map(|&entry| values[entry]).collect()),
            Values::Floats(values) => Values::Floats(order.iter().map(|&entry| values[entry]).collect()),
        };
    }
    Ok((Places { starts, columns }, values))
}
