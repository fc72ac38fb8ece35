//! Sources of data sets.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Dataset, Selection, csv, file, generated, idx, images, known, npy};
use crate::error::{Error, Result, bad_data, usage};

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
    /// A folder of IDX files or of PNG files, or an `.npy`, `.npz` or `.csv` file.
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
    /// A short name for folders and messages.
    pub fn name(&self) -> String {
        match self {
            Self::BarsAndStripes(n) => format!("bars-and-stripes-{n}"),
            Self::Path(path) => path.file_stem().map_or("data".into(), |name| name.to_string_lossy().into()),
            other => other.to_string(),
        }
    }

    /// Finds, reads and checks the whole data set.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Read`] say which file, what was expected and what was found.
    pub fn load(&self) -> Result<Dataset> {
        Selection::default().load(self)
    }

    /// Reads the whole data set, with the meaning of its numbers from `selection`.
    pub(super) fn read(&self, selection: &Selection) -> Result<Dataset> {
        match self {
            Self::Mnist => known::MNIST.load(),
            Self::FashionMnist => known::FASHION_MNIST.load(),
            Self::BarsAndStripes(n) => Ok(generated::bars_and_stripes(*n)),
            Self::Shifter => Ok(generated::shifter()),
            Self::Path(path) => read_path(path, selection),
        }
    }
}

fn read_path(path: &Path, selection: &Selection) -> Result<Dataset> {
    if path.is_dir() {
        return if idx::is_folder(path) { idx::load(path) } else { images::load(path) };
    }
    std::fs::metadata(path).map_err(Error::read(path))?;
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().to_lowercase());
    let unpacked = name.strip_suffix(".gz").unwrap_or(&name);
    match unpacked.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "npy" => npy::load(&path.display().to_string(), file::open(path)?, selection),
        "npz" if unpacked == name => {
            let file = std::io::BufReader::new(file::opened(path)?);
            npy::load_npz(&path.display().to_string(), file, selection)
        }
        "csv" | "tsv" | "txt" => csv::load(path, file::open(path)?, selection),
        _ => bad_data!(
            "{}: expected a folder of IDX files or PNGs, or a file that ends in .npy, .npz or .csv; \
             found another kind of file",
            path.display()
        ),
    }
}
