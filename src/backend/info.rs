//! Names a device, for people and for reports.

/// A device, for people and for reports.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DeviceInfo {
    /// The name given by the driver or the processor.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, `cpu` or `reference`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software`, `other`, `cpu` or `reference`.
    pub kind: String,
    /// The driver and its version, or the instruction set and threads of a CPU.
    pub driver: String,
}

impl std::fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.kind, self.driver)
    }
}
