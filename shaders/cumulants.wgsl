// values_r −= Σ_j K_j(x_rj), over a block of units: see shaders/free_energy.wgsl for layers that are all binary.
// inputs are rows × columns, row-major and padded, biases included. A workgroup takes a row.
@group(0) @binding(0) var<uniform> params: Cumulants;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> inputs: array<f32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn cumulants(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    for (var row = workgroup.x; row < params.rows; row += workgroups.x) {
        var sum = 0.0;
        for (var unit = index; unit < params.units; unit += 64u) {
            let column = params.first + unit * params.columns;
            let at = row * 4u * groups(layer_columns()) + column;
            if params.kind == POTTS {
                sum += potts_cumulant(at);
            } else {
                sum += kind_cumulant(input_at(at), parameters_of(column, 1u, params.beta, 1.0 - params.beta));
            }
        }
        let total = sum_of_workgroup(index, vec4(sum, 0.0, 0.0, 0.0)).x;
        if index == 0u {
            values[row] -= total;
        }
    }
}

fn input_at(at: u32) -> f32 {
    return inputs[at];
}
