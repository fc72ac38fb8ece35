//! What a training run is told. Each default is stated here, once: the command line's help, `config.json`, the
//! model's metadata and the library's users all read this struct.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    data::Source,
    error::{Error, Result, usage},
};

/// The options of a training run.
#[derive(Clone, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Data set: mnist, bars-and-stripes:N, shifter, or a folder of IDX files (.gz or not)
    #[arg(long, value_name = "D", default_value_t = Self::default().data)]
    pub data: Source,
    /// Hidden units
    #[arg(long, value_name = "N", default_value_t = Self::default().hidden)]
    pub hidden: usize,
    /// Passes over the training cases
    #[arg(long, value_name = "N", default_value_t = Self::default().epochs)]
    pub epochs: usize,
    /// Cases in a minibatch
    #[arg(long, value_name = "N", default_value_t = Self::default().batch)]
    pub batch: usize,
    /// Learning rate, for gradients that are means over the minibatch
    #[arg(long = "lr", value_name = "X", default_value_t = Self::default().learning_rate)]
    pub learning_rate: f32,
    /// Momentum: the share of the last update that is carried on, from 0 to below 1
    #[arg(long, value_name = "X", default_value_t = Self::default().momentum)]
    pub momentum: f32,
    /// L2 weight decay, on weights only, multiplied by the learning rate
    #[arg(long, value_name = "X", default_value_t = Self::default().weight_decay)]
    pub weight_decay: f32,
    /// Gibbs steps of contrastive divergence (CD-k)
    #[arg(long, value_name = "K", default_value_t = Self::default().cd)]
    pub cd: u32,
    /// Grey pixels: threshold (on above 0.5), sample (drawn anew for each minibatch), none (taken as they are)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().binarize)]
    pub binarize: Binarize,
    /// What the negative phase hands on: binary states drawn from p(v|h), or the means themselves
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().visible_states)]
    pub visible_states: VisibleStates,
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[arg(long, value_name = "DEVICE", default_value_t = Self::default().device)]
    pub device: DeviceChoice,
    /// Where random uniforms are drawn; the result is the same to the last bit [default: whichever is faster]
    #[arg(long, value_name = "WHERE", value_enum)]
    pub uniforms: Option<Uniforms>,
    /// Seed of every random number in the run
    #[arg(long, value_name = "S", default_value_t = Self::default().seed)]
    pub seed: u64,
    /// Folder for the results, new or empty [default: the first free runs/DATA-N]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            data: Source::Mnist,
            hidden: 500,
            epochs: 10,
            batch: 100,
            learning_rate: 0.1,
            momentum: 0.5,
            weight_decay: 0.0001,
            cd: 1,
            binarize: Binarize::Sample,
            visible_states: VisibleStates::Sample,
            device: DeviceChoice::Auto,
            uniforms: None,
            seed: 1,
            out: None,
        }
    }
}

impl TrainConfig {
    /// The options that the resulting model depends on, for its metadata: all but where it is written to and where
    /// the uniforms are drawn.
    pub fn model_options(&self) -> Self {
        Self { out: None, uniforms: None, ..self.clone() }
    }

    /// Checks what can be checked without the data: ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        for (option, value) in [
            ("hidden", self.hidden),
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("cd", self.cd as usize),
        ] {
            if value == 0 {
                return usage!("--{option} must be at least 1, found 0");
            }
        }
        check_cd(self.cd)?;
        if self.out.as_ref().is_some_and(|out| out.to_str().is_none()) {
            return usage!("--out must be UTF-8, found {:?}", self.out);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return usage!("--lr must be above 0 and finite, found {}", self.learning_rate);
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return usage!("--momentum must be at least 0 and below 1, found {}", self.momentum);
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return usage!("--weight-decay must be at least 0 and finite, found {}", self.weight_decay);
        }
        Ok(())
    }
}

/// Checks the number of Gibbs steps: a sweep has 28 bits of the random numbers' counter, and a step must end some day.
pub(crate) fn check_cd(cd: u32) -> Result<()> {
    if cd >= 1 << 20 {
        return usage!("--cd must be below 1048576, found {cd}");
    }
    Ok(())
}

/// How grey pixels become binary ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binarize {
    /// On above 0.5.
    Threshold,
    /// On with the pixel's value as its probability, drawn anew for every minibatch.
    Sample,
    /// Not at all: a grey pixel counts as a probability.
    None,
}

/// What the visible units show in the negative phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisibleStates {
    /// Binary states drawn from p(v|h).
    Sample,
    /// p(v|h) itself.
    Mean,
}

/// Where uniform random numbers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uniforms {
    /// In the kernels that use them.
    Device,
    /// On the host, prepared while the device works and streamed with the minibatches.
    Host,
}

/// Which device to compute on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best there is: a discrete GPU, then an integrated one, then the native CPU path.
    Auto,
    /// A discrete GPU.
    Discrete,
    /// An integrated GPU.
    Integrated,
    /// A software Vulkan adapter, such as Mesa's llvmpipe.
    Software,
    /// The native CPU path.
    Cpu,
    /// The oracle: textbook loops, slow.
    Reference,
    /// The first adapter whose name contains this, in any case.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "" => return usage!("expected a device's name, found nothing; `rbm-gpu devices` lists them"),
            "auto" => Self::Auto,
            "discrete" => Self::Discrete,
            "integrated" => Self::Integrated,
            "software" => Self::Software,
            "cpu" => Self::Cpu,
            "reference" => Self::Reference,
            name => Self::Name(name.into()),
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Software => "software",
            Self::Cpu => "cpu",
            Self::Reference => "reference",
            Self::Name(name) => name,
        })
    }
}

/// Serde through `Display` and `FromStr`: a configuration file says what the command line says.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

mod as_text {
    use crate::{config::DeviceChoice, data::Source};
    use std::result::Result;
    serde_as_text!(DeviceChoice);
    serde_as_text!(Source);
}
