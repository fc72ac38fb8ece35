//! Numbers in JSON and in Python's literals: lines of objects, one object of lists, a dictionary as printed.

use std::collections::HashMap;

use super::{Log, names, parts::Parts};

/// The most containers within one another.
const DEEPEST: usize = 64;
/// The most different names.
const MOST_NAMES: usize = 4096;

/// What a value consists of, in order.
enum Part<'a> {
    /// A number, and the keys that lead to it, outermost first.
    Number(&'a [&'a str], f64),
    /// The end of an object.
    End,
}

enum Frame {
    /// An object with the place of its current key; whether the key's value is next.
    Object { is_value: bool },
    /// A list or a tuple, with the last number of one within a list.
    List { held: Option<f64> },
    /// A call such as `tensor(0.5, device='cuda:0')`: only its first argument counts.
    Call { arguments: usize },
}

/// Takes each part of a value, in order.
type Each<'a> = dyn FnMut(Part) + 'a;

/// Goes through values.
type Walk<'a> = dyn Fn(&mut Each) + 'a;

/// Where a value is broken: the byte.
struct Broken(usize);

/// Reads one value at the start of the text and returns its length. Commas may be left out, as NumPy does.
fn value<'a>(text: &'a str, on: &mut Each) -> Result<usize, Broken> {
    let bytes = text.as_bytes();
    let (mut at, mut frames, mut keys): (usize, Vec<Frame>, Vec<&'a str>) = (0, Vec::new(), Vec::new());
    loop {
        let Some(&byte) = bytes.get(at) else { return Err(Broken(at)) };
        let mut number = None;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                if let (b',', Some(Frame::Call { arguments })) = (byte, frames.last_mut()) {
                    *arguments += 1;
                }
                at += 1;
                continue;
            }
            b'{' | b'[' | b'(' => {
                if frames.len() == DEEPEST || matches!(frames.last(), Some(Frame::Object { is_value: false }))
                {
                    return Err(Broken(at));
                }
                frames.push(match byte {
                    b'{' => Frame::Object { is_value: false },
                    _ => Frame::List { held: None },
                });
                at += 1;
                continue;
            }
            b'}' | b']' | b')' => {
                at += 1;
                match (frames.pop(), byte) {
                    (Some(Frame::Object { is_value: false }), b'}') => on(Part::End),
                    (Some(Frame::List { held }), b']' | b')') => {
                        held.iter().for_each(|&held| on(Part::Number(&keys, held)));
                    }
                    (Some(Frame::Call { .. }), b')') => {}
                    _ => return Err(Broken(at)),
                }
            }
            b'"' | b'\'' => {
                let from = at + 1;
                at = from;
                while bytes.get(at).is_some_and(|&other| other != byte) {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let Some(string) = text.get(from..at) else { return Err(Broken(at.min(text.len()))) };
                at += 1;
                if let Some(Frame::Object { is_value: is_value @ false }) = frames.last_mut() {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    if rest.get(blanks) != Some(&b':') {
                        return Err(Broken(at));
                    }
                    at += blanks + 1;
                    *is_value = true;
                    keys.push(string);
                    continue;
                }
            }
            b'<' => match text[at..].find(['>', '\n']) {
                // `<MeanBackward0>`
                Some(length) => at += length + 1,
                None => return Err(Broken(at)),
            },
            _ => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
                let length = text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at);
                let word = &text[at..at + length];
                if word.is_empty() || matches!(frames.last(), Some(Frame::Object { is_value: false })) {
                    return Err(Broken(at));
                }
                at += length;
                match bytes.get(at) {
                    Some(b'(')
                        if frames.len() < DEEPEST && word.starts_with(|c: char| c.is_ascii_alphabetic()) =>
                    {
                        frames.push(Frame::Call { arguments: 0 });
                        at += 1;
                        continue;
                    }
                    // A named argument.
                    Some(b'=') if matches!(frames.last(), Some(Frame::Call { .. })) => {
                        at += 1;
                        continue;
                    }
                    _ => {}
                }
                number = match word {
                    // JSON has no NaN: what writes it writes null.
                    "null" => Some(f64::NAN),
                    "None" | "True" | "False" | "true" | "false" => None,
                    word => word.parse().ok(),
                };
            }
        }
        // A value has ended.
        if let Some(number) = number {
            let is_argument =
                !frames.iter().any(|frame| matches!(frame, Frame::Call { arguments } if *arguments > 0));
            let mut enclosing = frames.iter().rev().filter(|frame| !matches!(frame, Frame::Call { .. }));
            let is_nested = matches!(
                (enclosing.next(), enclosing.next()),
                (Some(Frame::List { .. }), Some(Frame::List { .. }))
            );
            if is_nested {
                let lists = frames.iter_mut().rev();
                let mut lists = lists.filter_map(|frame| match frame {
                    Frame::List { held } => Some(held),
                    _ => None,
                });
                lists.next().into_iter().for_each(|held| *held = Some(number));
            } else if is_argument {
                on(Part::Number(&keys, number));
            }
        }
        match frames.last_mut() {
            None => return Ok(at),
            Some(Frame::Object { is_value: is_value @ true }) => {
                *is_value = false;
                keys.pop();
            }
            _ => {}
        }
    }
}

/// Goes through all values that begin a line, and returns their number.
fn values(text: &str, on: &mut Each) -> usize {
    // Once a value of several lines has been broken, only whole lines are tried: else a stranger's file takes quadratic time.
    let (mut at, mut are_long, mut count) = (0, true, 0);
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
        let start = at + text[at..end].len() - text[at..end].trim_start().len();
        let rest = &text[start..if are_long { text.len() } else { end }];
        at = end;
        if rest.starts_with(['{', '[']) {
            let mut found = value(rest, &mut |_| ());
            if let Err(Broken(broken)) = found
                && start + broken >= end
            {
                are_long = false;
                found = value(&text[start..end], &mut |_| ());
            }
            if let Ok(length) = found {
                let _ = value(&text[start..start + length], on);
                count += 1;
                // Another may follow in the line.
                at = start + length;
                let after = text[at..].trim_start_matches([' ', '\t', ',']);
                let is_next = after.starts_with(['{', '[']);
                at = match is_next {
                    true => text.len() - after.len(),
                    false => text[at..].find('\n').map_or(text.len(), |length| at + length + 1),
                };
            }
        }
    }
    count
}

/// The costs of one of these names.
pub fn parse(text: &str, keys: &[&str]) -> Vec<Log> {
    let go = |on: &mut Each| {
        values(text, on);
    };
    of_values(&go, keys)
}

/// The costs of values that are gone through twice: once for the names, once for one name's numbers.
fn of_values(go: &Walk, keys: &[&str]) -> Vec<Log> {
    let (mut all, mut places): (Vec<(String, usize)>, HashMap<String, usize>) = Default::default();
    let mut path = String::new();
    go(&mut |part| {
        let Part::Number(keys, _) = part else { return };
        joined(keys, &mut path);
        match places.get(&path) {
            Some(&at) => all[at].1 += 1,
            None if all.len() < MOST_NAMES => {
                places.insert(path.clone(), all.len());
                all.push((path.clone(), 1));
            }
            None => {}
        }
    });
    let Some(chosen) = names::choose(&all, keys) else { return Vec::new() };
    let name = &all[chosen].0;
    let (mut parts, mut pending) = (Parts::default(), Vec::new());
    let (mut epoch, mut layer) = (None, None);
    go(&mut |part| match part {
        Part::Number(keys, number) => {
            joined(keys, &mut path);
            if path == *name {
                pending.push(number);
            }
            match keys.last().map(|key| key.to_lowercase()).as_deref() {
                Some("epoch") => epoch = Some(number),
                Some("layer") => layer = Some(number as u32),
                _ => {}
            }
        }
        // An epoch may stand after its cost.
        Part::End => {
            let epoch = epoch.take().filter(|_| pending.len() == 1);
            pending.drain(..).for_each(|cost| parts.push(layer, epoch, cost));
        }
    });
    pending.drain(..).for_each(|cost| parts.push(layer, None, cost));
    parts.logs(name)
}

/// Joins keys with dots.
fn joined(keys: &[&str], path: &mut String) {
    path.clear();
    for key in keys {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    }
}

/// The numbers of a text that is one list.
pub fn list(text: &str) -> Vec<f64> {
    let mut numbers = Vec::new();
    let mut collect = |part: Part| {
        if let Part::Number([], number) = part {
            numbers.push(number);
        }
    };
    let is_one = text.trim_start().starts_with('[') && values(text, &mut collect) == 1;
    if is_one { numbers } else { Vec::new() }
}

/// The costs of one line that has a list or an object after some words, as in `loss: [0.5, 0.4, 0.3]`; none if several have.
pub fn in_a_line(text: &str, keys: &[&str]) -> Vec<Log> {
    let (mut found, mut tries): (Option<Vec<Log>>, usize) = (None, 0);
    let mut at = 0;
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length + 1);
        let line = &text[at..end];
        let from = at;
        at = end;
        let Some(start) = line.find(['{', '[']).filter(|&start| !line[..start].trim().is_empty()) else {
            continue;
        };
        // Few may have several lines, for the time.
        tries += 1;
        let rest = &text[from + start..if tries <= 16 { text.len() } else { end }];
        let mut count = 0;
        let length = value(rest, &mut |part| count += usize::from(matches!(part, Part::Number(..))));
        let Ok(length) = length else { continue };
        if count < 3 {
            continue;
        }
        let before = line[..start].trim_end_matches([' ', '\t', '=', ':', '(']);
        let word =
            before.rsplit(|c: char| !(c.is_alphanumeric() || "_-".contains(c))).next().unwrap_or_default();
        let go = |on: &mut Each| {
            let _ = value(&rest[..length], &mut |part| match part {
                Part::Number([], number) => on(Part::Number(&[word], number)),
                part => on(part),
            });
        };
        let logs = of_values(&go, keys);
        if logs.iter().any(|log| log.costs.len() > 2) && found.replace(logs).is_some() {
            return Vec::new();
        }
    }
    found.unwrap_or_default()
}
