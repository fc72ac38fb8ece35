// The zero-sum gauge of a block of Potts units: from each unit's weights to a column of the other side, and from its biases,
// subtracts the mean over its states. The other side's biases get the means of the weights.
// parameters are a model's, as in shared/parameters.wgsl: A = [W b; c 0] comes first. For visible units, whose states are rows
// of A, a workgroup takes four columns; for hidden ones it takes a row.
@group(0) @binding(0) var<uniform> params: FixGauge;
@group(0) @binding(1) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64)
fn fix_gauge(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let width = 4u * groups(params.hidden);
    let of_visible = params.side == VISIBLE;
    let parts = select(params.visible + 1u, groups(params.hidden), of_visible);
    for (var part = workgroup.x; part < parts; part += workgroups.x) {
        var sum = vec4(0.0);
        for (var unit = index; unit < params.units; unit += 64u) {
            let column = params.first + unit * params.columns;
            if of_visible {
                sum += centre_rows(column * width + 4u * part, width);
            } else {
                sum.x += centre_row(part * width + column);
            }
        }
        let total = sum_of_workgroup(index, sum);
        if index == 0u {
            if !of_visible {
                // The biases of the hidden units have none themselves.
                parameters[part * width + params.hidden] += select(total.x, 0.0, part == params.visible);
            } else {
                for (var i = 0u; i < 4u; i++) {
                    let bias = params.visible * width + 4u * part + i;
                    parameters[bias] += select(0.0, total[i], 4u * part + i < params.hidden);
                }
            }
        }
    }
}

// Subtracts the means of four columns over a visible unit's states, and returns them.
fn centre_rows(first: u32, width: u32) -> vec4<f32> {
    var mean = vec4(0.0);
    for (var state = 0u; state < params.columns; state++) {
        let at = first + state * width;
        mean += vec4(parameters[at], parameters[at + 1u], parameters[at + 2u], parameters[at + 3u]);
    }
    mean /= f32(params.columns);
    for (var state = 0u; state < params.columns; state++) {
        for (var i = 0u; i < 4u; i++) {
            parameters[first + state * width + i] -= mean[i];
        }
    }
    return mean;
}

// Subtracts the mean of a row over a hidden unit's states, and returns it.
fn centre_row(first: u32) -> f32 {
    var mean = 0.0;
    for (var state = 0u; state < params.columns; state++) {
        mean += parameters[first + state];
    }
    mean /= f32(params.columns);
    for (var state = 0u; state < params.columns; state++) {
        parameters[first + state] -= mean;
    }
    return mean;
}
