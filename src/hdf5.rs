//! HDF5 files, behind a seam: named arrays of numbers and texts in, and out. The crates that parse and write them are used
//! here only.
//!
//! Files are untrusted. The parser checks what it reads, and this module bounds what an array may take: its unpacked size is at
//! most 1032 times the file's, as no chunk of a gzip stream unpacks to more.

mod lzf;
mod write;

pub use write::{Content, write};

use std::{
    collections::HashSet,
    io::{Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use half::f16;
use hdf5_reader::{
    BytesStorage, Dataset, Datatype, Hdf5File, OpenOptions,
    filters::FilterRegistry,
    group::Group,
    storage::{DynStorage, FileStorage},
};

use crate::{
    data::{
        file,
        npy::{Array, Values},
    },
    error::{Error, Result, bad_data, excerpt},
    memory,
};

/// The first bytes of an HDF5 file; they may follow a block of 512, 1024, 2048 … bytes of another program.
const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
/// How many times the file's size an array may unpack to: the most that DEFLATE can do.
const MOST_UNPACKED: u64 = 1032;
/// The most objects that are listed. A long run of rbms has some ten thousand.
const MOST_OBJECTS: usize = 1 << 17;
/// The most groups inside each other.
const DEEPEST: usize = 32;
/// The largest object header that is read. The largest attribute has 64 KiB.
const LONGEST_HEADER: usize = 4 << 20;

/// An array of a file, without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it is: `/group/name`.
    pub path: String,
    /// Sizes of the dimensions, slowest first; none of a single number or text.
    pub shape: Vec<usize>,
    /// What it holds.
    pub holds: Holds,
}

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Numbers that can be read.
    Numbers,
    /// Texts.
    Texts,
    /// Records, references, complex numbers and others.
    Others,
}

/// An HDF5 file that is open for reading.
pub struct File {
    name: String,
    file: Hdf5File,
    /// Bytes of the file.
    size: u64,
    is_matlab: bool,
}

/// Whether a file has the format's first bytes.
///
/// # Errors
/// [`Error::Read`]; [`Error::Data`] if it is not a file.
pub fn is_hdf5(path: &Path) -> Result<bool> {
    let mut file = file::opened(path)?;
    let mut magic = [0; MAGIC.len()];
    for at in [0, 512, 1024, 2048, 4096] {
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut magic));
        match read {
            Ok(()) if magic == MAGIC => return Ok(true),
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(Error::read(path)(error)),
        }
    }
    Ok(false)
}

impl File {
    /// Opens a file. Its numbers are read from the disk when they are asked for.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Data`] if it is not an HDF5 file.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = file::opened(path)?;
        let size = file.metadata().map_err(Error::read(path))?.len();
        let storage = FileStorage::from_file(file).map_err(broken(&name))?;
        let mut start = [0; 10];
        let is_matlab = file::opened(path)?.read_exact(&mut start).is_ok() && &start == b"MATLAB 7.3";
        Self::of(name, Arc::new(storage), size, is_matlab)
    }

    /// Opens a file's bytes.
    ///
    /// # Errors
    /// [`Error::Data`] if it is not an HDF5 file.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let storage = Arc::new(BytesStorage::new(bytes.to_vec()));
        Self::of(name.into(), storage, bytes.len() as u64, bytes.starts_with(b"MATLAB 7.3"))
    }

    fn of(name: String, storage: DynStorage, size: u64, is_matlab: bool) -> Result<Self> {
        let largest = usize::try_from(most_unpacked(size)).unwrap_or(usize::MAX);
        let mut filters = FilterRegistry::new();
        filters.register(lzf::ID, Box::new(move |_, packed, _| lzf::unpack(packed, largest)));
        let options = OpenOptions {
            // Each array is read once.
            chunk_cache_bytes: 0,
            filter_registry: Some(filters),
            max_chunk_bytes: largest,
            max_read_bytes: largest,
            max_object_header_bytes: LONGEST_HEADER,
            ..OpenOptions::default()
        };
        let file = guarded(&name, || Hdf5File::from_storage_with_options(storage, options))?;
        Ok(Self { name, file, size, is_matlab })
    }

    /// Whether MATLAB wrote it, which stores the first index fastest.
    pub fn is_matlab(&self) -> bool {
        self.is_matlab
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the groups and of the arrays in a group; none if there is no such group.
    ///
    /// # Errors
    /// [`Error::Data`] if the file is broken.
    pub fn members(&self, group: &str) -> Result<(Vec<String>, Vec<String>)> {
        let found = guarded(&self.name, || {
            let mut at = self.file.root_group()?;
            for part in group.split('/').filter(|part| !part.is_empty()) {
                if !at.member_names()?.0.iter().any(|name| name == part) {
                    return Ok(None);
                }
                at = at.group(part)?;
            }
            at.member_names().map(Some)
        });
        Ok(found?.unwrap_or_default())
    }

    /// Whether there is an array at a path.
    ///
    /// # Errors
    /// Those of [`File::members`].
    pub fn has(&self, path: &str) -> Result<bool> {
        let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(self.members(group)?.1.iter().any(|other| other == name))
    }

    /// All arrays below a group, sorted by path. A group with several names is listed under one.
    ///
    /// # Errors
    /// [`Error::Data`] if the file is broken, or has very many objects.
    pub fn entries(&self, below: &str) -> Result<Vec<Entry>> {
        let mut entries = guarded(&self.name, || {
            let root = self.file.group(below)?;
            let below = below.trim_end_matches('/').to_string();
            let (mut entries, mut seen, mut groups) = (Vec::new(), HashSet::new(), vec![(below, root, 0)]);
            while let Some((path, group, depth)) = groups.pop() {
                if !seen.insert(group.address()) || depth > DEEPEST {
                    continue;
                }
                let (inner, arrays): (Vec<Group>, Vec<Dataset>) = group.members()?;
                for array in arrays {
                    let path = format!("{path}/{}", base(array.name()));
                    entries.push(Entry { path, shape: shape(&array), holds: holds(array.dtype()) });
                }
                for group in inner {
                    groups.push((format!("{path}/{}", base(group.name())), group, depth + 1));
                }
                if entries.len() + groups.len() > MOST_OBJECTS {
                    let reason = format!("more than {MOST_OBJECTS} objects");
                    return Err(hdf5_reader::error::Error::InvalidData(reason));
                }
            }
            Ok(entries)
        })?;
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(entries)
    }

    /// The sizes of an array's dimensions, slowest first.
    ///
    /// # Errors
    /// [`Error::Data`] if there is none.
    pub fn shape(&self, path: &str) -> Result<Vec<usize>> {
        guarded(&self.name, || Ok(shape(&self.file.dataset(path)?)))
    }

    /// Reads an array of numbers: unsigned bytes and truth values as bytes, others in 32 bits.
    ///
    /// # Errors
    /// [`Error::Data`] says what was expected and found; [`Error::Usage`] if there is no memory for it.
    pub fn array(&self, path: &str) -> Result<Array> {
        let dataset = guarded(&self.name, || self.file.dataset(path))?;
        let number = self.number(path, &dataset)?;
        let shape = shape(&dataset);
        let bytes = self.bytes(path, &dataset, number.size)?;
        let values = match number {
            Number { size: 1, is_signed: false, is_float: false } => Values::Bytes(bytes),
            _ => Values::Floats(bytes.chunks_exact(number.size).map(|x| number.of(x) as f32).collect()),
        };
        Ok(Array { shape, values })
    }

    /// Reads an array of numbers in 64 bits, and its shape.
    ///
    /// # Errors
    /// Those of [`File::array`].
    pub fn numbers(&self, path: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        let dataset = guarded(&self.name, || self.file.dataset(path))?;
        let number = self.number(path, &dataset)?;
        let bytes = self.bytes(path, &dataset, number.size)?;
        Ok((shape(&dataset), bytes.chunks_exact(number.size).map(|x| number.of(x)).collect()))
    }

    /// Reads an array of texts, or one text.
    ///
    /// # Errors
    /// [`Error::Data`] says what was expected and found.
    pub fn texts(&self, path: &str) -> Result<Vec<String>> {
        let dataset = guarded(&self.name, || self.file.dataset(path))?;
        if holds(dataset.dtype()) != Holds::Texts {
            return bad_data!(
                "{}: expected texts in {}, found {}",
                self.name,
                excerpt(path),
                kind(dataset.dtype())
            );
        }
        guarded(&self.name, || dataset.read_strings())
    }

    /// A text: an array of one, or an attribute of the group, with this name; none if there is none.
    ///
    /// # Errors
    /// [`Error::Data`] if the file is broken.
    pub fn text(&self, group: &str, name: &str) -> Result<Option<String>> {
        let path = format!("{}/{name}", group.trim_end_matches('/'));
        if self.has(&path)? {
            let texts = self.texts(&path)?;
            return Ok(texts.into_iter().next().map(|text| text.trim_end_matches('\0').to_string()));
        }
        guarded(&self.name, || {
            let attributes = self.file.group(group)?.attributes()?;
            attributes
                .iter()
                .find(|attribute| attribute.name == name)
                .map(|text| text.read_string())
                .transpose()
        })
    }

    /// How an array's numbers are stored.
    fn number(&self, path: &str, dataset: &Dataset) -> Result<Number> {
        match Number::stored(dataset.dtype()) {
            Some(number) => Ok(number),
            None => bad_data!(
                "{}: expected numbers in {}, found {}",
                self.name,
                excerpt(path),
                kind(dataset.dtype())
            ),
        }
    }

    /// An array's bytes, in the machine's order.
    fn bytes(&self, path: &str, dataset: &Dataset, size: usize) -> Result<Vec<u8>> {
        let shape = shape(dataset);
        let needed = memory::product(&shape).saturating_mul(size as u64);
        if needed > most_unpacked(self.size) {
            let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            return bad_data!(
                "{}: expected at most {MOST_UNPACKED} times the file's {} bytes, found {} of {} numbers; write it again \
                 without empty chunks",
                self.name,
                self.size,
                excerpt(path),
                excerpt(&sizes)
            );
        }
        // The bytes, and the numbers made of them.
        let what = format!("{} of {}", excerpt(path), self.name);
        memory::check(&what, needed.saturating_mul(2), "use a part of them")?;
        guarded(&self.name, || dataset.read_native_bytes())
    }
}

/// The most bytes that an array of a file may have.
fn most_unpacked(size: u64) -> u64 {
    size.saturating_mul(MOST_UNPACKED)
}

fn broken(name: &str) -> impl Fn(hdf5_reader::error::Error) -> Error {
    move |error| Error::Data(format!("{name}: cannot be read as HDF5: {}", excerpt(&error.to_string())))
}

/// Does some work of the parser. Its authors fuzz it and so do we, and no input is known that makes it panic; but it has
/// twenty thousand lines, and a stranger's file must not end a program that has other work to do.
fn guarded<T>(name: &str, work: impl FnOnce() -> hdf5_reader::error::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(broken(name)),
        Err(_) => {
            bad_data!("{name}: cannot be read as HDF5: it is broken in a way that the parser does not know")
        }
    }
}

/// The last part of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn shape(dataset: &Dataset) -> Vec<usize> {
    dataset.shape().iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect()
}

fn holds(stored: &Datatype) -> Holds {
    match stored {
        _ if Number::stored(stored).is_some() => Holds::Numbers,
        Datatype::String { .. } => Holds::Texts,
        Datatype::VarLen { base, kind: hdf5_reader::datatype_api::VarLenKind::String, .. }
            if base.is_vlen_string_base() =>
        {
            Holds::Texts
        }
        _ => Holds::Others,
    }
}

/// What is stored, for people.
fn kind(stored: &Datatype) -> &'static str {
    match stored {
        Datatype::FixedPoint { .. } => "whole numbers of an unusual size",
        Datatype::FloatingPoint { .. } => "floating-point numbers of an unusual size",
        Datatype::String { .. } => "texts",
        Datatype::Compound { fields, .. } if fields.len() == 2 && fields[0].name == "r" => "complex numbers",
        Datatype::Compound { .. } => "records",
        Datatype::VarLen { .. } => "lists or texts of different lengths",
        Datatype::Reference { .. } => "references",
        Datatype::Array { .. } => "arrays inside arrays",
        Datatype::Enum { .. } => "named values of an unusual size",
        Datatype::Opaque { .. } | Datatype::Bitfield { .. } => "bytes without a meaning",
    }
}

/// How a number is stored.
#[derive(Clone, Copy)]
struct Number {
    /// Bytes.
    size: usize,
    is_signed: bool,
    is_float: bool,
}

impl Number {
    /// `None` of what is no number.
    fn stored(stored: &Datatype) -> Option<Self> {
        match stored {
            Datatype::FixedPoint { size: size @ (1 | 2 | 4 | 8), signed, .. } => {
                Some(Self { size: (*size).into(), is_signed: *signed, is_float: false })
            }
            Datatype::FloatingPoint { size: size @ (2 | 4 | 8), .. } => {
                Some(Self { size: (*size).into(), is_signed: true, is_float: true })
            }
            // Truth values of h5py: an enumeration of bytes.
            Datatype::Enum { base, members } if members.len() <= 2 => match Self::stored(base) {
                Some(Self { size: 1, is_float: false, .. }) => {
                    Some(Self { size: 1, is_signed: false, is_float: false })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The number in some bytes of the machine's order.
    fn of(self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        let at = if cfg!(target_endian = "little") { 0 } else { 8 - self.size };
        wide[at..at + self.size].copy_from_slice(bytes);
        let word = u64::from_ne_bytes(wide);
        let unused = 64 - 8 * self.size as u32;
        match (self.is_float, self.size) {
            (true, 2) => f16::from_bits(word as u16).to_f64(),
            (true, 4) => f32::from_bits(word as u32).into(),
            (true, _) => f64::from_bits(word),
            (false, _) if self.is_signed => ((word << unused) as i64 >> unused) as f64,
            (false, _) => word as f64,
        }
    }
}
