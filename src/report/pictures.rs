//! The pictures of a run over the epochs, small enough to show many.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{ColorType, GrayImage, ImageDecoder, ImageError, Limits, codecs::png::PngDecoder};

use super::record::Record;
use crate::{
    data::{ImageSize, end_to_end, file},
    error::{Error, Result},
    picture::{Form, Tiles, mosaic, svg},
    rbm::Side,
    run::layout,
    units::{self, Layer},
};

/// The most epochs shown, of all runs together.
const MOST_EPOCHS: usize = 30;
/// Tiles in a row.
const COLUMNS: usize = 10;
/// The most tiles shown.
const MOST_TILES: usize = 100;
/// The least length of a tile's longer side.
const SMALLEST_TILE: usize = 16;
/// The most pixels of all pictures of one kind: two take a byte before compression, which makes a page of 3 MB at most.
const MOST_PIXELS: usize = 1_400_000;
/// The most pixels of a picture to read. Those of a run are larger only if cases are long lines.
const LARGEST: u64 = 1 << 25;
/// The most bytes of all drawings of one kind, and of one.
const MOST_BYTES: u64 = 1_000_000;
const LARGEST_DRAWING: u64 = 1_000_000;
/// The most pixels of a tile to read.
const LARGEST_TILE: usize = 1 << 20;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The hidden units' weights.
    Filters,
    /// Cases above their reconstructions.
    Reconstructions,
    /// The states of chains.
    Chains,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Filters, Self::Reconstructions, Self::Chains];

    /// The folder of the pictures.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Filters => "filters",
            Self::Reconstructions => "reconstructions",
            Self::Chains => "chains",
        }
    }
}

/// Pictures of one kind, by their epochs.
pub struct Series {
    pub kind: Kind,
    /// The epoch, the image's width and height in pixels, and the image as a URI.
    pub pictures: Vec<(usize, (u32, u32), String)>,
    /// Number of tiles shown; 0 of drawings.
    pub tiles: usize,
    /// What cases look like.
    pub form: Form,
}

/// The pictures of one kind in a run's folder, for a report of `runs` runs. Problems are added to `remarks`.
///
/// # Errors
/// [`Error::Read`] if the folder exists but cannot be read.
pub fn series(record: &Record, kind: Kind, runs: usize, remarks: &mut Vec<String>) -> Result<Option<Series>> {
    let found = found(record, kind)?;
    let form = form_of(record);
    // Columns that have no common scale have no reconstructions to see.
    if found.is_empty() && kind == Kind::Reconstructions && matches!(form, Form::Columns(_)) {
        return Ok(None);
    }
    let missing = record.epochs.iter().filter(|epoch| !found.contains_key(&epoch.epoch)).count();
    // Of a long run, train keeps the pictures of some epochs only.
    let is_long = record.planned().is_some_and(|planned| planned > 100);
    if missing > 0 && kind != Kind::Chains && (found.is_empty() || !is_long) {
        let name = kind.folder();
        remarks.push(format!("{name}/ has no picture of {missing} of {} epochs", record.epochs.len()));
    }
    let all: Vec<_> = found.into_iter().collect();
    let mut most_epochs = (MOST_EPOCHS / runs).max(2);
    // The last drawing is about as large as the others.
    if let Some((_, path)) = all.last().filter(|(_, path)| is_drawing(path)) {
        let bytes = fs::metadata(path).map_or(LARGEST_DRAWING, |file| file.len()).max(1);
        most_epochs = most_epochs.min((MOST_BYTES / runs as u64 / bytes) as usize).max(1);
    }
    let chosen = end_to_end(all.len(), most_epochs);
    let image = form.tile();
    // The file may hold any number.
    let image = (image.0.clamp(1, LARGEST_TILE), image.1.clamp(1, LARGEST_TILE));
    let hidden = record.layer(Side::Hidden).map_or(usize::MAX, |layer| layer.columns());
    let zoom = zoom(image);
    let tile = (image.0 * zoom + 1) * (image.1 * zoom + 1);
    let most = MOST_PIXELS / runs / chosen.len().max(1) / tile;
    // Whole rows, if there is room for more than one.
    let most = if most > COLUMNS { most / COLUMNS * COLUMNS } else { most };
    let mut series = Series { kind, pictures: Vec::new(), tiles: 0, form };
    for (epoch, path) in chosen.into_iter().map(|at| &all[at]) {
        let bytes = file::read_whole(path).map_err(|error| error.to_string());
        if is_drawing(path) {
            match bytes.and_then(|bytes| drawing(&bytes)) {
                Ok((size, uri)) => series.pictures.push((*epoch, size, uri)),
                Err(reason) => remarks.push(format!("{} was left out: {reason}", path.display())),
            }
            continue;
        }
        match bytes.and_then(|bytes| small(&bytes, kind, image, hidden, most.clamp(1, MOST_TILES))) {
            Ok((tiles, picture)) => {
                series.tiles = tiles;
                series.pictures.push((*epoch, picture.dimensions(), uri(&picture)));
            }
            Err(reason) => remarks.push(format!("{} was left out: {reason}", path.display())),
        }
    }
    Ok((!series.pictures.is_empty()).then_some(series))
}

/// At most `most` tiles of a picture's file, and a picture of them; or why there is none.
pub(crate) fn small(
    bytes: &[u8],
    kind: Kind,
    image: (usize, usize),
    hidden: usize,
    most: usize,
) -> std::result::Result<(usize, GrayImage), String> {
    let picture = grey(bytes).map_err(|error| format!("expected a PNG image: {error}"))?;
    let tiles = picture.filter(|_| image.0 * image.1 <= LARGEST_TILE).and_then(|it| Tiles::of(it, image));
    let tiles = tiles.ok_or("it is not as large, or not of the colours, as train makes it")?;
    let (chosen, across) = order(kind, &tiles, hidden, most);
    let chosen: Vec<GrayImage> = chosen.into_iter().map(|at| tiles.tile(at)).collect();
    Ok((chosen.len(), mosaic(&chosen, across, zoom(image))))
}

/// Reads a grey picture, as train makes them; `None` if it has other colours, or is far too large.
fn grey(bytes: &[u8]) -> std::result::Result<Option<GrayImage>, ImageError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST);
    let decoder = PngDecoder::with_limits(io::Cursor::new(bytes), limits)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if decoder.color_type() != ColorType::L8 || pixels > LARGEST {
        return Ok(None);
    }
    let mut picture = GrayImage::new(width, height);
    decoder.read_image(&mut picture)?;
    Ok(Some(picture))
}

/// The factor by which a tile is enlarged on the page.
fn zoom((height, width): (usize, usize)) -> usize {
    SMALLEST_TILE.div_ceil(height.max(width))
}

/// What cases look like, by the run's options.
fn form_of(record: &Record) -> Form {
    let layer = record.layer(Side::Visible);
    let units = layer.as_ref().map_or(1, Layer::units);
    let ImageSize(height, width) = record.option("image").parse().unwrap_or(ImageSize::guess(units));
    Form::of(&layer.unwrap_or(Layer::of(units::Kind::Binary, 1)), (height, width))
}

fn is_drawing(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "svg")
}

/// Width and height of a drawing as train makes it, and the drawing as a URI; or why there is none. As an image on a page, it
/// can neither load nor run anything.
fn drawing(bytes: &[u8]) -> std::result::Result<((u32, u32), String), String> {
    let size = || {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= LARGEST_DRAWING)?;
        let (width, rest) = text.strip_prefix(svg::BEGINNING)?.split_once("\" height=\"")?;
        let (height, _) = rest.split_once('"')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    };
    let size = size().ok_or("it is no drawing as train makes it")?;
    Ok((size, format!("data:image/svg+xml;base64,{}", STANDARD.encode(bytes))))
}

/// The tiles to show, and how many make a row: the first `most`, with each case above its reconstruction.
fn order(
    kind: Kind,
    &Tiles { rows, columns, .. }: &Tiles,
    hidden: usize,
    most: usize,
) -> (Vec<usize>, usize) {
    match kind {
        Kind::Filters => return ((0..(rows * columns).min(hidden).min(most)).collect(), COLUMNS),
        Kind::Chains => return ((0..(rows * columns).min(most)).collect(), COLUMNS),
        Kind::Reconstructions => {}
    }
    // In the picture, rows of cases alternate with rows of reconstructions.
    let pairs = (rows / 2 * columns).min((most / 2).max(1)).min(2 * COLUMNS);
    let across = pairs / pairs.div_ceil(COLUMNS).max(1);
    let cases = |row: usize| {
        (row * across..(row + 1) * across).map(|case| case / columns * 2 * columns + case % columns)
    };
    let rows = pairs / across.max(1);
    let shown = (0..rows).flat_map(|row| cases(row).chain(cases(row).map(|case| case + columns)));
    (shown.collect(), across)
}

/// The files `KIND/epoch-0001.png` or `.svg` and so on, by epoch.
fn found(record: &Record, kind: Kind) -> Result<BTreeMap<usize, PathBuf>> {
    let folder = record.folder.join(kind.folder());
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let entries = fs::read_dir(&folder).map_err(Error::read(&folder))?;
    let epoch = |path: PathBuf| Some((layout::epoch(path.file_name()?.to_str()?)?, path));
    Ok(entries.filter_map(|entry| epoch(entry.ok()?.path())).collect())
}

/// A PNG of sixteen greys, half the size of one of 256, as a URI.
fn uri(picture: &GrayImage) -> String {
    let (width, height) = picture.dimensions();
    let rows = picture.as_raw().chunks(width.max(1) as usize);
    let sixteenth = |grey: Option<&u8>| grey.map_or(0, |&grey| ((u16::from(grey) * 15 + 127) / 255) as u8);
    let packed: Vec<u8> = rows
        .flat_map(|row| row.chunks(2).map(|pair| sixteenth(pair.first()) << 4 | sixteenth(pair.get(1))))
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_compression(png::Compression::High);
    // Neighbouring pixels share bytes, so filters gain nothing.
    encoder.set_filter(png::Filter::NoFilter);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&packed));
    debug_assert!(written.is_ok(), "memory takes everything, and the sizes are right: {written:?}");
    format!("data:image/png;base64,{}", STANDARD.encode(&bytes))
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::picture::reconstructions;

    #[test]
    fn cases_stay_above_their_reconstructions() {
        // 23 cases are two rows of 20; case c is drawn in the grey c, its reconstruction in 200 + c.
        let grey = |at: usize, base: usize| (0..23 * 9).map(move |x| (x / 9 * at + base) as f32 / 255.0);
        let picture =
            reconstructions(&grey(1, 0).collect::<Vec<_>>(), &grey(1, 200).collect::<Vec<_>>(), (3, 3));
        let tiles = Tiles::of(picture, (3, 3)).unwrap();
        assert_eq!((tiles.rows, tiles.columns), (4, 20));
        let (shown, across) = order(Kind::Reconstructions, &tiles, usize::MAX, 1000);
        let shown: Vec<GrayImage> = shown.into_iter().map(|at| tiles.tile(at)).collect();
        let mosaic = mosaic(&shown, across, 2);
        let at = |row: u32, column: u32| *mosaic.get_pixel(column * 7 + 1, row * 7 + 1);
        assert_eq!(
            [at(0, 3), at(1, 3), at(2, 9), at(3, 9)],
            [Luma([3]), Luma([203]), Luma([19]), Luma([219])]
        );
    }
}
