// The gradient in standardised coordinates, (v−μ)/σ and (h−λ)/τ, as a step of the plain parameters: slope_ij /= σ_i² τ_j², that of a
// bias by the variance of its own unit. So is that of |s|; those of precisions, which belong to s², are divided by its square.
// The variances of both sides get a ridge. slope is a model's parameters, as in shared/parameters.wgsl.
@group(0) @binding(0) var<uniform> params: Standardise;
@group(0) @binding(1) var<storage, read> visible_variances: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> hidden_variances: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> slope: array<vec4<f32>>;

@compute @workgroup_size(64)
fn standardise(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    for (var group = invocation.x; group < parameter_groups(); group += 64u * workgroups.x) {
        let at = place_of(group);
        slope[at] *= factor(at);
    }
}

fn factor(place: u32) -> vec4<f32> {
    let width = groups(params.hidden);
    let matrix = 4u * groups(params.visible) * width;
    if place < matrix {
        let row = place / width;
        let of_row = of_visible(row / 4u)[row % 4u];
        return of_hidden(place % width) * of_row;
    }
    let planes = (params.visible_parameters - 1u) * groups(params.visible);
    let group = place - matrix;
    var of_unit: vec4<f32>;
    if group < planes {
        of_unit = of_visible(group % groups(params.visible));
    } else {
        of_unit = of_hidden((group - planes) % width);
    }
    return select(of_unit, of_unit * of_unit, is_precision(place));
}

// 1/variance of four units; 1 of a bias unit.
fn of_visible(group: u32) -> vec4<f32> {
    return select(vec4(1.0), 1.0 / (visible_variances[group] + params.ridge), is_unit(group, params.visible));
}

fn of_hidden(group: u32) -> vec4<f32> {
    return select(vec4(1.0), 1.0 / (hidden_variances[group] + params.ridge), is_unit(group, params.hidden));
}
