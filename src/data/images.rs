//! A folder of images, one case each, sorted by name. Subfolders are classes; `train`, `test` and `val` (or `training`, …)
//! are those parts of the data set.

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use image::{ColorType, ImageFormat, ImageReader, Limits};

use super::{Cases, Dataset, Rows, file, recognised};
use crate::{
    error::{Error, Result, bad_data, excerpt, list},
    memory,
};

/// The most pixels of an image: more visible units than anyone trains.
const MOST_PIXELS: u64 = 1 << 22;
/// The most bytes of a pixel: four channels of 16 bits.
const LARGEST_PIXEL: u64 = 8;
/// The most pixels per byte of a file: a PNG has 8 pixels per byte, and deflate compresses at most 1032-fold. Other formats
/// have fewer.
const PIXELS_A_BYTE: u64 = 8 * 1032;
/// Endings of files that are read.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "pgm", "ppm", "pbm", "pnm"];
/// Endings of images that are not read.
const FOREIGN: [&str; 10] = ["gif", "webp", "tif", "tiff", "avif", "heic", "jp2", "svg", "tga", "exr"];
/// Names of the parts' folders, in lower case. A folder of the first name of the training part is always that part; one of
/// another name is if there are only parts.
const PARTS: [&[&str]; 3] = [&["train", "training"], &["test", "testing"], &["val", "valid", "validation"]];

/// Loads all images of a folder.
pub fn load(folder: &Path) -> Result<Dataset> {
    let mut notes = Notes::default();
    let [train, test, validation] = match parts(folder, &mut notes)? {
        Some(parts) => {
            let mut files_of =
                |part: Option<PathBuf>| part.map_or(Ok(vec![]), |part| files(&part, &mut notes));
            let [train, test, validation] = parts;
            [files_of(train)?, files_of(test)?, files_of(validation)?]
        }
        None => [files(folder, &mut notes)?, vec![], vec![]],
    };
    let Some(first) = train.first() else {
        return bad_data!(
            "{}: found no training images; expected IDX files (train-images-idx3-ubyte …), or images (.png, .jpg, .bmp, .pgm), \
             in the folder itself, in a folder for each class, or in train and test{}",
            folder.display(),
            notes.foreign_in_words().map_or(String::new(), |foreign| format!("; {foreign}"))
        );
    };
    let size = size_of(&first.path, &file::read_whole(&first.path)?)?;
    let all = || [&train, &test, &validation].into_iter().flatten();
    let mut classes: Vec<String> = all().filter_map(|file| file.class.clone()).collect();
    classes.sort_unstable();
    classes.dedup();
    // Two copies: the pixels while the vector grows, and the packed rows.
    let needed = memory::product(&[all().count(), size.0, size.1, 3]);
    memory::check(&format!("the images of {}", folder.display()), needed, "use fewer images")?;
    let mut cases = |files: &[Image]| {
        let mut pixels = Vec::new();
        for file in files {
            pixels.extend(read(&file.path, size, &first.path, &mut notes)?);
        }
        let label = |file: &Image| Some(classes.binary_search(file.class.as_ref()?).ok()? as u32);
        let labels =
            (!classes.is_empty()).then(|| files.iter().map(label).collect::<Option<Vec<u32>>>()).flatten();
        let rows = Rows::from_bytes(size.0 * size.1, &pixels, 1.0 / 255.0);
        Ok::<_, Error>(Cases { labels, ..rows.into() })
    };
    let of_train = cases(&train)?;
    let mut some = |files: &[Image]| (!files.is_empty()).then(|| cases(files)).transpose();
    let (test, validation) = (some(&test)?, some(&validation)?);
    let notes = notes.in_words();
    Ok(Dataset { test, validation, classes, notes, ..Dataset::new(size, of_train) })
}

struct Image {
    path: PathBuf,
    /// The name of the folder, if folders are classes.
    class: Option<String>,
}

/// What was found that is not plain.
#[derive(Default)]
struct Notes {
    parts: Vec<String>,
    unread: Vec<String>,
    hidden: usize,
    /// Images of other formats, by ending.
    foreign: BTreeMap<String, usize>,
    formats: BTreeMap<&'static str, usize>,
    coloured: usize,
    transparent: usize,
    wide: usize,
}

impl Notes {
    fn foreign_in_words(&self) -> Option<String> {
        let (ending, _) = self.foreign.first_key_value()?;
        let counts = self.foreign.iter().map(|(ending, count)| format!("{count} .{ending}"));
        Some(format!(
            "{} files are not read; convert them: import glob; from PIL import Image; [Image.open(f).save(f + \".png\") for f \
             in glob.glob(\"**/*.{ending}\", recursive=True)]",
            counts.collect::<Vec<_>>().join(", ")
        ))
    }

    fn in_words(self) -> Vec<String> {
        let foreign = self.foreign_in_words();
        let images = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 image {one}")),
            _ => Some(format!("{count} images {many}")),
        };
        let grey = "read as grey, by luminance (0.2126 R + 0.7152 G + 0.0722 B)";
        let black = "transparent parts, read as black; to have them white, save the images on white first";
        let formats = self.formats.iter().map(|(format, count)| format!("{count} {format}"));
        let formats = (self.formats.len() > 1).then(|| formats.collect::<Vec<_>>().join(", "));
        [
            (!self.parts.is_empty()).then(|| format!("parts: {}", self.parts.join(", "))),
            (!self.unread.is_empty()).then(|| format!("folders not read: {}", list(&self.unread))),
            formats.map(|formats| format!("images: {formats}")),
            images(self.coloured, &format!("is in colour, {grey}"), &format!("are in colour, {grey}")),
            images(self.transparent, &format!("has {black}"), &format!("have {black}")),
            images(self.wide, "has 16 bits a pixel, rounded to 8", "have 16 bits a pixel, rounded to 8"),
            (self.hidden > 0).then(|| format!("macOS's ._ files, left out: {}", self.hidden)),
            foreign,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The folders of the training, test and validation cases, if there are any; otherwise folders are classes.
fn parts(folder: &Path, notes: &mut Notes) -> Result<Option<[Option<PathBuf>; 3]>> {
    let name =
        |path: &Path| path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let folders: Vec<PathBuf> =
        entries(folder)?.into_iter().filter(|path| path.is_dir() && !is_foreign(path)).collect();
    let find = |names: &[&str]| {
        let of_name = |wanted: &&str| folders.iter().find(|path| name(path).to_lowercase() == **wanted);
        names.iter().find_map(of_name).cloned()
    };
    let found = PARTS.map(find);
    let are_all = folders.iter().all(|folder| found.contains(&Some(folder.clone())));
    let is_certain = found[0].as_ref().is_some_and(|train| name(train) == PARTS[0][0]);
    if found[0].is_none() || !(are_all || is_certain) {
        return Ok(None);
    }
    let is_plain = |(part, names): (&Option<PathBuf>, &[&str])| {
        part.as_ref().is_none_or(|part| name(part) == names[0] && names[0] != PARTS[2][0])
    };
    if !found.iter().zip(PARTS).all(is_plain) {
        let named = found.iter().zip(["training", "test", "validation"]);
        let named = named.filter_map(|(part, what)| Some(format!("{} ({what} cases)", name(part.as_ref()?))));
        notes.parts = named.collect();
    }
    notes.unread = folders
        .iter()
        .filter(|folder| !found.contains(&Some((*folder).clone())))
        .map(|folder| name(folder))
        .collect();
    Ok(Some(found))
}

/// The images of a folder and its subfolders.
fn files(folder: &Path, notes: &mut Notes) -> Result<Vec<Image>> {
    let mut images = images(folder, None, notes)?;
    let folders = entries(folder)?.into_iter().filter(|path| path.is_dir() && !is_foreign(path));
    for path in folders {
        let class = path.file_name().map(|name| name.to_string_lossy().into_owned());
        images.extend(self::images(&path, class, notes)?);
    }
    Ok(images)
}

/// Whether the name begins like this.
fn begins(path: &Path, with: &str) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(with.as_bytes()))
}

/// Whether a folder is none of the data: a hidden one, or macOS's.
fn is_foreign(folder: &Path) -> bool {
    begins(folder, ".") || begins(folder, "__MACOSX")
}

/// The images of a folder alone.
fn images(folder: &Path, class: Option<String>, notes: &mut Notes) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    for path in entries(folder)? {
        let ending = path.extension().map_or(String::new(), |ending| ending.to_string_lossy().to_lowercase());
        let (ours, theirs) = (ENDINGS.contains(&&*ending), FOREIGN.contains(&&*ending));
        if !(ours || theirs) || !path.is_file() {
            continue;
        }
        // macOS keeps a file's attributes in another of the same ending.
        match (begins(&path, "._"), ours) {
            (true, _) => notes.hidden += 1,
            (_, true) => images.push(Image { path, class: class.clone() }),
            _ => *notes.foreign.entry(ending).or_default() += 1,
        }
    }
    Ok(images)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::read(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::read(folder))?;
    paths.sort();
    Ok(paths)
}

/// The format, by the first bytes; PNG, whose decoder says what is wrong, if those are of no format that is read.
fn format(bytes: &[u8]) -> ImageFormat {
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Bmp | ImageFormat::Pnm)) => format,
        _ => ImageFormat::Png,
    }
}

fn reader(bytes: &[u8]) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(bytes));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * LARGEST_PIXEL);
    reader.limits(limits);
    reader
}

fn unreadable(path: &Path, bytes: &[u8]) -> impl Fn(image::ImageError) -> Error {
    let found = recognised::by_head(bytes).filter(|_| image::guess_format(bytes).ok() != Some(format(bytes)));
    let found = found.map_or(String::new(), |kind| format!(", found {}", kind.what));
    let path = path.display().to_string();
    move |error| {
        Error::Data(format!(
            "{path}: expected a PNG image, or a JPEG, BMP or PGM image{found}: {}",
            excerpt(&error.to_string())
        ))
    }
}

/// Height and width according to the file's header.
fn size_of(path: &Path, bytes: &[u8]) -> Result<(usize, usize)> {
    let (width, height) = reader(bytes).into_dimensions().map_err(unreadable(path, bytes))?;
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
fn read(path: &Path, expected: (usize, usize), first: &Path, notes: &mut Notes) -> Result<Vec<u8>> {
    let picture = picture(path, &file::read_whole(path)?)?;
    let found = picture.size;
    if found != expected {
        return bad_data!(
            "{}: expected {}×{} pixels, as in {}, found {}×{}; make all images of one size",
            path.display(),
            expected.0,
            expected.1,
            first.display(),
            found.0,
            found.1
        );
    }
    *notes.formats.entry(picture.format).or_default() += 1;
    notes.coloured += usize::from(picture.is_coloured);
    notes.transparent += usize::from(picture.is_transparent);
    notes.wide += usize::from(picture.is_wide);
    Ok(picture.pixels)
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

/// Refuses a JPEG image that ends before its last marker: its decoder would make up the missing pixels.
fn check_end(path: &Path, bytes: &[u8]) -> Result<()> {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    if last(0xd9) < last(0xda).max(Some(0)) {
        return bad_data!(
            "{}: expected a whole JPEG image, found one without its end: is it truncated?",
            path.display()
        );
    }
    Ok(())
}

/// An image as grey levels, and what it was.
struct Picture {
    /// Height and width.
    size: (usize, usize),
    /// Row by row.
    pixels: Vec<u8>,
    format: &'static str,
    is_coloured: bool,
    is_transparent: bool,
    /// Whether it has more than 8 bits a colour.
    is_wide: bool,
}

/// Reads an image. Colours become luminance, transparent pixels black, and 16 bits are rounded to 8.
fn picture(path: &Path, bytes: &[u8]) -> Result<Picture> {
    let size = size_of(path, bytes)?;
    let format = match format(bytes) {
        ImageFormat::Jpeg => {
            check_end(path, bytes)?;
            "JPEG"
        }
        ImageFormat::Bmp => "BMP",
        ImageFormat::Pnm => "PNM",
        _ => {
            check_palette(path, bytes)?;
            "PNG"
        }
    };
    let image = reader(bytes).decode().map_err(unreadable(path, bytes))?;
    let kind = image.color();
    let is_coloured = kind.has_color()
        && image.to_rgb8().pixels().any(|pixel| pixel[0] != pixel[1] || pixel[1] != pixel[2]);
    let alphas: Vec<u8> = match kind.has_alpha() {
        true => image.to_luma_alpha8().pixels().map(|pixel| pixel[1]).collect(),
        false => Vec::new(),
    };
    let is_transparent = alphas.iter().any(|&alpha| alpha < u8::MAX);
    let mut pixels = image.into_luma8().into_raw();
    for (pixel, alpha) in pixels.iter_mut().zip(alphas) {
        *pixel = ((u16::from(*pixel) * u16::from(alpha) + 127) / 255) as u8;
    }
    let is_wide = !matches!(kind, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8);
    Ok(Picture { size, pixels, format, is_coloured, is_transparent, is_wide })
}

/// Height, width and grey levels, row by row, of a file's bytes.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<((usize, usize), Vec<u8>)> {
    picture(path, bytes).map(|picture| (picture.size, picture.pixels))
}
