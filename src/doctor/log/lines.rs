//! Costs in lines of text: `cost = [ 969572.5 ]`, `Score at iteration 0 is 0.69`, `epoch: 1 loss: tensor(0.36)`.

use std::{borrow::Cow, collections::HashMap};

use super::{Log, names, parts::Parts};

/// The most words and signs between a cost's name and its number.
const MOST_BETWEEN: usize = 24;
/// As many lines tell that a line's states on a terminal, parted by carriage returns, are those of one epoch.
const LINES_OF_EPOCHS: usize = 3;

/// The text without what moves a terminal's cursor or colours its letters.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return text.into();
    }
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_digit() || ";?".contains(c)));
        let rest = end.map_or("", |end| &part[end..]);
        plain += rest.get(1..).unwrap_or(rest);
    }
    plain.into()
}

/// The costs with one of these names, the first that has some.
pub fn parse(text: &str, keys: &[&str]) -> Vec<Log> {
    let small = text.to_lowercase();
    // What stands far from its name is a cost only if it comes again.
    let ways: [(Way, usize); 2] = [(number_beside, 1), (number_after, 2)];
    let found = ways.iter().find_map(|&(way, fewest)| {
        let mut found = keys.iter().map(|key| of_key(&small, key, way, fewest));
        found.find(|logs| !logs.is_empty())
    });
    found.unwrap_or_default()
}

/// The most forms of lines that are told apart.
const MOST_FORMS: usize = 1 << 16;

/// A way to find the number that belongs to a name in a line. Both are in lower case.
type Way = fn(&str, &str) -> Option<f64>;

/// What begins a line anew on a terminal.
const REWRITES: [char; 2] = ['\r', '\u{8}'];

/// The states of a line on a terminal: a carriage return or backspaces begin the next, if the text `is_rewritten` at all.
fn states(line: &str, is_rewritten: bool) -> impl DoubleEndedIterator<Item = &str> {
    let all = is_rewritten.then(|| line.split(REWRITES).filter(|state| !state.trim().is_empty()));
    let whole = (!is_rewritten).then_some(line);
    all.into_iter().flatten().chain(whole)
}

fn of_key(text: &str, key: &str, way: Way, fewest: usize) -> Vec<Log> {
    let small_key = &key.to_lowercase();
    if !text.contains(small_key) {
        return Vec::new();
    }
    let find = |line: &str| way(line, small_key);
    let is_rewritten = REWRITES.iter().any(|&sign| text.contains(sign));
    // Only the most common form of line with a cost counts, which leaves out a summary at the end.
    let mut forms: HashMap<u64, usize> = HashMap::new();
    let count = |forms: &mut HashMap<u64, usize>, state: &str| {
        if forms.len() < MOST_FORMS {
            *forms.entry(form(state)).or_default() += 1;
        }
    };
    let (mut rewritten, mut found) = (0, 0);
    for line in text.split('\n') {
        let Some(last) = states(line, is_rewritten).rev().find(|state| find(state).is_some()) else {
            continue;
        };
        count(&mut forms, last);
        rewritten += 1;
        found += if is_rewritten { states(line, is_rewritten).filter_map(find).count() } else { 1 };
    }
    if found == 0 || found < fewest {
        return Vec::new();
    }
    let is_last_only = rewritten >= LINES_OF_EPOCHS || rewritten == found;
    let of_line = |line: &str, each: &mut dyn FnMut(&str, f64)| match is_last_only {
        true => states(line, is_rewritten)
            .rev()
            .find_map(|state| Some((state, find(state)?)))
            .into_iter()
            .for_each(|(s, x)| each(s, x)),
        false => {
            states(line, is_rewritten).for_each(|state| find(state).into_iter().for_each(|x| each(state, x)))
        }
    };
    if !is_last_only {
        forms.clear();
        text.split('\n').for_each(|line| of_line(line, &mut |state, _| count(&mut forms, state)));
    }
    let total: usize = forms.values().sum();
    // The earliest of the most common.
    let most = forms.values().copied().max().unwrap_or(0);
    if most < fewest || most == 1 && total > 1 {
        return Vec::new();
    }
    let mut common = None;
    let (mut parts, mut epoch, mut layer) = (Parts::default(), None, None);
    let has_epochs = text.lines().any(|line| counted(line, &["epoch"]).is_some());
    let counters: &[&str] = if has_epochs { &["epoch"] } else { &["iteration"] };
    for line in text.split('\n') {
        epoch = counted(line, counters).or(epoch);
        layer = counted(line, &["layer", "rbm"]).map(|layer| layer as u32).or(layer);
        of_line(line, &mut |state, cost| {
            let form = form(state);
            if common.is_none() && forms.get(&form) == Some(&most) {
                common = Some(form);
            }
            if common == Some(form) {
                parts.push(layer, epoch, cost);
            }
        });
    }
    parts.logs(key)
}

/// A hash of a line without its numbers, so that lines written by the same statement are equal: FNV-1a.
fn form(line: &str) -> u64 {
    let letters: String = line.chars().filter(|c| c.is_alphabetic()).collect();
    // The letter of an exponent comes and goes.
    let letters = letters.replace("nan", "").replace("inf", "");
    let letters = letters.bytes().filter(|byte| !matches!(byte, b'e' | b'E'));
    letters.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The number after one of these words, as in `epoch 3/10` or `layer: 2`.
fn counted(line: &str, words: &[&str]) -> Option<f64> {
    words.iter().find_map(|word| {
        line.match_indices(word).find_map(|(at, _)| {
            let before = line[..at].chars().next_back();
            if before.is_some_and(char::is_alphanumeric) {
                return None;
            }
            let rest = line[at + word.len()..]
                .trim_start_matches([' ', '\t', '=', ':', '#', '[', '(', '_', '"', '\'']);
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
    })
}

/// Where a name stands in a line, as whole words: "mycost" is another word, but "train_loss" is a loss.
fn places<'a>(line: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(key).filter_map(move |(at, _)| {
        let before = line[..at].chars().next_back();
        let is_within = before.is_some_and(char::is_alphanumeric);
        (!is_within || key.starts_with('_')).then(|| &line[at + key.len()..])
    })
}

const SIGNS: [char; 10] = [' ', '\t', '=', ':', '[', '(', '"', '\'', '|', ','];

/// The number after a name, with nothing but signs such as `=`, `:` and `[` between.
fn number_beside(line: &str, key: &str) -> Option<f64> {
    places(line, key).find_map(|rest| {
        let number_at = rest.trim_start_matches(SIGNS);
        // "cost,12,7" are fields, "cost 12,7" has a decimal comma.
        let are_fields = rest[..rest.len() - number_at.len()].contains(',');
        number(number_at, !are_fields).map(|(number, _)| number)
    })
}

/// The number after a name with words between, as in "is" or "at iteration 3 is", but not the number of an iteration.
fn number_after(line: &str, key: &str) -> Option<f64> {
    places(line, key).find_map(|rest| {
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') && !rest.starts_with("s ") {
            return None;
        }
        let (mut rest, mut is_counter) = (rest, false);
        for _ in 0..MOST_BETWEEN {
            let next = rest.chars().next()?;
            if let Some((number, length)) = number(rest, true) {
                rest = &rest[length..];
                // 3/10 and 3 of 10 count too.
                let is_share = rest.trim_start().starts_with('/') || rest.trim_start().starts_with("of ");
                if !is_counter && !is_share {
                    return Some(number);
                }
                is_counter = is_share;
                rest = rest.trim_start();
                rest = rest.strip_prefix('/').or(rest.strip_prefix("of ")).unwrap_or(rest);
            } else if next.is_alphabetic() {
                let length =
                    rest.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(rest.len());
                let word = rest[..length].trim_end_matches(['.', '-']);
                let is_other = ["acc", "accuracy", "time", "took", "lr", "eta"].contains(&word);
                if is_other || names::COSTS.contains(&word) || names::GAINS.contains(&word) {
                    return None;
                }
                is_counter = names::words(word).last().is_some_and(|word| names::is_counter(word));
                rest = &rest[word.len().max(1)..];
            } else if next == ',' {
                // "error of layer 1, epoch 3: 5.5", but not "loss, 3 samples".
                let after = rest[1..].trim_start();
                let word = after.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
                if !names::is_counter(word) {
                    return None;
                }
                rest = after;
            } else if ";#".contains(next) {
                return None;
            } else {
                rest = &rest[next.len_utf8()..];
            }
        }
        None
    })
}

/// The number at the start of a text, and its length in bytes. With `has_commas`, a comma may stand for the point, or part
/// thousands.
fn number(text: &str, has_commas: bool) -> Option<(f64, usize)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
    let word = text[..end].trim_end_matches(['.', '-']);
    let unsigned = word.trim_start_matches(['+', '-']);
    if let Some(name) = ["nan", "infinity", "inf"].into_iter().find(|name| unsigned == *name) {
        let value = match (name, word.starts_with('-')) {
            ("nan", _) => f64::NAN,
            (_, false) => f64::INFINITY,
            (_, true) => f64::NEG_INFINITY,
        };
        return Some((value, word.len()));
    }
    // `tensor(0.5)`, `np.float64(0.5)`, `array(0.5)`
    let is_wrapper = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && ["tensor", "float32", "float64", "float", "array", "variable"]
            .iter()
            .any(|end| word.ends_with(end));
    if let Some(inner) = text[word.len()..].strip_prefix('(').filter(|_| is_wrapper) {
        let signs = inner.len() - inner.trim_start_matches(['[', ' ']).len();
        let from = word.len() + 1 + signs;
        // Not deeper: a stranger's file may go on and on.
        let end = text[from..].find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
        let inner = &text[from..end.map_or(text.len(), |end| from + end)];
        return inner.trim_end_matches('.').parse().ok().map(|value| (value, from + inner.len()));
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if has_commas
        && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-".contains(&byte))
        && let Some(after) = text[word.len()..].strip_prefix(',')
    {
        let count = digits(after);
        let rest = &after[count..];
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == ',');
        if count == 3 && rest.starts_with('.') && digits(&rest[1..]) > 0 {
            // 1,234.5
            let decimals = digits(&rest[1..]);
            let written = format!("{word}{}{}", &after[..count], &rest[..=decimals]);
            return written.parse().ok().map(|value| (value, word.len() + 1 + count + 1 + decimals));
        }
        if count > 0 && ends && !rest.starts_with('.') {
            // 0,35
            let written = format!("{word}.{}", &after[..count]);
            return written.parse().ok().map(|value| (value, word.len() + 1 + count));
        }
    }
    // 12ms and 5it are no costs.
    word.parse().ok().map(|value| (value, word.len()))
}
