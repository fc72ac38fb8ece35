// After a centred update: b −= V_W λ and c −= V_Wᵀ μ. The centred model's biases stay where they are if its weights
// change: this one's don't (Melchior, Fischer and Wiskott 2016, equations (8) and (9)).
// velocity and parameters are [W b; c 0], visible+1 × hidden+1, row-major; V is the velocity, or, where the step is another,
// that, which shaders/update.wgsl puts after it; μ and λ are the offsets, 0 for the unit that is always on. The first workgroups take a row each, the others four columns each.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> velocity: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> visible_offsets: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> hidden_offsets: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;

@compute @workgroup_size(64)
fn centre(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.hidden);
    let first = select(0u, 8u * groups(params.visible) * width, has(ADAM) || has(NESTEROV));
    for (var part = workgroup.x; part < params.visible + width; part += workgroups.x) {
        var sum = vec4(0.0);
        if part < params.visible {
            for (var group = index; group < width; group += 64u) {
                sum.x += dot(velocity[first + part * width + group], hidden_offsets[group]);
            }
        } else {
            for (var row = index; row < params.visible; row += 64u) {
                sum += visible_offsets[row / 4u][row % 4u] * velocity[first + row * width + part - params.visible];
            }
        }
        let total = sum_of_workgroup(index, sum);
        if index == 0u {
            if part < params.visible {
                parameters[part * width + params.hidden / 4u][params.hidden % 4u] -= total.x;
            } else {
                let group = part - params.visible;
                let at = params.visible * width + group;
                parameters[at] -= select(vec4(0.0), total, is_unit(group, params.hidden));
            }
        }
    }
}
