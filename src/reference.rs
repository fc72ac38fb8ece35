//! The oracle: every kernel as a textbook prints it. Loops, sums in `f64`, no tricks; slow and obviously right. The other
//! devices are tested against it, so it is never optimised.

use std::ops::Range;

pub use crate::units::{sigmoid, softplus};

use crate::{
    backend::{
        Ascent, ClampUnits, Clip, Combine, Contrast, Copy, Energy, FillMissing, FreeEnergy, Gather,
        LimitNorms, MultiplyAdd, Penalise, SquaredError, Standardise, Swap, Track, Update,
        operation::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, MULTIPLY_ADDS},
    },
    data::RowLayout,
    host::{Half, HostKernels, HostPath, HostUnits, Phase, Phases, PlainUnits, Uniforms},
    rbm::{Rbm, Shape, Side},
    rng::uniform_at,
    units::{Layer, PRECISIONS, Place, Unit},
};

/// The parameters of a layer's units, in `f64`.
pub(crate) struct Potentials<'a> {
    layer: &'a Layer,
    /// One number per column, for each parameter of a kind.
    parameters: Vec<f64>,
}

impl<'a> Potentials<'a> {
    pub(crate) fn of(rbm: &'a Rbm, side: Side) -> Self {
        Self::new(rbm.layers().side(side), rbm.potentials(side))
    }

    pub(crate) fn new(layer: &'a Layer, parameters: &[f32]) -> Self {
        Self { layer, parameters: parameters.iter().copied().map(f64::from).collect() }
    }

    /// Parameters at β on the path: β θ + (1−β) b0; without a base, β θ.
    fn at(mut self, beta: f64, base: &[f32]) -> Self {
        self.parameters.iter_mut().for_each(|parameter| *parameter *= beta);
        for (parameter, &base) in self.parameters.iter_mut().zip(base) {
            *parameter += (1.0 - beta) * f64::from(base);
        }
        self
    }

    /// Each unit, its parameters, and its columns.
    pub(crate) fn units(&self) -> impl Iterator<Item = (&'static dyn Unit, Vec<f64>, Range<usize>)> {
        let columns = self.layer.columns();
        self.layer.places().map(move |Place { kind, column }| {
            let numbers = (0..kind.parameters()).flat_map(|number| {
                (column..column + kind.columns()).map(move |column| number * columns + column)
            });
            let parameters = numbers.map(|at| self.parameters[at]).collect();
            (kind.unit(), parameters, column..column + kind.columns())
        })
    }

    /// What `make` writes for each unit, in the order of all parameters.
    fn gather(&self, make: impl Fn(&dyn Unit, &[f64], Range<usize>, &mut [f64])) -> Vec<f64> {
        let (count, mut all) = (self.layer.columns(), vec![0.0; self.parameters.len()]);
        for (unit, parameters, columns) in self.units() {
            let mut out = vec![0.0; parameters.len()];
            make(unit, &parameters, columns.clone(), &mut out);
            for (number, out) in out.chunks(columns.len()).enumerate() {
                all[number * count..][columns.clone()].copy_from_slice(out);
            }
        }
        all
    }

    /// The means of the units' statistics given their inputs, the states' own first.
    pub(crate) fn expectation(&self, inputs: &[f64]) -> Vec<f64> {
        self.gather(|unit, parameters, columns, out| unit.expectation(parameters, &inputs[columns], out))
    }

    /// Σ_j K_j(x_j).
    pub(crate) fn cumulant(&self, inputs: &[f32]) -> f64 {
        let inputs: Vec<f64> = inputs.iter().copied().map(f64::from).collect();
        self.units().map(|(unit, parameters, columns)| unit.cumulant(&parameters, &inputs[columns])).sum()
    }

    /// Σ_i a_i(s_i).
    pub(crate) fn sum(&self, states: &[f32]) -> f64 {
        let states: Vec<f64> = states.iter().copied().map(f64::from).collect();
        self.units().map(|(unit, parameters, columns)| unit.potential(&parameters, &states[columns])).sum()
    }
}

/// Inputs to the layer `to`: Σ_i v_i W_ij for hidden units, Σ_j W_ij h_j for visible ones.
fn inputs(rbm: &Rbm, to: Side, states: &[f32]) -> Vec<f64> {
    let Shape { visible, hidden } = rbm.shape();
    let weights = rbm.weights();
    let weight = |i: usize, j: usize| f64::from(weights[i * hidden + j]);
    let state = |unit: usize| f64::from(states[unit]);
    match to {
        Side::Hidden => (0..hidden).map(|j| (0..visible).map(|i| state(i) * weight(i, j)).sum()).collect(),
        Side::Visible => (0..visible).map(|i| (0..hidden).map(|j| weight(i, j) * state(j)).sum()).collect(),
    }
}

/// log Σ e^(−E) over one side's states, given a state of the other side, `side`: −F(v) for the visible side.
pub fn log_marginal(rbm: &Rbm, side: Side, states: &[f32]) -> f64 {
    let other = side.other();
    let (inputs, potentials) = (inputs(rbm, other, states), Potentials::of(rbm, other));
    let cumulants =
        potentials.units().map(|(unit, parameters, columns)| unit.cumulant(&parameters, &inputs[columns]));
    Potentials::of(rbm, side).sum(states) + cumulants.sum::<f64>()
}

/// The means of the statistics of the units of `to`, given the states of the other side, in the order of their parameters.
pub fn expectation(rbm: &Rbm, to: Side, states: &[f32]) -> Vec<f64> {
    Potentials::of(rbm, to).expectation(&inputs(rbm, to, states))
}

/// The statistics of a side's state, in the order of its parameters.
pub fn statistics(rbm: &Rbm, side: Side, states: &[f32]) -> Vec<f64> {
    let states: Vec<f64> = states.iter().copied().map(f64::from).collect();
    Potentials::of(rbm, side).gather(|unit, _, columns, out| unit.statistics(&states[columns], out))
}

/// E(v,h) = −vᵀWh − Σ_i a_i(v_i) − Σ_j c_j(h_j), equation (1).
pub fn energy(rbm: &Rbm, visible: &[f32], hidden: &[f32]) -> f64 {
    let inputs = inputs(rbm, Side::Hidden, visible);
    let product: f64 = inputs.iter().zip(hidden).map(|(x, &h)| x * f64::from(h)).sum();
    -product - Potentials::of(rbm, Side::Visible).sum(visible) - Potentials::of(rbm, Side::Hidden).sum(hidden)
}

/// c_j + Σ_i v_i W_ij, the argument of equation (18).
pub fn hidden_input(rbm: &Rbm, visible: &[f32], j: usize) -> f64 {
    let weights = rbm.weights().iter().skip(j).step_by(rbm.shape().hidden);
    let sum: f64 = visible.iter().zip(weights).map(|(&v, &w)| f64::from(v) * f64::from(w)).sum();
    f64::from(rbm.hidden_bias()[j]) + sum
}

/// b_i + Σ_j W_ij h_j, the argument of equation (8).
pub fn visible_input(rbm: &Rbm, hidden: &[f32], i: usize) -> f64 {
    let weights = &rbm.weights()[i * hidden.len()..];
    let sum: f64 = hidden.iter().zip(weights).map(|(&h, &w)| f64::from(w) * f64::from(h)).sum();
    f64::from(rbm.visible_bias()[i]) + sum
}

/// F(v) = −β Σ_i a_i(v_i) − Σ_j K_j(β(vW)_j), where K_j is the cumulant of β c_j. For binary units, −β bᵀv − Σ_j
/// softplus(β(c_j + (vW)_j)). p(v) = e^(−F(v)) / Z, equation (23) with the sum over h in closed form.
pub fn free_energy(rbm: &Rbm, beta: f64, visible: &[f32]) -> f64 {
    free_energy_on_path(HostPath { rbm, base: &[] }, beta, visible)
}

/// F(v) on the path from a base, whose potential has the weight 1−β.
fn free_energy_on_path(path: HostPath, beta: f64, visible: &[f32]) -> f64 {
    let inputs: Vec<f64> = inputs(path.rbm, Side::Hidden, visible).into_iter().map(|x| beta * x).collect();
    let of = |side| Potentials::of(path.rbm, side).at(beta, path.base_of(side));
    let hidden = of(Side::Hidden);
    let cumulants =
        hidden.units().map(|(unit, parameters, columns)| unit.cumulant(&parameters, &inputs[columns]));
    let cumulants: f64 = cumulants.sum();
    -of(Side::Visible).sum(visible) - cumulants
}

/// The step of one parameter; see [`crate::backend::Backend::ascend`]. `velocity` and `square` hold the state of the
/// optimiser.
fn step(op: &Ascent, gradient: f64, decay: f64, velocity: &mut f32, square: Option<&mut f32>) -> f64 {
    let (rate, momentum) = (f64::from(op.rate), f64::from(op.momentum));
    let push = rate * (gradient - decay);
    match (op.rule, square) {
        (Ascent::ADAM, Some(square)) => {
            let mean = ADAM_FIRST * f64::from(*velocity) + (1.0 - ADAM_FIRST) * gradient;
            let of_squares = ADAM_SECOND * f64::from(*square) + (1.0 - ADAM_SECOND) * gradient * gradient;
            (*velocity, *square) = (mean as f32, of_squares as f32);
            let mean = mean * f64::from(op.first_correction);
            let of_squares = of_squares * f64::from(op.second_correction);
            rate * (mean / (of_squares.sqrt() + ADAM_EPSILON) - decay)
        }
        (Ascent::NESTEROV, _) => {
            *velocity = (momentum * f64::from(*velocity) + push) as f32;
            momentum * f64::from(*velocity) + push
        }
        _ => {
            *velocity = (momentum * f64::from(*velocity) + push) as f32;
            f64::from(*velocity)
        }
    }
}

/// Swaps two neighbouring replicas; see [`crate::backend::Backend::swap`].
pub fn swap<U: HostUnits>(
    op: &Swap,
    (cold, cold_values): (&mut U, &mut [f32]),
    (hot, hot_values): (&mut U, &mut [f32]),
    accepted: &mut [f32],
    trips: &mut [f32],
) {
    let rows = op.rows as usize;
    for row in 0..rows {
        let u = uniform_at(op.draw.seed(), op.draw.address(), op.draw.chain(row), 0);
        let mark = rows + row;
        let surplus = f64::from(cold_values[row]) - f64::from(hot_values[row]);
        if f64::from(u) < (f64::from(op.factor) * surplus).exp() {
            accepted[op.counts_at as usize + row] += 1.0;
            cold.exchange(hot, row);
            std::mem::swap(&mut cold_values[mark], &mut hot_values[mark]);
        }
        if op.coldest == 1 {
            trips[row] += cold_values[mark];
            cold_values[mark] = 0.0;
        }
        if op.hottest == 1 {
            hot_values[mark] = 1.0;
        }
    }
}

/// `values[at]`, or 0 if out of range.
fn or_zero(values: &[f32], at: usize) -> f64 {
    values.get(at).map_or(0.0, |&x| f64::from(x))
}

/// The kernels of the oracle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl HostKernels for Reference {
    type Units = PlainUnits;

    fn gather(
        &mut self,
        op: &Gather,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut PlainUnits,
    ) {
        let units = layout.units;
        for row in 0..op.rows as usize {
            let case = order[op.first_row as usize + row] as usize;
            let packed = &words[case * layout.words()..][..layout.words()];
            for i in 0..units {
                let value = layout.value(packed, i);
                visible.states[row * units + i] = uniforms.state(units, row, i, value);
            }
        }
    }

    fn sample(&mut self, to: Side, path: HostPath, half: Half<PlainUnits>) {
        let Half { op, from, uniforms, to: out } = half;
        let beta = f64::from(op.beta);
        let potentials = Potentials::of(path.rbm, to).at(beta, path.base_of(to));
        let width = out.width;
        for row in 0..op.rows as usize {
            let inputs = inputs(path.rbm, to, &from.states[row * from.width..][..from.width]);
            let inputs: Vec<f64> = inputs.into_iter().map(|x| beta * x).collect();
            let expectation = potentials.gather(|unit, parameters, columns, out| {
                unit.expectation(parameters, &inputs[columns], out);
            });
            let (means, moments) = expectation.split_at(width);
            for (out, found) in [(&mut out.means, means), (&mut out.moments, moments)] {
                let out = out[row * found.len()..].iter_mut();
                out.zip(found).for_each(|(out, &found)| *out = found as f32);
            }
            let (means, states) = (&out.means[row * width..], &mut out.states[row * width..][..width]);
            if !uniforms.are_drawn() {
                states.copy_from_slice(&means[..width]);
                continue;
            }
            for (unit, parameters, columns) in potentials.units() {
                let (mean, state) = (&means[columns.clone()], &mut states[columns.clone()]);
                let uniform = uniforms.at(width, row, columns.start);
                unit.draw(&parameters, &inputs[columns], mean, uniform, state);
            }
        }
    }

    fn gradient(&mut self, op: &Contrast, phases: Phases<PlainUnits>, gradient: &mut Rbm) {
        let Shape { visible, hidden } = gradient.shape();
        let Phases { positive, negative, mu, lambda } = phases;
        let offset =
            |offsets: &[f32], unit: usize| if op.centred == 1 { or_zero(offsets, unit) } else { 0.0 };
        // Each phase averages over its own rows.
        let v = |phase: &Phase<PlainUnits>, row: usize, i: usize| {
            f64::from(phase.visible.states[row * visible + i]) - offset(mu, i)
        };
        let h = |phase: &Phase<PlainUnits>, row: usize, j: usize| {
            f64::from(phase.hidden.means[row * hidden + j]) - offset(lambda, j)
        };
        let mean = |phase: &Phase<PlainUnits>, unit: &dyn Fn(&Phase<PlainUnits>, usize) -> f64| {
            (0..phase.rows).map(|row| unit(phase, row)).sum::<f64>() / phase.rows as f64
        };
        let difference =
            |unit: &dyn Fn(&Phase<PlainUnits>, usize) -> f64| mean(&positive, unit) - mean(&negative, unit);
        // Pull of hidden unit j towards the target; the weights' pull is its mean product with v.
        let draw = |j: usize| match op.is_sparse() {
            true => f64::from(op.sparsity_cost) * (or_zero(lambda, j) - f64::from(op.sparsity_target)),
            false => 0.0,
        };
        for i in 0..visible {
            let data_mean = mean(&positive, &|phase, row| v(phase, row, i));
            for j in 0..hidden {
                let association = difference(&|phase, row| v(phase, row, i) * h(phase, row, j));
                gradient.weights_mut()[i * hidden + j] = (association - draw(j) * data_mean) as f32;
            }
            gradient.visible_bias_mut()[i] = difference(&|phase, row| v(phase, row, i)) as f32;
        }
        for j in 0..hidden {
            gradient.hidden_bias_mut()[j] = (difference(&|phase, row| h(phase, row, j)) - draw(j)) as f32;
        }
        // The parameters after the biases: of the visible units by their states, of the hidden ones by their moments.
        let layers = gradient.layers().clone();
        for Place { kind, column } in layers.visible.places() {
            for number in 1..kind.parameters() {
                let statistic = |phase: &Phase<PlainUnits>, row: usize| {
                    let mut statistics = vec![0.0; kind.parameters()];
                    let state = f64::from(phase.visible.states[row * visible + column]);
                    kind.unit().statistics(&[state], &mut statistics);
                    statistics[number]
                };
                gradient.potentials_mut(Side::Visible)[number * visible + column] =
                    difference(&statistic) as f32;
            }
        }
        let extra = layers.hidden.parameters() - hidden;
        for at in 0..extra {
            let moment =
                |phase: &Phase<PlainUnits>, row: usize| f64::from(phase.hidden.moments[row * extra + at]);
            gradient.potentials_mut(Side::Hidden)[hidden + at] = difference(&moment) as f32;
        }
    }

    fn standardise(&mut self, op: &Standardise, variances: [&[f32]; 2], gradient: &mut Rbm) {
        let Shape { visible, hidden } = gradient.shape();
        let variance =
            |side: Side, at: usize| f64::from(variances[side.number() as usize][at]) + f64::from(op.ridge);
        let divide = |slope: &mut f32, by: f64| *slope = (f64::from(*slope) / by) as f32;
        for i in 0..visible {
            for j in 0..hidden {
                let by = variance(Side::Visible, i) * variance(Side::Hidden, j);
                divide(&mut gradient.weights_mut()[i * hidden + j], by);
            }
        }
        for side in [Side::Visible, Side::Hidden] {
            let columns = gradient.shape().units(side);
            for (at, slope) in gradient.potentials_mut(side).iter_mut().enumerate() {
                let own = variance(side, at % columns);
                divide(slope, if PRECISIONS.contains(&(at / columns)) { own * own } else { own });
            }
        }
    }

    fn penalise(&mut self, op: &Penalise, scales: &[f32], rbm: &Rbm, gradient: &mut Rbm) {
        let Shape { visible, hidden } = rbm.shape();
        let weight = |i: usize, j: usize| f64::from(rbm.weights()[i * hidden + j]);
        let scale = |i: usize| f64::from(scales[i]);
        for j in 0..hidden {
            let sum: f64 = (0..visible).map(|i| scale(i) * weight(i, j).abs()).sum();
            for i in (0..visible).filter(|&i| weight(i, j) != 0.0) {
                let slope = &mut gradient.weights_mut()[i * hidden + j];
                let pull = f64::from(op.strength) * sum * scale(i) * weight(i, j).signum();
                *slope = (f64::from(*slope) - pull) as f32;
            }
        }
    }

    fn clip(&mut self, op: &Clip, gradient: &mut Rbm) {
        let slopes = gradient.parameters_mut();
        let norm = slopes.iter().map(|&slope| f64::from(slope).powi(2)).sum::<f64>().sqrt();
        let factor = (f64::from(op.largest) / norm).min(1.0);
        slopes.iter_mut().for_each(|slope| *slope = (f64::from(*slope) * factor) as f32);
    }

    fn ascend(
        &mut self,
        op: &Ascent,
        gradient: &mut Rbm,
        rbm: &mut Rbm,
        velocity: &mut Rbm,
        mut squares: Option<&mut Rbm>,
    ) {
        let decays = [(op.weight_decay, op.l1), (0.0, 0.0), (0.0, 0.0)];
        let Shape { visible, hidden } = rbm.shape();
        let columns = [1, visible, hidden];
        let parameters =
            gradient.tensors_mut().into_iter().zip(rbm.tensors_mut()).zip(velocity.tensors_mut());
        for (tensor, (((gradient, theta), velocity), (l2, l1))) in parameters.zip(decays).enumerate() {
            for at in 0..theta.len() {
                let parameter = f64::from(theta[at]);
                let sign = if parameter == 0.0 { 0.0 } else { parameter.signum() };
                let decay = f64::from(l2) * parameter + f64::from(l1) * sign;
                let square = squares.as_mut().map(|squares| &mut squares.tensors_mut()[tensor][at]);
                let taken = step(op, f64::from(gradient[at]), decay, &mut velocity[at], square);
                // NaN has no bounds; it stays, and is found.
                let is_precision =
                    tensor > 0 && PRECISIONS.contains(&(at / columns[tensor])) && !parameter.is_nan();
                gradient[at] = match is_precision {
                    true => taken.clamp(-parameter / 2.0, parameter) as f32,
                    false => taken as f32,
                };
                theta[at] += gradient[at];
            }
        }
    }

    fn recentre(&mut self, step: &Rbm, mu: &[f32], lambda: &[f32], rbm: &mut Rbm) {
        let Shape { visible, hidden } = rbm.shape();
        let step = step.weights();
        let moved = |i: usize, j: usize| f64::from(step[i * hidden + j]);
        for i in 0..visible {
            let shift: f64 = (0..hidden).map(|j| moved(i, j) * f64::from(lambda[j])).sum();
            rbm.visible_bias_mut()[i] -= shift as f32;
        }
        for j in 0..hidden {
            let shift: f64 = (0..visible).map(|i| moved(i, j) * f64::from(mu[i])).sum();
            rbm.hidden_bias_mut()[j] -= shift as f32;
        }
    }

    fn update(&mut self, op: &Update, phases: Phases<PlainUnits>, rbm: &mut Rbm, velocity: Option<&mut Rbm>) {
        let Phases { mu, lambda, .. } = phases;
        let (mut gradient, mut none) = (Rbm::zeros(rbm.layers()), Rbm::zeros(rbm.layers()));
        self.gradient(&op.contrast(), phases, &mut gradient);
        self.ascend(&op.ascent(), &mut gradient, rbm, velocity.unwrap_or(&mut none), None);
        if op.centred == 1 {
            self.recentre(&gradient, mu, lambda, rbm);
        }
    }

    fn limit_norms(&mut self, op: &LimitNorms, rbm: &mut Rbm) {
        let Shape { visible, hidden } = rbm.shape();
        let weights = rbm.weights_mut();
        for j in 0..hidden {
            let norm = (0..visible).map(|i| f64::from(weights[i * hidden + j]).powi(2)).sum::<f64>().sqrt();
            let largest = f64::from(op.largest);
            if norm > largest {
                for i in 0..visible {
                    let weight = &mut weights[i * hidden + j];
                    *weight = (f64::from(*weight) * largest / norm) as f32;
                }
            }
        }
    }

    fn fix_gauge(&mut self, rbm: &mut Rbm) {
        let Shape { hidden, .. } = rbm.shape();
        let layers = rbm.layers().clone();
        let subtract = |parameter: &mut f32, mean: f64| *parameter = (f64::from(*parameter) - mean) as f32;
        for side in [Side::Visible, Side::Hidden] {
            let (columns, others) = (layers.side(side).columns(), layers.side(side.other()).columns());
            let place = |own: usize, other: usize| match side {
                Side::Visible => own * hidden + other,
                Side::Hidden => other * hidden + own,
            };
            let mut shifts = vec![0.0; others];
            for Place { column, kind } in layers.side(side).potts() {
                let states = || column..column + kind.columns();
                let of_states = kind.columns() as f64;
                for (other, shift) in shifts.iter_mut().enumerate() {
                    let weights = rbm.weights_mut();
                    let sum: f64 = states().map(|own| f64::from(weights[place(own, other)])).sum();
                    states().for_each(|own| subtract(&mut weights[place(own, other)], sum / of_states));
                    *shift += sum / of_states;
                }
                let biases = &mut rbm.potentials_mut(side)[..columns];
                let sum: f64 = biases[states()].iter().map(|&bias| f64::from(bias)).sum();
                biases[states()].iter_mut().for_each(|bias| subtract(bias, sum / of_states));
            }
            let biases = rbm.potentials_mut(side.other())[..others].iter_mut();
            biases.zip(shifts).for_each(|(bias, shift)| subtract(bias, -shift));
        }
    }

    fn track(&mut self, op: &Track, hidden: &PlainUnits, means: &mut [f32]) {
        let (rows, units) = (op.rows as usize, hidden.width);
        for (j, tracked) in means[..units].iter_mut().enumerate() {
            let mean =
                (0..rows).map(|row| f64::from(hidden.means[row * units + j])).sum::<f64>() / rows as f64;
            *tracked += (f64::from(op.rate) * (mean - f64::from(*tracked))) as f32;
        }
    }

    fn track_variances(
        &mut self,
        op: &Track,
        layer: &Layer,
        hidden: &PlainUnits,
        means: &[f32],
        variances: &mut [f32],
    ) {
        let (rows, width) = (op.rows as usize, hidden.width);
        let extra = layer.parameters() - width;
        for Place { kind, column: first } in layer.places() {
            for column in first..first + kind.columns() {
                let offset = f64::from(means[column]);
                let square = |row: usize| {
                    let mean = f64::from(hidden.means[row * width + column]);
                    let moment = |number: usize| {
                        f64::from(hidden.moments[row * extra + (number - 1) * width + column])
                    };
                    kind.mean_square(mean, moment) - 2.0 * mean * offset + offset * offset
                };
                let seen = ((0..rows).map(square).sum::<f64>() / rows as f64).max(0.0);
                let variance = &mut variances[column];
                *variance += (f64::from(op.rate) * (seen - f64::from(*variance))) as f32;
            }
        }
    }

    fn combine(&mut self, op: &Combine, other: &Rbm, rbm: &mut Rbm) {
        let (keep, add) = (f64::from(op.keep), f64::from(op.add));
        for (out, other) in rbm.tensors_mut().into_iter().zip(other.tensors()) {
            for (out, &other) in out.iter_mut().zip(other) {
                let kept = if keep == 0.0 { 0.0 } else { keep * f64::from(*out) };
                *out = (kept + add * f64::from(other)) as f32;
            }
        }
    }

    fn squared_error(
        &mut self,
        op: &SquaredError,
        visible: &PlainUnits,
        reconstruction: &PlainUnits,
        values: &mut [f32],
    ) {
        let units = visible.width;
        for (row, value) in values[..op.rows as usize].iter_mut().enumerate() {
            let mut sum = 0.0;
            for i in 0..units {
                let (x, p) = (visible.states[row * units + i], reconstruction.means[row * units + i]);
                let difference = f64::from(x) - f64::from(p);
                sum += difference * difference;
            }
            *value += sum as f32;
        }
    }

    fn free_energy(&mut self, op: &FreeEnergy, path: HostPath, visible: &PlainUnits, values: &mut [f32]) {
        let beta = f64::from(op.beta);
        let rows = visible.states.chunks(visible.width);
        for (value, visible) in values[..op.rows as usize].iter_mut().zip(rows) {
            let energy = free_energy_on_path(path, beta, visible);
            *value =
                if op.less == 0.0 { energy } else { energy - f64::from(op.less) * f64::from(*value) } as f32;
        }
    }

    fn energy(
        &mut self,
        op: &Energy,
        path: HostPath,
        visible: &PlainUnits,
        hidden: &PlainUnits,
        values: &mut [f32],
    ) {
        let rows = visible.states.chunks(visible.width).zip(hidden.states.chunks(hidden.width));
        for (value, (visible, hidden)) in values[..op.rows as usize].iter_mut().zip(rows) {
            // At β = 0 only the base's potentials are left.
            let of_base = |side| Potentials::of(path.rbm, side).at(0.0, path.base_of(side));
            let of_base = of_base(Side::Visible).sum(visible) + of_base(Side::Hidden).sum(hidden);
            *value = (energy(path.rbm, visible, hidden) + of_base) as f32;
        }
    }

    fn swap(
        &mut self,
        op: &Swap,
        cold: (&mut PlainUnits, &mut [f32]),
        hot: (&mut PlainUnits, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    ) {
        swap(op, cold, hot, accepted, trips);
    }

    fn clamp_units(&mut self, op: &ClampUnits, known: &PlainUnits, mask: &[f32], visible: &mut PlainUnits) {
        let units = visible.width;
        for row in 0..op.rows as usize {
            for (i, &mask) in op.mask_of(row, mask).iter().enumerate() {
                if op.clamps(mask) {
                    visible.states[row * units + i] = known.states[row * units + i];
                }
            }
        }
    }

    fn fill_missing(
        &mut self,
        op: &FillMissing,
        observed: &PlainUnits,
        fill: &[f32],
        mask: &mut [f32],
        visible: &mut PlainUnits,
    ) {
        let units = visible.width;
        for at in 0..op.rows as usize * units {
            let x = observed.states[at];
            mask[at] = f32::from(!x.is_nan());
            visible.states[at] = if x.is_nan() { fill[at % units] } else { x };
        }
    }

    fn multiply_add(&mut self, op: &MultiplyAdd, values: &mut [f32]) {
        let small = f64::exp2(-10.0);
        for value in &mut values[..op.rows as usize] {
            let mut x = f64::from(*value);
            for _ in 0..MULTIPLY_ADDS {
                x = x * (1.0 - small) + small;
            }
            *value = x as f32;
        }
    }

    fn copy(&mut self, op: &Copy, from: &[f32], to: &mut [f32]) {
        let rows = op.rows as usize;
        to[..rows].copy_from_slice(&from[..rows]);
    }
}
