//! Random numbers addressed by purpose, not by order of execution.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a 128-bit
//! counter into four random words. Here the counter is an address: which unit, in which chain, in which Gibbs sweep of
//! which step. So any device, any tile and any order of work draws the same number for the same unit, and the generator has
//! no state besides the seed and the step. The WGSL twin of this file is `shaders/shared/random.wgsl`.

use rand::rand_core::{Infallible, TryRng};

/// Purpose of a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// Training: the states of units.
    Train = 0,
    /// Binarization of grey pixels in training.
    Binarize = 1,
    /// Initial weights.
    Weights = 2,
    /// The order of the cases in an epoch.
    Order = 3,
    /// Synthetic data: benchmarks and tests.
    Synthetic = 4,
    /// Start states of chains.
    Chains = 5,
    /// The choice of validation cases.
    Split = 6,
    /// Samples of a model: the states of units.
    Sample = 7,
    /// Samples of a model: swaps of replicas.
    Exchange = 8,
    /// Training by parallel or trajectory tempering: swaps of replicas.
    Swap = 9,
    /// Annealed importance sampling: the states of units.
    Anneal = 10,
    /// Annealed importance sampling: resampling of chains.
    Resample = 11,
    /// Binarization of grey pixels for a likelihood, and the doctor's draws.
    Evaluation = 12,
    /// The search for missed mass: initial centres of cells.
    Cells = 13,
    /// Missing values of cases, given the observed ones: the states of units.
    Complete = 14,
}

/// Version of the addresses. A run from another version can't be resumed bit for bit.
pub const ADDRESSES: u32 = 2;

/// Address of the random numbers of one draw: stream, layer, sweep and step, each in its own bits. A chain and a unit
/// complete it.
///
/// ```text
/// word 0   layer (6 bits), unit / 4 (26 bits)
/// word 1   chain
/// word 2   sweep (24 bits), stream (8 bits)
/// word 3   step
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Word 0 without the unit: the layer.
    layer: u32,
    /// Word 2.
    purpose: u32,
    /// Word 3.
    step: u32,
}

impl Address {
    /// The number of sweeps; the first invalid one.
    pub const SWEEPS: u32 = 1 << 24;

    /// The first draw of a stream at a step, for the units of layer 0.
    pub const fn new(stream: Stream, step: u32) -> Self {
        Self { layer: 0, purpose: stream as u32, step }
    }

    /// Replaces the layer, from 0 to 63; 0 is the visible one.
    pub const fn layer(self, layer: u32) -> Self {
        debug_assert!(layer < 1 << 6, "a layer has 6 bits");
        Self { layer: layer << 26, ..self }
    }

    /// Replaces the sweep, from 0 to [`Address::SWEEPS`] − 1: a Gibbs sweep, or the index of a run among those that share
    /// its steps.
    pub const fn sweep(self, sweep: u32) -> Self {
        // Whatever a user may choose is checked where it comes in: k and the temperatures by `TrainConfig::check`, the
        // chains of an inpainting by its command.
        debug_assert!(sweep < Self::SWEEPS, "a sweep has 24 bits");
        Self { purpose: sweep << 8 | self.purpose & 0xFF, ..self }
    }

    /// Words 0, 2 and 3 of the counter, word 0 without the unit.
    pub const fn words(self) -> [u32; 3] {
        [self.layer, self.purpose, self.step]
    }

    /// Inverts [`Address::words`].
    pub const fn from_words([layer, purpose, step]: [u32; 3]) -> Self {
        Self { layer, purpose, step }
    }

    /// The counter of four units of a chain, from 4 · `group` on.
    const fn counter(self, chain: u32, group: u32) -> [u32; 4] {
        [self.layer | group, chain, self.purpose, self.step]
    }
}

/// The four words of Philox4x32-10 at `counter` under `key`.
#[inline(always)]
pub const fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    let mut round = 0;
    while round < 10 {
        let left = a as u64 * 0xD251_1F53;
        let right = c as u64 * 0xCD9E_8D57;
        (a, b, c, d) =
            ((right >> 32) as u32 ^ b ^ k0, right as u32, (left >> 32) as u32 ^ d ^ k1, left as u32);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
        round += 1;
    }
    [a, b, c, d]
}

/// The seed as Philox's key.
pub const fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// A uniform number in [0, 1) from a word: its upper 24 bits, so that the conversion to `f32` is exact everywhere.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The uniform number for `unit` of `chain` at an address.
pub fn uniform_at(seed: u64, address: Address, chain: u32, unit: u32) -> f32 {
    uniform(philox(address.counter(chain, unit / 4), key(seed))[(unit % 4) as usize])
}

/// Counters that [`fill`] computes together.
const LANES: usize = 16;
/// Numbers that [`fill`] computes together.
pub const BLOCK: usize = 4 * LANES;

/// [`philox`] for [`LANES`] consecutive counters, in loops that the compiler vectorises. A lane has 64 bits, for the
/// product; only the lower half of each factor is used.
#[inline(always)]
fn philox_lanes([first, rest @ ..]: [u32; 4], [mut k0, mut k1]: [u32; 2]) -> [u32; BLOCK] {
    const LOW: u64 = u32::MAX as u64;
    let mut a: [u64; LANES] = std::array::from_fn(|lane| u64::from(first) + lane as u64);
    let [mut b, mut c, mut d] = rest.map(|word| [u64::from(word); LANES]);
    for _ in 0..10 {
        for lane in 0..LANES {
            let left = (a[lane] & LOW) * 0xD251_1F53;
            let right = (c[lane] & LOW) * 0xCD9E_8D57;
            a[lane] = right >> 32 ^ b[lane] ^ u64::from(k0);
            b[lane] = right;
            c[lane] = left >> 32 ^ d[lane] ^ u64::from(k1);
            d[lane] = left;
        }
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    let mut pairs = [0_u64; 2 * LANES];
    for (lane, pairs) in pairs.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        *pairs = [(a[lane] & LOW) | b[lane] << 32, (c[lane] & LOW) | d[lane] << 32].map(u64::to_le);
    }
    bytemuck::cast::<_, [u32; BLOCK]>(pairs).map(u32::from_le)
}

/// Fills `uniforms` with the numbers of consecutive units of one chain, from `first` on, a multiple of four.
#[inline(always)]
pub fn fill(seed: u64, address: Address, chain: u32, first: u32, uniforms: &mut [f32]) {
    debug_assert!(first.is_multiple_of(4), "a counter holds the numbers of four units");
    for (group, uniforms) in (first / 4..).step_by(LANES).zip(uniforms.chunks_mut(BLOCK)) {
        let words = philox_lanes(address.counter(chain, group), key(seed));
        // A loop of constant length has no remainder.
        match uniforms.as_mut_array::<BLOCK>() {
            Some(uniforms) => {
                for (number, word) in uniforms.iter_mut().zip(words) {
                    *number = uniform(word);
                }
            }
            None => uniforms.iter_mut().zip(words).for_each(|(number, word)| *number = uniform(word)),
        }
    }
}

/// The numbers of one purpose as a sequence, for `rand`'s shuffles and distributions.
pub struct Philox {
    key: [u32; 2],
    counter: [u32; 4],
    words: [u32; 4],
    used: usize,
}

impl Philox {
    /// The sequence of `stream` at `step` (for [`Stream::Order`], the epoch).
    pub fn new(seed: u64, stream: Stream, step: u32) -> Self {
        Self { key: key(seed), counter: Address::new(stream, step).counter(0, 0), words: [0; 4], used: 4 }
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.used == 4 {
            self.words = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.counter[1] += u32::from(self.counter[0] == 0);
            self.used = 0;
        }
        self.used += 1;
        Ok(self.words[self.used - 1])
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.try_next_u32()?);
        Ok(low | u64::from(self.try_next_u32()?) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.try_next_u32()?.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
