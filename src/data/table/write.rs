//! Tables as other programs read them: names, then a line a case.

use std::io::{self, Write};

use crate::{
    data::Encoding,
    units::{Kind, Place},
};

/// Writes rows of numbers of the file ([`Encoding::decode`]) with the columns' names and words. A binary unit that is neither 0
/// nor 1 is a probability, and stays a number; NaN is an empty cell. Columns without a name are v1, v2, ….
///
/// # Errors
/// Those of `out`.
pub fn write(out: impl Write, encoding: &Encoding, values: &[f32]) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    let units = encoding.file_columns();
    let name = |unit: usize| {
        encoding.columns.get(unit).map_or_else(|| format!("v{}", unit + 1), |one| one.name.clone())
    };
    out.write_record((0..units).map(name))?;
    let letters: Vec<String> =
        encoding.letters.iter().flat_map(|text| text.chars()).map(String::from).collect();
    let places: Vec<Place> = encoding.layer.places().collect();
    for row in values.chunks(units) {
        let cells = row.iter().zip(&places).enumerate().map(|(unit, (&x, place))| {
            let words = encoding.columns.get(unit).map_or(&letters[..], |column| &column.words);
            let is_state =
                matches!(place.kind, Kind::Potts { .. } | Kind::Binary) && x >= 0.0 && x.fract() == 0.0;
            match words.get(x as usize).filter(|_| is_state) {
                _ if x.is_nan() => String::new(),
                Some(word) => word.clone(),
                None => x.to_string(),
            }
        });
        out.write_record(cells)?;
    }
    out.flush()
}

/// Writes rows of numbers, whose columns are called by a letter and their number from 1.
///
/// # Errors
/// Those of `out`.
pub fn write_numbers(out: impl Write, letter: &str, columns: usize, values: &[f32]) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record((1..=columns).map(|number| format!("{letter}{number}")))?;
    for row in values.chunks(columns) {
        out.write_record(row.iter().map(f32::to_string))?;
    }
    out.flush()
}
