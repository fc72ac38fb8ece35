//! Units that are −1 or +1: the potential θs, so p(+1) = σ(2(θ + x)).

use super::binary::softplus;
use super::{
    Columns, Moments, Planes, Unit,
    single::{self, Single},
};
use crate::level::Level;

/// A unit that is −1 or +1.
pub struct Spin;

impl Unit for Spin {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        parameters[0] * state[0]
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        statistics[0] = state[0];
    }

    /// log 2cosh(θ + x)
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        let x = (parameters[0] + input[0]).abs();
        x + softplus(-2.0 * x)
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        expectation[0] = (parameters[0] + input[0]).tanh();
    }

    fn draw(&self, _: &[f64], _: &[f64], mean: &[f32], uniform: f32, state: &mut [f32]) {
        state[0] = if 2.0 * uniform - 1.0 < mean[0] { 1.0 } else { -1.0 };
    }

    /// atanh of the mean, which is clipped to ±0.998, as a binary unit's is to 0.001…0.999.
    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        parameters[0] = moments.means[0].clamp(-0.998, 0.998).atanh();
    }

    fn finish(&self, level: Level, columns: Columns) {
        single::finish::<Self>(level, columns);
    }

    fn sum_of_cumulants(&self, level: Level, _: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        single::sum_of_cumulants::<Self>(level, parameters, inputs)
    }
}

impl Single for Spin {
    #[inline(always)]
    fn expectation([theta, ..]: [f32; 4], x: f32) -> [f32; 4] {
        [single::tanh(theta + x), 0.0, 0.0, 0.0]
    }

    #[inline(always)]
    fn draw(_: [f32; 4], _: f32, mean: f32, uniform: f32) -> f32 {
        if 2.0 * uniform - 1.0 < mean { 1.0 } else { -1.0 }
    }

    #[inline(always)]
    fn cumulant([theta, ..]: [f32; 4], x: f32) -> f32 {
        single::log_two_cosh(theta + x)
    }
}
