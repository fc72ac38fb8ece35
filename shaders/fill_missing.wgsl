// s_i = x_i where x_i is a number, else its column's fill; the mask is 1 where x_i is a number, else 0.
// observed and states are rows × visible units, row-major, the mask rows × units without padding. observed holds bits: a device may
// take for granted that no float is NaN.
@group(0) @binding(0) var<uniform> params: FillMissing;
@group(0) @binding(1) var<storage, read> observed: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> fill: array<f32>;
@group(0) @binding(3) var<storage, read_write> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4<f32>>;

// Bits of the largest magnitude that is a number: infinity.
const INFINITE: u32 = 0x7f800000u;

@compute @workgroup_size(64)
fn fill_missing(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let width = groups(params.visible);
    for (var at = id.x; at < params.rows * width; at += 64u * workgroups.x) {
        let first = 4u * (at % width);
        let bits = observed[at];
        var state = bitcast<vec4<f32>>(bits);
        for (var lane = 0u; lane < 4u; lane += 1u) {
            let unit = first + lane;
            if unit < params.visible {
                let is_known = (bits[lane] & 0x7fffffffu) <= INFINITE;
                mask[at / width * params.visible + unit] = select(0.0, 1.0, is_known);
                state[lane] = select(fill[unit], state[lane], is_known);
            }
        }
        states[at] = state;
    }
}
