//! Examines one training step: was the update the gradient, was every draw a draw, did the chains move?
//!
//! The parameters are read from the device before and after the step, with the units of both phases. The host computes what
//! the update should have been, for some of the weights and all biases.

mod kinds;

use serde::Serialize;

use crate::{
    backend::{Ascent, Backend, BackendExt, Draw, Offsets, Standardise, Variances, operation::ADAM_FIRST},
    check::wrong_states,
    config::Estimator,
    data::spread_out,
    doctor::{activity::deviations, model::bias_moves_as_one},
    error::Result,
    estimator::Phases,
    finding::Finding,
    rbm::{Rbm, Shape, Side},
    rng::{Address, Stream},
    train::{
        observer::{StepTaken, Watched},
        scales_of,
    },
};

/// The most products that the host computes for a step.
const WORK: usize = 1_000_000;
/// Cases whose inputs are followed through the update.
const FOLLOWED: usize = 16;

/// Means and states of one layer.
pub type Read = (Vec<f32>, Vec<f32>);

/// Numbers of the visible columns, and of the hidden ones.
pub type Means = (Vec<f32>, Vec<f32>);

/// Picks a tensor of a model.
type Pick = fn(&Rbm) -> &[f32];

/// Parameters before or after a step, and the last step if it is kept.
pub type Parameters = (Rbm, Option<Rbm>);

/// Waits for the device and reads the parameters and the last step.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
pub fn read(models: &Watched, backend: &mut dyn Backend) -> Result<Parameters> {
    let velocity = models.velocity.map(|velocity| backend.read_model(velocity)).transpose()?;
    Ok((backend.read_model(models.theta)?, velocity))
}

/// What was read of one step.
pub struct StepReading<'a> {
    /// What the step was given.
    pub taken: &'a StepTaken,
    /// The estimator of the model's mean.
    pub estimator: Estimator,
    /// Gibbs steps of the chains.
    pub k: u32,
    /// Parameters and last step before this one.
    pub before: &'a Parameters,
    /// Parameters and last step after this one.
    pub after: &'a Parameters,
    /// v and h of the positive phase.
    pub positive: (Read, Read),
    /// v and h of the negative phase.
    pub negative: (Read, Read),
    /// μ and λ, where there are any.
    pub offsets: Option<Means>,
    /// σ² and τ², where the gradient is divided by them.
    pub variances: Option<Means>,
    /// Means of the hidden units' statistics after the first, in the positive phase and in the negative one.
    pub moments: [Vec<f32>; 2],
}

/// How a group of parameters moved, compared with the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Move {
    /// Root mean square of the update.
    pub moved: f64,
    /// `moved` over the root mean square of the parameters: about 10⁻³ for weights (Hinton 2010, section 7).
    pub ratio: f64,
    /// The update over the learning rate times the gradient; should be 1.
    pub factor: f64,
    /// The share of the update that is not along the gradient; should be 0.
    pub residual: f64,
    /// The spread of the update over the units, as a share of its mean.
    pub spread: f64,
    /// The spread of the gradient over the units, as a share of its mean.
    pub expected_spread: f64,
    /// Number of parameters that were compared with the gradient.
    pub checked: usize,
    /// Whether the gradient was large enough to tell.
    pub measurable: bool,
}

/// How states were drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawn {
    /// A state is on where the step's own uniform is below the mean.
    Right,
    /// Not drawn: each state is its mean.
    Means,
    /// Drawn with the uniforms of this other step.
    Frozen(u32),
    /// Not drawn in any known way: the number of wrong states.
    Wrong(usize),
}

/// The figures of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepFigures {
    /// Number of the step since training began.
    pub step: u32,
    /// Number of cases.
    pub rows: usize,
    /// The moves of W, b and c.
    pub groups: [Move; 3],
    /// The moves of precisions, and of what else follows the biases, of visible and of hidden units.
    #[serde(skip_serializing_if = "no_moves")]
    pub precisions: [Option<Move>; 2],
    /// Whether `shift` is in the hidden units' own deviations, because some have a precision.
    #[serde(skip)]
    pub is_scaled: bool,
    /// Root mean square, over cases and units, of what the update adds to the inputs of the hidden units.
    pub shift: f64,
    /// How the hidden states that drive the chains were drawn; `None` for replicas, which are swapped.
    pub drawn: Option<Drawn>,
    /// Whether the cases are those of the step before.
    pub same_minibatch: bool,
    /// A lag in steps, and the correlation of the persistent chains' visible states over it.
    pub chain_correlation: Option<(u32, f64)>,
}

/// The least lag, in steps, for comparing chains: over fewer, chance alone may keep them in place.
const PATIENCE: u32 = 20;

/// What is kept of earlier steps.
#[derive(Default)]
pub struct Trace {
    /// Number and data of the last step.
    data: Option<(u32, Vec<f32>)>,
    /// Number and chains of a step at least [`PATIENCE`] steps before the next comparison.
    chains: Option<(u32, Vec<f32>)>,
}

const GROUPS: [&str; 5] =
    ["weights", "visible biases", "hidden biases", "visible precisions", "hidden precisions"];

/// Whether no unit has parameters after its bias.
fn no_moves(moves: &[Option<Move>; 2]) -> bool {
    moves.iter().all(Option::is_none)
}

impl StepReading<'_> {
    /// Reads the units that a step left.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn units(backend: &mut dyn Backend, phases: Phases) -> Result<[Read; 4]> {
        let Phases { positive, negative, rows, chains } = phases;
        Ok([
            backend.read_units(positive.visible, rows)?,
            backend.read_units(positive.hidden, rows)?,
            backend.read_units(negative.visible, chains)?,
            backend.read_units(negative.hidden, chains)?,
        ])
    }

    /// Reads the offsets that a step had.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn offsets(backend: &mut dyn Backend, taken: &StepTaken) -> Result<Option<Means>> {
        let Some(Offsets { visible, hidden }) = taken.models.offsets else { return Ok(None) };
        let shape = taken.shape;
        Ok(Some((backend.read_values(visible, shape.visible)?, backend.read_values(hidden, shape.hidden)?)))
    }

    /// Reads the variances that a step had.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn variances(backend: &mut dyn Backend, taken: &StepTaken) -> Result<Option<Means>> {
        let Some(Variances { visible, hidden }) = taken.models.variances else { return Ok(None) };
        let shape = taken.shape;
        Ok(Some((backend.read_values(visible, shape.visible)?, backend.read_values(hidden, shape.hidden)?)))
    }

    /// Reads what the hidden units of both phases left besides their means.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn moments(backend: &mut dyn Backend, phases: Phases) -> Result<[Vec<f32>; 2]> {
        let Phases { positive, negative, rows, chains } = phases;
        Ok([backend.read_moments(positive.hidden, rows)?, backend.read_moments(negative.hidden, chains)?])
    }

    /// Computes all figures, with the trace of earlier steps, and adds this step to the trace.
    pub fn measure(&self, trace: &mut Trace) -> StepFigures {
        let step = self.taken.step;
        let data = &self.positive.0.1;
        let same = trace.data.as_ref().is_some_and(|(last, rows)| last + 1 == step && rows == data);
        trace.data = Some((step, data.clone()));
        StepFigures {
            step,
            rows: self.taken.phases.rows,
            groups: self.groups(),
            precisions: self.precisions(),
            is_scaled: self.before.0.layers().hidden.planes() > 1,
            shift: self.shift(),
            drawn: self.drawn(),
            same_minibatch: same && self.is_various(),
            chain_correlation: self.chains(&mut trace.chains),
        }
    }

    fn chains(&self, earlier: &mut Option<(u32, Vec<f32>)>) -> Option<(u32, f64)> {
        if self.estimator == Estimator::Cd {
            return None;
        }
        let (step, states) = (self.taken.step, &self.negative.0.1);
        let past = earlier.get_or_insert_with(|| (step, states.clone()));
        let lag = step - past.0;
        if lag < PATIENCE {
            return None;
        }
        let found = correlation(&past.1, states, self.taken.shape.visible);
        *past = (step, states.clone());
        found.map(|found| (lag, found))
    }

    /// Whether the data have enough different cases that two equal minibatches cannot be chance.
    fn is_various(&self) -> bool {
        let mut rows = self.positive.0.1.chunks(self.taken.shape.visible);
        let first = rows.next();
        self.taken.phases.rows >= FEWEST_ROWS && rows.any(|row| Some(row) != first)
    }

    fn groups(&self) -> [Move; 3] {
        let &StepTaken {
            shape,
            contrast,
            l1b,
            ascent,
            is_moved_later,
            phases: Phases { rows, chains, .. },
            ..
        } = self.taken;
        let Shape { visible, hidden } = shape;
        let centred = contrast.centred == 1;
        let phases = [(&self.positive, rows), (&self.negative, chains)];
        let offset = |of: fn(&Means) -> &Vec<f32>, at: usize| {
            self.offsets.as_ref().map_or(0.0, |offsets| f64::from(of(offsets)[at]))
        };
        let mu = |i: usize| if centred { offset(|offsets| &offsets.0, i) } else { 0.0 };
        let lambda = |j: usize| if centred { offset(|offsets| &offsets.1, j) } else { 0.0 };
        let difference = |mean: &dyn Fn(&(Read, Read), usize) -> f64| {
            let of = |(phase, rows): (&(Read, Read), usize)| {
                (0..rows).map(|row| mean(phase, row)).sum::<f64>() / rows as f64
            };
            of(phases[0]) - of(phases[1])
        };
        let v = |phase: &(Read, Read), row: usize, i: usize| f64::from(phase.0.1[row * visible + i]) - mu(i);
        let h =
            |phase: &(Read, Read), row: usize, j: usize| f64::from(phase.1.0[row * hidden + j]) - lambda(j);

        let count = (WORK / (phases[0].1 + phases[1].1).max(1)).clamp(64, 8192);
        let weights = spread_out(visible * hidden, count);
        let (before, velocity) = self.before;
        let after = self.after;
        let before_weights = before.weights();
        let adam = ascent.rule == Ascent::ADAM;
        let rate = if adam { 1.0 - ADAM_FIRST } else { f64::from(ascent.rate) };
        let momentum = if adam { ADAM_FIRST } else { f64::from(ascent.momentum) };
        let decay = |w: f32| {
            let sign = if w == 0.0 { 0.0 } else { f64::from(w.signum()) };
            let decay = f64::from(ascent.weight_decay) * f64::from(w) + f64::from(ascent.l1) * sign;
            if adam { 0.0 } else { decay }
        };
        let scales = scales_of(&before.layers().visible);
        let mut sums = vec![0.0; hidden];
        if l1b > 0.0 {
            for (row, &scale) in before_weights.chunks(hidden).zip(&scales) {
                row.iter().zip(&mut sums).for_each(|(w, sum)| *sum += f64::from(scale * w.abs()));
            }
        }
        let penalty = |i: usize, j: usize| {
            let w = before_weights[i * hidden + j];
            let sign = if w == 0.0 { 0.0 } else { f64::from(w.signum()) };
            f64::from(l1b) * sums[j] * f64::from(scales[i]) * sign
        };
        let sparse = |j: usize| {
            let excess = || offset(|offsets| &offsets.1, j) - f64::from(contrast.sparsity_target);
            if contrast.is_sparse() { f64::from(contrast.sparsity_cost) * excess() } else { 0.0 }
        };
        let by = |of: fn(&Means) -> &Vec<f32>, at: usize| {
            let variance = |all: &Means| f64::from(of(all)[at] + Standardise::USUAL.ridge);
            self.variances.as_ref().map_or(1.0, variance)
        };
        let of_visible = |i: usize| by(|variances| &variances.0, i);
        let of_hidden = |j: usize| by(|variances| &variances.1, j);
        let data_mean =
            |i: usize| (0..phases[0].1).map(|row| v(phases[0].0, row, i)).sum::<f64>() / phases[0].1 as f64;
        // Where more than the velocity is added, or less is kept, only the velocity shows the gradient.
        let by_velocity = adam || ascent.rule == Ascent::NESTEROV || is_moved_later;
        let change = |pick: Pick, at: usize| f64::from(pick(&after.0)[at]) - f64::from(pick(before)[at]);
        let shifts = if centred { self.shifts() } else { Default::default() };
        let moved = |pick: Pick, tensor: usize, at: usize| match &after.1 {
            Some(velocity) if by_velocity || centred && tensor > 0 => f64::from(pick(velocity)[at]),
            // A centred bias moves against the weights' shift too, which is undone here.
            _ if centred && tensor > 0 => change(pick, at) + shifts[tensor - 1][at],
            _ => change(pick, at),
        };
        let group = |indices: Vec<usize>, pick: Pick, tensor: usize, gradient: &dyn Fn(usize) -> f64| {
            let pairs: Vec<(f64, f64)> = indices
                .iter()
                .map(|&at| {
                    let carried =
                        velocity.as_ref().map_or(0.0, |velocity| momentum * f64::from(pick(velocity)[at]));
                    (moved(pick, tensor, at) - carried, rate * gradient(at))
                })
                .collect();
            let size: f64 = rms(indices.iter().map(|&at| f64::from(pick(before)[at])));
            let whole = rms(indices.iter().map(|&at| change(pick, at)));
            (pairs, whole, size)
        };
        let mut groups = [
            group(weights, |rbm| rbm.weights(), 0, &|at| {
                let (i, j) = (at / hidden, at % hidden);
                let gradient = difference(&|phase, row| v(phase, row, i) * h(phase, row, j));
                (gradient - sparse(j) * data_mean(i)) / (of_visible(i) * of_hidden(j))
                    - penalty(i, j)
                    - decay(before_weights[at])
            }),
            group((0..visible).collect(), |rbm| rbm.visible_bias(), 1, &|i| {
                difference(&|phase, row| v(phase, row, i)) / of_visible(i)
            }),
            group((0..hidden).collect(), |rbm| rbm.hidden_bias(), 2, &|j| {
                (difference(&|phase, row| h(phase, row, j)) - sparse(j)) / of_hidden(j)
            }),
        ];
        if self.taken.is_clipped {
            // One factor for all groups, as clipping has: what fits best.
            let sum =
                |of: fn(&(f64, f64)) -> f64| groups.iter().flat_map(|(pairs, ..)| pairs).map(of).sum::<f64>();
            let squares = sum(|(_, expected)| expected * expected);
            let factor =
                if squares > 0.0 { sum(|(moved, expected)| moved * expected) / squares } else { 1.0 };
            let pairs = groups.iter_mut().flat_map(|(pairs, ..)| pairs);
            pairs.for_each(|(_, expected)| *expected *= factor.clamp(0.0, 1.0));
        }
        groups.map(|(pairs, whole, size)| Move::of(&pairs, whole, size))
    }

    /// ΔW λ and ΔWᵀ μ: the biases of a centred step move by their negatives.
    fn shifts(&self) -> [Vec<f64>; 2] {
        let Shape { visible, hidden } = self.taken.shape;
        let Some((mu, lambda)) = &self.offsets else { return Default::default() };
        let mut shifts = [vec![0.0; visible], vec![0.0; hidden]];
        for (at, (after, before)) in self.after.0.weights().iter().zip(self.before.0.weights()).enumerate() {
            let (i, j, change) = (at / hidden, at % hidden, f64::from(*after) - f64::from(*before));
            shifts[0][i] += change * f64::from(lambda[j]);
            shifts[1][j] += change * f64::from(mu[i]);
        }
        shifts
    }

    fn shift(&self) -> f64 {
        let Shape { visible, hidden } = self.taken.shape;
        let rows = self.taken.phases.rows.min(FOLLOWED);
        let units = spread_out(hidden, (WORK / rows / visible).max(1));
        let (before, after) = (&self.before.0, &self.after.0);
        let scales = deviations(&before.layers().hidden, before.potentials(Side::Hidden));
        let scales = &scales;
        let change = |of: Pick, at: usize| f64::from(of(after)[at]) - f64::from(of(before)[at]);
        rms((0..rows).flat_map(|row| {
            let v = &self.positive.0.1[row * visible..][..visible];
            units.iter().map(move |&j| {
                let on = v.iter().enumerate().filter(|&(_, &x)| x != 0.0);
                let input = change(|rbm| rbm.hidden_bias(), j)
                    + on.map(|(i, &x)| f64::from(x) * change(|rbm| rbm.weights(), i * hidden + j))
                        .sum::<f64>();
                input * f64::from(scales[j])
            })
        }))
    }

    fn drawn(&self) -> Option<Drawn> {
        let &StepTaken { shape: Shape { hidden, .. }, seed, step, .. } = self.taken;
        let ((means, states), sweep) = match self.estimator {
            Estimator::Cd => (&self.positive.1, 0),
            Estimator::Pcd => (&self.negative.1, self.k - 1),
            Estimator::Pt | Estimator::Tt => return None,
        };
        let some = (64 * hidden).min(means.len());
        let (means, states) = (&means[..some], &states[..some]);
        let is_binary = self.before.0.layers().hidden.is_binary();
        let wrong = |step: u32| {
            let address = Address::new(Stream::Train, step).layer(Side::Hidden.number()).sweep(sweep);
            let draw = Draw::at(seed, address);
            match is_binary {
                true => wrong_states(&draw, hidden, means, states),
                false => self.wrong_units(&draw, means, states),
            }
        };
        let found = wrong(step);
        if found == 0 {
            return Some(Drawn::Right);
        }
        if means == states {
            return Some(Drawn::Means);
        }
        let other = [0, step.wrapping_sub(1)].into_iter().find(|&step| wrong(step) == 0);
        Some(other.map_or(Drawn::Wrong(found), Drawn::Frozen))
    }
}

impl Move {
    /// Compares pairs of an actual and an expected update.
    fn of(pairs: &[(f64, f64)], whole: f64, size: f64) -> Self {
        let moved = rms(pairs.iter().map(|pair| pair.0));
        let expected = rms(pairs.iter().map(|pair| pair.1));
        let product: f64 = pairs.iter().map(|(moved, expected)| moved * expected).sum();
        let factor = product / pairs.len() as f64 / expected.powi(2);
        let rest = rms(pairs.iter().map(|(moved, expected)| moved - factor * expected));
        let spread = |pick: fn(&(f64, f64)) -> f64| {
            let mean = pairs.iter().map(pick).sum::<f64>() / pairs.len() as f64;
            rms(pairs.iter().map(|pair| pick(pair) - mean)) / mean.abs().max(1e-30)
        };
        Self {
            moved: whole,
            ratio: whole / size,
            factor,
            residual: rest / moved.max(1e-30),
            spread: spread(|pair| pair.0),
            expected_spread: spread(|pair| pair.1),
            checked: pairs.len(),
            // Single precision rounds a parameter to 2⁻²⁴ of itself.
            measurable: expected > 2e-5 * size && expected > 1e-9 && moved.is_finite(),
        }
    }
}

impl StepFigures {
    /// Checks the step against the equations.
    pub fn arithmetic(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let step = self.step;
        let own = "W ← W + ε(⟨v hᵀ⟩_data − ⟨v hᵀ⟩_model), b ← b + ε(⟨v⟩_data − ⟨v⟩_model), c ← c + ε(⟨h⟩_data − ⟨h⟩_model), \
                   ⟨·⟩ a mean over the cases";
        let more = self.precisions.iter().map(Option::as_ref);
        for (group, name) in self.groups.iter().map(Some).chain(more).zip(GROUPS) {
            let Some(group) = group else { continue };
            let Move { factor, residual, spread, expected_spread, .. } = *group;
            let bias = [GROUPS[1], GROUPS[2]].contains(&name);
            let seen =
                format!("at step {step} the update of the {name} was {factor:.4} times ε times the gradient");
            if !group.measurable {
                continue;
            }
            if group.moved == 0.0 {
                found.push(Finding::error(
                    "parameters-frozen",
                    format!("at step {step} the {name} did not move, but their gradient is not 0"),
                    "an update that is computed but never applied, or a parameter that was left out of it, learns nothing",
                    format!("in your own code: {own}; all three of them, and written back"),
                ));
            } else if bias && group.checked > 2 && spread < 1e-3 && expected_spread > 0.05 {
                let letter = if name == GROUPS[1] { "b" } else { "c" };
                found.push(bias_moves_as_one(
                    format!(
                        "at step {step} all {} {name} moved by the same {:.3e}",
                        group.checked, group.moved
                    ),
                    letter,
                ));
            } else if residual < 0.05 && factor < 0.0 {
                found.push(Finding::error(
                    "gradient-sign",
                    format!("{seen}: against it"),
                    "the data's mean raises the likelihood of the data, the model's mean lowers that of what the model believes; \
                     the other way round the model unlearns (equations 26 to 28)",
                    format!("in your own code: data minus model, {own}"),
                ));
            } else if residual < 0.05 && self.rows > 1 && (factor / self.rows as f64 - 1.0).abs() < 0.02 {
                found.push(Finding::error(
                    "gradient-not-averaged",
                    format!("{seen}: {} is the number of cases", self.rows),
                    "a sum over N cases is N times the mean, and so is the learning rate, which changes with the size of the \
                     minibatch (Hinton 2010, section 4)",
                    format!("in your own code: divide by the number of cases, {own}"),
                ));
            } else if residual < 0.05 && (factor - 1.0).abs() > 0.05 {
                found.push(Finding::error(
                    "update-scaled",
                    seen,
                    "a step that is not ε times the gradient has another learning rate",
                    format!("in your own code: {own}; for this device: rbm-gpu verify"),
                ));
            } else if residual >= 0.05 {
                found.push(Finding::error(
                    "update-wrong",
                    format!("{seen}, and {:.0} % of it is something else", 100.0 * residual),
                    "an update that is not along the gradient learns something else, or nothing (equations 26 to 28)",
                    format!("in your own code: {own}; for this device: rbm-gpu verify"),
                ));
            }
        }
        found.extend(self.draws());
        if self.same_minibatch {
            found.push(Finding::error(
                "same-minibatch",
                format!("steps {} and {step} had the same cases", step - 1),
                "a run that is always shown the same minibatch learns nothing of the others (Hinton 2010, section 4)",
                "in your own code: shuffle once an epoch, and take the next cases at each step",
            ));
        }
        found
    }

    fn draws(&self) -> Option<Finding> {
        let step = self.step;
        let own = "in your own code: h = (p > rand()), with fresh uniforms for each draw; in a graph, by a generator that runs \
                   with it, not by numbers drawn when it was built";
        match self.drawn? {
            Drawn::Right => None,
            Drawn::Means => Some(Finding::error(
                "hidden-not-sampled",
                format!(
                    "at step {step} the hidden units that drive the reconstruction are probabilities, not states"
                ),
                "a hidden unit that passes on its probability sends more than its one bit, and the chains don't sample the \
                 model (Hinton 2010, section 3.1)",
                own,
            )),
            Drawn::Frozen(other) => Some(Finding::error(
                "random-numbers-frozen",
                format!("the states of step {step} were drawn with the random numbers of step {other}"),
                "the same numbers in every step are no sample: a unit of equal probability always gets the same state, \
                 and the model learns that",
                own,
            )),
            Drawn::Wrong(count) => Some(Finding::error(
                "random-numbers-wrong",
                format!("at step {step}, {count} hidden states are not u < p for this step's own uniforms u"),
                "states that are not drawn from p(h|v) are no sample of the model",
                own,
            )),
        }
    }
}

/// Root mean square.
fn rms(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        sum += value * value;
        count += 1;
    }
    (sum / f64::from(count.max(1))).sqrt()
}

/// The fewest chains to tell whether they move, and the fewest cases to tell whether they are others.
const FEWEST_ROWS: usize = 8;

/// Correlation of states at two times, about the mean of each unit: 1 if all are unchanged; `None` if undefined.
fn correlation(before: &[f32], after: &[f32], units: usize) -> Option<f64> {
    let rows = before.len().min(after.len()) / units;
    if rows < FEWEST_ROWS {
        return None;
    }
    if before == after {
        // States that are nearly all off, or all on, are equal by chance.
        let is_rare =
            [0.0, 1.0, -1.0].iter().any(|value| before.iter().filter(|x| *x != value).count() < FEWEST_ROWS);
        return (!is_rare).then_some(1.0);
    }
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for unit in 0..units {
        let column = |states: &[f32]| -> Vec<f64> {
            (0..rows).map(|row| f64::from(states[row * units + unit])).collect()
        };
        let (a, b) = (column(before), column(after));
        let mean = |x: &[f64]| x.iter().sum::<f64>() / rows as f64;
        let (a_mean, b_mean) = (mean(&a), mean(&b));
        for (a, b) in a.iter().zip(&b) {
            both += (a - a_mean) * (b - b_mean);
            first += (a - a_mean).powi(2);
            second += (b - b_mean).powi(2);
        }
    }
    (first > 0.0 && second > 0.0).then(|| both / (first * second).sqrt())
}
