
// A unit with a normal distribution, given its input x, bias included; parameters.y is the precision γ. The twin of
// src/units/gaussian.rs.

fn gaussian_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    let mean = x / parameters.y;
    return vec4(mean, -0.5 * (mean * mean + 1.0 / parameters.y), 0.0, 0.0);
}

fn gaussian_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    return mean + normal_quantile(below(u), above(u)) / sqrt(parameters.y);
}

// x²/2γ − ½ log(γ/2π)
fn gaussian_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    return 0.5 * x * x / parameters.y - 0.5 * log(parameters.y) + HALF_LOG_TWO_PI;
}

fn gaussian_statistics(state: f32) -> vec4<f32> {
    return vec4(state, -0.5 * state * state, 0.0, 0.0);
}
