
// Philox4x32-10 (Salmon et al. 2011), as in src/rng.rs: four words per counter; the counter is the address of a draw.
fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let carry = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (carry >> 16u);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        c = vec4(
            multiply_high(0xCD9E8D57u, c.z) ^ c.y ^ k.x, 0xCD9E8D57u * c.z,
            multiply_high(0xD2511F53u, c.x) ^ c.w ^ k.y, 0xD2511F53u * c.x,
        );
        k += vec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// Uniforms in [0, 1) for four units of a row, from the host's buffer or from the generator.
fn uniforms_for(row: u32, group: u32, units: u32) -> vec4<f32> {
    if params.draw.source == HOST {
        // The last group may reach past the row; the callers discard those lanes.
        let first = params.draw.uniforms_at + row * units + 4u * group;
        let last = arrayLength(&uniforms) - 1u;
        return vec4(
            uniforms[min(first, last)], uniforms[min(first + 1u, last)],
            uniforms[min(first + 2u, last)], uniforms[min(first + 3u, last)],
        );
    }
    let draw = params.draw;
    let counter = vec4(draw.layer | group, draw.first_chain + row, draw.purpose, draw.step);
    let words = philox(counter, vec2(draw.seed_low, draw.seed_high));
    return vec4<f32>(words >> vec4(8u)) * 0x1p-24;
}
