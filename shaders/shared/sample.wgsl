
// Ends both half steps, for four units of a row: mean = mean_of(input), from the file of the unit's kind (unit_binary.wgsl);
// state = u < mean, or the mean if nothing is drawn. For other units the inputs are left in the means: see finish_units.wgsl.
fn write_units(row: u32, group: u32, units: u32, input: vec4<f32>) {
    let fixed = constant(group, units);
    if params.draw.source == INPUTS {
        means[row * groups(units) + group] = select(fixed, input, is_unit(group, units));
        return;
    }
    let mean = select(fixed, mean_of(input), is_unit(group, units));
    var state = mean;
    if params.draw.source != MEANS {
        state = select(vec4(0.0), vec4(1.0), uniforms_for(row, group, units) < mean);
    }
    let at = row * groups(units) + group;
    means[at] = mean;
    states[at] = state;
}
