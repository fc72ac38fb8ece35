//! The cells of a table: numbers, words and nothing, four bytes each.

use std::collections::{BTreeMap, HashMap};

/// A cell: the bits of its number, or of a NaN whose payload says what else it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cell(u32);

/// What is in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// A number; it may be infinite.
    Number(f32),
    /// A word, by its number in the column.
    Word(u32),
    /// Nothing, or a mark of nothing.
    Missing,
}

/// The bits of a missing cell: a quiet NaN without payload.
const MISSING: u32 = 0x7fc0_0000;

impl Cell {
    /// Nothing.
    pub const MISSING: Self = Self(MISSING);

    /// A number; NaN is nothing.
    pub fn number(x: f32) -> Self {
        if x.is_nan() { Self::MISSING } else { Self(x.to_bits()) }
    }

    fn word(number: u32) -> Self {
        Self(MISSING + 1 + number)
    }

    /// What is in it.
    pub fn content(self) -> Content {
        match f32::from_bits(self.0) {
            x if !x.is_nan() => Content::Number(x),
            _ if self.0 == MISSING => Content::Missing,
            _ => Content::Word(self.0 - MISSING - 1),
        }
    }
}

/// The different words of a column, in the order in which they were found.
#[derive(Default)]
pub struct Words {
    numbers: HashMap<Box<str>, u32>,
    words: Vec<Box<str>>,
}

impl Words {
    /// The most words that are told apart: more than a unit has states. All others count as one.
    pub const MOST: usize = (1 << 16) + 1;

    /// The number of a word, of at most so many that are told apart.
    fn number(&mut self, word: &str, most: usize) -> u32 {
        match self.numbers.get(word) {
            Some(&number) => number,
            None if self.words.len() < most => {
                let number = self.words.len() as u32;
                self.numbers.insert(word.into(), number);
                self.words.push(word.into());
                number
            }
            None => most as u32,
        }
    }

    /// A word by its number.
    pub fn get(&self, number: u32) -> &str {
        self.words.get(number as usize).map_or("…", |word| word)
    }
}

/// Rows of cells.
#[derive(Default)]
pub struct Cells {
    /// Cells in a row.
    pub width: usize,
    /// Row by row.
    pub values: Vec<Cell>,
    /// The line of each row in the file, from 1.
    pub lines: Vec<u64>,
    /// The words of the columns that have some.
    words: BTreeMap<usize, Words>,
    /// The text of each cell of some columns, as it is in the file.
    texts: BTreeMap<usize, (Words, Vec<u32>)>,
}

impl Cells {
    /// No rows yet; the cells of the columns of `texts` are also kept as text.
    pub fn new(width: usize, texts: impl IntoIterator<Item = usize>) -> Self {
        let texts = texts.into_iter().map(|column| (column, Default::default())).collect();
        Self { width, texts, ..Self::default() }
    }

    /// Adds a cell at the end of a row: a number or nothing, or else a word, its text.
    pub fn push(&mut self, column: usize, text: &str, cell: Option<Cell>) {
        if let Some((words, numbers)) = self.texts.get_mut(&column) {
            numbers.push(words.number(text, usize::MAX));
        }
        let cell = cell.unwrap_or_else(|| {
            let words = self.words.entry(column).or_default();
            Cell::word(words.number(text, Words::MOST))
        });
        self.values.push(cell);
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// A cell.
    pub fn get(&self, row: usize, column: usize) -> Content {
        self.values[row * self.width + column].content()
    }

    /// The cells of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Content> + '_ {
        self.values[row * self.width..][..self.width].iter().map(|cell| cell.content())
    }

    /// The cells of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = Content> + '_ {
        (0..self.rows()).map(move |row| self.get(row, column))
    }

    /// A word of a column.
    pub fn word(&self, column: usize, number: u32) -> &str {
        self.words.get(&column).map_or("…", |words| words.get(number))
    }

    /// A cell as text: a word, a number, or nothing; as it is in the file where that is kept.
    pub fn text(&self, row: usize, column: usize) -> String {
        match self.texts.get(&column) {
            Some((words, numbers)) => words.get(numbers[row]).into(),
            None => match self.get(row, column) {
                Content::Word(number) => self.word(column, number).into(),
                Content::Number(x) => x.to_string(),
                Content::Missing => String::new(),
            },
        }
    }

    /// Removes a row.
    pub fn remove(&mut self, row: usize) {
        self.values.drain(row * self.width..(row + 1) * self.width);
        self.lines.remove(row);
        self.texts.values_mut().for_each(|(_, numbers)| {
            numbers.remove(row);
        });
    }
}
