// v = the rows of a minibatch, unpacked from bits, spins, bytes or floats; if drawn, v_i = u_i < value.
// data holds packed rows; order holds row indices in the epoch's order; states is rows × visible units, row-major.
@group(0) @binding(0) var<uniform> params: Gather;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> uniforms: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4<f32>>;

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) workgroups: vec3<u32>) {
    let width = groups(params.visible);
    for (var at = id.x; at < params.rows * width; at += 64u * workgroups.x) {
        let row = at / width;
        let group = at % width;
        let units = is_unit(group, params.visible);
        var value = vec4(0.0);
        if any(units) {
            value = unpack(order[params.first_row + row], group);
        }
        if params.draw.source != MEANS {
            value = select(vec4(0.0), vec4(1.0), uniforms_for(row, group, params.visible) < value);
        }
        states[at] = select(constant(group, params.visible), value, units);
    }
}

// Four values of a case.
fn unpack(case_index: u32, group: u32) -> vec4<f32> {
    if params.packing == BITS || params.packing == SPINS {
        let word = data[case_index * ((params.visible + 31u) / 32u) + group / 8u];
        let bits = vec4<f32>((vec4(word) >> (vec4(0u, 1u, 2u, 3u) + vec4(4u * (group % 8u)))) & vec4(1u));
        return select(bits, 2.0 * bits - 1.0, params.packing == SPINS);
    }
    if params.packing == FLOATS {
        // The last group may reach past the data; `is_unit` discards those lanes.
        let first = case_index * params.visible + 4u * group;
        let last = arrayLength(&data) - 1u;
        return bitcast<vec4<f32>>(vec4(
            data[min(first, last)], data[min(first + 1u, last)],
            data[min(first + 2u, last)], data[min(first + 3u, last)],
        ));
    }
    let word = data[case_index * ((params.visible + 3u) / 4u) + group];
    return vec4<f32>((vec4(word) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u)) * params.scale;
}
