
// Shared by the energy kernels: a workgroup takes four cases, its invocations share the units. `cases` is where each case's
// visible units begin.

// Inputs of four hidden units, biases included; row i is case i.
fn hidden_inputs(cases: vec4<u32>, group: u32) -> mat4x4<f32> {
    let stride = groups(params.hidden);
    var inputs = mat4x4<f32>();
    for (var k = 0u; k < groups(params.visible); k++) {
        let at = 4u * k * stride + group;
        let weights = mat4x4(
            parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride],
        );
        let slices = transpose(mat4x4(
            visible[cases.x + k], visible[cases.y + k], visible[cases.z + k], visible[cases.w + k],
        ));
        inputs = accumulate(inputs, slices, weights);
    }
    return inputs;
}

// This invocation's part of b0ᵀv. What follows b0 in the base does not count.
fn of_base(index: u32, cases: vec4<u32>) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var group = index; group < groups(params.visible); group += 64u) {
        let b0 = select(vec4(0.0), base[group], is_unit(group, params.visible));
        for (var i = 0u; i < 4u; i++) {
            sum[i] += dot(visible[cases[i] + group], b0);
        }
    }
    return sum;
}
