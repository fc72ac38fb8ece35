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

/// A struct that kernels take as their uniform, in Rust and in WGSL: the names of the types are the same in both.
macro_rules! uniform {
    ($(#[$of_struct:meta])* pub struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ident,)* }) => {
        $(#[$of_struct])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl $name {
            /// The same struct in WGSL.
            pub(crate) const WGSL: &str = concat!(
                "struct ", stringify!($name), " {\n",
                $("    ", stringify!($field), ": ", stringify!($type), ",\n",)*
                "}\n",
            );
        }
    };
}

/// Bits of [`Params::flags`], in Rust and in WGSL.
macro_rules! flags {
    ($($(#[$of_flag:meta])* $name:ident = $bit:expr;)*) => {
        impl Params {
            $($(#[$of_flag])* pub const $name: u32 = 1 << $bit;)*
            /// Their names.
            pub(crate) const FLAGS: &[(&str, u32)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

uniform! {
    /// What one kernel is told.
    pub struct Params {
        /// Cases or chains to compute.
        pub rows: u32,
        /// Visible units.
        pub visible: u32,
        /// Hidden units.
        pub hidden: u32,
        /// Where the minibatch begins in the order of the cases; where a swap's counts begin.
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
        /// How far [`Backend::track`] and [`Backend::average`] move towards what they see: from 0, not at all, to 1. For
        /// [`Backend::fast_weights`] the velocity's share, for [`Backend::temper_bias`] the base's, for [`Backend::swap`] what energies are multiplied by.
        pub rate: f32,
        /// L1 decay of the weights.
        pub l1: f32,
        /// The share of the cases in which a hidden unit should be on.
        pub sparsity_target: f32,
        /// How strongly it is drawn there.
        pub sparsity_cost: f32,
        /// The largest norm of a hidden unit's weights.
        pub largest_norm: f32,
        /// 1/(1 − 0.9^t) at Adam's step t, from 1.
        pub first_correction: f32,
        /// 1/(1 − 0.999^t).
        pub second_correction: f32,
    }
}

/// The share of the fast weights that stays at each step (Tieleman and Hinton 2009).
pub const FAST_SHARE: f64 = 0.95;
/// The share of the mean of the gradients that Adam carries on, β₁ (Kingma and Ba 2015).
pub const ADAM_FIRST: f64 = 0.9;
/// The share of the mean of their squares, β₂.
pub const ADAM_SECOND: f64 = 0.999;
/// What keeps Adam from dividing by 0, ε.
pub const ADAM_EPSILON: f64 = 1e-8;

flags! {
    /// Draw binary states; without it a state is its mean.
    SAMPLE = 0;
    /// The uniforms lie in the buffer of [`Backend::write_uniforms`], row by row.
    HOST_UNIFORMS = 1;
    /// Data rows hold one bit a unit, not one byte.
    BITS = 2;
    /// The update is centred at the offsets.
    CENTRED = 3;
    /// The update is Adam's.
    ADAM = 4;
    /// The update's momentum is Nesterov's.
    NESTEROV = 5;
    /// The update draws hidden units to a target: see [`Backend::update`].
    SPARSE = 6;
    /// A swap's colder replicas are the model's own.
    COLDEST = 7;
    /// A swap's hotter replicas are at the other end.
    HOTTEST = 8;
    /// Half steps take θ + fast weights for θ.
    FAST = 9;
    /// Data rows hold 32-bit floating-point numbers.
    FLOATS = 10;
    /// Nobody reads what the update makes of the weights' velocity before the next one, which has no momentum: what is
    /// left there does not matter.
    FORGET = 11;
    /// A free energy is what the one that was there is taken from.
    LESS = 12;
}

impl Params {
    /// The flags from this one on are a number: see [`Params::of_snapshot`].
    const SNAPSHOT: u32 = 1 << 16;

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

    /// The same for Adam's step after so many others.
    pub fn adam(self, steps_before: u32) -> Self {
        let correction = |share: f64| (1.0 / (1.0 - share.powf(f64::from(steps_before) + 1.0))) as f32;
        Self {
            flags: self.flags | Self::ADAM,
            first_correction: correction(ADAM_FIRST),
            second_correction: correction(ADAM_SECOND),
            ..self
        }
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

    /// The same with the parameters that [`Backend::keep`] kept under this number, below 65535, in place of θ.
    pub fn of_snapshot(self, number: usize) -> Self {
        Self { flags: self.flags % Self::SNAPSHOT + (number as u32 + 1) * Self::SNAPSHOT, ..self }
    }

    /// The number of the snapshot in place of θ, if there is one.
    pub fn snapshot(&self) -> Option<usize> {
        (self.flags / Self::SNAPSHOT).checked_sub(1).map(|number| number as usize)
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

/// What a device keeps of a model beside its parameters, their velocity and the offsets: each as large as the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The average of the parameters that [`Backend::average`] keeps.
    Average,
    /// The running mean of the gradient's square, of [`Params::ADAM`]; needs [`Backend::moments`].
    Squares,
    /// The fast weights; needs [`Backend::fast_room`].
    Fast,
    /// θ + fast weights, as the chains take them; needs that, too.
    FastSum,
    /// The parameters that [`Backend::keep`] kept under this number; needs [`Backend::snapshot_room`].
    Snapshot(usize),
}

/// How often [`Backend::multiply_add`] multiplies and adds.
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
    /// When the device has no room; so for each of the next six.
    fn units(&mut self, layer: Layer, rows: usize) -> Result<Units>;
    /// Makes room for `rows` packed rows and an order of as many entries.
    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data>;
    /// Makes room for one number a row. Starts as zeros.
    fn values(&mut self, rows: usize) -> Result<Values>;
    /// Makes room for `count` uniforms from the host.
    fn uniforms(&mut self, count: usize) -> Result<()>;
    /// Makes room for what [`Params::ADAM`] and [`Params::NESTEROV`] keep beside the velocity. Starts as zeros.
    fn moments(&mut self) -> Result<()>;
    /// Makes room for fast weights, all zero. [`Params::FAST`] needs one call of [`Backend::fast_weights`] before.
    fn fast_room(&mut self) -> Result<()>;
    /// Makes room for so many snapshots of the parameters, all zero.
    fn snapshot_room(&mut self, count: usize) -> Result<()>;

    /// Replaces the parameters; `velocity` is the update that momentum carries on.
    fn write_rbm(&mut self, rbm: &Rbm, velocity: &Rbm);
    /// Replaces the offsets at which a centred update takes the units, and begins the average of the parameters anew.
    fn write_offsets(&mut self, visible: &[f32], hidden: &[f32]);
    /// Replaces what is kept beside the parameters.
    fn write_kept(&mut self, kept: Kept, values: &Rbm);
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
    /// means = p(h=1|v) = σ(β(c + vW)); states = u < p with [`Params::SAMPLE`], else the means. Half steps and free energies
    /// are of θ, or of the parameters that [`Params::FAST`] or [`Params::of_snapshot`] names.
    fn sample_hidden(&mut self, params: &Params, visible: Units, hidden: Units);
    /// The same for two minibatches, such as the data and the chains: a device may do both in one pass over W.
    fn sample_hidden_twice(&mut self, minibatches: [(&Params, Units, Units); 2]) {
        for (params, visible, hidden) in minibatches {
            self.sample_hidden(params, visible, hidden);
        }
    }
    /// means = p(v=1|h) = σ(β(b + hWᵀ)); states = u < p with [`Params::SAMPLE`], else the means.
    fn sample_visible(&mut self, params: &Params, hidden: Units, visible: Units);
    /// velocity = momentum·velocity + lr·(⟨v p(h|v)⟩ of `positive` − ⟨v p(h|v)⟩ of `negative` − decay·W − l1·sign W), and
    /// θ += velocity; for each bias its own gradient, and no decay. ⟨·⟩ are means over the rows of the positive phase and
    /// over the chains of the negative one.
    ///
    /// With [`Params::NESTEROV`], θ += momentum·velocity + lr·(…): parameters are kept where the momentum leads to, which
    /// is where the gradient is taken (Bengio, Boulanger-Lewandowski and Pascanu 2013, equation 7, after Sutskever et al.
    /// 2013).
    ///
    /// With [`Params::ADAM`], velocity and s are the running means of the gradient and of its square, and
    /// θ += lr·(velocity·c₁ / (√(s·c₂) + ε) − decay·W − l1·sign W), with c₁ and c₂ correcting for their start at 0
    /// (Kingma and Ba 2015, algorithm 1; the decay as in Loshchilov and Hutter 2019).
    ///
    /// With [`Params::SPARSE`], `sparsity_cost`·(λ_j − `sparsity_target`) is taken off each hidden unit's mean in the
    /// positive phase, λ being the running means that [`Backend::track`] keeps: the gradient of the cross entropy between
    /// the target and the unit's activity, for its bias and its weights alike (Hinton 2010, section 11).
    ///
    /// With [`Params::CENTRED`], v and h are taken as v − μ and h − λ, μ and λ being the offsets (Montavon and Müller
    /// 2012; Melchior, Fischer and Wiskott 2016, algorithm 1). Velocities are those of the centred model; its step is
    /// W += V_W, b += V_b − V_W λ and c += V_c − V_Wᵀ μ for this one.
    fn update(&mut self, params: &Params, positive: (Units, Units), negative: (Units, Units));
    /// W_·j ·= min(1, largest_norm / ‖W_·j‖): the weights of no hidden unit are longer (Hinton et al. 2012,
    /// "Improving neural networks by preventing co-adaptation of feature detectors").
    fn limit_norms(&mut self, params: &Params);
    /// λ += rate·(⟨p(h|v)⟩ − λ): the offsets of the hidden units follow their means over the rows.
    fn track(&mut self, params: &Params, hidden: Units);
    /// average += rate·(θ − average): the average of the parameters follows them.
    fn average(&mut self, params: &Params);
    /// fast = 0.95·fast + rate·velocity, for weights and biases alike: fast weights, which chains take beside the parameters
    /// where [`Params::FAST`] says so, follow the last update and forget it soon (Tieleman and Hinton 2009).
    fn fast_weights(&mut self, params: &Params);
    /// The snapshot of this number = θ. Needs [`Backend::snapshot_room`].
    fn keep(&mut self, snapshot: usize);
    /// θ ↔ average: makes the average the model that the other verbs see, or puts things back.
    fn exchange_average(&mut self);
    /// values += Σ_i (x_i − p_i)², of the states of `visible` and the means of `reconstruction`.
    fn squared_error(&mut self, params: &Params, visible: Units, reconstruction: Units, values: Values);
    /// values = F(v) = −β bᵀv − Σ_j softplus(β(c_j + (vW)_j)), of the states of `visible`; with [`Params::LESS`], values =
    /// F(v) − values.
    fn free_energy(&mut self, params: &Params, visible: Units, values: Values);

    /// values = E(v,h) = −vᵀWh − bᵀv − cᵀh, of the states of both layers.
    fn energy(&mut self, params: &Params, visible: Units, hidden: Units, values: Values);
    /// values = b + rate·base, one for each visible unit.
    fn temper_bias(&mut self, params: &Params, base: Values, values: Values);
    /// Exchanges the states of a layer of the same chain in two neighbouring replicas, with the probability
    /// min(1, e^(rate·(E_cold − E_hot))), where `rate` is the difference of their inverse temperatures, or 1 where the energies
    /// are differences of the two's own (Metropolis; Geyer 1991). Each side's values are the energies of its chains, and after
    /// them a mark for each chain, which goes with the states: 1 where they were at the hottest end since they were last the
    /// model's own. Adds 1 to `accepted`, from `first_row` on, for an exchange, and to `trips` for marked states that come to
    /// the model.
    fn swap(
        &mut self,
        params: &Params,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    );
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
    /// Waits for everything and gives what is kept beside the parameters; zeros where nothing was kept yet.
    fn read_kept(&mut self, kept: Kept) -> Result<Rbm>;
    /// Waits for everything and gives the offsets of the visible and the hidden units.
    fn read_offsets(&mut self) -> Result<(Vec<f32>, Vec<f32>)>;
    /// Waits for everything and gives the means and the states of the first rows.
    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)>;
    /// Waits for everything and gives the numbers of the first rows.
    fn read_values(&mut self, values: Values, rows: usize) -> Result<Vec<f32>>;
    /// Ends the device, as a driver may at any time: for tests. What the host computes on stays.
    #[doc(hidden)]
    fn lose(&mut self) {}
    /// Waits for everything.
    fn wait(&mut self) -> Result<()>;
}
