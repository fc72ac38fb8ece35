//! Stockholm files of Pfam, Rfam, HMMER and Infernal: an alignment in blocks of lines, each a name and a part of its sequence.

use std::{collections::HashMap, io::BufRead, path::Path};

use super::fasta::{Sequences, append, next_line};
use crate::error::{Result, bad_data, excerpt};

/// How a file begins.
pub const HEADER: &[u8] = b"# STOCKHOLM";
/// Before the line of the consensus: a gap there is a column of insertions.
const REFERENCE: &[u8] = b"#=GC RF";

/// An alignment, and which of its columns are match columns, if it says so.
pub(super) struct Alignment {
    pub sequences: Sequences,
    pub matches: Option<Vec<bool>>,
}

/// Reads the alignment of a file.
///
/// # Errors
/// [`crate::Error::Data`] for a file that is cut off, or has several alignments.
pub(super) fn read(path: &Path, file: &mut impl BufRead) -> Result<Alignment> {
    let name = path.display();
    let (mut line, mut number) = (Vec::new(), 0);
    let (mut names, mut rows) = (HashMap::<Vec<u8>, usize>::new(), Vec::<Vec<u8>>::new());
    let (mut reference, mut began, mut ended) = (Vec::new(), false, false);
    while next_line(path, file, (&mut line, &mut number))? {
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let found = || excerpt(&String::from_utf8_lossy(text));
        if ended {
            return bad_data!(
                "{name}: line {number}: expected one alignment, which ends with //, found {:?} after it; write each \
                 alignment to a file of its own",
                found()
            );
        }
        match text {
            _ if !began => {
                if !text.starts_with(HEADER) {
                    return bad_data!("{name}: line {number}: expected # STOCKHOLM 1.0, found {:?}", found());
                }
                began = true;
            }
            b"//" => ended = true,
            [b'#', ..] => {
                if let Some(columns) = text
                    .strip_prefix(REFERENCE)
                    .filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
                {
                    reference.extend_from_slice(columns.trim_ascii());
                }
            }
            _ => {
                let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                let (Some(label), Some(part), None) = (words.next(), words.next(), words.next()) else {
                    return bad_data!(
                        "{name}: line {number}: expected a name and a part of its sequence, found {:?}",
                        found()
                    );
                };
                let row = match names.get(label) {
                    Some(&row) => row,
                    None => {
                        names.insert(label.to_vec(), rows.len());
                        rows.push(Vec::new());
                        rows.len() - 1
                    }
                };
                append(path, number, part, &mut rows[row])?;
            }
        }
    }
    if !ended {
        return match began {
            true => bad_data!("{name}: expected // at the end, found none: the file is cut off"),
            false => bad_data!("{name}: expected # STOCKHOLM 1.0, found nothing"),
        };
    }
    let Some(columns) = rows.first().map(Vec::len) else {
        return bad_data!("{name}: expected sequences, found none");
    };
    let reference_is_whole = reference.is_empty() || reference.len() == columns;
    if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != columns) {
        return bad_data!(
            "{name}: sequence {}: expected {columns} columns, as in the first, found {}",
            at + 1,
            row.len()
        );
    }
    if !reference_is_whole {
        return bad_data!(
            "{name}: #=GC RF: expected {columns} columns, as the sequences have, found {}",
            reference.len()
        );
    }
    let matches =
        (!reference.is_empty()).then(|| reference.iter().map(|column| !b".-_~".contains(column)).collect());
    let ends = (1..=rows.len()).map(|row| row * columns).collect();
    Ok(Alignment { sequences: Sequences { letters: rows.concat(), ends }, matches })
}
