//! Alphabets of sequences: the letters of a site's states, in the order of their numbers.

use std::collections::BTreeMap;

use crate::error::{Result, usage};

/// The gap: a letter of every known alphabet, and of sites whose letter is unknown.
pub const GAP: char = '-';

/// The known alphabets by name, each with the gap last, as PGM has them (Tubiana 2019), and first, as rbms has them.
const KNOWN: [(&str, &str, &str); 3] = [
    ("protein", "ACDEFGHIKLMNPQRSTVWY-", "-ACDEFGHIKLMNPQRSTVWY"),
    ("rna", "ACGU-", "-ACGU"),
    ("dna", "ACGT-", "-ACGT"),
];
const PROTEIN: &str = KNOWN[0].1;
const RNA: &str = KNOWN[1].1;
const DNA: &str = KNOWN[2].1;
/// Nucleotides, and the letters for one of several of them (IUPAC 1985).
const NUCLEOTIDES: &str = "ACGTURYSWKMBDHVN";
/// The least share of A, C, G, T and U in the letters of sequences of nucleotides. Proteins have less than half of it.
const LEAST_NUCLEOTIDES: f64 = 0.9;

/// The alphabet that letters are of, from how often each of them occurs, gaps apart.
pub fn guessed(counts: &BTreeMap<char, usize>) -> &'static str {
    let count = |of: &str| -> usize {
        counts.iter().filter(|(letter, _)| of.contains(**letter)).map(|(_, count)| count).sum()
    };
    let all: usize = counts.iter().filter(|(letter, _)| **letter != GAP).map(|(_, count)| count).sum();
    // N is any nucleotide.
    let are_plain = counts.keys().all(|letter| "ACGTUN-".contains(*letter));
    let are_mostly = count(NUCLEOTIDES) == all && count("ACGTU") as f64 >= LEAST_NUCLEOTIDES * all as f64;
    match counts.contains_key(&'U') {
        _ if !are_plain && !are_mostly => PROTEIN,
        // Both letters for one nucleotide: these are letters of something else.
        true if counts.contains_key(&'T') => PROTEIN,
        true => RNA,
        false => DNA,
    }
}

/// The alphabet of an option: a name, with a - before it for the gap first; or letters.
///
/// # Errors
/// [`crate::Error::Usage`] for fewer than two letters, or one twice.
pub fn given(text: &str) -> Result<String> {
    for (name, last, first) in KNOWN {
        if text.eq_ignore_ascii_case(name) {
            return Ok(last.into());
        }
        if text.strip_prefix(GAP).is_some_and(|text| text.eq_ignore_ascii_case(name)) {
            return Ok(first.into());
        }
    }
    let alphabet = text.to_ascii_uppercase();
    let is_new = |(at, letter): (usize, char)| !alphabet[..at].contains(letter);
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == GAP;
    if alphabet.len() < 2 || !alphabet.chars().all(is_letter) || !alphabet.char_indices().all(is_new) {
        return usage!(
            "‹alphabet›: expected protein, rna or dna, with a - before the name for the gap first, or two or more \
             different letters, - for a gap; found {text:?}"
        );
    }
    Ok(alphabet)
}

/// The name of an alphabet, if it is a known one, and what its numbers are.
pub fn described(alphabet: &str) -> String {
    let known = KNOWN.iter().find(|(_, last, first)| [last, first].contains(&&alphabet));
    let name = known.map_or(String::new(), |(name, ..)| match *name {
        "protein" => " (protein)".into(),
        name => format!(" ({})", name.to_uppercase()),
    });
    let place = match alphabet.find(GAP) {
        None => "there is no gap".into(),
        Some(0) => "the gap is the first state, 0".into(),
        Some(at) if at + 1 == alphabet.len() => format!("the gap is the last state, {at}"),
        Some(at) => format!("the gap is state {at}"),
    };
    format!("letters {alphabet}{name}, states 0 to {} in this order; {place}", alphabet.len() - 1)
}

/// What a letter is written as in this alphabet: T and U are one nucleotide in DNA and in RNA.
pub fn spelled(alphabet: &str, letter: char) -> char {
    let other = match letter {
        'T' => 'U',
        'U' => 'T',
        _ => return letter,
    };
    let are_nucleotides = alphabet.chars().all(|letter| "ACGTUN-".contains(letter));
    if are_nucleotides && !alphabet.contains(letter) && alphabet.contains(other) { other } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alphabet_is_known_by_its_letters() {
        for (text, alphabet) in [
            ("ACGU-", RNA),
            ("ACGN-", DNA),
            ("ACGT", DNA),
            ("ACGTU", PROTEIN),
            ("GACDK", PROTEIN),
            ("ACGUACGUACGUACGUACGUR-", RNA),
            ("LPGE-", PROTEIN),
            ("----", DNA),
        ] {
            let mut counts = BTreeMap::new();
            text.chars().for_each(|letter| *counts.entry(letter).or_insert(0) += 1);
            assert_eq!(guessed(&counts), alphabet, "{text}");
        }
    }

    #[test]
    fn a_name_stands_for_letters() {
        for (text, letters) in [
            ("protein", PROTEIN),
            ("RNA", RNA),
            ("-rna", "-ACGU"),
            ("-DNA", "-ACGT"),
            ("-hpAB", "-HPAB"),
            ("ACGU", "ACGU"),
        ] {
            assert_eq!(given(text).unwrap(), letters, "{text}");
        }
        for text in ["", "A", "--", "A1", "ABA", "-"] {
            assert!(given(text).is_err(), "{text}");
        }
        assert_eq!(spelled(RNA, 'T'), 'U');
        assert_eq!(spelled("-ACGT", 'U'), 'T');
        assert_eq!(spelled(PROTEIN, 'U'), 'U');
        assert!(
            described("-ACGU")
                .contains("-ACGU (RNA), states 0 to 4 in this order; the gap is the first state, 0")
        );
    }
}
