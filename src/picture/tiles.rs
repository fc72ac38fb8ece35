//! Cuts a picture into its tiles, and joins tiles to a picture.

use image::{GrayImage, Luma, imageops};

use super::{BACKGROUND, GAP, zoom};

/// A picture made by this program, to be cut into its tiles.
pub(crate) struct Tiles {
    picture: GrayImage,
    image: (usize, usize),
    /// Pixels from one tile to the next, downwards and to the right.
    step: (usize, usize),
    pub rows: usize,
    pub columns: usize,
}

impl Tiles {
    /// The tiles of a picture of images of this height and width; `None` if the picture doesn't match.
    pub fn of(picture: GrayImage, (height, width): (usize, usize)) -> Option<Self> {
        let zoom = zoom((height, width));
        let step = (height * zoom + GAP, width * zoom + GAP);
        let size = (picture.height() as usize, picture.width() as usize);
        let (rows, columns) = (size.0.checked_sub(GAP)? / step.0, size.1.checked_sub(GAP)? / step.1);
        let is_whole = (rows * step.0 + GAP, columns * step.1 + GAP) == size && rows * columns > 0;
        is_whole.then_some(Self { picture, image: (height, width), step, rows, columns })
    }

    /// A tile, by its index row by row, reduced to the image's size.
    pub fn tile(&self, at: usize) -> GrayImage {
        let zoom = zoom(self.image);
        let (top, left) = (GAP + at / self.columns * self.step.0, GAP + at % self.columns * self.step.1);
        GrayImage::from_fn(self.image.1 as u32, self.image.0 as u32, |x, y| {
            *self.picture.get_pixel((left + x as usize * zoom) as u32, (top + y as usize * zoom) as u32)
        })
    }
}

/// Joins tiles of one size in rows of `columns`, a pixel apart, with each pixel enlarged `zoom` times.
pub(crate) fn mosaic(tiles: &[GrayImage], columns: usize, zoom: usize) -> GrayImage {
    let (width, height) = tiles.first().map_or((1, 1), |tile| tile.dimensions());
    let (width, height) = (width * zoom as u32, height * zoom as u32);
    let columns = columns.clamp(1, tiles.len().max(1));
    let rows = tiles.len().div_ceil(columns).max(1);
    let size = (columns as u32 * (width + 1) - 1, rows as u32 * (height + 1) - 1);
    let mut picture = GrayImage::from_pixel(size.0, size.1, Luma([BACKGROUND]));
    for (at, tile) in tiles.iter().enumerate() {
        let tile = imageops::resize(tile, width, height, imageops::FilterType::Nearest);
        let (x, y) = ((at % columns) as u32 * (width + 1), (at / columns) as u32 * (height + 1));
        imageops::replace(&mut picture, &tile, i64::from(x), i64::from(y));
    }
    picture
}
