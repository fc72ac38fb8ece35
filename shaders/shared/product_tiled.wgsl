
// For GPUs: the invocations of a slice load DEPTH_BLOCKS blocks of their tile's rows and columns into workgroup memory, then each
// sums its own blocks from there. Where there are too few outputs to keep a GPU busy, a workgroup has several slices (split-K):
// they take turns along the depth, and their sums are added at the end.
const INVOCATIONS = WORKGROUP_X * WORKGROUP_Y; // per slice
const LEFT_SIZE = 4u * DEPTH_BLOCKS * TILE_ROWS;
const RIGHT_SIZE = 4u * DEPTH_BLOCKS * TILE_COLUMNS;

// Per slice: the left tile, then the right tile. Element (k, r) of the left tile, at k * TILE_ROWS + r, is the four rows of block
// r at depth k; the right tile is laid out alike. Reused at the end to reduce the sums of the slices.
var<workgroup> tiles: array<vec4<f32>, SLICES * (LEFT_SIZE + RIGHT_SIZE)>;
const_assert SLICES / 2u * INVOCATIONS * ROW_BLOCKS * COLUMN_BLOCKS * 4u <= SLICES * (LEFT_SIZE + RIGHT_SIZE);

fn sum_blocks(workgroup: vec3<u32>, invocation: vec3<u32>, sums: ptr<function, Sums>) {
    let index = invocation.y * WORKGROUP_X + invocation.x;
    let left_tile = invocation.z * (LEFT_SIZE + RIGHT_SIZE);
    let right_tile = left_tile + LEFT_SIZE;
    let end = depth();
    for (var step = 0u; step < end; step += SLICES * DEPTH_BLOCKS) {
        let first = step + invocation.z * DEPTH_BLOCKS;
        for (var t = index; t < DEPTH_BLOCKS * TILE_ROWS; t += INVOCATIONS) {
            let k = select(t / TILE_ROWS, t % DEPTH_BLOCKS, LEFT_ALONG_DEPTH);
            let r = select(t % TILE_ROWS, t / DEPTH_BLOCKS, LEFT_ALONG_DEPTH);
            var slices = mat4x4<f32>();
            if first + k < end {
                slices = left(workgroup.y * TILE_ROWS + r, first + k);
            }
            for (var i = 0u; i < 4u; i++) {
                tiles[left_tile + (4u * k + i) * TILE_ROWS + r] = slices[i];
            }
        }
        // Counts down, so that invocations without work on the left tile get some here.
        for (var t = INVOCATIONS - 1u - index; t < DEPTH_BLOCKS * TILE_COLUMNS; t += INVOCATIONS) {
            let k = select(t / TILE_COLUMNS, t % DEPTH_BLOCKS, RIGHT_ALONG_DEPTH);
            let c = select(t % TILE_COLUMNS, t / DEPTH_BLOCKS, RIGHT_ALONG_DEPTH);
            var slices = mat4x4<f32>();
            if first + k < end {
                slices = right(first + k, workgroup.x * TILE_COLUMNS + c);
            }
            for (var i = 0u; i < 4u; i++) {
                tiles[right_tile + (4u * k + i) * TILE_COLUMNS + c] = slices[i];
            }
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH_BLOCKS; k++) {
            var rights: array<mat4x4<f32>, COLUMN_BLOCKS>;
            for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                rights[j] = four_slices(right_tile + 4u * k * TILE_COLUMNS + invocation.x + j * WORKGROUP_X, TILE_COLUMNS);
            }
            for (var i = 0u; i < ROW_BLOCKS; i++) {
                let slices = four_slices(left_tile + 4u * k * TILE_ROWS + invocation.y + i * WORKGROUP_Y, TILE_ROWS);
                for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                    (*sums)[i][j] = accumulate((*sums)[i][j], slices, rights[j]);
                }
            }
        }
        workgroupBarrier();
    }
    // Tree reduction over the slices, into the first.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        let width = half * INVOCATIONS;
        let at = invocation.z % half * INVOCATIONS + index;
        if invocation.z >= half && invocation.z < 2u * half {
            for (var i = 0u; i < ROW_BLOCKS; i++) {
                for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                    for (var row = 0u; row < 4u; row++) {
                        tiles[at + ((i * COLUMN_BLOCKS + j) * 4u + row) * width] = (*sums)[i][j][row];
                    }
                }
            }
        }
        workgroupBarrier();
        if invocation.z < half {
            for (var i = 0u; i < ROW_BLOCKS; i++) {
                for (var j = 0u; j < COLUMN_BLOCKS; j++) {
                    (*sums)[i][j] += four_slices(at + (i * COLUMN_BLOCKS + j) * 4u * width, width);
                }
            }
        }
        workgroupBarrier();
    }
}

// Four vectors from workgroup memory.
fn four_slices(at: u32, stride: u32) -> mat4x4<f32> {
    return mat4x4(tiles[at], tiles[at + stride], tiles[at + 2u * stride], tiles[at + 3u * stride]);
}
