//! The native path for a machine without a GPU: a GEMM crate for the products, all cores, and loops that the
//! compiler vectorises for the instruction set found at run time. Tested against [`crate::reference`], as the GPU is.

use gemm::Parallelism;
use rayon::prelude::*;

use crate::{
    backend::{DeviceInfo, Params},
    data::RowLayout,
    host::{Host, HostKernels, Phase, Uniforms},
    rbm::{Rbm, Shape},
};

/// The kernels of the native CPU path.
#[derive(Clone, Copy)]
pub struct Cpu {
    instructions: pulp::Arch,
}

impl Default for Cpu {
    fn default() -> Self {
        Self { instructions: pulp::Arch::new() }
    }
}

impl Cpu {
    /// The native CPU path, with room for a model of this shape.
    pub fn open(shape: Shape) -> Host<Self> {
        Host::new(Self::default(), Self::info(), shape)
    }

    /// The processor, its instruction set and its threads.
    pub fn info() -> DeviceInfo {
        let system = sysinfo::System::new().map(|mut system| {
            system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
            system
        });
        let brand = system.iter().flat_map(|system| system.cpus()).map(|cpu| cpu.brand().trim().to_string());
        let brand = brand.into_iter().find(|brand| !brand.is_empty());
        DeviceInfo {
            name: brand.unwrap_or_else(|| std::env::consts::ARCH.into()),
            backend: "cpu".into(),
            kind: "cpu".into(),
            driver: format!(
                "{}, {} threads",
                Self::default().instruction_set(),
                rayon::current_num_threads()
            ),
        }
    }

    /// The instruction set that was found.
    fn instruction_set(&self) -> String {
        // pulp names x86-64's levels, and writes out what each consists of.
        let name = format!("{:?}", self.instructions);
        match name.split('(').next() {
            Some("V4") => "AVX-512".into(),
            Some("V3") => "AVX2".into(),
            Some("Scalar") | None => "baseline instructions".into(),
            Some(other) => other.to_uppercase(),
        }
    }

    /// means = σ(β(bias + input × factor)) and their states, for one layer. A thread takes a few rows and finishes
    /// them, product, sigmoid and draw, while they are in its cache.
    #[expect(clippy::too_many_arguments, reason = "a kernel has as many as it has bindings")]
    fn sample(
        &self,
        params: &Params,
        input: &[f32],
        factor: Matrix,
        bias: &[f32],
        uniforms: Uniforms,
        means: &mut [f32],
        states: &mut [f32],
    ) {
        let (rows, units) = (params.rows as usize, bias.len());
        let share = share(rows);
        let outputs = means[..rows * units]
            .par_chunks_mut(share * units)
            .zip_eq(states[..rows * units].par_chunks_mut(share * units));
        outputs.enumerate().for_each_init(
            || vec![0.0; units],
            |scratch, (part, (means, states))| {
                let input = Matrix {
                    values: &input[part * share * factor.rows..],
                    stride: (factor.rows, 1),
                    rows: means.len() / units,
                    columns: factor.rows,
                };
                product(means, 0.0, 1.0, input, factor);
                for (row, (means, states)) in
                    means.chunks_mut(units).zip(states.chunks_mut(units)).enumerate()
                {
                    let uniforms = params
                        .has(Params::SAMPLE)
                        .then(|| uniforms.row(params, units, part * share + row, scratch));
                    self.instructions.dispatch(
                        #[inline(always)]
                        || {
                            for (x, bias) in means.iter_mut().zip(bias) {
                                *x = sigmoid(params.beta * (*x + bias));
                            }
                            match uniforms {
                                Some(uniforms) => {
                                    for ((state, mean), u) in states.iter_mut().zip(&*means).zip(uniforms) {
                                        *state = f32::from(u < mean);
                                    }
                                }
                                None => states.copy_from_slice(means),
                            }
                        },
                    );
                }
            },
        );
    }
}

/// A matrix somewhere in memory: element (i, j) is at `i * stride.0 + j * stride.1`.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    stride: (usize, usize),
    rows: usize,
    columns: usize,
}

/// out = keep · out + scale · left × right, on this thread; `out` is row-major.
fn product(out: &mut [f32], keep: f32, scale: f32, left: Matrix, right: Matrix) {
    let (m, n, k) = (left.rows, right.columns, left.columns);
    let last = |matrix: &Matrix| (matrix.rows - 1) * matrix.stride.0 + (matrix.columns - 1) * matrix.stride.1;
    assert!(m > 0 && n > 0 && k > 0 && k == right.rows);
    assert!(out.len() == m * n && last(&left) < left.values.len() && last(&right) < right.values.len());
    // SAFETY: the assertions hold every element that is read or written within its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            keep != 0.0,
            left.values.as_ptr(),
            left.stride.1 as isize,
            left.stride.0 as isize,
            right.values.as_ptr(),
            right.stride.1 as isize,
            right.stride.0 as isize,
            keep,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Rows of each part of the work: equal parts, an even number of them, so that a few threads end together. The number
/// of threads must not change them: the crate sums a product of one row in another order.
fn share(rows: usize) -> usize {
    const MOST: usize = 32;
    let parts = rows.div_ceil(MOST);
    let parts = if parts > 1 { parts.next_multiple_of(2) } else { 1 };
    rows.div_ceil(parts).max(1)
}

/// e^x to about 2e-7 relative, for x within ±87: 2^n · e^r with |r| ≤ ln 2 / 2 and a polynomial for e^r (Cephes'
/// `expf`, Moshier 1989). Plain arithmetic that the compiler vectorises, where libm's function is a call.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it leaves an integer in the lower bits
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut y = 1.987_569_2e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        y = y * r + coefficient;
    }
    let y = y * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    y * power
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

impl HostKernels for Cpu {
    fn gather(
        &self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        states: &mut [f32],
    ) {
        let (rows, units) = (params.rows as usize, params.visible as usize);
        let order = &order[params.first_row as usize..][..rows];
        states[..rows * units].par_chunks_mut(units).zip_eq(order).enumerate().for_each_init(
            || vec![0.0; units],
            |scratch, (row, (states, &case))| {
                let packed = &words[case as usize * layout.words()..][..layout.words()];
                for (unit, state) in states.iter_mut().enumerate() {
                    *state = layout.value(packed, unit);
                }
                if params.has(Params::SAMPLE) {
                    for (state, u) in states.iter_mut().zip(uniforms.row(params, units, row, scratch)) {
                        *state = f32::from(u < state);
                    }
                }
            },
        );
    }

    fn sample_hidden(
        &self,
        params: &Params,
        rbm: &Rbm,
        visible: &[f32],
        uniforms: Uniforms,
        means: &mut [f32],
        states: &mut [f32],
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let weights = Matrix { values: &rbm.weights, stride: (n, 1), rows: m, columns: n };
        self.sample(params, visible, weights, &rbm.hidden_bias, uniforms, means, states);
    }

    fn sample_visible(
        &self,
        params: &Params,
        rbm: &Rbm,
        hidden: &[f32],
        uniforms: Uniforms,
        means: &mut [f32],
        states: &mut [f32],
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let transposed = Matrix { values: &rbm.weights, stride: (1, n), rows: n, columns: m };
        self.sample(params, hidden, transposed, &rbm.visible_bias, uniforms, means, states);
    }

    fn update(&self, params: &Params, positive: Phase, negative: Phase, rbm: &mut Rbm, velocity: &mut Rbm) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let rows = params.rows as usize;
        let (momentum, rate) = (params.momentum, params.learning_rate / rows as f32);
        let decay = params.learning_rate * params.weight_decay;
        let share = share(m);
        let weights =
            rbm.weights.par_chunks_mut(share * n).zip_eq(velocity.weights.par_chunks_mut(share * n));
        weights.enumerate().for_each(|(part, (weights, velocity))| {
            let units = velocity.len() / n;
            for (phase, keep, rate) in [(positive, momentum, rate), (negative, 1.0, -rate)] {
                let left = Matrix {
                    values: &phase.visible[part * share..],
                    stride: (1, m),
                    rows: units,
                    columns: rows,
                };
                let right = Matrix { values: phase.hidden, stride: (n, 1), rows, columns: n };
                product(velocity, keep, rate, left, right);
            }
            self.instructions.dispatch(
                #[inline(always)]
                || {
                    for (weight, velocity) in weights.iter_mut().zip(velocity) {
                        *velocity -= decay * *weight;
                        *weight += *velocity;
                    }
                },
            );
        });
        let update_bias = |bias: &mut [f32], velocity: &mut [f32], positive: &[f32], negative: &[f32]| {
            let units = bias.len();
            let mut sums = vec![0.0; units];
            for (x, y) in positive.chunks(units).zip(negative.chunks(units)).take(rows) {
                for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
                    *sum += x - y;
                }
            }
            for ((bias, velocity), sum) in bias.iter_mut().zip(velocity).zip(sums) {
                *velocity = momentum * *velocity + rate * sum;
                *bias += *velocity;
            }
        };
        update_bias(&mut rbm.visible_bias, &mut velocity.visible_bias, positive.visible, negative.visible);
        update_bias(&mut rbm.hidden_bias, &mut velocity.hidden_bias, positive.hidden, negative.hidden);
    }

    fn squared_error(&self, params: &Params, visible: &[f32], means: &[f32], values: &mut [f32]) {
        let units = params.visible as usize;
        let rows = visible.par_chunks(units).zip(means.par_chunks(units));
        values[..params.rows as usize].par_iter_mut().zip(rows).for_each(|(value, (x, p))| {
            *value += x.iter().zip(p).map(|(x, p)| f64::from(x - p).powi(2)).sum::<f64>() as f32;
        });
    }

    fn free_energy(&self, params: &Params, rbm: &Rbm, visible: &[f32], values: &mut [f32]) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let rows = params.rows as usize;
        let share = share(rows);
        let weights = Matrix { values: &rbm.weights, stride: (n, 1), rows: m, columns: n };
        values[..rows].par_chunks_mut(share).zip(visible.par_chunks(share * m)).for_each(
            |(values, visible)| {
                let mut inputs = vec![0.0; values.len() * n];
                let cases = Matrix { values: visible, stride: (m, 1), rows: values.len(), columns: m };
                product(&mut inputs, 0.0, 1.0, cases, weights);
                for ((value, v), inputs) in values.iter_mut().zip(visible.chunks(m)).zip(inputs.chunks(n)) {
                    let bias: f64 = v.iter().zip(&rbm.visible_bias).map(|(v, b)| f64::from(v * b)).sum();
                    let hidden: f64 = inputs
                        .iter()
                        .zip(&rbm.hidden_bias)
                        .map(|(x, c)| crate::reference::softplus(f64::from(params.beta * (x + c))))
                        .sum();
                    *value = (-f64::from(params.beta) * bias - hidden) as f32;
                }
            },
        );
    }
}
