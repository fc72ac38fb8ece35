//! Tests how much a model's features reveal about the classes: a logistic regression on p(h|v), and one on the raw values.
//!
//! ```text
//! p(k|x) = e^(w_kᵀx + a_k) / Σ_l e^(w_lᵀx + a_l)
//! −⟨log p(y|x)⟩ + l2/2 Σ w²                          minimized by L-BFGS (Liu and Nocedal 1989)
//! ```

use std::sync::Mutex;

use argmin::{
    core::{CostFunction, Error as ArgminError, Executor, Gradient, State},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};
use rayon::prelude::*;

use crate::{
    cpu::{
        Level,
        matrix::{Matrix, product},
    },
    error::{Error, Result},
};

/// Cases per task of a thread.
const PART: usize = 2048;
/// Steps of L-BFGS's memory.
const MEMORY: usize = 10;
/// Gradient norm at which to stop.
const TOLERANCE: f64 = 1e-5;

/// Cases with their classes.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    /// cases × `units`, row-major.
    pub values: &'a [f32],
    /// Values per case.
    pub units: usize,
    /// One class per case.
    pub labels: &'a [u32],
}

/// A multinomial logistic regression: w is units × classes, row-major, followed by a as one more row.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    parameters: Vec<f32>,
    classes: usize,
}

impl Classifier {
    /// Trains on cases of `classes` classes, in at most `steps` steps.
    ///
    /// # Errors
    /// [`Error::Data`] for cases without values, or labels out of range.
    pub fn learn(cases: Labelled, classes: usize, l2: f64, steps: u64) -> Result<Self> {
        let count = cases.labels.len();
        if count == 0 || cases.values.len() != count * cases.units {
            return Err(Error::Data(format!("{count} classes for {} values", cases.values.len())));
        }
        if cases.labels.iter().any(|&label| label as usize >= classes) {
            return Err(Error::Data(format!("a label is out of range: there are {classes} classes")));
        }
        let start = vec![0.0; (cases.units + 1) * classes];
        let loss = Loss {
            cases,
            classes,
            l2,
            last: Mutex::default(),
            best: Mutex::new((f64::INFINITY, start.clone())),
        };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_grad(TOLERANCE)
            .map_err(|error| Error::Usage(error.to_string()))?;
        let run = Executor::new(&loss, solver)
            .configure(|state| state.param(start).max_iters(steps))
            // The terminal handles Ctrl-C.
            .ctrlc(false)
            .run();
        // The line search fails when rounding hides further progress; the best parameters so far are still valid.
        let best = match run {
            Ok(outcome) => outcome.state().get_best_param().cloned(),
            Err(_) => None,
        };
        let best = best.unwrap_or_else(|| std::mem::take(&mut lock(&loss.best).1));
        Ok(Self { parameters: best.into_iter().map(|x| x as f32).collect(), classes })
    }

    /// The fraction of cases whose most probable class is not their own.
    pub fn error(&self, cases: Labelled) -> f64 {
        let parts = cases.values.par_chunks(PART * cases.units).zip(cases.labels.par_chunks(PART));
        let wrong = parts.map(|(values, labels)| {
            let scores = scores(&self.parameters, values, cases.units, self.classes);
            let best = |scores: &[f32]| (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            let rows = scores.chunks(self.classes).zip(labels);
            rows.filter(|(scores, label)| best(scores) != Some(**label as usize)).count()
        });
        wrong.sum::<usize>() as f64 / cases.labels.len() as f64
    }
}

/// w_kᵀx + a_k: cases × classes.
fn scores(parameters: &[f32], values: &[f32], units: usize, classes: usize) -> Vec<f32> {
    let count = values.len() / units;
    let (weights, intercepts) = parameters.split_at(units * classes);
    let mut scores = intercepts.repeat(count);
    product(
        Level::default(),
        &mut scores,
        1.0,
        1.0,
        Matrix::new(values, count, units),
        Matrix::new(weights, units, classes),
    );
    scores
}

/// The loss. The optimiser asks for value and gradient at the same point, so both are computed once.
struct Loss<'a> {
    cases: Labelled<'a>,
    classes: usize,
    l2: f64,
    last: Mutex<Option<Point>>,
    best: Mutex<(f64, Vec<f64>)>,
}

/// Parameters, with the loss and its gradient.
struct Point {
    parameters: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Loss<'_> {
    fn at(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        if let Some(point) = lock(&self.last).as_ref().filter(|point| point.parameters == parameters) {
            return (point.loss, point.gradient.clone());
        }
        let (loss, gradient) = self.compute(parameters);
        *lock(&self.last) = Some(Point { parameters: parameters.to_vec(), loss, gradient: gradient.clone() });
        let mut best = lock(&self.best);
        if loss < best.0 {
            *best = (loss, parameters.to_vec());
        }
        (loss, gradient)
    }

    fn compute(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let Self { cases, classes, l2, .. } = self;
        let (units, classes, count) = (cases.units, *classes, cases.labels.len() as f64);
        let narrow: Vec<f32> = parameters.iter().map(|&x| x as f32).collect();
        let parts = cases.values.par_chunks(PART * units).zip(cases.labels.par_chunks(PART));
        let parts = parts.map(|(values, labels)| {
            let mut slopes = scores(&narrow, values, units, classes);
            let mut loss = 0.0;
            // Turns scores into p(k|x) − [k = y], in place.
            for (scores, &label) in slopes.chunks_mut(classes).zip(labels) {
                let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let own = f64::from(scores[label as usize] - most);
                scores.iter_mut().for_each(|score| *score = (*score - most).exp());
                let sum: f32 = scores.iter().sum();
                loss += f64::from(sum).ln() - own;
                scores.iter_mut().for_each(|score| *score /= sum);
                scores[label as usize] -= 1.0;
            }
            let mut gradient = vec![0.0; (units + 1) * classes];
            let transposed = Matrix::new(values, labels.len(), units).transposed();
            let (of_weights, of_intercepts) = gradient.split_at_mut(units * classes);
            product(
                Level::default(),
                of_weights,
                0.0,
                1.0,
                transposed,
                Matrix::new(&slopes, labels.len(), classes),
            );
            for slopes in slopes.chunks(classes) {
                of_intercepts.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
            }
            (loss, gradient)
        });
        let mut gradient = vec![0.0; parameters.len()];
        let mut loss = 0.0;
        // Summed in the order of the parts, so that threads don't change the result.
        for (part_loss, part) in parts.collect::<Vec<_>>() {
            loss += part_loss / count;
            gradient.iter_mut().zip(part).for_each(|(sum, x)| *sum += f64::from(x) / count);
        }
        let weights = &parameters[..units * classes];
        loss += l2 / 2.0 * weights.iter().map(|w| w * w).sum::<f64>();
        gradient.iter_mut().zip(weights).for_each(|(slope, w)| *slope += l2 * w);
        (loss, gradient)
    }
}

impl CostFunction for &Loss<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Self::Param) -> std::result::Result<f64, ArgminError> {
        Ok(self.at(parameters).0)
    }
}

impl Gradient for &Loss<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Self::Param) -> std::result::Result<Self::Gradient, ArgminError> {
        Ok(self.at(parameters).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Address, Stream, fill};

    /// Three classes with five values per case, mostly separable.
    fn cases(count: usize) -> (Vec<f32>, Vec<u32>) {
        let labels: Vec<u32> = (0..count).map(|case| (case % 3) as u32).collect();
        let mut values = vec![0.0; count * 5];
        for ((case, values), label) in values.chunks_mut(5).enumerate().zip(&labels) {
            fill(1, Address::new(Stream::Synthetic, 0), case as u32, 0, values);
            values[*label as usize] += 0.6;
        }
        (values, labels)
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let (values, labels) = cases(50);
        let cases = Labelled { values: &values, units: 5, labels: &labels };
        let loss = Loss { cases, classes: 3, l2: 0.1, last: Mutex::default(), best: Mutex::default() };
        let at: Vec<f64> = (0..18).map(|i| f64::from(i * 7 % 5) / 4.0 - 0.5).collect();
        let (_, gradient) = loss.compute(&at);
        for (i, slope) in gradient.iter().enumerate() {
            let near = |step: f64| {
                let mut at = at.clone();
                at[i] += step;
                loss.compute(&at).0
            };
            let difference = (near(1e-2) - near(-1e-2)) / 2e-2;
            assert!((slope - difference).abs() < 1e-4, "{i}: {slope} beside {difference}");
        }
    }

    #[test]
    fn it_learns_to_the_minimum() {
        let (values, labels) = cases(3000);
        let cases = Labelled { values: &values, units: 5, labels: &labels };
        let learnt = Classifier::learn(cases, 3, 1e-3, 200).unwrap();
        let loss = Loss { cases, classes: 3, l2: 1e-3, last: Mutex::default(), best: Mutex::default() };
        let (_, gradient) =
            loss.compute(&learnt.parameters.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let length = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(length < 1e-4, "the gradient's length is {length}");
        let error = learnt.error(cases);
        assert!((0.02..0.3).contains(&error), "{error}");
        assert!(Classifier::learn(cases, 2, 1e-3, 200).is_err());
    }
}
