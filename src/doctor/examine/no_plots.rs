//! In the place of `plots` where nothing can draw.

use std::{convert::Infallible, path::PathBuf};

use crate::{
    doctor::{levels::Levels, log::Log},
    error::{Result, usage},
    rbm::Rbm,
};

/// A folder of pictures, of which there is none.
pub struct Plots(Infallible);

impl Plots {
    pub fn new(_: PathBuf) -> Result<Self> {
        usage!(
            "‹plots›: expected none, as this was built without what draws them; build it with the feature report"
        )
    }

    pub fn written(self) -> Vec<PathBuf> {
        match self.0 {}
    }

    pub fn costs(&mut self, _: &Log, _: Option<&Levels>) -> Result<()> {
        match self.0 {}
    }

    pub fn histograms(&mut self, _: &str, _: &str, _: &Rbm) -> Result<()> {
        match self.0 {}
    }

    pub fn activity(&mut self, _: &[f32], _: usize) -> Result<()> {
        match self.0 {}
    }
}
