//! A folder of PNG files: a case each, in the order of their names. Where they lie in folders, each folder is a class; in
//! `train` and `test`, each is that part of the data set.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use image::{ImageFormat, ImageReader, Limits};

use super::{Cases, Dataset, Rows, file};
use crate::{
    error::{Error, Result, bad_data},
    memory,
};

/// Pixels of an image, at most: as many visible units as no one trains.
const MOST_PIXELS: u64 = 1 << 22;
/// Bytes of a pixel, at most: four colours of 16 bits.
const LARGEST_PIXEL: u64 = 8;
/// Pixels that a byte of a PNG file can stand for: eight in a byte, which deflate shrinks at most 1032-fold.
const PIXELS_A_BYTE: u64 = 8 * 1032;

/// Reads all PNG files of a folder.
pub fn load(folder: &Path) -> Result<Dataset> {
    let (train_folder, test_folder) = (folder.join("train"), folder.join("test"));
    let (train, test) = if train_folder.is_dir() {
        (files(&train_folder)?, if test_folder.is_dir() { files(&test_folder)? } else { vec![] })
    } else {
        (files(folder)?, vec![])
    };
    let Some(first) = train.first() else {
        return bad_data!(
            "{}: found no training images; expected IDX files (train-images-idx3-ubyte …), or PNG files, in the folder itself, in \
             a folder for each class, or in train and test",
            folder.display()
        );
    };
    let size = size_of(&first.path, &file::read_whole(&first.path)?)?;
    let mut classes: Vec<String> = train.iter().chain(&test).filter_map(|file| file.class.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    if classes.len() > 256 {
        return bad_data!(
            "{}: expected at most 256 folders of images, found {}",
            folder.display(),
            classes.len()
        );
    }
    // Two copies: the pixels while their room grows, and the rows.
    let needed = memory::product(&[train.len() + test.len(), size.0, size.1, 3]);
    memory::check(&format!("the images of {}", folder.display()), needed, "give fewer of them")?;
    let cases = |files: &[Image]| {
        let mut pixels = Vec::new();
        for file in files {
            pixels.extend(read(&file.path, size, &first.path)?);
        }
        let label =
            |file: &Image| Some(classes.iter().position(|class| Some(class) == file.class.as_ref())? as u8);
        let labels =
            (!classes.is_empty()).then(|| files.iter().map(label).collect::<Option<Vec<u8>>>()).flatten();
        Ok(Cases { rows: Rows::from_bytes(size.0 * size.1, &pixels, 1.0 / 255.0), labels })
    };
    Ok(Dataset {
        image: size,
        train: cases(&train)?,
        test: if test.is_empty() { None } else { Some(cases(&test)?) },
        validation: None,
        classes,
    })
}

struct Image {
    path: PathBuf,
    /// The folder it lies in, if that is one of several.
    class: Option<String>,
}

/// The images of a folder, and of the folders in it.
fn files(folder: &Path) -> Result<Vec<Image>> {
    let mut images = pngs(folder, None)?;
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir());
    for path in folders {
        let class = path.file_name().map(|name| name.to_string_lossy().into_owned());
        images.extend(pngs(&path, class)?);
    }
    Ok(images)
}

fn pngs(folder: &Path, class: Option<String>) -> Result<Vec<Image>> {
    let is_png =
        |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png")) && path.is_file();
    let paths = entries(folder)?.into_iter().filter(|path| is_png(path));
    Ok(paths.map(|path| Image { path, class: class.clone() }).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::read(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::read(folder))?;
    paths.sort();
    Ok(paths)
}

fn reader(bytes: &[u8]) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * LARGEST_PIXEL);
    reader.limits(limits);
    reader
}

fn unreadable(path: &Path) -> impl Fn(image::ImageError) -> Error + '_ {
    move |error| Error::Data(format!("{}: expected a PNG image: {error}", path.display()))
}

/// Height and width, as the file's header has them.
fn size_of(path: &Path, bytes: &[u8]) -> Result<(usize, usize)> {
    let (width, height) = reader(bytes).into_dimensions().map_err(unreadable(path))?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > (bytes.len() as u64).saturating_mul(PIXELS_A_BYTE) {
        return bad_data!(
            "{}: the header promises {height}×{width} pixels, which {} bytes cannot hold",
            path.display(),
            bytes.len()
        );
    }
    if pixels == 0 || pixels > MOST_PIXELS {
        return bad_data!(
            "{}: expected from 1 to {MOST_PIXELS} pixels, a visible unit each, found {height}×{width}; make it smaller",
            path.display()
        );
    }
    Ok((height as usize, width as usize))
}

/// The grey levels of an image that must be as large as the first.
fn read(path: &Path, expected: (usize, usize), first: &Path) -> Result<Vec<u8>> {
    let (found, pixels) = decode(path, &file::read_whole(path)?)?;
    if found != expected {
        return bad_data!(
            "{}: expected {}×{} pixels, as in {}, found {}×{}",
            path.display(),
            expected.0,
            expected.1,
            first.display(),
            found.0,
            found.1
        );
    }
    Ok(pixels)
}

/// Refuses a palette that is not of whole colours, or is too long, or of fewer colours than have a transparency: png 0.18
/// panics at one.
fn check_palette(path: &Path, bytes: &[u8]) -> Result<()> {
    let limits = png::Limits { bytes: (MOST_PIXELS * LARGEST_PIXEL) as usize };
    // Whatever else is wrong is said when it is decoded.
    let Ok(reader) = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info() else {
        return Ok(());
    };
    let [colours, transparent] =
        [&reader.info().palette, &reader.info().trns].map(|part| part.as_ref().map_or(0, |part| part.len()));
    let fits = colours.is_multiple_of(3) && colours <= 3 * 256 && transparent <= colours / 3;
    if reader.info().color_type == png::ColorType::Indexed && !fits {
        return bad_data!(
            "{}: expected a PNG image with a palette of at most 256 colours of 3 bytes, found {colours} bytes, and \
             {transparent} transparencies; write it anew with another program",
            path.display()
        );
    }
    Ok(())
}

/// Height and width, and grey levels row by row, of a file's bytes; colours by their luminance, 16 bits rounded to 8.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<((usize, usize), Vec<u8>)> {
    let size = size_of(path, bytes)?;
    check_palette(path, bytes)?;
    Ok((size, reader(bytes).decode().map_err(unreadable(path))?.into_luma8().into_raw()))
}
