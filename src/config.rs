//! The options of a training run. Each default is stated here, once: the command line's help, `config.json`, the model's
//! metadata and the library's users all read this struct.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

pub use crate::{
    data::{Binarize, Switch},
    device::DeviceChoice,
};
use crate::{
    data::{Selection, Source, as_shown},
    error::{Error, Result, excerpt, usage},
    rng::Address,
    units::{Kind, Kinds, Layer},
};

/// The options of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(default)]
pub struct TrainConfig {
    /// Preset for the options that are not given: features (filters, fast: the defaults) or density (the best likelihood,
    /// slower)
    #[cfg_attr(feature = "cli", arg(long, value_name = "WHAT", value_enum))]
    #[serde(skip)]
    pub preset: Option<Preset>,
    /// Data set: mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder of IDX files or of PNGs, or an .npy, .npz or
    /// .csv file
    #[cfg_attr(feature = "cli", arg(long, value_name = "D", default_value_t = Self::default().data))]
    pub data: Source,
    /// Which part of the data set is used, and what its numbers mean.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub selection: Selection,
    /// Hidden units
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = Self::default().hidden))]
    pub hidden: usize,
    /// Kinds of the hidden units: binary, spin, gaussian, relu, drelu or potts:Q; or a list, as in "20 binary, 10 drelu", which
    /// sets --hidden
    #[cfg_attr(feature = "cli", arg(long, value_name = "KINDS", default_value_t = Self::default().hidden_units))]
    #[serde(skip_serializing_if = "Kinds::are_binary")]
    pub hidden_units: Kinds,
    /// Passes over the training cases
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = Self::default().epochs))]
    pub epochs: usize,
    /// Cases in a minibatch
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = Self::default().batch))]
    pub batch: usize,
    /// Learning rate, for gradients averaged over the minibatch; if not given, 0.001 with --optimizer adam, and else 0.01 with
    /// units of real numbers (gaussian, relu, drelu)
    #[cfg_attr(feature = "cli", arg(long = "lr", value_name = "X", default_value_t = Self::default().learning_rate))]
    pub learning_rate: f32,
    /// Momentum of sgd, from 0 to below 1: the share of the last update that is kept; or by epoch, as in 0.5@0,0.9@5
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", default_value_t = Self::default().momentum))]
    pub momentum: ByEpoch<f32>,
    /// Nesterov's momentum: take the gradient where the momentum leads
    #[cfg_attr(feature = "cli", arg(long))]
    pub nesterov: bool,
    /// Optimizer: sgd, or adam (which has no --momentum, and decouples decay from the gradient)
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().optimizer))]
    pub optimizer: Optimizer,
    /// L2 weight decay, on weights only, multiplied by the learning rate
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", default_value_t = Self::default().weight_decay))]
    pub weight_decay: f32,
    /// L1 weight decay, on weights only, multiplied by the learning rate
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", default_value_t = Self::default().l1))]
    pub l1: f32,
    /// Strength of a penalty on the square of each hidden unit's sum of |W|, which makes weights sparse (L1b): an L1 decay that is
    /// stronger for units with larger weights
    #[cfg_attr(feature = "cli", arg(long, value_name = "X"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1b: Option<f32>,
    /// Largest norm of a hidden unit's weights; longer weights are scaled down to it
    #[cfg_attr(feature = "cli", arg(long, value_name = "X"))]
    pub max_norm: Option<f32>,
    /// Largest norm of a gradient; a longer gradient is scaled down to it
    #[cfg_attr(feature = "cli", arg(long, value_name = "X"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Target share of the cases in which each hidden unit is on, between 0 and 1
    #[cfg_attr(feature = "cli", arg(long, value_name = "TARGET"))]
    pub sparsity: Option<f32>,
    /// Strength of the pull towards --sparsity
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", default_value_t = Self::default().sparsity_cost))]
    pub sparsity_cost: f32,
    /// Chains of the negative phase: cd (start at the data), pcd (persistent), pt (persistent, at several
    /// temperatures), tt (persistent, in several snapshots of the model)
    #[cfg_attr(feature = "cli", arg(long, value_name = "E", value_enum, default_value_t = Self::default().estimator))]
    pub estimator: Estimator,
    /// Gibbs steps of the chains at each update; or by epoch, as in 1@0,5@20
    #[cfg_attr(feature = "cli", arg(long, value_name = "K", default_value_t = Self::default().k))]
    pub k: ByEpoch<u32>,
    /// Short for --estimator cd --k K
    #[cfg_attr(feature = "cli", arg(long, value_name = "K", conflicts_with_all = ["estimator", "k"]))]
    #[serde(skip)]
    pub cd: Option<u32>,
    /// Persistent chains, for pcd, pt and tt [default: as many as cases in a minibatch]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub chains: Option<usize>,
    /// Learning rate of fast weights, which drive the chains of pcd away from where they are (FPCD); needs --momentum 0
    #[cfg_attr(feature = "cli", arg(long, value_name = "X"))]
    pub fast_weights: Option<f32>,
    /// Temperatures of pt; for tt, the most models: snapshots, the current model, and independent units
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = Self::default().temperatures))]
    pub temperatures: usize,
    /// Schedule of the learning rate from --lr on: constant, linear or cosine (to 0 at the end), inverse (to a tenth,
    /// as 1/t)
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().lr_schedule))]
    pub lr_schedule: LearningRate,
    /// Subtract the units' means in the gradient: on or off
    #[cfg_attr(feature = "cli", arg(long, value_name = "SWITCH", value_enum, default_value_t = Self::default().centred))]
    pub centred: Switch,
    /// Divide the gradient by the units' variances, too, so that units of any scale learn alike: on or off; implies --centred on, and
    /// needs a lower --lr
    #[cfg_attr(feature = "cli", arg(long, value_name = "SWITCH", value_enum, default_value_t = Self::default().standardised))]
    #[serde(skip_serializing_if = "Switch::is_off")]
    pub standardised: Switch,
    /// Share of the run, at its end, over which the model's parameters are averaged, from 0 to 1
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", default_value_t = Self::default().average))]
    pub average: f64,
    /// Grey pixels: threshold (on above 0.5), sample (drawn anew for each minibatch), none (used as they are)
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().binarize))]
    pub binarize: Binarize,
    /// Gibbs steps in which the missing values of a minibatch are sampled, given the observed ones [default: 5]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_steps: Option<u32>,
    /// Visible units of the negative phase: sample (binary states drawn from p(v|h)) or mean (p(v|h) itself)
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Self::default().visible_states))]
    pub visible_states: VisibleStates,
    /// Measure the likelihood every N epochs and after the last, as eval does but faster
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub eval_every: Option<usize>,
    /// Device: auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = Self::default().device))]
    pub device: DeviceChoice,
    /// Where random uniforms are drawn; the result is the same, bit for bit [default: the faster one]
    #[cfg_attr(feature = "cli", arg(long, value_name = "WHERE", value_enum))]
    pub uniforms: Option<Uniforms>,
    /// Seed of every random number in the run
    #[cfg_attr(feature = "cli", arg(long, value_name = "S", default_value_t = Self::default().seed))]
    pub seed: u64,
    /// Model to start from: a run, or a safetensors file such as a checkpoint; sets --hidden if that is not given
    #[cfg_attr(feature = "cli", arg(long, value_name = "MODEL"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    /// Don't let the doctor watch the run
    #[cfg_attr(feature = "cli", arg(long))]
    #[serde(skip)]
    pub no_doctor: bool,
    /// Folder for the results, new or empty [default: the first free runs/DATA-N]
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR"))]
    #[serde(serialize_with = "as_shown")]
    pub out: Option<PathBuf>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            preset: None,
            data: Source::Mnist,
            selection: Selection::default(),
            hidden: 500,
            hidden_units: Kind::Binary.into(),
            epochs: 10,
            batch: 100,
            learning_rate: 0.1,
            momentum: ByEpoch::from(0.5),
            nesterov: false,
            optimizer: Optimizer::Sgd,
            weight_decay: 0.0001,
            l1: 0.0,
            l1b: None,
            max_norm: None,
            clip: None,
            sparsity: None,
            sparsity_cost: 0.1,
            estimator: Estimator::Cd,
            k: ByEpoch::from(1),
            cd: None,
            chains: None,
            fast_weights: None,
            temperatures: 10,
            lr_schedule: LearningRate::Constant,
            centred: Switch::Off,
            standardised: Switch::Off,
            average: 0.0,
            binarize: Binarize::Sample,
            missing_steps: None,
            visible_states: VisibleStates::Sample,
            eval_every: None,
            device: DeviceChoice::Auto,
            uniforms: None,
            seed: 1,
            init: None,
            no_doctor: false,
            out: None,
        }
    }
}

/// The purpose of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Preset {
    /// Filters and features, fast: the defaults.
    Features,
    /// The best likelihood.
    Density,
}

impl Preset {
    /// The options of the preset.
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
                momentum: ByEpoch::from(0.0),
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

/// Gibbs steps for missing values, unless the options say otherwise.
const MISSING_STEPS: u32 = 5;

impl TrainConfig {
    /// Gibbs steps for the missing values of a minibatch.
    pub fn missing_steps(&self) -> u32 {
        self.missing_steps.unwrap_or(MISSING_STEPS)
    }

    /// Whether the units' means are subtracted in the gradient.
    pub fn is_centred(&self) -> bool {
        self.centred == Switch::On || self.standardised == Switch::On
    }

    /// The hidden units.
    pub fn hidden_layer(&self) -> Layer {
        self.hidden_units.layer(self.hidden)
    }

    /// Sets the options of a preset, except those that were given: `given` is called with a field's name.
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

    /// Sets the learning rate that suits Adam, unless one was given.
    pub fn suit_optimizer(&mut self, given: impl Fn(&str) -> bool) {
        if self.optimizer == Optimizer::Adam && !given("learning_rate") {
            self.learning_rate = 0.001;
        }
    }

    /// Sets the learning rate that suits units of real numbers, unless one was given: their inputs have no bound, so rates are 10
    /// to 100 times lower (Hinton 2010, section 13.2).
    pub fn suit_units(&mut self, visible: &Layer, given: impl Fn(&str) -> bool) {
        let hidden = self.hidden_layer();
        let mut blocks = visible.blocks().iter().chain(hidden.blocks());
        let has_real = blocks.any(|block| block.kind.states().is_none());
        if has_real && self.optimizer == Optimizer::Sgd && !given("learning_rate") {
            self.learning_rate = self.learning_rate.min(0.01);
        }
    }

    /// The options that the model depends on, for its metadata: all except where it is written, where the uniforms are
    /// drawn, and how often it is measured.
    pub fn model_options(&self) -> Self {
        Self { out: None, uniforms: None, eval_every: None, ..self.clone() }
    }

    /// The options with short forms written out, and the number of hidden units of a list of kinds.
    pub fn settled(&self) -> Self {
        let hidden = self.hidden_units.units().unwrap_or(self.hidden);
        match self.cd {
            Some(k) => Self { estimator: Estimator::Cd, k: k.into(), cd: None, hidden, ..self.clone() },
            None => Self { hidden, ..self.clone() },
        }
    }

    /// Number of chains in the negative phase, for a minibatch of `rows` cases.
    pub fn chains(&self, rows: usize) -> usize {
        match self.estimator {
            Estimator::Cd => rows,
            Estimator::Pcd | Estimator::Pt | Estimator::Tt => self.chains.unwrap_or(self.batch),
        }
    }

    /// Reads options from JSON, which may be damaged or hostile, and checks them.
    ///
    /// # Errors
    /// [`Error::Data`] says what differs from what `rbm-gpu train` writes; those of [`TrainConfig::check`].
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(text).map_err(|error| {
            Error::Data(format!(
                "expected the options of a run, as rbm-gpu train writes them: {}",
                excerpt(&error.to_string())
            ))
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks the ranges, without the data.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        for (option, value) in [
            ("hidden", self.hidden),
            ("epochs", self.epochs),
            ("batch", self.batch),
            ("chains", self.chains.unwrap_or(1)),
            ("eval-every", self.eval_every.unwrap_or(1)),
        ] {
            if value == 0 {
                return usage!("‹{option}› must be at least 1, found 0");
            }
        }
        self.selection.check()?;
        check_sweeps("missing-steps", self.missing_steps())?;
        let sweeps = self.cd.map_or(self.k.clone(), ByEpoch::from);
        let option = if self.cd.is_some() { "cd" } else { "k" };
        sweeps.values().try_for_each(|k| check_sweeps(option, k))?;
        let not_positive = |x: &f32| !(*x > 0.0 && x.is_finite());
        let is_below_0 = |x: &f32| !(*x >= 0.0 && x.is_finite());
        let not_below_1 = |x: &f32| !(0.0..1.0).contains(x);
        let is_plain = self.estimator == Estimator::Pcd
            && self.optimizer == Optimizer::Sgd
            && self.momentum.values().all(|momentum| momentum == 0.0)
            && !self.nesterov
            && !self.is_centred();
        let temperatures = self.temperatures;
        let is_tempered = matches!(self.estimator, Estimator::Pt | Estimator::Tt);
        // Each replica's sweep has an address of its own.
        let most_sweeps = u64::from(Address::SWEEPS) / temperatures.max(1) as u64;
        let problems = [
            (self.estimator == Estimator::Cd && self.chains.is_some()).then(|| {
                "‹chains› are for ‹estimator=pcd›, pt or tt: contrastive divergence has one for each case".into()
            }),
            found("‹fast-weights› must be at least 0 and finite", self.fast_weights.filter(is_below_0)),
            (self.fast_weights.is_some() && !is_plain).then(|| {
                "‹fast-weights› need ‹estimator=pcd›, ‹momentum=0›, and neither ‹optimizer=adam› nor ‹nesterov› nor \
                 ‹centred=on› nor ‹standardised=on›: they follow the plain gradient"
                    .into()
            }),
            found(
                &format!("‹temperatures› must be from 2 to {MOST_TEMPERATURES}"),
                Some(temperatures).filter(|count| !(2..=MOST_TEMPERATURES).contains(count)),
            ),
            (is_tempered && self.visible_states == VisibleStates::Mean).then(|| {
                "‹visible-states=mean› is not for ‹estimator=pt› or tt: only states have energies to swap by".into()
            }),
            found(
                &format!("‹{option}› must be below {most_sweeps} with {temperatures} ‹temperatures›"),
                sweeps.values().find(|&k| is_tempered && u64::from(k) >= most_sweeps),
            ),
            found("‹average› must be from 0 to 1", Some(self.average).filter(|x| !(0.0..=1.0).contains(x))),
            found(
                "‹init› must be UTF-8",
                self.init.as_ref().filter(|path| path.to_str().is_none()).map(|path| format!("{path:?}")),
            ),
            found("‹lr› must be above 0 and finite", Some(self.learning_rate).filter(not_positive)),
            found("‹momentum› must be at least 0 and below 1", self.momentum.values().find(not_below_1)),
            (self.nesterov && self.optimizer == Optimizer::Adam)
                .then(|| "‹nesterov› is for ‹optimizer=sgd›: adam has a momentum of its own".into()),
            found("‹weight-decay› must be at least 0 and finite", Some(self.weight_decay).filter(is_below_0)),
            found("‹l1› must be at least 0 and finite", Some(self.l1).filter(is_below_0)),
            (self.sparsity.is_some() && !self.hidden_units.are_binary()).then(|| {
                format!("‹sparsity› is the share of cases in which binary units are on, found ‹hidden-units› {}", self.hidden_units)
            }),
            found("‹l1b› must be at least 0 and finite", self.l1b.filter(is_below_0)),
            found("‹sparsity-cost› must be at least 0 and finite", Some(self.sparsity_cost).filter(is_below_0)),
            found("‹max-norm› must be above 0 and finite", self.max_norm.filter(not_positive)),
            found("‹clip› must be above 0 and finite", self.clip.filter(not_positive)),
            found(
                "‹sparsity› must be above 0 and below 1",
                self.sparsity.filter(|target| !(*target > 0.0 && *target < 1.0)),
            ),
        ];
        problems.into_iter().flatten().next().map_or(Ok(()), |problem| Err(Error::Usage(problem)))
    }
}

/// A message about a value out of its range.
fn found(range: &str, bad: Option<impl fmt::Display>) -> Option<String> {
    bad.map(|value| format!("{range}, found {value}"))
}

/// The most temperatures of a chain.
const MOST_TEMPERATURES: usize = 256;

/// Checks the number of Gibbs steps: sweeps have addresses ([`Address::SWEEPS`]), and a step must end in reasonable time.
pub(crate) fn check_sweeps(option: &str, k: u32) -> Result<()> {
    match k {
        0 => usage!("‹{option}› must be at least 1, found 0"),
        0x10_0000.. => usage!("‹{option}› must be below 1048576, found {k}"),
        _ => Ok(()),
    }
}

/// The estimator of the model's mean: where the chains of the negative phase start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Chains that start at the data: contrastive divergence (Hinton 2002).
    Cd,
    /// Chains that continue from the last step: persistent contrastive divergence, or stochastic maximum likelihood
    /// (Younes 1989; Tieleman 2008).
    Pcd,
    /// Persistent chains at several temperatures, which swap their states: parallel tempering (Desjardins et al. 2010;
    /// Cho, Raiko and Ilin 2010).
    Pt,
    /// Persistent chains in several snapshots of the model, which swap their states: trajectory tempering (Béreux et al.
    /// 2024).
    Tt,
}

/// How the learning rate changes during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum LearningRate {
    /// 1 throughout.
    Constant,
    /// 1 − t, where t goes from 0 to 1 over the run.
    Linear,
    /// (1 + cos πt) / 2, where t goes from 0 to 1 over the run.
    Cosine,
    /// 1 / (1 + 9t), from 1 to a tenth.
    Inverse,
}

impl LearningRate {
    /// The ratio to the first learning rate when a share `t` of the run is over.
    pub fn factor(self, t: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - t,
            Self::Cosine => (1.0 + (std::f64::consts::PI * t).cos()) / 2.0,
            Self::Inverse => 1.0 / (1.0 + 9.0 * t),
        }
    }
}

/// How gradients become updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient ascent, with momentum.
    Sgd,
    /// Adam (Kingma and Ba 2015), with decay as in AdamW (Loshchilov and Hutter 2019).
    Adam,
}

/// A number that may change from epoch to epoch: pairs of the first epoch, counted from 0, and the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByEpoch<T>(Vec<(usize, T)>);

impl<T> From<T> for ByEpoch<T> {
    fn from(value: T) -> Self {
        Self(vec![(0, value)])
    }
}

impl<T: Copy> ByEpoch<T> {
    /// The value in an epoch, counted from 0.
    pub fn at(&self, epoch: usize) -> T {
        // The first pair is always there, and holds from epoch 0.
        self.0.iter().rev().find(|&&(first, _)| first <= epoch).unwrap_or(&self.0[0]).1
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = T> {
        self.0.iter().map(|&(_, value)| value)
    }
}

impl ByEpoch<u32> {
    /// The largest value.
    pub fn most(&self) -> u32 {
        self.values().max().unwrap_or(1)
    }
}

impl<T: FromStr> FromStr for ByEpoch<T> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let part = |part: &str| {
            let (value, first) = part.split_once('@').unwrap_or((part, "0"));
            Some((first.parse().ok()?, value.parse().ok()?))
        };
        match text.split(',').map(part).collect::<Option<Vec<_>>>() {
            Some(parts) if parts[0].0 == 0 && parts.is_sorted_by(|a, b| a.0 < b.0) => Ok(Self(parts)),
            _ => usage!(
                "expected a number, or numbers with the epochs from which they hold, \
                 the first of which is 0, as in 1@0,5@20; found {text:?}"
            ),
        }
    }
}

impl<T: fmt::Display> fmt::Display for ByEpoch<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0.as_slice() {
            [(_, value)] => write!(f, "{value}"),
            parts => {
                let parts: Vec<String> =
                    parts.iter().map(|(first, value)| format!("{value}@{first}")).collect();
                f.write_str(&parts.join(","))
            }
        }
    }
}

/// The visible units of the negative phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum VisibleStates {
    /// Binary states drawn from p(v|h).
    Sample,
    /// p(v|h) itself.
    Mean,
}

/// Where random uniforms are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Uniforms {
    /// In the kernels that use them.
    Device,
    /// On the host, ahead of the device, and streamed with the minibatches.
    Host,
}

/// Serde through `Display` and `FromStr`: a configuration file says what the command line says.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

mod as_text {
    use crate::{
        config::{ByEpoch, DeviceChoice},
        data::{ImageSize, Source, table::ColumnUse},
        units::Kinds,
    };
    use std::result::Result;
    serde_as_text!(DeviceChoice);
    serde_as_text!(Source);

    /// A constant number is written as a number, one that changes as text.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum NumberOrText<T> {
        Number(T),
        Text(String),
    }

    impl<T: Copy + std::fmt::Display + serde::Serialize> serde::Serialize for ByEpoch<T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.as_slice() {
                &[(_, value)] => NumberOrText::Number(value),
                _ => NumberOrText::Text(self.to_string()),
            }
            .serialize(serializer)
        }
    }

    impl<'de, T: std::str::FromStr + serde::Deserialize<'de>> serde::Deserialize<'de> for ByEpoch<T> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match NumberOrText::<T>::deserialize(deserializer)? {
                NumberOrText::Number(value) => Ok(Self(vec![(0, value)])),
                NumberOrText::Text(text) => text.parse().map_err(serde::de::Error::custom),
            }
        }
    }
    serde_as_text!(ImageSize);
    serde_as_text!(Kinds);
    serde_as_text!(ColumnUse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_change_with_the_epoch() {
        let sweeps: ByEpoch<u32> = "1@0,5@20".parse().unwrap();
        assert_eq!([0, 19, 20, 1000].map(|epoch| sweeps.at(epoch)), [1, 1, 5, 5]);
        assert_eq!((sweeps.most(), sweeps.to_string().as_str()), (5, "1@0,5@20"));
        assert_eq!("7".parse::<ByEpoch<u32>>().unwrap(), ByEpoch::from(7));
        for wrong in ["", "x", "1@", "5@3", "1@0,2@0", "1@0,,2@1", "-1", "1@0,5@20,3@10"] {
            assert!(wrong.parse::<ByEpoch<u32>>().is_err(), "{wrong:?}");
        }
        let momentum: ByEpoch<f32> = "0.5@0,0.9@5".parse().unwrap();
        for (written, text) in [(momentum, "\"0.5@0,0.9@5\""), (ByEpoch::from(0.25), "0.25")] {
            assert_eq!(serde_json::to_string(&written).unwrap(), text);
            assert_eq!(serde_json::from_str::<ByEpoch<f32>>(text).unwrap(), written);
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
    fn units_of_real_numbers_learn_slowly_unless_told_otherwise() {
        let rate = |visible: &str, hidden: &str, given: bool| {
            let mut config = TrainConfig { hidden_units: hidden.parse().unwrap(), ..TrainConfig::default() };
            config.suit_units(&visible.parse().unwrap(), |option| given && option == "learning_rate");
            config.learning_rate
        };
        assert_eq!((rate("9 binary", "spin", false), rate("3 potts:4", "potts:2", false)), (0.1, 0.1));
        assert_eq!((rate("9 gaussian", "binary", false), rate("9 spin", "drelu", false)), (0.01, 0.01));
        assert_eq!(rate("9 gaussian", "binary", true), 0.1);
    }

    #[test]
    fn the_short_form_is_written_out() {
        let short =
            TrainConfig { cd: Some(3), estimator: Estimator::Pcd, ..TrainConfig::default() }.settled();
        assert_eq!((short.estimator, short.k, short.cd), (Estimator::Cd, ByEpoch::from(3), None));
    }
}
