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
    Dataset, Selection, file,
    numbers::{self, Table},
    weights,
};
use crate::{
    error::{Error, Result, bad_data, excerpt, list},
    memory,
};

/// The magic bytes of an `.npy` file.
const MAGIC: &[u8] = b"\x93NUMPY";
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
        let unreadable = || {
            format!("expected numbers (u1, b1, i4, i8, f4, f8 …) in its header, found {:?}", excerpt(descr))
        };
        let mut letters = descr.chars();
        let order = letters.next().ok_or_else(unreadable)?;
        let kind = match letters.next() {
            Some('b') => Kind::Bool,
            Some('u') => Kind::Unsigned,
            Some('i') => Kind::Signed,
            Some('f') => Kind::Float,
            _ => return Err(unreadable()),
        };
        let size = letters.as_str().parse().map_err(|_| unreadable())?;
        let known = match kind {
            Kind::Bool => size == 1,
            Kind::Unsigned | Kind::Signed => matches!(size, 1 | 2 | 4 | 8),
            Kind::Float => matches!(size, 4 | 8),
        };
        if !known || !"<>|=".contains(order) {
            return Err(unreadable());
        }
        let shape = value("shape")?;
        let sizes = shape.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(sizes, _)| sizes);
        let sizes = sizes.map(|sizes| sizes.split(',').map(str::trim).filter(|size| !size.is_empty()));
        let sizes: Option<std::result::Result<Vec<usize>, _>> =
            sizes.map(|sizes| sizes.map(str::parse).collect());
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

    /// An element as `f32`; 64-bit integers and floats are rounded.
    fn float(&self, bytes: &[u8]) -> f32 {
        let mut wide = [0; 8];
        for (at, byte) in wide.iter_mut().zip(if self.big_endian {
            bytes.iter().rev().collect::<Vec<_>>()
        } else {
            bytes.iter().collect()
        }) {
            *at = *byte;
        }
        let word = u64::from_le_bytes(wide);
        let unused = 64 - 8 * self.size as u32;
        match self.kind {
            Kind::Bool | Kind::Unsigned => word as f32,
            Kind::Signed => ((word << unused) as i64 >> unused) as f32,
            Kind::Float if self.size == 4 => f32::from_bits(word as u32),
            Kind::Float => f64::from_bits(word) as f32,
        }
    }
}

/// Reads one array; `name` identifies it in messages.
///
/// # Errors
/// [`Error::Data`] says what was expected and found.
pub fn read_array(name: &str, mut file: impl Read) -> Result<Array> {
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
    let header = Header::parse(&String::from_utf8_lossy(&header))
        .map_err(|reason| Error::Data(format!("{name}: {reason}")))?;

    // Even if one size is 0, the product of the others must not overflow.
    let count = match memory::product(&header.shape.iter().map(|&size| size.max(1)).collect::<Vec<_>>()) {
        count if count < 1 << 56 && header.shape.contains(&0) => 0,
        count => count,
    };
    let expected = count.saturating_mul(header.size as u64);
    let mut values = if header.kind == Kind::Bool || header.kind == Kind::Unsigned && header.size == 1 {
        Values::Bytes(vec![])
    } else {
        Values::Floats(vec![])
    };
    // The values while the vector grows, the scaled values, and the packed rows.
    let needed = (16 / header.size as u64).max(2);
    let found = file::read_promised(name, file, expected, needed, |part| match &mut values {
        Values::Bytes(bytes) => bytes.extend_from_slice(part),
        Values::Floats(floats) => {
            floats.extend(part.chunks_exact(header.size).map(|bytes| header.float(bytes)))
        }
    })?;
    if found != expected {
        let sizes = excerpt(&header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "));
        let found = if found > expected { "more".into() } else { found.to_string() };
        return bad_data!(
            "{name}: the header promises {sizes} values = {expected} bytes, but {found} follow"
        );
    }
    if header.fortran {
        values = match values {
            Values::Bytes(values) => Values::Bytes(row_major(&values, &header.shape)),
            Values::Floats(values) => Values::Floats(row_major(&values, &header.shape)),
        };
    }
    Ok(Array { shape: header.shape, values })
}

/// Reorders elements from first index fastest to last index fastest.
fn row_major<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
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
            values[from]
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

fn broken_archive(name: &str) -> impl Fn(zip::result::ZipError) -> Error {
    move |error| Error::Data(format!("{name}: expected a ZIP archive of arrays: {error}"))
}

/// A data set from one array: the first index is the case.
pub fn load(name: &str, file: impl Read, selection: &Selection) -> Result<Dataset> {
    dataset(name, (name.into(), read_array(name, file)?), [None, None, None, None, None], selection)
}

/// Common names of arrays in an `.npz` file, in lower case: those of Keras, of scikit-learn, and others.
const TRAIN: [&str; 7] = ["x_train", "train_x", "train_images", "train", "x", "data", "images"];
const TEST: [&str; 4] = ["x_test", "test_x", "test_images", "test"];
const TRAIN_LABELS: [&str; 7] = ["y_train", "train_y", "train_labels", "y", "labels", "label", "target"];
const TEST_LABELS: [&str; 3] = ["y_test", "test_y", "test_labels"];
const WEIGHTS: [&str; 4] = ["weights", "w_train", "sample_weight", "weights_train"];
const TEST_WEIGHTS: [&str; 2] = ["weights_test", "w_test"];

/// A data set from several arrays.
pub fn load_npz(name: &str, file: impl Read + Seek, selection: &Selection) -> Result<Dataset> {
    let mut archive = Archive::new(name, file)?;
    let names = archive.names.clone();
    let mut take = |wanted: &[&str]| -> Result<Option<Named>> {
        let found = wanted.iter().find_map(|wanted| names.iter().find(|name| name.to_lowercase() == *wanted));
        let Some(found) = found else { return Ok(None) };
        let array = archive.arrays(|name| name == found)?.pop_first();
        Ok(array.map(|(array, values)| (format!("{name}: {}", excerpt(&array)), values)))
    };
    let train = match names.as_slice() {
        // A single array may have any name.
        [one] => take(&[&one.to_lowercase()])?,
        _ => take(&TRAIN)?,
    };
    let Some(train) = train else {
        return bad_data!(
            "{name}: expected an array x_train (or {}), found {}",
            TRAIN[1..].join(", "),
            list(names)
        );
    };
    let others = match names.len() {
        1 => [None, None, None, None, None],
        _ => [take(&TRAIN_LABELS)?, take(&TEST)?, take(&TEST_LABELS)?, take(&WEIGHTS)?, take(&TEST_WEIGHTS)?],
    };
    dataset(name, train, others, selection)
}

type Named = (String, Array);

fn dataset(
    name: &str,
    train: Named,
    [labels, test, test_labels, weights, test_weights]: [Option<Named>; 5],
    selection: &Selection,
) -> Result<Dataset> {
    let (cases, image) = cases_of(&train)?;
    if let Some(test) = &test {
        let (_, test_image) = cases_of(test)?;
        if test_image != image {
            return bad_data!(
                "{}: expected cases of shape {image:?}, as in {}, found {test_image:?}",
                test.0,
                train.0
            );
        }
    }
    let units = image.iter().product();
    let image = match image[..] {
        [height, width] => Some((height, width)),
        _ => None,
    };
    let test_cases = test.as_ref().map(|test| test.1.shape[0]);
    let labels = labels.map(|labels| labels_of(labels, cases)).transpose()?;
    let test_labels =
        test_labels.zip(test_cases).map(|(labels, cases)| labels_of(labels, cases)).transpose()?;
    let weights_of = |named: Option<Named>, cases: usize| {
        named.map(|(name, array)| weights::checked(&name, array.values.floats(), cases)).transpose()
    };
    let weights = weights_of(weights, cases)?;
    let test_weights = test_cases.map_or(Ok(None), |cases| weights_of(test_weights, cases))?;
    let table = |(name, array): Named, labels, weights| {
        let place = move |at: usize| format!("{name}: case {}, value {}", at / units, at % units);
        Table { values: array.values, labels, weights, place: Box::new(place) }
    };
    let test = test.map(|test| table(test, test_labels, test_weights));
    numbers::dataset(name, (units, image), table(train, labels, weights), test, selection)
}

/// The number of cases and the shape of one: a vector, or an image without a trailing dimension of 1.
fn cases_of((name, array): &Named) -> Result<(usize, Vec<usize>)> {
    match array.shape[..] {
        [cases, units] => Ok((cases, vec![units])),
        [cases, height, width] | [cases, height, width, 1] | [cases, 1, height, width] => {
            Ok((cases, vec![height, width]))
        }
        _ => bad_data!(
            "{name}: expected cases × values or cases × height × width, found an array of shape {:?}",
            array.shape
        ),
    }
}

/// Reads `cases` classes, as whole numbers.
fn labels_of((name, array): Named, cases: usize) -> Result<Vec<String>> {
    if array.values.len() != cases {
        return bad_data!("{name}: {cases} cases but {} labels", array.values.len());
    }
    let label = |(case, x): (usize, f32)| match x {
        x if x.fract() == 0.0 => Ok((x as i64).to_string()),
        _ => bad_data!("{name}: case {case}: expected a class number, found {x}"),
    };
    array.values.floats().into_iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Cursor};

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
