//! Alignments of sequences: FASTA, A2M and Stockholm files. Each site is a Potts unit, whose states are the letters of an
//! alphabet.
//!
//! Columns of insertions are dropped where the file says which they are, then letters get their numbers, then sequences are
//! dropped that the options say. The notes of the data set name each step that changed something, with counts.

use std::{
    collections::{BTreeMap, HashSet},
    io::BufRead,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Dataset, Encoding, Rows, Selection,
    alphabet::{self, GAP},
    fasta::{self, Sequences},
    stockholm::{self, Alignment},
};
use crate::{
    error::{Error, Result, bad_data},
    units::Kind,
};

/// Whether something of an alignment is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they say it all")]
pub enum Keep {
    Keep,
    Drop,
}

/// What becomes of letters that the alphabet does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum UnknownLetters {
    /// They are read as gaps.
    Gap,
    /// Their sequences are dropped.
    Drop,
    /// The file is refused.
    Refuse,
}

/// The format of an alignment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// FASTA with aligned sequences; lower case and dots are letters and gaps like others.
    Fasta,
    /// FASTA whose lower-case letters and dots are insertions.
    A2m,
    /// Stockholm.
    Stockholm,
}

impl Form {
    /// The format of a file whose name ends in this.
    pub fn of(extension: &str) -> Option<Self> {
        match extension {
            "fasta" | "fa" | "faa" | "fna" | "afa" => Some(Self::Fasta),
            "a2m" | "a3m" => Some(Self::A2m),
            "sto" | "stk" | "stockholm" => Some(Self::Stockholm),
            _ => None,
        }
    }
}

/// Loads the sequences of a file as training cases: the number of each site's letter in the alphabet.
///
/// # Errors
/// [`Error::Data`] and [`Error::Read`] say what was expected and found; [`Error::Usage`] for an alphabet with fewer than two
/// letters, or with one twice.
pub fn load(path: &Path, mut file: impl BufRead, form: Form, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let mut notes = Vec::new();
    // What a file is, it says itself.
    let start = file.fill_buf().map_err(Error::read(path))?.trim_ascii_start();
    let form = match form {
        Form::Fasta | Form::A2m if start.starts_with(stockholm::HEADER) => Form::Stockholm,
        Form::Stockholm if start.starts_with(b">") => Form::Fasta,
        form => form,
    };
    let Sequences { letters, ends } = match form {
        Form::Stockholm => matched(&name, stockholm::read(path, &mut file)?, selection.inserts, &mut notes)?,
        Form::Fasta | Form::A2m => {
            let sequences = fasta::read(path, &mut file)?;
            let is_dropped = selection.inserts.map_or(form == Form::A2m, |inserts| inserts == Keep::Drop);
            if is_dropped { without_insertions(&name, sequences, &mut notes)? } else { sequences }
        }
    };
    let length = aligned(&name, &letters, &ends)?;
    let letters = upper(letters, &mut notes);
    let (values, alphabet) = numbers(&name, letters, length, selection, &mut notes)?;
    let values = distinct(values, length, selection.duplicates, &mut notes);
    let kind = Kind::Potts { states: alphabet.len() as u32 };
    let encoding = Encoding { letters: Some(alphabet), ..Encoding::of(kind, length) };
    let values: Vec<f32> = values.into_iter().map(f32::from).collect();
    Ok(Dataset { encoding, notes, ..Dataset::new((1, length), Rows::from_values(length, &values)) })
}

/// The length of aligned sequences.
fn aligned(name: &str, letters: &[u8], ends: &[usize]) -> Result<usize> {
    let (mut start, mut length) = (0, None);
    for (number, &end) in (1..).zip(ends) {
        let found = end - start;
        let expected = *length.get_or_insert(found);
        if found != expected || found == 0 {
            let has_insertions = letters.iter().any(|letter| letter.is_ascii_lowercase());
            return bad_data!(
                "{name}: sequence {number}: expected {} letters, as aligned sequences have, found {found}; align them \
                 first{}",
                if expected == 0 { "some".into() } else { expected.to_string() },
                if has_insertions {
                    ", or drop lower case and dots, if they are insertions, with ‹inserts=drop›"
                } else {
                    ""
                }
            );
        }
        start = end;
    }
    Ok(length.unwrap_or(0))
}

/// Drops lower-case letters and dots.
fn without_insertions(name: &str, sequences: Sequences, notes: &mut Vec<String>) -> Result<Sequences> {
    let is_match = |letter: &u8| !letter.is_ascii_lowercase() && *letter != b'.';
    let (mut letters, mut ends) = (Vec::with_capacity(sequences.letters.len()), Vec::new());
    for sequence in sequences.each() {
        letters.extend(sequence.iter().copied().filter(is_match));
        ends.push(letters.len());
    }
    if letters.is_empty() {
        return bad_data!(
            "{name}: expected match columns, in upper case or -, found only insertions, in lower case or dots; read \
             them as letters and gaps with ‹inserts=keep›"
        );
    }
    let dots = sequences.letters.iter().filter(|&&letter| letter == b'.').count();
    let dropped = sequences.letters.len() - letters.len();
    if dropped > 0 {
        notes.push(format!(
            "insertions are dropped: {} lower-case letters and {dots} dots (‹inserts=keep› reads them as letters and gaps)",
            dropped - dots
        ));
    }
    Ok(Sequences { letters, ends })
}

/// Drops the columns of insertions: those that the file names, or else those that have only lower case and dots.
fn matched(
    name: &str,
    Alignment { sequences, matches }: Alignment,
    inserts: Option<Keep>,
    notes: &mut Vec<String>,
) -> Result<Sequences> {
    let columns = sequences.ends[0];
    if inserts == Some(Keep::Keep) || columns == 0 {
        return Ok(sequences);
    }
    let is_named = matches.is_some();
    let matches = matches.unwrap_or_else(|| {
        let (mut is_insertion, mut has_letter) = (vec![true; columns], vec![false; columns]);
        for sequence in sequences.each() {
            for ((insertion, has_letter), letter) in
                is_insertion.iter_mut().zip(&mut has_letter).zip(sequence)
            {
                *insertion &= letter.is_ascii_lowercase() || *letter == b'.';
                *has_letter |= letter.is_ascii_lowercase();
            }
        }
        is_insertion.iter().zip(has_letter).map(|(&insertion, letter)| !(insertion && letter)).collect()
    });
    let kept = matches.iter().filter(|&&is_match| is_match).count();
    if kept == columns {
        return Ok(sequences);
    }
    let rule = if is_named { "gaps of #=GC RF" } else { "only lower case and dots" };
    if kept == 0 {
        // A file that is in lower case has no insertions.
        return match is_named || inserts == Some(Keep::Drop) {
            true => bad_data!(
                "{name}: expected match columns, found only columns of insertions ({rule}); keep all with ‹inserts=keep›"
            ),
            false => Ok(sequences),
        };
    }
    notes.push(format!(
        "{kept} match columns of {columns}: {} columns of insertions are dropped ({rule}; ‹inserts=keep› keeps them)",
        columns - kept
    ));
    let letters: Vec<u8> = sequences
        .each()
        .flat_map(|row| {
            row.iter().zip(&matches).filter(|(_, is_match)| **is_match).map(|(&letter, _)| letter)
        })
        .collect();
    let ends = (1..=sequences.ends.len()).map(|row| row * kept).collect();
    Ok(Sequences { letters, ends })
}

/// Upper case, and gaps as `-`.
fn upper(mut letters: Vec<u8>, notes: &mut Vec<String>) -> Vec<u8> {
    let lower = letters.iter().filter(|letter| letter.is_ascii_lowercase()).count();
    let dots = letters.iter().filter(|&&letter| letter == b'.').count();
    letters.make_ascii_uppercase();
    letters.iter_mut().filter(|letter| **letter == b'.').for_each(|letter| *letter = GAP as u8);
    if lower > 0 {
        notes.push(format!("{lower} lower-case letters are read as upper case"));
    }
    if dots > 0 {
        notes.push(format!("{dots} dots are read as gaps"));
    }
    letters
}

/// The numbers of the letters in the alphabet, and the alphabet.
fn numbers(
    name: &str,
    letters: Vec<u8>,
    length: usize,
    selection: &Selection,
    notes: &mut Vec<String>,
) -> Result<(Vec<u16>, String)> {
    let mut counts = BTreeMap::new();
    letters.iter().for_each(|&letter| *counts.entry(char::from(letter)).or_insert(0_usize) += 1);
    let alphabet = match &selection.alphabet {
        Some(alphabet) => alphabet::given(alphabet)?,
        None => alphabet::guessed(&counts).to_string(),
    };
    let from = if selection.alphabet.is_none() { "; guessed from the letters" } else { "" };
    notes.insert(0, alphabet::described(&alphabet) + from);
    let gap = alphabet.find(GAP);
    let how = selection.unknown_letters;
    // No letter has this number.
    const UNKNOWN: u16 = u16::MAX;
    let mut number = [UNKNOWN; 256];
    let mut unknown = Vec::new();
    for (&letter, count) in &counts {
        let written = alphabet::spelled(&alphabet, letter);
        if written != letter {
            notes.push(format!("{count} letters {letter} are read as {written}, the same nucleotide"));
        }
        number[letter as usize] = match (alphabet.find(written), how, gap) {
            (Some(at), ..) => at as u16,
            (None, None | Some(UnknownLetters::Gap), Some(gap)) => {
                unknown.push(format!("{letter} {count}"));
                gap as u16
            }
            (None, Some(UnknownLetters::Drop), _) => {
                unknown.push(format!("{letter} {count}"));
                UNKNOWN
            }
            _ => {
                return bad_data!(
                    "{name}: expected letters of {alphabet}, found {letter:?} {count} times; name all letters with \
                     ‹alphabet›, add - to it for unknown ones, or drop their sequences with ‹unknown-letters=drop›"
                );
            }
        };
    }
    let mut values: Vec<u16> = letters.iter().map(|&letter| number[usize::from(letter)]).collect();
    if unknown.is_empty() {
        return Ok((values, alphabet));
    }
    let unknown = unknown.join(", ");
    if how == Some(UnknownLetters::Drop) {
        let sequences = values.len() / length;
        let known = |row: &&[u16]| !row.contains(&UNKNOWN);
        values = values.chunks(length).filter(known).flatten().copied().collect();
        let dropped = sequences - values.len() / length;
        if values.is_empty() {
            return bad_data!(
                "{name}: expected sequences of letters of {alphabet}, found unknown letters in all {sequences}: {unknown}"
            );
        }
        notes.push(format!("{dropped} of {sequences} sequences are dropped for unknown letters: {unknown}"));
    } else {
        notes.push(format!("unknown letters, read as gaps: {unknown}"));
    }
    Ok((values, alphabet))
}

/// Drops sequences that came before, if these are to be dropped.
fn distinct(values: Vec<u16>, length: usize, duplicates: Option<Keep>, notes: &mut Vec<String>) -> Vec<u16> {
    let sequences = values.len() / length;
    let mut seen = HashSet::with_capacity(sequences);
    let is_new: Vec<bool> = values.chunks(length).map(|row| seen.insert(row)).collect();
    let (distinct, all) = (seen.len(), sequences);
    if distinct == all {
        return values;
    }
    if duplicates != Some(Keep::Drop) {
        notes.push(format!("{all} sequences, {distinct} of them distinct; all are kept (‹duplicates=drop› keeps the first of each)"));
        return values;
    }
    notes.push(format!("{distinct} distinct sequences of {all}: duplicates are dropped"));
    let rows = values.chunks(length).zip(is_new).filter(|(_, is_new)| *is_new);
    rows.flat_map(|(row, _)| row).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(form: Form, text: &str, selection: &Selection) -> Result<Dataset> {
        load(Path::new("f"), text.as_bytes(), form, selection)
    }

    fn read(text: &str, selection: &Selection) -> Result<Dataset> {
        read_as(Form::Fasta, text, selection)
    }

    /// The sequences as letters.
    fn spelled(dataset: &Dataset) -> Vec<String> {
        let rows = &dataset.train.rows;
        let values: Vec<f32> = (0..rows.len()).flat_map(|row| rows.values(row)).collect();
        dataset.encoding.spelled(&values).unwrap()
    }

    #[test]
    fn sequences_are_read_by_their_letters() {
        for (text, letters, first, note) in [
            (">a\nACGU-\n>b\nuuuu.\n", "ACGU-", [0.0, 1.0, 2.0, 3.0, 4.0], "letters ACGU-"),
            (">>a more\r\nAC\r\nGTN\r\n\r\n>b\r\nAAAAA", "ACGT-", [0.0, 1.0, 2.0, 3.0, 4.0], "N 1"),
            (">a\nWYX-*\n>b\nACDEF\n", "ACDEFGHIKLMNPQRSTVWY-", [18.0, 19.0, 20.0, 20.0, 20.0], "* 1, X 1"),
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
        fasta::write(&mut written, &spelled(&dataset)).unwrap();
        assert_eq!(written, b">1\nHPAB-\n");
    }

    #[test]
    fn insertions_are_dropped_where_the_file_says_which_they_are() {
        let keep = Selection { inserts: Some(Keep::Keep), ..Selection::default() };
        let drop = Selection { inserts: Some(Keep::Drop), ..Selection::default() };
        let plain = Selection::default();
        // Also without dots, as A3M files have them.
        let a2m = ">a\nACgu.GU\n>b\n-CGU\n";
        let padded = ">a\nACgGU\n>b\n-C.GU\n";
        let named =
            "# STOCKHOLM 1.0\n#=GF ID x\n\na ACg\nb/1-4 -CG\n#=GC RF xx.\n\na GU\nb/1-4 gU\n#=GC RF xx\n//\n";
        let unnamed = "\n# STOCKHOLM 1.0\na AC.gGU\nb -C..G~\n#=GR b PP 99..99\n//\n\n";
        let low = "# STOCKHOLM 1.0\na acgu\nb .cgu\n//\n";
        for (form, text, selection, expected, note) in [
            (Form::A2m, a2m, &plain, ["ACGU", "-CGU"], "2 lower-case letters and 1 dots"),
            (Form::Fasta, a2m, &drop, ["ACGU", "-CGU"], "2 lower-case letters and 1 dots"),
            (Form::Fasta, padded, &plain, ["ACGGU", "-C-GU"], "1 dots are read as gaps"),
            (Form::A2m, padded, &keep, ["ACGGU", "-C-GU"], "1 lower-case letters are read"),
            (Form::Stockholm, named, &plain, ["ACGU", "-CGU"], "4 match columns of 5"),
            (Form::Stockholm, named, &keep, ["ACGGU", "-CGGU"], "2 lower-case letters are read"),
            // What a file is, it says itself.
            (Form::Fasta, unnamed, &plain, ["AC-GU", "-C-G-"], "5 match columns of 6"),
            (Form::Stockholm, padded, &plain, ["ACGGU", "-C-GU"], "1 dots are read as gaps"),
            (Form::Stockholm, low, &plain, ["ACGU", "-CGU"], "7 lower-case letters are read"),
        ] {
            let dataset = read_as(form, text, selection).unwrap();
            assert_eq!(spelled(&dataset), expected, "{form:?} {text:?}");
            assert!(dataset.notes.join("; ").contains(note), "{form:?} {text:?}: {:?}", dataset.notes);
        }
        for (form, text, selection, expected) in [
            (Form::A2m, ">a\nacgu\n", &plain, "found only insertions"),
            (Form::Stockholm, low, &drop, "found only columns of insertions"),
            (Form::Fasta, a2m, &plain, "‹inserts=drop›"),
        ] {
            let Err(Error::Data(message)) = read_as(form, text, selection) else { panic!("{text:?}") };
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }

    #[test]
    fn what_is_unknown_or_there_twice_is_treated_as_asked() {
        let text = ">a\nACG-\n>b\nACNN\n>c\nACG-\n>d\nUUUU\n>e\nACRU\n";
        let of = |unknown_letters, duplicates| Selection {
            unknown_letters,
            duplicates,
            alphabet: Some("-rna".into()),
            ..Selection::default()
        };
        let with = |selection: &Selection| spelled(&read(text, selection).unwrap());
        assert_eq!(with(&of(None, None)), ["ACG-", "AC--", "ACG-", "UUUU", "AC-U"]);
        assert_eq!(with(&of(None, Some(Keep::Drop))), ["ACG-", "AC--", "UUUU", "AC-U"]);
        let selection = of(Some(UnknownLetters::Drop), Some(Keep::Drop));
        assert_eq!(with(&selection), ["ACG-", "UUUU"]);
        let notes = read(text, &selection).unwrap().notes.join("; ");
        for note in
            ["2 of 5 sequences are dropped for unknown letters: N 2, R 1", "2 distinct sequences of 3"]
        {
            assert!(notes.contains(note), "{notes}");
        }
        let message = read(text, &of(Some(UnknownLetters::Refuse), None)).unwrap_err().to_string();
        assert!(message.contains("found 'N' 2 times"), "{message}");
        let dataset = read(">a\nACGT\n", &of(None, None)).unwrap();
        assert_eq!(spelled(&dataset), ["ACGU"]);
        assert!(dataset.notes.join("; ").contains("1 letters T are read as U"), "{:?}", dataset.notes);
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
            ("# STOCKHOLM 1.0\na ACGU\n", "expected // at the end"),
            ("# STOCKHOLM 1.0\n//\n", "expected sequences, found none"),
            ("# STOCKHOLM 1.0\na AC\nb A\n//\n", "sequence 2: expected 2 columns"),
            ("# STOCKHOLM 1.0\na AC\n#=GC RF x\n//\n", "#=GC RF: expected 2 columns"),
            ("# STOCKHOLM 1.0\na AC\n#=GC RF\n//\n# STOCKHOLM 1.0\n", "line 5: expected one alignment"),
            ("# STOCKHOLM 1.0\nACGU\n//\n", "line 2: expected a name and a part of its sequence"),
            ("# STOCKHOLM 1.0\na AC GU\n//\n", "line 2: expected a name and a part of its sequence"),
        ] {
            let message = read(text, &plain).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        let message = read_as(Form::Stockholm, "a ACGU\n", &plain).unwrap_err().to_string();
        assert!(message.contains("line 1: expected # STOCKHOLM 1.0"), "{message}");
        let with = |alphabet: &str| Selection { alphabet: Some(alphabet.into()), ..Selection::default() };
        for (alphabet, expected) in
            [("A", "two or more"), ("AAC", "two or more"), ("A1", "two or more"), ("AC", "found 'G' 1 times")]
        {
            let message = read(">a\nACG\n", &with(alphabet)).unwrap_err().to_string();
            assert!(message.contains(expected), "{alphabet}: {message}");
        }
    }
}
