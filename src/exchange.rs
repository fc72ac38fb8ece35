//! Exchanges models with other programs: exports and imports their arrays and files.
//!
//! | names | W | c | b |
//! | --- | --- | --- | --- |
//! | `rbm-gpu` | `weights` [visible, hidden] | `hidden_bias` | `visible_bias` |
//! | `sklearn` | `components_` [hidden, visible] | `intercept_hidden_` | `intercept_visible_` |
//! | `rbms` | `weight_matrix` [visible, hidden] | `hbias` | `vbias` |
//!
//! These are for binary units. The files of rbms, RBMs.jl and PGM, spin glasses and NetKet's wave functions, each in a module
//! here, have more kinds of units.

mod contents;
mod ising;
mod julia;
mod letters;
mod named;
mod netket;
mod pgm;
mod rbms;
mod tensors;
mod wide;

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use safetensors::{Dtype, tensor::TensorView};

use crate::{
    data::{
        Encoding, file, foreign,
        npy::{self, Array, Values},
    },
    error::{Error, Result, excerpt, usage},
    hdf5::{self, Content},
    model,
    output::Target,
    rbm::{Layers, Rbm, Shape, Side},
    units::{Kind, Kinds},
};
use tensors::Tensors;
use wide::Wide;

/// The naming scheme of the arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Names {
    /// This program's.
    RbmGpu,
    /// scikit-learn's `BernoulliRBM`.
    Sklearn,
    /// The Python library rbms.
    Rbms,
}

impl Names {
    const ALL: [Self; 3] = [Self::RbmGpu, Self::Sklearn, Self::Rbms];

    /// Names of W, c and b.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::RbmGpu => ["weights", "hidden_bias", "visible_bias"],
            Self::Sklearn => ["components_", "intercept_hidden_", "intercept_visible_"],
            Self::Rbms => ["weight_matrix", "hbias", "vbias"],
        }
    }

    /// Whether the weights are stored as hidden × visible.
    fn is_transposed(self) -> bool {
        self == Self::Sklearn
    }
}

/// File formats of models of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// NumPy's archive of arrays.
    Npz,
    /// A safetensors file.
    Safetensors,
    /// A folder with a CSV file for each array.
    Csv,
    /// An HDF5 file of the Python library rbms.
    Rbms,
    /// An HDF5 file of RestrictedBoltzmannMachines.jl.
    RbmsJl,
    /// An HDF5 file of PGM's arrays.
    Pgm,
    /// A spin glass in JSON, as for D-Wave's tools.
    Ising,
    /// NetKet's wave function, in an archive of arrays.
    Netket,
}

impl Format {
    /// The extension of its files; none of a folder.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Npz | Self::Netket => Some("npz"),
            Self::Safetensors => Some("safetensors"),
            Self::Csv => None,
            Self::Rbms | Self::RbmsJl | Self::Pgm => Some("h5"),
            Self::Ising => Some("json"),
        }
    }

    /// Whether it is of arrays under names that can be chosen.
    pub fn has_names(self) -> bool {
        matches!(self, Self::Npz | Self::Safetensors | Self::Csv)
    }
}

/// The states of units of two, in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum States {
    /// −1 and 1.
    Spin,
    /// 0 and 1.
    Binary,
}

/// How a model is exported.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    /// The format.
    pub format: Format,
    /// The names of the arrays, where they can be chosen.
    pub names: Names,
    /// The states of units of two, if they are to be others.
    pub states: Option<States>,
}

/// What is wanted of a model that is imported; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The update of a file of rbms, if not the last.
    pub update: Option<u64>,
    /// The kind of the visible units, where a file does not name it.
    pub visible: Option<Kinds>,
    /// The kind of the hidden units, where a file does not name it.
    pub hidden: Option<Kinds>,
    /// The letters of the states of Potts units, in order.
    pub letters: Option<String>,
    /// Columns of the data: visible units.
    pub columns: Option<usize>,
    /// Whether what names and data do not tell may be guessed, and said.
    pub may_guess: bool,
}

/// A model that was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model.
    pub rbm: Rbm,
    /// What its visible units are in files of data.
    pub encoding: Encoding,
    /// How it was read, where that is not plain: for people.
    pub notes: Vec<String>,
}

/// A model as it was read.
struct Read {
    wide: Wide,
    letters: Option<String>,
    notes: Vec<String>,
}

/// Transposes a matrix of `rows` × `columns`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// The model's arrays W, c and b under these names.
fn arrays(rbm: &Rbm, names: Names) -> [(&'static str, Array); 3] {
    let Shape { visible, hidden } = rbm.shape();
    let array =
        |shape: &[usize], values: Vec<f32>| Array { shape: shape.to_vec(), values: Values::Floats(values) };
    let weights = if names.is_transposed() {
        array(&[hidden, visible], transposed(rbm.weights(), visible, hidden))
    } else {
        array(&[visible, hidden], rbm.weights().to_vec())
    };
    let [w, c, b] = names.names();
    [
        (w, weights),
        (c, array(&[hidden], rbm.hidden_bias().to_vec())),
        (b, array(&[visible], rbm.visible_bias().to_vec())),
    ]
}

/// The error for units that a format does not have; `cure` is the kind that spins or zeros and ones may be turned into.
fn unfit(layers: &Layers, has: &str, cure: Option<Kind>) -> Error {
    let two = |kind| matches!(kind, Kind::Binary | Kind::Spin);
    let blocks = || layers.visible.blocks().iter().chain(layers.hidden.blocks());
    let cure = match cure {
        Some(kind) if blocks().all(|block| two(block.kind)) => {
            format!("; ‹as› {kind} writes the same model so")
        }
        _ => String::new(),
    };
    Error::Usage(format!(
        "{has}, found {} × {}{cure}; the model's own file has all parameters, as safetensors",
        layers.visible, layers.hidden
    ))
}

/// The one kind of a side that was named, or else this.
fn only(kinds: &Option<Kinds>, default: Kind) -> Result<Kind> {
    let Some(kinds) = kinds else { return Ok(default) };
    let layer = kinds.layer(1);
    match layer.blocks() {
        [one] => Ok(one.kind),
        _ => usage!("expected one kind of unit a layer, found {kinds}"),
    }
}

/// Exports a model to another program; returns what was changed on the way, for people. Numbers have 32 bits, or 64 where a
/// change of units needs them.
///
/// # Errors
/// [`Error::Write`]; [`Error::Usage`] for units that the format does not have.
pub fn export(rbm: &Rbm, encoding: &Encoding, target: &Target, export: Export) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let (mut wide, folded) = Wide::from(rbm).of_plain_numbers(encoding);
    if folded {
        notes.push(
            "the standardisation is in the parameters: they are for the numbers as in the data".to_string(),
        );
    }
    if let Some(states) = export.states {
        let to = if states == States::Spin { Kind::Spin } else { Kind::Binary };
        let before = wide.layers.clone();
        wide = wide.of_states(to);
        if wide.layers == before {
            return usage!(
                "‹as› {to}: expected units of two other states, found {} × {}",
                before.visible,
                before.hidden
            );
        }
        notes.push(format!("units of two states are {to} ones; energies change by a constant, p(v) stays"));
    }
    let write_hdf5 = |contents: Vec<(String, Content)>| {
        target.write(|out| {
            hdf5::write(out, contents.iter().map(|(path, content)| (path.as_str(), content.clone())))
        })
    };
    let mut letters = encoding.letters.clone();
    let alphabets = match export.format {
        Format::Rbms => Some(letters::RBMS),
        Format::Pgm => Some(letters::PGM),
        _ => None,
    };
    if let (Some(alphabets), Some(own)) = (alphabets, &letters) {
        let (ordered, own) = alphabets.ordered(wide, own, &mut notes);
        (wide, letters) = (ordered, Some(own));
    }
    let lettered = |mut contents: Vec<(String, Content)>| {
        contents.extend(letters.clone().map(|letters| (letters::TEXT.into(), Content::Text(letters))));
        contents
    };
    match export.format {
        Format::Rbms => {
            let contents = rbms::contents(wide, &mut notes)?;
            write_hdf5(lettered(contents))?;
        }
        Format::RbmsJl => write_hdf5(lettered(julia::contents(&wide)?))?,
        Format::Pgm => write_hdf5(lettered(pgm::contents(&wide)?))?,
        Format::Ising => target.write(ising::write(&wide)?)?,
        Format::Netket => {
            let arrays = netket::arrays(&wide)?.map(|(name, shape, values)| (name, Array { shape, values }));
            target.write(|out| npy::write_npz(out, arrays.iter().map(|(name, array)| (*name, array))))?;
        }
        Format::Npz | Format::Safetensors | Format::Csv => {
            // What was not changed stays the same to the last bit.
            let rbm = if notes.is_empty() { rbm.clone() } else { wide.rbm() };
            if export.format == Format::Safetensors
                && export.names == Names::RbmGpu
                && !rbm.layers().are_binary()
            {
                let encoding = Encoding {
                    letters: encoding.letters.clone(),
                    ..Encoding::new(rbm.layers().visible.clone())
                };
                let bytes = model::imported(target.path(), &rbm, &encoding)?;
                target.write(|out| out.write_all(&bytes))?;
                return Ok(notes);
            }
            named_arrays(&rbm, target, export.format, export.names)?;
        }
    }
    Ok(notes)
}

/// Writes the arrays of a binary model under chosen names.
fn named_arrays(rbm: &Rbm, target: &Target, format: Format, names: Names) -> Result<()> {
    if !rbm.layers().are_binary() {
        let has = "expected a model of binary units, the only ones that these arrays are written for";
        let more = "rbms, rbms-jl, pgm and ising have other kinds";
        return Err(unfit(rbm.layers(), &format!("{has} (‹to› {more})"), Some(Kind::Binary)));
    }
    let arrays = arrays(rbm, names);
    match format {
        Format::Safetensors => {
            let floats: Vec<_> =
                arrays.iter().map(|(name, array)| (*name, &array.shape, array.values.floats())).collect();
            let views = floats.iter().map(|(name, shape, values)| {
                TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(values))
                    .map(|view| (*name, view))
            });
            let bytes = views
                .collect::<std::result::Result<Vec<_>, _>>()
                .and_then(|views| safetensors::serialize(views, None))
                .map_err(|error| Error::write(target.path())(io::Error::other(error)))?;
            target.write(|out| out.write_all(&bytes))
        }
        Format::Csv => target.write_folder(|folder| {
            for (name, array) in &arrays {
                let columns = if array.shape.len() == 2 { array.shape[1] } else { 1 };
                let mut out = io::BufWriter::new(fs::File::create(folder.join(format!("{name}.csv")))?);
                // Rust prints the shortest digits that parse to the same number.
                for row in array.values.floats().chunks(columns) {
                    let row: Vec<String> = row.iter().map(f32::to_string).collect();
                    writeln!(out, "{}", row.join(","))?;
                }
                out.flush()?;
            }
            Ok(())
        }),
        _ => target.write(|out| npy::write_npz(out, arrays.iter().map(|(name, array)| (*name, array)))),
    }
}

/// Imports a model of another program: an `.npz`, HDF5, JSON or safetensors file, or a folder of CSV files. 64-bit floats are
/// rounded.
///
/// # Errors
/// [`Error::Model`] says what was expected and what was found; [`Error::Read`], [`Error::Data`]; [`Error::Usage`] for what is
/// wanted and does not fit.
pub fn import(path: &Path, wanted: &Import) -> Result<Imported> {
    let imported = parameters(path, wanted)?;
    if let Some((tensor, index, value)) = imported.rbm.non_finite() {
        let reason = format!("expected finite numbers, found {tensor}[{index}] = {value}");
        return Err(Error::Model { path: path.into(), reason });
    }
    Ok(imported)
}

/// [`import`] without the check that parameters are finite.
///
/// # Errors
/// Those of [`import`], except for non-finite parameters.
pub fn parameters(path: &Path, wanted: &Import) -> Result<Imported> {
    if path.is_dir() {
        let names: Vec<_> = Names::ALL.iter().flat_map(|names| names.names()).collect();
        return finish(path, named::read(Tensors::of_folder(path, &names)?, wanted)?, wanted);
    }
    if hdf5::is_hdf5(path)? {
        return finish(path, of_hdf5(path, &hdf5::File::open(path)?, wanted)?, wanted);
    }
    foreign::refused(path)?;
    parse(path, &file::read_whole(path)?, wanted)
}

/// Imports a model from a file's bytes, without the check that parameters are finite.
pub(crate) fn parse(path: &Path, bytes: &[u8], wanted: &Import) -> Result<Imported> {
    let read = if bytes.starts_with(b"\x89HDF") {
        of_hdf5(path, &hdf5::File::parse(&path.display().to_string(), bytes)?, wanted)?
    } else if bytes.starts_with(b"PK") {
        let is_wanted =
            |name: &str| named::is_wanted(name) || netket::is_wanted(name) || pgm::is_wanted(name);
        of_tensors(Tensors::of_npz(path, bytes, is_wanted)?, wanted)?
    } else if bytes.trim_ascii_start().starts_with(b"{") && !bytes.iter().take(8).any(|&byte| byte == 0) {
        // The length in front of a safetensors file has a zero.
        ising::read(path, bytes, wanted)?
    } else {
        of_tensors(Tensors::of_safetensors(path, bytes)?, wanted)?
    };
    finish(path, read, wanted)
}

/// Reads named arrays of any program.
fn of_tensors(tensors: Tensors, wanted: &Import) -> Result<Read> {
    match () {
        () if pgm::are_these(&tensors) => pgm::read(tensors, wanted),
        () if netket::are_these(&tensors) => netket::read(tensors),
        () => named::read(tensors, wanted),
    }
}

/// Reads an HDF5 file of any program.
fn of_hdf5(path: &Path, file: &hdf5::File, wanted: &Import) -> Result<Read> {
    let updates = rbms::updates(file)?;
    if !updates.is_empty() {
        return rbms::read(file, &updates, wanted);
    }
    if wanted.update.is_some() {
        return usage!("‹update› is for a file of rbms, with groups update_N; {} has none", path.display());
    }
    if file.text("/", julia::HEADER.0)?.is_some() {
        let is_wanted = |name: &str| name == julia::HEADER.0 || julia::ARRAYS.contains(&name);
        return julia::read(Tensors::of_hdf5(path, file, is_wanted)?);
    }
    let is_wanted = |name: &str| named::is_wanted(name) || netket::is_wanted(name) || pgm::is_wanted(name);
    of_tensors(Tensors::of_hdf5(path, file, is_wanted)?, wanted)
}

/// Checks a model that was read against what is wanted, and rounds it.
fn finish(path: &Path, read: Read, wanted: &Import) -> Result<Imported> {
    let bad = |reason: String| Error::Model { path: path.into(), reason };
    let Read { wide, letters, notes } = read;
    for (side, kinds, option) in
        [(Side::Visible, &wanted.visible, "visible"), (Side::Hidden, &wanted.hidden, "hidden")]
    {
        let found = wide.layers.side(side);
        if let Some(kinds) = kinds
            && kinds.layer(found.units()) != *found
        {
            return usage!("‹{option}› {kinds}: {} has {found} units", path.display());
        }
    }
    let units = wide.layers.visible.units();
    if let Some(columns) = wanted.columns
        && columns != units
    {
        return usage!("{}: {units} visible units, but the data have {columns} columns", path.display());
    }
    let letters = wanted.letters.clone().or(letters);
    if let Some(letters) = &letters {
        let states = letters.chars().count();
        let visible = &wide.layers.visible;
        if visible.blocks().iter().any(|block| block.kind.columns() != states || states < 2) {
            return usage!("‹alphabet› has {states} letters, but the visible units are {visible}");
        }
        if let Some((_, letter)) = letters.char_indices().find(|&(at, letter)| letters[..at].contains(letter))
        {
            return usage!(
                "‹alphabet›: expected different letters, found {} twice",
                excerpt(&letter.to_string())
            );
        }
    }
    let rbm = wide.rbm();
    model::check_precisions(&rbm).map_err(bad)?;
    let encoding = Encoding { letters, ..Encoding::new(rbm.layers().visible.clone()) };
    Ok(Imported { rbm, encoding, notes })
}

/// Writes an imported model as one of ours.
///
/// # Errors
/// [`Error::Write`].
pub fn save(imported: &Imported, target: &Target) -> Result<()> {
    if imported.rbm.layers().are_binary() {
        return named_arrays(&imported.rbm, target, Format::Safetensors, Names::RbmGpu);
    }
    let bytes = model::imported(target.path(), &imported.rbm, &imported.encoding)?;
    target.write(|out| out.write_all(&bytes))
}

/// Lines of comma-separated numbers.
pub(crate) fn parse_table(path: &Path, bytes: &[u8]) -> Result<Array> {
    let (mut values, mut rows, mut columns) = (Vec::new(), 0, None);
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let line = String::from_utf8_lossy(line);
        if line.trim().is_empty() {
            continue;
        }
        let bad = |reason: String| Error::Data(format!("{}: line {number}{reason}", path.display()));
        let before = values.len();
        for (field, column) in line.split(',').zip(1..) {
            let value = field.trim().parse::<f32>();
            let expected =
                |_| bad(format!(", column {column}: expected a number, found {:?}", excerpt(field)));
            values.push(value.map_err(expected)?);
        }
        let found = values.len() - before;
        let expected = *columns.get_or_insert(found);
        if found != expected {
            return Err(bad(format!(": expected {expected} columns, as in the first line, found {found}")));
        }
        rows += 1;
    }
    Ok(Array { shape: vec![rows, columns.unwrap_or(0)], values: Values::Floats(values) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::random_rbm;

    #[test]
    fn a_model_goes_out_and_comes_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let rbm = random_rbm(Shape { visible: 7, hidden: 3 }, 1.0, 1);
        for format in [Format::Npz, Format::Safetensors, Format::Csv] {
            for names in Names::ALL {
                let path = folder.path().join(format!("{format:?}-{names:?}"));
                let encoding = Encoding::new(rbm.layers().visible.clone());
                let how = Export { format, names, states: None };
                export(&rbm, &encoding, &Target::new(&path, false).unwrap(), how).unwrap();
                let found = import(&path, &Import::default()).unwrap();
                assert_eq!((found.rbm, found.notes.len()), (rbm.clone(), 0), "{format:?} {names:?}");
            }
        }
    }

    #[test]
    fn arrays_that_make_no_model_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        let array = |shape: &[usize], x: f32| Array {
            shape: shape.to_vec(),
            values: Values::Floats(vec![x; shape.iter().product()]),
        };
        for (arrays, expected) in [
            (vec![("coef_", array(&[2, 3], 0.0))], "found coef_"),
            (
                vec![
                    ("components_", array(&[2, 3], 0.0)),
                    ("intercept_hidden_", array(&[3], 0.0)),
                    ("intercept_visible_", array(&[3], 0.0)),
                ],
                "expected intercept_hidden_ of 2 values",
            ),
            (
                vec![
                    ("weight_matrix", array(&[6], 0.0)),
                    ("hbias", array(&[3], 0.0)),
                    ("vbias", array(&[2], 0.0)),
                ],
                "expected weight_matrix with 2 dimensions",
            ),
            (
                vec![
                    ("weight_matrix", array(&[2, 3], 0.0)),
                    ("hbias", array(&[3], f32::NAN)),
                    ("vbias", array(&[2], 0.0)),
                ],
                "hidden_bias[0] = NaN",
            ),
        ] {
            let path = folder.path().join("model.npz");
            let target = Target::new(&path, true).unwrap();
            target
                .write(|out| npy::write_npz(out, arrays.iter().map(|(name, array)| (*name, array))))
                .unwrap();
            let message = import(&path, &Import::default()).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected:?} in {message}");
        }
        let path = folder.path().join("csv");
        fs::create_dir(&path).unwrap();
        for (text, expected) in [
            ("1,2\n3\n", "line 2: expected 2 columns"),
            ("1,2\n3,x\n", "line 2, column 2: expected a number"),
        ] {
            fs::write(path.join("weights.csv"), text).unwrap();
            let message = import(&path, &Import::default()).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected:?} in {message}");
        }
        fs::write(folder.path().join("text"), "text").unwrap();
        assert!(
            import(&folder.path().join("text"), &Import::default())
                .unwrap_err()
                .to_string()
                .contains("expected an .npz")
        );
    }
}
