//! What a step does besides with units that are not binary: precisions move, and states are drawn from other distributions.

use super::{Move, StepReading, rms};
use crate::{
    backend::{Ascent, Draw, Standardise, operation::ADAM_FIRST},
    rbm::{Rbm, Side},
    rng::uniform_at,
    units::{Kind, PRECISIONS, Place},
};

/// A precision may halve or double at most in one step: a larger step up its gradient is not compared.
const LARGEST_STEP: f64 = 0.4;
/// The largest difference of a drawn number from that of the host, for a number and a deviation of 1.
const TOLERANCE: f64 = 1e-2;
/// One state in this many may be another because of rounding.
const ROUNDED: usize = 500;

impl StepReading<'_> {
    /// The moves of the parameters after the biases, of visible and of hidden units. Only the velocity shows those that were clipped.
    pub(super) fn precisions(&self) -> [Option<Move>; 2] {
        [Side::Visible, Side::Hidden].map(|side| self.moves_of(side))
    }

    fn moves_of(&self, side: Side) -> Option<Move> {
        let (before, velocity) = self.before;
        let (layer, columns) = (before.layers().side(side), before.shape().units(side));
        if layer.planes() < 2 || self.taken.is_clipped {
            return None;
        }
        let ascent = self.taken.ascent;
        let adam = ascent.rule == Ascent::ADAM;
        let (rate, momentum) = match adam {
            true => (1.0 - ADAM_FIRST, ADAM_FIRST),
            false => (f64::from(ascent.rate), f64::from(ascent.momentum)),
        };
        let of = |rbm: &Rbm, at: usize| f64::from(rbm.potentials(side)[at]);
        let by_velocity = adam || ascent.rule == Ascent::NESTEROV;
        let (mut pairs, mut sizes, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for Place { kind, column } in layer.places() {
            for number in 1..kind.parameters() {
                let at = number * columns + column;
                let gradient = self.statistic(side, kind, number, column, 0)
                    - self.statistic(side, kind, number, column, 1);
                let expected = rate * gradient / self.divisor(side, column, PRECISIONS.contains(&number));
                let carried = velocity.as_ref().map_or(0.0, |velocity| momentum * of(velocity, at));
                let change = of(&self.after.0, at) - of(before, at);
                let moved = match &self.after.1 {
                    Some(velocity) if by_velocity => of(velocity, at),
                    _ => change,
                };
                let is_limited = PRECISIONS.contains(&number)
                    && (expected + carried).abs() > LARGEST_STEP * of(before, at);
                if is_limited && !by_velocity {
                    continue;
                }
                pairs.push((moved - carried, expected));
                sizes.push(of(before, at));
                whole.push(change);
            }
        }
        (!pairs.is_empty()).then(|| Move::of(&pairs, rms(whole.into_iter()), rms(sizes.into_iter())))
    }

    /// The mean of a statistic over the cases (phase 0) or the chains (phase 1).
    fn statistic(&self, side: Side, kind: Kind, number: usize, column: usize, phase: usize) -> f64 {
        let layers = self.before.0.layers();
        let columns = layers.side(side).columns();
        let units = [&self.positive, &self.negative][phase];
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        match side {
            Side::Visible => {
                let mut statistics = vec![0.0; kind.parameters()];
                let states = units.0.1.iter().skip(column).step_by(columns);
                mean(
                    states
                        .map(|&state| {
                            kind.unit().statistics(&[state.into()], &mut statistics);
                            statistics[number]
                        })
                        .collect(),
                )
            }
            Side::Hidden => {
                let rest = (layers.hidden.planes() - 1) * columns;
                let moments = self.moments[phase].iter().skip((number - 1) * columns + column).step_by(rest);
                mean(moments.map(|&moment| moment.into()).collect())
            }
        }
    }

    /// What a standardised gradient is divided by: a precision belongs to s².
    fn divisor(&self, side: Side, column: usize, is_precision: bool) -> f64 {
        let Some((visible, hidden)) = &self.variances else { return 1.0 };
        let of_side = if side == Side::Visible { visible } else { hidden };
        let variance = f64::from(of_side[column] + Standardise::USUAL.ridge);
        if is_precision { variance * variance } else { variance }
    }

    /// The number of hidden units that differ from what the draw makes of their means. The inputs of rectified units follow from the
    /// visible units: where their means do not, other weights drove them, and there is nothing to compare.
    pub(super) fn wrong_units(&self, draw: &Draw, means: &[f32], states: &[f32]) -> usize {
        let rbm = &self.before.0;
        let (columns, visible) = (rbm.shape().hidden, rbm.shape().visible);
        let potentials = rbm.potentials(Side::Hidden);
        let of_phase = if std::ptr::eq(means.as_ptr(), self.positive.1.0.as_ptr()) {
            &self.positive
        } else {
            &self.negative
        };
        let (mut wrong, mut compared) = (0, 0);
        for Place { kind, column } in rbm.layers().hidden.places() {
            let at = column..column + kind.columns();
            let parameters: Vec<f64> = (0..kind.parameters())
                .flat_map(|number| {
                    at.clone().map(move |column| f64::from(potentials[number * columns + column]))
                })
                .collect();
            let (mut expected, mut statistics) = (vec![0.0; at.len()], vec![0.0; parameters.len()]);
            let rows = means.chunks(columns).zip(states.chunks(columns)).enumerate();
            for (row, (means, states)) in rows {
                let mut input = vec![0.0; at.len()];
                if matches!(kind, Kind::Relu | Kind::DoubleRelu) {
                    let v = &of_phase.0.1[row * visible..][..visible];
                    let terms = v
                        .iter()
                        .enumerate()
                        .map(|(i, &v)| f64::from(v) * f64::from(rbm.weights()[i * columns + column]));
                    input[0] = terms.sum();
                    kind.unit().expectation(&parameters, &input, &mut statistics);
                    if (statistics[0] - f64::from(means[column])).abs() > 1e-3 * (1.0 + statistics[0].abs()) {
                        continue;
                    }
                }
                let uniform = uniform_at(draw.seed(), draw.address(), draw.chain(row), column as u32);
                kind.unit().draw(&parameters, &input, &means[at.clone()], uniform, &mut expected);
                let deviation = if kind.parameters() > 1 { 1.0 / parameters[1].sqrt() } else { 0.0 };
                let is_near = |(found, expected): (&f32, &f32)| {
                    f64::from((found - expected).abs()) <= TOLERANCE * (f64::from(expected.abs()) + deviation)
                };
                compared += 1;
                wrong += usize::from(!states[at.clone()].iter().zip(&expected).all(is_near));
            }
        }
        if wrong > 1 + compared / ROUNDED { wrong } else { 0 }
    }
}
