//! Shared by a gradient and a fused update: the difference between the phases' mean products v h, in parts, and between
//! their mean units.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{
    FEWEST, Units, in_turn,
    lookup::{self, Part, Term},
    matrix::{Matrix, product},
    packed::{self, Packed},
    share,
};
use crate::{
    backend::Contrast,
    host::{Phase, Phases},
    level::Level,
};

/// Both phases, with the factor of each phase's sums.
pub struct Difference<'a> {
    level: Level,
    /// Visible and hidden units.
    units: (usize, usize),
    pub phases: [(Phase<'a, Units>, f32); 2],
    /// p(h|v) of each phase; the positive phase includes the sparsity term.
    hidden: [Cow<'a, [f32]>; 2],
    /// The visible states as numbers, unless all are bits.
    states: Option<[Cow<'a, [f32]>; 2]>,
}

impl<'a> Difference<'a> {
    /// `factor` · (⟨·⟩ of the positive phase − ⟨·⟩ of the negative one).
    pub fn new(level: Level, op: &Contrast, phases: &Phases<'a, Units>, factor: f32) -> Self {
        let units = (phases.positive.visible.width, phases.positive.hidden.width);
        let lambda = phases.lambda;
        let phases = [(phases.positive, 1.0), (phases.negative, -1.0)]
            .map(|(phase, sign)| (phase, sign * factor / phase.rows as f32));
        let means = |phase: &Phase<'a, Units>| &phase.hidden.means[..phase.rows * units.1];
        let positive = match op.is_sparse() {
            true => Cow::Owned(drawn_to_target(op, means(&phases[0].0), lambda)),
            false => Cow::Borrowed(means(&phases[0].0)),
        };
        let binary =
            phases.iter().all(|(phase, _)| phase.rows >= FEWEST && phase.visible.are_binary(phase.rows));
        let states = (!binary).then(|| phases.map(|(phase, _)| phase.visible.states(phase.rows)));
        Self { level, units, phases, hidden: [positive, Cow::Borrowed(means(&phases[1].0))], states }
    }

    /// p(h|v) of each phase, with the sparsity term.
    pub fn hidden(&self) -> [&[f32]; 2] {
        [&self.hidden[0], &self.hidden[1]]
    }

    /// Differences of the mean visible and hidden units, and the result of `beside`, which runs in parallel with the
    /// latter. Prepares `packed` for [`Difference::associations`].
    pub fn means<T: Send>(
        &self,
        packed: &mut [Packed; 2],
        beside: impl FnOnce() -> T + Send,
    ) -> (Vec<f32>, Vec<f32>, T) {
        let Self { level, units: (m, n), phases, .. } = *self;
        let visible = || {
            if let Some([positive, negative]) = &self.states {
                return unit_gradient(level, [(&**positive, phases[0].1), (&**negative, phases[1].1)], m);
            }
            let mut gradient = vec![0.0; m];
            for (packed, (phase, scale)) in packed.iter_mut().zip(phases) {
                packed.pack_transposed(level, phase.visible, phase.rows, n);
                for (gradient, count) in gradient.iter_mut().zip(packed.counts()) {
                    *gradient += scale * count as f32;
                }
            }
            gradient
        };
        let hidden = || {
            let [positive, negative] = self.hidden();
            (unit_gradient(level, [(positive, phases[0].1), (negative, phases[1].1)], n), beside())
        };
        let small = lookup::is_small(m, phases[0].0.rows + phases[1].0.rows, n);
        let (visible, (hidden, beside)) =
            if small { in_turn(visible, hidden) } else { rayon::join(visible, hidden) };
        (visible, hidden, beside)
    }

    /// The difference of the mean products v h, visible × hidden units, not centred, passed to `take` in parts. Call
    /// [`Difference::means`] first.
    pub fn associations(&self, packed: &[Packed; 2], take: impl Fn(Part) + Sync) {
        let Self { level, units: (m, n), phases, .. } = *self;
        let hidden = self.hidden();
        let means = [0, 1].map(|phase| Matrix::new(hidden[phase], phases[phase].0.rows, n));
        let scales = phases.map(|(_, scale)| scale);
        let Some(states) = &self.states else {
            let terms =
                [0, 1].map(|phase| Term { left: &packed[phase], right: means[phase], scale: scales[phase] });
            return packed::sum(level, terms, take);
        };
        let share = share(m);
        (0..m.div_ceil(share)).into_par_iter().for_each_init(Vec::new, |sums, part| {
            let rows = part * share..m.min((part + 1) * share);
            sums.resize(rows.len() * n, 0.0);
            for (((states, means), scale), keep) in states.iter().zip(means).zip(scales).zip([0.0, 1.0]) {
                let units = Matrix {
                    values: &states[rows.start..],
                    stride: (1, m),
                    rows: rows.len(),
                    columns: means.rows,
                };
                product(level, sums, keep, scale, units, means);
            }
            take(Part { rows, columns: 0..n, sums, stride: n });
        });
    }
}

/// Σ over the phases of scale × the sum over rows, per unit of a layer. A phase is its rows × units, and its scale.
pub fn unit_gradient<const N: usize>(level: Level, phases: [(&[f32], f32); N], units: usize) -> Vec<f32> {
    let mut gradient = vec![0.0; units];
    level.run(
        #[inline(always)]
        || {
            for (values, scale) in phases {
                for row in values.chunks(units) {
                    for (sum, x) in gradient.iter_mut().zip(row) {
                        *sum += scale * x;
                    }
                }
            }
        },
    );
    gradient
}

/// The hidden means of the positive phase minus the sparsity term; see [`crate::backend::Backend::gradient`].
fn drawn_to_target(op: &Contrast, means: &[f32], lambda: &[f32]) -> Vec<f32> {
    let mut means = means.to_vec();
    let draws: Vec<f32> = lambda.iter().map(|&q| op.sparsity_cost * (q - op.sparsity_target)).collect();
    means
        .par_chunks_mut(draws.len())
        .for_each(|row| row.iter_mut().zip(&draws).for_each(|(x, draw)| *x -= draw));
    means
}
