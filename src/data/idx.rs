//! IDX files, the format of MNIST and its relatives: a magic number, the dimensions, then bytes.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::{Cases, Dataset, Rows, file};
use crate::error::{Error, Result, bad_data};

/// Two zero bytes, then the type of the elements (8: unsigned byte), then the number of dimensions.
const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;

/// Finds the file of a set and kind, by either of the usual names, compressed or not.
pub fn find(folder: &Path, set: &str, kind: &str) -> Option<PathBuf> {
    [kind.to_string(), kind.replace("-idx", ".idx")]
        .iter()
        .flat_map(|kind| ["", ".gz"].map(|gz| folder.join(format!("{set}-{kind}-ubyte{gz}"))))
        .find(|path| path.is_file())
}

/// Whether a folder has training images in this format.
pub fn is_folder(folder: &Path) -> bool {
    find(folder, "train", "images-idx3").is_some()
}

/// Loads a folder. Training images are required; training labels and a test set are optional.
pub fn load(folder: &Path) -> Result<Dataset> {
    let Some((image, train)) = cases(folder, "train")? else {
        return bad_data!(
            "{}: expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found no training images",
            folder.display()
        );
    };
    let test = match cases(folder, "t10k")? {
        Some((test_image, _)) if test_image != image => {
            return bad_data!(
                "{}: training images of {}×{} pixels but test images of {}×{}; sizes must match",
                folder.display(),
                image.0,
                image.1,
                test_image.0,
                test_image.1
            );
        }
        found => found.map(|(_, cases)| cases),
    };
    let labels =
        [Some(&train), test.as_ref()].into_iter().flatten().filter_map(|cases| cases.labels.as_ref());
    let classes =
        labels.flatten().max().map_or(vec![], |&most| (0..=most).map(|class| class.to_string()).collect());
    Ok(Dataset { test, classes, ..Dataset::new(image, train) })
}

fn cases(folder: &Path, set: &str) -> Result<Option<((usize, usize), Cases)>> {
    let Some(path) = find(folder, set, "images-idx3") else { return Ok(None) };
    let (image, rows) = images(&path, file::open(&path)?)?;
    let labels = match find(folder, set, "labels-idx1") {
        None => None,
        Some(path) => {
            let labels = labels(&path, file::open(&path)?)?;
            if labels.len() != rows.len() {
                return bad_data!(
                    "{}: {} images but {} labels; do the two files belong to the same data set?",
                    path.display(),
                    rows.len(),
                    labels.len()
                );
            }
            Some(labels)
        }
    };
    Ok(Some((image, Cases { labels, ..rows.into() })))
}

/// Height and width of the images in a file, and the images.
pub fn images(path: &Path, file: impl Read) -> Result<((usize, usize), Rows)> {
    let ([count, height, width], pixels) = read::<3>(path, file, IMAGES)?;
    if count == 0 || height == 0 || width == 0 {
        return bad_data!(
            "{}: {count} images of {height}×{width} pixels: nothing to learn from",
            path.display()
        );
    }
    Ok(((height, width), Rows::from_bytes(height * width, &pixels, 1.0 / 255.0)))
}

/// The labels in a file.
pub fn labels(path: &Path, file: impl Read) -> Result<Vec<u32>> {
    Ok(read::<1>(path, file, LABELS)?.1.into_iter().map(u32::from).collect())
}

/// Reads a file's dimensions and data, and no more than the header promises.
fn read<const N: usize>(path: &Path, mut file: impl Read, magic: u32) -> Result<([usize; N], Vec<u8>)> {
    let mut header = Vec::new();
    file.by_ref().take(4 + 4 * N as u64).read_to_end(&mut header).map_err(Error::read(path))?;
    let (words, _) = header.as_chunks::<4>();
    let found = words.first().map(|word| u32::from_be_bytes(*word));
    if found != Some(magic) {
        return bad_data!(
            "{}: expected an IDX file of unsigned bytes with {N} dimension(s), which begins with {magic:#010x}; \
             found {}; is it another format, or compressed without .gz at the end of its name?",
            path.display(),
            found.map_or(format!("{} bytes in all", header.len()), |word| format!("{word:#010x}"))
        );
    }
    if words.len() != N + 1 {
        return bad_data!("{}: truncated: the file ends within its header", path.display());
    }
    let sizes: [usize; N] = std::array::from_fn(|i| u32::from_be_bytes(words[i + 1]) as usize);
    let expected = sizes.iter().fold(1u64, |product, &size| product.saturating_mul(size as u64));
    let (name, mut body) = (path.display().to_string(), Vec::new());
    // The bytes while the vector grows, and the packed rows.
    let found = file::read_promised(&name, file, expected, 3, |part| body.extend_from_slice(part))?;
    if found != expected {
        let short = found < expected;
        return bad_data!(
            "{name}: the header promises {} = {expected} bytes, but {} follow; is the file {}?",
            sizes.map(|size| size.to_string()).join(" × "),
            if short { found.to_string() } else { "more".into() },
            if short { "truncated" } else { "damaged" }
        );
    }
    Ok((sizes, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(count: u32, height: u32, width: u32, bytes: usize) -> Vec<u8> {
        let header = [IMAGES, count, height, width].map(u32::to_be_bytes).concat();
        [header, vec![7; bytes]].concat()
    }

    fn message(file: &[u8]) -> String {
        read::<3>(Path::new("f"), file, IMAGES).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_file_is_read_and_a_broken_one_explained() {
        let file = images(2, 3, 4, 24);
        let (sizes, body) = read::<3>(Path::new("f"), file.as_slice(), IMAGES).unwrap();
        assert_eq!((sizes, body.len()), ([2, 3, 4], 24));
        assert!(message(&images(2, 3, 4, 23)).contains("truncated"));
        assert!(message(&images(2, 3, 4, 25)).contains("damaged"));
        assert!(message(&images(u32::MAX, u32::MAX, u32::MAX, 9)).contains("truncated"));
        assert!(message(&file[..10]).contains("within its header"));
        assert!(message(&[0x1f, 0x8b, 8, 0]).contains("found 0x1f8b0800"));
        assert!(message(&[]).contains("0 bytes"));
    }
}
