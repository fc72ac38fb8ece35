//! Units that are 0 or 1: the potential θs, so p(1) = σ(θ + x).

use super::{
    Columns, Moments, Planes, Unit,
    single::{self, Single},
};
use crate::level::Level;

/// A unit that is 0 or 1.
pub struct Binary;

impl Unit for Binary {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        parameters[0] * state[0]
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        statistics[0] = state[0];
    }

    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        softplus(parameters[0] + input[0])
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        expectation[0] = sigmoid(parameters[0] + input[0]);
    }

    fn draw(&self, _: &[f64], _: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]) {
        state[0] = f32::from(uniform < mean[0]);
    }

    /// log(p/(1−p)). The share is clipped to 0.001…0.999: a unit that never changes must not be at ±∞.
    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        let p = moments.means[0].clamp(0.001, 0.999);
        parameters[0] = (p / (1.0 - p)).ln();
    }

    fn finish(&self, level: Level, columns: Columns) {
        single::finish::<Self>(level, columns);
    }

    fn sum_of_cumulants(&self, level: Level, _: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        single::sum_of_cumulants::<Self>(level, parameters, inputs)
    }
}

impl Single for Binary {
    #[inline(always)]
    fn expectation([theta, ..]: [f32; 4], x: f32) -> [f32; 4] {
        [single::sigmoid(theta + x), 0.0, 0.0, 0.0]
    }

    #[inline(always)]
    fn draw(_: [f32; 4], _: f32, mean: f32, uniform: f32) -> f32 {
        if uniform < mean { 1.0 } else { 0.0 }
    }

    #[inline(always)]
    fn cumulant([theta, ..]: [f32; 4], x: f32) -> f32 {
        single::softplus(theta + x)
    }
}

/// σ(x) = 1 / (1 + e^(−x))
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + e^x), without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
