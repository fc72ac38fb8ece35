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
        Ascent, Backend, Buffer, Ceiling, ClampVisible, Clip, Combine, Contrast, Copy, Data, DeviceInfo,
        Energy, FreeEnergy, Gather, HalfStep, LimitNorms, Memory, Model, MultiplyAdd, Offsets, Pair, Path,
        Reading, Recentre, SquaredError, Swap, Track, Units, Update, Values, operation::Operation,
    },
    data::RowLayout,
    error::Result,
    rbm::{Layers, Rbm, Shape, Side},
};
use kernels::{Kernel, Size};
use pace::Pace;
use reading::Mapped;
use tile::Tile;

/// The most dispatches in a command buffer.
const SLOTS: usize = 1024;
/// Bytes of a dispatch's uniform: enough for every operation and the numbers of units.
const UNIFORM_BYTES: usize = 80;

/// Storage buffers of a dispatch, by binding; the rest is unused.
type Bindings = [Option<usize>; 8];

/// Models on a GPU, or on a software adapter.
pub struct Gpu {
    context: Arc<Context>,
    layers: Layers,
    shape: Shape,
    /// One tile for all dispatches, instead of the best for each.
    tile: Option<Tile>,
    buffers: Vec<wgpu::Buffer>,
    bind_groups: HashMap<(Kernel, Bindings), wgpu::BindGroup>,
    units: Vec<UnitsBuffers>,
    data: Vec<DataBuffers>,
    uniforms: usize,
    /// Zeros for kernels whose offsets or base are missing: one number per unit of the wider layer.
    zeros: usize,
    /// Scratch for the step of an update without a velocity.
    step: usize,
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
        let mut gpu = Self {
            layers,
            shape,
            tile,
            buffers: Vec::new(),
            bind_groups: HashMap::new(),
            units: Vec::new(),
            data: Vec::new(),
            uniforms: 0,
            zeros: 0,
            step: 0,
            slots,
            slot_size,
            slot_bytes: Vec::with_capacity(SLOTS * slot_size),
            recorded: Vec::with_capacity(SLOTS),
            in_flight: None,
            pace: Arc::new(Mutex::new(Pace::new())),
            context,
        };
        gpu.zeros = gpu.buffer("zeros", memory::stride(shape.visible.max(shape.hidden)))?;
        gpu.step = gpu.buffer("step", memory::parameters_len(shape))?;
        gpu.uniforms = gpu.buffer("uniforms", 4)?;
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
        const { assert!(size_of::<O>() + 8 <= UNIFORM_BYTES, "every operation fits a slot") };
        if op.rows() == 0 {
            return;
        }
        let size = Size::of(op, self.shape);
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
        let Shape { visible, hidden } = self.shape;
        self.slot_bytes.extend_from_slice(bytemuck::bytes_of(op));
        self.slot_bytes.extend_from_slice(bytemuck::bytes_of(&[visible as u32, hidden as u32]));
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
        self.buffer("parameters", memory::parameters_len(self.shape)).map(Model)
    }

    fn units(&mut self, layer: Side, rows: usize) -> Result<Units> {
        let width = self.shape.units(layer);
        let words = rows * memory::stride(width);
        let buffers =
            UnitsBuffers { means: self.buffer("means", words)?, states: self.buffer("states", words)? };
        // Zeros, except for the bias unit.
        let zeros = memory::pad_rows(&vec![0.0; rows * width], width);
        self.write(buffers.means, &zeros);
        self.write(buffers.states, &zeros);
        self.units.push(buffers);
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
        let (input, UnitsBuffers { means, states }) = (self.units[from.number].states, self.units[to.number]);
        let (model, uniforms, base) = (path.model.0, self.uniforms, self.base(path));
        match to.layer {
            Side::Hidden => self.dispatch(Kernel::SampleHidden, op, &[model, input, uniforms, means, states]),
            Side::Visible => {
                self.dispatch(Kernel::SampleVisible, op, &[model, input, uniforms, base, means, states]);
            }
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
        let squares = squares.map_or(self.step, |squares| squares.0);
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
        let [v0, h0, vk, hk, mu, lambda] = self.phases(positive, negative, offsets);
        let (step, momentum) = match velocity {
            Some(velocity) => (velocity.0, op.momentum),
            None => (self.step, 0.0),
        };
        let op = &Update { momentum, ..*op };
        self.dispatch(Kernel::Update, op, &[v0, h0, vk, hk, mu, lambda, model.0, step]);
        if let (1, Some(offsets)) = (op.centred, offsets) {
            self.recentre(Model(step), offsets, model);
        }
    }

    fn limit_norms(&mut self, op: &LimitNorms, model: Model) {
        self.dispatch(Kernel::LimitNorms, op, &[model.0]);
    }

    fn track(&mut self, op: &Track, hidden: Units, means: Values) {
        self.dispatch(Kernel::Track, op, &[self.units[hidden.number].means, means.0]);
    }

    fn combine(&mut self, op: &Combine, other: Model, model: Model) {
        self.dispatch(Kernel::Combine, op, &[other.0, model.0]);
    }

    fn squared_error(&mut self, op: &SquaredError, visible: Units, reconstruction: Units, values: Values) {
        let buffers = [self.units[visible.number].states, self.units[reconstruction.number].means, values.0];
        self.dispatch(Kernel::SquaredError, op, &buffers);
    }

    fn free_energy(&mut self, op: &FreeEnergy, path: Path, visible: Units, values: Values) {
        let buffers = [path.model.0, self.units[visible.number].states, self.base(path), values.0];
        self.dispatch(Kernel::FreeEnergy, op, &buffers);
    }

    fn energy(&mut self, op: &Energy, path: Path, pair: Pair, values: Values) {
        let [v, h] = [pair.visible, pair.hidden].map(|units| self.units[units.number].states);
        self.dispatch(Kernel::Energy, op, &[path.model.0, v, h, self.base(path), values.0]);
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

    fn clamp_visible(&mut self, op: &ClampVisible, known: Units, mask: Values, visible: Units) {
        let [known, states] = [known, visible].map(|units| self.units[units.number].states);
        self.dispatch(Kernel::ClampVisible, op, &[known, mask.0, states]);
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
                let words = self.read_words(model.0, memory::parameters_len(shape));
                return Box::pin(async move { Ok(memory::split(&words.await?, shape)) });
            }
            Buffer::Values(values) => return Box::pin(self.read_words(values.0, rows)),
            Buffer::Means(units) => {
                (self.read_words(self.units[units.number].means, padded(units)), units.layer)
            }
            Buffer::States(units) => {
                (self.read_words(self.units[units.number].states, padded(units)), units.layer)
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
