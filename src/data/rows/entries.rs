//! Sparse rows: the numbers that are not 0, and their columns.

use super::RowLayout;

/// The entries of rows: numbers that are not 0, in the order of their columns.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    /// The first entry of each row; and the number of entries, last.
    starts: Vec<usize>,
    columns: Vec<u32>,
    /// Each as its layout stores it; empty for bits, which are all 1.
    stored: Vec<u32>,
}

impl Entries {
    /// No rows.
    pub fn new() -> Self {
        Self { starts: vec![0], columns: Vec::new(), stored: Vec::new() }
    }

    /// Bytes of this many rows and entries.
    pub fn bytes_of(layout: RowLayout, rows: usize, entries: usize) -> u64 {
        let entry = if layout.is_bits() { 4 } else { 8 };
        entry * entries as u64 + 8 * (rows as u64 + 1)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of entries.
    pub fn count(&self) -> usize {
        self.columns.len()
    }

    /// Adds a row of numbers, which the layout can hold, in the order of their columns.
    pub fn push(&mut self, layout: RowLayout, row: impl IntoIterator<Item = (u32, f32)>) {
        for (column, x) in row.into_iter().filter(|&(_, x)| x != 0.0) {
            self.columns.push(column);
            if !layout.is_bits() {
                self.stored.push(layout.stored(x));
            }
        }
        self.starts.push(self.columns.len());
    }

    /// The columns of a row's entries, and what is stored of each: nothing of bits.
    fn parts(&self, row: usize) -> (&[u32], &[u32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], self.stored.get(range).unwrap_or_default())
    }

    /// The columns and numbers of a row's entries.
    pub fn row(&self, layout: RowLayout, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let (columns, stored) = self.parts(row);
        let number = move |at: usize| stored.get(at).map_or(1.0, |&stored| layout.number(stored));
        columns.iter().enumerate().map(move |(at, &column)| (column as usize, number(at)))
    }

    /// Packs a row into words that are 0.
    pub fn pack(&self, layout: RowLayout, row: usize, words: &mut [u32]) {
        let (columns, stored) = self.parts(row);
        for (at, &column) in columns.iter().enumerate() {
            layout.put(words, column as usize, stored.get(at).copied().unwrap_or(1));
        }
    }

    /// What equal rows have in common, and others have not: their columns, and numbers.
    pub fn key(&self, row: usize) -> std::borrow::Cow<'_, [u32]> {
        match self.parts(row) {
            (columns, []) => columns.into(),
            (columns, stored) => [columns, stored].concat().into(),
        }
    }

    /// Adds a row of others at the end.
    pub fn take(&mut self, from: &Self, row: usize) {
        let (columns, stored) = from.parts(row);
        self.columns.extend(columns);
        self.stored.extend(stored);
        self.starts.push(self.columns.len());
    }

    /// The first rows, at most `count`.
    pub fn truncate(&mut self, count: usize) {
        self.starts.truncate(count + 1);
        let entries = self.starts.last().copied().unwrap_or(0);
        self.columns.truncate(entries);
        self.stored.truncate(entries);
    }
}
