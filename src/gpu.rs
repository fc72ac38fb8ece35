//! The wgpu path: the kernels of `shaders/` on any vendor's GPU.
//!
//! The methods of [`Backend`] are recorded as dispatches, each with its own slot of parameters, and sent in one command
//! buffer by [`Backend::submit`]. A step allocates nothing: bind groups are cached, and every write goes through the
//! queue's own staging. `Gpu::read` is the only place that waits for data.

pub mod adapter;
mod context;
pub mod kernels;
mod memory;
mod pace;
mod reading;
pub mod tile;
mod wgsl;

pub use context::Context;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    backend::{
        Ascent, Backend, Buffer, Ceiling, ClampUnits, Clip, Combine, Contrast, Copy, Cumulants, Data,
        DeviceInfo, Draw, Energy, FillMissing, FinishUnits, FixGauge, FreeEnergy, Gather,
        GradientOfPotentials, HalfStep, LimitNorms, Memory, Model, MultiplyAdd, Offsets, Pair, Path,
        Penalise, Potentials, Reading, Recentre, SquaredError, Standardise, Swap, Track, TrackVariances,
        Units, Update, Values, Variances, operation::Operation,
    },
    data::RowLayout,
    error::Result,
    rbm::{Layers, Rbm, Shape, Side},
    units::{Block, Kind},
};
use kernels::{Geometry, Kernel, Size};
use pace::Pace;
use reading::Mapped;
use tile::Tile;

/// The most dispatches in a command buffer.
const SLOTS: usize = 1024;
/// Bytes of a dispatch's uniform: enough for every operation and the geometry.
const UNIFORM_BYTES: usize = 80;

/// Storage buffers of a dispatch, by binding; the rest is unused.
type Bindings = [Option<usize>; 8];

/// Models on a GPU, or on a software adapter.
pub struct Gpu {
    context: Arc<Context>,
    layers: Layers,
    shape: Shape,
    geometry: Geometry,
    /// One tile for all dispatches, instead of the best for each.
    tile: Option<Tile>,
    buffers: Vec<wgpu::Buffer>,
    bind_groups: HashMap<(Kernel, Bindings), wgpu::BindGroup>,
    units: Vec<UnitsBuffers>,
    data: Vec<DataBuffers>,
    uniforms: usize,
    /// Zeros for kernels whose offsets or base are missing.
    zeros: usize,
    /// Scratch for the step of an update without a velocity.
    step: usize,
    /// Scratch for the gradient of an update, where units have precisions.
    gradient: Option<Model>,
    /// Scratch for inputs of hidden units that are not all binary, for as many rows as the most visible units have.
    inputs: Option<(usize, usize)>,
    /// What is bound where a kernel writes nothing.
    unused: usize,
    /// The blocks of both layers.
    blocks: [Vec<Part>; 2],
    slots: wgpu::Buffer,
    slot_size: usize,
    slot_bytes: Vec<u8>,
    recorded: Vec<Dispatch>,
    in_flight: Option<wgpu::SubmissionIndex>,
    pace: Arc<Mutex<Pace>>,
}

#[derive(Clone, std::marker::Copy)]
struct UnitsBuffers {
    means: usize,
    states: usize,
    /// Means of the statistics after the first; not allocated where there is one.
    moments: usize,
}

/// The number of the Potts units' kind, whatever their states.
const POTTS: u32 = Kind::Potts { states: 2 }.number();

/// A block of units, as the kernels count it.
#[derive(Clone, std::marker::Copy)]
struct Part {
    side: u32,
    kind: u32,
    /// First column.
    first: u32,
    units: u32,
    /// Columns of a unit.
    columns: u32,
    /// Parameters of the kind.
    numbers: u32,
}

impl Part {
    fn all(layers: &Layers, side: Side) -> Vec<Self> {
        let mut first = 0;
        let blocks = layers.side(side).blocks().iter();
        let part = |&Block { kind, units }: &Block| {
            let (side, kind, of_kind) = (side.number(), kind.number(), kind);
            let (columns, numbers) = (of_kind.columns() as u32, of_kind.parameters() as u32);
            let part = Self { side, kind, first, units: units as u32, columns, numbers };
            first += part.units * columns;
            part
        };
        blocks.map(part).collect()
    }

    /// Whether it has parameters after the biases.
    fn has_precisions(self) -> bool {
        self.numbers > 1
    }
}

#[derive(Clone, std::marker::Copy)]
struct DataBuffers {
    words: usize,
    order: usize,
}

/// A kernel to run, and where its uniform lies in the buffer of slots.
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    slot: u32,
    workgroups: (u32, u32),
}

impl Gpu {
    /// A backend for models of these layers. `tile` replaces the best tile of each dispatch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if there is no room.
    pub fn new(context: Arc<Context>, layers: impl Into<Layers>, tile: Option<Tile>) -> Result<Self> {
        let layers = layers.into();
        let shape = layers.shape();
        let device = &context.device;
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        let slot_size = UNIFORM_BYTES.next_multiple_of(alignment);
        let slots = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("rbm.operations"),
            size: (SLOTS * slot_size) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let geometry = Geometry::of(&layers);
        let blocks = [Side::Visible, Side::Hidden].map(|side| Part::all(&layers, side));
        let mut gpu = Self {
            layers,
            geometry,
            shape,
            tile,
            buffers: Vec::new(),
            bind_groups: HashMap::new(),
            units: Vec::new(),
            data: Vec::new(),
            uniforms: 0,
            zeros: 0,
            step: 0,
            gradient: None,
            inputs: None,
            unused: 0,
            blocks,
            slots,
            slot_size,
            slot_bytes: Vec::with_capacity(SLOTS * slot_size),
            recorded: Vec::with_capacity(SLOTS),
            in_flight: None,
            pace: Arc::new(Mutex::new(Pace::new())),
            context,
        };
        gpu.zeros = gpu.buffer("zeros", memory::stride(gpu.layers.base_len()))?;
        gpu.step = gpu.buffer("step", memory::parameters_len(&gpu.layers))?;
        gpu.uniforms = gpu.buffer("uniforms", 4)?;
        gpu.unused = gpu.buffer("unused", 4)?;
        if gpu.layers.have_precisions() {
            gpu.gradient = Some(gpu.model()?);
        }
        Ok(gpu)
    }

    /// Allocates a storage buffer of `words` 32-bit words, all zero.
    fn buffer(&mut self, label: &str, words: usize) -> Result<usize> {
        self.buffers.push(self.context.storage_buffer(label, words)?);
        Ok(self.buffers.len() - 1)
    }

    fn write<T: bytemuck::NoUninit>(&mut self, buffer: usize, values: &[T]) {
        // The queue's writes land before the next submission; work recorded before must not see them.
        self.flush();
        self.context.queue.write_buffer(&self.buffers[buffer], 0, bytemuck::cast_slice(values));
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a kernel; `buffers` are its storage bindings in order.
    fn dispatch<O: Operation>(&mut self, kernel: Kernel, op: &O, buffers: &[usize]) {
        const { assert!(size_of::<O>() + size_of::<Geometry>() <= UNIFORM_BYTES, "every operation fits a slot") };
        if op.rows() == 0 {
            return;
        }
        let size = Size::of(op, self.geometry);
        let work = kernel.work(&size);
        let is_full = self.pace().is_full(work);
        if self.recorded.len() == SLOTS || is_full {
            self.flush();
        }
        self.pace().record(work);
        let bindings = std::array::from_fn(|binding| buffers.get(binding).copied());
        let bind_group = match self.bind_groups.get(&(kernel, bindings)) {
            Some(bind_group) => bind_group.clone(),
            None => {
                let bind_group = self.bind_group(kernel, buffers);
                self.bind_groups.insert((kernel, bindings), bind_group.clone());
                bind_group
            }
        };
        let product = kernel.product(&size);
        let tile = product.map(|product| self.tile.unwrap_or_else(|| self.context.tiles.choose(product)));
        let workgroups = match product.zip(tile) {
            Some((product, tile)) => tile.workgroups(product),
            None => (kernel.workgroups(&size), 1),
        };
        let slot = self.slot_bytes.len();
        self.slot_bytes.extend_from_slice(bytemuck::bytes_of(op));
        self.slot_bytes.extend_from_slice(bytemuck::bytes_of(&self.geometry));
        self.slot_bytes.resize(slot + self.slot_size, 0);
        self.recorded.push(Dispatch {
            pipeline: self.context.pipeline(kernel, tile),
            bind_group,
            slot: slot as u32,
            workgroups,
        });
    }

    /// The buffers that the product of a gradient reads.
    fn phases(&self, positive: Pair, negative: Pair, offsets: Option<Offsets>) -> [usize; 6] {
        let [[v0, h0], [vk, hk]] = [positive, negative]
            .map(|pair| [self.units[pair.visible.number].states, self.units[pair.hidden.number].means]);
        let [mu, lambda] = match offsets {
            Some(offsets) => [offsets.visible.0, offsets.hidden.0],
            None => [self.zeros; 2],
        };
        [v0, h0, vk, hk, mu, lambda]
    }

    /// The blocks of both layers, by their indices.
    fn places(&self) -> impl Iterator<Item = (Side, usize)> + use<> {
        let [visible, hidden] = self.blocks.each_ref().map(Vec::len);
        (0..visible).map(|at| (Side::Visible, at)).chain((0..hidden).map(|at| (Side::Hidden, at)))
    }

    /// The product of a half step; `buffers` are those of the states it comes from, and of the means and states it goes to.
    fn product(&mut self, to: Side, op: &HalfStep, path: Path, [input, means, states]: [usize; 3]) {
        let (model, uniforms, base) = (path.model.0, self.uniforms, self.base(path));
        match to {
            Side::Hidden => self.dispatch(Kernel::SampleHidden, op, &[model, input, uniforms, means, states]),
            Side::Visible => {
                self.dispatch(Kernel::SampleVisible, op, &[model, input, uniforms, base, means, states]);
            }
        }
    }

    /// values = keep · values − Σ potentials of one side's states, from the parameter `first_number` on. `own` and `of_base` are
    /// factors of the model's parameters and the base's. Without such parameters, values stay.
    #[expect(clippy::too_many_arguments, reason = "one call for both energies")]
    fn potentials(
        &mut self,
        rows: u32,
        layer: Side,
        (first_number, mut keep): (u32, f32),
        (own, of_base): (f32, f32),
        path: Path,
        states: usize,
        values: Values,
    ) {
        let base = self.base(path);
        for at in 0..self.blocks[layer.number() as usize].len() {
            let Part { side, kind, first, units, columns, numbers } =
                self.blocks[layer.number() as usize][at];
            if numbers > first_number {
                let units = units * columns;
                let op =
                    Potentials { rows, side, kind, first, units, first_number, numbers, own, of_base, keep };
                self.dispatch(Kernel::Potentials, &op, &[path.model.0, states, base, values.0]);
                keep = 1.0;
            }
        }
    }

    /// Allocates scratch for the inputs of hidden units, if there is less.
    fn make_room_for_inputs(&mut self, rows: usize) -> Result<()> {
        let words = rows * memory::stride(self.shape.hidden);
        match self.inputs {
            None => self.inputs = Some((self.buffer("inputs", words)?, words)),
            Some((buffer, less)) if less < words => {
                self.buffers[buffer] = self.context.storage_buffer("inputs", words)?;
                self.bind_groups.retain(|(_, bindings), _| !bindings.contains(&Some(buffer)));
                self.inputs = Some((buffer, words));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn base(&self, path: Path) -> usize {
        path.base.map_or(self.zeros, |base| base.0)
    }

    fn bind_group(&self, kernel: Kernel, buffers: &[usize]) -> wgpu::BindGroup {
        let uniform = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.slots,
            offset: 0,
            size: std::num::NonZeroU64::new(UNIFORM_BYTES as u64),
        });
        let storage = buffers.iter().map(|&buffer| self.buffers[buffer].as_entire_binding());
        let entries: Vec<_> = std::iter::once(uniform)
            .chain(storage)
            .zip(0..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.label()),
            layout: self.context.layout(kernel),
            entries: &entries,
        })
    }

    /// Sends the recorded work.
    fn flush(&mut self) -> Option<wgpu::SubmissionIndex> {
        if self.recorded.is_empty() {
            return None;
        }
        self.context.queue.write_buffer(&self.slots, 0, &self.slot_bytes);
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for dispatch in &self.recorded {
                pass.set_pipeline(&dispatch.pipeline);
                pass.set_bind_group(0, &dispatch.bind_group, &[dispatch.slot]);
                pass.dispatch_workgroups(dispatch.workgroups.0, dispatch.workgroups.1, 1);
            }
        }
        self.recorded.clear();
        self.slot_bytes.clear();
        self.pace().send();
        Some(self.context.queue.submit([encoder.finish()]))
    }

    /// Sends the recorded work and requests the first `words` of a buffer.
    fn read_words(&mut self, buffer: usize, words: usize) -> Mapped {
        self.flush();
        let size = (words * 4) as u64;
        let staging = self.context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("rbm.readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[buffer], 0, &staging, 0, size);
        self.context.queue.submit([encoder.finish()]);
        Mapped::new(self.context.clone(), self.pace.clone(), staging)
    }
}

impl Memory for Gpu {
    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn model(&mut self) -> Result<Model> {
        self.buffer("parameters", memory::parameters_len(&self.layers)).map(Model)
    }

    fn units(&mut self, layer: Side, rows: usize) -> Result<Units> {
        let width = self.shape.units(layer);
        let words = rows * memory::stride(width);
        let moments = rows * memory::moments_len(self.layers.side(layer));
        let buffers = UnitsBuffers {
            means: self.buffer("means", words)?,
            states: self.buffer("states", words)?,
            moments: if moments == 0 { self.unused } else { self.buffer("moments", moments)? },
        };
        // Zeros, except for the bias unit.
        let zeros = memory::pad_rows(&vec![0.0; rows * width], width);
        self.write(buffers.means, &zeros);
        self.write(buffers.states, &zeros);
        self.units.push(buffers);
        if layer == Side::Visible && !self.layers.hidden.is_binary() {
            self.make_room_for_inputs(rows)?;
        }
        Ok(Units { number: self.units.len() - 1, layer })
    }

    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        let words = self.buffer("data", rows * layout.words())?;
        let order = self.buffer("order", rows)?;
        self.data.push(DataBuffers { words, order });
        Ok(Data(self.data.len() - 1))
    }

    fn values(&mut self, count: usize) -> Result<Values> {
        // Padded like a row of a layer; the padding is zero.
        self.buffer("values", memory::stride(count)).map(Values)
    }

    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.uniforms = self.buffer("uniforms", count)?;
        Ok(())
    }
}

impl Ceiling for Gpu {
    fn multiply_add(&mut self, op: &MultiplyAdd, values: Values) {
        self.dispatch(Kernel::MultiplyAdd, op, &[values.0]);
    }

    fn copy(&mut self, op: &Copy, from: Values, to: Values) {
        self.dispatch(Kernel::Copy, op, &[from.0, to.0]);
    }
}

impl Backend for Gpu {
    fn info(&self) -> &DeviceInfo {
        &self.context.info
    }

    fn write_model(&mut self, model: Model, rbm: &Rbm) {
        self.write(model.0, &memory::augment(rbm));
    }

    fn write_data(&mut self, data: Data, words: &[u32]) {
        self.write(self.data[data.0].words, words);
    }

    fn write_order(&mut self, data: Data, order: &[u32]) {
        self.write(self.data[data.0].order, order);
    }

    fn write_uniforms(&mut self, uniforms: &[f32]) {
        self.write(self.uniforms, uniforms);
    }

    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]) {
        let (buffers, width) = (self.units[units.number], self.shape.units(units.layer));
        self.write(buffers.means, &memory::pad_rows(means, width));
        self.write(buffers.states, &memory::pad_rows(states, width));
    }

    fn write_values(&mut self, values: Values, numbers: &[f32]) {
        self.write(values.0, numbers);
    }

    fn gather(&mut self, op: &Gather, data: Data, visible: Units) {
        let (data, states) = (self.data[data.0], self.units[visible.number].states);
        self.dispatch(Kernel::Gather, op, &[data.words, data.order, self.uniforms, states]);
    }

    fn sample(&mut self, op: &HalfStep, path: Path, from: Units, to: Units) {
        let (input, UnitsBuffers { means, states, moments }) =
            (self.units[from.number].states, self.units[to.number]);
        if self.layers.side(to.layer).is_binary() {
            return self.product(to.layer, op, path, [input, means, states]);
        }
        let inputs = HalfStep { draw: Draw { source: Draw::INPUTS, ..Draw::none() }, ..*op };
        self.product(to.layer, &inputs, path, [input, means, self.unused]);
        let &HalfStep { draw, rows, beta } = op;
        let (model, uniforms, base) = (path.model.0, self.uniforms, self.base(path));
        for at in 0..self.blocks[to.layer.number() as usize].len() {
            let Part { side, kind, first, units, columns, numbers } =
                self.blocks[to.layer.number() as usize][at];
            let op = FinishUnits { draw, rows, beta, side, kind, first, units, columns, numbers };
            self.dispatch(Kernel::FinishUnits, &op, &[model, uniforms, base, means, moments, states]);
        }
    }

    fn gradient(
        &mut self,
        op: &Contrast,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        gradient: Model,
    ) {
        let [v0, h0, vk, hk, mu, lambda] = self.phases(positive, negative, offsets);
        self.dispatch(Kernel::Gradient, op, &[v0, h0, vk, hk, mu, lambda, gradient.0]);
        let &Contrast { rows, chains, .. } = op;
        for (layer, at) in self.places() {
            let part @ Part { side, kind, first, numbers, .. } = self.blocks[layer.number() as usize][at];
            if !part.has_precisions() {
                continue;
            }
            let units = part.units * part.columns;
            let op = GradientOfPotentials { rows, chains, side, kind, first, units, numbers };
            let [positive, negative] = [positive, negative].map(|pair| match layer {
                Side::Visible => self.units[pair.visible.number].states,
                Side::Hidden => self.units[pair.hidden.number].moments,
            });
            self.dispatch(Kernel::GradientOfPotentials, &op, &[positive, negative, gradient.0]);
        }
    }

    fn standardise(&mut self, op: &Standardise, variances: Variances, gradient: Model) {
        self.dispatch(Kernel::Standardise, op, &[variances.visible.0, variances.hidden.0, gradient.0]);
    }

    fn penalise(&mut self, op: &Penalise, scales: Values, model: Model, gradient: Model) {
        self.dispatch(Kernel::Penalise, op, &[scales.0, model.0, gradient.0]);
    }

    fn clip(&mut self, op: &Clip, gradient: Model) {
        self.dispatch(Kernel::Clip, op, &[gradient.0]);
    }

    fn ascend(
        &mut self,
        op: &Ascent,
        gradient: Model,
        model: Model,
        velocity: Model,
        squares: Option<Model>,
    ) {
        let squares = squares.map_or(self.unused, |squares| squares.0);
        self.dispatch(Kernel::Ascend, op, &[gradient.0, model.0, velocity.0, squares]);
    }

    fn recentre(&mut self, step: Model, offsets: Offsets, model: Model) {
        let buffers = [step.0, offsets.visible.0, offsets.hidden.0, model.0];
        self.dispatch(Kernel::Recentre, &Recentre {}, &buffers);
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
        let (step, momentum) = match velocity {
            Some(velocity) => (velocity.0, op.momentum),
            None => (self.step, 0.0),
        };
        let op = &Update { momentum, ..*op };
        if let Some(gradient) = self.gradient {
            self.gradient(&op.contrast(), positive, negative, offsets, gradient);
            self.ascend(&op.ascent(), gradient, model, Model(step), None);
            if let (1, Some(offsets)) = (op.centred, offsets) {
                self.recentre(gradient, offsets, model);
            }
            return;
        }
        let [v0, h0, vk, hk, mu, lambda] = self.phases(positive, negative, offsets);
        self.dispatch(Kernel::Update, op, &[v0, h0, vk, hk, mu, lambda, model.0, step]);
        if let (1, Some(offsets)) = (op.centred, offsets) {
            self.recentre(Model(step), offsets, model);
        }
    }

    fn limit_norms(&mut self, op: &LimitNorms, model: Model) {
        self.dispatch(Kernel::LimitNorms, op, &[model.0]);
    }

    fn fix_gauge(&mut self, model: Model) {
        for (layer, at) in self.places() {
            let Part { side, kind, first, units, columns, .. } = self.blocks[layer.number() as usize][at];
            if kind == POTTS {
                let op = FixGauge { side, first, units, columns };
                self.dispatch(Kernel::FixGauge, &op, &[model.0]);
            }
        }
    }

    fn track(&mut self, op: &Track, hidden: Units, means: Values) {
        self.dispatch(Kernel::Track, op, &[self.units[hidden.number].means, means.0]);
    }

    fn track_variances(&mut self, op: &Track, hidden: Units, means: Values, variances: Values) {
        let UnitsBuffers { means: of_units, moments, .. } = self.units[hidden.number];
        let &Track { rows, rate } = op;
        for at in 0..self.blocks[1].len() {
            let Part { kind, first, units, columns, .. } = self.blocks[1][at];
            let op = TrackVariances { rows, rate, kind, first, units: units * columns };
            self.dispatch(Kernel::TrackVariances, &op, &[of_units, moments, means.0, variances.0]);
        }
    }

    fn combine(&mut self, op: &Combine, other: Model, model: Model) {
        self.dispatch(Kernel::Combine, op, &[other.0, model.0]);
    }

    fn squared_error(&mut self, op: &SquaredError, visible: Units, reconstruction: Units, values: Values) {
        let buffers = [self.units[visible.number].states, self.units[reconstruction.number].means, values.0];
        self.dispatch(Kernel::SquaredError, op, &buffers);
    }

    fn free_energy(&mut self, op: &FreeEnergy, path: Path, visible: Units, values: Values) {
        let (states, base) = (self.units[visible.number].states, self.base(path));
        let &FreeEnergy { rows, beta, less } = op;
        let factors = (beta, 1.0 - beta);
        let is_binary = self.layers.hidden.is_binary();
        if is_binary {
            self.dispatch(Kernel::FreeEnergy, op, &[path.model.0, states, base, values.0]);
            return self.potentials(rows, Side::Visible, (1, 1.0), factors, path, states, values);
        }
        self.potentials(rows, Side::Visible, (0, -less), factors, path, states, values);
        let Some((inputs, _)) = self.inputs else { return };
        let draw = Draw { source: Draw::INPUTS, ..Draw::none() };
        self.product(Side::Hidden, &HalfStep { draw, rows, beta }, path, [states, inputs, self.unused]);
        for at in 0..self.blocks[1].len() {
            let Part { side, kind, first, units, columns, numbers } = self.blocks[1][at];
            let op = Cumulants { rows, beta, side, kind, first, units, columns, numbers };
            self.dispatch(Kernel::Cumulants, &op, &[path.model.0, inputs, base, values.0]);
        }
    }

    fn energy(&mut self, op: &Energy, path: Path, pair: Pair, values: Values) {
        let [v, h] = [pair.visible, pair.hidden].map(|units| self.units[units.number].states);
        self.dispatch(Kernel::Energy, op, &[path.model.0, v, h, self.base(path), values.0]);
        for (side, states) in [(Side::Visible, v), (Side::Hidden, h)] {
            self.potentials(op.rows, side, (1, 1.0), (1.0, -1.0), path, states, values);
        }
    }

    fn swap(
        &mut self,
        op: &Swap,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    ) {
        let [cold_states, hot_states] = [cold, hot].map(|(units, _)| self.units[units.number].states);
        let buffers = [self.uniforms, cold_states, hot_states, cold.1.0, hot.1.0, accepted.0, trips.0];
        self.dispatch(Kernel::Swap, op, &buffers);
    }

    fn clamp_units(&mut self, op: &ClampUnits, known: Units, mask: Values, visible: Units) {
        let [known, states] = [known, visible].map(|units| self.units[units.number].states);
        self.dispatch(Kernel::ClampUnits, op, &[known, mask.0, states]);
    }

    fn fill_missing(
        &mut self,
        op: &FillMissing,
        observed: Units,
        fill: Values,
        mask: Values,
        visible: Units,
    ) {
        let [observed, states] = [observed, visible].map(|units| self.units[units.number].states);
        self.dispatch(Kernel::FillMissing, op, &[observed, fill.0, mask.0, states]);
    }

    fn submit(&mut self) -> Result<()> {
        let Some(submission) = self.flush() else { return Ok(()) };
        match self.in_flight.replace(submission) {
            Some(previous) => {
                self.context.wait(Some(previous))?;
                self.pace().waited();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn read(&mut self, buffer: Buffer, rows: usize) -> Reading {
        let shape = self.shape;
        let padded = |units: Units| rows * memory::stride(shape.units(units.layer));
        let (words, layer) = match buffer {
            Buffer::Model(model) => {
                let (words, layers) = (memory::parameters_len(&self.layers), self.layers.clone());
                let words = self.read_words(model.0, words);
                return Box::pin(async move { Ok(memory::split(&words.await?, &layers)) });
            }
            Buffer::Values(values) => return Box::pin(self.read_words(values.0, rows)),
            Buffer::Means(units) => {
                (self.read_words(self.units[units.number].means, padded(units)), units.layer)
            }
            Buffer::States(units) => {
                (self.read_words(self.units[units.number].states, padded(units)), units.layer)
            }
            Buffer::Moments(units) => {
                let words = rows * memory::moments_len(self.layers.side(units.layer));
                if words == 0 {
                    return Box::pin(std::future::ready(Ok(Vec::new())));
                }
                (self.read_words(self.units[units.number].moments, words), units.layer)
            }
        };
        Box::pin(async move { Ok(memory::unpad_rows(&words.await?, shape.units(layer))) })
    }

    fn lose(&mut self) {
        self.context.device.destroy();
    }

    fn wait(&mut self) -> Result<()> {
        self.flush();
        self.context.wait(None)
    }
}
