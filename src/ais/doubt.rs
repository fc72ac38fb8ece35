//! Checks an answer for contradictions between its own figures.

use super::{Ais, Estimate, FEWEST, Measured, TRIPS, Tempered, WIDEST, search::Part};

/// Standard errors by which two figures of one quantity may differ, if normal.
const APART: f64 = 3.0;
/// Added to the standard error of the halves, in nats. By chance they seldom differ by more than this and three standard
/// errors; missed modes make them differ by more.
const SMALL: f64 = 0.01;
/// The fraction of the mass that chains may miss without doubt: log Z is then too low by 0.005 nat.
const MISSED: f64 = 0.005;
/// Tolerated difference between the fractions of time that the two halves spent in a cell. A larger one means a mode that
/// one half has not left, or not found.
const DIFFERENT: f64 = 0.02;

/// All doubts, joined.
pub fn find(ais: &Ais) -> Option<String> {
    let doubts = [
        width(ais),
        few_chains("forwards", &ais.forward),
        few_chains("backwards", &ais.reverse),
        round_trips(&ais.tempered),
        halves(&ais.tempered),
        annealed(ais),
        elsewhere(ais),
        places(ais),
        missed(ais),
    ];
    let doubts: Vec<_> = doubts.into_iter().flatten().collect();
    let advice = "; try more ‹rounds›, ‹replicas›, ‹chains›, ‹annealed› or ‹temperatures›";
    (!doubts.is_empty()).then(|| doubts.join("; ") + advice)
}

fn width(ais: &Ais) -> Option<String> {
    let Ais { tempered, forward, reverse, .. } = ais;
    let width = ais.log_z_high - ais.log_z_low;
    (width > WIDEST).then(|| {
        format!(
            "the bracket is {width:.2} nats wide, more than {WIDEST}: log Z is {:.2} annealed forwards, {:.2} \
             backwards; {:.2} tempered from the base, {:.2} from data",
            forward.log_z, reverse.log_z, tempered.from_base.log_z, tempered.from_data.log_z
        )
    })
}

fn few_chains(direction: &str, estimate: &Estimate) -> Option<String> {
    let worth = estimate.effective_chains;
    (worth < FEWEST)
        .then(|| format!("the chains annealed {direction} are worth only {worth:.1}, fewer than {FEWEST}"))
}

/// Too few round trips on average, or chains without any while others make many: those are still where they started.
fn round_trips(tempered: &Tempered) -> Option<String> {
    let chains = tempered.chains as f64;
    let trips = tempered.swaps.round_trips as f64 / chains;
    if trips < TRIPS {
        return Some(format!(
            "replicas made {trips:.2} round trips per chain between β = 0 and 1, fewer than {TRIPS}"
        ));
    }
    // Trips come in bursts: they count as a quarter as many independent ones.
    let idle = chains * (-trips / 4.0).exp();
    let by_chance = idle + APART * idle.sqrt();
    (tempered.idle_chains as f64 > by_chance).then(|| {
        format!(
            "{} chains made no round trip between β = 0 and 1, and the mean is {trips:.1}",
            tempered.idle_chains
        )
    })
}

/// Compares the two halves of the tempered chains.
pub fn halves(tempered: &Tempered) -> Option<String> {
    let Tempered { from_base, from_data, chains, .. } = tempered;
    let apart = (from_base.log_z - from_data.log_z).abs();
    let error = from_base.standard_error.hypot(from_data.standard_error);
    (apart > limit(*chains) * error.hypot(SMALL)).then(|| {
        format!(
            "the halves of the chains disagree by {:.1} standard errors: log Z is {:.3} tempered from the base, {:.3} \
             from data",
            apart / error,
            from_base.log_z,
            from_data.log_z
        )
    })
}

/// [`APART`] as a quantile of Student's t for the two halves of the chains (Abramowitz and Stegun 1964, 26.7.5).
fn limit(chains: usize) -> f64 {
    APART + (APART.powi(3) + APART) / (4.0 * (chains as f64 - 2.0))
}

/// An annealed estimate on the wrong side of its bound: forward above the replicas' estimate, reverse below it.
fn annealed(ais: &Ais) -> Option<String> {
    let (low, high) = ais.tempered.bracket();
    let Ais { forward, reverse, .. } = ais;
    let above = forward.log_z - APART * forward.standard_error > high;
    let below = reverse.log_z + APART * reverse.standard_error < low;
    let crossed =
        forward.log_z - reverse.log_z > APART * forward.standard_error.hypot(reverse.standard_error);
    (above || below || crossed).then(|| {
        format!(
            "log Z is {:.3} ± {:.3} annealed forwards, {:.3} ± {:.3} backwards, {:.3} by replicas",
            forward.log_z, forward.standard_error, reverse.log_z, reverse.standard_error, ais.log_z
        )
    })
}

/// More mass than replicas found, from the few chains annealed from elsewhere.
fn elsewhere(ais: &Ais) -> Option<String> {
    let Estimate { log_z, standard_error, .. } = ais.search.even;
    let from =
        [("from even odds", Measured { log_z, standard_error }), ("from groups of cases", ais.search.cells)];
    let (where_from, more) = from
        .into_iter()
        .find(|(_, found)| found.log_z - (APART + 1.0) * found.standard_error > ais.log_z_high)?;
    Some(format!(
        "chains annealed {where_from} find log Z = {:.3} ± {:.3}, above the replicas' estimate",
        more.log_z, more.standard_error
    ))
}

/// A cell in which one half of the chains spends more time than the other: one half has missed, or not left, a mode whose
/// mass would take log Z out of the bracket.
fn places(ais: &Ais) -> Option<String> {
    let limit = 1.0 + limit(ais.tempered.chains);
    let apart = |part: &&Part| {
        let Part { from_base, from_data, .. } = part;
        let difference = (from_base.share - from_data.share).abs();
        difference > DIFFERENT
            && difference > limit * from_base.standard_error.hypot(from_data.standard_error)
            && ais.log_z + difference.ln_1p() > ais.log_z_high
    };
    let Part { from_base, from_data, .. } = ais.search.parts.iter().find(apart)?;
    Some(format!(
        "replicas from the base spent {:.1} % of the time in one mode, those from data {:.1} %",
        100.0 * from_base.share,
        100.0 * from_data.share
    ))
}

/// A cell with more mass than the time that a half of the chains spent there, enough to take log Z out of the bracket.
fn missed(ais: &Ais) -> Option<String> {
    let Tempered { from_base, from_data, chains, .. } = &ais.tempered;
    let missed = |part: &Part| {
        let mass = (part.annealed.log_z - ais.log_z).exp();
        [(from_base, part.from_base), (from_data, part.from_data)].into_iter().find_map(|(half, time)| {
            let error = (mass * part.annealed.standard_error).hypot(time.standard_error);
            let more = mass - time.share;
            let is_missed =
                more > MISSED && more > limit(*chains) * error && half.log_z + more.ln_1p() > ais.log_z_high;
            is_missed.then_some((mass, time.share))
        })
    };
    let (mass, time) = ais.search.parts.iter().find_map(missed)?;
    Some(format!(
        "one mode has an estimated {mass:.3} of the mass, but half of the replicas spent {time:.3} \
         of the time there"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ais::{Search, Share},
        estimator::tempering::Swaps,
    };

    const LOG_Z: f64 = 100.0;

    fn measured(log_z: f64) -> Measured {
        Measured { log_z, standard_error: 0.02 }
    }

    fn estimate(log_z: f64) -> Estimate {
        Estimate { log_z, standard_error: 0.05, effective_chains: 200.0 }
    }

    fn share(share: f64) -> Share {
        Share { share, standard_error: 0.01 }
    }

    /// Consistent figures: two modes, with 0.7 and 0.3 of the mass.
    fn agreed() -> Ais {
        let part = |of: f64| Part {
            annealed: Measured { log_z: LOG_Z + of.ln(), standard_error: 0.1 },
            from_base: share(of - 0.01),
            from_data: share(of + 0.01),
        };
        Ais {
            log_z: LOG_Z,
            log_z_low: LOG_Z - 0.05,
            log_z_high: LOG_Z + 0.05,
            tempered: Tempered {
                all: measured(LOG_Z),
                from_base: measured(LOG_Z - 0.02),
                from_data: measured(LOG_Z + 0.02),
                chains: 100,
                rounds: 1000,
                idle_chains: 0,
                swaps: Swaps { round_trips: 2000, ..Swaps::default() },
            },
            forward: estimate(LOG_Z - 0.03),
            reverse: estimate(LOG_Z + 0.03),
            search: Search {
                even: estimate(LOG_Z - 1.0),
                cells: measured(LOG_Z),
                parts: vec![part(0.7), part(0.3)],
            },
            chains: 400,
            temperatures: 10_000,
            doubt: None,
        }
    }

    #[test]
    fn figures_that_agree_are_believed_and_none_that_contradict_another() {
        assert_eq!(find(&agreed()), None);
        type Change = fn(&mut Ais);
        let contradictions: [(&str, Change); 13] = [
            ("bracket is 1.05 nats wide", |ais| ais.log_z_high = LOG_Z + 1.0),
            ("chains annealed backwards are worth only 2.0", |ais| ais.reverse.effective_chains = 2.0),
            ("0.99 round trips per chain", |ais| ais.tempered.swaps.round_trips = 99),
            ("5 chains made no round trip", |ais| ais.tempered.idle_chains = 5),
            ("the halves of the chains disagree by 4.9", |ais| {
                ais.tempered.from_data.log_z = LOG_Z + 0.12;
            }),
            ("log Z is 100.300 ± 0.050 annealed forwards", |ais| {
                // Replicas miss mass that chains annealed from the base find.
                (ais.forward.log_z, ais.reverse.log_z) = (LOG_Z + 0.3, LOG_Z + 0.3);
            }),
            ("99.700 ± 0.050 backwards", |ais| {
                (ais.forward.log_z, ais.reverse.log_z) = (LOG_Z - 0.3, LOG_Z - 0.3);
            }),
            ("log Z is 100.150 ± 0.050 annealed forwards", |ais| {
                (ais.forward.log_z, ais.reverse.log_z) = (LOG_Z + 0.15, LOG_Z - 0.15);
            }),
            ("from even odds find log Z = 100.300", |ais| ais.search.even.log_z = LOG_Z + 0.3),
            ("from groups of cases find log Z = 100.300", |ais| ais.search.cells.log_z = LOG_Z + 0.3),
            ("from the base spent 20.0 % of the time in one mode, those from data 40.0 %", |ais| {
                (ais.search.parts[1].from_base, ais.search.parts[1].from_data) = (share(0.2), share(0.4));
            }),
            ("half of the replicas spent 0.000 of the time there", |ais| {
                // With 10 % of the mass.
                let annealed = Measured { log_z: LOG_Z + 0.1_f64.ln(), standard_error: 0.1 };
                let part = &mut ais.search.parts[1];
                (part.annealed, part.from_base, part.from_data) = (annealed, share(0.0), share(0.02));
                part.from_base.standard_error = 0.0;
            }),
            ("half of the replicas spent 0.290 of the time there", |ais| {
                // log Z is too low, so the cell has more of the mass.
                ais.search.parts[1].annealed = Measured { log_z: LOG_Z + 0.4_f64.ln(), standard_error: 0.01 };
            }),
        ];
        for (expected, change) in contradictions {
            let mut ais = agreed();
            change(&mut ais);
            let found = find(&ais).unwrap_or_default();
            assert!(
                found.contains(expected) && found.contains("try more"),
                "expected {expected:?} in {found:?}"
            );
        }
    }

    #[test]
    fn few_chains_may_disagree_by_more() {
        // Critical values of Student's t at the level of 3 standard deviations: Abramowitz and Stegun, table 26.10.
        assert!((limit(102) - 3.075).abs() < 0.001 && (limit(20) - 3.417).abs() < 0.001);
    }
}
