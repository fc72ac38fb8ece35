//! The plot of a sweep.

use std::{fmt::Display, fs, path::Path};

use plotters::prelude::*;

use super::sweep::SweepReport;
use crate::error::{Error, Result};

/// Writes an SVG file: floating-point operations a second over the cases in a minibatch, a line for each number of
/// hidden units, both on logarithmic axes.
///
/// # Errors
/// If the file cannot be written.
pub fn plot(report: &SweepReport, path: &Path) -> Result<()> {
    let mut svg = String::new();
    draw(report, &mut svg)
        .map_err(|reason| Error::Usage(format!("the plot could not be drawn: {reason}")))?;
    fs::write(path, svg).map_err(Error::write(path))
}

fn draw(report: &SweepReport, svg: &mut String) -> std::result::Result<(), String> {
    fn text(error: impl Display) -> String {
        error.to_string()
    }
    let batches = report.points.iter().map(|point| point.batch as f64);
    let gflops = report.points.iter().map(|point| point.gflops);
    let (left, right) = (batches.clone().fold(f64::MAX, f64::min), batches.fold(0.0, f64::max));
    let (bottom, top) = (gflops.clone().fold(f64::MAX, f64::min), gflops.fold(0.0, f64::max));

    let area = SVGBackend::with_string(svg, (820, 480)).into_drawing_area();
    area.fill(&WHITE).map_err(text)?;
    let title = format!("CD-{}, {} visible units: {}", report.cd, report.visible, report.device);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 16))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((left..right * 1.05).log_scale().base(2.0), (bottom / 1.3..top * 1.3).log_scale())
        .map_err(text)?;
    chart
        .configure_mesh()
        .x_desc("cases in a minibatch")
        .y_desc("GFLOP/s of the products")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()
        .map_err(text)?;
    let mut hidden: Vec<usize> = report.points.iter().map(|point| point.hidden).collect();
    hidden.dedup();
    for (line, &units) in hidden.iter().enumerate() {
        let color = ViridisRGB.get_color(line as f64 / hidden.len() as f64);
        let points: Vec<(f64, f64)> = report
            .points
            .iter()
            .filter(|point| point.hidden == units)
            .map(|point| (point.batch as f64, point.gflops))
            .collect();
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(3))
            .map_err(text)?
            .label(format!("{units} hidden units"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(text)?;
    area.present().map_err(text)
}
