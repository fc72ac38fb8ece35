//! Pictures of a model's hidden units' weights, of its reconstructions and of its chains.

mod form;
pub mod logo;
mod marginals;
pub(crate) mod svg;
#[cfg(feature = "report")]
mod tiles;

pub use form::Form;

use image::{GrayImage, Luma};
pub use marginals::marginals;
#[cfg(feature = "report")]
pub(crate) use tiles::{Tiles, mosaic};

use crate::rbm::Rbm;

/// The most tiles of a picture, and the most pixels in all of them.
const MOST_TILES: usize = 2_500;
const MOST_PIXELS: usize = 16_000_000;
/// A tile's longer side is enlarged to at least this many pixels.
const SMALLEST_TILE: usize = 20;
/// Pixels between tiles.
const GAP: usize = 2;
const BACKGROUND: u8 = 48;

/// Each hidden unit's weights as an image: grey is 0, white is positive, black is negative. All units share one scale, four
/// standard deviations of all weights, so a unit that has learnt nothing stays grey. A large model shows its first units.
pub fn filters(rbm: &Rbm, image: (usize, usize)) -> GrayImage {
    let hidden = rbm.shape().hidden;
    let squares: f64 = rbm.weights().iter().map(|&w| f64::from(w).powi(2)).sum();
    let white = (4.0 * (squares / rbm.weights().len() as f64).sqrt()).max(f64::MIN_POSITIVE) as f32;
    let units = hidden.min(most_tiles(image));
    let columns = (units as f64).sqrt().ceil() as usize;
    grid(image, units, columns, |unit, pixel| {
        let share = rbm.weights()[pixel * hidden + unit] / white;
        127.5 + 127.5 * share
    })
}

/// Cases above their reconstructions; both are cases × visible units, in [0, 1].
pub fn reconstructions(cases: &[f32], reconstructions: &[f32], image: (usize, usize)) -> GrayImage {
    let units = image.0 * image.1;
    let count = (cases.len() / units).min((most_tiles(image) / 2).max(1));
    let columns = count.min(20);
    // Rows of tiles alternate: cases, their reconstructions, cases, …
    let rows = count.div_ceil(columns.max(1)) * 2;
    grid(image, rows * columns, columns, |tile, pixel| {
        let (row, column) = (tile / columns, tile % columns);
        let case = row / 2 * columns + column;
        let source = if row % 2 == 0 { cases } else { reconstructions };
        source.get(case * units + pixel).map_or(f32::from(BACKGROUND), |value| 255.0 * value)
    })
}

/// Cases, in [0, 1], in rows of `columns` tiles. Shows only the first if they are many.
pub fn cases(cases: &[f32], image: (usize, usize), columns: usize) -> GrayImage {
    let units = image.0 * image.1;
    let count = (cases.len() / units).min(most_tiles(image));
    grid(image, count, columns.min(count), |case, pixel| 255.0 * cases[case * units + pixel])
}

/// The most sites of a map.
pub const LARGEST_MAP: usize = 4000;
/// The least width of a map in pixels.
const SMALLEST_MAP: usize = 400;

/// A map of scores of pairs, sites × sites: white is 0 or less, black is the largest.
///
/// # Panics
/// If there are more than [`LARGEST_MAP`] sites, or not a score for each pair.
pub fn map(scores: &[f64], sites: usize) -> GrayImage {
    assert!(sites <= LARGEST_MAP && scores.len() == sites * sites, "a score for each pair");
    let largest = scores.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let zoom = SMALLEST_MAP.div_ceil(sites.max(1));
    let side = (sites * zoom) as u32;
    GrayImage::from_fn(side, side, |x, y| {
        let score = scores[y as usize / zoom * sites + x as usize / zoom];
        Luma([(255.0 - 255.0 * score / largest).round().clamp(0.0, 255.0) as u8])
    })
}

/// Cases, in [0, 1], side by side as lines of text, two pixels per character; on above 0.5.
pub fn blocks(cases: &[f32], (height, width): (usize, usize)) -> String {
    let mut text = String::new();
    for top in (0..height).step_by(2) {
        for case in cases.chunks(height * width) {
            let on = |y: usize, x: usize| y < height && case[y * width + x] > 0.5;
            text.extend((0..width).map(|x| match (on(top, x), on(top + 1, x)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => '·',
            }));
            text.push(' ');
        }
        text.push('\n');
    }
    text
}

/// Encodes pictures of one size as a GIF animation: 0.1 s each, 2 s for the last.
///
/// # Errors
/// Those of the writer.
#[cfg(feature = "report")]
pub fn write_gif(out: impl std::io::Write, pictures: &[GrayImage]) -> std::io::Result<()> {
    let broken = std::io::Error::other::<gif::EncodingError>;
    let (width, height) = pictures.first().map_or((1, 1), GrayImage::dimensions);
    let too_large = |_| std::io::Error::other(format!("{width}×{height} pixels are too many for a GIF file"));
    let (width, height) =
        (u16::try_from(width).map_err(too_large)?, u16::try_from(height).map_err(too_large)?);
    let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
    let mut encoder = gif::Encoder::new(out, width, height, &greys).map_err(broken)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(broken)?;
    for (number, picture) in pictures.iter().enumerate() {
        let mut frame = gif::Frame::from_indexed_pixels(width, height, picture.as_raw().as_slice(), None);
        frame.delay = if number + 1 == pictures.len() { 200 } else { 10 };
        encoder.write_frame(&frame).map_err(broken)?;
    }
    Ok(())
}

fn most_tiles((height, width): (usize, usize)) -> usize {
    (MOST_PIXELS / (height * width)).clamp(1, MOST_TILES)
}

/// Enlargement of a tile.
fn zoom((height, width): (usize, usize)) -> usize {
    SMALLEST_TILE.div_ceil(height.min(width)).min(SMALLEST_TILE.div_ceil(height.max(width)).max(4))
}

/// Tiles of one size in rows of `columns`, left to right; `value` returns a tile's pixel as 0…255.
fn grid(
    (height, width): (usize, usize),
    tiles: usize,
    columns: usize,
    value: impl Fn(usize, usize) -> f32,
) -> GrayImage {
    let columns = columns.max(1);
    let zoom = zoom((height, width));
    let step = (height * zoom + GAP, width * zoom + GAP);
    let size = (tiles.div_ceil(columns) * step.0 + GAP, columns * step.1 + GAP);
    let mut picture = GrayImage::from_pixel(size.1 as u32, size.0 as u32, Luma([BACKGROUND]));
    for tile in 0..tiles {
        let (top, left) = (GAP + tile / columns * step.0, GAP + tile % columns * step.1);
        for y in 0..height * zoom {
            for x in 0..width * zoom {
                let grey = value(tile, y / zoom * width + x / zoom).round().clamp(0.0, 255.0) as u8;
                picture.put_pixel((left + x) as u32, (top + y) as u32, Luma([grey]));
            }
        }
    }
    picture
}
