//! log Z of a model too large to enumerate, by annealed importance sampling (AIS; Neal 2001), forwards and backwards.
//!
//! Chains move through distributions between the base-rate model, whose Z is known, and the model, with the hidden units
//! summed out (Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks"):
//!
//! ```text
//! f_β(v)  = e^((1−β) b0ᵀv) · e^(β bᵀv) · Π_j (1 + e^(β(c_j + (vW)_j)))       β from 0 to 1
//! log Z_0 = n log 2 + Σ_i softplus(b0_i)                                  b0_i = logit of unit i's mean in the data
//! log w   = Σ_k log f_k(v_k) − log f_(k−1)(v_k),   E[w] = Z / Z_0
//! ```
//!
//! f_β is the free energy at the inverse temperature β of the same model with the visible biases b + (1/β − 1) b0, so the
//! kernels of the Gibbs step need no change. The temperatures are chosen by a short run, so that the standard deviation of
//! each step's log w is the same: they are dense where log f changes most from chain to chain.
//!
//! By Jensen's inequality the forward estimate of log Z is low on average, which flatters the model, and by Markov's it is
//! hardly ever high: by a nats with a probability below e^−a. Chains that go back, from samples of the model to the base,
//! give an estimate that is high on average (Burda, Grosse and Salakhutdinov 2015; Grosse, Ghahramani and Adams 2015,
//! "Sandwiching the marginal likelihood using bidirectional Monte Carlo"). Between the two lies log Z; the one number is
//! Bennett's (1976) acceptance ratio, which weighs both.
//!
//! Samples of the model are what is hard to have. Half of the chains that go back start where the forward ones arrived, drawn
//! by their weights; so they cannot know of states that those never met. The other half start from data. Both are first
//! moved by Gibbs steps at β = 1. If the model has much of its mass around the data and the forward chains missed it, the
//! estimate from data is the higher one, and the bracket shows it. If it is far lower, as for models that CD-1 left with
//! most of their mass elsewhere, it says nothing of the rest, and does not count.

use serde::Serialize;

use crate::{
    backend::{Backend, Params, Units, Values},
    data::Rows,
    error::{Result, usage},
    rbm::{Layer, Rbm, Shape},
    reference::{sigmoid, softplus},
    rng::Stream,
};

/// The widest bracket that counts as an answer, in nats.
pub const WIDEST: f64 = 1.0;
/// The fewest chains, of equal weights, that an estimate may be worth.
pub const FEWEST: f64 = 10.0;

/// How thoroughly to estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AisOptions {
    /// Chains each way.
    pub chains: usize,
    /// Temperatures above 0, of which the last is 1.
    pub temperatures: usize,
    /// Seed of every random number.
    pub seed: u64,
}

impl Default for AisOptions {
    fn default() -> Self {
        Self { chains: 100, temperatures: 10_000, seed: 1 }
    }
}

impl AisOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        for (option, value, least) in [("chains", self.chains, 4), ("temperatures", self.temperatures, 10)] {
            if !(least..=10_000_000).contains(&value) {
                return usage!("--{option} must be from {least} to 10000000, found {value}");
            }
        }
        Ok(())
    }
}

/// log Z as chains in one direction have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub log_z: f64,
    /// Its standard error, from the variance of the weights.
    pub standard_error: f64,
    /// (Σw)² / Σw²: how many chains of equal weights would be worth as much (Kong 1992).
    pub effective_chains: f64,
}

impl Estimate {
    /// log Z from each chain's log w; `sign` is −1 where w estimates 1/Z.
    fn new(log_base: f64, log_weights: &[f64], sign: f64) -> Self {
        let count = log_weights.len() as f64;
        let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut squares) = (0.0, 0.0);
        for log_weight in log_weights {
            let weight = (log_weight - largest).exp();
            sum += weight;
            squares += weight * weight;
        }
        let effective_chains = sum * sum / squares;
        Self {
            log_z: log_base + sign * (largest + (sum / count).ln()),
            // That of a logarithm of a mean: the mean's, relative.
            standard_error: ((1.0 / effective_chains - 1.0 / count).max(0.0) * count / (count - 1.0)).sqrt(),
            effective_chains,
        }
    }
}

/// log Z between the estimates of two directions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ais {
    /// The best single estimate: Bennett's acceptance ratio of the chains of both directions.
    pub log_z: f64,
    /// The forward estimate, or the one back if that is lower, less two of its standard errors.
    pub log_z_low: f64,
    /// The highest of the three estimates, and two of its standard errors more.
    pub log_z_high: f64,
    /// From the base-rate model: low on average.
    pub forward: Estimate,
    /// Back from where the forward chains arrived: high on average.
    pub reverse: Estimate,
    /// Back from data: high on average if Gibbs steps lead from there to all of the model.
    pub reverse_from_data: Estimate,
    /// Chains each way.
    pub chains: usize,
    /// Temperatures each way.
    pub temperatures: usize,
    /// Why this is not to be believed, if it is not.
    pub doubt: Option<String>,
}

impl Ais {
    /// From each chain's log w: forwards, back from there, and back from data.
    fn new(log_base: f64, [ahead, back, from_data]: [&[f64]; 3], temperatures: usize) -> Self {
        let forward = Estimate::new(log_base, ahead, 1.0);
        let reverse = Estimate::new(log_base, back, -1.0);
        let reverse_from_data = Estimate::new(log_base, from_data, -1.0);
        let all = [&forward, &reverse, &reverse_from_data];
        let low = |estimate: &Estimate| estimate.log_z - 2.0 * estimate.standard_error;
        let high = |estimate: &Estimate| estimate.log_z + 2.0 * estimate.standard_error;
        let mut ais = Self {
            log_z: log_base + acceptance_ratio(ahead, back),
            log_z_low: low(&forward).min(low(&reverse)),
            log_z_high: all.map(high).into_iter().fold(f64::NEG_INFINITY, f64::max),
            forward,
            reverse,
            reverse_from_data,
            chains: ahead.len(),
            temperatures,
            doubt: None,
        };
        ais.doubt = ais.find_doubt();
        ais
    }

    fn find_doubt(&self) -> Option<String> {
        let Self { forward, reverse, reverse_from_data, log_z_low, log_z_high, .. } = self;
        let estimates = [forward, reverse, reverse_from_data];
        let numbers = estimates.map(|estimate| estimate.log_z + estimate.standard_error);
        if numbers.iter().chain([&self.log_z]).any(|number| !number.is_finite()) {
            return Some("a chain's weight is not a finite number: the parameters are too large".into());
        }
        let mut doubts = Vec::new();
        let width = log_z_high - log_z_low;
        if width > WIDEST {
            doubts.push(format!(
                "the bracket is {width:.2} nats wide, and {WIDEST} is the most: forwards log Z is {:.2}, backwards {:.2}, \
                 backwards from data {:.2}",
                forward.log_z, reverse.log_z, reverse_from_data.log_z
            ));
        }
        for (direction, estimate) in [("forwards", forward), ("backwards", reverse)] {
            let worth = estimate.effective_chains;
            if worth < FEWEST {
                doubts
                    .push(format!("the chains {direction} are worth {worth:.1}, and {FEWEST} is the least"));
            }
        }
        (!doubts.is_empty()).then(|| doubts.join("; ") + "; try more --temperatures or --chains")
    }
}

/// log(Z/Z_0) that makes chains of either direction equally likely to be taken for ones of the other (Bennett 1976;
/// for paths, Shirts, Bair, Hooker and Pande 2003): Σ σ(log w − x − log(n/n')) = Σ σ(log w' + x + log(n/n')), by bisection.
fn acceptance_ratio(forward: &[f64], reverse: &[f64]) -> f64 {
    let ratio = (forward.len() as f64 / reverse.len() as f64).ln();
    let guesses = || forward.iter().copied().chain(reverse.iter().map(|log_weight| -log_weight));
    // As far beyond the guesses as their numbers could move it.
    let mut low = guesses().fold(f64::INFINITY, f64::min) - ratio.abs();
    let mut high = guesses().fold(f64::NEG_INFINITY, f64::max) + ratio.abs();
    if !(low.is_finite() && high.is_finite()) {
        return f64::NAN;
    }
    for _ in 0..100 {
        let x = (low + high) / 2.0;
        let surplus = forward.iter().map(|log_weight| sigmoid(log_weight - x - ratio)).sum::<f64>()
            - reverse.iter().map(|log_weight| sigmoid(log_weight + x + ratio)).sum::<f64>();
        if surplus > 0.0 { low = x } else { high = x }
    }
    (low + high) / 2.0
}

/// The base-rate model: visible units that are independent, each on as often as in the data, and hidden units without
/// any weight.
#[derive(Clone, Debug)]
pub struct Base {
    bias: Vec<f32>,
    log_z: f64,
}

impl Base {
    /// From the share of cases in which each unit is on. It is clipped as for initial biases: the model may turn on what
    /// was never on in the data.
    pub fn new(shape: Shape, density: &[f64]) -> Self {
        let bias = Rbm::base_rates(density);
        let visible: f64 = bias.iter().map(|&b| softplus(f64::from(b))).sum();
        Self { log_z: visible + shape.hidden as f64 * std::f64::consts::LN_2, bias }
    }

    /// log f_0(v).
    fn log_density(&self, shape: Shape, visible: &[f32]) -> f64 {
        let bias: f64 = self.bias.iter().zip(visible).map(|(b, v)| f64::from(*b) * f64::from(*v)).sum();
        bias + shape.hidden as f64 * std::f64::consts::LN_2
    }

    /// b + (1/β − 1) b0: the visible biases with which the kernels, which multiply all of the energy by β, compute what lies
    /// between the base and a model of biases `bias`.
    pub fn towards(&self, bias: &[f32], beta: f32) -> Vec<f32> {
        let share = 1.0 / f64::from(beta) - 1.0;
        bias.iter()
            .zip(&self.bias)
            .map(|(b, base)| (f64::from(*b) + share * f64::from(*base)) as f32)
            .collect()
    }
}

/// What a draw is for, in the place of the Gibbs sweep: runs of one seed share no random number.
#[derive(Clone, Copy)]
enum Run {
    Pilot = 0,
    Forward = 1,
    WarmUp = 2,
    Reverse = 3,
}

/// Room for the chains on a device, to be used as often as one likes.
pub struct Annealer {
    visible: Units,
    hidden: Units,
    before: Values,
    after: Values,
    bias: Values,
    params: Params,
    options: AisOptions,
}

/// Where chains have got to: log w so far, and F at the temperature where they were last.
struct Chains {
    log_weights: Vec<f64>,
    energies: Vec<f64>,
}

impl Annealer {
    /// Makes room on a device that holds, or will hold, a model of this shape.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options out of range, [`crate::Error::Device`] when there is no room.
    pub fn new(backend: &mut dyn Backend, shape: Shape, options: AisOptions) -> Result<Self> {
        options.check()?;
        let chains = options.chains;
        Ok(Self {
            visible: backend.units(Layer::Visible, chains)?,
            hidden: backend.units(Layer::Hidden, chains)?,
            before: backend.values(chains)?,
            after: backend.values(chains)?,
            bias: backend.values(shape.visible)?,
            params: Params::new(shape, chains, options.seed),
            options,
        })
    }

    /// log Z of the model on the device, whose visible biases are `bias`; they are the same again afterwards. `starts`
    /// are binary data, from which the chains that go back begin.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn run(&self, backend: &mut dyn Backend, bias: &[f32], base: &Base, starts: &Rows) -> Result<Ais> {
        let outcome = self.both_ways(backend, bias, base, starts);
        self.set_bias(backend, bias);
        backend.submit()?;
        outcome
    }

    fn both_ways(&self, backend: &mut dyn Backend, bias: &[f32], base: &Base, starts: &Rows) -> Result<Ais> {
        let count = self.options.temperatures;
        let pilot_count = (count / 10).clamp(10, 1000);
        let pilot: Vec<f32> = (1..=pilot_count).map(|k| k as f32 / pilot_count as f32).collect();
        let mut deviations = Vec::new();
        self.forward(backend, bias, base, &pilot, Run::Pilot, |increments| {
            deviations.push(deviation(increments));
        })?;
        let temperatures = schedule(&pilot, &deviations, count);
        let forward = self.forward(backend, bias, base, &temperatures, Run::Forward, |_| {})?;
        let (_, arrived) = backend.read_units(self.visible, self.options.chains)?;
        let starts = self.starts(&arrived, &forward, starts);
        let reverse = self.reverse(backend, bias, base, &temperatures, &starts, pilot_count)?;
        let (back, from_data) = reverse.split_at(self.options.chains / 2);
        Ok(Ais::new(base.log_z, [&forward, back, from_data], count))
    }

    /// From the base to the model: each chain's log w. `watch` sees what every temperature adds to them.
    fn forward(
        &self,
        backend: &mut dyn Backend,
        bias: &[f32],
        base: &Base,
        temperatures: &[f32],
        run: Run,
        mut watch: impl FnMut(&[f64]),
    ) -> Result<Vec<f64>> {
        // Hidden units that are off leave the visible ones to their biases.
        let zeros = vec![0.0; self.options.chains * self.params.shape().hidden];
        backend.write_units(self.hidden, &zeros, &zeros);
        self.set_bias(backend, &base.bias);
        let params = self.params.sample(Stream::AnnealedVisible, run as u32);
        backend.sample_visible(&params, self.hidden, self.visible);
        let energies = self.base_energies(backend, base)?;
        let mut chains = Chains { log_weights: vec![0.0; energies.len()], energies };
        for (step, &beta) in (1..).zip(temperatures) {
            // At β = 1 the last weights are taken, and there is no need to move on.
            let sweeps = u32::from(step as usize != temperatures.len());
            let added = self.visit(backend, bias, base, (beta, step), run, sweeps, &mut chains)?;
            watch(&added);
        }
        Ok(chains.log_weights)
    }

    /// Where the chains that go back start: half where the forward ones arrived, each as often as its weight says
    /// (systematic resampling; Kitagawa 1996), and half at cases from all over the data, which may be in some order.
    fn starts(&self, arrived: &[f32], log_weights: &[f64], data: &Rows) -> Vec<f32> {
        let chains = self.options.chains;
        let half = chains / 2;
        let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = log_weights.iter().map(|log_weight| (log_weight - largest).exp()).collect();
        let share = weights.iter().sum::<f64>() / half as f64;
        let mut states = Vec::new();
        let (mut chain, mut passed) = (0, weights[0]);
        for start in 0..half {
            while passed < (start as f64 + 0.5) * share && chain + 1 < chains {
                chain += 1;
                passed += weights[chain];
            }
            states.extend_from_slice(
                &arrived[chain * self.params.shape().visible..][..self.params.shape().visible],
            );
        }
        states.extend((0..chains - half).flat_map(|start| data.values(start * data.len() / (chains - half))));
        states
    }

    /// From these starts, moved by so many Gibbs steps at β = 1, to the base: each chain's log w, which estimates 1/Z.
    fn reverse(
        &self,
        backend: &mut dyn Backend,
        bias: &[f32],
        base: &Base,
        temperatures: &[f32],
        starts: &[f32],
        warm_up: usize,
    ) -> Result<Vec<f64>> {
        backend.write_units(self.visible, starts, starts);
        self.set_bias(backend, bias);
        for step in 0..warm_up as u32 {
            self.sweep(backend, 1.0, step, Run::WarmUp);
            if step.is_multiple_of(16) {
                backend.submit()?;
            }
        }
        let mut states = Chains { log_weights: vec![0.0; self.options.chains], energies: Vec::new() };
        let last = temperatures.len();
        backend.free_energy(&self.params, self.visible, self.after);
        states.energies = self.read(backend, self.after)?;
        for step in (1..last).rev() {
            let place = (temperatures[step - 1], step as u32);
            self.visit(backend, bias, base, place, Run::Reverse, 1, &mut states)?;
        }
        for ((log_weight, energy), base) in
            states.log_weights.iter_mut().zip(&states.energies).zip(self.base_energies(backend, base)?)
        {
            *log_weight += energy - base;
        }
        Ok(states.log_weights)
    }

    /// Moves on to another temperature: weighs the chains where they are, then lets them move. Gives what was added.
    #[expect(clippy::too_many_arguments, reason = "the path, the place on it, and the chains")]
    fn visit(
        &self,
        backend: &mut dyn Backend,
        bias: &[f32],
        base: &Base,
        (beta, step): (f32, u32),
        run: Run,
        sweeps: u32,
        chains: &mut Chains,
    ) -> Result<Vec<f64>> {
        self.set_bias(backend, &base.towards(bias, beta));
        let params = Params { beta, ..self.params };
        backend.free_energy(&params, self.visible, self.before);
        for _ in 0..sweeps {
            self.sweep(backend, beta, step, run);
        }
        if sweeps > 0 {
            backend.free_energy(&params, self.visible, self.after);
        }
        let before = self.read(backend, self.before)?;
        let added: Vec<f64> = chains.energies.iter().zip(&before).map(|(last, now)| last - now).collect();
        chains.log_weights.iter_mut().zip(&added).for_each(|(log_weight, added)| *log_weight += added);
        chains.energies = if sweeps == 0 { before } else { self.read(backend, self.after)? };
        Ok(added)
    }

    /// A Gibbs step at β; the visible biases are those for it.
    fn sweep(&self, backend: &mut dyn Backend, beta: f32, step: u32, run: Run) {
        let params = Params { beta, step, ..self.params };
        let draw = |stream| params.sample(stream, run as u32);
        backend.sample_hidden(&draw(Stream::AnnealedHidden), self.visible, self.hidden);
        backend.sample_visible(&draw(Stream::AnnealedVisible), self.hidden, self.visible);
    }

    fn set_bias(&self, backend: &mut dyn Backend, bias: &[f32]) {
        backend.write_values(self.bias, bias);
        backend.set_visible_bias(&self.params, self.bias);
    }

    /// −log f_0 where the chains are.
    fn base_energies(&self, backend: &mut dyn Backend, base: &Base) -> Result<Vec<f64>> {
        let shape = self.params.shape();
        let (_, states) = backend.read_units(self.visible, self.options.chains)?;
        Ok(states.chunks(shape.visible).map(|visible| -base.log_density(shape, visible)).collect())
    }

    fn read(&self, backend: &mut dyn Backend, values: Values) -> Result<Vec<f64>> {
        let numbers = backend.read_values(values, self.options.chains)?;
        Ok(numbers.into_iter().map(f64::from).collect())
    }
}

fn deviation(numbers: &[f64]) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// So many temperatures, each step of which adds as much to the deviation of log w (Gelman and Meng 1998; a path
/// of constant speed), from the deviations that a pilot's steps added.
fn schedule(pilot: &[f32], deviations: &[f64], count: usize) -> Vec<f32> {
    let total: f64 = deviations.iter().sum();
    let mut previous = 0.0;
    let widths = pilot.iter().map(|&beta| beta - std::mem::replace(&mut previous, beta));
    // No part of the way is left almost without temperatures because the pilot saw nothing there.
    let lengths: Vec<f64> = widths
        .zip(deviations)
        .map(|(width, deviation)| {
            let share = if total > 0.0 && total.is_finite() { deviation / total } else { 0.0 };
            share + 0.1 * f64::from(width)
        })
        .collect();
    let total: f64 = lengths.iter().sum();
    let (mut segment, mut behind) = (0, 0.0);
    let mut temperatures: Vec<f32> = (1..count)
        .map(|k| {
            let aim = total * k as f64 / count as f64;
            while segment + 1 < lengths.len() && behind + lengths[segment] < aim {
                behind += lengths[segment];
                segment += 1;
            }
            let from = if segment == 0 { 0.0 } else { f64::from(pilot[segment - 1]) };
            let share = ((aim - behind) / lengths[segment]).clamp(0.0, 1.0);
            (from + share * (f64::from(pilot[segment]) - from)).max(1e-6) as f32
        })
        .collect();
    temperatures.push(1.0);
    temperatures
}
