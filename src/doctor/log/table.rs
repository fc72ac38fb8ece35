//! Tables: which column has the costs, and whether a table is a log or data.

use super::{Log, names, parts::Parts};

/// What a subject is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// A log of costs; else data.
    pub is_log: bool,
    /// Whether it might be the other.
    pub is_unsure: bool,
}

/// The most columns of a log without names.
const MOST_UNNAMED: usize = 3;
/// The most columns of such a log whose first column counts.
const MOST_COUNTED: usize = 8;

/// Signs that part the fields of a line.
#[derive(Clone, Copy)]
enum Parting {
    Sign(char),
    Blanks,
}

impl Parting {
    /// By a table's first line.
    fn of(line: &str) -> Self {
        let sign = ['\t', ';', ','].into_iter().find(|&sign| line.contains(sign));
        match sign {
            _ if line.trim_start().starts_with('|') => Self::Sign('|'),
            Some(sign) => Self::Sign(sign),
            None => Self::Blanks,
        }
    }

    fn fields<'a>(self, line: &'a str) -> Vec<&'a str> {
        let clean = |field: &'a str| field.trim().trim_matches('"');
        match self {
            Self::Sign('|') => line.trim().trim_matches('|').split('|').map(clean).collect(),
            Self::Sign(sign) => line.trim_end_matches('\r').split(sign).map(clean).collect(),
            Self::Blanks => line.split_whitespace().map(clean).collect(),
        }
    }
}

/// The number in a field: `tensor(0.5)` and 0.5 alike. `None` where there is none.
fn number(field: &str) -> Option<f64> {
    field.parse().ok().or_else(|| {
        let inner = field.strip_suffix(')')?.split_once('(')?.1;
        inner.split(',').next()?.trim().parse().ok()
    })
}

/// A field without a number, as tables have them; a time of day or a duration is one.
fn is_blank(field: &str) -> bool {
    let is_time = field.contains(':') && field.chars().all(|c| c.is_ascii_digit() || ":.".contains(c));
    is_time || ["", "-", "na", "n/a", "null", "none"].contains(&field.to_lowercase().as_str())
}

/// A table: the names of its columns, if its first line has them, and how its fields are parted.
struct Table<'a> {
    names: Vec<&'a str>,
    columns: usize,
    parting: Parting,
    text: &'a str,
}

impl<'a> Table<'a> {
    /// A text whose lines have as many fields as the first, two or more if these are names. All are numbers where `are_numbers`.
    fn of(text: &'a str, are_numbers: bool) -> Option<Self> {
        let head = text.lines().find(|line| !line.trim().is_empty())?;
        let is_commented = head.starts_with('#');
        let head = head.trim_start_matches(['#', '\u{feff}']);
        let parting = Parting::of(head);
        let names = parting.fields(head);
        let columns = names.len();
        let is_named = names.iter().any(|name| number(name).is_none() && !is_blank(name));
        let table = Self { names: if is_named { names } else { Vec::new() }, columns, parting, text };
        if is_named && table.names.iter().any(|name| name.parse::<f64>().is_ok()) || is_commented && !is_named
        {
            return None;
        }
        let (mut fitting, mut others) = (0, 0);
        for row in table.rows().take(1000) {
            let are_right = !are_numbers
                || row.iter().all(|field| number(field).is_some() || is_blank(field))
                    && row.iter().any(|f| !is_blank(f));
            *if row.len() == columns && are_right { &mut fitting } else { &mut others } += 1;
        }
        (fitting > 0 && fitting >= 9 * others).then_some(table)
    }

    /// The rows below the names.
    fn rows(&self) -> impl Iterator<Item = Vec<&'a str>> {
        let parting = self.parting;
        let lines = self.text.lines().filter(|line| !line.trim().is_empty());
        lines.skip(usize::from(!self.names.is_empty())).map(move |line| parting.fields(line))
    }

    /// The numbers of a column, for the first rows.
    fn column(&self, at: usize) -> Vec<f64> {
        self.rows().take(1000).filter_map(|row| number(row.get(at)?)).collect()
    }

    /// Whether a column counts 0, 1, 2 … or in other equal steps.
    fn is_counted(&self, at: usize) -> bool {
        let column = self.column(at);
        let step = column.get(1).map_or(0.0, |second| second - column[0]);
        column.len() > 2
            && step >= 1.0
            && (0.0..=step).contains(&column[0])
            && column.windows(2).all(|pair| pair[1] - pair[0] == step)
    }

    /// Whether this is a log, by the names of its columns.
    fn is_log(&self) -> bool {
        let is_of =
            |of: fn(&str) -> bool| (0..self.columns).filter(|&at| of(self.names[at])).collect::<Vec<_>>();
        let (costs, counts) = (is_of(names::is_cost), is_of(names::counts));
        let is_tensorboard = self.names.iter().any(|name| name.eq_ignore_ascii_case("value"))
            && self.names.iter().any(|name| name.eq_ignore_ascii_case("step"));
        let counts_beside = counts.iter().any(|count| !costs.contains(count));
        is_tensorboard || !costs.is_empty() && (counts_beside || self.is_of_training())
    }

    /// Whether all columns are those of logs.
    fn is_of_training(&self) -> bool {
        self.names.iter().all(|name| names::is_of_training(name))
    }

    fn has(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| {
            let all: Vec<(String, usize)> = self.names.iter().map(|name| (name.to_string(), 1)).collect();
            names::choose(&all, &[key]).is_some()
        })
    }
}

/// What the beginning of a file is taken for. `is_array` says that the file's name is one of data, such as `.csv`; `key` is the
/// name of the costs, if the user gave one.
pub fn taken(sample: &str, is_array: bool, key: Option<&str>) -> Taken {
    let sure = |is_log: bool| Taken { is_log, is_unsure: false };
    // The last line may be cut.
    let sample = sample
        .rsplit_once('\n')
        .map_or(sample, |(whole, _)| if whole.contains('\n') { whole } else { sample });
    if sample.contains('\0') {
        return sure(!is_array);
    }
    let Some(table) = Table::of(sample, !is_array) else {
        let first = sample.lines().next().unwrap_or_default();
        return sure(!is_array || is_line_of_costs(first) || names::is_cost(first.trim()));
    };
    if table.names.is_empty() {
        let columns = table.columns;
        let are_binary = || table.rows().take(1000).flatten().all(|field| ["0", "1"].contains(&field));
        return match is_array {
            true => {
                // A name may be another log's, given beside the data.
                let is_log = key.is_some_and(|key| key.parse::<usize>().is_ok());
                Taken { is_log, is_unsure: !is_log && columns <= MOST_UNNAMED && table.is_counted(0) }
            }
            false if key.is_some() || columns == 1 => sure(true),
            false if are_binary() => sure(false),
            false if columns <= MOST_UNNAMED => Taken { is_log: true, is_unsure: true },
            false => {
                let is_counted = columns <= MOST_COUNTED && table.is_counted(0);
                Taken { is_log: is_counted, is_unsure: is_counted }
            }
        };
    }
    if table.has(key) || !is_array && key.is_some() {
        return sure(true);
    }
    if is_array && is_line_of_costs(table.names[0]) {
        return sure(true);
    }
    let is_log = table.is_log();
    let is_unsure = match is_log {
        true => !table.is_of_training() && !table.names.iter().any(|name| name.eq_ignore_ascii_case("value")),
        false => table.names.iter().any(|name| names::resembles_cost(name)),
    };
    Taken { is_log, is_unsure }
}

/// Whether a line has a cost with its number, as `epoch 1: loss 0.5`.
fn is_line_of_costs(line: &str) -> bool {
    line.contains(|c: char| c.is_ascii_digit()) && !super::lines::parse(line, &names::COSTS).is_empty()
}

/// The costs of a table whose first line has names: those of one of these names, or of TensorBoard's `Value`. Fields without a number
/// are no costs.
pub fn parse(text: &str, keys: &[&str]) -> Vec<Log> {
    let Some(table) = Table::of(text, false) else { return Vec::new() };
    let has_blanks = matches!(table.parting, Parting::Blanks);
    let is_unnamed = table.names.is_empty() || has_blanks && Table::of(text, true).is_none();
    if is_unnamed || table.columns < 2 && table.names.first().is_none_or(|name| !names::is_cost(name)) {
        return Vec::new();
    }
    let mut all: Vec<(String, usize)> = table.names.iter().map(|name| (name.to_string(), 0)).collect();
    for row in table.rows() {
        for ((_, count), field) in all.iter_mut().zip(row) {
            *count += usize::from(number(field).is_some());
        }
    }
    let Some(at) = names::choose(&all, keys).or_else(|| names::choose(&all, &["value"])) else {
        return Vec::new();
    };
    let place = |of: &dyn Fn(&str) -> bool| table.names.iter().position(|name| of(&name.to_lowercase()));
    let (epochs, layers) = (
        place(&|name| name == "epoch").or_else(|| place(&|name| name == "step")),
        place(&|name| name == "layer"),
    );
    let mut parts = Parts::default();
    for row in table.rows().filter(|row| row.len() == table.columns) {
        let of = |at: Option<usize>| at.and_then(|at| number(row[at]));
        if let Some(cost) = number(row[at]) {
            parts.push(of(layers).map(|layer| layer as u32), of(epochs), cost);
        }
    }
    parts.logs(table.names[at])
}

/// The numbers of the last column of a text of numbers alone, or of the column with this number from 1.
pub fn numbers(text: &str, column: Option<usize>) -> Vec<f64> {
    let of_line = |line: &str| {
        let parts =
            line.split(|c: char| c.is_whitespace() || ",;[]()".contains(c)).filter(|part| !part.is_empty());
        let (mut last, mut chosen) = (None, None);
        for (at, part) in parts.enumerate() {
            last = Some(part.parse::<f64>().ok()?);
            chosen = if Some(at + 1) == column { last } else { chosen };
        }
        if column.is_some() { chosen } else { last }
    };
    text.lines().filter_map(of_line).collect()
}
