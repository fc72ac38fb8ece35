
// For GPUs: the invocations of a workgroup load DEPTH_BLOCKS slices of their tile's rows and columns together into
// workgroup memory, and each then sums its blocks from there.
const INVOCATIONS = WORKGROUP_X * WORKGROUP_Y;

// Element (k, r) at k * TILE_ROWS + r: the four rows of block r at depth k.
var<workgroup> left_tile: array<vec4<f32>, 4u * DEPTH_BLOCKS * TILE_ROWS>;
var<workgroup> right_tile: array<vec4<f32>, 4u * DEPTH_BLOCKS * TILE_COLUMNS>;

fn sum_blocks(workgroup: vec3<u32>, invocation: vec3<u32>, sums: ptr<function, Sums>) {
    let index = invocation.y * WORKGROUP_X + invocation.x;
    let end = depth();
    for (var first = 0u; first < end; first += DEPTH_BLOCKS) {
        for (var t = index; t < DEPTH_BLOCKS * TILE_ROWS; t += INVOCATIONS) {
            let k = t % DEPTH_BLOCKS;
            let r = t / DEPTH_BLOCKS;
            var slices = mat4x4<f32>();
            if first + k < end {
                slices = left(workgroup.y * TILE_ROWS + r, first + k);
            }
            for (var i = 0u; i < 4u; i++) {
                left_tile[(4u * k + i) * TILE_ROWS + r] = slices[i];
            }
        }
        for (var t = index; t < DEPTH_BLOCKS * TILE_COLUMNS; t += INVOCATIONS) {
            let k = t / TILE_COLUMNS;
            let c = t % TILE_COLUMNS;
            var slices = mat4x4<f32>();
            if first + k < end {
                slices = right(first + k, workgroup.x * TILE_COLUMNS + c);
            }
            for (var i = 0u; i < 4u; i++) {
                right_tile[(4u * k + i) * TILE_COLUMNS + c] = slices[i];
            }
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH_BLOCKS; k++) {
            var rights: array<mat4x4<f32>, COLUMN_BLOCKS>;
            for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                let at = 4u * k * TILE_COLUMNS + invocation.x + j * WORKGROUP_X;
                rights[j] = mat4x4(right_tile[at], right_tile[at + TILE_COLUMNS],
                                   right_tile[at + 2u * TILE_COLUMNS], right_tile[at + 3u * TILE_COLUMNS]);
            }
            for (var i = 0u; i < ROW_BLOCKS; i++) {
                let at = 4u * k * TILE_ROWS + invocation.y + i * WORKGROUP_Y;
                let slices = mat4x4(left_tile[at], left_tile[at + TILE_ROWS],
                                    left_tile[at + 2u * TILE_ROWS], left_tile[at + 3u * TILE_ROWS]);
                for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                    (*sums)[i][j] = accumulate((*sums)[i][j], slices, rights[j]);
                }
            }
        }
        workgroupBarrier();
    }
}
