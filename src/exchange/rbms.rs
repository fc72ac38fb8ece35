//! HDF5 files of the Python library rbms (DsysDML), 0.5 and 0.6.
//!
//! A file has a group `update_N` for each checkpoint, with `weight_matrix` [visible, hidden], or [visible, states, hidden] of
//! Potts units, `vbias` and `hbias`; 0.6 has them in its group `params`, too, and `model_type` at the root.
//!
//! | `model_type` | visible | hidden |
//! | --- | --- | --- |
//! | `BBRBM` | 0 or 1 | 0 or 1 |
//! | `PBRBM` | Potts | 0 or 1 |
//! | `IIRBM` | ±1 | ±1 |
//! | `BGRBM`, `IGRBM` | 0 or 1, ±1 | Gaussian, of a precision of the number of visible units |

use crate::{
    error::{Error, Result, excerpt, list, usage},
    hdf5::{Content, File},
    rbm::{Layers, Side},
    units::{Kind, Layer},
};

use super::{Import, Read, contents::array, letters, unfit, wide::Wide};

/// The numbers of the updates in a file; none if it is no file of rbms.
pub fn updates(file: &File) -> Result<Vec<u64>> {
    let (groups, _) = file.members("/")?;
    let mut updates: Vec<u64> =
        groups.iter().filter_map(|name| name.strip_prefix("update_")?.parse().ok()).collect();
    updates.sort_unstable();
    Ok(updates)
}

/// Reads the last update, or the one that is wanted.
pub fn read(file: &File, updates: &[u64], wanted: &Import) -> Result<Read> {
    let bad = |reason: String| Error::Data(format!("{}: {reason}", file.name()));
    let update = match wanted.update {
        Some(update) if updates.contains(&update) => update,
        Some(update) => {
            return usage!(
                "‹update› {update}: {} has {}",
                file.name(),
                list(updates.iter().map(u64::to_string))
            );
        }
        None => *updates.last().ok_or_else(|| bad("expected a group update_N".into()))?,
    };
    let inside = format!("/update_{update}");
    let params = format!("{inside}/params");
    let group = if file.members(&params)?.1.is_empty() { inside } else { params };
    let model_type = file.text("/", "model_type")?.map(|name| name.trim().to_string());
    let (_, names) = file.members(&group)?;
    for name in ["weight_matrix", "vbias", "hbias"] {
        if !names.iter().any(|other| other == name) {
            let reason = match model_type.as_deref() {
                Some("PBM" | "BM") => "a Boltzmann machine without hidden units has no equal here".into(),
                _ => format!("expected {name} in {group}, found {}", list(&names)),
            };
            return Err(bad(reason));
        }
    }
    let numbers = |name: &str| file.numbers(&format!("{group}/{name}"));
    let ((shape, weights), (_, visible), (_, hidden)) =
        (numbers("weight_matrix")?, numbers("vbias")?, numbers("hbias")?);
    let (units, states) = match shape[..] {
        [units, _] => (units, None),
        [units, states, _] => (units, Some(states)),
        _ => return Err(bad(format!("expected weight_matrix with 2 or 3 dimensions, found {shape:?}"))),
    };
    let mut notes = vec![format!("update {update} of {}", updates.len())];
    let gaussian = || (Kind::Gaussian, vec![units as f64; hidden.len()]);
    let (seen, (unseen, precisions)) = match (model_type.as_deref(), states) {
        (Some("PBRBM") | None, Some(states)) => {
            let states = u32::try_from(states).ok().filter(|states| (2..=Kind::MOST_STATES).contains(states));
            let states = states
                .ok_or_else(|| bad(format!("expected 2 to {} states, found {shape:?}", Kind::MOST_STATES)))?;
            (Kind::Potts { states }, (Kind::Binary, Vec::new()))
        }
        (Some("BBRBM"), None) => (Kind::Binary, (Kind::Binary, Vec::new())),
        (Some("IIRBM"), None) => (Kind::Spin, (Kind::Spin, Vec::new())),
        (Some("BGRBM"), None) => (Kind::Binary, gaussian()),
        (Some("IGRBM"), None) => (Kind::Spin, gaussian()),
        (None, None) => {
            let [visible, hidden] =
                [&wanted.visible, &wanted.hidden].map(|kinds| super::only(kinds, Kind::Binary));
            let kinds = (visible?, hidden?);
            notes.push(format!("the file does not name its units: taken as {} × {}", kinds.0, kinds.1));
            (kinds.0, (kinds.1, Vec::new()))
        }
        (Some(name), _) => {
            return Err(bad(format!(
                "expected model_type BBRBM, PBRBM, IIRBM, BGRBM or IGRBM, found {:?} with a weight_matrix of {shape:?}",
                excerpt(name)
            )));
        }
    };
    if !precisions.is_empty() {
        notes.push(format!(
            "the hidden units have the precision {units} of rbms' energy; its sampler of {} takes them otherwise",
            model_type.unwrap_or_default()
        ));
    }
    let layers = Layers { visible: Layer::of(seen, units), hidden: Layer::of(unseen, hidden.len()) };
    let hidden = [hidden, precisions].concat();
    let text = file.text("/", letters::TEXT)?;
    let letters = states.and_then(|states| letters::RBMS.of_file(states, text, &mut notes));
    let wide = Wide::new(layers, weights, [visible, hidden]).map_err(bad)?;
    Ok(Read { wide, letters, notes })
}

/// A model's contents of a file of rbms, as update 1.
pub fn contents(wide: Wide, notes: &mut Vec<String>) -> Result<Vec<(String, Content)>> {
    const WHAT: &str = "rbms has binary × binary, Potts × binary, spin × spin, and Gaussian hidden units";
    let kinds = (wide.kind(Side::Visible), wide.kind(Side::Hidden));
    let units = wide.layers.visible.units();
    let (name, wide) = match kinds {
        (Some(Kind::Binary), Some(Kind::Binary)) => ("BBRBM", wide),
        (Some(Kind::Potts { .. }), Some(Kind::Binary)) => ("PBRBM", wide),
        (Some(Kind::Spin), Some(Kind::Spin)) => ("IIRBM", wide),
        (Some(seen @ (Kind::Binary | Kind::Spin)), Some(Kind::Gaussian)) => {
            // In rbms all precisions are the number of visible units: the states are scaled, which p(v) does not see.
            let gammas = wide.plane(Side::Hidden, 1).to_vec();
            let factor: Vec<f64> = gammas.iter().map(|gamma| (units as f64 / gamma).sqrt()).collect();
            if factor.iter().any(|&factor| factor != 1.0) {
                notes.push(format!("hidden units are scaled to rbms' precision, {units}; p(v) is the same"));
            }
            let wide = wide.of_other_states(Side::Hidden, &vec![0.0; factor.len()], &factor);
            (if seen == Kind::Binary { "BGRBM" } else { "IGRBM" }, wide)
        }
        _ => return Err(unfit(&wide.layers, WHAT, Some(Kind::Spin))),
    };
    let narrow = wide.is_narrow();
    let hidden = wide.layers.hidden.units();
    let (weights_shape, bias_shape) = match kinds.0 {
        Some(Kind::Potts { states }) => (vec![units, states as usize, hidden], vec![units, states as usize]),
        _ => (vec![units, hidden], vec![units]),
    };
    // A chain for rbms to resume from: all units in their first state.
    let first = if kinds.0 == Some(Kind::Spin) { -1.0 } else { 0.0 };
    let tensors = [
        ("weight_matrix", weights_shape, wide.weights.clone()),
        ("vbias", bias_shape, wide.plane(Side::Visible, 0).to_vec()),
        ("hbias", vec![hidden], wide.plane(Side::Hidden, 0).to_vec()),
    ];
    let mut contents = vec![
        ("model_type".into(), Content::Text(name.into())),
        ("parallel_chains".into(), array(vec![1, units], vec![first; units], true)),
        ("update_1/time".into(), array(vec![], vec![0.0], true)),
    ];
    for (name, shape, values) in tensors {
        // 0.5 reads the first, 0.6 the second.
        contents.push((format!("update_1/{name}"), array(shape.clone(), values.clone(), narrow)));
        contents.push((format!("update_1/params/{name}"), array(shape, values, narrow)));
    }
    Ok(contents)
}
