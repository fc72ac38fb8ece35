//! The oracle: every kernel as a textbook prints it. Loops, sums in `f64`, no tricks; slow and obviously right. The
//! other devices are tested against it, so it is never optimised.

use crate::{
    backend::{MULTIPLY_ADDS, Params},
    data::RowLayout,
    host::{HostKernels, Phase, Uniforms},
    rbm::Rbm,
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

/// The kernels of the oracle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl HostKernels for Reference {
    fn gather(
        &mut self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        states: &mut [f32],
    ) {
        let units = params.visible as usize;
        for row in 0..params.rows as usize {
            let case = order[params.first_row as usize + row] as usize;
            let packed = &words[case * layout.words()..][..layout.words()];
            for i in 0..units {
                let value = layout.value(packed, i);
                states[row * units + i] = if params.has(Params::SAMPLE) {
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
        visible: &[f32],
        uniforms: Uniforms,
        means: &mut [f32],
        states: &mut [f32],
    ) {
        let shape = rbm.shape;
        for row in 0..params.rows as usize {
            let visible = &visible[row * shape.visible..][..shape.visible];
            for j in 0..shape.hidden {
                let mean = sigmoid(f64::from(params.beta) * hidden_input(rbm, visible, j)) as f32;
                means[row * shape.hidden + j] = mean;
                states[row * shape.hidden + j] = uniforms.state(params, shape.hidden, row, j, mean);
            }
        }
    }

    fn sample_visible(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        hidden: &[f32],
        uniforms: Uniforms,
        means: &mut [f32],
        states: &mut [f32],
    ) {
        let shape = rbm.shape;
        for row in 0..params.rows as usize {
            let hidden = &hidden[row * shape.hidden..][..shape.hidden];
            for i in 0..shape.visible {
                let mean = sigmoid(f64::from(params.beta) * visible_input(rbm, hidden, i)) as f32;
                means[row * shape.visible + i] = mean;
                states[row * shape.visible + i] = uniforms.state(params, shape.visible, row, i, mean);
            }
        }
    }

    fn update(
        &mut self,
        params: &Params,
        positive: Phase,
        negative: Phase,
        rbm: &mut Rbm,
        velocity: &mut Rbm,
    ) {
        let shape = rbm.shape;
        let rows = params.rows as usize;
        // One unit in one row; a phase's own mean of a product or of a unit is over the rows.
        let v = |phase: &Phase, row: usize, i: usize| f64::from(phase.visible[row * shape.visible + i]);
        let h = |phase: &Phase, row: usize, j: usize| f64::from(phase.hidden[row * shape.hidden + j]);
        let mean = |unit: &dyn Fn(usize) -> f64| (0..rows).map(unit).sum::<f64>() / rows as f64;

        let momentum = f64::from(params.momentum);
        let rate = f64::from(params.learning_rate);
        let step = |gradient: f64, parameter: &mut f32, velocity: &mut f32| {
            *velocity = (momentum * f64::from(*velocity) + rate * gradient) as f32;
            *parameter += *velocity;
        };
        for i in 0..shape.visible {
            for j in 0..shape.hidden {
                let at = i * shape.hidden + j;
                let data = mean(&|row| v(&positive, row, i) * h(&positive, row, j));
                let model = mean(&|row| v(&negative, row, i) * h(&negative, row, j));
                let decay = f64::from(params.weight_decay) * f64::from(rbm.weights[at]);
                step(data - model - decay, &mut rbm.weights[at], &mut velocity.weights[at]);
            }
            let gradient = mean(&|row| v(&positive, row, i)) - mean(&|row| v(&negative, row, i));
            step(gradient, &mut rbm.visible_bias[i], &mut velocity.visible_bias[i]);
        }
        for j in 0..shape.hidden {
            let gradient = mean(&|row| h(&positive, row, j)) - mean(&|row| h(&negative, row, j));
            step(gradient, &mut rbm.hidden_bias[j], &mut velocity.hidden_bias[j]);
        }
    }

    fn squared_error(&mut self, params: &Params, visible: &[f32], means: &[f32], values: &mut [f32]) {
        let units = params.visible as usize;
        for row in 0..params.rows as usize {
            let mut sum = 0.0;
            for i in 0..units {
                let difference = f64::from(visible[row * units + i]) - f64::from(means[row * units + i]);
                sum += difference * difference;
            }
            values[row] += sum as f32;
        }
    }

    fn free_energy(&mut self, params: &Params, rbm: &Rbm, visible: &[f32], values: &mut [f32]) {
        let units = params.visible as usize;
        for row in 0..params.rows as usize {
            let visible = &visible[row * units..][..units];
            values[row] = free_energy(rbm, f64::from(params.beta), visible) as f32;
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
