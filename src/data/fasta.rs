//! FASTA files of aligned sequences: a header line that begins with `>`, then the sequence, on one line or several.
//! A2M and A3M files are FASTA files whose lower-case letters and dots are insertions.

use std::{
    io::{BufRead, Read},
    path::Path,
};

use crate::error::{Error, Result, bad_data, excerpt};

/// The most bytes of a line.
const LONGEST_LINE: u64 = 16 << 20;

/// Sequences as they are in the file: letters of both cases, `-`, `.` and `*`.
pub(super) struct Sequences {
    /// One after another.
    pub letters: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<usize>,
}

impl Sequences {
    /// Iterates over the sequences.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.letters[start..end])
    }
}

/// Reads the next line into `line`. Returns whether there was one.
///
/// # Errors
/// [`Error::Read`], or [`Error::Data`] for a line that is too long.
pub(super) fn next_line(
    path: &Path,
    file: &mut impl BufRead,
    (line, number): (&mut Vec<u8>, &mut u64),
) -> Result<bool> {
    line.clear();
    let read = file.by_ref().take(LONGEST_LINE).read_until(b'\n', line).map_err(Error::read(path))?;
    *number += 1;
    if read as u64 == LONGEST_LINE {
        let (name, most) = (path.display(), LONGEST_LINE >> 20);
        return bad_data!("{name}: line {number}: expected less than {most} MiB, found more");
    }
    Ok(read > 0)
}

/// Appends the letters of a line. Gaps of other programs, `_` and `~`, become `-`.
///
/// # Errors
/// [`Error::Data`] for anything else.
pub(super) fn append(path: &Path, number: u64, text: &[u8], letters: &mut Vec<u8>) -> Result<()> {
    let is_known = |letter: &u8| letter.is_ascii_alphabetic() || b"-.*_~".contains(letter);
    if !text.iter().all(is_known) {
        let found = excerpt(&String::from_utf8_lossy(text));
        return bad_data!("{}: line {number}: expected letters, - or ., found {found:?}", path.display());
    }
    letters.extend(text.iter().map(|&letter| if b"_~".contains(&letter) { b'-' } else { letter }));
    Ok(())
}

/// Reads the sequences of a file.
pub(super) fn read(path: &Path, file: &mut impl BufRead) -> Result<Sequences> {
    let name = path.display();
    let (mut letters, mut ends) = (Vec::new(), Vec::new());
    let (mut line, mut number, mut began) = (Vec::new(), 0, false);
    while next_line(path, file, (&mut line, &mut number))? {
        let text = line.trim_ascii();
        if text.first() == Some(&b'>') {
            ends.extend(began.then_some(letters.len()));
            began = true;
            continue;
        }
        // A semicolon begins a comment in the oldest files.
        if text.is_empty() || text[0] == b';' {
            continue;
        }
        if !began {
            return bad_data!(
                "{name}: line {number}: expected a header that begins with >, found {:?}",
                excerpt(&String::from_utf8_lossy(text))
            );
        }
        append(path, number, text, &mut letters)?;
    }
    if !began {
        return bad_data!("{name}: expected sequences, each after a header that begins with >, found none");
    }
    ends.push(letters.len());
    Ok(Sequences { letters, ends })
}

/// Writes sequences, numbered from 1.
pub fn write(mut out: impl std::io::Write, sequences: &[String]) -> std::io::Result<()> {
    for (number, sequence) in (1..).zip(sequences) {
        writeln!(out, ">{number}\n{sequence}")?;
    }
    out.flush()
}
