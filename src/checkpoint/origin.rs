//! The run of a checkpoint, so that no other run resumes from it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{config::TrainConfig, data::Selection, error::excerpt};

/// Options that may change when a run resumes, and `data`, which the sum stands for.
const FREE: [&str; 6] = ["data", "epochs", "device", "uniforms", "eval_every", "out"];

/// What determines a run's numbers: its options, and the SHA-256 of its training cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    data_sha256: String,
    options: Map<String, Value>,
}

impl Origin {
    /// The origin of a run with these options and this sum of its training cases.
    pub fn new(config: &TrainConfig, data_sha256: &str) -> Self {
        // The sum stands for the source of the cases and the selection of them.
        let config = TrainConfig { selection: Selection::default(), ..config.clone() };
        // As text: 0.1 is 0.1, not the nearest 64-bit number.
        let text = serde_json::to_string(&config).unwrap_or_default();
        let mut options: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        options.retain(|name, _| !FREE.contains(&name.as_str()));
        Self { data_sha256: data_sha256.into(), options }
    }

    /// How a checkpoint of this origin differs from a run, in words; `None` if it is of that run. Options that only one
    /// of the two knows are not compared: a later version added them.
    pub fn differs_from(&self, run: &Self) -> Option<String> {
        if self.data_sha256 != run.data_sha256 {
            return Some("it learnt from other training cases".into());
        }
        self.options.iter().find_map(|(name, value)| {
            let expected = run.options.get(name).filter(|expected| *expected != value)?;
            let [value, expected] = [value, expected].map(|value| excerpt(&value.to_string()));
            Some(format!("its {name} is {value}, and config.json says {expected}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeviceChoice, Switch};

    #[test]
    fn a_run_is_known_by_what_decides_its_numbers() {
        let config = TrainConfig { learning_rate: 0.1, ..TrainConfig::default() };
        let run = Origin::new(&config, "sum");
        let other = |config: TrainConfig, sum: &str| Origin::new(&config, sum).differs_from(&run);
        let same =
            TrainConfig { epochs: 99, device: DeviceChoice::Cpu, eval_every: Some(2), ..config.clone() };
        assert_eq!(other(same, "sum"), None);
        assert!(other(config.clone(), "another").is_some_and(|said| said.contains("training cases")));
        let seed = other(TrainConfig { seed: 2, ..config.clone() }, "sum");
        assert_eq!(seed.as_deref(), Some("its seed is 2, and config.json says 1"));
        let centred = other(TrainConfig { centred: Switch::On, ..config }, "sum");
        assert!(centred.is_some_and(|said| said.contains("centred is \"on\"")));
        // As read from a file, and as a version without some option wrote it.
        let text = serde_json::to_string(&run).unwrap();
        let mut read: Origin = serde_json::from_str(&text).unwrap();
        assert_eq!(read, run);
        read.options.remove("l1");
        assert_eq!((read.differs_from(&run), run.differs_from(&read)), (None, None));
    }
}
