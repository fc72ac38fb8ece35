
// A 0/1 unit, given its input x, bias included. The twin of src/units/binary.rs.

// p(1) = σ(x)
fn mean_of(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-clamp(x, vec4(-87.0), vec4(87.0))));
}

// log(1 + e^x)
fn cumulant_of(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4(0.0)) + log(1.0 + exp(-abs(x)));
}
