// v_i = x_i where the mask is not 0: clamps the known units of a case.
// known and states are rows × visible units, row-major; the mask has one number per visible unit.
@group(0) @binding(0) var<uniform> params: ClampVisible;
@group(0) @binding(1) var<storage, read> known: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;

@compute @workgroup_size(64)
fn clamp_visible(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let width = groups(params.visible);
    for (var at = id.x; at < params.rows * width; at += 64u * workgroups.x) {
        let first = 4u * (at % width);
        // The last group may reach past the last unit; `is_unit` discards those lanes.
        let last = params.visible - 1u;
        let masked = vec4(
            mask[min(first, last)], mask[min(first + 1u, last)],
            mask[min(first + 2u, last)], mask[min(first + 3u, last)],
        ) != vec4(0.0);
        states[at] = select(states[at], known[at], masked & is_unit(at % width, params.visible));
    }
}
