//! Finds the costs in a text, however they are written.

use super::{Log, lines, literal, names, table};

/// A way to find the costs of one of some names in a text.
type Way = fn(&str, &[&str]) -> Vec<Log>;

/// Finds the costs in a text: JSON lines with a key such as `cost`, or lists under it, as JSON or as Python prints them; a table whose
/// first line names its columns; lines such as `cost = [ 969572.7 ]`; or columns of numbers, where the last column counts, or the
/// one whose number from 1 is the key. One log for each layer, if several are told apart; none without costs. What should grow is
/// negated.
pub fn parse(text: &str, key: Option<&str>) -> Vec<Log> {
    let text = &*lines::plain(text);
    let named = |keys: &[&str]| {
        let ways: [Way; 4] = [literal::parse, table::parse, literal::in_a_line, lines::parse];
        ways.iter().map(|way| way(text, keys)).find(|logs| !logs.is_empty())
    };
    let bare = |column: Option<usize>| {
        let list = if column.is_none() { literal::list(text) } else { Vec::new() };
        let costs = if list.len() > 1 { list } else { table::numbers(text, column) };
        (!costs.is_empty()).then(|| vec![Log::new("number", costs)])
    };
    let logs = match key {
        Some(key) => key.parse().ok().and_then(|column| bare(Some(column))).or_else(|| named(&[key])),
        None => named(&names::COSTS).or_else(|| named(&names::GAINS)).or_else(|| bare(None)),
    };
    let is_negated = text.to_lowercase();
    let is_negated =
        ["negative", "neg ", "neg_", "neg-", "nll", "minus"].iter().any(|word| is_negated.contains(word));
    logs.unwrap_or_default().into_iter().map(|log| turned(log, is_negated)).collect()
}

/// Negates the values of a log that should grow: one of likelihoods by its name, unless all are above 0 and fall; another if all are
/// below 0 and rise, as the cost of the Theano tutorial, which is a pseudo-likelihood. `is_negated` says that the text calls its
/// likelihoods negative.
fn turned(log: Log, is_negated: bool) -> Log {
    let is_gain =
        names::GAINS.iter().any(|gain| log.key.to_lowercase().contains(gain)) && !log.key.contains("neg");
    let finite = || log.costs.iter().copied().filter(|cost| cost.is_finite());
    let (below, above) = (finite().all(|cost| cost <= 0.0), finite().all(|cost| cost > 0.0));
    let (first, last) = (finite().next().unwrap_or(0.0), finite().next_back().unwrap_or(0.0));
    let how = match is_gain {
        true if below || !above && !is_negated => "",
        true if above && !is_negated && last > first => "likelihoods that rise, as they should",
        false if below && last > first && finite().count() > 1 => {
            "below 0 and rising: taken for a log-likelihood, which should grow"
        }
        _ => return log,
    };
    Log {
        key: format!("-{}", log.key),
        how: Some(how).filter(|how| !how.is_empty()),
        costs: log.costs.iter().map(|cost| -cost).collect(),
        ..log
    }
}
