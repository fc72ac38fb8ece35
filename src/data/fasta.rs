//! FASTA files of aligned sequences: a header line that begins with `>`, then the sequence, on one line or several. Each site is a
//! Potts unit, whose states are the letters of an alphabet.

use std::{
    collections::BTreeMap,
    io::{BufRead, Read},
    path::Path,
};

use super::{Dataset, Encoding, Rows, Selection};
use crate::{
    error::{Error, Result, bad_data, excerpt, usage},
    units::Kind,
};

/// The gap: a letter of every known alphabet, and of sites whose letter is unknown.
const GAP: char = '-';
/// Amino acids, RNA and DNA, each with the gap last.
const PROTEIN: &str = "ACDEFGHIKLMNPQRSTVWY-";
const RNA: &str = "ACGU-";
const DNA: &str = "ACGT-";
/// The most bytes of a line.
const LONGEST_LINE: u64 = 16 << 20;

/// Sequences as they are in the file.
struct Sequences {
    /// In upper case, one after another, with gaps as `-`.
    letters: Vec<u8>,
    /// Letters of each.
    length: usize,
}

/// Loads the sequences of a file as training cases: the number of each site's letter in the alphabet.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] say what was expected and found; [`Error::Usage`] for an
/// alphabet with fewer than two letters, or with one twice.
pub fn load(path: &Path, file: impl BufRead, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let Sequences { letters, length } = sequences(path, file)?;
    let mut counts = BTreeMap::new();
    letters.iter().for_each(|&letter| *counts.entry(char::from(letter)).or_insert(0_usize) += 1);
    let alphabet = match &selection.alphabet {
        Some(alphabet) => given(alphabet)?,
        None => guessed(&counts).to_string(),
    };
    let gap = alphabet.find(GAP);
    let mut numbers = [f32::NAN; 256];
    let mut unknown = Vec::new();
    for (&letter, count) in &counts {
        let number = alphabet.find(letter).or_else(|| {
            unknown.push(format!("{letter} {count}"));
            gap
        });
        let Some(number) = number else {
            return bad_data!(
                "{name}: expected letters of {alphabet}, found {letter:?} {count} times; name all letters with \
                 ‹alphabet›, or add - to it for unknown ones"
            );
        };
        numbers[letter as usize] = number as f32;
    }
    let values: Vec<f32> = letters.iter().map(|&letter| numbers[usize::from(letter)]).collect();
    let kind = Kind::Potts { states: alphabet.len() as u32 };
    let mut notes = vec![format!("letters {alphabet}; lower case is read as upper case, and . as a gap")];
    if !unknown.is_empty() {
        notes.push(format!("unknown letters, read as gaps: {}", unknown.join(", ")));
    }
    let encoding = Encoding { letters: Some(alphabet), ..Encoding::of(kind, length) };
    Ok(Dataset { encoding, notes, ..Dataset::new((1, length), Rows::from_values(length, &values)) })
}

/// The alphabet that the letters are of.
fn guessed(counts: &BTreeMap<char, usize>) -> &'static str {
    // N is any nucleotide.
    let are_of = |alphabet: &str| counts.keys().all(|&letter| alphabet.contains(letter) || letter == 'N');
    match (are_of(RNA), are_of(DNA)) {
        (true, _) if counts.contains_key(&'U') => RNA,
        (_, true) => DNA,
        _ => PROTEIN,
    }
}

/// Checks an alphabet.
fn given(text: &str) -> Result<String> {
    let alphabet = text.to_ascii_uppercase();
    let is_new = |(at, letter): (usize, char)| !alphabet[..at].contains(letter);
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == GAP;
    if alphabet.len() < 2 || !alphabet.chars().all(is_letter) || !alphabet.char_indices().all(is_new) {
        return usage!("‹alphabet›: expected two or more different letters, - for a gap, found {text:?}");
    }
    Ok(alphabet)
}

fn sequences(path: &Path, mut file: impl BufRead) -> Result<Sequences> {
    let name = path.display();
    let (mut letters, mut length, mut count) = (Vec::new(), None, 0_usize);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    // The letters before the present sequence.
    let mut before = 0;
    let mut end = |count: usize, letters: &[u8], before: usize| -> Result<()> {
        let found = letters.len() - before;
        let expected = *length.get_or_insert(found);
        if found == expected && found > 0 {
            return Ok(());
        }
        bad_data!(
            "{name}: sequence {count}: expected {} letters, as aligned sequences have, found {found}; align them first",
            if expected == 0 { "some".into() } else { expected.to_string() }
        )
    };
    loop {
        line.clear();
        let read =
            file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(Error::read(path))?;
        number += 1;
        if read as u64 == LONGEST_LINE {
            return bad_data!(
                "{name}: line {number}: expected less than {} MiB, found more",
                LONGEST_LINE >> 20
            );
        }
        let text = line.trim_ascii();
        if read == 0 || text.first() == Some(&b'>') {
            if count > 0 {
                end(count, &letters, before)?;
            }
            if read == 0 {
                break;
            }
            (before, count) = (letters.len(), count + 1);
            continue;
        }
        // A semicolon begins a comment in the oldest files.
        if text.is_empty() || text[0] == b';' {
            continue;
        }
        if count == 0 {
            return bad_data!(
                "{name}: line {number}: expected a header that begins with >, found {:?}",
                excerpt(&String::from_utf8_lossy(text))
            );
        }
        for &letter in text {
            letters.push(match letter {
                b'.' | b'-' => b'-',
                b'*' => b'*',
                letter if letter.is_ascii_alphabetic() => letter.to_ascii_uppercase(),
                _ => {
                    return bad_data!(
                        "{name}: line {number}: expected letters, - or ., found {:?}",
                        excerpt(&String::from_utf8_lossy(text))
                    );
                }
            });
        }
    }
    match length {
        Some(length) => Ok(Sequences { letters, length }),
        None => bad_data!("{name}: expected sequences, each after a header that begins with >, found none"),
    }
}

/// Writes sequences, numbered from 1.
pub fn write(mut out: impl std::io::Write, sequences: &[String]) -> std::io::Result<()> {
    for (number, sequence) in (1..).zip(sequences) {
        writeln!(out, ">{number}\n{sequence}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, selection: &Selection) -> Result<Dataset> {
        load(Path::new("f"), text.as_bytes(), selection)
    }

    #[test]
    fn sequences_are_read_by_their_letters() {
        for (text, letters, first, note) in [
            (">a\nACGU-\n>b\nuuuu.\n", RNA, [0.0, 1.0, 2.0, 3.0, 4.0], "letters ACGU-"),
            (">>a more\r\nAC\r\nGTN\r\n\r\n>b\r\nAAAAA", DNA, [0.0, 1.0, 2.0, 3.0, 4.0], "N 1"),
            (">a\nWYX-*\n>b\nACDEF\n", PROTEIN, [18.0, 19.0, 20.0, 20.0, 20.0], "* 1, X 1"),
        ] {
            let dataset = read(text, &Selection::default()).unwrap();
            assert_eq!(dataset.encoding.letters.as_deref(), Some(letters));
            assert_eq!(dataset.train.rows.values(0).collect::<Vec<_>>(), first, "{text:?}");
            assert_eq!(dataset.train.rows.len(), 2);
            assert!(dataset.notes.join("; ").contains(note), "{:?}", dataset.notes);
        }
        let selection = Selection { alphabet: Some("-HPab".into()), ..Selection::default() };
        let dataset = read(">x\nHPAB-\n", &selection).unwrap();
        assert_eq!(dataset.train.rows.values(0).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0, 0.0]);
        let mut written = Vec::new();
        let values: Vec<f32> = dataset.train.rows.values(0).collect();
        write(&mut written, &dataset.encoding.spelled(&values).unwrap()).unwrap();
        assert_eq!(written, b">1\nHPAB-\n");
    }

    #[test]
    fn what_is_no_alignment_is_explained() {
        let plain = Selection::default();
        for (text, expected) in [
            ("", "found none"),
            ("ACGU\n", "line 1: expected a header that begins with >, found \"ACGU\""),
            (">a\nACGU\n>b\nACG\n", "sequence 2: expected 4 letters, as aligned sequences have, found 3"),
            (">a\n>b\nACG\n", "sequence 1: expected some letters"),
            (">a\nAC 1\n", "line 2: expected letters"),
        ] {
            let message = read(text, &plain).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        let with = |alphabet: &str| Selection { alphabet: Some(alphabet.into()), ..Selection::default() };
        for (alphabet, expected) in
            [("A", "two or more"), ("AAC", "two or more"), ("A1", "two or more"), ("AC", "found 'G' 1 times")]
        {
            let message = read(">a\nACG\n", &with(alphabet)).unwrap_err().to_string();
            assert!(message.contains(expected), "{alphabet}: {message}");
        }
    }
}
