//! Whether a model of unbounded units on both sides has a normalisation: whether ∫ e^(−E) is finite.
//!
//! Far out, E is ½|v|² + ½|h|² − vᵀWh, with |v|² = Σ_i γ_i v_i² and |h|² = Σ_j γ_j h_j²: γ the precision of a unit, on the side of 0
//! where its state is, and states of rectified units at least 0. That is above 0 in every direction if, and only if,
//!
//! ```text
//! ratio = max_(v,h) (vᵀWh)² / |v|²|h|² < 1
//! ```
//!
//! For Gaussian units alone the ratio is the square of the largest singular value of Γ_v^(−½) W Γ_h^(−½), and the condition is that
//! the precision matrix [Γ_v −W; −Wᵀ Γ_h] is positive definite. With rectified units the matrix must be strictly copositive, which
//! no fast method decides (Murty and Kabadi 1987, "Some NP-complete problems in quadratic and nonlinear programming"). So there are
//! a bound, without regard for signs, and a search for a direction. Units with numbered states only tilt E, and never matter.

use rayon::prelude::*;

use crate::{
    error::{Result, usage},
    rbm::{Rbm, Side},
    units::{Domain, Layer},
};

/// What a model without a normalisation needs.
pub(super) const SMALLER: &str = "smaller weights or larger precisions would have one";
/// The most rounds of a climb.
const ROUNDS: usize = 200;
/// A climb ends when a round gains less than this share.
const GAIN: f64 = 1e-9;
/// Hidden units with whose direction a climb starts, at most.
const STARTS: usize = 4;

/// How near unbounded units are to having no normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// The largest ratio that was found: with 1 or more there is no normalisation.
    pub ratio: f64,
    /// Bound of the ratio: below 1 there is a normalisation. That of Gaussian units alone is the ratio itself.
    pub bound: f64,
    /// The unit with the largest share in the direction: its side, and its column.
    pub unit: (Side, usize),
    /// The unit's share of |v|² or |h|², from 0 to 1.
    pub share: f64,
    /// Σ_i W_ij²/γ_iγ_j of the unit, over the unbounded units of the other side, at their smaller precisions: the ratio of the unit
    /// alone if states below 0 are allowed.
    pub own: f64,
}

impl Normalisation {
    /// Whether a direction was found in which E falls without end.
    pub fn is_missing(&self) -> bool {
        self.ratio >= 1.0
    }

    /// What is wrong, if there is no normalisation.
    pub fn problem(&self) -> Option<String> {
        let &Self { ratio, unit: (side, column), share, own, .. } = self;
        let side = if side == Side::Visible { "visible" } else { "hidden" };
        self.is_missing().then(|| {
            format!(
                "the model has no normalisation: its weights are too large for its precisions, (vᵀWh)²/|v|²|h|² reaches \
                 {ratio:.3}, expected below 1; {side} unit {column} has {:.0} % of the direction, and Σ W²/γγ of it is {own:.3}",
                100.0 * share
            )
        })
    }
}

/// Checks that a search found no direction in which E falls without end, before log Z is estimated.
///
/// # Errors
/// [`crate::Error::Usage`] where it found one, with the unit and the ratio.
pub fn check_normalisation(rbm: &Rbm) -> Result<()> {
    match normalisation(rbm).and_then(|found| found.problem()) {
        Some(problem) => usage!("{problem}; {SMALLER}"),
        None => Ok(()),
    }
}

/// The unbounded units of a side: their columns, and the precisions of their states above and below 0. The latter of a rectified unit
/// is infinite.
struct Unbounded {
    columns: Vec<usize>,
    precisions: Vec<[f64; 2]>,
}

impl Unbounded {
    fn of(layer: &Layer, potentials: &[f32]) -> Self {
        let precision =
            |number: usize, column: usize| f64::from(potentials[number * layer.columns() + column]);
        let all = layer.places().filter_map(|place| {
            let column = place.column;
            let mut precisions = place.kind.precisions().map(|number| precision(number, column));
            let positive = precisions.next()?;
            let negative = match place.kind.domain() {
                Domain::NotNegative => f64::INFINITY,
                _ => precisions.next().unwrap_or(positive),
            };
            let precisions = [positive, negative];
            Some((column, precisions))
        });
        let (columns, precisions) = all.unzip();
        Self { columns, precisions }
    }

    /// The units if states of either sign had the smaller precision.
    fn relaxed(&self) -> Self {
        let precisions = self.precisions.iter().map(|[above, below]| [above.min(*below); 2]).collect();
        Self { columns: self.columns.clone(), precisions }
    }

    /// The states of length 1 that have the largest product with inputs x, and that product: s_i ∝ x_i/γ_i.
    fn respond(&self, inputs: &[f64], states: &mut [f64]) -> f64 {
        let mut squares = 0.0;
        for ((state, &x), precisions) in states.iter_mut().zip(inputs).zip(&self.precisions) {
            *state = x / precisions[usize::from(x < 0.0)];
            squares += x * *state;
        }
        let length = squares.sqrt();
        if length > 0.0 {
            states.iter_mut().for_each(|state| *state /= length);
        }
        length
    }
}

/// A matrix of the weights between unbounded units, and its transpose.
struct Weights([Vec<f64>; 2]);

impl Weights {
    fn of(rbm: &Rbm, visible: &Unbounded, hidden: &Unbounded) -> Self {
        let width = rbm.shape().hidden;
        let at = |i: usize, j: usize| f64::from(rbm.weights()[i * width + j]);
        let rows = visible.columns.iter().flat_map(|&i| hidden.columns.iter().map(move |&j| (i, j)));
        let columns = hidden.columns.iter().flat_map(|&j| visible.columns.iter().map(move |&i| (i, j)));
        Self([rows.map(|(i, j)| at(i, j)).collect(), columns.map(|(i, j)| at(i, j)).collect()])
    }

    /// Inputs of the visible units, Wh, or of the hidden units, Wᵀv.
    fn inputs(&self, to: Side, states: &[f64], inputs: &mut [f64]) {
        let rows = self.0[to.number() as usize].par_chunks(states.len());
        inputs.par_iter_mut().zip(rows).with_min_len(64).for_each(|(input, row)| {
            *input = row.iter().zip(states).map(|(w, s)| w * s).sum();
        });
    }
}

/// A direction, and its ratio.
struct Direction {
    ratio: f64,
    v: Vec<f64>,
    h: Vec<f64>,
}

/// Goes uphill from some states of the hidden units: each side in turn takes the states that are best given the other side's. Without
/// signs this is the power iteration.
fn climb(weights: &Weights, visible: &Unbounded, hidden: &Unbounded, start: &[f64]) -> Direction {
    let (mut v, mut h) = (vec![0.0; visible.columns.len()], vec![0.0; start.len()]);
    let (mut to_visible, mut to_hidden) = (v.clone(), h.clone());
    // States are the best given inputs, so a start must be some.
    hidden.respond(start, &mut h);
    let mut ratio = 0.0;
    for _ in 0..ROUNDS {
        weights.inputs(Side::Visible, &h, &mut to_visible);
        visible.respond(&to_visible, &mut v);
        weights.inputs(Side::Hidden, &v, &mut to_hidden);
        let reached = hidden.respond(&to_hidden, &mut h).powi(2);
        let gain = reached - ratio;
        ratio = reached;
        if gain.is_nan() || gain <= GAIN * ratio {
            break;
        }
    }
    Direction { ratio, v, h }
}

/// How near the unbounded units of a model are to having no normalisation; `None` if one side has none. Parameters must be finite.
pub fn normalisation(rbm: &Rbm) -> Option<Normalisation> {
    let of = |side| Unbounded::of(rbm.layers().side(side), rbm.potentials(side));
    let (visible, hidden) = (of(Side::Visible), of(Side::Hidden));
    let count = hidden.columns.len();
    if visible.columns.is_empty() || count == 0 {
        return None;
    }
    let weights = Weights::of(rbm, &visible, &hidden);
    let (all_visible, all_hidden) = (visible.relaxed(), hidden.relaxed());
    // Σ W²/γγ of each unit.
    let own = |of: Side| -> Vec<f64> {
        let (units, others) = match of {
            Side::Visible => (&all_visible, &all_hidden),
            Side::Hidden => (&all_hidden, &all_visible),
        };
        let rows = weights.0[of.number() as usize].chunks(others.columns.len());
        let sum =
            |row: &[f64]| -> f64 { row.iter().zip(&others.precisions).map(|(w, [g, _])| w * w / g).sum() };
        rows.zip(&units.precisions).map(|(row, [g, _])| sum(row) / g).collect()
    };
    let owns = [own(Side::Visible), own(Side::Hidden)];
    // Some direction that is orthogonal to none by accident.
    let start: Vec<f64> =
        owns[1].iter().zip(1..).map(|(own, at)| own * (1.0 + 0.5 * f64::from(at).sin())).collect();
    let relaxed = climb(&weights, &all_visible, &all_hidden, &start);
    let bound = relaxed.ratio;
    let is_exact = [&visible, &hidden].iter().all(|units| units.precisions.iter().all(|[a, b]| a == b));
    let best = if is_exact {
        relaxed
    } else {
        let mut largest: Vec<usize> = (0..count).collect();
        largest.sort_by(|&a, &b| owns[1][b].total_cmp(&owns[1][a]));
        let one = |at: usize, value: f64| {
            let mut start = vec![0.0; count];
            start[at] = value;
            start
        };
        let ones = largest.iter().take(STARTS).flat_map(|&at| [one(at, 1.0), one(at, -1.0)]);
        let whole = [relaxed.h.clone(), relaxed.h.iter().map(|h| -h).collect(), vec![1.0; count]];
        let found = whole.into_iter().chain(ones).map(|start| climb(&weights, &visible, &hidden, &start));
        found.max_by(|a, b| a.ratio.total_cmp(&b.ratio)).unwrap_or(relaxed)
    };
    let shares = |side: Side, units: &Unbounded, states: &[f64]| {
        let share = |(at, (s, precisions)): (usize, (&f64, &[f64; 2]))| {
            // A rectified unit at 0 has no share, whatever its precision below.
            let share = if *s == 0.0 { 0.0 } else { s * s * precisions[usize::from(*s < 0.0)] };
            (share, side, at)
        };
        states.iter().zip(&units.precisions).enumerate().map(share).collect::<Vec<_>>()
    };
    // Of equal shares the hidden unit's is told: it is the last.
    let all = [shares(Side::Visible, &visible, &best.v), shares(Side::Hidden, &hidden, &best.h)].concat();
    let (share, side, at) = all.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let units = if side == Side::Visible { &visible } else { &hidden };
    Some(Normalisation {
        ratio: best.ratio,
        bound,
        unit: (side, units.columns[at]),
        share,
        own: owns[side.number() as usize][at],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exact, rbm::Layers, reference};

    fn layers(visible: &str, hidden: &str) -> Layers {
        Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() }
    }

    fn of(visible: &str, hidden: &str, tensors: [&[f32]; 3]) -> Rbm {
        Rbm::from_tensors(layers(visible, hidden), tensors.map(<[f32]>::to_vec))
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found}, expected {expected}");
    }

    #[test]
    fn without_unbounded_units_on_both_sides_there_is_nothing_to_ask() {
        for (visible, hidden) in
            [("2 binary", "2 gaussian"), ("1 relu", "3 spin, 1 potts:3"), ("2 binary", "2 binary")]
        {
            let layers = layers(visible, hidden);
            assert_eq!(normalisation(&Rbm::zeros(layers)), None, "{visible} × {hidden}");
        }
    }

    /// The larger eigenvalue of AᵀA of 2×2 matrices, by the quadratic formula; units with numbered states change nothing.
    #[test]
    fn of_gaussian_units_it_is_the_largest_singular_value() {
        for w in
            [[0.5_f32, 0.1, -0.3, 0.4], [1.0, 0.0, 0.0, 1.0], [0.3, 0.3, 0.3, 0.3], [2.0, -1.0, 0.5, 1.5]]
        {
            let (of_visible, of_hidden) = ([1.5_f32, 0.7], [2.0_f32, 1.1]);
            let a = |i: usize, j: usize| {
                f64::from(w[2 * i + j]) / (f64::from(of_visible[i]) * f64::from(of_hidden[j])).sqrt()
            };
            let of = |p: [f64; 2], q: [f64; 2]| p[0] * q[0] + p[1] * q[1];
            let columns = [0, 1].map(|j| [a(0, j), a(1, j)]);
            let (x, y, z) =
                (of(columns[0], columns[0]), of(columns[0], columns[1]), of(columns[1], columns[1]));
            let expected = (x + z) / 2.0 + ((x - z).powi(2) / 4.0 + y * y).sqrt();
            let weights = [w[0], 9.0, w[1], -9.0, w[2], 9.0, w[3], 9.0];
            let rbm = super::tests::of(
                "2 gaussian",
                "1 gaussian, 1 binary, 1 gaussian, 1 spin",
                [
                    &[
                        weights[0], weights[1], weights[2], weights[3], weights[4], weights[5], weights[6],
                        weights[7],
                    ],
                    &[5.0, -3.0, of_visible[0], of_visible[1]],
                    &[1.0, 1.0, 1.0, 1.0, of_hidden[0], 0.0, of_hidden[1], 0.0],
                ],
            );
            let found = normalisation(&rbm).unwrap();
            close(found.ratio, expected);
            assert_eq!(found.bound, found.ratio);
        }
    }

    /// The Cholesky decomposition of the precision matrix fails where the ratio passes 1.
    #[test]
    fn log_z_of_gaussian_units_ends_where_the_ratio_is_1() {
        let rbm = crate::check::random_model(&layers("5 gaussian", "4 gaussian"), 0.3, 11, |x| 0.8 + x.abs());
        let ratio = normalisation(&rbm).unwrap().ratio;
        for (factor, exists) in [(0.999, true), (1.001, false)] {
            let mut scaled = rbm.clone();
            let by = factor / ratio.sqrt();
            scaled.weights_mut().iter_mut().for_each(|w| *w = (f64::from(*w) * by) as f32);
            let found = normalisation(&scaled).unwrap();
            close(found.ratio, factor * factor);
            assert_eq!(found.problem().is_none(), exists);
            let log_z = exact::log_partition_function(&scaled);
            assert_eq!(log_z.is_ok(), exists, "{log_z:?}");
            if let Err(error) = log_z {
                assert!(error.to_string().contains(&found.problem().unwrap()), "{error}");
            }
        }
    }

    /// ∫ e^(−F(v)) of one visible unit from −range to range, or from 0.
    fn integral(rbm: &Rbm, range: f64) -> f64 {
        let steps = 20_000;
        let width = 2.0 * range / f64::from(steps);
        let middles = (0..steps).map(|at| (f64::from(at) + 0.5) * width - range);
        let is_rectified = rbm.layers().visible.blocks()[0].kind.domain() == Domain::NotNegative;
        let inside = middles.filter(|v| !is_rectified || *v > 0.0);
        inside.map(|v| reference::log_marginal(rbm, Side::Visible, &[v as f32]).exp() * width).sum()
    }

    /// For one visible unit the integral is finite below 1, and grows without end above. The last column is the ratio, by hand.
    #[test]
    fn integrals_are_finite_below_1() {
        #[rustfmt::skip]
        let cases: [(&str, &str, [&[f32]; 3], f64); 9] = [
            ("1 gaussian", "1 relu", [&[0.9], &[0.2, 1.0], &[-0.3, 1.0]], 0.81),
            ("1 gaussian", "1 relu", [&[-1.2], &[0.2, 1.0], &[-0.3, 1.0]], 1.44),
            // Below 0 there is nothing.
            ("1 relu", "1 relu", [&[0.9], &[0.0, 2.0], &[0.1, 0.5]], 0.81),
            ("1 relu", "1 relu", [&[1.1], &[0.0, 2.0], &[0.1, 0.5]], 1.21),
            ("1 relu", "1 relu", [&[-7.0], &[0.0, 2.0], &[0.1, 0.5]], 0.0),
            // The wider side counts.
            ("1 gaussian", "1 drelu", [&[0.9], &[0.0, 1.0], &[0.1, 3.0, 1.0, 0.2]], 0.81),
            ("1 gaussian", "1 drelu", [&[1.1], &[0.0, 1.0], &[0.1, 3.0, 1.0, 0.2]], 1.21),
            ("1 relu", "1 drelu", [&[1.1], &[0.0, 1.0], &[0.1, 3.0, 1.0, 0.2]], 1.21 / 3.0),
            ("1 relu", "1 drelu", [&[-1.1], &[0.0, 1.0], &[0.1, 3.0, 1.0, 0.2]], 1.21),
        ];
        for (visible, hidden, tensors, expected) in cases {
            let rbm = of(visible, hidden, tensors);
            let found = normalisation(&rbm).unwrap();
            close(found.ratio, expected);
            assert!(found.bound >= found.ratio - 1e-12, "{found:?}");
            close(found.share, if expected == 0.0 { 0.0 } else { 1.0 });
            let [near, far] = [25.0, 50.0].map(|range| integral(&rbm, range));
            let grows = far > 1.01 * near;
            assert_eq!(grows, found.is_missing(), "{visible} × {hidden}: {near}, {far}");
        }
    }

    /// Two rectified units with one sign each are bounded by each alone; with one sign they add up. Against a grid of directions.
    #[test]
    fn directions_are_found_among_rectified_units() {
        let kinds =
            [("2 relu", "2 relu"), ("2 gaussian", "2 relu"), ("2 relu", "2 drelu"), ("2 drelu", "2 drelu")];
        for (seed, (visible, hidden)) in (0..12).flat_map(|seed| kinds.map(|kinds| (seed, kinds))) {
            let rbm = crate::check::random_model(&layers(visible, hidden), 0.8, seed, |x| 0.5 + x.abs());
            let found = normalisation(&rbm).unwrap();
            let of = |side| Unbounded::of(rbm.layers().side(side), rbm.potentials(side));
            let (v, h) = (of(Side::Visible), of(Side::Hidden));
            let weights = Weights::of(&rbm, &v, &h);
            let mut best = 0.0_f64;
            for at in 0..3600 {
                let angle = f64::from(at) * std::f64::consts::PI / 1800.0;
                let state = [angle.cos(), angle.sin()];
                let length: f64 =
                    (0..2).map(|j| h.precisions[j][usize::from(state[j] < 0.0)] * state[j] * state[j]).sum();
                if !length.is_finite() {
                    continue;
                }
                let (mut inputs, mut response) = ([0.0; 2], [0.0; 2]);
                weights.inputs(Side::Visible, &state, &mut inputs);
                best = best.max(v.respond(&inputs, &mut response).powi(2) / length);
            }
            assert!(
                (found.ratio - best).abs() < 1e-4 * best.max(1.0),
                "{visible} × {hidden}: {found:?}, {best}"
            );
            assert!(found.bound >= found.ratio - 1e-9, "{found:?}");
        }
    }
}
