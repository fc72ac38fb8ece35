
// Where the parameters of a block of units are: those of a model as in shared/parameters.wgsl.

// Columns of the block's layer.
fn layer_columns() -> u32 {
    return select(params.hidden, params.visible, params.side == VISIBLE);
}

// Parameters that a model keeps for each of them.
fn layer_parameters() -> u32 {
    return select(params.hidden_parameters, params.visible_parameters, params.side == VISIBLE);
}

// Where a column's parameter is.
fn parameter_at(number: u32, column: u32) -> u32 {
    let width = 4u * groups(params.hidden);
    if number == 0u {
        return select(params.visible * width + column, column * width + params.hidden, params.side == VISIBLE);
    }
    let of_visible = select((params.visible_parameters - 1u) * 4u * groups(params.visible), 0u, params.side == VISIBLE);
    let row = of_visible + (number - 1u) * 4u * groups(layer_columns());
    return 4u * groups(params.visible) * width + row + column;
}
