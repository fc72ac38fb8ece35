//! Peak rates of a device, from two kernels that do one thing each, and the least time that they allow a kernel.

use serde::Serialize;

use super::timing::{Patience, Times, time};
use crate::{
    backend::{Backend, Copy, MultiplyAdd, operation::MULTIPLY_ADDS},
    check::cases::Work,
    error::Result,
};

/// Numbers to multiply and add.
const MULTIPLIED: usize = 1 << 22;
/// Numbers to copy: 64 MiB, more than most caches hold.
const COPIED: usize = 1 << 24;

/// Peak rates of a device.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// 10⁹ multiplications and additions per second.
    pub gflops: f64,
    /// 10⁹ bytes read and written per second.
    pub gbytes_per_second: f64,
}

impl Ceilings {
    /// Measures both rates.
    pub(super) fn measure(backend: &mut dyn Backend) -> Result<Self> {
        let [from, to] = [backend.values(COPIED)?, backend.values(COPIED)?];
        let seconds = time(backend, Patience::LONG, 2, |backend, which| {
            match which {
                0 => backend.copy(&Copy { rows: COPIED as u32 }, from, to),
                _ => backend.multiply_add(&MultiplyAdd { rows: MULTIPLIED as u32 }, from),
            }
            Ok(())
        })?;
        // The shortest time: other load on the machine only lengthens it.
        let least = |seconds: &[f64]| Times::of(seconds).min;
        let (copying, multiplying) = (least(&seconds[0]), least(&seconds[1]));
        Ok(Self {
            gflops: 2.0 * (MULTIPLIED * MULTIPLY_ADDS) as f64 / multiplying * 1e-9,
            gbytes_per_second: 8.0 * COPIED as f64 / copying * 1e-9,
        })
    }

    /// The least time for some work, in seconds: arithmetic or traffic, whichever takes longer (Williams, Waterman and
    /// Patterson 2009, "Roofline").
    pub fn least_seconds(&self, work: Work) -> f64 {
        (work.flops / self.gflops).max(work.bytes / self.gbytes_per_second) * 1e-9
    }
}
