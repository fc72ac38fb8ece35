//! The tiles of a picture, taken out and put together again.

use image::{GrayImage, Luma, imageops};

use super::{BACKGROUND, GAP, zoom};

/// A picture that was drawn here, to be cut into its tiles again.
pub(crate) struct Tiles {
    picture: GrayImage,
    image: (usize, usize),
    /// From one tile to the next, downwards and to the right.
    step: (usize, usize),
    pub rows: usize,
    pub columns: usize,
}

impl Tiles {
    /// Those of a picture of images of this height and width; none if it is no such picture.
    pub fn of(picture: GrayImage, (height, width): (usize, usize)) -> Option<Self> {
        let zoom = zoom((height, width));
        let step = (height * zoom + GAP, width * zoom + GAP);
        let size = (picture.height() as usize, picture.width() as usize);
        let (rows, columns) = (size.0.checked_sub(GAP)? / step.0, size.1.checked_sub(GAP)? / step.1);
        let is_whole = (rows * step.0 + GAP, columns * step.1 + GAP) == size && rows * columns > 0;
        is_whole.then_some(Self { picture, image: (height, width), step, rows, columns })
    }

    /// A tile, counted row by row, as large as an image is.
    pub fn tile(&self, at: usize) -> GrayImage {
        let zoom = zoom(self.image);
        let (top, left) = (GAP + at / self.columns * self.step.0, GAP + at % self.columns * self.step.1);
        GrayImage::from_fn(self.image.1 as u32, self.image.0 as u32, |x, y| {
            *self.picture.get_pixel((left + x as usize * zoom) as u32, (top + y as usize * zoom) as u32)
        })
    }
}

/// Tiles of one size, each pixel enlarged `zoom` times, a pixel apart, in rows of `columns`.
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
