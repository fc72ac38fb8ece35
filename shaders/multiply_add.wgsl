// values_r ← x_r·(1 − 2⁻¹⁰) + 2⁻¹⁰, MULTIPLY_ADDS times: arithmetic only, to measure its peak rate.
@group(0) @binding(0) var<uniform> params: MultiplyAdd;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<f32>>;

// Independent vec4s per invocation, to hide the latency of dependent multiply-adds.
const CHAINS = 8u;

@compute @workgroup_size(64)
fn multiply_add(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let width = 64u * workgroups.x;
    let end = (params.rows + 3u) / 4u;
    for (var first = invocation.x; first < end; first += CHAINS * width) {
        var a = read(first);
        var b = read(first + width);
        var c = read(first + 2u * width);
        var d = read(first + 3u * width);
        var e = read(first + 4u * width);
        var f = read(first + 5u * width);
        var g = read(first + 6u * width);
        var h = read(first + 7u * width);
        for (var round = 0u; round < MULTIPLY_ADDS; round++) {
            a = once(a);
            b = once(b);
            c = once(c);
            d = once(d);
            e = once(e);
            f = once(f);
            g = once(g);
            h = once(h);
        }
        write(first, a);
        write(first + width, b);
        write(first + 2u * width, c);
        write(first + 3u * width, d);
        write(first + 4u * width, e);
        write(first + 5u * width, f);
        write(first + 6u * width, g);
        write(first + 7u * width, h);
    }
}

fn once(x: vec4<f32>) -> vec4<f32> {
    return fma(x, vec4(1.0 - 0x1p-10), vec4(0x1p-10));
}

fn read(group: u32) -> vec4<f32> {
    return values[min(group, arrayLength(&values) - 1u)];
}

fn write(group: u32, x: vec4<f32>) {
    if 4u * group < params.rows {
        let is_row = vec4(4u * group) + vec4(0u, 1u, 2u, 3u) < vec4(params.rows);
        values[group] = select(values[group], x, is_row);
    }
}
