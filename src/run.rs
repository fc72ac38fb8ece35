//! A run's folder: what it was told, what it measured, what it learnt, and pictures of that.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use image::GrayImage;
use serde::Serialize;

use crate::{
    config::TrainConfig,
    error::{Error, Result, usage},
    model,
    rbm::Rbm,
};

/// A folder that a run writes its results into.
pub struct RunFolder {
    path: PathBuf,
    metrics: File,
}

impl RunFolder {
    /// The folder that the options name, or the first free `runs/DATA-N`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the named folder holds anything, which nothing may overwrite.
    pub fn choose(config: &TrainConfig) -> Result<PathBuf> {
        match &config.out {
            None => Ok((1..)
                .map(|n| Path::new("runs").join(format!("{}-{n}", config.data.name())))
                .find(|path| !path.exists())
                .unwrap_or_default()),
            Some(path) if path.is_dir() => {
                let mut entries = fs::read_dir(path).map_err(Error::read(path))?;
                if entries.next().is_some() {
                    return usage!(
                        "--out {}: the folder is not empty, and a run never overwrites; \
                         name a new folder, or remove this one",
                        path.display()
                    );
                }
                Ok(path.clone())
            }
            Some(path) if path.exists() => {
                usage!("--out {}: expected a folder, found a file", path.display())
            }
            Some(path) => Ok(path.clone()),
        }
    }

    /// Makes the folder, with the options and the device in `config.json`. Of two runs that start at once, only one
    /// gets a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if it cannot be made, or has been taken since it was chosen.
    pub fn create(path: PathBuf, config: &impl Serialize) -> Result<Self> {
        let unusable = |source: std::io::Error| {
            let path = path.display();
            Error::Usage(format!(
                "--out {path}: cannot be used ({source}); name a new folder that can be written"
            ))
        };
        let mut text = serde_json::to_string_pretty(config).map_err(|error| unusable(error.into()))?;
        text.push('\n');
        fs::create_dir_all(&path).map_err(unusable)?;
        // Whoever makes this file has the folder.
        let metrics = File::create_new(path.join("metrics.jsonl")).map_err(unusable)?;
        fs::write(path.join("config.json"), text).map_err(unusable)?;
        for folder in ["filters", "reconstructions"] {
            fs::create_dir(path.join(folder)).map_err(unusable)?;
        }
        Ok(Self { path, metrics })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's file.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// Adds a line to `metrics.jsonl`, in one write: an epoch's [`crate::train::EpochMetrics`], and what goes with them.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_metrics(&mut self, metrics: &impl Serialize) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let mut line = serde_json::to_string(metrics)
            .map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        line.push('\n');
        self.metrics.write_all(line.as_bytes()).map_err(Error::write(&path))
    }

    /// Replaces the model.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn save_model(&self, rbm: &Rbm, config: &TrainConfig) -> Result<()> {
        model::save(&self.model(), rbm, config)
    }

    /// Writes `KIND/epoch-0001.png`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn add_picture(&self, kind: &str, epoch: usize, picture: &GrayImage) -> Result<()> {
        let path = self.path.join(kind).join(format!("epoch-{epoch:04}.png"));
        picture
            .save(&path)
            .map_err(|error| Error::Write { path, source: std::io::Error::other(error.to_string()) })
    }
}
