//! Pictures that show what was found: the course of costs beside the levels of reconstructions that learnt nothing,
//! histograms of parameters and of their updates, and hidden activity (Hinton 2010, section 15; rows are cases).

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::{GrayImage, Luma};
use plotters::prelude::*;

use super::{
    levels::Levels,
    log::{Log, LogFigures},
};
use crate::{
    chart::{self, Axis, Chart, Curve, Scale, histogram},
    error::{Error, Result, usage},
    rbm::Rbm,
};

/// Hidden units in a picture, at most.
const MOST_UNITS: usize = 2000;

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
            Error::Usage(format!("--plots {}: cannot be used ({error}); name a new folder", folder.display()))
        };
        fs::create_dir_all(&folder).map_err(unusable)?;
        if fs::read_dir(&folder).map_err(unusable)?.next().is_some() {
            return usage!("--plots {}: the folder is not empty; name a new one", folder.display());
        }
        Ok(Self { folder, written: Vec::new() })
    }

    /// All files, in order.
    pub fn written(self) -> Vec<PathBuf> {
        self.written
    }

    /// The first free name.
    fn path(&mut self, name: &str, extension: &str) -> PathBuf {
        let named = |n: usize| match n {
            1 => self.folder.join(format!("{name}.{extension}")),
            n => self.folder.join(format!("{name}-{n}.{extension}")),
        };
        let path = (1..).map(named).find(|path| !self.written.contains(path)).unwrap_or_default();
        self.written.push(path.clone());
        path
    }

    /// The costs, and the levels that they may stand at: those that are summed or averaged as the costs are.
    ///
    /// # Errors
    /// [`Error::Write`]; so for the others.
    pub fn costs(&mut self, log: &Log, levels: Option<&Levels>) -> Result<()> {
        let path = self.path("cost", "svg");
        write(&path, costs(log, levels).as_slice())
    }

    /// The parameters of a model, or of an update.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn histograms(&mut self, name: &str, title: &str, rbm: &Rbm) -> Result<()> {
        let path = self.path(name, "svg");
        let groups = [
            ("weights W", &rbm.weights),
            ("visible biases b", &rbm.visible_bias),
            ("hidden biases c", &rbm.hidden_bias),
        ];
        let charts =
            groups.iter().filter_map(|(group, values)| histogram(format!("{group} {title}"), values));
        write(&path, &charts.collect::<Vec<_>>())
    }

    /// p(h=1|v), black for 0 and white for 1: a row for each case, a column for each hidden unit.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn activity(&mut self, means: &[f32], hidden: usize) -> Result<()> {
        let path = self.path("activity", "png");
        let (width, height) = (hidden.min(MOST_UNITS), means.len() / hidden);
        let zoom = (300 / width.max(1)).clamp(1, 12) as u32;
        let picture = GrayImage::from_fn(width as u32 * zoom, height as u32 * zoom, |x, y| {
            let (unit, case) = ((x / zoom) as usize, (y / zoom) as usize);
            Luma([(255.0 * means[case * hidden + unit]).round().clamp(0.0, 255.0) as u8])
        });
        picture
            .save(&path)
            .map_err(|error| Error::Write { path, source: std::io::Error::other(error.to_string()) })
    }
}

fn write(path: &Path, charts: &[Chart]) -> Result<()> {
    let svg = drawn(charts)
        .map_err(|reason| Error::Usage(format!("{} could not be drawn: {reason}", path.display())))?;
    fs::write(path, svg).map_err(Error::write(path))
}

fn drawn(charts: &[Chart]) -> std::result::Result<String, String> {
    chart::svg((820, 480), 1, Some(WHITE), charts)
}

/// The picture of a log.
pub(crate) fn cost_svg(log: &Log, levels: Option<&Levels>) -> std::result::Result<String, String> {
    drawn(costs(log, levels).as_slice())
}

/// The chart of a log; none where no cost is a number.
fn costs(log: &Log, levels: Option<&Levels>) -> Option<Chart> {
    let costs: Vec<(f64, f64)> =
        (1..).map(f64::from).zip(log.costs.iter().copied()).filter(|(_, cost)| cost.is_finite()).collect();
    let largest = costs.iter().map(|point| point.1).fold(f64::MIN, f64::max);
    let smallest = costs.iter().map(|point| point.1).fold(f64::MAX, f64::min);
    if costs.is_empty() {
        return None;
    }
    let lines = levels.map_or(Vec::new(), |levels| {
        let factor = factor(levels, log, (largest.abs() * smallest.abs().max(1e-12)).sqrt());
        vec![
            ("all off, Σx²", levels.all_off.total * factor, BLUE),
            ("all on, Σ(1−x)²", levels.all_on.total * factor, RED),
            ("mean image, Σ(x−x̄)²", levels.mean_image.total * factor, GREEN),
        ]
    });
    let ends = (0.5, log.costs.len() as f64 + 0.5);
    // Squared errors are positive and differ by orders of magnitude; what is not gets a plain axis.
    let positive = lines.iter().map(|line| line.1).fold(smallest, f64::min) > 0.0;
    let mut curves: Vec<Curve> = lines
        .into_iter()
        .map(|(name, level, color)| {
            let name = format!("{name}: {}", chart::number(level));
            Curve { dashed: true, ..Curve::new(name, color, vec![(ends.0, level), (ends.1, level)]) }
        })
        .collect();
    curves.push(Curve::new("cost", BLACK, costs));
    Some(Chart {
        title: format!("{} costs, called {:?}", log.costs.len(), log.key),
        x: Axis { range: Some(ends.0..ends.1), whole: true, ..Axis::new("number in the log") },
        y: Axis {
            scale: if positive { Scale::Logarithmic(10.0) } else { Scale::Linear },
            ..Axis::new("cost")
        },
        curves,
        legend: Some(SeriesLabelPosition::MiddleRight),
        ..Chart::default()
    })
}

/// By what the levels of all cases are to be multiplied: by as many cases as two plateaus tell; else 1 for sums over the
/// cases, or what makes means of them, whichever brings them nearest to the costs.
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
