
// A unit that is at least 0, given its input x, bias included; parameters.y is the precision γ. The twin of src/units/relu.rs.

fn relu_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    let tail = tail_above(-x / sqrt(parameters.y));
    return vec4(tail.excess / sqrt(parameters.y), -0.5 * tail.square / parameters.y, 0.0, 0.0);
}

fn relu_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    return rectified_draw(x, parameters.y, above(u), below(u));
}

fn relu_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    return tail_above(-x / sqrt(parameters.y)).log_mills - 0.5 * log(parameters.y);
}

fn relu_statistics(state: f32) -> vec4<f32> {
    return vec4(state, -0.5 * state * state, 0.0, 0.0);
}
