//! Charts as SVG: the only place that determines how curves, brackets, marks and histograms look.
//!
//! A [`Chart`] is described, then drawn by [`svg`], as a file or for the report's page. The page's style sheet finds the
//! colours by name and replaces them in dark mode.

mod histogram;
mod legend;
mod picture;
mod ticks;

use std::{fmt::Display, ops::Range};

use image::GrayImage;

use plotters::{
    coord::{
        Shift,
        ranged1d::{DefaultFormatting, KeyPointHint},
        types::RangedCoordf64,
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

pub(crate) use histogram::histogram;
use picture::embedded;
pub(crate) use ticks::number;
use ticks::{Ticks, ticks};

use crate::{
    error::{Error, Result as Done},
    output::Target,
};

/// Colours of curves, distinguishable with colour blindness (after Okabe and Ito 2008).
pub(crate) const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 104),
    RGBColor(196, 78, 146),
    RGBColor(138, 118, 0),
    RGBColor(58, 148, 205),
    RGBColor(118, 84, 172),
    RGBColor(102, 102, 102),
];
/// Colours of text and axes, of lines behind the curves, and of marks.
pub(crate) const INK: RGBColor = RGBColor(68, 68, 68);
pub(crate) const GRID: RGBColor = RGBColor(221, 221, 221);
pub(crate) const MARK: RGBColor = RGBColor(187, 0, 51);

/// The largest absolute value on a linear axis.
const LARGEST: f64 = f64::MAX / 2.0;
/// Curves with more points are thinned to the minimum and maximum of each part.
const MOST_POINTS: usize = 800;
/// Curves with at most this many points show each point.
const DOTS: usize = 40;

/// A colour in SVG notation.
pub(crate) fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Scale of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Scale {
    #[default]
    Linear,
    /// Logarithmic, with ticks at powers of this base.
    Logarithmic(f64),
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            // The length of an axis must be finite.
            Self::Linear if value.is_finite() => value.clamp(-LARGEST, LARGEST),
            Self::Linear => value,
            Self::Logarithmic(_) => value.ln(),
        }
    }
}

/// An axis: its name and scale.
#[derive(Clone, Debug, Default)]
pub(crate) struct Axis {
    pub name: String,
    pub scale: Scale,
    /// Whether only integers make sense, as for epochs.
    pub whole: bool,
    /// Whether values grow downwards.
    pub down: bool,
    /// The range; by default that of the curves, with a margin.
    pub range: Option<Range<f64>>,
}

/// A curve.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub name: String,
    pub color: RGBColor,
    pub points: Vec<(f64, f64)>,
    /// Bracket of the true value: x, low and high.
    pub bracket: Vec<(f64, f64, f64)>,
    pub dashed: bool,
}

impl Curve {
    pub fn new(name: impl Into<String>, color: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), color, points, bracket: Vec::new(), dashed: false }
    }
}

/// A chart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub curves: Vec<Curve>,
    /// Range and height of each bar.
    pub bars: Vec<(Range<f64>, f64)>,
    /// Marks on the x axis, with their text.
    pub marks: Vec<(f64, String)>,
    /// Whether to show a legend.
    pub legend: bool,
    /// A picture that fills the plane, first row at the top.
    pub picture: Option<GrayImage>,
}

type Drawn = Result<(), String>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Marked, Marked>>;

/// A range with ticks.
struct Marked {
    range: RangedCoordf64,
    places: Vec<f64>,
}

impl Ranged for Marked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.places.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Draws charts below each other, as an SVG image of this size in pixels, enlarged by a factor, on the colour `paper`.
///
/// # Errors
/// The plotting library's message.
pub(crate) fn svg(
    (width, height): (u32, u32),
    zoom: u32,
    paper: Option<RGBColor>,
    charts: &[Chart],
) -> Result<String, String> {
    let (mut svg, mut pictures) = (String::new(), String::new());
    {
        let area = SVGBackend::with_string(&mut svg, (width * zoom, height * zoom)).into_drawing_area();
        if let Some(paper) = paper {
            area.fill(&paper).map_err(text)?;
        }
        for (part, chart) in area.split_evenly((charts.len().max(1), 1)).iter().zip(charts) {
            let plane = chart.draw(part, zoom)?;
            pictures.extend(chart.picture.iter().map(|picture| embedded(picture, &plane)));
        }
        area.present().map_err(text)?;
    }
    // Drawn larger, shown in its size.
    let size = |zoom: u32| format!("width=\"{}\" height=\"{}\"", width * zoom, height * zoom);
    let svg = svg.replacen(&size(zoom), &size(1), 1);
    let (drawn, end) = svg.rsplit_once("</svg>").unwrap_or((&svg, ""));
    Ok(format!("{drawn}{pictures}</svg>{end}"))
}

/// Draws charts below each other on white, as an SVG file of this size in pixels.
///
/// # Errors
/// The plotting library's message.
pub(crate) fn page(size: (u32, u32), charts: &[Chart]) -> Result<String, String> {
    svg(size, 2, Some(WHITE), charts)
}

/// Writes charts to an SVG file.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn write(target: &Target, size: (u32, u32), charts: &[Chart]) -> Done<()> {
    let svg = page(size, charts).map_err(|reason| {
        Error::Usage(format!("{} could not be drawn: {reason}", target.path().display()))
    })?;
    target.write(|file| file.write_all(svg.as_bytes()))
}

/// A font of this height in pixels.
fn font(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Approximate width of a text in pixels.
fn wide(text: &str, size: u32) -> u32 {
    (text.chars().count() as f64 * f64::from(size) * 0.6) as u32
}

/// Shortens a text in the middle if it is wider than `width` pixels.
fn fitting(text: &str, size: u32, width: u32) -> String {
    let letters: Vec<char> = text.chars().collect();
    let most = (f64::from(width) / (0.6 * f64::from(size))) as usize;
    if letters.len() <= most {
        return text.to_string();
    }
    let half = most.saturating_sub(1) / 2;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}

impl Chart {
    /// All x and y of curves, brackets and bars, without values that are not finite or have no logarithm.
    fn extent(&self) -> (Range<f64>, Range<f64>) {
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for curve in &self.curves {
            xs.extend(curve.points.iter().map(|point| point.0));
            ys.extend(curve.points.iter().map(|point| point.1));
            ys.extend(curve.bracket.iter().flat_map(|&(_, low, high)| [low, high]));
        }
        for (range, height) in &self.bars {
            xs.extend([range.start, range.end]);
            ys.extend([0.0, *height]);
        }
        (self.x.fit(xs), self.y.fit(ys))
    }

    /// Draws the chart, and returns the pixels of its plane.
    fn draw(&self, area: &Area, zoom: u32) -> Result<(Range<i32>, Range<i32>), String> {
        let (x, y) = self.extent();
        let (x_ticks, y_ticks) = (ticks(&self.x, &x, 8), ticks(&self.y, &y, 5));
        let along = |axis: &Axis, range: Range<f64>, ticks: &Ticks| {
            let places = ticks.values.iter().map(|&value| axis.scale.place(value)).collect();
            let (start, end) = (axis.scale.place(range.start), axis.scale.place(range.end));
            let range = if axis.down { end..start } else { start..end };
            Marked { range: range.into(), places }
        };
        // As wide as the longest label.
        let longest = y_ticks.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as u32;
        let named = |axis: &Axis, room: u32| if axis.name.is_empty() { 0 } else { room };
        // Half of the last x label may extend past the axis.
        let last = x_ticks.labels.last().map_or(0, |label| wide(label, 13 * zoom) / 2);
        let edge = 6 * zoom as i32;
        let mut area = area.margin(edge, edge, edge, last.max(14 * zoom) as i32);
        if !self.title.is_empty() {
            let title = fitting(&self.title, 15 * zoom, area.dim_in_pixel().0);
            area = area.titled(&title, font(15 * zoom)).map_err(text)?;
        }
        if self.legend {
            area = legend::draw(&area, &self.curves, zoom)?;
        }
        let mut plane = ChartBuilder::on(&area)
            .x_label_area_size((22 + named(&self.x, 16)) * zoom)
            .y_label_area_size((14 + 7 * longest + named(&self.y, 18)) * zoom)
            .build_cartesian_2d(along(&self.x, x.clone(), &x_ticks), along(&self.y, y.clone(), &y_ticks))
            .map_err(text)?;
        let (of_x, of_y) =
            (|at: &f64| x_ticks.label(self.x.scale, *at), |at: &f64| y_ticks.label(self.y.scale, *at));
        let mut mesh = plane.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(zoom))
            .axis_style(INK.mix(0.6).stroke_width(zoom))
            .label_style(font(13 * zoom))
            .axis_desc_style(font(13 * zoom))
            .set_all_tick_mark_size(3 * zoom)
            .disable_x_mesh()
            .x_label_formatter(&of_x)
            .y_label_formatter(&of_y);
        if !self.x.name.is_empty() {
            mesh.x_desc(&self.x.name);
        }
        if !self.y.name.is_empty() {
            mesh.y_desc(&self.y.name);
        }
        mesh.draw().map_err(text)?;
        let bars = self.bars.iter().map(|(range, height)| {
            let [left, right] = [range.start, range.end].map(|at| self.x.scale.place(at));
            Rectangle::new([(left, 0.0), (right, *height)], PALETTE[0].mix(0.7).filled())
        });
        plane.draw_series(bars).map_err(text)?;
        let (bottom, top) = (self.y.scale.place(y.start), self.y.scale.place(y.end));
        let middle = (self.x.scale.place(x.start) + self.x.scale.place(x.end)) / 2.0;
        for (at, label) in &self.marks {
            let at = self.x.scale.place(*at);
            let line = [(at, bottom), (at, top)];
            let style = MARK.mix(0.7).stroke_width(zoom);
            plane.draw_series(DashedLineSeries::new(line, 3 * zoom, 3 * zoom, style)).map_err(text)?;
            // Towards the middle, where there is room.
            let (side, gap) = if at > middle { (HPos::Right, -3) } else { (HPos::Left, 3) };
            let style = font(12 * zoom).color(&MARK).pos(Pos::new(side, VPos::Top));
            let label = EmptyElement::at((at, top)) + Text::new(label.clone(), (gap * zoom as i32, 0), style);
            plane.draw_series([label]).map_err(text)?;
        }
        self.curves.iter().try_for_each(|curve| self.curve(&mut plane, curve, zoom))?;
        Ok(plane.plotting_area().get_pixel_range())
    }

    fn curve(&self, plane: &mut Plane, curve: &Curve, zoom: u32) -> Drawn {
        let place = |(x, y): (f64, f64)| (self.x.scale.place(x), self.y.scale.place(y));
        let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        let sides = |high: bool| {
            let side = move |&(x, low, top): &(f64, f64, f64)| place((x, if high { top } else { low }));
            curve.bracket.iter().map(side).filter(finite).collect::<Vec<_>>()
        };
        let (low, high) = (sides(false), sides(true));
        if low.len() <= DOTS {
            let lines = low.iter().zip(&high).map(|(&low, &high)| {
                PathElement::new([low, high], curve.color.mix(0.6).stroke_width(2 * zoom))
            });
            plane.draw_series(lines).map_err(text)?;
        }
        let around: Vec<_> = low.into_iter().chain(high.into_iter().rev()).collect();
        if !around.is_empty() {
            plane.draw_series([Polygon::new(around, curve.color.mix(0.18).filled())]).map_err(text)?;
        }

        let points: Vec<_> = curve.points.iter().copied().map(place).filter(finite).collect();
        let points = thinned(&points);
        let style = curve.color.stroke_width(2 * zoom);
        if curve.dashed {
            let line = DashedLineSeries::new(points.iter().copied(), 5 * zoom, 4 * zoom, style);
            plane.draw_series(line).map_err(text)?;
        } else {
            let line = LineSeries::new(points.iter().copied(), style);
            plane.draw_series(line).map_err(text)?;
        }
        if points.len() <= DOTS && !curve.dashed {
            let dots = points.iter().map(|&at| Circle::new(at, 5 * zoom / 2, curve.color.filled()));
            plane.draw_series(dots).map_err(text)?;
        }
        Ok(())
    }
}

impl Axis {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The range of these values, with a margin.
    fn fit(&self, values: Vec<f64>) -> Range<f64> {
        if let Some(range) = &self.range {
            return range.clone();
        }
        let values: Vec<f64> =
            values.into_iter().map(|value| self.scale.place(value)).filter(|at| at.is_finite()).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        match self.scale {
            Scale::Linear => {
                let Range { start, end } = widened(low, high, high.abs().max(low.abs()), 0.06);
                start.max(-LARGEST)..end.min(LARGEST)
            }
            Scale::Logarithmic(_) => {
                let Range { start, end } = widened(low, high, 1.0, 0.06);
                start.exp().max(f64::MIN_POSITIVE)..end.exp().clamp(2.0 * f64::MIN_POSITIVE, f64::MAX)
            }
        }
    }
}

/// Widens a range by a fraction on both sides; a range that is almost a point, in proportion to `size`.
fn widened(low: f64, high: f64, size: f64, share: f64) -> Range<f64> {
    let margin = if high - low > 1e-6 * size {
        share * (high - low)
    } else if size == 0.0 {
        1.0
    } else {
        0.1 * size
    };
    low - margin..high + margin
}

/// Fewer points with the same look: the minimum and maximum of each part.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let part = (2 * points.len()).div_ceil(MOST_POINTS);
    let mut some = Vec::new();
    for part in points.chunks(part) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let mut ends: Vec<_> =
            part.iter().min_by(by_height).into_iter().chain(part.iter().max_by(by_height)).copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        some.extend(ends);
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinned_curves_keep_what_stands_out() {
        let mut points: Vec<_> = (0..10_000).map(|x| (f64::from(x), 1.0)).collect();
        (points[3].1, points[9_998].1) = (-7.0, 9.0);
        let some = thinned(&points);
        assert!(some.len() <= MOST_POINTS && some.is_sorted_by(|a, b| a.0 <= b.0), "{}", some.len());
        assert!(some.contains(&(3.0, -7.0)) && some.contains(&(9_998.0, 9.0)));
    }

    #[test]
    fn odd_curves_are_drawn_too() {
        for points in [
            vec![],
            vec![(1.0, f64::NAN)],
            vec![(1.0, 3.0)],
            vec![(1.0, f64::MAX), (2.0, -f64::MAX)],
            vec![(1.0, 5e-324)],
        ] {
            for scale in [Scale::Linear, Scale::Logarithmic(10.0)] {
                let bracket = points.iter().map(|&(x, y)| (x, y, y)).collect();
                let curve = Curve { bracket, ..Curve::new("a < b", PALETTE[0], points.clone()) };
                let y = Axis { scale, ..Axis::new("y & z") };
                let chart = Chart { y, curves: vec![curve], ..Chart::default() };
                let drawn = svg((300, 200), 2, Some(WHITE), &[chart]).unwrap();
                assert!(drawn.contains("y &amp; z") && drawn.len() < 20_000, "{points:?}: {}", drawn.len());
            }
        }
    }
}
