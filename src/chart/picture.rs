//! Pictures in the plane of a chart.

use std::{io::Cursor, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{
    GrayImage, ImageFormat,
    imageops::{self, FilterType},
};

/// An SVG element that fills these pixels, across and down, with a picture. Enlarged here, because some viewers would blur it.
pub(super) fn embedded(picture: &GrayImage, (x, y): &(Range<i32>, Range<i32>)) -> String {
    let (width, height) = (x.len() as u32, y.len() as u32);
    let enlarged = imageops::resize(picture, width, height, FilterType::Nearest);
    let mut png = Cursor::new(Vec::new());
    let written = enlarged.write_to(&mut png, ImageFormat::Png);
    debug_assert!(written.is_ok(), "writing to memory failed: {written:?}");
    format!(
        "<image x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" href=\"data:image/png;base64,{}\"/>\n",
        x.start,
        y.start,
        STANDARD.encode(png.into_inner())
    )
}
