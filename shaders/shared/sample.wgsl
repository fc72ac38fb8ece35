
// What follows the product in both half steps: mean = σ(input), state = u < mean (or the mean, if nothing is to
// be drawn), for four units of a row.
fn write_units(row: u32, group: u32, units: u32, input: vec4<f32>) {
    let fixed = constant(group, units);
    let mean = select(fixed, sigmoid(input), is_unit(group, units));
    var state = mean;
    if params.draw.source != MEANS {
        state = select(vec4(0.0), vec4(1.0), uniforms_for(row, group, units) < mean);
    }
    let at = row * groups(units) + group;
    means[at] = mean;
    states[at] = state;
}

fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-clamp(x, vec4(-87.0), vec4(87.0))));
}
