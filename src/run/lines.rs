//! The lines of `metrics.jsonl`: which epochs have one, and what can be kept of the file.

use std::collections::BTreeMap;

use crate::train::{EpochMetrics, Event};

/// The readable lines by epoch. If an epoch has two, the last counts.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<usize, Vec<u8>>);

impl Lines {
    /// The lines of a file. Damaged lines are skipped; the last is torn if it has no line feed.
    pub(crate) fn of(text: &[u8]) -> Self {
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        Self(lines.filter_map(|line| Some((epoch(line)?, line.to_vec()))).collect())
    }

    /// The last epoch with a line; 0 without any.
    pub fn last(&self) -> usize {
        self.0.last_key_value().map_or(0, |(&epoch, _)| epoch)
    }

    /// Whether each epoch from the first to this one has a line.
    pub fn reach(&self, epoch: usize) -> bool {
        self.0.range(1..=epoch.max(1)).count() >= epoch
    }

    /// The epochs up to this one without a line.
    pub fn missing(&self, until: usize) -> Vec<usize> {
        (1..=until).filter(|epoch| !self.0.contains_key(epoch)).collect()
    }

    /// The file up to an epoch, without damaged lines. Missing lines are rewritten with their errors, if those of all
    /// epochs are known.
    pub(super) fn mended(&self, until: usize, errors: &[f64]) -> Vec<u8> {
        let anew = |epoch: usize| {
            let error = errors.get(epoch - 1).filter(|_| errors.len() == until)?;
            Event::Epoch(EpochMetrics::of_error(epoch, *error)).line().map(String::into_bytes)
        };
        let line = |epoch: usize| self.0.get(&epoch).cloned().or_else(|| anew(epoch));
        (1..=until).filter_map(line).flatten().collect()
    }
}

/// The epoch of a complete line, if it was measured. The line of a failure is no epoch's.
fn epoch(line: &[u8]) -> Option<usize> {
    match Event::from_line(line.strip_suffix(b"\n")?) {
        Ok(Event::Epoch(metrics)) if metrics.epoch > 0 && metrics.reconstruction_error.is_finite() => {
            Some(metrics.epoch)
        }
        _ => None,
    }
}

/// The events of a file, in order. Torn and damaged lines are skipped.
pub(crate) fn events(text: &[u8]) -> impl Iterator<Item = Event> {
    text.split(|&byte| byte == b'\n').filter_map(|line| Event::from_line(line).ok())
}

/// Length in bytes of the lines of the first epochs, if the file begins with them, in order.
pub(crate) fn beginning(text: &[u8], epochs: usize) -> Option<usize> {
    let lines: Vec<_> = text.split_inclusive(|&byte| byte == b'\n').take(epochs).collect();
    let are_in_order = lines.iter().zip(1..).all(|(line, expected)| epoch(line) == Some(expected));
    (lines.len() == epochs && are_in_order).then(|| lines.into_iter().map(<[u8]>::len).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_line_is_passed_over_and_filled_in() {
        let line =
            |epoch: usize| format!("{{\"epoch\":{epoch},\"reconstruction_error\":{epoch}.5,\"k\":1}}\n");
        let text = [line(1), "garbage\n".into(), line(3), line(4), "{\"epoch\":5,\"reco".into()].concat();
        let lines = Lines::of(text.as_bytes());
        assert_eq!((lines.last(), lines.missing(5)), (4, vec![2, 5]));
        assert!(lines.reach(1) && !lines.reach(2) && !lines.reach(4) && lines.reach(0));
        assert_eq!(beginning(text.as_bytes(), 1), Some(line(1).len()));
        assert_eq!((beginning(text.as_bytes(), 2), beginning(text.as_bytes(), 0)), (None, Some(0)));
        let mended = |until, errors: &[f64]| String::from_utf8(lines.mended(until, errors)).unwrap();
        assert_eq!(mended(3, &[]), [line(1), line(3)].concat());
        let filled = "{\"epoch\":2,\"reconstruction_error\":2.25}\n".to_string();
        assert_eq!(mended(3, &[1.5, 2.25, 3.5]), [line(1), filled, line(3)].concat());
        // Errors that are not one for each epoch are not used.
        assert_eq!(mended(3, &[2.25, 3.5]), [line(1), line(3)].concat());
    }

    #[test]
    fn of_two_lines_the_last_counts() {
        let text = b"{\"epoch\":1,\"reconstruction_error\":1}\n{\"epoch\":1,\"reconstruction_error\":2}\n";
        assert_eq!(Lines::of(text).mended(1, &[]), b"{\"epoch\":1,\"reconstruction_error\":2}\n");
        assert_eq!(beginning(text, 2), None);
    }
}
