// The gradient of the parameters after the biases, over a block of units: the mean of each statistic over the cases, minus that over
// the chains. Visible units have the statistics of their states; hidden ones their means, the moments.
// positive and negative are states, rows × columns, or moments, rows × parameters after the first × columns; each row is padded.
// parameters, the gradient, are as in shared/parameters.wgsl. A workgroup takes a parameter of four columns.
@group(0) @binding(0) var<uniform> params: GradientOfPotentials;
@group(0) @binding(1) var<storage, read> positive: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> negative: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64)
fn gradient_of_potentials(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first = params.first / 4u;
    let count = (params.first + params.units - 1u) / 4u - first + 1u;
    for (var part = workgroup.x; part < count * (params.numbers - 1u); part += workgroups.x) {
        let group = first + part % count;
        let number = 1u + part / count;
        var sum = vec4(0.0);
        for (var row = index; row < params.rows + params.chains; row += 64u) {
            if row < params.rows {
                sum += statistics_at(positive[place(row, number, group)], number) / f32(params.rows);
            } else {
                sum -= statistics_at(negative[place(row - params.rows, number, group)], number) / f32(params.chains);
            }
        }
        let total = sum_of_workgroup(index, sum);
        if index == 0u {
            for (var i = 0u; i < 4u; i++) {
                let column = 4u * group + i;
                if column >= params.first && column < params.first + params.units {
                    parameters[parameter_at(number, column)] = total[i];
                }
            }
        }
    }
}

// Of four columns of a row.
fn place(row: u32, number: u32, group: u32) -> u32 {
    let plane = select(row * (layer_parameters() - 1u) + number - 1u, row, params.side == VISIBLE);
    return plane * groups(layer_columns()) + group;
}

fn statistics_at(numbers: vec4<f32>, number: u32) -> vec4<f32> {
    if params.side != VISIBLE {
        return numbers;
    }
    return vec4(
        kind_statistics(numbers.x)[number], kind_statistics(numbers.y)[number],
        kind_statistics(numbers.z)[number], kind_statistics(numbers.w)[number],
    );
}
