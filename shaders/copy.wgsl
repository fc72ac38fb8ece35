// copies_r = values_r: memory traffic only, to measure bandwidth.
@group(0) @binding(0) var<uniform> params: Copy;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> copies: array<vec4<f32>>;

@compute @workgroup_size(64)
fn copy(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    for (var group = invocation.x; 4u * group < params.rows; group += 64u * workgroups.x) {
        let is_row = vec4(4u * group) + vec4(0u, 1u, 2u, 3u) < vec4(params.rows);
        copies[group] = select(copies[group], values[group], is_row);
    }
}
