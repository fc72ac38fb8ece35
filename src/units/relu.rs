//! Units that are at least 0: the potential θs − γs²/2, γ > 0, a normal distribution of which only that side is left.

use super::{
    Columns, Moments, Planes, Unit,
    single::{self, Single},
    truncated,
};
use crate::level::Level;

/// A rectified unit, whose parameters are θ and the precision γ.
pub struct Relu;

/// Where the normal distribution is cut off, in its deviations from its mean.
fn bound(parameters: &[f64], input: &[f64]) -> f64 {
    -(parameters[0] + input[0]) / parameters[1].sqrt()
}

impl Unit for Relu {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        parameters[0] * state[0] - parameters[1] * state[0] * state[0] / 2.0
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        statistics.copy_from_slice(&[state[0], -state[0] * state[0] / 2.0]);
    }

    /// log ∫₀^∞ e^((θ+x)s − γs²/2) ds = log(Q(z)/φ(z)) − ½ log γ, z = −(θ+x)/√γ
    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        truncated::tail(bound(parameters, input)).log_mills - parameters[1].ln() / 2.0
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        let tail = truncated::tail(bound(parameters, input));
        let gamma = parameters[1];
        expectation.copy_from_slice(&[tail.excess / gamma.sqrt(), -tail.square / gamma / 2.0]);
    }

    fn draw(&self, parameters: &[f64], input: &[f64], _: &[f32], uniform: f32, state: &mut [f32]) {
        let t = parameters[0] + input[0];
        state[0] = truncated::draw(t, parameters[1], super::open(uniform)) as f32;
    }

    /// θ = 0 and the precision that has the second moment.
    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        let square = moments.variances[0] + moments.means[0] * moments.means[0];
        parameters.copy_from_slice(&[0.0, 1.0 / square.max(Moments::SMALLEST_VARIANCE)]);
    }

    fn finish(&self, level: Level, columns: Columns) {
        single::finish::<Self>(level, columns);
    }

    fn sum_of_cumulants(&self, level: Level, _: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        single::sum_of_cumulants::<Self>(level, parameters, inputs)
    }
}

impl Single for Relu {
    #[inline(always)]
    fn expectation([theta, gamma, ..]: [f32; 4], x: f32) -> [f32; 4] {
        let deviation = 1.0 / gamma.sqrt();
        let [_, excess, square] = single::tail(-(theta + x) * deviation);
        [excess * deviation, -0.5 * square / gamma, 0.0, 0.0]
    }

    #[inline(always)]
    fn draw([theta, gamma, ..]: [f32; 4], x: f32, _: f32, uniform: f32) -> f32 {
        let [below, above] = single::below_and_above(uniform);
        single::rectified_draw(theta + x, 1.0 / gamma.sqrt(), above, below)
    }

    #[inline(always)]
    fn cumulant([theta, gamma, ..]: [f32; 4], x: f32) -> f32 {
        single::tail(-(theta + x) / gamma.sqrt())[0] - 0.5 * single::ln(gamma)
    }
}
