// average += rate · (θ − average): the average of the parameters follows them. Both are [W b; c 0].
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> mean: array<vec4<f32>>;

@compute @workgroup_size(64)
fn average(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let end = (params.visible + 1u) * groups(params.hidden);
    for (var at = invocation.x; at < end; at += 64u * workgroups.x) {
        mean[at] += params.rate * (parameters[at] - mean[at]);
    }
}
