//! Round numbers for the ticks of an axis.

use std::ops::Range;

use super::{Axis, Scale};

/// Ticks: values and labels.
pub(super) struct Ticks {
    pub values: Vec<f64>,
    pub labels: Vec<String>,
}

impl Ticks {
    /// The label of a value on the axis.
    pub fn label(&self, scale: Scale, at: f64) -> String {
        let apart = |value: &f64| (scale.place(*value) - at).abs();
        let nearest =
            (0..self.values.len()).min_by(|&a, &b| apart(&self.values[a]).total_cmp(&apart(&self.values[b])));
        nearest.map_or(String::new(), |nearest| self.labels[nearest].clone())
    }
}

/// About `count` ticks in a range.
pub(super) fn ticks(axis: &Axis, range: &Range<f64>, count: usize) -> Ticks {
    if let Scale::Logarithmic(base) = axis.scale {
        let values = logarithmic(range, base, count);
        // Within a decade or two, evenly spaced numbers are more readable.
        if values.len() >= 3 {
            let labels = powers(&values, base);
            return Ticks { values, labels };
        }
    }
    let (values, step) = linear(range, count, axis.whole);
    let labels = steps(&values, step);
    Ticks { values, labels }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear(range: &Range<f64>, count: usize, whole: bool) -> (Vec<f64>, f64) {
    let rough = (range.end - range.start) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(rough);
    let step = if whole { step.max(1.0) } else { step };
    let first = (range.start / step).ceil();
    // Rounding must not drop the end itself.
    let end = range.end + 1e-9 * step;
    let values = (0..=2 * count).map(|n| (first + n as f64) * step).filter(|value| *value <= end);
    (values.collect(), step)
}

/// Powers of the base; for base ten, also twice and five times them if there is room.
fn logarithmic(range: &Range<f64>, base: f64, count: usize) -> Vec<f64> {
    let (first, last) = (range.start.log(base).floor() as i32, range.end.log(base).ceil() as i32);
    let powers = (last - first).max(0) as usize;
    let factors: &[f64] = if base == 10.0 && powers < count { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = powers.div_ceil(2 * count).max(1);
    (first - first.rem_euclid(every as i32)..=last)
        .step_by(every)
        .flat_map(|power| factors.iter().map(move |factor| factor * base.powi(power)))
        .filter(|value| range.contains(value))
        .collect()
}

/// Labels of evenly spaced numbers, with enough decimals to tell them apart.
fn steps(values: &[f64], step: f64) -> Vec<String> {
    // log10 of a power of ten may be slightly too low.
    let power = |value: f64| (value.log10() + 1e-9).floor();
    let largest = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let places = (-power(step)).clamp(0.0, 15.0) as usize;
    let write = |&value: &f64| match value {
        0.0 => format!("{:.places$}", 0.0),
        _ => grouped(&format!("{value:.places$}")),
    };
    if largest < 1e7 && (places <= 5 || largest >= 0.01) {
        return values.iter().map(write).collect();
    }
    let places = (power(largest) - power(step)).clamp(0.0, 15.0) as usize;
    let write = |&value: &f64| if value == 0.0 { "0".into() } else { format!("{value:.places$e}") };
    values.iter().map(write).collect()
}

/// Labels of powers, and for base ten of one-digit multiples; all as powers if some would be long.
fn powers(values: &[f64], base: f64) -> Vec<String> {
    let short = values.iter().all(|value| (1e-4..1e7).contains(value));
    let write = |&value: &f64| match base == 10.0 {
        true if short => {
            let places = (-(value.log10() + 1e-9).floor()).max(0.0) as usize;
            grouped(&format!("{value:.places$}"))
        }
        true => format!("{value:.0e}"),
        false if short && value.fract() == 0.0 => number(value),
        false if short => value.to_string(),
        false => format!("{value:.2e}"),
    };
    values.iter().map(write).collect()
}

/// A number for reading: four digits, or all digits of an integer.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => value.to_string(),
        0.0 => "0".into(),
        1e7.. | ..1e-4 => format!("{value:.2e}"),
        _ => {
            let places = (3.0 - size.log10().floor()).clamp(0.0, 7.0) as usize;
            let places = if value.fract() == 0.0 { 0 } else { places };
            grouped(&format!("{value:.places$}"))
        }
    }
}

/// Separates thousands, from ten thousand on.
fn grouped(text: &str) -> String {
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let end = text.find('.').unwrap_or(text.len());
    let digits = end - start;
    let mut grouped = text[..start].to_string();
    for (at, digit) in text[start..end].char_indices() {
        if digits > 4 && at > 0 && (digits - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        let on = |axis: Axis, range: Range<f64>| ticks(&axis, &range, 5).labels.join(" ");
        let log = |base| Axis { scale: Scale::Logarithmic(base), ..Axis::default() };
        assert_eq!(on(Axis::default(), -0.13..0.32), "-0.1 0.0 0.1 0.2 0.3");
        assert_eq!(on(Axis::default(), 0.0..62_000.0), "0 20,000 40,000 60,000");
        assert_eq!(on(Axis { whole: true, ..Axis::default() }, 0.8..3.2), "1 2 3");
        assert_eq!(on(log(10.0), 3.0..110.0), "5 10 20 50 100");
        assert_eq!(on(log(2.0), 15.0..70.0), "16 32 64");
        assert_eq!(on(log(10.0), 3.1..3.9), "3.2 3.4 3.6 3.8");
        assert_eq!(on(log(10.0), 0.0004..0.3), "0.0005 0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2");
        assert_eq!(on(log(10.0), 3.0..3e36), "1e4 1e8 1e12 1e16 1e20 1e24 1e28 1e32 1e36");
        // Near 0, at 0, and far from 0 relative to the step.
        assert_eq!(on(Axis::default(), -1e-17..0.3), "0.0 0.1 0.2 0.3");
        assert_eq!(on(Axis::default(), -3e-7..4e-7), "-2e-7 0 2e-7 4e-7");
        assert_eq!(on(Axis::default(), 0.0..0.0), "");
        assert_eq!(on(Axis::default(), 1e7..1.003e7), "1.000e7 1.001e7 1.002e7 1.003e7");
        assert_eq!(
            on(Axis::default(), 1.0..1.0 + 4e-8),
            "1.00000000 1.00000001 1.00000002 1.00000003 1.00000004"
        );
        assert_eq!(
            [0.012345, 5.25, -153.0853, 62144.2, 3e-9].map(number).join(" "),
            "0.01235 5.250 -153.1 62,144 3.00e-9"
        );
    }
}
