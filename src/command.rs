//! A run in the words of the command line: its options, and the command that repeats it.

use std::path::Path;

use clap::{ArgAction, Args, Command};
use serde_json::{Map, Value};

use crate::{
    checkpoint::Policy,
    config::TrainConfig,
    report::{Choice, Words, text},
};

/// The option for the folder of the results, which a second run cannot use again.
const LEFT_OUT: &str = "out";

/// An option's spelling: `--batch`, `--device cpu`.
pub fn flag(name: &str, value: Option<&str>) -> String {
    value.map_or(format!("--{name}"), |value| format!("--{name} {value}"))
}

/// Describes the run in this folder, whose `config.json` has these options.
pub fn words(config: &Map<String, Value>, folder: &Path) -> Words {
    let resume = ["rbm-gpu", "train", "--resume", &folder.display().to_string()];
    Words {
        spelling: flag,
        choices: choices(config),
        again: again(config),
        note: "Without --out it chooses a new folder.",
        resume: shlex::try_join(resume).ok(),
    }
}

/// Every option of `rbm-gpu train` in a run's `config.json`. The names there are those of the command line's
/// definition, so options of the future appear here, too.
fn choices(config: &Map<String, Value>) -> Vec<Choice> {
    let defaults = defaults();
    let choice = |option: clap::Arg| {
        let name = option.get_id().as_str();
        let value = text(config.get(name)?);
        // An option that has no default in a run's options is a switch.
        let default = defaults.get(name).map_or("off".into(), text);
        Some(Choice { name: format!("--{}", option.get_long()?), value, default })
    };
    options().filter(|option| option.get_id() != LEFT_OUT).filter_map(choice).collect()
}

/// `rbm-gpu train` with every option that the run had, quoted for a shell.
fn again(config: &Map<String, Value>) -> String {
    let mut words = vec!["rbm-gpu".to_string(), "train".into()];
    for option in options().filter(|option| option.get_id() != LEFT_OUT) {
        let (Some(long), Some(value)) = (option.get_long(), config.get(option.get_id().as_str())) else {
            continue;
        };
        match option.get_action() {
            _ if value.is_null() => {}
            ArgAction::SetTrue if *value == Value::Bool(true) => words.push(format!("--{long}")),
            ArgAction::SetTrue => {}
            // --invert=off: the value of a switch that may stand alone follows an equals sign.
            _ if option.is_require_equals_set() => words.push(format!("--{long}={}", text(value))),
            _ => words.extend([format!("--{long}"), text(value)]),
        }
    }
    // Only a NUL cannot be quoted, and no argument has one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

fn options() -> impl Iterator<Item = clap::Arg> {
    let command = Policy::augment_args(TrainConfig::augment_args(Command::new("train")));
    command.get_arguments().cloned().collect::<Vec<_>>().into_iter()
}

/// The defaults as text, in which a 32-bit 0.1 is 0.1.
fn defaults() -> Map<String, Value> {
    let texts = [serde_json::to_string(&TrainConfig::default()), serde_json::to_string(&Policy::default())];
    let objects = texts.into_iter().flatten().filter_map(|text| serde_json::from_str(&text).ok());
    objects.flat_map(Map::into_iter).collect()
}
