//! Checks of a run: its options against the data, and its model.

use crate::{
    config::TrainConfig,
    data::Dataset,
    error::{Error, Result, usage},
    exact,
    rbm::Rbm,
};

/// Checks that unbounded units have a normalisation in an epoch, from 1; 0 before training.
pub(super) fn normalisation(rbm: &Rbm, epoch: usize) -> Result<()> {
    match exact::normalisation(rbm).and_then(|found| found.problem()) {
        Some(problem) => Err(Error::Unnormalised { epoch, problem }),
        None => Ok(()),
    }
}

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
