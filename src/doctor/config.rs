//! Checks of the options, before a run begins.

use crate::{
    config::{Optimizer, TrainConfig},
    finding::Finding,
};

/// The findings of data, without those that the options answer: a centred gradient learns from data that are mostly on as well.
pub fn answered(findings: Vec<Finding>, config: &TrainConfig) -> Vec<Finding> {
    findings.into_iter().filter(|finding| !(config.is_centred() && finding.name == "inverted-data")).collect()
}

/// Findings from the options alone.
pub fn findings(config: &TrainConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    if config.weight_decay > 0.0101 {
        found.push(Finding::warning(
            "weight-decay-too-strong",
            format!("‹weight-decay› {}", config.weight_decay),
            "L2 decay is from 10⁻⁵ to 10⁻² (Hinton 2010, section 10); beyond that, weights are pulled to 0 faster than the data pull \
             them away",
            "‹weight-decay=0.0001›; in your own code: multiply it by the learning rate, W ← W + ε(… − λW), and spare the \
             biases",
        ));
    }
    let momentum = config.momentum.values().fold(0.0, f32::max);
    if momentum >= 0.95 && config.optimizer == Optimizer::Sgd {
        let rate = config.learning_rate / (1.0 - momentum);
        found.push(Finding::warning(
            "momentum-too-high",
            format!(
                "‹momentum› {} raises ‹lr› {} to {rate:.3} in the long run",
                config.momentum, config.learning_rate
            ),
            "momentum α multiplies the learning rate by 1/(1−α); 0.5 at first and 0.9 later is usual (Hinton 2010, section 9)",
            "‹momentum=0.5›, or 0.9 with a lower ‹lr›",
        ));
    }
    found
}
