//! The doctor's own test bench: faults that are put into data, options, gradient and model, one at a time, each of which it
//! must name in its first two findings; and healthy runs, of which it must say nothing worse than a note.
//!
//! The trainer, the devices and the doctor are the real ones. A fault in the arithmetic is a wrapper around the backend
//! ([`Faulty`]); one in the data is a change of the data set; one in the options is an option. A new check comes with its
//! fault, a row in [`FAULTS`].

use rbm_gpu::{
    Error,
    backend::{Backend, Data, DeviceInfo, Kept, Params, Units, Values},
    config::{Binarize, DeviceChoice, Estimator, LearningRate, Optimizer, Switch, TrainConfig},
    cpu::Cpu,
    data::{Dataset, RowLayout, Rows, Source},
    doctor::{
        Finding,
        finding::{NAMES, sorted},
    },
    rbm::{Layer, Rbm, Shape},
    rng::{Philox, Stream, uniform_at},
    train::Trainer,
    verify::verify_backend,
};

type Result<T> = rbm_gpu::Result<T>;

/// What is wrong with the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Sums over the cases for means.
    NotAveraged,
    /// Divided by the cases once more.
    AveragedTwice,
    /// One number for all visible biases.
    ScalarVisibleBias,
    /// One number for all hidden biases.
    ScalarHiddenBias,
    /// The model's mean minus the data's.
    SignOfAll,
    /// The same for the visible biases alone.
    SignOfVisibleBias,
    /// W is left as it is.
    WeightsNotUpdated,
    /// The negative phase takes the data for its visible units.
    WrongVisible,
    /// W where Wᵀ should stand.
    NotTransposed,
    /// Every step takes the first one's random numbers.
    FrozenNumbers,
    /// Hidden units hand on their probabilities.
    NotSampled,
    /// Every minibatch is the first.
    SameMinibatch,
    /// Chains at a thousandth of the temperature of a model with large weights.
    ColdChains,
    /// Weights begin at N(0, 1).
    LargeWeights,
    /// Visible biases begin at 0.
    ZeroBiases,
    /// Hidden biases of half of the units are at −40, or at 40.
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
    started: bool,
}

impl Faulty {
    /// Lets `change` mend, or rather break, what an update did: it gets the model before, the model after and the
    /// velocity before and after.
    fn after_update(
        &mut self,
        params: &Params,
        phases: [(Units, Units); 2],
        change: impl FnOnce(&Rbm, &Rbm, &mut Rbm, &mut Rbm),
    ) {
        let (before, velocity_before) = self.inner.read_rbm().unwrap();
        self.inner.update(params, phases[0], phases[1]);
        let (mut after, mut velocity) = self.inner.read_rbm().unwrap();
        change(&before, &velocity_before, &mut after, &mut velocity);
        self.inner.write_rbm(&after, &velocity);
    }

    fn chains(&self, params: &Params) -> Params {
        let training =
            [Stream::Hidden, Stream::Visible].iter().any(|stream| params.draw & 15 == *stream as u32);
        match self.fault {
            Fault::FrozenNumbers => Params { step: 0, ..*params },
            Fault::ColdChains if training && params.has(Params::SAMPLE) => Params { beta: 1000.0, ..*params },
            _ => *params,
        }
    }
}

/// The velocity of biases that all get the mean of what each should have got, or rather its sum.
fn one_number(
    velocity_before: &[f32],
    momentum: f32,
    before: &[f32],
    after: &mut [f32],
    velocity: &mut [f32],
) {
    let gradients = velocity.iter().zip(velocity_before).map(|(new, old)| new - momentum * old);
    let sum: f32 = gradients.sum();
    for (((velocity, old), after), before) in velocity.iter_mut().zip(velocity_before).zip(after).zip(before)
    {
        *velocity = momentum * old + sum;
        *after = before + *velocity;
    }
}

impl Backend for Faulty {
    fn write_rbm(&mut self, rbm: &Rbm, velocity: &Rbm) {
        let mut rbm = rbm.clone();
        if !std::mem::replace(&mut self.started, true) {
            let hidden = rbm.shape.hidden;
            match self.fault {
                Fault::LargeWeights | Fault::ColdChains => {
                    let mut generator = Philox::new(3, Stream::Synthetic, 0);
                    rbm.weights.iter_mut().for_each(|w| {
                        *w = rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut generator)
                    });
                }
                Fault::ZeroBiases => rbm.visible_bias.fill(0.0),
                Fault::HiddenBias(bias) => rbm.hidden_bias[..hidden / 2].fill(bias),
                Fault::EqualUnits => rbm.weights.chunks_mut(hidden).for_each(|row| row.fill(row[0])),
                _ => {}
            }
        }
        self.inner.write_rbm(&rbm, velocity);
    }

    fn gather(&mut self, params: &Params, data: Data, visible: Units) {
        let first_row = if self.fault == Fault::SameMinibatch { 0 } else { params.first_row };
        self.inner.gather(&Params { first_row, ..*params }, data, visible);
    }

    fn sample_hidden(&mut self, params: &Params, visible: Units, hidden: Units) {
        let mut params = self.chains(params);
        if self.fault == Fault::NotSampled {
            params.flags &= !Params::SAMPLE;
        }
        self.inner.sample_hidden(&params, visible, hidden);
    }

    fn sample_visible(&mut self, params: &Params, hidden: Units, visible: Units) {
        let params = self.chains(params);
        if self.fault != Fault::NotTransposed {
            return self.inner.sample_visible(&params, hidden, visible);
        }
        let rbm = self.inner.read_rbm().unwrap().0;
        let Shape { visible: m, hidden: n } = rbm.shape;
        let h = self.inner.read_units(hidden, params.rows as usize).unwrap().1;
        let (mut means, mut states) = (Vec::new(), Vec::new());
        for (chain, h) in h.chunks(n).enumerate() {
            for i in 0..m {
                let sum: f32 = (0..n).map(|j| h[j] * rbm.weights[j * m + i]).sum();
                let mean = 1.0 / (1.0 + (-rbm.visible_bias[i] - sum).exp());
                let u = uniform_at(params.seed(), params.step, params.draw, chain as u32, i as u32);
                means.push(mean);
                states.push(if params.has(Params::SAMPLE) { f32::from(u < mean) } else { mean });
            }
        }
        self.inner.write_units(visible, &means, &states);
    }

    fn update(&mut self, params: &Params, positive: (Units, Units), negative: (Units, Units)) {
        let rows = params.rows as f32;
        let momentum = params.momentum;
        let scaled = |factor: f32| Params { learning_rate: params.learning_rate * factor, ..*params };
        let phases = [positive, negative];
        match self.fault {
            Fault::NotAveraged => self.inner.update(&scaled(rows), positive, negative),
            Fault::AveragedTwice => self.inner.update(&scaled(1.0 / rows), positive, negative),
            Fault::SignOfAll => self.inner.update(params, negative, positive),
            Fault::WrongVisible => self.inner.update(params, positive, (positive.0, negative.1)),
            Fault::ScalarVisibleBias => self.after_update(params, phases, |before, old, after, new| {
                let (b, v) = (&mut after.visible_bias, &mut new.visible_bias);
                one_number(&old.visible_bias, momentum, &before.visible_bias, b, v);
            }),
            Fault::ScalarHiddenBias => self.after_update(params, phases, |before, old, after, new| {
                let (c, v) = (&mut after.hidden_bias, &mut new.hidden_bias);
                one_number(&old.hidden_bias, momentum, &before.hidden_bias, c, v);
            }),
            Fault::SignOfVisibleBias => self.after_update(params, phases, |before, old, after, new| {
                for i in 0..before.shape.visible {
                    let velocity = 2.0 * momentum * old.visible_bias[i] - new.visible_bias[i];
                    new.visible_bias[i] = velocity;
                    after.visible_bias[i] = before.visible_bias[i] + velocity;
                }
            }),
            Fault::WeightsNotUpdated => self.after_update(params, phases, |before, old, after, new| {
                after.weights.clone_from(&before.weights);
                new.weights.clone_from(&old.weights);
            }),
            Fault::NanAtStep(step) if step == params.step => {
                self.after_update(params, phases, |_, _, after, _| after.weights[7] = f32::NAN);
            }
            _ => self.inner.update(params, positive, negative),
        }
    }

    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }
    fn units(&mut self, layer: Layer, rows: usize) -> Result<Units> {
        self.inner.units(layer, rows)
    }
    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        self.inner.data(layout, rows)
    }
    fn values(&mut self, rows: usize) -> Result<Values> {
        self.inner.values(rows)
    }
    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.inner.uniforms(count)
    }
    fn moments(&mut self) -> Result<()> {
        self.inner.moments()
    }
    fn fast_room(&mut self) -> Result<()> {
        self.inner.fast_room()
    }
    fn snapshot_room(&mut self, count: usize) -> Result<()> {
        self.inner.snapshot_room(count)
    }
    fn keep(&mut self, snapshot: usize) {
        self.inner.keep(snapshot);
    }
    fn clamp_visible(&mut self, params: &Params, known: Units, mask: Values, visible: Units) {
        self.inner.clamp_visible(params, known, mask, visible);
    }
    fn limit_norms(&mut self, params: &Params) {
        self.inner.limit_norms(params);
    }
    fn fast_weights(&mut self, params: &Params) {
        self.inner.fast_weights(params);
    }
    fn exchange_average(&mut self) {
        self.inner.exchange_average();
    }
    fn energy(&mut self, params: &Params, visible: Units, hidden: Units, values: Values) {
        self.inner.energy(params, visible, hidden, values);
    }
    fn temper_bias(&mut self, params: &Params, base: Values, values: Values) {
        self.inner.temper_bias(params, base, values);
    }
    fn swap(
        &mut self,
        params: &Params,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    ) {
        self.inner.swap(params, cold, hot, accepted, trips);
    }
    fn write_offsets(&mut self, visible: &[f32], hidden: &[f32]) {
        self.inner.write_offsets(visible, hidden);
    }
    fn write_kept(&mut self, kept: Kept, values: &Rbm) {
        self.inner.write_kept(kept, values);
    }
    fn write_data(&mut self, data: Data, words: &[u32]) {
        self.inner.write_data(data, words);
    }
    fn write_order(&mut self, data: Data, order: &[u32]) {
        self.inner.write_order(data, order);
    }
    fn write_uniforms(&mut self, uniforms: &[f32]) {
        self.inner.write_uniforms(uniforms);
    }
    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]) {
        self.inner.write_units(units, means, states);
    }
    fn write_values(&mut self, values: Values, numbers: &[f32]) {
        self.inner.write_values(values, numbers);
    }
    fn track(&mut self, params: &Params, hidden: Units) {
        self.inner.track(params, hidden);
    }
    fn average(&mut self, params: &Params) {
        self.inner.average(params);
    }
    fn squared_error(&mut self, params: &Params, visible: Units, reconstruction: Units, values: Values) {
        self.inner.squared_error(params, visible, reconstruction, values);
    }
    fn free_energy(&mut self, params: &Params, visible: Units, values: Values) {
        self.inner.free_energy(params, visible, values);
    }
    fn set_visible_bias(&mut self, params: &Params, values: Values) {
        self.inner.set_visible_bias(params, values);
    }
    fn multiply_add(&mut self, params: &Params, values: Values) {
        self.inner.multiply_add(params, values);
    }
    fn copy(&mut self, params: &Params, from: Values, to: Values) {
        self.inner.copy(params, from, to);
    }
    fn submit(&mut self) -> Result<()> {
        self.inner.submit()
    }
    fn read_rbm(&mut self) -> Result<(Rbm, Rbm)> {
        self.inner.read_rbm()
    }
    fn read_kept(&mut self, kept: Kept) -> Result<Rbm> {
        self.inner.read_kept(kept)
    }
    fn read_offsets(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        self.inner.read_offsets()
    }
    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        self.inner.read_units(units, rows)
    }
    fn read_values(&mut self, values: Values, rows: usize) -> Result<Vec<f32>> {
        self.inner.read_values(values, rows)
    }
    fn wait(&mut self) -> Result<()> {
        self.inner.wait()
    }
}

/// MNIST's first images.
fn digits(train: usize, test: usize) -> Dataset {
    static MNIST: std::sync::OnceLock<Dataset> = std::sync::OnceLock::new();
    let mut dataset = MNIST
        .get_or_init(|| {
            let mut dataset = Source::Mnist.load().unwrap();
            dataset.train.rows.truncate(3000);
            dataset
        })
        .clone();
    for (cases, count) in [(Some(&mut dataset.train), train), (dataset.test.as_mut(), test)] {
        let cases = cases.unwrap();
        cases.rows.truncate(count);
        cases.labels.as_mut().unwrap().truncate(count);
    }
    dataset
}

fn bars(size: usize) -> Dataset {
    Source::BarsAndStripes(size).load().unwrap()
}

fn shifter() -> Dataset {
    Source::Shifter.load().unwrap()
}

/// The digits with each row's bytes changed; all columns of one scale.
fn changed(dataset: Dataset, scale: f32, change: impl Fn(usize, u8, Vec<u8>) -> Vec<u8>) -> Dataset {
    let cases = |mut cases: rbm_gpu::data::Cases| {
        let labels = cases.labels.clone().unwrap();
        let rows: Vec<Vec<u8>> = (0..cases.rows.len())
            .map(|row| {
                let bytes = cases.rows.values(row).map(|x| (x * 255.0).round() as u8).collect();
                change(row, labels[row], bytes)
            })
            .collect();
        cases.rows = Rows::from_bytes(rows[0].len(), &rows.concat(), scale);
        cases
    };
    let (train, test) = (cases(dataset.train), dataset.test.map(cases));
    let units = train.rows.layout().units;
    let image = if units == dataset.image.0 * dataset.image.1 { dataset.image } else { (1, units) };
    Dataset { image, train, test, validation: None, classes: dataset.classes }
}

/// Another number for each, which may be any.
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

/// All that the doctor says during a run, the worst first; and the error that ended it, if one did.
fn findings(config: &TrainConfig, dataset: Dataset, fault: Fault) -> (Vec<Finding>, Option<Error>) {
    let shape = Shape { visible: dataset.train.rows.layout().units, hidden: config.hidden };
    let backend = Faulty { inner: Box::new(Cpu::open(shape)), fault, started: false };
    let mut trainer = Trainer::with_backend(config, dataset, Box::new(backend), false).unwrap();
    trainer.doctor().unwrap().look_every(config.epochs / 12);
    let outcome = (0..config.epochs).try_for_each(|_| trainer.epoch(|_| {}).map(|_| ()));
    let found = sorted(trainer.doctor().unwrap().take());
    for finding in &found {
        assert!(NAMES.contains(&finding.name), "{} has no place in the order", finding.name);
        assert!([&finding.seen, &finding.why, &finding.fix].iter().all(|text| !text.is_empty()));
    }
    (found, outcome.err())
}

/// Each fault: what it is called here, what the doctor must call it, and the run.
fn faults() -> Vec<(&'static str, &'static str, TrainConfig, Dataset, Fault)> {
    let digits = || digits(400, 200);
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
        ("a value that is none", "values-not-finite", mapped(digits(), not_a_number)),
        ("divided as whole numbers", "sparse-data", mapped(digits(), |_, x| x.floor())),
    ];
    all.extend(data.map(|(what, name, data)| (what, name, small(), data, Fault::None)));
    all
}

/// Few cases for many parameters.
fn few_digits() -> Dataset {
    digits(15, 200)
}

/// Binary pixels, and one column with values up to 9.
fn one_wide_column(row: usize, _: u8, pixels: Vec<u8>) -> Vec<u8> {
    let mut bits: Vec<u8> = pixels.iter().map(|x| x / 128).collect();
    bits[300] = (row * 7 % 10) as u8;
    bits
}

fn not_a_number(at: usize, x: f32) -> f32 {
    if at == 12_345 { f32::NAN } else { x }
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
        let names: Vec<_> = found.iter().map(|finding| finding.name).collect();
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
        ("digits, CD-1", TrainConfig { epochs: 12, ..small() }, digits(1000, 500)),
        (
            "digits, 64 hidden units, CD-1",
            TrainConfig { hidden: 64, batch: 100, ..small() },
            digits(3000, 500),
        ),
        ("digits, centred", centred_cd, digits(800, 300)),
        ("binary digits, another seed", binary, digits(1200, 400)),
        ("grey digits as they are, CD-2", grey, digits(1000, 300)),
        ("digits, PCD-1", TrainConfig { epochs: 12, hidden: 32, ..persistent() }, digits(1500, 500)),
        ("bars, CD-5", TrainConfig { cd: Some(5), ..long_bars.clone() }, bars(4)),
        ("bars, CD-1, a lower rate", TrainConfig { learning_rate: 0.05, seed: 9, ..long_bars }, bars(4)),
        ("bars, PCD-1, 64 chains", many_chains, bars(3)),
        ("digits, Adam", adam, digits(1000, 300)),
        ("digits, Nesterov, sparse, norms limited", limited, digits(1000, 300)),
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

/// What verify must find of a backend that is wrong, and of one that is right.
#[test]
fn verify_names_the_kernel_that_is_wrong() {
    for (fault, expected) in [
        (Fault::None, &[][..]),
        (Fault::NotTransposed, &["sample_visible", "step", "chains stay in p(v)"]),
        (Fault::NotAveraged, &["update", "step"]),
        (Fault::FrozenNumbers, &["random words", "half steps", "step"]),
        (Fault::NotSampled, &["half steps", "step"]),
        (Fault::SameMinibatch, &["gather"]),
    ] {
        let open = |shape: Shape, _rows: usize| -> Result<Box<dyn Backend>> {
            Ok(Box::new(Faulty { inner: Box::new(Cpu::open(shape)), fault, started: false }))
        };
        let report = verify_backend(Cpu::info(), &open, |_| {}).unwrap();
        let failed: Vec<_> =
            report.checks.iter().filter(|check| !check.passes()).map(|check| check.name).collect();
        println!("{fault:?}: {failed:?}");
        assert_eq!(report.passed, expected.is_empty(), "{fault:?}: {failed:?}");
        assert!(expected.iter().all(|name| failed.contains(name)), "{fault:?}: {failed:?}");
    }
}
