//! IDX files, the format of MNIST and its relatives: a magic number, the dimensions, then bytes.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use super::{Cases, Dataset, Rows, file};
use crate::error::{Error, Result, bad_data, list};

/// Two zero bytes, then the type of the elements (8: unsigned byte), then the number of dimensions.
const IMAGES: u32 = 0x0803;
const LABELS: u32 = 0x0801;
/// QMNIST's labels: some 32-bit integers for each case. The first of them is the class.
const EXTENDED_LABELS: u32 = 0x0c02;
/// The most classes: numbers of classes count from 0.
const MOST_CLASSES: u32 = 1 << 16;
/// The most bytes of a list of EMNIST's characters.
const LONGEST_MAPPING: u64 = 1 << 16;

/// Finds the file of a set and kind, by either of the usual names, compressed or not.
pub fn find(folder: &Path, set: &str, kind: &str) -> Option<PathBuf> {
    [kind.to_string(), kind.replace("-idx", ".idx")]
        .iter()
        .flat_map(|kind| ["", ".gz"].map(|gz| folder.join(format!("{set}-{kind}-ubyte{gz}"))))
        .find(|path| path.is_file())
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    /// What comes before, as `emnist-letters-`; nothing for MNIST.
    prefix: String,
    is_test: bool,
    are_labels: bool,
}

impl Name {
    /// Of a file named like `emnist-letters-train-images-idx3-ubyte.gz`, with dashes or dots.
    fn parse(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name).replace('.', "-");
        let (name, kind) = name.rsplit_once("-idx")?;
        let (set, what) = name.rsplit_once('-')?;
        let are_labels = match (what, kind) {
            ("images", "3-ubyte") => false,
            ("labels", "1-ubyte" | "2-int") => true,
            _ => return None,
        };
        let last = set.rfind('-').map_or(0, |dash| dash + 1);
        let is_test = match &set[last..] {
            "train" => false,
            "t10k" | "test" => true,
            _ => return None,
        };
        Some(Self { prefix: set[..last].into(), is_test, are_labels })
    }
}

/// The files of a data set.
#[derive(Default)]
struct Files {
    folder: PathBuf,
    prefix: String,
    /// Images and labels of the training cases, then of the test cases.
    sets: [[Option<PathBuf>; 2]; 2],
}

/// The data sets of a folder, by what their files' names begin with.
fn sets(folder: &Path) -> Result<BTreeMap<String, Files>> {
    let entries = fs::read_dir(folder).map_err(Error::read(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::read(folder))?;
    // A file that is there twice: dashes before dots, and what is not packed first.
    paths.sort_by_key(|path| {
        let name = path.to_string_lossy().into_owned();
        (name.contains(".idx"), name.ends_with(".gz"), name)
    });
    let mut sets = BTreeMap::<String, Files>::new();
    for path in paths {
        let Some(Name { prefix, is_test, are_labels }) = Name::parse(&path).filter(|_| path.is_file()) else {
            continue;
        };
        let files = sets.entry(prefix.clone()).or_insert_with(|| Files {
            folder: folder.into(),
            prefix,
            ..Files::default()
        });
        files.sets[usize::from(is_test)][usize::from(are_labels)].get_or_insert(path);
    }
    Ok(sets)
}

/// Whether a folder has training images in this format.
pub fn is_folder(folder: &Path) -> bool {
    sets(folder).is_ok_and(|sets| sets.values().any(|files| files.sets[0][0].is_some()))
}

/// Loads a folder. Training images are required; training labels and a test set are optional.
pub fn load(folder: &Path) -> Result<Dataset> {
    let mut sets = sets(folder)?;
    sets.retain(|_, files| files.sets[0][0].is_some());
    let names: Vec<String> = sets.keys().map(|prefix| format!("{prefix}train-images")).collect();
    let files = match (sets.remove(""), sets.len()) {
        (Some(files), _) => files,
        (None, 1) => sets.pop_first().map(|(_, files)| files).unwrap_or_default(),
        (None, 0) => {
            return bad_data!(
                "{}: expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz, found no training images",
                folder.display()
            );
        }
        _ => {
            return bad_data!(
                "{}: expected one data set, found {}; name the file of its training images",
                folder.display(),
                list(names)
            );
        }
    };
    let mut notes = Vec::new();
    if !sets.is_empty() {
        notes.push(format!("not read: {}", list(sets.into_keys())));
    }
    files.load(notes)
}

/// Loads one file of images, with the labels beside it, and with the test set beside training images.
pub fn load_file(path: &Path) -> Result<Dataset> {
    let named = Name::parse(path);
    if named.as_ref().is_some_and(|name| name.are_labels) {
        return bad_data!(
            "{}: expected images, found labels; name the file of the images, or the folder",
            path.display()
        );
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = match &named {
        Some(name) => sets(folder)?.remove(&name.prefix).unwrap_or_default(),
        None => Files::default(),
    };
    if named.is_some_and(|name| name.is_test) {
        files.sets.swap(0, 1);
        files.sets[1] = [None, None];
    }
    files.sets[0][0] = Some(path.into());
    let beside: Vec<String> =
        files.sets.iter().flatten().skip(1).flatten().map(|path| name_of(path)).collect();
    let note = (!beside.is_empty()).then(|| format!("with the files beside it: {}", list(beside)));
    files.load(note.into_iter().collect())
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

impl Files {
    fn load(&self, mut notes: Vec<String>) -> Result<Dataset> {
        let is_turned = self.prefix.starts_with("emnist");
        if is_turned {
            notes.push(
                "EMNIST's images are stored with rows and columns exchanged; they are set upright".into(),
            );
        }
        let [train, test] = &self.sets;
        let Some((image, train)) = cases(train, is_turned, &mut notes)? else {
            return bad_data!("{}: found no training images", self.folder.display());
        };
        let test = match cases(test, is_turned, &mut notes)? {
            Some((test_image, _)) if test_image != image => {
                return bad_data!(
                    "{}: training images of {}×{} pixels but test images of {}×{}; sizes must match",
                    self.folder.display(),
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
        let mut classes: Vec<String> = labels
            .flatten()
            .max()
            .map_or(vec![], |&most| (0..=most).map(|class| class.to_string()).collect());
        if is_turned && let Some(mapped) = self.characters(&classes) {
            notes.push(format!("classes are named as in {}mapping.txt", self.prefix));
            classes = mapped;
        }
        Ok(Dataset { test, classes, notes, ..Dataset::new(image, train) })
    }

    /// The characters of EMNIST's classes, if there is a list: lines of a class and its characters' codes.
    fn characters(&self, classes: &[String]) -> Option<Vec<String>> {
        let mut text = String::new();
        let path = self.folder.join(format!("{}mapping.txt", self.prefix));
        file::open(&path).ok()?.take(LONGEST_MAPPING).read_to_string(&mut text).ok()?;
        let mut names = classes.to_vec();
        for line in text.lines() {
            let numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
            let numbers = numbers.collect::<Option<Vec<u32>>>()?;
            let Some((&class, codes)) = numbers.split_first() else { continue };
            let name = codes.iter().map(|&code| char::from_u32(code).filter(|letter| !letter.is_control()));
            if let Some(place) = names.get_mut(class as usize) {
                *place = name.collect::<Option<String>>().filter(|name| !name.is_empty())?;
            }
        }
        Some(names)
    }
}

/// Images and their labels. Labels that can't be read, or are not one for each image, are left out: an RBM learns without.
fn cases(
    [images, labels]: &[Option<PathBuf>; 2],
    is_turned: bool,
    notes: &mut Vec<String>,
) -> Result<Option<((usize, usize), Cases)>> {
    let Some(path) = images else { return Ok(None) };
    let (image, rows) = read_images(path, file::open(path)?, is_turned)?;
    let mut left_out = |reason: String| {
        notes.push(format!("no labels: {reason}"));
        None
    };
    let labels = match labels {
        None => None,
        Some(path) => match file::open(path).and_then(|file| self::labels(path, file)) {
            Ok(labels) if labels.len() != rows.len() => left_out(format!(
                "{}: {} images but {} labels; do the two files belong to the same data set?",
                path.display(),
                rows.len(),
                labels.len()
            )),
            Ok(labels) => Some(labels),
            Err(error @ (Error::Data(_) | Error::Read { .. })) => left_out(error.marked()),
            Err(error) => return Err(error),
        },
    };
    Ok(Some((image, Cases { labels, ..rows.into() })))
}

/// Height and width of the images in a file, and the images.
pub fn images(path: &Path, file: impl Read) -> Result<((usize, usize), Rows)> {
    read_images(path, file, false)
}

/// [`images`], with rows and columns exchanged if `is_turned`.
fn read_images(path: &Path, file: impl Read, is_turned: bool) -> Result<((usize, usize), Rows)> {
    let ([count, height, width], pixels) = read::<3>(path, file, IMAGES)?;
    if count == 0 || height == 0 || width == 0 {
        return bad_data!(
            "{}: {count} images of {height}×{width} pixels: nothing to learn from",
            path.display()
        );
    }
    let rows = |pixels: &[u8]| Rows::from_bytes(height * width, pixels, 1.0 / 255.0);
    if !is_turned {
        return Ok(((height, width), rows(&pixels)));
    }
    let turned = pixels
        .chunks(height * width)
        .flat_map(|image| (0..width).flat_map(move |x| (0..height).map(move |y| image[y * width + x])));
    Ok(((width, height), rows(&turned.collect::<Vec<u8>>())))
}

/// The labels in a file.
pub fn labels(path: &Path, mut file: impl Read) -> Result<Vec<u32>> {
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(Error::read(path))?;
    let are_extended = magic == EXTENDED_LABELS.to_be_bytes();
    let file = Cursor::new(magic).chain(file);
    if !are_extended {
        return Ok(read::<1>(path, file, LABELS)?.1.into_iter().map(u32::from).collect());
    }
    let ([_, columns], bytes) = read::<2>(path, file, EXTENDED_LABELS)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let classes = numbers.iter().step_by(columns.max(1)).map(|bytes| u32::from_be_bytes(*bytes));
    let classes: Vec<u32> = classes.collect();
    match classes.iter().find(|&&class| class >= MOST_CLASSES) {
        Some(&class) => bad_data!(
            "{}: expected classes below {MOST_CLASSES}, found {}",
            path.display(),
            class.cast_signed()
        ),
        None => Ok(classes),
    }
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
             found {}; is it another format?",
            path.display(),
            found.map_or(format!("{} bytes in all", header.len()), |word| format!("{word:#010x}"))
        );
    }
    if words.len() != N + 1 {
        return bad_data!("{}: truncated: the file ends within its header", path.display());
    }
    let sizes: [usize; N] = std::array::from_fn(|i| u32::from_be_bytes(words[i + 1]) as usize);
    let size = if magic == EXTENDED_LABELS { 4 } else { 1 };
    let expected = sizes.iter().fold(size, |product: u64, &size| product.saturating_mul(size as u64));
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
