//! Model files: safetensors with `weights` [visible, hidden], `visible_bias`, `hidden_bias` and what other parameters the kinds
//! of units have ([`crate::rbm::tensors`]), all F32. If the data were standardised, `visible_mean` and `visible_deviation`
//! say how. The metadata hold the layers and the training options.

mod data;

pub use data::DataOptions;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    checkpoint::POSITION,
    config::TrainConfig,
    data::{Encoding, ImageSize, file, table::Column},
    error::{Error, Result, excerpt, list, usage},
    output,
    rbm::{Layers, Rbm, Shape, Side, tensors},
    units::{Kind, Layer, PRECISIONS, Place},
};

/// The only key of the metadata. The order of keys in the file is not fixed, and equal runs must give equal bytes.
const CONFIG: &str = "rbm_gpu_config";

/// The key of the layers alone, of a model that was imported, and has no options.
const LAYERS: &str = "rbm_gpu_layers";

/// The metadata.
#[derive(Serialize, Deserialize)]
struct Metadata<Config> {
    /// The layers; binary units if the file is from a version without this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<Names>,
    #[serde(flatten)]
    config: Config,
}

/// Layers in the display form of [`Layer`], and what the states of Potts units are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Names {
    visible: String,
    hidden: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    letters: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<f32>,
}

impl Names {
    /// Of a model's layers, for data of this encoding.
    pub fn of(layers: &Layers, encoding: &Encoding) -> Self {
        let [visible, hidden] = [&layers.visible, &layers.hidden].map(|layer| layer.to_string());
        let scale = (encoding.scale != 1.0).then_some(encoding.scale);
        Self { visible, hidden, letters: encoding.letters.clone(), columns: encoding.columns.clone(), scale }
    }
}

/// The names of an encoding's tensors: the visible units' means and deviations.
pub(crate) const STANDARDS: [&str; 2] = ["visible_mean", "visible_deviation"];

/// A model as it is in a file.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The file.
    pub path: PathBuf,
    /// The parameters.
    pub rbm: Rbm,
    /// The training options, if the file has them.
    pub config: Option<TrainConfig>,
    /// What the visible units are in the files of data.
    pub encoding: Encoding,
}

impl Stored {
    /// Height and width of its cases as images: those of training, or else a guess.
    pub fn image(&self) -> (usize, usize) {
        let units = self.encoding.file_columns();
        let known = self.config.as_ref().and_then(|config| config.selection.image);
        let ImageSize(height, width) =
            known.filter(|size| size.0 * size.1 == units).unwrap_or(ImageSize::guess(units));
        (height, width)
    }
}

/// Writes the model to a temporary file and renames it, so that `path` is never half a file.
///
/// # Errors
/// [`Error::Write`].
pub fn save(path: &Path, rbm: &Rbm, config: &TrainConfig, encoding: &Encoding) -> Result<()> {
    let bytes = to_bytes(path, rbm, config, encoding)?;
    output::write_synced(path, |file| file.write_all(&bytes)).map_err(Error::write(path))
}

/// The bytes of a model file that will be at `path`.
pub(crate) fn to_bytes(path: &Path, rbm: &Rbm, config: &TrainConfig, encoding: &Encoding) -> Result<Vec<u8>> {
    bytes_with(path, rbm, encoding, CONFIG, config.model_options())
}

/// The bytes of a model file without options.
pub(crate) fn imported(path: &Path, rbm: &Rbm, encoding: &Encoding) -> Result<Vec<u8>> {
    bytes_with(path, rbm, encoding, LAYERS, serde_json::Map::new())
}

/// The bytes of a model file with the layers and other metadata under a key.
fn bytes_with(
    path: &Path,
    rbm: &Rbm,
    encoding: &Encoding,
    key: &str,
    config: impl Serialize,
) -> Result<Vec<u8>> {
    let model_error = |reason: String| Error::Model { path: path.into(), reason };
    let standards = STANDARDS.into_iter().zip([&encoding.means, &encoding.deviations]);
    let standards = standards.map(|(name, values)| (name, vec![values.len()], &values[..]));
    let views = rbm
        .named()
        .into_iter()
        .chain(standards.filter(|(_, _, values)| !values.is_empty()))
        .map(|(name, shape, values)| {
            TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values)).map(|view| (name, view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| model_error(error.to_string()))?;
    let names = Names::of(rbm.layers(), encoding);
    let metadata = Metadata { layers: Some(names), config };
    let config = serde_json::to_string(&metadata).map_err(|error| model_error(error.to_string()))?;
    safetensors::serialize(views, Some(HashMap::from([(key.to_string(), config)])))
        .map_err(|error| model_error(error.to_string()))
}

/// Reads a model.
///
/// # Errors
/// [`Error::Read`]; [`Error::Model`] if the file is invalid.
pub fn load(path: &Path) -> Result<Stored> {
    parse(path, &file::read_whole(path)?)
}

/// Parses a model file.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Stored> {
    let bad = |reason: String| Error::Model { path: path.into(), reason };
    let broken =
        |error: safetensors::SafeTensorError| bad(format!("not a complete safetensors file: {error}"));
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let tensor = |name: &str, dimensions: usize| {
        let view = file
            .tensor(name)
            .map_err(|_| bad(format!("expected a tensor {name:?}, found {}", list(file.names()))))?;
        if view.dtype() != Dtype::F32 || view.shape().len() != dimensions {
            return Err(bad(format!(
                "expected {name} as F32 with {dimensions} dimension(s), found {:?} {}",
                view.dtype(),
                excerpt(&format!("{:?}", view.shape()))
            )));
        }
        Ok((view.shape().to_vec(), bytemuck::pod_collect_to_vec::<u8, f32>(view.data())))
    };
    let (shape, weights) = tensor("weights", 2)?;
    let shape = Shape { visible: shape[0], hidden: shape[1] };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let entry = |key: &str| header.metadata().as_ref().and_then(|metadata| metadata.get(key));
    let metadata = entry(CONFIG);
    let in_metadata = |reason: String| bad(format!("its metadata: {reason}"));
    let config = metadata.map(|text| TrainConfig::parse(text)).transpose();
    let config = config.map_err(|error| in_metadata(error.marked()))?;
    // A checkpoint has the layers with its position.
    let names = metadata.or(entry(POSITION)).or(entry(LAYERS));
    let names = names.map(|text| serde_json::from_str::<Metadata<IgnoredAny>>(text)).transpose();
    let names = names.map_err(|error| in_metadata(excerpt(&error.to_string())))?;
    let names = names.and_then(|metadata| metadata.layers);
    let layers = match &names {
        None => Layers::from(shape),
        Some(names) => {
            let layer = |text: &str| text.parse::<Layer>().map_err(|error| in_metadata(excerpt(&error)));
            Layers { visible: layer(&names.visible)?, hidden: layer(&names.hidden)? }
        }
    };
    if layers.shape() != shape {
        return Err(in_metadata(format!(
            "expected layers of {} × {} units, as the weights have, found {} × {}",
            shape.visible,
            shape.hidden,
            layers.shape().visible,
            layers.shape().hidden
        )));
    }
    let mut parameters = weights;
    for (name, expected) in tensors(&layers).into_iter().skip(1) {
        let (found, values) = tensor(name, 1)?;
        if found != expected {
            return Err(bad(format!("{name} has {} units, the weights have {}", found[0], expected[0])));
        }
        parameters.extend(values);
    }
    let mut encoding = Encoding::new(layers.visible.clone());
    if let Some(names) = names {
        encoding.scale = names.scale.unwrap_or(1.0);
        (encoding.letters, encoding.columns) = (names.letters, names.columns);
    }
    if !(encoding.scale > 0.0 && encoding.scale.is_finite()) {
        return Err(in_metadata(format!("expected a scale above 0, found {}", encoding.scale)));
    }
    check_columns(&encoding).map_err(in_metadata)?;
    if STANDARDS.iter().any(|name| file.tensor(name).is_ok()) {
        let [means, deviations] = STANDARDS.map(|name| tensor(name, 1));
        let ((_, means), (_, deviations)) = (means?, deviations?);
        for (name, values) in STANDARDS.into_iter().zip([&means, &deviations]) {
            if values.len() != shape.visible {
                let (found, expected) = (values.len(), shape.visible);
                return Err(bad(format!("{name} has {found} units, the weights have {expected}")));
            }
        }
        if let Some(bad_one) = means.iter().find(|mean| !mean.is_finite()) {
            return Err(bad(format!("expected finite means, found {bad_one} in {}", STANDARDS[0])));
        }
        if let Some(bad_one) =
            deviations.iter().find(|deviation| !(deviation.is_finite() && **deviation > 0.0))
        {
            return Err(bad(format!("expected deviations above 0, found {bad_one}")));
        }
        (encoding.means, encoding.deviations) = (means, deviations);
    }
    if let Some(letters) = &encoding.letters {
        let states = letters.chars().count();
        if encoding.layer.blocks().iter().any(|block| block.kind.columns() != states) {
            return Err(in_metadata(format!("{states} letters, but visible units of {}", encoding.layer)));
        }
        let repeated = letters.char_indices().find(|&(at, letter)| letters[..at].contains(letter));
        if let Some((_, letter)) = repeated {
            return Err(in_metadata(format!("expected different letters, found {letter:?} more than once")));
        }
    }
    let rbm = Rbm::from_parameters(layers, parameters);
    check_precisions(&rbm).map_err(bad)?;
    Ok(Stored { path: path.into(), rbm, config, encoding })
}

/// Checks that there is a column for each visible unit, with a name of its own, and as many words as the unit has states, or none.
fn check_columns(encoding: &Encoding) -> std::result::Result<(), String> {
    let Encoding { layer, columns, .. } = encoding;
    if columns.is_empty() {
        return Ok(());
    }
    if columns.len() != layer.units() {
        return Err(format!(
            "expected a column for each of {} visible units, found {}",
            layer.units(),
            columns.len()
        ));
    }
    let mut names = HashSet::new();
    for (Column { name, words }, Place { kind, .. }) in columns.iter().zip(layer.places()) {
        let states = match kind {
            Kind::Binary => 2,
            Kind::Potts { states } => states as usize,
            _ => 0,
        };
        if !words.is_empty() && words.len() != states {
            let name = excerpt(name);
            return Err(format!(
                "expected {states} words of column {name:?}, a {kind} unit, found {}",
                words.len()
            ));
        }
        if words.iter().collect::<HashSet<_>>().len() < words.len() {
            return Err(format!("expected different words of column {:?}", excerpt(name)));
        }
        if !names.insert(name) {
            return Err(format!(
                "expected different names of columns, found {:?} more than once",
                excerpt(name)
            ));
        }
    }
    Ok(())
}

/// Checks that the precisions of the units that have some are above 0.
pub(crate) fn check_precisions(rbm: &Rbm) -> std::result::Result<(), String> {
    for side in [Side::Visible, Side::Hidden] {
        let layer = rbm.layers().side(side);
        for Place { kind, column } in layer.places() {
            for number in PRECISIONS.start..kind.parameters().min(PRECISIONS.end) {
                let precision = rbm.potentials(side)[number * layer.columns() + column];
                // One that is not a number is found with the other parameters.
                if precision <= 0.0 {
                    return Err(format!(
                        "expected precisions above 0, found {precision} of {kind} unit in column {column} of the {} units",
                        if side == Side::Visible { "visible" } else { "hidden" }
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Finds, reads and checks a model.
///
/// # Errors
/// [`Error::Usage`] if there is no model at `path`; [`Error::Read`]; [`Error::Model`] if the file is invalid, has no units,
/// or has parameters that are not finite.
pub fn open(path: &Path) -> Result<Stored> {
    let path = find(path)?;
    let stored = load(&path)?;
    let rbm = &stored.rbm;
    let bad = |reason: String| Error::Model { path: path.clone(), reason };
    if rbm.shape().visible == 0 || rbm.shape().hidden == 0 {
        let Shape { visible, hidden } = rbm.shape();
        return Err(bad(format!("expected at least one unit in each layer, found {visible} × {hidden}")));
    }
    if let Some((tensor, index, value)) = rbm.non_finite() {
        return Err(bad(format!(
            "expected finite parameters, found {tensor}[{index}] = {value}; \
             train again, with a lower ‹lr› if training diverged"
        )));
    }
    Ok(stored)
}

fn find(path: &Path) -> Result<PathBuf> {
    let inside = path.join("model.safetensors");
    let expected = "expected a run's folder or its model.safetensors, as rbm-gpu train writes them";
    if path.is_dir() {
        if inside.is_file() {
            return Ok(inside);
        }
        return usage!("{}: {expected}, found a folder without model.safetensors", path.display());
    }
    if !path.exists() {
        return usage!("{}: {expected}, found nothing there", path.display());
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::random_model;

    #[test]
    fn models_of_every_kind_come_back() {
        let config = TrainConfig::default();
        let layers = Layers {
            visible: "4 binary, 2 potts:3, 1 gaussian".parse().unwrap(),
            hidden: "2 drelu, 1 spin".parse().unwrap(),
        };
        let rbm = random_model(&layers, 1.0, 3, |x| 0.5 + x.abs());
        let mut encoding = Encoding::new(layers.visible.clone());
        (encoding.means, encoding.deviations) = (vec![0.5; 11], vec![2.0; 11]);
        let path = Path::new("file");
        let back = parse(path, &to_bytes(path, &rbm, &config, &encoding).unwrap()).unwrap();
        assert_eq!((&back.rbm, &back.encoding), (&rbm, &encoding));
        let plain = Encoding { letters: Some("ABC".into()), ..Encoding::new(layers.visible.clone()) };
        let refused = |rbm: &Rbm, encoding: &Encoding| {
            parse(path, &to_bytes(path, rbm, &config, encoding).unwrap()).unwrap_err().to_string()
        };
        let message = refused(&rbm, &plain);
        assert!(message.contains("3 letters, but visible units of 4 binary"), "{message}");
        let standardised = |means: Vec<f32>, deviations: Vec<f32>| {
            refused(&rbm, &Encoding { means, deviations, ..Encoding::new(layers.visible.clone()) })
        };
        for (means, deviations, expected) in [
            (vec![0.5; 11], [&[2.0; 10][..], &[0.0]].concat(), "deviations above 0"),
            ([&[0.5; 10][..], &[f32::NAN]].concat(), vec![2.0; 11], "finite means, found NaN"),
            (vec![], vec![2.0; 11], "expected a tensor \"visible_mean\""),
        ] {
            let message = standardised(means, deviations);
            assert!(message.contains(expected), "{message}");
        }
        let named = |name: &str, words: &[&str]| Column {
            name: name.into(),
            words: words.iter().map(|word| word.to_string()).collect(),
        };
        let states: &[&str] = &["x", "y", "z"];
        let columns = |names: [&str; 7], words: &[&str]| {
            let of = |(at, name): (usize, &str)| named(name, if (4..6).contains(&at) { words } else { &[] });
            names.into_iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let letters = ["a", "b", "c", "d", "e", "f", "g"];
        let typed = |columns| Encoding { columns, scale: 255.0, ..Encoding::new(layers.visible.clone()) };
        let encoding = typed(columns(letters, states));
        let back = parse(path, &to_bytes(path, &rbm, &config, &encoding).unwrap()).unwrap();
        assert_eq!(back.encoding, encoding);
        for (columns, expected) in [
            (columns(letters, states)[1..].to_vec(), "a column for each of 7 visible units, found 6"),
            (columns(letters, &["x", "y"]), "expected 3 words of column \"e\""),
            (columns(letters, &["x", "y", "x"]), "different words of column \"e\""),
            (columns(["a", "b", "c", "d", "e", "f", "a"], states), "found \"a\" more than once"),
        ] {
            let message = refused(&rbm, &typed(columns));
            assert!(message.contains(expected), "{message}");
        }
        let sites = Layers { visible: "4 potts:3".parse().unwrap(), hidden: "2 binary".parse().unwrap() };
        let letters = Encoding { letters: Some("ABA".into()), ..Encoding::new(sites.visible.clone()) };
        let message = refused(&random_model(&sites, 1.0, 3, |x| x), &letters);
        assert!(message.contains("found 'A' more than once"), "{message}");
        let mut broken = rbm;
        // The precision of the Gaussian unit.
        broken.potentials_mut(Side::Visible)[11 + 10] = -1.0;
        let message = refused(&broken, &Encoding::new(layers.visible));
        assert!(message.contains("found -1 of gaussian unit in column 10 of the visible units"), "{message}");
    }
}
