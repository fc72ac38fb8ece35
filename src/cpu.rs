//! The native path for a machine without a GPU: all cores, and loops for the instruction set found at run time. Products
//! with binary states look sums up (`cpu/lookup.rs`); others go to a GEMM crate. Tested against [`crate::reference`], as
//! the GPU is.

mod activation;
mod centring;
mod codes;
mod descent;
mod level;
mod lookup;
mod math;
pub(crate) mod matrix;
mod multiply_add;
mod optimizer;
mod strips;
mod units;

use rayon::prelude::*;

use crate::{
    backend::{DeviceInfo, Params},
    data::{Packing, RowLayout},
    host::{Fast, HalfStep, Host, HostKernels, Moments, Offsets, Phase, Uniforms},
    rbm::{Rbm, Shape},
    reference::{self, Reference},
};
use activation::{Activation, Finish};
use centring::Shifts;
use codes::Codes;
use descent::{Descent, step};
pub use level::Level;
use lookup::{Part, Term};
use math::{long_dot, squared_distance, sum_of_softplus};
use matrix::{Matrix, product};
use multiply_add::MultiplyAdd;
use strips::Strips;
use units::{Binarize, Kind, Units, WORD, copy_bits};

/// Cases for which tables of sums are worth making.
const FEWEST: usize = 8;

/// The kernels of the native CPU path.
#[derive(Default)]
pub struct Cpu {
    level: Level,
    /// Binary states on their way through a product: of the positive and of the negative phase.
    codes: [Codes; 2],
    /// For updates that need the gradient as a whole; made when one comes.
    gradient: Option<Rbm>,
    /// What comes into the hidden units, for free energies.
    inputs: Vec<f32>,
}

impl Cpu {
    /// The native CPU path, with room for a model of this shape.
    pub fn open(shape: Shape) -> Host<Self> {
        Self::with(Level::default(), shape)
    }

    /// The same with loops for another instruction set than the one chosen.
    pub fn with(level: Level, shape: Shape) -> Host<Self> {
        Host::new(Self { level, ..Self::default() }, Self::info_of(level), shape)
    }

    /// The processor, its instruction set and its threads.
    pub fn info() -> DeviceInfo {
        Self::info_of(Level::default())
    }

    fn info_of(level: Level) -> DeviceInfo {
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
            driver: format!("{level}, {} threads", rayon::current_num_threads()),
        }
    }

    /// vW, rows × hidden units: in the buffer of `self.inputs`, which is to be given back.
    fn hidden_inputs(&mut self, rows: usize, rbm: &Rbm, visible: &Units) -> Vec<f32> {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.resize(rows * n, 0.0);
        let strips = Strips::new(&mut inputs, n);
        self.multiply(rows, visible, Matrix::new(&rbm.weights, m, n), |part| {
            for (row, sums) in part.rows() {
                // SAFETY: the parts of a sum don't overlap.
                unsafe { strips.row(row, &part.columns) }.copy_from_slice(sums);
            }
        });
        inputs
    }

    /// means = σ(β(bias + input × factor)) and their states, for one layer: each part is finished, product, sigmoid
    /// and draw, while it is in the cache.
    fn sample(
        &mut self,
        params: &Params,
        input: &Units,
        factor: Matrix,
        bias: &[f32],
        uniforms: Uniforms,
        output: &mut Units,
    ) {
        let (rows, level) = (params.rows as usize, self.level);
        let activation = Activation::new(params, bias, uniforms, output);
        let finish = |part: Part| level.dispatch(Finish { activation: &activation, part });
        self.multiply(rows, input, factor, finish);
    }

    /// The states of `input` × `factor`, handed to `finish` in parts.
    fn multiply(&mut self, rows: usize, input: &Units, factor: Matrix, finish: impl Fn(Part) + Sync) {
        if rows >= FEWEST && input.are_binary(rows) {
            self.codes[0].pack(self.level, &[(input, rows)], factor.columns);
            lookup::sum(self.level, &[Term { left: &self.codes[0], right: factor, scale: 1.0 }], finish);
            return;
        }
        let (states, share, columns, level) = (input.states(rows), share(rows), factor.columns, self.level);
        let parts = states.par_chunks(share * factor.rows).enumerate();
        parts.for_each_init(Vec::new, |sums, (part, cases)| {
            let rows = part * share..part * share + cases.len() / factor.rows;
            sums.resize(rows.len() * columns, 0.0);
            product(level, sums, 0.0, 1.0, Matrix::new(cases, rows.len(), factor.rows), factor);
            finish(Part { rows, columns: 0..columns, sums, stride: columns });
        });
    }
}

/// [`Level::dispatch`] of a closure, which is an `FnOnce` here.
fn vectorize<R>(level: Level, work: impl FnOnce() -> R) -> R {
    level.dispatch(work)
}

/// What [`rayon::join`] does, without another thread.
fn in_turn<A, B>(a: impl FnOnce() -> A, b: impl FnOnce() -> B) -> (A, B) {
    (a(), b())
}

/// Σ scale · the sum over its rows, for each unit of a layer: rows × units, and the scale.
fn unit_gradient<const N: usize>(level: Level, phases: [(&[f32], f32); N], units: usize) -> Vec<f32> {
    let mut gradient = vec![0.0; units];
    vectorize(
        level,
        #[inline(always)]
        || {
            for (values, scale) in phases {
                for row in values.chunks(units) {
                    for (sum, x) in gradient.iter_mut().zip(row) {
                        *sum += scale * x;
                    }
                }
            }
        },
    );
    gradient
}

/// Rows of each part of the work: equal parts, an even number of them, so that a few threads end together; larger ones
/// where there are many rows, as each part packs the right matrix anew. The number of threads must not change them: the
/// crate sums a product of one row in another order.
fn share(rows: usize) -> usize {
    let most = if rows < 512 { 32 } else { 128 };
    let parts = rows.div_ceil(most);
    let parts = if parts > 1 { parts.next_multiple_of(2) } else { 1 };
    rows.div_ceil(parts).max(1)
}

impl HostKernels for Cpu {
    type Units = Units;

    fn gather(
        &mut self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut Units,
    ) {
        let (rows, width, level) = (params.rows as usize, layout.words(), self.level);
        let order = &order[params.first_row as usize..][..rows];
        let packed = order.par_iter().map(|&case| &words[case as usize * width..][..width]).enumerate();
        // A bit that is drawn with its own value as the probability stays what it is.
        let is_bits = layout.packing == Packing::Bits;
        let kind = if is_bits || params.has(Params::SAMPLE) { Kind::Binary } else { Kind::Real };
        let (units, words) = (visible.width, visible.words());
        visible.kinds[..rows].fill(kind);
        if kind == Kind::Real {
            packed.zip(visible.real.par_chunks_mut(units)).for_each(|((_, packed), states)| {
                vectorize(
                    level,
                    #[inline(always)]
                    || layout.unpack(packed, states),
                );
            });
        } else if is_bits {
            packed
                .zip(visible.bits.par_chunks_mut(words))
                .with_min_len(64)
                .for_each(|((_, packed), bits)| copy_bits(packed, bits));
        } else {
            packed.zip(visible.bits.par_chunks_mut(words)).for_each_init(
                || [vec![0.0; units.next_multiple_of(WORD)], vec![0.0; units.next_multiple_of(WORD)]],
                |scratch, ((row, packed), bits)| {
                    level.dispatch(Binarize { params, layout, packed, uniforms, row, scratch, bits });
                },
            );
        }
    }

    fn sample_hidden(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        visible: &Units,
        uniforms: Uniforms,
        hidden: &mut Units,
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let weights = Matrix::new(&rbm.weights, m, n);
        self.sample(params, visible, weights, &rbm.hidden_bias, uniforms, hidden);
    }

    /// Where both are binary, one product has the rows of both: the sums of weights are made once.
    fn sample_hidden_twice(&mut self, rbm: &Rbm, minibatches: [HalfStep<Units>; 2]) {
        let rows = minibatches.each_ref().map(|half_step| half_step.params.rows as usize);
        let mut visible = minibatches.iter().map(|half_step| half_step.visible).zip(rows);
        if !visible.all(|(visible, rows)| rows >= FEWEST && visible.are_binary(rows)) {
            for HalfStep { params, visible, uniforms, hidden } in minibatches {
                self.sample_hidden(params, rbm, visible, uniforms, hidden);
            }
            return;
        }
        let (level, Shape { visible: m, hidden: n }) = (self.level, rbm.shape);
        let [one, other] = minibatches;
        self.codes[0].pack(level, &[(one.visible, rows[0]), (other.visible, rows[1])], n);
        let activations = [one, other].map(|HalfStep { params, uniforms, hidden, .. }| {
            Activation::new(params, &rbm.hidden_bias, uniforms, hidden)
        });
        let term = Term { left: &self.codes[0], right: Matrix::new(&rbm.weights, m, n), scale: 1.0 };
        lookup::sum(level, &[term], |part| {
            for (activation, part) in activations.iter().zip(part.split_at(rows[0])) {
                level.dispatch(Finish { activation, part });
            }
        });
    }

    fn sample_visible(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        hidden: &Units,
        uniforms: Uniforms,
        visible: &mut Units,
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let transposed = Matrix::new(&rbm.weights, m, n).transposed();
        self.sample(params, hidden, transposed, &rbm.visible_bias, uniforms, visible);
    }

    fn update(
        &mut self,
        params: &Params,
        positive: Phase<Units>,
        negative: Phase<Units>,
        offsets: &Offsets,
        rbm: &mut Rbm,
        moments: &mut Moments,
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let level = self.level;
        let decay = params.learning_rate * params.weight_decay;
        let plain = optimizer::is_plain(params);
        let centred = params.has(Params::CENTRED);
        let rate = if plain { params.learning_rate } else { 1.0 };
        let phases =
            [(positive, 1.0), (negative, -1.0)].map(|(phase, sign)| (phase, sign * rate / phase.rows as f32));
        let drawn = params.has(Params::SPARSE).then(|| optimizer::drawn_to_target(params, positive, offsets));
        let mut hidden = phases.map(|(phase, _)| &phase.hidden.means[..phase.rows * n]);
        if let Some(drawn) = &drawn {
            hidden[0] = drawn;
        }
        // Where the update is another, the gradient takes the velocity's place, and the moments follow.
        let (velocity, moments) = if plain {
            (&mut moments.velocity, None)
        } else {
            (self.gradient.get_or_insert_with(|| Rbm::zeros(rbm.shape)), Some(moments))
        };
        let binary =
            phases.iter().all(|(phase, _)| phase.rows >= FEWEST && phase.visible.are_binary(phase.rows));
        let states = (!binary).then(|| phases.map(|(phase, _)| phase.visible.states(phase.rows)));
        let codes = &mut self.codes;
        // ΔW is no more than this gradient, so its products need no second look at it.
        let is_gradient = plain && params.momentum == 0.0 && decay == 0.0;
        let forgets = params.has(Params::FORGET) && plain && (is_gradient || !centred);
        let both =
            if lookup::is_small(m, phases[0].0.rows + phases[1].0.rows, n) { in_turn } else { rayon::join };
        let (visible_gradient, (hidden_gradient, shifts)) = both(
            || {
                if let Some([positive, negative]) = &states {
                    let [(_, positive_scale), (_, negative_scale)] = phases;
                    let phases = [(&**positive, positive_scale), (&**negative, negative_scale)];
                    return unit_gradient(level, phases, m);
                }
                let mut gradient = vec![0.0; m];
                for (codes, (phase, scale)) in codes.iter_mut().zip(phases) {
                    codes.pack_transposed(level, phase.visible, phase.rows, n);
                    for (gradient, count) in gradient.iter_mut().zip(codes.counts()) {
                        *gradient += scale * count as f32;
                    }
                }
                gradient
            },
            || {
                let gradient = unit_gradient(level, [(hidden[0], phases[0].1), (hidden[1], phases[1].1)], n);
                let shifts = || Shifts::of_gradient(level, phases, hidden, offsets);
                (gradient, (centred && is_gradient).then(shifts))
            },
        );
        let descent = Descent {
            params,
            gradient_only: !plain,
            decay,
            offsets: centred.then_some(offsets),
            visible_gradient: &visible_gradient,
            hidden_gradient: &hidden_gradient,
        };
        let weights = Strips::new(&mut rbm.weights, n);
        let velocities = Strips::new(&mut velocity.weights, n);
        let descend = |part: Part| {
            vectorize(
                level,
                #[inline(always)]
                || {
                    for (unit, gradient) in part.rows() {
                        // SAFETY: the parts of a sum don't overlap.
                        let weights = unsafe { weights.row(unit, &part.columns) };
                        if forgets {
                            descent.forgetful_step(unit, &part.columns, weights, gradient);
                            continue;
                        }
                        // SAFETY: as for the weights.
                        let velocity = unsafe { velocities.row(unit, &part.columns) };
                        descent.step(unit, &part.columns, weights, velocity, gradient);
                    }
                },
            );
        };
        let means = [0, 1].map(|phase| Matrix::new(hidden[phase], phases[phase].0.rows, n));
        let scales = phases.map(|(_, scale)| scale);
        if let Some(states) = &states {
            let share = share(m);
            (0..m.div_ceil(share)).into_par_iter().for_each_init(Vec::new, |gradient, part| {
                let rows = part * share..m.min((part + 1) * share);
                gradient.resize(rows.len() * n, 0.0);
                for (((states, means), scale), keep) in states.iter().zip(means).zip(scales).zip([0.0, 1.0]) {
                    let units = Matrix {
                        values: &states[rows.start..],
                        stride: (1, m),
                        rows: rows.len(),
                        columns: means.rows,
                    };
                    product(level, gradient, keep, scale, units, means);
                }
                descend(Part { rows, columns: 0..n, sums: gradient, stride: n });
            });
        } else {
            let [positive, negative] = [0, 1].map(|phase| Term {
                left: &self.codes[phase],
                right: means[phase],
                scale: scales[phase],
            });
            lookup::sum(level, &[positive, negative], descend);
        }
        match moments {
            None => {
                step(params, 0.0, &mut rbm.visible_bias, &mut velocity.visible_bias, &visible_gradient);
                step(params, 0.0, &mut rbm.hidden_bias, &mut velocity.hidden_bias, &hidden_gradient);
            }
            Some(moments) => {
                (velocity.visible_bias, velocity.hidden_bias) = (visible_gradient, hidden_gradient);
                optimizer::ascend(level, params, velocity, rbm, moments);
            }
        }
        if centred {
            shifts.unwrap_or_else(|| Shifts::of_weights(level, &velocity.weights, offsets)).follow(rbm);
        }
    }

    fn limit_norms(&mut self, params: &Params, rbm: &mut Rbm) {
        optimizer::limit_norms(self.level, params, rbm);
    }

    fn track(&mut self, params: &Params, hidden: &Units, offsets: &mut [f32]) {
        let (rows, units) = (params.rows as usize, offsets.len());
        let means = unit_gradient(self.level, [(&hidden.means[..rows * units], 1.0 / rows as f32)], units);
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

    fn fast_weights(&mut self, params: &Params, rbm: &Rbm, velocity: &Rbm, fast: &mut Fast) {
        optimizer::fast_weights(self.level, params, rbm, velocity, fast);
    }

    fn squared_error(
        &mut self,
        params: &Params,
        visible: &Units,
        reconstruction: &Units,
        values: &mut [f32],
    ) {
        let (units, level) = (visible.width, self.level);
        let rows = reconstruction.means.par_chunks(units).enumerate();
        values[..params.rows as usize].par_iter_mut().zip(rows).for_each_init(
            || vec![0.0; units],
            |scratch, (value, (row, p))| {
                *value += vectorize(
                    level,
                    #[inline(always)]
                    || squared_distance(visible.row(row, scratch), p),
                );
            },
        );
    }

    fn free_energy(&mut self, params: &Params, rbm: &Rbm, visible: &Units, values: &mut [f32]) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let (rows, level) = (params.rows as usize, self.level);
        let inputs = self.hidden_inputs(rows, rbm, visible);
        values[..rows].par_iter_mut().zip(inputs.par_chunks(n)).enumerate().for_each_init(
            || vec![0.0; m],
            |scratch, (row, (value, inputs))| {
                *value = vectorize(
                    level,
                    #[inline(always)]
                    || {
                        let v = visible.row(row, scratch);
                        let bias = f64::from(params.beta) * long_dot(v, &rbm.visible_bias);
                        let energy = -bias - sum_of_softplus(params.beta, inputs, &rbm.hidden_bias);
                        if params.has(Params::LESS) {
                            (energy - f64::from(*value)) as f32
                        } else {
                            energy as f32
                        }
                    },
                );
            },
        );
        self.inputs = inputs;
    }

    fn energy(&mut self, params: &Params, rbm: &Rbm, visible: &Units, hidden: &Units, values: &mut [f32]) {
        let Shape { visible: m, hidden: n } = rbm.shape;
        let level = self.level;
        let inputs = self.hidden_inputs(params.rows as usize, rbm, visible);
        let rows = values[..params.rows as usize].par_iter_mut().zip(inputs.par_chunks(n)).enumerate();
        rows.for_each_init(
            || (vec![0.0; m], vec![0.0; n]),
            |(v, h), (row, (value, inputs))| {
                *value = vectorize(
                    level,
                    #[inline(always)]
                    || {
                        let (v, h) = (visible.row(row, v), hidden.row(row, h));
                        let biases = long_dot(v, &rbm.visible_bias) + long_dot(h, &rbm.hidden_bias);
                        (-biases - long_dot(h, inputs)) as f32
                    },
                );
            },
        );
        self.inputs = inputs;
    }

    // The next two are no more than a few numbers a chain.
    fn temper_bias(&mut self, params: &Params, rbm: &Rbm, base: &[f32], values: &mut [f32]) {
        Reference.temper_bias(params, rbm, base, values);
    }

    fn swap(
        &mut self,
        params: &Params,
        cold: (&mut Units, &mut [f32]),
        hot: (&mut Units, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    ) {
        reference::swap(params, cold, hot, accepted, trips);
    }

    fn clamp_visible(&mut self, params: &Params, known: &Units, mask: &[f32], visible: &mut Units) {
        let (width, words) = (visible.width, visible.words());
        let mut masked = vec![0; words];
        for (unit, _) in mask[..width].iter().enumerate().filter(|(_, mask)| **mask != 0.0) {
            masked[unit / WORD] |= 1 << (unit % WORD);
        }
        let (mut scratch, mut states) = (vec![0.0; width], vec![0.0; width]);
        for row in 0..params.rows as usize {
            if visible.kinds[row] == Kind::Binary && known.kinds[row] == Kind::Binary {
                let bits = visible.bits[row * words..].iter_mut().zip(known.row_bits(row)).zip(&masked);
                bits.for_each(|((bits, known), mask)| *bits = *bits & !mask | known & mask);
                continue;
            }
            states.copy_from_slice(visible.row(row, &mut scratch));
            let known = known.row(row, &mut scratch).iter().zip(mask);
            for (state, (known, _)) in states.iter_mut().zip(known).filter(|(_, (_, mask))| **mask != 0.0) {
                *state = *known;
            }
            visible.real[row * width..][..width].copy_from_slice(&states);
            visible.kinds[row] = Kind::Real;
        }
    }

    fn set_visible_bias(&mut self, params: &Params, values: &[f32], rbm: &mut Rbm) {
        rbm.visible_bias.copy_from_slice(&values[..params.visible as usize]);
    }

    fn multiply_add(&mut self, params: &Params, values: &mut [f32]) {
        let parts = values[..params.rows as usize].par_chunks_mut(1 << 12);
        parts.for_each(|values| self.level.dispatch(MultiplyAdd(values)));
    }

    fn copy(&mut self, params: &Params, from: &[f32], to: &mut [f32]) {
        let rows = params.rows as usize;
        to[..rows].par_chunks_mut(1 << 16).zip(from[..rows].par_chunks(1 << 16)).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
    }
}
