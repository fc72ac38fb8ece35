//! The quality of a model: its likelihood, which needs log Z, and figures that don't.
//!
//! ```text
//! log p(v) = −F(v) − log Z                   averaged over the training cases, and over the test cases         (22), (23)
//! log Z                                      by enumeration, or between two estimates                    exact, ais
//! Σ_i log p(v_i | v_−i)                      the pseudo-log-likelihood                                   Besag 1975
//! ⟨F⟩_train − ⟨F⟩_test                       the free-energy gap, negative under overfitting             Hinton 2010, section 6
//! Σ (x − p(v|h))², h = p(h|x)                the reconstruction error
//! ```
//!
//! The binarization of grey data changes the likelihood of binary units by many nats, so the report names it; never compare
//! likelihoods across it. Likelihoods of continuous units are densities, in the units of the file.

mod evaluator;
mod monitor;
mod observed;
pub mod pseudo;

pub use evaluator::Evaluator;
pub use monitor::{Look, Monitor};
pub use pseudo::pseudo_log_likelihood;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ais::{self, Ais, AisOptions, Progress, Tracked, WIDEST},
    backend::{BackendExt, DeviceInfo},
    base::Base,
    clock::{Clock, System},
    config::{Binarize, DeviceChoice},
    data::{Dataset, Rows},
    device::{self, Footprint},
    error::{Result, usage},
    exact,
    inference::Inference,
    memory,
    model::{self, DataOptions, Stored},
    sample::{self, Sampler},
    unknown,
    wording::{self, Spelling},
};

/// Temperatures and Gibbs steps of the fantasies of a model without data.
const FANTASY_TEMPERATURES: usize = 20;
const FANTASY_STEPS: usize = 500;
/// The relative error of a free energy.
const ROUNDING: f64 = 1e-6;

/// The options of an evaluation.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct EvalOptions {
    /// A run's folder, or a model's file
    pub model: PathBuf,
    /// The data to evaluate on.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub data: DataOptions,
    /// Grey pixels: threshold (on above 0.5), sample (drawn once, by --seed), none (the data must be binary)
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Binarize::Threshold, hide_possible_values = true))]
    pub binarize: Binarize,
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto))]
    pub device: DeviceChoice,
    /// How to find log Z: auto (enumeration where a layer has at most 25 units), enumeration, ais
    #[cfg_attr(feature = "cli", arg(long, value_name = "HOW", value_enum, default_value_t = Method::Auto, hide_possible_values = true))]
    pub log_z: Method,
    /// Chains of parallel tempering
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = AisOptions::default().chains))]
    pub chains: usize,
    /// Temperatures of parallel tempering, with one replica of a chain at each
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = AisOptions::default().replicas))]
    pub replicas: usize,
    /// Measured rounds of parallel tempering, after half as many of warm-up [default: 1000, or 5000 for up to 65536 weights]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub rounds: Option<usize>,
    /// Chains of annealed importance sampling, in each direction
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = AisOptions::default().annealed))]
    pub annealed: usize,
    /// Temperatures of annealed importance sampling
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = AisOptions::default().temperatures))]
    pub temperatures: usize,
    /// Seed of every random number
    #[cfg_attr(feature = "cli", arg(long, value_name = "S", default_value_t = AisOptions::default().seed))]
    pub seed: u64,
    /// One JSON object instead of a table
    #[cfg_attr(feature = "cli", arg(long))]
    pub json: bool,
}

/// How to find log Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// By enumeration if a layer is small enough, else by annealed importance sampling.
    Auto,
    /// By enumeration of the smaller layer.
    Enumeration,
    /// By annealed importance sampling.
    Ais,
}

/// The method that found log Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogZMethod {
    /// By enumeration: the value is exact.
    Enumeration,
    /// By annealed importance sampling.
    Ais,
    /// By parallel tempering, during training.
    Tempering,
    /// Missing in the file, or unknown to this version.
    #[default]
    #[serde(other)]
    Unknown,
}

fn nothing_against_it() -> bool {
    true
}

/// log Z, its bracket, its method, and whether it is reliable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogZ {
    /// The best estimate, or the exact value.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub log_z: f64,
    /// Lower bound; equal to `log_z` if exact.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub log_z_low: f64,
    /// Upper bound; equal to `log_z` if exact.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub log_z_high: f64,
    /// The method that found it.
    #[serde(default)]
    pub log_z_method: LogZMethod,
    /// Whether these figures are reliable; true if a file doesn't say.
    #[serde(default = "nothing_against_it")]
    pub reliable: bool,
    /// Why they are not. Options are marked, as [`wording`] says.
    pub reason: Option<String>,
    /// log Σ e^(−F) over the distinct training and test cases: a lower bound of log Z.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub log_mass_of_cases: f64,
    /// The estimates by annealed importance sampling. Looks during a run have none, so they are not read.
    #[serde(skip_deserializing)]
    pub ais: Option<Ais>,
    /// The estimates by parallel tempering during training.
    pub tempering: Option<Tracked>,
}

impl LogZ {
    /// Writes options in this spelling.
    pub fn spell(&mut self, spelling: Spelling) {
        let doubt = self.ais.as_mut().and_then(|ais| ais.doubt.as_mut());
        for reason in self.reason.iter_mut().chain(doubt) {
            *reason = wording::spelled(reason, spelling);
        }
    }

    fn exact(log_z: f64, log_mass_of_cases: f64) -> Self {
        Self {
            log_mass_of_cases,
            log_z,
            log_z_low: log_z,
            log_z_high: log_z,
            log_z_method: LogZMethod::Enumeration,
            reliable: true,
            reason: None,
            ais: None,
            tempering: None,
        }
    }

    fn estimated(ais: Ais, log_mass_of_cases: f64) -> Self {
        let estimated = Self {
            log_z: ais.log_z,
            log_z_low: ais.log_z_low,
            log_z_high: ais.log_z_high,
            log_z_method: LogZMethod::Ais,
            reliable: ais.doubt.is_none(),
            reason: ais.doubt.clone(),
            log_mass_of_cases,
            ais: Some(ais),
            tempering: None,
        };
        estimated.above_the_cases()
    }

    fn tracked(tracked: Tracked, log_mass_of_cases: f64) -> Self {
        let (log_z_low, log_z_high) = tracked.bracket();
        let tempered = &tracked.tempered;
        let width = log_z_high - log_z_low;
        let reason = if !tempered.is_finite() {
            Some("the energy of a replica is not a finite number: the parameters are too large".to_string())
        } else if width > WIDEST {
            Some(format!("the bracket is {width:.2} nats wide, more than {WIDEST}; try rbm-gpu eval"))
        } else {
            ais::halves_that_disagree(tempered)
        };
        let estimated = Self {
            log_z: tempered.all.log_z,
            log_z_low,
            log_z_high,
            log_z_method: LogZMethod::Tempering,
            reliable: reason.is_none(),
            reason,
            log_mass_of_cases,
            ais: None,
            tempering: Some(tracked),
        };
        estimated.above_the_cases()
    }

    /// Raises the figures to at least the log mass of the cases. If the whole bracket is below it, chains missed modes of
    /// the data.
    fn above_the_cases(mut self) -> Self {
        // Free energies are sums of f32.
        let least = self.log_mass_of_cases - ROUNDING * self.log_mass_of_cases.abs();
        if least > self.log_z_high && self.reliable {
            self.reliable = false;
            self.reason = Some(format!(
                "the distinct cases alone have a log mass of {least:.3}, above all estimates: chains did not find them; \
                 try more ‹rounds›, ‹replicas› or ‹chains›"
            ));
        }
        for figure in [&mut self.log_z, &mut self.log_z_low, &mut self.log_z_high] {
            // NaN stays.
            if *figure < least {
                *figure = least;
            }
        }
        self
    }
}

/// The figures of a model on a data set, in nats per case. In JSON, a non-finite figure is `null`, and a missing or `null`
/// figure is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// log Z.
    #[serde(flatten)]
    pub log_z: LogZ,
    /// The mean of log p(v) over the training cases.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub train_log_likelihood: f64,
    /// The mean of log p(v) over the training cases, with the upper bound of log Z.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub train_log_likelihood_low: f64,
    /// The mean of log p(v) over the training cases, with the lower bound of log Z.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub train_log_likelihood_high: f64,
    /// The mean of log p(v) over the test cases, if there are any.
    pub test_log_likelihood: Option<f64>,
    /// The mean of log p(v) over the test cases, with the upper bound of log Z.
    pub test_log_likelihood_low: Option<f64>,
    /// The mean of log p(v) over the test cases, with the lower bound of log Z.
    pub test_log_likelihood_high: Option<f64>,
    /// The mean free energy of the training cases − that of the test cases, if there are any.
    pub free_energy_gap: Option<f64>,
    /// The mean of Σ_i log p(v_i | all other units) over the held-out cases: the test cases, or else the training cases.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub pseudo_log_likelihood: f64,
    /// The pseudo-log-likelihood divided by the number of visible units: comparable across data sets.
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub pseudo_log_likelihood_per_unit: f64,
    /// Cases that the pseudo-log-likelihood is the mean of.
    #[serde(default)]
    pub pseudo_log_likelihood_cases: usize,
    /// The mean of Σ (x − p(v|h))² over the held-out cases, with h = p(h|x).
    #[serde(default = "unknown::missing", deserialize_with = "unknown::number")]
    pub reconstruction_error: f64,
}

/// The mean of log p(v) over held-out cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Whether they are test cases; otherwise they are the training cases.
    pub is_test: bool,
    /// The mean, in nats.
    pub mean: f64,
    /// Bracket of the mean, unless exact.
    pub bracket: Option<(f64, f64)>,
}

impl Likelihood {
    /// Of a model without data: the rest is unknown.
    fn of_log_z(log_z: LogZ) -> Self {
        Self {
            log_z,
            train_log_likelihood: f64::NAN,
            train_log_likelihood_low: f64::NAN,
            train_log_likelihood_high: f64::NAN,
            test_log_likelihood: None,
            test_log_likelihood_low: None,
            test_log_likelihood_high: None,
            free_energy_gap: None,
            pseudo_log_likelihood: f64::NAN,
            pseudo_log_likelihood_per_unit: f64::NAN,
            pseudo_log_likelihood_cases: 0,
            reconstruction_error: f64::NAN,
        }
    }

    /// The mean over the test cases, or else the training cases. `None` if neither is known.
    pub fn held_out(&self) -> Option<HeldOut> {
        match self.test_log_likelihood {
            Some(mean) => {
                let ends = self.test_log_likelihood_low.zip(self.test_log_likelihood_high);
                Some(HeldOut { is_test: true, mean, bracket: self.bracket(ends) })
            }
            None if self.train_log_likelihood.is_nan() => None,
            None => {
                let (mean, bracket) = self.training();
                Some(HeldOut { is_test: false, mean, bracket })
            }
        }
    }

    /// The mean over the training cases, and its bracket, unless exact.
    pub fn training(&self) -> (f64, Option<(f64, f64)>) {
        let ends = (self.train_log_likelihood_low, self.train_log_likelihood_high);
        (self.train_log_likelihood, self.bracket(Some(ends)))
    }

    fn bracket(&self, ends: Option<(f64, f64)>) -> Option<(f64, f64)> {
        let is_exact = self.log_z.log_z_method == LogZMethod::Enumeration;
        ends.filter(|(low, high)| !is_exact && !low.is_nan() && !high.is_nan())
    }
}

/// The report of `rbm-gpu eval`.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// The version of this program.
    pub version: &'static str,
    /// The model's file.
    #[serde(serialize_with = "crate::output::lossy::path")]
    pub model: PathBuf,
    /// The data set; `none` for a model without data, of which only log Z is known.
    pub data: String,
    /// How its file was read, where that is not plain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether the data were inverted, 1 − x for x.
    pub inverted: bool,
    /// How grey pixels were made binary.
    pub binarize: Binarize,
    /// The device.
    pub device: DeviceInfo,
    /// Visible units.
    pub visible: usize,
    /// Hidden units.
    pub hidden: usize,
    /// The visible units and their kinds, as `31 potts:21`.
    pub visible_units: String,
    /// The hidden units and their kinds.
    pub hidden_units: String,
    /// Training cases.
    pub train_cases: usize,
    /// Test cases.
    pub test_cases: usize,
    /// The figures.
    #[serde(flatten)]
    pub likelihood: Likelihood,
    /// Time in seconds, without reading files.
    pub seconds: f64,
}

impl EvalReport {
    /// The report with options in this spelling.
    pub fn spelled(mut self, spelling: Spelling) -> Self {
        self.likelihood.log_z.spell(spelling);
        self
    }
}

/// Reads and checks a model and its data, and computes all figures. `begin` gets the number of Gibbs steps that log Z will
/// take, 0 for enumeration, and returns the callback for their progress.
///
/// # Errors
/// [`crate::Error::Usage`], [`crate::Error::Data`], [`crate::Error::Read`] and [`crate::Error::Model`] for input that cannot
/// be used; [`crate::Error::Device`].
pub fn evaluate(options: &EvalOptions, begin: impl FnOnce(u64) -> Progress) -> Result<EvalReport> {
    let stored = model::open(&options.model)?;
    let rbm = &stored.rbm;
    let shape = rbm.shape();
    let ais = AisOptions {
        chains: options.chains,
        replicas: options.replicas,
        rounds: options.rounds.unwrap_or(AisOptions::usual_rounds(shape)),
        annealed: options.annealed,
        temperatures: options.temperatures,
        seed: options.seed,
    };
    ais.check()?;
    if options.log_z == Method::Enumeration && !exact::is_enumerable(rbm.layers()) {
        return usage!(
            "‹log-z=enumeration›: one layer must have at most {} units, found {} × {}; choose ‹log-z=ais›",
            exact::LARGEST_LAYER,
            shape.visible,
            shape.hidden
        );
    }
    let is_bare = options.data.data.is_none() && stored.config.is_none();
    if is_bare && options.log_z == Method::Auto {
        return usage!(
            "{}: expected the name of its data in the model's metadata, found none; name the data with ‹data›, or, for \
             log Z alone, choose ‹log-z=enumeration› or ‹log-z=ais›",
            stored.path.display()
        );
    }
    let (source, dataset) = match is_bare {
        true => ("none".to_string(), fantasies(&stored, options)?),
        false => options.data.load(&stored).map(|(source, dataset)| (source.to_string(), dataset))?,
    };
    let dataset = dataset.judging();
    if options.binarize == Binarize::None && dataset.encoding.layer.is_binary() && !dataset.is_binary() {
        return usage!(
            "‹binarize=none›: a likelihood needs binary data, found grey pixels in {source}; \
             choose ‹binarize=threshold› or ‹binarize=sample›"
        );
    }
    let dataset = match options.binarize {
        Binarize::Sample => dataset.sample(options.seed),
        // Without values between 0 and 1, this only changes the packing.
        Binarize::Threshold | Binarize::None => dataset.threshold(),
    };

    let clock = System::new();
    let exact = match options.log_z {
        Method::Auto => exact::is_enumerable(rbm.layers()),
        Method::Enumeration => true,
        Method::Ais => false,
    };
    // The pseudo-likelihood of binary units stores e^W and e^−W in `f64`.
    memory::check(
        "e^W and e^−W",
        memory::product(&[shape.visible, shape.hidden, 16]),
        "choose a smaller model",
    )?;
    if !exact {
        // Start states and the states read back.
        let bytes = memory::product(&[ais.annealed, shape.visible.max(shape.hidden), 12]);
        memory::check("the states of annealed chains", bytes, "choose a smaller ‹annealed›")?;
    }
    let ais = (!exact).then_some(ais);
    let footprint = Footprint::planned(rbm.layers(), |memory| {
        memory.model()?;
        Evaluator::new(memory, ais, &dataset).map(drop)
    })?;
    let (_, mut backend) = device::open(&options.device, &footprint.of_model())?;
    let model = backend.model_of(rbm)?;
    let mut evaluator = Evaluator::new(&mut *backend, ais, &dataset)?;
    evaluator.set_progress(begin(ais.map_or(0, |ais| ais.steps())));
    let mut likelihood = evaluator.run(&mut *backend, model, rbm, &dataset)?;
    let [mut train_cases, mut test_cases] =
        [Some(&dataset.train), dataset.test.as_ref()].map(|cases| cases.map_or(0, |cases| cases.rows.len()));
    if is_bare {
        likelihood = Likelihood::of_log_z(likelihood.log_z);
        (train_cases, test_cases) = (0, 0);
    }
    Ok(EvalReport {
        version: env!("CARGO_PKG_VERSION"),
        model: stored.path.clone(),
        data: source,
        notes: dataset.notes.clone(),
        inverted: options.data.selection(stored.config.as_ref()).is_inverted(),
        binarize: options.binarize,
        device: backend.info().clone(),
        visible: shape.visible,
        hidden: shape.hidden,
        visible_units: rbm.layers().visible.to_string(),
        hidden_units: rbm.layers().hidden.to_string(),
        train_cases,
        test_cases,
        likelihood,
        seconds: clock.now().as_secs_f64(),
    })
}

/// Fantasies of a model without data, which take the data's place in finding log Z: as many as chains, from parallel
/// tempering. They are states of the model, so their distinct ones bound log Z as cases do. Enumeration needs none.
fn fantasies(stored: &Stored, options: &EvalOptions) -> Result<Dataset> {
    let layers = stored.rbm.layers();
    let bytes = memory::product(&[options.chains, layers.visible.columns(), 12]);
    memory::check("the states of fantasies", bytes, "choose fewer ‹chains›")?;
    let starts = sample::random_starts(layers, options.chains, options.seed);
    let states = if options.log_z == Method::Enumeration {
        starts
    } else {
        exact::check_normalisation(&stored.rbm)?;
        let inference = Inference::open(&stored.rbm, &options.device, 0, options.seed)?;
        let base = Base::neutral(layers);
        let mut sampler = Sampler::new(inference, &base, &starts, FANTASY_TEMPERATURES)?;
        sampler.advance(FANTASY_STEPS)?;
        sampler.read()?.1
    };
    let columns = layers.visible.columns();
    let rows = Rows::from_values(columns, &states);
    Ok(Dataset { encoding: stored.encoding.clone(), ..Dataset::new((1, columns), rows) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_z_is_not_below_what_the_cases_have() {
        let estimated = |log_mass_of_cases| {
            let mut log_z = LogZ::exact(10.0, log_mass_of_cases);
            (log_z.log_z_low, log_z.log_z_high) = (9.5, 10.5);
            log_z.above_the_cases()
        };
        let bounds = |log_z: &LogZ| [log_z.log_z_low, log_z.log_z, log_z.log_z_high];
        let below = estimated(7.0);
        assert!(below.reliable && bounds(&below) == [9.5, 10.0, 10.5], "{below:?}");
        let within = estimated(9.8);
        assert!(within.reliable && (within.log_z_low - 9.8).abs() < 1e-4, "{within:?}");
        let above = estimated(11.0);
        assert!(!above.reliable && above.reason.as_ref().unwrap().contains("cases alone"), "{above:?}");
        assert!(bounds(&above).iter().all(|bound| (bound - 11.0).abs() < 1e-4), "{above:?}");
    }
}
