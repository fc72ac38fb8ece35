//! Whether a run can learn: its start, its learning rate, its chains.

use super::step::StepFigures;
use crate::{
    base::Base,
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
