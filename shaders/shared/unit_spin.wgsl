
// A −1/+1 unit, given its input x, bias included. The twin of src/units/spin.rs.

// tanh x
fn spin_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    // Its series near 0, where the quotient would cancel.
    let y = x * x;
    let near = x * (1.0 + y * (-1.0 / 3.0 + y * (2.0 / 15.0 + y * (-17.0 / 315.0 + y * (62.0 / 2835.0)))));
    let e = exp(-2.0 * min(abs(x), 40.0));
    return vec4(select(sign(x) * (1.0 - e) / (1.0 + e), near, abs(x) < 0.3), 0.0, 0.0, 0.0);
}

fn spin_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    return select(-1.0, 1.0, 2.0 * u - 1.0 < mean);
}

// log 2cosh x
fn spin_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    return abs(x) + log(1.0 + exp(-2.0 * min(abs(x), 40.0)));
}

fn spin_statistics(state: f32) -> vec4<f32> {
    return vec4(state, 0.0, 0.0, 0.0);
}
