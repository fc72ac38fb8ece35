//! Whether the first line of a table has the names of its columns, and which columns the options name.

use std::collections::BTreeMap;

use super::{
    cells::{Cells, Content},
    column::{ColumnUse, Use},
    text::Text,
};
use crate::{
    data::{Selection, Trained},
    error::{Result, list, usage},
};

/// The default column of classes.
const LABEL: &str = "label";

/// A first line that counts its columns is a header if it is at least this long, or if no other line has such numbers.
const COUNTED: usize = 6;

/// The columns of a table by name, and what the options say of them.
#[derive(Debug)]
pub struct Header {
    /// Whether the first line has names.
    pub is_first_line: bool,
    /// The names: those of the first line, made different from one another; else v1, v2 and so on.
    pub names: Vec<String>,
    /// What columns are for, where that was said.
    pub uses: BTreeMap<usize, Use>,
    /// What was found, where that is not plain.
    pub notes: Vec<String>,
}

/// The columns whose text is needed, as far as the first line tells: those of classes and of categories.
pub fn texts(first: &[String], selection: &Selection) -> Vec<usize> {
    let label = selection.label_column.as_deref();
    let trained = selection.trained.iter().flat_map(|trained| &trained.others);
    let uses = selection.columns.iter().flatten().chain(trained);
    let uses = uses.filter(|one| !matches!(one.of, Use::Drop)).map(|one| one.column.as_str());
    let of_name = |name: &str| {
        let number =
            name.parse().ok().filter(|number| (1..=first.len()).contains(number)).map(|number| number - 1);
        named(first, name).into_iter().chain(number).collect::<Vec<_>>()
    };
    let mut columns: Vec<usize> = label.into_iter().chain(uses).flat_map(of_name).collect();
    if label.is_none() {
        columns.extend(default_label(first));
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn named(first: &[String], name: &str) -> Option<usize> {
    first.iter().position(|field| field == name)
}

fn default_label(first: &[String]) -> Option<usize> {
    first.iter().position(|field| field.eq_ignore_ascii_case(LABEL))
}

impl Header {
    /// Finds the columns of a table.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that name other columns.
    pub fn of(name: &str, text: &Text, selection: &Selection) -> Result<Self> {
        let Text { first, cells, .. } = text;
        let has_name = |wanted: &str| named(first, wanted).is_some() && wanted.parse::<f32>().is_err();
        let options = selection.label_column.iter().chain(selection.drop.iter().flatten());
        let columns = selection.columns.iter().flatten().map(|one| &one.column);
        // A number counts columns before it is known whether there are names.
        let label_number = selection.label_column.as_ref().and_then(|wanted| wanted.parse::<usize>().ok());
        let besides =
            label_number.filter(|number| (1..=first.len()).contains(number)).map(|number| number - 1);
        // Names that are numbers may as well be numbers.
        let is_known = selection.trained.as_ref().is_some_and(|trained| {
            let names = || trained.columns.iter().map(|column| &column.name);
            let are_there = !trained.columns.is_empty() && names().all(|name| named(first, name).is_some());
            are_there && (names().any(|name| name.parse::<f32>().is_err()) || names().eq(first))
        });
        let counted = counted(first, cells);
        let is_first_line = is_known
            || options.chain(columns).any(|wanted| has_name(wanted))
            || selection.label_column.is_none() && default_label(first).is_some()
            || counted.is_some()
            || has_names(first, cells, besides);
        let mut header = Self {
            is_first_line,
            names: match is_first_line {
                true => distinct(first),
                false => (1..=first.len()).map(|number| format!("v{number}")).collect(),
            },
            uses: BTreeMap::new(),
            notes: Vec::new(),
        };
        if let Some((from, to)) = counted {
            header.notes.push(format!("line 1 counts from {from} to {to}: it has the names of the columns"));
        }
        for wanted in selection.drop.iter().flatten() {
            let column = header.column(name, "drop", wanted, first)?;
            header.uses.insert(column, Use::Drop);
        }
        for one in selection.columns.iter().flatten() {
            let column = header.column(name, "columns", &one.column, first)?;
            header.uses.insert(column, one.of);
        }
        let label = match &selection.label_column {
            Some(wanted) => Some(header.column(name, "label-column", wanted, first)?),
            None if is_first_line && !header.uses.values().any(|of| *of == Use::Label) => {
                default_label(first)
            }
            None => None,
        };
        if let Some(label) = label {
            header.uses.entry(label).or_insert(Use::Label);
        }
        if let Some(trained) = &selection.trained {
            header.leave_out(trained, first);
        }
        Ok(header)
    }

    /// Leaves the columns out that a model's training data had besides its own: those of their names, or of their numbers where no
    /// column has a name and all are there.
    fn leave_out(&mut self, trained: &Trained, first: &[String]) {
        let are_all_there = first.len() == trained.layer.units() + trained.others.len();
        for ColumnUse { column, of } in &trained.others {
            let number = || {
                column
                    .parse::<usize>()
                    .ok()
                    .filter(|number| are_all_there && (1..=first.len()).contains(number))
            };
            let at =
                if self.is_first_line { named(first, column) } else { number().map(|number| number - 1) };
            let is_free = *of != Use::Label || self.label().is_none();
            if let Some(at) = at.filter(|_| is_free) {
                self.uses.entry(at).or_insert(*of);
            }
        }
    }

    /// The number of a column by its name, or else by its number from 1.
    fn column(&self, file: &str, option: &str, wanted: &str, first: &[String]) -> Result<usize> {
        let by_name = if self.is_first_line { named(first, wanted) } else { None };
        let by_number = wanted.parse::<usize>().ok().filter(|number| (1..=first.len()).contains(number));
        match by_name.or(by_number.map(|number| number - 1)) {
            Some(column) => Ok(column),
            None => usage!(
                "‹{option}› {wanted}: expected a name of the first line of {file}, or a number from 1 to {}; the first line \
                 begins with {}",
                first.len(),
                list(first.iter().take(4))
            ),
        }
    }

    /// The column of the classes.
    pub fn label(&self) -> Option<usize> {
        self.uses.iter().find(|(_, of)| **of == Use::Label).map(|(&column, _)| column)
    }

    /// A column for people: `column 3 (age)`.
    pub fn shown(&self, column: usize) -> String {
        match self.names[column].as_str() {
            name if self.is_first_line && !name.is_empty() => {
                format!("column {} ({})", column + 1, crate::error::excerpt(name))
            }
            _ => format!("column {}", column + 1),
        }
    }

    /// How an option names a column.
    pub fn option(&self, column: usize) -> String {
        let name = &self.names[column];
        let is_plain =
            !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == ',');
        let is_first = self.names.iter().position(|other| other == name) == Some(column);
        if self.is_first_line && is_plain && is_first { name.clone() } else { (column + 1).to_string() }
    }
}

/// The names, with a number after those that were there before: x, x.1, x.2.
fn distinct(first: &[String]) -> Vec<String> {
    let mut seen: std::collections::HashMap<&str, usize> = Default::default();
    let name = |field| {
        let count = seen.entry(field).or_default();
        *count += 1;
        if *count == 1 { field.to_string() } else { format!("{field}.{}", *count - 1) }
    };
    first.iter().map(String::as_str).map(name).collect()
}

/// The first and the last number, if the first line counts the columns from 0 or 1.
fn counted(first: &[String], cells: &Cells) -> Option<(usize, usize)> {
    // The index and the classes may have names of their own.
    let is_other = |field: &String| field.is_empty() || field.eq_ignore_ascii_case(LABEL);
    let numbers: Vec<usize> = first
        .iter()
        .filter(|field| !is_other(field))
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    let (&from, &to) = (numbers.first()?, numbers.last()?);
    if from > 1 || numbers.iter().zip(from..).any(|(&number, expected)| number != expected) {
        return None;
    }
    // No other line has such numbers: all are 0 and 1 or between, or most have fractions; or there is pandas' index.
    let (mut others, mut small, mut fractions) = (0, 0, 0);
    let lines = (1..cells.rows()).flat_map(|row| cells.row(row).zip(first));
    for (content, _) in lines.filter(|(_, field)| !is_other(field)) {
        if let Content::Number(x) = content {
            others += 1;
            small += usize::from((0.0..=1.0).contains(&x));
            fractions += usize::from(x.fract() != 0.0);
        }
    }
    let is_unlike = others > 0 && to > 1 && (small == others || fractions * 2 > others);
    (numbers.len() >= COUNTED || is_unlike || first[0].is_empty() && to > 0).then_some((from, to))
}

/// Whether the first line has names, and no cells: it has a word above numbers; or only words, none of which comes again in its
/// column.
fn has_names(first: &[String], cells: &Cells, besides: Option<usize>) -> bool {
    if cells.rows() == 0 {
        return false;
    }
    let columns = || (0..first.len()).filter(|&column| Some(column) != besides);
    let mut words = columns().filter(|&column| matches!(cells.get(0, column), Content::Word(_))).peekable();
    if words.peek().is_none() {
        return false;
    }
    let is_above_numbers = |column: usize| {
        let mut below = cells.column(column).skip(1).filter(|cell| *cell != Content::Missing);
        below.next().is_some_and(|cell| matches!(cell, Content::Number(_)))
    };
    let comes_again = |column: usize| cells.column(column).skip(1).any(|cell| cell == cells.get(0, column));
    let words: Vec<usize> = words.collect();
    if words.iter().any(|&column| is_above_numbers(column)) {
        return true;
    }
    let has_numbers = columns().any(|column| matches!(cells.get(0, column), Content::Number(_)));
    !has_numbers && !words.iter().any(|&column| comes_again(column))
}
