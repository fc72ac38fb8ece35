
// For adapters whose workgroup memory is no faster than their caches: each invocation reads its rows and columns directly, in
// one slice. Every loop over blocks is bounded by the length of an array, because then Mesa always unrolls it.
fn sum_blocks(workgroup: vec3<u32>, invocation: vec3<u32>, sums: ptr<function, Sums>) {
    let r = workgroup.y * TILE_ROWS + invocation.y;
    let c = workgroup.x * TILE_COLUMNS + invocation.x;
    let end = depth();
    for (var k = 0u; k < end; k++) {
        var rights: array<mat4x4<f32>, COLUMN_BLOCKS>;
        for (var j = 0u; j < COLUMN_BLOCKS; j++) {
            rights[j] = right(k, c + j * WORKGROUP_X);
        }
        for (var i = 0u; i < ROW_BLOCKS; i++) {
            let slices = left(r + i * WORKGROUP_Y, k);
            for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                (*sums)[i][j] = accumulate((*sums)[i][j], slices, rights[j]);
            }
        }
    }
}
