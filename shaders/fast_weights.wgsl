// fast = FAST_SHARE · fast + rate · velocity; sum = A + fast: fast weights follow the last update and forget it soon, and chains take
// the sum for the parameters (Tieleman and Hinton 2009). All are [W b; c 0], visible+1 × hidden+1, row-major.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> velocity: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> fast: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> sum: array<vec4<f32>>;

@compute @workgroup_size(64)
fn fast_weights(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let end = (params.visible + 1u) * groups(params.hidden);
    for (var at = invocation.x; at < end; at += 64u * workgroups.x) {
        let weights = FAST_SHARE * fast[at] + params.rate * velocity[at];
        fast[at] = weights;
        sum[at] = parameters[at] + weights;
    }
}
