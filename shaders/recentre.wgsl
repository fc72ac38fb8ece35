// After a centred step ΔW: b −= ΔW λ and c −= ΔWᵀ μ. A step in W leaves the centred model's biases unchanged, and so shifts
// those of the plain model (Melchior, Fischer and Wiskott 2016, equations (8) and (9)).
// step and parameters are [W b; c 0], visible+1 × hidden+1, row-major; μ and λ are the offsets, 0 for the bias unit.
// The first workgroups take one row each, the others four columns each.
@group(0) @binding(0) var<uniform> params: Recentre;
@group(0) @binding(1) var<storage, read> step: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> visible_offsets: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> hidden_offsets: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;

@compute @workgroup_size(64)
fn recentre(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.hidden);
    for (var part = workgroup.x; part < params.visible + width; part += workgroups.x) {
        var sum = vec4(0.0);
        if part < params.visible {
            for (var group = index; group < width; group += 64u) {
                sum.x += dot(step[part * width + group], hidden_offsets[group]);
            }
        } else {
            for (var row = index; row < params.visible; row += 64u) {
                sum += visible_offsets[row / 4u][row % 4u] * step[row * width + part - params.visible];
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
