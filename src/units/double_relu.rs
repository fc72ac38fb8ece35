//! Units that are any number, with a normal distribution of its own on either side of 0: the potential
//! θs + δ|s| − γ₊s²/2 for s ≥ 0 and θs + δ|s| − γ₋s²/2 for s < 0, γ₊ and γ₋ > 0 (Tubiana, Cocco and Monasson 2019, "Learning
//! protein constitutive motifs from sequence data", equation 8, whose θ₊ = −(θ+δ) and θ₋ = θ−δ). With δ > 0 it has two modes,
//! with δ < 0 it keeps away from neither side of 0; with δ = 0 and γ₊ = γ₋ it is a Gaussian unit.

use super::binary::{sigmoid, softplus};
use super::{
    Moments, Unit,
    truncated::{self, Tail},
};

/// A double rectified unit, whose parameters are θ, γ₊, γ₋ and δ.
pub struct DoubleRelu;

/// One side of 0, as a rectified unit.
struct Half {
    /// θ and input, away from 0.
    t: f64,
    gamma: f64,
    tail: Tail,
    cumulant: f64,
}

impl Half {
    fn new(t: f64, gamma: f64) -> Self {
        let tail = truncated::tail(-t / gamma.sqrt());
        Self { t, gamma, cumulant: tail.log_mills - gamma.ln() / 2.0, tail }
    }

    fn mean(&self) -> f64 {
        self.tail.excess / self.gamma.sqrt()
    }

    fn square(&self) -> f64 {
        self.tail.square / self.gamma
    }
}

/// The positive side and the negative one.
fn halves(parameters: &[f64], input: &[f64]) -> [Half; 2] {
    let &[theta, positive, negative, delta] = parameters else { unreachable!("four parameters") };
    let x = theta + input[0];
    [Half::new(x + delta, positive), Half::new(delta - x, negative)]
}

impl Unit for DoubleRelu {
    fn potential(&self, parameters: &[f64], state: &[f64]) -> f64 {
        let mut statistics = [0.0; 4];
        self.statistics(state, &mut statistics);
        parameters.iter().zip(statistics).map(|(parameter, statistic)| parameter * statistic).sum()
    }

    fn statistics(&self, state: &[f64], statistics: &mut [f64]) {
        let s = state[0];
        let of_square = |s: f64| -s * s / 2.0;
        statistics.copy_from_slice(&[s, of_square(s.max(0.0)), of_square(s.min(0.0)), s.abs()]);
    }

    fn cumulant(&self, parameters: &[f64], input: &[f64]) -> f64 {
        let [positive, negative] = halves(parameters, input);
        positive.cumulant + softplus(negative.cumulant - positive.cumulant)
    }

    fn expectation(&self, parameters: &[f64], input: &[f64], expectation: &mut [f64]) {
        let [positive, negative] = halves(parameters, input);
        let odds = positive.cumulant - negative.cumulant;
        let [up, down] = [sigmoid(odds), sigmoid(-odds)];
        let [above, below] = [up * positive.mean(), down * negative.mean()];
        let squares = [-up * positive.square() / 2.0, -down * negative.square() / 2.0];
        expectation.copy_from_slice(&[above - below, squares[0], squares[1], above + below]);
    }

    /// The lowest of the uniform numbers are the negative side's.
    fn draw(&self, parameters: &[f64], input: &[f64], _: &[f32], uniform: f32, state: &mut [f32]) {
        let [positive, negative] = halves(parameters, input);
        let down = sigmoid(negative.cumulant - positive.cumulant);
        let uniform = super::open(uniform);
        state[0] = if uniform < down {
            -truncated::draw(negative.t, negative.gamma, 1.0 - uniform / down) as f32
        } else {
            let up = (1.0 - uniform) / sigmoid(positive.cumulant - negative.cumulant);
            truncated::draw(positive.t, positive.gamma, 1.0 - up.min(1.0)) as f32
        };
    }

    /// That of a Gaussian unit.
    fn fit(&self, moments: Moments, parameters: &mut [f64]) {
        let precision = 1.0 / moments.variances[0].max(Moments::SMALLEST_VARIANCE);
        parameters.copy_from_slice(&[moments.means[0] * precision, precision, precision, 0.0]);
    }
}
