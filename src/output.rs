//! Output files of commands: never overwritten without permission, and never left incomplete.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use image::{GrayImage, ImageFormat};
use tempfile::NamedTempFile;

use crate::error::{Error, Result, usage};

/// Prefix of temporary files, and the number of letters and digits after it.
const TEMPORARY: &str = ".rbm-gpu-";
const RANDOM: usize = 6;

/// A file or folder to write, checked to be new and in a writable folder.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    force: bool,
}

impl Target {
    /// Checks before any work that `path` can be written; `force` permits replacing a file.
    ///
    /// # Errors
    /// [`Error::Usage`] says why not.
    pub fn new(path: &Path, force: bool) -> Result<Self> {
        let target = Self { path: path.into(), force };
        if path.file_name().is_none() || path.is_dir() {
            return usage!("{}: is an existing folder; choose another name", path.display());
        }
        // Also a dangling link.
        if path.symlink_metadata().is_ok() && !force {
            return usage!(
                "{}: exists already; name another file, or replace it with ‹force›",
                path.display()
            );
        }
        if let Err(source) = temporary(folder(path)) {
            return usage!(
                "{}: cannot be written ({source}); name a file in a writable folder",
                path.display()
            );
        }
        Ok(target)
    }

    /// The final path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The extension in lower case, which determines the kind of file.
    pub fn extension(&self) -> String {
        self.path.extension().map_or(String::new(), |extension| extension.to_string_lossy().to_lowercase())
    }

    /// Writes to a temporary file and renames it, so that a crash never leaves half a file.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        write_beside(&self.path, content)
            .and_then(|file| put(file, &self.path, self.force))
            .map_err(Error::write(&self.path))
    }

    /// Writes a picture as a PNG file.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_png(&self, picture: &GrayImage) -> Result<()> {
        self.write(|file| file.write_all(&png(picture)?))
    }

    /// Fills a temporary folder and renames it. Never replaces a folder.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_folder(&self, content: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let write = || {
            let folder = builder(0o777).tempdir_in(folder(&self.path))?;
            content(folder.path())?;
            fs::rename(folder.path(), &self.path)
        };
        write().map_err(Error::write(&self.path))
    }
}

/// The folder that contains a file or folder.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn builder<'a, 'b>(mode: u32) -> tempfile::Builder<'a, 'b> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).rand_bytes(RANDOM);
    // With the permissions of ordinary files and folders, not those of private ones.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    builder(0o666).tempfile_in(folder)
}

/// Whether a file name is that of a temporary file. A killed program leaves them behind.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    let random = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|x| x.is_ascii_alphanumeric()))
}

fn write_beside(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    let mut file = temporary(folder(path))?;
    let mut buffer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    content(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    Ok(file)
}

/// Renames a temporary file to its final name. Atomic even on a power cut.
fn put(file: NamedTempFile, path: &Path, replace: bool) -> io::Result<()> {
    file.as_file().sync_all()?;
    if replace { file.persist(path) } else { file.persist_noclobber(path) }.map_err(|error| error.error)?;
    match sync_folder(folder(path)) {
        // The folder may be write-only. The file is in place anyway.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Replaces a file atomically. A power cut may lose it.
pub(crate) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    write_beside(path, content)?.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// Replaces a file atomically, even on a power cut.
pub(crate) fn write_synced(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    put(write_beside(path, content)?, path, true)
}

/// Waits until a file is on disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Waits until a folder's entries are on disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Other systems can't open a folder, and write a renaming with the file.
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

/// Encodes a picture as PNG.
pub(crate) fn png(picture: &GrayImage) -> io::Result<Vec<u8>> {
    let mut bytes = io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}

/// Writes a new file in place of anything with its name, instead of writing into a pipe or through a link.
pub(crate) fn write_anew(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::create_new(path)?.write_all(bytes)
}

/// Serializes paths to JSON, which is UTF-8: other names are converted lossily.
pub(crate) mod lossy {
    use std::path::{Path, PathBuf};

    use serde::Serializer;

    /// Serializes one path.
    pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&path.to_string_lossy())
    }

    /// Serializes several paths.
    pub fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there_and_never_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        let entries = || fs::read_dir(folder.path()).unwrap().count();
        let target = Target::new(&path, false).unwrap();
        let failed = target.write(|out| out.write_all(b"half").and(Err(io::Error::other("full"))));
        assert!(failed.is_err() && entries() == 0, "nothing is left behind");
        target.write(|out| out.write_all(b"whole")).unwrap();
        assert!(target.write(|_| Ok(())).is_err(), "a file created meanwhile is kept");
        assert!(Target::new(&path, false).unwrap_err().to_string().contains("force"));
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        Target::new(&path, true).unwrap().write(|out| out.write_all(b"new")).unwrap();
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"new".to_vec(), 1));
        // A dangling link is refused before the work, and replaced with `force`.
        #[cfg(unix)]
        {
            let link = folder.path().join("link.txt");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert!(Target::new(&link, false).unwrap_err().to_string().contains("force"));
            Target::new(&link, true).unwrap().write(|out| out.write_all(b"new")).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_file());
            assert!(!folder.path().join("nowhere").exists());
        }
        for unusable in [folder.path(), Path::new("no/such/folder/file"), Path::new("")] {
            assert!(Target::new(unusable, true).is_err(), "{}", unusable.display());
        }
    }

    #[test]
    fn a_temporary_file_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = temporary(folder.path()).unwrap();
        assert!(is_temporary(file.path().file_name().unwrap()));
        for other in [".rbm-gpu-", ".rbm-gpu-notes", ".rbm-gpu-a.json", "rbm-gpu-abcdef", ".rbm-gpu-abcdefg"]
        {
            assert!(!is_temporary(OsStr::new(other)), "{other}");
        }
    }
}
