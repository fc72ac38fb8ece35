//! Draws a run on the whole screen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap},
};

use super::{View, Weights};

/// The most pixels of a unit's longer side on the screen. A pixel is one character wide and half a line high.
const SIDE: usize = 14;
/// The darkest and the lightest grey of a terminal's 256 colours.
const GREYS: (u8, u8) = (232, 255);
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Draws the whole screen; `load` is the processors', in percent.
pub fn draw(frame: &mut Frame, view: &View, load: Option<f32>, colors: bool) {
    let color = |color: Color| if colors { color } else { Color::Reset };
    let [head, progress, middle, gauges, lines, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Min(8),
        Constraint::Length(3),
        Constraint::Length(9),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Line::from(view.about.plain().trim_end().to_string()).bold(), head);

    let gauge = |title: String, label: String, share: f64, with: Color| {
        Gauge::default()
            .block(Block::bordered().title(title))
            .gauge_style(Style::new().fg(color(with)))
            .label(label)
            .use_unicode(true)
            .ratio(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 })
    };
    let done = view.cases.0 as f64 / view.cases.1.max(1) as f64;
    let label = format!("{:.0} %, {} left", 100.0 * done, view.left);
    let title = format!(" epoch {} of {} ", view.epoch, view.epochs);
    frame.render_widget(gauge(title, label, done, Color::Cyan), progress);

    let [curves, weights] =
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle);
    let [errors, costs] =
        Layout::vertical([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(curves);
    let held_out = " reconstruction error, held-out cases ";
    curve(frame, errors, held_out, &view.errors, color(Color::Yellow));
    curve(frame, costs, " cost: the same of training cases, as they come ", &view.costs, color(Color::Cyan));
    units(frame, weights, &view.weights, colors);

    let [speed, cpu] =
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(gauges);
    let label = format!("{:.0} a second", view.samples_per_second);
    let title = " training cases, of the fastest so far ".to_string();
    frame.render_widget(gauge(title, label, view.samples_per_second / view.fastest, Color::Green), speed);
    let title = " this machine's processors ".to_string();
    let label = load.map_or("unknown".into(), |load| format!("{load:.0} %"));
    let share = f64::from(load.unwrap_or_default()) / 100.0;
    frame.render_widget(gauge(title, label, share, Color::Green), cpu);

    // As many of the last lines as fit.
    let room = usize::from(lines.height.saturating_sub(2));
    // Styles of a line are for printing only.
    let plain = view.lines.plain();
    let said: Vec<&str> = plain.lines().filter(|line| !line.is_empty()).collect();
    let last = &said[said.len().saturating_sub(room)..];
    let said = Paragraph::new(last.iter().map(|line| marked(line, colors)).collect::<Vec<_>>());
    frame.render_widget(said.block(Block::bordered().title(" lines ")), lines);
    let help = "q: leave this screen, the run goes on   Ctrl-C: stop the run";
    frame.render_widget(Paragraph::new(help).wrap(Wrap { trim: true }).dim(), keys);
}

/// A line; warnings and errors of the doctor have their colours.
fn marked(line: &str, colors: bool) -> Line<'_> {
    let marks = [("error: ", Color::Red), ("warning: ", Color::Yellow)];
    match marks.iter().find(|(mark, _)| line.starts_with(mark)) {
        Some((_, color)) if colors => Line::from(line).fg(*color),
        _ => Line::from(line),
    }
}

/// A curve over the epochs.
fn curve(frame: &mut Frame, area: Rect, title: &str, points: &[(f64, f64)], color: Color) {
    let finite: Vec<(f64, f64)> = points.iter().copied().filter(|point| point.1.is_finite()).collect();
    let fold = |of: fn(&(f64, f64)) -> f64, first: f64, pick: fn(f64, f64) -> f64| {
        finite.iter().map(of).fold(first, pick)
    };
    let (low, high) =
        (fold(|at| at.1, f64::INFINITY, f64::min), fold(|at| at.1, f64::NEG_INFINITY, f64::max));
    let (low, high) = match finite.first() {
        None => (0.0, 1.0),
        Some(_) if low < high => (low, high),
        Some(_) => (low - 0.5, low + 0.5),
    };
    let right = fold(|at| at.0, 1.0, f64::max);
    let last = finite.last().map_or(String::new(), |last| format!("{:.3} ", last.1));
    let chart = Chart::new(vec![
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(color))
            .data(&finite),
    ])
    .block(Block::bordered().title(title.to_string()).title(Line::from(last).right_aligned().bold()))
    .x_axis(Axis::default().bounds([0.0, right]).labels(["0".to_string(), format!("epoch {right:.1}")]))
    .y_axis(Axis::default().bounds([low, high]).labels([format!("{low:.2}"), format!("{high:.2}")]));
    frame.render_widget(chart, area);
}

/// Weights of as many hidden units as fit: grey is 0, or, without colours, a half-filled character.
fn units(frame: &mut Frame, area: Rect, weights: &Weights, colors: bool) {
    let room = (usize::from(area.width.saturating_sub(2)), usize::from(area.height.saturating_sub(2)));
    let small: Vec<Small> = weights.units.iter().map(|unit| Small::of(unit, weights.image)).collect();
    let Some(Small { width, height, .. }) = small.first() else {
        return frame.render_widget(Block::bordered().title(" weights "), area);
    };
    let (width, lines) = (*width, height.div_ceil(2));
    let (across, down) = ((room.0 + 1) / (width + 1), (room.1 + 1) / (lines + 1));
    let shown = &small[..small.len().min(across * down)];
    let most =
        shown.iter().flat_map(|unit| &unit.values).fold(f32::MIN_POSITIVE, |most, w| most.max(w.abs()));
    let mut text = Vec::new();
    for row in shown.chunks(across.max(1)) {
        for line in 0..lines {
            let mut spans = Vec::new();
            for unit in row {
                spans.extend((0..width).map(|x| {
                    let [upper, lower] = [2 * line, 2 * line + 1].map(|y| unit.at(x, y) / most);
                    pixels(upper, lower, colors)
                }));
                spans.push(Span::raw(" "));
            }
            text.push(Line::from(spans));
        }
        text.push(Line::default());
    }
    let title = format!(" weights of {} of {} hidden units ", shown.len(), weights.of);
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(title)), area);
}

/// Two pixels, one above the other, of values in [−1, 1].
fn pixels(upper: f32, lower: f32, colors: bool) -> Span<'static> {
    let share = |value: f32| (value + 1.0) / 2.0;
    if !colors {
        let shade = share((upper + lower) / 2.0) * (SHADES.len() - 1) as f32;
        return Span::raw(SHADES[(shade.round() as usize).min(SHADES.len() - 1)].to_string());
    }
    let grey = |value: f32| {
        Color::Indexed(GREYS.0 + (share(value) * f32::from(GREYS.1 - GREYS.0)).round().clamp(0.0, 23.0) as u8)
    };
    Span::styled("▀", Style::new().fg(grey(upper)).bg(grey(lower)))
}

/// A unit's weights, averaged down to the size of the screen.
struct Small {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Small {
    fn of(weights: &[f32], (height, width): (usize, usize)) -> Self {
        let part = height.max(width).div_ceil(SIDE).max(1);
        let (rows, columns) = (height.div_ceil(part), width.div_ceil(part));
        let mean = |top: usize, left: usize| {
            let ys = top * part..((top + 1) * part).min(height);
            let some: Vec<f32> = ys
                .flat_map(|y| {
                    (left * part..((left + 1) * part).min(width)).map(move |x| weights[y * width + x])
                })
                .collect();
            some.iter().sum::<f32>() / some.len() as f32
        };
        let values = (0..rows).flat_map(|y| (0..columns).map(move |x| mean(y, x))).collect();
        Self { width: columns, height: rows, values }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        if y < self.height { self.values[y * self.width + x] } else { 0.0 }
    }
}
