//! The legend, above the plane, where it hides nothing.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{Area, Curve, font, text, wide};

/// Heights of letters and of a line, and the width of the sample of a curve with its gaps, in pixels.
const LETTERS: u32 = 12;
const LINE: u32 = 18;
const PIECE: i32 = 22;
const GAP: i32 = 6;

/// Draws the legend at the top of an area, and returns the rest of the area.
pub(super) fn draw<'a>(area: &Area<'a>, curves: &[Curve], zoom: u32) -> Result<Area<'a>, String> {
    let names: Vec<u32> =
        curves.iter().map(|curve| wide(&curve.name, LETTERS) + (PIECE + 3 * GAP) as u32).collect();
    let (places, lines) = wrapped(&names, area.dim_in_pixel().0 / zoom);
    let (top, rest) = area.split_vertically((lines * LINE + GAP as u32) * zoom);
    let pixels = |at: i32| at * zoom as i32;
    for (curve, (x, line)) in curves.iter().zip(places) {
        let middle = pixels((line * LINE + LINE / 2) as i32);
        let x = x as i32 + GAP;
        let pieces: &[(i32, i32)] = if curve.dashed { &[(0, 8), (14, PIECE)] } else { &[(0, PIECE)] };
        for &(from, to) in pieces {
            let ends = [(pixels(x + from), middle), (pixels(x + to), middle)];
            top.draw(&PathElement::new(ends, curve.color.stroke_width(2 * zoom))).map_err(text)?;
        }
        let style = font(LETTERS * zoom).pos(Pos::new(HPos::Left, VPos::Center));
        top.draw_text(&curve.name, &style, (pixels(x + PIECE + GAP), middle)).map_err(text)?;
    }
    Ok(rest)
}

/// Positions of items of these widths, with their lines, and the number of lines.
fn wrapped(widths: &[u32], room: u32) -> (Vec<(u32, u32)>, u32) {
    let (mut x, mut line) = (0, 0);
    let places = widths.iter().map(|&width| {
        if x > 0 && x + width > room {
            (x, line) = (0, line + 1);
        }
        x += width;
        (x - width, line)
    });
    (places.collect(), line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fill_a_line_and_go_on_in_the_next() {
        let places = vec![(0, 0), (40, 0), (0, 1), (0, 2), (30, 2)];
        assert_eq!(wrapped(&[40, 60, 200, 30, 70], 100), (places, 3));
    }
}
