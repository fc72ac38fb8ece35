//! The table of kernels: what each is made of, what it binds, and how many workgroups it takes. A new kernel is a WGSL
//! file, a row here, a method of [`crate::backend::Backend`], and a textbook twin in [`crate::reference`].

use crate::backend::Params;

/// Workgroups along one dimension of a grid: WebGPU's limit.
const MOST_WORKGROUPS: u32 = 65_535;

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
    /// `track.wgsl`
    Track,
    /// `average.wgsl`
    Average,
    /// `set_visible_bias.wgsl`
    SetVisibleBias,
    /// `multiply_add.wgsl`
    MultiplyAdd,
    /// `copy.wgsl`
    Copy,
}

/// How a product is cut into workgroups and invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Whether workgroup memory holds the factors (for GPUs) or they are streamed (for software adapters).
    pub workgroup_memory: bool,
    /// Invocations of a workgroup, along columns and along rows.
    pub workgroup: (u32, u32),
    /// 4×4 blocks of an invocation, along columns and along rows.
    pub blocks: (u32, u32),
    /// Slices of four that a step brings into workgroup memory.
    pub depth_blocks: u32,
}

impl Tile {
    /// For software adapters: no workgroup memory, and 16×16 sums an invocation; a workgroup as wide as a register.
    pub const STREAMING: Self =
        Self { workgroup_memory: false, workgroup: (8, 1), blocks: (4, 4), depth_blocks: 1 };
    /// For GPUs: 32×32 outputs a workgroup, 4×4 sums an invocation; small enough to fill a large GPU at batch 256.
    pub const TILED: Self =
        Self { workgroup_memory: true, workgroup: (8, 8), blocks: (1, 1), depth_blocks: 4 };
    /// Every tile that is in use, for the tests.
    pub const ALL: [Self; 2] = [Self::STREAMING, Self::TILED];

    /// The tile that suits a kind of adapter.
    pub fn for_adapter(adapter: &wgpu::Adapter) -> Self {
        match adapter.get_info().device_type {
            wgpu::DeviceType::Cpu => Self::STREAMING,
            _ => Self::TILED,
        }
    }

    /// Cases or units that the grid of a product takes, along its shorter reach.
    pub fn most_rows(self) -> u32 {
        let (x, y) = (self.workgroup.0 * self.blocks.0, self.workgroup.1 * self.blocks.1);
        MOST_WORKGROUPS * 4 * x.min(y)
    }

    fn constants(&self) -> String {
        format!(
            "\n// How the product is cut: chosen by the host.\n\
             const WORKGROUP_X = {}u;\nconst WORKGROUP_Y = {}u;\n\
             const COLUMN_BLOCKS = {}u;\nconst ROW_BLOCKS = {}u;\nconst DEPTH_BLOCKS = {}u;\n",
            self.workgroup.0, self.workgroup.1, self.blocks.0, self.blocks.1, self.depth_blocks
        )
    }
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
    pub const ALL: [Self; 12] = [
        Self::Gather,
        Self::SampleHidden,
        Self::SampleVisible,
        Self::Update,
        Self::SquaredError,
        Self::FreeEnergy,
        Self::Centre,
        Self::Track,
        Self::Average,
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
            Self::Track => "rbm.track",
            Self::Average => "rbm.average",
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
            Self::Track => (include_str!("../../shaders/track.wgsl"), &[REDUCE]),
            Self::Average => (include_str!("../../shaders/average.wgsl"), &[]),
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
            Self::SquaredError | Self::FreeEnergy => &[false, false, true],
            Self::MultiplyAdd => &[true],
            Self::SetVisibleBias | Self::Copy => &[false, true],
        }
    }

    /// The whole WGSL module. The kernel's own file comes first, so that the lines of an error are its own.
    pub fn source(self, tile: Tile) -> String {
        let (own, shared) = self.parts();
        let mut source = [&[own, PARAMS], shared].concat().concat();
        if self.is_product() {
            source += PRODUCT;
            source += if tile.workgroup_memory { TILED } else { STREAMING };
            source += &tile.constants();
        }
        source
    }

    /// Workgroups along x and y.
    pub(super) fn workgroups(self, params: &Params, tile: Tile) -> (u32, u32) {
        // One-dimensional kernels stride over the grid, so they can be cut short.
        let line = |count: u32| (count.clamp(1, MOST_WORKGROUPS), 1);
        let groups = |units: u32| units / 4 + 1;
        let row_blocks = params.rows.div_ceil(4);
        let (columns, rows) = match self {
            Self::Gather => {
                let invocations = u64::from(params.rows) * u64::from(groups(params.visible));
                return line(invocations.div_ceil(64).min(u64::from(MOST_WORKGROUPS)) as u32);
            }
            Self::SquaredError => return line(params.rows),
            Self::FreeEnergy => return line(row_blocks),
            Self::Centre => return line(params.visible.saturating_add(groups(params.hidden))),
            Self::Track => return line(groups(params.hidden)),
            Self::Average => {
                let vectors = u64::from(params.visible + 1) * u64::from(groups(params.hidden));
                return line(vectors.div_ceil(64).min(u64::from(MOST_WORKGROUPS)) as u32);
            }
            Self::SetVisibleBias => return line(params.visible.div_ceil(64)),
            Self::MultiplyAdd => return line(row_blocks.div_ceil(64 * 8)),
            Self::Copy => return line(row_blocks.div_ceil(64)),
            Self::SampleHidden => (groups(params.hidden), row_blocks),
            Self::SampleVisible => (groups(params.visible), row_blocks),
            Self::Update => (groups(params.hidden), groups(params.visible)),
        };
        (columns.div_ceil(tile.workgroup.0 * tile.blocks.0), rows.div_ceil(tile.workgroup.1 * tile.blocks.1))
    }
}
