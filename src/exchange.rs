//! Exchanges models with other programs: exports and imports their arrays.
//!
//! | names | W | c | b |
//! | --- | --- | --- | --- |
//! | `rbm-gpu` | `weights` [visible, hidden] | `hidden_bias` | `visible_bias` |
//! | `sklearn` | `components_` [hidden, visible] | `intercept_hidden_` | `intercept_visible_` |
//! | `rbms` | `weight_matrix` [visible, hidden] | `hbias` | `vbias` |

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Cursor, Write},
    path::Path,
};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    data::{
        file,
        npy::{self, Archive, Array, Values},
    },
    error::{Error, Result, excerpt, list, usage},
    output::Target,
    rbm::{Rbm, Shape},
};

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

/// File formats for arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// NumPy's archive of arrays.
    Npz,
    /// A safetensors file.
    Safetensors,
    /// A folder with a CSV file for each array.
    Csv,
}

/// Transposes a matrix of `rows` × `columns`.
pub(crate) fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
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

/// Exports a model to another program, as 32-bit floats.
///
/// # Errors
/// [`Error::Write`]; [`Error::Usage`] for units that are not binary, whose parameters those programs do not have.
pub fn export(rbm: &Rbm, target: &Target, format: Format, names: Names) -> Result<()> {
    if !rbm.layers().are_binary() {
        return usage!(
            "expected a model of binary units, the only ones that other programs' arrays are written for, found {} × {}; \
             its own file has all parameters, as safetensors",
            rbm.layers().visible,
            rbm.layers().hidden
        );
    }
    let arrays = arrays(rbm, names);
    match format {
        Format::Npz => {
            target.write(|out| npy::write_npz(out, arrays.iter().map(|(name, array)| (*name, array))))
        }
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
    }
}

/// Imports a model from another program's arrays: an `.npz` or safetensors file, or a folder of CSV files, in any of the
/// naming schemes. 64-bit floats are rounded.
///
/// # Errors
/// [`Error::Model`] says what was expected and what was found; [`Error::Read`], [`Error::Data`].
pub fn import(path: &Path) -> Result<Rbm> {
    let rbm = parameters(path)?;
    if let Some((tensor, index, value)) = rbm.non_finite() {
        let reason = format!("expected finite numbers, found {tensor}[{index}] = {value}");
        return Err(Error::Model { path: path.into(), reason });
    }
    Ok(rbm)
}

/// [`import`] without the check that parameters are finite.
///
/// # Errors
/// Those of [`import`], except for non-finite parameters.
pub fn parameters(path: &Path) -> Result<Rbm> {
    if path.is_dir() {
        return model(path, read_folder(path)?);
    }
    parse(path, &file::read_whole(path)?)
}

/// Imports a model from a file's bytes, without the check that parameters are finite.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Rbm> {
    model(path, arrays_of(path, bytes, |name| Names::ALL.iter().any(|names| names.names().contains(&name)))?)
}

/// The model in arrays of one of the naming schemes.
fn model(path: &Path, Arrays { mut arrays, names: found }: Arrays) -> Result<Rbm> {
    let bad = |reason: String| Error::Model { path: path.into(), reason };
    let has = |names: &Names| names.names().iter().all(|name| arrays.contains_key(*name));
    let Some(names) = Names::ALL.into_iter().find(has) else {
        let expected: Vec<_> = Names::ALL.map(|names| names.names().join(", ")).into();
        return Err(bad(format!("expected arrays {}; found {}", expected.join("; or "), list(found))));
    };
    let [w, c, b] = names.names();
    let weights = arrays.remove(w).ok_or_else(|| bad(format!("expected {w}")))?;
    let [rows, columns] = weights.shape[..] else {
        let found = excerpt(&format!("{:?}", weights.shape));
        return Err(bad(format!("expected {w} with 2 dimensions, found {found}")));
    };
    let (visible, hidden) = if names.is_transposed() { (columns, rows) } else { (rows, columns) };
    if visible == 0 || hidden == 0 {
        return Err(bad(format!("expected at least one unit in each layer, found {visible} × {hidden}")));
    }
    let mut bias = |name: &str, units: usize| {
        let array = arrays.remove(name).ok_or_else(|| bad(format!("expected {name}")))?;
        // A row or column matrix counts as a vector.
        if array.values.len() != units || array.shape.iter().filter(|&&size| size != 1).count() > 1 {
            return Err(bad(format!(
                "expected {name} of {units} values, as {w} has, found {}",
                excerpt(&format!("{:?}", array.shape))
            )));
        }
        Ok(array.values.floats())
    };
    let (hidden_bias, visible_bias) = (bias(c, hidden)?, bias(b, visible)?);
    let values = weights.values.floats();
    let weights = if names.is_transposed() { transposed(&values, rows, columns) } else { values };
    Ok(Rbm::from_tensors(Shape { visible, hidden }, [weights, visible_bias, hidden_bias]))
}

/// Arrays by name, and all names found.
pub(crate) struct Arrays {
    pub arrays: BTreeMap<String, Array>,
    names: Vec<String>,
}

/// The arrays of an `.npz` or safetensors file whose names `wanted` accepts.
pub(crate) fn arrays_of(path: &Path, bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Arrays> {
    if bytes.starts_with(b"PK") {
        let mut archive = Archive::new(&path.display().to_string(), Cursor::new(bytes))?;
        let arrays = archive.arrays(wanted)?;
        archive.names.sort();
        return Ok(Arrays { arrays, names: archive.names });
    }
    let broken = |error| Error::Model {
        path: path.into(),
        reason: format!(
            "expected an .npz or a safetensors file, or a folder of CSV files: {}",
            excerpt(&format!("{error}"))
        ),
    };
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let tensors = file.iter().filter(|(name, _)| wanted(name));
    let array = |(name, view): (&str, TensorView)| {
        let values = Values::Floats(numbers(&view)?);
        Some((name.to_string(), Array { shape: view.shape().to_vec(), values }))
    };
    let names = file.names().into_iter().map(str::to_string).collect();
    Ok(Arrays { arrays: tensors.filter_map(array).collect(), names })
}

/// The numbers of a floating-point tensor; 64-bit ones are rounded.
fn numbers(view: &TensorView) -> Option<Vec<f32>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(bytes),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => return None,
    })
}

/// The CSV files of a folder that have one of the names.
fn read_folder(folder: &Path) -> Result<Arrays> {
    let mut arrays = BTreeMap::new();
    for name in Names::ALL.iter().flat_map(|names| names.names()) {
        let path = folder.join(format!("{name}.csv"));
        if path.is_file() {
            arrays.insert(name.to_string(), parse_table(&path, &file::read_whole(&path)?)?);
        }
    }
    Ok(Arrays { names: arrays.keys().cloned().collect(), arrays })
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
                export(&rbm, &Target::new(&path, false).unwrap(), format, names).unwrap();
                assert_eq!(import(&path).unwrap(), rbm, "{format:?} {names:?}");
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
            let message = import(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected:?} in {message}");
        }
        let path = folder.path().join("csv");
        fs::create_dir(&path).unwrap();
        for (text, expected) in [
            ("1,2\n3\n", "line 2: expected 2 columns"),
            ("1,2\n3,x\n", "line 2, column 2: expected a number"),
        ] {
            fs::write(path.join("weights.csv"), text).unwrap();
            let message = import(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected:?} in {message}");
        }
        fs::write(folder.path().join("text"), "text").unwrap();
        assert!(import(&folder.path().join("text")).unwrap_err().to_string().contains("expected an .npz"));
    }
}
