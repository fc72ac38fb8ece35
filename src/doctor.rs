//! Why a run does not learn: what a data set, a run, a model or a log of costs shows, what it means, and what to change.
//!
//! ```text
//! data ─────────────► DataFigures ──┐
//! log ──────────────► LogFigures ───┤
//! model ────────────► ModelFigures ─┼──► findings, by severity, the cause before what follows from it
//! model, data ──────► LookFigures ──┤
//! a training step ──► StepFigures ──┘
//! ```
//!
//! Each check is a pure function of figures that were measured before, so that a finding can always show its evidence.
//! [`watch`] measures them during a run, [`mod@examine`] afterwards, also for runs and models of other programs.

mod activity;
pub mod config;
pub mod data;
pub mod examine;
pub mod levels;
pub mod log;
pub mod look;
pub mod model;
pub mod watch;

pub use examine::{DoctorOptions, Report, RowRange, Subject, examine};
