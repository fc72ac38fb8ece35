
// A unit with a normal distribution of its own on either side of 0, given its input x, θ included; parameters are those of the
// sides, γ₊ (y), γ₋ (z) and δ (w). The twin of src/units/double_relu.rs.

// The cumulants of the positive and of the negative side, as rectified units.
fn drelu_sides(x: f32, parameters: vec4<f32>) -> vec2<f32> {
    let positive = vec4(0.0, parameters.y, 0.0, 0.0);
    let negative = vec4(0.0, parameters.z, 0.0, 0.0);
    return vec2(relu_cumulant(parameters.w + x, positive), relu_cumulant(parameters.w - x, negative));
}

fn drelu_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    let sides = drelu_sides(x, parameters);
    let up = mean_of(vec4(sides.x - sides.y)).x;
    let down = mean_of(vec4(sides.y - sides.x)).x;
    let positive = up * relu_expectation(parameters.w + x, vec4(0.0, parameters.y, 0.0, 0.0));
    let negative = down * relu_expectation(parameters.w - x, vec4(0.0, parameters.z, 0.0, 0.0));
    return vec4(positive.x - negative.x, positive.y, negative.y, positive.x + negative.x);
}

// The lowest of the uniform numbers are the negative side's.
fn drelu_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    let sides = drelu_sides(x, parameters);
    let down = mean_of(vec4(sides.y - sides.x)).x;
    if below(u) < down {
        return -rectified_draw(parameters.w - x, parameters.z, below(u) / down, (down - below(u)) / down);
    }
    let up = mean_of(vec4(sides.x - sides.y)).x;
    return rectified_draw(parameters.w + x, parameters.y, min(above(u) / up, 1.0), (below(u) - down) / up);
}

fn drelu_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    let sides = drelu_sides(x, parameters);
    return max(sides.x, sides.y) + log(1.0 + exp(-min(abs(sides.x - sides.y), 87.0)));
}

fn drelu_statistics(state: f32) -> vec4<f32> {
    let above = max(state, 0.0);
    let below = min(state, 0.0);
    return vec4(state, -0.5 * above * above, -0.5 * below * below, abs(state));
}
