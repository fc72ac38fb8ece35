//! Examines a run's folder, and a model.

use std::path::Path;

use serde_json::json;

use super::{Examination, foreign};
use crate::{
    backend::{BackendExt, Memory},
    checkpoint::{
        State,
        store::{Checkpoints, Disk},
    },
    config::{Binarize, DeviceChoice, TrainConfig},
    data::{Dataset, Source, file},
    device::{self, Footprint},
    doctor::{
        config,
        data::Values,
        log::Log,
        look::{Look, LookFigures},
        model::ModelFigures,
        watch::{self, NOTHING_LEARNT, outcome},
    },
    error::{Error, Result, usage},
    finding::{Finding, NAMES},
    rbm::Rbm,
    run::lines,
    train::{EpochMetrics, Event, Failure},
};

pub(super) const MODEL: &str = "model.safetensors";
const CHECKPOINTS: &str = "checkpoints";
/// A folder with one of these in it is a run's.
pub const FILES: [&str; 4] = ["config.json", "metrics.jsonl", MODEL, CHECKPOINTS];

/// Data that the user named, or that the model names.
type Named = (Source, Dataset);

/// Examines a run's folder: its options, its data, its costs, the findings of the run, and its model.
pub(super) fn run(
    to: &mut Examination,
    folder: &Path,
    named: Option<&Named>,
    device: &DeviceChoice,
) -> Result<()> {
    let config = options(folder)?;
    let own = match (named, &config) {
        (None, Some(config)) => {
            let data = config.data.near(&folder.join(MODEL))?;
            let dataset = prepared(config.selection.load(&data)?, config);
            let labels = dataset.train.labels.as_deref();
            let hidden = config.hidden_layer();
            let levels = to.data(&data, &Values::of(&dataset), labels, Some(&hidden), "");
            to.findings = config::answered(std::mem::take(&mut to.findings), config);
            Some(((data, dataset), levels))
        }
        _ => None,
    };
    let metrics = folder.join("metrics.jsonl");
    let bytes = if metrics.is_file() { file::read_whole(&metrics)? } else { Vec::new() };
    let (costs, recorded) = recorded(&bytes);
    if let Some(costs) = &costs {
        // The costs are those of held-out cases, which are like the training cases.
        let levels = own.as_ref().map(|(_, levels)| levels);
        to.log(&metrics, std::slice::from_ref(costs), levels, false, "")?;
    }
    let mut findings = config.as_ref().map_or(Vec::new(), config::findings);
    if let (Some(config), Some(((_, dataset), _)), Some(costs)) = (&config, &own, &costs) {
        // Of the whole run, which may have gone on since the end that was recorded.
        let is_over = costs.costs.len() >= config.epochs;
        let nothing = is_over.then(|| outcome(config, dataset, &costs.costs)).flatten();
        // It judges by the data, which tell more than the first epoch, and has more figures.
        let has_learnt = nothing.is_none();
        to.findings.retain(|finding| match &*finding.name {
            "cost-does-not-fall" => !is_over,
            "mean-image" => has_learnt,
            _ => true,
        });
        findings.extend(nothing);
        findings.extend(recorded.into_iter().filter(|finding| finding.name != NOTHING_LEARNT));
    } else {
        findings.extend(recorded);
    }
    // Before its first epoch ends a run has no model, but perhaps a checkpoint.
    let saved = folder.join(MODEL);
    let newest = match saved.is_file() {
        true => None,
        false => {
            let is_readable = |_: &Path, state: &State| watch::Memory::of(&state.position).map(drop);
            Checkpoints::new(folder, 1, Disk).newest(is_readable).found
        }
    };
    if let Some((_, state)) = &newest {
        findings.extend(state.position.findings.iter().cloned());
    }
    let saved = if saved.is_file() { Some(saved) } else { newest.map(|(path, _)| path) };
    let about = format!(
        "{}, {}{}",
        config.as_ref().map_or("no config.json".into(), |config| format!(
            "{} hidden units on {}",
            config.hidden, config.data
        )),
        costs.as_ref().map_or("no epoch done".into(), |log| match log.costs.len() {
            1 => "1 epoch".into(),
            epochs => format!("{epochs} epochs"),
        }),
        if saved.is_some() { "" } else { ", no model and no checkpoint yet" }
    );
    let settings = json!(config.as_ref().map(TrainConfig::model_options));
    to.add("run", folder.display().to_string(), about, settings, findings);
    let data = named.or(own.as_ref().map(|(own, _)| own));
    saved.map_or(Ok(()), |path| model(to, &path, data, device))
}

/// The text of a file, if it exists; invalid UTF-8 is replaced.
fn text(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = file::read_whole(path)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The options of a run, if its folder has them.
fn options(folder: &Path) -> Result<Option<TrainConfig>> {
    let path = folder.join("config.json");
    let parsed = text(&path)?.map(|text| TrainConfig::parse(&text));
    parsed.transpose().map_err(|error| Error::Data(format!("{}: {}", path.display(), error.marked())))
}

/// The errors of the run's epochs, if there are any, and the doctor's findings.
pub(crate) fn recorded(metrics: &[u8]) -> (Option<Log>, Vec<Finding>) {
    let (mut costs, mut all) = (Vec::new(), Vec::new());
    for event in lines::events(metrics) {
        let (epoch, findings) = match event {
            Event::Epoch(EpochMetrics { epoch, reconstruction_error, findings, .. }) => {
                costs.push(reconstruction_error);
                (epoch, findings)
            }
            Event::Failed(Failure { epoch, findings, .. }) => (epoch, findings),
            Event::Progress(_) | Event::Finding(_) => continue,
        };
        // Another version may have other names.
        let known = findings.into_iter().filter(|finding| NAMES.contains(&&*finding.name));
        all.extend(known.map(|found| Finding { seen: format!("in epoch {epoch}: {}", found.seen), ..found }));
    }
    ((!costs.is_empty()).then(|| Log::new("reconstruction_error", costs)), all)
}

/// The data that the run learnt from.
fn prepared(dataset: Dataset, config: &TrainConfig) -> Dataset {
    match config.binarize {
        Binarize::Threshold => dataset.threshold(),
        Binarize::Sample | Binarize::None => dataset,
    }
}

/// Examines a model, also on data where these are known.
pub(super) fn model(
    to: &mut Examination,
    path: &Path,
    named: Option<&Named>,
    device: &DeviceChoice,
) -> Result<()> {
    let foreign::Loaded { rbm, mut config, how, .. } = foreign::load(path)?;
    // The options of a checkpoint are in the folder of its run.
    if let Some(folder) = path.parent().filter(|folder| folder.ends_with(CHECKPOINTS) && config.is_none()) {
        config = options(&folder.join(".."))?;
    }
    let shape = rbm.shape();
    if shape.visible == 0 || shape.hidden == 0 {
        let reason =
            format!("expected at least one unit in each layer, found {} × {}", shape.visible, shape.hidden);
        return Err(Error::Model { path: path.into(), reason });
    }
    let mut about = format!("{} visible and {} hidden units", shape.visible, shape.hidden);
    if let Some(how) = how {
        about += &format!(", read {how}");
    }
    let own = match (named, &config) {
        (None, Some(config)) => {
            let data = config.data.near(path)?;
            let dataset = prepared(config.selection.load(&data)?, config);
            Some((data, dataset))
        }
        _ => None,
    };
    let fitting =
        named.or(own.as_ref()).filter(|(_, dataset)| dataset.encoding.layer == rbm.layers().visible);
    let figures = ModelFigures::measure(&rbm, fitting.map(|(_, dataset)| dataset.train.marginals()).as_ref());
    let mut findings = figures.findings();
    let mut measured = json!({ "model": figures });
    if let Some((source, dataset)) = named.or(own.as_ref()).filter(|_| rbm.non_finite().is_none()) {
        let units = dataset.train.rows.layout().units;
        if units != shape.visible {
            return usage!(
                "{}: expected data of {} units, as the model has visible ones, found {units} in {source}; name the model's \
                 own data",
                path.display(),
                shape.visible
            );
        }
        let (found, expected) = (&dataset.encoding.layer, &rbm.layers().visible);
        if found != expected {
            return usage!(
                "{}: expected data of {expected}, as the model's visible units are, found {found} in {source}; name the units \
                 with ‹visible›",
                path.display()
            );
        }
        let config = config.unwrap_or_default();
        let seen = look(&rbm, dataset, &config, device, to.plots.is_some())?;
        about += &format!(", looked at with {source} on {}", seen.device);
        findings.extend(seen.figures.findings());
        measured["look"] = json!(seen.figures);
        if let (Some(plots), Some((activity, update))) = (&mut to.plots, seen.pictured) {
            plots.activity(&activity, &rbm)?;
            plots.histograms(
                "updates",
                &format!("moved by one CD-1 step, at a learning rate of {}", config.learning_rate),
                &update,
            )?;
        }
    } else if named.is_none() && own.is_none() {
        about += "; name its data to see what its hidden units do";
    }
    if let Some(plots) = &mut to.plots {
        plots.histograms("weights", &format!("of {}", path.display()), &rbm)?;
    }
    to.add("model", path.display().to_string(), about, measured, findings);
    Ok(())
}

/// The figures of a model on data.
struct Seen {
    device: String,
    figures: LookFigures,
    /// Hidden activity, cases × units, and the update of a step: for pictures.
    pictured: Option<(Vec<f32>, Rbm)>,
}

/// Looks at a model on data, on a device opened for it.
fn look(
    rbm: &Rbm,
    dataset: &Dataset,
    config: &TrainConfig,
    choice: &DeviceChoice,
    pictured: bool,
) -> Result<Seen> {
    let room = |memory: &mut dyn Memory| Look::new(memory, dataset, config.binarize, config.seed);
    let footprint = Footprint::planned(rbm.layers(), |memory| {
        // The model, its step, and their sum.
        (0..3).try_for_each(|_| memory.model().map(drop))?;
        room(memory).map(drop)
    })?;
    let (_, mut backend) = device::open(choice, &footprint.of_model())?;
    let backend = &mut *backend;
    let model = backend.model_of(rbm)?;
    let mut look = room(backend)?;
    look.start(backend);
    let figures = look.look(backend, model, rbm)?;
    let pictured = match pictured {
        true => Some((look.activity(backend, model)?, look.update(backend, model, config.learning_rate)?)),
        false => None,
    };
    Ok(Seen { device: backend.info().name.clone(), figures, pictured })
}
