// gradient ·= min(1, largest / ‖gradient‖), the norm being over all parameters (Pascanu, Mikolov and Bengio 2013).
// slope is a model's parameters, as in shared/parameters.wgsl. One workgroup: the sum needs every parameter before the first
// changes.
@group(0) @binding(0) var<uniform> params: Clip;
@group(0) @binding(1) var<storage, read_write> slope: array<vec4<f32>>;

var<workgroup> factor: f32;

@compute @workgroup_size(64)
fn clip(@builtin(local_invocation_index) index: u32) {
    var sum = vec4(0.0);
    for (var group = index; group < parameter_groups(); group += 64u) {
        let slopes = slope[place_of(group)];
        sum += slopes * slopes;
    }
    let squares = sum_of_workgroup(index, sum);
    if index == 0u {
        factor = min(1.0, params.largest / sqrt(dot(squares, vec4(1.0))));
    }
    workgroupBarrier();
    for (var group = index; group < parameter_groups(); group += 64u) {
        slope[place_of(group)] *= factor;
    }
}
