
// A 0/1 unit, given its input x, bias included. The twin of src/units/binary.rs.

// p(1) = σ(x)
fn mean_of(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-clamp(x, vec4(-87.0), vec4(87.0))));
}

// log(1 + e^x)
fn cumulant_of(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4(0.0)) + log(1.0 + exp(-abs(x)));
}

// One unit, for layers that have others too.
fn binary_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    return vec4(mean_of(vec4(x)).x, 0.0, 0.0, 0.0);
}

fn binary_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    return select(0.0, 1.0, u < mean);
}

fn binary_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    return cumulant_of(vec4(x)).x;
}

fn binary_statistics(state: f32) -> vec4<f32> {
    return vec4(state, 0.0, 0.0, 0.0);
}
