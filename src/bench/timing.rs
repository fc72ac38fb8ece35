//! Repeated measurements.

use std::time::Duration;

use serde::Serialize;

use crate::{
    backend::Backend,
    clock::{Clock, System},
    error::Result,
};

/// Times of repeated runs, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The median.
    pub median: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
    /// Distance of the quartiles, as a share of the median.
    pub spread: f64,
}

impl Times {
    /// Summarises at least one measurement.
    pub(super) fn of(seconds: &[f64]) -> Self {
        let mut seconds = seconds.to_vec();
        seconds.sort_by(f64::total_cmp);
        let last = seconds.len() - 1;
        let quantile = |q: f64| {
            let at = q * last as f64;
            let (below, above) = (seconds[at.floor() as usize], seconds[at.ceil() as usize]);
            below + (above - below) * at.fract()
        };
        let median = quantile(0.5);
        let spread = (quantile(0.75) - quantile(0.25)) / median;
        Self { median, min: seconds[0], max: seconds[last], spread }
    }

    /// The times of one of `parts` equal parts.
    pub(super) fn divided_by(self, parts: usize) -> Self {
        let [median, min, max] = [self.median, self.min, self.max].map(|seconds| seconds / parts as f64);
        Self { median, min, max, spread: self.spread }
    }
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Least time of a measurement: the call is repeated until then.
    pub least: Duration,
    /// The most measurements of each call.
    pub rounds: usize,
    /// Time after which each call is measured at most three times.
    pub most: Duration,
}

impl Patience {
    /// For figures to quote.
    pub const LONG: Self =
        Self { least: Duration::from_millis(20), rounds: 30, most: Duration::from_secs(5) };
    /// For the many figures of a sweep.
    pub const SHORT: Self =
        Self { least: Duration::from_millis(20), rounds: 9, most: Duration::from_secs(3) };
}

/// Times several calls, `call(0)` to `call(calls - 1)`, in turns, so that a slow phase of the machine slows all of them
/// and keeps their ratios. Each call is warmed up, then repeated for the least time of a measurement. Returns each
/// call's seconds, round by round.
pub(super) fn time(
    backend: &mut dyn Backend,
    patience: Patience,
    calls: usize,
    mut call: impl FnMut(&mut dyn Backend, usize) -> Result<()>,
) -> Result<Vec<Vec<f64>>> {
    let clock = System::new();
    let mut measure = |backend: &mut dyn Backend, which: usize, times: u32| -> Result<Duration> {
        let start = clock.now();
        (0..times).try_for_each(|_| call(backend, which))?;
        backend.wait()?;
        Ok(clock.since(start))
    };
    let mut times = vec![1; calls];
    for (which, times) in times.iter_mut().enumerate() {
        measure(backend, which, 1)?;
        while measure(backend, which, *times)? < patience.least {
            *times *= 2;
        }
    }
    let mut seconds = vec![Vec::new(); calls];
    for round in 0..patience.rounds {
        if round >= 3 && clock.now() > patience.most {
            break;
        }
        for (which, &times) in times.iter().enumerate() {
            seconds[which].push(measure(backend, which, times)?.as_secs_f64() / f64::from(times));
        }
    }
    Ok(seconds)
}
