// values_r += Σ_i (x_ri − p_ri)², the squared reconstruction error of each case; the bias unit adds 0.
// visible (states) and reconstruction (means) are rows × visible units, row-major.
@group(0) @binding(0) var<uniform> params: SquaredError;
@group(0) @binding(1) var<storage, read> visible: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> reconstruction: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn squared_error(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = groups(params.visible);
    for (var row = workgroup.x; row < params.rows; row += workgroups.x) {
        var sum = 0.0;
        for (var group = index; group < width; group += 64u) {
            let difference = visible[row * width + group] - reconstruction[row * width + group];
            sum += dot(difference, difference);
        }
        let total = sum_of_workgroup(index, vec4(sum, 0.0, 0.0, 0.0)).x;
        if index == 0u {
            values[row] += total;
        }
    }
}
