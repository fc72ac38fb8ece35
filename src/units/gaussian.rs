//! Units that are any number: the potential θs − γs²/2, γ > 0, so N((θ + x)/γ, 1/γ).

use std::f64::consts::PI;

use super::{
    Columns, Moments, Planes, Unit,
    single::{self, Single},
    truncated,
};
use crate::level::Level;

/// A unit with a normal distribution, whose parameters are θ and the precision γ.
pub struct Gaussian;

impl Unit for Gaussian {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        parameters[0] * state[0] - parameters[1] * state[0] * state[0] / 2.0
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        statistics.copy_from_slice(&[state[0], -state[0] * state[0] / 2.0]);
    }

    /// (θ + x)²/2γ − ½ log(γ/2π)
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        let x = parameters[0] + input[0];
        x * x / (2.0 * parameters[1]) - (parameters[1] / (2.0 * PI)).ln() / 2.0
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        let mean = (parameters[0] + input[0]) / parameters[1];
        expectation.copy_from_slice(&[mean, -(mean * mean + 1.0 / parameters[1]) / 2.0]);
    }

    fn draw(&self, parameters: &[f64], _: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]) {
        let deviation = truncated::quantile(super::open(uniform)) / parameters[1].sqrt();
        state[0] = (f64::from(mean[0]) + deviation) as f32;
    }

    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        let precision = 1.0 / moments.variances[0].max(Moments::SMALLEST_VARIANCE);
        parameters.copy_from_slice(&[moments.means[0] * precision, precision]);
    }

    fn finish(&self, level: Level, columns: Columns) {
        single::finish::<Self>(level, columns);
    }

    fn sum_of_cumulants(&self, level: Level, _: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        single::sum_of_cumulants::<Self>(level, parameters, inputs)
    }
}

impl Single for Gaussian {
    #[inline(always)]
    fn expectation([theta, gamma, ..]: [f32; 4], x: f32) -> [f32; 4] {
        let mean = (theta + x) / gamma;
        [mean, -0.5 * (mean * mean + 1.0 / gamma), 0.0, 0.0]
    }

    #[inline(always)]
    fn draw([_, gamma, ..]: [f32; 4], _: f32, mean: f32, uniform: f32) -> f32 {
        let [below, above] = single::below_and_above(uniform);
        mean + single::quantile(below, above) / gamma.sqrt()
    }

    #[inline(always)]
    fn cumulant([theta, gamma, ..]: [f32; 4], x: f32) -> f32 {
        let x = theta + x;
        0.5 * x * x / gamma - 0.5 * single::ln(gamma) + single::HALF_LOG_TWO_PI
    }
}
