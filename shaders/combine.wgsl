// model = keep · model + add · other: averages, copies, fast weights. Both are a model's parameters,
// as in shared/parameters.wgsl. With keep = 0 the model is not read.
@group(0) @binding(0) var<uniform> params: Combine;
@group(0) @binding(1) var<storage, read> other: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> model: array<vec4<f32>>;

@compute @workgroup_size(64)
fn combine(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    for (var group = invocation.x; group < parameter_groups(); group += 64u * workgroups.x) {
        let at = place_of(group);
        var kept = vec4(0.0);
        if params.keep != 0.0 {
            kept = params.keep * model[at];
        }
        model[at] = kept + params.add * other[at];
    }
}
