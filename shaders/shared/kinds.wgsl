
// The mathematics of a unit with one column, by the block's kind: what `Unit` is in src/units.rs. x is the input, bias included;
// parameters are those after the bias, by their numbers.

// The means of the statistics.
fn kind_expectation(x: f32, parameters: vec4<f32>) -> vec4<f32> {
    switch params.kind {
        case SPIN: { return spin_expectation(x, parameters); }
        case GAUSSIAN: { return gaussian_expectation(x, parameters); }
        case RELU: { return relu_expectation(x, parameters); }
        case DRELU: { return drelu_expectation(x, parameters); }
        default: { return binary_expectation(x, parameters); }
    }
}

// A state, by a uniform number in [0, 1).
fn kind_draw(x: f32, parameters: vec4<f32>, mean: f32, u: f32) -> f32 {
    switch params.kind {
        case SPIN: { return spin_draw(x, parameters, mean, u); }
        case GAUSSIAN: { return gaussian_draw(x, parameters, mean, u); }
        case RELU: { return relu_draw(x, parameters, mean, u); }
        case DRELU: { return drelu_draw(x, parameters, mean, u); }
        default: { return binary_draw(x, parameters, mean, u); }
    }
}

// The log of the sum, or of the integral, of e^(potential + xs) over the states.
fn kind_cumulant(x: f32, parameters: vec4<f32>) -> f32 {
    switch params.kind {
        case SPIN: { return spin_cumulant(x, parameters); }
        case GAUSSIAN: { return gaussian_cumulant(x, parameters); }
        case RELU: { return relu_cumulant(x, parameters); }
        case DRELU: { return drelu_cumulant(x, parameters); }
        default: { return binary_cumulant(x, parameters); }
    }
}

// The derivatives of the potential by the parameters. The first is that of a Potts unit's column, too.
fn kind_statistics(state: f32) -> vec4<f32> {
    switch params.kind {
        case SPIN: { return spin_statistics(state); }
        case GAUSSIAN: { return gaussian_statistics(state); }
        case RELU: { return relu_statistics(state); }
        case DRELU: { return drelu_statistics(state); }
        default: { return binary_statistics(state); }
    }
}
