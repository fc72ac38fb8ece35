//! The native path for machines without a GPU: all cores, and loops for the instruction set found at run time. Products
//! with binary states use look-up tables of sums (`cpu/lookup.rs`), or the places of the ones where few states are 1
//! (`cpu/ones.rs`); other products use a GEMM crate. Tested against [`crate::reference`], as the GPU is.

mod activation;
mod centring;
mod codes;
mod contrast;
mod descent;
mod kinds;
mod lookup;
mod math;
pub(crate) mod matrix;
mod multiply_add;
mod ones;
mod optimizer;
mod packed;
mod strips;
mod units;

use std::borrow::Cow;

use rayon::prelude::*;

pub use crate::level::Level;
use crate::{
    backend::{
        Ascent, ClampUnits, Clip, Combine, Contrast, Copy, DeviceInfo, DeviceKind, Energy, FillMissing,
        FreeEnergy, Gather, LimitNorms, MultiplyAdd, Penalise, SquaredError, Standardise, Swap, Track,
        Update,
    },
    data::{Packing, RowLayout},
    host::{Half, Host, HostKernels, HostPath, Phases, Uniforms},
    rbm::{Layers, Rbm, Shape, Side},
    reference,
    units::Layer,
};
use activation::{Activation, Finish};
use centring::Shifts;
use contrast::{Difference, unit_gradient};
use descent::{Centring, Descent};
use lookup::{Part, Term};
use math::{long_dot, squared_distance, sum_of_softplus};
use matrix::{Matrix, product};
use packed::Packed;
use strips::Strips;
use units::{Binarize, Kind, Units, WORD, copy_bits};

/// The fewest cases that pay for the tables of sums.
const FEWEST: usize = 8;

/// The kernels of the native CPU path.
#[derive(Default)]
pub struct Cpu {
    level: Level,
    /// Packed binary states of the positive and of the negative phase.
    packed: [Packed; 2],
    /// Scratch for the step of a centred update with decay but without a velocity; the biases' correction needs it.
    /// Allocated at first use.
    step: Option<Rbm>,
    /// Scratch for the velocity of an update that keeps none. Allocated at first use.
    velocity: Option<Rbm>,
    /// Inputs of the hidden units, for free energies.
    inputs: Vec<f32>,
}

impl Cpu {
    /// The native CPU path, with room for models of these layers.
    pub fn open(layers: impl Into<Layers>) -> Host<Self> {
        Self::with(Level::default(), layers)
    }

    /// The native CPU path with loops for a given instruction set.
    pub fn with(level: Level, layers: impl Into<Layers>) -> Host<Self> {
        Host::new(Self { level, ..Self::default() }, Self::info_of(level), layers)
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
            kind: DeviceKind::Cpu,
            driver: format!("{level}, {} threads", rayon::current_num_threads()),
        }
    }

    /// An update by its parts: what the fused loops are not for.
    fn update_apart(
        &mut self,
        op: &Update,
        phases: Phases<Units>,
        rbm: &mut Rbm,
        velocity: Option<&mut Rbm>,
    ) {
        let (mu, lambda) = (phases.mu, phases.lambda);
        let mut step = self.step.take().unwrap_or_else(|| Rbm::zeros(rbm.layers()));
        self.gradient(&op.contrast(), phases, &mut step);
        let ascent = op.ascent();
        match velocity {
            Some(velocity) => self.ascend(&ascent, &mut step, rbm, velocity, None),
            None => {
                let mut velocity = self.velocity.take().unwrap_or_else(|| Rbm::zeros(rbm.layers()));
                velocity.parameters_mut().fill(0.0);
                self.ascend(&Ascent { momentum: 0.0, ..ascent }, &mut step, rbm, &mut velocity, None);
                self.velocity = Some(velocity);
            }
        }
        if op.centred == 1 {
            self.recentre(&step, mu, lambda, rbm);
        }
        self.step = Some(step);
    }

    /// vW, rows × hidden units, in the buffer of `self.inputs`; the caller gives it back.
    fn hidden_inputs(&mut self, rows: usize, rbm: &Rbm, visible: &Units) -> Vec<f32> {
        let Shape { visible: m, hidden: n } = rbm.shape();
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.resize(rows * n, 0.0);
        let strips = Strips::new(&mut inputs, n);
        self.multiply(rows, visible, Matrix::new(rbm.weights(), m, n), |part| {
            for (row, sums) in part.rows() {
                // SAFETY: the parts of a sum don't overlap.
                unsafe { strips.row(row, &part.columns) }.copy_from_slice(sums);
            }
        });
        inputs
    }

    /// Multiplies the states of `input` by `factor`, and passes the product to `finish` in parts.
    fn multiply(&mut self, rows: usize, input: &Units, factor: Matrix, finish: impl Fn(Part) + Sync) {
        if rows >= FEWEST && input.are_binary(rows) {
            self.packed[0].pack(self.level, &[(input, rows)], &factor);
            packed::sum(self.level, [Term { left: &self.packed[0], right: factor, scale: 1.0 }], finish);
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

/// Whether the loops for binary units are those of both layers.
fn is_binary_model(rbm: &Rbm) -> bool {
    is_binary(&rbm.layers().visible) && is_binary(&rbm.layers().hidden)
}

/// Whether units have more parameters than biases.
fn has_precisions(rbm: &Rbm) -> bool {
    [&rbm.layers().visible, &rbm.layers().hidden]
        .into_iter()
        .any(|layer| layer.parameters() > layer.columns())
}

/// [`rayon::join`] on one thread.
fn in_turn<A, B>(a: impl FnOnce() -> A, b: impl FnOnce() -> B) -> (A, B) {
    (a(), b())
}

/// W, or its transpose, as the right factor on the way to a layer.
fn factor(to: Side, rbm: &Rbm) -> Matrix<'_> {
    let weights = Matrix::new(rbm.weights(), rbm.shape().visible, rbm.shape().hidden);
    match to {
        Side::Hidden => weights,
        Side::Visible => weights.transposed(),
    }
}

/// The parameters of a layer at β: β θ + (1−β) of the base's.
fn potentials<'a>(to: Side, path: HostPath<'a>, beta: f32) -> Cow<'a, [f32]> {
    let own = path.rbm.potentials(to);
    if beta == 1.0 {
        return Cow::Borrowed(own);
    }
    let mut at: Vec<f32> = own.iter().map(|own| beta * own).collect();
    at.iter_mut().zip(path.base_of(to)).for_each(|(at, base)| *at += (1.0 - beta) * base);
    Cow::Owned(at)
}

/// Whether the loops for binary units are those of a layer.
fn is_binary(layer: &Layer) -> bool {
    layer.blocks().iter().all(|block| block.kind == crate::units::Kind::Binary)
}

/// Rows of each part of the work. Parts are equal and even in number, so that a few threads end together; they are large
/// where there are many rows, because each part packs the right matrix anew. They must not depend on the number of threads,
/// because the GEMM crate sums a one-row product in a different order.
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
        op: &Gather,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut Units,
    ) {
        let (rows, width, level) = (op.rows as usize, layout.words(), self.level);
        let order = &order[op.first_row as usize..][..rows];
        let packed = order.par_iter().map(|&case| &words[case as usize * width..][..width]).enumerate();
        // A bit drawn with its own value as the probability doesn't change.
        let is_bits = layout.packing == Packing::Bits;
        let kind = if is_bits || uniforms.are_drawn() { Kind::Binary } else { Kind::Real };
        let (units, words) = (visible.width, visible.words());
        visible.kinds[..rows].fill(kind);
        if kind == Kind::Real {
            packed.zip(visible.real.par_chunks_mut(units)).for_each(|((_, packed), states)| {
                level.run(
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
                    level.dispatch(Binarize { layout, packed, uniforms, row, scratch, bits });
                },
            );
        }
    }

    /// Finishes each part, from product to draw, while it is in the cache.
    fn sample(&mut self, to: Side, path: HostPath, half: Half<Units>) {
        let Half { op, from, uniforms, to: out } = half;
        let (rows, level, layer) = (op.rows as usize, self.level, path.rbm.layers().side(to));
        let biases = potentials(to, path, op.beta);
        if !is_binary(layer) {
            let inputs = Strips::new(&mut out.means, out.width);
            self.multiply(rows, from, factor(to, path.rbm), |part| {
                for (row, sums) in part.rows() {
                    // SAFETY: the parts of a sum don't overlap.
                    unsafe { inputs.row(row, &part.columns) }.copy_from_slice(sums);
                }
            });
            return kinds::finish(level, op, layer, &biases, uniforms, out);
        }
        let activation = Activation::new(op, &biases, uniforms, out);
        let finish = |part: Part| level.dispatch(Finish { activation: &activation, part });
        self.multiply(rows, from, factor(to, path.rbm), finish);
    }

    /// If both are binary, one product covers the rows of both, and the tables of sums are made once.
    fn sample_twice(&mut self, to: Side, rbm: &Rbm, halves: [Half<Units>; 2]) {
        let path = HostPath { rbm, base: &[] };
        let rows = halves.each_ref().map(|half| half.op.rows as usize);
        let mut inputs = halves.iter().map(|half| half.from).zip(rows);
        let are_binary = is_binary(rbm.layers().side(to));
        if !are_binary || !inputs.all(|(from, rows)| rows >= FEWEST && from.are_binary(rows)) {
            halves.into_iter().for_each(|half| self.sample(to, path, half));
            return;
        }
        let (level, factor) = (self.level, factor(to, rbm));
        let [one, other] = halves;
        self.packed[0].pack(level, &[(one.from, rows[0]), (other.from, rows[1])], &factor);
        let all_biases = [one.op, other.op].map(|op| potentials(to, path, op.beta));
        let [first, second] = &all_biases;
        let activations = [(one, first), (other, second)]
            .map(|(Half { op, uniforms, to, .. }, biases)| Activation::new(op, biases, uniforms, to));
        let term = Term { left: &self.packed[0], right: factor, scale: 1.0 };
        packed::sum(level, [term], |part| {
            for (activation, part) in activations.iter().zip(part.split_at(rows[0])) {
                level.dispatch(Finish { activation, part });
            }
        });
    }

    fn gradient(&mut self, op: &Contrast, phases: Phases<Units>, gradient: &mut Rbm) {
        let (level, n) = (self.level, gradient.shape().hidden);
        let difference = Difference::new(level, op, &phases, 1.0);
        let (visible, hidden, ()) = difference.means(&mut self.packed, || ());
        let centring = (op.centred == 1).then_some(Centring {
            mu: phases.mu,
            lambda: phases.lambda,
            visible: &visible,
            hidden: &hidden,
        });
        let weights = Strips::new(gradient.weights_mut(), n);
        difference.associations(&self.packed, |part: Part| {
            level.run(
                #[inline(always)]
                || {
                    for (unit, associations) in part.rows() {
                        // SAFETY: the parts of a sum don't overlap.
                        let out = unsafe { weights.row(unit, &part.columns) };
                        descent::gradient(centring, unit, &part.columns, out, associations);
                    }
                },
            );
        });
        gradient.visible_bias_mut().copy_from_slice(&visible);
        gradient.hidden_bias_mut().copy_from_slice(&hidden);
        kinds::gradient([phases.positive, phases.negative], gradient);
    }

    fn standardise(&mut self, op: &Standardise, variances: [&[f32]; 2], gradient: &mut Rbm) {
        optimizer::standardise(op, variances, gradient);
    }

    fn penalise(&mut self, op: &Penalise, scales: &[f32], rbm: &Rbm, gradient: &mut Rbm) {
        optimizer::penalise(self.level, op, scales, rbm, gradient);
    }

    fn clip(&mut self, op: &Clip, gradient: &mut Rbm) {
        optimizer::clip(self.level, op, gradient);
    }

    fn ascend(
        &mut self,
        op: &Ascent,
        gradient: &mut Rbm,
        rbm: &mut Rbm,
        velocity: &mut Rbm,
        squares: Option<&mut Rbm>,
    ) {
        let before = has_precisions(rbm).then(|| rbm.clone());
        optimizer::ascend(self.level, op, gradient, rbm, velocity, squares);
        if let Some(before) = before {
            kinds::limit_precisions(&before, gradient, rbm);
        }
    }

    fn recentre(&mut self, step: &Rbm, mu: &[f32], lambda: &[f32], rbm: &mut Rbm) {
        Shifts::of_weights(self.level, step.weights(), (mu, lambda)).follow(rbm);
    }

    fn update(&mut self, op: &Update, phases: Phases<Units>, rbm: &mut Rbm, velocity: Option<&mut Rbm>) {
        if has_precisions(rbm) {
            return self.update_apart(op, phases, rbm, velocity);
        }
        let (level, shape) = (self.level, rbm.shape());
        let centred = op.centred == 1;
        let offsets = (phases.mu, phases.lambda);
        let momentum = if velocity.is_some() { op.momentum } else { 0.0 };
        let op = &Update { momentum, ..*op };
        let difference = Difference::new(level, &op.contrast(), &phases, op.rate);
        // If ΔW is just the gradient, its products with the offsets don't need a second pass over ΔW.
        let is_gradient = momentum == 0.0 && op.weight_decay == 0.0;
        let (visible, hidden, shifts) = difference.means(&mut self.packed, || {
            let shifts = || Shifts::of_gradient(level, difference.phases, difference.hidden(), offsets);
            (centred && is_gradient).then(shifts)
        });
        let centring = Centring { mu: offsets.0, lambda: offsets.1, visible: &visible, hidden: &hidden };
        let descent = Descent::new(op, centred.then_some(centring));
        let mut kept = match velocity {
            Some(velocity) => Some(velocity),
            None if centred && !is_gradient => {
                Some(self.step.get_or_insert_with(|| Rbm::zeros(rbm.layers())))
            }
            None => None,
        };
        let weights = Strips::new(rbm.weights_mut(), shape.hidden);
        let steps = kept.as_mut().map(|kept| Strips::new(kept.weights_mut(), shape.hidden));
        difference.associations(&self.packed, |part: Part| {
            level.run(
                #[inline(always)]
                || {
                    for (unit, associations) in part.rows() {
                        // SAFETY: the parts of a sum don't overlap.
                        let weights = unsafe { weights.row(unit, &part.columns) };
                        match &steps {
                            Some(steps) => {
                                // SAFETY: as for the weights.
                                let step = unsafe { steps.row(unit, &part.columns) };
                                descent.step(unit, &part.columns, weights, step, associations);
                            }
                            None => descent.step_only(unit, &part.columns, weights, associations),
                        }
                    }
                },
            );
        });
        let [_, visible_bias, hidden_bias] = rbm.tensors_mut();
        for (bias, gradient, tensor) in [(visible_bias, &visible, 1), (hidden_bias, &hidden, 2)] {
            match &mut kept {
                Some(kept) => descent::step(momentum, 0.0, bias, kept.tensors_mut()[tensor], gradient),
                None => bias.iter_mut().zip(gradient).for_each(|(bias, gradient)| *bias += gradient),
            }
        }
        if centred {
            let of_step = || kept.map(|step| Shifts::of_weights(level, step.weights(), offsets));
            if let Some(shifts) = shifts.or_else(of_step) {
                shifts.follow(rbm);
            }
        }
    }

    fn limit_norms(&mut self, op: &LimitNorms, rbm: &mut Rbm) {
        optimizer::limit_norms(self.level, op, rbm);
    }

    fn fix_gauge(&mut self, rbm: &mut Rbm) {
        optimizer::fix_gauge(self.level, rbm);
    }

    fn track(&mut self, op: &Track, hidden: &Units, means: &mut [f32]) {
        let (rows, units) = (op.rows as usize, hidden.width);
        let seen = unit_gradient(self.level, [(&hidden.means[..rows * units], 1.0 / rows as f32)], units);
        for (mean, seen) in means.iter_mut().zip(seen) {
            *mean += op.rate * (seen - *mean);
        }
    }

    fn track_variances(
        &mut self,
        op: &Track,
        layer: &Layer,
        hidden: &Units,
        means: &[f32],
        variances: &mut [f32],
    ) {
        kinds::track_variances(op, layer, hidden, means, variances);
    }

    fn combine(&mut self, op: &Combine, other: &Rbm, rbm: &mut Rbm) {
        optimizer::combine(self.level, op, other, rbm);
    }

    fn squared_error(
        &mut self,
        op: &SquaredError,
        visible: &Units,
        reconstruction: &Units,
        values: &mut [f32],
    ) {
        let (units, level) = (visible.width, self.level);
        let rows = reconstruction.means.par_chunks(units).enumerate();
        values[..op.rows as usize].par_iter_mut().zip(rows).for_each_init(
            || vec![0.0; units],
            |scratch, (value, (row, p))| {
                *value += level.run(
                    #[inline(always)]
                    || squared_distance(visible.row(row, scratch), p),
                );
            },
        );
    }

    fn free_energy(
        &mut self,
        op: &FreeEnergy,
        HostPath { rbm, base }: HostPath,
        visible: &Units,
        values: &mut [f32],
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape();
        let (rows, level, beta) = (op.rows as usize, self.level, f64::from(op.beta));
        let mut inputs = self.hidden_inputs(rows, rbm, visible);
        if !is_binary_model(rbm) {
            inputs.iter_mut().for_each(|x| *x *= op.beta);
            let path = HostPath { rbm, base };
            let [of_visible, of_hidden] =
                [Side::Visible, Side::Hidden].map(|side| potentials(side, path, op.beta));
            let layers = rbm.layers();
            let rows = values[..rows].par_iter_mut().zip(inputs.par_chunks(n)).enumerate();
            rows.for_each_init(
                || vec![0.0; m],
                |scratch, (row, (value, inputs))| {
                    let v = visible.row(row, scratch);
                    let energy = -kinds::sum_of_potentials(level, &layers.visible, &of_visible, v)
                        - kinds::sum_of_cumulants(level, &layers.hidden, &of_hidden, inputs);
                    let before = if op.less == 0.0 { 0.0 } else { f64::from(op.less) * f64::from(*value) };
                    *value = (energy - before) as f32;
                },
            );
            self.inputs = inputs;
            return;
        }
        values[..rows].par_iter_mut().zip(inputs.par_chunks(n)).enumerate().for_each_init(
            || vec![0.0; m],
            |scratch, (row, (value, inputs))| {
                *value = level.run(
                    #[inline(always)]
                    || {
                        let v = visible.row(row, scratch);
                        let of_base = if base.is_empty() { 0.0 } else { long_dot(v, &base[..m]) };
                        let bias = beta * long_dot(v, rbm.visible_bias()) + (1.0 - beta) * of_base;
                        let energy = -bias - sum_of_softplus(op.beta, inputs, rbm.hidden_bias());
                        let before =
                            if op.less == 0.0 { 0.0 } else { f64::from(op.less) * f64::from(*value) };
                        (energy - before) as f32
                    },
                );
            },
        );
        self.inputs = inputs;
    }

    fn energy(
        &mut self,
        op: &Energy,
        HostPath { rbm, base }: HostPath,
        visible: &Units,
        hidden: &Units,
        values: &mut [f32],
    ) {
        let Shape { visible: m, hidden: n } = rbm.shape();
        let level = self.level;
        let inputs = self.hidden_inputs(op.rows as usize, rbm, visible);
        if !is_binary_model(rbm) {
            let path = HostPath { rbm, base };
            // Potentials are sums over parameters, so their difference is that of the parameters.
            let less_base = |side| {
                let mut parameters = rbm.potentials(side).to_vec();
                parameters.iter_mut().zip(path.base_of(side)).for_each(|(own, base)| *own -= base);
                parameters
            };
            let [of_visible, of_hidden] = [less_base(Side::Visible), less_base(Side::Hidden)];
            let sum = |side: Side, parameters: &[f32], states: &[f32]| {
                kinds::sum_of_potentials(level, rbm.layers().side(side), parameters, states)
            };
            let rows = values[..op.rows as usize].par_iter_mut().zip(inputs.par_chunks(n)).enumerate();
            rows.for_each_init(
                || (vec![0.0; m], vec![0.0; n]),
                |(v, h), (row, (value, inputs))| {
                    let (v, h) = (visible.row(row, v), hidden.row(row, h));
                    let potentials = sum(Side::Visible, &of_visible, v) + sum(Side::Hidden, &of_hidden, h);
                    *value = (-potentials - long_dot(h, inputs)) as f32;
                },
            );
            self.inputs = inputs;
            return;
        }
        let rows = values[..op.rows as usize].par_iter_mut().zip(inputs.par_chunks(n)).enumerate();
        rows.for_each_init(
            || (vec![0.0; m], vec![0.0; n]),
            |(v, h), (row, (value, inputs))| {
                *value = level.run(
                    #[inline(always)]
                    || {
                        let (v, h) = (visible.row(row, v), hidden.row(row, h));
                        let of_base = if base.is_empty() { 0.0 } else { long_dot(v, &base[..m]) };
                        let biases = long_dot(v, rbm.visible_bias()) + long_dot(h, rbm.hidden_bias());
                        (of_base - biases - long_dot(h, inputs)) as f32
                    },
                );
            },
        );
        self.inputs = inputs;
    }

    // Only a few numbers per chain: not worth a thread.
    fn swap(
        &mut self,
        op: &Swap,
        cold: (&mut Units, &mut [f32]),
        hot: (&mut Units, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    ) {
        reference::swap(op, cold, hot, accepted, trips);
    }

    fn clamp_units(&mut self, op: &ClampUnits, known: &Units, mask: &[f32], units: &mut Units) {
        let (width, words) = (units.width, units.words());
        let (mut scratch, mut states) = (vec![0.0; width], vec![0.0; width]);
        let mut masked = vec![0; words];
        for row in 0..op.rows as usize {
            let mask = op.mask_of(row, mask);
            if units.kinds[row] == Kind::Binary && known.kinds[row] == Kind::Binary {
                masked.fill(0);
                for (unit, _) in mask.iter().enumerate().filter(|(_, mask)| op.clamps(**mask)) {
                    masked[unit / WORD] |= 1 << (unit % WORD);
                }
                let bits = units.bits[row * words..].iter_mut().zip(known.row_bits(row)).zip(&masked);
                bits.for_each(|((bits, known), mask)| *bits = *bits & !mask | known & mask);
                continue;
            }
            if units.kinds[row] == Kind::Binary {
                let known = known.row(row, &mut scratch).iter().zip(mask).enumerate();
                let clamped = || known.clone().filter(|(_, (_, mask))| op.clamps(**mask));
                if clamped().all(|(_, (&x, _))| x == 0.0 || x == 1.0) {
                    let bits = &mut units.bits[row * words..][..words];
                    for (unit, (&x, _)) in clamped() {
                        let bit = 1 << (unit % WORD);
                        bits[unit / WORD] = bits[unit / WORD] & !bit | if x == 1.0 { bit } else { 0 };
                    }
                    continue;
                }
            }
            states.copy_from_slice(units.row(row, &mut scratch));
            let known = known.row(row, &mut scratch).iter().zip(mask);
            for (state, (known, _)) in states.iter_mut().zip(known).filter(|(_, (_, mask))| op.clamps(**mask))
            {
                *state = *known;
            }
            units.real[row * width..][..width].copy_from_slice(&states);
            units.kinds[row] = Kind::Real;
        }
    }

    fn fill_missing(
        &mut self,
        op: &FillMissing,
        observed: &Units,
        fill: &[f32],
        mask: &mut [f32],
        units: &mut Units,
    ) {
        let width = units.width;
        let mut scratch = vec![0.0; width];
        for (row, mask) in mask.chunks_mut(width).take(op.rows as usize).enumerate() {
            let observed = observed.row(row, &mut scratch);
            let states = &mut units.real[row * width..][..width];
            for (((state, mask), &x), &fill) in states.iter_mut().zip(mask).zip(observed).zip(fill) {
                *mask = f32::from(!x.is_nan());
                *state = if x.is_nan() { fill } else { x };
            }
            units.kinds[row] = Kind::Real;
        }
    }

    fn multiply_add(&mut self, op: &MultiplyAdd, values: &mut [f32]) {
        let parts = values[..op.rows as usize].par_chunks_mut(1 << 12);
        parts.for_each(|values| self.level.dispatch(multiply_add::MultiplyAdd(values)));
    }

    fn copy(&mut self, op: &Copy, from: &[f32], to: &mut [f32]) {
        let rows = op.rows as usize;
        to[..rows].par_chunks_mut(1 << 16).zip(from[..rows].par_chunks(1 << 16)).for_each(|(to, from)| {
            to.copy_from_slice(from);
        });
    }
}
