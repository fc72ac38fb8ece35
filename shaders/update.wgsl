// velocity = momentum · velocity + lr · (⟨v hᵀ⟩ of the positive phase − ⟨v hᵀ⟩ of the negative phase − decay · W);
// A += velocity. Equations (26)–(28), with ⟨·⟩ the mean over the rows, or over the chains, and Hinton's momentum and
// decay. The unit that is always on makes each bias an association like any other; only weights decay. A centred
// update takes the units as v − μ and h − λ; its biases are seen to by shaders/centre.wgsl afterwards.
// v and h are rows × units, row-major; parameters and velocity are A = [W b; c 0], visible+1 × hidden+1; μ and λ are the
// offsets, 0 for the unit that is always on.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positive_visible: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> positive_hidden: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> negative_visible: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> negative_hidden: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> visible_offsets: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> hidden_offsets: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

// The cases of the positive phase, and after them the chains of the negative phase, which count as −v.
fn depth() -> u32 {
    return (params.rows + 3u) / 4u + (params.chains + 3u) / 4u;
}

// Four visible units, in four cases or chains: each with its share of the mean.
fn left(r: u32, k: u32) -> mat4x4<f32> {
    let cases = (params.rows + 3u) / 4u;
    let stride = groups(params.visible);
    let column = min(r, stride - 1u);
    var offsets = vec4(0.0);
    if has(CENTRED) {
        offsets = visible_offsets[column];
    }
    var slices = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if k < cases {
            let row = 4u * k + i;
            let v = positive_visible[min(row, params.rows - 1u) * stride + column] - offsets;
            slices[i] = select(vec4(0.0), v / f32(params.rows), row < params.rows);
        } else {
            let row = 4u * (k - cases) + i;
            let v = negative_visible[min(row, params.chains - 1u) * stride + column] - offsets;
            slices[i] = select(vec4(0.0), -v / f32(params.chains), row < params.chains);
        }
    }
    return slices;
}

// Four hidden units, in four cases or chains.
fn right(k: u32, c: u32) -> mat4x4<f32> {
    let cases = (params.rows + 3u) / 4u;
    let stride = groups(params.hidden);
    let column = min(c, stride - 1u);
    var offsets = vec4(0.0);
    if has(CENTRED) {
        offsets = hidden_offsets[column];
    }
    var slices = mat4x4<f32>();
    for (var i = 0u; i < 4u; i++) {
        if k < cases {
            slices[i] = positive_hidden[min(4u * k + i, params.rows - 1u) * stride + column] - offsets;
        } else {
            slices[i] = negative_hidden[min(4u * (k - cases) + i, params.chains - 1u) * stride + column] - offsets;
        }
    }
    return slices;
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if r >= groups(params.visible) || c >= groups(params.hidden) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        let at = (4u * r + i) * groups(params.hidden) + c;
        let is_weight = is_unit(c, params.hidden) & vec4(4u * r + i < params.visible);
        let decay = select(vec4(0.0), params.learning_rate * params.weight_decay * parameters[at], is_weight);
        let step = params.momentum * velocity[at] + params.learning_rate * sums[i] - decay;
        velocity[at] = step;
        parameters[at] += step;
    }
}
