//! Reads files from untrusted sources, unpacking them on the way, within the memory that is left. Nothing is allocated on a
//! header's word: memory grows with the data read.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use crate::{
    error::{Error, Result, bad_data},
    memory::{self, gb},
};

/// Bytes per read.
const PART: u64 = 8 << 16;

/// Opens a regular file only: a pipe may block, and a device may never end.
///
/// # Errors
/// [`Error::Read`]; [`Error::Data`] if it is not a file.
pub fn opened(path: &Path) -> Result<File> {
    let kind = fs::metadata(path).map_err(Error::read(path))?.file_type();
    if kind.is_file() {
        return File::open(path).map_err(Error::read(path));
    }
    let found = if kind.is_dir() { "a folder" } else { "a pipe, a socket or a device" };
    bad_data!("{}: expected a file, found {found}; save the data to a file first", path.display())
}

/// The first bytes of a file packed by gzip.
pub const GZIP: &[u8] = b"\x1f\x8b";

/// Opens a file, and unpacks it on the way if gzip has packed it, whatever its name.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(opened(path)?);
    let packed = file.fill_buf().map_err(Error::read(path))?.starts_with(GZIP);
    Ok(if packed { Box::new(unpacked(file)) } else { Box::new(BufReader::new(Measured { file, read: 0 })) })
}

/// Unpacks a `.gz` file.
pub fn unpacked(file: impl BufRead) -> impl BufRead {
    BufReader::new(Measured { file: MultiGzDecoder::new(file), read: 0 })
}

/// Bytes that have some lines of a text.
pub const LINES: u64 = 1 << 16;

/// The first bytes of a file, at most this many, unpacked as by [`open`].
pub fn head(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes).map_err(Error::read(path))?;
    Ok(bytes)
}

/// All bytes of a file.
pub fn read_whole(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = Measured { file: opened(path)?, read: 0 };
    file.read_to_end(&mut bytes).map_err(Error::read(path))?;
    Ok(bytes)
}

/// Reads up to one byte more than a header promises, in parts; the extra byte reveals a longer file. Returns the number of
/// bytes read. `needed` is the final memory per byte.
pub fn read_promised(
    name: &str,
    mut file: impl Read,
    promised: u64,
    needed: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<u64> {
    let (mut found, mut part) = (0, Vec::new());
    loop {
        part.clear();
        let wanted = (promised.saturating_add(1) - found).min(PART);
        let read = file.by_ref().take(wanted).read_to_end(&mut part);
        read.map_err(|source| Error::Data(format!("{name}: cannot be read: {source}")))?;
        each(&part);
        let before = found;
        found += part.len() as u64;
        if part.is_empty() || found > promised {
            return Ok(found);
        }
        // A file with this much data is taken at its header's word.
        if (before..found).contains(&memory::SMALL) {
            let rest = promised.saturating_sub(found).saturating_mul(needed);
            memory::check(&format!("the rest of the values of {name}"), rest, "use a part of them")?;
        }
    }
}

/// Fails when the memory left is less than twice what was read: growing a vector copies it.
struct Measured<R> {
    file: R,
    read: u64,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let before = self.read;
        self.read += count as u64;
        if self.read / memory::SMALL > before / memory::SMALL
            && let Some(left) = memory::left().filter(|&left| left / 2 < self.read)
        {
            return Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                format!("{} or more, but {} of memory are left; use a part of it", gb(self.read), gb(left)),
            ));
        }
        Ok(count)
    }
}
