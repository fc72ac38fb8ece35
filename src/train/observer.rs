//! The observer of a run: what a trainer tells it, and what it asks of it. This is all that a trainer knows of the doctor.

use std::{any::Any, sync::Arc};

use crate::{
    backend::{Ascent, Backend, Contrast, Memory, Model, Offsets, Variances},
    base::Base,
    checkpoint::Opaque,
    clock::Clock,
    config::TrainConfig,
    data::Dataset,
    error::Result,
    estimator::Phases,
    finding::Finding,
    rbm::Shape,
};

/// An observer of a run. It may read the run's buffers on the device, but must not change them.
pub trait Observer: Any + Send {
    /// Called before each step, which has `k` Gibbs steps.
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

    /// Called after each step.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    fn after_step(&mut self, backend: &mut dyn Backend, taken: &StepTaken) -> Result<()>;

    /// Called after each epoch, with the reconstruction error of held-out cases.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    fn after_epoch(&mut self, backend: &mut dyn Backend, model: Model, error: f64) -> Result<()>;

    /// Called when a parameter is NaN or infinite: `seen` says where and when.
    fn diverged(&mut self, seen: &str);

    /// Takes the new findings, worst first. Each name comes once in a run.
    fn take(&mut self) -> Vec<Finding>;

    /// The findings that have not been taken yet.
    fn untaken(&self) -> &[Finding];

    /// What a resumed run must remember: a part of its checkpoint.
    fn memory(&self) -> Option<Opaque>;

    /// Restores a memory, after `steps` steps of an epoch, with the findings that had not been taken.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if the memory is not this observer's.
    fn remember(&mut self, memory: &Opaque, untaken: &[Finding], steps: usize) -> Result<()>;
}

/// Allocates the buffers of a run's observer, and returns what makes the observer once the initial model is there.
pub type Observe<'a> = &'a dyn Fn(&mut dyn Memory, &TrainConfig, &Dataset) -> Result<Begin>;

/// Makes the observer of a run.
pub type Begin = Box<dyn FnOnce(Start) -> Result<Box<dyn Observer>>>;

/// A run before its first step.
pub struct Start<'a> {
    /// The device.
    pub backend: &'a mut dyn Backend,
    /// The initial model.
    pub model: Model,
    /// The options, settled.
    pub config: &'a TrainConfig,
    /// The data that the run learns from: thresholded, if the options say so.
    pub dataset: &'a Dataset,
    /// Independent units with the moments of the training cases.
    pub base: &'a Base,
    /// The clock of the run.
    pub clock: Arc<dyn Clock>,
}

/// The models of a run that a step changes.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// The parameters.
    pub theta: Model,
    /// The last step, where it is kept.
    pub velocity: Option<Model>,
    /// Means of the units, where there are any.
    pub offsets: Option<Offsets>,
    /// Variances of the units, where the gradient is divided by them.
    pub variances: Option<Variances>,
}

/// What a step was given, and where it left its results.
#[derive(Clone, Copy, Debug)]
pub struct StepTaken {
    /// Numbers of units.
    pub shape: Shape,
    /// The seed of the random numbers.
    pub seed: u64,
    /// The number of the step.
    pub step: u32,
    /// What the gradient was given.
    pub contrast: Contrast,
    /// The penalty on the square of each hidden unit's sum of weights: [`crate::backend::Penalise::strength`].
    pub l1b: f32,
    /// Whether the gradient may have been clipped.
    pub is_clipped: bool,
    /// What the update was given.
    pub ascent: Ascent,
    /// Whether the parameters moved once more after the update: to the largest norm, or into the gauge.
    pub is_moved_later: bool,
    /// The units of both phases.
    pub phases: Phases,
    /// The models.
    pub models: Watched,
}
