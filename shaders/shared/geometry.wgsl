
// Every layer has one more unit, which is always on: the weights that leave it are the biases (Hinton 2010, section 1).
// So the parameters are one matrix, A = [W b; c 0], each bias takes part in its product as one more term, and its
// gradient is one more association. After that unit come zeros up to a multiple of four, so that every row is a
// whole number of vec4s: this many.
fn groups(units: u32) -> u32 {
    return units / 4u + 1u;
}

// 1 for the units of a group, 0 for the unit that is always on and the zeros after it.
fn is_unit(group: u32, units: u32) -> vec4<bool> {
    return vec4(4u * group) + vec4(0u, 1u, 2u, 3u) < vec4(units);
}

// What the unit that is always on and the zeros after it hold.
fn constant(group: u32, units: u32) -> vec4<f32> {
    return select(vec4(0.0), vec4(1.0), vec4(4u * group) + vec4(0u, 1u, 2u, 3u) == vec4(units));
}
