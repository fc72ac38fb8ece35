// velocity = momentum · velocity + lr · (⟨v hᵀ⟩ of the positive phase − ⟨v hᵀ⟩ of the negative phase − decay · W − l1 · sign W);
// A += velocity; or by Nesterov's momentum or Adam's rule: see `finish`. Equations (26)–(28), with ⟨·⟩ the mean over the rows, or over the chains, and Hinton's momentum and
// decay. The unit that is always on makes each bias an association like any other; only weights decay. A centred
// update takes the units as v − μ and h − λ; its biases are seen to by shaders/centre.wgsl afterwards. A sparse one takes
// sparsity_cost · (λ − sparsity_target) off the hidden units of the positive phase (Hinton 2010, section 11).
// v and h are rows × units, row-major; parameters and velocity are A = [W b; c 0], visible+1 × hidden+1; μ and λ are the
// offsets, 0 for the unit that is always on. After the velocity come, where Adam or Nesterov need them, the running mean of
// the gradient's square, and the step.
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positive_visible: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> positive_hidden: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> negative_visible: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> negative_hidden: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> visible_offsets: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> hidden_offsets: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> velocity: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y, SLICES)
fn update(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) invocation: vec3<u32>) {
    product(workgroup, invocation);
}

const LEFT_ALONG_DEPTH = false;
const RIGHT_ALONG_DEPTH = false;

// The cases of the positive phase, and after them the chains of the negative phase, which count as −v.
fn depth() -> u32 {
    return blocks_of_cases() + (params.chains + 3u) / 4u;
}

fn blocks_of_cases() -> u32 {
    return (params.rows + 3u) / 4u;
}

fn is_positive(k: u32) -> bool {
    return k < blocks_of_cases();
}

// The four cases, or chains, at depth k; and how many there are.
fn cases(k: u32) -> vec4<u32> {
    return vec4(4u * select(k - blocks_of_cases(), k, is_positive(k))) + vec4(0u, 1u, 2u, 3u);
}

fn count(k: u32) -> u32 {
    return select(params.chains, params.rows, is_positive(k));
}

// Four visible units, in four cases: each with its share of the mean, and none past the last.
fn left(r: u32, k: u32) -> mat4x4<f32> {
    let stride = groups(params.visible);
    let column = min(r, stride - 1u);
    let at = min(cases(k), vec4(count(k) - 1u)) * stride + column;
    var v: mat4x4<f32>;
    if is_positive(k) {
        v = mat4x4(positive_visible[at.x], positive_visible[at.y], positive_visible[at.z], positive_visible[at.w]);
    } else {
        v = mat4x4(negative_visible[at.x], negative_visible[at.y], negative_visible[at.z], negative_visible[at.w]);
    }
    if has(CENTRED) {
        v -= four_times(visible_offsets[column]);
    }
    let share = select(-1.0, 1.0, is_positive(k)) / f32(count(k));
    let shares = select(vec4(0.0), vec4(share), cases(k) < vec4(count(k)));
    return mat4x4(shares.x * v[0], shares.y * v[1], shares.z * v[2], shares.w * v[3]);
}

// Four hidden units, in four cases.
fn right(k: u32, c: u32) -> mat4x4<f32> {
    let stride = groups(params.hidden);
    let column = min(c, stride - 1u);
    let at = min(cases(k), vec4(count(k) - 1u)) * stride + column;
    var h: mat4x4<f32>;
    if is_positive(k) {
        h = mat4x4(positive_hidden[at.x], positive_hidden[at.y], positive_hidden[at.z], positive_hidden[at.w]);
    } else {
        h = mat4x4(negative_hidden[at.x], negative_hidden[at.y], negative_hidden[at.z], negative_hidden[at.w]);
    }
    if has(SPARSE) && is_positive(k) {
        let excess = hidden_offsets[column] - params.sparsity_target;
        h -= four_times(select(vec4(0.0), params.sparsity_cost * excess, is_unit(column, params.hidden)));
    }
    if has(CENTRED) {
        h -= four_times(hidden_offsets[column]);
    }
    return h;
}

fn four_times(x: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(x, x, x, x);
}

fn finish(r: u32, c: u32, sums: mat4x4<f32>) {
    if r >= groups(params.visible) || c >= groups(params.hidden) {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        let at = (4u * r + i) * groups(params.hidden) + c;
        let is_weight = is_unit(c, params.hidden) & vec4(4u * r + i < params.visible);
        let decay = select(vec4(0.0), params.weight_decay * parameters[at] + params.l1 * sign(parameters[at]), is_weight);
        // Where there is no parameter, the gradient is 0 but for rounding, which Adam would make large.
        let is_parameter = is_unit(c, params.hidden) | vec4(4u * r + i < params.visible);
        let gradient = select(vec4(0.0), sums[i], is_parameter);
        if has(ADAM) {
            adam(at, gradient, decay);
        } else {
            momentum(at, gradient, decay);
        }
    }
}

fn momentum(at: u32, gradient: vec4<f32>, decay: vec4<f32>) {
    let push = params.learning_rate * (gradient - decay);
    var step = params.momentum * velocity[at] + push;
    velocity[at] = step;
    if has(NESTEROV) {
        // The parameters are kept where the momentum leads to (Bengio, Boulanger-Lewandowski and Pascanu 2013).
        step = params.momentum * step + push;
        velocity[at + 2u * size()] = step;
    }
    parameters[at] += step;
}

// Kingma and Ba 2015, algorithm 1; the decay as in Loshchilov and Hutter 2019.
fn adam(at: u32, gradient: vec4<f32>, decay: vec4<f32>) {
    let mean = ADAM_FIRST * velocity[at] + (1.0 - ADAM_FIRST) * gradient;
    let square = ADAM_SECOND * velocity[at + size()] + (1.0 - ADAM_SECOND) * gradient * gradient;
    let ascent = mean * params.first_correction / (sqrt(square * params.second_correction) + ADAM_EPSILON);
    let step = params.learning_rate * (ascent - decay);
    velocity[at] = mean;
    velocity[at + size()] = square;
    velocity[at + 2u * size()] = step;
    parameters[at] += step;
}

// A with its padding.
fn size() -> u32 {
    return 4u * groups(params.visible) * groups(params.hidden);
}
