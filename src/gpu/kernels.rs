//! The table of kernels: what each is made of, what it binds, how many workgroups it takes, and how much work it is. A new
//! kernel is a WGSL file, a row here, a method of [`crate::backend::Backend`], and a textbook twin in [`crate::reference`].

use super::{
    tile::{MOST_WORKGROUPS, Product, Tile},
    wgsl,
};
use crate::backend::{MULTIPLY_ADDS, Params};

const GEOMETRY: &str = include_str!("../../shaders/shared/geometry.wgsl");
const RANDOM: &str = include_str!("../../shaders/shared/random.wgsl");
const SAMPLE: &str = include_str!("../../shaders/shared/sample.wgsl");
const ACCUMULATE: &str = include_str!("../../shaders/shared/accumulate.wgsl");
const REDUCE: &str = include_str!("../../shaders/shared/reduce.wgsl");
const PRODUCT: &str = include_str!("../../shaders/shared/product.wgsl");
const STREAMING: &str = include_str!("../../shaders/shared/product_streaming.wgsl");
const TILED: &str = include_str!("../../shaders/shared/product_tiled.wgsl");

/// A storage binding that is only read,
const R: bool = false;
/// and one that is written.
const W: bool = true;

/// A row of the table.
struct Row {
    /// The name for debuggers and profilers: `rbm.` and that of the file, the entry point, the method and the twin.
    label: &'static str,
    /// The kernel's own file.
    file: &'static str,
    /// The shared parts it is composed with.
    parts: &'static [&'static str],
    /// Storage bindings 1, 2, …: whether each is written.
    writes: &'static [bool],
    grid: Grid,
}

/// How a kernel is cut into workgroups. Those that are no products stride over their grid, so it may be cut short.
enum Grid {
    /// By a tile that suits the product.
    Product(fn(&Params) -> Product),
    /// Invocations, 64 to a workgroup; and the work.
    Invocations(fn(&Params) -> u64, Work),
    /// Workgroups; and the work.
    Workgroups(fn(&Params) -> u32, Work),
}

/// Multiply-adds, about: an upper bound for the kernels that take next to no time.
type Work = fn(&Params) -> f64;

/// One row makes a variant of [`Kernel`], its place in [`Kernel::ALL`], and all there is to say of it.
macro_rules! kernels {
    ($($kernel:ident $name:literal, $parts:expr, $writes:expr, $grid:expr;)*) => {
        /// A WGSL kernel, one file in `shaders/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kernel {
            $(#[doc = concat!("`", $name, ".wgsl`")] $kernel,)*
        }

        impl Kernel {
            /// All of them.
            pub const ALL: [Self; ROWS.len()] = [$(Self::$kernel),*];
        }

        static ROWS: [Row; [$($name),*].len()] = [$(Row {
            label: concat!("rbm.", $name),
            file: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            parts: &$parts,
            writes: &$writes,
            grid: $grid,
        }),*];
    };
}

use Grid::{Invocations, Workgroups};

#[rustfmt::skip]
kernels! {
    Gather "gather", [RANDOM], [R, R, R, W], Invocations(units_of_rows, once);
    SampleHidden "sample_hidden", [ACCUMULATE, SAMPLE, RANDOM], [R, R, R, W, W], Grid::Product(to_hidden);
    SampleVisible "sample_visible", [ACCUMULATE, SAMPLE, RANDOM], [R, R, R, W, W], Grid::Product(to_visible);
    Update "update", [ACCUMULATE], [R, R, R, R, R, R, W, W], Grid::Product(associations);
    SquaredError "squared_error", [REDUCE], [R, R, W], Workgroups(|p| p.rows, once);
    FreeEnergy "free_energy", [ACCUMULATE, REDUCE], [R, R, W], Workgroups(row_blocks, weights_for_rows);
    Centre "centre", [REDUCE], [R, R, R, W], Workgroups(|p| p.visible.saturating_add(groups(p.hidden)), once);
    LimitNorms "limit_norms", [REDUCE], [W], Workgroups(|p| groups(p.hidden), once);
    Track "track", [REDUCE], [R, W], Workgroups(|p| groups(p.hidden), once);
    Average "average", [], [R, W], Invocations(parameters, once);
    FastWeights "fast_weights", [], [R, R, W, W], Invocations(parameters, once);
    Energy "energy", [ACCUMULATE, REDUCE], [R, R, R, W], Workgroups(row_blocks, weights_for_rows);
    TemperBias "temper_bias", [], [R, R, W], Invocations(|p| p.visible.into(), once);
    Swap "swap", [RANDOM], [R, W, W, W, W, W, W], Workgroups(|p| p.rows, once);
    ClampVisible "clamp_visible", [], [R, R, W], Invocations(units_of_rows, once);
    SetVisibleBias "set_visible_bias", [], [R, W], Invocations(|p| p.visible.into(), once);
    MultiplyAdd "multiply_add", [], [W], Invocations(|p| row_blocks(p).div_ceil(8).into(), multiply_adds);
    Copy "copy", [], [R, W], Invocations(|p| row_blocks(p).into(), once);
}

// Grids.

fn row_blocks(params: &Params) -> u32 {
    params.rows.div_ceil(4)
}

/// Groups of visible units in each row.
fn units_of_rows(params: &Params) -> u64 {
    u64::from(params.rows) * u64::from(groups(params.visible))
}

/// Groups of parameters.
fn parameters(params: &Params) -> u64 {
    u64::from(params.visible + 1) * u64::from(groups(params.hidden))
}

fn to_hidden(params: &Params) -> Product {
    Product { rows: row_blocks(params), columns: groups(params.hidden), depth: groups(params.visible) }
}

fn to_visible(params: &Params) -> Product {
    Product { rows: row_blocks(params), columns: groups(params.visible), depth: groups(params.hidden) }
}

fn associations(params: &Params) -> Product {
    let depth = row_blocks(params).saturating_add(params.chains.div_ceil(4));
    Product { rows: groups(params.visible), columns: groups(params.hidden), depth }
}

// Work.

/// Each number once.
fn once(params: &Params) -> f64 {
    let [rows, visible, hidden] = [params.rows, params.visible, params.hidden].map(f64::from);
    rows + visible * hidden + visible + hidden
}

/// Each weight for each row.
fn weights_for_rows(params: &Params) -> f64 {
    f64::from(params.rows) * f64::from(params.visible) * f64::from(params.hidden)
}

fn multiply_adds(params: &Params) -> f64 {
    f64::from(params.rows) * MULTIPLY_ADDS as f64
}

/// Blocks of four units, with the one that is always on: `groups` in `shaders/shared/geometry.wgsl`.
fn groups(units: u32) -> u32 {
    units / 4 + 1
}

impl Kernel {
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name of the file, the entry point, the method and the twin.
    pub fn name(self) -> &'static str {
        &self.label()["rbm.".len()..]
    }

    /// The name for debuggers and profilers.
    pub fn label(self) -> &'static str {
        self.row().label
    }

    /// Storage bindings 1, 2, …: whether each is written.
    pub fn writes(self) -> &'static [bool] {
        self.row().writes
    }

    /// What it is compiled with: each tile, or none if it is no product.
    pub fn variants(self) -> Vec<Option<Tile>> {
        if matches!(self.row().grid, Grid::Product(_)) { Tile::all().map(Some).collect() } else { vec![None] }
    }

    /// The whole WGSL module. The kernel's own file comes first, so that the lines of an error are its own.
    pub fn source(self, tile: Option<Tile>) -> String {
        let Row { file, parts, .. } = self.row();
        let mut source = [file, GEOMETRY].concat() + &parts.concat() + &wgsl::shared();
        if let Some(tile) = tile {
            source += PRODUCT;
            source += if tile.workgroup_memory { TILED } else { STREAMING };
            source += &tile.constants();
        }
        source
    }

    /// Its product, if it has one.
    pub(super) fn product(self, params: &Params) -> Option<Product> {
        match self.row().grid {
            Grid::Product(product) => Some(product(params)),
            Invocations(..) | Workgroups(..) => None,
        }
    }

    /// Workgroups along x of a kernel that is no product.
    pub(super) fn workgroups(self, params: &Params) -> u32 {
        let count = match self.row().grid {
            Grid::Product(_) => 1,
            Invocations(count, _) => count(params).div_ceil(64),
            Workgroups(count, _) => count(params).into(),
        };
        count.clamp(1, MOST_WORKGROUPS.into()) as u32
    }

    /// Multiply-adds, about.
    pub(super) fn work(self, params: &Params) -> f64 {
        match self.row().grid {
            Grid::Product(product) => product(params).multiply_adds(),
            Invocations(_, work) | Workgroups(_, work) => work(params),
        }
    }
}
