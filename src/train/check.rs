//! What is checked before a run begins: its options against the data, and what it needs against the device.

use super::{Evaluation, epoch::schedule, models};
use crate::{
    config::{Estimator, Optimizer, TrainConfig},
    data::Dataset,
    device::Footprint,
    error::{Result, usage},
    likelihood::Monitor,
    rbm::Shape,
};

/// Checks the options by themselves and against the data.
pub(super) fn options(config: &TrainConfig, dataset: &Dataset) -> Result<()> {
    config.check()?;
    let cases = dataset.train.rows.len();
    if config.batch > cases {
        return usage!(
            "‹batch› {} is larger than the data: {} has {cases} training cases; choose at most {cases}",
            config.batch,
            config.data
        );
    }
    let steps = cases.div_ceil(config.batch) as u64;
    if steps.saturating_mul(config.epochs as u64) >= 1 << 32 {
        return usage!(
            "{} epochs of {steps} steps are more than 2^32 steps; choose fewer ‹epochs› or a larger ‹batch›",
            config.epochs
        );
    }
    Ok(())
}

/// What the run needs on a device, but for the training cases.
pub(super) fn footprint(config: &TrainConfig, dataset: &Dataset) -> Footprint {
    let shape = Shape { visible: dataset.train.rows.layout().units, hidden: config.hidden };
    let monitored = config.eval_every.map(|_| Monitor::rows());
    let rows = config.batch.max(config.chains(config.batch)).max(Evaluation::rows(config, dataset));
    let rows = rows.max(monitored.unwrap_or(0));
    // Blocks that carry their rows have fewer uniforms, if any.
    let uniforms = schedule(config, &dataset.train.rows, shape, false, config.k.most()).block_uniforms();
    let temperatures = config.temperatures as u64;
    let (replicas, snapshots) = match config.estimator {
        Estimator::Cd | Estimator::Pcd => (0, 0),
        Estimator::Pt => (temperatures, 0),
        Estimator::Tt => (temperatures, temperatures - 1),
    };
    let pairs_of_layers = 6 + replicas + if monitored.is_some() { 4 } else { 0 };
    let footprint = Footprint::new(shape, rows, pairs_of_layers, uniforms).with_snapshots(snapshots);
    let footprint = footprint.with_models(if config.fast_weights.is_some() { 2 } else { 0 });
    let kept = [
        models::keeps_velocity(config),
        !models::is_fused(config),
        config.optimizer == Optimizer::Adam,
        config.average > 0.0,
    ];
    footprint.with_models(kept.into_iter().filter(|&is_kept| is_kept).count() as u64)
}
