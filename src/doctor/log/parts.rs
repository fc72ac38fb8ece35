//! The parts of a log: the layers of a stack, or courses whose epochs begin anew. Each is judged for itself.

use super::Log;

/// The most parts that are told apart; more numbers of layers, or beginnings, are no parts.
const MOST: usize = 64;
/// The most courses that begin anew: more are the minibatches of epochs.
const MOST_COURSES: usize = 8;
/// The fewest costs of a course.
const FEWEST: usize = 3;

/// The costs of a log, part by part.
#[derive(Default)]
pub struct Parts {
    parts: Vec<Part>,
}

struct Part {
    layer: Option<u32>,
    /// Numbers of the first and of the last epoch.
    epochs: Option<(f64, f64)>,
    costs: Vec<f64>,
}

impl Parts {
    /// Adds a cost, of this layer and of this epoch, if they are known.
    pub fn push(&mut self, layer: Option<u32>, epoch: Option<f64>, cost: f64) {
        let is_full = self.parts.len() >= MOST;
        let latest = self.parts.iter_mut().rev().find(|part| part.layer == layer || is_full);
        let begins_anew = |part: &Part| match (part.epochs, epoch) {
            (Some((first, last)), Some(epoch)) => epoch < last && epoch <= first,
            _ => false,
        };
        let part = match latest {
            Some(part) if is_full || !begins_anew(part) => part,
            _ => {
                self.parts.push(Part { layer, epochs: None, costs: Vec::new() });
                let last = self.parts.len() - 1;
                &mut self.parts[last]
            }
        };
        part.costs.push(cost);
        if let Some(epoch) = epoch.filter(|epoch| epoch.is_finite()) {
            part.epochs = Some((part.epochs.map_or(epoch, |epochs| epochs.0), epoch));
        }
    }

    /// The logs, one for each part; empty without costs.
    pub fn logs(mut self, key: &str) -> Vec<Log> {
        let same_layer = self.parts.windows(2).all(|pair| pair[0].layer == pair[1].layer);
        let is_short = self.parts.iter().any(|part| part.costs.len() < FEWEST);
        if same_layer && (is_short || self.parts.len() > MOST_COURSES) {
            let mut parts = std::mem::take(&mut self.parts).into_iter();
            self.parts.extend(parts.next());
            parts.for_each(|part| self.parts[0].costs.extend(part.costs));
        }
        let count = self.parts.len();
        let layers: Vec<Option<u32>> = self.parts.iter().map(|part| part.layer).collect();
        let label = |at: usize| match layers[at] {
            _ if count == 1 => None,
            Some(layer) if layers.iter().filter(|other| **other == Some(layer)).count() == 1 => {
                Some(format!("layer {layer}"))
            }
            _ => Some(format!("part {} of {count}", at + 1)),
        };
        let parts = self.parts.into_iter().enumerate();
        parts.map(|(at, part)| Log { part: label(at), ..Log::new(key, part.costs) }).collect()
    }
}
