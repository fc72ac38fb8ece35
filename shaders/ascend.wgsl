// Parameter update from a gradient, by classical momentum, Nesterov's momentum or Adam. Leaves the step in `slope`. Only
// weights decay; precisions may at most halve or double.
// All four buffers are a model's parameters, as in shared/parameters.wgsl; only Adam uses `squares`.
@group(0) @binding(0) var<uniform> params: Ascent;
@group(0) @binding(1) var<storage, read_write> slope: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> velocity: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> squares: array<vec4<f32>>;

@compute @workgroup_size(64)
fn ascend(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let width = groups(params.hidden);
    for (var group = invocation.x; group < parameter_groups(); group += 64u * workgroups.x) {
        let at = place_of(group);
        let is_weight = is_unit(at % width, params.hidden) & vec4(at / width < params.visible);
        let theta = parameters[at];
        let decay = select(vec4(0.0), params.weight_decay * theta + params.l1 * sign(theta), is_weight);
        var step: vec4<f32>;
        if params.rule == ADAM {
            step = adam(at, decay);
        } else {
            step = momentum(at, decay);
        }
        if is_precision(at) {
            step = clamp(step, -0.5 * theta, theta);
        }
        slope[at] = step;
        parameters[at] = theta + step;
    }
}

fn momentum(at: u32, decay: vec4<f32>) -> vec4<f32> {
    let push = params.rate * (slope[at] - decay);
    // Without momentum the velocity is not read: it may be scratch.
    var carried = push;
    if params.momentum != 0.0 {
        carried = params.momentum * velocity[at] + push;
    }
    velocity[at] = carried;
    // Nesterov: parameters are stored at the look-ahead point (Bengio, Boulanger-Lewandowski and Pascanu 2013).
    return select(carried, params.momentum * carried + push, params.rule == NESTEROV);
}

// Kingma and Ba 2015, algorithm 1; decoupled decay (Loshchilov and Hutter 2019).
fn adam(at: u32, decay: vec4<f32>) -> vec4<f32> {
    let mean = ADAM_FIRST * velocity[at] + (1.0 - ADAM_FIRST) * slope[at];
    let square = ADAM_SECOND * squares[at] + (1.0 - ADAM_SECOND) * slope[at] * slope[at];
    velocity[at] = mean;
    squares[at] = square;
    let ascent = mean * params.first_correction / (sqrt(square * params.second_correction) + ADAM_EPSILON);
    return params.rate * (ascent - decay);
}
