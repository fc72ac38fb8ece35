//! The state of a run between two steps: what it needs to resume, besides its options and its data. Random numbers are
//! addressed by the step and the epoch, so no generator has a state.

use serde::{Deserialize, Serialize};

use super::{Opaque, Origin};
use crate::{
    finding::Finding,
    model::Names,
    rbm::{Layers, Rbm, tensors},
};

/// A named tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name.
    pub name: String,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The numbers: as many as the dimensions multiply to.
    pub values: Vec<f32>,
}

/// The position of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Version of the addresses of random numbers: [`crate::rng::ADDRESSES`] of the program that wrote the state.
    #[serde(default = "first_addresses")]
    pub addresses: u32,
    /// Epochs done.
    pub epoch: usize,
    /// Steps done in the current epoch.
    pub steps: usize,
    /// Steps in an epoch.
    pub steps_an_epoch: usize,
    /// Cases shown so far in this epoch.
    pub cases: usize,
    /// Cases of this epoch whose cost was measured.
    pub cost_cases: usize,
    /// Learning time in this epoch, in seconds.
    pub seconds: f64,
    /// Swap attempts of the even and of the odd pairs of replicas, since the counts began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<[u32; 2]>,
    /// The rungs in use in trajectory tempering: index, and step of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Vec<(usize, u32)>>,
    /// The last log Z of the replicas that follow the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_z: Option<f32>,
    /// The observer's memory, if there is an observer: the doctor, so far.
    #[serde(default, rename = "doctor", skip_serializing_if = "Option::is_none")]
    pub observer: Option<Opaque>,
    /// Findings that are in no line of `metrics.jsonl` yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The layers of the model; binary units if they are not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layers: Option<Names>,
    /// The run, if the state is in a run's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The addresses of versions that did not state them.
fn first_addresses() -> u32 {
    1
}

impl Position {
    /// Steps done since training began.
    pub fn step(&self) -> usize {
        self.epoch * self.steps_an_epoch + self.steps
    }

    /// Checks the position by itself: a file may hold anything.
    ///
    /// # Errors
    /// What is impossible in any run.
    pub fn check(&self) -> std::result::Result<(), String> {
        let Self { epoch, steps, steps_an_epoch, cases, cost_cases, seconds, .. } = *self;
        let step = epoch.checked_mul(steps_an_epoch).and_then(|before| before.checked_add(steps));
        // Random numbers are addressed by 32 bits of the step.
        if steps >= steps_an_epoch || step.is_none_or(|step| step > u32::MAX as usize) {
            return Err(format!("no run stands at step {steps} of {steps_an_epoch} after {epoch} epochs"));
        }
        if cost_cases > cases || cases > u32::MAX as usize || seconds < 0.0 {
            return Err(format!("no run has taken {cost_cases} costs of {cases} cases in {seconds} s"));
        }
        match self.tries.iter().flatten().find(|&&tries| tries > u32::MAX / 2) {
            Some(tries) => Err(format!("no run has tried {tries} swaps in an epoch")),
            None => Ok(()),
        }
    }
}

/// A run between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The position of the run.
    pub position: Position,
    /// Parameters, the optimiser's state, chains, sums: those that the options call for.
    pub tensors: Vec<Tensor>,
}

impl State {
    /// The first NaN or infinity, if any: its tensor, its index and its value.
    pub fn non_finite(&self) -> Option<(&str, usize, f32)> {
        self.tensors.iter().find_map(|tensor| {
            let at = tensor.values.iter().position(|x| !x.is_finite())?;
            Some((tensor.name.as_str(), at, tensor.values[at]))
        })
    }

    pub(crate) fn tensor(&self, name: &str) -> &[f32] {
        self.tensors.iter().find(|tensor| tensor.name == name).map_or(&[], |tensor| &tensor.values)
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.push(Tensor { name: name.into(), shape: shape.to_vec(), values });
    }

    /// Adds the tensors of a model, under their names with a prefix.
    pub(crate) fn push_rbm(&mut self, prefix: &str, rbm: &Rbm) {
        for (name, shape, values) in rbm.named() {
            self.push(format!("{prefix}{name}"), &shape, values.to_vec());
        }
    }

    pub(crate) fn rbm(&self, prefix: &str, layers: &Layers) -> Rbm {
        let tensors = tensors(layers).into_iter();
        let parameters = tensors.flat_map(|(name, _)| self.tensor(&format!("{prefix}{name}")));
        Rbm::from_parameters(layers, parameters.copied().collect())
    }

    /// What all states of a run have in common, in words.
    pub(crate) fn outline(&self) -> Vec<String> {
        let tensor =
            |tensor: &Tensor| format!("{} {:?} ({})", tensor.name, tensor.shape, tensor.values.len());
        let epoch = format!("{} steps an epoch", self.position.steps_an_epoch);
        let mut outline: Vec<_> = self.tensors.iter().map(tensor).chain([epoch]).collect();
        outline.sort();
        outline
    }
}
