//! A folder of PNG files, one case each, sorted by name. Subfolders are classes; `train` and `test` are those parts of the
//! data set.

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

/// The most pixels of an image: more visible units than anyone trains.
const MOST_PIXELS: u64 = 1 << 22;
/// The most bytes of a pixel: four channels of 16 bits.
const LARGEST_PIXEL: u64 = 8;
/// The most pixels per byte of a PNG file: 8 pixels per byte, and deflate compresses at most 1032-fold.
const PIXELS_A_BYTE: u64 = 8 * 1032;

/// Loads all PNG files of a folder.
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
    // Two copies: the pixels while the vector grows, and the packed rows.
    let needed = memory::product(&[train.len() + test.len(), size.0, size.1, 3]);
    memory::check(&format!("the images of {}", folder.display()), needed, "use fewer images")?;
    let cases = |files: &[Image]| {
        let mut pixels = Vec::new();
        for file in files {
            pixels.extend(read(&file.path, size, &first.path)?);
        }
        let label = |file: &Image| Some(classes.binary_search(file.class.as_ref()?).ok()? as u32);
        let labels =
            (!classes.is_empty()).then(|| files.iter().map(label).collect::<Option<Vec<u32>>>()).flatten();
        let rows = Rows::from_bytes(size.0 * size.1, &pixels, 1.0 / 255.0);
        Ok(Cases { labels, ..rows.into() })
    };
    let train = cases(&train)?;
    let test = if test.is_empty() { None } else { Some(cases(&test)?) };
    Ok(Dataset { test, classes, ..Dataset::new(size, train) })
}

struct Image {
    path: PathBuf,
    /// The name of the folder, if folders are classes.
    class: Option<String>,
}

/// The images of a folder and its subfolders.
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

/// Height and width according to the file's header.
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
            "{}: expected 1 to {MOST_PIXELS} pixels, one per visible unit, found {height}×{width}; make it smaller",
            path.display()
        );
    }
    Ok((height as usize, width as usize))
}

/// The grey levels of an image, which must have the size of the first.
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

/// Refuses a palette with incomplete colours, with too many, or with fewer colours than transparencies: png 0.18 panics on
/// one.
fn check_palette(path: &Path, bytes: &[u8]) -> Result<()> {
    let limits = png::Limits { bytes: (MOST_PIXELS * LARGEST_PIXEL) as usize };
    // Decoding reports other errors.
    let Ok(reader) = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info() else {
        return Ok(());
    };
    let [colours, transparent] =
        [&reader.info().palette, &reader.info().trns].map(|part| part.as_ref().map_or(0, |part| part.len()));
    let fits = colours.is_multiple_of(3) && colours <= 3 * 256 && transparent <= colours / 3;
    if reader.info().color_type == png::ColorType::Indexed && !fits {
        return bad_data!(
            "{}: expected a PNG image with a palette of at most 256 colours of 3 bytes, found {colours} bytes, and \
             {transparent} transparencies; save it again with another program",
            path.display()
        );
    }
    Ok(())
}

/// Height, width and grey levels, row by row, of a PNG file's bytes. Colours become luminance; 16 bits are rounded to 8.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<((usize, usize), Vec<u8>)> {
    let size = size_of(path, bytes)?;
    check_palette(path, bytes)?;
    Ok((size, reader(bytes).decode().map_err(unreadable(path))?.into_luma8().into_raw()))
}
