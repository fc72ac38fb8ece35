// s_i = x_i where the mask is not 0, or where it is: clamps the known units of a case.
// known and states are rows × units, row-major; the mask has a number for each unit, of all rows or of each.
@group(0) @binding(0) var<uniform> params: ClampUnits;
@group(0) @binding(1) var<storage, read> known: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> states: array<vec4<f32>>;

@compute @workgroup_size(64)
fn clamp_units(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let width = groups(params.units);
    for (var at = id.x; at < params.rows * width; at += 64u * workgroups.x) {
        let group = at % width;
        let start = select(0u, at / width * params.units, params.per_row == 1u);
        // The last group may reach past the last unit; `is_unit` discards those lanes.
        let unit = min(vec4(4u * group) + vec4(0u, 1u, 2u, 3u), vec4(params.units - 1u));
        let masked = vec4(
            mask[start + unit.x], mask[start + unit.y], mask[start + unit.z], mask[start + unit.w],
        ) != vec4(0.0);
        let clamped = masked != vec4(params.where_zero == 1u);
        states[at] = select(states[at], known[at], clamped & is_unit(group, params.units));
    }
}
