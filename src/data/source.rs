//! Sources of data sets.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::generated;
use crate::error::{Error, Result, usage};

/// Source of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The MNIST database of handwritten digits, which ships with the project.
    Mnist,
    /// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): images of clothes in MNIST's format.
    FashionMnist,
    /// All images of N×N pixels whose rows, or whose columns, are each all on or all off.
    BarsAndStripes(usize),
    /// The labelled shifter ensemble: 8 bits, the same bits rotated by −1, 0 or 1, and the rotation.
    Shifter,
    /// A folder of IDX files or of images, or a file: `.npy`, `.npz`, `.csv`, `.svmlight`, `.fasta` or `.h5`; `.h5:/path` names an
    /// array in it.
    Path(PathBuf),
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("bars-and-stripes:")) {
            ("", _) => usage!(
                "expected a data set, found nothing: mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder or a file"
            ),
            ("mnist", _) => Ok(Self::Mnist),
            ("fashion-mnist", _) => Ok(Self::FashionMnist),
            ("shifter", _) => Ok(Self::Shifter),
            ("bars-and-stripes", _) => usage!("bars-and-stripes needs its size, as in bars-and-stripes:4"),
            (_, Some(size)) => match size.parse() {
                Ok(n @ 1..=generated::LARGEST_BARS) => Ok(Self::BarsAndStripes(n)),
                _ => {
                    usage!("bars-and-stripes:N needs N from 1 to {}, found {size:?}", generated::LARGEST_BARS)
                }
            },
            (path, None) => Ok(Self::Path(path.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Mnist => f.write_str("mnist"),
            Self::FashionMnist => f.write_str("fashion-mnist"),
            Self::BarsAndStripes(n) => write!(f, "bars-and-stripes:{n}"),
            Self::Shifter => f.write_str("shifter"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Source {
    /// The training data of the model at `model`: where they were named, or else beside or above the model, where a run that was
    /// moved, or is used from another folder, has them.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are in none of these places.
    pub fn near(&self, model: &Path) -> Result<Self> {
        let Self::Path(path) = self else { return Ok(self.clone()) };
        if path.exists() {
            return Ok(self.clone());
        }
        let folder = std::path::absolute(model).unwrap_or(model.into());
        let mut found =
            folder.ancestors().skip(1).map(|folder| folder.join(path)).filter(|path| path.exists());
        match found.next() {
            Some(path) => Ok(Self::Path(path)),
            None => usage!(
                "{}: expected the model's training data at {}, here or in a folder above the model, found nothing there; name \
                 them with ‹data›",
                model.display(),
                path.display()
            ),
        }
    }

    /// A short name for folders and messages.
    pub fn name(&self) -> String {
        match self {
            Self::BarsAndStripes(n) => format!("bars-and-stripes-{n}"),
            Self::Path(path) => path.file_stem().map_or("data".into(), |name| name.to_string_lossy().into()),
            other => other.to_string(),
        }
    }
}
