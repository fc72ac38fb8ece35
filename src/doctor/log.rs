//! A log of costs, of this program or another: what their course says, and, given the data, what the visible units do.

mod lines;
mod literal;
mod names;
mod parse;
mod parts;
mod table;

pub use parse::parse;
pub use table::{Taken, taken};

use serde::Serialize;

use super::levels::{Level, Levels, Saturated};
use crate::finding::Finding;

/// The costs of a log, in order; NaN where there was no number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Log {
    /// The name of the costs.
    pub key: String,
    /// The layer of a stack, or the part of a log whose epochs begin anew, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What the values were taken for, in words, where their name does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<&'static str>,
    /// The costs, one for each line.
    pub costs: Vec<f64>,
}

impl Log {
    /// A log of costs of this name.
    pub fn new(key: &str, costs: Vec<f64>) -> Self {
        Self { key: key.into(), part: None, how: None, costs }
    }

    /// The number of costs, their name and their part, in words.
    pub fn about(&self) -> String {
        let part = self.part.as_ref().map_or(String::new(), |part| format!("{part}: "));
        let how = self.how.map_or(String::new(), |how| format!(" ({how})"));
        format!("{part}{}, called {:?}{how}", costs(self.costs.len()), self.key)
    }
}

/// A cost that a log returns to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Plateau {
    /// The cost.
    pub cost: f64,
    /// How often it occurs.
    pub times: usize,
}

/// The figures of a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogFigures {
    /// Number of costs.
    pub count: usize,
    /// Index of the first NaN or infinity.
    pub first_non_finite: Option<usize>,
    /// Costs that repeat, to seven digits, the most frequent first.
    pub plateaus: Vec<Plateau>,
    /// The first cost; where the costs are noisy, as those of minibatches, the median of the first fiftieth.
    pub first: f64,
    /// The median of the last tenth.
    pub end: f64,
    /// The lowest median of a tenth.
    pub lowest: f64,
    /// The highest finite cost.
    pub highest: f64,
    /// The share of changes that reverse the change before.
    pub reversals: f64,
    /// The median absolute change over the median cost, in the second half.
    pub jump: f64,
    /// The standard deviation of independent noise that would make such changes, in the second half.
    pub noise: f64,
    /// Whether costs are on both sides of 0, as differences of free energies are.
    pub has_both_signs: bool,
}

/// The fewest costs whose course can be judged by medians.
const MANY: usize = 30;
/// The share of changes that reverse the one before, of independent noise.
const BY_CHANCE: f64 = 2.0 / 3.0;

impl LogFigures {
    /// Measures a log.
    pub fn measure(log: &Log) -> Self {
        let finite: Vec<f64> = log.costs.iter().copied().filter(|cost| cost.is_finite()).collect();
        let mut plateaus: Vec<Plateau> = Vec::new();
        let mut sorted = finite.clone();
        sorted.sort_by(f64::total_cmp);
        for cost in sorted {
            match plateaus.last_mut().filter(|p| (p.cost - cost).abs() <= 1e-7 * cost.abs()) {
                Some(plateau) => plateau.times += 1,
                None => plateaus.push(Plateau { cost, times: 1 }),
            }
        }
        plateaus.retain(|plateau| plateau.times > 2);
        plateaus.sort_by_key(|plateau| std::cmp::Reverse(plateau.times));
        let windows: Vec<f64> = finite.chunks(finite.len().div_ceil(10).max(1)).map(median).collect();
        let changes: Vec<f64> =
            finite.windows(2).map(|pair| pair[1] - pair[0]).filter(|d| *d != 0.0).collect();
        let reversals = changes.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
        let late: Vec<f64> = changes[changes.len() / 2..].iter().map(|change| change.abs()).collect();
        let middle = median(&finite[finite.len() / 2..]).abs();
        // Half of the differences of two independent normal numbers are below 0.954 of their deviation.
        let noise = if late.is_empty() { 0.0 } else { median(&late) / 0.954 };
        let is_noisy = finite.len() >= MANY && noise > 0.02 * middle;
        let some = if is_noisy { (finite.len() / 50).max(3) } else { 1 };
        let first = finite.get(..some).map_or(f64::NAN, median);
        Self {
            count: log.costs.len(),
            first_non_finite: log.costs.iter().position(|cost| !cost.is_finite()),
            plateaus,
            first,
            end: windows.last().copied().unwrap_or(f64::NAN),
            lowest: windows.iter().copied().fold(f64::INFINITY, f64::min),
            highest: finite.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            reversals: reversals as f64 / changes.len().saturating_sub(1).max(1) as f64,
            // What remains of a cost that has fallen far may jump by chance.
            jump: median(&late) / middle.max(0.05 * first.abs()),
            noise,
            has_both_signs: finite.iter().any(|cost| *cost < 0.0) && finite.iter().any(|cost| *cost > 0.0),
        }
    }

    /// Findings from these figures. `levels` are those of the data, and whether these are exactly the log's rows.
    pub fn findings(&self, levels: Option<(&Levels, bool)>) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(at) = self.first_non_finite {
            found.push(Finding::error(
                "non-finite",
                format!("cost number {} of {} is NaN or infinite", at + 1, self.count),
                "a parameter or a probability became NaN or infinite: e^x overflows above 709 (88 in single precision), and \
                 log 0 is −∞; the model learns nothing from there on",
                "a lower ‹lr›; rbm-gpu train names the step, the tensor and the index. In your own code: σ and softplus in a \
                 form that does not overflow, and log(max(p, 1e-7))",
            ));
        }
        let plateau_share = |n: usize| {
            self.plateaus.iter().take(n).map(|p| p.times).sum::<usize>() as f64 / self.count as f64
        };
        let plateaus = if plateau_share(1) > 0.8 && self.plateaus.len() == 1 {
            &self.plateaus[..1]
        } else if plateau_share(2) > 0.7 && self.plateaus.len() > 1 {
            &self.plateaus[..2]
        } else if plateau_share(1) > 0.7 {
            &self.plateaus[..1]
        } else {
            &[]
        };
        match (plateaus, levels) {
            ([], _) => self.course(&mut found),
            (&[a, b], Some((levels, same_rows))) => found.extend(two_with_data(a, b, levels, same_rows)),
            (&[a, b], None) => found.push(two_plateaus(a, b, ASK_FOR_DATA.into())),
            (&[a, ..], levels) => found.push(one_plateau(a, self.count, levels)),
        }
        if let ([], Some((levels, same_rows))) = (plateaus, levels)
            && let Some(norm) = levels.matches(levels.mean_image, self.end, same_rows)
        {
            found.push(mean_image(self.end, levels.mean_image, norm));
        }
        found
    }

    /// Findings from the course of costs that don't stand still.
    fn course(&self, found: &mut Vec<Finding>) {
        if self.count < 5 {
            found.push(Finding::note(
                "too-few-costs",
                costs(self.count),
                "five costs or more are needed to see a course",
                "give a longer log",
            ));
            return;
        }
        let range = format!(
            "{} costs: {:.6} at first, {:.6} in the lowest tenth, {:.6} in the last",
            self.count, self.first, self.lowest, self.end
        );
        let positive = self.lowest > 0.0;
        let rise = self.end - self.lowest;
        // Medians of a tenth differ by chance, the lowest of ten most of all.
        let in_a_tenth = (self.count as f64 / 10.0).max(1.0);
        let is_rise = rise > 4.0 * self.noise / in_a_tenth.sqrt();
        let falls = self.end < 0.9 * self.first && !is_rise;
        // Independent noise reverses two changes of three, with this standard error (Bienaymé 1874).
        let error = (16.0 / 90.0 / (self.count as f64).max(1.0)).sqrt();
        let is_alternating = self.reversals > (BY_CHANCE + 3.0 * error).min(0.9);
        let oscillates = self.jump > 0.15
            && !self.has_both_signs
            && match is_alternating {
                true => self.end > 0.5 * self.first,
                false => self.count < MANY && self.reversals > 0.6 && positive && !falls,
            };
        if positive
            && is_rise
            && self.end > 3.0 * self.lowest
            && self.end > 0.3 * self.highest
            && self.end > self.first
        {
            found.push(Finding::error(
                "cost-explodes",
                format!("{range}; {:.6} at the highest", self.highest),
                "each update overshoots further than the one before: the learning rate is too high for the gradient, or its \
                 sign is wrong (Hinton 2010, sections 7 and 9)",
                "a tenth of ‹lr›, and ‹momentum=0.5› at first; in your own code: θ ← θ + ε(⟨·⟩_data − ⟨·⟩_model), data first, \
                 and means, not sums, over the cases",
            ));
        } else if oscillates {
            found.push(Finding::warning(
                "cost-oscillates",
                format!(
                    "{range}; {:.0} % of the changes reverse the one before, by {:.0} % of the cost",
                    100.0 * self.reversals,
                    100.0 * self.jump
                ),
                "the updates jump over the optimum and back: learning rate or momentum are too high, or the minibatches are too \
                 small (Hinton 2010, sections 4 and 7)",
                "a third of ‹lr›, or a larger ‹batch›; ‹lr-schedule=linear› lets the run settle at its end",
            ));
        } else if positive
            && is_rise
            && self.end > 1.3 * self.lowest
            && rise > 0.05 * (self.first - self.lowest)
            && self.count >= 10
        {
            found.push(Finding::warning(
                "cost-rises",
                range,
                "the reconstruction error is not what is learnt, and may rise a little, but it must not rise for long (Hinton \
                 2010, section 5)",
                "a lower ‹lr› or ‹lr-schedule=linear›, more Gibbs steps (‹k›); `rbm-gpu eval RUN` tells whether the likelihood \
                 falls too",
            ));
        } else if self.end > 0.98 * self.first && self.count >= 10 && positive {
            found.push(Finding::warning(
                "cost-does-not-fall",
                range,
                "a model that learns reconstructs its data better within the first epochs (Hinton 2010, section 5)",
                "ten times ‹lr›, if it is below 0.01; else look at the data: rbm-gpu doctor DATA LOG. In your own code: \
                 ⟨v hᵀ⟩_data − ⟨v hᵀ⟩_model, a mean, added to W; each bias its own mean",
            ));
        }
    }
}

/// A number of costs, in words.
pub fn costs(count: usize) -> String {
    if count == 1 { "1 cost".into() } else { format!("{count} costs") }
}

const SATURATED: &str = "σ(x) is 0 or 1 to the last digit for |x| > 17 in single precision, so the gradient of such a unit is \
                         0 but for its sign";
/// The fix in the user's own code.
const OWN_BIASES: &str = "in your own code, each bias has its own gradient, a mean over the cases alone: \
                          b ← b + ε·mean(v_data − v_model, axis=cases), c ← c + ε·mean(h_data − h_model, axis=cases), not a \
                          sum over everything; W ← W + ε·(v_dataᵀh_data − v_modelᵀh_model)/cases. rbm-gpu train does so";

const ASK_FOR_DATA: &str =
    "give the data as well, rbm-gpu doctor DATA LOG, to see whether the visible units are off or on";

/// Says that the data are not the log's, or that the costs are at none of these levels.
fn other_data(levels: &Levels) -> String {
    let Some(Saturated { all_off, all_on, .. }) = levels.saturated else {
        return format!(
            "with every visible unit at its mean, a case of the data that were given would cost {:.6}",
            levels.mean_image.total / levels.cases as f64
        );
    };
    format!(
        "with every visible unit off, on, or at its mean, a case of the data that were given would cost {:.6}, {:.6} and {:.6}, and \
         no number of such cases gives these costs: if they are the log's own data, and the cost is a squared error, \
         the hidden units are saturated rather than the visible ones; name the exact rows with ‹rows› and ‹scale›",
        all_off.total / levels.cases as f64,
        all_on.total / levels.cases as f64,
        levels.mean_image.total / levels.cases as f64
    )
}

fn two_plateaus(a: Plateau, b: Plateau, and: String) -> Finding {
    Finding::error(
        "two-plateaus",
        format!(
            "the cost has two plateaus, saturated units: {} {} times and {} {} times",
            a.cost, a.times, b.cost, b.times
        ),
        format!(
            "costs that repeat to the last digit come from units that no longer depend on the data: all of one layer \
             is saturated, and flips as a whole between two states ({SATURATED}). The cause is one large \
             number added to all biases, or a gradient that is a sum and not a mean"
        ),
        format!("{OWN_BIASES}; {and}"),
    )
}

fn two_with_data(a: Plateau, b: Plateau, levels: &Levels, same_rows: bool) -> Vec<Finding> {
    let pairs = [(a, b), (b, a)];
    let Some(Saturated { all_off, all_on, .. }) = levels.saturated else {
        return vec![two_plateaus(a, b, other_data(levels))];
    };
    let exact = pairs.iter().find_map(|&(off, on)| {
        let norm = levels.matches(all_off, off.cost, true).filter(|_| same_rows)?;
        levels.matches(all_on, on.cost, true).map(|_| (off, on, norm))
    });
    let reckoned =
        || pairs.iter().find_map(|&(off, on)| Some((off, on, levels.cases_of(off.cost, on.cost)?)));
    let (off, on, cases, how) = if let Some((off, on, norm)) = exact {
        let how = format!(
            "for these {} cases Σx² is {:.8} and Σ(1−x)² is {:.8}, {norm}: the plateaus to the last digit",
            levels.cases, all_off.total, all_on.total
        );
        (off, on, levels.cases as f64, how)
    } else if let Some((off, on, count)) = reckoned() {
        let how = format!(
            "their difference is that of Σ(1−x)² and Σx² for {:.0} ± {:.0} cases of the data's density {:.4}; Σx² of that \
             many is {:.0} ± {:.0}, which the plateau matches within {:.1} standard errors",
            count.cases,
            count.standard_error,
            levels.density,
            count.expected,
            count.expected_error,
            (off.cost - count.expected).abs() / count.expected_error
        );
        (off, on, count.cases, how)
    } else {
        return vec![two_plateaus(a, b, other_data(levels))];
    };
    let times = off.times + on.times;
    vec![
        Finding::error(
            "visible-units-flip",
            format!(
                "of {times} costs, {} are {} = Σx², every visible unit off, and {} are {} = Σ(1−x)², every visible unit on; {how}",
                off.times, off.cost, on.times, on.cost
            ),
            format!(
                "all visible units saturate together and flip together, whatever the data: one large number moves all \
                 visible biases. That is a bias gradient summed over everything, cases and units, and not averaged over the \
                 cases for each unit ({SATURATED})"
            ),
            OWN_BIASES,
        ),
        Finding::warning(
            "gradient-summed",
            format!(
                "the costs, and so perhaps the gradients of the weights, are sums over about {cases:.0} cases"
            ),
            "a sum over N cases is N times the mean: the learning rate is really N times the intended one, and changes with the \
             size of the minibatch (Hinton 2010, section 4)",
            "divide by the number of cases; ‹lr› is for means. Then minibatches of 10 to 100, shuffled (‹batch›)",
        ),
        Finding::note(
            "usual-suspects",
            "a log does not show these faults, but they often come with such costs",
            "initial weights from N(0, 1) saturate the hidden units before the first update (Hinton 2010, section 8); random \
             numbers that are drawn once, when a graph is built, are the same in every epoch; hidden units driven by binary \
             data while the statistics use grey pixels take two different inputs",
            "in your own code: W from N(0, 0.01²), b = log(p/(1−p)), c = 0; fresh uniforms for each draw; one x for both",
        ),
    ]
}

fn one_plateau(plateau: Plateau, count: usize, levels: Option<(&Levels, bool)>) -> Finding {
    let Plateau { cost, times } = plateau;
    let seen = format!("{times} of {count} costs are {cost}");
    if let Some((levels, same_rows)) = levels {
        let saturated = levels.saturated.map(|Saturated { all_off, all_on, .. }| {
            [
                ("visible-units-all-off", all_off, "Σx²", "off"),
                ("visible-units-all-on", all_on, "Σ(1−x)²", "on"),
            ]
        });
        for (name, level, what, state) in saturated.into_iter().flatten() {
            if let Some(norm) = levels.matches(level, cost, same_rows) {
                return Finding::error(
                    name,
                    format!("{seen}; {what} of these data, {norm}, says that every visible unit is {state}"),
                    format!(
                        "p(v|h) no longer depends on the data: the visible biases have gone {} together ({SATURATED})",
                        if state == "off" { "far below 0" } else { "far above 0" }
                    ),
                    format!("a lower ‹lr›, and look at the data's scale: rbm-gpu doctor DATA; {OWN_BIASES}"),
                );
            }
        }
        if let Some(norm) = levels.matches(levels.mean_image, cost, same_rows) {
            return mean_image(cost, levels.mean_image, norm);
        }
    }
    Finding::error(
        "cost-constant",
        seen,
        format!("the parameters don't change, or a layer is saturated ({SATURATED})"),
        format!(
            "in your own code: are the updates applied, and are the random numbers drawn anew? {OWN_BIASES}; {}",
            levels.map_or(ASK_FOR_DATA.into(), |(levels, _)| other_data(levels))
        ),
    )
}

fn mean_image(cost: f64, level: Level, norm: &str) -> Finding {
    Finding::warning(
        "mean-image",
        format!(
            "the cost stays at {cost:.6}; Σ(x−x̄)² is {:.6}, {norm}: the reconstruction is the mean image",
            level.total
        ),
        "the visible biases have learnt the base rates, and the weights nothing: hidden units that all do the same, or do \
         nothing, tell no case from another (Hinton 2010, section 8)",
        "a higher ‹lr› or a lower ‹weight-decay›, initial weights that differ (N(0, 0.01²)); in your own code: W's gradient is \
         added, with the right sign, and hidden states are drawn",
    )
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_course_has_its_name() {
        let names = |costs: Vec<f64>| -> Vec<String> {
            let figures = LogFigures::measure(&Log::new("cost", costs));
            figures.findings(None).into_iter().map(|finding| finding.name.into()).collect()
        };
        let course = |cost: fn(f64) -> f64| (0..30).map(|t| cost(f64::from(t))).collect::<Vec<_>>();
        assert_eq!(names(course(|t| 50.0 / (1.0 + t) + 3.0 + 0.02 * (t * 7.0).sin())), [""; 0]);
        assert_eq!(names(course(|t| 10.0 * 1.3_f64.powf(t))), ["cost-explodes"]);
        assert_eq!(names(course(|t| 10.0 + 4.0 * (t * 3.0).cos())), ["cost-oscillates"]);
        assert_eq!(names(course(|t| 10.0 + (t - 8.0).powi(2) * 0.02)), ["cost-rises"]);
        assert_eq!(names(course(|t| 10.0 + 0.01 * (t * 2.0).sin())), ["cost-does-not-fall"]);
        assert_eq!(names(course(|_| 7.25)), ["cost-constant"]);
        assert_eq!(names(course(|t| if t % 8.0 == 4.0 { 20.0 } else { 3.0 })), ["two-plateaus"]);
        assert_eq!(names(course(|t| if t < 9.0 { 9.0 - t } else { f64::NAN })), ["non-finite"]);
    }

    #[test]
    fn a_level_of_the_data_is_recognised_however_it_is_normed() {
        use super::super::data::Values;
        use crate::data::Rows;
        let bytes: Vec<u8> = (0..200 * 9).map(|i| (i * i * 7 % 251) as u8 / 2).collect();
        let rows = Rows::from_bytes(9, &bytes, 1.0 / 255.0);
        let levels = Levels::measure(&Values::new(&rows));
        let Some(Saturated { all_off, all_on, .. }) = levels.saturated else { panic!("binary units") };
        for (level, name) in [
            (all_off, "visible-units-all-off"),
            (all_on, "visible-units-all-on"),
            (levels.mean_image, "mean-image"),
        ] {
            for factor in [1.0, 1.0 / 200.0, 1.0 / 1800.0] {
                let log = Log::new("cost", vec![level.total * factor; 20]);
                let found = LogFigures::measure(&log).findings(Some((&levels, true)));
                assert_eq!(found[0].name, name, "{}", found[0].seen);
            }
        }
        let other = Log::new("cost", vec![all_off.total * 1.3; 20]);
        assert_eq!(LogFigures::measure(&other).findings(Some((&levels, true)))[0].name, "cost-constant");
    }
}
