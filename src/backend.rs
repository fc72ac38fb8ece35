//! The seam between the learning algorithms and the devices: half a Gibbs step.
//!
//! [`Backend`] has one method for each kernel, fused as far as it can be: a product, its bias, the sigmoid and the
//! draw are one call; both associations, momentum, decay and the write-back are another. Each method has a WGSL
//! file, a textbook function in [`crate::reference`] and a differential test of the same name. The algorithms are
//! written once, above this line, and don't know what they run on.

use crate::{
    config::DeviceChoice,
    data::{Packing, RowLayout},
    error::Result,
    rbm::{Layer, Rbm, Shape},
    rng::Stream,
};

/// What one kernel is told. The same 80 bytes as `struct Params` in `shaders/shared/params.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    /// Cases or chains to compute.
    pub rows: u32,
    /// Visible units.
    pub visible: u32,
    /// Hidden units.
    pub hidden: u32,
    /// Where the minibatch begins in the order of the cases.
    pub first_row: u32,
    /// Inverse temperature: the energy is multiplied by it.
    pub beta: f32,
    /// The learning rate.
    pub learning_rate: f32,
    /// The share of the last update that is carried on.
    pub momentum: f32,
    /// L2 decay of the weights.
    pub weight_decay: f32,
    /// The seed's lower 32 bits.
    pub seed_low: u32,
    /// The seed's upper 32 bits.
    pub seed_high: u32,
    /// The counter's fourth word: the step.
    pub step: u32,
    /// The counter's third word: see [`Stream::draw`].
    pub draw: u32,
    /// [`Params::SAMPLE`], [`Params::HOST_UNIFORMS`], [`Params::BITS`].
    pub flags: u32,
    /// Where this kernel's uniforms begin, if they come from the host.
    pub uniforms_at: u32,
    /// The number of the first chain: the counter's second word is this plus the row.
    pub first_chain: u32,
    /// What a data byte is multiplied by.
    pub data_scale: f32,
    /// Chains of the negative phase.
    pub chains: u32,
    /// How far [`Backend::track`] and [`Backend::average`] move towards what they see: from 0, not at all, to 1.
    pub rate: f32,
    /// Not used.
    pub reserved: [u32; 2],
}

impl Params {
    /// Draw binary states; without it a state is its mean.
    pub const SAMPLE: u32 = 1;
    /// The uniforms lie in the buffer of [`Backend::write_uniforms`], row by row.
    pub const HOST_UNIFORMS: u32 = 2;
    /// Data rows hold one bit a unit, not one byte.
    pub const BITS: u32 = 4;
    /// Data rows hold 32-bit floating-point numbers.
    pub const FLOATS: u32 = 16;
    /// The update is centred at the offsets.
    pub const CENTRED: u32 = 8;

    /// Parameters that say only which units there are, at temperature 1; as many chains as rows.
    pub fn new(shape: Shape, rows: usize, seed: u64) -> Self {
        let [seed_low, seed_high] = crate::rng::key(seed);
        Self {
            rows: rows as u32,
            chains: rows as u32,
            visible: shape.visible as u32,
            hidden: shape.hidden as u32,
            beta: 1.0,
            data_scale: 1.0,
            seed_low,
            seed_high,
            ..bytemuck::Zeroable::zeroed()
        }
    }

    /// The same, drawing states with the numbers of `sweep` and `stream`.
    pub fn sample(self, stream: Stream, sweep: u32) -> Self {
        Self { flags: self.flags | Self::SAMPLE, draw: stream.draw(sweep), ..self }
    }

    /// The same for data rows laid out so.
    pub fn layout(self, layout: RowLayout) -> Self {
        let packing = match layout.packing {
            Packing::Bits => Self::BITS,
            Packing::Bytes => 0,
            Packing::Floats => Self::FLOATS,
        };
        let flags = self.flags & !(Self::BITS | Self::FLOATS) | packing;
        Self { flags, data_scale: layout.scale, ..self }
    }

    /// The same for another minibatch of the order; as many chains as rows.
    pub fn minibatch(self, first_row: usize, rows: usize) -> Self {
        Self { first_row: first_row as u32, rows: rows as u32, chains: rows as u32, ..self }
    }

    /// The same for the chains in place of the cases.
    pub fn of_chains(self) -> Self {
        Self { rows: self.chains, ..self }
    }

    /// Whether a flag is set.
    #[inline(always)]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// How many units there are.
    pub fn shape(&self) -> Shape {
        Shape { visible: self.visible as usize, hidden: self.hidden as usize }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        u64::from(self.seed_high) << 32 | u64::from(self.seed_low)
    }
}

/// The units of one layer for many cases on a device: a mean and a state each, rows × units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Units(pub(crate) usize);

/// Packed data rows on a device, and the order in which minibatches take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data(pub(crate) usize);

/// One number a row on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Values(pub(crate) usize);

/// How often [`Backend::multiply_add`] multiplies and adds. The same in `shaders/multiply_add.wgsl`.
pub const MULTIPLY_ADDS: usize = 256;

/// What a device is, for people and for reports.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DeviceInfo {
    /// Its name, as the driver or the processor gives it.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, `cpu` or `reference`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software`, `other`, `cpu` or `reference`.
    pub kind: String,
    /// The driver and its version, or the instruction set and threads of a CPU.
    pub driver: String,
}

impl DeviceInfo {
    /// The choice that means this device and no other kind.
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

/// A device that holds one model and computes half Gibbs steps.
///
/// The verbs only record work; [`Backend::submit`] sends it off, and the `read_` methods are the only ones that
/// wait. A device that fails keeps its error until the next `submit` or `read_`.
pub trait Backend: Send {
    /// What this device is.
    fn info(&self) -> &DeviceInfo;

    /// Makes room for the units of a layer, for up to `rows` cases. Starts as zeros.
    ///
    /// # Errors
    /// When the device has no room; so for each of the next three.
    fn units(&mut self, layer: Layer, rows: usize) -> Result<Units>;
    /// Makes room for `rows` packed rows and an order of as many entries.
    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data>;
    /// Makes room for one number a row. Starts as zeros.
    fn values(&mut self, rows: usize) -> Result<Values>;
    /// Makes room for `count` uniforms from the host.
    fn uniforms(&mut self, count: usize) -> Result<()>;

    /// Replaces the parameters; `velocity` is the update that momentum carries on.
    fn write_rbm(&mut self, rbm: &Rbm, velocity: &Rbm);
    /// Replaces the offsets at which a centred update takes the units, and begins the average of the parameters anew.
    fn write_offsets(&mut self, visible: &[f32], hidden: &[f32]);
    /// Replaces the first rows of packed data.
    fn write_data(&mut self, data: Data, words: &[u32]);
    /// Replaces the beginning of the order in which minibatches take rows.
    fn write_order(&mut self, data: Data, order: &[u32]);
    /// Replaces the beginning of the host's uniforms.
    fn write_uniforms(&mut self, uniforms: &[f32]);
    /// Replaces the means and the states of the first rows of a layer.
    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]);
    /// Replaces the numbers of the first rows.
    fn write_values(&mut self, values: Values, numbers: &[f32]);

    /// states = the minibatch's rows, unpacked; with [`Params::SAMPLE`], u < value.
    fn gather(&mut self, params: &Params, data: Data, visible: Units);
    /// means = p(h=1|v) = σ(β(c + vW)); states = u < p with [`Params::SAMPLE`], else the means.
    fn sample_hidden(&mut self, params: &Params, visible: Units, hidden: Units);
    /// means = p(v=1|h) = σ(β(b + hWᵀ)); states = u < p with [`Params::SAMPLE`], else the means.
    fn sample_visible(&mut self, params: &Params, hidden: Units, visible: Units);
    /// velocity = momentum·velocity + lr·(⟨v p(h|v)⟩ of `positive` − ⟨v p(h|v)⟩ of `negative` − decay·W), and
    /// θ += velocity; for each bias its own gradient, and no decay. ⟨·⟩ are means over the rows of the positive phase and
    /// over the chains of the negative one.
    ///
    /// With [`Params::CENTRED`], v and h are taken as v − μ and h − λ, μ and λ being the offsets (Montavon and Müller
    /// 2012; Melchior, Fischer and Wiskott 2016, algorithm 1). Velocities are those of the centred model; its step is
    /// W += V_W, b += V_b − V_W λ and c += V_c − V_Wᵀ μ for this one.
    fn update(&mut self, params: &Params, positive: (Units, Units), negative: (Units, Units));
    /// λ += rate·(⟨p(h|v)⟩ − λ): the offsets of the hidden units follow their means over the rows.
    fn track(&mut self, params: &Params, hidden: Units);
    /// average += rate·(θ − average): the average of the parameters follows them.
    fn average(&mut self, params: &Params);
    /// values += Σ_i (x_i − p_i)², of the states of `visible` and the means of `reconstruction`.
    fn squared_error(&mut self, params: &Params, visible: Units, reconstruction: Units, values: Values);
    /// values = F(v) = −β bᵀv − Σ_j softplus(β(c_j + (vW)_j)), of the states of `visible`.
    fn free_energy(&mut self, params: &Params, visible: Units, values: Values);

    /// v_i = x_i where the `mask`, one number a visible unit, is not 0: the states of `visible` become those of `known`
    /// there.
    fn clamp_visible(&mut self, params: &Params, known: Units, mask: Values, visible: Units);
    /// b = the first numbers of `values`, one for each visible unit; W and c stay. What annealing changes on its way.
    fn set_visible_bias(&mut self, params: &Params, values: Values);

    /// values = x·(1 − 2⁻¹⁰) + 2⁻¹⁰, [`MULTIPLY_ADDS`] times over: what arithmetic can reach, for benchmarks.
    fn multiply_add(&mut self, params: &Params, values: Values);
    /// to = from: what the memory can reach, for benchmarks.
    fn copy(&mut self, params: &Params, from: Values, to: Values);

    /// Sends off what was recorded; waits only where the device is more than one submission behind.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed; so for every `read_`.
    fn submit(&mut self) -> Result<()>;
    /// Waits for everything and gives the parameters and the velocity.
    fn read_rbm(&mut self) -> Result<(Rbm, Rbm)>;
    /// Waits for everything and gives the average of the parameters.
    fn read_average(&mut self) -> Result<Rbm>;
    /// Waits for everything and gives the offsets of the visible and the hidden units.
    fn read_offsets(&mut self) -> Result<(Vec<f32>, Vec<f32>)>;
    /// Waits for everything and gives the means and the states of the first rows.
    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)>;
    /// Waits for everything and gives the numbers of the first rows.
    fn read_values(&mut self, values: Values, rows: usize) -> Result<Vec<f32>>;
    /// Waits for everything.
    fn wait(&mut self) -> Result<()>;
}
