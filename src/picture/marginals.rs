//! The columns of the data beside those of the model's chains, as SVG.

use super::svg;
use crate::{
    data::Encoding,
    units::{Domain, Marginals},
};

/// The most lines.
const MOST: usize = 100;
/// Height of a line, and of a bar.
const LINE: f32 = 22.0;
const BAR: f32 = 7.0;
/// Positions and width of the bars; width of the picture.
const LEFT: f32 = 150.0;
const WIDTH: f32 = 300.0;
const ALL: f32 = 640.0;
/// Colours of the data and of the model (Okabe and Ito 2008).
const COLORS: [&str; 2] = ["#0072b2", "#e69f00"];

/// A line: one number of a column.
struct Line {
    name: String,
    /// The data's, the model's.
    means: [f64; 2],
    /// Where the column has other numbers than shares.
    deviations: Option<[f64; 2]>,
    /// The ends of the bars' scale.
    scale: [f64; 2],
}

/// Frequencies of the states of binary and Potts units, means of spins, and means and standard deviations of other units, in
/// the numbers of the file: of the data above those of the model.
pub fn marginals(data: &Marginals, model: &Marginals, encoding: &Encoding) -> String {
    let all = lines([data, model], encoding);
    let shown = &all[..all.len().min(MOST)];
    let mut drawing = svg::Drawing::new(ALL, LINE * (shown.len() + 2) as f32);
    let (middle, right) = (LEFT + WIDTH / 2.0, LEFT + WIDTH + 10.0);
    for (at, (name, color)) in ["data", "model"].into_iter().zip(COLORS).enumerate() {
        let x = LEFT + 90.0 * at as f32;
        drawing.bar((x, x + 14.0), (8.0, BAR), color);
        drawing.text((x + 20.0, 15.0), svg::Anchor::Start, name);
    }
    for (number, line) in shown.iter().enumerate() {
        let top = LINE * (number + 1) as f32 + 3.0;
        let [low, high] = line.scale;
        let x = |value: f64| LEFT + WIDTH * ((value - low) / (high - low)).clamp(0.0, 1.0) as f32;
        drawing.text((LEFT - 8.0, top + 11.0), svg::Anchor::End, &line.name);
        if line.deviations.is_none() {
            drawing.line((x(0.0), top - 1.0), (x(0.0), top + 2.0 * BAR + 2.0));
        }
        for which in 0..2 {
            let (mean, top) = (line.means[which], top + which as f32 * (BAR + 1.0));
            if !mean.is_finite() {
                continue;
            }
            match line.deviations {
                None => drawing.bar((x(0.0), x(mean)), (top, BAR), COLORS[which]),
                Some(deviations) => {
                    let deviation = deviations[which];
                    let ends = (x(mean - deviation), x(mean + deviation));
                    drawing.bar(ends, (top + BAR / 2.0 - 1.0, 2.0), COLORS[which]);
                    drawing.bar((x(mean) - 2.0, x(mean) + 2.0), (top, BAR), COLORS[which]);
                }
            }
        }
        let figure = |which: usize| match line.deviations {
            None => format!("{:.3}", line.means[which]),
            Some(deviations) => format!("{:.3} ± {:.3}", line.means[which], deviations[which]),
        };
        let text = format!("{} | {}", figure(0), figure(1));
        drawing.text((right, top + 11.0), svg::Anchor::Start, &text);
    }
    if shown.len() < all.len() {
        let text = format!("the first {} of {} lines", shown.len(), all.len());
        drawing.text((middle, LINE * (shown.len() + 1) as f32 + 14.0), svg::Anchor::Middle, &text);
    }
    drawing.finish()
}

fn lines(both: [&Marginals; 2], encoding: &Encoding) -> Vec<Line> {
    let mut lines = Vec::new();
    for (unit, place) in encoding.layer.places().enumerate() {
        let column = place.column;
        let means = both.map(|marginals| marginals.means[column]);
        let plain = |name: String, means, scale| Line { name, means, deviations: None, scale };
        match place.kind.domain() {
            Domain::Bits => lines.push(plain(format!("column {unit}: 1"), means, [0.0, 1.0])),
            Domain::Signs => lines.push(plain(format!("column {unit}: mean"), means, [-1.0, 1.0])),
            Domain::OneHot => lines.extend((0..place.kind.columns()).map(|state| {
                let means = both.map(|marginals| marginals.means[column + state]);
                plain(format!("column {unit}: {state}"), means, [0.0, 1.0])
            })),
            Domain::Real | Domain::NotNegative => {
                let (shift, factor) = match encoding.means.is_empty() {
                    true => (0.0, 1.0),
                    false => (f64::from(encoding.means[column]), f64::from(encoding.deviations[column])),
                };
                let means = means.map(|mean| mean * factor + shift);
                let deviations = both.map(|marginals| marginals.variances[column].max(0.0).sqrt() * factor);
                let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
                for (mean, deviation) in means.iter().zip(&deviations) {
                    (low, high) = (low.min(mean - 1.5 * deviation), high.max(mean + 1.5 * deviation));
                }
                // Numbers that are not finite, or all alike, have no scale.
                let scale = if high > low && (high - low).is_finite() {
                    [low, high]
                } else {
                    [means[0] - 1.0, means[0] + 1.0]
                };
                let name = format!("column {unit}: mean ± sd");
                lines.push(Line { name, means, deviations: Some(deviations), scale });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_shown_in_the_numbers_of_the_file() {
        let layer = "1 binary, 1 spin, 1 potts:3, 1 gaussian".parse().unwrap();
        let (mut means, mut deviations) = (vec![0.0; 6], vec![1.0; 6]);
        (means[5], deviations[5]) = (10.0, 2.0);
        let encoding = Encoding { means, deviations, ..Encoding::new(layer) };
        let data = Marginals { means: vec![0.25, -0.5, 0.1, 0.2, 0.7, 0.0], variances: vec![1.0; 6] };
        let model = Marginals { means: vec![0.5, 0.5, 0.3, 0.3, 0.4, 0.5], variances: vec![2.25; 6] };
        let svg = marginals(&data, &model, &encoding);
        for line in [
            "column 0: 1<",
            ">0.250 | 0.500<",
            ">-0.500 | 0.500<",
            "column 2: 2<",
            ">0.700 | 0.400<",
            ">10.000 ± 2.000 | 11.000 ± 3.000<",
            // A quarter and a half of the width.
            "<path d=\"M150 25h75v7h-75z\" fill=\"#0072b2\"/>",
            "<path d=\"M150 33h150v7h-150z\" fill=\"#e69f00\"/>",
        ] {
            assert!(svg.contains(line), "{line} in {svg}");
        }
    }
}
