//! Somebody who watches a run: what a trainer tells them, and what it asks of them. A trainer knows no more of the doctor than
//! this.

use std::{any::Any, sync::Arc};

use crate::{
    backend::{Ascent, Backend, Contrast, Memory, Model, Offsets},
    checkpoint::Opaque,
    clock::Clock,
    config::TrainConfig,
    data::Dataset,
    error::Result,
    estimator::Phases,
    finding::Finding,
    rbm::Shape,
};

/// Whoever watches a run. They may read what is on the device, and must change nothing of the run there.
pub trait Observer: Any + Send {
    /// Before each step, of `k` Gibbs steps.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    fn before_step(
        &mut self,
        backend: &mut dyn Backend,
        models: &Watched,
        first_of_epoch: bool,
        k: u32,
    ) -> Result<()>;

    /// After each step.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    fn after_step(&mut self, backend: &mut dyn Backend, taken: &StepTaken) -> Result<()>;

    /// After each epoch, with the reconstruction error of held-out cases.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    fn after_epoch(&mut self, backend: &mut dyn Backend, model: Model, error: f64) -> Result<()>;

    /// A parameter is no longer a finite number: `seen` says where and when.
    fn diverged(&mut self, seen: &str);

    /// What was found and has not been taken yet, the worst first. Each name comes once in a run.
    fn take(&mut self) -> Vec<Finding>;

    /// What was found and has not been taken yet.
    fn untaken(&self) -> &[Finding];

    /// What a run that goes on from here must not forget: a part of its checkpoint.
    fn memory(&self) -> Option<Opaque>;

    /// Goes on from there, after so many steps of an epoch, with what had not been taken.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if it is no memory of this observer's.
    fn remember(&mut self, memory: &Opaque, untaken: &[Finding], steps: usize) -> Result<()>;
}

/// Makes room for a run's observer on its device, and gives what makes the observer once the initial model is there.
pub type Observe<'a> = &'a dyn Fn(&mut dyn Memory, &TrainConfig, &Dataset) -> Result<Begin>;

/// Makes the observer of a run.
pub type Begin = Box<dyn FnOnce(Start) -> Result<Box<dyn Observer>>>;

/// A run before its first step.
pub struct Start<'a> {
    /// Its device.
    pub backend: &'a mut dyn Backend,
    /// The initial model there.
    pub model: Model,
    /// Its options, settled.
    pub config: &'a TrainConfig,
    /// The data as they are learnt from: thresholded, if the options say so.
    pub dataset: &'a Dataset,
    /// The means of the visible units in the training cases.
    pub density: &'a [f64],
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The models of a run that a step changes.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// The parameters.
    pub theta: Model,
    /// The step, where it is kept.
    pub velocity: Option<Model>,
    /// Means of the units, where there are any.
    pub offsets: Option<Offsets>,
}

/// What a step was told, and where it left what it did.
#[derive(Clone, Copy, Debug)]
pub struct StepTaken {
    /// How many units there are.
    pub shape: Shape,
    /// The seed of its random numbers.
    pub seed: u64,
    /// Its number.
    pub step: u32,
    /// What its gradient was told.
    pub contrast: Contrast,
    /// Whether the gradient may have been shortened.
    pub is_clipped: bool,
    /// How the parameters were to move.
    pub ascent: Ascent,
    /// The largest norm of a hidden unit's weights, if it is limited.
    pub largest_norm: Option<f32>,
    /// The units of both phases.
    pub phases: Phases,
    /// The models.
    pub models: Watched,
}
