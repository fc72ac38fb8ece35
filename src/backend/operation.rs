//! The scalar arguments of each method of [`super::Backend`]: one small struct each, in Rust and, as the uniform of the
//! kernel, in WGSL under one name.

use crate::{
    data::{Packing, RowLayout},
    rbm::Side,
    rng::{self, Address, Stream},
};

/// The scalar arguments of a method. A GPU gets the bytes as they are, followed by the numbers of visible and hidden columns,
/// and the numbers of parameters that a model keeps for each.
pub trait Operation: bytemuck::Pod + Sync {
    /// The WGSL struct, with `visible`, `hidden`, `visible_parameters` and `hidden_parameters` at its end.
    const WGSL: &str;

    /// Rows that the kernel works on: cases or chains; 1 if it works on parameters alone.
    fn rows(&self) -> u32 {
        1
    }

    /// Chains of the negative phase, or 0.
    fn chains(&self) -> u32 {
        0
    }

    /// Units of the block that the kernel works on, or 0.
    fn units(&self) -> u32 {
        0
    }
}

/// Makes a Rust struct and its WGSL text from one definition. The types have the same names in both languages.
macro_rules! uniform {
    ($(#[$of_struct:meta])* pub struct $name:ident { $($(#[$of_field:meta])* pub $field:ident: $type:ident,)* } $($end:literal)?) => {
        $(#[$of_struct])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) const STRUCT: &str = concat!(
                "struct ", stringify!($name), " {\n",
                $("    ", stringify!($field), ": ", stringify!($type), ",\n",)*
                $($end,)?
                "}\n",
            );
        }
    };
}

/// An [`Operation`]: a uniform that ends with the numbers of columns and of their parameters.
macro_rules! operation {
    ($(#[$of_struct:meta])* pub struct $name:ident { $($fields:tt)* } $({ $($methods:item)* })?) => {
        uniform! {
            $(#[$of_struct])*
            pub struct $name { $($fields)* }
            "    visible: u32,\n    hidden: u32,\n    visible_parameters: u32,\n    hidden_parameters: u32,\n"
        }

        impl Operation for $name {
            const WGSL: &str = Self::STRUCT;
            $($($methods)*)?
        }
    };
}

/// Named values of a field, in Rust and in WGSL.
macro_rules! choices {
    ($name:ident: $($(#[$of_choice:meta])* $choice:ident = $number:literal;)*) => {
        impl $name {
            $($(#[$of_choice])* pub const $choice: u32 = $number;)*
            /// Names and values of the choices.
            pub(crate) const CHOICES: &[(&str, u32)] = &[$((stringify!($choice), $number)),*];
        }
    };
}

uniform! {
    /// How states are drawn, and from which random numbers. See [`Address`].
    pub struct Draw {
        /// The seed's lower 32 bits.
        pub seed_low: u32,
        /// The seed's upper 32 bits.
        pub seed_high: u32,
        /// The counter's first word, without the unit: the layer.
        pub layer: u32,
        /// The counter's third word: stream and sweep.
        pub purpose: u32,
        /// The counter's fourth word.
        pub step: u32,
        /// The counter's second word for row 0; later rows count up from it.
        pub first_chain: u32,
        /// [`Draw::MEANS`], [`Draw::GENERATOR`] or [`Draw::HOST`].
        pub source: u32,
        /// Index of the draw's first uniform in the host's buffer.
        pub uniforms_at: u32,
    }
}

choices! {
    Draw:
    /// Nothing is drawn: a state is its mean.
    MEANS = 0;
    /// u < mean, with numbers from the generator.
    GENERATOR = 1;
    /// u < mean, with numbers from [`super::Backend::write_uniforms`], row by row.
    HOST = 2;
    /// A product alone: means become inputs, and states stay. For the kernels of a GPU.
    INPUTS = 3;
}

impl Draw {
    /// No draw: states are means.
    pub fn none() -> Self {
        bytemuck::Zeroable::zeroed()
    }

    /// A draw with the generator's numbers at an address; row 0 is chain 0.
    pub fn at(seed: u64, address: Address) -> Self {
        let ([seed_low, seed_high], [layer, purpose, step]) = (rng::key(seed), address.words());
        Self { seed_low, seed_high, layer, purpose, step, source: Self::GENERATOR, ..Self::none() }
    }

    /// A stream's first draw of a layer's states at a step; row 0 is chain 0.
    pub fn of(seed: u64, stream: Stream, layer: Side, step: u32) -> Self {
        Self::at(seed, Address::new(stream, step).layer(layer.number()))
    }

    /// Replaces the sweep, from 0 to [`Address::SWEEPS`] − 1.
    pub fn sweep(self, sweep: u32) -> Self {
        let [layer, purpose, step] = self.address().sweep(sweep).words();
        Self { layer, purpose, step, ..self }
    }

    /// Replaces the chain of row 0; later rows count up from it.
    pub fn chains_from(self, first_chain: u32) -> Self {
        Self { first_chain, ..self }
    }

    /// Uses the host's uniforms from index `at` on instead of the generator.
    pub fn from_host(self, at: usize) -> Self {
        Self { source: Self::HOST, uniforms_at: at as u32, ..self }
    }

    /// Whether states are drawn.
    #[inline(always)]
    pub fn is_drawn(&self) -> bool {
        self.source != Self::MEANS
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        u64::from(self.seed_high) << 32 | u64::from(self.seed_low)
    }

    /// The address of the generator's numbers.
    pub fn address(&self) -> Address {
        Address::from_words([self.layer, self.purpose, self.step])
    }

    /// The chain of a row.
    #[inline(always)]
    pub fn chain(&self, row: usize) -> u32 {
        self.first_chain.wrapping_add(row as u32)
    }
}

operation! {
    /// Arguments of [`super::Backend::gather`].
    pub struct Gather {
        /// Whether and how states are drawn from the values.
        pub draw: Draw,
        /// Cases.
        pub rows: u32,
        /// Index of the minibatch's first case in the order.
        pub first_row: u32,
        /// [`Gather::BITS`], [`Gather::SPINS`], [`Gather::BYTES`] or [`Gather::FLOATS`].
        pub packing: u32,
        /// Factor of a byte.
        pub scale: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

impl ClampUnits {
    /// With one mask for all cases.
    pub fn new(rows: usize, units: usize) -> Self {
        Self { rows: rows as u32, units: units as u32, per_row: 0, where_zero: 0 }
    }

    /// With a mask for each case.
    pub fn per_row(self) -> Self {
        Self { per_row: 1, ..self }
    }

    /// Clamps the units where the mask is 0 instead.
    pub fn where_zero(self) -> Self {
        Self { where_zero: 1, ..self }
    }

    /// Whether a unit with this number in the mask is clamped.
    pub(crate) fn clamps(&self, mask: f32) -> bool {
        (mask != 0.0) != (self.where_zero == 1)
    }

    /// The part of the mask that is a row's.
    pub(crate) fn mask_of<'a>(&self, row: usize, mask: &'a [f32]) -> &'a [f32] {
        let units = self.units as usize;
        let first = if self.per_row == 1 { row * units } else { 0 };
        &mask[first..first + units]
    }
}

choices! {
    Gather:
    /// One bit per unit.
    BITS = 0;
    /// One byte per unit.
    BYTES = 1;
    /// One `f32` per unit.
    FLOATS = 2;
    /// One bit per unit: −1 or +1.
    SPINS = 3;
}

impl Gather {
    /// The first `rows` cases of the order, not drawn.
    pub fn new(layout: RowLayout, rows: usize) -> Self {
        let packing = match layout.packing {
            Packing::Bits => Self::BITS,
            Packing::Spins => Self::SPINS,
            Packing::Bytes => Self::BYTES,
            Packing::Floats => Self::FLOATS,
        };
        Self { draw: Draw::none(), rows: rows as u32, first_row: 0, packing, scale: layout.scale }
    }

    /// Begins at index `first_row` of the order.
    pub fn from_row(self, first_row: usize) -> Self {
        Self { first_row: first_row as u32, ..self }
    }

    /// Draws binary states, with each value as the probability of a 1.
    pub fn drawn(self, draw: Draw) -> Self {
        Self { draw, ..self }
    }
}

operation! {
    /// Arguments of [`super::Backend::sample`].
    pub struct HalfStep {
        /// Whether states are drawn, or equal their means.
        pub draw: Draw,
        /// Cases or chains.
        pub rows: u32,
        /// The inverse temperature, from 0 to 1.
        pub beta: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

impl HalfStep {
    /// A half step at β = 1.
    pub fn new(rows: usize, draw: Draw) -> Self {
        Self { draw, rows: rows as u32, beta: 1.0 }
    }

    /// Replaces the inverse temperature, from 0 to 1.
    pub fn at(self, beta: f32) -> Self {
        Self { beta, ..self }
    }
}

operation! {
    /// Arguments of [`super::Backend::gradient`].
    pub struct Contrast {
        /// Cases of the positive phase.
        pub rows: u32,
        /// Chains of the negative phase.
        pub chains: u32,
        /// 1 to subtract the offsets from the units, else 0.
        pub centred: u32,
        /// Target activity of a hidden unit, from 0 to 1.
        pub sparsity_target: f32,
        /// Strength of the pull to the target; 0 for none.
        pub sparsity_cost: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn chains(&self) -> u32 { self.chains }
    }
}

impl Contrast {
    /// A plain gradient of `rows` cases and `chains` chains: neither centred nor sparse.
    pub fn new(rows: usize, chains: usize) -> Self {
        Self {
            rows: rows as u32,
            chains: chains as u32,
            centred: 0,
            sparsity_target: 0.0,
            sparsity_cost: 0.0,
        }
    }

    /// Whether hidden units are pulled to a target.
    pub fn is_sparse(&self) -> bool {
        self.sparsity_cost != 0.0
    }
}

operation! {
    /// Arguments of [`super::Backend::ascend`].
    pub struct Ascent {
        /// [`Ascent::MOMENTUM`], [`Ascent::NESTEROV`] or [`Ascent::ADAM`].
        pub rule: u32,
        /// The learning rate.
        pub rate: f32,
        /// The fraction of the last step that is carried on.
        pub momentum: f32,
        /// L2 decay of the weights.
        pub weight_decay: f32,
        /// L1 decay of the weights.
        pub l1: f32,
        /// 1/(1 − 0.9^t) at Adam's step t, from 1.
        pub first_correction: f32,
        /// 1/(1 − 0.999^t) at Adam's step t, from 1.
        pub second_correction: f32,
    }
}

choices! {
    Ascent:
    /// Classical momentum, or none.
    MOMENTUM = 0;
    /// Nesterov's momentum.
    NESTEROV = 1;
    /// Adam.
    ADAM = 2;
}

/// Adam's β₁, decay of the mean of the gradients (Kingma and Ba 2015).
pub const ADAM_FIRST: f64 = 0.9;
/// Adam's β₂, decay of the mean of the squared gradients (Kingma and Ba 2015).
pub const ADAM_SECOND: f64 = 0.999;
/// Adam's ε, which prevents division by 0.
pub const ADAM_EPSILON: f64 = 1e-8;

impl Ascent {
    /// Plain steps at this learning rate.
    pub fn new(rate: f32) -> Self {
        Self { rate, ..bytemuck::Zeroable::zeroed() }
    }

    /// Switches to Adam's rule at step t = `steps_before` + 1.
    pub fn adam(self, steps_before: u32) -> Self {
        let correction = |share: f64| (1.0 / (1.0 - share.powf(f64::from(steps_before) + 1.0))) as f32;
        let (first_correction, second_correction) = (correction(ADAM_FIRST), correction(ADAM_SECOND));
        Self { rule: Self::ADAM, first_correction, second_correction, ..self }
    }

    /// Whether it is only momentum and L2 decay, which [`super::Backend::update`] fuses with the gradient.
    pub fn is_plain(&self) -> bool {
        self.rule == Self::MOMENTUM && self.l1 == 0.0
    }
}

operation! {
    /// Arguments of [`super::Backend::update`]: a [`Contrast`] and a plain [`Ascent`].
    pub struct Update {
        /// Cases of the positive phase.
        pub rows: u32,
        /// Chains of the negative phase.
        pub chains: u32,
        /// 1 to subtract the offsets from the units, else 0.
        pub centred: u32,
        /// Target activity of a hidden unit, from 0 to 1.
        pub sparsity_target: f32,
        /// Strength of the pull to the target; 0 for none.
        pub sparsity_cost: f32,
        /// The learning rate.
        pub rate: f32,
        /// The fraction of the last step that is carried on.
        pub momentum: f32,
        /// L2 decay of the weights.
        pub weight_decay: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn chains(&self) -> u32 { self.chains }
    }
}

impl Update {
    /// Fuses a gradient and a plain ascent.
    pub fn new(contrast: Contrast, ascent: Ascent) -> Self {
        debug_assert!(ascent.is_plain(), "only a plain ascent is fused");
        let Contrast { rows, chains, centred, sparsity_target, sparsity_cost } = contrast;
        let Ascent { rate, momentum, weight_decay, .. } = ascent;
        Self { rows, chains, centred, sparsity_target, sparsity_cost, rate, momentum, weight_decay }
    }

    /// The arguments of the gradient alone.
    pub fn contrast(&self) -> Contrast {
        let &Self { rows, chains, centred, sparsity_target, sparsity_cost, .. } = self;
        Contrast { rows, chains, centred, sparsity_target, sparsity_cost }
    }

    /// The arguments of the ascent alone.
    pub fn ascent(&self) -> Ascent {
        let &Self { rate, momentum, weight_decay, .. } = self;
        Ascent { momentum, weight_decay, ..Ascent::new(rate) }
    }
}

operation! {
    /// Arguments of [`super::Backend::standardise`].
    pub struct Standardise {
        /// What is added to each variance.
        pub ridge: f32,
    }
}

impl Standardise {
    /// Units that hardly change have large steps, but none more than 20 times as large; units on half the time have a variance of
    /// 0.25.
    pub const USUAL: Self = Self { ridge: 0.05 };
}

operation! {
    /// Arguments of [`super::Backend::penalise`].
    pub struct Penalise {
        /// Factor of the penalty, λ.
        pub strength: f32,
    }
}

operation! {
    /// Arguments of [`super::Backend::clip`].
    pub struct Clip {
        /// The largest norm of a gradient.
        pub largest: f32,
    }
}

operation! {
    /// Arguments of [`super::Backend::recentre`].
    pub struct Recentre {}
}

operation! {
    /// Arguments of [`super::Backend::limit_norms`].
    pub struct LimitNorms {
        /// The largest norm of a hidden unit's weights.
        pub largest: f32,
    }
}

operation! {
    /// Arguments of the kernel that fixes the gauge of a block of Potts units: a part of [`super::Backend::fix_gauge`].
    pub struct FixGauge {
        /// The block's side, [`Side::number`].
        pub side: u32,
        /// First column.
        pub first: u32,
        /// Units.
        pub units: u32,
        /// Columns of a unit: its states.
        pub columns: u32,
    }
}

operation! {
    /// Arguments of [`super::Backend::combine`].
    pub struct Combine {
        /// Factor of the model.
        pub keep: f32,
        /// Factor of the other.
        pub add: f32,
    }
}

impl Combine {
    /// Replaces the model by the other.
    pub const COPY: Self = Self { keep: 0.0, add: 1.0 };
    /// Adds the other to the model.
    pub const SUM: Self = Self { keep: 1.0, add: 1.0 };

    /// Moves the model by the fraction `share` towards the other, from 0 to 1.
    pub fn towards(share: f32) -> Self {
        Self { keep: 1.0 - share, add: share }
    }
}

operation! {
    /// Arguments of [`super::Backend::track`].
    pub struct Track {
        /// Cases.
        pub rows: u32,
        /// Weight of the new means: from 0, no change, to 1, no memory.
        pub rate: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of the kernel that tracks the variances of a block of hidden units: a part of [`super::Backend::track_variances`].
    pub struct TrackVariances {
        /// Cases.
        pub rows: u32,
        /// Weight of the new variances: from 0, no change, to 1, no memory.
        pub rate: f32,
        /// The kind, [`crate::units::Kind::number`].
        pub kind: u32,
        /// First column.
        pub first: u32,
        /// Columns of the block.
        pub units: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn units(&self) -> u32 { self.units }
    }
}

operation! {
    /// Arguments of [`super::Backend::squared_error`].
    pub struct SquaredError {
        /// Cases.
        pub rows: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of [`super::Backend::free_energy`].
    pub struct FreeEnergy {
        /// Cases or chains.
        pub rows: u32,
        /// The inverse temperature, from 0 to 1.
        pub beta: f32,
        /// 1 to subtract the old values, else 0.
        pub less: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

impl FreeEnergy {
    /// Free energies at β = 1.
    pub fn new(rows: usize) -> Self {
        Self { rows: rows as u32, beta: 1.0, less: 0.0 }
    }

    /// Replaces the inverse temperature, from 0 to 1.
    pub fn at(self, beta: f32) -> Self {
        Self { beta, ..self }
    }

    /// Subtracts the old values.
    pub fn less(self) -> Self {
        Self { less: 1.0, ..self }
    }
}

operation! {
    /// Arguments of [`super::Backend::energy`].
    pub struct Energy {
        /// Chains.
        pub rows: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of [`super::Backend::swap`].
    pub struct Swap {
        /// The random numbers, one per chain.
        pub draw: Draw,
        /// Chains.
        pub rows: u32,
        /// Factor of the difference of energies: the difference of the inverse temperatures, or 1 if the values are already
        /// differences of the two models' energies.
        pub factor: f32,
        /// Units of the layer whose states are swapped.
        pub units: u32,
        /// Index of the pair's first count.
        pub counts_at: u32,
        /// 1 if the colder side is the model itself, else 0.
        pub coldest: u32,
        /// 1 if the hotter side is the last replica, else 0.
        pub hottest: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of [`super::Backend::clamp_units`].
    pub struct ClampUnits {
        /// Cases.
        pub rows: u32,
        /// Units of the layer.
        pub units: u32,
        /// Whether each case has a mask of its own.
        pub per_row: u32,
        /// Whether units are clamped where the mask is 0, not where it is something else.
        pub where_zero: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of [`super::Backend::fill_missing`].
    pub struct FillMissing {
        /// Cases.
        pub rows: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of the kernel that turns the inputs of a block of units into means, moments and states: the second half of
    /// [`super::Backend::sample`] to a layer that is not all binary.
    pub struct FinishUnits {
        /// Whether states are drawn, or equal their means.
        pub draw: Draw,
        /// Cases or chains.
        pub rows: u32,
        /// The inverse temperature, from 0 to 1: the weight of the model's parameters. The base's have the rest.
        pub beta: f32,
        /// The block's side, [`Side::number`].
        pub side: u32,
        /// The kind, [`crate::units::Kind::number`].
        pub kind: u32,
        /// First column.
        pub first: u32,
        /// Units.
        pub units: u32,
        /// Columns of a unit.
        pub columns: u32,
        /// Parameters of the kind.
        pub numbers: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn units(&self) -> u32 { self.units }
    }
}

operation! {
    /// Arguments of the kernel that subtracts the cumulants of a block of units from values: a part of
    /// [`super::Backend::free_energy`].
    pub struct Cumulants {
        /// Cases or chains.
        pub rows: u32,
        /// The inverse temperature, from 0 to 1.
        pub beta: f32,
        /// The block's side, [`Side::number`].
        pub side: u32,
        /// The kind, [`crate::units::Kind::number`].
        pub kind: u32,
        /// First column.
        pub first: u32,
        /// Units.
        pub units: u32,
        /// Columns of a unit.
        pub columns: u32,
        /// Parameters of the kind.
        pub numbers: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn units(&self) -> u32 { self.units }
    }
}

operation! {
    /// Arguments of the kernel that subtracts the potentials of a block of units from values: a part of
    /// [`super::Backend::free_energy`] and [`super::Backend::energy`].
    pub struct Potentials {
        /// Cases or chains.
        pub rows: u32,
        /// The block's side, [`Side::number`].
        pub side: u32,
        /// The kind, [`crate::units::Kind::number`].
        pub kind: u32,
        /// First column.
        pub first: u32,
        /// Columns of the block.
        pub units: u32,
        /// The first parameter that counts: 0, or 1 without the biases.
        pub first_number: u32,
        /// Parameters of the kind.
        pub numbers: u32,
        /// Factor of the model's parameters.
        pub own: f32,
        /// Factor of the base's.
        pub of_base: f32,
        /// Factor of the old values; with 0 they are not read.
        pub keep: f32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn units(&self) -> u32 { self.units }
    }
}

operation! {
    /// Arguments of the kernel that writes the gradient of a block's parameters after the biases: a part of
    /// [`super::Backend::gradient`].
    pub struct GradientOfPotentials {
        /// Cases of the positive phase.
        pub rows: u32,
        /// Chains of the negative phase.
        pub chains: u32,
        /// The block's side, [`Side::number`].
        pub side: u32,
        /// The kind, [`crate::units::Kind::number`].
        pub kind: u32,
        /// First column.
        pub first: u32,
        /// Columns of the block.
        pub units: u32,
        /// Parameters of the kind.
        pub numbers: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
        fn chains(&self) -> u32 { self.chains }
        fn units(&self) -> u32 { self.units }
    }
}

operation! {
    /// Arguments of [`super::Ceiling::multiply_add`].
    pub struct MultiplyAdd {
        /// Numbers.
        pub rows: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

operation! {
    /// Arguments of [`super::Ceiling::copy`].
    pub struct Copy {
        /// Numbers.
        pub rows: u32,
    } {
        fn rows(&self) -> u32 { self.rows }
    }
}

/// Multiply-adds of [`super::Ceiling::multiply_add`] per number.
pub const MULTIPLY_ADDS: usize = 256;
