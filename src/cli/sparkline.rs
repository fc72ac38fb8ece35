//! A curve in a few characters.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// All values in at most `width` characters, from the lowest to the highest. Of more values than characters, each
/// character is the mean of some. Values that are not finite are left out.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let count = values.len().min(width);
    let means: Vec<f64> = (0..count)
        .map(|at| &values[at * values.len() / count..(at + 1) * values.len() / count])
        .map(|some| some.iter().sum::<f64>() / some.len() as f64)
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let level =
        |value: f64| if high > low { (7.0 * (value - low) / (high - low)).round() as usize } else { 0 };
    means.into_iter().map(|value| LEVELS[level(value).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn curves_go_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[0.0, 1.0, 7.0], 8), "▁▂█");
        assert_eq!(sparkline(&[8.0, 6.0, f64::NAN, 2.0, 0.0], 2), "█▁");
        assert_eq!((sparkline(&[], 8), sparkline(&[3.0], 8)), (String::new(), "▁".into()));
    }
}
