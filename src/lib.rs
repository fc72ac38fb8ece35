#![doc = "front page to come"]
pub mod backend;
pub mod bench;
pub mod check;
pub mod config;
pub mod cpu;
pub mod data;
pub mod device;
pub mod error;
pub mod estimator;
pub mod exact;
pub mod gpu;
pub mod host;
pub mod model;
pub mod picture;
pub mod rbm;
pub mod reference;
pub mod rng;
pub mod run;
pub mod schedule;
pub mod train;

pub use error::{Error, Result};
