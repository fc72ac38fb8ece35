// variances_j += rate · (⟨(h_j − λ_j)²⟩ − variances_j): running variances of a block of hidden units' columns, over the rows of
// every minibatch. ⟨h²⟩ of a case follows from its mean and its moments.
// means are rows × columns, moments rows × parameters after the first × columns; each row is padded. offsets are λ. A workgroup
// takes four columns.
@group(0) @binding(0) var<uniform> params: TrackVariances;
@group(0) @binding(1) var<storage, read> means: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> offsets: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> variances: array<f32>;

@compute @workgroup_size(64)
fn track_variances(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first = params.first / 4u;
    let count = (params.first + params.units - 1u) / 4u - first + 1u;
    for (var part = workgroup.x; part < count; part += workgroups.x) {
        let group = first + part;
        let offset = offsets[group];
        var sum = vec4(0.0);
        for (var row = index; row < params.rows; row += 64u) {
            let mean = means[row * groups(params.hidden) + group];
            sum += squares(row, group, mean) - (2.0 * mean - offset) * offset;
        }
        let seen = max(sum_of_workgroup(index, sum) / f32(params.rows), vec4(0.0));
        if index == 0u {
            for (var i = 0u; i < 4u; i++) {
                let column = 4u * group + i;
                if column >= params.first && column < params.first + params.units {
                    variances[column] += params.rate * (seen[i] - variances[column]);
                }
            }
        }
    }
}

// ⟨h²⟩ of four columns in a row.
fn squares(row: u32, group: u32, mean: vec4<f32>) -> vec4<f32> {
    if params.kind == SPIN {
        return vec4(1.0);
    }
    if kind_precisions() == 0u {
        return mean;
    }
    var sum = vec4(0.0);
    for (var number = 1u; number <= kind_precisions(); number++) {
        sum += moment(row, number, group);
    }
    return -2.0 * sum;
}

fn moment(row: u32, number: u32, group: u32) -> vec4<f32> {
    return moments[(row * (params.hidden_parameters - 1u) + number - 1u) * groups(params.hidden) + group];
}
