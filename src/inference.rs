//! Features and reconstructions of cases by a trained model, on any device.

mod features;

use std::path::PathBuf;

use crate::{
    backend::{
        Backend, BackendExt, DeviceInfo, DeviceKind, Draw, Gather, HalfStep, Memory, Model, Pair, Units,
    },
    base::Base,
    completion::Completion,
    config::{Binarize, DeviceChoice},
    data::{Cases, Dataset, Rows, Source},
    device::{self, Footprint},
    error::Result,
    inpaint::{Effort, Wanted, impute},
    model::{self, DataOptions, Stored},
    rbm::{Rbm, Shape, Side},
};

/// Cases per upload to the device.
const PART: usize = 512;
/// Effort for the features of a case with missing values.
const FEATURES: Effort = Effort { chains: 5, steps: 60 };

/// Options of commands that show a model some cases: the model, the data and the device.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct ModelOptions {
    /// A run's folder, or a model's file
    pub model: PathBuf,
    /// The data.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub data: DataOptions,
    /// Grey pixels: threshold (on above 0.5), sample (drawn once), none (as they are) [default: threshold if the model was
    /// trained so, else none]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "HOW", value_enum, hide_possible_values = true, help_heading = "Data")
    )]
    pub binarize: Option<Binarize>,
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto))]
    pub device: DeviceChoice,
    /// Seed of every random number
    #[cfg_attr(feature = "cli", arg(long, value_name = "S", default_value_t = 1))]
    pub seed: u64,
}

impl ModelOptions {
    /// Finds, reads and checks the model.
    ///
    /// # Errors
    /// Those of [`model::open`].
    pub fn open(&self) -> Result<Stored> {
        model::open(&self.model)
    }

    /// The data, binarized as in training.
    ///
    /// # Errors
    /// Those of [`DataOptions::load`].
    pub fn load(&self, found: &Stored) -> Result<(Source, Dataset)> {
        let (source, dataset) = self.data.load(found)?;
        let trained = found.config.as_ref().map(|config| config.binarize);
        let how = self.binarize.unwrap_or(match trained {
            Some(Binarize::Threshold) => Binarize::Threshold,
            _ => Binarize::None,
        });
        Ok((source, dataset.binarize(how, self.seed)))
    }

    /// Opens the device with the model and buffers for at least `rows` cases.
    ///
    /// # Errors
    /// Those of [`Inference::open`].
    pub fn inference(&self, rbm: &Rbm, rows: usize) -> Result<Inference> {
        Inference::open(rbm, &self.device, rows, self.seed)
    }
}

/// Buffers of [`Inference`] on a device.
struct Room {
    model: Model,
    visible: Units,
    hidden: Units,
    reconstruction: Units,
}

impl Room {
    fn new(memory: &mut dyn Memory, rows: usize) -> Result<Self> {
        Ok(Self {
            model: memory.model()?,
            visible: memory.units(Side::Visible, rows)?,
            hidden: memory.units(Side::Hidden, rows)?,
            reconstruction: memory.units(Side::Visible, rows)?,
        })
    }
}

/// A model on a device, ready for cases.
pub struct Inference {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) model: Model,
    pub(crate) seed: u64,
    pub(crate) visible: Units,
    pub(crate) hidden: Units,
    pub(crate) reconstruction: Units,
    rows: usize,
    /// Fills in missing values, once there are some.
    completion: Option<Completion>,
    /// The model, if the native path computes features.
    native: Option<Rbm>,
}

impl Inference {
    /// Opens a device and uploads the model. `rows` is the number of cases that must fit at once.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if there is no such device or no room; [`crate::Error::Device`].
    pub fn open(rbm: &Rbm, device: &DeviceChoice, rows: usize, seed: u64) -> Result<Self> {
        let rows = rows.max(PART);
        let footprint = Footprint::planned(rbm.layers(), |memory| Room::new(memory, rows).map(drop))?;
        let (_, backend) = device::open(device, &footprint.of_model())?;
        Self::with_backend(backend, rbm, rows, seed)
    }

    /// [`Inference::open`] on a device that is already open.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if there is no room.
    pub fn with_backend(mut backend: Box<dyn Backend>, rbm: &Rbm, rows: usize, seed: u64) -> Result<Self> {
        let native = (backend.info().kind == DeviceKind::Cpu).then(|| rbm.clone());
        let Room { model, visible, hidden, reconstruction } = Room::new(&mut *backend, rows)?;
        backend.write_model(model, rbm);
        Ok(Self { model, seed, visible, hidden, reconstruction, backend, rows, completion: None, native })
    }

    /// The device.
    pub fn device(&self) -> &DeviceInfo {
        self.backend.info()
    }

    /// The numbers of units.
    pub fn shape(&self) -> Shape {
        self.backend.shape()
    }

    /// Buffers for missing values, which start at the means of independent units.
    pub(crate) fn completion(&mut self, of: &Base) -> Result<Completion> {
        let completion = match self.completion {
            Some(completion) => completion,
            None => Completion::new(&mut *self.backend, self.rows)?,
        };
        self.completion = Some(completion);
        completion.start(&mut *self.backend, of);
        Ok(completion)
    }

    /// Uploads the cases in parts. `work` gets their indices; their states are in `self.visible`, with a sample of what is missing.
    pub(crate) fn parts(
        &mut self,
        rows: &Rows,
        mut work: impl FnMut(&mut Self, std::ops::Range<usize>) -> Result<()>,
    ) -> Result<()> {
        if !rows.has_missing() {
            return self.parts_into(rows, self.visible, work);
        }
        let base = Base::new(self.backend.layers(), Cases::from(rows.clone()).marginals());
        let completion = self.completion(&base)?;
        self.parts_into(rows, completion.observed(), |this, cases| {
            let pair = Pair { visible: this.visible, hidden: this.hidden };
            completion.show(&mut *this.backend, this.model, pair, (cases.start, cases.len()), this.seed);
            work(this, cases)
        })
    }

    /// Uploads the cases in parts. `work` gets their indices; their states are in `units`.
    pub(crate) fn parts_into(
        &mut self,
        rows: &Rows,
        units: Units,
        mut work: impl FnMut(&mut Self, std::ops::Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let (layout, count) = (rows.layout(), self.rows.min(rows.len()));
        let data = self.backend.data(layout, count)?;
        self.backend.write_order(data, &(0..count as u32).collect::<Vec<_>>());
        for (part, (cases, words)) in rows.parts(count).enumerate() {
            self.backend.write_data(data, &words);
            self.backend.gather(&Gather::new(layout, cases), data, units);
            work(self, part * count..part * count + cases)?;
        }
        Ok(())
    }

    /// Computes p(h|v) of the uploaded cases.
    fn drive(&mut self, cases: usize) {
        let means = HalfStep::new(cases, Draw::none());
        self.backend.sample(&means, self.model.into(), self.visible, self.hidden);
    }

    /// p(h|v) of each case: cases × hidden units, row-major. On the native path, accurate to about one unit in the last place. Where
    /// values are missing, it is the mean over chains given the observed ones ([`impute`]).
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn transform(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        if rows.has_missing() {
            let base = Base::new(self.backend.layers(), Cases::from(rows.clone()).marginals());
            let wanted = Wanted { hidden: true, draws: false };
            return Ok(impute(self, rows, &base, FEATURES, wanted)?.hidden);
        }
        if let Some(rbm) = &self.native {
            return Ok(features::features(rbm, rows));
        }
        let mut features = Vec::with_capacity(rows.len() * self.shape().hidden);
        self.parts(rows, |this, cases| {
            this.drive(cases.len());
            features.extend(this.backend.read_units(this.hidden, cases.len())?.0);
            Ok(())
        })?;
        Ok(features)
    }

    /// p(v|h) of each case with h = p(h|v), so without randomness: cases × visible units, row-major. Missing values are sampled first,
    /// always with the same numbers for a seed.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn reconstruct(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        let mut means = Vec::with_capacity(rows.len() * self.shape().visible);
        self.parts(rows, |this, cases| {
            this.drive(cases.len());
            let means_of = HalfStep::new(cases.len(), Draw::none());
            this.backend.sample(&means_of, this.model.into(), this.hidden, this.reconstruction);
            means.extend(this.backend.read_units(this.reconstruction, cases.len())?.0);
            Ok(())
        })?;
        Ok(means)
    }
}
