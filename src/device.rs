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
    rows: usize,
    /// The parameters once.
    parameters: u64,
    /// Means or states of the wider layer, for all rows.
    layer: u64,
    /// Uniforms from the host.
    uniforms: u64,
    /// Everything but the data set.
    total: u64,
}

impl Footprint {
    /// For a model, minibatches of up to `rows` cases in so many pairs of layers, and so many uniforms from the host.
    /// The options may ask for anything: what overflows is too large for every device.
    pub fn new(shape: Shape, rows: usize, pairs_of_layers: u64, uniforms: usize) -> Self {
        let padded = |units: usize| (units as u64).saturating_add(4);
        let matrix = |a: usize, b: usize| padded(a).saturating_mul(padded(b)).saturating_mul(4);
        let parameters = matrix(shape.visible, shape.hidden);
        let layer = matrix(rows, shape.visible.max(shape.hidden));
        let uniforms = matrix(uniforms, 0) / 4;
        // Parameters and velocity, and a copy of each on its way; means and states of two layers.
        let total = parameters
            .saturating_mul(4)
            .saturating_add(layer.saturating_mul(4 * pairs_of_layers))
            .saturating_add(uniforms);
        Self { shape, rows, parameters, layer, uniforms, total }
    }

    /// Holds this against the largest buffer of a device and the memory that it has left, if that is known.
    fn check(&self, largest: u64, available: Option<u64>, device: &str) -> Result<()> {
        let gb = |bytes: u64| bytes as f64 * 1e-9;
        let Shape { visible, hidden } = self.shape;
        for (what, bytes, remedy) in [
            (format!("the weights of {visible} × {hidden} units"), self.parameters, "a smaller --hidden"),
            (format!("a minibatch of {} cases", self.rows), self.layer, "a smaller --batch"),
            ("the uniforms of a minibatch".into(), self.uniforms, "a smaller --batch or --uniforms device"),
        ] {
            if bytes > largest {
                return usage!(
                    "{what} take {:.2} GB, but one buffer of {device} holds at most {:.2} GB; \
                     choose {remedy}, or another --device",
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
            // Parameters of a kernel count in 32-bit words.
            Self::Cpu | Self::Reference => (4 * u64::from(u32::MAX), host()),
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
