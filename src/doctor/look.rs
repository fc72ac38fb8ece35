//! What a model does with data: the activity of its hidden units and its free energies on some cases, from a device's own
//! half steps, which are checked against the host's arithmetic.

use serde::Serialize;

use super::activity::Activity;
use crate::{
    backend::{
        Ascent, Backend, BackendExt, Contrast, Data, Draw, FreeEnergy, Gather, HalfStep, Memory, Model, Pair,
        Units, Update, Values,
    },
    base::Base,
    config::Binarize,
    data::{Dataset, RowLayout, Rows, spread_out},
    error::Result,
    finding::Finding,
    rbm::{Layers, Rbm, Shape, Side},
    reference::expectation,
    rng::Stream,
    units::Layer,
};

/// Training cases to look at, and as many test cases.
pub const CASES: usize = 512;
/// Rows whose half steps the host computes too.
const CHECKED: usize = 3;
/// Cases of the step that shows an update.
const STEP_CASES: usize = 100;
/// Largest allowed error of a probability.
const TOLERANCE: f64 = 1e-3;

/// Mean and standard deviation of the free energies of some cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Energies {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Cases.
    pub cases: usize,
}

impl Energies {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let squares = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
        Self { mean, deviation: (squares / count).sqrt(), cases: values.len() }
    }
}

/// The figures of a model on data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LookFigures {
    /// Training cases that were shown.
    pub cases: usize,
    /// Numbers of visible and hidden units.
    pub units: (usize, usize),
    /// The layers, if units are not all binary.
    #[serde(skip)]
    pub layers: Option<Layers>,
    /// Hidden units by what is wrong with them.
    #[serde(flatten)]
    pub hidden: Activity,
    /// The mean of p(h=1|v).
    pub activity: f64,
    /// The largest difference of a p(h|v) from the host's.
    pub hidden_error: f64,
    /// The largest difference of a p(v|h) from the host's.
    pub visible_error: f64,
    /// The largest difference of a p(v|h) from the host's with W in place of Wᵀ.
    pub untransposed_error: f64,
    /// F(v) of training cases.
    pub train_energies: Energies,
    /// F(v) of test cases.
    pub test_energies: Option<Energies>,
}

/// The buffers for looking at a model on a device.
pub struct Look {
    data: Data,
    train: usize,
    test: usize,
    visible: Units,
    hidden: Units,
    reconstruction: Units,
    energies: Values,
    layout: RowLayout,
    /// The packed cases, until they are uploaded.
    words: Vec<u32>,
    /// The draw that makes grey pixels binary, if one does.
    pixels: Draw,
    seed: u64,
}

impl Look {
    /// Allocates the buffers. [`Look::start`] must follow.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, dataset: &Dataset, binarize: Binarize, seed: u64) -> Result<Self> {
        let train = &dataset.train.rows;
        let layout = train.layout();
        let layers = memory.layers();
        // Missing values are drawn from independent units.
        let some = |rows: &Rows| -> (usize, Vec<u32>) {
            let cases = rows.select(&spread_out(rows.len(), CASES));
            let cases = match cases.has_missing() {
                true => {
                    let base = Base::new(layers, dataset.train.marginals());
                    Rows::of_layout(layout, &base.filled(&cases, seed).all_values())
                }
                false => cases,
            };
            (cases.len(), cases.words().into_owned())
        };
        let (train, mut words) = some(train);
        let unseen = dataset.validation.as_ref().or(dataset.test.as_ref());
        let test_rows = unseen.map(|cases| &cases.rows).filter(|rows| rows.layout() == layout);
        let (test, more) = test_rows.map_or((0, Vec::new()), some);
        words.extend(more);
        let data = memory.data(layout, train + test)?;
        let rows = train.max(test);
        let pixels = Draw::of(seed, Stream::Evaluation, Side::Visible, 0);
        let draws = binarize == Binarize::Sample && dataset.encoding.layer.is_binary();
        Ok(Self {
            data,
            train,
            test,
            visible: memory.units(Side::Visible, rows)?,
            hidden: memory.units(Side::Hidden, rows)?,
            reconstruction: memory.units(Side::Visible, CHECKED)?,
            energies: memory.values(rows)?,
            layout,
            words,
            pixels: if draws { pixels } else { Draw::none() },
            seed,
        })
    }

    /// Uploads the cases.
    pub fn start(&mut self, backend: &mut dyn Backend) {
        backend.write_data(self.data, &std::mem::take(&mut self.words));
        backend.write_order(self.data, &(0..(self.train + self.test) as u32).collect::<Vec<_>>());
    }

    /// Shows some cases to the visible units. Grey pixels become the same binary ones each time.
    fn show(&self, backend: &mut dyn Backend, first: usize, rows: usize) {
        let gather = Gather::new(self.layout, rows).from_row(first).drawn(self.pixels);
        backend.gather(&gather, self.data, self.visible);
    }

    fn energies(&self, backend: &mut dyn Backend, model: Model, rows: usize) -> Result<Energies> {
        backend.free_energy(&FreeEnergy::new(rows), model.into(), self.visible, self.energies);
        Ok(Energies::of(&backend.read_values(self.energies, rows)?))
    }

    /// Draws the hidden units of the cases that are shown.
    fn drive(&self, backend: &mut dyn Backend, model: Model, rows: usize) {
        let draw = Draw::of(self.seed, Stream::Evaluation, Side::Hidden, 0);
        backend.sample(&HalfStep::new(rows, draw), model.into(), self.visible, self.hidden);
    }

    /// Measures a model on the device, whose parameters are `rbm`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn look(&self, backend: &mut dyn Backend, model: Model, rbm: &Rbm) -> Result<LookFigures> {
        let test_energies = match self.test {
            0 => None,
            test => {
                self.show(backend, self.train, test);
                Some(self.energies(backend, model, test)?)
            }
        };
        self.show(backend, 0, self.train);
        let train_energies = self.energies(backend, model, self.train)?;
        self.drive(backend, model, self.train);
        let checked = self.train.min(CHECKED);
        let means_of = HalfStep::new(checked, Draw::none());
        backend.sample(&means_of, model.into(), self.hidden, self.reconstruction);
        let (means, _) = backend.read_units(self.hidden, self.train)?;
        let v = backend.read_units(self.visible, checked)?.1;
        let h = backend.read_units(self.hidden, checked)?.1;
        let reconstruction = backend.read_units(self.reconstruction, checked)?.0;

        let Shape { visible, hidden } = rbm.shape();
        let is_binary = rbm.layers().are_binary();
        let moments = backend.read_moments(self.hidden, self.train)?;
        // Single precision rounds a sum by the size of its terms, and a number by its own.
        let largest = |rbm: &Rbm, to: Side, found: &[f32], from: &[f32]| {
            let (width, from_width) = (rbm.shape().units(to), rbm.shape().units(to.other()));
            let of_row = |(found, from): (&[f32], &[f32])| {
                let size = |column: usize| {
                    let terms = from.iter().enumerate().map(|(at, s)| {
                        let (i, j) = if to == Side::Hidden { (at, column) } else { (column, at) };
                        (s * rbm.weights()[i * hidden + j]).abs()
                    });
                    f64::from(terms.sum::<f32>() + rbm.potentials(to)[column].abs())
                };
                let pairs = found.iter().zip(expectation(rbm, to, from)).enumerate();
                pairs.fold(0.0, |largest: f64, (column, (&found, expected))| {
                    let error = (f64::from(found) - expected).abs();
                    let error = match is_binary {
                        true => error,
                        false => error / (1.0 + expected.abs() + 0.01 * size(column)),
                    };
                    if error.is_nan() { f64::INFINITY } else { largest.max(error) }
                })
            };
            found.chunks(width).zip(from.chunks(from_width)).map(of_row).fold(0.0, f64::max)
        };
        let hidden_error = largest(rbm, Side::Hidden, &means[..checked * hidden], &v);
        let visible_error = largest(rbm, Side::Visible, &reconstruction, &h);
        let mut untransposed = rbm.clone();
        for (at, weight) in untransposed.weights_mut().iter_mut().enumerate() {
            *weight = rbm.weights()[at % hidden * visible + at / hidden];
        }
        let untransposed_error = largest(&untransposed, Side::Visible, &reconstruction, &h);
        let sum: f64 = means.iter().map(|&mean| f64::from(mean)).sum();
        let layers = rbm.layers();
        let of_hidden = Activity::measure(&layers.hidden, rbm.potentials(Side::Hidden), &means, &moments);
        Ok(LookFigures {
            cases: self.train,
            units: (visible, hidden),
            layers: Some(layers).filter(|_| !is_binary).cloned(),
            hidden: of_hidden,
            activity: sum / means.len() as f64,
            hidden_error,
            visible_error,
            untransposed_error,
            train_energies,
            test_energies,
        })
    }
}

impl Look {
    /// p(h=1|v) of training cases, cases × hidden units, for an image of activity.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn activity(&self, backend: &mut dyn Backend, model: Model) -> Result<Vec<f32>> {
        self.show(backend, 0, self.train);
        let means = HalfStep::new(self.train, Draw::none());
        backend.sample(&means, model.into(), self.visible, self.hidden);
        Ok(backend.read_units(self.hidden, self.train)?.0)
    }

    /// The change of a model by one CD-1 step on training cases, at this learning rate. The model itself stays unchanged.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn update(&self, backend: &mut dyn Backend, model: Model, learning_rate: f32) -> Result<Rbm> {
        let rows = self.train.min(STEP_CASES);
        self.show(backend, 0, rows);
        let fantasy = backend.pair(rows)?;
        let [changed, step] = [backend.model()?, backend.model()?];
        self.drive(backend, model, rows);
        let draw = Draw::of(self.seed, Stream::Evaluation, Side::Visible, 1);
        backend.sample(&HalfStep::new(rows, draw), model.into(), self.hidden, fantasy.visible);
        let means = HalfStep::new(rows, Draw::none());
        backend.sample(&means, model.into(), fantasy.visible, fantasy.hidden);
        let data = Pair { visible: self.visible, hidden: self.hidden };
        let op = Update::new(Contrast::new(rows, rows), Ascent::new(learning_rate));
        backend.update(&op, data, fantasy, None, changed, Some(step));
        backend.read_model(step)
    }
}

impl LookFigures {
    /// The free-energy gap, test less train, less two standard errors, over the standard deviation of the training cases'
    /// free energies.
    pub fn gap(&self) -> Option<f64> {
        let (train, test) = (self.train_energies, self.test_energies?);
        let variance = |of: Energies| of.deviation.powi(2) / of.cases as f64;
        let error = (variance(train) + variance(test)).sqrt();
        Some((test.mean - train.mean - 2.0 * error) / train.deviation.max(1e-9))
    }

    /// Checks the device's half steps.
    pub fn arithmetic(&self) -> Option<Finding> {
        if self.layers.is_some() {
            return self.arithmetic_of_kinds();
        }
        let why = "p(h=1|v) = σ(c + vW) and p(v=1|h) = σ(b + hWᵀ): the same W, read along its rows and along its columns \
                   (equations 8 and 18)";
        if self.visible_error > TOLERANCE && self.untransposed_error <= TOLERANCE {
            return Some(Finding::error(
                "weights-not-transposed",
                format!(
                    "p(v|h) is up to {:.3} from σ(b + hWᵀ), but within {:.1e} of what W gives in place of Wᵀ",
                    self.visible_error, self.untransposed_error
                ),
                why,
                "in your own code: v = σ(h·Wᵀ + b); square models hide this, others only if the buffer is read with the other \
                 width. For this device: rbm-gpu verify",
            ));
        }
        let wrong = self.hidden_error > TOLERANCE || self.visible_error > TOLERANCE;
        wrong.then(|| {
            Finding::error(
                "half-step-wrong",
                format!(
                    "p(h|v) is up to {:.3} from σ(c + vW), p(v|h) up to {:.3} from σ(b + hWᵀ)",
                    self.hidden_error, self.visible_error
                ),
                why,
                "another ‹device›, and rbm-gpu verify to see which kernel it is; in your own code: compare one unit by hand",
            )
        })
    }

    /// Checks the half steps of units that are not all binary.
    fn arithmetic_of_kinds(&self) -> Option<Finding> {
        let is_transposed = self.visible_error <= TOLERANCE || self.untransposed_error > TOLERANCE;
        (self.hidden_error > TOLERANCE || self.visible_error > TOLERANCE).then(|| {
            Finding::error(
                if is_transposed { "half-step-wrong" } else { "weights-not-transposed" },
                format!(
                    "means of hidden units are up to {:.3} from those of the input vW, means of visible units up to {:.3} from \
                     those of hWᵀ and {:.1e} from what W gives in place of Wᵀ",
                    self.hidden_error, self.visible_error, self.untransposed_error
                ),
                "the same W is read along its rows and along its columns, and each kind has its own mean of an input",
                "another ‹device›, and rbm-gpu verify to see which kernel it is; in your own code: compare one unit by hand",
            )
        })
    }

    /// Findings of hidden units that do too little.
    fn hidden_units(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let cases = self.cases;
        let layer = self.layers.as_ref().map(|layers| &layers.hidden);
        let hidden = layer.map_or(self.units.1, Layer::units);
        let is_binary = layer.is_none_or(Layer::is_binary);
        let Activity { dead, always_on, stuck, halved, unused, extreme, first } = self.hidden;
        let by_share = |count: usize| if count * 5 > hidden { Finding::warning } else { Finding::note };
        let for_example =
            |which: usize| first[which].map_or(String::new(), |unit| format!("; the first is unit {unit}"));
        if dead > 0 {
            found.push(by_share(dead)(
                "dead-hidden-units",
                match is_binary {
                    true => format!("{dead} of {hidden} hidden units have p(h=1|v) < 0.01 for each of {cases} cases"),
                    false => format!(
                        "{dead} of {hidden} hidden units are at 0 for each of {cases} cases: p(h=1|v) < 0.01, or a rectified \
                         unit's mean below 0.05 of 1/√γ{}",
                        for_example(0)
                    ),
                },
                match is_binary {
                    true => "a unit that is never on says nothing, and σ has no gradient to bring it back (Hinton 2010, section 11)",
                    false => "a unit that is never on says nothing, and has hardly any gradient to bring it back (Hinton 2010, \
                              section 11)",
                },
                "hidden biases that begin at 0, not far below; a lower ‹lr› or ‹momentum›; fewer ‹hidden› units",
            ));
        }
        if always_on > 0 {
            found.push(by_share(always_on)(
                "always-on-hidden-units",
                format!("{always_on} of {hidden} hidden units have p(h=1|v) > 0.99 for each of {cases} cases"),
                "a unit that is always on is a second visible bias, and σ has no gradient to bring it back (Hinton 2010, section \
                 11)",
                "hidden biases that begin at 0, not far above; ‹centred=on›; a lower ‹lr›; data that are mostly off, not on",
            ));
        }
        if stuck > 0 {
            found.push(by_share(stuck)(
                "stuck-hidden-units",
                format!(
                    "{stuck} of {hidden} hidden units have one state of a probability above 0.99 for each of {cases} cases{}",
                    for_example(1)
                ),
                "a spin or a Potts unit that never leaves a state is a second visible bias, and has no gradient to bring it back",
                "hidden biases that begin at 0; ‹centred=on›; a lower ‹lr› or ‹momentum›; fewer ‹hidden› units",
            ));
        }
        if halved > 0 {
            found.push(by_share(halved)(
                "halved-hidden-units",
                format!(
                    "{halved} of {hidden} hidden units have less than 1 % of their mean |h| on one side of 0, for each of {cases} \
                     cases{}",
                    for_example(2)
                ),
                "a double rectified unit with one empty side is a rectified unit: the parameters of that side get no gradient \
                 (Tubiana, Cocco and Monasson 2019)",
                "a lower ‹lr›; ‹centred=on›; else rectified units, which have fewer parameters: ‹hidden-units=relu›",
            ));
        }
        let same = match is_binary {
            true => "have the same p(h=1|v)",
            false => "have the same mean",
        };
        if unused * 10 > 9 * hidden {
            found.push(Finding::warning(
                "unused-hidden-units",
                format!("{unused} of {hidden} hidden units {same} for all of {cases} cases"),
                "units that tell no case from another have learnt nothing",
                "more ‹epochs› or a higher ‹lr›; a lower ‹weight-decay›",
            ));
        } else if unused > 0 {
            found.push(Finding::note(
                "unused-hidden-units",
                format!("{unused} of {hidden} hidden units {same} for all of {cases} cases"),
                "units that tell no case from another have learnt nothing so far",
                "fewer ‹hidden› units would do, or more ‹epochs›",
            ));
        }
        if extreme > 0.95 {
            found.push(Finding::note(
                "saturated-hidden-units",
                match is_binary {
                    true => format!("{:.1} % of all p(h=1|v) are below 0.01 or above 0.99", 100.0 * extreme),
                    false => format!("{:.1} % of all hidden units with states have one above 0.99", 100.0 * extreme),
                },
                "units that are sure of every case learn slowly; this is normal for few cases that are known by heart",
                "a lower ‹lr› or more ‹weight-decay›, if the likelihood is poor (rbm-gpu eval)",
            ));
        }
        found
    }

    /// Findings of a trained model.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.arithmetic().into_iter().collect();
        found.extend(self.hidden_units());
        let units = (self.units.0 + self.units.1) as f64;
        // The energy of a continuous unit depends on where its column's 0 is; its spread does not.
        let has_numbers =
            |layers: &Layers| layers.visible.blocks().iter().any(|block| block.kind.states().is_none());
        let is_spread = self.layers.as_ref().is_some_and(has_numbers);
        let Energies { mean, deviation, .. } = self.train_energies;
        if is_spread && deviation > 20.0 * units {
            found.push(Finding::error(
                "energies-explode",
                format!(
                    "the standard deviation of the free energies of training cases is {deviation:.4e}: {:.1} a unit",
                    deviation / units
                ),
                "parameters grow without bound, or some values are far from all others; with persistent chains, because they no \
                 longer follow (Hinton 2010, section 7)",
                "a tenth of ‹lr›, ‹weight-decay=0.001›, ‹standardize=on›, and for ‹estimator=pcd› more Gibbs steps (‹k›)",
            ));
        } else if !is_spread && mean.abs() > 20.0 * units {
            found.push(Finding::error(
                "energies-explode",
                format!(
                    "the mean free energy of training cases is {:.4e}: {:.1} a unit",
                    self.train_energies.mean,
                    self.train_energies.mean / units
                ),
                "parameters grow without bound: F(v) changes by more than 1 a unit only where weights are far beyond what σ can \
                 tell apart; with persistent chains, because they no longer follow (Hinton 2010, section 7)",
                "a tenth of ‹lr›, ‹weight-decay=0.001›, and for ‹estimator=pcd› more Gibbs steps (‹k›)",
            ));
        }
        if let (Some(gap), Some(test)) = (self.gap(), self.test_energies) {
            let train = self.train_energies;
            let seen = format!(
                "the mean free energy is {:.2} for training and {:.2} for test cases: {:.2} apart, {:.2} standard deviations \
                 beyond chance",
                train.mean,
                test.mean,
                test.mean - train.mean,
                gap
            );
            let why = "F(v) = −log p(v) − log Z, so the gap says how much less likely unseen cases are; if it grows, the model \
                       learns its cases by heart, whatever the reconstruction error does (Hinton 2010, section 6)";
            let fix =
                "stop earlier (fewer ‹epochs›), fewer ‹hidden› units, more ‹weight-decay›, or more cases";
            if gap > 1.0 {
                found.push(Finding::warning("overfitting", seen, why, fix));
            } else if gap > 0.2 {
                found.push(Finding::note("overfitting", seen, why, fix));
            }
        }
        found
    }
}
