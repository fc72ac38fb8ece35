//! The doctor's own test bench. Faults are put into data, options, gradient and model, one at a time; the doctor must
//! name each in its first two findings. Of healthy runs it must say nothing worse than a note.
//!
//! The trainer, the devices and the doctor are the real ones. A fault in the arithmetic is a wrapper around the backend
//! ([`Faulty`]); one in the data is a change of the data set; one in the options is an option. A new check comes with its
//! fault, a row in [`FAULTS`].

mod kinds;

use crate::common::some_mnist;
use rbm_gpu::{
    Error,
    backend::{
        Ascent, Backend, BackendExt, Buffer, Ceiling, ClampUnits, Clip, Combine, Contrast, Copy, Data,
        DeviceInfo, Draw, Energy, FillMissing, FreeEnergy, Gather, HalfStep, LimitNorms, Memory, Model,
        MultiplyAdd, Offsets, Pair, Path, Penalise, Reading, SquaredError, Standardise, Swap, Track, Units,
        Update, Values, Variances,
    },
    config::{Binarize, DeviceChoice, Estimator, LearningRate, Optimizer, Switch, TrainConfig},
    cpu::Cpu,
    data::{Dataset, RowLayout, Rows, Source},
    finding::{Finding, NAMES, sorted},
    rbm::{Layers, Rbm, Shape, Side},
    rng::{Philox, Stream, uniform_at},
    train::{Event, Trainer},
    verify::verify_backend,
};

type Result<T> = rbm_gpu::Result<T>;

/// A fault of the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Sums over the cases instead of means.
    NotAveraged,
    /// Sums divided by the cases twice.
    AveragedTwice,
    /// One number for all visible biases.
    ScalarVisibleBias,
    /// One number for all hidden biases.
    ScalarHiddenBias,
    /// The model's mean minus the data's.
    SignOfAll,
    /// The model's mean minus the data's, for the visible biases alone.
    SignOfVisibleBias,
    /// W is not updated.
    WeightsNotUpdated,
    /// The negative phase uses the data as its visible units.
    WrongVisible,
    /// W in place of Wᵀ.
    NotTransposed,
    /// Every step uses the first step's random numbers.
    FrozenNumbers,
    /// Hidden units pass on their probabilities.
    NotSampled,
    /// Every minibatch is the first.
    SameMinibatch,
    /// Chains at a thousandth of the temperature, in a model with large weights.
    ColdChains,
    /// Weights begin at N(0, 1).
    LargeWeights,
    /// Visible biases begin at 0.
    ZeroBiases,
    /// Half of the hidden biases are at −40, or at 40.
    HiddenBias(f32),
    /// All hidden units begin with the same weights.
    EqualUnits,
    /// A weight becomes NaN.
    NanAtStep(u32),
}

/// The native path with a fault.
struct Faulty {
    inner: Box<dyn Backend>,
    fault: Fault,
    /// Whether the initial model was written.
    started: bool,
    /// The step of the last draw in training.
    step: u32,
}

impl Faulty {
    fn new(layers: impl Into<Layers>, fault: Fault) -> Self {
        Self { inner: Box::new(Cpu::open(layers)), fault, started: false, step: 0 }
    }

    /// Takes a step and lets `change` spoil it. `change` gets the model and the velocity before the step and after it.
    fn after_update(
        &mut self,
        op: &Update,
        [positive, negative]: [Pair; 2],
        offsets: Option<Offsets>,
        (model, velocity): (Model, Option<Model>),
        change: impl FnOnce([&Rbm; 2], [&mut Rbm; 2]),
    ) {
        // A step that the run does not keep is kept for `change`.
        let velocity = velocity.unwrap_or_else(|| self.inner.model().unwrap());
        let models = [model, velocity];
        let [before, old] = models.map(|model| self.inner.read_model(model).unwrap());
        self.inner.update(op, positive, negative, offsets, model, Some(velocity));
        let [mut after, mut new] = models.map(|model| self.inner.read_model(model).unwrap());
        change([&before, &old], [&mut after, &mut new]);
        self.inner.write_model(model, &after);
        self.inner.write_model(velocity, &new);
    }

    /// The half step to a layer, with the fault.
    fn half_step(&mut self, op: &HalfStep, to: Side) -> HalfStep {
        let draw = op.draw;
        // The lower 8 bits are the stream.
        let training = draw.is_drawn() && draw.purpose & 0xFF == Stream::Train as u32;
        if training {
            self.step = draw.step;
        }
        match self.fault {
            Fault::FrozenNumbers => HalfStep { draw: Draw { step: 0, ..draw }, ..*op },
            Fault::NotSampled if to == Side::Hidden => HalfStep { draw: Draw::none(), ..*op },
            Fault::ColdChains if training => op.at(1000.0),
            _ => *op,
        }
    }

    /// Whether half steps to this layer use W in place of Wᵀ.
    fn is_untransposed(&self, to: Side) -> bool {
        self.fault == Fault::NotTransposed && to == Side::Visible
    }

    /// A half step to the visible units with W.
    #[expect(clippy::needless_range_loop, reason = "i and j are the equation's")]
    fn sample_untransposed(&mut self, op: &HalfStep, path: Path, hidden: Units, visible: Units) {
        let rbm = self.inner.read_model(path.model).unwrap();
        let Shape { visible: m, hidden: n } = rbm.shape();
        let base = path.base.map_or(vec![0.0; m], |base| self.inner.read_values(base, m).unwrap());
        let h = self.inner.read_units(hidden, op.rows as usize).unwrap().1;
        let (mut means, mut states) = (Vec::new(), Vec::new());
        for (row, h) in h.chunks(n).enumerate() {
            for i in 0..m {
                let sum: f32 = (0..n).map(|j| h[j] * rbm.weights()[j * m + i]).sum();
                let input = op.beta * (rbm.visible_bias()[i] + sum) + (1.0 - op.beta) * base[i];
                let mean = 1.0 / (1.0 + (-input).exp());
                let u = uniform_at(op.draw.seed(), op.draw.address(), op.draw.chain(row), i as u32);
                means.push(mean);
                states.push(if op.draw.is_drawn() { f32::from(u < mean) } else { mean });
            }
        }
        self.inner.write_units(visible, &means, &states);
    }
}

/// The fault of biases that all get the same sum of their gradients.
fn one_number(velocity_before: &[f32], momentum: f32, after: &mut [f32], velocity: &mut [f32]) {
    let gradients = velocity.iter().zip(velocity_before).map(|(new, old)| new - momentum * old);
    let sum: f32 = gradients.sum();
    for ((velocity, old), after) in velocity.iter_mut().zip(velocity_before).zip(after) {
        let wrong = momentum * old + sum;
        *after += wrong - *velocity;
        *velocity = wrong;
    }
}

/// Methods that forward to the device within.
macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        $(fn $name(&mut self, $($argument: $kind),*) $(-> $result)? {
            self.inner.$name($($argument),*)
        })*
    };
}

impl Memory for Faulty {
    fn layers(&self) -> &Layers {
        self.inner.layers()
    }

    forward! {
        model() -> Result<Model>;
        units(layer: Side, rows: usize) -> Result<Units>;
        data(layout: RowLayout, rows: usize) -> Result<Data>;
        values(count: usize) -> Result<Values>;
        uniforms(count: usize) -> Result<()>;
    }
}

impl Ceiling for Faulty {
    forward! {
        multiply_add(op: &MultiplyAdd, values: Values);
        copy(op: &Copy, from: Values, to: Values);
    }
}

impl Backend for Faulty {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn write_model(&mut self, model: Model, rbm: &Rbm) {
        let mut rbm = rbm.clone();
        // The first model of a run is the initial one.
        if !std::mem::replace(&mut self.started, true) {
            let hidden = rbm.shape().hidden;
            match self.fault {
                Fault::LargeWeights | Fault::ColdChains => {
                    let mut generator = Philox::new(3, Stream::Synthetic, 0);
                    rbm.weights_mut().iter_mut().for_each(|w| {
                        *w = rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut generator)
                    });
                }
                Fault::ZeroBiases => rbm.visible_bias_mut().fill(0.0),
                Fault::HiddenBias(bias) => rbm.hidden_bias_mut()[..hidden / 2].fill(bias),
                Fault::EqualUnits => rbm.weights_mut().chunks_mut(hidden).for_each(|row| row.fill(row[0])),
                _ => {}
            }
        }
        self.inner.write_model(model, &rbm);
    }

    fn gather(&mut self, op: &Gather, data: Data, visible: Units) {
        let op = if self.fault == Fault::SameMinibatch { op.from_row(0) } else { *op };
        self.inner.gather(&op, data, visible);
    }

    fn sample(&mut self, op: &HalfStep, path: Path, from: Units, to: Units) {
        let op = self.half_step(op, to.layer);
        if self.is_untransposed(to.layer) {
            return self.sample_untransposed(&op, path, from, to);
        }
        self.inner.sample(&op, path, from, to);
    }

    fn sample_twice(&mut self, model: Model, minibatches: [(&HalfStep, Units, Units); 2]) {
        let ops = minibatches.map(|(op, _, to)| self.half_step(op, to.layer));
        let [one, other] = [0, 1].map(|at| (&ops[at], minibatches[at].1, minibatches[at].2));
        if self.is_untransposed(one.2.layer) {
            return [one, other]
                .into_iter()
                .for_each(|(op, from, to)| self.sample_untransposed(op, model.into(), from, to));
        }
        self.inner.sample_twice(model, [one, other]);
    }

    fn update(
        &mut self,
        op: &Update,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        model: Model,
        velocity: Option<Model>,
    ) {
        let (rows, momentum) = (op.rows as f32, op.momentum);
        let scaled = |factor: f32| Update { rate: op.rate * factor, ..*op };
        let (op, positive, negative) = match self.fault {
            Fault::NotAveraged => (&scaled(rows), positive, negative),
            Fault::AveragedTwice => (&scaled(1.0 / rows), positive, negative),
            Fault::SignOfAll => (op, negative, positive),
            Fault::WrongVisible => (op, positive, Pair { visible: positive.visible, ..negative }),
            _ => (op, positive, negative),
        };
        let (phases, models) = ([positive, negative], (model, velocity));
        match self.fault {
            Fault::ScalarVisibleBias => {
                self.after_update(op, phases, offsets, models, |[_, old], [after, new]| {
                    let (b, v) = (after.visible_bias_mut(), new.visible_bias_mut());
                    one_number(old.visible_bias(), momentum, b, v);
                })
            }
            Fault::ScalarHiddenBias => {
                self.after_update(op, phases, offsets, models, |[_, old], [after, new]| {
                    let (c, v) = (after.hidden_bias_mut(), new.hidden_bias_mut());
                    one_number(old.hidden_bias(), momentum, c, v);
                })
            }
            Fault::SignOfVisibleBias => {
                self.after_update(op, phases, offsets, models, |[_, old], [after, new]| {
                    for i in 0..old.shape().visible {
                        let velocity = 2.0 * momentum * old.visible_bias()[i] - new.visible_bias()[i];
                        after.visible_bias_mut()[i] += velocity - new.visible_bias()[i];
                        new.visible_bias_mut()[i] = velocity;
                    }
                })
            }
            Fault::WeightsNotUpdated => {
                self.after_update(op, phases, offsets, models, |[before, old], [after, new]| {
                    after.weights_mut().copy_from_slice(before.weights());
                    new.weights_mut().copy_from_slice(old.weights());
                })
            }
            Fault::NanAtStep(step) if step == self.step => {
                self.after_update(op, phases, offsets, models, |_, [after, _]| {
                    after.weights_mut()[7] = f32::NAN
                })
            }
            _ => self.inner.update(op, positive, negative, offsets, model, velocity),
        }
    }

    forward! {
        write_data(data: Data, words: &[u32]);
        write_order(data: Data, order: &[u32]);
        write_uniforms(uniforms: &[f32]);
        write_units(units: Units, means: &[f32], states: &[f32]);
        write_values(values: Values, numbers: &[f32]);
        gradient(op: &Contrast, positive: Pair, negative: Pair, offsets: Option<Offsets>, gradient: Model);
        standardise(op: &Standardise, variances: Variances, gradient: Model);
        penalise(op: &Penalise, scales: Values, model: Model, gradient: Model);
        clip(op: &Clip, gradient: Model);
        ascend(op: &Ascent, gradient: Model, model: Model, velocity: Model, squares: Option<Model>);
        recentre(step: Model, offsets: Offsets, model: Model);
        limit_norms(op: &LimitNorms, model: Model);
        fix_gauge(model: Model);
        track(op: &Track, hidden: Units, means: Values);
        track_variances(op: &Track, hidden: Units, means: Values, variances: Values);
        combine(op: &Combine, other: Model, model: Model);
        squared_error(op: &SquaredError, visible: Units, reconstruction: Units, values: Values);
        free_energy(op: &FreeEnergy, path: Path, visible: Units, values: Values);
        energy(op: &Energy, path: Path, pair: Pair, values: Values);
        swap(op: &Swap, cold: (Units, Values), hot: (Units, Values), accepted: Values, trips: Values);
        clamp_units(op: &ClampUnits, known: Units, mask: Values, visible: Units);
        fill_missing(op: &FillMissing, observed: Units, fill: Values, mask: Values, visible: Units);
        submit() -> Result<()>;
        read(buffer: Buffer, rows: usize) -> Reading;
        wait() -> Result<()>;
        lose();
    }
}

fn bars(size: usize) -> Dataset {
    Source::BarsAndStripes(size).load().unwrap()
}

fn shifter() -> Dataset {
    Source::Shifter.load().unwrap()
}

/// The digits with each row's bytes changed; all columns have one scale.
fn changed(dataset: Dataset, scale: f32, change: impl Fn(usize, u8, Vec<u8>) -> Vec<u8>) -> Dataset {
    let cases = |mut cases: rbm_gpu::data::Cases| {
        let labels = cases.labels.clone().unwrap();
        let rows: Vec<Vec<u8>> = (0..cases.rows.len())
            .map(|row| {
                let bytes = cases.rows.values(row).map(|x| (x * 255.0).round() as u8).collect();
                change(row, labels[row] as u8, bytes)
            })
            .collect();
        cases.rows = Rows::from_bytes(rows[0].len(), &rows.concat(), scale);
        cases
    };
    let (train, test) = (cases(dataset.train), dataset.test.map(cases));
    let units = train.rows.layout().units;
    let image = if units == dataset.image.0 * dataset.image.1 { dataset.image } else { (1, units) };
    Dataset { test, classes: dataset.classes, ..Dataset::new(image, train) }
}

/// The data with each number changed, to any other.
fn mapped(mut dataset: Dataset, change: impl Fn(usize, f32) -> f32) -> Dataset {
    for cases in [Some(&mut dataset.train), dataset.test.as_mut()].into_iter().flatten() {
        let units = cases.rows.layout().units;
        let values = (0..cases.rows.len()).flat_map(|row| cases.rows.values(row).collect::<Vec<_>>());
        let values: Vec<f32> = values.enumerate().map(|(at, x)| change(at, x)).collect();
        cases.rows = Rows::from_values(units, &values);
    }
    dataset
}

/// A small and healthy run.
fn small() -> TrainConfig {
    TrainConfig { device: DeviceChoice::Cpu, hidden: 24, batch: 20, epochs: 8, ..TrainConfig::default() }
}

fn small_bars() -> TrainConfig {
    TrainConfig { hidden: 16, batch: 32, epochs: 300, weight_decay: 0.0, ..small() }
}

fn persistent() -> TrainConfig {
    TrainConfig {
        estimator: Estimator::Pcd,
        centred: Switch::On,
        lr_schedule: LearningRate::Linear,
        average: 0.4,
        momentum: 0.0.into(),
        weight_decay: 0.0,
        learning_rate: 0.05,
        binarize: Binarize::Threshold,
        ..small()
    }
}

/// The doctor's findings in a run, worst first; and the error that ended it, if any.
fn findings(config: &TrainConfig, dataset: Dataset, fault: Fault) -> (Vec<Finding>, Option<Error>) {
    let layers = Layers { visible: dataset.encoding.layer.clone(), hidden: config.hidden_layer() };
    let backend = Box::new(Faulty::new(layers, fault));
    let mut trainer = Trainer::with_backend(config, dataset, backend, false).unwrap();
    trainer.doctor().unwrap().look_every(config.epochs / 12);
    let mut found = Vec::new();
    let mut emit = |event| {
        if let Event::Finding(finding) = event {
            found.push(finding);
        }
    };
    let outcome = (0..config.epochs).try_for_each(|_| trainer.epoch(&mut emit).map(|_| ()));
    let found = sorted(found);
    for finding in &found {
        assert!(NAMES.contains(&&*finding.name), "{} has no place in the order", finding.name);
        assert!([&finding.seen, &finding.why, &finding.fix].iter().all(|text| !text.is_empty()));
    }
    (found, outcome.err())
}

/// The faults: a description, the doctor's name for it, and the run.
fn faults() -> Vec<(&'static str, &'static str, TrainConfig, Dataset, Fault)> {
    let digits = || some_mnist(400, 200);
    let arithmetic = [
        ("a sum, not a mean", "gradient-not-averaged", Fault::NotAveraged),
        ("divided by the cases twice", "update-scaled", Fault::AveragedTwice),
        ("one number for all visible biases", "bias-moves-as-one", Fault::ScalarVisibleBias),
        ("one number for all hidden biases", "bias-moves-as-one", Fault::ScalarHiddenBias),
        ("model minus data", "gradient-sign", Fault::SignOfAll),
        ("model minus data for b alone", "gradient-sign", Fault::SignOfVisibleBias),
        ("weights are never updated", "parameters-frozen", Fault::WeightsNotUpdated),
        ("the negative phase has the data's v", "update-wrong", Fault::WrongVisible),
        ("W is read with the wrong width", "weights-not-transposed", Fault::NotTransposed),
        ("random numbers drawn once", "random-numbers-frozen", Fault::FrozenNumbers),
        ("no sampling of hidden units", "hidden-not-sampled", Fault::NotSampled),
        ("initial weights from N(0, 1)", "initial-weights-large", Fault::LargeWeights),
        ("visible biases begin at 0", "initial-visible-biases", Fault::ZeroBiases),
        ("dead hidden units", "dead-hidden-units", Fault::HiddenBias(-40.0)),
        ("hidden units always on", "always-on-hidden-units", Fault::HiddenBias(40.0)),
        ("duplicate hidden units", "duplicate-hidden-units", Fault::EqualUnits),
        ("NaN at step 33", "non-finite", Fault::NanAtStep(33)),
    ];
    let mut all: Vec<_> =
        arithmetic.map(|(what, name, fault)| (what, name, small(), digits(), fault)).into_iter().collect();
    let square = Fault::NotTransposed;
    all.extend([
        ("W for its transpose, square", "weights-not-transposed", small_bars(), bars(4), square),
        (
            "always the same minibatch",
            "same-minibatch",
            TrainConfig { binarize: Binarize::Threshold, ..small() },
            digits(),
            Fault::SameMinibatch,
        ),
        (
            "chains that don't mix",
            "chains-stuck",
            TrainConfig { epochs: 30, learning_rate: 0.002, ..persistent() },
            shifter(),
            Fault::ColdChains,
        ),
    ]);
    // With persistent chains, the last hidden units come from `sample_twice`, no step is kept, and biases follow the
    // weights.
    let in_chains = [
        ("no sampling in persistent chains", "hidden-not-sampled", Fault::NotSampled),
        ("numbers drawn once in persistent chains", "random-numbers-frozen", Fault::FrozenNumbers),
        ("model minus data for b, no step kept", "gradient-sign", Fault::SignOfVisibleBias),
    ];
    all.extend(in_chains.map(|(what, name, fault)| (what, name, persistent(), digits(), fault)));
    let rate = |factor: f32, config: TrainConfig| TrainConfig {
        learning_rate: config.learning_rate * factor,
        ..config
    };
    let options = [
        ("learning rate × 100", "learning-rate-too-high", rate(100.0, small()), digits()),
        ("learning rate × 100 on bars", "learning-rate-too-high", rate(100.0, small_bars()), bars(4)),
        ("learning rate ÷ 1000", "learning-rate-too-low", rate(0.001, small()), digits()),
        ("learning rate ÷ 1000 on bars", "learning-rate-too-low", rate(0.001, small_bars()), bars(4)),
        (
            "weight decay × 1000",
            "weight-decay-too-strong",
            TrainConfig { weight_decay: 0.1, ..small() },
            digits(),
        ),
        ("momentum 0.99", "momentum-too-high", TrainConfig { momentum: 0.99.into(), ..small() }, digits()),
        (
            "overfitting",
            "overfitting",
            TrainConfig { hidden: 60, epochs: 150, batch: 15, ..small() },
            few_digits(),
        ),
    ];
    all.extend(options.map(|(what, name, config, data)| (what, name, config, data, Fault::None)));
    let invert = |_: usize, _: u8, row: Vec<u8>| row.iter().map(|x| 255 - x).collect();
    let constant = |_: usize, _: u8, row: Vec<u8>| (0..row.len()).map(|i| (i % 7 * 40) as u8).collect();
    let labelled = |_: usize, label: u8, row: Vec<u8>| [vec![label], row].concat();
    let faint = |_: usize, _: u8, row: Vec<u8>| row.iter().map(|x| x / 128).collect();
    let data = [
        ("bytes that were not divided", "values-outside-0-1", changed(digits(), 1.0, |_, _, row| row)),
        ("one column that was not divided", "unscaled-columns", changed(digits(), 1.0, one_wide_column)),
        ("divided by 255 twice", "values-scaled-twice", changed(digits(), 1.0 / 255.0, faint)),
        ("constant data", "all-rows-alike", changed(digits(), 1.0 / 255.0, constant)),
        ("inverted data", "inverted-data", changed(digits(), 1.0 / 255.0, invert)),
        ("a label column left in", "label-column", changed(digits(), 1.0 / 255.0, labelled)),
        ("each row twenty times", "duplicated-rows", repeated(digits(), 20)),
        ("−1 and 1 for 0 and 1", "values-outside-0-1", mapped(digits(), |_, x| x.round() * 2.0 - 1.0)),
        ("the mean taken off", "values-outside-0-1", mapped(digits(), |_, x| x - 0.13)),
        ("an infinity", "values-not-finite", mapped(digits(), not_a_number)),
        ("divided as whole numbers", "sparse-data", mapped(digits(), |_, x| x.floor())),
    ];
    all.extend(data.map(|(what, name, data)| (what, name, small(), data, Fault::None)));
    all
}

/// Few cases for many parameters.
fn few_digits() -> Dataset {
    some_mnist(15, 200)
}

/// Binary pixels, and one column with values up to 9.
fn one_wide_column(row: usize, _: u8, pixels: Vec<u8>) -> Vec<u8> {
    let mut bits: Vec<u8> = pixels.iter().map(|x| x / 128).collect();
    bits[300] = (row * 7 % 10) as u8;
    bits
}

fn not_a_number(at: usize, x: f32) -> f32 {
    if at == 12_345 { f32::INFINITY } else { x }
}

fn repeated(mut dataset: Dataset, times: usize) -> Dataset {
    let count = dataset.train.rows.len() / times;
    dataset.train.rows.truncate(count);
    let few = dataset.train.rows.clone();
    (1..times).for_each(|_| dataset.train.rows.append(few.clone()));
    dataset.train.labels = None;
    dataset
}

#[test]
fn every_fault_is_named_in_the_first_two_findings() {
    let (mut missed, mut count) = (Vec::new(), 0);
    for (what, name, config, dataset, fault) in faults() {
        let start = std::time::Instant::now();
        let (found, error) = findings(&config, dataset, fault);
        let names: Vec<_> = found.iter().map(|finding| &*finding.name).collect();
        println!("{what:40} {:5.2} s {names:?}", start.elapsed().as_secs_f64());
        if let Fault::NanAtStep(expected) = fault {
            let Some(Error::Diverged { step, tensor, index, .. }) = error else {
                panic!("{what}: {error:?}")
            };
            assert_eq!((step, tensor.as_str(), index), (Some(expected), "weights", 7));
        }
        count += 1;
        if !names.iter().take(2).any(|found| *found == name) {
            missed.push(format!("{what}: expected {name}, found {names:?}"));
        }
    }
    assert!(count >= 20 && missed.is_empty(), "{} of {count} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn healthy_runs_get_nothing_worse_than_a_note() {
    let centred_cd = TrainConfig { centred: Switch::On, ..small() };
    let binary = TrainConfig { binarize: Binarize::Threshold, seed: 5, ..small() };
    let grey = TrainConfig { binarize: Binarize::None, seed: 6, cd: Some(2), ..small() };
    let long_bars = TrainConfig { epochs: 1500, ..small_bars() };
    let many_chains = TrainConfig {
        hidden: 16,
        batch: 16,
        epochs: 2000,
        chains: Some(64),
        learning_rate: 0.5,
        ..persistent()
    };
    let adam = TrainConfig { optimizer: Optimizer::Adam, learning_rate: 0.003, ..small() };
    let limited =
        TrainConfig { nesterov: true, l1: 0.0001, max_norm: Some(2.0), sparsity: Some(0.1), ..small() };
    let on_shifter = TrainConfig { hidden: 30, epochs: 80, batch: 32, learning_rate: 0.1, ..persistent() };
    let tempered = TrainConfig { estimator: Estimator::Pt, temperatures: 4, ..on_shifter.clone() };
    let trajectory = TrainConfig { estimator: Estimator::Tt, temperatures: 6, ..on_shifter.clone() };
    let fast = TrainConfig { fast_weights: Some(0.05), centred: Switch::Off, ..on_shifter };
    let runs: Vec<(&str, TrainConfig, Dataset)> = vec![
        ("digits, CD-1", TrainConfig { epochs: 12, ..small() }, some_mnist(1000, 500)),
        (
            "digits, 64 hidden units, CD-1",
            TrainConfig { hidden: 64, batch: 100, ..small() },
            some_mnist(3000, 500),
        ),
        ("digits, centred", centred_cd, some_mnist(800, 300)),
        ("binary digits, another seed", binary, some_mnist(1200, 400)),
        ("grey digits as they are, CD-2", grey, some_mnist(1000, 300)),
        ("digits, PCD-1", TrainConfig { epochs: 12, hidden: 32, ..persistent() }, some_mnist(1500, 500)),
        ("bars, CD-5", TrainConfig { cd: Some(5), ..long_bars.clone() }, bars(4)),
        ("bars, CD-1, a lower rate", TrainConfig { learning_rate: 0.05, seed: 9, ..long_bars }, bars(4)),
        ("bars, PCD-1, 64 chains", many_chains, bars(3)),
        ("digits, Adam", adam, some_mnist(1000, 300)),
        ("digits, Nesterov, sparse, norms limited", limited, some_mnist(1000, 300)),
        ("shifter, parallel tempering", tempered, shifter()),
        ("shifter, trajectory tempering", trajectory, shifter()),
        ("shifter, fast weights", fast, shifter()),
        ("shifter, CD-1", TrainConfig { hidden: 40, epochs: 120, batch: 32, ..small() }, shifter()),
        (
            "shifter, PCD-2",
            TrainConfig { hidden: 30, epochs: 100, batch: 32, k: 2.into(), seed: 4, ..persistent() },
            shifter(),
        ),
    ];
    let mut wrong = Vec::new();
    for (what, config, dataset) in runs {
        let start = std::time::Instant::now();
        let (found, error) = findings(&config, dataset, Fault::None);
        println!("{what:40} {:5.2} s", start.elapsed().as_secs_f64());
        assert!(error.is_none(), "{what}: {error:?}");
        wrong.extend(found.iter().map(|finding| format!("{what}: {} {}", finding.name, finding.seen)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What verify must find in a wrong backend, and in a right one.
#[test]
fn verify_names_the_kernel_that_is_wrong() {
    for (fault, expected) in [
        (Fault::None, &[][..]),
        (Fault::NotTransposed, &["sample_visible", "step", "chains stay in p(v)"]),
        (Fault::NotAveraged, &["update", "step"]),
        (Fault::FrozenNumbers, &["random words", "sample_hidden", "sample_visible", "step"]),
        (Fault::NotSampled, &["sample_hidden", "step"]),
        (Fault::SameMinibatch, &["gather"]),
    ] {
        let open = |layers: Layers, _rows: usize| -> Result<Box<dyn Backend>> {
            Ok(Box::new(Faulty::new(layers, fault)))
        };
        let report = verify_backend(Cpu::info(), &open, |_| {}).unwrap();
        let failed: Vec<_> =
            report.checks.iter().filter(|check| !check.passes()).map(|check| check.name).collect();
        println!("{fault:?}: {failed:?}");
        assert_eq!(report.passed, expected.is_empty(), "{fault:?}: {failed:?}");
        assert!(expected.iter().all(|name| failed.contains(name)), "{fault:?}: {failed:?}");
    }
}
