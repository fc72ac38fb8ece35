// ⟨v hᵀ⟩ of the positive phase − ⟨v hᵀ⟩ of the negative phase, equations (26)–(28), with ⟨·⟩ the mean over the cases or the
// chains: see shared/contrast.wgsl. The bias unit makes each bias one more weight.
// Bindings 1 to 6 are those of shared/contrast.wgsl; the gradient is [W b; c 0], visible+1 × hidden+1, row-major.
@group(0) @binding(0) var<uniform> params: Contrast;
@group(0) @binding(7) var<storage, read_write> slope: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, SLICES)
fn gradient(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if r >= groups(params.visible) || c >= groups(params.hidden) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        slope[(4u * r + i) * groups(params.hidden) + c] = gradient_of(r, c, i, sums[i]);
    }
}
