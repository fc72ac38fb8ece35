//! Checkpoints: a run's [`State`] in a file that is written atomically and carries its own checksum.
//!
//! The file is safetensors, so any tool reads it. It has the tensors of the state, in which `weights`, `visible_bias`
//! and `hidden_bias` are those of a model. Its metadata have the run's position, as JSON, and the SHA-256 of the file,
//! taken with 64 zeros in place of the sum. [`store::Checkpoints`] is the folder of a run's checkpoints.

mod opaque;
mod origin;
mod state;
pub mod store;

use std::{collections::HashMap, fmt, str::FromStr};

pub use opaque::Opaque;
pub use origin::Origin;
pub use state::{Position, State, Tensor};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    digest::sha256,
    error::{Error, Result, usage},
};

/// The metadata's key of the position.
pub(crate) const POSITION: &str = "rbm_gpu_position";
/// The metadata's key of the checksum.
const SUM: &str = "sha256";
/// The text before the sum in the file. A position cannot contain it: quotation marks are escaped there.
const BEFORE_SUM: &[u8] = b"\"sha256\":\"";
const SUM_LEN: usize = 64;

/// Default number of seconds between two checkpoints.
const EVERY: f64 = 60.0;

/// The options for interrupted runs. None of them changes the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(default)]
pub struct Policy {
    /// Seconds between checkpoints, or off [default: 60, or 100 times what writing one takes, if that is more]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SECONDS", help_heading = "Interruptions"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<Every>,
    /// Number of checkpoints to keep
    #[cfg_attr(feature = "cli", arg(long, value_name = "K", default_value_t = Self::default().keep, help_heading = "Interruptions"))]
    pub keep: usize,
    /// What to do when the device is lost: stop; retry (reopen it and resume from the last checkpoint); cpu (retry, then
    /// resume on the native path if the device is lost again)
    #[cfg_attr(feature = "cli", arg(long, value_name = "WHAT", value_enum, default_value_t = Self::default().on_device_loss, help_heading = "Interruptions"))]
    pub on_device_loss: OnDeviceLoss,
}

impl Default for Policy {
    fn default() -> Self {
        Self { checkpoint_every: None, keep: 2, on_device_loss: OnDeviceLoss::Retry }
    }
}

impl Policy {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        if self.keep == 0 {
            return usage!("‹keep› must be at least 1, found 0; for no checkpoints, ‹checkpoint-every=off›");
        }
        Ok(())
    }

    /// Whether checkpoints are off.
    pub fn is_off(&self) -> bool {
        self.checkpoint_every == Some(Every::Off)
    }

    /// Whether the next checkpoint is due, `seconds` after the last, which took `cost` seconds to write.
    pub fn is_due(&self, seconds: f64, cost: f64) -> bool {
        match self.checkpoint_every {
            Some(Every::Off) => false,
            Some(Every::Seconds(every)) => seconds >= every,
            None => seconds >= EVERY.max(100.0 * cost),
        }
    }
}

/// How often to write a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// Never.
    Off,
    /// After this many seconds.
    Seconds(f64),
}

impl FromStr for Every {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<f64>()) {
            ("off", _) => Ok(Self::Off),
            (_, Ok(seconds)) if seconds >= 0.0 && seconds.is_finite() => Ok(Self::Seconds(seconds)),
            _ => usage!("expected seconds, at least 0, or off; found {text:?}"),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Seconds(seconds) => write!(f, "{seconds}"),
        }
    }
}

crate::config::serde_as_text!(Every);

/// What to do when the device is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum OnDeviceLoss {
    /// The run ends, and can be resumed.
    Stop,
    /// The device is opened once more, and the run resumes from the last checkpoint.
    Retry,
    /// As [`Self::Retry`]; if the device is lost again before the next checkpoint, the run resumes on the native path.
    Cpu,
}

/// The bytes of a state's file.
///
/// # Errors
/// Why the state cannot be written.
pub fn to_bytes(state: &State) -> std::result::Result<Vec<u8>, String> {
    let views = state.tensors.iter().map(|Tensor { name, shape, values }| {
        TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name, view))
    });
    let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let position = serde_json::to_string(&state.position).map_err(|error| error.to_string())?;
    let metadata = [(POSITION.to_string(), position), (SUM.to_string(), "0".repeat(SUM_LEN))];
    let bytes =
        safetensors::serialize(views, Some(HashMap::from(metadata))).map_err(|error| error.to_string())?;
    summed(bytes).ok_or("there is no place for the sum".into())
}

/// Fills in the sum of a file, if it has a place for it.
pub(crate) fn summed(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let at = sum_at(&bytes)?;
    bytes[at..at + SUM_LEN].fill(b'0');
    let sum = sha256(&bytes);
    bytes[at..at + SUM_LEN].copy_from_slice(sum.as_bytes());
    Some(bytes)
}

/// Reads the state from a file, which may be damaged or hostile.
///
/// # Errors
/// What is wrong with the file.
pub fn from_bytes(mut bytes: Vec<u8>) -> std::result::Result<State, String> {
    let at = sum_at(&bytes).ok_or("it has no checksum, so it is not a complete checkpoint")?;
    let expected = bytes[at..at + SUM_LEN].to_vec();
    bytes[at..at + SUM_LEN].fill(b'0');
    if sha256(&bytes).as_bytes() != expected {
        return Err("its SHA-256 differs from the one that it states, so it is damaged".into());
    }
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let position = header.metadata().as_ref().and_then(|metadata| metadata.get(POSITION));
    let position: Position = serde_json::from_str(position.ok_or("it does not say where the run stands")?)
        .map_err(|error| error.to_string())?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("expected {name} as F32, found {:?}", view.dtype()));
        }
        let values = bytemuck::pod_collect_to_vec::<u8, f32>(view.data());
        tensors.push(Tensor { name: name.into(), shape: view.shape().to_vec(), values });
    }
    position.check()?;
    let state = State { position, tensors };
    match state.non_finite() {
        None => Ok(state),
        Some((tensor, index, value)) => Err(format!("{tensor}[{index}] is {value}")),
    }
}

/// Offset of the sum in the header, whose length the file begins with.
fn sum_at(bytes: &[u8]) -> Option<usize> {
    let (len, rest) = bytes.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    let at = header.windows(BEFORE_SUM.len()).position(|window| window == BEFORE_SUM)? + BEFORE_SUM.len();
    (header.len() >= at + SUM_LEN).then_some(8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn state() -> State {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.into(),
            shape: shape.to_vec(),
            values: (0..shape.iter().product()).map(|i: usize| (i as f32).sin()).collect(),
        };
        let origin = Some(Origin::new(&crate::config::TrainConfig::default(), "sum"));
        let position =
            Position { epoch: 3, steps: 2, steps_an_epoch: 5, seconds: 0.1, origin, ..Position::default() };
        State { position, tensors: vec![tensor("weights", &[3, 2]), tensor("costs", &[4])] }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let state = state();
        let bytes = to_bytes(&state).unwrap();
        let mut read = from_bytes(bytes.clone()).unwrap();
        read.tensors.sort_by_key(|tensor| tensor.shape.len());
        read.tensors.reverse();
        assert_eq!(read, state);
        for len in 0..bytes.len() {
            assert!(from_bytes(bytes[..len].to_vec()).is_err(), "cut to {len} bytes");
        }
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(from_bytes(flipped).is_err(), "bit {bit}");
        }
        assert!(from_bytes([bytes, vec![0]].concat()).is_err(), "one byte more");
    }

    #[test]
    fn how_often_is_a_number_or_off() {
        for text in ["off", "0", "12.5"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        for wrong in ["", "-1", "inf", "NaN", "often"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong:?}");
        }
        let policy = Policy::default();
        assert!(policy.is_due(61.0, 0.0) && !policy.is_due(61.0, 1.0) && policy.is_due(101.0, 1.0));
    }
}
