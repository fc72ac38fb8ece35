//! What the device can reach at all, by two kernels that do one thing each, and what a kernel needs at least.

use serde::Serialize;

use super::timing::{Patience, Times, time};
use crate::{
    backend::{Backend, MULTIPLY_ADDS, Params},
    error::Result,
    rbm::Shape,
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

/// What a kernel has to do, however well it does it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Work {
    /// Multiplications and additions of its products.
    pub flops: f64,
    /// Bytes of its inputs and outputs, each moved once, at four to a number.
    pub bytes: f64,
}

impl Ceilings {
    /// Measures both.
    pub(super) fn measure(backend: &mut dyn Backend) -> Result<Self> {
        let params = |rows: usize| Params::new(Shape { visible: 1, hidden: 1 }, rows, 1);
        let [from, to] = [backend.values(COPIED)?, backend.values(COPIED)?];
        let seconds = time(backend, Patience::LONG, 2, |backend, which| {
            match which {
                0 => backend.copy(&params(COPIED), from, to),
                _ => backend.multiply_add(&params(MULTIPLIED), from),
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

impl Work {
    /// Of each kernel of a step, in the order of [`super::KERNELS`].
    pub(super) fn of_kernels(shape: Shape, batch: usize, row_bytes: usize) -> [Self; 4] {
        let (m, n, batch) = (shape.visible as f64, shape.hidden as f64, batch as f64);
        let product = 2.0 * batch * m * n;
        let (weights, visible, hidden) = (m * n, batch * m, batch * n);
        [
            Self { flops: 0.0, bytes: batch * row_bytes as f64 + 4.0 * visible },
            Self { flops: product, bytes: 4.0 * (weights + visible + 2.0 * hidden) },
            Self { flops: product, bytes: 4.0 * (weights + hidden + 2.0 * visible) },
            Self { flops: 2.0 * product, bytes: 4.0 * (4.0 * weights + 2.0 * visible + 2.0 * hidden) },
        ]
    }
}
