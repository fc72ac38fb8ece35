//! What a model's parameters show by themselves.

use serde::Serialize;

use crate::{data::spread_out, finding::Finding, rbm::Rbm};

/// The most hidden units to compare with one another, and the most weights of each.
const COMPARED_UNITS: usize = 400;
const COMPARED_WEIGHTS: usize = 128;
/// Two units are duplicates if the angle between their weights has a larger cosine.
const SAME: f64 = 0.99;
/// The largest healthy sum of a hidden unit's weights: good models of a few patterns get to 10.
const LARGEST_INPUT: f64 = 30.0;

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
}

impl ModelFigures {
    /// Measures a model.
    pub fn measure(rbm: &Rbm) -> Self {
        let (compared, duplicates, equal_units) = duplicates(rbm);
        Self {
            units: (rbm.shape().visible, rbm.shape().hidden),
            non_finite: rbm.non_finite().map(|(tensor, index, value)| (tensor, index, value.to_string())),
            weights: Spread::of(rbm.weights()),
            visible_bias: Spread::of(rbm.visible_bias()),
            hidden_bias: Spread::of(rbm.hidden_bias()),
            compared,
            duplicates,
            equal_units,
        }
    }

    /// Findings of a trained model.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some((tensor, index, value)) = &self.non_finite {
            found.push(non_finite(format!("{tensor}[{index}] is {value}")));
            return found;
        }
        let Spread { deviation, largest, .. } = self.weights;
        for (name, letter, bias, units) in [
            ("visible", "b", self.visible_bias, self.units.0),
            ("hidden", "c", self.hidden_bias, self.units.1),
        ] {
            if units > 2 && bias.mean.abs() > 0.5 && bias.deviation < 1e-3 * bias.mean.abs() {
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
        if input > LARGEST_INPUT || largest > 100.0 {
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
        let many = self.duplicates * 2 > self.compared;
        Some(if many { Finding::warning } else { Finding::note }("duplicate-hidden-units", seen, why, fix))
    }
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

/// The number of units compared, the number of duplicates among them, and two such units.
fn duplicates(rbm: &Rbm) -> (usize, usize, Option<(usize, usize)>) {
    let (visible, hidden) = (rbm.shape().visible, rbm.shape().hidden);
    let units: Vec<usize> = spread_out(hidden, COMPARED_UNITS);
    // The visible units with the largest weights tell most.
    let size =
        |i: usize| rbm.weights()[i * hidden..][..hidden].iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    let mut rows: Vec<(usize, f64)> = (0..visible).map(|i| (i, size(i))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.truncate(COMPARED_WEIGHTS);
    let columns: Vec<(usize, Vec<f32>, f64)> = units
        .iter()
        .map(|&unit| {
            let column: Vec<f32> = rows.iter().map(|&(i, _)| rbm.weights()[i * hidden + unit]).collect();
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
