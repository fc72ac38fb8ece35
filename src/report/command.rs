//! The options of a run, and the command that makes it again.

use clap::{ArgAction, Args, Command};
use serde_json::{Map, Value};

use super::record::{Record, text};
use crate::{checkpoint::Policy, config::TrainConfig};

/// Where the results went, which a second run cannot use again.
const LEFT_OUT: &str = "out";

/// An option as a run had it.
pub struct Choice {
    /// Its name on the command line.
    pub long: String,
    /// What the run had; empty if nothing was given and there is no default.
    pub value: String,
    /// What it would have been.
    pub default: String,
}

/// Every option of `rbm-gpu train` that a run's `config.json` has. There each has the name that the command line's
/// definition knows it by, so that options that are yet to come are here, too.
pub fn choices(record: &Record) -> Vec<Choice> {
    let defaults = defaults();
    let choice = |option: clap::Arg| {
        let name = option.get_id().as_str();
        let value = text(record.config.get(name)?);
        // What stands in config.json alone is a switch.
        let default = defaults.get(name).map_or("off".into(), text);
        Some(Choice { long: option.get_long()?.into(), value, default })
    };
    options().filter(|option| option.get_id() != LEFT_OUT).filter_map(choice).collect()
}

/// `rbm-gpu train` with every option that the run had, quoted for a shell.
pub fn command(record: &Record) -> String {
    let mut words = vec!["rbm-gpu".to_string(), "train".into()];
    for option in options().filter(|option| option.get_id() != LEFT_OUT) {
        let (Some(long), Some(value)) = (option.get_long(), record.config.get(option.get_id().as_str()))
        else {
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
