//! What a model's parameters show by themselves.

use serde::Serialize;

use super::activity::deviations;
use crate::{
    data::spread_out,
    finding::Finding,
    rbm::{Rbm, Shape, Side},
    units::{Kind, Marginals, Moments, Place},
};

/// The most hidden units to compare with one another, and the most weights of each.
const COMPARED_UNITS: usize = 400;
const COMPARED_WEIGHTS: usize = 128;
/// Two units are duplicates if the angle between their weights has a larger cosine.
const SAME: f64 = 0.99;
/// The largest healthy sum of a hidden unit's weights: good models of a few patterns get to 10.
const LARGEST_INPUT: f64 = 30.0;
/// The largest healthy sum of a visible unit's weights. Columns that all go together have large weights to few hidden units, and
/// these add up; but no more than this.
const LARGEST_BACK: f64 = 8.0;
/// The largest healthy factor between a precision and 1/variance of the data.
const MOST_PRECISE: f64 = 50.0;
/// The largest healthy ratio of a Potts unit's mean weights to the rest. That of independent weights is 1/√(q−1).
const MOST_DRIFT: f64 = 2.0;

/// The spread of a group of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// The largest absolute value.
    pub largest: f64,
}

impl Spread {
    /// The spread of these values.
    pub fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let squares = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
        let largest = values.iter().map(|x| x.abs()).fold(0.0, f32::max);
        Self { mean, deviation: (squares / count).sqrt(), largest: largest.into() }
    }
}

/// The figures of a model's parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelFigures {
    /// Numbers of visible and hidden units.
    pub units: (usize, usize),
    /// The first NaN or infinity: tensor, index, value as text.
    pub non_finite: Option<(&'static str, usize, String)>,
    /// W.
    pub weights: Spread,
    /// W_ij in the deviations of its units, √γ⁻¹, if they are not all binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled_weights: Option<Spread>,
    /// Whether equal visible biases are what the data call for: all their columns have one mean and one variance.
    #[serde(skip)]
    pub has_equal_columns: bool,
    /// b.
    pub visible_bias: Spread,
    /// c.
    pub hidden_bias: Spread,
    /// Hidden units that were compared.
    pub compared: usize,
    /// Compared units whose weights almost equal those of an earlier one.
    pub duplicates: usize,
    /// Two units with almost equal weights.
    pub equal_units: Option<(usize, usize)>,
    /// The Gaussian visible unit whose precision is farthest from 1/variance of its column in the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// How far the weights of Potts units are from the zero-sum gauge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gauge: Option<Gauge>,
}

/// The precision of a Gaussian visible unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Precision {
    /// Number of the unit.
    pub unit: usize,
    /// γ.
    pub precision: f64,
    /// The variance of its column in the data.
    pub variance: f64,
    /// Units whose precision is more than 50 times above or below 1/variance.
    pub wrong: usize,
}

impl Precision {
    fn ratio(&self) -> f64 {
        self.precision * self.variance
    }

    /// The unit that is farthest off.
    fn measure(rbm: &Rbm, marginals: &Marginals) -> Option<Self> {
        let columns = rbm.shape().visible;
        let gaussian =
            rbm.layers().visible.places().enumerate().filter(|(_, place)| place.kind == Kind::Gaussian);
        let all: Vec<Self> = gaussian
            .map(|(unit, Place { column, .. })| Self {
                unit,
                precision: rbm.potentials(Side::Visible)[columns + column].into(),
                variance: marginals.variances[column].max(Moments::SMALLEST_VARIANCE),
                wrong: 0,
            })
            .collect();
        let off = |of: &Self| of.ratio().ln().abs();
        let wrong = all.iter().filter(|of| off(of) > MOST_PRECISE.ln()).count();
        let worst = all.into_iter().max_by(|a, b| off(a).total_cmp(&off(b)))?;
        Some(Self { wrong, ..worst })
    }

    fn finding(&self) -> Option<Finding> {
        (self.wrong > 0).then(|| {
            let Self { unit, precision, variance, wrong } = *self;
            let (verb, factor) = match self.ratio() > 1.0 {
                true => ("collapsed", self.ratio()),
                false => ("exploded", 1.0 / self.ratio()),
            };
            Finding::warning(
                "variance-wrong",
                format!(
                    "the variance of visible unit {unit} has {verb}: 1/γ is {:.3e}, that of its column in the data {variance:.3e}, \
                     {factor:.0} times {}; such units: {wrong}",
                    1.0 / precision,
                    if self.ratio() > 1.0 { "more" } else { "less" }
                ),
                "1/γ is the variance that hidden units leave: far below that of the data, a few cases are learnt by heart or the \
                 column hardly varies; far above it, samples are noise",
                "a lower ‹lr›, more cases, columns that vary, ‹standardize=on›; in your own code: begin with γ = 1/variance, and let \
                 one step change it by a factor of 2 at most",
            )
        })
    }
}

/// How far the weights of Potts units are from the zero-sum gauge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gauge {
    /// The layer.
    pub side: &'static str,
    /// Root mean square of the means over the states of a unit.
    pub mean: f64,
    /// Root mean square of the weights less those means.
    pub rest: f64,
    /// The unit with the largest means.
    pub worst: usize,
}

impl Gauge {
    /// The layer that is farther off, if there are enough weights to tell.
    fn measure(rbm: &Rbm) -> Option<Self> {
        let Shape { visible, hidden } = rbm.shape();
        let of_side = |side: Side, name: &'static str, others: usize| {
            let weight = |column: usize, other: usize| {
                let at =
                    if side == Side::Visible { column * hidden + other } else { other * hidden + column };
                f64::from(rbm.weights()[at])
            };
            let (mut means, mut rest, mut count, mut sums) = (0.0, 0.0, 0, 0);
            let mut worst = (0, 0.0);
            let units = rbm.layers().side(side).places().enumerate();
            for (unit, Place { kind, column }) in
                units.filter(|(_, place)| matches!(place.kind, Kind::Potts { .. }))
            {
                let states = column..column + kind.columns();
                let mut own = 0.0;
                for other in 0..others {
                    let mean =
                        states.clone().map(|column| weight(column, other)).sum::<f64>() / states.len() as f64;
                    own += mean * mean;
                    rest += states.clone().map(|column| (weight(column, other) - mean).powi(2)).sum::<f64>();
                }
                if own > worst.1 {
                    worst = (unit, own);
                }
                means += own;
                count += states.len() * others;
                sums += others;
            }
            let root = |sum: f64, count: usize| (sum / count as f64).sqrt();
            (sums >= 8).then(|| Self {
                side: name,
                mean: root(means, sums),
                rest: root(rest, count),
                worst: worst.0,
            })
        };
        let sides = [of_side(Side::Visible, "visible", hidden), of_side(Side::Hidden, "hidden", visible)];
        sides.into_iter().flatten().max_by(|a, b| (a.mean * b.rest).total_cmp(&(b.mean * a.rest)))
    }

    fn finding(&self) -> Option<Finding> {
        let Self { side, mean, rest, worst } = *self;
        (mean > MOST_DRIFT * rest && mean > 1e-6).then(|| {
            Finding::warning(
                "gauge-drifts",
                format!(
                    "the mean over the states of a {side} Potts unit of its weights is {mean:.3e} (root mean square), {:.1} times what \
                     differs between states, {rest:.3e}; most of all for unit {worst}",
                    mean / rest
                ),
                "a number that is added to the weights of all states of a unit changes no probability, if a bias of the other layer \
                 is less by it; but it grows unseen, and then rounding, decay and limits of norms act on it (Tubiana, Cocco and \
                 Monasson 2019)",
                "‹init› of rbm-gpu train puts a model into the zero-sum gauge, and keeps it there; in your own code, after each step: \
                 W_aj ← W_aj − mean_a W_aj, and c_j ← c_j + mean_a W_aj",
            )
        })
    }
}

impl ModelFigures {
    /// Measures a model; `marginals` are those of the data, if known.
    pub fn measure(rbm: &Rbm, marginals: Option<&Marginals>) -> Self {
        let (compared, duplicates, equal_units) = duplicates(rbm);
        Self {
            units: (rbm.layers().visible.units(), rbm.layers().hidden.units()),
            non_finite: rbm.non_finite().map(|(tensor, index, value)| (tensor, index, value.to_string())),
            weights: Spread::of(rbm.weights()),
            scaled_weights: (!rbm.layers().are_binary()).then(|| scaled(rbm)),
            has_equal_columns: marginals.is_some_and(has_equal_columns),
            visible_bias: Spread::of(rbm.visible_bias()),
            hidden_bias: Spread::of(rbm.hidden_bias()),
            compared,
            duplicates,
            equal_units,
            precision: marginals.and_then(|marginals| Precision::measure(rbm, marginals)),
            gauge: Gauge::measure(rbm),
        }
    }

    /// Findings of a trained model.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some((tensor, index, value)) = &self.non_finite {
            found.push(non_finite(format!("{tensor}[{index}] is {value}")));
            return found;
        }
        let Spread { deviation, largest, .. } = self.scaled_weights.unwrap_or(self.weights);
        for (name, letter, bias, units) in [
            ("visible", "b", self.visible_bias, self.units.0),
            ("hidden", "c", self.hidden_bias, self.units.1),
        ] {
            let is_called_for = letter == "b" && self.has_equal_columns;
            if units > 2 && bias.mean.abs() > 0.5 && bias.deviation < 1e-3 * bias.mean.abs() && !is_called_for
            {
                found.push(bias_moves_as_one(
                    format!(
                        "all {units} {name} biases are {:.6}, give or take {:.1e}",
                        bias.mean, bias.deviation
                    ),
                    letter,
                ));
            }
        }
        let input = deviation * (self.units.0 as f64).sqrt();
        let back = deviation * (self.units.1 as f64).sqrt();
        if input > LARGEST_INPUT && back > LARGEST_BACK || largest > 100.0 {
            found.push(Finding::warning(
                "weights-too-large",
                format!(
                    "the weights' standard deviation is {deviation:.3}, the largest is {largest:.1}; {} such weights add up to \
                     ±{input:.0}",
                    self.units.0
                ),
                "σ(x) has no gradient for large x: units are on or off whatever else they see, and chains hardly move (Hinton \
                 2010, section 10)",
                "a lower ‹lr›, ‹weight-decay=0.001›; in your own code: W ← W + ε(… − λW)",
            ));
        }
        found.extend(self.precision.and_then(|precision| precision.finding()));
        found.extend(self.gauge.and_then(|gauge| gauge.finding()));
        found.extend(self.duplicate_units());
        found
    }

    fn duplicate_units(&self) -> Option<Finding> {
        let (first, second) = self.equal_units?;
        let seen = format!(
            "hidden units with the weights of another (a cosine above {SAME}): {} of {}; units {first} and {second}, \
             for example",
            self.duplicates, self.compared
        );
        let why = "units that start alike get the same gradient and stay alike; copies add nothing (Hinton 2010, \
                   section 8)";
        let fix = "initial weights from N(0, 0.01²), each drawn by itself, and hidden states each drawn by itself; else \
                   fewer ‹hidden› units";
        // Few units may all learn the one thing that stands out.
        let many = self.duplicates * 2 > self.compared && self.compared >= 6;
        Some(if many { Finding::warning } else { Finding::note }("duplicate-hidden-units", seen, why, fix))
    }
}

/// Whether all columns have almost one mean and one variance, as one-hot rows of which each comes once.
fn has_equal_columns(marginals: &Marginals) -> bool {
    let is_one = |values: &[f64]| {
        let (low, high) =
            values.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        high - low <= 0.01 * high.abs().max(low.abs())
    };
    is_one(&marginals.means) && is_one(&marginals.variances)
}

/// The finding of a parameter that is NaN or infinite.
pub fn non_finite(seen: impl Into<String>) -> Finding {
    Finding::error(
        "non-finite",
        seen,
        "every number computed from it is NaN or infinite too, so the model learns nothing from there on; usually, weights \
         grew without bound before (Hinton 2010, sections 7 and 10)",
        "a tenth of ‹lr›, ‹momentum=0.5›, data within [0, 1] (rbm-gpu doctor DATA); in your own code: means over the cases, and \
         σ and softplus in a form that does not overflow",
    )
}

/// The finding of a layer's biases that all move by one number; `letter` names them in the equations.
pub fn bias_moves_as_one(seen: impl Into<String>, letter: &str) -> Finding {
    Finding::error(
        "bias-moves-as-one",
        seen,
        "each unit has its own gradient, ⟨v_i⟩_data − ⟨v_i⟩_model; one number for all of them is a sum over everything, and moves \
         all units on or off together (equations 27 and 28)",
        format!(
            "in your own code: {letter} ← {letter} + ε·mean over the cases (axis 0) of data − model, a vector and not a scalar; \
             rbm-gpu train does so, and rbm-gpu verify checks this device for it"
        ),
    )
}

/// The spread of W_ij in the deviations of its units: how much one unit moves another's input, in what that takes.
pub fn scaled(rbm: &Rbm) -> Spread {
    let [visible, hidden] =
        [Side::Visible, Side::Hidden].map(|side| deviations(rbm.layers().side(side), rbm.potentials(side)));
    let rows = rbm.weights().chunks(hidden.len()).zip(&visible);
    let scaled = rows.flat_map(|(row, by)| row.iter().zip(&hidden).map(move |(w, tau)| w * by * tau));
    Spread::of(&scaled.collect::<Vec<_>>())
}

/// The number of units compared, the number of duplicates among them, and two such units.
fn duplicates(rbm: &Rbm) -> (usize, usize, Option<(usize, usize)>) {
    let (visible, hidden) = (rbm.shape().visible, rbm.shape().hidden);
    let places: Vec<(usize, Place)> = rbm.layers().hidden.places().enumerate().collect();
    let units: Vec<(usize, Place)> =
        spread_out(places.len(), COMPARED_UNITS).into_iter().map(|unit| places[unit]).collect();
    // The visible units with the largest weights tell most.
    let size =
        |i: usize| rbm.weights()[i * hidden..][..hidden].iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    let mut rows: Vec<(usize, f64)> = (0..visible).map(|i| (i, size(i))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.truncate(COMPARED_WEIGHTS);
    let columns: Vec<(usize, Vec<f32>, f64)> = units
        .iter()
        .map(|&(unit, Place { kind, column })| {
            let columns = || column..column + kind.columns();
            let weights = |&(i, _): &(usize, f64)| columns().map(move |j| rbm.weights()[i * hidden + j]);
            let column: Vec<f32> = rows.iter().flat_map(weights).collect();
            let norm = column.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
            (unit, column, norm)
        })
        .filter(|(_, column, norm)| *norm > 0.0 && norm.is_finite() && column.len() > 2)
        .collect();
    let (mut count, mut example) = (0, None);
    for (at, (unit, column, norm)) in columns.iter().enumerate() {
        let copy = columns[..at].iter().find(|(_, other, other_norm)| {
            (0.9..1.1).contains(&(norm / other_norm)) && {
                let dot: f32 = column.iter().zip(other).map(|(a, b)| a * b).sum();
                f64::from(dot) > SAME * norm * other_norm
            }
        });
        if let Some((first, ..)) = copy {
            count += 1;
            example.get_or_insert((*first, *unit));
        }
    }
    (units.len(), count, example)
}
