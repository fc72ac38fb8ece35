//! Which device to compute on, and whether the work fits it.

use sysinfo::{MemoryRefreshKind, System};

use crate::{
    backend::{Backend, DeviceInfo},
    config::DeviceChoice,
    cpu::Cpu,
    data::RowLayout,
    error::{Result, usage},
    gpu::{Context, Gpu, adapter},
    host::Host,
    rbm::Shape,
    reference::Reference,
};

/// What a run will keep on the device, in bytes: known before anything is allocated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// How many units there are.
    pub shape: Shape,
    /// Rows of the largest minibatch.
    pub rows: usize,
    /// Parameters and velocity, each.
    parameters: u64,
    /// Means or states of the wider layer.
    layer: u64,
    /// Everything but the data set.
    total: u64,
}

impl Footprint {
    /// For a model and minibatches of up to `rows` cases, with `buffers` pairs of layers for them.
    pub fn new(shape: Shape, rows: usize, buffers: usize) -> Self {
        // Sizes from the command line may be anything: what overflows is too large for every device.
        let bytes = |a: usize, b: usize| (a as u64 + 4).saturating_mul(b as u64 + 4).saturating_mul(4);
        let parameters = bytes(shape.visible, shape.hidden);
        let layer = bytes(rows, shape.visible.max(shape.hidden));
        let total = parameters.saturating_mul(2).saturating_add(layer.saturating_mul(4 * buffers as u64));
        Self { shape, rows, parameters, layer, total }
    }

    fn check(&self, largest: u64, available: Option<u64>, device: &str) -> Result<()> {
        let gb = |bytes: u64| bytes as f64 * 1e-9;
        let Shape { visible, hidden } = self.shape;
        for (what, bytes, remedy) in [
            (format!("the weights of {visible} × {hidden} units"), self.parameters, "--hidden"),
            (format!("a minibatch of {} cases", self.rows), self.layer, "--batch"),
        ] {
            if bytes > largest {
                return usage!(
                    "{what} take {:.2} GB, but one buffer of {device} holds at most {:.2} GB; \
                     choose a smaller {remedy} or another --device",
                    gb(bytes),
                    gb(largest)
                );
            }
        }
        match available {
            Some(available) if self.total > available => usage!(
                "the model and its minibatches take {:.2} GB, but {device} has {:.2} GB of memory left; \
                 choose a smaller --hidden or --batch",
                gb(self.total),
                gb(available)
            ),
            _ => Ok(()),
        }
    }
}

/// A device of this machine, not yet opened.
pub enum Candidate {
    /// Through wgpu.
    Adapter(wgpu::Adapter),
    /// The native CPU path.
    Cpu,
    /// The oracle.
    Reference,
}

impl Candidate {
    /// All devices, in the order in which `auto` prefers them, but for software adapters, which it never takes.
    pub fn all() -> Vec<Self> {
        let (software, hardware): (Vec<_>, Vec<_>) =
            adapter::all().into_iter().partition(|a| a.get_info().device_type == wgpu::DeviceType::Cpu);
        let adapters = |list: Vec<_>| list.into_iter().map(Self::Adapter);
        adapters(hardware).chain([Self::Cpu]).chain(adapters(software)).chain([Self::Reference]).collect()
    }

    /// What it is.
    pub fn info(&self) -> DeviceInfo {
        match self {
            Self::Adapter(adapter) => adapter::info(adapter),
            Self::Cpu => Cpu::info(),
            Self::Reference => DeviceInfo {
                name: "reference".into(),
                backend: "reference".into(),
                kind: "reference".into(),
                driver: "textbook loops, one thread".into(),
            },
        }
    }

    fn is_chosen_by(&self, choice: &DeviceChoice) -> bool {
        let info = self.info();
        let kind = info.kind.as_str();
        match choice {
            DeviceChoice::Auto => matches!(kind, "discrete" | "integrated" | "cpu"),
            DeviceChoice::Discrete => kind == "discrete",
            DeviceChoice::Integrated => kind == "integrated",
            DeviceChoice::Software => kind == "software",
            DeviceChoice::Cpu => kind == "cpu",
            DeviceChoice::Reference => kind == "reference",
            DeviceChoice::Name(name) => {
                matches!(self, Self::Adapter(_)) && info.name.to_lowercase().contains(&name.to_lowercase())
            }
        }
    }

    /// The largest buffer, and the memory that is left where that can be known.
    fn room(&self) -> (u64, Option<u64>) {
        let host = || {
            let mut system = System::new().ok()?;
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            Some(system.available_memory()).filter(|&bytes| bytes > 0)
        };
        match self {
            Self::Adapter(adapter) => {
                let shared = adapter.get_info().device_type != wgpu::DeviceType::DiscreteGpu;
                (adapter::largest_buffer(adapter), if shared { host() } else { None })
            }
            Self::Cpu | Self::Reference => (isize::MAX as u64, host()),
        }
    }

    /// Whether `rows` packed rows may stay on the device beside the rest; if not, they are streamed.
    pub fn holds(&self, layout: RowLayout, rows: usize, footprint: &Footprint) -> bool {
        let bytes = 4 * (rows as u64) * (layout.words() as u64);
        let (largest, available) = self.room();
        bytes <= largest
            && available.is_none_or(|available| bytes.saturating_add(footprint.total) <= available)
    }

    /// Checks that the work fits, and only then opens the device.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] says what does not fit and what would make it fit.
    pub fn open(&self, footprint: &Footprint) -> Result<Box<dyn Backend>> {
        let (largest, available) = self.room();
        footprint.check(largest, available, &self.info().name)?;
        Ok(match self {
            Self::Adapter(adapter) => Box::new(Gpu::new(Context::open(adapter)?, footprint.shape, None)?),
            Self::Cpu => Box::new(Cpu::open(footprint.shape)),
            Self::Reference => Box::new(Host::new(Reference, self.info(), footprint.shape)),
        })
    }
}

/// The device that a choice means on this machine.
///
/// # Errors
/// [`crate::Error::Usage`] lists the devices there are.
pub fn choose(choice: &DeviceChoice) -> Result<Candidate> {
    // The paths without an adapter need no driver to be asked.
    match choice {
        DeviceChoice::Cpu => return Ok(Candidate::Cpu),
        DeviceChoice::Reference => return Ok(Candidate::Reference),
        _ => {}
    }
    let mut candidates = Candidate::all();
    match candidates.iter().position(|candidate| candidate.is_chosen_by(choice)) {
        Some(index) => Ok(candidates.swap_remove(index)),
        None => {
            let list: Vec<_> =
                candidates.iter().map(|candidate| format!("\n  {}", candidate.info())).collect();
            usage!("--device {choice}: there is no such device here; there are{}", list.concat())
        }
    }
}
