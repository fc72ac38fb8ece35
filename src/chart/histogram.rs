//! Histograms.

use super::{Axis, Chart, widened};

/// Bars in a histogram.
const BARS: usize = 61;

/// A histogram of the finite values; `None` if there are none.
pub(crate) fn histogram(title: impl Into<String>, values: &[f32]) -> Option<Chart> {
    let finite: Vec<f64> = values.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite()).collect();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
    if finite.is_empty() {
        return None;
    }
    let std::ops::Range { start: low, end: high } = widened(low, high, low.abs().max(high.abs()), 0.0);
    let width = (high - low) / BARS as f64;
    let mut counts = [0_usize; BARS];
    for x in &finite {
        counts[(((x - low) / width) as usize).min(BARS - 1)] += 1;
    }
    let top = counts.iter().copied().max().unwrap_or(1) as f64 * 1.05;
    let bar = |(bar, count): (usize, usize)| {
        let left = low + bar as f64 * width;
        (left..left + width, count as f64)
    };
    Some(Chart {
        title: title.into(),
        x: Axis { range: Some(low - width..high + width), ..Axis::default() },
        y: Axis { range: Some(0.0..top), whole: true, ..Axis::default() },
        bars: counts.into_iter().enumerate().map(bar).collect(),
        ..Chart::default()
    })
}
