//! Stands in for `plots` in builds that cannot draw.

use std::{convert::Infallible, path::PathBuf};

use crate::{
    doctor::{levels::Levels, log::Log},
    error::{Result, usage},
    rbm::Rbm,
};

/// A folder of pictures, which cannot exist in this build.
pub struct Plots(Infallible);

impl Plots {
    pub fn new(_: PathBuf) -> Result<Self> {
        usage!("‹plots›: this build cannot draw pictures; build it with the feature report")
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

    pub fn activity(&mut self, _: &[f32], _: &Rbm) -> Result<()> {
        match self.0 {}
    }
}
