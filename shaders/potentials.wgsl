// values_r = keep · values_r − Σ_i a_i(s_ri), over the columns of a block of units: a_i is Σ parameter · statistic, from the
// parameter `first_number` on.
// states are rows × columns, row-major and padded. A workgroup takes a row.
@group(0) @binding(0) var<uniform> params: Potentials;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> states: array<f32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn potentials(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    for (var row = workgroup.x; row < params.rows; row += workgroups.x) {
        var sum = 0.0;
        for (var column = params.first + index; column < params.first + params.units; column += 64u) {
            let state = states[row * 4u * groups(layer_columns()) + column];
            sum += dot(parameters_of(column, params.first_number, params.own, params.of_base), kind_statistics(state));
        }
        let total = sum_of_workgroup(index, vec4(sum, 0.0, 0.0, 0.0)).x;
        if index == 0u {
            var kept = 0.0;
            if params.keep != 0.0 {
                kept = params.keep * values[row];
            }
            values[row] = kept - total;
        }
    }
}
