// velocity = momentum · velocity + rate · (⟨v hᵀ⟩ of the positive phase − ⟨v hᵀ⟩ of the negative phase − decay · W);
// A += velocity. Equations (26)–(28), with ⟨·⟩ the mean over the rows and Hinton's momentum and decay. The unit that
// is always on makes each bias an association like any other; only weights decay.
// v and h are rows × units, row-major; parameters and velocity are A = [W b; c 0], visible+1 × hidden+1.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positive_visible: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> positive_hidden: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> negative_visible: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> negative_hidden: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

// The cases of the positive phase, and after them those of the negative phase, which count as −v.
fn depth() -> u32 {
    return 2u * blocks_of_cases();
}

fn blocks_of_cases() -> u32 {
    return (params.rows + 3u) / 4u;
}

// The four cases at depth k of their phase.
fn cases(k: u32) -> vec4<u32> {
    let positive = k < blocks_of_cases();
    return vec4(4u * select(k - blocks_of_cases(), k, positive)) + vec4(0u, 1u, 2u, 3u);
}

// Four visible units, in four cases; those past the last count nothing.
fn left(r: u32, k: u32) -> mat4x4<f32> {
    let stride = groups(params.visible);
    let at = min(cases(k), vec4(params.rows - 1u)) * stride + min(r, stride - 1u);
    var slices: mat4x4<f32>;
    var sign = 1.0;
    if k < blocks_of_cases() {
        slices = mat4x4(positive_visible[at.x], positive_visible[at.y], positive_visible[at.z], positive_visible[at.w]);
    } else {
        slices = mat4x4(negative_visible[at.x], negative_visible[at.y], negative_visible[at.z], negative_visible[at.w]);
        sign = -1.0;
    }
    let counts = select(vec4(0.0), vec4(sign), cases(k) < vec4(params.rows));
    return mat4x4(counts.x * slices[0], counts.y * slices[1], counts.z * slices[2], counts.w * slices[3]);
}

// Four hidden units, in four cases.
fn right(k: u32, c: u32) -> mat4x4<f32> {
    let stride = groups(params.hidden);
    let at = min(cases(k), vec4(params.rows - 1u)) * stride + min(c, stride - 1u);
    if k < blocks_of_cases() {
        return mat4x4(positive_hidden[at.x], positive_hidden[at.y], positive_hidden[at.z], positive_hidden[at.w]);
    }
    return mat4x4(negative_hidden[at.x], negative_hidden[at.y], negative_hidden[at.z], negative_hidden[at.w]);
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if r >= groups(params.visible) || c >= groups(params.hidden) {
        return;
    }
    let rate = params.learning_rate / f32(params.rows);
    for (var i = 0u; i < 4u; i++) {
        let at = (4u * r + i) * groups(params.hidden) + c;
        let is_weight = is_unit(c, params.hidden) & vec4(4u * r + i < params.visible);
        let decay = select(vec4(0.0), params.learning_rate * params.weight_decay * parameters[at], is_weight);
        let step = params.momentum * velocity[at] + rate * sums[i] - decay;
        velocity[at] = step;
        parameters[at] += step;
    }
}
