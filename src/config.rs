//! What a training run is told. Each default is stated here, once: the command line's help, `config.json`, the
//! model's metadata and the library's users all read this struct.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    data::{Selection, Source},
    error::{Error, Result, usage},
};

/// The options of a training run.
#[derive(Clone, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// What to learn: features (filters, fast: the defaults) or density (the best likelihood, in more time); sets what
    /// is not given
    #[arg(long, value_name = "WHAT", value_enum)]
    #[serde(skip)]
    pub preset: Option<Preset>,
    /// Data set: mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder of IDX files or of PNGs, or an .npy, .npz or
    /// .csv file
    #[arg(long, value_name = "D", default_value_t = Self::default().data)]
    pub data: Source,
    /// Which part of the data set is taken, and what its numbers mean.
    #[command(flatten)]
    #[serde(flatten)]
    pub selection: Selection,
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
    /// Where the chains of the negative phase start: cd, at the data; pcd, where they stopped at the last step
    #[arg(long, value_name = "E", value_enum, default_value_t = Self::default().estimator)]
    pub estimator: Estimator,
    /// Gibbs steps of the chains at each update; or from which epoch on, as in 1@0,5@20
    #[arg(long, value_name = "K", default_value_t = Self::default().k)]
    pub k: Sweeps,
    /// Short for --estimator cd --k K
    #[arg(long, value_name = "K", conflicts_with_all = ["estimator", "k"])]
    #[serde(skip)]
    pub cd: Option<u32>,
    /// Persistent chains, for pcd [default: as many as there are cases in a minibatch]
    #[arg(long, value_name = "N")]
    pub chains: Option<usize>,
    /// How the learning rate goes from --lr on: constant, linear and cosine (to 0 at the end), inverse (to a tenth, as 1/t)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().lr_schedule)]
    pub lr_schedule: LearningRate,
    /// Take units as deviations from their means in the gradient: on or off
    #[arg(long, value_name = "SWITCH", value_enum, default_value_t = Self::default().centred)]
    pub centred: Switch,
    /// The share of the run, at its end, over which the parameters are averaged into the model, from 0 to 1
    #[arg(long, value_name = "X", default_value_t = Self::default().average)]
    pub average: f64,
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
            preset: None,
            data: Source::Mnist,
            selection: Selection::default(),
            hidden: 500,
            epochs: 10,
            batch: 100,
            learning_rate: 0.1,
            momentum: 0.5,
            weight_decay: 0.0001,
            estimator: Estimator::Cd,
            k: Sweeps::from(1),
            cd: None,
            chains: None,
            lr_schedule: LearningRate::Constant,
            centred: Switch::Off,
            average: 0.0,
            binarize: Binarize::Sample,
            visible_states: VisibleStates::Sample,
            device: DeviceChoice::Auto,
            uniforms: None,
            seed: 1,
            out: None,
        }
    }
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Filters and features, soon: the defaults.
    Features,
    /// The best likelihood.
    Density,
}

impl Preset {
    /// The options that it stands for.
    pub fn config(self) -> TrainConfig {
        let defaults = TrainConfig { preset: Some(self), ..TrainConfig::default() };
        match self {
            Self::Features => defaults,
            // Centred PCD-1 with a falling rate and averaged parameters.
            Self::Density => TrainConfig {
                epochs: 100,
                batch: 100,
                learning_rate: 0.05,
                lr_schedule: LearningRate::Linear,
                momentum: 0.0,
                weight_decay: 0.0,
                estimator: Estimator::Pcd,
                centred: Switch::On,
                average: 0.4,
                binarize: Binarize::Threshold,
                ..defaults
            },
        }
    }
}

impl TrainConfig {
    /// Sets the options that a preset is about, but for those that were given: `given` is asked by a field's name.
    pub fn apply(&mut self, preset: Preset, given: impl Fn(&str) -> bool) {
        let preset = preset.config();
        macro_rules! take {
            ($($option:ident)*) => {
                $(if !given(stringify!($option)) {
                    self.$option = preset.$option;
                })*
            };
        }
        take!(epochs batch learning_rate lr_schedule momentum weight_decay estimator k centred average binarize);
    }

    /// The options that the resulting model depends on, for its metadata: all but where it is written to and where
    /// the uniforms are drawn.
    pub fn model_options(&self) -> Self {
        Self { out: None, uniforms: None, ..self.clone() }
    }

    /// The same with its short forms written out.
    pub fn settled(&self) -> Self {
        match self.cd {
            Some(k) => Self { estimator: Estimator::Cd, k: k.into(), cd: None, ..self.clone() },
            None => self.clone(),
        }
    }

    /// Chains of the negative phase, for a minibatch of so many cases.
    pub fn chains(&self, rows: usize) -> usize {
        match self.estimator {
            Estimator::Cd => rows,
            Estimator::Pcd => self.chains.unwrap_or(self.batch),
        }
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
            ("chains", self.chains.unwrap_or(1)),
        ] {
            if value == 0 {
                return usage!("--{option} must be at least 1, found 0");
            }
        }
        self.selection.check()?;
        let sweeps = self.cd.map_or(self.k.clone(), Sweeps::from);
        let option = if self.cd.is_some() { "cd" } else { "k" };
        sweeps.0.iter().try_for_each(|&(_, k)| check_sweeps(option, k))?;
        if self.estimator == Estimator::Cd && self.chains.is_some() {
            return usage!("--chains are for --estimator pcd: contrastive divergence has one for each case");
        }
        if !(0.0..=1.0).contains(&self.average) {
            return usage!("--average must be from 0 to 1, found {}", self.average);
        }
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
pub(crate) fn check_sweeps(option: &str, k: u32) -> Result<()> {
    match k {
        0 => usage!("--{option} must be at least 1, found 0"),
        0x10_0000.. => usage!("--{option} must be below 1048576, found {k}"),
        _ => Ok(()),
    }
}

/// How the mean over the model is estimated: where the chains of the negative phase start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// At the data: contrastive divergence (Hinton 2002).
    Cd,
    /// Where they stopped at the last step: persistent contrastive divergence, or stochastic maximum likelihood
    /// (Younes 1989; Tieleman 2008).
    Pcd,
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they say it all")]
pub enum Switch {
    On,
    Off,
}

/// How the learning rate changes during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearningRate {
    /// It does not.
    Constant,
    /// 1 − t, where t goes from 0 to 1 in the run.
    Linear,
    /// (1 + cos πt) / 2.
    Cosine,
    /// 1 / (1 + 9t): from one to a tenth.
    Inverse,
}

impl LearningRate {
    /// The share of the first learning rate when a share `t` of the run is over.
    pub fn factor(self, t: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - t,
            Self::Cosine => (1.0 + (std::f64::consts::PI * t).cos()) / 2.0,
            Self::Inverse => 1.0 / (1.0 + 9.0 * t),
        }
    }
}

/// How many Gibbs steps the chains take at an update: from which epoch on, counted from 0, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweeps(Vec<(usize, u32)>);

impl From<u32> for Sweeps {
    fn from(k: u32) -> Self {
        Self(vec![(0, k)])
    }
}

impl Sweeps {
    /// In an epoch, counted from 0.
    pub fn at(&self, epoch: usize) -> u32 {
        self.0.iter().rev().find(|&&(first, _)| first <= epoch).map_or(1, |&(_, k)| k)
    }

    /// The most in any epoch.
    pub fn most(&self) -> u32 {
        self.0.iter().map(|&(_, k)| k).max().unwrap_or(1)
    }
}

impl FromStr for Sweeps {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let part = |part: &str| {
            let (k, first) = part.split_once('@').unwrap_or((part, "0"));
            Some((first.parse().ok()?, k.parse().ok()?))
        };
        match text.split(',').map(part).collect::<Option<Vec<_>>>() {
            Some(parts) if parts[0].0 == 0 && parts.is_sorted_by(|a, b| a.0 < b.0) => Ok(Self(parts)),
            _ => usage!(
                "expected a number of Gibbs steps, or such numbers with the epochs from which they hold, \
                 the first of which is 0, as in 1@0,5@20; found {text:?}"
            ),
        }
    }
}

impl fmt::Display for Sweeps {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0.as_slice() {
            [(_, k)] => write!(f, "{k}"),
            parts => {
                let parts: Vec<String> = parts.iter().map(|(first, k)| format!("{k}@{first}")).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
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
    use crate::{
        config::{DeviceChoice, Sweeps},
        data::{ImageSize, Source},
    };
    use std::result::Result;
    serde_as_text!(DeviceChoice);
    serde_as_text!(Source);
    serde_as_text!(ImageSize);
    serde_as_text!(Sweeps);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_change_with_the_epoch() {
        let sweeps: Sweeps = "1@0,5@20".parse().unwrap();
        assert_eq!([0, 19, 20, 1000].map(|epoch| sweeps.at(epoch)), [1, 1, 5, 5]);
        assert_eq!((sweeps.most(), sweeps.to_string().as_str()), (5, "1@0,5@20"));
        assert_eq!("7".parse::<Sweeps>().unwrap(), Sweeps::from(7));
        for wrong in ["", "x", "1@", "5@3", "1@0,2@0", "1@0,,2@1", "-1", "1@0,5@20,3@10"] {
            assert!(wrong.parse::<Sweeps>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn learning_rates_go_from_one_to_where_they_should() {
        let ends = |schedule: LearningRate| [0.0, 1.0].map(|t| (schedule.factor(t) * 1e6).round() / 1e6);
        assert_eq!(ends(LearningRate::Constant), [1.0, 1.0]);
        assert_eq!(ends(LearningRate::Linear), [1.0, 0.0]);
        assert_eq!(ends(LearningRate::Cosine), [1.0, 0.0]);
        assert_eq!(ends(LearningRate::Inverse), [1.0, 0.1]);
        assert_eq!(LearningRate::Cosine.factor(0.5), 0.5);
    }

    #[test]
    fn a_preset_leaves_alone_what_was_given() {
        let mut config = TrainConfig { epochs: 3, ..TrainConfig::default() };
        config.apply(Preset::Density, |option| option == "epochs");
        assert_eq!((config.epochs, config.estimator, config.learning_rate), (3, Estimator::Pcd, 0.05));
        config.apply(Preset::Features, |_| false);
        assert_eq!(config, TrainConfig::default());
    }

    #[test]
    fn the_short_form_is_written_out() {
        let short =
            TrainConfig { cd: Some(3), estimator: Estimator::Pcd, ..TrainConfig::default() }.settled();
        assert_eq!((short.estimator, short.k, short.cd), (Estimator::Cd, Sweeps::from(3), None));
    }
}
