//! MNIST as it ships with the project: found, unpacked, known to be whole, and then parsed by the `mnist` crate.

use std::{env, fs, io::Read, path::PathBuf};

use sha2::{Digest, Sha256};

use super::{Cases, Dataset, Rows, idx};
use crate::error::{Error, Result, bad_data};

/// The variable that names a folder with data sets, or with MNIST's files themselves.
pub const FOLDER_VARIABLE: &str = "RBM_GPU_DATA";

/// Each file's set and kind, and the SHA-256 of its unpacked bytes.
const FILES: [(&str, &str, &str); 4] = [
    ("train", "images-idx3", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train", "labels-idx1", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k", "images-idx3", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k", "labels-idx1", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
];

/// Where MNIST may lie, in the order of looking: where the variable says (and then nowhere else), beside the
/// working directory or above it, beside the executable or above it, in the clone that it was built from, and in
/// the user's cache.
fn candidates() -> Vec<PathBuf> {
    if let Some(named) = env::var_os(FOLDER_VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return vec![named.join("mnist"), named];
    }
    let above = |start: Option<PathBuf>| -> Vec<PathBuf> {
        start.iter().flat_map(|path| path.ancestors().map(|folder| folder.join("assets/mnist"))).collect()
    };
    let mut folders = above(env::current_dir().ok());
    folders.extend(above(env::current_exe().ok()));
    folders.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/mnist"));
    folders.extend(dirs::cache_dir().map(|cache| cache.join("rbm-gpu/mnist")));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// Finds MNIST, unpacks it, checks every byte, and parses it.
pub fn load() -> Result<Dataset> {
    let folders = candidates();
    let found = folders.iter().find_map(|folder| {
        let files = FILES.map(|(set, kind, _)| idx::find(folder, set, kind));
        files.iter().all(Option::is_some).then(|| files.map(Option::unwrap_or_default))
    });
    let Some(files) = found else {
        let looked: Vec<_> = folders.iter().map(|folder| format!("\n  {}", folder.display())).collect();
        return bad_data!(
            "MNIST was not found; expected train-images-idx3-ubyte, train-labels-idx1-ubyte, \
             t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with or without .gz, in one of{}\n\
             copy them to one of these folders, or name theirs in {FOLDER_VARIABLE}",
            looked.concat()
        );
    };

    let unpackable = |source: std::io::Error| {
        let folder = env::temp_dir();
        Error::Usage(format!(
            "cannot unpack MNIST (55 MB) in the temporary folder {}: {source}; make room there, or set TMPDIR to a \
             folder that can be written",
            folder.display()
        ))
    };
    let unpacked = tempfile::tempdir().map_err(unpackable)?;
    for ((set, kind, expected), path) in FILES.iter().zip(&files) {
        let mut bytes = Vec::new();
        // One byte more than the largest of the four has: enough to tell that a file is another.
        let mut file = idx::open_maybe_gz(path)?.take(47_040_017);
        file.read_to_end(&mut bytes).map_err(Error::read(path))?;
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != *expected {
            return bad_data!(
                "{}: this is not MNIST's file: expected SHA-256 {expected}, found {digest} in {} bytes; \
                 restore the file, or give another data set by its folder: --data {}",
                path.display(),
                bytes.len(),
                path.parent().unwrap_or(path).display()
            );
        }
        let copy = unpacked.path().join(format!("{set}-{kind}-ubyte"));
        fs::write(copy, &bytes).map_err(unpackable)?;
    }
    let Some(folder) = unpacked.path().to_str() else {
        return bad_data!(
            "{}: the temporary folder's name is not UTF-8; set TMPDIR to one that is",
            unpacked.path().display()
        );
    };
    // The crate panics on damaged files; these four are known to the last byte.
    let mnist = ::mnist::MnistBuilder::new().base_path(folder).finalize();
    let cases = |pixels: &[u8], labels| Cases {
        rows: Rows::from_bytes(28 * 28, pixels, 1.0 / 255.0),
        labels: Some(labels),
    };
    Ok(Dataset {
        image: (28, 28),
        train: cases(&mnist.trn_img, mnist.trn_lbl),
        test: Some(cases(&mnist.tst_img, mnist.tst_lbl)),
    })
}
