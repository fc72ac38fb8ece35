//! Repeated measurements.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{backend::Backend, error::Result};

/// Times of many runs of one thing, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The median.
    pub median: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
    /// How far apart the quartiles are, as a share of the median.
    pub spread: f64,
}

impl Times {
    /// Of at least one measurement.
    pub(super) fn of(mut seconds: Vec<f64>) -> Self {
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
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A measurement repeats its call until it takes at least this long,
    pub least: Duration,
    /// there are at most so many measurements,
    pub measurements: usize,
    /// and only three once this much time has gone by.
    pub most: Duration,
}

impl Patience {
    /// For a figure that will be quoted.
    pub const LONG: Self =
        Self { least: Duration::from_millis(20), measurements: 30, most: Duration::from_secs(4) };
    /// For one of many.
    pub const SHORT: Self =
        Self { least: Duration::from_millis(20), measurements: 9, most: Duration::from_millis(300) };
}

/// Times one call: warm-up, then measurements of as many calls as it takes. Gives each measurement's seconds a call.
pub(super) fn time(
    backend: &mut dyn Backend,
    patience: Patience,
    mut call: impl FnMut(&mut dyn Backend) -> Result<()>,
) -> Result<Vec<f64>> {
    let mut measure = |backend: &mut dyn Backend, calls: u32| -> Result<Duration> {
        let start = Instant::now();
        (0..calls).try_for_each(|_| call(backend))?;
        backend.wait()?;
        Ok(start.elapsed())
    };
    let start = Instant::now();
    measure(backend, 1)?;
    let mut calls = 1;
    while measure(backend, calls)? < patience.least {
        calls *= 2;
    }
    let mut seconds = Vec::new();
    while seconds.len() < patience.measurements && (seconds.len() < 3 || start.elapsed() < patience.most) {
        seconds.push(measure(backend, calls)?.as_secs_f64() / f64::from(calls));
    }
    Ok(seconds)
}
