
// sums + Σ_k left_k ⊗ right_k over four slices: left[k] has four rows, right[k] four columns, sums[row] the columns.
fn accumulate(sums: mat4x4<f32>, left: mat4x4<f32>, right: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4(
        accumulate_row(sums[0], vec4(left[0].x, left[1].x, left[2].x, left[3].x), right),
        accumulate_row(sums[1], vec4(left[0].y, left[1].y, left[2].y, left[3].y), right),
        accumulate_row(sums[2], vec4(left[0].z, left[1].z, left[2].z, left[3].z), right),
        accumulate_row(sums[3], vec4(left[0].w, left[1].w, left[2].w, left[3].w), right),
    );
}

fn accumulate_row(sum: vec4<f32>, left: vec4<f32>, right: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4(left.w), right[3],
           fma(vec4(left.z), right[2],
           fma(vec4(left.y), right[1],
           fma(vec4(left.x), right[0], sum))));
}
