//! Round numbers for an axis.

use std::ops::Range;

use super::{Axis, Scale};

/// Round numbers, and how they are written.
pub(super) struct Ticks {
    pub values: Vec<f64>,
    pub labels: Vec<String>,
}

impl Ticks {
    /// How the number at a place on the axis is written.
    pub fn label(&self, scale: Scale, at: f64) -> String {
        let apart = |value: &f64| (scale.place(*value) - at).abs();
        let nearest =
            (0..self.values.len()).min_by(|&a, &b| apart(&self.values[a]).total_cmp(&apart(&self.values[b])));
        nearest.map_or(String::new(), |nearest| self.labels[nearest].clone())
    }
}

/// About `count` round numbers in a range.
pub(super) fn ticks(axis: &Axis, range: &Range<f64>, count: usize) -> Ticks {
    let (values, step) = match axis.scale {
        Scale::Linear => linear(range, count, axis.whole),
        Scale::Logarithmic(base) => {
            let powers = logarithmic(range, base, count);
            // Within less than a power or two, round numbers at equal distances say more.
            if powers.len() < 3 { linear(range, count, axis.whole) } else { (powers, f64::NAN) }
        }
    };
    let label = |&value: &f64| if step.is_nan() { number(value) } else { rounded(value, step) };
    let labels = values.iter().map(label).collect();
    Ticks { values, labels }
}

/// 1, 2 or 5 times a power of ten apart.
fn linear(range: &Range<f64>, count: usize, whole: bool) -> (Vec<f64>, f64) {
    let rough = (range.end - range.start) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|&step| step >= rough);
    let step = step.unwrap_or(rough);
    let step = if whole { step.max(1.0) } else { step };
    let first = (range.start / step).ceil();
    let values = (0..=2 * count).map(|n| (first + n as f64) * step).filter(|value| *value <= range.end);
    (values.collect(), step)
}

/// Powers of the base, and, of ten, twice and five times them where there is room.
fn logarithmic(range: &Range<f64>, base: f64, count: usize) -> Vec<f64> {
    let (first, last) = (range.start.log(base).floor() as i32, range.end.log(base).ceil() as i32);
    let factors: &[f64] =
        if base == 10.0 && ((last - first) as usize) < count { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = ((last - first) as usize).div_ceil(2 * count).max(1);
    (first..=last)
        .step_by(every)
        .flat_map(|power| factors.iter().map(move |factor| factor * base.powi(power)))
        .filter(|value| range.contains(value))
        .collect()
}

/// With as many places as tell one number from the next.
fn rounded(value: f64, step: f64) -> String {
    let places = -step.log10().floor();
    if value.abs() >= 1e7 || (places > 5.0 && value != 0.0) {
        return format!("{value:.1e}");
    }
    grouped(&format!("{:.*}", places.clamp(0.0, 6.0) as usize, if value == 0.0 { 0.0 } else { value }))
}

/// A number for reading: four digits of it, or all those of a whole one.
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

/// Thousands set apart, from ten thousand on.
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
        assert_eq!(
            [0.012345, 5.25, -153.0853, 62144.2, 3e-9].map(number).join(" "),
            "0.01235 5.250 -153.1 62,144 3.00e-9"
        );
    }
}
