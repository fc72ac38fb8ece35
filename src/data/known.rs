//! Well-known data sets: finds, unpacks, verifies and parses them.

use std::{
    env,
    io::Read,
    path::{Path, PathBuf},
};

use rayon::join;

use super::{Cases, Dataset, file, idx};
use crate::{
    digest::sha256,
    error::{Error, Result, bad_data},
};

/// Environment variable with a folder of data sets, or of the files of one.
pub const FOLDER_VARIABLE: &str = "RBM_GPU_DATA";

/// The four files in the order of [`Known::sums`]: set and kind.
const FILES: [(&str, &str); 4] =
    [("train", "images-idx3"), ("train", "labels-idx1"), ("t10k", "images-idx3"), ("t10k", "labels-idx1")];

/// MNIST or one of its relatives: 60,000 and 10,000 images of 28×28 pixels, of ten classes.
pub struct Known {
    /// Name for people.
    title: &'static str,
    /// Name for folders.
    name: &'static str,
    /// Whether it ships with the project.
    ships: bool,
    /// SHA-256 of the unpacked bytes of each file.
    sums: [&'static str; 4],
    classes: [&'static str; 10],
    /// How to install it.
    advice: &'static str,
}

/// Handwritten digits.
pub const MNIST: Known = Known {
    title: "MNIST",
    name: "mnist",
    ships: true,
    sums: [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    advice: "copy them to one of these folders",
};

/// Images of clothes, bags and shoes.
pub const FASHION_MNIST: Known = Known {
    title: "Fashion-MNIST",
    name: "fashion-mnist",
    ships: false,
    sums: [
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ],
    classes: [
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle-boot",
    ],
    advice: "install Debian's or Ubuntu's package dataset-fashion-mnist, copy the files to one of these folders",
};

/// Candidate folders, in order. If the variable is set, only its folder. Otherwise, if the data set ships with the project:
/// beside or above the working directory, beside or above the executable, and in the source tree; then Debian's folder of
/// data sets; then the user's cache.
fn candidates(known: &Known) -> Vec<PathBuf> {
    if let Some(named) = env::var_os(FOLDER_VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return vec![named.join(known.name), named];
    }
    let mut folders = Vec::new();
    if known.ships {
        let assets = format!("assets/{}", known.name);
        for start in [env::current_dir(), env::current_exe()].into_iter().flatten() {
            folders.extend(start.ancestors().map(|folder| folder.join(&assets)));
        }
        folders.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(assets));
    }
    folders.push(PathBuf::from("/usr/share/datasets").join(known.name));
    folders.extend(dirs::cache_dir().map(|cache| cache.join("rbm-gpu").join(known.name)));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

impl Known {
    /// Finds, unpacks, verifies and parses the files.
    pub fn load(&self) -> Result<Dataset> {
        let Self { title, .. } = self;
        let folders = candidates(self);
        let found = folders.iter().find_map(|folder| {
            let files = FILES.map(|(set, kind)| idx::find(folder, set, kind));
            files.iter().all(Option::is_some).then(|| files.map(Option::unwrap_or_default))
        });
        let Some(files) = found else {
            let looked: Vec<_> = folders.iter().map(|folder| format!("\n  {}", folder.display())).collect();
            return bad_data!(
                "{title} was not found; expected train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                 t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without .gz, in one of{}\n\
                 {}, or set {FOLDER_VARIABLE} to their folder",
                looked.concat(),
                self.advice
            );
        };

        let cases = |set: usize| {
            let [images, labels] = [2 * set, 2 * set + 1];
            let (images, labels) = join(
                || self.read(images, &files[images], |path, bytes| idx::images(path, bytes)),
                || self.read(labels, &files[labels], |path, bytes| idx::labels(path, bytes)),
            );
            let (_, rows) = images?;
            Ok(Cases { labels: Some(labels?), ..rows.into() })
        };
        let (train, test) = join(|| cases(0), || cases(1));
        Ok(Dataset {
            test: Some(test?),
            classes: self.classes.map(String::from).into(),
            ..Dataset::new((28, 28), train?)
        })
    }

    /// Unpacks a file, one of [`FILES`], and verifies its checksum while parsing.
    fn read<T: Send>(&self, file: usize, path: &Path, parse: fn(&Path, &[u8]) -> Result<T>) -> Result<T> {
        let mut bytes = Vec::new();
        // One byte more than the largest file: enough to detect a wrong one.
        file::open(path)?.take(47_040_017).read_to_end(&mut bytes).map_err(Error::read(path))?;
        let (digest, parsed) = join(|| sha256(&bytes), || parse(path, &bytes));
        let (title, expected) = (self.title, self.sums[file]);
        if digest != expected {
            return bad_data!(
                "{}: this is not {title}'s file: expected SHA-256 {expected}, found {digest} in {} bytes; \
                 restore the file, or name another data set by its folder: ‹data› {}",
                path.display(),
                bytes.len(),
                path.parent().unwrap_or(path).display()
            );
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::Rows;

    #[test]
    fn the_mnist_crate_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mnist");
        for (set, kind) in FILES {
            let mut bytes = Vec::new();
            file::open(&idx::find(&assets, set, kind).unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
            fs::write(folder.path().join(format!("{set}-{kind}-ubyte")), bytes).unwrap();
        }
        let read = mnist::MnistBuilder::new().base_path(folder.path().to_str().unwrap()).finalize();
        let Dataset { train, test, .. } = MNIST.load().unwrap();
        let test = test.unwrap();
        for (cases, pixels, labels) in
            [(train, read.trn_img, read.trn_lbl), (test, read.tst_img, read.tst_lbl)]
        {
            assert_eq!(cases.rows.words(), Rows::from_bytes(28 * 28, &pixels, 1.0 / 255.0).words());
            let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
            assert_eq!(cases.labels.unwrap(), labels);
        }
    }
}
