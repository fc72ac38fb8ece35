//! The choice of a device.

use std::{fmt, str::FromStr};

use crate::{
    backend::{DeviceInfo, DeviceKind},
    error::{Error, Result, usage},
};

/// Which device to compute on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best there is: a discrete GPU, then an integrated one, then the native CPU path.
    Auto,
    /// A discrete GPU.
    Discrete,
    /// An integrated GPU.
    Integrated,
    /// A software Vulkan adapter, such as Mesa's llvmpipe.
    Software,
    /// The native CPU path.
    Cpu,
    /// The oracle: textbook loops, slow.
    Reference,
    /// The first adapter whose name contains this, in any case.
    Name(String),
}

impl DeviceChoice {
    /// The choice that means this device and no other kind.
    pub fn of(device: &DeviceInfo) -> Self {
        match device.kind {
            DeviceKind::Cpu => Self::Cpu,
            DeviceKind::Reference => Self::Reference,
            _ => Self::Name(device.name.clone()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "" => return usage!("expected a device's name, found nothing; `rbm-gpu devices` lists them"),
            "auto" => Self::Auto,
            "discrete" => Self::Discrete,
            "integrated" => Self::Integrated,
            "software" => Self::Software,
            "cpu" => Self::Cpu,
            "reference" => Self::Reference,
            name => Self::Name(name.into()),
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Software => "software",
            Self::Cpu => "cpu",
            Self::Reference => "reference",
            Self::Name(name) => name,
        })
    }
}
