// Fuses shaders/gradient.wgsl with a plain step of shaders/ascend.wgsl:
// velocity = momentum · velocity + rate · (gradient − decay · W); A += velocity. Only weights decay. In a centred model,
// shaders/recentre.wgsl corrects the biases afterwards.
// Bindings 1 to 6 are those of shared/contrast.wgsl; parameters and velocity are A = [W b; c 0], visible+1 × hidden+1, row-major.
@group(0) @binding(0) var<uniform> params: Update;
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, SLICES)
fn update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if r >= groups(params.visible) || c >= groups(params.hidden) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        let at = (4u * r + i) * groups(params.hidden) + c;
        let is_weight = is_unit(c, params.hidden) & vec4(4u * r + i < params.visible);
        let decay = select(vec4(0.0), params.weight_decay * parameters[at], is_weight);
        let push = params.rate * (gradient_of(r, c, i, sums[i]) - decay);
        var step = push;
        if params.momentum != 0.0 {
            step += params.momentum * velocity[at];
        }
        velocity[at] = step;
        parameters[at] += step;
    }
}
