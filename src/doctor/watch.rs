//! The doctor beside a run: told about steps and epochs, it looks now and then, and says each thing once.
//!
//! At the beginning of an epoch two steps are put under the lens ([`super::step`]); at its end the model is looked at on
//! some cases ([`super::look`]). How often is a matter of time: looking takes at most three hundredths of it, but for the
//! first epoch, which is always looked at. Nothing that it does changes the run.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    config,
    data::{DataFigures, Values},
    finding::{Finding, Severity, sorted},
    log::{Log, LogFigures},
    look::{Look, LookFigures},
    model::{ModelFigures, Spread, non_finite, spaced},
    step::{StepFigures, StepReading, Trace},
};
use crate::{
    backend::{Backend, Params},
    config::{Estimator, TrainConfig},
    data::{Cases, Dataset, Rows},
    error::Result,
    estimator::Phases,
    rbm::Rbm,
};

/// How often to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As often as takes at most this share of the time.
    Share(f64),
    /// Every so many epochs, whatever it takes.
    Epochs(usize),
}

/// The share of a run's time that may go into looking.
const SHARE: f64 = 0.03;
/// Training cases that are looked at before training.
const DATA_CASES: usize = 5000;
/// Steps that are put under the lens, one after the other.
const STEPS: usize = 2;
/// Chains whose correlation with those of the step before is higher hardly come around: those of good models of a few
/// patterns are at 0.98.
const SLOW_CHAINS: f64 = 0.995;
/// Chains that don't move at all.
const STUCK_CHAINS: f64 = 0.9995;
/// What one update may add to the input of a hidden unit: σ goes from 0.27 to 0.73 within 2.
const LARGEST_SHIFT: f64 = 2.0;
/// What all updates together must be able to add, by the largest of the first tenth of the run.
const SMALLEST_REACH: f64 = 0.1;

/// The figures of the latest look.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// Of the parameters.
    pub model: Option<ModelFigures>,
    /// Of the hidden units and of the free energies.
    pub look: Option<LookFigures>,
    /// Of a step.
    pub step: Option<StepFigures>,
}

/// The doctor's memory of a run.
pub struct Watch {
    look: Look,
    pace: Pace,
    began: Instant,
    /// Time spent looking, and in the latest epoch that was looked at.
    spent: Duration,
    last_cost: Duration,
    estimator: Estimator,
    k: u32,
    steps_an_epoch: usize,
    /// Of the whole run.
    steps: usize,
    /// Epochs done.
    epoch: usize,
    looking: bool,
    steps_left: usize,
    before: Option<(Rbm, Rbm)>,
    trace: Option<Trace>,
    errors: Vec<f64>,
    largest_shift: f64,
    latest: Latest,
    said: HashSet<&'static str>,
    fresh: Vec<Finding>,
}

impl Watch {
    /// Looks at the data, at what the run is told, and at the initial model on the device. `density` are the means of
    /// the visible units in the data.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if there is no room or the device failed.
    pub fn new(
        backend: &mut dyn Backend,
        config: &TrainConfig,
        dataset: &Dataset,
        density: &[f64],
    ) -> Result<Self> {
        let began = Instant::now();
        let steps_an_epoch = dataset.train.rows.len().div_ceil(config.batch);
        let look = Look::new(backend, dataset, config.hidden, config.binarize, config.seed)?;
        let mut watch = Self {
            look,
            pace: Pace::Share(SHARE),
            began,
            spent: Duration::ZERO,
            last_cost: Duration::ZERO,
            estimator: config.estimator,
            k: config.k.at(0),
            steps_an_epoch,
            steps: steps_an_epoch * config.epochs,
            epoch: 0,
            looking: false,
            steps_left: 0,
            before: None,
            trace: None,
            errors: Vec::new(),
            largest_shift: 0.0,
            latest: Latest::default(),
            said: HashSet::new(),
            fresh: Vec::new(),
        };
        let data = of_some(&dataset.train);
        watch.say(data.findings(Some(config.hidden)));
        watch.say(config::findings(config));
        let (rbm, _) = backend.read_rbm()?;
        watch.say(initial(&rbm, density));
        let figures = watch.look.look(backend, &rbm)?;
        watch.say(figures.arithmetic().into_iter().collect());
        watch.latest = Latest { model: Some(ModelFigures::measure(&rbm)), look: Some(figures), step: None };
        watch.spent = began.elapsed();
        Ok(watch)
    }

    /// Looks at another pace from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Warnings and errors that have not been taken yet, the worst first. Each name comes once in a run.
    pub fn take(&mut self) -> Vec<Finding> {
        sorted(std::mem::take(&mut self.fresh))
    }

    /// The figures of the latest look.
    pub fn latest(&self) -> &Latest {
        &self.latest
    }

    /// Time spent looking, at the data and the initial model too.
    pub fn spent(&self) -> Duration {
        self.spent
    }

    /// Before each step.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed; so for the next two.
    pub fn before_step(&mut self, backend: &mut dyn Backend, first_of_epoch: bool, k: u32) -> Result<()> {
        if first_of_epoch {
            self.k = k;
            self.looking = self.is_due();
            if self.looking {
                self.steps_left = STEPS;
                self.last_cost = Duration::ZERO;
            }
        }
        if self.steps_left > 0 {
            backend.wait()?; // the run's own work is not the doctor's
            let start = Instant::now();
            self.before = Some(backend.read_rbm()?);
            self.count(start);
        }
        Ok(())
    }

    /// After each step, which was told `params`.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn after_step(&mut self, backend: &mut dyn Backend, params: &Params, phases: Phases) -> Result<()> {
        let Some(before) = self.before.take() else { return Ok(()) };
        self.steps_left -= 1;
        backend.wait()?;
        let start = Instant::now();
        let after = backend.read_rbm()?;
        let [v, h, chains, last] = StepReading::units(backend, phases, params)?;
        let reading = StepReading {
            params,
            estimator: self.estimator,
            k: self.k,
            before: &before,
            after: &after,
            positive: (v, h),
            negative: (chains, last),
            offsets: backend.read_offsets()?,
        };
        let figures = reading.measure(self.trace.as_ref());
        self.largest_shift = self.largest_shift.max(figures.shift);
        self.trace = Some(reading.trace());
        self.say(figures.arithmetic());
        self.say(self.of_rate(&figures));
        self.latest.step = Some(figures);
        self.count(start);
        Ok(())
    }

    /// After each epoch, with the reconstruction error of held-out cases.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn after_epoch(&mut self, backend: &mut dyn Backend, error: f64) -> Result<()> {
        self.epoch += 1;
        self.errors.push(error);
        if !std::mem::take(&mut self.looking) {
            return Ok(());
        }
        let start = Instant::now();
        let (rbm, _) = backend.read_rbm()?;
        let model = ModelFigures::measure(&rbm);
        let figures = self.look.look(backend, &rbm)?;
        // What comes of learning shows after a while: units all look alike at first.
        let settled = self.epoch * self.steps_an_epoch >= 100;
        if settled {
            // Hidden units of some models are all alike for a while, and the cost stands still, until they differ.
            let early = self.epoch * self.steps_an_epoch * 2 < self.steps;
            let late_only = ["cost-does-not-fall", "duplicate-hidden-units", "unused-hidden-units"];
            let mut found = model.findings();
            found.extend(figures.findings());
            found.extend(self.course());
            found.retain(|finding| !(early && late_only.contains(&finding.name)));
            self.say(found);
        } else {
            self.say(figures.arithmetic().into_iter().collect());
        }
        self.latest.model = Some(model);
        self.latest.look = Some(figures);
        self.count(start);
        Ok(())
    }

    /// A parameter is no longer a finite number: `seen` says where and when.
    pub fn diverged(&mut self, seen: &str) {
        self.say(vec![non_finite(seen)]);
    }

    /// Whether there is time to look.
    fn is_due(&self) -> bool {
        match self.pace {
            Pace::Epochs(every) => self.epoch.is_multiple_of(every),
            Pace::Share(share) => {
                self.epoch == 0
                    || (self.spent + self.last_cost).as_secs_f64()
                        < share * self.began.elapsed().as_secs_f64()
            }
        }
    }

    fn count(&mut self, start: Instant) {
        let took = start.elapsed();
        self.spent += took;
        self.last_cost += took;
    }

    /// Keeps what is new, and worse than a note.
    fn say(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if finding.severity != Severity::Note && self.said.insert(finding.name) {
                self.fresh.push(finding);
            }
        }
    }

    /// Whether the learning rate suits the run.
    fn of_rate(&self, figures: &StepFigures) -> Vec<Finding> {
        let mut found = Vec::new();
        let [weights, visible, hidden] = figures.groups;
        let ratios = [("W", weights), ("b", visible), ("c", hidden)]
            .into_iter()
            .filter(|(_, group)| group.ratio.is_finite())
            .map(|(letter, group)| format!("{:.1e} of {letter}", group.ratio))
            .collect::<Vec<_>>();
        let ratios = format!("the update of step {} is {}", figures.step, ratios.join(", "));
        if figures.shift > LARGEST_SHIFT || !figures.shift.is_finite() {
            found.push(Finding::error(
                "learning-rate-too-high",
                format!(
                    "one update adds {} to the input of a hidden unit (root mean square over cases and units); {ratios}",
                    if figures.shift < 1e4 { format!("{:.2}", figures.shift) } else { format!("{:.1e}", figures.shift) }
                ),
                "σ goes from 0.27 to 0.73 within 2, so such an update turns units over; about 10⁻³ of W is usual (Hinton 2010, section \
                 7)",
                "a tenth of --lr, or less; --momentum 0.5 at first. In your own code: also look that the gradient is a mean, not a \
                 sum",
            ));
        }
        let reach = self.largest_shift * self.steps as f64;
        let early = (figures.step as usize) < self.steps / 10;
        if !early && self.steps >= 100 && reach < SMALLEST_REACH {
            found.push(Finding::warning(
                "learning-rate-too-low",
                format!(
                    "one update adds {:.1e} to the input of a hidden unit, so all {} of the run can add {reach:.2} at most; {ratios}",
                    self.largest_shift, self.steps
                ),
                "a hidden unit that tells cases apart needs inputs of several units; the usual update is about 10⁻³ of the weights \
                 (Hinton 2010, section 7)",
                "ten times --lr, or more; or many more --epochs. In your own code: also look that the gradient is not divided \
                 twice",
            ));
        }
        if let Some(correlation) = figures.chain_correlation {
            found.extend(self.of_chains(figures, correlation));
        }
        found
    }

    /// Whether persistent chains come around.
    fn of_chains(&self, figures: &StepFigures, correlation: f64) -> Option<Finding> {
        let stuck = correlation > STUCK_CHAINS;
        // ρ(t) = e^(−t/τ).
        let time = f64::from(self.k) / -correlation.clamp(1e-9, 1.0 - 1e-9).ln();
        let make = if stuck { Finding::error } else { Finding::warning };
        (correlation > SLOW_CHAINS).then(|| {
            make(
                if stuck { "chains-stuck" } else { "chains-slow" },
                format!(
                    "after {} Gibbs steps the persistent chains of step {} have a correlation of {correlation:.5} with those \
                     of the step before: an autocorrelation time of {time:.0} Gibbs steps, {:.0} times k",
                    self.k,
                    figures.step,
                    time / f64::from(self.k)
                ),
                "the gradient's second term is a mean over the model only if the chains come around in it; chains that stand \
                 still lower what they stand on, and the model follows them (Tieleman 2008; Decelle, Furtlehner and Seoane \
                 2021)",
                "more Gibbs steps (--k), a lower --lr, and more --chains; in your own code: keep the states that the chains \
                 end with, and go on from there",
            )
        })
    }

    /// The course of the reconstruction error so far.
    fn course(&self) -> Vec<Finding> {
        if self.errors.len() < 10 {
            return Vec::new();
        }
        // The course of many epochs shows itself in some of them.
        let some = spaced(self.errors.len(), 300).into_iter().map(|at| self.errors[at]);
        let log = Log { key: "reconstruction_error".into(), costs: some.collect() };
        LogFigures::measure(&log).findings(None)
    }
}

/// The figures of some of the training cases.
fn of_some(cases: &Cases) -> DataFigures {
    let rows = &cases.rows;
    if rows.len() <= DATA_CASES {
        return DataFigures::measure(&Values::new(rows), cases.labels.as_deref());
    }
    let chosen = spaced(rows.len(), DATA_CASES);
    let words: Vec<u32> = chosen.iter().flat_map(|&row| rows.row(row)).copied().collect();
    let some = Rows::from_words(rows.layout(), words);
    let labels: Option<Vec<u8>> = cases
        .labels
        .as_ref()
        .map(|labels| chosen.iter().filter_map(|&row| labels.get(row)).copied().collect());
    DataFigures::measure(&Values::new(&some), labels.as_deref())
}

/// What a model should start from (Hinton 2010, section 8).
fn initial(rbm: &Rbm, density: &[f64]) -> Vec<Finding> {
    let mut found = Vec::new();
    let Spread { deviation, .. } = Spread::of(&rbm.weights);
    if deviation > 0.3 {
        found.push(Finding::warning(
            "initial-weights-large",
            format!("the initial weights' standard deviation is {deviation:.3}"),
            "hidden units are saturated before the first update, each on or off for most cases by chance, and have to unlearn \
             that (Hinton 2010, section 8)",
            format!("in your own code: W from N(0, {}²), as rbm-gpu train does", Rbm::INITIAL_DEVIATION),
        ));
    }
    let base = Rbm::base_rates(density);
    let sigmoid = |b: f32| 1.0 / (1.0 + f64::from(-b).exp());
    let apart = base.iter().zip(&rbm.visible_bias).map(|(&base, &b)| (sigmoid(base) - sigmoid(b)).abs());
    let apart = apart.sum::<f64>() / base.len() as f64;
    if apart > 0.15 {
        found.push(Finding::warning(
            "initial-visible-biases",
            format!(
                "the initial visible biases let units be on {apart:.2} more or less often than the data, on average over the \
                 units"
            ),
            "until the biases are learnt, hidden units are used to turn units off that are hardly ever on (Hinton 2010, \
             section 8)",
            "in your own code: b_i = log(p_i/(1−p_i)), p_i the share of cases in which unit i is on, clipped; rbm-gpu train \
             does so",
        ));
    }
    found
}
