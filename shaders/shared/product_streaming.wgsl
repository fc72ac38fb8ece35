
// The product that three kernels have in common, Σ_k left(r, k) · right(k, c), for adapters whose workgroup memory is
// no faster than their caches: each invocation keeps ROW_BLOCKS × COLUMN_BLOCKS blocks of 4×4 sums in registers and
// streams its rows and columns past them. The kernel says what the factors are, block by block, and what to do with
// the sums; all indices count blocks of four:
//     fn depth() -> u32                            blocks to sum over
//     fn left(r: u32, k: u32) -> mat4x4<f32>       column i: rows 4r…4r+3 at depth 4k+i
//     fn right(k: u32, c: u32) -> mat4x4<f32>      column i: columns 4c…4c+3 at depth 4k+i
//     fn finish(r: u32, c: u32, sums: mat4x4<f32>) column i: row 4r+i, columns 4c…4c+3
// The factors must be readable, as anything, past the last row and column; `finish` must write nothing there.
fn product(workgroup: vec3<u32>, invocation: vec3<u32>) {
    let r = (workgroup.y * WORKGROUP_Y + invocation.y) * ROW_BLOCKS;
    let c = (workgroup.x * WORKGROUP_X + invocation.x) * COLUMN_BLOCKS;
    var sums: array<mat4x4<f32>, ROW_BLOCKS * COLUMN_BLOCKS>;
    let end = depth();
    for (var k = 0u; k < end; k++) {
        var rights: array<mat4x4<f32>, COLUMN_BLOCKS>;
        for (var j = 0u; j < COLUMN_BLOCKS; j++) {
            rights[j] = right(k, c + j);
        }
        for (var i = 0u; i < ROW_BLOCKS; i++) {
            let slices = left(r + i, k);
            for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                let at = i * COLUMN_BLOCKS + j;
                sums[at] = accumulate(sums[at], slices, rights[j]);
            }
        }
    }
    for (var i = 0u; i < ROW_BLOCKS; i++) {
        for (var j = 0u; j < COLUMN_BLOCKS; j++) {
            finish(r + i, c + j, sums[i * COLUMN_BLOCKS + j]);
        }
    }
}
