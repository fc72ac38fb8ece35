//! The data of a command that uses a model: the model's training data, or others.

use super::Stored;
use crate::{
    config::TrainConfig,
    data::{Dataset, Selection, Source},
    error::{Result, usage},
};

/// The data of a command that uses a model.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct DataOptions {
    /// Data set, as for train [default: the model's training data]
    #[cfg_attr(feature = "cli", arg(long, value_name = "D"))]
    pub data: Option<Source>,
    /// Part of the data [default: as in training, if they are the training data]
    #[cfg_attr(feature = "cli", command(flatten))]
    pub selection: Selection,
}

impl DataOptions {
    /// The selection: what was asked for; for the rest, the training options if the data are the training data. Data are
    /// inverted for a model that was trained on inverted data.
    pub fn selection(&self, config: Option<&TrainConfig>) -> Selection {
        match config.map(|config| &config.selection) {
            Some(trained) if self.data.is_none() => self.selection.or(trained),
            // The scale and the marks of missing values are the model's, whatever the new data look like.
            Some(trained) => Selection {
                invert: self.selection.invert.or(trained.invert),
                divide_by: self.selection.divide_by.or(trained.divide_by),
                missing: self.selection.missing.clone().or(trained.missing.clone()),
                ..self.selection.clone()
            },
            None => self.selection.clone(),
        }
    }

    /// Loads the named data, or those in the model's metadata, for its visible units: standardised as its training data were.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if there are neither, or if they don't fit the model; those of [`Selection::load`].
    pub fn load(&self, Stored { path, config, encoding, .. }: &Stored) -> Result<(Source, Dataset)> {
        let others = config.as_ref().map_or(Vec::new(), |config| config.selection.others());
        let config = config.as_ref();
        let Some(source) = self.data.clone().or_else(|| config.map(|config| config.data.clone())) else {
            return usage!(
                "{}: expected the name of its data in the model's metadata, found none; \
                 name the data with ‹data›",
                path.display()
            );
        };
        let source = match self.data {
            None => source.near(path)?,
            Some(_) => source,
        };
        let selection = self.selection(config).of_encoding(encoding, others);
        let dataset = selection.load_for(&source, encoding, |units| {
            usage!(
                "{}: expected data of {} units, the model's visible units, found {units} in {source}; \
                 name the model's own data with ‹data›",
                path.display(),
                encoding.file_columns()
            )
        })?;
        Ok((source, dataset))
    }
}
