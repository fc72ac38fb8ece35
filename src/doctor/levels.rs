//! The costs of three reconstructions that have learnt nothing: all off, all on, and the mean image. A cost that stays at
//! one of them says what the visible units do.

use serde::Serialize;

use super::data::Values;

/// A squared error over a data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Sum over all cases.
    pub total: f64,
    /// Standard deviation over the cases.
    pub deviation: f64,
}

/// The squared errors of reconstructions that don't depend on the case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Levels {
    /// Cases.
    pub cases: usize,
    /// Visible units.
    pub units: usize,
    /// Mean of all values.
    pub density: f64,
    /// Σ(x−x̄)²: the mean image, which the visible biases alone can give.
    pub mean_image: Level,
    /// Those of binary units that are saturated.
    #[serde(flatten)]
    pub saturated: Option<Saturated>,
}

/// The squared errors of reconstructions by binary units that are all off, or all on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Saturated {
    /// Σx²: every visible unit off.
    pub all_off: Level,
    /// Σ(1−x)²: every visible unit on.
    pub all_on: Level,
    /// Standard deviation over the cases of Σ(1−x)² − Σx².
    pub difference_deviation: f64,
    /// Standard deviation over the cases of Σx² − s·(Σ(1−x)² − Σx²), where s is the ratio of the totals.
    pub residual_deviation: f64,
}

impl Levels {
    /// Measures all rows, in the columns of the visible layer. Missing values add nothing.
    pub fn measure(values: &Values) -> Self {
        let (cases, units) = (values.len(), values.units());
        let mut missing = vec![0; units];
        for row in 0..cases {
            missing.iter_mut().zip(values.row(row)).for_each(|(count, x)| *count += usize::from(x.is_nan()));
        }
        let mut mean = vec![0.0; units];
        for row in 0..cases {
            for ((mean, missing), x) in mean.iter_mut().zip(&missing).zip(values.row(row)) {
                *mean += if x.is_nan() { 0.0 } else { x / (cases - missing) as f64 };
            }
        }
        let level = |cost: &dyn Fn(f64, f64) -> f64| {
            let (mut total, mut squares) = (0.0, 0.0);
            for row in 0..cases {
                let known = values.row(row).zip(&mean).filter(|(x, _)| !x.is_nan());
                let case: f64 = known.map(|(x, mean)| cost(x, *mean)).sum();
                total += case;
                squares += case * case;
            }
            let average = total / cases as f64;
            Level { total, deviation: (squares / cases as f64 - average * average).max(0.0).sqrt() }
        };
        let all_off = level(&|x, _| x * x);
        let difference = level(&|x, _| 1.0 - 2.0 * x);
        let share = all_off.total / difference.total;
        Self {
            cases,
            units,
            density: mean.iter().sum::<f64>() / units as f64,
            mean_image: level(&|x, mean| (x - mean) * (x - mean)),
            saturated: values.are_binary().then(|| Saturated {
                all_off,
                all_on: level(&|x, _| (1.0 - x) * (1.0 - x)),
                difference_deviation: difference.deviation,
                residual_deviation: level(&|x, _| x * x - share * (1.0 - 2.0 * x)).deviation,
            }),
        }
    }

    /// The norms that a log's costs may have: the factor of the total, and what to call it.
    pub(super) fn norms(&self) -> [(f64, &'static str); 3] {
        let (cases, units) = (self.cases as f64, self.units as f64);
        [
            (1.0, "summed over the cases"),
            (1.0 / cases, "a mean over the cases"),
            (1.0 / cases / units, "a mean over cases and units"),
        ]
    }

    /// The norm of a cost that is at this level: to the last digits for the same rows, else within two per cent.
    pub fn matches(&self, level: Level, cost: f64, same_rows: bool) -> Option<&'static str> {
        let tolerance = if same_rows { 1e-6 } else { 0.02 };
        let near = |factor: f64| (cost - level.total * factor).abs() <= tolerance * level.total * factor;
        self.norms().into_iter().find(|&(factor, _)| level.total > 0.0 && near(factor)).map(|(_, norm)| norm)
    }

    /// The number N of cases like these that gives two plateaus, Σx² and Σ(1−x)² in this order. Their difference is
    /// N·d·(1 − 2·density), which gives N; the first must then be N times the mean Σx², within four standard errors.
    pub fn cases_of(&self, off: f64, on: f64) -> Option<Count> {
        let saturated = self.saturated?;
        let cases = self.cases as f64;
        let difference = (saturated.all_on.total - saturated.all_off.total) / cases;
        let count = (on - off) / difference;
        if !(count >= 1.0 && count.is_finite()) {
            return None;
        }
        let expected = count * saturated.all_off.total / cases;
        let expected_error = saturated.residual_deviation * count.sqrt();
        ((off - expected).abs() <= 4.0 * expected_error).then_some(Count {
            cases: count,
            standard_error: saturated.difference_deviation * count.sqrt() / difference.abs(),
            expected,
            expected_error,
        })
    }
}

/// A number of cases that was computed from two plateaus.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Count {
    /// Cases.
    pub cases: f64,
    /// Standard error of the number.
    pub standard_error: f64,
    /// Expected Σx² of this many cases.
    pub expected: f64,
    /// Standard error of the difference between the plateau and `expected`, from the choice of cases.
    pub expected_error: f64,
}
