
// The parameters of a block of units, on the path from a base to the model. `base` has the visible units' potentials, then the
// hidden ones', a number per column for each parameter.
fn base_at(number: u32, column: u32) -> u32 {
    let of_visible = select(params.visible_parameters * params.visible, 0u, params.side == VISIBLE);
    return of_visible + number * layer_columns() + column;
}

// Those of a column, from the number `from_number` on; the others are 0.
fn parameters_of(column: u32, from_number: u32, own: f32, of_base: f32) -> vec4<f32> {
    var all = vec4(0.0);
    for (var number = from_number; number < params.numbers; number++) {
        all[number] = own * parameters[parameter_at(number, column)];
        // Without a base there is nothing to read.
        if of_base != 0.0 {
            all[number] += of_base * base[base_at(number, column)];
        }
    }
    return all;
}
