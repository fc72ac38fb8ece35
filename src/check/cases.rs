//! The table of cases: every kernel, in every way that it is used, with its work. Shared by the tests, `rbm-gpu verify` and
//! `rbm-gpu bench`.

use serde::Serialize;

use super::{
    OF_DRAWS, TOLERANCE,
    stage::{Output, Prepared, Size, Stage},
};
use crate::{
    backend::{
        Ascent, Backend, ClampUnits, Clip, Combine, Contrast, Copy, Draw, Energy, FillMissing, FreeEnergy,
        Gather, HalfStep, LimitNorms, Model, MultiplyAdd, Offsets, Pair, Path, Penalise, SquaredError,
        Standardise, Swap, Track, Update, Variances, operation::MULTIPLY_ADDS,
    },
    data::Rows,
    error::Result,
    rbm::{Layers, Shape, Side},
    rng::{Address, Stream, uniform_at},
    units::{Block, Kind, Layer},
};

/// The work of a kernel, however it is implemented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Multiplications and additions of its products.
    pub flops: f64,
    /// Bytes of its inputs and outputs, each moved once, with 4 bytes per number.
    pub bytes: f64,
}

/// One way to use a kernel.
pub struct Case {
    /// The kernel: the name of its file, its twin and its method. The two half steps share a method.
    pub kernel: &'static str,
    /// The way.
    pub way: &'static str,
    /// Uploads the inputs to a device. Fails when there is no room.
    pub prepare: fn(&mut Stage) -> Result<Prepared>,
    /// Work of one call.
    pub work: fn(Size) -> Work,
}

#[rustfmt::skip]
/// All cases.
pub const CASES: &[Case] = &[
    Case { kernel: "gather", way: "bits", prepare: |s| gather(s, bits, false), work: gather_work },
    Case { kernel: "gather", way: "spins", prepare: |s| gather(s, spins, false), work: gather_work },
    Case { kernel: "gather", way: "bytes", prepare: |s| gather(s, bytes, false), work: gather_bytes_work },
    Case { kernel: "gather", way: "floats", prepare: |s| gather(s, floats, false), work: gather_floats_work },
    Case { kernel: "gather", way: "drawn from bits", prepare: |s| gather(s, bits, true), work: gather_work },
    Case { kernel: "gather", way: "drawn from bytes", prepare: |s| gather(s, bytes, true), work: gather_bytes_work },
    Case { kernel: "gather", way: "drawn from floats", prepare: |s| gather(s, floats, true), work: gather_floats_work },
    Case { kernel: "sample_hidden", way: "of states", prepare: |s| half_step(s, Side::Hidden, true, DRAWN), work: hidden_work },
    Case { kernel: "sample_hidden", way: "of states, means", prepare: |s| half_step(s, Side::Hidden, true, MEANS), work: hidden_work },
    Case { kernel: "sample_hidden", way: "of states, β = 0.4", prepare: |s| half_step(s, Side::Hidden, true, WARM), work: hidden_work },
    Case { kernel: "sample_hidden", way: "of means", prepare: |s| half_step(s, Side::Hidden, false, DRAWN), work: hidden_work },
    Case { kernel: "sample_hidden", way: "of means, β = 0.4", prepare: |s| half_step(s, Side::Hidden, false, WARM), work: hidden_work },
    Case { kernel: "sample_hidden", way: "of two minibatches", prepare: |s| twice(s, true), work: twice_work },
    Case { kernel: "sample_hidden", way: "of two minibatches, one of means", prepare: |s| twice(s, false), work: twice_work },
    Case { kernel: "sample_visible", way: "of states", prepare: |s| half_step(s, Side::Visible, true, DRAWN), work: visible_work },
    Case { kernel: "sample_visible", way: "of states, means", prepare: |s| half_step(s, Side::Visible, true, MEANS), work: visible_work },
    Case { kernel: "sample_visible", way: "of states, β = 0.4 from a base", prepare: |s| half_step(s, Side::Visible, true, WARM), work: visible_work },
    Case { kernel: "sample_visible", way: "of means", prepare: |s| half_step(s, Side::Visible, false, DRAWN), work: visible_work },
    Case { kernel: "sample_visible", way: "of means, β = 0.4 from a base", prepare: |s| half_step(s, Side::Visible, false, WARM), work: visible_work },
    Case { kernel: "gradient", way: "of states", prepare: |s| gradient(s, true, PLAIN), work: gradient_work },
    Case { kernel: "gradient", way: "of means, fewer chains", prepare: |s| gradient(s, false, FEW), work: gradient_work },
    Case { kernel: "gradient", way: "centred", prepare: |s| gradient(s, true, CENTRED), work: gradient_work },
    Case { kernel: "gradient", way: "sparse", prepare: |s| gradient(s, false, SPARSE), work: gradient_work },
    Case { kernel: "gradient", way: "centred and sparse", prepare: |s| gradient(s, true, Contrast { centred: 1, ..SPARSE }), work: gradient_work },
    Case { kernel: "standardise", way: "", prepare: standardise, work: combine_work },
    Case { kernel: "penalise", way: "", prepare: penalise, work: penalise_work },
    Case { kernel: "clip", way: "", prepare: |s| clip(s, 0.01), work: clip_work },
    Case { kernel: "clip", way: "no longer", prepare: |s| clip(s, 1e6), work: clip_work },
    Case { kernel: "ascend", way: "momentum, L1 and L2", prepare: |s| ascend(s, Ascent::MOMENTUM), work: ascend_work },
    Case { kernel: "ascend", way: "Nesterov", prepare: |s| ascend(s, Ascent::NESTEROV), work: ascend_work },
    Case { kernel: "ascend", way: "Adam", prepare: |s| ascend(s, Ascent::ADAM), work: ascend_work },
    Case { kernel: "recentre", way: "", prepare: recentre, work: recentre_work },
    Case { kernel: "update", way: "without momentum", prepare: |s| update(s, true, false, 0.0, PLAIN), work: update_work },
    Case { kernel: "update", way: "of means", prepare: |s| update(s, false, true, 0.05, PLAIN), work: update_work },
    Case { kernel: "update", way: "of states, fewer chains", prepare: |s| update(s, true, true, 0.05, FEW), work: update_work },
    Case { kernel: "update", way: "decay without momentum", prepare: |s| update(s, true, false, 0.05, PLAIN), work: update_work },
    Case { kernel: "update", way: "sparse", prepare: |s| update(s, true, true, 0.05, SPARSE), work: update_work },
    Case { kernel: "update", way: "centred", prepare: |s| update(s, true, true, 0.05, CENTRED), work: update_work },
    Case { kernel: "update", way: "centred, of means, fewer chains", prepare: |s| update(s, false, true, 0.05, Contrast { centred: 1, ..FEW }), work: update_work },
    Case { kernel: "update", way: "centred, decay without momentum", prepare: |s| update(s, false, false, 0.05, CENTRED), work: update_work },
    Case { kernel: "update", way: "centred, without momentum", prepare: |s| update(s, true, false, 0.0, CENTRED), work: update_work },
    Case { kernel: "update", way: "centred, of means, without momentum", prepare: |s| update(s, false, false, 0.0, CENTRED), work: update_work },
    Case { kernel: "limit_norms", way: "", prepare: limit_norms, work: limit_norms_work },
    Case { kernel: "track", way: "", prepare: track, work: track_work },
    Case { kernel: "track_variances", way: "", prepare: track_variances, work: track_work },
    Case { kernel: "combine", way: "copy", prepare: |s| combine(s, Combine::COPY), work: combine_work },
    Case { kernel: "combine", way: "sum", prepare: |s| combine(s, Combine::SUM), work: combine_work },
    Case { kernel: "combine", way: "average", prepare: |s| combine(s, Combine::towards(0.3)), work: combine_work },
    Case { kernel: "squared_error", way: "of states", prepare: |s| squared_error(s, true), work: squared_error_work },
    Case { kernel: "squared_error", way: "of means", prepare: |s| squared_error(s, false), work: squared_error_work },
    Case { kernel: "free_energy", way: "", prepare: |s| free_energy(s, true, 1.0, false), work: energy_work },
    Case { kernel: "free_energy", way: "of means, β = 0.4 from a base", prepare: |s| free_energy(s, false, 0.4, false), work: energy_work },
    Case { kernel: "free_energy", way: "less another", prepare: |s| free_energy(s, true, 1.0, true), work: energy_work },
    Case { kernel: "energy", way: "", prepare: |s| energy(s, false), work: energy_work },
    Case { kernel: "energy", way: "from a base", prepare: |s| energy(s, true), work: energy_work },
    Case { kernel: "swap", way: "hidden units", prepare: |s| swap(s, Side::Hidden, 0, 0), work: swap_work },
    Case { kernel: "swap", way: "hidden units, the coldest", prepare: |s| swap(s, Side::Hidden, 1, 0), work: swap_work },
    Case { kernel: "swap", way: "visible units, the hottest", prepare: |s| swap(s, Side::Visible, 0, 1), work: swap_work },
    Case { kernel: "clamp_units", way: "states", prepare: |s| clamp_units(s, true, false), work: clamp_work },
    Case { kernel: "clamp_units", way: "means", prepare: |s| clamp_units(s, false, false), work: clamp_work },
    Case { kernel: "clamp_units", way: "a mask for each case", prepare: |s| clamp_units(s, true, true), work: clamp_work },
    Case { kernel: "clamp_units", way: "means, a mask for each case", prepare: |s| clamp_units(s, false, true), work: clamp_work },
    Case { kernel: "clamp_units", way: "where the mask is 0", prepare: |s| clamp_where_zero(s), work: clamp_work },
    Case { kernel: "fill_missing", way: "", prepare: fill_missing, work: clamp_work },
    Case { kernel: "multiply_add", way: "", prepare: multiply_add, work: multiply_add_work },
    Case { kernel: "copy", way: "", prepare: copy, work: copy_work },
];

/// A way to use a kernel, and the layers that it is used for: of kinds other than binary.
pub type OfKinds = (fn(Shape) -> Layers, Case);

#[rustfmt::skip]
/// The cases of layers that are not all binary.
pub const OF_KINDS: &[OfKinds] = &[
    (mixed, Case { kernel: "finish_units", way: "to hidden units", prepare: |s| half_step(s, Side::Hidden, true, DRAWN), work: hidden_work }),
    (mixed, Case { kernel: "finish_units", way: "to hidden units, means", prepare: |s| half_step(s, Side::Hidden, false, MEANS), work: hidden_work }),
    (mixed, Case { kernel: "finish_units", way: "to hidden units, β = 0.4 from a base", prepare: |s| half_step(s, Side::Hidden, true, WARM), work: hidden_work }),
    (mixed, Case { kernel: "finish_units", way: "to visible units", prepare: |s| half_step(s, Side::Visible, true, DRAWN), work: visible_work }),
    (mixed, Case { kernel: "finish_units", way: "to visible units, β = 0.4 from a base", prepare: |s| half_step(s, Side::Visible, false, WARM), work: visible_work }),
    (mixed, Case { kernel: "gradient_of_potentials", way: "", prepare: |s| gradient(s, true, PLAIN), work: gradient_work }),
    (mixed, Case { kernel: "gradient_of_potentials", way: "centred, fewer chains", prepare: |s| gradient(s, true, Contrast { centred: 1, ..FEW }), work: gradient_work }),
    (mixed, Case { kernel: "ascend", way: "units of all kinds, momentum", prepare: |s| ascend(s, Ascent::MOMENTUM), work: ascend_work }),
    (mixed, Case { kernel: "ascend", way: "units of all kinds, Nesterov", prepare: |s| ascend(s, Ascent::NESTEROV), work: ascend_work }),
    (mixed, Case { kernel: "ascend", way: "units of all kinds, Adam", prepare: |s| ascend(s, Ascent::ADAM), work: ascend_work }),
    (mixed, Case { kernel: "update", way: "units of all kinds, centred", prepare: |s| update(s, true, true, 0.05, CENTRED), work: update_work }),
    (mixed, Case { kernel: "update", way: "units of all kinds, without momentum", prepare: |s| update(s, true, false, 0.0, FEW), work: update_work }),
    (potts_to_binary, Case { kernel: "sample_hidden", way: "of one-hot states", prepare: |s| half_step(s, Side::Hidden, true, DRAWN), work: hidden_work }),
    (potts_to_binary, Case { kernel: "sample_hidden", way: "of two one-hot minibatches", prepare: |s| twice(s, true), work: twice_work }),
    (potts_to_binary, Case { kernel: "finish_units", way: "to one-hot states", prepare: |s| half_step(s, Side::Visible, true, DRAWN), work: visible_work }),
    (potts_to_binary, Case { kernel: "gradient", way: "of one-hot states, centred and sparse", prepare: |s| gradient(s, true, Contrast { centred: 1, ..SPARSE }), work: gradient_work }),
    (potts_to_binary, Case { kernel: "update", way: "of one-hot states, fewer chains", prepare: |s| update(s, true, true, 0.05, FEW), work: update_work }),
    (potts_to_binary, Case { kernel: "update", way: "of one-hot states, centred", prepare: |s| update(s, true, false, 0.0, CENTRED), work: update_work }),
    (mixed, Case { kernel: "fix_gauge", way: "of both sides", prepare: fix_gauge, work: limit_norms_work }),
    (potts_to_real, Case { kernel: "fix_gauge", way: "of many states", prepare: fix_gauge, work: limit_norms_work }),
    (mixed, Case { kernel: "standardise", way: "units of all kinds", prepare: standardise, work: combine_work }),
    (mixed, Case { kernel: "track_variances", way: "units of all kinds", prepare: track_variances, work: track_work }),
    (mixed, Case { kernel: "combine", way: "units of all kinds", prepare: |s| combine(s, Combine::towards(0.3)), work: combine_work }),
    (mixed, Case { kernel: "cumulants", way: "", prepare: |s| free_energy(s, true, 1.0, false), work: energy_work }),
    (mixed, Case { kernel: "cumulants", way: "β = 0.4 from a base", prepare: |s| free_energy(s, true, 0.4, false), work: energy_work }),
    (mixed, Case { kernel: "cumulants", way: "less another", prepare: |s| free_energy(s, true, 1.0, true), work: energy_work }),
    (mixed, Case { kernel: "potentials", way: "energy", prepare: |s| energy(s, false), work: energy_work }),
    (mixed, Case { kernel: "potentials", way: "energy from a base", prepare: |s| energy(s, true), work: energy_work }),
    (mixed_to_binary, Case { kernel: "potentials", way: "free energy", prepare: |s| free_energy(s, true, 1.0, false), work: energy_work }),
    (mixed_to_binary, Case { kernel: "potentials", way: "free energy, β = 0.4 from a base", prepare: |s| free_energy(s, true, 0.4, false), work: energy_work }),
    (mixed_to_binary, Case { kernel: "potentials", way: "free energy less another", prepare: |s| free_energy(s, true, 1.0, true), work: energy_work }),
];

/// All cases, each with the layers that it is used for.
pub fn all() -> impl Iterator<Item = (fn(Shape) -> Layers, &'static Case)> {
    let binary = CASES.iter().map(|case| (Layers::from as fn(Shape) -> Layers, case));
    binary.chain(OF_KINDS.iter().map(|(layers, case)| (*layers, case)))
}

/// Blocks of each kind, followed by one of `rest`; of that alone where there are few columns.
fn blocks(columns: usize, rest: Kind) -> Layer {
    let units = columns / 8;
    let kinds =
        [Kind::Spin, Kind::Potts { states: 3 }, Kind::Gaussian, Kind::Relu, Kind::DoubleRelu, Kind::Binary];
    let of_kinds = kinds.map(|kind| Block { kind, units });
    Layer::new(of_kinds.into_iter().chain([Block { kind: rest, units: columns % 8 }]))
}

fn mixed(Shape { visible, hidden }: Shape) -> Layers {
    Layers { visible: blocks(visible, Kind::Gaussian), hidden: blocks(hidden, Kind::DoubleRelu) }
}

fn mixed_to_binary(shape: Shape) -> Layers {
    Layers { hidden: Layer::of(Kind::Binary, shape.hidden), ..mixed(shape) }
}

/// Potts units of 21 states, after units of another kind where columns are left over.
fn potts(columns: usize, rest: Kind) -> Layer {
    let sites = Block { kind: Kind::Potts { states: 21 }, units: columns / 21 };
    Layer::new([Block { kind: rest, units: columns % 21 }, sites])
}

fn potts_to_real(Shape { visible, hidden }: Shape) -> Layers {
    Layers { visible: potts(visible, Kind::Relu), hidden: Layer::of(Kind::DoubleRelu, hidden) }
}

fn potts_to_binary(Shape { visible, hidden }: Shape) -> Layers {
    Layers { visible: potts(visible, Kind::Binary), hidden: Layer::of(Kind::Binary, hidden) }
}

// Work. Products are 2 FLOP for each pair of units and case; each input and output is moved once.

fn sizes(Size { rows, shape }: Size) -> [f64; 3] {
    [rows, shape.visible, shape.hidden].map(|count| count as f64)
}

fn work(flops: f64, numbers: f64) -> Work {
    Work { flops, bytes: 4.0 * numbers }
}

/// Bits: an eighth of a byte each.
fn gather_work(size: Size) -> Work {
    gather_words(size, 32.0)
}

fn gather_bytes_work(size: Size) -> Work {
    gather_words(size, 4.0)
}

fn gather_floats_work(size: Size) -> Work {
    gather_words(size, 1.0)
}

fn gather_words(size: Size, values_a_word: f64) -> Work {
    let [rows, m, _] = sizes(size);
    work(0.0, rows * m + rows * (m / values_a_word).ceil())
}

fn hidden_work(size: Size) -> Work {
    let [rows, m, n] = sizes(size);
    work(2.0 * rows * m * n, m * n + rows * m + 2.0 * rows * n)
}

fn visible_work(size: Size) -> Work {
    let [rows, m, n] = sizes(size);
    work(2.0 * rows * m * n, m * n + rows * n + 2.0 * rows * m)
}

fn twice_work(size: Size) -> Work {
    let few = Size { rows: fewer(size.rows), ..size };
    let ([one, other], [_, m, n]) = ([hidden_work(size), hidden_work(few)], sizes(size));
    Work { flops: one.flops + other.flops, bytes: one.bytes + other.bytes - 4.0 * m * n }
}

fn gradient_work(size: Size) -> Work {
    let [rows, m, n] = sizes(size);
    work(4.0 * rows * m * n, m * n + 2.0 * rows * (m + n))
}

/// Without a velocity, only the weights are read and written.
fn update_work(size: Size) -> Work {
    let [rows, m, n] = sizes(size);
    work(4.0 * rows * m * n, 2.0 * m * n + 2.0 * rows * (m + n))
}

fn ascend_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(0.0, 6.0 * m * n)
}

fn recentre_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(4.0 * m * n, m * n)
}

fn penalise_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(4.0 * m * n, 4.0 * m * n)
}

fn clip_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(3.0 * m * n, 3.0 * m * n)
}

fn limit_norms_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(2.0 * m * n, 2.0 * m * n)
}

fn track_work(size: Size) -> Work {
    let [rows, _, n] = sizes(size);
    work(0.0, rows * n)
}

fn combine_work(size: Size) -> Work {
    let [_, m, n] = sizes(size);
    work(0.0, 3.0 * m * n)
}

fn squared_error_work(size: Size) -> Work {
    let [rows, m, _] = sizes(size);
    work(0.0, 2.0 * rows * m)
}

fn energy_work(size: Size) -> Work {
    let [rows, m, n] = sizes(size);
    work(2.0 * rows * m * n, m * n + rows * m)
}

fn swap_work(size: Size) -> Work {
    let [rows, _, n] = sizes(size);
    work(0.0, 2.0 * rows * n)
}

fn clamp_work(size: Size) -> Work {
    let [rows, m, _] = sizes(size);
    work(0.0, 3.0 * rows * m)
}

fn multiply_add_work(size: Size) -> Work {
    let [rows, m, _] = sizes(size);
    work(2.0 * MULTIPLY_ADDS as f64 * rows * m, 2.0 * rows * m)
}

fn copy_work(size: Size) -> Work {
    let [rows, m, _] = sizes(size);
    work(0.0, 2.0 * rows * m)
}

// Inputs and calls.

fn prepared(call: impl Fn(&mut dyn Backend) + 'static, outputs: impl Into<Vec<Output>>) -> Result<Prepared> {
    Ok(Prepared { call: Box::new(call), outputs: outputs.into() })
}

fn all_bytes(size: Size) -> Vec<u8> {
    (0..(size.rows + 5) * size.shape.visible).map(|i| (i * 89 % 256) as u8).collect()
}

fn bits(size: Size) -> Rows {
    Rows::from_bits(size.shape.visible, &all_bytes(size).iter().map(|byte| byte % 3 == 0).collect::<Vec<_>>())
}

fn spins(size: Size) -> Rows {
    let spins: Vec<f32> = all_bytes(size).iter().map(|byte| if byte % 3 == 0 { 1.0 } else { -1.0 }).collect();
    Rows::from_values(size.shape.visible, &spins)
}

fn bytes(size: Size) -> Rows {
    Rows::from_bytes(size.shape.visible, &all_bytes(size), 1.0 / 255.0)
}

fn floats(size: Size) -> Rows {
    let squares = all_bytes(size).into_iter().map(|byte| (f32::from(byte) / 255.0).powi(2));
    Rows::from_values(size.shape.visible, &squares.collect::<Vec<_>>())
}

fn gather(stage: &mut Stage, rows: fn(Size) -> Rows, drawn: bool) -> Result<Prepared> {
    let size = stage.size;
    let rows = rows(size);
    let data = stage.backend.data(rows.layout(), rows.len())?;
    stage.backend.write_data(data, &rows.words());
    let count = size.rows as u32;
    stage
        .backend
        .write_order(data, &(0..count + 2).map(|row| (row * 7 + 3) % (count + 5)).collect::<Vec<_>>());
    let states = stage.empty(Side::Visible)?;
    let op = Gather::new(rows.layout(), size.rows).from_row(2);
    let op = if drawn { op.drawn(Draw::of(stage.seed, Stream::Binarize, Side::Visible, 9)) } else { op };
    prepared(move |backend| backend.gather(&op, data, states), [Output::States(states)])
}

/// Tolerance of moments, which are squares of sums.
const OF_SQUARES: f32 = 3e-5;

/// Whether a half step draws, and its inverse temperature.
type Way = (bool, f32);
const DRAWN: Way = (true, 1.0);
const MEANS: Way = (false, 1.0);
const WARM: Way = (true, 0.4);

fn half_step(stage: &mut Stage, to: Side, of_states: bool, (drawn, beta): Way) -> Result<Prepared> {
    let from = if to == Side::Hidden { Side::Visible } else { Side::Hidden };
    let values = if of_states { stage.states(from, 0) } else { stage.grey(from, 0) };
    let (input, output) = (stage.units(from, &values)?, stage.empty(to)?);
    let model = stage.model(0.3, 0)?;
    let base = base(stage)?;
    let path = if beta == 1.0 { model.into() } else { Path { model, base: Some(base) } };
    let is_binary = stage.backend.layers().side(to).is_binary();
    let draw = Draw::of(stage.seed, Stream::Train, to, 5).sweep(2).chains_from(3);
    let draw = if drawn { draw } else { Draw::none() };
    let op = HalfStep::new(stage.size.rows, draw).at(beta);
    let rows = stage.size.rows;
    let outputs = match is_binary {
        true => vec![Output::Units(output, rows, draw, TOLERANCE)],
        false => vec![Output::Moments(output, rows, OF_SQUARES), Output::Drawn(output, rows, draw, OF_DRAWS)],
    };
    prepared(move |backend| backend.sample(&op, path, input, output), outputs)
}

/// A third of the rows, for a second minibatch.
fn fewer(rows: usize) -> usize {
    rows.div_ceil(3)
}

fn twice(stage: &mut Stage, both_states: bool) -> Result<Prepared> {
    let rows = [stage.size.rows, fewer(stage.size.rows)];
    let states = stage.states(Side::Visible, 0);
    let others = if both_states { stage.states(Side::Visible, 2) } else { stage.grey(Side::Visible, 2) };
    let inputs = [stage.units(Side::Visible, &states)?, stage.units(Side::Visible, &others)?];
    let outputs = [stage.empty(Side::Hidden)?, stage.empty(Side::Hidden)?];
    let model = stage.model(0.3, 0)?;
    let draws = [Draw::none(), Draw::of(stage.seed, Stream::Train, Side::Hidden, 5).sweep(2).chains_from(3)];
    let ops = [0, 1].map(|at| HalfStep::new(rows[at], draws[at]));
    prepared(
        move |backend| {
            let [one, other] = &ops;
            backend.sample_twice(model, [(one, inputs[0], outputs[0]), (other, inputs[1], outputs[1])]);
        },
        [0, 1].map(|at| Output::Units(outputs[at], rows[at], draws[at], TOLERANCE)),
    )
}

/// b0, from −3 to 3, and precisions of 1.
fn base(stage: &mut Stage) -> Result<crate::backend::Values> {
    let Layers { visible, hidden } = stage.backend.layers();
    let mut numbers = [visible.neutral(), hidden.neutral()].concat();
    let biases = numbers.iter_mut().take(stage.size.shape.visible).enumerate();
    biases.for_each(|(i, bias)| *bias = (i % 13) as f32 * 0.5 - 3.0);
    let values = stage.backend.values(numbers.len())?;
    stage.backend.write_values(values, &numbers);
    Ok(values)
}

/// 0 rows and 0 chains stand for those of the size.
const PLAIN: Contrast = Contrast { rows: 0, chains: 0, centred: 0, sparsity_target: 0.0, sparsity_cost: 0.0 };
const FEW: Contrast = Contrast { chains: 1, ..PLAIN };
const CENTRED: Contrast = Contrast { centred: 1, ..PLAIN };
const SPARSE: Contrast = Contrast { sparsity_target: 0.1, sparsity_cost: 0.3, ..PLAIN };

fn contrast(size: Size, contrast: Contrast) -> Contrast {
    let rows = size.rows as u32;
    Contrast { rows, chains: if contrast.chains == 0 { rows } else { rows.div_ceil(2) }, ..contrast }
}

/// Both phases and the offsets.
fn phases(stage: &mut Stage, of_states: bool) -> Result<(Pair, Pair, Option<Offsets>)> {
    let negative = if of_states { stage.states(Side::Visible, 3) } else { stage.grey(Side::Visible, 3) };
    let (v, h) = (stage.states(Side::Visible, 1), stage.grey(Side::Hidden, 2));
    let positive = stage.pair(&v, &h)?;
    let h = stage.grey(Side::Hidden, 4);
    let negative = stage.pair(&negative, &h)?;
    Ok((positive, negative, Some(offsets(stage)?)))
}

fn offsets(stage: &mut Stage) -> Result<Offsets> {
    let Shape { visible, hidden } = stage.size.shape;
    let (mu, lambda) = (stage.grey(Side::Visible, 5), stage.grey(Side::Hidden, 6));
    let offsets = Offsets { visible: stage.backend.values(visible)?, hidden: stage.backend.values(hidden)? };
    stage.backend.write_values(offsets.visible, &mu[..visible]);
    stage.backend.write_values(offsets.hidden, &lambda[..hidden]);
    Ok(offsets)
}

/// A model whose half steps leave moments, where units have precisions.
fn of_moments(stage: &mut Stage) -> Result<Option<Model>> {
    match stage.backend.layers().have_precisions() {
        true => stage.model(0.1, 7).map(Some),
        false => Ok(None),
    }
}

/// Gives hidden units the moments of a model: they can't be written.
fn take_moments(backend: &mut dyn Backend, model: Option<Model>, pairs: [Pair; 2], rows: u32) {
    for (model, Pair { visible, hidden }) in
        model.into_iter().flat_map(|model| pairs.map(|pair| (model, pair)))
    {
        backend.sample(&HalfStep::new(rows as usize, Draw::none()), model.into(), visible, hidden);
    }
}

fn gradient(stage: &mut Stage, of_states: bool, of: Contrast) -> Result<Prepared> {
    let (positive, negative, offsets) = phases(stage, of_states)?;
    let (op, gradient) = (contrast(stage.size, of), stage.model(0.1, 1)?);
    let of_moments = of_moments(stage)?;
    let output = match of_moments {
        None => Output::Model(gradient, TOLERANCE),
        Some(_) => Output::Near(gradient, OF_SQUARES),
    };
    prepared(
        move |backend| {
            take_moments(backend, of_moments, [positive, negative], op.rows);
            backend.gradient(&op, positive, negative, offsets, gradient);
        },
        [output],
    )
}

/// Two steps; the second depends on the first one's moments and step.
fn ascend(stage: &mut Stage, rule: u32) -> Result<Prepared> {
    let (gradient, model, squares) = (stage.step(0.1, 1)?, stage.model(0.3, 0)?, stage.backend.model()?);
    // Adam's moments start at 0.
    let velocity = if rule == Ascent::ADAM { stage.backend.model()? } else { stage.step(0.1, 2)? };
    let op = Ascent { rule, momentum: 0.7, weight_decay: 0.05, l1: 0.1, ..Ascent::new(0.02) };
    let ops = if rule == Ascent::ADAM { [op.adam(0), op.adam(1)] } else { [op; 2] };
    let all = [gradient, model, velocity, squares];
    prepared(
        move |backend| {
            for op in &ops {
                let squares = (op.rule == Ascent::ADAM).then_some(squares);
                backend.ascend(op, gradient, model, velocity, squares);
            }
        },
        all.map(|model| Output::Model(model, TOLERANCE)),
    )
}

/// Tolerance of a bias, which accumulates the errors of a whole row of weights.
fn of_a_row(size: Size) -> f32 {
    TOLERANCE * (size.shape.visible.max(size.shape.hidden) as f32 / 20.0).max(1.0)
}

fn recentre(stage: &mut Stage) -> Result<Prepared> {
    let (step, model, offsets) = (stage.model(0.1, 1)?, stage.model(0.3, 0)?, offsets(stage)?);
    prepared(
        move |backend| backend.recentre(step, offsets, model),
        [Output::Model(model, of_a_row(stage.size)), Output::Model(step, 0.0)],
    )
}

/// Two steps.
fn update(stage: &mut Stage, of_states: bool, keeps: bool, decay: f32, of: Contrast) -> Result<Prepared> {
    let (positive, negative, offsets) = phases(stage, of_states)?;
    let (model, velocity) = (stage.model(0.3, 0)?, stage.step(0.1, 1)?);
    let of_moments = of_moments(stage)?;
    let momentum = if keeps { 0.7 } else { 0.0 };
    let ascent = Ascent { momentum, weight_decay: decay, ..Ascent::new(0.3) };
    let op = Update::new(contrast(stage.size, of), ascent);
    let kept = keeps.then_some(velocity);
    let tolerance = if of.centred == 1 { of_a_row(stage.size) } else { TOLERANCE };
    prepared(
        move |backend| {
            take_moments(backend, of_moments, [positive, negative], op.rows);
            for _ in 0..2 {
                backend.update(&op, positive, negative, offsets, model, kept);
            }
        },
        [model, velocity].map(|model| match of_moments {
            None => Output::Model(model, tolerance),
            Some(_) => Output::Near(model, OF_SQUARES.max(tolerance)),
        }),
    )
}

fn standardise(stage: &mut Stage) -> Result<Prepared> {
    let gradient = stage.model(0.3, 0)?;
    let Offsets { visible, hidden } = offsets(stage)?;
    let op = Standardise { ridge: 0.3 };
    prepared(
        move |backend| backend.standardise(&op, Variances { visible, hidden }, gradient),
        [Output::Near(gradient, TOLERANCE)],
    )
}

/// Two steps, the second about other means.
fn track_variances(stage: &mut Stage) -> Result<Prepared> {
    let (_, Pair { visible, hidden }, _) = phases(stage, true)?;
    let of_moments = of_moments(stage)?;
    let count = stage.size.shape.hidden;
    let (means, variances) = (stage.grey(Side::Hidden, 2), stage.grey(Side::Hidden, 3));
    let (means, variances) = (stage.values(&means[..count])?, stage.values(&variances[..count])?);
    let op = Track { rows: stage.size.rows as u32, rate: 0.25 };
    prepared(
        move |backend| {
            take_moments(backend, of_moments, [Pair { visible, hidden }; 2], op.rows);
            backend.track_variances(&op, hidden, means, variances);
            backend.track(&op, hidden, means);
            backend.track_variances(&op, hidden, means, variances);
        },
        [Output::Values(variances, count, OF_SQUARES)],
    )
}

fn penalise(stage: &mut Stage) -> Result<Prepared> {
    let (model, gradient) = (stage.model(0.3, 0)?, stage.model(0.1, 1)?);
    let visible = stage.size.shape.visible;
    let scales: Vec<f32> = (0..visible).map(|i| 1.0 / ((1 + i % 21) as f32).sqrt()).collect();
    let scales = stage.values(&scales)?;
    // Sums over the visible units stay near 1, so that one tolerance is for all sizes.
    let op = Penalise { strength: 0.5 / visible as f32 };
    prepared(
        move |backend| backend.penalise(&op, scales, model, gradient),
        [Output::Model(gradient, TOLERANCE), Output::Model(model, 0.0)],
    )
}

fn clip(stage: &mut Stage, largest: f32) -> Result<Prepared> {
    let gradient = stage.model(0.3, 0)?;
    let op = Clip { largest };
    prepared(move |backend| backend.clip(&op, gradient), [Output::Model(gradient, TOLERANCE)])
}

fn limit_norms(stage: &mut Stage) -> Result<Prepared> {
    let model = stage.model(0.3, 0)?;
    let op = LimitNorms { largest: 0.3 * (stage.size.shape.visible as f32).sqrt() };
    prepared(move |backend| backend.limit_norms(&op, model), [Output::Model(model, TOLERANCE)])
}

fn fix_gauge(stage: &mut Stage) -> Result<Prepared> {
    let model = stage.model(0.3, 0)?;
    prepared(move |backend| backend.fix_gauge(model), [Output::Model(model, of_a_row(stage.size))])
}

fn track(stage: &mut Stage) -> Result<Prepared> {
    let (means, tracked) = (stage.grey(Side::Hidden, 1), stage.grey(Side::Hidden, 2));
    let (hidden, count) = (stage.units(Side::Hidden, &means)?, stage.size.shape.hidden);
    let tracked = stage.values(&tracked[..count])?;
    let op = Track { rows: stage.size.rows as u32, rate: 0.25 };
    prepared(move |backend| backend.track(&op, hidden, tracked), [Output::Values(tracked, count, TOLERANCE)])
}

fn combine(stage: &mut Stage, op: Combine) -> Result<Prepared> {
    let (other, model) = (stage.model(0.3, 1)?, stage.model(0.3, 0)?);
    prepared(
        move |backend| backend.combine(&op, other, model),
        [Output::Model(model, 1e-6), Output::Model(other, 0.0)],
    )
}

fn squared_error(stage: &mut Stage, of_states: bool) -> Result<Prepared> {
    let x = if of_states { stage.states(Side::Visible, 1) } else { stage.grey(Side::Visible, 1) };
    let p = stage.grey(Side::Visible, 2);
    let (x, p) = (stage.units(Side::Visible, &x)?, stage.units(Side::Visible, &p)?);
    let values = stage.values(&vec![1.5; stage.size.rows])?;
    let op = SquaredError { rows: stage.size.rows as u32 };
    prepared(
        move |backend| backend.squared_error(&op, x, p, values),
        [Output::Values(values, stage.size.rows, 2e-6)],
    )
}

fn free_energy(stage: &mut Stage, of_states: bool, beta: f32, less: bool) -> Result<Prepared> {
    let v = if of_states { stage.states(Side::Visible, 1) } else { stage.grey(Side::Visible, 1) };
    let (v, model, other) = (stage.units(Side::Visible, &v)?, stage.model(0.3, 0)?, stage.model(0.3, 2)?);
    let base = base(stage)?;
    let path = if beta == 1.0 { model.into() } else { Path { model, base: Some(base) } };
    let (rows, Shape { visible, hidden }) = (stage.size.rows, stage.size.shape);
    let values = stage.values(&vec![f32::INFINITY; rows])?;
    let op = FreeEnergy::new(rows).at(beta);
    // A difference inherits the errors of its operands, which grow with a case's terms.
    let tolerance = if less { 2e-6 * (visible + hidden) as f32 } else { 2e-6 };
    let tolerance =
        if stage.backend.layers().have_precisions() { tolerance.max(TOLERANCE) } else { tolerance };
    prepared(
        move |backend| {
            backend.free_energy(&op, path, v, values);
            if less {
                backend.free_energy(&op.less(), other.into(), v, values);
            }
        },
        [Output::Values(values, rows, tolerance)],
    )
}

fn energy(stage: &mut Stage, from_base: bool) -> Result<Prepared> {
    let (v, h) = (stage.states(Side::Visible, 1), stage.states(Side::Hidden, 3));
    let (pair, model, base) = (stage.pair(&v, &h)?, stage.model(0.3, 0)?, base(stage)?);
    let path = Path { model, base: from_base.then_some(base) };
    let rows = stage.size.rows;
    let values = stage.values(&vec![f32::INFINITY; rows])?;
    let op = Energy { rows: rows as u32 };
    prepared(
        move |backend| backend.energy(&op, path, pair, values),
        [Output::Values(values, rows, TOLERANCE)],
    )
}

/// Some swaps are certain and some are not; marks of every kind.
fn swap(stage: &mut Stage, layer: Side, coldest: u32, hottest: u32) -> Result<Prepared> {
    let rows = stage.size.rows;
    let number = |row: usize, seed: u64| {
        uniform_at(seed, Address::new(Stream::Synthetic, 0).sweep(3), row as u32, 0) * 12.0 - 6.0
    };
    let values = |seed: u64| -> Vec<f32> {
        let energies = (0..rows).map(|row| number(row, seed));
        energies.chain((0..rows).map(|row| f32::from(number(row, seed + 9) > 0.0))).collect()
    };
    let states = [stage.states(layer, 1), stage.states(layer, 2)];
    let [cold, hot] = [stage.units(layer, &states[0])?, stage.units(layer, &states[1])?];
    let [cold_values, hot_values] = [stage.values(&values(1))?, stage.values(&values(4))?];
    let [accepted, trips] = [stage.values(&vec![0.0; rows + 2])?, stage.values(&vec![0.0; rows])?];
    let op = Swap {
        draw: Draw::at(stage.seed, Address::new(Stream::Swap, 3).sweep(5)),
        rows: rows as u32,
        factor: 0.3,
        units: stage.size.shape.units(layer) as u32,
        counts_at: 2,
        coldest,
        hottest,
    };
    prepared(
        move |backend| backend.swap(&op, (cold, cold_values), (hot, hot_values), accepted, trips),
        [
            Output::States(cold),
            Output::States(hot),
            Output::Values(cold_values, 2 * rows, 0.0),
            Output::Values(hot_values, 2 * rows, 0.0),
            Output::Values(accepted, rows + 2, 0.0),
            Output::Values(trips, rows, 0.0),
        ],
    )
}

fn clamp_units(stage: &mut Stage, of_states: bool, per_row: bool) -> Result<Prepared> {
    let known = if of_states { stage.states(Side::Visible, 5) } else { stage.grey(Side::Visible, 5) };
    let states = stage.states(Side::Visible, 6);
    let (known, states) = (stage.units(Side::Visible, &known)?, stage.units(Side::Visible, &states)?);
    let Size { rows, shape } = stage.size;
    let count = if per_row { rows * shape.visible } else { shape.visible };
    let mask: Vec<f32> = (0..count).map(|i| (i * 7 % 3) as f32).collect();
    let mask = stage.values(&mask)?;
    let op = ClampUnits { per_row: u32::from(per_row), ..ClampUnits::new(rows, shape.visible) };
    prepared(move |backend| backend.clamp_units(&op, known, mask, states), [Output::States(states)])
}

fn clamp_where_zero(stage: &mut Stage) -> Result<Prepared> {
    let Size { rows, shape } = stage.size;
    let [known, states] = [5, 6].map(|seed| stage.states(Side::Visible, seed));
    let (known, states) = (stage.units(Side::Visible, &known)?, stage.units(Side::Visible, &states)?);
    let mask = stage.values(&(0..rows * shape.visible).map(|i| (i % 3) as f32).collect::<Vec<_>>())?;
    let op = ClampUnits::new(rows, shape.visible).per_row().where_zero();
    prepared(move |backend| backend.clamp_units(&op, known, mask, states), [Output::States(states)])
}

fn fill_missing(stage: &mut Stage) -> Result<Prepared> {
    let Size { rows, shape } = stage.size;
    let mut observed = stage.states(Side::Visible, 5);
    observed.iter_mut().step_by(3).for_each(|x| *x = f32::NAN);
    let (observed, states) = (stage.units(Side::Visible, &observed)?, stage.empty(Side::Visible)?);
    let fill: Vec<f32> = (0..shape.visible).map(|unit| unit as f32 / 8.0).collect();
    let (fill, count) = (stage.values(&fill)?, rows * shape.visible);
    let mask = stage.values(&vec![f32::INFINITY; count])?;
    let op = FillMissing { rows: rows as u32 };
    prepared(
        move |backend| backend.fill_missing(&op, observed, fill, mask, states),
        [Output::States(states), Output::Values(mask, count, 0.0)],
    )
}

/// One number per visible unit and case.
fn numbers(stage: &Stage) -> Vec<f32> {
    stage.grey(Side::Visible, 5).iter().map(|x| x * 20.0).collect()
}

fn multiply_add(stage: &mut Stage) -> Result<Prepared> {
    let numbers = numbers(stage);
    let (values, count) = (stage.values(&numbers)?, numbers.len());
    let op = MultiplyAdd { rows: count as u32 };
    // Each rounding may be fused or not.
    let tolerance = MULTIPLY_ADDS as f32 * 6e-8;
    prepared(move |backend| backend.multiply_add(&op, values), [Output::Values(values, count, tolerance)])
}

fn copy(stage: &mut Stage) -> Result<Prepared> {
    let numbers = numbers(stage);
    let (from, count) = (stage.values(&numbers)?, numbers.len());
    let to = stage.values(&vec![f32::INFINITY; count])?;
    let op = Copy { rows: count as u32 };
    prepared(move |backend| backend.copy(&op, from, to), [Output::Values(to, count, 0.0)])
}
