//! The letters of Potts units' states in files of other programs, which do not say them: programs differ in where the gap is.

use super::wide::Wide;

/// Letters in the order that a program has them.
pub struct Alphabets {
    program: &'static str,
    known: [&'static str; 3],
}

/// rbms: the gap is state 0.
pub const RBMS: Alphabets = Alphabets { program: "rbms", known: ["-ACDEFGHIKLMNPQRSTVWY", "-ACGU", "-ACGT"] };
/// PGM: the gap is the last state.
pub const PGM: Alphabets = Alphabets { program: "PGM", known: ["ACDEFGHIKLMNPQRSTVWY-", "ACGU-", "ACGT-"] };

/// The text in an HDF5 file that has the letters, where this program wrote it.
pub const TEXT: &str = "alphabet";

impl Alphabets {
    /// The letters of units of so many states, by the file's own text or else by the program's habit, with a note on that.
    pub fn of_file(&self, states: usize, text: Option<String>, notes: &mut Vec<String>) -> Option<String> {
        if let Some(text) = text.filter(|text| text.chars().count() == states) {
            return Some(text);
        }
        let letters = self.known.into_iter().find(|letters| letters.len() == states)?;
        notes.push(format!(
            "{states} states: taken as {}'s letters {letters}; ‹alphabet› names others",
            self.program
        ));
        Some(letters.into())
    }

    /// The model in the program's order of letters, and these.
    pub fn ordered(&self, wide: Wide, letters: &str, notes: &mut Vec<String>) -> (Wide, String) {
        let sorted = |letters: &str| {
            let mut letters: Vec<char> = letters.chars().collect();
            letters.sort_unstable();
            letters
        };
        let own = self.known.into_iter().find(|own| sorted(own) == sorted(letters));
        let Some(own) = own.filter(|&own| own != letters) else { return (wide, letters.into()) };
        notes.push(format!("states are in {}'s order of letters, {own}", self.program));
        (wide.of_other_letters(letters, own), own.into())
    }
}
