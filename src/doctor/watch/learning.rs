//! Whether a run can learn: its start, its learning rate, its chains.

use super::step::StepFigures;
use crate::{base::Base, doctor::model::Spread, finding::Finding, rbm::Rbm};

/// The largest healthy correlation of chains with themselves twenty or more steps before.
const STUCK_CHAINS: f64 = 0.98;
/// The largest healthy change of a hidden unit's input by one update: σ goes from 0.27 to 0.73 within 2.
const LARGEST_SHIFT: f64 = 2.0;
/// The least that all updates together must be able to change, if each is as large as the largest so far.
const SMALLEST_REACH: f64 = 0.1;

/// Checks the initial model (Hinton 2010, section 8).
pub fn initial(rbm: &Rbm, base: &Base) -> Vec<Finding> {
    let mut found = Vec::new();
    let Spread { deviation, .. } = Spread::of(rbm.weights());
    if deviation > 0.3 {
        found.push(Finding::warning(
            "initial-weights-large",
            format!("the initial weights' standard deviation is {deviation:.3}"),
            "hidden units are saturated before the first update, each on or off for most cases by chance, and have to unlearn \
             that (Hinton 2010, section 8)",
            format!("in your own code: W from N(0, {}²), as rbm-gpu train does", Rbm::INITIAL_DEVIATION),
        ));
    }
    if !rbm.layers().visible.is_binary() {
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
                "one update adds {} to the input of a hidden unit (root mean square over cases and units); {ratios}",
                if figures.shift < 1e4 { format!("{:.2}", figures.shift) } else { format!("{:.1e}", figures.shift) }
            ),
            "σ goes from 0.27 to 0.73 within 2, so such an update turns units over; about 10⁻³ of W is usual (Hinton 2010, section \
             7)",
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
                "one update adds {:.1e} to the input of a hidden unit, so all {} of the run can add {reach:.2} at most; {ratios}",
                largest_shift, steps
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
