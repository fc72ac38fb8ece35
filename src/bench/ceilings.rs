//! What the device can reach at all, by two kernels that do one thing each, and what a kernel needs at least.

use serde::Serialize;

use super::timing::{Patience, Times, time};
use crate::{
    backend::{Backend, Copy, MultiplyAdd, operation::MULTIPLY_ADDS},
    check::cases::Work,
    error::Result,
};

/// Numbers that are multiplied and added.
const MULTIPLIED: usize = 1 << 22;
/// Numbers that are copied: 64 MiB, more than most caches hold.
const COPIED: usize = 1 << 24;

/// What the device reached when it did nothing else.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Multiplications and additions, 10⁹ a second.
    pub gflops: f64,
    /// Bytes read and written, 10⁹ a second.
    pub gbytes_per_second: f64,
}

impl Ceilings {
    /// Measures both.
    pub(super) fn measure(backend: &mut dyn Backend) -> Result<Self> {
        let [from, to] = [backend.values(COPIED)?, backend.values(COPIED)?];
        let seconds = time(backend, Patience::LONG, 2, |backend, which| {
            match which {
                0 => backend.copy(&Copy { rows: COPIED as u32 }, from, to),
                _ => backend.multiply_add(&MultiplyAdd { rows: MULTIPLIED as u32 }, from),
            }
            Ok(())
        })?;
        // The shortest: what else the machine did meanwhile does not lower what it can reach.
        let least = |seconds: &[f64]| Times::of(seconds).min;
        let (copying, multiplying) = (least(&seconds[0]), least(&seconds[1]));
        Ok(Self {
            gflops: 2.0 * (MULTIPLIED * MULTIPLY_ADDS) as f64 / multiplying * 1e-9,
            gbytes_per_second: 8.0 * COPIED as f64 / copying * 1e-9,
        })
    }

    /// The least time that some work takes, in seconds: its arithmetic or its traffic, whichever takes longer
    /// (Williams, Waterman and Patterson 2009, "Roofline").
    pub fn least_seconds(&self, work: Work) -> f64 {
        (work.flops / self.gflops).max(work.bytes / self.gbytes_per_second) * 1e-9
    }
}
