//! Speed of a device: checks one step against the reference, then times whole steps and single kernels, beside the device's
//! peak rates.

mod ceilings;
#[cfg(feature = "report")]
mod plot;
mod sweep;
mod timing;
mod workload;

pub use ceilings::Ceilings;
#[cfg(feature = "report")]
pub use plot::plot;
pub use sweep::{Cliff, SweepPoint, SweepReport, sweep};
pub use timing::Times;

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    backend::DeviceInfo,
    check::{
        self, StepCheck,
        cases::{CASES, Work},
        stage::Size,
    },
    config::{DeviceChoice, check_sweeps},
    data::{Packing, RowLayout, Selection, Source},
    device::{self, Footprint},
    error::{Result, usage},
    memory,
    rbm::Layers,
    units::{Kind, Kinds, Layer},
};
use timing::{Patience, time};
use workload::{Room, Workload, random_layout, random_rows};

/// The options of a benchmark.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
// Here --visible is the number of units, as --hidden; their kinds are named as those of the hidden units are.
#[cfg_attr(feature = "cli", command(mut_arg("visible_units", |kinds| kinds.long("visible-units"))))]
pub struct BenchOptions {
    /// Cases in a minibatch
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 256))]
    pub batch: usize,
    /// Visible units
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 784, conflicts_with = "data"))]
    pub visible: usize,
    /// Hidden units
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 500))]
    pub hidden: usize,
    /// Kinds of the hidden units; see train
    #[cfg_attr(feature = "cli", arg(long, value_name = "KINDS", default_value_t = Kind::Binary.into()))]
    pub hidden_units: Kinds,
    /// Gibbs steps of contrastive divergence
    #[cfg_attr(feature = "cli", arg(long, value_name = "K", default_value_t = 1))]
    pub cd: u32,
    /// Cases in an epoch, at most; rounded down to whole minibatches
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 10_000))]
    pub rows: usize,
    /// Train on these data instead of random states; those of binary units are thresholded at 0.5; see train
    #[cfg_attr(feature = "cli", arg(long, value_name = "DATA"))]
    pub data: Option<Source>,
    /// Part of the data to use, and the kinds of the visible units, of random states, too.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub selection: Selection,
    /// auto, discrete, integrated, software, cpu, reference, or a part of an adapter's name
    #[cfg_attr(feature = "cli", arg(long, value_name = "DEVICE", default_value_t = DeviceChoice::Auto))]
    pub device: DeviceChoice,
    /// Time steps of many sizes: 128 to 4096 hidden units, 16 to 8192 cases in a minibatch
    #[cfg_attr(feature = "cli", arg(long, conflicts_with_all = ["batch", "hidden", "rows", "data"]))]
    pub sweep: bool,
    /// Plot the sweep to an SVG file
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", requires = "sweep"))]
    pub plot: Option<PathBuf>,
    /// Replace an existing file
    #[cfg_attr(feature = "cli", arg(long, requires = "plot"))]
    pub force: bool,
    /// One JSON object instead of a table
    #[cfg_attr(feature = "cli", arg(long))]
    pub json: bool,
}

impl BenchOptions {
    /// The visible units of random rows.
    fn visible_layer(&self) -> Layer {
        self.selection.visible.clone().unwrap_or(Kind::Binary.into()).layer(self.visible)
    }
}

/// The kernels of a step, in order.
const KERNELS: [&str; 4] = ["gather", "sample_hidden", "sample_visible", "update"];

/// Time of one kernel.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTimes {
    /// The name of the WGSL file and the method.
    pub name: &'static str,
    /// Calls per step.
    pub calls_a_step: u32,
    /// Time of one call.
    pub seconds: Times,
    /// The least work of one call.
    pub work: Work,
    /// 10⁹ floating-point operations of its product per second, at the median.
    pub gflops: f64,
    /// The roofline time of its work over the median time.
    pub share_of_ceiling: f64,
}

/// Whether a second run would give the same figures.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Repeatability {
    /// Relative difference between the medians of the first and the second half of the steps.
    pub drift: f64,
    /// [`Times::spread`] of all steps.
    pub spread: f64,
    /// Whether both are below 5 %.
    pub repeatable: bool,
}

/// Results of a benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The device.
    pub device: DeviceInfo,
    /// The data: `random`, or their name.
    pub data: String,
    /// Cases in an epoch.
    pub rows: usize,
    /// Visible units.
    pub visible: usize,
    /// Their kinds.
    #[serde(skip_serializing_if = "Kinds::are_binary")]
    pub visible_units: Kinds,
    /// Hidden units.
    pub hidden: usize,
    /// Their kinds.
    #[serde(skip_serializing_if = "Kinds::are_binary")]
    pub hidden_units: Kinds,
    /// Cases in a minibatch.
    pub batch: usize,
    /// Gibbs steps of a training step.
    pub cd: u32,
    /// The comparison of one step with the reference.
    pub check: StepCheck,
    /// The device's peak rates.
    pub ceilings: Ceilings,
    /// Time of one training step through the scheduler.
    pub step_seconds: Times,
    /// Whether a second run would give the same figures.
    pub repeatability: Repeatability,
    /// Training cases per second, at the median.
    pub samples_per_second: f64,
    /// 10⁹ floating-point operations of the products per second, at the median.
    pub gflops: f64,
    /// Sum of the times of a step's kernels, each timed alone with warm caches.
    pub kernels_seconds: f64,
    /// A step's kernels in sequence, repeatedly, without the scheduler.
    pub kernels_in_order: Times,
    /// Step time over the time of its kernels in sequence: the median over rounds that measure both.
    pub step_over_kernels: f64,
    /// Each kernel alone.
    pub kernels: Vec<KernelTimes>,
}

/// Multiply-adds for the reference to check a step: a few seconds.
const CHECK_WORK: usize = 2_000_000_000;
/// The largest difference between two measurements that counts as repeatable.
const REPEATABLE: f64 = 0.05;

/// The case of gathering rows of a layout.
fn packing(layout: RowLayout) -> &'static str {
    match layout.packing {
        Packing::Bits => "bits",
        Packing::Spins => "spins",
        Packing::Bytes => "bytes",
        Packing::Floats => "floats",
    }
}

/// Checks the options in themselves.
fn checked(options: &BenchOptions) -> Result<()> {
    let &BenchOptions { batch, visible, hidden, cd, rows, .. } = options;
    for (option, value) in [("batch", batch), ("visible", visible), ("hidden", hidden), ("rows", rows)] {
        if value == 0 {
            return usage!("‹{option}› must be at least 1, found 0");
        }
    }
    check_sweeps("cd", cd)
}

/// The layers of the options, if the host has room for the model that is checked and its velocity, and for those of the reference.
fn layers(visible: Layer, hidden: Layer) -> Result<Layers> {
    let columns = |layer: &Layer| {
        let of_blocks =
            layer.blocks().iter().map(|block| memory::product(&[block.units, block.kind.columns()]));
        of_blocks.fold(0, u64::saturating_add)
    };
    let (m, n) = (columns(&visible), columns(&hidden));
    memory::check(
        &format!("{m} × {n} units"),
        m.saturating_mul(n).saturating_mul(32),
        "choose a smaller ‹hidden› or ‹visible›",
    )?;
    Ok(Layers { visible, hidden })
}

/// Checks one step, then times.
///
/// # Errors
/// [`crate::Error::Usage`] for invalid options, or a model that doesn't fit the device; [`crate::Error::Device`] if the
/// device fails; the errors of loading data.
pub fn run(options: &BenchOptions) -> Result<BenchReport> {
    checked(options)?;
    let &BenchOptions { batch, cd, .. } = options;
    let loaded = match &options.data {
        Some(source) => Some(options.selection.load(source)?.threshold()),
        None => None,
    };
    let visible = match &loaded {
        Some(dataset) => dataset.encoding.layer.clone(),
        None => options.visible_layer(),
    };
    let layers = layers(visible, options.hidden_units.layer(options.hidden))?;
    let shape = layers.shape();
    let layout = match &loaded {
        Some(dataset) => dataset.train.rows.layout(),
        None => random_layout(&layers.visible),
    };
    let footprint = |rows| {
        Footprint::planned(&layers, |memory| {
            // The step that is checked, beside what is timed.
            memory.model()?;
            memory.model()?;
            (0..2).try_for_each(|_| memory.pair(batch).map(drop))?;
            Room::new(memory, layout, rows, batch).map(drop)
        })
    };
    let (candidate, mut backend) = device::open(&options.device, &footprint(0)?)?;
    let backend = &mut *backend;
    // Whole minibatches, so that all steps have one size.
    let most = loaded.as_ref().map_or(usize::MAX, |dataset| dataset.train.rows.len());
    if batch > most {
        return usage!("‹batch› {batch} is larger than the data: there are {most} training cases");
    }
    let count = (options.rows.min(most) / batch).max(1) * batch;
    if !candidate.holds(&footprint(count)?) {
        return usage!("there is no room for {count} rows of {} units; choose fewer ‹rows›", shape.visible);
    }

    let row_work = 5 * shape.visible.saturating_mul(shape.hidden);
    let check = check::step(backend, batch.min((CHECK_WORK / row_work).max(1)), 1)?;
    let ceilings = Ceilings::measure(backend)?;

    let rows = match loaded {
        None => random_rows(count, &layers.visible),
        Some(dataset) => {
            let mut rows = dataset.train.rows;
            rows.truncate(count);
            rows
        }
    };
    let mut workload = Workload::new(backend, rows, batch, cd)?;
    // Steps through the scheduler, their kernels in sequence, and each kernel alone.
    let calls = [1, 1 + cd, cd, 1];
    let seconds = time(backend, Patience::LONG, 2 + KERNELS.len(), |backend, which| {
        match which {
            0 => workload.epoch(backend, batch)?,
            1 => workload.kernels(backend),
            _ => workload.kernel(backend, which - 2),
        }
        Ok(())
    })?;
    let [epochs, in_order, by_themselves @ ..] = &seconds[..] else {
        unreachable!("as many series as calls")
    };
    let steps = workload.steps(batch);
    let ratios: Vec<f64> =
        epochs.iter().zip(in_order).map(|(epoch, step)| epoch / steps as f64 / step).collect();
    let step_seconds = Times::of(epochs).divided_by(steps);
    // A step gathers rows as they are packed, and uses each other kernel in the way of its first case.
    let work = |kernel: &str| {
        let mut cases = CASES.iter().filter(|case| case.kernel == kernel);
        let case =
            if kernel == "gather" { cases.find(|case| case.way == packing(layout)) } else { cases.next() };
        case.map_or(Work::default(), |case| (case.work)(Size { rows: batch, shape }))
    };
    let kernels: Vec<KernelTimes> = (0..KERNELS.len())
        .map(|kernel| {
            let (seconds, work) = (Times::of(&by_themselves[kernel]), work(KERNELS[kernel]));
            KernelTimes {
                name: KERNELS[kernel],
                calls_a_step: calls[kernel],
                seconds,
                work,
                gflops: work.flops / seconds.median * 1e-9,
                share_of_ceiling: ceilings.least_seconds(work) / seconds.median,
            }
        })
        .collect();
    let (early, late) = epochs.split_at(epochs.len() / 2);
    let drift = (Times::of(late).median / Times::of(early).median - 1.0).abs();
    let repeatable = drift < REPEATABLE && step_seconds.spread < REPEATABLE;

    let flops: f64 = kernels.iter().map(|kernel| f64::from(kernel.calls_a_step) * kernel.work.flops).sum();
    Ok(BenchReport {
        device: backend.info().clone(),
        data: options.data.as_ref().map_or("random".into(), Source::to_string),
        rows: count,
        visible: layers.visible.units(),
        visible_units: Kinds::from(&layers.visible),
        hidden: layers.hidden.units(),
        hidden_units: Kinds::from(&layers.hidden),
        batch,
        cd,
        check,
        ceilings,
        step_seconds,
        repeatability: Repeatability { drift, spread: step_seconds.spread, repeatable },
        samples_per_second: batch as f64 / step_seconds.median,
        gflops: flops / step_seconds.median * 1e-9,
        kernels_seconds: kernels
            .iter()
            .map(|kernel| f64::from(kernel.calls_a_step) * kernel.seconds.median)
            .sum(),
        kernels_in_order: Times::of(in_order),
        step_over_kernels: Times::of(&ratios).median,
        kernels,
    })
}
