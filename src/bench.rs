//! How fast a device is: one step checked against the reference, then whole steps and single kernels timed.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::{
    backend::{Backend, Params},
    check::{self, StepCheck, random_states},
    config::{DeviceChoice, VisibleStates, check_cd},
    data::Rows,
    device::{self, Footprint},
    error::{Result, usage},
    estimator::{Draws, Phases, contrastive_divergence},
    rbm::{Layer, Rbm, Shape},
    rng::Stream,
};

/// The options of a benchmark.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchOptions {
    /// Cases in a minibatch
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub batch: usize,
    /// Visible units
    #[arg(long, value_name = "N", default_value_t = 784)]
    pub visible: usize,
    /// Hidden units
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub hidden: usize,
    /// Gibbs steps of contrastive divergence
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub cd: u32,
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto)]
    pub device: DeviceChoice,
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Times of many runs, each of one step or one kernel, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    /// The median.
    pub median: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
}

/// What one kernel takes.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTimes {
    /// Its name: the WGSL file's and the method's.
    pub name: &'static str,
    /// How often a step needs it.
    pub calls_a_step: u32,
    /// For one call.
    pub seconds: Times,
    /// Floating-point operations of its product, 10⁹ a second, at the median; none for a kernel without a product.
    pub gflops: Option<f64>,
}

/// What a benchmark found.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The device's name.
    pub device: String,
    /// `vulkan`, `metal`, `dx12`, `cpu` or `reference`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software`, `other`, `cpu` or `reference`.
    pub kind: String,
    /// The driver, or the instruction set and threads.
    pub driver: String,
    /// Visible units.
    pub visible: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Cases in a minibatch.
    pub batch: usize,
    /// Gibbs steps of a training step.
    pub cd: u32,
    /// The step that was held against the reference.
    pub check: StepCheck,
    /// For one training step.
    pub step_seconds: Times,
    /// Cases learnt from in a second, at the median.
    pub samples_per_second: f64,
    /// Floating-point operations of the products, 10⁹ a second, at the median.
    pub gflops: f64,
    /// Each kernel by itself.
    pub kernels: Vec<KernelTimes>,
}

/// Multiplications and additions that checking a step may cost the reference: a few seconds.
const CHECK_WORK: usize = 2_000_000_000;
/// A timed run is repeated within one measurement until it takes at least this long,
const LEAST: Duration = Duration::from_millis(20);
/// and measured so many times,
const MEASUREMENTS: usize = 30;
/// or until this much time has gone by.
const PATIENCE: Duration = Duration::from_secs(4);

/// Checks one step, then times.
///
/// # Errors
/// [`crate::Error::Usage`] for options that make no sense or don't fit the device, [`crate::Error::Device`] if it
/// fails.
pub fn run(options: &BenchOptions) -> Result<BenchReport> {
    let &BenchOptions { batch, visible, hidden, cd, .. } = options;
    for (option, value) in [("batch", batch), ("visible", visible), ("hidden", hidden), ("cd", cd as usize)] {
        if value == 0 {
            return usage!("--{option} must be at least 1, found 0");
        }
    }
    check_cd(cd)?;
    let shape = Shape { visible, hidden };
    let footprint = Footprint::new(shape, batch, 6, 0);
    let (_, mut backend) = device::open(&options.device, &footprint)?;
    let backend = &mut *backend;

    let row_work = 5 * visible.saturating_mul(hidden);
    let check = check::step(backend, shape, batch.min((CHECK_WORK / row_work).max(1)), 1)?;

    let states = random_states(batch, visible, 2);
    let bits: Vec<bool> = states.iter().map(|&state| state > 0.5).collect();
    let rows = Rows::from_bits(visible, &bits);
    let data = backend.data(rows.layout(), batch)?;
    backend.write_data(data, rows.words());
    backend.write_order(data, &(0..batch as u32).collect::<Vec<_>>());
    backend.write_rbm(&Rbm::initial(shape, &vec![0.5; visible], 1), &Rbm::zeros(shape));
    let mut phase = || Ok((backend.units(Layer::Visible, batch)?, backend.units(Layer::Hidden, batch)?));
    let phases = Phases { positive: phase()?, negative: phase()? };
    let ((v0, h0), (v1, _)) = (phases.positive, phases.negative);
    let params = Params { learning_rate: 0.01, ..Params::new(shape, batch, 1).layout(rows.layout()) };
    let (draw_hidden, draw_visible) = (params.sample(Stream::Hidden, 0), params.sample(Stream::Visible, 0));

    let mut step = 0;
    let step_seconds = time(backend, |backend| {
        step += 1;
        let params = Params { step, ..params };
        backend.gather(&params, data, v0);
        let draws = &mut Draws { host: None };
        contrastive_divergence(backend, params, draws, phases, cd, VisibleStates::Sample);
        backend.update(&params, phases.positive, phases.negative);
    })?;

    let product = 2.0 * batch as f64 * visible as f64 * hidden as f64;
    let mut kernels = Vec::new();
    let mut kernel = |name, calls_a_step, products: f64, call: &dyn Fn(&mut dyn Backend)| {
        let seconds = time(backend, call)?;
        let gflops = (products > 0.0).then(|| products * product / seconds.median * 1e-9);
        kernels.push(KernelTimes { name, calls_a_step, seconds, gflops });
        Ok(())
    };
    kernel("gather", 1, 0.0, &|backend| backend.gather(&params, data, v0))?;
    kernel("sample_hidden", 1 + cd, 1.0, &|backend| backend.sample_hidden(&draw_hidden, v0, h0))?;
    kernel("sample_visible", cd, 1.0, &|backend| backend.sample_visible(&draw_visible, h0, v1))?;
    kernel("update", 1, 2.0, &|backend| backend.update(&params, phases.positive, phases.negative))?;

    let info = backend.info().clone();
    Ok(BenchReport {
        device: info.name,
        backend: info.backend,
        kind: info.kind,
        driver: info.driver,
        visible,
        hidden,
        batch,
        cd,
        check,
        step_seconds,
        samples_per_second: batch as f64 / step_seconds.median,
        gflops: f64::from(3 + 2 * cd) * product / step_seconds.median * 1e-9,
        kernels,
    })
}

/// Times one call: warm-up, then measurements of as many calls as [`LEAST`] takes.
fn time(backend: &mut dyn Backend, mut call: impl FnMut(&mut dyn Backend)) -> Result<Times> {
    let mut measure = |backend: &mut dyn Backend, calls: u32| -> Result<Duration> {
        let start = Instant::now();
        (0..calls).for_each(|_| call(backend));
        backend.wait()?;
        Ok(start.elapsed())
    };
    measure(backend, 1)?;
    let mut calls = 1;
    while measure(backend, calls)? < LEAST {
        calls *= 2;
    }
    let start = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < MEASUREMENTS && (seconds.len() < 3 || start.elapsed() < PATIENCE) {
        seconds.push(measure(backend, calls)?.as_secs_f64() / f64::from(calls));
    }
    seconds.sort_by(f64::total_cmp);
    let median = (seconds[(seconds.len() - 1) / 2] + seconds[seconds.len() / 2]) / 2.0;
    Ok(Times { median, min: seconds[0], max: seconds[seconds.len() - 1] })
}
