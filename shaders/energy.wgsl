// U(v,h) = −vᵀWh − (b − b0)ᵀv − cᵀh, which is −vᵀAh, equation (1), plus b0ᵀv. b0 are the biases of the path's base distribution.
// visible and hidden are rows × units, row-major; base begins with b0, one number per visible unit;
// parameters is A = [W b; c 0], visible+1 × hidden+1.
@group(0) @binding(0) var<uniform> params: Energy;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> visible: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> hidden: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;

// A workgroup takes four cases; its invocations share the hidden units.
@compute @workgroup_size(64)
fn energy(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let stride = groups(params.hidden);
    for (var block = workgroup.x; 4u * block < params.rows; block += workgroups.x) {
        let row = min(vec4(4u * block) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
        let cases = row * groups(params.visible);
        var sum = of_base(index, cases);
        for (var group = index; group < stride; group += 64u) {
            let inputs = hidden_inputs(cases, group);
            for (var i = 0u; i < 4u; i++) {
                sum[i] -= dot(inputs[i], hidden[row[i] * stride + group]);
            }
        }
        let total = sum_of_workgroup(index, sum);
        if index == 0u {
            for (var i = 0u; i < 4u && 4u * block + i < params.rows; i++) {
                values[4u * block + i] = total[i];
            }
        }
    }
}
