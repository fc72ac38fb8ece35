//! An open device and its compiled pipelines, which several models can share.

use std::{
    collections::HashMap,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    UNIFORM_BYTES, adapter,
    kernels::Kernel,
    tile::{Tile, Tiles},
};
use crate::{
    backend::DeviceInfo,
    error::{Error, Result, usage},
};

/// An open device.
pub struct Context {
    pub(super) info: DeviceInfo,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// Tiles for this kind of adapter.
    pub(super) tiles: Tiles,
    layouts: HashMap<Kernel, wgpu::BindGroupLayout>,
    pipelines: Mutex<HashMap<(Kernel, Option<Tile>), wgpu::ComputePipeline>>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`Error::Device`] if the driver refuses.
    pub fn open(adapter: &wgpu::Adapter) -> Result<Arc<Self>> {
        let info = adapter::info(adapter);
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("rbm"),
            required_limits: adapter::limits(adapter),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        }))
        .map_err(|error| Error::Device { device: info.name.clone(), reason: error.to_string() })?;

        let failure = Arc::new(Mutex::new(None));
        let keep_first = |failure: &Mutex<Option<String>>, reason: String| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        };
        let slot = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error| keep_first(&slot, error.to_string())));
        let slot = failure.clone();
        // Set before the errors that follow. When the device is dropped on purpose, nobody reads it.
        device.set_device_lost_callback(move |_, message| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("it was lost: {message}"));
        });
        let layouts = Kernel::ALL.map(|kernel| (kernel, bind_group_layout(&device, kernel)));
        let pipelines = Mutex::default();
        let tiles = Tiles::for_adapter(adapter);
        Ok(Arc::new(Self { info, device, queue, tiles, layouts: layouts.into(), pipelines, failure }))
    }

    /// What the device is.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The number of allocations in device memory, and their bytes; `None` where the backend doesn't say.
    pub fn allocated(&self) -> Option<(usize, u64)> {
        let report = self.device.generate_allocator_report()?;
        Some((report.allocations.len(), report.total_allocated_bytes))
    }

    pub(super) fn layout(&self, kernel: Kernel) -> &wgpu::BindGroupLayout {
        &self.layouts[&kernel]
    }

    /// The compiled kernel; compiles it at first use.
    pub(super) fn pipeline(&self, kernel: Kernel, tile: Option<Tile>) -> wgpu::ComputePipeline {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        pipelines.entry((kernel, tile)).or_insert_with(|| self.compile(kernel, tile)).clone()
    }

    fn compile(&self, kernel: Kernel, tile: Option<Tile>) -> wgpu::ComputePipeline {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.label()),
            source: wgpu::ShaderSource::Wgsl(kernel.source(tile).into()),
        };
        let module = if cfg!(debug_assertions) {
            self.device.create_shader_module(descriptor)
        } else {
            let unchecked = wgpu::ShaderRuntimeChecks::unchecked();
            // SAFETY: the kernels stay within their buffers, and their loops end: the tests run them with the checks on, at
            // sizes around every edge. Without the checks a product is up to 1.6 times as fast on some drivers.
            unsafe { self.device.create_shader_module_trusted(descriptor, unchecked) }
        };
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.label()),
            bind_group_layouts: &[Some(self.layout(kernel))],
            immediate_size: 0,
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.label()),
            layout: Some(&layout),
            module: &module,
            entry_point: Some(kernel.name()),
            // Every word of workgroup memory is written before it is read.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        })
    }

    /// Allocates a storage buffer of `words` 32-bit words, all zero.
    pub(super) fn storage_buffer(&self, label: &str, words: usize) -> Result<wgpu::Buffer> {
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&format!("rbm.{label}")),
            size: 4 * words.next_multiple_of(4) as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let errors = [pollster::block_on(validation.pop()), pollster::block_on(memory.pop())];
        match errors.into_iter().flatten().next() {
            None => Ok(buffer),
            Some(error) => usage!(
                "{} has no room for {label} of {:.1} MB ({error}); choose a smaller ‹batch› or ‹hidden›",
                self.info.name,
                words as f64 * 4e-6
            ),
        }
    }

    /// Waits for a submission, or for all.
    pub(super) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (failure, poll) {
            (Some(reason), _) => Err(self.failed(reason)),
            (None, Err(error)) => Err(self.failed(error.to_string())),
            (None, Ok(_)) => Ok(()),
        }
    }

    pub(super) fn failed(&self, reason: String) -> Error {
        // Drivers' reasons span several lines.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Error::Device { device: self.info.name.clone(), reason }
    }
}

/// Binding 0 is the uniform, with a dynamic offset; the others are storage.
fn bind_group_layout(device: &wgpu::Device, kernel: Kernel) -> wgpu::BindGroupLayout {
    let uniform = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: true,
        min_binding_size: NonZeroU64::new(UNIFORM_BYTES as u64),
    };
    let storage = kernel.writes().iter().map(|write| wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: !write },
        has_dynamic_offset: false,
        min_binding_size: None,
    });
    let visibility = wgpu::ShaderStages::COMPUTE;
    let entries: Vec<_> = std::iter::once(uniform)
        .chain(storage)
        .zip(0..)
        .map(|(ty, binding)| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.label()),
        entries: &entries,
    })
}
