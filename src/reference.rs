//! The oracle: every kernel as a textbook prints it. Loops, sums in `f64`, no tricks; slow and obviously right. The
//! other devices are tested against it, so it is never optimised.

use crate::{
    backend::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, FAST_SHARE, MULTIPLY_ADDS, Params},
    data::RowLayout,
    host::{Fast, HostKernels, HostUnits, Moments, Offsets, Phase, PlainUnits, Uniforms},
    rbm::{Rbm, Shape},
    rng::uniform_at,
};

/// σ(x) = 1 / (1 + e^(−x))
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log(1 + e^x), without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// E(v,h) = −vᵀWh − bᵀv − cᵀh, equation (1).
pub fn energy(rbm: &Rbm, visible: &[f32], hidden: &[f32]) -> f64 {
    let mut energy = 0.0;
    for (i, &v) in visible.iter().enumerate() {
        energy -= f64::from(rbm.visible_bias[i]) * f64::from(v);
        for (j, &h) in hidden.iter().enumerate() {
            energy -= f64::from(v) * f64::from(rbm.weights[i * rbm.shape.hidden + j]) * f64::from(h);
        }
    }
    for (j, &h) in hidden.iter().enumerate() {
        energy -= f64::from(rbm.hidden_bias[j]) * f64::from(h);
    }
    energy
}

/// c_j + Σ_i v_i W_ij, the argument of equation (18).
pub fn hidden_input(rbm: &Rbm, visible: &[f32], j: usize) -> f64 {
    let mut sum = f64::from(rbm.hidden_bias[j]);
    for (i, &v) in visible.iter().enumerate() {
        sum += f64::from(v) * f64::from(rbm.weights[i * rbm.shape.hidden + j]);
    }
    sum
}

/// b_i + Σ_j W_ij h_j, the argument of equation (8).
pub fn visible_input(rbm: &Rbm, hidden: &[f32], i: usize) -> f64 {
    let mut sum = f64::from(rbm.visible_bias[i]);
    for (j, &h) in hidden.iter().enumerate() {
        sum += f64::from(rbm.weights[i * rbm.shape.hidden + j]) * f64::from(h);
    }
    sum
}

/// F(v) = −β bᵀv − Σ_j softplus(β(c_j + (vW)_j)): p(v) = e^(−F(v)) / Z, equation (23) with the sum over h done.
pub fn free_energy(rbm: &Rbm, beta: f64, visible: &[f32]) -> f64 {
    let mut energy = 0.0;
    for (i, &v) in visible.iter().enumerate() {
        energy -= beta * f64::from(rbm.visible_bias[i]) * f64::from(v);
    }
    for j in 0..rbm.shape.hidden {
        energy -= softplus(beta * hidden_input(rbm, visible, j));
    }
    energy
}

/// How far one parameter moves up its gradient, less its decay; see [`crate::backend::Backend::update`]. `velocity` and
/// `square` are what the last step left.
fn step(params: &Params, gradient: f64, decay: f64, (velocity, square): (&mut f32, &mut f32)) -> f64 {
    let rate = f64::from(params.learning_rate);
    if params.has(Params::ADAM) {
        let mean = ADAM_FIRST * f64::from(*velocity) + (1.0 - ADAM_FIRST) * gradient;
        let of_squares = ADAM_SECOND * f64::from(*square) + (1.0 - ADAM_SECOND) * gradient * gradient;
        (*velocity, *square) = (mean as f32, of_squares as f32);
        let mean = mean * f64::from(params.first_correction);
        let of_squares = of_squares * f64::from(params.second_correction);
        return rate * (mean / (of_squares.sqrt() + ADAM_EPSILON) - decay);
    }
    let momentum = f64::from(params.momentum);
    let push = rate * (gradient - decay);
    *velocity = (momentum * f64::from(*velocity) + push) as f32;
    if params.has(Params::NESTEROV) { momentum * f64::from(*velocity) + push } else { f64::from(*velocity) }
}

/// Swaps replicas at two neighbouring temperatures; see [`crate::backend::Backend::swap`].
pub fn swap<U: HostUnits>(
    params: &Params,
    (cold, cold_values): (&mut U, &mut [f32]),
    (hot, hot_values): (&mut U, &mut [f32]),
    accepted: &mut [f32],
    trips: &mut [f32],
) {
    let rows = params.rows as usize;
    for row in 0..rows {
        let chain = params.first_chain.wrapping_add(row as u32);
        let u = uniform_at(params.seed(), params.step, params.draw, chain, 0);
        let mark = rows + row;
        let surplus = f64::from(cold_values[row]) - f64::from(hot_values[row]);
        if f64::from(u) < (f64::from(params.rate) * surplus).exp() {
            accepted[params.first_row as usize + row] += 1.0;
            cold.exchange(hot, row);
            std::mem::swap(&mut cold_values[mark], &mut hot_values[mark]);
        }
        if params.has(Params::COLDEST) {
            trips[row] += cold_values[mark];
            cold_values[mark] = 0.0;
        }
        if params.has(Params::HOTTEST) {
            hot_values[mark] = 1.0;
        }
    }
}

/// The kernels of the oracle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl HostKernels for Reference {
    type Units = PlainUnits;

    fn gather(
        &mut self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut PlainUnits,
    ) {
        let units = params.visible as usize;
        for row in 0..params.rows as usize {
            let case = order[params.first_row as usize + row] as usize;
            let packed = &words[case * layout.words()..][..layout.words()];
            for i in 0..units {
                let value = layout.value(packed, i);
                visible.states[row * units + i] = if params.has(Params::SAMPLE) {
                    f32::from(uniforms.at(params, units, row, i) < value)
                } else {
                    value
                };
            }
        }
    }

    fn sample_hidden(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        visible: &PlainUnits,
        uniforms: Uniforms,
        hidden: &mut PlainUnits,
    ) {
        let shape = rbm.shape;
        for row in 0..params.rows as usize {
            let v = &visible.states[row * shape.visible..][..shape.visible];
            for j in 0..shape.hidden {
                let mean = sigmoid(f64::from(params.beta) * hidden_input(rbm, v, j)) as f32;
                hidden.means[row * shape.hidden + j] = mean;
                hidden.states[row * shape.hidden + j] = uniforms.state(params, shape.hidden, row, j, mean);
            }
        }
    }

    fn sample_visible(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        hidden: &PlainUnits,
        uniforms: Uniforms,
        visible: &mut PlainUnits,
    ) {
        let shape = rbm.shape;
        for row in 0..params.rows as usize {
            let h = &hidden.states[row * shape.hidden..][..shape.hidden];
            for i in 0..shape.visible {
                let mean = sigmoid(f64::from(params.beta) * visible_input(rbm, h, i)) as f32;
                visible.means[row * shape.visible + i] = mean;
                visible.states[row * shape.visible + i] = uniforms.state(params, shape.visible, row, i, mean);
            }
        }
    }

    #[expect(clippy::needless_range_loop, reason = "i and j are the equation's")]
    fn update(
        &mut self,
        params: &Params,
        positive: Phase<PlainUnits>,
        negative: Phase<PlainUnits>,
        offsets: &Offsets,
        rbm: &mut Rbm,
        moments: &mut Moments,
    ) {
        let shape = rbm.shape;
        let Moments { velocity, squares } = moments;
        let centred = params.has(Params::CENTRED);
        let mu = |i: usize| if centred { f64::from(offsets.visible[i]) } else { 0.0 };
        let lambda = |j: usize| if centred { f64::from(offsets.hidden[j]) } else { 0.0 };
        // One unit in one row; a phase's own mean of a product or of a unit is over its rows.
        let v = |phase: &Phase<PlainUnits>, row: usize, i: usize| {
            f64::from(phase.visible.states[row * shape.visible + i]) - mu(i)
        };
        let h = |phase: &Phase<PlainUnits>, row: usize, j: usize| {
            f64::from(phase.hidden.means[row * shape.hidden + j]) - lambda(j)
        };
        let difference = |unit: &dyn Fn(&Phase<PlainUnits>, usize) -> f64| {
            let mean = |phase: &Phase<PlainUnits>| {
                (0..phase.rows).map(|row| unit(phase, row)).sum::<f64>() / phase.rows as f64
            };
            mean(&positive) - mean(&negative)
        };

        // What draws each hidden unit to the target; its weights' share of it is the mean of what they come from.
        let draw = |j: usize| {
            let excess = || f64::from(offsets.hidden[j]) - f64::from(params.sparsity_target);
            if params.has(Params::SPARSE) { f64::from(params.sparsity_cost) * excess() } else { 0.0 }
        };
        let data_mean =
            |i: usize| (0..positive.rows).map(|row| v(&positive, row, i)).sum::<f64>() / positive.rows as f64;

        // The centred model's biases stay where they are if its weights change: this one's don't.
        let mut visible_step = vec![0.0; shape.visible];
        let mut hidden_step = vec![0.0; shape.hidden];
        for i in 0..shape.visible {
            for j in 0..shape.hidden {
                let at = i * shape.hidden + j;
                let weight = f64::from(rbm.weights[at]);
                let association = difference(&|phase, row| v(phase, row, i) * h(phase, row, j));
                let gradient = association - draw(j) * data_mean(i);
                let sign = if weight == 0.0 { 0.0 } else { weight.signum() };
                let decay = f64::from(params.weight_decay) * weight + f64::from(params.l1) * sign;
                let moments = (&mut velocity.weights[at], &mut squares.weights[at]);
                let weight_step = step(params, gradient, decay, moments);
                rbm.weights[at] += weight_step as f32;
                visible_step[i] -= weight_step * lambda(j);
                hidden_step[j] -= weight_step * mu(i);
            }
        }
        for i in 0..shape.visible {
            let gradient = difference(&|phase, row| v(phase, row, i));
            let moments = (&mut velocity.visible_bias[i], &mut squares.visible_bias[i]);
            visible_step[i] += step(params, gradient, 0.0, moments);
            rbm.visible_bias[i] += visible_step[i] as f32;
        }
        for j in 0..shape.hidden {
            let gradient = difference(&|phase, row| h(phase, row, j)) - draw(j);
            let moments = (&mut velocity.hidden_bias[j], &mut squares.hidden_bias[j]);
            hidden_step[j] += step(params, gradient, 0.0, moments);
            rbm.hidden_bias[j] += hidden_step[j] as f32;
        }
    }

    fn limit_norms(&mut self, params: &Params, rbm: &mut Rbm) {
        let Shape { visible, hidden } = rbm.shape;
        for j in 0..hidden {
            let square = |i: usize| f64::from(rbm.weights[i * hidden + j]).powi(2);
            let norm = (0..visible).map(square).sum::<f64>().sqrt();
            let largest = f64::from(params.largest_norm);
            if norm > largest {
                for i in 0..visible {
                    let weight = &mut rbm.weights[i * hidden + j];
                    *weight = (f64::from(*weight) * largest / norm) as f32;
                }
            }
        }
    }

    fn track(&mut self, params: &Params, hidden: &PlainUnits, offsets: &mut [f32]) {
        let (rows, units) = (params.rows as usize, offsets.len());
        for (j, offset) in offsets.iter_mut().enumerate() {
            let mean =
                (0..rows).map(|row| f64::from(hidden.means[row * units + j])).sum::<f64>() / rows as f64;
            *offset += (f64::from(params.rate) * (mean - f64::from(*offset))) as f32;
        }
    }

    fn average(&mut self, params: &Params, rbm: &Rbm, average: &mut Rbm) {
        for (average, parameters) in [
            (&mut average.weights, &rbm.weights),
            (&mut average.visible_bias, &rbm.visible_bias),
            (&mut average.hidden_bias, &rbm.hidden_bias),
        ] {
            for (average, parameter) in average.iter_mut().zip(parameters) {
                *average += params.rate * (parameter - *average);
            }
        }
    }

    fn fast_weights(&mut self, params: &Params, rbm: &Rbm, velocity: &Rbm, fast: &mut Fast) {
        let Fast { weights: fast, sum } = fast;
        for (fast, sum, theta, velocity) in [
            (&mut fast.weights, &mut sum.weights, &rbm.weights, &velocity.weights),
            (&mut fast.visible_bias, &mut sum.visible_bias, &rbm.visible_bias, &velocity.visible_bias),
            (&mut fast.hidden_bias, &mut sum.hidden_bias, &rbm.hidden_bias, &velocity.hidden_bias),
        ] {
            for at in 0..theta.len() {
                let stays = FAST_SHARE * f64::from(fast[at]);
                fast[at] = (stays + f64::from(params.rate) * f64::from(velocity[at])) as f32;
                sum[at] = theta[at] + fast[at];
            }
        }
    }

    fn squared_error(
        &mut self,
        params: &Params,
        visible: &PlainUnits,
        reconstruction: &PlainUnits,
        values: &mut [f32],
    ) {
        let units = params.visible as usize;
        for (row, value) in values[..params.rows as usize].iter_mut().enumerate() {
            let mut sum = 0.0;
            for i in 0..units {
                let (x, p) = (visible.states[row * units + i], reconstruction.means[row * units + i]);
                let difference = f64::from(x) - f64::from(p);
                sum += difference * difference;
            }
            *value += sum as f32;
        }
    }

    fn free_energy(&mut self, params: &Params, rbm: &Rbm, visible: &PlainUnits, values: &mut [f32]) {
        let units = params.visible as usize;
        for (value, visible) in values[..params.rows as usize].iter_mut().zip(visible.states.chunks(units)) {
            let energy = free_energy(rbm, f64::from(params.beta), visible);
            *value = if params.has(Params::LESS) { energy - f64::from(*value) } else { energy } as f32;
        }
    }

    fn energy(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        visible: &PlainUnits,
        hidden: &PlainUnits,
        values: &mut [f32],
    ) {
        let rows = visible.states.chunks(rbm.shape.visible).zip(hidden.states.chunks(rbm.shape.hidden));
        for (value, (visible, hidden)) in values[..params.rows as usize].iter_mut().zip(rows) {
            *value = energy(rbm, visible, hidden) as f32;
        }
    }

    fn temper_bias(&mut self, params: &Params, rbm: &Rbm, base: &[f32], values: &mut [f32]) {
        for i in 0..params.visible as usize {
            values[i] = (f64::from(rbm.visible_bias[i]) + f64::from(params.rate) * f64::from(base[i])) as f32;
        }
    }

    fn swap(
        &mut self,
        params: &Params,
        cold: (&mut PlainUnits, &mut [f32]),
        hot: (&mut PlainUnits, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    ) {
        swap(params, cold, hot, accepted, trips);
    }

    fn clamp_visible(&mut self, params: &Params, known: &PlainUnits, mask: &[f32], visible: &mut PlainUnits) {
        let units = params.visible as usize;
        for row in 0..params.rows as usize {
            for (i, &mask) in mask[..units].iter().enumerate() {
                if mask != 0.0 {
                    visible.states[row * units + i] = known.states[row * units + i];
                }
            }
        }
    }

    fn set_visible_bias(&mut self, params: &Params, values: &[f32], rbm: &mut Rbm) {
        for (bias, value) in rbm.visible_bias.iter_mut().zip(&values[..params.visible as usize]) {
            *bias = *value;
        }
    }

    fn multiply_add(&mut self, params: &Params, values: &mut [f32]) {
        let small = f64::exp2(-10.0);
        for value in &mut values[..params.rows as usize] {
            let mut x = f64::from(*value);
            for _ in 0..MULTIPLY_ADDS {
                x = x * (1.0 - small) + small;
            }
            *value = x as f32;
        }
    }

    fn copy(&mut self, params: &Params, from: &[f32], to: &mut [f32]) {
        let rows = params.rows as usize;
        to[..rows].copy_from_slice(&from[..rows]);
    }
}
