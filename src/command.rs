//! What a run was told, in the words of the command line: its options, and the command that makes it again.

use std::path::Path;

use clap::{ArgAction, Args, Command};
use serde_json::{Map, Value};

use crate::{
    checkpoint::Policy,
    config::TrainConfig,
    report::{Choice, Words, text},
};

/// Where the results went, which a second run cannot use again.
const LEFT_OUT: &str = "out";

/// An option's spelling: `--batch`, `--device cpu`.
pub fn flag(name: &str, value: Option<&str>) -> String {
    value.map_or(format!("--{name}"), |value| format!("--{name} {value}"))
}

/// The words of a run in this folder, whose `config.json` has these options.
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

/// Every option of `rbm-gpu train` that a run's `config.json` has. There each has the name that the command line's
/// definition knows it by, so that options that are yet to come are here, too.
fn choices(config: &Map<String, Value>) -> Vec<Choice> {
    let defaults = defaults();
    let choice = |option: clap::Arg| {
        let name = option.get_id().as_str();
        let value = text(config.get(name)?);
        // What stands in config.json alone is a switch.
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
            // --invert=off: a switch that may stand alone takes its value with an equals sign.
            _ if option.is_require_equals_set() => words.push(format!("--{long}={}", text(value))),
            _ => words.extend([format!("--{long}"), text(value)]),
        }
    }
    // Only a NUL cannot be quoted, and no argument of a program has one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

fn options() -> impl Iterator<Item = clap::Arg> {
    let command = Policy::augment_args(TrainConfig::augment_args(Command::new("train")));
    command.get_arguments().cloned().collect::<Vec<_>>().into_iter()
}

/// By way of text, which has 0.1 for a 0.1 of 32 bits.
fn defaults() -> Map<String, Value> {
    let texts = [serde_json::to_string(&TrainConfig::default()), serde_json::to_string(&Policy::default())];
    let objects = texts.into_iter().flatten().filter_map(|text| serde_json::from_str(&text).ok());
    objects.flat_map(Map::into_iter).collect()
}
