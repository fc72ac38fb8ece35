
// What a kernel is told: the same 96 bytes as `Params` in src/backend.rs.
struct Params {
    rows: u32,
    visible: u32,
    hidden: u32,
    first_row: u32,
    beta: f32,
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
    seed_low: u32,
    seed_high: u32,
    step: u32,
    draw: u32,
    flags: u32,
    uniforms_at: u32,
    first_chain: u32,
    data_scale: f32,
    chains: u32,
    rate: f32,
    l1: f32,
    sparsity_target: f32,
    sparsity_cost: f32,
    largest_norm: f32,
    first_correction: f32,
    second_correction: f32,
}

// Flags.
const SAMPLE = 1u;
const HOST_UNIFORMS = 2u;
const BITS = 4u;
const CENTRED = 8u;
const ADAM = 16u;
const NESTEROV = 32u;
const SPARSE = 64u;
const COLDEST = 128u;
const HOTTEST = 256u;
// FAST, 512: the host binds other parameters.
const FLOATS = 1024u;
// FORGET, 2048: the GPU forgets nothing.
const LESS = 4096u;
// From 65536 on, the number of a snapshot: the host binds other parameters.

fn has(flag: u32) -> bool {
    return (params.flags & flag) != 0u;
}

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
