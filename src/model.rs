//! Model files: safetensors with `weights` [visible, hidden], `visible_bias` and `hidden_bias`, all F32. The metadata hold
//! the layers and the training options.

mod data;

pub use data::DataOptions;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    config::TrainConfig,
    data::file,
    error::{Error, Result, excerpt, list, usage},
    output,
    rbm::{Layers, Rbm, Shape, tensors},
    units::Layer,
};

/// The only key of the metadata. The order of keys in the file is not fixed, and equal runs must give equal bytes.
const CONFIG: &str = "rbm_gpu_config";

/// The metadata.
#[derive(Serialize, Deserialize)]
struct Metadata<Config> {
    /// The layers; binary units if the file is from a version without this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers: Option<Names>,
    #[serde(flatten)]
    config: Config,
}

/// Layers in the display form of [`Layer`].
#[derive(Serialize, Deserialize)]
struct Names {
    visible: String,
    hidden: String,
}

/// Writes the model to a temporary file and renames it, so that `path` is never half a file.
///
/// # Errors
/// [`Error::Write`].
pub fn save(path: &Path, rbm: &Rbm, config: &TrainConfig) -> Result<()> {
    let bytes = to_bytes(path, rbm, config)?;
    output::write_synced(path, |file| file.write_all(&bytes)).map_err(Error::write(path))
}

/// The bytes of a model file that will be at `path`.
pub(crate) fn to_bytes(path: &Path, rbm: &Rbm, config: &TrainConfig) -> Result<Vec<u8>> {
    let model_error = |reason: String| Error::Model { path: path.into(), reason };
    let views = rbm
        .named()
        .into_iter()
        .map(|(name, shape, values)| {
            TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values)).map(|view| (name, view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| model_error(error.to_string()))?;
    let [visible, hidden] = [&rbm.layers().visible, &rbm.layers().hidden].map(|layer| layer.to_string());
    let metadata = Metadata { layers: Some(Names { visible, hidden }), config: config.model_options() };
    let config = serde_json::to_string(&metadata).map_err(|error| model_error(error.to_string()))?;
    safetensors::serialize(views, Some(HashMap::from([(CONFIG.to_string(), config)])))
        .map_err(|error| model_error(error.to_string()))
}

/// Reads a model, and its training options if it was trained here.
///
/// # Errors
/// [`Error::Read`]; [`Error::Model`] if the file is invalid.
pub fn load(path: &Path) -> Result<(Rbm, Option<TrainConfig>)> {
    parse(path, &file::read_whole(path)?)
}

/// Parses a model file.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<(Rbm, Option<TrainConfig>)> {
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
    let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get(CONFIG));
    let in_metadata = |reason: String| bad(format!("its metadata: {reason}"));
    let config = metadata.map(|text| TrainConfig::parse(text)).transpose();
    let config = config.map_err(|error| in_metadata(error.marked()))?;
    let names = metadata.map(|text| serde_json::from_str::<Metadata<IgnoredAny>>(text)).transpose();
    let names = names.map_err(|error| in_metadata(excerpt(&error.to_string())))?;
    let layers = match names.and_then(|metadata| metadata.layers) {
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
    let Layers { visible, hidden } = &layers;
    if !(visible.is_binary() && hidden.is_binary()) {
        return Err(bad(format!(
            "expected binary units, the only kind that commands know so far, found {} × {}",
            excerpt(&visible.to_string()),
            excerpt(&hidden.to_string())
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
    Ok((Rbm::from_parameters(layers, parameters), config))
}

/// Finds, reads and checks a model: its file, its parameters and, if it has them, its training options.
///
/// # Errors
/// [`Error::Usage`] if there is no model at `path`; [`Error::Read`]; [`Error::Model`] if the file is invalid, has no units,
/// or has parameters that are not finite.
pub fn open(path: &Path) -> Result<(PathBuf, Rbm, Option<TrainConfig>)> {
    let path = find(path)?;
    let (rbm, config) = load(&path)?;
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
    Ok((path, rbm, config))
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

    #[test]
    fn kinds_that_commands_do_not_know_are_refused() {
        let config = TrainConfig::default();
        for (hidden, known) in [("2 binary, 1 binary", true), ("3 gaussian", false), ("1 potts:3", false)] {
            let layers = Layers { visible: "4 binary".parse().unwrap(), hidden: hidden.parse().unwrap() };
            let bytes = to_bytes(Path::new("file"), &Rbm::zeros(layers), &config).unwrap();
            match parse(Path::new("file"), &bytes) {
                Ok(_) => assert!(known, "{hidden}"),
                Err(error) => assert!(!known && error.to_string().contains(hidden), "{hidden}: {error}"),
            }
        }
    }
}
