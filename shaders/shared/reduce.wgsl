
// Sum of a vector over the 64 invocations of a workgroup. Only invocation 0 gets the total; the others get partial sums.
var<workgroup> partial_sums: array<vec4<f32>, 64>;

fn sum_of_workgroup(index: u32, part: vec4<f32>) -> vec4<f32> {
    workgroupBarrier(); // until the previous sum has been read
    partial_sums[index] = part;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if index < half {
            partial_sums[index] += partial_sums[index + half];
        }
    }
    return partial_sums[index];
}
