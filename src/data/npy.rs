//! NumPy's files: `.npy`, one array, and `.npz`, a ZIP archive of named arrays. Parsed here so that nothing is allocated on
//! a header's word alone.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Seek, Write},
    path::Path,
};

use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

pub use super::numbers::Values;
use super::{
    Dataset, Selection,
    arrangement::Arrangement,
    file,
    labels::Labels,
    numbers::{self, Table},
    sparse, weights,
};
use crate::{
    error::{Error, Result, bad_data, excerpt, list, usage},
    memory,
};

/// The magic bytes of an `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The most characters of a text.
const LONGEST_TEXT: usize = 1 << 20;
/// The most bytes of a short text with its header.
const SHORT_TEXT: u64 = 512;
/// The longest accepted header, in bytes. Real ones have about a hundred.
const LONGEST_HEADER: usize = 1 << 16;

/// An array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes of the dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Values,
}

/// Description of the elements and their order.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
    /// Four bytes a character.
    Text,
    /// One byte a character.
    Bytes,
}

struct Header {
    kind: Kind,
    /// Bytes per element.
    size: usize,
    big_endian: bool,
    /// Whether the first index varies fastest.
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Parses the Python dictionary that describes an array, as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let value = |key: &str| {
            let at = text
                .find(&format!("'{key}':"))
                .ok_or(format!("expected {key:?} in its header {:?}", excerpt(text)))?;
            Ok::<_, String>(text[at + key.len() + 3..].trim_start())
        };
        let descr = value("descr")?;
        let descr =
            descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map_or(descr, |(name, _)| name);
        let unreadable = || not_numbers(descr);
        let mut letters = descr.chars();
        let order = letters.next().ok_or_else(unreadable)?;
        let kind = match letters.next() {
            Some('b') => Kind::Bool,
            Some('u') => Kind::Unsigned,
            Some('i') => Kind::Signed,
            Some('f') => Kind::Float,
            Some('U') => Kind::Text,
            Some('S' | 'a') => Kind::Bytes,
            _ => return Err(unreadable()),
        };
        let size: usize = letters.as_str().parse().map_err(|_| unreadable())?;
        let known = match kind {
            Kind::Bool => size == 1,
            Kind::Unsigned | Kind::Signed => matches!(size, 1 | 2 | 4 | 8),
            Kind::Float => matches!(size, 2 | 4 | 8),
            Kind::Text | Kind::Bytes => (1..=LONGEST_TEXT).contains(&size),
        };
        let size = if kind == Kind::Text { 4 * size } else { size };
        if !known || !"<>|=".contains(order) {
            return Err(unreadable());
        }
        let shape = value("shape")?;
        let sizes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(sizes, _)| sizes);
        let sizes = sizes.map(|sizes| sizes.split(',').map(str::trim).filter(|size| !size.is_empty()));
        // Python 2 wrote some sizes as 60000L.
        let sizes: Option<std::result::Result<Vec<usize>, _>> =
            sizes.map(|sizes| sizes.map(|size| size.trim_end_matches('L').parse()).collect());
        let Some(Ok(shape)) = sizes else {
            return Err(format!("expected a shape in its header {:?}", excerpt(text)));
        };
        Ok(Self {
            kind,
            size,
            big_endian: order == '>',
            fortran: value("fortran_order")?.starts_with("True"),
            shape,
        })
    }

    /// Whether its elements are numbers.
    fn is_numbers(&self) -> bool {
        !matches!(self.kind, Kind::Text | Kind::Bytes)
    }

    /// The bytes of a number.
    fn word(&self, bytes: &[u8]) -> u64 {
        let mut wide = [0; 8];
        match self.big_endian {
            true => wide.iter_mut().zip(bytes.iter().rev()).for_each(|(at, byte)| *at = *byte),
            false => wide.iter_mut().zip(bytes).for_each(|(at, byte)| *at = *byte),
        }
        u64::from_le_bytes(wide)
    }

    /// A whole number that is not negative and less than 2³².
    fn index(&self, bytes: &[u8]) -> Option<u32> {
        u32::try_from(self.integer(bytes)).ok()
    }

    /// An integer.
    fn integer(&self, bytes: &[u8]) -> i128 {
        let word = self.word(bytes);
        let unused = 64 - 8 * self.size as u32;
        match self.kind {
            Kind::Signed => ((word << unused) as i64 >> unused).into(),
            _ => word.into(),
        }
    }

    /// A float, as it is.
    fn double(&self, bytes: &[u8]) -> f64 {
        let word = self.word(bytes);
        match self.size {
            2 => half::f16::from_bits(word as u16).to_f64(),
            4 => f32::from_bits(word as u32).into(),
            _ => f64::from_bits(word),
        }
    }

    /// A text, without the zeros that fill it up.
    fn text(&self, bytes: &[u8]) -> String {
        let text: String = match self.kind {
            Kind::Text => bytes
                .chunks_exact(4)
                .map(|letter| char::from_u32(self.word(letter) as u32).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            _ => String::from_utf8_lossy(bytes).into(),
        };
        text.trim_end_matches('\0').into()
    }

    /// A number as `f32`; 64-bit integers and floats are rounded.
    fn float(&self, bytes: &[u8]) -> f32 {
        match self.kind {
            Kind::Float if self.size == 4 => f32::from_bits(self.word(bytes) as u32),
            Kind::Float => self.double(bytes) as f32,
            Kind::Signed => self.integer(bytes) as f32,
            _ => self.word(bytes) as f32,
        }
    }

    /// The number of bytes of all elements. Even if one size is 0, the product of the others must not overflow.
    fn bytes(&self) -> u64 {
        let count = match memory::product(&self.shape.iter().map(|&size| size.max(1)).collect::<Vec<_>>()) {
            count if count < 1 << 56 && self.shape.contains(&0) => 0,
            count => count,
        };
        count.saturating_mul(self.size as u64)
    }

    /// The error for a file with another number of bytes than the header promises.
    fn check(&self, name: &str, found: u64) -> Result<()> {
        let expected = self.bytes();
        if found == expected {
            return Ok(());
        }
        let sizes = excerpt(&self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "));
        let found = if found > expected { "more".into() } else { found.to_string() };
        bad_data!("{name}: the header promises {sizes} values = {expected} bytes, but {found} follow")
    }
}

/// What is wrong with elements of this type.
fn not_numbers(descr: &str) -> String {
    format!(
        "expected numbers (u1, b1, i4, i8, f2, f4, f8 …) in its header, found {:?}{}",
        excerpt(descr),
        conversion(descr)
    )
}

/// How to convert elements that are no numbers, in Python.
fn conversion(descr: &str) -> String {
    let (what, python) = match (descr.starts_with('['), descr.chars().nth(1)) {
        (true, _) => ("named fields", "numpy.lib.recfunctions.structured_to_unstructured(a)"),
        (_, Some('O')) => {
            return "; these are Python objects, which only Python can read; save them as numbers: \
                    np.save(\"new.npy\", np.array(np.load(\"old.npy\", allow_pickle=True).tolist(), \"float32\"))"
                .into();
        }
        (_, Some('U' | 'S')) => ("text", "a.astype(\"float32\")"),
        (_, Some('c')) => ("complex numbers", "np.abs(a)"),
        (_, Some('f')) => ("floats of another size", "a.astype(\"float64\")"),
        (_, Some('M' | 'm')) => ("times", "a.astype(\"int64\")"),
        _ => return String::new(),
    };
    format!("; these are {what}; for numbers: a = np.load(\"old.npy\"); np.save(\"new.npy\", {python})")
}

/// Reads one array; `name` identifies it in messages.
///
/// # Errors
/// [`Error::Data`] says what was expected and found.
pub fn read_array(name: &str, mut file: impl Read) -> Result<Array> {
    let header = read_header(name, &mut file)?;
    if !header.is_numbers() {
        let letter = if header.kind == Kind::Text { "<U" } else { "|S" };
        return bad_data!("{name}: {}", not_numbers(letter));
    }
    let mut values = if header.kind == Kind::Bool || header.kind == Kind::Unsigned && header.size == 1 {
        Values::Bytes(vec![])
    } else {
        Values::Floats(vec![])
    };
    // The values while the vector grows, the scaled values, and the packed rows.
    let needed = (16 / header.size as u64).max(2);
    elements(name, file, &header, needed, |part| match &mut values {
        Values::Bytes(bytes) => bytes.extend_from_slice(part),
        Values::Floats(floats) => {
            floats.extend(part.chunks_exact(header.size).map(|bytes| header.float(bytes)))
        }
    })?;
    if header.fortran {
        values = match values {
            Values::Bytes(values) => Values::Bytes(row_major(values, &header.shape)),
            Values::Floats(values) => Values::Floats(row_major(values, &header.shape)),
        };
    }
    Ok(Array { shape: header.shape, values })
}

/// Reads one array as labels, with its shape: texts, or numbers without rounding.
pub(crate) fn read_labels(name: &str, mut file: impl Read) -> Result<(Vec<usize>, Labels)> {
    let header = read_header(name, &mut file)?;
    let mut bytes = Vec::new();
    // The bytes while the vector grows, and the labels: a text takes some tens of bytes, a number 16.
    let needed = 3 + 64 / header.size as u64;
    elements(name, file, &header, needed, |part| bytes.extend_from_slice(part))?;
    let elements = bytes.chunks_exact(header.size);
    let labels = match header.kind {
        Kind::Text | Kind::Bytes => Labels::Texts(elements.map(|bytes| header.text(bytes)).collect()),
        Kind::Float => Labels::Floats(elements.map(|bytes| header.double(bytes)).collect()),
        _ => Labels::Integers(elements.map(|bytes| header.integer(bytes)).collect()),
    };
    let labels = match labels {
        labels if !header.fortran => labels,
        Labels::Texts(texts) => Labels::Texts(row_major(texts, &header.shape)),
        Labels::Integers(numbers) => Labels::Integers(row_major(numbers, &header.shape)),
        Labels::Floats(numbers) => Labels::Floats(row_major(numbers, &header.shape)),
    };
    Ok((header.shape, labels))
}

/// Reads the description of an array.
fn read_header(name: &str, mut file: impl Read) -> Result<Header> {
    let broken = |source: io::Error| Error::Data(format!("{name}: cannot be read: {source}"));
    let mut take = |bytes: u64| {
        let mut taken = Vec::new();
        file.by_ref().take(bytes).read_to_end(&mut taken).map_err(broken).map(|_| taken)
    };
    let start = take(8)?;
    let truncated = || Error::Data(format!("{name}: truncated: the file ends within its header"));
    if !start.starts_with(MAGIC) {
        return bad_data!(
            "{name}: expected an array in NumPy's format, which begins with \\x93NUMPY; found other bytes"
        );
    }
    let [_, _, _, _, _, _, version, _] = start[..] else { return Err(truncated()) };
    let length = take(if version == 1 { 2 } else { 4 })?;
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > LONGEST_HEADER {
        return bad_data!("{name}: expected a header of at most {LONGEST_HEADER} bytes, found {length}");
    }
    let header = take(length as u64)?;
    if header.len() < length || length == 0 {
        return Err(truncated());
    }
    Header::parse(&String::from_utf8_lossy(&header))
        .map_err(|reason| Error::Data(format!("{name}: {reason}")))
}

/// Reads the elements that follow a header, in parts; each has whole elements. `needed` is the final memory per byte.
fn elements(
    name: &str,
    file: impl Read,
    header: &Header,
    needed: u64,
    each: impl FnMut(&[u8]),
) -> Result<()> {
    let found = file::read_promised(name, file, header.bytes(), needed, each)?;
    header.check(name, found)
}

/// Reads an array of whole numbers that are not negative and less than 2³², in the order of the file.
///
/// # Errors
/// [`Error::Data`] says what was expected and found.
fn read_indices(name: &str, mut file: impl Read) -> Result<Vec<u32>> {
    let header = read_header(name, &mut file)?;
    if !matches!(header.kind, Kind::Unsigned | Kind::Signed) {
        return bad_data!("{name}: expected whole numbers (i4 or i8), found other ones");
    }
    let (mut indices, mut wrong) = (Vec::new(), None);
    // The numbers while the vector grows.
    let needed = (8 / header.size as u64).max(1);
    elements(name, file, &header, needed, |part| {
        for bytes in part.chunks_exact(header.size) {
            match header.index(bytes) {
                Some(index) => indices.push(index),
                None => wrong = wrong.or(Some(indices.len())),
            }
        }
    })?;
    match wrong {
        Some(at) => bad_data!("{name}: number {at}: expected one from 0 to {}, found another", u32::MAX),
        None => Ok(indices),
    }
}

/// Reorders elements from first index fastest to last index fastest.
pub(super) fn row_major<T: Clone>(values: Vec<T>, shape: &[usize]) -> Vec<T> {
    let mut strides = Vec::new();
    let mut stride = 1;
    for size in shape {
        strides.push(stride);
        stride *= size;
    }
    (0..values.len())
        .map(|at| {
            let (mut rest, mut from) = (at, 0);
            for (size, stride) in shape.iter().zip(&strides).rev() {
                from += rest % size * stride;
                rest /= size;
            }
            values[from].clone()
        })
        .collect()
}

/// Writes one array: bytes as `|u1`, floats as `<f4`.
///
/// # Errors
/// Those of `out`.
pub fn write_array(mut out: impl Write, array: &Array) -> io::Result<()> {
    let sizes: String = array.shape.iter().map(|size| format!("{size}, ")).collect();
    let descr = match array.values {
        Values::Bytes(_) => "|u1",
        Values::Floats(_) => "<f4",
    };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // Magic, version, length, header and line feed fill whole blocks of 64 bytes.
    let padding = (header.len() + 11).next_multiple_of(64) - header.len() - 11;
    header += &" ".repeat(padding);
    header.push('\n');
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&(header.len() as u16).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    match &array.values {
        Values::Bytes(bytes) => out.write_all(bytes),
        Values::Floats(floats) if cfg!(target_endian = "little") => {
            out.write_all(bytemuck::cast_slice(floats))
        }
        Values::Floats(floats) => floats.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
    }
}

/// Writes named arrays as an uncompressed `.npz` file.
///
/// # Errors
/// Those of the writer.
pub fn write_npz<'a>(
    out: impl Write,
    arrays: impl IntoIterator<Item = (&'a str, &'a Array)>,
) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(out);
    for (name, array) in arrays {
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        archive.start_file(format!("{name}.npy"), options).map_err(io::Error::other)?;
        write_array(&mut archive, array)?;
    }
    archive.finish().map_err(io::Error::other)?.flush()
}

/// Reads the arrays of an `.npz` file whose names `wanted` accepts, sorted by name.
///
/// # Errors
/// [`Error::Read`], [`Error::Data`].
pub fn read_npz(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Array)>> {
    let file = BufReader::new(file::opened(path)?);
    Ok(Archive::new(&path.display().to_string(), file)?.arrays(wanted)?.into_iter().collect())
}

/// The names of the files in a ZIP archive; `name` identifies it in messages.
pub(crate) fn file_names(name: &str, file: impl Read + Seek) -> Result<Vec<String>> {
    let archive = ZipArchive::new(file).map_err(broken_archive(name))?;
    let names = archive.file_names().map(|name| name.map(|name| name.into_owned()));
    names.collect::<zip::result::ZipResult<_>>().map_err(broken_archive(name))
}

/// An `.npz` file whose arrays are not read yet.
pub(crate) struct Archive<F> {
    name: String,
    archive: ZipArchive<F>,
    /// Names of its arrays, in file order.
    pub names: Vec<String>,
}

impl<F: Read + Seek> Archive<F> {
    /// Reads the table of contents; `name` identifies the file in messages.
    pub fn new(name: &str, file: F) -> Result<Self> {
        let broken = broken_archive(name);
        let mut archive = ZipArchive::new(file).map_err(&broken)?;
        let names = (0..archive.len()).map(|index| {
            let entry = archive.by_index_raw(index)?;
            let name = entry.name()?;
            Ok(name.strip_suffix(".npy").unwrap_or(&name).to_string())
        });
        let names = names.collect::<zip::result::ZipResult<_>>().map_err(&broken)?;
        Ok(Self { name: name.into(), archive, names })
    }

    /// Reads the wanted arrays. Each name may occur only once, so entries that share bytes can't exhaust memory.
    pub fn arrays(&mut self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Array>> {
        let mut arrays = BTreeMap::new();
        for (index, name) in self.names.iter().enumerate().filter(|(_, name)| wanted(name)) {
            let entry = self.archive.by_index(index).map_err(broken_archive(&self.name))?;
            let array = read_array(&format!("{}: {}", self.name, excerpt(name)), entry)?;
            if arrays.insert(name.clone(), array).is_some() {
                return bad_data!("{}: expected one array {:?}, found more", self.name, excerpt(name));
            }
        }
        Ok(arrays)
    }
}

impl<F: Read + Seek> Archive<F> {
    /// The file, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The entry of an array, and its name for messages.
    fn entry(&mut self, wanted: &str) -> Result<(String, impl Read)> {
        let Some(index) = self.names.iter().position(|name| name == wanted) else {
            return bad_data!("{}: expected an array {wanted:?}, found {}", self.name, list(&self.names));
        };
        let entry = self.archive.by_index(index).map_err(broken_archive(&self.name))?;
        Ok((format!("{}: {wanted}", self.name), entry))
    }

    /// The array with this name.
    pub fn array(&mut self, wanted: &str) -> Result<Array> {
        let (name, entry) = self.entry(wanted)?;
        read_array(&name, entry)
    }

    /// Whole numbers of the array with this name.
    pub fn indices(&mut self, wanted: &str) -> Result<Vec<u32>> {
        let (name, entry) = self.entry(wanted)?;
        read_indices(&name, entry)
    }

    /// The letters of a short text, which NumPy stores as bytes or as characters of four bytes.
    pub fn text(&mut self, wanted: &str) -> Result<String> {
        let (name, entry) = self.entry(wanted)?;
        let mut bytes = Vec::new();
        let broken = |source: io::Error| Error::Data(format!("{name}: cannot be read: {source}"));
        entry.take(SHORT_TEXT).read_to_end(&mut bytes).map_err(broken)?;
        // The header ends with a line feed.
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        let letters = bytes.iter().skip(end + 1).filter(|byte| **byte != 0);
        Ok(letters.map(|&byte| char::from(byte)).collect())
    }
}

fn broken_archive(name: &str) -> impl Fn(zip::result::ZipError) -> Error {
    move |error| Error::Data(format!("{name}: expected a ZIP archive of arrays: {error}"))
}

/// A data set from one array.
pub fn load(name: &str, file: impl Read, selection: &Selection) -> Result<Dataset> {
    Arrays::of((name.into(), read_array(name, file)?)).dataset(name, selection)
}

/// Common names of arrays in an `.npz` file, in lower case: those of Keras, of scikit-learn, and others.
pub(super) const TRAIN: [&str; 11] = [
    "x_train",
    "train_x",
    "train_images",
    "images_train",
    "train_data",
    "data_train",
    "train",
    "x",
    "data",
    "images",
    "features",
];
pub(super) const TEST: [&str; 7] =
    ["x_test", "test_x", "test_images", "images_test", "test_data", "data_test", "test"];
pub(super) const TRAIN_LABELS: [&str; 13] = [
    "y_train",
    "train_y",
    "train_labels",
    "labels_train",
    "train_label",
    "train_targets",
    "y",
    "labels",
    "label",
    "targets",
    "target",
    "classes",
    "class",
];
pub(super) const TEST_LABELS: [&str; 6] =
    ["y_test", "test_y", "test_labels", "labels_test", "test_label", "test_targets"];
pub(super) const WEIGHTS: [&str; 4] = ["weights", "w_train", "sample_weight", "weights_train"];
pub(super) const TEST_WEIGHTS: [&str; 2] = ["weights_test", "w_test"];

/// Finds an array by its usual names.
fn find<'a>(names: &'a [String], wanted: &[&str]) -> Option<&'a String> {
    wanted.iter().find_map(|wanted| names.iter().find(|name| name.to_lowercase() == *wanted))
}

/// A data set from several arrays.
pub fn load_npz(name: &str, file: impl Read + Seek, selection: &Selection) -> Result<Dataset> {
    let mut archive = Archive::new(name, file)?;
    if sparse::is_sparse(&archive.names) {
        return sparse::load(&mut archive, selection);
    }
    let names = archive.names.clone();
    let train = match names.as_slice() {
        // A single array may have any name.
        [one] => Some(one.clone()),
        _ => find(&names, &TRAIN).cloned(),
    };
    let train = match train {
        Some(train) => train,
        None => archive.only_table()?,
    };
    let is_alone = names.len() == 1;
    let among = |wanted: &[&str]| find(&names, wanted).filter(|found| **found != train && !is_alone).cloned();
    // Arrays without names, as np.savez("new.npz", x, y) writes them.
    let labels = among(&TRAIN_LABELS).or_else(|| among(&["arr_1"]).filter(|_| train == "arr_0"));
    let [test, test_labels, weights, test_weights] =
        [&TEST[..], &TEST_LABELS, &WEIGHTS, &TEST_WEIGHTS].map(among);

    let mut take = |found: &String| -> Result<Named> {
        match archive.arrays(|name| name == found)?.pop_first() {
            Some((array, values)) => Ok((format!("{name}: {}", excerpt(&array)), values)),
            None => bad_data!("{name}: expected an array {:?}, found none", excerpt(found)),
        }
    };
    let mut arrays = Arrays {
        test: test.as_ref().map(&mut take).transpose()?,
        weights: weights.as_ref().map(&mut take).transpose()?,
        test_weights: test_weights.as_ref().map(&mut take).transpose()?,
        ..Arrays::of(take(&train)?)
    };
    for (found, read) in [(&labels, &mut arrays.labels), (&test_labels, &mut arrays.test_labels)] {
        if let Some(found) = found {
            *read = Some((found.clone(), archive.labels(found)?));
        }
    }
    let mut dataset = arrays.dataset(name, selection)?;
    let read: Vec<String> =
        [Some(train), labels, test, test_labels, weights, test_weights].into_iter().flatten().collect();
    let unread: Vec<&String> = names.iter().filter(|name| !read.contains(name)).collect();
    if !unread.is_empty() {
        dataset.notes.insert(0, format!("arrays read: {}; not used: {}", list(&read), list(unread)));
    }
    Ok(dataset)
}

/// The name of an array, for messages, and the array.
pub(super) type Named = (String, Array);
/// The name of an array of labels, and its shape and labels, or why they can't be read.
pub(super) type NamedLabels = (String, std::result::Result<(Vec<usize>, Labels), String>);

impl<F: Read + Seek> Archive<F> {
    /// The name of the only array that may be a table of numbers or images, where none has a known name.
    fn only_table(&mut self) -> Result<String> {
        let (mut tables, mut found) = (Vec::new(), Vec::new());
        for index in 0..self.names.len() {
            let name = self.names[index].clone();
            let entry = self.archive.by_index(index).map_err(broken_archive(&self.name))?;
            match read_header(&name, entry) {
                Ok(header) => {
                    found.push(format!("{} {}", excerpt(&name), excerpt(&format!("{:?}", header.shape))));
                    if header.is_numbers() && header.shape.len() > 1 {
                        tables.push(name);
                    }
                }
                Err(_) => found.push(excerpt(&name)),
            }
        }
        match &tables[..] {
            [one] => Ok(one.clone()),
            _ => bad_data!(
                "{}: expected an array x_train (or {}), or a single table, found {}; choose one: \
                 np.save(\"new.npy\", np.load(\"old.npz\")[\"NAME\"])",
                self.name,
                TRAIN[1..].join(", "),
                list(found)
            ),
        }
    }

    /// Reads an array of labels, or says why it can't be read.
    fn labels(&mut self, wanted: &str) -> Result<std::result::Result<(Vec<usize>, Labels), String>> {
        let Some(index) = self.names.iter().position(|name| name == wanted) else {
            return Ok(Err("it is not there".into()));
        };
        let entry = self.archive.by_index(index).map_err(broken_archive(&self.name));
        match entry.and_then(|entry| read_labels(&excerpt(wanted), entry)) {
            Ok(labels) => Ok(Ok(labels)),
            Err(Error::Data(reason)) => Ok(Err(reason)),
            Err(error) => Err(error),
        }
    }
}

/// An array of cases × values without some columns, named by their numbers from 1.
fn without((name, array): &Named, dropped: &[String]) -> Result<Array> {
    let [cases, units] = array.shape[..] else {
        return usage!(
            "‹drop› {}: expected an array of cases × values, found {name} of shape {:?}",
            dropped.join(","),
            array.shape
        );
    };
    let mut is_kept = vec![true; units];
    for column in dropped {
        match column.parse::<usize>().ok().filter(|number| (1..=units).contains(number)) {
            Some(number) => is_kept[number - 1] = false,
            None => {
                return usage!(
                    "‹drop› {column}: expected a column's number, from 1 to {units}, for the array {name}"
                );
            }
        }
    }
    fn kept<T: Copy>(values: &[T], is_kept: &[bool]) -> Vec<T> {
        values.iter().zip(is_kept.iter().cycle()).filter(|(_, kept)| **kept).map(|(&x, _)| x).collect()
    }
    let values = match &array.values {
        Values::Bytes(values) => Values::Bytes(kept(values, &is_kept)),
        Values::Floats(values) => Values::Floats(kept(values, &is_kept)),
    };
    Ok(Array { shape: vec![cases, is_kept.iter().filter(|kept| **kept).count()], values })
}

/// The arrays of a data set.
pub(super) struct Arrays {
    pub train: Named,
    pub labels: Option<NamedLabels>,
    pub weights: Option<Named>,
    pub test: Option<Named>,
    pub test_labels: Option<NamedLabels>,
    pub test_weights: Option<Named>,
}

impl Arrays {
    /// Training cases alone.
    fn of(train: Named) -> Self {
        Self { train, labels: None, weights: None, test: None, test_labels: None, test_weights: None }
    }

    /// Finds out what the arrays are, and takes what can't be classes for no labels.
    pub fn dataset(self, name: &str, selection: &Selection) -> Result<Dataset> {
        if let Some(columns) = &selection.columns {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            return usage!(
                "‹columns› {}: these are for tables in text files, and {name} is an array; choose the kinds of the units by column with \
                 ‹visible›",
                columns.join(",")
            );
        }
        let Self { mut train, mut test, .. } = self;
        if let Some(dropped) = &selection.drop {
            train.1 = without(&train, dropped)?;
            if let Some(test) = &mut test {
                test.1 = without(test, dropped)?;
            }
        }
        let mut notes = Vec::new();
        let count = match &self.labels {
            Some((_, Ok((shape, labels)))) => labels.cases(shape),
            _ => None,
        };
        let arrangement = Arrangement::of(&train.1.shape, count)
            .map_err(|reason| Error::Data(format!("{}: {reason}", train.0)))?;
        notes.extend(arrangement.note.clone());
        let Some((cases, case)) = arrangement.cases(&train.1.shape) else {
            return bad_data!("{}: expected cases, found shape {:?}", train.0, train.1.shape);
        };
        let mut test_cases = 0;
        if let Some(test) = &test {
            test_cases = match arrangement.cases(&test.1.shape) {
                Some((cases, found)) if found == case => cases,
                _ => {
                    return bad_data!(
                        "{}: expected cases of shape {case:?}, as in {}, found an array of shape {:?}",
                        test.0,
                        train.0,
                        test.1.shape
                    );
                }
            };
        }
        let mut classes = |labels: Option<NamedLabels>, cases: usize| {
            let (name, labels) = labels?;
            match labels.and_then(|(shape, labels)| labels.classes(&shape, cases)) {
                Ok((classes, note)) => {
                    notes.extend(note.map(|note| format!("{}: {note}", excerpt(&name))));
                    Some(classes)
                }
                Err(reason) => {
                    notes.push(format!("no labels: {} is left out: {reason}", excerpt(&name)));
                    None
                }
            }
        };
        let labels = classes(self.labels, cases);
        let test_labels = classes(self.test_labels.filter(|_| test.is_some()), test_cases);
        let weights_of = |named: Option<Named>, cases: usize| {
            named.map(|(name, array)| weights::checked(&name, array.values.floats(), cases)).transpose()
        };
        let weights = weights_of(self.weights, cases)?;
        let test_weights = weights_of(self.test_weights.filter(|_| test.is_some()), test_cases)?;
        let units = arrangement.units();
        let table = |(name, array): Named, labels, weights| {
            let place = move |at: usize| format!("{name}: case {}, value {}", at / units, at % units);
            // Numbers of columns change where some are left out already.
            let option = |unit: usize| selection.drop.is_none().then(|| (unit + 1).to_string());
            let column = move |unit: usize| (format!("column {}", unit + 1), option(unit));
            let values = arrangement.arranged(array);
            Table { values, labels, weights, place: Box::new(place), column: Box::new(column) }
        };
        let test = test.map(|test| table(test, test_labels, test_weights));
        let train = table(train, labels, weights);
        let mut dataset = numbers::dataset(name, (units, arrangement.image()), train, test, selection)?;
        dataset.notes.splice(..0, notes);
        Ok(dataset)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Cursor};

    use half::f16;

    use super::*;

    fn file(header: &str, body: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), body].concat()
    }

    fn read(file: &[u8]) -> Result<Array> {
        read_array("f", Cursor::new(file))
    }

    #[test]
    fn every_kind_of_number_is_read() {
        let floats = |x: &[f32]| Values::Floats(x.to_vec());
        for (descr, body, values) in [
            ("|u1", vec![1, 2, 3, 255], Values::Bytes(vec![1, 2, 3, 255])),
            ("|b1", vec![1, 0, 0, 1], Values::Bytes(vec![1, 0, 0, 1])),
            ("<f4", [1.0f32, -0.5, 0.1, 9.0].map(f32::to_le_bytes).concat(), floats(&[1.0, -0.5, 0.1, 9.0])),
            (">f4", [1.0f32, -0.5, 0.1, 9.0].map(f32::to_be_bytes).concat(), floats(&[1.0, -0.5, 0.1, 9.0])),
            ("<f8", [1.0f64, -0.5, 0.1, 9.0].map(f64::to_le_bytes).concat(), floats(&[1.0, -0.5, 0.1, 9.0])),
            (
                "<f2",
                [1.0, -0.5, 2.0, 9.0].map(|x| f16::from_f32(x).to_le_bytes()).concat(),
                floats(&[1.0, -0.5, 2.0, 9.0]),
            ),
            ("<i8", [1i64, -5, 0, 9].map(i64::to_le_bytes).concat(), floats(&[1.0, -5.0, 0.0, 9.0])),
            (">i2", [1i16, -5, 0, 300].map(i16::to_be_bytes).concat(), floats(&[1.0, -5.0, 0.0, 300.0])),
            ("<u4", [1u32, 5, 0, 300].map(u32::to_le_bytes).concat(), floats(&[1.0, 5.0, 0.0, 300.0])),
        ] {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}\n");
            assert_eq!(read(&file(&header, &body)).unwrap(), Array { shape: vec![2, 2], values }, "{descr}");
        }
        let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}";
        let array = read(&file(header, &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.values, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for array in [
            Array { shape: vec![2, 3], values: Values::Floats(vec![0.1, 2.0, -3.0, 4.5, 1e-9, 6.0]) },
            Array { shape: vec![3], values: Values::Bytes(vec![1, 0, 255]) },
        ] {
            let mut bytes = Vec::new();
            write_array(&mut bytes, &array).unwrap();
            assert_eq!((bytes.len() - if array.shape.len() == 2 { 24 } else { 3 }) % 64, 0);
            assert_eq!(read(&bytes).unwrap(), array);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.npz");
            write_npz(File::create(&path).unwrap(), [("b", &array), ("a", &array)]).unwrap();
            let read = read_npz(&path, |name| name != "b").unwrap();
            assert_eq!(read, [("a".to_string(), array)]);
        }
    }

    #[test]
    fn a_broken_file_is_explained_whatever_it_promises() {
        let header = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        for (bytes, expected) in [
            (vec![], "expected an array in NumPy's format"),
            (b"PK\x03\x04".to_vec(), "expected an array in NumPy's format"),
            (MAGIC.to_vec(), "truncated"),
            ([MAGIC, &[1, 0, 9]].concat(), "truncated"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "header of at most"),
            (file("nonsense", &[]), "expected \"descr\""),
            (file(&header("(2, x)"), &[]), "expected a shape"),
            (file(&header("(2, 2)"), &[0; 31]), "2 × 2 values = 32 bytes, but 31 follow"),
            (file(&header("(2, 2)"), &[0; 33]), "but more follow"),
            (file(&header("(99999999999, 99999999999)"), &[0; 8]), "but 8 follow"),
            (file(&header("(2, 2)").replace("<f8", "<U5"), &[0; 40]), "expected numbers"),
            (file(&header("(2, 2)").replace("<f8", "|O"), &[0; 40]), "expected numbers"),
            (file(&header("(2, 2)").replace("<f8", "<f16"), &[0; 64]), "expected numbers"),
        ] {
            let message = read(&bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected:?} in {message}");
        }
    }
}
