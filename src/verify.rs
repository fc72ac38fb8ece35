//! The differential tests as a command, for the user's own device and driver: random numbers, every kernel at awkward
//! sizes, one whole step, chains that must stay in the distribution they were drawn from, and log Z against enumeration.
//!
//! Each result is compared with the reference ([`crate::reference`]) or with enumeration ([`crate::exact`]).

mod kernels;
mod model;

use serde::Serialize;

use crate::{
    backend::{Backend, DeviceInfo, Memory},
    check,
    clock::{Clock, System},
    device::{self, DeviceChoice, Footprint},
    error::{Error, Result},
    rbm::{Layers, Shape},
};

/// The options of a verification.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct VerifyOptions {
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto))]
    pub device: DeviceChoice,
    /// One JSON object instead of a table
    #[cfg_attr(feature = "cli", arg(long))]
    pub json: bool,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The check.
    pub name: &'static str,
    /// The quantity whose error it is.
    pub of: &'static str,
    /// Cases, numbers or sizes.
    pub cases: usize,
    /// The largest error; infinite for NaN.
    pub error: f64,
    /// The largest passing error.
    pub tolerance: f64,
    /// The case with the largest error.
    pub at: String,
}

impl Check {
    /// A check without cases.
    fn new(name: &'static str, of: &'static str, tolerance: f64) -> Self {
        Self { name, of, cases: 0, error: 0.0, tolerance, at: String::new() }
    }

    /// Adds a case.
    fn see(&mut self, error: f64, at: impl FnOnce() -> String) {
        self.cases += 1;
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > self.error {
            (self.error, self.at) = (error, at());
        }
    }

    /// Whether the error is within its tolerance.
    pub fn passes(&self) -> bool {
        self.cases > 0 && self.error <= self.tolerance
    }
}

/// Results of a verification.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    /// The version of this program.
    pub version: &'static str,
    /// The device.
    pub device: DeviceInfo,
    /// Whether everything passed.
    pub passed: bool,
    /// The table.
    pub checks: Vec<Check>,
    /// Total time.
    pub seconds: f64,
}

/// Rows, visible and hidden units: 1, and around the sizes of a vec4, a 32-bit word and the tiles; never square.
const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 2, 130),
    (3, 4, 5),
    (7, 31, 33),
    (9, 33, 32),
    (32, 128, 65),
    (33, 129, 127),
    (65, 63, 128),
    (12, 1, 1),
];

/// Opens a backend for a model of these layers and minibatches of up to this number of rows.
pub type Open<'a> = dyn Fn(Layers, usize) -> Result<Box<dyn Backend>> + 'a;

/// Verifies the best device of the choice. Calls `report` with each check as it completes.
///
/// # Errors
/// [`Error::Usage`] if there is no such device, [`Error::Device`] if it fails.
pub fn verify(options: &VerifyOptions, report: impl FnMut(&Check)) -> Result<VerifyReport> {
    let candidates = device::choose(&options.device)?;
    let first = candidates.first().ok_or_else(|| Error::Usage("no device was found".into()))?;
    // A case has a few models and minibatches.
    let room = |rows: usize| {
        move |memory: &mut dyn Memory| {
            (0..4).try_for_each(|_| memory.model().and_then(|_| memory.pair(rows)).map(drop))
        }
    };
    verify_backend(first.info(), &|layers, rows| first.open(&Footprint::planned(layers, room(rows))?), report)
}

/// Verifies any backend.
///
/// # Errors
/// Those of `open`, and [`Error::Device`].
pub fn verify_backend(info: DeviceInfo, open: &Open, mut report: impl FnMut(&Check)) -> Result<VerifyReport> {
    let clock = System::new();
    let mut checks = Vec::new();
    let mut add = |found: Vec<Check>| {
        found.iter().for_each(&mut report);
        checks.extend(found);
    };
    add(kernels::random_words(open)?);
    add(kernels::kernels(open)?);
    add(step(open)?);
    add(model::stationarity(open)?);
    add(model::log_z(open)?);
    Ok(VerifyReport {
        version: env!("CARGO_PKG_VERSION"),
        device: info,
        passed: checks.iter().all(Check::passes),
        checks,
        seconds: clock.now().as_secs_f64(),
    })
}

/// One CD-1 step of realistic size.
fn step(open: &Open) -> Result<Vec<Check>> {
    let (rows, shape) = (32, Shape { visible: 784, hidden: 100 });
    let mut backend = open(shape.into(), rows)?;
    let found = check::step(&mut *backend, rows, 1)?;
    let tolerance = f64::from(check::TOLERANCE);
    let at = || format!("{rows} cases of {}×{} units", shape.visible, shape.hidden);
    let line = |of, error: f64, tolerance| {
        let mut line = Check::new("step", of, tolerance);
        line.see(error, at);
        line
    };
    Ok(vec![
        line("means", found.mean_error.into(), tolerance),
        line("parameters", found.parameter_error.into(), tolerance),
        line("states that are not u < p", found.wrong_states as f64, 0.0),
    ])
}
