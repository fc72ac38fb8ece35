//! Voronoi cells of the visible states. Each centre is the mean of a group of cases, or of states that a search ended in. A
//! mode that chains miss, or stay in, shows in how often they visit its cell.

use serde::Serialize;

/// Rounds of Lloyd's iteration. The groups need not be optimal.
const ITERATIONS: usize = 5;

/// The centres of the cells.
pub struct Cells {
    width: usize,
    /// Each centre, and half of its squared norm.
    centres: Vec<(Vec<f32>, f32)>,
}

impl Cells {
    /// No centres yet, for states of `width` units.
    pub fn new(width: usize) -> Self {
        Self { width, centres: Vec::new() }
    }

    /// Adds the means of at most `count` groups of these states, row by row, by k-means++ (Arthur and Vassilvitskii 2007):
    /// each initial centre is a state drawn by its squared distance from the others. `uniform` gives the number for each
    /// draw.
    pub fn add_groups(&mut self, states: &[f32], count: usize, uniform: impl Fn(usize) -> f32) {
        let rows: Vec<&[f32]> = states.chunks(self.width).collect();
        let mut groups = Self::new(self.width);
        let mut distances = vec![1.0_f64; rows.len()];
        for number in 0..count {
            let aim = f64::from(uniform(number)) * distances.iter().sum::<f64>();
            let mut passed = 0.0;
            let drawn = distances.iter().position(|distance| {
                passed += distance;
                passed > aim
            });
            // Fewer distinct states than groups.
            let Some(drawn) = drawn else { break };
            groups.push(rows[drawn].to_vec());
            for (row, distance) in rows.iter().zip(&mut distances) {
                let new = squared_distance(rows[drawn], row);
                *distance = if number == 0 { new } else { distance.min(new) };
            }
        }
        for _ in 0..ITERATIONS {
            groups = groups.moved(&rows);
        }
        self.centres.append(&mut groups.centres);
    }

    fn push(&mut self, centre: Vec<f32>) {
        let half = centre.iter().map(|x| x * x).sum::<f32>() / 2.0;
        self.centres.push((centre, half));
    }

    /// One step of Lloyd's iteration. Drops centres without states.
    fn moved(&self, rows: &[&[f32]]) -> Self {
        let mut sums = vec![(vec![0.0_f32; self.width], 0.0_f32); self.centres.len()];
        for row in rows {
            let (sum, count) = &mut sums[self.nearest(row)];
            sum.iter_mut().zip(*row).for_each(|(sum, x)| *sum += x);
            *count += 1.0;
        }
        let mut moved = Self::new(self.width);
        for (sum, count) in sums.into_iter().filter(|(_, count)| *count > 0.0) {
            moved.push(sum.into_iter().map(|sum| sum / count).collect());
        }
        moved
    }

    /// Index of the nearest centre. There must be at least one centre.
    pub fn nearest(&self, state: &[f32]) -> usize {
        let mut nearest = (0, f32::INFINITY);
        for (number, (centre, half)) in self.centres.iter().enumerate() {
            let product: f32 = centre.iter().zip(state).map(|(c, x)| c * x).sum();
            if half - product < nearest.1 {
                nearest = (number, half - product);
            }
        }
        nearest.0
    }

    /// The centres.
    pub fn centres(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.centres.iter().map(|(centre, _)| &centre[..])
    }
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a - b) * (a - b))).sum()
}

/// A fraction of the time, and its standard error from the variance between chains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The fraction, from 0 to 1.
    pub share: f64,
    /// Standard error of the fraction.
    pub standard_error: f64,
}

/// Visits of each chain to each cell.
pub struct Visits {
    /// Chains × cells.
    counts: Vec<f64>,
    cells: usize,
    looks: f64,
}

impl Visits {
    pub fn new(chains: usize, cells: &Cells) -> Self {
        Self { counts: vec![0.0; chains * cells.centres.len()], cells: cells.centres.len(), looks: 0.0 }
    }

    /// Counts the current states of all chains.
    pub fn count(&mut self, cells: &Cells, states: &[f32]) {
        for (state, counts) in states.chunks(cells.width).zip(self.counts.chunks_mut(self.cells)) {
            counts[cells.nearest(state)] += 1.0;
        }
        self.looks += 1.0;
    }

    /// The fraction of the time that these chains spent in a cell.
    pub fn share(&self, cell: usize, chains: std::ops::Range<usize>) -> Share {
        let count = chains.len() as f64;
        let shares: Vec<f64> =
            chains.map(|chain| self.counts[chain * self.cells + cell] / self.looks).collect();
        let mean = shares.iter().sum::<f64>() / count;
        let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
        Share { share: mean, standard_error: (squares / (count * (count - 1.0))).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_are_apart_have_a_centre_each() {
        // Three patterns, each with one unit flipped.
        let patterns = [[0.0; 12], [1.0; 12], std::array::from_fn(|unit| (unit % 2) as f32)];
        let states: Vec<f32> = (0..30)
            .flat_map(|row| {
                let mut state = patterns[row % 3];
                state[row / 3] = 1.0 - state[row / 3];
                state
            })
            .collect();
        let mut cells = Cells::new(12);
        cells.add_groups(&states, 3, |number| 0.4 + 0.1 * number as f32);
        assert_eq!(cells.centres().len(), 3);
        let of = patterns.map(|pattern| cells.nearest(&pattern));
        assert!(of[0] != of[1] && of[1] != of[2] && of[0] != of[2], "{of:?}");
        assert!(states.chunks(12).zip(0..).all(|(state, row)| cells.nearest(state) == of[row % 3]));

        let mut visits = Visits::new(30, &cells);
        visits.count(&cells, &states);
        let share = visits.share(of[0], 0..30);
        assert!((share.share - 1.0 / 3.0).abs() < 1e-12, "{share:?}");
        assert!((share.standard_error - (2.0 / 9.0 / 29.0_f64).sqrt()).abs() < 1e-12, "{share:?}");
    }

    #[test]
    fn there_are_no_more_groups_than_different_states() {
        let mut cells = Cells::new(2);
        cells.add_groups(&[0.0, 1.0, 1.0, 0.0].repeat(10), 5, |_| 0.5);
        assert_eq!(cells.centres().len(), 2);
    }
}
