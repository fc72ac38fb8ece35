//! Models in other programs' arrays: out, in, and the same model both ways.
//!
//! | names | W | c | b |
//! | --- | --- | --- | --- |
//! | `rbm-gpu` | `weights` [visible, hidden] | `hidden_bias` | `visible_bias` |
//! | `sklearn` | `components_` [hidden, visible] | `intercept_hidden_` | `intercept_visible_` |
//! | `rbms` | `weight_matrix` [visible, hidden] | `hbias` | `vbias` |

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    data::npy::{self, Array, Values},
    error::{Error, Result},
    output::Target,
    rbm::{Rbm, Shape},
};

/// Whose names the arrays have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Names {
    /// This project's.
    RbmGpu,
    /// scikit-learn's `BernoulliRBM`.
    Sklearn,
    /// The Python library rbms.
    Rbms,
}

impl Names {
    const ALL: [Self; 3] = [Self::RbmGpu, Self::Sklearn, Self::Rbms];

    /// W, c and b.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::RbmGpu => ["weights", "hidden_bias", "visible_bias"],
            Self::Sklearn => ["components_", "intercept_hidden_", "intercept_visible_"],
            Self::Rbms => ["weight_matrix", "hbias", "vbias"],
        }
    }

    /// Whether the weights are hidden × visible.
    fn is_transposed(self) -> bool {
        self == Self::Sklearn
    }
}

/// What kind of file arrays are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// NumPy's archive of arrays.
    Npz,
    /// A safetensors file.
    Safetensors,
    /// A folder with a CSV file for each array.
    Csv,
}

/// The other order of a matrix of `rows` × `columns`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// The model's arrays under these names, in the order W, c, b.
fn arrays(rbm: &Rbm, names: Names) -> [(&'static str, Array); 3] {
    let Shape { visible, hidden } = rbm.shape;
    let array =
        |shape: &[usize], values: Vec<f32>| Array { shape: shape.to_vec(), values: Values::Floats(values) };
    let weights = if names.is_transposed() {
        array(&[hidden, visible], transposed(&rbm.weights, visible, hidden))
    } else {
        array(&[visible, hidden], rbm.weights.clone())
    };
    let [w, c, b] = names.names();
    [
        (w, weights),
        (c, array(&[hidden], rbm.hidden_bias.clone())),
        (b, array(&[visible], rbm.visible_bias.clone())),
    ]
}

/// Writes a model for another program: 32-bit floats.
///
/// # Errors
/// [`Error::Write`].
pub fn export(rbm: &Rbm, target: &Target, format: Format, names: Names) -> Result<()> {
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
                // The shortest digits that give the same number again.
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

/// Reads a model from another program's arrays: an `.npz` or safetensors file, or a folder of CSV files, under any of the
/// names. 64-bit floats are rounded.
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

/// The same, whatever the numbers are.
///
/// # Errors
/// Those of [`import`], but for numbers that are not finite.
pub fn parameters(path: &Path) -> Result<Rbm> {
    let bad = |reason: String| Error::Model { path: path.into(), reason };
    let mut arrays = read(path)?;
    let has = |names: &Names| names.names().iter().all(|name| arrays.contains_key(*name));
    let Some(names) = Names::ALL.into_iter().find(has) else {
        let expected: Vec<_> = Names::ALL.map(|names| names.names().join(", ")).into();
        let found: Vec<_> = arrays.into_keys().collect();
        return Err(bad(format!("expected arrays {}; found {}", expected.join("; or "), found.join(", "))));
    };
    let [w, c, b] = names.names();
    let weights = arrays.remove(w).ok_or_else(|| bad(format!("expected {w}")))?;
    let [rows, columns] = weights.shape[..] else {
        return Err(bad(format!("expected {w} with 2 dimensions, found {:?}", weights.shape)));
    };
    let (visible, hidden) = if names.is_transposed() { (columns, rows) } else { (rows, columns) };
    let mut bias = |name: &str, units: usize| {
        let array = arrays.remove(name).ok_or_else(|| bad(format!("expected {name}")))?;
        // A row or a column of a matrix is a vector too.
        if array.values.len() != units || array.shape.iter().filter(|&&size| size != 1).count() > 1 {
            return Err(bad(format!(
                "expected {name} of {units} values, as {w} has, found {:?}",
                array.shape
            )));
        }
        Ok(array.values.floats())
    };
    let (hidden_bias, visible_bias) = (bias(c, hidden)?, bias(b, visible)?);
    let values = weights.values.floats();
    let weights = if names.is_transposed() { transposed(&values, rows, columns) } else { values };
    if visible == 0 || hidden == 0 {
        return Err(bad(format!("expected at least one unit in each layer, found {visible} × {hidden}")));
    }
    Ok(Rbm { shape: Shape { visible, hidden }, weights, visible_bias, hidden_bias })
}

fn read(path: &Path) -> Result<BTreeMap<String, Array>> {
    if path.is_dir() {
        return read_folder(path);
    }
    let bytes = fs::read(path).map_err(Error::read(path))?;
    if bytes.starts_with(b"PK") {
        return Ok(npy::read_npz(path, |_| true)?.into_iter().collect());
    }
    let broken = |error| Error::Model {
        path: path.into(),
        reason: format!("expected an .npz or a safetensors file, or a folder of CSV files: {error}"),
    };
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let mut arrays = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(view.data()),
            Dtype::F64 => {
                let wide = bytemuck::pod_collect_to_vec::<u8, f64>(view.data());
                wide.into_iter().map(|x| x as f32).collect()
            }
            _ => continue,
        };
        arrays.insert(name, Array { shape: view.shape().to_vec(), values: Values::Floats(values) });
    }
    Ok(arrays)
}

/// The CSV files of a folder that have one of the names.
fn read_folder(folder: &Path) -> Result<BTreeMap<String, Array>> {
    let mut arrays = BTreeMap::new();
    for name in Names::ALL.iter().flat_map(|names| names.names()) {
        let path = folder.join(format!("{name}.csv"));
        if !path.is_file() {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(Error::read(&path))?;
        let (mut values, mut rows, mut columns) = (Vec::new(), 0, None);
        for (line, number) in text.lines().zip(1..) {
            let bad = |reason: String| Error::Data(format!("{}: line {number}{reason}", path.display()));
            let before = values.len();
            for (field, column) in line.split(',').zip(1..) {
                let value = field.trim().parse::<f32>();
                let expected = |_| bad(format!(", column {column}: expected a number, found {field:?}"));
                values.push(value.map_err(expected)?);
            }
            let found = values.len() - before;
            let expected = *columns.get_or_insert(found);
            if found != expected {
                return Err(bad(format!(
                    ": expected {expected} columns, as in the first line, found {found}"
                )));
            }
            rows += 1;
        }
        arrays.insert(
            name.into(),
            Array { shape: vec![rows, columns.unwrap_or(0)], values: Values::Floats(values) },
        );
    }
    Ok(arrays)
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
