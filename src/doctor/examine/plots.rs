//! Pictures of what was found: costs, with the levels of reconstructions that learnt nothing; histograms of parameters and
//! of their updates; hidden activity, one row for each case (Hinton 2010, section 15).

use std::{fs, path::PathBuf};

use image::{GrayImage, Luma};

use crate::{
    chart::{self, Axis, Chart, Curve, INK, PALETTE, Scale, histogram},
    doctor::{
        activity::deviations,
        levels::{Levels, Saturated},
        log::{Log, LogFigures},
    },
    error::{Error, Result, usage},
    output::Target,
    rbm::{Rbm, Side},
    units::Kind,
};

/// The most hidden units in a picture.
const MOST_UNITS: usize = 2000;
/// Pixels of a picture of curves or histograms.
pub(crate) const SIZE: (u32, u32) = (820, 480);

/// A folder of pictures.
pub struct Plots {
    folder: PathBuf,
    written: Vec<PathBuf>,
}

impl Plots {
    /// Makes the folder, before any work is done.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot be made or has anything in it.
    pub fn new(folder: PathBuf) -> Result<Self> {
        let unusable = |error: std::io::Error| {
            Error::Usage(format!("‹plots› {}: cannot be used ({error}); name a new folder", folder.display()))
        };
        fs::create_dir_all(&folder).map_err(unusable)?;
        if fs::read_dir(&folder).map_err(unusable)?.next().is_some() {
            return usage!("‹plots› {}: the folder is not empty; name a new one", folder.display());
        }
        Ok(Self { folder, written: Vec::new() })
    }

    /// The files that were written, in order.
    pub fn written(self) -> Vec<PathBuf> {
        self.written
    }

    /// A target with the first free name.
    fn target(&mut self, name: &str) -> Result<Target> {
        let named = |n: usize| match n {
            1 => self.folder.join(format!("{name}.svg")),
            n => self.folder.join(format!("{name}-{n}.svg")),
        };
        let path = (1..).map(named).find(|path| !self.written.contains(path)).unwrap_or_default();
        self.written.push(path.clone());
        Target::new(&path, false)
    }

    /// Draws the costs, and the levels in the norm of the costs. Draws nothing without a finite cost.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn costs(&mut self, log: &Log, levels: Option<&Levels>) -> Result<()> {
        let Some(chart) = costs(log, levels) else { return Ok(()) };
        chart::write(&self.target("cost")?, SIZE, &[chart])
    }

    /// Draws the parameters of a model, or of an update.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn histograms(&mut self, name: &str, title: &str, rbm: &Rbm) -> Result<()> {
        let groups = [
            ("weights W", rbm.weights()),
            ("visible biases b", rbm.visible_bias()),
            ("hidden biases c", rbm.hidden_bias()),
        ];
        let charts: Vec<Chart> = groups
            .iter()
            .filter_map(|(group, values)| histogram(printable(&format!("{group} {title}")), values))
            .map(|chart| Chart { y: Axis { name: "count".into(), ..chart.y }, ..chart })
            .collect();
        if charts.is_empty() {
            return Ok(());
        }
        chart::write(&self.target(name)?, SIZE, &charts)
    }

    /// Draws the means of the hidden units, a row for each case, from the top, a column for each of the layer. Binary units are
    /// black for p(h=1|v) = 0 and white for 1, spins for −1 and 1; a Potts unit has a column for each state; other units are from
    /// the least to the most of all their means, each in its own scale, √γ⁻¹.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn activity(&mut self, means: &[f32], rbm: &Rbm) -> Result<()> {
        let layer = &rbm.layers().hidden;
        let hidden = layer.columns();
        let (units, cases) = (hidden.min(MOST_UNITS), means.len() / hidden);
        let scales = deviations(layer, rbm.potentials(Side::Hidden));
        let kinds: Vec<Kind> =
            layer.places().flat_map(|place| std::iter::repeat_n(place.kind, place.kind.columns())).collect();
        let scaled = |at: usize| means[at] / scales[at % hidden];
        let numbers = (0..means.len()).filter(|at| kinds[at % hidden].states().is_none()).map(scaled);
        let (least, most) =
            numbers.filter(|x| x.is_finite()).fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(x), b.max(x)));
        let grey = |at: usize| match kinds[at % hidden] {
            Kind::Binary | Kind::Potts { .. } => means[at],
            Kind::Spin => means[at].midpoint(1.0),
            Kind::Gaussian | Kind::Relu | Kind::DoubleRelu => {
                (scaled(at) - least) / (most - least).max(f32::MIN_POSITIVE)
            }
        };
        let picture = GrayImage::from_fn(units as u32, cases as u32, |unit, case| {
            let grey = grey(case as usize * hidden + unit as usize);
            Luma([(255.0 * grey).round().clamp(0.0, 255.0) as u8])
        });
        let numbered = |name: &str, count: usize| Axis {
            range: Some(0.5..count as f64 + 0.5),
            whole: true,
            ..Axis::new(name)
        };
        let first = if units < hidden { format!("the first {units} of ") } else { String::new() };
        let chart = Chart {
            title: match layer.is_binary() {
                true => format!("p(h=1|v) of {first}{hidden} hidden units: black is 0, white is 1"),
                false => {
                    let range = match most > least {
                        true => format!(": black is {least:.2}, white is {most:.2} of 1/√γ"),
                        false => ": black is the least, white is the most".into(),
                    };
                    format!("means of {first}{hidden} columns of hidden units{range}")
                }
            },
            x: numbered("hidden unit", units),
            y: Axis { down: true, ..numbered("training case", cases) },
            picture: Some(picture),
            ..Chart::default()
        };
        // Cells of whole pixels, plus the room for the axes.
        let cells = |count: usize, least: usize| (least.div_ceil(count.max(1)) * count) as u32;
        chart::write(&self.target("activity")?, (cells(units, 500) + 90, cells(cases, 400) + 80), &[chart])
    }
}

/// A text without control characters, which XML forbids.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// The chart of a log; `None` without a finite cost.
pub(crate) fn costs(log: &Log, levels: Option<&Levels>) -> Option<Chart> {
    let costs: Vec<(f64, f64)> =
        (1..).map(f64::from).zip(log.costs.iter().copied()).filter(|(_, cost)| cost.is_finite()).collect();
    let largest = costs.iter().map(|point| point.1).fold(f64::MIN, f64::max);
    let smallest = costs.iter().map(|point| point.1).fold(f64::MAX, f64::min);
    if costs.is_empty() {
        return None;
    }
    let lines = levels.map_or(Vec::new(), |levels| {
        let factor = factor(levels, log, (largest.abs() * smallest.abs().max(1e-12)).sqrt());
        let saturated = levels.saturated.map(|Saturated { all_off, all_on, .. }| {
            [
                ("all off, Σx²", all_off.total * factor, PALETTE[0]),
                ("all on, Σ(1−x)²", all_on.total * factor, PALETTE[1]),
            ]
        });
        let mean = ("mean image, Σ(x−x̄)²", levels.mean_image.total * factor, PALETTE[2]);
        saturated.into_iter().flatten().chain([mean]).collect()
    });
    let ends = (0.5, log.costs.len() as f64 + 0.5);
    // Squared errors are positive and differ by orders of magnitude; anything else gets a linear axis.
    let positive = lines.iter().map(|line| line.1).fold(smallest, f64::min) > 0.0;
    let mut curves: Vec<Curve> = lines
        .into_iter()
        .map(|(name, level, color)| {
            let name = format!("{name}: {}", chart::number(level));
            Curve { dashed: true, ..Curve::new(name, color, vec![(ends.0, level), (ends.1, level)]) }
        })
        .collect();
    curves.push(Curve::new("cost", INK, costs));
    let odd = log.costs.iter().position(|cost| !cost.is_finite());
    let marks = odd.map(|at| (at as f64 + 1.0, "not finite".into())).into_iter().collect();
    Some(Chart {
        title: printable(&log.about()),
        x: Axis { range: Some(ends.0..ends.1), whole: true, ..Axis::new("number in the log") },
        y: Axis {
            scale: if positive { Scale::Logarithmic(10.0) } else { Scale::Linear },
            ..Axis::new("cost")
        },
        legend: curves.len() > 1,
        curves,
        marks,
        ..Chart::default()
    })
}

/// The factor that takes the levels of all cases to the costs: the number of cases that two plateaus tell, else 1 for sums
/// or a factor for means, whichever brings them nearest.
fn factor(levels: &Levels, log: &Log, middle: f64) -> f64 {
    let plateaus = LogFigures::measure(log).plateaus;
    if let [a, b, ..] = plateaus.as_slice() {
        let count = levels.cases_of(a.cost, b.cost).or_else(|| levels.cases_of(b.cost, a.cost));
        if let Some(count) = count {
            return count.cases / levels.cases as f64;
        }
    }
    let apart = |factor: f64| (levels.mean_image.total * factor / middle).ln().abs();
    let norms = levels.norms();
    norms.iter().min_by(|a, b| apart(a.0).total_cmp(&apart(b.0))).map_or(1.0, |norm| norm.0)
}
