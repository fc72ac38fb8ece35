
// The product that three kernels share, Σ_k left(r, k) · right(k, c), in blocks of 4×4. Each invocation sums
// ROW_BLOCKS × COLUMN_BLOCKS blocks, WORKGROUP_Y and WORKGROUP_X apart, so that neighbours read neighbours.
// `sum_blocks`, in product_streaming.wgsl or product_tiled.wgsl, loads the factors. The kernel defines the factors and what
// happens to the sums; all indices count blocks of four:
//     fn depth() -> u32                            blocks to sum over
//     fn left(r: u32, k: u32) -> mat4x4<f32>       column i: rows 4r…4r+3 at depth 4k+i
//     fn right(k: u32, c: u32) -> mat4x4<f32>      column i: columns 4c…4c+3 at depth 4k+i
//     fn finish(r: u32, c: u32, sums: mat4x4<f32>) column i: row 4r+i, columns 4c…4c+3
//     const LEFT_ALONG_DEPTH, RIGHT_ALONG_DEPTH    whether neighbours in memory are neighbours in depth, or else rows, columns
// Reading the factors past the last row and column must be safe; the values don't matter. `finish` must write nothing there.
alias Sums = array<array<mat4x4<f32>, COLUMN_BLOCKS>, ROW_BLOCKS>;

const TILE_ROWS = WORKGROUP_Y * ROW_BLOCKS;
const TILE_COLUMNS = WORKGROUP_X * COLUMN_BLOCKS;

fn product(workgroup: vec3<u32>, invocation: vec3<u32>) {
    var sums: Sums;
    sum_blocks(workgroup, invocation, &sums);
    if invocation.z > 0u {
        return; // the first slice holds the total
    }
    let r = workgroup.y * TILE_ROWS + invocation.y;
    let c = workgroup.x * TILE_COLUMNS + invocation.x;
    // `finish` is too long to unroll, and indexing sums[at] with a loop variable would move all sums from registers to memory.
    // So the block is picked by comparison.
    for (var at = 0u; at < ROW_BLOCKS * COLUMN_BLOCKS; at++) {
        var block: mat4x4<f32>;
        for (var i = 0u; i < ROW_BLOCKS; i++) {
            for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                if at == i * COLUMN_BLOCKS + j {
                    block = sums[i][j];
                }
            }
        }
        finish(r + at / COLUMN_BLOCKS * WORKGROUP_Y, c + at % COLUMN_BLOCKS * WORKGROUP_X, block);
    }
}
