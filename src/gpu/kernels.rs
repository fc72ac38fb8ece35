//! The table of kernels: what each is made of, what it binds, and how many workgroups it takes. A new kernel is a WGSL
//! file, a row here, a method of [`crate::backend::Backend`], and a textbook twin in [`crate::reference`].

use super::tile::{MOST_WORKGROUPS, Product, Tile};
use crate::backend::Params;

/// A WGSL kernel, one file in `shaders/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// `gather.wgsl`
    Gather,
    /// `sample_hidden.wgsl`
    SampleHidden,
    /// `sample_visible.wgsl`
    SampleVisible,
    /// `update.wgsl`
    Update,
    /// `squared_error.wgsl`
    SquaredError,
    /// `free_energy.wgsl`
    FreeEnergy,
    /// `centre.wgsl`
    Centre,
    /// `limit_norms.wgsl`
    LimitNorms,
    /// `track.wgsl`
    Track,
    /// `average.wgsl`
    Average,
    /// `fast_weights.wgsl`
    FastWeights,
    /// `energy.wgsl`
    Energy,
    /// `temper_bias.wgsl`
    TemperBias,
    /// `swap.wgsl`
    Swap,
    /// `clamp_visible.wgsl`
    ClampVisible,
    /// `set_visible_bias.wgsl`
    SetVisibleBias,
    /// `multiply_add.wgsl`
    MultiplyAdd,
    /// `copy.wgsl`
    Copy,
}

const PARAMS: &str = include_str!("../../shaders/shared/params.wgsl");
const RANDOM: &str = include_str!("../../shaders/shared/random.wgsl");
const SAMPLE: &str = include_str!("../../shaders/shared/sample.wgsl");
const ACCUMULATE: &str = include_str!("../../shaders/shared/accumulate.wgsl");
const REDUCE: &str = include_str!("../../shaders/shared/reduce.wgsl");
const PRODUCT: &str = include_str!("../../shaders/shared/product.wgsl");
const STREAMING: &str = include_str!("../../shaders/shared/product_streaming.wgsl");
const TILED: &str = include_str!("../../shaders/shared/product_tiled.wgsl");

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Gather,
        Self::SampleHidden,
        Self::SampleVisible,
        Self::Update,
        Self::SquaredError,
        Self::FreeEnergy,
        Self::Centre,
        Self::LimitNorms,
        Self::Track,
        Self::Average,
        Self::FastWeights,
        Self::Energy,
        Self::TemperBias,
        Self::Swap,
        Self::ClampVisible,
        Self::SetVisibleBias,
        Self::MultiplyAdd,
        Self::Copy,
    ];

    /// The name of the file, the entry point, the method and the twin.
    pub fn name(self) -> &'static str {
        &self.label()["rbm.".len()..]
    }

    /// The name for debuggers and profilers.
    pub fn label(self) -> &'static str {
        match self {
            Self::Gather => "rbm.gather",
            Self::SampleHidden => "rbm.sample_hidden",
            Self::SampleVisible => "rbm.sample_visible",
            Self::Update => "rbm.update",
            Self::SquaredError => "rbm.squared_error",
            Self::FreeEnergy => "rbm.free_energy",
            Self::Centre => "rbm.centre",
            Self::LimitNorms => "rbm.limit_norms",
            Self::Track => "rbm.track",
            Self::Average => "rbm.average",
            Self::FastWeights => "rbm.fast_weights",
            Self::Energy => "rbm.energy",
            Self::TemperBias => "rbm.temper_bias",
            Self::Swap => "rbm.swap",
            Self::ClampVisible => "rbm.clamp_visible",
            Self::SetVisibleBias => "rbm.set_visible_bias",
            Self::MultiplyAdd => "rbm.multiply_add",
            Self::Copy => "rbm.copy",
        }
    }

    /// Whether it is built on the shared product, and so depends on the tile.
    pub fn is_product(self) -> bool {
        matches!(self, Self::SampleHidden | Self::SampleVisible | Self::Update)
    }

    /// The kernel's own file, and the shared parts it is composed with.
    fn parts(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Gather => (include_str!("../../shaders/gather.wgsl"), &[RANDOM]),
            Self::SampleHidden => {
                (include_str!("../../shaders/sample_hidden.wgsl"), &[ACCUMULATE, SAMPLE, RANDOM])
            }
            Self::SampleVisible => {
                (include_str!("../../shaders/sample_visible.wgsl"), &[ACCUMULATE, SAMPLE, RANDOM])
            }
            Self::Update => (include_str!("../../shaders/update.wgsl"), &[ACCUMULATE]),
            Self::SquaredError => (include_str!("../../shaders/squared_error.wgsl"), &[REDUCE]),
            Self::FreeEnergy => (include_str!("../../shaders/free_energy.wgsl"), &[ACCUMULATE, REDUCE]),
            Self::Centre => (include_str!("../../shaders/centre.wgsl"), &[REDUCE]),
            Self::LimitNorms => (include_str!("../../shaders/limit_norms.wgsl"), &[REDUCE]),
            Self::Track => (include_str!("../../shaders/track.wgsl"), &[REDUCE]),
            Self::Average => (include_str!("../../shaders/average.wgsl"), &[]),
            Self::FastWeights => (include_str!("../../shaders/fast_weights.wgsl"), &[]),
            Self::Energy => (include_str!("../../shaders/energy.wgsl"), &[ACCUMULATE, REDUCE]),
            Self::TemperBias => (include_str!("../../shaders/temper_bias.wgsl"), &[]),
            Self::Swap => (include_str!("../../shaders/swap.wgsl"), &[RANDOM]),
            Self::ClampVisible => (include_str!("../../shaders/clamp_visible.wgsl"), &[]),
            Self::SetVisibleBias => (include_str!("../../shaders/set_visible_bias.wgsl"), &[]),
            Self::MultiplyAdd => (include_str!("../../shaders/multiply_add.wgsl"), &[]),
            Self::Copy => (include_str!("../../shaders/copy.wgsl"), &[]),
        }
    }

    /// Storage bindings 1, 2, …: whether each is written.
    pub fn writes(self) -> &'static [bool] {
        match self {
            Self::Gather => &[false, false, false, true],
            Self::SampleHidden | Self::SampleVisible => &[false, false, false, true, true],
            Self::Update => &[false, false, false, false, false, false, true, true],
            Self::Centre => &[false, false, false, true],
            Self::Track | Self::Average => &[false, true],
            Self::ClampVisible | Self::SquaredError | Self::FreeEnergy | Self::TemperBias => {
                &[false, false, true]
            }
            Self::FastWeights => &[false, false, true, true],
            Self::Energy => &[false, false, false, true],
            Self::Swap => &[false, true, true, true, true, true, true],
            Self::LimitNorms | Self::MultiplyAdd => &[true],
            Self::SetVisibleBias | Self::Copy => &[false, true],
        }
    }

    /// What it is compiled with: each tile, or none if it is no product.
    pub fn variants(self) -> Vec<Option<Tile>> {
        if self.is_product() { Tile::all().map(Some).collect() } else { vec![None] }
    }

    /// The whole WGSL module. The kernel's own file comes first, so that the lines of an error are its own.
    pub fn source(self, tile: Option<Tile>) -> String {
        let (own, shared) = self.parts();
        let mut source = [&[own, PARAMS], shared].concat().concat();
        if let Some(tile) = tile {
            source += PRODUCT;
            source += if tile.workgroup_memory { TILED } else { STREAMING };
            source += &tile.constants();
        }
        source
    }

    /// Its product, if it has one.
    pub(super) fn product(self, params: &Params) -> Option<Product> {
        let (visible, hidden) = (groups(params.visible), groups(params.hidden));
        let (cases, chains) = (params.rows.div_ceil(4), params.chains.div_ceil(4));
        Some(match self {
            Self::SampleHidden => Product { rows: cases, columns: hidden, depth: visible },
            Self::SampleVisible => Product { rows: cases, columns: visible, depth: hidden },
            Self::Update => Product { rows: visible, columns: hidden, depth: cases.saturating_add(chains) },
            _ => return None,
        })
    }

    /// Workgroups along x of a kernel that is no product: they stride over the grid, so they can be cut short.
    pub(super) fn workgroups(self, params: &Params) -> u32 {
        let row_blocks = params.rows.div_ceil(4);
        let of_64 = |invocations: u64| invocations.div_ceil(64).min(u64::from(MOST_WORKGROUPS)) as u32;
        let count = match self {
            Self::Gather | Self::ClampVisible => {
                of_64(u64::from(params.rows) * u64::from(groups(params.visible)))
            }
            Self::Average | Self::FastWeights => {
                of_64(u64::from(params.visible + 1) * u64::from(groups(params.hidden)))
            }
            Self::SquaredError | Self::Swap => params.rows,
            Self::FreeEnergy | Self::Energy => row_blocks,
            Self::Centre => params.visible.saturating_add(groups(params.hidden)),
            Self::LimitNorms | Self::Track => groups(params.hidden),
            Self::SetVisibleBias | Self::TemperBias => params.visible.div_ceil(64),
            Self::MultiplyAdd => row_blocks.div_ceil(64 * 8),
            Self::Copy => row_blocks.div_ceil(64),
            Self::SampleHidden | Self::SampleVisible | Self::Update => 1,
        };
        count.clamp(1, MOST_WORKGROUPS)
    }
}

/// Blocks of four units, with the one that is always on: `groups` in `shaders/shared/params.wgsl`.
fn groups(units: u32) -> u32 {
    units / 4 + 1
}
