//! Names a device, for people and for reports.

use crate::device::choice::DeviceChoice;

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

impl DeviceInfo {
    /// The choice that selects this device and no other kind.
    pub fn choice(&self) -> DeviceChoice {
        match self.kind.as_str() {
            "cpu" => DeviceChoice::Cpu,
            "reference" => DeviceChoice::Reference,
            _ => DeviceChoice::Name(self.name.clone()),
        }
    }
}

impl std::fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.kind, self.driver)
    }
}
