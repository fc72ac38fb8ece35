//! Columns of a table for a model that was trained on others: found by name, with the model's words.

use super::{Column, Content, Table, Typed, Use, schema::of_yes_no};
use crate::{
    data::{Dataset, Selection, selection::Trained},
    error::{Result, bad_data, excerpt, list},
    units::{Kind, Place},
};

impl Table<'_> {
    /// Takes the model's columns, in its order, whatever their order in the file. Others are left out.
    pub(super) fn of_model(mut self, trained: &Trained, selection: &Selection) -> Result<Dataset> {
        // The model's columns had no names either: v1, v2 and so on.
        let number =
            |column: &Column| column.name.strip_prefix('v')?.parse().ok().filter(|&number| number > 0);
        let numbers: Option<Vec<usize>> = trained.columns.iter().map(number).collect();
        let numbers = numbers.filter(|numbers| numbers.is_sorted());
        let columns = trained.columns.iter().enumerate().map(|(unit, column)| {
            let at = match self.header.is_first_line {
                true => self.header.names.iter().position(|name| *name == column.name),
                false => numbers.as_ref().map(|numbers| numbers[unit] - 1),
            };
            match at.filter(|&at| at < self.cells.width) {
                Some(at) => Ok(at),
                None => bad_data!(
                    "{}: expected the model's column {:?}, found {}; the first line must have the names of the model's columns, \
                     in any order",
                    self.name,
                    excerpt(&column.name),
                    list(&self.header.names)
                ),
            }
        });
        let columns = columns.collect::<Result<Vec<usize>>>()?;
        let label = self.header.label().filter(|label| !columns.contains(label));
        let is_other = |column: &usize| !columns.contains(column) && Some(*column) != label;
        let is_dropped = |column: &usize| self.header.uses.get(column) == Some(&Use::Drop);
        let others: Vec<String> = (0..self.cells.width)
            .filter(|column| is_other(column) && !is_dropped(column))
            .map(|column| self.header.shown(column))
            .collect();
        if !others.is_empty() {
            self.notes.push(format!("left out: {}; the model has no such columns", list(others)));
        }
        let layer = &trained.layer;
        let parts = columns.iter().zip(&trained.columns).zip(layer.places());
        let typed = parts.map(|((&at, column), Place { kind, .. })| {
            let values =
                (0..self.cells.rows()).map(|row| self.value(row, at, kind, &column.words, selection));
            Ok(Typed { at, kind, words: column.words.clone(), values: values.collect::<Result<_>>()? })
        });
        let typed = typed.collect::<Result<Vec<_>>>()?;
        let mut dataset = self.typed(typed, label)?;
        // Names are the model's, as numbers of columns may be.
        dataset.encoding.columns = trained.columns.clone();
        Ok(dataset)
    }

    /// The number of a cell, by the model's words.
    fn value(
        &self,
        row: usize,
        column: usize,
        kind: Kind,
        words: &[String],
        selection: &Selection,
    ) -> Result<f32> {
        let cell = self.cells.get(row, column);
        let text = || self.cells.text(row, column);
        let found = match (cell, kind) {
            (Content::Missing, _) => Some(f32::NAN),
            (Content::Number(x), Kind::Binary) if x == 0.0 || x == 1.0 => Some(x),
            (_, Kind::Potts { .. }) if !words.is_empty() => {
                let text = text();
                let is_number = |word: &String| text.parse().ok().is_some_and(|x: f32| word.parse() == Ok(x));
                let at =
                    words.iter().position(|word| *word == text).or_else(|| words.iter().position(is_number));
                at.map(|at| at as f32)
            }
            (Content::Word(_), Kind::Binary) => {
                let usual = [["false", "true"], ["no", "yes"]].map(|pair| pair.map(String::from));
                let all = [words].into_iter().chain(usual.iter().map(|pair| &pair[..]));
                all.filter_map(|words| of_yes_no(&text(), words)).next()
            }
            (Content::Number(x), _) if words.is_empty() && (x.is_finite() || selection.any_numbers) => {
                Some(x)
            }
            _ => None,
        };
        match found {
            Some(x) => Ok(x),
            None => bad_data!(
                "{} ({}): expected {}, as the model has them, found {:?}; leave the line out, or train anew with it",
                self.place(row, column),
                excerpt(&self.header.names[column]),
                match words {
                    [] => "numbers".into(),
                    words => list(words),
                },
                excerpt(&text())
            ),
        }
    }
}
