
// The product of a gradient: Σ v h over the cases of the positive phase, minus that over the chains of the negative phase, each
// divided by its number of rows. Centred, units are v − μ and h − λ. Sparse, sparsity_cost · (λ − sparsity_target) is subtracted
// from the hidden units of the positive phase (Hinton 2010, section 11).
// v (states) and h (means) are rows × units, row-major; μ and λ are the offsets, 0 for the bias unit.
@group(0) @binding(1) var<storage, read> positive_visible: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> positive_hidden: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> negative_visible: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> negative_hidden: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> visible_offsets: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> hidden_offsets: array<vec4<f32>>;

const LEFT_ALONG_DEPTH = false;
const RIGHT_ALONG_DEPTH = false;

// Blocks of cases, followed by blocks of chains.
fn depth() -> u32 {
    return blocks_of_cases() + (params.chains + 3u) / 4u;
}

fn blocks_of_cases() -> u32 {
    return (params.rows + 3u) / 4u;
}

fn is_positive(k: u32) -> bool {
    return k < blocks_of_cases();
}

// Row indices of the four cases or chains at depth k, and the number of rows in their phase.
fn cases(k: u32) -> vec4<u32> {
    return vec4(4u * select(k - blocks_of_cases(), k, is_positive(k))) + vec4(0u, 1u, 2u, 3u);
}

fn count(k: u32) -> u32 {
    return select(params.chains, params.rows, is_positive(k));
}

// Four visible units × four cases, weighted by ±1/rows; 0 past the last row.
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
    if params.centred == 1u {
        v -= four_times(visible_offsets[column]);
    }
    let share = select(-1.0, 1.0, is_positive(k)) / f32(count(k));
    let shares = select(vec4(0.0), vec4(share), cases(k) < vec4(count(k)));
    return mat4x4(shares.x * v[0], shares.y * v[1], shares.z * v[2], shares.w * v[3]);
}

// Four hidden units × four cases.
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
    if params.sparsity_cost != 0.0 && is_positive(k) {
        let excess = hidden_offsets[column] - params.sparsity_target;
        h -= four_times(select(vec4(0.0), params.sparsity_cost * excess, is_unit(column, params.hidden)));
    }
    if params.centred == 1u {
        h -= four_times(hidden_offsets[column]);
    }
    return h;
}

fn four_times(x: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(x, x, x, x);
}

// Row 4r + i of the gradient. Outside the parameters it is exactly 0; the product is only approximately 0 there.
fn gradient_of(r: u32, c: u32, i: u32, sum: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), sum, is_unit(c, params.hidden) | vec4(4u * r + i < params.visible));
}
