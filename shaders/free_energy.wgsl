// F(v) = −(β b + (1−β) b0)ᵀv − Σ_j softplus(β (c_j + Σ_i v_i W_ij)), minus `less` times the old value. bᵀv is the product's column
// for the bias unit; b0 are the biases of the path's base distribution.
// visible (states) is rows × visible units, row-major; base begins with b0, one number per visible unit;
// parameters is A = [W b; c 0], visible+1 × hidden+1.
@group(0) @binding(0) var<uniform> params: FreeEnergy;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> visible: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> base: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;

// A workgroup takes four cases; its invocations share the hidden units.
@compute @workgroup_size(64)
fn free_energy(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let stride = groups(params.hidden);
    for (var block = workgroup.x; 4u * block < params.rows; block += workgroups.x) {
        let row = min(vec4(4u * block) + vec4(0u, 1u, 2u, 3u), vec4(params.rows - 1u));
        let cases = row * groups(params.visible);
        var energy = (params.beta - 1.0) * of_base(index, cases);
        for (var group = index; group < stride; group += 64u) {
            let sums = hidden_inputs(cases, group);
            for (var i = 0u; i < 4u; i++) {
                let input = params.beta * sums[i];
                energy[i] -= dot(select(constant(group, params.hidden) * input, cumulant_of(input), is_unit(group, params.hidden)), vec4(1.0));
            }
        }
        let total = sum_of_workgroup(index, energy);
        if index == 0u {
            for (var i = 0u; i < 4u && 4u * block + i < params.rows; i++) {
                let at = 4u * block + i;
                var before = 0.0;
                if params.less != 0.0 {
                    before = params.less * values[at];
                }
                values[at] = total[i] - before;
            }
        }
    }
}
