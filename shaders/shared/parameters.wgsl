
// A model's parameters: A = [W b; c 0], visible+1 × hidden+1, row-major, with rows of zeros to a multiple of four; then a padded
// row for the second parameter of the visible units' columns, the third and so on; then those of the hidden units' columns.

// Groups of parameters, without the rows of zeros.
fn parameter_groups() -> u32 {
    return (params.visible + 1u) * groups(params.hidden)
        + (params.visible_parameters - 1u) * groups(params.visible)
        + (params.hidden_parameters - 1u) * groups(params.hidden);
}

// Where one of them is.
fn place_of(group: u32) -> u32 {
    let of_matrix = (params.visible + 1u) * groups(params.hidden);
    let zeros = 4u * groups(params.visible) * groups(params.hidden) - of_matrix;
    return select(group, group + zeros, group >= of_matrix);
}

// Whether a group's parameters are precisions, which stay above 0.
fn is_precision(place: u32) -> bool {
    let matrix = 4u * groups(params.visible) * groups(params.hidden);
    let of_visible = (params.visible_parameters - 1u) * groups(params.visible);
    let group = place - matrix;
    let number = 1u + select((group - of_visible) / groups(params.hidden), group / groups(params.visible), group < of_visible);
    return place >= matrix && number < PRECISIONS_END;
}
