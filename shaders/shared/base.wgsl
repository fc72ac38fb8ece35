
// b0ᵀv of four cases, this invocation's part of it: `cases` are where their visible units begin. b0 is 0 past the last unit.
fn of_base(index: u32, cases: vec4<u32>) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var group = index; group < groups(params.visible); group += 64u) {
        for (var i = 0u; i < 4u; i++) {
            sum[i] += dot(visible[cases[i] + group], base[group]);
        }
    }
    return sum;
}
