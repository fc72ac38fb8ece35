// p(h_j = 1 | v) = σ(β (c_j + Σ_i v_i W_ij)), equation (18); h_j = u_j < p.
// visible, means and states are rows × units, row-major; parameters is A = [W b; c 0], visible+1 × hidden+1.
@group(0) @binding(0) var<uniform> params: HalfStep;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> visible: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> uniforms: array<f32>;
@group(0) @binding(4) var<storage, read_write> means: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> states: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, SLICES)
fn sample_hidden(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

const LEFT_ALONG_DEPTH = true;
const RIGHT_ALONG_DEPTH = false;

fn depth() -> u32 {
    return groups(params.visible);
}

// Four cases × four visible units.
fn left(r: u32, k: u32) -> mat4x4<f32> {
    let row = min(vec4(4u * r) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
    let at = row * groups(params.visible) + k;
    return transpose(mat4x4(visible[at.x], visible[at.y], visible[at.z], visible[at.w]));
}

// Weights of four visible units × four hidden units.
fn right(k: u32, c: u32) -> mat4x4<f32> {
    let stride = groups(params.hidden);
    let at = 4u * k * stride + min(c, stride - 1u);
    return mat4x4(parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride]);
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if c < groups(params.hidden) {
        for (var i = 0u; i < 4u && 4u * r + i < params.rows; i++) {
            write_units(4u * r + i, c, params.hidden, params.beta * sums[i]);
        }
    }
}
