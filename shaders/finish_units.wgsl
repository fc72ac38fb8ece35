// The second half of a half step to a block of units of any kind: turns inputs, which the product left in the means, into means,
// moments (the means of the statistics after the first) and states.
// means and states are rows × columns, moments are rows × parameters after the first × columns; each row is padded.
@group(0) @binding(0) var<uniform> params: FinishUnits;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> uniforms: array<f32>;
@group(0) @binding(3) var<storage, read> base: array<f32>;
@group(0) @binding(4) var<storage, read_write> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> moments: array<f32>;
@group(0) @binding(6) var<storage, read_write> states: array<f32>;

@compute @workgroup_size(64)
fn finish_units(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    for (var unit = id.x; unit < params.rows * params.units; unit += 64u * workgroups.x) {
        let row = unit / params.units;
        let column = params.first + unit % params.units * params.columns;
        var u = 0.0;
        if params.draw.source != MEANS {
            u = uniforms_for(row, column / 4u, layer_columns())[column % 4u];
        }
        let at = row * 4u * groups(layer_columns()) + column;
        if params.kind == POTTS {
            finish_potts(at, u);
        } else {
            finish_one(row, column, at, u);
        }
    }
}

fn input_at(at: u32) -> f32 {
    return means[at];
}

fn finish_one(row: u32, column: u32, at: u32, u: f32) {
    let own = parameters_of(column, 1u, params.beta, 1.0 - params.beta);
    let input = input_at(at);
    let expectation = kind_expectation(input, own);
    means[at] = expectation.x;
    for (var number = 1u; number < params.numbers; number++) {
        let plane = row * (layer_parameters() - 1u) + number - 1u;
        moments[plane * 4u * groups(layer_columns()) + column] = expectation[number];
    }
    states[at] = expectation.x;
    if params.draw.source != MEANS {
        states[at] = kind_draw(input, own, expectation.x, u);
    }
}

// The first state at which the means add up to more than u; rounding may leave their sum below it.
fn finish_potts(at: u32, u: f32) {
    let largest = potts_largest(at);
    let sum = potts_sum(at, largest);
    var found = params.columns;
    var last = 0u;
    var total = 0.0;
    for (var s = 0u; s < params.columns; s++) {
        let mean = exp(input_at(at + s) - largest) / sum;
        means[at + s] = mean;
        states[at + s] = mean;
        total += mean;
        if found == params.columns && u < total {
            found = s;
        }
        if mean > 0.0 {
            last = s;
        }
    }
    if params.draw.source != MEANS {
        found = select(found, last, found == params.columns);
        for (var s = 0u; s < params.columns; s++) {
            states[at + s] = select(0.0, 1.0, s == found);
        }
    }
}
