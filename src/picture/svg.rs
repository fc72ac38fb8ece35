//! A drawing in SVG with few elements, a line of text each.

use std::fmt::Write;

/// The end of a text that is at its position.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// The beginning of a drawing made here, up to its width.
pub(crate) const BEGINNING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"";

/// A drawing on white, so that it can be read on any page.
pub struct Drawing {
    size: (f32, f32),
    definitions: String,
    body: String,
}

impl Drawing {
    /// An empty one, in pixels.
    pub fn new(width: f32, height: f32) -> Self {
        Self { size: (width.ceil(), height.ceil()), definitions: String::new(), body: String::new() }
    }

    /// Defines an element for use.
    pub fn define(&mut self, element: &str) {
        self.definitions += element;
        self.definitions.push('\n');
    }

    /// A letter `l0`, `l1`, …, which has been defined with a height of 1, with its foot here and of this height.
    pub fn stretched(&mut self, letter: usize, (x, y): (f32, f32), height: f32) {
        let [x, y, height] = [x, y, height].map(rounded);
        self.add(format_args!("<use href=\"#l{letter}\" transform=\"matrix(1 0 0 {height} {x} {y})\"/>"));
    }

    /// A thin line.
    pub fn line(&mut self, (x1, y1): (f32, f32), (x2, y2): (f32, f32)) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(rounded);
        self.add(format_args!("<path d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"#777777\"/>"));
    }

    /// A filled rectangle between these x.
    pub fn bar(&mut self, (from, to): (f32, f32), (top, height): (f32, f32), color: &str) {
        let [left, width, top, height] = [from.min(to), (to - from).abs(), top, height].map(rounded);
        self.add(format_args!("<path d=\"M{left} {top}h{width}v{height}h-{width}z\" fill=\"{color}\"/>"));
    }

    /// A text, with its foot here.
    pub fn text(&mut self, (x, y): (f32, f32), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let [x, y] = [x, y].map(rounded);
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"));
    }

    fn add(&mut self, element: std::fmt::Arguments) {
        // A string takes everything.
        let _ = writeln!(self.body, "{element}");
    }

    /// The file.
    pub fn finish(self) -> String {
        let Self { size: (width, height), definitions, body } = self;
        format!(
            "{BEGINNING}{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"Arial, Helvetica, DejaVu Sans, sans-serif\" font-size=\"11\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<defs>\n{definitions}</defs>\n{body}</svg>\n"
        )
    }
}

/// A number of pixels to a hundredth.
fn rounded(x: f32) -> f32 {
    (x * 100.0).round() / 100.0
}
