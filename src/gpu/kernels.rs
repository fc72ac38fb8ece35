//! The table of kernels: source, bindings, workgroups and work of each. A new kernel is a WGSL file, a row here, a method
//! of [`crate::backend::Backend`], and a textbook twin in [`crate::reference`]. The kernels for units of every kind are parts of
//! methods: a dispatch for each block of a layer. They get every kind from the table of [`crate::units::Kind`].

use super::{
    tile::{MOST_WORKGROUPS, Product, Tile},
    wgsl,
};
use crate::{
    backend::{
        Ascent, ClampUnits, Clip, Combine, Contrast, Copy, Cumulants, Energy, FillMissing, FinishUnits,
        FixGauge, FreeEnergy, Gather, GradientOfPotentials, HalfStep, LimitNorms, MultiplyAdd, Penalise,
        Potentials, Recentre, SquaredError, Standardise, Swap, Track, TrackVariances, Update,
        operation::{MULTIPLY_ADDS, Operation},
    },
    rbm::Layers,
    units::Kind,
};

const GEOMETRY: &str = include_str!("../../shaders/shared/geometry.wgsl");
const RANDOM: &str = include_str!("../../shaders/shared/random.wgsl");
const SAMPLE: &str = include_str!("../../shaders/shared/sample.wgsl");
const ACCUMULATE: &str = include_str!("../../shaders/shared/accumulate.wgsl");
const UNIT: &str = Kind::Binary.shader();
const POTTS: &str = Kind::Potts { states: 2 }.shader();
/// What the kinds of unit with one column share; needs [`wgsl::kinds`] and [`wgsl::polynomials`].
const KINDS: &str = include_str!("../../shaders/shared/truncated.wgsl");
const BLOCK: &str = include_str!("../../shaders/shared/block.wgsl");
const PATH: &str = include_str!("../../shaders/shared/path.wgsl");
const PARAMETERS: &str = include_str!("../../shaders/shared/parameters.wgsl");
const REDUCE: &str = include_str!("../../shaders/shared/reduce.wgsl");
const FOUR_CASES: &str = include_str!("../../shaders/shared/four_cases.wgsl");
const CONTRAST: &str = include_str!("../../shaders/shared/contrast.wgsl");
const PRODUCT: &str = include_str!("../../shaders/shared/product.wgsl");
const STREAMING: &str = include_str!("../../shaders/shared/product_streaming.wgsl");
const TILED: &str = include_str!("../../shaders/shared/product_tiled.wgsl");

/// A read-only storage binding.
const R: bool = false;
/// A storage binding that is written.
const W: bool = true;

/// A row of the table.
struct Row {
    /// Name for debuggers and profilers: `rbm.` and the name shared by file, entry point, method and twin.
    label: &'static str,
    /// The kernel's own file.
    file: &'static str,
    /// The WGSL struct of the operation.
    uniform: &'static str,
    /// The shared sources appended to the file.
    parts: &'static [&'static str],
    /// Whether each of the storage bindings 1, 2, … is written.
    writes: &'static [bool],
    grid: Grid,
}

/// What every uniform ends with.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Geometry {
    /// Columns.
    visible: u32,
    hidden: u32,
    /// Parameters that a model keeps for each column.
    visible_parameters: u32,
    hidden_parameters: u32,
}

impl Geometry {
    pub fn of(Layers { visible, hidden }: &Layers) -> Self {
        Self {
            visible: visible.columns() as u32,
            hidden: hidden.columns() as u32,
            visible_parameters: visible.planes() as u32,
            hidden_parameters: hidden.planes() as u32,
        }
    }
}

/// Size of a dispatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Cases or chains.
    rows: u32,
    /// Chains of the negative phase.
    chains: u32,
    /// Units of the block, for kernels that work on one.
    units: u32,
    visible: u32,
    hidden: u32,
    /// Rows of parameters after the biases.
    planes: [u32; 2],
}

impl Size {
    pub fn of(op: &impl Operation, geometry: Geometry) -> Self {
        let Geometry { visible, hidden, visible_parameters, hidden_parameters } = geometry;
        let planes = [visible_parameters - 1, hidden_parameters - 1];
        Self { rows: op.rows(), chains: op.chains(), units: op.units(), visible, hidden, planes }
    }
}

/// The grid of a kernel. All kernels but products stride over their grid, so it may be cut short.
enum Grid {
    /// A product, cut by its tile.
    Product(fn(&Size) -> Product),
    /// Invocations, 64 per workgroup; and the work.
    Invocations(fn(&Size) -> u64, Work),
    /// Workgroups; and the work.
    Workgroups(fn(&Size) -> u32, Work),
}

/// Multiply-adds, roughly: an upper bound for kernels that take almost no time.
type Work = fn(&Size) -> f64;

/// One row defines a variant of [`Kernel`], its entry in [`Kernel::ALL`], and all its properties.
macro_rules! kernels {
    ($($kernel:ident $name:literal, $operation:ident, $parts:expr, $writes:expr, $grid:expr;)*) => {
        /// A WGSL kernel, one file in `shaders/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kernel {
            $(#[doc = concat!("`", $name, ".wgsl`")] $kernel,)*
        }

        impl Kernel {
            /// All kernels.
            pub const ALL: [Self; ROWS.len()] = [$(Self::$kernel),*];
        }

        static ROWS: [Row; [$($name),*].len()] = [$(Row {
            label: concat!("rbm.", $name),
            file: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            uniform: <$operation as Operation>::WGSL,
            parts: &$parts,
            writes: &$writes,
            grid: $grid,
        }),*];
    };
}

use Grid::{Invocations, Workgroups};

#[rustfmt::skip]
kernels! {
    Gather "gather", Gather, [RANDOM], [R, R, R, W], Invocations(units_of_rows, once);
    SampleHidden "sample_hidden", HalfStep, [ACCUMULATE, SAMPLE, UNIT, RANDOM], [R, R, R, W, W], Grid::Product(to_hidden);
    SampleVisible "sample_visible", HalfStep, [ACCUMULATE, SAMPLE, UNIT, RANDOM], [R, R, R, R, W, W], Grid::Product(to_visible);
    Gradient "gradient", Contrast, [ACCUMULATE, CONTRAST], [R, R, R, R, R, R, W], Grid::Product(associations);
    Standardise "standardise", Standardise, [PARAMETERS], [R, R, W], Invocations(parameters, once);
    Penalise "penalise", Penalise, [REDUCE], [R, R, W], Workgroups(|s| groups(s.hidden), once);
    Clip "clip", Clip, [REDUCE, PARAMETERS], [W], Workgroups(|_| 1, once);
    Ascend "ascend", Ascent, [PARAMETERS], [W, W, W, W], Invocations(parameters, once);
    Recentre "recentre", Recentre, [REDUCE], [R, R, R, W], Workgroups(|s| s.visible.saturating_add(groups(s.hidden)), once);
    Update "update", Update, [ACCUMULATE, CONTRAST], [R, R, R, R, R, R, W, W], Grid::Product(associations);
    LimitNorms "limit_norms", LimitNorms, [REDUCE], [W], Workgroups(|s| groups(s.hidden), once);
    FixGauge "fix_gauge", FixGauge, [REDUCE], [W], Workgroups(|s| s.visible.saturating_add(groups(s.hidden)), once);
    Track "track", Track, [REDUCE], [R, W], Workgroups(|s| groups(s.hidden), once);
    TrackVariances "track_variances", TrackVariances, [KINDS, REDUCE], [R, R, R, W], Workgroups(|s| groups(s.units + 3), once);
    Combine "combine", Combine, [PARAMETERS], [R, W], Invocations(parameters, once);
    SquaredError "squared_error", SquaredError, [REDUCE], [R, R, W], Workgroups(|s| s.rows, once);
    FreeEnergy "free_energy", FreeEnergy, [ACCUMULATE, REDUCE, FOUR_CASES, UNIT], [R, R, R, W], Workgroups(row_blocks, weights_for_rows);
    Energy "energy", Energy, [ACCUMULATE, REDUCE, FOUR_CASES], [R, R, R, R, W], Workgroups(row_blocks, weights_for_rows);
    Swap "swap", Swap, [RANDOM], [R, W, W, W, W, W, W], Workgroups(|s| s.rows, once);
    ClampUnits "clamp_units", ClampUnits, [], [R, R, W], Invocations(|s| u64::from(s.rows) * u64::from(groups(s.units)), once);
    FillMissing "fill_missing", FillMissing, [], [R, R, W, W], Invocations(units_of_rows, once);
    FinishUnits "finish_units", FinishUnits, [KINDS, POTTS, BLOCK, PATH, RANDOM], [R, R, R, W, W, W], Invocations(units_of_block, mathematics);
    Cumulants "cumulants", Cumulants, [KINDS, POTTS, BLOCK, PATH, REDUCE], [R, R, R, W], Workgroups(|s| s.rows, mathematics);
    Potentials "potentials", Potentials, [KINDS, BLOCK, PATH, REDUCE], [R, R, R, W], Workgroups(|s| s.rows, mathematics);
    GradientOfPotentials "gradient_of_potentials", GradientOfPotentials, [KINDS, BLOCK, REDUCE], [R, R, W], Workgroups(|s| 3 * groups(s.units + 3), once);
    MultiplyAdd "multiply_add", MultiplyAdd, [], [W], Invocations(|s| row_blocks(s).div_ceil(8).into(), multiply_adds);
    Copy "copy", Copy, [], [R, W], Invocations(|s| row_blocks(s).into(), once);
}

// Grids.

fn row_blocks(size: &Size) -> u32 {
    size.rows.div_ceil(4)
}

/// Groups of visible units in all rows.
fn units_of_rows(size: &Size) -> u64 {
    u64::from(size.rows) * u64::from(groups(size.visible))
}

/// Units of a block in all rows.
fn units_of_block(size: &Size) -> u64 {
    u64::from(size.rows) * u64::from(size.units)
}

/// Groups of parameters.
fn parameters(size: &Size) -> u64 {
    let [of_visible, of_hidden] = size.planes.map(u64::from);
    u64::from(size.visible + 1) * u64::from(groups(size.hidden))
        + of_visible * u64::from(groups(size.visible))
        + of_hidden * u64::from(groups(size.hidden))
}

fn to_hidden(size: &Size) -> Product {
    Product { rows: row_blocks(size), columns: groups(size.hidden), depth: groups(size.visible) }
}

fn to_visible(size: &Size) -> Product {
    Product { rows: row_blocks(size), columns: groups(size.visible), depth: groups(size.hidden) }
}

fn associations(size: &Size) -> Product {
    let depth = row_blocks(size).saturating_add(size.chains.div_ceil(4));
    Product { rows: groups(size.visible), columns: groups(size.hidden), depth }
}

// Work.

/// Each number once.
fn once(size: &Size) -> f64 {
    let [rows, visible, hidden] = [size.rows, size.visible, size.hidden].map(f64::from);
    rows + visible * hidden + visible + hidden
}

/// Each unit of the wider layer in each row, whose mathematics take a hundred multiply-adds or so.
fn mathematics(size: &Size) -> f64 {
    100.0 * f64::from(size.rows) * f64::from(size.visible.max(size.hidden))
}

/// Each weight once per row.
fn weights_for_rows(size: &Size) -> f64 {
    f64::from(size.rows) * f64::from(size.visible) * f64::from(size.hidden)
}

fn multiply_adds(size: &Size) -> f64 {
    f64::from(size.rows) * MULTIPLY_ADDS as f64
}

/// Blocks of four units, including the bias unit: `groups` in `shaders/shared/geometry.wgsl`.
fn groups(units: u32) -> u32 {
    units / 4 + 1
}

impl Kernel {
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name shared by file, entry point, method and twin.
    pub fn name(self) -> &'static str {
        &self.label()["rbm.".len()..]
    }

    /// The name for debuggers and profilers.
    pub fn label(self) -> &'static str {
        self.row().label
    }

    /// Whether each of the storage bindings 1, 2, … is written.
    pub fn writes(self) -> &'static [bool] {
        self.row().writes
    }

    /// Every tile that it is compiled with; one `None` if it is not a product.
    pub fn variants(self) -> Vec<Option<Tile>> {
        if matches!(self.row().grid, Grid::Product(_)) { Tile::all().map(Some).collect() } else { vec![None] }
    }

    /// The whole WGSL module. The kernel's own file comes first, so that line numbers in errors are its own.
    pub fn source(self, tile: Option<Tile>) -> String {
        let Row { file, uniform, parts, .. } = self.row();
        let mut source = [file, GEOMETRY].concat() + &parts.concat() + &wgsl::shared() + uniform;
        if parts.contains(&KINDS) {
            source += &wgsl::kinds();
            source += &wgsl::polynomials();
        }
        if let Some(tile) = tile {
            source += PRODUCT;
            source += if tile.workgroup_memory { TILED } else { STREAMING };
            source += &tile.constants();
        }
        source
    }

    /// The product, if the kernel is one.
    pub(super) fn product(self, size: &Size) -> Option<Product> {
        match self.row().grid {
            Grid::Product(product) => Some(product(size)),
            Invocations(..) | Workgroups(..) => None,
        }
    }

    /// Workgroups along x of a kernel that is no product.
    pub(super) fn workgroups(self, size: &Size) -> u32 {
        let count = match self.row().grid {
            Grid::Product(_) => 1,
            Invocations(count, _) => count(size).div_ceil(64),
            Workgroups(count, _) => count(size).into(),
        };
        count.clamp(1, MOST_WORKGROUPS.into()) as u32
    }

    /// Multiply-adds, roughly.
    pub(super) fn work(self, size: &Size) -> f64 {
        match self.row().grid {
            Grid::Product(product) => product(size).multiply_adds(),
            Invocations(_, work) | Workgroups(_, work) => work(size),
        }
    }
}
