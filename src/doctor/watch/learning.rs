//! Whether a run can learn: its start, its learning rate, its chains.

use super::step::StepFigures;
use crate::{
    base::Base,
    config::{Estimator, Optimizer, TrainConfig},
    data::Dataset,
    doctor::model::{Spread, scaled},
    finding::Finding,
    rbm::{Rbm, Side},
    reference::expectation,
    units::{Kind, Place},
};

/// The largest healthy correlation of chains with themselves twenty or more steps before.
const STUCK_CHAINS: f64 = 0.98;
/// The largest healthy change of a hidden unit's input by one update: σ goes from 0.27 to 0.73 within 2.
const LARGEST_SHIFT: f64 = 2.0;
/// The least that all updates together must be able to change, if each is as large as the largest so far.
const SMALLEST_REACH: f64 = 0.1;

/// Checks the initial model (Hinton 2010, section 8).
pub fn initial(rbm: &Rbm, base: &Base) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_binary = rbm.layers().are_binary();
    let Spread { deviation, .. } = if is_binary { Spread::of(rbm.weights()) } else { scaled(rbm) };
    if deviation > 0.3 {
        found.push(Finding::warning(
            "initial-weights-large",
            format!(
                "the initial weights' standard deviation is {deviation:.3}{}",
                if is_binary { "" } else { ", in the deviations of the units that they join" }
            ),
            "hidden units are saturated before the first update, each on or off for most cases by chance, and have to unlearn \
             that (Hinton 2010, section 8)",
            format!(
                "{}in your own code: W from N(0, {}²), as rbm-gpu train does",
                if is_binary { "" } else { "‹standardize=on›; " },
                Rbm::INITIAL_DEVIATION
            ),
        ));
    }
    if !rbm.layers().visible.is_binary() {
        found.extend(initial_means(rbm, base));
        return found;
    }
    let base = base.of_visible();
    let sigmoid = |b: f32| 1.0 / (1.0 + f64::from(-b).exp());
    let apart = base.iter().zip(rbm.visible_bias()).map(|(&base, &b)| (sigmoid(base) - sigmoid(b)).abs());
    let apart = apart.sum::<f64>() / base.len() as f64;
    if apart > 0.15 {
        found.push(Finding::warning(
            "initial-visible-biases",
            format!(
                "the initial visible biases let units be on {apart:.2} more or less often than the data, on average over the \
                 units"
            ),
            "until the biases are learnt, hidden units are spent on turning off units that are hardly ever on (Hinton 2010, \
             section 8)",
            "in your own code: b_i = log(p_i/(1−p_i)), p_i the share of cases in which unit i is on, clipped; rbm-gpu train \
             does so",
        ));
    }
    found
}

/// Compares the means of visible units without an input with those of the data, each in its unit's own scale: the range of its
/// states, or two standard deviations.
fn initial_means(rbm: &Rbm, base: &Base) -> Option<Finding> {
    let layers = rbm.layers();
    let none = vec![0.0; rbm.shape().hidden];
    let means = |rbm: &Rbm| expectation(rbm, Side::Visible, &none);
    let independent = Rbm::independent(layers, base.potentials());
    // With hidden units at 0, weights count nothing.
    let (found, expected) = (means(rbm), means(&independent));
    let variances = &base.marginals().variances;
    let of_unit = |Place { kind, column }: Place| {
        let columns = column..column + kind.columns();
        let apart = columns.map(|at| (found[at] - expected[at]).abs()).fold(0.0, f64::max);
        match kind {
            Kind::Binary | Kind::Potts { .. } => apart,
            Kind::Spin => apart / 2.0,
            _ => (apart / 2.0 / variances[column].sqrt().max(1e-2)).min(1.0),
        }
    };
    let visible = &layers.visible;
    let apart = visible.places().map(of_unit).sum::<f64>() / visible.units() as f64;
    (apart > 0.15).then(|| {
        Finding::warning(
            "initial-visible-biases",
            format!(
                "the initial means of visible units are {apart:.2} from those of the data, on average over the units: a share of \
                 the range of their states, or of two standard deviations"
            ),
            "until the biases are learnt, hidden units are spent on them (Hinton 2010, section 8)",
            "in your own code: biases, and precisions, that give independent units the means and variances of the data; rbm-gpu \
             train does so",
        )
    })
}

/// Checks the learning rate of a run of `steps` steps; `largest_shift` is the largest [`StepFigures::shift`] so far.
pub fn rate(figures: &StepFigures, largest_shift: f64, steps: usize) -> Vec<Finding> {
    let mut found = Vec::new();
    let [weights, visible, hidden] = figures.groups;
    let ratios = [("W", weights), ("b", visible), ("c", hidden)]
        .into_iter()
        .filter(|(_, group)| group.ratio.is_finite())
        .map(|(letter, group)| format!("{:.1e} of {letter}", group.ratio))
        .collect::<Vec<_>>();
    let ratios = format!("the update of step {} is {}", figures.step, ratios.join(", "));
    if figures.shift > LARGEST_SHIFT || !figures.shift.is_finite() {
        found.push(Finding::error(
            "learning-rate-too-high",
            format!(
                "one update adds {} to the input of a hidden unit{} (root mean square over cases and units); {ratios}",
                if figures.shift < 1e4 { format!("{:.2}", figures.shift) } else { format!("{:.1e}", figures.shift) },
                if figures.is_scaled { ", in its own scale" } else { "" }
            ),
            match figures.is_scaled {
                false => {
                    "σ goes from 0.27 to 0.73 within 2, so such an update turns units over; about 10⁻³ of W is usual (Hinton \
                     2010, section 7)"
                }
                true => {
                    "the mean of a unit moves by as many of its standard deviations, so such an update turns units over; about \
                     10⁻³ of W is usual (Hinton 2010, section 7)"
                }
            },
            "a tenth of ‹lr›, or less; ‹momentum=0.5› at first. In your own code: also check that the gradient is a mean, not a \
             sum",
        ));
    }
    let reach = largest_shift * steps as f64;
    let early = (figures.step as usize) < steps / 10;
    if !early && steps >= 100 && reach < SMALLEST_REACH {
        found.push(Finding::warning(
            "learning-rate-too-low",
            format!(
                "one update adds {:.1e} to the input of a hidden unit{}, so all {} of the run can add {reach:.2} at most; {ratios}",
                largest_shift,
                if figures.is_scaled { ", in its own scale" } else { "" },
                steps
            ),
            "a hidden unit that tells cases apart needs inputs of several units; the usual update is about 10⁻³ of the weights \
             (Hinton 2010, section 7)",
            "ten times ‹lr›, or more; or many more ‹epochs›. In your own code: also check that the gradient is not divided \
             twice",
        ));
    }
    found
}

/// Checks whether persistent chains mix.
pub fn chains(figures: &StepFigures, k: u32) -> Option<Finding> {
    let (lag, correlation) =
        figures.chain_correlation.filter(|&(_, correlation)| correlation > STUCK_CHAINS)?;
    // ρ(t) = e^(−t/τ).
    let time = f64::from(lag) / -correlation.clamp(1e-9, 1.0 - 1e-9).ln();
    Some(Finding::error(
        "chains-stuck",
        format!(
            "at step {} the persistent chains have a correlation of {correlation:.4} with those of {lag} steps before: an \
             autocorrelation time of {time:.0} steps, of k = {k} Gibbs steps each",
            figures.step,
        ),
        "the gradient's second term is a mean over the model only if the chains mix; chains that stand still \
         lower the probability where they stand, and the model follows them (Tieleman 2008; Decelle, Furtlehner and Seoane 2021)",
        "more Gibbs steps (‹k›), a lower ‹lr›, and more ‹chains›; in your own code: keep the final states of the chains, \
         and start the next step from them",
    ))
}

/// The name of [`Expected::outcome`].
pub const NOTHING_LEARNT: &str = "nothing-learnt";
/// A run has learnt something if its reconstruction error is below this share of the mean image's.
const LEARNT: f64 = 0.98;
/// With fewer updates than this, the error must be lower.
const FEW_UPDATES: usize = 100;
/// The share that tells it then.
const LEARNT_BY_FEW: f64 = 0.9;
/// Updates that small data take.
const USUAL_UPDATES: usize = 1000;

/// What the end of a run is judged by.
pub struct Expected {
    /// The error of the mean of the training cases on the held-out cases.
    mean_image: f64,
    cases: usize,
    epochs: usize,
    batch: usize,
    learning_rate: f32,
    optimizer: Optimizer,
    estimator: Estimator,
}

/// Whether a run that has ended has learnt nothing, from the errors after its epochs.
pub fn outcome(config: &TrainConfig, dataset: &Dataset, errors: &[f64]) -> Option<Finding> {
    Expected::of(config, dataset).outcome(errors)
}

impl Expected {
    /// For a run with these options.
    pub fn of(config: &TrainConfig, dataset: &Dataset) -> Self {
        let means = dataset.train.marginals().means;
        let held_out = &dataset.held_out().rows;
        let of_case = |case: usize| -> f64 {
            let known = held_out.values(case).zip(&means).filter(|(x, _)| !x.is_nan());
            known.map(|(x, mean)| (f64::from(x) - mean).powi(2)).sum()
        };
        Self {
            mean_image: (0..held_out.len()).map(of_case).sum::<f64>() / held_out.len() as f64,
            cases: dataset.train.rows.len(),
            epochs: config.epochs,
            batch: config.batch,
            learning_rate: config.learning_rate,
            optimizer: config.optimizer,
            estimator: config.estimator,
        }
    }

    /// Judges the errors after the epochs of the whole run.
    pub fn outcome(&self, errors: &[f64]) -> Option<Finding> {
        let mut last: Vec<f64> = errors.iter().rev().take(3).copied().collect();
        last.sort_by(f64::total_cmp);
        let end = *last.get(last.len() / 2)?;
        let steps_an_epoch = self.cases.div_ceil(self.batch);
        let steps = steps_an_epoch * self.epochs;
        let share = end / self.mean_image;
        // Chains that go on learn the likelihood, and may reconstruct little better.
        let learnt = if self.estimator == Estimator::Cd { LEARNT } else { 1.0 };
        let learnt = if steps < FEW_UPDATES { LEARNT_BY_FEW } else { learnt };
        if !(end.is_finite() && self.mean_image > 0.0) || share < learnt {
            return None;
        }
        let few = steps < USUAL_UPDATES;
        let mut ways = Vec::new();
        if few {
            ways.push(format!(
                "‹epochs={}›, which are {USUAL_UPDATES} updates",
                USUAL_UPDATES.div_ceil(steps_an_epoch)
            ));
        }
        if self.batch > 10 && self.cases > 10 {
            ways.push(format!(
                "‹batch=10›, which makes {} updates an epoch and not {steps_an_epoch}",
                self.cases.div_ceil(10)
            ));
        }
        if self.learning_rate < 0.1 && self.optimizer == Optimizer::Sgd {
            ways.push(format!("‹lr={}›", (f64::from(self.learning_rate) * 1e5).round() / 1e4));
        }
        if !few {
            ways.push(
                "a lower ‹lr› if the error goes up and down, ten times as many ‹epochs› if it falls slowly"
                    .into(),
            );
        }
        Some(Finding::warning(
            NOTHING_LEARNT,
            format!(
                "after {steps} updates ({} epochs of {steps_an_epoch}) the reconstruction error is {end:.3}, {:.0} % of that of the \
                 mean of each column alone, {:.3}",
                self.epochs,
                100.0 * share,
                self.mean_image
            ),
            match few {
                true => {
                    "a model that has learnt which columns go together reconstructs its cases better than their mean does (Hinton \
                     2010, section 5); so few updates hardly leave the start, where all hidden units do the same"
                }
                false => {
                    "a model that has learnt which columns go together reconstructs its cases better than their mean does (Hinton \
                     2010, section 5); if none do, as in noise, there is nothing to learn but the biases"
                }
            },
            ways.join("; or "),
        ))
    }
}
