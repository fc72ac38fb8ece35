// p(v_i = 1 | h) = σ(β (b_i + Σ_j W_ij h_j) + (1−β) b0_i), equation (8) along the path from independent units with biases b0;
// v_i = u_i < p.
// hidden, means and states are rows × units, row-major; base begins with b0, one number per visible unit;
// parameters is A = [W b; c 0], visible+1 × hidden+1.
@group(0) @binding(0) var<uniform> params: HalfStep;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> hidden: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> uniforms: array<f32>;
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> means: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> states: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, SLICES)
fn sample_visible(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

const LEFT_ALONG_DEPTH = true;
const RIGHT_ALONG_DEPTH = true;

fn depth() -> u32 {
    return groups(params.hidden);
}

// Four cases × four hidden units.
fn left(r: u32, k: u32) -> mat4x4<f32> {
    let row = min(vec4(4u * r) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
    let at = row * groups(params.hidden) + k;
    return transpose(mat4x4(hidden[at.x], hidden[at.y], hidden[at.z], hidden[at.w]));
}

// Weights of four hidden units × four visible units. W is stored once, so the block is transposed here.
fn right(k: u32, c: u32) -> mat4x4<f32> {
    let stride = groups(params.hidden);
    let at = 4u * min(c, groups(params.visible) - 1u) * stride + k;
    return transpose(mat4x4(
        parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride],
    ));
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if c < groups(params.visible) {
        let of_base = (1.0 - params.beta) * base[c];
        for (var i = 0u; i < 4u && 4u * r + i < params.rows; i++) {
            write_units(4u * r + i, c, params.visible, params.beta * sums[i] + of_base);
        }
    }
}
