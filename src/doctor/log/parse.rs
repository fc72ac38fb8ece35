//! Finds the costs in a text, however they are written.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Read},
    path::Path,
};

use super::Log;
use crate::data::file;

/// Words before a cost in a line of text, or its name in JSON; specific ones come first.
const KEYS: [&str; 12] = [
    "training_reconstruction_error",
    "reconstruction_error",
    "reconstruction error",
    "cost",
    "loss",
    "error",
    "mse",
    "xent",
    "cross_entropy",
    "cross-entropy",
    "err",
    "energy",
];

/// Names of what should grow, used if no cost is found: scikit-learn prints a pseudo-likelihood.
const GAINS: [&str; 5] = ["pseudo-likelihood", "log-likelihood", "likelihood", "log-pl", "log_pl"];

/// Finds the costs in a text: JSON lines with a key such as `cost`; a table whose first line names its columns; lines such
/// as `cost = [ 969572.7 ]`; or columns of numbers, where the last column counts. `None` if there are none. A log-likelihood,
/// which is at most 0 for binary data, is negated.
pub fn parse(text: &str, key: Option<&str>) -> Option<Log> {
    let named = |keys: &[&str]| {
        json_lines(text, keys).or_else(|| table(text, keys)).or_else(|| keyed_lines(text, keys))
    };
    match key {
        Some(key) => named(&[key]),
        None => named(&KEYS).or_else(|| named(&GAINS)).or_else(|| bare_numbers(text)),
    }
    .map(turned)
}

/// Negates the values of a log that should grow.
fn turned(log: Log) -> Log {
    let grows = GAINS.iter().any(|gain| log.key.to_lowercase().contains(gain));
    if !grows || log.costs.iter().any(|&cost| cost > 0.0) {
        return log;
    }
    Log { key: format!("-{}", log.key), costs: log.costs.iter().map(|cost| -cost).collect() }
}

/// Whether a table's first line names a column of costs.
pub fn is_table_of_costs(path: &Path) -> bool {
    let mut line = String::new();
    let read = file::opened(path).map(|file| BufReader::new(file).take(1000).read_line(&mut line));
    let line = line.to_lowercase();
    // `step,value` is TensorBoard's.
    matches!(read, Ok(Ok(_)))
        && ["cost", "loss", "error", "epoch", "step,value"].iter().any(|word| line.contains(word))
}

fn json_lines(text: &str, keys: &[&str]) -> Option<Log> {
    // Python writes NaN and Infinity, which JSON lacks.
    let readable = |line: &str| {
        let line = line.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null");
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line).ok()
    };
    // Read twice, not kept: as objects, lines take a hundred times the memory.
    let lines = || text.lines().filter(|line| line.trim_start().starts_with('{')).filter_map(readable);
    let number = |value: &serde_json::Value| value.is_number() || value.is_null();
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (name, _) in lines().flatten().filter(|(_, value)| number(value)) {
        if seen.insert(name.clone()) {
            all.push(name);
        }
    }
    let names = || all.iter();
    // An exact name comes before one that contains it.
    let key = keys.iter().find_map(|wanted| {
        names()
            .find(|name| name == wanted)
            .or_else(|| names().find(|name| name.to_lowercase().contains(wanted)))
    })?;
    let key = key.clone();
    let costs = lines().filter_map(|mut line| line.remove(&key)).filter(number);
    let costs: Vec<f64> = costs.map(|value| value.as_f64().unwrap_or(f64::NAN)).collect();
    (!costs.is_empty()).then_some(Log { key, costs })
}

/// Reads a table whose first line has names, separated by commas, semicolons or tabs: the column with one of these names.
fn table(text: &str, keys: &[&str]) -> Option<Log> {
    let fields = |line: &str| -> Vec<String> {
        line.split([',', ';', '\t']).map(|field| field.trim().trim_matches('"').to_string()).collect()
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let names = fields(lines.next()?);
    if names.len() < 2 || names.iter().any(|name| name.is_empty() || name.parse::<f64>().is_ok()) {
        return None;
    }
    let at = |is: &dyn Fn(&str) -> bool| names.iter().position(|name| is(&name.to_lowercase()));
    let column = keys
        .iter()
        .find_map(|key| {
            let key = key.to_lowercase();
            at(&|name| name == key).or_else(|| at(&|name| name.contains(&key)))
        })
        .or_else(|| at(&|name| name == "value"))?;
    let rows = lines.map(fields).filter(|row| row.len() == names.len());
    let costs: Vec<f64> = rows.map(|row| row[column].parse().unwrap_or(f64::NAN)).collect();
    costs.iter().any(|cost| cost.is_finite()).then(|| Log { key: names[column].clone(), costs })
}

fn keyed_lines(text: &str, keys: &[&str]) -> Option<Log> {
    let small = text.to_lowercase();
    keys.iter().find_map(|key| {
        let small_key = key.to_lowercase();
        // Only the most common form of line with a cost counts, which leaves out a summary at the end.
        let found: Vec<(String, f64)> = text
            .lines()
            .zip(small.lines())
            .filter_map(|(line, small)| number_after(small, &small_key).map(|cost| (form(line), cost)))
            .collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        found.iter().for_each(|(form, _)| *counts.entry(form).or_default() += 1);
        let common = found.iter().map(|(form, _)| form.as_str()).max_by_key(|form| counts.get(form))?;
        let costs: Vec<f64> =
            found.iter().filter(|(form, _)| form == common).map(|(_, cost)| *cost).collect();
        (costs.len() > 1 || found.len() == 1).then(|| Log { key: key.to_string(), costs })
    })
}

fn bare_numbers(text: &str) -> Option<Log> {
    let split = |line: &str| {
        let parts = line.split(|c: char| c.is_whitespace() || ",;[]()".contains(c));
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).map(String::from).collect();
        let numbers: Option<Vec<f64>> = parts.iter().map(|part| part.parse().ok()).collect();
        numbers?.last().copied()
    };
    let costs: Vec<f64> = text.lines().filter_map(split).collect();
    (!costs.is_empty()).then(|| Log { key: "number".into(), costs })
}

/// A line without its numbers, so that lines written by the same statement are equal.
fn form(line: &str) -> String {
    let letters: String = line.chars().filter(|c| c.is_alphabetic()).collect();
    let number = |c: char| matches!(c, 'e' | 'E');
    // The letter of an exponent comes and goes.
    letters.replace("nan", "").replace("inf", "").chars().filter(|&c| !number(c)).collect()
}

/// The number after `key` in a line, with nothing but signs such as `=`, `:` and `[` between.
fn number_after(line: &str, key: &str) -> Option<f64> {
    line.match_indices(key).find_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') && !key.starts_with('_') {
            // "mycost" is another word, but "train_loss" is a loss.
            before.filter(|&c| c == '_')?;
        }
        let rest =
            line[at + key.len()..].trim_start_matches([' ', '\t', '=', ':', '[', '(', '"', '\'', '|', ',']);
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = rest[..end].trim_end_matches('.');
        let numeric = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        let special = ["nan", "inf", "-inf", "+inf", "infinity", "-nan"].contains(&word);
        if special && word.ends_with("nan") {
            return Some(f64::NAN);
        }
        (numeric || special).then(|| word.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_found_however_they_are_written() {
        for (text, key, costs) in [
            ("Epoch: 0\ncost =  [ 969572.5]\nEpoch: 1\ncost =  [ 2.5e3]\n", "cost", vec![969_572.5, 2500.0]),
            (
                "epoch 1, train_loss: 0.5, val 3\nepoch 2, train_loss: nan, val 3\n",
                "loss",
                vec![0.5, f64::NAN],
            ),
            (
                "before training: reconstruction error 52.77\nepoch   9: reconstruction error 9.498, 5 samples/s\n\
                 epoch  10: reconstruction error 6.685, 53178 samples/s\ndone; reconstruction error 52.77 before\n",
                "reconstruction error",
                vec![9.498, 6.685],
            ),
            ("{\"epoch\": 1, \"loss\": 3.5}\n{\"epoch\": 2, \"loss\": NaN}\n", "loss", vec![3.5, f64::NAN]),
            ("1, 5.5\n2, 4.5\n\n3, 4.25\n", "number", vec![5.5, 4.5, 4.25]),
            ("epoch,train_loss,accuracy\n1,5.5,0.1\n2,nan,0.2\n", "train_loss", vec![5.5, f64::NAN]),
            ("Wall time,Step,Value\n1.6e9,1,5.5\n1.6e9,2,4.5\n", "Value", vec![5.5, 4.5]),
            (
                "[BernoulliRBM] Iteration 1, pseudo-likelihood = -201.33, time = 1.12s\n\
                 [BernoulliRBM] Iteration 2, pseudo-likelihood = -150.07, time = 1.10s\n",
                "-pseudo-likelihood",
                vec![201.33, 150.07],
            ),
            (
                "negative log-likelihood: 201.5\nnegative log-likelihood: 150.25\n",
                "log-likelihood",
                vec![201.5, 150.25],
            ),
        ] {
            let log = parse(text, None).unwrap();
            assert_eq!(log.key, key, "{text}");
            assert_eq!(format!("{:?}", log.costs), format!("{costs:?}"), "{text}");
        }
        assert_eq!(parse("{\"a\": 1, \"b\": 2}\n{\"a\": 3}", Some("a")).unwrap().costs, [1.0, 3.0]);
        assert_eq!(parse("cost = xent.mean()  # costs fall\nno numbers here\n", None), None);
    }
}
