// b_i = values_i: the column of A = [W b; c 0] for the hidden unit that is always on; W and c stay.
// parameters is A, visible+1 × hidden+1, row-major.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64)
fn set_visible_bias(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let stride = 4u * groups(params.hidden);
    for (var unit = invocation.x; unit < params.visible; unit += 64u * workgroups.x) {
        parameters[unit * stride + params.hidden] = values[unit];
    }
}
