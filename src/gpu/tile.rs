//! Cuts a product into workgroups and invocations: a short list of tiles, all made from one source by constants, and the
//! rule that picks one per dispatch.

/// The most workgroups along one dimension of a grid: WebGPU's limit.
pub(super) const MOST_WORKGROUPS: u32 = 65_535;

/// A way to cut a product into workgroups and invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Whether factors go through workgroup memory (GPUs) or are streamed (software adapters).
    pub workgroup_memory: bool,
    /// Invocations per slice of a workgroup, along columns and along rows.
    pub workgroup: (u32, u32),
    /// Slices of a workgroup, a power of two. Each sums a part of the depth; their sums are added at the end.
    pub slices: u32,
    /// 4×4 blocks per invocation, along columns and along rows.
    pub blocks: (u32, u32),
    /// Blocks of four in depth that a slice loads per step.
    pub depth_blocks: u32,
}

/// Size of a product, in blocks of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// Blocks of rows: cases, or visible units in an update.
    pub rows: u32,
    /// Blocks of columns.
    pub columns: u32,
    /// Blocks of depth.
    pub depth: u32,
}

impl Product {
    /// Multiply-adds: 4·4·4 per triple of blocks.
    pub fn multiply_adds(self) -> f64 {
        64.0 * f64::from(self.rows) * f64::from(self.columns) * f64::from(self.depth)
    }
}

/// The tiles for a kind of adapter, and the rule to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// Largest first: the larger the tile, the fewer loads per sum.
    list: &'static [Tile],
    /// Invocations that keep the adapter busy.
    enough: u64,
}

impl Tile {
    /// For GPUs, largest first, within WebGPU's default limits: 256 invocations and 16 KiB per workgroup.
    #[rustfmt::skip]
    const TILED: [Self; 5] = [
        Self::tiled((8, 16, 1), (2, 2), 2), // 128×64 outputs, 8×8 per invocation
        Self::tiled((16, 8, 1), (1, 2), 4), // 64×64, 8×4
        Self::tiled((8, 8, 1), (1, 1), 4),  // 32×32, 4×4
        Self::tiled((8, 8, 4), (1, 1), 4),  // 32×32, 4×4, four slices
        Self::tiled((4, 4, 16), (1, 1), 2), // 16×16, 4×4, sixteen slices
    ];
    /// For software adapters: a workgroup as wide as a register, and sums that stay in cache.
    const STREAMING: [Self; 2] = [
        Self::streaming((8, 1), (4, 4)), // 16×128 outputs, 16×16 per invocation
        Self::streaming((8, 1), (1, 4)), // 16×32, 16×4
    ];

    const fn tiled((x, y, slices): (u32, u32, u32), blocks: (u32, u32), depth_blocks: u32) -> Self {
        Self { workgroup_memory: true, workgroup: (x, y), slices, blocks, depth_blocks }
    }

    const fn streaming(workgroup: (u32, u32), blocks: (u32, u32)) -> Self {
        Self { workgroup_memory: false, workgroup, slices: 1, blocks, depth_blocks: 1 }
    }

    /// Every tile.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TILED.into_iter().chain(Self::STREAMING)
    }

    /// Name for files and messages, after the outputs of a workgroup: `tiled_32x32_4_slices`.
    pub fn name(self) -> String {
        let kind = if self.workgroup_memory { "tiled" } else { "streaming" };
        let (columns, rows) = self.outputs();
        let slices = if self.slices > 1 { format!("_{}_slices", self.slices) } else { String::new() };
        format!("{kind}_{rows}x{columns}{slices}")
    }

    /// Columns and rows of a workgroup's outputs.
    fn outputs(self) -> (u32, u32) {
        (4 * self.workgroup.0 * self.blocks.0, 4 * self.workgroup.1 * self.blocks.1)
    }

    /// Workgroups for a product, along x and y.
    pub(super) fn workgroups(self, product: Product) -> (u32, u32) {
        let (columns, rows) = self.outputs();
        (product.columns.div_ceil(columns / 4), product.rows.div_ceil(rows / 4))
    }

    /// Whether the grid is within WebGPU's limit.
    fn fits(self, product: Product) -> bool {
        let (x, y) = self.workgroups(product);
        x.max(y) <= MOST_WORKGROUPS
    }

    /// Whether more than half of the workgroups' outputs lie past the last row or column.
    fn is_mostly_empty(self, product: Product) -> bool {
        let ((x, y), (columns, rows)) = (self.workgroups(product), self.outputs());
        let summed = u64::from(x * (columns / 4)) * u64::from(y * (rows / 4));
        summed > 2 * u64::from(product.columns) * u64::from(product.rows)
    }

    /// Invocations with something to sum.
    fn busy_invocations(self, product: Product) -> u64 {
        let (x, y) = self.workgroups(product);
        let columns = product.columns.min(x * self.workgroup.0);
        let rows = product.rows.min(y * self.workgroup.1);
        let slices = self.slices.min(product.depth.div_ceil(self.depth_blocks));
        u64::from(columns) * u64::from(rows) * u64::from(slices)
    }

    /// The most rows or columns that fit a grid, in its shorter direction.
    fn most_rows(self) -> u32 {
        let (columns, rows) = self.outputs();
        MOST_WORKGROUPS * columns.min(rows)
    }

    /// The WGSL constants of this tile.
    pub(super) fn constants(self) -> String {
        let Self { workgroup: (x, y), slices, blocks: (columns, rows), depth_blocks, .. } = self;
        format!(
            "\n// How the product is cut: chosen by the host.\n\
             const WORKGROUP_X = {x}u;\nconst WORKGROUP_Y = {y}u;\nconst SLICES = {slices}u;\n\
             const COLUMN_BLOCKS = {columns}u;\nconst ROW_BLOCKS = {rows}u;\nconst DEPTH_BLOCKS = {depth_blocks}u;\n"
        )
    }
}

impl Tiles {
    /// The tiles for an adapter.
    pub fn for_adapter(adapter: &wgpu::Adapter) -> Self {
        Self::for_kind(adapter.get_info().device_type)
    }

    fn for_kind(kind: wgpu::DeviceType) -> Self {
        let (list, enough): (&[Tile], _) = match kind {
            // A workgroup of eight for each of four cores.
            wgpu::DeviceType::Cpu => (&Tile::STREAMING, 4 * 8),
            // At most two dozen multiprocessors.
            wgpu::DeviceType::IntegratedGpu => (&Tile::TILED, 24 * 256),
            // A large GPU has about 132 multiprocessors, and each needs 256 invocations to hide latencies: two warps of 32
            // for each of its four schedulers. Nine in ten should be busy. A small GPU loses less from a smaller tile than
            // a large one from idling, and only where the product is small.
            _ => (&Tile::TILED, 120 * 256),
        };
        Self { list, enough }
    }

    /// The largest tile that keeps the adapter busy and isn't mostly empty, or else the busiest.
    pub(super) fn choose(self, product: Product) -> Tile {
        let mut busiest = (self.list[0], 0);
        for &tile in self.list.iter().filter(|tile| tile.fits(product)) {
            let busy = tile.busy_invocations(product);
            if busy >= self.enough && !tile.is_mostly_empty(product) {
                return tile;
            }
            if busy > busiest.1 {
                busiest = (tile, busy);
            }
        }
        busiest.0
    }

    /// The most cases or units of a product, by the tile with the longest reach.
    pub fn most_rows(self) -> u32 {
        self.list.iter().map(|tile| tile.most_rows()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::Contrast,
        gpu::kernels::{Geometry, Kernel, Size},
        rbm::Shape,
    };

    fn chosen(
        kind: wgpu::DeviceType,
        kernel: Kernel,
        (rows, visible, hidden): (usize, usize, usize),
    ) -> String {
        // A tile depends only on the numbers of rows, chains and units.
        let geometry = Geometry::of(&Shape { visible, hidden }.into());
        let size = Size::of(&Contrast::new(rows, rows), geometry);
        Tiles::for_kind(kind).choose(kernel.product(&size).unwrap()).name()
    }

    #[test]
    fn large_products_get_large_tiles_and_small_ones_are_split() {
        use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu};
        for (kind, kernel, sizes, expected) in [
            (DiscreteGpu, Kernel::SampleHidden, (4096, 4096, 4096), "tiled_128x64"),
            (DiscreteGpu, Kernel::SampleHidden, (1024, 1024, 1024), "tiled_64x64"),
            (DiscreteGpu, Kernel::Update, (256, 1024, 1024), "tiled_64x64"),
            (DiscreteGpu, Kernel::SampleHidden, (256, 784, 500), "tiled_32x32_4_slices"),
            (DiscreteGpu, Kernel::SampleHidden, (16, 784, 500), "tiled_16x16_16_slices"),
            // A few rows would leave most of a large tile empty.
            (DiscreteGpu, Kernel::SampleHidden, (4, 784, 1_000_000), "tiled_16x16_16_slices"),
            // One block of depth can't be split.
            (DiscreteGpu, Kernel::SampleVisible, (256, 784, 3), "tiled_32x32"),
            (IntegratedGpu, Kernel::SampleHidden, (256, 784, 500), "tiled_32x32"),
            (Cpu, Kernel::SampleHidden, (256, 784, 500), "streaming_16x128"),
            (Cpu, Kernel::SampleHidden, (16, 784, 500), "streaming_16x128"),
            (Cpu, Kernel::SampleHidden, (16, 32, 32), "streaming_16x32"),
        ] {
            assert_eq!(chosen(kind, kernel, sizes), expected, "{kind:?} {kernel:?} {sizes:?}");
        }
    }

    #[test]
    fn the_grid_of_the_largest_product_fits() {
        for kind in [wgpu::DeviceType::Cpu, wgpu::DeviceType::IntegratedGpu, wgpu::DeviceType::DiscreteGpu] {
            let tiles = Tiles::for_kind(kind);
            let most = tiles.most_rows();
            for (rows, columns) in [(most, most), (most, 1), (1, most)] {
                let product = Product { rows: rows.div_ceil(4), columns: columns.div_ceil(4), depth: 1 };
                assert!(tiles.choose(product).fits(product), "{kind:?}: {rows}×{columns}");
            }
        }
    }
}
