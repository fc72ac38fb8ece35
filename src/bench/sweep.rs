//! Steps of many sizes: does time grow with the arithmetic?

use serde::Serialize;

use super::{
    BenchOptions, checked, layers,
    timing::{Patience, Times, time},
    workload::{Room, Workload, random_rows},
};
use crate::{
    backend::{DeviceInfo, Memory},
    device::{self, Footprint},
    error::{Result, usage},
    units::Kinds,
};

/// Smallest and largest numbers of hidden units and of cases in a minibatch, with all powers of two between.
const HIDDEN: [usize; 2] = [128, 4096];
const BATCH: [usize; 2] = [16, 8192];

/// Accepted range of the time ratio for twice the work.
const LEAST: f64 = 0.9;
const MOST: f64 = 4.0;

/// One size.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SweepPoint {
    /// Hidden units.
    pub hidden: usize,
    /// Cases in a minibatch.
    pub batch: usize,
    /// Time of one training step.
    pub step_seconds: Times,
    /// 10⁹ floating-point operations of the products per second, at the median.
    pub gflops: f64,
}

/// Two neighbouring sizes between which time does not grow with the arithmetic.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cliff {
    /// The smaller size: hidden units and cases.
    pub from: (usize, usize),
    /// The larger size: twice the hidden units or twice the cases.
    pub to: (usize, usize),
    /// Time of the larger over time of the smaller.
    pub ratio: f64,
}

/// Results of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct SweepReport {
    /// The device.
    pub device: DeviceInfo,
    /// Visible units.
    pub visible: usize,
    /// Their kinds.
    #[serde(skip_serializing_if = "Kinds::are_binary")]
    pub visible_units: Kinds,
    /// The kind of the hidden units.
    #[serde(skip_serializing_if = "Kinds::are_binary")]
    pub hidden_units: Kinds,
    /// Gibbs steps of a training step.
    pub cd: u32,
    /// All sizes, by hidden units, then by cases.
    pub points: Vec<SweepPoint>,
    /// Pairs where twice the work takes more than four times as long, or less time.
    pub cliffs: Vec<Cliff>,
}

/// Times steps of every size and calls `report` for each. Sizes with the same number of hidden units take turns.
///
/// # Errors
/// Those of [`super::run`].
pub fn sweep(options: &BenchOptions, mut report: impl FnMut(&SweepPoint)) -> Result<SweepReport> {
    checked(options)?;
    if options.data.is_some() {
        return usage!("‹sweep› uses random rows; omit ‹data›");
    }
    let hidden_units = options.hidden_units.clone();
    if hidden_units.units().is_some() {
        return usage!(
            "‹sweep› has numbers of hidden units of its own; expected one kind, as ‹hidden-units=drelu›, found {hidden_units}"
        );
    }
    let powers = |[first, last]: [usize; 2]| {
        std::iter::successors(Some(first), |x| Some(2 * x)).take_while(move |&x| x <= last)
    };
    let cd = options.cd;
    let visible_layer = options.visible_layer();
    let mut device = None;
    let mut points: Vec<SweepPoint> = Vec::new();
    for hidden in powers(HIDDEN) {
        let layers = layers(visible_layer.clone(), hidden_units.layer(hidden))?;
        let rows = random_rows(BATCH[1], &layers.visible);
        let room = |memory: &mut dyn Memory| Room::new(memory, rows.layout(), rows.len(), BATCH[1]).map(drop);
        let footprint = Footprint::planned(&layers, room)?;
        let (_, mut backend) = device::open(&options.device, &footprint)?;
        let backend = &mut *backend;
        device = Some(backend.info().clone());
        let mut workload = Workload::new(backend, rows, BATCH[1], cd)?;
        let shape = layers.shape();
        let batches: Vec<usize> = powers(BATCH).collect();
        let epochs = time(backend, Patience::SHORT, batches.len(), |backend, which| {
            workload.epoch(backend, batches[which])
        })?;
        for (&batch, epochs) in batches.iter().zip(&epochs) {
            let step_seconds = Times::of(epochs).divided_by(workload.steps(batch));
            let flops = f64::from(3 + 2 * cd) * 2.0 * (batch * shape.visible * shape.hidden) as f64;
            let point =
                SweepPoint { hidden, batch, step_seconds, gflops: flops / step_seconds.median * 1e-9 };
            report(&point);
            points.push(point);
        }
    }
    let cliffs = cliffs(&points);
    let device = device.expect("there is more than one size");
    let (visible, visible_units) = (visible_layer.units(), Kinds::from(&visible_layer));
    Ok(SweepReport { device, visible, visible_units, hidden_units, cd, points, cliffs })
}

/// Twice the work takes twice as long on a saturated device, and equally long on one that is not. The time per operation
/// must stay within a factor of two of that, apart from noise.
fn cliffs(points: &[SweepPoint]) -> Vec<Cliff> {
    let twice = |a: &SweepPoint, b: &SweepPoint| {
        (b.hidden, b.batch) == (2 * a.hidden, a.batch) || (b.hidden, b.batch) == (a.hidden, 2 * a.batch)
    };
    let pairs = points.iter().flat_map(|a| points.iter().filter(move |b| twice(a, b)).map(move |b| (a, b)));
    pairs
        .map(|(a, b)| Cliff {
            from: (a.hidden, a.batch),
            to: (b.hidden, b.batch),
            ratio: b.step_seconds.median / a.step_seconds.median,
        })
        .filter(|pair| !(LEAST..=MOST).contains(&pair.ratio))
        .collect()
}
