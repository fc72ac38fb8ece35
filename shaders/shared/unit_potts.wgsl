
// A unit in one of some states, one-hot, given the inputs of its columns, biases included: `input_at`, of the kernel. The twin of
// src/units/potts.rs.

fn potts_largest(first: u32) -> f32 {
    var largest = input_at(first);
    for (var s = 1u; s < params.columns; s++) {
        largest = max(largest, input_at(first + s));
    }
    return largest;
}

// Σ_s e^(x_s − largest)
fn potts_sum(first: u32, largest: f32) -> f32 {
    var sum = 0.0;
    for (var s = 0u; s < params.columns; s++) {
        sum += exp(input_at(first + s) - largest);
    }
    return sum;
}

// log Σ_s e^(x_s)
fn potts_cumulant(first: u32) -> f32 {
    let largest = potts_largest(first);
    return largest + log(potts_sum(first, largest));
}
