//! Units that are any number, with a normal distribution of its own on either side of 0: the potential
//! θs + δ|s| − γ₊s²/2 for s ≥ 0 and θs + δ|s| − γ₋s²/2 for s < 0, γ₊ and γ₋ > 0 (Tubiana, Cocco and Monasson 2019, "Learning
//! protein constitutive motifs from sequence data", equation 8, whose θ₊ = −(θ+δ) and θ₋ = θ−δ). With δ > 0 it has two modes,
//! with δ < 0 it keeps away from neither side of 0; with δ = 0 and γ₊ = γ₋ it is a Gaussian unit.

use super::binary::{sigmoid, softplus};
use super::{
    Columns, Moments, Planes, Unit,
    single::{self, Single},
    truncated::{self, Tail},
};
use crate::level::Level;

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

    fn finish(&self, level: Level, columns: Columns) {
        single::finish::<Self>(level, columns);
    }

    fn sum_of_cumulants(&self, level: Level, _: usize, parameters: Planes, inputs: &[f32]) -> f64 {
        single::sum_of_cumulants::<Self>(level, parameters, inputs)
    }
}

/// One side in 32 bits: its deviation 1/√γ, its cumulant, and the mean and the mean square of what is there.
#[inline(always)]
fn side(t: f32, gamma: f32) -> [f32; 4] {
    let deviation = 1.0 / gamma.sqrt();
    let [log_mills, excess, square] = single::tail(-t * deviation);
    [deviation, log_mills - 0.5 * single::ln(gamma), excess * deviation, square / gamma]
}

impl Single for DoubleRelu {
    #[inline(always)]
    fn expectation([theta, above, below, delta]: [f32; 4], x: f32) -> [f32; 4] {
        let x = theta + x;
        let [_, positive, mean_above, square_above] = side(delta + x, above);
        let [_, negative, mean_below, square_below] = side(delta - x, below);
        let (up, down) = (single::sigmoid(positive - negative), single::sigmoid(negative - positive));
        let (mean_above, mean_below) = (up * mean_above, down * mean_below);
        [
            mean_above - mean_below,
            -0.5 * up * square_above,
            -0.5 * down * square_below,
            mean_above + mean_below,
        ]
    }

    /// The lowest of the uniform numbers are the negative side's.
    #[inline(always)]
    fn draw([theta, above, below, delta]: [f32; 4], x: f32, _: f32, uniform: f32) -> f32 {
        let x = theta + x;
        let [deviation_above, positive, ..] = side(delta + x, above);
        let [deviation_below, negative, ..] = side(delta - x, below);
        let (up, down) = (single::sigmoid(positive - negative), single::sigmoid(negative - positive));
        let [under, over] = single::below_and_above(uniform);
        let is_negative = under < down;
        // The share of the side that is farther from 0, and nearer.
        let share = if is_negative { under / down } else { (over / up).min(1.0) };
        let rest = if is_negative { (down - under) / down } else { ((under - down) / up).max(0.0) };
        let t = if is_negative { delta - x } else { delta + x };
        let deviation = if is_negative { deviation_below } else { deviation_above };
        let drawn = single::rectified_draw(t, deviation, share, rest);
        if is_negative { -drawn } else { drawn }
    }

    #[inline(always)]
    fn cumulant([theta, above, below, delta]: [f32; 4], x: f32) -> f32 {
        let x = theta + x;
        let [[_, positive, ..], [_, negative, ..]] = [side(delta + x, above), side(delta - x, below)];
        positive.max(negative) + single::ln(1.0 + single::exp(-(positive - negative).abs()))
    }
}
