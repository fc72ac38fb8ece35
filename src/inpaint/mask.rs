//! Masks: which values of a case are unknown.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{
    data::{file, images, npy},
    error::{Error, Result, excerpt, usage},
    rng::{self, Address, Stream},
};

/// Which values of a case are unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// A region of the image.
    Region(Region),
    /// Each value with this probability.
    Random(f64),
    /// The white pixels of a PNG file, or the non-zero elements of an `.npy` file.
    File(PathBuf),
}

/// A region of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it all")]
pub enum Region {
    LowerHalf,
    UpperHalf,
    LeftHalf,
    RightHalf,
    Centre,
}

impl FromStr for Mask {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match (text, text.strip_prefix("random:")) {
            ("lower-half", _) => Self::Region(Region::LowerHalf),
            ("upper-half", _) => Self::Region(Region::UpperHalf),
            ("left-half", _) => Self::Region(Region::LeftHalf),
            ("right-half", _) => Self::Region(Region::RightHalf),
            ("centre" | "center", _) => Self::Region(Region::Centre),
            (_, Some(share)) => match share.parse() {
                Ok(share) if 0.0 < share && share <= 1.0 => Self::Random(share),
                _ => return usage!("random:SHARE needs a share above 0 and at most 1, found {share:?}"),
            },
            ("", None) => return usage!("expected a mask, found nothing"),
            (path, None) => Self::File(path.into()),
        })
    }
}

impl Region {
    /// Whether the region contains a pixel.
    fn has(self, (y, x): (usize, usize), (height, width): (usize, usize)) -> bool {
        let middle = |at: usize, size: usize| 4 * at >= size && 4 * at < 3 * size;
        match self {
            Self::LowerHalf => 2 * y >= height,
            Self::UpperHalf => 2 * y < height,
            Self::LeftHalf => 2 * x < width,
            Self::RightHalf => 2 * x >= width,
            Self::Centre => middle(y, height) && middle(x, width),
        }
    }
}

impl Mask {
    /// Whether each value of a case with this height and width is unknown.
    ///
    /// # Errors
    /// [`Error::Usage`] if a file has another size, or if nothing is unknown; [`Error::Read`]; [`Error::Data`].
    pub fn units(&self, image: (usize, usize), seed: u64) -> Result<Vec<bool>> {
        let (height, width) = image;
        let units = height * width;
        let unknown: Vec<bool> = match self {
            Self::Region(region) => {
                (0..units).map(|at| region.has((at / width, at % width), image)).collect()
            }
            Self::Random(share) => {
                let mut uniforms = vec![0.0; units];
                rng::fill(seed, Address::new(Stream::Synthetic, 0), 0, 0, &mut uniforms);
                uniforms.iter().map(|&u| f64::from(u) < *share).collect()
            }
            Self::File(path) => of_file(path, &file::read_whole(path)?, image)?,
        };
        if !unknown.contains(&true) {
            return usage!("‹mask›: nothing is unknown, so there is nothing to fill in");
        }
        Ok(unknown)
    }
}

/// Parses a mask: an `.npy` array, or else a PNG image.
pub(crate) fn of_file(path: &Path, bytes: &[u8], image: (usize, usize)) -> Result<Vec<bool>> {
    let (height, width) = image;
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("npy")) {
        let array = npy::read_array(&path.display().to_string(), bytes)?;
        if array.values.len() != height * width {
            return usage!(
                "‹mask› {}: expected {} values, as a case has, found an array of shape {}",
                path.display(),
                height * width,
                excerpt(&format!("{:?}", array.shape))
            );
        }
        return Ok(array.values.floats().iter().map(|&x| x != 0.0).collect());
    }
    let (size, pixels) = images::decode(path, bytes)?;
    if size != image {
        return usage!(
            "‹mask› {}: expected {height}×{width} pixels, as a case has, found {}×{}",
            path.display(),
            size.0,
            size.1
        );
    }
    Ok(pixels.iter().map(|&pixel| pixel >= 128).collect())
}
