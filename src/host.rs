//! A [`Backend`] in host memory: buffers for any set of kernels that work on slices. The oracle and the native CPU path are
//! two such sets; this file is what they share.

use crate::{
    backend::{
        Ascent, Backend, Buffer, Ceiling, ClampUnits, Clip, Combine, Contrast, Copy, Data, DeviceInfo, Draw,
        Energy, FillMissing, FreeEnergy, Gather, HalfStep, LimitNorms, Memory, Model, MultiplyAdd, Offsets,
        Pair, Path, Penalise, Reading, SquaredError, Standardise, Swap, Track, Units, Update, Values,
        Variances,
    },
    data::RowLayout,
    error::Result,
    rbm::{Layers, Rbm, Shape, Side},
    rng,
    units::Layer,
};

/// A draw, and the host's uniforms if it uses them.
#[derive(Clone, Copy)]
pub struct Uniforms<'a> {
    draw: Draw,
    host: Option<&'a [f32]>,
}

impl<'a> Uniforms<'a> {
    fn new(draw: Draw, buffer: &'a [f32]) -> Self {
        Self { draw, host: (draw.source == Draw::HOST).then(|| &buffer[draw.uniforms_at as usize..]) }
    }

    /// Whether states are drawn.
    #[inline(always)]
    pub fn are_drawn(&self) -> bool {
        self.draw.is_drawn()
    }

    /// The uniform for one unit of one row, in a layer of `units`.
    pub fn at(&self, units: usize, row: usize, unit: usize) -> f32 {
        match self.host {
            Some(buffer) => buffer[row * units + unit],
            None => rng::uniform_at(self.draw.seed(), self.draw.address(), self.draw.chain(row), unit as u32),
        }
    }

    /// A unit's state, given its mean: u < mean, or the mean if nothing is drawn.
    pub fn state(&self, units: usize, row: usize, unit: usize, mean: f32) -> f32 {
        if self.are_drawn() { f32::from(self.at(units, row, unit) < mean) } else { mean }
    }

    /// Uniforms of consecutive units of a row in a layer of `units`, from `first` on, a multiple of four. Values past the
    /// last unit are arbitrary.
    #[inline(always)]
    pub fn fill(&self, units: usize, row: usize, first: usize, out: &mut [f32]) {
        match self.host {
            Some(buffer) => {
                let len = out.len().min(units - first);
                out[..len].copy_from_slice(&buffer[row * units + first..][..len]);
            }
            None => {
                let Self { draw, .. } = self;
                rng::fill(draw.seed(), draw.address(), draw.chain(row), first as u32, out);
            }
        }
    }
}

/// The units of a layer in host memory: means and states, rows × units.
pub trait HostUnits: Default + Send {
    /// Allocates `rows` rows of `width` units, all zero.
    fn new(layer: &Layer, rows: usize) -> Self;
    /// Writes the first rows.
    fn write(&mut self, means: &[f32], states: &[f32]);
    /// The means of the first rows.
    fn means(&self, rows: usize) -> Vec<f32>;
    /// The states of the first rows.
    fn states(&self, rows: usize) -> Vec<f32>;
    /// The means of the statistics after the first, of the first rows.
    fn moments(&self, rows: usize) -> Vec<f32>;
    /// Exchanges the states of a row.
    fn exchange(&mut self, other: &mut Self, row: usize);
}

/// Units as `f32`, rows × width.
#[derive(Clone, Debug, Default)]
pub struct PlainUnits {
    /// Columns of a row.
    pub width: usize,
    /// Numbers of `moments` per row.
    pub extra: usize,
    /// Means of the states; p(unit = 1) for binary units.
    pub means: Vec<f32>,
    /// The states, or the means if nothing was drawn.
    pub states: Vec<f32>,
    /// Means of the statistics after the first, rows × `extra`: all columns' second, then all columns' third, and so on.
    pub moments: Vec<f32>,
}

impl HostUnits for PlainUnits {
    fn new(layer: &Layer, rows: usize) -> Self {
        let width = layer.columns();
        let (zeros, extra) = (vec![0.0; rows * width], layer.parameters() - width);
        Self { width, extra, means: zeros.clone(), states: zeros, moments: vec![0.0; rows * extra] }
    }

    fn write(&mut self, means: &[f32], states: &[f32]) {
        self.means[..means.len()].copy_from_slice(means);
        self.states[..states.len()].copy_from_slice(states);
    }

    fn means(&self, rows: usize) -> Vec<f32> {
        self.means[..rows * self.width].to_vec()
    }

    fn states(&self, rows: usize) -> Vec<f32> {
        self.states[..rows * self.width].to_vec()
    }

    fn moments(&self, rows: usize) -> Vec<f32> {
        self.moments[..rows * self.extra].to_vec()
    }

    fn exchange(&mut self, other: &mut Self, row: usize) {
        let range = row * self.width..(row + 1) * self.width;
        self.states[range.clone()].swap_with_slice(&mut other.states[range]);
    }
}

/// One phase of a gradient: the states of the visible units and the means of the hidden units.
pub struct Phase<'a, U> {
    /// Cases or chains.
    pub rows: usize,
    /// The visible units; the gradient uses their states v.
    pub visible: &'a U,
    /// The hidden units; the gradient uses their means p(h|v).
    pub hidden: &'a U,
}

impl<U> Clone for Phase<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> std::marker::Copy for Phase<'_, U> {}

/// Both phases of a gradient, and the offsets, empty if unused.
pub struct Phases<'a, U> {
    /// The data.
    pub positive: Phase<'a, U>,
    /// The chains.
    pub negative: Phase<'a, U>,
    /// μ, one per visible unit.
    pub mu: &'a [f32],
    /// λ, one per hidden unit.
    pub lambda: &'a [f32],
}

/// Half a Gibbs step: the arguments of [`HostKernels::sample`].
pub struct Half<'a, U> {
    /// Rows and temperature.
    pub op: &'a HalfStep,
    /// The other layer; its states are used.
    pub from: &'a U,
    /// The random numbers.
    pub uniforms: Uniforms<'a>,
    /// The layer to sample: gets means and states.
    pub to: &'a mut U,
}

/// A model, and the biases of independent units at the other end of the path, empty if there is no path.
#[derive(Clone, Copy)]
pub struct HostPath<'a> {
    /// The model.
    pub rbm: &'a Rbm,
    /// The base's parameters: see [`Path::base`].
    pub base: &'a [f32],
}

impl<'a> HostPath<'a> {
    /// The base's potentials of one side.
    pub fn base_of(&self, side: Side) -> &'a [f32] {
        let visible = self.rbm.layers().visible.parameters();
        let (visible, hidden) = self.base.split_at(visible.min(self.base.len()));
        if side == Side::Visible { visible } else { hidden }
    }
}

/// The methods of [`Backend`] on memory, with the same names and order of arguments.
#[expect(missing_docs, reason = "each is documented where it is declared first, in Backend")]
pub trait HostKernels: Send {
    type Units: HostUnits;
    fn gather(
        &mut self,
        op: &Gather,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut Self::Units,
    );
    /// Half a step to the layer `to`.
    fn sample(&mut self, to: Side, path: HostPath, half: Half<Self::Units>);
    /// See [`Backend::sample_twice`].
    fn sample_twice(&mut self, to: Side, rbm: &Rbm, halves: [Half<Self::Units>; 2]) {
        for half in halves {
            self.sample(to, HostPath { rbm, base: &[] }, half);
        }
    }
    fn gradient(&mut self, op: &Contrast, phases: Phases<Self::Units>, gradient: &mut Rbm);
    fn standardise(&mut self, op: &Standardise, variances: [&[f32]; 2], gradient: &mut Rbm);
    fn penalise(&mut self, op: &Penalise, scales: &[f32], rbm: &Rbm, gradient: &mut Rbm);
    fn clip(&mut self, op: &Clip, gradient: &mut Rbm);
    fn ascend(
        &mut self,
        op: &Ascent,
        gradient: &mut Rbm,
        rbm: &mut Rbm,
        velocity: &mut Rbm,
        squares: Option<&mut Rbm>,
    );
    fn recentre(&mut self, step: &Rbm, mu: &[f32], lambda: &[f32], rbm: &mut Rbm);
    fn update(&mut self, op: &Update, phases: Phases<Self::Units>, rbm: &mut Rbm, velocity: Option<&mut Rbm>);
    fn limit_norms(&mut self, op: &LimitNorms, rbm: &mut Rbm);
    fn fix_gauge(&mut self, rbm: &mut Rbm);
    fn track(&mut self, op: &Track, hidden: &Self::Units, means: &mut [f32]);
    fn track_variances(
        &mut self,
        op: &Track,
        layer: &Layer,
        hidden: &Self::Units,
        means: &[f32],
        variances: &mut [f32],
    );
    fn combine(&mut self, op: &Combine, other: &Rbm, rbm: &mut Rbm);
    fn squared_error(
        &mut self,
        op: &SquaredError,
        visible: &Self::Units,
        reconstruction: &Self::Units,
        values: &mut [f32],
    );
    fn free_energy(&mut self, op: &FreeEnergy, path: HostPath, visible: &Self::Units, values: &mut [f32]);
    fn energy(
        &mut self,
        op: &Energy,
        path: HostPath,
        visible: &Self::Units,
        hidden: &Self::Units,
        values: &mut [f32],
    );
    fn swap(
        &mut self,
        op: &Swap,
        cold: (&mut Self::Units, &mut [f32]),
        hot: (&mut Self::Units, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    );
    fn clamp_units(&mut self, op: &ClampUnits, known: &Self::Units, mask: &[f32], visible: &mut Self::Units);
    fn fill_missing(
        &mut self,
        op: &FillMissing,
        observed: &Self::Units,
        fill: &[f32],
        mask: &mut [f32],
        visible: &mut Self::Units,
    );
    fn multiply_add(&mut self, op: &MultiplyAdd, values: &mut [f32]);
    fn copy(&mut self, op: &Copy, from: &[f32], to: &mut [f32]);
}

struct DataBuffer {
    layout: RowLayout,
    words: Vec<u32>,
    order: Vec<u32>,
}

/// Buffers in host memory, and the kernels that work on them.
pub struct Host<K: HostKernels> {
    kernels: K,
    info: DeviceInfo,
    layers: Layers,
    models: Vec<Rbm>,
    units: Vec<K::Units>,
    data: Vec<DataBuffer>,
    values: Vec<Vec<f32>>,
    uniforms: Vec<f32>,
}

impl<K: HostKernels> Host<K> {
    /// A backend for models of these layers, without buffers.
    pub fn new(kernels: K, info: DeviceInfo, layers: impl Into<Layers>) -> Self {
        Self {
            kernels,
            info,
            layers: layers.into(),
            models: Vec::new(),
            units: Vec::new(),
            data: Vec::new(),
            values: Vec::new(),
            uniforms: Vec::new(),
        }
    }

    /// Takes a model out, so that a kernel can write it while it reads other buffers.
    fn with_model(&mut self, model: Model, kernel: impl FnOnce(&mut Self, &mut Rbm)) {
        let empty = Rbm::zeros(Shape { visible: 0, hidden: 0 });
        let mut buffer = std::mem::replace(&mut self.models[model.0], empty);
        kernel(self, &mut buffer);
        self.models[model.0] = buffer;
    }

    /// [`Host::with_model`] for an optional model.
    fn with_optional(&mut self, model: Option<Model>, kernel: impl FnOnce(&mut Self, Option<&mut Rbm>)) {
        match model {
            Some(model) => self.with_model(model, |host, buffer| kernel(host, Some(buffer))),
            None => kernel(self, None),
        }
    }

    /// Takes units out, so that a kernel can write them while it reads other buffers.
    fn with_units(&mut self, output: Units, kernel: impl FnOnce(&mut Self, &mut K::Units)) {
        let mut buffer = std::mem::take(&mut self.units[output.number]);
        kernel(self, &mut buffer);
        self.units[output.number] = buffer;
    }

    /// Takes numbers out, so that a kernel can write them while it reads other buffers.
    fn with_values(&mut self, values: Values, kernel: impl FnOnce(&mut Self, &mut [f32])) {
        let mut buffer = std::mem::take(&mut self.values[values.0]);
        kernel(self, &mut buffer);
        self.values[values.0] = buffer;
    }

    /// Splits into the kernels and the buffers that they read.
    fn parts(&mut self) -> (&mut K, Buffers<'_, K>) {
        let Self { kernels, models, units, values, uniforms, .. } = self;
        (kernels, Buffers { models, units, values, uniforms })
    }
}

/// Buffers that are only read.
struct Buffers<'a, K: HostKernels> {
    models: &'a [Rbm],
    units: &'a [K::Units],
    values: &'a [Vec<f32>],
    uniforms: &'a [f32],
}

impl<'a, K: HostKernels> Buffers<'a, K> {
    fn path(&self, path: Path) -> HostPath<'a> {
        let base = path.base.map_or(&[][..], |base| &self.values[base.0]);
        HostPath { rbm: &self.models[path.model.0], base }
    }

    fn half<'b>(&'b self, op: &'b HalfStep, from: Units, to: &'b mut K::Units) -> Half<'b, K::Units> {
        Half { op, from: &self.units[from.number], uniforms: Uniforms::new(op.draw, self.uniforms), to }
    }

    fn phases(
        &self,
        op: &Contrast,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
    ) -> Phases<'a, K::Units> {
        let phase = |pair: Pair, rows: u32| Phase {
            rows: rows as usize,
            visible: &self.units[pair.visible.number],
            hidden: &self.units[pair.hidden.number],
        };
        let values = |pick: fn(Offsets) -> Values| offsets.map_or(&[][..], |all| &self.values[pick(all).0]);
        Phases {
            positive: phase(positive, op.rows),
            negative: phase(negative, op.chains),
            mu: values(|offsets| offsets.visible),
            lambda: values(|offsets| offsets.hidden),
        }
    }
}

impl<K: HostKernels> Memory for Host<K> {
    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn model(&mut self) -> Result<Model> {
        self.models.push(Rbm::zeros(&self.layers));
        Ok(Model(self.models.len() - 1))
    }

    fn units(&mut self, layer: Side, rows: usize) -> Result<Units> {
        self.units.push(HostUnits::new(self.layers.side(layer), rows));
        Ok(Units { number: self.units.len() - 1, layer })
    }

    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        self.data.push(DataBuffer { layout, words: vec![0; rows * layout.words()], order: vec![0; rows] });
        Ok(Data(self.data.len() - 1))
    }

    fn values(&mut self, count: usize) -> Result<Values> {
        self.values.push(vec![0.0; count]);
        Ok(Values(self.values.len() - 1))
    }

    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.uniforms = vec![0.0; count];
        Ok(())
    }
}

impl<K: HostKernels> Ceiling for Host<K> {
    fn multiply_add(&mut self, op: &MultiplyAdd, values: Values) {
        self.kernels.multiply_add(op, &mut self.values[values.0]);
    }

    fn copy(&mut self, op: &Copy, from: Values, to: Values) {
        self.with_values(to, |host, copies| host.kernels.copy(op, &host.values[from.0], copies));
    }
}

impl<K: HostKernels> Backend for Host<K> {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn write_model(&mut self, model: Model, rbm: &Rbm) {
        self.models[model.0].clone_from(rbm);
    }

    fn write_data(&mut self, data: Data, words: &[u32]) {
        self.data[data.0].words[..words.len()].copy_from_slice(words);
    }

    fn write_order(&mut self, data: Data, order: &[u32]) {
        self.data[data.0].order[..order.len()].copy_from_slice(order);
    }

    fn write_uniforms(&mut self, uniforms: &[f32]) {
        self.uniforms[..uniforms.len()].copy_from_slice(uniforms);
    }

    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]) {
        self.units[units.number].write(means, states);
    }

    fn write_values(&mut self, values: Values, numbers: &[f32]) {
        self.values[values.0][..numbers.len()].copy_from_slice(numbers);
    }

    fn gather(&mut self, op: &Gather, data: Data, visible: Units) {
        self.with_units(visible, |host, out| {
            let (uniforms, data) = (Uniforms::new(op.draw, &host.uniforms), &host.data[data.0]);
            host.kernels.gather(op, data.layout, &data.words, &data.order, uniforms, out);
        });
    }

    fn sample(&mut self, op: &HalfStep, path: Path, from: Units, to: Units) {
        self.with_units(to, |host, out| {
            let (kernels, buffers) = host.parts();
            kernels.sample(to.layer, buffers.path(path), buffers.half(op, from, out));
        });
    }

    fn sample_twice(&mut self, model: Model, [one, other]: [(&HalfStep, Units, Units); 2]) {
        self.with_units(one.2, |host, first| {
            host.with_units(other.2, |host, second| {
                let (kernels, buffers) = host.parts();
                let halves =
                    [(one, first), (other, second)].map(|((op, from, _), to)| buffers.half(op, from, to));
                kernels.sample_twice(one.2.layer, &buffers.models[model.0], halves);
            });
        });
    }

    fn gradient(
        &mut self,
        op: &Contrast,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        gradient: Model,
    ) {
        self.with_model(gradient, |host, gradient| {
            let (kernels, buffers) = host.parts();
            kernels.gradient(op, buffers.phases(op, positive, negative, offsets), gradient);
        });
    }

    fn standardise(&mut self, op: &Standardise, variances: Variances, gradient: Model) {
        let variances = [variances.visible, variances.hidden].map(|values| &self.values[values.0][..]);
        self.kernels.standardise(op, variances, &mut self.models[gradient.0]);
    }

    fn penalise(&mut self, op: &Penalise, scales: Values, model: Model, gradient: Model) {
        self.with_model(gradient, |host, gradient| {
            host.kernels.penalise(op, &host.values[scales.0], &host.models[model.0], gradient);
        });
    }

    fn clip(&mut self, op: &Clip, gradient: Model) {
        self.kernels.clip(op, &mut self.models[gradient.0]);
    }

    fn ascend(
        &mut self,
        op: &Ascent,
        gradient: Model,
        model: Model,
        velocity: Model,
        squares: Option<Model>,
    ) {
        self.with_model(gradient, |host, gradient| {
            host.with_model(model, |host, rbm| {
                host.with_model(velocity, |host, velocity| {
                    host.with_optional(squares, |host, squares| {
                        host.kernels.ascend(op, gradient, rbm, velocity, squares);
                    });
                });
            });
        });
    }

    fn recentre(&mut self, step: Model, offsets: Offsets, model: Model) {
        self.with_model(model, |host, rbm| {
            let (mu, lambda) = (&host.values[offsets.visible.0], &host.values[offsets.hidden.0]);
            host.kernels.recentre(&host.models[step.0], mu, lambda, rbm);
        });
    }

    fn update(
        &mut self,
        op: &Update,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        model: Model,
        velocity: Option<Model>,
    ) {
        self.with_model(model, |host, rbm| {
            host.with_optional(velocity, |host, velocity| {
                let (kernels, buffers) = host.parts();
                let phases = buffers.phases(&op.contrast(), positive, negative, offsets);
                kernels.update(op, phases, rbm, velocity);
            });
        });
    }

    fn limit_norms(&mut self, op: &LimitNorms, model: Model) {
        self.kernels.limit_norms(op, &mut self.models[model.0]);
    }

    fn fix_gauge(&mut self, model: Model) {
        self.kernels.fix_gauge(&mut self.models[model.0]);
    }

    fn track(&mut self, op: &Track, hidden: Units, means: Values) {
        self.kernels.track(op, &self.units[hidden.number], &mut self.values[means.0]);
    }

    fn track_variances(&mut self, op: &Track, hidden: Units, means: Values, variances: Values) {
        self.with_values(variances, |host, variances| {
            let (units, means) = (&host.units[hidden.number], &host.values[means.0]);
            host.kernels.track_variances(op, &host.layers.hidden, units, means, variances);
        });
    }

    fn combine(&mut self, op: &Combine, other: Model, model: Model) {
        self.with_model(model, |host, rbm| host.kernels.combine(op, &host.models[other.0], rbm));
    }

    fn squared_error(&mut self, op: &SquaredError, visible: Units, reconstruction: Units, values: Values) {
        let (visible, reconstruction) = (&self.units[visible.number], &self.units[reconstruction.number]);
        self.kernels.squared_error(op, visible, reconstruction, &mut self.values[values.0]);
    }

    fn free_energy(&mut self, op: &FreeEnergy, path: Path, visible: Units, values: Values) {
        self.with_values(values, |host, out| {
            let (kernels, buffers) = host.parts();
            kernels.free_energy(op, buffers.path(path), &buffers.units[visible.number], out);
        });
    }

    fn energy(&mut self, op: &Energy, path: Path, pair: Pair, values: Values) {
        self.with_values(values, |host, out| {
            let (kernels, buffers) = host.parts();
            let [visible, hidden] = [pair.visible, pair.hidden].map(|units| &buffers.units[units.number]);
            kernels.energy(op, buffers.path(path), visible, hidden, out);
        });
    }

    fn swap(
        &mut self,
        op: &Swap,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    ) {
        self.with_units(cold.0, |host, cold_units| {
            host.with_units(hot.0, |host, hot_units| {
                host.with_values(cold.1, |host, cold_values| {
                    host.with_values(hot.1, |host, hot_values| {
                        host.with_values(accepted, |host, accepted| {
                            let (cold, hot) = ((cold_units, cold_values), (hot_units, hot_values));
                            host.kernels.swap(op, cold, hot, accepted, &mut host.values[trips.0]);
                        });
                    });
                });
            });
        });
    }

    fn clamp_units(&mut self, op: &ClampUnits, known: Units, mask: Values, visible: Units) {
        self.with_units(visible, |host, out| {
            host.kernels.clamp_units(op, &host.units[known.number], &host.values[mask.0], out);
        });
    }

    fn fill_missing(
        &mut self,
        op: &FillMissing,
        observed: Units,
        fill: Values,
        mask: Values,
        visible: Units,
    ) {
        self.with_units(visible, |host, out| {
            host.with_values(mask, |host, mask| {
                let (observed, fill) = (&host.units[observed.number], &host.values[fill.0]);
                host.kernels.fill_missing(op, observed, fill, mask, out);
            });
        });
    }

    fn submit(&mut self) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, buffer: Buffer, rows: usize) -> Reading {
        let numbers = match buffer {
            Buffer::Model(model) => self.models[model.0].parameters().to_vec(),
            Buffer::Means(units) => self.units[units.number].means(rows),
            Buffer::States(units) => self.units[units.number].states(rows),
            Buffer::Moments(units) => self.units[units.number].moments(rows),
            Buffer::Values(values) => self.values[values.0][..rows].to_vec(),
        };
        Box::pin(std::future::ready(Ok(numbers)))
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }
}
