// means_j += rate · (⟨h_j⟩ − means_j): running means of the hidden units, over the rows of every minibatch.
// hidden (means) is rows × hidden units, row-major; a workgroup takes four units.
@group(0) @binding(0) var<uniform> params: Track;
@group(0) @binding(1) var<storage, read> hidden: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> tracked: array<vec4<f32>>;

@compute @workgroup_size(64)
fn track(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.hidden);
    for (var group = workgroup.x; group < width; group += workgroups.x) {
        var sum = vec4(0.0);
        for (var row = index; row < params.rows; row += 64u) {
            sum += hidden[row * width + group];
        }
        let mean = sum_of_workgroup(index, sum) / f32(params.rows);
        if index == 0u {
            let step = params.rate * (mean - tracked[group]);
            tracked[group] += select(vec4(0.0), step, is_unit(group, params.hidden));
        }
    }
}
