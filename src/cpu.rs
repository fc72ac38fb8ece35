//! The native path for a machine without a GPU: all cores, and loops for the instruction set found at run time. Products
//! with binary states look sums up (`cpu/lookup.rs`); others go to a GEMM crate. Tested against [`crate::reference`], as
//! the GPU is.

mod codes;
mod lookup;
mod math;
pub(crate) mod matrix;
mod multiply_add;
mod strips;

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use crate::{
    backend::{DeviceInfo, Params},
    data::RowLayout,
    host::{Host, HostKernels, Offsets, Phase, Uniforms},
    rbm::{Rbm, Shape},
};
use codes::Codes;
use lookup::Term;
use math::{dot, long_dot, sigmoid, sum_of_softplus};
use matrix::{Matrix, product};
use multiply_add::MultiplyAdd;
use strips::Strips;

/// Cases for which tables of sums are worth making.
const FEWEST: usize = 8;

/// The kernels of the native CPU path.
pub struct Cpu {
    arch: Arch,
    /// Binary states on their way through a product: of the positive and of the negative phase.
    codes: [Codes; 2],
}

impl Default for Cpu {
    fn default() -> Self {
        Self { arch: Arch::new(), codes: Default::default() }
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
        let name = format!("{:?}", self.arch);
        match name.split('(').next() {
            Some("V4") => "AVX-512".into(),
            Some("V3") => "AVX2".into(),
            Some("Scalar") | None => "baseline instructions".into(),
            Some(other) => other.to_uppercase(),
        }
    }

    /// means = σ(β(bias + input × factor)) and their states, for one layer: each part is finished, product, sigmoid
    /// and draw, while it is in the cache.
    fn sample(
        &mut self,
        params: &Params,
        input: &[f32],
        factor: Matrix,
        bias: &[f32],
        uniforms: Uniforms,
        (means, states): (&mut [f32], &mut [f32]),
    ) {
        let (rows, units) = (params.rows as usize, bias.len());
        let (means, states) = (&mut means[..rows * units], &mut states[..rows * units]);
        let activation = Activation { params, bias, uniforms };
        if rows >= FEWEST && self.codes[0].pack(self.arch, input, (rows, factor.rows), units) {
            let (means, states) = (Strips::new(means, units), Strips::new(states, units));
            let term = Term { left: &self.codes[0], right: factor, scale: 1.0 };
            lookup::sum(self.arch, &[term], |part| {
                vectorize(
                    self.arch,
                    #[inline(always)]
                    || {
                        for (row, sums) in part.rows() {
                            // SAFETY: the parts of a sum don't overlap.
                            let (means, states) =
                                unsafe { (means.row(row, &part.columns), states.row(row, &part.columns)) };
                            means.copy_from_slice(sums);
                            activation.finish(row, &part.columns, means, states);
                        }
                    },
                );
            });
            return;
        }
        let share = share(rows);
        let parts = means.par_chunks_mut(share * units).zip_eq(states.par_chunks_mut(share * units));
        parts.enumerate().for_each(|(part, (means, states))| {
            let first = part * share;
            let cases = Matrix::new(&input[first * factor.rows..], means.len() / units, factor.rows);
            product(means, 0.0, 1.0, cases, factor);
            vectorize(
                self.arch,
                #[inline(always)]
                || {
                    let rows = means.chunks_mut(units).zip(states.chunks_mut(units)).zip(first..);
                    for ((means, states), row) in rows {
                        activation.finish(row, &(0..units), means, states);
                    }
                },
            );
        });
    }
}

/// Runs loops compiled for the instruction set that was found. Mark the closure `#[inline(always)]`; it must come here
/// as an `FnOnce`, since the call of another kind of closure through `FnOnce` is a function that may stay by itself,
/// compiled for the baseline.
fn vectorize<R>(arch: Arch, work: impl FnOnce() -> R) -> R {
    arch.dispatch(work)
}

/// Σ scale · the sum over its rows, for each unit of a layer: rows × units, how many rows, and the scale.
fn unit_gradient<const N: usize>(arch: Arch, phases: [(&[f32], usize, f32); N], units: usize) -> Vec<f32> {
    let mut gradient = vec![0.0; units];
    vectorize(
        arch,
        #[inline(always)]
        || {
            for (values, rows, scale) in phases {
                for row in values.chunks(units).take(rows) {
                    for (sum, x) in gradient.iter_mut().zip(row) {
                        *sum += scale * x;
                    }
                }
            }
        },
    );
    gradient
}

/// What follows the product in both half steps.
struct Activation<'a> {
    params: &'a Params,
    bias: &'a [f32],
    uniforms: Uniforms<'a>,
}

impl Activation<'_> {
    /// Finishes some units of a row: `means` holds their sums.
    #[inline(always)]
    fn finish(&self, row: usize, columns: &Range<usize>, means: &mut [f32], states: &mut [f32]) {
        const WIDTH: usize = 64;
        let Self { params, bias, uniforms } = self;
        let beta = params.beta;
        let mut buffer = [0.0; WIDTH];
        let parts = means.chunks_mut(WIDTH).zip(states.chunks_mut(WIDTH));
        for ((means, states), first) in parts.zip(columns.clone().step_by(WIDTH)) {
            for (x, bias) in means.iter_mut().zip(&bias[first..]) {
                *x = sigmoid(beta * (*x + bias));
            }
            if !params.has(Params::SAMPLE) {
                states.copy_from_slice(means);
                continue;
            }
            let uniforms = uniforms.row(params, bias.len(), row, first, &mut buffer[..means.len()]);
            for ((state, mean), u) in states.iter_mut().zip(&*means).zip(uniforms) {
                *state = f32::from(u < mean);
            }
        }
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

/// velocity = momentum·velocity + gradient − decay·θ, and θ += velocity.
#[inline(always)]
fn step(params: &Params, decay: f32, theta: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
    for ((theta, velocity), gradient) in theta.iter_mut().zip(velocity).zip(gradient) {
        *velocity = params.momentum * *velocity + gradient - decay * *theta;
        *theta += *velocity;
    }
}

/// The same for a row of weights whose gradient is not centred yet: (v − μ)(h − λ) = vh − μh − (v − μ)λ. `mu` is the
/// row's μ, `visible` its unit's gradient; `lambda` and `hidden` are those of its columns.
#[inline(always)]
fn centred_step(
    params: &Params,
    decay: f32,
    weights: &mut [f32],
    velocity: &mut [f32],
    gradient: &[f32],
    (mu, visible): (f32, f32),
    (lambda, hidden): (&[f32], &[f32]),
) {
    let weights = weights.iter_mut().zip(velocity).zip(gradient);
    for (((weight, velocity), gradient), (lambda, hidden)) in weights.zip(lambda.iter().zip(hidden)) {
        let gradient = gradient - mu * hidden - visible * lambda;
        *velocity = params.momentum * *velocity + gradient - decay * *weight;
        *weight += *velocity;
    }
}

/// What follows the product of an update.
struct Descent<'a> {
    params: &'a Params,
    decay: f32,
    /// Where the update is centred, if it is.
    offsets: Option<&'a Offsets>,
    visible_gradient: &'a [f32],
    hidden_gradient: &'a [f32],
}

impl Descent<'_> {
    /// Moves some weights of a visible unit.
    #[inline(always)]
    fn step(
        &self,
        unit: usize,
        columns: &Range<usize>,
        weights: &mut [f32],
        velocity: &mut [f32],
        gradient: &[f32],
    ) {
        let Self { params, decay, .. } = self;
        match self.offsets {
            Some(offsets) => {
                let row = (offsets.visible[unit], self.visible_gradient[unit]);
                let columns = (&offsets.hidden[columns.clone()], &self.hidden_gradient[columns.clone()]);
                centred_step(params, *decay, weights, velocity, gradient, row, columns);
            }
            None => step(params, *decay, weights, velocity, gradient),
        }
    }
}

impl HostKernels for Cpu {
    fn gather(
        &mut self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        states: &mut [f32],
    ) {
        let (rows, units, arch) = (params.rows as usize, params.visible as usize, self.arch);
        let order = &order[params.first_row as usize..][..rows];
        states[..rows * units].par_chunks_mut(units).zip_eq(order).enumerate().for_each_init(
            || vec![0.0; units],
            |scratch, (row, (states, &case))| {
                let packed = &words[case as usize * layout.words()..][..layout.words()];
                vectorize(
                    arch,
                    #[inline(always)]
                    || {
                        layout.unpack(packed, states);
                        if params.has(Params::SAMPLE) {
                            let uniforms = uniforms.row(params, units, row, 0, scratch);
                            for (state, u) in states.iter_mut().zip(uniforms) {
                                *state = f32::from(u < state);
                            }
                        }
                    },
                );
            },
        );
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
        let Shape { visible: m, hidden: n } = rbm.shape;
        let weights = Matrix::new(&rbm.weights, m, n);
        self.sample(params, visible, weights, &rbm.hidden_bias, uniforms, (means, states));
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
        let Shape { visible: m, hidden: n } = rbm.shape;
        let transposed = Matrix::new(&rbm.weights, m, n).transposed();
        self.sample(params, hidden, transposed, &rbm.visible_bias, uniforms, (means, states));
    }

    fn update(
        &mut self,
        params: &Params,
        positive: Phase,
        negative: Phase,
        offsets: &Offsets,
        rbm: &mut Rbm,
        velocity: &mut Rbm,
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let arch = self.arch;
        let decay = params.learning_rate * params.weight_decay;
        let phases = [(positive, 1.0), (negative, -1.0)]
            .map(|(phase, sign)| (phase, sign * params.learning_rate / phase.rows as f32));
        let [left, right] = &mut self.codes;
        let ((binary, visible_gradient), hidden_gradient) = rayon::join(
            || {
                let pack = |codes: &mut Codes, phase: Phase| {
                    phase.rows >= FEWEST && codes.pack_transposed(arch, phase.visible, (phase.rows, m), n)
                };
                let gradient = || {
                    unit_gradient(arch, phases.map(|(phase, scale)| (phase.visible, phase.rows, scale)), m)
                };
                rayon::join(|| pack(left, positive) && pack(right, negative), gradient)
            },
            || unit_gradient(arch, phases.map(|(phase, scale)| (phase.hidden, phase.rows, scale)), n),
        );
        let descent = Descent {
            params,
            decay,
            offsets: params.has(Params::CENTRED).then_some(offsets),
            visible_gradient: &visible_gradient,
            hidden_gradient: &hidden_gradient,
        };
        if binary {
            let weights = Strips::new(&mut rbm.weights, n);
            let velocity = Strips::new(&mut velocity.weights, n);
            let terms = [&*left, right].into_iter().zip(phases).map(|(left, (phase, scale))| Term {
                left,
                right: Matrix::new(phase.hidden, phase.rows, n),
                scale,
            });
            lookup::sum(arch, &terms.collect::<Vec<_>>(), |part| {
                vectorize(
                    arch,
                    #[inline(always)]
                    || {
                        for (unit, gradient) in part.rows() {
                            // SAFETY: the parts of a sum don't overlap.
                            let (weights, velocity) = unsafe {
                                (weights.row(unit, &part.columns), velocity.row(unit, &part.columns))
                            };
                            descent.step(unit, &part.columns, weights, velocity, gradient);
                        }
                    },
                );
            });
        } else {
            let share = share(m);
            let weights = rbm.weights.par_chunks_mut(share * n);
            let parts = weights.zip_eq(velocity.weights.par_chunks_mut(share * n)).enumerate();
            parts.for_each_init(Vec::new, |gradient, (part, (weights, velocity))| {
                gradient.resize(weights.len(), 0.0);
                for ((phase, scale), keep) in phases.into_iter().zip([0.0, 1.0]) {
                    let units = Matrix {
                        values: &phase.visible[part * share..],
                        stride: (1, m),
                        rows: weights.len() / n,
                        columns: phase.rows,
                    };
                    product(gradient, keep, scale, units, Matrix::new(phase.hidden, phase.rows, n));
                }
                let rows = weights.chunks_mut(n).zip(velocity.chunks_mut(n)).zip(gradient.chunks(n));
                vectorize(
                    arch,
                    #[inline(always)]
                    || {
                        for (unit, ((weights, velocity), gradient)) in (part * share..).zip(rows) {
                            descent.step(unit, &(0..n), weights, velocity, gradient);
                        }
                    },
                );
            });
        }
        step(params, 0.0, &mut rbm.visible_bias, &mut velocity.visible_bias, &visible_gradient);
        step(params, 0.0, &mut rbm.hidden_bias, &mut velocity.hidden_bias, &hidden_gradient);
        if params.has(Params::CENTRED) {
            // The centred model's biases stay where they are if its weights change: this one's don't.
            let velocity = &velocity.weights;
            rbm.visible_bias.par_iter_mut().zip(velocity.par_chunks(n)).with_min_len(64).for_each(
                |(bias, row)| {
                    *bias -= vectorize(
                        arch,
                        #[inline(always)]
                        || dot(row, &offsets.hidden),
                    );
                },
            );
            const STRIP: usize = 64;
            rbm.hidden_bias.par_chunks_mut(STRIP).enumerate().for_each(|(strip, bias)| {
                vectorize(
                    arch,
                    #[inline(always)]
                    || {
                        let mut sums = [0.0; STRIP];
                        for (row, mu) in velocity.chunks(n).zip(&offsets.visible) {
                            for (sum, velocity) in sums.iter_mut().zip(&row[strip * STRIP..]) {
                                *sum += velocity * mu;
                            }
                        }
                        bias.iter_mut().zip(sums).for_each(|(bias, sum)| *bias -= sum);
                    },
                );
            });
        }
    }

    fn track(&mut self, params: &Params, hidden: &[f32], offsets: &mut [f32]) {
        let rows = params.rows as usize;
        let means = unit_gradient(self.arch, [(hidden, rows, 1.0 / rows as f32)], offsets.len());
        for (offset, mean) in offsets.iter_mut().zip(means) {
            *offset += params.rate * (mean - *offset);
        }
    }

    fn average(&mut self, params: &Params, rbm: &Rbm, average: &mut Rbm) {
        let follow = |average: &mut [f32], parameters: &[f32]| {
            for (average, parameter) in average.iter_mut().zip(parameters) {
                *average += params.rate * (parameter - *average);
            }
        };
        const PART: usize = 1 << 14;
        let weights = average.weights.par_chunks_mut(PART).zip(rbm.weights.par_chunks(PART));
        weights.for_each(|(average, weights)| follow(average, weights));
        follow(&mut average.visible_bias, &rbm.visible_bias);
        follow(&mut average.hidden_bias, &rbm.hidden_bias);
    }

    fn squared_error(&mut self, params: &Params, visible: &[f32], means: &[f32], values: &mut [f32]) {
        let units = params.visible as usize;
        let rows = visible.par_chunks(units).zip(means.par_chunks(units));
        values[..params.rows as usize].par_iter_mut().zip(rows).for_each(|(value, (x, p))| {
            *value += x.iter().zip(p).map(|(x, p)| f64::from(x - p).powi(2)).sum::<f64>() as f32;
        });
    }

    fn free_energy(&mut self, params: &Params, rbm: &Rbm, visible: &[f32], values: &mut [f32]) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let (rows, arch) = (params.rows as usize, self.arch);
        let share = share(rows);
        let weights = Matrix::new(&rbm.weights, m, n);
        values[..rows].par_chunks_mut(share).zip(visible.par_chunks(share * m)).for_each(
            |(values, visible)| {
                let mut inputs = vec![0.0; values.len() * n];
                product(&mut inputs, 0.0, 1.0, Matrix::new(visible, values.len(), m), weights);
                for ((value, v), inputs) in values.iter_mut().zip(visible.chunks(m)).zip(inputs.chunks(n)) {
                    *value = vectorize(
                        arch,
                        #[inline(always)]
                        || {
                            let bias = f64::from(params.beta) * long_dot(v, &rbm.visible_bias);
                            (-bias - sum_of_softplus(params.beta, inputs, &rbm.hidden_bias)) as f32
                        },
                    );
                }
            },
        );
    }

    fn clamp_visible(&mut self, params: &Params, known: &[f32], mask: &[f32], states: &mut [f32]) {
        let units = params.visible as usize;
        let rows = states[..params.rows as usize * units].par_chunks_mut(units).zip(known.par_chunks(units));
        rows.for_each(|(states, known)| {
            for ((state, known), mask) in states.iter_mut().zip(known).zip(mask) {
                *state = if *mask != 0.0 { *known } else { *state };
            }
        });
    }

    fn set_visible_bias(&mut self, params: &Params, values: &[f32], rbm: &mut Rbm) {
        rbm.visible_bias.copy_from_slice(&values[..params.visible as usize]);
    }

    fn multiply_add(&mut self, params: &Params, values: &mut [f32]) {
        let parts = values[..params.rows as usize].par_chunks_mut(1 << 12);
        parts.for_each(|values| self.arch.dispatch(MultiplyAdd(values)));
    }

    fn copy(&mut self, params: &Params, from: &[f32], to: &mut [f32]) {
        let rows = params.rows as usize;
        to[..rows].par_chunks_mut(1 << 16).zip(from[..rows].par_chunks(1 << 16)).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
    }
}
