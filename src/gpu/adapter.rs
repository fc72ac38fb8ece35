//! The adapters of this machine.

use crate::backend::{DeviceInfo, DeviceKind};

/// Every adapter of the native backends, best first: discrete, integrated, virtual, other, software.
pub fn all() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// Describes an adapter.
pub fn info(adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    DeviceInfo {
        name: info.name,
        backend: info.backend.to_str().into(),
        kind: kind(info.device_type),
        driver: [info.driver, info.driver_info].join(" ").trim().into(),
    }
}

fn kind(device_type: wgpu::DeviceType) -> DeviceKind {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
        wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
        wgpu::DeviceType::Other => DeviceKind::Other,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
    }
}

/// Limits to request: WebGPU's defaults, which the kernels keep to, or the adapter's if lower (it may lack what only
/// graphics need), and the adapter's largest buffers.
pub fn limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let offered = adapter.limits();
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        ..wgpu::Limits::default().or_worse_values_from(&offered)
    }
}

/// The largest buffer that a kernel can bind, in bytes.
pub fn largest_buffer(adapter: &wgpu::Adapter) -> u64 {
    let limits = limits(adapter);
    limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
}
