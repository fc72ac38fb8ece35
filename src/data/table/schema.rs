//! The type of each column: what was said, or what its values are. Words of yes and no become a binary unit, other words a Potts
//! unit with a state for each; 0 and 1 a binary unit, −1 and 1 a spin, other numbers a Gaussian unit.

use super::{Content, Found, Table, Typed, column::Use};
use crate::{
    data::Selection,
    error::{Result, bad_data, excerpt, usage},
    units::Kind,
};

/// Words for 0 and 1, in lower case. One letter alone may mean anything.
const PAIRS: [[&str; 2]; 4] = [["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"]];

/// So many different words may be categories, however many lines there are.
const FEW: usize = 20;
/// No column has more categories, unless that is said.
const MOST: usize = 256;

/// The number that a word of yes or no stands for.
pub fn of_yes_no(word: &str, words: &[String]) -> Option<f32> {
    let at = words.iter().position(|one| one.eq_ignore_ascii_case(word));
    at.map(|at| at as f32)
}

/// The columns by their types.
pub fn typed(table: &Table, kept: &[usize], selection: &Selection) -> Result<Vec<Typed>> {
    let kinds = match &selection.visible {
        None => None,
        Some(kinds) => {
            if let Some(units) = kinds.units().filter(|&units| units != kept.len()) {
                return usage!(
                    "‹visible› {kinds}: these are {units} units, but {} has {} columns",
                    table.name,
                    kept.len()
                );
            }
            Some(kinds.layer(kept.len()).places().map(|place| place.kind).collect::<Vec<_>>())
        }
    };
    let pairs: Vec<Option<[usize; 2]>> = kept.iter().map(|&column| pair(table, column)).collect();
    let has_both = |pair: usize| pairs.contains(&Some([pair, 2]));
    let of_column = |(unit, &column): (usize, &usize)| {
        let of = match (table.header.uses.get(&column), &kinds) {
            (Some(Use::Unit(kind)), _) => Some(*kind),
            (Some(Use::Categories), _) => return categories(table, column, true),
            (_, Some(kinds)) => Some(kinds[unit]),
            _ => None,
        };
        let yes_no = pairs[unit].filter(|&[pair, words]| words == 2 || pair < 2 || has_both(pair));
        let Found { range, words } = table.found[column];
        match of {
            Some(Kind::Potts { states }) if words > 0 => {
                let found = categories(table, column, true)?;
                if found.words.len() != states as usize {
                    return bad_data!(
                        "{}: {}: expected {states} categories, found {}",
                        table.name,
                        table.header.shown(column),
                        found.words.len()
                    );
                }
                Ok(found)
            }
            Some(Kind::Binary) | None if let Some([pair, _]) = yes_no => yes_or_no(table, column, pair),
            Some(kind) => numbers(table, column, kind),
            None if words > 0 && range.count == 0 => categories(table, column, false),
            None if words == 0 && range.are_bits() => numbers(table, column, Kind::Binary),
            None if words == 0 && range.are_spins() => numbers(table, column, Kind::Spin),
            None => {
                if let Some(mark) = range.mark().filter(|_| words == 0) {
                    return bad_data!(
                        "{}: {}: the only number below 0 is {mark}, and the others are up to {}: if it stands for a missing \
                         value, say ‹missing› {mark}; if it is a number, ‹columns› {}:gaussian",
                        table.name,
                        table.header.shown(column),
                        range.greatest,
                        table.header.option(column)
                    );
                }
                numbers(table, column, Kind::Gaussian)
            }
        }
    };
    kept.iter().enumerate().map(of_column).collect()
}

/// The pair of yes and no that all words of a column are of, and how many of its words there are. Numbers must be 0 or 1.
fn pair(table: &Table, column: usize) -> Option<[usize; 2]> {
    let Found { range, words } = table.found[column];
    if words == 0 || range.count > 0 && !range.are_bits() {
        return None;
    }
    let mut seen = [[false; 2]; PAIRS.len()];
    for word in used(table, column, 16)? {
        let word = word.to_lowercase();
        let at = PAIRS.iter().position(|pair| pair.contains(&&*word))?;
        seen[at][usize::from(PAIRS[at][1] == word)] = true;
    }
    let mut pairs = seen.iter().enumerate().filter(|(_, seen)| seen.contains(&true));
    let (pair, seen) = pairs.next()?;
    pairs.next().is_none().then_some([pair, seen.iter().filter(|&&seen| seen).count()])
}

/// The different words of a column, if there are at most so many.
fn used<'a>(table: &'a Table, column: usize, most: usize) -> Option<Vec<&'a str>> {
    let mut numbers = std::collections::BTreeSet::new();
    for cell in table.cells.column(column) {
        if let Content::Word(number) = cell
            && numbers.insert(number)
            && numbers.len() > most
        {
            return None;
        }
    }
    Some(numbers.into_iter().map(|number| table.cells.word(column, number)).collect())
}

/// A binary unit of words for no and yes. Words of the pair that do not occur are written as the others are.
fn yes_or_no(table: &Table, column: usize, pair: usize) -> Result<Typed> {
    let found = used(table, column, 16).unwrap_or_default();
    let style = |word: &str| match found.first() {
        Some(other) if other.chars().all(char::is_uppercase) => word.to_uppercase(),
        Some(other) if other.starts_with(char::is_uppercase) => word[..1].to_uppercase() + &word[1..],
        _ => word.to_string(),
    };
    let words = PAIRS[pair].map(|word| {
        let as_found = found.iter().find(|other| other.eq_ignore_ascii_case(word));
        as_found.map_or_else(|| style(word), |word| word.to_string())
    });
    let words = words.to_vec();
    let values = (0..table.cells.rows()).map(|row| match table.cells.get(row, column) {
        Content::Number(x) => x,
        Content::Word(number) => of_yes_no(table.cells.word(column, number), &words).unwrap_or(f32::NAN),
        Content::Missing => f32::NAN,
    });
    Ok(Typed { at: column, kind: Kind::Binary, values: values.collect(), words })
}

/// A Potts unit with a state for each different value: of words alone, unless any are asked for.
fn categories(table: &Table, column: usize, is_asked: bool) -> Result<Typed> {
    let (rows, shown) = (table.cells.rows(), table.header.shown(column));
    let is_missing = |row: usize| table.cells.get(row, column) == Content::Missing;
    // A long column is given up before all its words are copied.
    let most = if is_asked { Kind::MOST_STATES as usize } else { MOST };
    let mut words = std::collections::BTreeSet::new();
    let mut all_told = true;
    for row in (0..rows).filter(|&row| !is_missing(row)) {
        all_told &= words.len() <= most;
        if all_told {
            words.insert(table.cells.text(row, column));
        }
    }
    let is_few = words.len() <= FEW || words.len() * 2 <= rows;
    if words.len() > most || !is_asked && !is_few {
        let count = if words.len() > most { format!("more than {most}") } else { words.len().to_string() };
        let option = table.header.option(column);
        let cure = match is_asked {
            true => String::new(),
            false => format!(", or take them for categories with ‹columns› {option}:potts"),
        };
        return bad_data!(
            "{}: {shown}: expected categories, at most {most}, each of more than one line, found {count} different words in \
             {rows} lines; leave the column out with ‹drop› {option}{cure}",
            table.name
        );
    }
    if let Some(word) = words.iter().find(|word| word.len() > 200 || word.contains(char::is_control)) {
        return bad_data!(
            "{}: {shown}: expected categories of at most 200 bytes without control characters, found {:?}; leave the column \
             out with ‹drop› {}",
            table.name,
            excerpt(word),
            table.header.option(column)
        );
    }
    let mut words: Vec<String> = words.into_iter().collect();
    if words.iter().all(|word| word.parse::<f32>().is_ok()) {
        let number = |word: &String| word.parse().unwrap_or(0.0_f32);
        words.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let numbers: std::collections::HashMap<&str, usize> =
        words.iter().enumerate().map(|(number, word)| (word.as_str(), number)).collect();
    let values = (0..rows).map(|row| match is_missing(row) {
        true => f32::NAN,
        false => {
            numbers.get(table.cells.text(row, column).as_str()).map_or(f32::NAN, |&number| number as f32)
        }
    });
    let values = values.collect();
    Ok(Typed { at: column, kind: Kind::Potts { states: words.len() as u32 }, values, words })
}

/// A unit of numbers.
fn numbers(table: &Table, column: usize, kind: Kind) -> Result<Typed> {
    let Found { range, words } = table.found[column];
    let option = table.header.option(column);
    let number = |row: usize| match table.cells.get(row, column) {
        Content::Number(x) if x.is_infinite() => {
            bad_data!("{}: expected a number, found {x}", table.place(row, column))
        }
        Content::Number(x) if words > range.count => bad_data!(
            "{}: expected a word, as in most lines, found {x}; ‹columns› {option}:potts takes both for categories, and \
             ‹drop› {option} leaves the column out",
            table.place(row, column)
        ),
        Content::Number(x) => Ok(x),
        Content::Missing => Ok(f32::NAN),
        Content::Word(_) if words > range.count && range.count > 0 => Ok(f32::NAN),
        Content::Word(word) => {
            let word = table.cells.word(column, word);
            bad_data!(
                "{}: expected a number, found {:?}; if it stands for a missing value, name it with ‹missing›; if the column has \
                 categories, say ‹columns› {option}:potts; ‹drop› {option} leaves the column out",
                table.place(row, column),
                excerpt(word)
            )
        }
    };
    let values = (0..table.cells.rows()).map(number).collect::<Result<_>>()?;
    Ok(Typed { at: column, kind, values, words: Vec::new() })
}
