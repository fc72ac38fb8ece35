
// Every layer ends with a bias unit, which is always on: its weights are the biases (Hinton 2010, section 1). So the parameters
// are one matrix, A = [W b; c 0], and a bias is one more term of a product and one more entry of a gradient. Zeros pad each row
// to a multiple of four, so a row is a whole number of vec4s: `groups` of them.
fn groups(units: u32) -> u32 {
    return units / 4u + 1u;
}

// True for the units of a group; false for the bias unit and the padding.
fn is_unit(group: u32, units: u32) -> vec4<bool> {
    return vec4(4u * group) + vec4(0u, 1u, 2u, 3u) < vec4(units);
}

// State of the bias unit (1) and of the padding (0).
fn constant(group: u32, units: u32) -> vec4<f32> {
    return select(vec4(0.0), vec4(1.0), vec4(4u * group) + vec4(0u, 1u, 2u, 3u) == vec4(units));
}
