//! Constructors of a [`Trainer`] with its doctor, so that whoever trains is told what is wrong without asking for it. They
//! are here so that the trainer need not know the doctor.

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

/// The doctor, unless the options turn it off.
pub(crate) fn doctor(config: &TrainConfig) -> Option<Observe<'static>> {
    (!config.no_doctor).then_some(&|memory, config, dataset| {
        let look = Look::new(memory, dataset, config.binarize, config.seed)?;
        Ok(Box::new(|start| Ok(Box::new(Watch::new(look, start)?))))
    })
}

impl Trainer {
    /// Opens a run as [`Trainer::open`] does, watched by the doctor unless the options turn it off.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't suit the data or the device, [`crate::Error::Device`] if it fails.
    pub fn new(config: &TrainConfig, dataset: Dataset) -> Result<Self> {
        Self::open(config, dataset, doctor(config))
    }

    /// Builds a run on an open device, watched by the doctor unless the options turn it off. `stream_rows` says whether the
    /// training cases are streamed with the minibatches rather than kept on the device.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for options that don't suit the data, or if the device has no room.
    pub fn with_backend(
        config: &TrainConfig,
        dataset: Dataset,
        backend: Box<dyn Backend>,
        stream_rows: bool,
    ) -> Result<Self> {
        Self::with_clock(config, dataset, backend, stream_rows, Arc::new(System::new()))
    }

    /// Builds a run as [`Trainer::with_backend`] does, with `clock` in place of the operating system's. The model does not
    /// depend on the times.
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

    /// The doctor, if it is the observer of the run.
    pub fn doctor(&mut self) -> Option<&mut Watch> {
        let observer: &mut dyn Any = self.observer()?;
        observer.downcast_mut()
    }
}
