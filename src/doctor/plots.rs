//! Pictures that show what was found: the course of costs beside the levels of reconstructions that learnt nothing,
//! histograms of parameters and of their updates, and hidden activity (Hinton 2010, section 15; rows are cases).

use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use image::{GrayImage, Luma};
use plotters::{coord::Shift, prelude::*};

use super::{
    levels::Levels,
    log::{Log, LogFigures},
};
use crate::{
    error::{Error, Result, usage},
    rbm::Rbm,
};

/// Bars in a histogram.
const BARS: usize = 61;
/// Hidden units in a picture, at most.
const MOST_UNITS: usize = 2000;

type Drawn = std::result::Result<(), String>;

fn text(error: impl Display) -> String {
    error.to_string()
}

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
        write(&path, cost_svg(log, levels))
    }

    /// The parameters of a model, or of an update.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn histograms(&mut self, name: &str, title: &str, rbm: &Rbm) -> Result<()> {
        let path = self.path(name, "svg");
        let picture = svg(|area| {
            let groups = [
                ("weights W", &rbm.weights),
                ("visible biases b", &rbm.visible_bias),
                ("hidden biases c", &rbm.hidden_bias),
            ];
            for (part, (group, values)) in area.split_evenly((3, 1)).iter().zip(groups) {
                draw_histogram(part, &format!("{group} {title}"), values)?;
            }
            Ok(())
        });
        write(&path, picture)
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

fn write(path: &Path, picture: std::result::Result<String, String>) -> Result<()> {
    match picture {
        Ok(svg) => fs::write(path, svg).map_err(Error::write(path)),
        Err(reason) => usage!("{} could not be drawn: {reason}", path.display()),
    }
}

/// The picture of a log.
pub(crate) fn cost_svg(log: &Log, levels: Option<&Levels>) -> std::result::Result<String, String> {
    svg(|area| draw_costs(area, log, levels))
}

fn svg(draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Drawn) -> std::result::Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (820, 480)).into_drawing_area();
        let drawn = area
            .fill(&WHITE)
            .map_err(text)
            .and_then(|()| draw(&area))
            .and_then(|()| area.present().map_err(text));
        drawn?;
    }
    Ok(svg)
}

fn draw_costs(area: &DrawingArea<SVGBackend, Shift>, log: &Log, levels: Option<&Levels>) -> Drawn {
    let costs: Vec<(f64, f64)> =
        (1..).map(f64::from).zip(log.costs.iter().copied()).filter(|(_, cost)| cost.is_finite()).collect();
    let largest = costs.iter().map(|point| point.1).fold(f64::MIN, f64::max);
    let smallest = costs.iter().map(|point| point.1).fold(f64::MAX, f64::min);
    if costs.is_empty() {
        return Ok(());
    }
    let lines = levels.map_or(Vec::new(), |levels| {
        let factor = factor(levels, log, (largest.abs() * smallest.abs().max(1e-12)).sqrt());
        vec![
            ("all off, Σx²", levels.all_off.total * factor, BLUE),
            ("all on, Σ(1−x)²", levels.all_on.total * factor, RED),
            ("mean image, Σ(x−x̄)²", levels.mean_image.total * factor, GREEN),
        ]
    });
    let top = lines.iter().map(|line| line.1).fold(largest, f64::max);
    let bottom = lines.iter().map(|line| line.1).fold(smallest, f64::min);
    let last = log.costs.len() as f64;
    // Squared errors are positive and differ by orders of magnitude; what is not gets a plain axis.
    let logarithmic = bottom > 0.0;
    let on_axis = |y: f64| if logarithmic { y.log10() } else { y };
    let of_axis = |y: f64| if logarithmic { 10_f64.powf(y) } else { y };
    let number = |y: f64| if y.abs() >= 1000.0 { format!("{y:.0}") } else { format!("{y:.3}") };
    let (bottom, top) = (on_axis(bottom), on_axis(top));
    let margin = (0.05 * (top - bottom)).max(1e-6 * top.abs()).max(1e-12);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{} costs, called {:?}", log.costs.len(), log.key), ("sans-serif", 16))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(84)
        .build_cartesian_2d(0.5..last + 0.5, bottom - margin..top + margin)
        .map_err(text)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("number in the log")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_desc("cost")
        .y_label_formatter(&|y| number(of_axis(*y)))
        .draw()
        .map_err(text)?;
    for (name, level, color) in lines {
        chart
            .draw_series(LineSeries::new(
                [(0.5, on_axis(level)), (last + 0.5, on_axis(level))],
                color.stroke_width(1),
            ))
            .map_err(text)?
            .label(format!("{name}: {}", number(level)))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(1)));
    }
    chart
        .draw_series(
            LineSeries::new(costs.iter().map(|&(x, cost)| (x, on_axis(cost))), BLACK.stroke_width(2))
                .point_size(2),
        )
        .map_err(text)?
        .label("cost")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BLACK.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(text)
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

fn draw_histogram(area: &DrawingArea<SVGBackend, Shift>, title: &str, values: &[f32]) -> Drawn {
    let finite: Vec<f64> = values.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite()).collect();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
    if finite.is_empty() {
        return Ok(());
    }
    let (low, high) = if low < high { (low, high) } else { (low - 1e-3, high + 1e-3) };
    let width = (high - low) / BARS as f64;
    let mut counts = [0_usize; BARS];
    for x in &finite {
        counts[(((x - low) / width) as usize).min(BARS - 1)] += 1;
    }
    let top = counts.iter().copied().max().unwrap_or(1) as f64 * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 13))
        .margin(6)
        .x_label_area_size(20)
        .y_label_area_size(60)
        .build_cartesian_2d(low..high, 0.0..top)
        .map_err(text)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| if high - low < 0.05 { format!("{x:.1e}") } else { format!("{x:.2}") })
        .y_label_formatter(&|y| format!("{y:.0}"))
        .y_labels(4)
        .draw()
        .map_err(text)?;
    let bars = counts.iter().enumerate().map(|(bar, &count)| {
        let left = low + bar as f64 * width;
        Rectangle::new([(left, 0.0), (left + width, count as f64)], BLUE.mix(0.6).filled())
    });
    chart.draw_series(bars).map_err(text)?;
    Ok(())
}
