//! Which device to compute on, and whether the work fits it.

mod choice;
mod plan;

pub use choice::DeviceChoice;
pub use plan::Plan;

use crate::{
    backend::{Backend, DeviceInfo, DeviceKind, Memory},
    cpu::{Cpu, Level},
    error::{Error, Result, usage},
    gpu::{Context, Gpu, adapter, tile::Tiles},
    host::Host,
    memory::{self, gb},
    rbm::{Layers, Shape},
    reference::Reference,
    schedule::RING,
};

/// The memory that a run needs, in bytes: known before anything is allocated.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// The layers of the models.
    layers: Layers,
    /// Rows of the largest minibatch.
    rows: usize,
    /// One set of parameters.
    parameters: u64,
    /// Means or states of the wider layer, for all rows.
    layer: u64,
    /// Uniforms from the host, for one block of minibatches.
    uniforms: u64,
    /// The largest packed rows, which lie in one buffer.
    data: u64,
    /// Everything on the device.
    device: Parts,
    /// What the host needs besides: copies in transit.
    host: Parts,
    /// How to get fewer hidden units, fewer rows at once, and fewer parameters in all, with options of the command.
    remedies: [&'static str; 3],
}

/// Bytes by purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Parts {
    /// The parameters, and the optimiser's state.
    parameters: u64,
    /// Means and states of minibatches and chains.
    layers: u64,
    /// Uniforms.
    uniforms: u64,
}

impl Parts {
    fn sum(self) -> u64 {
        self.parameters.saturating_add(self.layers).saturating_add(self.uniforms)
    }
}

impl Footprint {
    /// The footprint of work that allocates as `room` does. Options may ask for anything: a size that overflows is too
    /// large for every device.
    ///
    /// # Errors
    /// Those of `room`.
    pub fn planned(
        layers: impl Into<Layers>,
        room: impl FnOnce(&mut dyn Memory) -> Result<()>,
    ) -> Result<Self> {
        let mut plan = Plan::new(layers);
        room(&mut plan)?;
        let (parameters, uniforms) = (plan.model_bytes(), plan.uniforms);
        // A device has scratch for one step, and for its gradient where units have precisions. The host holds each model three
        // times: in the state to go back to, in the state that is being written, and in the bytes of that file.
        let device = Parts {
            parameters: parameters
                .saturating_mul(plan.models + 1 + u64::from(plan.layers().have_precisions())),
            layers: plan
                .units
                .saturating_add(plan.inputs)
                .saturating_add(plan.values)
                .saturating_add(plan.data),
            uniforms,
        };
        let host = Parts {
            parameters: parameters.saturating_mul(plan.models).saturating_mul(3),
            layers: 0,
            uniforms: uniforms.saturating_mul(RING as u64 + 1),
        };
        let fewer_units = "a smaller ‹hidden›";
        let remedies = [fewer_units, "a smaller ‹batch›, or fewer ‹chains›", fewer_units];
        let (rows, layer, data) = (plan.rows, plan.largest_layer, plan.largest_data);
        let layers = plan.layers().clone();
        Ok(Self { layers, rows, parameters, layer, uniforms, data, device, host, remedies })
    }

    /// The footprint of a command that does not choose the model, and whose rows are chains.
    pub fn of_model(self) -> Self {
        Self { remedies: ["a smaller model", "fewer ‹chains›", "a smaller model"], ..self }
    }

    /// The footprint of a run whose models are mostly snapshots: fewer ‹temperatures› help first.
    pub fn of_snapshots(self) -> Self {
        let [fewer_units, fewer_rows, _] = self.remedies;
        Self {
            remedies: [fewer_units, fewer_rows, "fewer ‹temperatures›, or a smaller ‹hidden›"], ..self
        }
    }

    /// Checks the footprint against the room of a device.
    fn check(&self, room: &Room, device: &str) -> Result<()> {
        let Shape { visible, hidden } = self.layers.shape();
        let [fewer_units, fewer_rows, _] = self.remedies;
        let smaller_layers = if self.is_wide() { fewer_units } else { fewer_rows };
        for (what, bytes, remedy) in [
            (format!("the weights of {visible} × {hidden} units"), self.parameters, fewer_units),
            (format!("{} cases or chains at once", self.rows), self.layer, smaller_layers),
            ("the uniforms of a minibatch".into(), self.uniforms, FEWER_UNIFORMS),
        ] {
            if bytes > room.largest_buffer {
                return usage!(
                    "{what} take {}, but one buffer of {device} holds at most {}; choose {remedy}, or another ‹device›",
                    gb(bytes),
                    gb(room.largest_buffer)
                );
            }
        }
        let most = room.most_rows as usize;
        for (what, count) in
            [("cases or chains at once", self.rows), ("visible units", visible), ("hidden units", hidden)]
        {
            if count > most {
                return usage!(
                    "{count} {what} are more than the kernels take on {device}: at most {most}; \
                     choose fewer, or ‹device=cpu›"
                );
            }
        }
        self.check_memory(room)
    }

    /// Checks that the host's memory holds its share, which is all of it on most devices.
    fn check_memory(&self, room: &Room) -> Result<()> {
        let of = |part: fn(&Parts) -> u64| {
            part(&self.host).saturating_add(if room.shared { part(&self.device) } else { 0 })
        };
        let needed = of(|parts| parts.sum());
        let Some(left) = room.memory.filter(|&left| needed > left) else { return Ok(()) };
        let Shape { visible, hidden } = self.layers.shape();
        let [_, fewer_rows, fewer_parameters] = self.remedies;
        let (parameters, layers) = (of(|parts| parts.parameters), of(|parts| parts.layers));
        let (parameters, layers) =
            if self.is_wide() { (parameters.saturating_add(layers), 0) } else { (parameters, layers) };
        // Name only what matters, with how much of it would fit.
        let (mut take, mut choose) = (Vec::new(), Vec::new());
        for (bytes, what, remedy, count) in [
            (parameters, format!("{visible} × {hidden} units"), fewer_parameters, hidden),
            (layers, format!("{} cases or chains at once", self.rows), fewer_rows, self.rows),
            (of(|parts| parts.uniforms), "uniforms".into(), FEWER_UNIFORMS, 0),
        ] {
            if bytes > needed / 20 {
                take.push(format!("{} for {what}", gb(bytes)));
                let share = left.saturating_sub(needed - bytes) as f64 / bytes as f64;
                choose.push(match (count as f64 * share) as usize {
                    0 => remedy.to_string(),
                    most => format!("{remedy}, at most about {most}"),
                });
            }
        }
        usage!(
            "{} are needed, but {} of memory are left: {}; choose {}",
            gb(needed),
            gb(left),
            take.join(", "),
            choose.join("; or ")
        )
    }

    /// Whether the units, not the rows, make a layer large.
    fn is_wide(&self) -> bool {
        let Shape { visible, hidden } = self.layers.shape();
        self.rows < visible.max(hidden)
    }
}

/// How to get fewer uniforms from the host.
const FEWER_UNIFORMS: &str = "a smaller ‹batch› or ‹uniforms=device›";

/// The room of a device.
struct Room {
    /// The largest buffer, in bytes.
    largest_buffer: u64,
    /// The most cases or units that a kernel's grid takes.
    most_rows: u32,
    /// Free memory of the host in bytes, if known.
    memory: Option<u64>,
    /// Whether the device's buffers lie in the host's memory.
    shared: bool,
}

/// A device of this machine, not yet opened.
pub enum Candidate {
    /// An adapter of wgpu.
    Adapter(wgpu::Adapter),
    /// The native CPU path.
    Cpu,
    /// The oracle.
    Reference,
}

impl Candidate {
    /// All devices, in the order of preference of `auto`, which never takes a software adapter.
    pub fn all() -> Vec<Self> {
        let (software, hardware): (Vec<_>, Vec<_>) =
            adapter::all().into_iter().partition(|a| a.get_info().device_type == wgpu::DeviceType::Cpu);
        let adapters = |list: Vec<_>| list.into_iter().map(Self::Adapter);
        adapters(hardware).chain([Self::Cpu]).chain(adapters(software)).chain([Self::Reference]).collect()
    }

    /// Describes the device.
    pub fn info(&self) -> DeviceInfo {
        match self {
            Self::Adapter(adapter) => adapter::info(adapter),
            Self::Cpu => Cpu::info(),
            Self::Reference => DeviceInfo {
                name: "reference".into(),
                backend: "reference".into(),
                kind: DeviceKind::Reference,
                driver: "textbook loops, one thread".into(),
            },
        }
    }

    /// Whether a choice means this device.
    pub fn is_chosen_by(&self, choice: &DeviceChoice) -> bool {
        let info = self.info();
        let kind = info.kind;
        match choice {
            DeviceChoice::Auto => {
                matches!(kind, DeviceKind::Discrete | DeviceKind::Integrated | DeviceKind::Cpu)
            }
            DeviceChoice::Discrete => kind == DeviceKind::Discrete,
            DeviceChoice::Integrated => kind == DeviceKind::Integrated,
            DeviceChoice::Software => kind == DeviceKind::Software,
            DeviceChoice::Cpu => kind == DeviceKind::Cpu,
            DeviceChoice::Reference => kind == DeviceKind::Reference,
            DeviceChoice::Name(name) => {
                matches!(self, Self::Adapter(_)) && info.name.to_lowercase().contains(&name.to_lowercase())
            }
        }
    }

    fn room(&self) -> Room {
        let memory = memory::left();
        match self {
            Self::Adapter(adapter) => Room {
                largest_buffer: adapter::largest_buffer(adapter),
                most_rows: Tiles::for_adapter(adapter).most_rows(),
                memory,
                shared: adapter.get_info().device_type != wgpu::DeviceType::DiscreteGpu,
            },
            // A kernel counts 32-bit words in 32 bits.
            Self::Cpu | Self::Reference => {
                Room { largest_buffer: 4 * u64::from(u32::MAX), most_rows: u32::MAX, memory, shared: true }
            }
        }
    }

    /// Whether the work fits the device with its data; if not, the data are streamed.
    pub fn holds(&self, footprint: &Footprint) -> bool {
        let room = self.room();
        footprint.data <= room.largest_buffer && footprint.check(&room, &self.info().name).is_ok()
    }

    /// Checks that the work fits, and only then opens the device.
    pub(crate) fn open(&self, footprint: &Footprint) -> Result<Box<dyn Backend>> {
        footprint.check(&self.room(), &self.info().name)?;
        Ok(match self {
            Self::Adapter(adapter) => Box::new(Gpu::new(Context::open(adapter)?, &footprint.layers, None)?),
            Self::Cpu => Box::new(Cpu::open(&footprint.layers)),
            Self::Reference => Box::new(Host::new(Reference, self.info(), &footprint.layers)),
        })
    }
}

/// The devices of this machine that a choice means, best first.
///
/// # Errors
/// [`Error::Usage`] lists the devices, or the instruction sets, that exist, if the choice means none of them.
pub fn choose(choice: &DeviceChoice) -> Result<Vec<Candidate>> {
    // The host sums free energies, features and log Z, whatever the device.
    Level::chosen()?;
    // The paths without an adapter need no driver.
    match choice {
        DeviceChoice::Cpu => return Ok(vec![Candidate::Cpu]),
        DeviceChoice::Reference => return Ok(vec![Candidate::Reference]),
        _ => {}
    }
    let (chosen, others): (Vec<_>, Vec<_>) =
        Candidate::all().into_iter().partition(|candidate| candidate.is_chosen_by(choice));
    if chosen.is_empty() {
        let list: Vec<_> = others.iter().map(|candidate| format!("\n  {}", candidate.info())).collect();
        return usage!("‹device› {choice}: there is no such device here; there are{}", list.concat());
    }
    Ok(chosen)
}

/// Opens the best device that a choice means. If one fails to open, `auto` takes the next.
///
/// # Errors
/// Those of [`choose`]; [`Error::Usage`] says what does not fit and what would help; [`Error::Device`].
pub fn open(choice: &DeviceChoice, footprint: &Footprint) -> Result<(Candidate, Box<dyn Backend>)> {
    let mut failure = None;
    for candidate in choose(choice)? {
        match candidate.open(footprint) {
            Ok(backend) => return Ok((candidate, backend)),
            Err(error @ Error::Device { .. }) if *choice == DeviceChoice::Auto => failure = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(failure.unwrap_or_else(|| Error::Usage(format!("‹device› {choice}: no device could be opened"))))
}
