//! What HDF5 files are to a build without the feature `hdf5`: they are known, and refused in words.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::{
    data::npy::Array,
    error::{Result, bad_data},
};

/// No file can be opened, so there is no value of this type.
pub enum File {}

/// An array of a file, without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where it is: `/group/name`.
    pub path: String,
    /// Sizes of the dimensions, slowest first.
    pub shape: Vec<usize>,
    /// What it holds.
    pub holds: Holds,
}

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as with the feature")]
pub enum Holds {
    Numbers,
    Texts,
    Others,
}

/// What is written under a name.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "as with the feature")]
pub enum Content {
    Array(Array),
    Doubles(Vec<usize>, Vec<f64>),
    Whole(Vec<i64>),
    Texts(Vec<String>),
    Text(String),
}

const ABSENT: &str =
    "this program was built without HDF5; build it with the feature hdf5, or convert the file to .npz";

/// Whether a file has the format's first bytes.
///
/// # Errors
/// None here.
pub fn is_hdf5(path: &Path) -> Result<bool> {
    let mut start = [0; 8];
    let read = io::Read::read_exact(&mut crate::data::file::opened(path)?, &mut start);
    Ok(read.is_ok() && &start == b"\x89HDF\r\n\x1a\n")
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn write<'a>(_: &mut dyn Write, _: impl IntoIterator<Item = (&'a str, Content)>) -> io::Result<()> {
    Err(io::Error::other(ABSENT))
}

#[expect(missing_docs, reason = "never called")]
impl File {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn open(path: &Path) -> Result<Self> {
        bad_data!("{}: {ABSENT}", path.display())
    }

    pub(crate) fn parse(name: &str, _: &[u8]) -> Result<Self> {
        bad_data!("{name}: {ABSENT}")
    }

    pub fn is_matlab(&self) -> bool {
        match *self {}
    }

    pub fn name(&self) -> &str {
        match *self {}
    }

    pub fn members(&self, _: &str) -> Result<(Vec<String>, Vec<String>)> {
        match *self {}
    }

    pub fn has(&self, _: &str) -> Result<bool> {
        match *self {}
    }

    pub fn entries(&self, _: &str) -> Result<Vec<Entry>> {
        match *self {}
    }

    pub fn shape(&self, _: &str) -> Result<Vec<usize>> {
        match *self {}
    }

    pub fn array(&self, _: &str) -> Result<Array> {
        match *self {}
    }

    pub fn numbers(&self, _: &str) -> Result<(Vec<usize>, Vec<f64>)> {
        match *self {}
    }

    pub fn texts(&self, _: &str) -> Result<Vec<String>> {
        match *self {}
    }

    pub fn text(&self, _: &str, _: &str) -> Result<Option<String>> {
        match *self {}
    }
}
