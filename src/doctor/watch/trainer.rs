//! Trainers with their doctor. They are methods of [`Trainer`], so that whoever trains is told what is wrong without asking
//! for it; and they are here, so that the trainer need not know the doctor.

use std::{any::Any, sync::Arc};

use super::{Look, Watch};
use crate::{
    backend::Backend,
    clock::{Clock, System},
    config::TrainConfig,
    data::Dataset,
    error::Result,
    train::{Trainer, observer::Observe},
};

/// The doctor, unless the options say that there be none.
pub(crate) fn doctor(config: &TrainConfig) -> Option<Observe<'static>> {
    (!config.no_doctor).then_some(&|memory, config, dataset| {
        let look = Look::new(memory, dataset, config.binarize, config.seed)?;
        Ok(Box::new(|start| Ok(Box::new(Watch::new(look, start)?))))
    })
}

impl Trainer {
    /// Opens a run as [`Trainer::open`] does, watched by the doctor unless the options say otherwise.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't go with the data or the device, [`crate::Error::Device`] if it fails.
    pub fn new(config: &TrainConfig, dataset: Dataset) -> Result<Self> {
        Self::open(config, dataset, doctor(config))
    }

    /// Makes a run on a device that is already open, watched by the doctor unless the options say otherwise; `stream_rows`
    /// says whether the training cases are streamed with the minibatches rather than kept there.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't go with the data, or if the device has no room.
    pub fn with_backend(
        config: &TrainConfig,
        dataset: Dataset,
        backend: Box<dyn Backend>,
        stream_rows: bool,
    ) -> Result<Self> {
        Self::with_clock(config, dataset, backend, stream_rows, Arc::new(System::new()))
    }

    /// A run as [`Trainer::with_backend`] makes it, whose times are those of `clock` rather than of the operating system. The
    /// model does not depend on them.
    ///
    /// # Errors
    /// Those of [`Trainer::with_backend`].
    pub fn with_clock(
        config: &TrainConfig,
        dataset: Dataset,
        backend: Box<dyn Backend>,
        stream_rows: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Self::build(config, dataset, backend, stream_rows, clock, doctor(config))
    }

    /// The doctor that watches the run, if it is the doctor that does.
    pub fn doctor(&mut self) -> Option<&mut Watch> {
        let observer: &mut dyn Any = self.observer()?;
        observer.downcast_mut()
    }
}
