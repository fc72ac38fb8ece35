// Swaps the states of a chain between two neighbouring replicas if u < e^(factor · (E_cold − E_hot)) (Metropolis; Geyer 1991).
// factor is the difference of their inverse temperatures, or 1 where the values are already differences of the two
// models' energies.
// cold and hot (states) are rows × units, row-major, of either layer. The value buffers hold each row's energy, then each row's
// mark, which travels with the states: 1 after a visit to the hottest replica, until they return to the coldest. A workgroup
// takes a row.
@group(0) @binding(0) var<uniform> params: Swap;
@group(0) @binding(1) var<storage, read> uniforms: array<f32>;
@group(0) @binding(2) var<storage, read_write> cold: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> hot: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> cold_values: array<f32>;
@group(0) @binding(5) var<storage, read_write> hot_values: array<f32>;
@group(0) @binding(6) var<storage, read_write> accepted: array<f32>;
@group(0) @binding(7) var<storage, read_write> trips: array<f32>;

@compute @workgroup_size(64)
fn swap(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let stride = groups(params.units);
    for (var row = workgroup.x; row < params.rows; row += workgroups.x) {
        let surplus = cold_values[row] - hot_values[row];
        let exchange = uniforms_for(row, 0u, 1u).x < exp(min(params.factor * surplus, 0.0));
        if exchange {
            for (var at = row * stride + index; at < (row + 1u) * stride; at += 64u) {
                let states = cold[at];
                cold[at] = hot[at];
                hot[at] = states;
            }
        }
        if index == 0u {
            let mark = params.rows + row;
            if exchange {
                accepted[params.counts_at + row] += 1.0;
                let other = cold_values[mark];
                cold_values[mark] = hot_values[mark];
                hot_values[mark] = other;
            }
            if params.coldest == 1u {
                trips[row] += cold_values[mark];
                cold_values[mark] = 0.0;
            }
            if params.hottest == 1u {
                hot_values[mark] = 1.0;
            }
        }
    }
}
