//! Checks before a run begins: its options against the data.

use crate::{
    config::TrainConfig,
    data::Dataset,
    error::{Result, usage},
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
