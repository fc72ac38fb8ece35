//! Restricted Boltzmann Machines, trained with WGSL compute kernels on any vendor's GPU, or on none.
//!
//! # The model
//! Visible units v ∈ {0,1}^m, hidden units h ∈ {0,1}^n, weights W (m×n, `weights[visible][hidden]`), visible biases b,
//! hidden biases c ([`rbm::Rbm`]).
//!
//! ```text
//! E(v,h)       = −vᵀWh − bᵀv − cᵀh                                energy                              (1)
//! p(v,h)       = e^(−E(v,h)) / Z,   Z = Σ_v Σ_h e^(−E(v,h))       partition function
//! p(v_i=1|h)   = σ(b_i + Σ_j W_ij h_j)                            the two conditionals                (8)
//! p(h_j=1|v)   = σ(c_j + Σ_i v_i W_ij)                                                               (18)
//! F(v)         = −bᵀv − Σ_j softplus(c_j + (vW)_j)                free energy: p(v) = e^(−F(v)) / Z  (23)
//! ∂ log p/∂W   = ⟨v hᵀ⟩_data − ⟨v hᵀ⟩_model                       the gradient of the                (26)
//! ∂ log p/∂b   = ⟨v⟩_data − ⟨v⟩_model                             log-likelihood                     (27)
//! ∂ log p/∂c   = ⟨h⟩_data − ⟨h⟩_model                                                                (28)
//! ```
//!
//! ⟨·⟩ are means: over the minibatch for the data, over the chains for the model. Contrastive divergence, CD-k, starts a
//! chain at each case and takes k Gibbs steps (30). Hidden units driven by data are sampled, the statistics use p(h|v), and
//! each bias has its own gradient (Hinton 2010, "A Practical Guide to Training Restricted Boltzmann Machines").
//!
//! # The crate
//! A data set ([`data`]) goes as packed rows through the scheduler ([`schedule`]) to a device. The trainer ([`train`]) and
//! its estimators ([`estimator`]) are written once, on half a Gibbs step ([`backend::Backend`]). Three backends implement
//! it: the kernels of `shaders/` through wgpu ([`gpu`]), a native CPU path ([`cpu`]), and an oracle of textbook loops
//! ([`mod@reference`]), against which the other two are tested ([`check`]). [`likelihood`] measures the quality of a model,
//! with log Z from [`exact`] or [`ais`]; [`inference`], [`sample`], [`inpaint`] and [`probe`] use it. Random numbers are
//! addressed by purpose ([`rng`]), so neither the device nor the place where they are drawn changes a run.
//!
//! # Features
//! `cli`, on by default, is for the program; without it there is no command line, nor its dependencies. `report`, which
//! `cli` implies, is for reports, charts and animations. `hdf5`, on by default, reads and writes HDF5 files.
//!
//! # An example
//! ```
//! use rbm_gpu::{config::{DeviceChoice, TrainConfig}, data::Source, exact, train::Trainer};
//!
//! let config = TrainConfig {
//!     data: Source::BarsAndStripes(3),
//!     device: DeviceChoice::Cpu,
//!     hidden: 8,
//!     batch: 16,
//!     epochs: 3000,
//!     ..TrainConfig::default()
//! };
//! let dataset = config.data.load()?;
//! let rows = dataset.train.rows.clone();
//! let mut trainer = Trainer::new(&config, dataset)?;
//! let before = exact::log_likelihood(&trainer.rbm()?, &rows)?;
//! for _ in 0..config.epochs {
//!     trainer.epoch(|_event| {})?;
//! }
//! let after = exact::log_likelihood(&trainer.rbm()?, &rows)?;
//! assert!(after > before + 1.0, "{before} nats a case before, {after} after");
//! # Ok::<(), rbm_gpu::Error>(())
//! ```
#![warn(missing_docs)]

pub mod ais;
pub mod backend;
pub mod base;
pub mod bench;
#[cfg(feature = "report")]
mod chart;
pub mod check;
pub mod checkpoint;
pub mod clock;
#[cfg(feature = "cli")]
pub mod command;
pub mod completion;
pub mod config;
pub mod contacts;
pub mod cpu;
pub mod data;
pub mod device;
pub mod digest;
pub mod doctor;
pub mod error;
pub mod estimator;
pub mod exact;
pub mod exchange;
pub mod finding;
pub mod gpu;
#[cfg(feature = "hdf5")]
pub mod hdf5;
#[cfg(not(feature = "hdf5"))]
#[path = "hdf5/absent.rs"]
pub mod hdf5;
pub mod host;
pub mod inference;
pub mod inpaint;
mod level;
pub mod likelihood;
pub mod memory;
pub mod model;
pub mod output;
pub mod picture;
pub mod probe;
pub mod rbm;
pub mod reference;
#[cfg(feature = "report")]
pub mod report;
pub mod rng;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod score;
pub mod train;
pub mod units;
mod unknown;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod untrusted;
pub mod verify;
pub mod wording;

pub use error::{Error, Result};
