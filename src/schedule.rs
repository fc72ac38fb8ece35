//! The host-side scheduler: shuffles the cases of an epoch, cuts them into minibatches, and prepares blocks of those with
//! their uniforms and, if the data set doesn't fit the device, their rows, while the device works on the previous block.

mod ahead;

pub(crate) use ahead::RING;
use ahead::ahead;
use rand::{RngExt, seq::SliceRandom};

use crate::{
    data::Rows,
    rbm::{Shape, Side},
    rng::{self, Address, Philox, Stream},
};

/// The most bytes of a block on its way to the device: far below WebGPU's default limit of 128 MiB for a binding.
const BLOCK_BYTES: usize = 32 << 20;
/// The most minibatches of a block: enough to amortise the transfer.
const BLOCK_MINIBATCHES: usize = 64;

/// A draw in every step whose uniforms the host prepares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreparedDraw {
    /// Purpose.
    pub stream: Stream,
    /// Layer of the states.
    pub layer: Side,
    /// Sweep.
    pub sweep: u32,
    /// Rows, if not the cases of the minibatch.
    pub chains: Option<usize>,
}

/// The constants of a run.
#[derive(Clone, Debug)]
pub struct Schedule<'a> {
    /// The training cases.
    pub rows: &'a Rows,
    /// Their weights: an epoch takes cases in proportion to them ([`order`]).
    pub weights: Option<&'a [f32]>,
    /// Units of each layer.
    pub shape: Shape,
    /// Cases in a minibatch; the last of an epoch may have fewer.
    pub batch: usize,
    /// The seed.
    pub seed: u64,
    /// Whether blocks carry rows instead of row indices.
    pub stream_rows: bool,
    /// Uniforms that a step needs from the host, in order; empty if the device draws its own.
    pub draws: Vec<PreparedDraw>,
}

/// One minibatch of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minibatch {
    /// The step number since training began.
    pub step: u32,
    /// Index of the first case in the block's order.
    pub first_row: usize,
    /// Number of cases.
    pub rows: usize,
    /// Index of the first uniform in the block.
    pub uniforms_at: usize,
}

/// Consecutive minibatches, and their data for the device.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The minibatches.
    pub minibatches: Vec<Minibatch>,
    /// Row index on the device of each case in the block.
    pub order: Vec<u32>,
    /// Rows, if streamed.
    pub words: Vec<u32>,
    /// Uniforms of all minibatches, if they come from the host.
    pub uniforms: Vec<f32>,
}

impl Schedule<'_> {
    /// Steps in an epoch.
    pub fn steps(&self) -> usize {
        self.rows.len().div_ceil(self.batch)
    }

    /// Minibatches in a block.
    pub fn block_minibatches(&self) -> usize {
        let row = if self.stream_rows { 4 * self.rows.layout().words() } else { 0 };
        let bytes =
            self.batch.saturating_mul(row + 4).saturating_add(self.uniforms_of(self.batch).saturating_mul(4));
        (BLOCK_BYTES / bytes).clamp(1, BLOCK_MINIBATCHES).min(self.steps())
    }

    /// The most cases of a block: the size of the device's buffer for streamed rows.
    pub fn block_rows(&self) -> usize {
        (self.block_minibatches() * self.batch).min(self.rows.len())
    }

    /// The most uniforms of a block.
    pub fn block_uniforms(&self) -> usize {
        self.block_minibatches().saturating_mul(self.uniforms_of(self.batch))
    }

    fn uniforms_of(&self, rows: usize) -> usize {
        let uniforms = self
            .draws
            .iter()
            .map(|draw| draw.chains.unwrap_or(rows).saturating_mul(self.shape.units(draw.layer)));
        uniforms.fold(0, usize::saturating_add)
    }

    /// Runs `work` on each block of an epoch, in order, from minibatch `first` on, while the next block is prepared. Stops
    /// at the first error.
    ///
    /// # Errors
    /// The first error of `work`.
    pub fn epoch<E>(
        &self,
        epoch: usize,
        first: usize,
        work: impl FnMut(&Block) -> Result<(), E>,
    ) -> Result<(), E> {
        let order = order(self.rows.len(), self.weights, self.seed, epoch);
        let left = &order[(first * self.batch).min(order.len())..];
        let size = self.block_minibatches();
        let first_step = epoch * self.steps() + first;
        let parts = left.chunks(size * self.batch).enumerate();
        let prepare = |block: &mut Block, (at, cases): (usize, &[u32])| {
            self.prepare(block, cases, first_step + at * size);
        };
        ahead(parts, prepare, work)
    }

    fn prepare(&self, block: &mut Block, cases: &[u32], first_step: usize) {
        block.order.clear();
        block.words.clear();
        if self.stream_rows {
            block.order.extend(0..cases.len() as u32);
            cases.iter().for_each(|&case| block.words.extend_from_slice(&self.rows.row(case as usize)));
        } else {
            block.order.extend_from_slice(cases);
        }
        block.minibatches.clear();
        let mut uniforms_at = 0;
        for (index, minibatch) in cases.chunks(self.batch).enumerate() {
            let (step, rows) = ((first_step + index) as u32, minibatch.len());
            block.minibatches.push(Minibatch { step, first_row: index * self.batch, rows, uniforms_at });
            uniforms_at += self.uniforms_of(rows);
        }
        block.uniforms.resize(uniforms_at, 0.0);
        for minibatch in &block.minibatches {
            let mut at = minibatch.uniforms_at;
            for &PreparedDraw { stream, layer, sweep, chains } in &self.draws {
                let address = Address::new(stream, minibatch.step).layer(layer.number()).sweep(sweep);
                let units = self.shape.units(layer);
                let rows = chains.unwrap_or(minibatch.rows);
                let uniforms = &mut block.uniforms[at..][..rows * units];
                for (chain, row) in uniforms.chunks_mut(units).enumerate() {
                    rng::fill(self.seed, address, chain as u32, 0, row);
                }
                at += rows * units;
            }
        }
    }
}

/// The cases of an epoch: as many as there are, in random order. Without weights each comes once. With weights a case comes in
/// proportion to its own, rounded up or down at random (systematic resampling; Kitagawa 1996): then a minibatch's plain means
/// are estimates of weighted means, and chains that start at the data start in proportion, too.
pub fn order(cases: usize, weights: Option<&[f32]>, seed: u64, epoch: usize) -> Vec<u32> {
    let mut generator = Philox::new(seed, Stream::Order, epoch as u32);
    let mut order: Vec<u32> = (0..cases as u32).collect();
    if let Some(weights) = weights {
        let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        let offset: f64 = generator.random();
        let (mut passed, mut case) = (0.0, 0);
        for (drawn, at) in order.iter_mut().zip(0..) {
            let aim = (f64::from(at) + offset) / cases as f64 * sum;
            while passed + f64::from(weights[case]) <= aim && case + 1 < cases {
                passed += f64::from(weights[case]);
                case += 1;
            }
            *drawn = case as u32;
        }
    }
    order.shuffle(&mut generator);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_cases_in_proportion_to_their_weights() {
        let weights = [0.0, 0.5, 2.0, 1.0, 0.25, 0.0, 0.0];
        let mut counts = [0; 7];
        for epoch in 0..4000 {
            let order = order(7, Some(&weights), 3, epoch);
            assert_eq!(order.len(), 7);
            for (case, weight) in weights.iter().enumerate() {
                let times = order.iter().filter(|&&taken| taken as usize == case).count();
                let share = f64::from(*weight) / 3.75 * 7.0;
                assert!(times as f64 >= share.floor() && times as f64 <= share.ceil(), "{case}: {times}");
                counts[case] += times;
            }
        }
        for (count, weight) in counts.iter().zip(weights) {
            let mean = *count as f64 / 4000.0;
            assert!((mean - f64::from(weight) / 3.75 * 7.0).abs() < 0.04, "{mean} of weight {weight}");
        }
    }

    fn schedule(rows: &Rows, stream_rows: bool) -> Schedule<'_> {
        let shape = Shape { visible: 3, hidden: 2 };
        let draw = |layer| PreparedDraw { stream: Stream::Train, layer, sweep: 0, chains: None };
        let draws = vec![draw(Side::Hidden), draw(Side::Visible)];
        Schedule { rows, weights: None, shape, batch: 4, seed: 5, stream_rows, draws }
    }

    #[test]
    fn an_epoch_takes_every_case_once_with_its_own_uniforms() {
        let bytes: Vec<u8> = (0..3 * 1030).map(|i| (i / 3) as u8).collect();
        let rows = Rows::from_bytes(3, &bytes, 1.0);
        let mut seen = vec![0; rows.len()];
        let mut steps = Vec::new();
        let schedule = schedule(&rows, false);
        schedule
            .epoch(1, 0, |block| {
                for minibatch in &block.minibatches {
                    steps.push(minibatch.step);
                    let cases = &block.order[minibatch.first_row..][..minibatch.rows];
                    cases.iter().for_each(|&case| seen[case as usize] += 1);
                    let chain = minibatch.rows - 1;
                    let visible_at = minibatch.uniforms_at + minibatch.rows * 2 + chain * 3;
                    let address = Address::new(Stream::Train, minibatch.step);
                    let expected = rng::uniform_at(5, address, chain as u32, 2);
                    assert_eq!(block.uniforms[visible_at + 2], expected);
                }
                Ok::<_, ()>(())
            })
            .unwrap();
        assert!(seen.iter().all(|&times| times == 1), "a case was left out or taken twice");
        assert_eq!(steps, (258..516).collect::<Vec<_>>(), "1030 cases in minibatches of 4 are 258 steps");
    }

    #[test]
    fn streamed_rows_are_the_rows_of_the_order() {
        let bytes: Vec<u8> = (0..3 * 1030).map(|i| (i * 7) as u8).collect();
        let rows = Rows::from_bytes(3, &bytes, 1.0);
        let (mut resident, mut streamed) = (Vec::new(), Vec::new());
        let collect = |schedule: Schedule, words: &mut Vec<u32>| {
            schedule
                .epoch(0, 0, |block| {
                    let row = |&case: &u32| {
                        if schedule.stream_rows {
                            block.words[case as usize]
                        } else {
                            rows.row(case as usize)[0]
                        }
                    };
                    words.extend(block.order.iter().map(row));
                    Ok::<_, ()>(())
                })
                .unwrap();
        };
        collect(schedule(&rows, false), &mut resident);
        collect(schedule(&rows, true), &mut streamed);
        assert_eq!(resident, streamed);
    }

    #[test]
    fn an_error_ends_the_epoch() {
        let rows = Rows::from_bytes(3, &[1; 3 * 4000], 1.0);
        let mut blocks = 0;
        let result = schedule(&rows, true).epoch(0, 0, |_| {
            blocks += 1;
            Err("the device is gone")
        });
        assert_eq!((result, blocks), (Err("the device is gone"), 1));
    }
}
