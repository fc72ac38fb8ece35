//! The curves over the epochs: for one run, all that is known; for several, one curve for each run.

use super::record::Record;
use crate::{
    chart::{self, Axis, Chart, Curve, GRID, PALETTE, Scale},
    data::end_to_end,
    train::EpochMetrics,
    wording::{self, Spelling},
};

/// The most rows of a table.
const MOST_ROWS: usize = 2000;
/// Positive values with a larger ratio get a logarithmic axis.
const RATIO: f64 = 30.0;

/// The bounds of a figure, if it has any.
type Bracket = Option<(f64, f64)>;
/// A figure of an epoch with its bounds, if it was measured there.
type Figure = Option<(f64, Bracket)>;
/// A curve's name, and how to get its figures.
type Taken = (&'static str, fn(&EpochMetrics) -> Figure);

/// A quantity that is measured in epochs.
struct Quantity {
    title: &'static str,
    axis: &'static str,
    /// The curves. Runs are compared by the first.
    curves: &'static [Taken],
    note: &'static str,
}

const QUANTITIES: &[Quantity] = &[
    Quantity {
        title: "Reconstruction error",
        axis: "Σ (x − p(v|h))² a case",
        curves: &[
            ("held-out cases", |epoch| number(epoch.reconstruction_error)),
            ("training cases, as the chains left them", |epoch| number(epoch.training_reconstruction_error?)),
        ],
        note: "It falls while a model learns, but is not what an RBM maximises.",
    },
    Quantity {
        title: "Log-likelihood",
        axis: "nats a case",
        curves: &[
            ("test cases", |epoch| {
                let held_out = epoch.eval.as_ref()?.likelihood.held_out()?;
                Some((held_out.mean, held_out.bracket))
            }),
            ("training cases", |epoch| {
                let likelihood = &epoch.eval.as_ref()?.likelihood;
                // Without test cases, these are the first curve.
                likelihood.test_log_likelihood?;
                Some(likelihood.training())
            }),
        ],
        note: "Exact where a layer is small; else the bracket spans the estimates of annealed importance sampling in both directions.",
    },
    Quantity {
        title: "Pseudo-log-likelihood",
        axis: "nats a visible unit",
        curves: &[("held-out cases", |epoch| {
            number(epoch.eval.as_ref()?.likelihood.pseudo_log_likelihood_per_unit)
        })],
        note: "Of each unit, given all others: it needs no partition function.",
    },
    Quantity {
        title: "Free-energy gap",
        axis: "training less test, nats",
        curves: &[("training less test cases", |epoch| {
            number(epoch.eval.as_ref()?.likelihood.free_energy_gap?)
        })],
        note: "The further below 0, the more the model prefers its training cases to unseen ones: overfitting.",
    },
    Quantity {
        title: "Swaps accepted",
        axis: "share of those tried",
        curves: &[("mean, and the least and the most willing pair", |epoch| {
            let rates = &epoch.swaps.as_ref()?.acceptance;
            let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
            let least = rates.iter().copied().reduce(f64::min)?;
            Some((mean, Some((least, rates.iter().copied().fold(least, f64::max)))))
        })],
        note: "Between neighbouring temperatures, or snapshots: if few are accepted, more ‹temperatures› help.",
    },
    Quantity {
        title: "Round trips",
        axis: "replicas",
        curves: &[("from the other end to the model", |epoch| {
            number(epoch.swaps.as_ref()?.round_trips as f64)
        })],
        note: "Replicas that came all the way: how well the chains mix.",
    },
    Quantity {
        title: "Speed",
        axis: "samples a second",
        curves: &[("training cases learnt from in a second", |epoch| number(epoch.samples_per_second))],
        note: "Without the time that measuring takes.",
    },
];

/// A figure, if it is finite.
fn number(value: f64) -> Figure {
    Some((value, None))
}

/// A chart with its legend, its note, and its figures as a table.
pub struct Plot {
    pub title: &'static str,
    pub note: String,
    pub chart: Chart,
    /// The heads of the table's columns.
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Number of rows without the limit.
    pub of: usize,
}

/// The plots of one run, or of several with these names. A quantity that was never measured has no plot.
pub fn plots(records: &[&Record], names: &[String], spelling: Spelling) -> Vec<Plot> {
    QUANTITIES.iter().filter_map(|quantity| plot(quantity, records, names, spelling)).collect()
}

fn plot(quantity: &Quantity, records: &[&Record], names: &[String], spelling: Spelling) -> Option<Plot> {
    let alone = records.len() == 1;
    let mut columns = Vec::new();
    for (run, (record, name)) in records.iter().zip(names).enumerate() {
        let own = if alone { quantity.curves } else { &quantity.curves[..1] };
        for (at, (curve, figure)) in own.iter().enumerate() {
            let held_out = record.last_eval().and_then(|(_, eval)| eval.likelihood.held_out());
            let of_test = held_out.is_none_or(|held_out| held_out.is_test);
            let curve = if *curve == "test cases" && !of_test { "training cases" } else { curve };
            let values: Vec<_> = record
                .epochs
                .iter()
                .filter_map(|epoch| {
                    Some((epoch.epoch, figure(epoch).filter(|(value, _)| value.is_finite())?))
                })
                .collect();
            if !values.is_empty() {
                columns.push((
                    if alone { curve.to_string() } else { name.clone() },
                    if alone { at } else { run },
                    values,
                ));
            }
        }
    }
    if columns.is_empty() {
        return None;
    }
    // All plots have the same range of epochs.
    let epochs = || records.iter().flat_map(|record| record.epochs.iter().map(|epoch| epoch.epoch));
    let (first, last) = (epochs().min()? as f64, epochs().max()? as f64);
    let all = || columns.iter().flat_map(|column| column.2.iter().map(|value| value.1.0));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let scale = if low > 0.0 && high > RATIO * low { Scale::Logarithmic(10.0) } else { Scale::Linear };
    let margin = (0.02 * (last - first)).max(0.4);
    let curves = columns.iter().map(|(name, color, values)| Curve {
        bracket: values
            .iter()
            .filter_map(|(epoch, (_, bracket))| bracket.map(|(low, high)| (*epoch as f64, low, high)))
            .collect(),
        dashed: *color >= PALETTE.len(),
        ..Curve::new(
            name,
            PALETTE[color % PALETTE.len()],
            values.iter().map(|&(epoch, (value, _))| (epoch as f64, value)).collect(),
        )
    });
    let chart = Chart {
        x: Axis { whole: true, range: Some(first - margin..last + margin), ..Axis::new("epoch") },
        y: Axis { scale, ..Axis::new(quantity.axis) },
        curves: curves.collect(),
        marks: if alone { marks(records[0]) } else { Vec::new() },
        ..Chart::default()
    };
    let (head, rows, of) = table(&columns);
    let note = wording::spelled(quantity.note, spelling);
    Some(Plot { title: quantity.title, note, chart, head, rows, of })
}

/// The epochs of findings, with their numbers.
fn marks(record: &Record) -> Vec<(f64, String)> {
    let mut marks: Vec<(f64, String)> = Vec::new();
    for (number, (epoch, _)) in (1..).zip(&record.findings) {
        match marks.last_mut() {
            Some((at, label)) if *at == *epoch as f64 => *label += &format!(", {number}"),
            _ => marks.push((*epoch as f64, number.to_string())),
        }
    }
    marks
}

/// A name, the number of a colour, and the figures by epoch.
type Column = (String, usize, Vec<(usize, (f64, Bracket))>);

fn table(columns: &[Column]) -> (Vec<String>, Vec<Vec<String>>, usize) {
    let mut epochs: Vec<usize> =
        columns.iter().flat_map(|column| column.2.iter().map(|value| value.0)).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let cell = |column: &Column, epoch: usize| {
        let at = column.2.binary_search_by_key(&epoch, |value| value.0).ok();
        at.map_or(String::new(), |at| figure(column.2[at].1.0, column.2[at].1.1))
    };
    let row = |epoch: usize| {
        let cells = columns.iter().map(|column| cell(column, epoch));
        std::iter::once(epoch.to_string()).chain(cells).collect()
    };
    let shown = end_to_end(epochs.len(), MOST_ROWS).into_iter().map(|at| row(epochs[at])).collect();
    let head = std::iter::once("epoch".into()).chain(columns.iter().map(|column| column.0.clone()));
    (head.collect(), shown, epochs.len())
}

/// A value and its bounds.
pub fn figure(value: f64, bracket: Bracket) -> String {
    let value = chart::number(value);
    match bracket {
        Some((low, high)) => format!("{value} ({} to {})", chart::number(low), chart::number(high)),
        None => value,
    }
}

/// The colours that the page's style sheet names, with their counterparts in dark mode.
pub fn colors() -> Vec<(String, String)> {
    const DARK: [&str; 8] =
        ["#58b0ee", "#ff9a52", "#3fd0a8", "#ee8cc6", "#d8c04a", "#9cd3f5", "#b99ae8", "#b4b4b4"];
    let curves = PALETTE.into_iter().zip(DARK);
    let others = [(chart::INK, "#b8bec6"), (GRID, "#30363d"), (chart::MARK, "#ff7b88")];
    curves.chain(others).map(|(light, dark)| (chart::hex(light), dark.to_string())).collect()
}
