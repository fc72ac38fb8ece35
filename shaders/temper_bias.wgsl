// values_i = b_i + rate · base_i: the visible biases on the way from one model to another.
// parameters is A = [W b; c 0], visible+1 × hidden+1, row-major.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn temper_bias(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let stride = 4u * groups(params.hidden);
    for (var unit = invocation.x; unit < params.visible; unit += 64u * workgroups.x) {
        values[unit] = parameters[unit * stride + params.hidden] + params.rate * base[unit];
    }
}
