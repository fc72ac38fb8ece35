//! Units of other kinds than binary: from inputs to means, moments and states, row by row.

use rayon::prelude::*;

use super::units::{Kind as Kept, Pack, Units};
use crate::{
    backend::{HalfStep, Track},
    host::{Phase, Uniforms},
    level::Level,
    rbm::{Rbm, Side},
    units::{Columns, Kind, Layer, PRECISIONS, Place, Planes},
};

/// Turns inputs, which are in the means, into means, moments and states. `parameters` are those of the layer at β, and the inputs
/// are multiplied by β here.
pub fn finish(
    level: Level,
    op: &HalfStep,
    layer: &Layer,
    parameters: &[f32],
    uniforms: Uniforms,
    units: &mut Units,
) {
    let (rows, width, extra, words) = (op.rows as usize, units.width, units.extra, units.words());
    let one_hot = |kind| matches!(kind, Kind::Binary | Kind::Potts { .. });
    let are_bits = uniforms.are_drawn() && layer.blocks().iter().all(|block| one_hot(block.kind));
    let kept = if are_bits { Kept::Binary } else { Kept::Real };
    units.kinds[..rows].fill(kept);
    let means = units.means.par_chunks_mut(width).zip(units.real.par_chunks_mut(width));
    // Without moments there is nothing to cut into rows.
    let mut none = vec![[]; rows];
    let moments: Vec<&mut [f32]> = match extra {
        0 => none.iter_mut().map(|none: &mut [f32; 0]| &mut none[..]).collect(),
        _ => units.moments.chunks_mut(extra).collect(),
    };
    let rows = means.zip(moments).zip(units.bits.par_chunks_mut(words)).enumerate();
    rows.take(op.rows as usize).for_each_init(
        || vec![0.0; width.next_multiple_of(4)],
        |numbers, (row, (((means, states), moments), bits))| {
            means.iter_mut().for_each(|input| *input *= op.beta);
            if uniforms.are_drawn() {
                level.run(
                    #[inline(always)]
                    || uniforms.fill(width, row, 0, numbers),
                );
            }
            for (kind, planes, columns) in blocks(layer, parameters) {
                let mut rest = &mut *moments;
                let moments = std::array::from_fn(|_| {
                    let end = width.min(rest.len());
                    let (plane, after) = std::mem::take(&mut rest).split_at_mut(end);
                    rest = after;
                    plane.get_mut(columns.clone()).unwrap_or_default()
                });
                kind.unit().finish(
                    level,
                    Columns {
                        per_unit: kind.columns(),
                        parameters: planes,
                        means: &mut means[columns.clone()],
                        moments,
                        states: &mut states[columns.clone()],
                        uniforms: uniforms.are_drawn().then_some(&numbers[columns]),
                    },
                );
            }
            if are_bits {
                level.dispatch(Pack { states, bits });
            }
        },
    );
}

/// What `of` makes of each block: its kind, its parameters and its columns.
fn blocks<'a>(
    layer: &'a Layer,
    parameters: &'a [f32],
) -> impl Iterator<Item = (Kind, Planes<'a>, std::ops::Range<usize>)> {
    let (width, mut first) = (layer.columns(), 0);
    layer.blocks().iter().map(move |block| {
        let columns = first..first + block.units * block.kind.columns();
        first = columns.end;
        let of_kind = block.kind.parameters();
        let planes = std::array::from_fn(|number| match number < of_kind {
            true => &parameters[number * width..][columns.clone()],
            false => &[][..],
        });
        (block.kind, planes, columns)
    })
}

/// Σ of the potentials of a layer's states.
pub fn sum_of_potentials(level: Level, layer: &Layer, parameters: &[f32], states: &[f32]) -> f64 {
    let blocks = blocks(layer, parameters);
    let of_block = |(kind, planes, columns): (Kind, Planes, std::ops::Range<usize>)| {
        kind.unit().sum_of_potentials(level, kind.columns(), planes, &states[columns])
    };
    blocks.map(of_block).sum()
}

/// Σ of the cumulants of a layer's units.
pub fn sum_of_cumulants(level: Level, layer: &Layer, parameters: &[f32], inputs: &[f32]) -> f64 {
    let blocks = blocks(layer, parameters);
    let of_block = |(kind, planes, columns): (Kind, Planes, std::ops::Range<usize>)| {
        kind.unit().sum_of_cumulants(level, kind.columns(), planes, &inputs[columns])
    };
    blocks.map(of_block).sum()
}

/// The gradient of the parameters after the biases: of the visible units by their states, of the hidden ones by their moments.
pub fn gradient(phases: [Phase<Units>; 2], gradient: &mut Rbm) {
    let layers = gradient.layers().clone();
    let shares = [1.0, -1.0];
    let (visible, hidden) = (layers.visible.columns(), layers.hidden.columns());
    if layers.visible.parameters() > visible {
        let out = gradient.potentials_mut(Side::Visible);
        out[visible..].fill(0.0);
        for (phase, sign) in phases.iter().zip(shares) {
            let (states, share) = (phase.visible.states(phase.rows), sign / phase.rows as f64);
            for Place { kind, column } in layers.visible.places().filter(|place| place.kind.parameters() > 1)
            {
                let mut sums = [0.0; 4];
                let mut statistics = vec![0.0; kind.parameters()];
                for state in states.iter().skip(column).step_by(visible) {
                    kind.unit().statistics(&[f64::from(*state)], &mut statistics);
                    sums.iter_mut().zip(&statistics).for_each(|(sum, statistic)| *sum += statistic);
                }
                for (number, sum) in sums.iter().enumerate().take(kind.parameters()).skip(1) {
                    out[number * visible + column] += (share * sum) as f32;
                }
            }
        }
    }
    let extra = layers.hidden.parameters() - hidden;
    if extra > 0 {
        let mut sums = vec![0.0; extra];
        for (phase, sign) in phases.iter().zip(shares) {
            let share = sign / phase.rows as f64;
            for moments in phase.hidden.moments.chunks(extra).take(phase.rows) {
                sums.iter_mut().zip(moments).for_each(|(sum, &moment)| *sum += share * f64::from(moment));
            }
        }
        let out = &mut gradient.potentials_mut(Side::Hidden)[hidden..];
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
    }
}

/// Running variances of hidden units, about their running means.
pub fn track_variances(op: &Track, layer: &Layer, hidden: &Units, means: &[f32], variances: &mut [f32]) {
    let (rows, width, extra) = (op.rows as usize, hidden.width, hidden.extra);
    for Place { kind, column: first } in layer.places() {
        for column in first..first + kind.columns() {
            let offset = f64::from(means[column]);
            let mut sum = 0.0;
            for row in 0..rows {
                let mean = f64::from(hidden.means[row * width + column]);
                let moment =
                    |number: usize| f64::from(hidden.moments[row * extra + (number - 1) * width + column]);
                sum += kind.mean_square(mean, moment) - (2.0 * mean - offset) * offset;
            }
            let seen = (sum / rows as f64).max(0.0) as f32;
            variances[column] += op.rate * (seen - variances[column]);
        }
    }
}

/// Keeps precisions above 0 after a step, which may at most halve or double them: `before` are those of the model before it.
/// Corrects the step, too.
pub fn limit_precisions(before: &Rbm, step: &mut Rbm, rbm: &mut Rbm) {
    for side in [Side::Visible, Side::Hidden] {
        let columns = rbm.shape().units(side);
        let precisions = PRECISIONS.start * columns..PRECISIONS.end * columns;
        let end = precisions.end.min(before.potentials(side).len());
        for at in precisions.start..end.max(precisions.start) {
            let precision = before.potentials(side)[at];
            let taken = step.potentials(side)[at];
            // NaN has no bounds; it stays, and is found.
            let taken = if precision.is_nan() { taken } else { taken.clamp(-precision / 2.0, precision) };
            step.potentials_mut(side)[at] = taken;
            rbm.potentials_mut(side)[at] = precision + taken;
        }
    }
}
