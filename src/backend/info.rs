//! Names a device, for people and for reports.

use std::fmt;

/// What sort of device it is; in JSON and in words, the variant's name in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU that a virtual machine has a share of.
    Virtual,
    /// An adapter that its driver does not classify.
    Other,
    /// An adapter that computes on the processor, such as llvmpipe.
    Software,
    /// The native path ([`crate::cpu`]).
    Cpu,
    /// The oracle ([`mod@crate::reference`]).
    Reference,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Other => "other",
            Self::Software => "software",
            Self::Cpu => "cpu",
            Self::Reference => "reference",
        })
    }
}

/// A device, for people and for reports.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DeviceInfo {
    /// The name given by the driver or the processor.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, `cpu` or `reference`.
    pub backend: String,
    /// What sort of device it is.
    pub kind: DeviceKind,
    /// The driver and its version, or the instruction set and threads of a CPU.
    pub driver: String,
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.kind, self.driver)
    }
}
