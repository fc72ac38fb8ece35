//! The wgpu path: the kernels of `shaders/` on any vendor's GPU.
//!
//! The verbs of [`Backend`] are recorded as dispatches, each with its own slot of parameters, and sent off in one
//! command buffer by [`Backend::submit`]. No buffer is made on the way: bind groups are kept, and every write
//! goes through the queue's own staging. `Gpu::read` is the only place that waits for data.

pub mod adapter;
mod context;
pub mod kernels;
mod memory;
mod pace;
pub mod tile;
mod wgsl;

pub use context::Context;

use std::{collections::HashMap, sync::Arc};

use crate::{
    backend::{Backend, Data, DeviceInfo, Kept, Params, Units, Values},
    data::RowLayout,
    error::Result,
    rbm::{Layer, Rbm, Shape},
};
use kernels::Kernel;
use pace::Pace;
use tile::Tile;

/// Dispatches in a command buffer, at most.
const SLOTS: usize = 1024;

/// The storage buffers of a dispatch in the order of its bindings; the rest is not used.
type Bindings = [Option<usize>; 8];

/// A model on a GPU, or on a software adapter.
pub struct Gpu {
    context: Arc<Context>,
    shape: Shape,
    /// Instead of the tile that suits each dispatch.
    tile: Option<Tile>,
    buffers: Vec<wgpu::Buffer>,
    bind_groups: HashMap<(Kernel, Bindings), wgpu::BindGroup>,
    units: Vec<UnitsBuffers>,
    data: Vec<DataBuffers>,
    parameters: usize,
    velocity: usize,
    /// Whether the squares and the step lie after the velocity.
    has_moments: bool,
    average: usize,
    /// The fast weights, and their sum with the parameters, if there are any.
    fast: Option<[usize; 2]>,
    snapshots: Vec<usize>,
    offsets: [usize; 2],
    uniforms: usize,
    slots: wgpu::Buffer,
    slot_size: usize,
    slot_bytes: Vec<u8>,
    recorded: Vec<Dispatch>,
    in_flight: Option<wgpu::SubmissionIndex>,
    pace: Pace,
}

#[derive(Clone, Copy)]
struct UnitsBuffers {
    layer: Layer,
    means: usize,
    states: usize,
}

#[derive(Clone, Copy)]
struct DataBuffers {
    words: usize,
    order: usize,
}

/// One kernel to run, and where its parameters lie in the buffer of slots.
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    slot: u32,
    workgroups: (u32, u32),
}

impl Gpu {
    /// Room for a model of this shape, with the tile that suits each dispatch, or one for all.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if there is no room.
    pub fn new(context: Arc<Context>, shape: Shape, tile: Option<Tile>) -> Result<Self> {
        let device = &context.device;
        let alignment = device.limits().min_uniform_buffer_offset_alignment as usize;
        let slot_size = size_of::<Params>().next_multiple_of(alignment);
        let slots = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("rbm.params"),
            size: (SLOTS * slot_size) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut gpu = Self {
            shape,
            tile,
            buffers: Vec::new(),
            bind_groups: HashMap::new(),
            units: Vec::new(),
            data: Vec::new(),
            parameters: 0,
            velocity: 0,
            has_moments: false,
            average: 0,
            fast: None,
            snapshots: Vec::new(),
            offsets: [0; 2],
            uniforms: 0,
            slots,
            slot_size,
            slot_bytes: Vec::with_capacity(SLOTS * slot_size),
            recorded: Vec::with_capacity(SLOTS),
            in_flight: None,
            pace: Pace::new(),
            context,
        };
        let size = memory::parameters_len(shape);
        gpu.parameters = gpu.buffer("parameters", size)?;
        gpu.velocity = gpu.buffer("velocity", size)?;
        gpu.average = gpu.buffer("average", size)?;
        gpu.offsets = [
            gpu.buffer("visible offsets", memory::stride(shape.visible))?,
            gpu.buffer("hidden offsets", memory::stride(shape.hidden))?,
        ];
        gpu.uniforms = gpu.buffer("uniforms", 4)?;
        Ok(gpu)
    }

    /// A storage buffer of `words` 32-bit words, all zero.
    fn buffer(&mut self, label: &str, words: usize) -> Result<usize> {
        self.buffers.push(self.context.storage_buffer(label, words)?);
        Ok(self.buffers.len() - 1)
    }

    fn write<T: bytemuck::NoUninit>(&mut self, buffer: usize, values: &[T]) {
        self.write_from(buffer, 0, values);
    }

    /// The same from a word on.
    fn write_from<T: bytemuck::NoUninit>(&mut self, buffer: usize, first: usize, values: &[T]) {
        // The queue's writes land before the next submission: what was recorded must not see them.
        self.flush();
        let values = bytemuck::cast_slice(values);
        self.context.queue.write_buffer(&self.buffers[buffer], 4 * first as u64, values);
    }

    /// Where something is kept beside the parameters, if there is room for it: the buffer, and its first word there.
    fn kept(&self, kept: Kept) -> Option<(usize, usize)> {
        match kept {
            Kept::Average => Some((self.average, 0)),
            Kept::Squares => self.has_moments.then(|| (self.velocity, memory::parameters_len(self.shape))),
            Kept::Fast => self.fast.map(|[weights, _]| (weights, 0)),
            Kept::FastSum => self.fast.map(|[_, sum]| (sum, 0)),
            Kept::Snapshot(number) => self.snapshots.get(number).map(|&snapshot| (snapshot, 0)),
        }
    }

    /// Records one kernel; `buffers` are its storage bindings in order.
    fn dispatch(&mut self, kernel: Kernel, params: &Params, buffers: &[usize]) {
        if params.rows == 0 {
            return;
        }
        let work = kernel.work(params);
        if self.recorded.len() == SLOTS || self.pace.is_full(work) {
            self.flush();
        }
        self.pace.record(work);
        let bindings = std::array::from_fn(|binding| buffers.get(binding).copied());
        let bind_group = match self.bind_groups.get(&(kernel, bindings)) {
            Some(bind_group) => bind_group.clone(),
            None => {
                let bind_group = self.bind_group(kernel, buffers);
                self.bind_groups.insert((kernel, bindings), bind_group.clone());
                bind_group
            }
        };
        let product = kernel.product(params);
        let tile = product.map(|product| self.tile.unwrap_or_else(|| self.context.tiles.choose(product)));
        let workgroups = match product.zip(tile) {
            Some((product, tile)) => tile.workgroups(product),
            None => (kernel.workgroups(params), 1),
        };
        let slot = self.slot_bytes.len();
        self.slot_bytes.extend_from_slice(bytemuck::bytes_of(params));
        self.slot_bytes.resize(slot + self.slot_size, 0);
        self.recorded.push(Dispatch {
            pipeline: self.context.pipeline(kernel, tile),
            bind_group,
            slot: slot as u32,
            workgroups,
        });
    }

    fn bind_group(&self, kernel: Kernel, buffers: &[usize]) -> wgpu::BindGroup {
        let params = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.slots,
            offset: 0,
            size: std::num::NonZeroU64::new(size_of::<Params>() as u64),
        });
        let storage = buffers.iter().map(|&buffer| self.buffers[buffer].as_entire_binding());
        let entries: Vec<_> = std::iter::once(params)
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

    /// The parameters that a half step or a free energy takes.
    fn parameters_for(&self, params: &Params) -> usize {
        match (params.snapshot(), self.fast) {
            (Some(number), _) => self.snapshots[number],
            (None, Some([_, sum])) if params.has(Params::FAST) => sum,
            _ => self.parameters,
        }
    }

    /// Sends off what was recorded.
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
        self.pace.send();
        Some(self.context.queue.submit([encoder.finish()]))
    }

    /// Waits for everything, then gives the first `words` of a buffer.
    fn read(&mut self, buffer: usize, words: usize) -> Result<Vec<f32>> {
        self.read_from(buffer, 0, words)
    }

    /// The same from a word on.
    fn read_from(&mut self, buffer: usize, first: usize, words: usize) -> Result<Vec<f32>> {
        self.flush();
        let size = (words * 4) as u64;
        let staging = self.context.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("rbm.readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.context.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[buffer], 4 * first as u64, &staging, 0, size);
        self.context.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| {}); // a failure shows in get_mapped_range
        self.context.wait(None)?;
        self.pace.waited();
        let view = staging.get_mapped_range(..).map_err(|error| self.context.failed(error.to_string()))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }
}

impl Backend for Gpu {
    fn info(&self) -> &DeviceInfo {
        &self.context.info
    }

    fn units(&mut self, layer: Layer, rows: usize) -> Result<Units> {
        let words = rows * memory::stride(self.shape.units(layer));
        let means = self.buffer("means", words)?;
        let states = self.buffer("states", words)?;
        // Zeros, but for the unit that is always on.
        let width = self.shape.units(layer);
        let zeros = memory::pad_rows(&vec![0.0; rows * width], width);
        self.write(means, &zeros);
        self.write(states, &zeros);
        self.units.push(UnitsBuffers { layer, means, states });
        Ok(Units(self.units.len() - 1))
    }

    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        let words = self.buffer("data", rows * layout.words())?;
        let order = self.buffer("order", rows)?;
        self.data.push(DataBuffers { words, order });
        Ok(Data(self.data.len() - 1))
    }

    fn values(&mut self, rows: usize) -> Result<Values> {
        self.buffer("values", rows).map(Values)
    }

    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.uniforms = self.buffer("uniforms", count)?;
        Ok(())
    }

    fn moments(&mut self) -> Result<()> {
        // One buffer, as a kernel has no more than eight: the velocity, the squares, and the step.
        self.velocity = self.buffer("moments", 3 * memory::parameters_len(self.shape))?;
        self.has_moments = true;
        Ok(())
    }

    fn fast_room(&mut self) -> Result<()> {
        let size = memory::parameters_len(self.shape);
        self.fast =
            Some([self.buffer("fast weights", size)?, self.buffer("parameters and fast weights", size)?]);
        Ok(())
    }

    fn snapshot_room(&mut self, count: usize) -> Result<()> {
        let size = memory::parameters_len(self.shape);
        self.snapshots = (0..count).map(|_| self.buffer("snapshot", size)).collect::<Result<_>>()?;
        Ok(())
    }

    fn write_rbm(&mut self, rbm: &Rbm, velocity: &Rbm) {
        self.write(self.parameters, &memory::augment(rbm));
        self.write(self.velocity, &memory::augment(velocity));
    }

    fn write_offsets(&mut self, visible: &[f32], hidden: &[f32]) {
        for (buffer, offsets) in self.offsets.into_iter().zip([visible, hidden]) {
            // Nothing is taken off the unit that is always on.
            let mut padded = vec![0.0; memory::stride(offsets.len())];
            padded[..offsets.len()].copy_from_slice(offsets);
            self.write(buffer, &padded);
        }
        self.write(self.average, &vec![0.0_f32; memory::parameters_len(self.shape)]);
    }

    fn write_kept(&mut self, kept: Kept, values: &Rbm) {
        if let Some((buffer, first)) = self.kept(kept) {
            self.write_from(buffer, first, &memory::augment(values));
        }
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
        let buffers = self.units[units.0];
        let width = self.shape.units(buffers.layer);
        self.write(buffers.means, &memory::pad_rows(means, width));
        self.write(buffers.states, &memory::pad_rows(states, width));
    }

    fn write_values(&mut self, values: Values, numbers: &[f32]) {
        self.write(values.0, numbers);
    }

    fn gather(&mut self, params: &Params, data: Data, visible: Units) {
        let (data, states) = (self.data[data.0], self.units[visible.0].states);
        self.dispatch(Kernel::Gather, params, &[data.words, data.order, self.uniforms, states]);
    }

    fn sample_hidden(&mut self, params: &Params, visible: Units, hidden: Units) {
        let (input, output) = (self.units[visible.0], self.units[hidden.0]);
        let parameters = self.parameters_for(params);
        let buffers = [parameters, input.states, self.uniforms, output.means, output.states];
        self.dispatch(Kernel::SampleHidden, params, &buffers);
    }

    fn sample_visible(&mut self, params: &Params, hidden: Units, visible: Units) {
        let (input, output) = (self.units[hidden.0], self.units[visible.0]);
        let parameters = self.parameters_for(params);
        let buffers = [parameters, input.states, self.uniforms, output.means, output.states];
        self.dispatch(Kernel::SampleVisible, params, &buffers);
    }

    fn update(&mut self, params: &Params, positive: (Units, Units), negative: (Units, Units)) {
        let phase = |(v, h): (Units, Units)| [self.units[v.0].states, self.units[h.0].means];
        let ([v0, h0], [vk, hk]) = (phase(positive), phase(negative));
        let [mu, lambda] = self.offsets;
        let buffers = [v0, h0, vk, hk, mu, lambda, self.parameters, self.velocity];
        self.dispatch(Kernel::Update, params, &buffers);
        if params.has(Params::CENTRED) {
            self.dispatch(Kernel::Centre, params, &[self.velocity, mu, lambda, self.parameters]);
        }
    }

    fn limit_norms(&mut self, params: &Params) {
        self.dispatch(Kernel::LimitNorms, params, &[self.parameters]);
    }

    fn track(&mut self, params: &Params, hidden: Units) {
        self.dispatch(Kernel::Track, params, &[self.units[hidden.0].means, self.offsets[1]]);
    }

    fn average(&mut self, params: &Params) {
        self.dispatch(Kernel::Average, params, &[self.parameters, self.average]);
    }

    fn fast_weights(&mut self, params: &Params) {
        if let Some([fast, sum]) = self.fast {
            self.dispatch(Kernel::FastWeights, params, &[self.parameters, self.velocity, fast, sum]);
        }
    }

    fn keep(&mut self, snapshot: usize) {
        let words = Params::new(self.shape, memory::parameters_len(self.shape), 0);
        self.dispatch(Kernel::Copy, &words, &[self.parameters, self.snapshots[snapshot]]);
    }

    fn exchange_average(&mut self) {
        std::mem::swap(&mut self.parameters, &mut self.average);
    }

    fn squared_error(&mut self, params: &Params, visible: Units, reconstruction: Units, values: Values) {
        let buffers = [self.units[visible.0].states, self.units[reconstruction.0].means, values.0];
        self.dispatch(Kernel::SquaredError, params, &buffers);
    }

    fn free_energy(&mut self, params: &Params, visible: Units, values: Values) {
        let buffers = [self.parameters_for(params), self.units[visible.0].states, values.0];
        self.dispatch(Kernel::FreeEnergy, params, &buffers);
    }

    fn energy(&mut self, params: &Params, visible: Units, hidden: Units, values: Values) {
        let states = [visible, hidden].map(|units| self.units[units.0].states);
        self.dispatch(Kernel::Energy, params, &[self.parameters, states[0], states[1], values.0]);
    }

    fn temper_bias(&mut self, params: &Params, base: Values, values: Values) {
        self.dispatch(Kernel::TemperBias, params, &[self.parameters, base.0, values.0]);
    }

    fn swap(
        &mut self,
        params: &Params,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    ) {
        let [cold_states, hot_states] = [cold, hot].map(|(units, _)| self.units[units.0].states);
        let buffers = [self.uniforms, cold_states, hot_states, cold.1.0, hot.1.0, accepted.0, trips.0];
        // The kernel knows one layer: whichever it is.
        let units = self.shape.units(self.units[cold.0.0].layer) as u32;
        self.dispatch(Kernel::Swap, &Params { hidden: units, ..*params }, &buffers);
    }

    fn clamp_visible(&mut self, params: &Params, known: Units, mask: Values, visible: Units) {
        let [known, states] = [known, visible].map(|units| self.units[units.0].states);
        self.dispatch(Kernel::ClampVisible, params, &[known, mask.0, states]);
    }

    fn set_visible_bias(&mut self, params: &Params, values: Values) {
        self.dispatch(Kernel::SetVisibleBias, params, &[values.0, self.parameters]);
    }

    fn multiply_add(&mut self, params: &Params, values: Values) {
        self.dispatch(Kernel::MultiplyAdd, params, &[values.0]);
    }

    fn copy(&mut self, params: &Params, from: Values, to: Values) {
        self.dispatch(Kernel::Copy, params, &[from.0, to.0]);
    }

    fn submit(&mut self) -> Result<()> {
        let Some(submission) = self.flush() else { return Ok(()) };
        match self.in_flight.replace(submission) {
            Some(previous) => {
                self.context.wait(Some(previous))?;
                self.pace.waited();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn read_rbm(&mut self) -> Result<(Rbm, Rbm)> {
        let words = memory::parameters_len(self.shape);
        let parameters = self.read(self.parameters, words)?;
        let velocity = self.read(self.velocity, words)?;
        Ok((memory::split(&parameters, self.shape), memory::split(&velocity, self.shape)))
    }

    fn read_kept(&mut self, kept: Kept) -> Result<Rbm> {
        let words = memory::parameters_len(self.shape);
        let Some((buffer, first)) = self.kept(kept) else { return Ok(Rbm::zeros(self.shape)) };
        let values = self.read_from(buffer, first, words)?;
        Ok(memory::split(&values, self.shape))
    }

    fn read_offsets(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        let [visible, hidden] = self.offsets;
        let Shape { visible: m, hidden: n } = self.shape;
        Ok((self.read(visible, m)?, self.read(hidden, n)?))
    }

    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let buffers = self.units[units.0];
        let width = self.shape.units(buffers.layer);
        let words = rows * memory::stride(width);
        let means = self.read(buffers.means, words)?;
        let states = self.read(buffers.states, words)?;
        Ok((memory::unpad_rows(&means, width), memory::unpad_rows(&states, width)))
    }

    fn read_values(&mut self, values: Values, rows: usize) -> Result<Vec<f32>> {
        self.read(values.0, rows)
    }

    fn lose(&mut self) {
        self.context.device.destroy();
    }

    fn wait(&mut self) -> Result<()> {
        self.flush();
        self.context.wait(None)
    }
}
