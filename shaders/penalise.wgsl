// slope_ij −= strength · S_j s_i sign W_ij, with S_j = Σ_i s_i |W_ij|: the gradient of the penalty strength/2 · Σ_j S_j² on W
// (Tubiana, Cocco and Monasson 2019). Biases have none.
// scales are s, one for each visible column; parameters and slope are [W b; c 0], visible+1 × hidden+1, row-major. A workgroup
// takes four hidden columns.
@group(0) @binding(0) var<uniform> params: Penalise;
@group(0) @binding(1) var<storage, read> scales: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> slope: array<vec4<f32>>;

var<workgroup> pull: vec4<f32>;

@compute @workgroup_size(64)
fn penalise(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.hidden);
    for (var group = workgroup.x; group < width; group += workgroups.x) {
        var sum = vec4(0.0);
        for (var row = index; row < params.visible; row += 64u) {
            sum += scale(row) * abs(parameters[row * width + group]);
        }
        let sums = sum_of_workgroup(index, sum);
        if index == 0u {
            pull = select(vec4(0.0), params.strength * sums, is_unit(group, params.hidden));
        }
        workgroupBarrier();
        for (var row = index; row < params.visible; row += 64u) {
            slope[row * width + group] -= pull * scale(row) * sign(parameters[row * width + group]);
        }
        workgroupBarrier(); // the pull has been read
    }
}

fn scale(row: u32) -> f32 {
    return scales[row / 4u][row % 4u];
}
