//! The plot of a sweep.

use plotters::prelude::*;

use super::sweep::SweepReport;
use crate::{
    chart::{self, Axis, Chart, Curve, Scale},
    error::Result,
    output::Target,
};

/// Plots FLOP/s over the cases in a minibatch to an SVG file, with a line per number of hidden units and two logarithmic axes.
///
/// # Errors
/// If the file cannot be written.
pub fn plot(report: &SweepReport, target: &Target) -> Result<()> {
    chart::write(target, (820, 480), &[sweep(report)])
}

fn sweep(report: &SweepReport) -> Chart {
    let mut hidden: Vec<usize> = report.points.iter().map(|point| point.hidden).collect();
    hidden.dedup();
    let curves = hidden.iter().enumerate().map(|(line, &units)| {
        let points = report.points.iter().filter(|point| point.hidden == units);
        let points = points.map(|point| (point.batch as f64, point.gflops)).collect();
        // A sequential colour scale, because the sizes are ordered.
        let color = ViridisRGB.get_color(line as f64 / hidden.len() as f64);
        Curve::new(format!("{units} hidden units"), color, points)
    });
    Chart {
        title: format!("CD-{}, {} visible units: {}", report.cd, report.visible, report.device),
        x: Axis { scale: Scale::Logarithmic(2.0), ..Axis::new("cases in a minibatch") },
        y: Axis { scale: Scale::Logarithmic(10.0), ..Axis::new("GFLOP/s of the products") },
        curves: curves.collect(),
        legend: true,
        ..Chart::default()
    }
}
