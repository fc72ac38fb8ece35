// W_·j ·= min(1, largest / ‖W_·j‖): limits the norm of each hidden unit's weights (Hinton et al. 2012). Biases stay.
// parameters is A = [W b; c 0], visible+1 × hidden+1, row-major; a workgroup takes four hidden units.
@group(0) @binding(0) var<uniform> params: LimitNorms;
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4<f32>>;

var<workgroup> factors: vec4<f32>;

@compute @workgroup_size(64)
fn limit_norms(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.hidden);
    for (var group = workgroup.x; group < width; group += workgroups.x) {
        var sum = vec4(0.0);
        for (var row = index; row < params.visible; row += 64u) {
            let weights = parameters[row * width + group];
            sum += weights * weights;
        }
        let squares = sum_of_workgroup(index, sum);
        if index == 0u {
            let norms = sqrt(squares);
            let is_long = is_unit(group, params.hidden) & (norms > vec4(params.largest));
            factors = select(vec4(1.0), params.largest / norms, is_long);
        }
        workgroupBarrier();
        for (var row = index; row < params.visible; row += 64u) {
            parameters[row * width + group] *= factors;
        }
        workgroupBarrier(); // the factors have been read
    }
}
