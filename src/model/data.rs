//! What a model is held against: the data that it was trained on, or others.

use std::path::Path;

use crate::{
    config::TrainConfig,
    data::{Dataset, Selection, Source},
    error::{Result, usage},
};

/// The data of a command that has a model.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct DataOptions {
    /// Data set, as for train [default: the one that the model was trained on]
    #[cfg_attr(feature = "cli", arg(long, value_name = "D"))]
    pub data: Option<Source>,
    /// Which part of it [default: as the model was trained, if it is that one]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub selection: Selection,
}

impl DataOptions {
    /// What is taken of the data: as was asked for, and for the rest as the model was trained, if on the same data. Data
    /// are turned around for a model that learnt from such.
    pub fn selection(&self, config: Option<&TrainConfig>) -> Selection {
        match config.map(|config| &config.selection) {
            Some(trained) if self.data.is_none() => self.selection.or(trained),
            Some(trained) => {
                Selection { invert: self.selection.invert.or(trained.invert), ..self.selection.clone() }
            }
            None => self.selection.clone(),
        }
    }

    /// The data that were named, or those in the metadata of the model at `path`, which has so many visible units.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if there are neither, or if they don't go with the model; those of [`Selection::load`].
    pub fn load(
        &self,
        path: &Path,
        visible: usize,
        config: Option<&TrainConfig>,
    ) -> Result<(Source, Dataset)> {
        let Some(source) = self.data.clone().or_else(|| config.map(|config| config.data.clone())) else {
            return usage!(
                "{}: expected the name of its data in the model's metadata, found none; \
                 name the data with ‹data›",
                path.display()
            );
        };
        let dataset = self.selection(config).load(&source)?;
        let units = dataset.train.rows.layout().units;
        if units != visible {
            return usage!(
                "{}: expected data of {visible} units, as the model has visible ones, found {units} in {source}; \
                 name the model's own data with ‹data›",
                path.display()
            );
        }
        Ok((source, dataset))
    }
}
