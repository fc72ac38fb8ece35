//! How good a model is, exactly and by annealed importance sampling: `cargo run --release --example likelihood`

use rbm_gpu::{
    ais::AisOptions, backend::BackendExt, config::TrainConfig, cpu::Cpu, data::Source, exact,
    likelihood::Evaluator, train::Trainer,
};

pub fn main() -> rbm_gpu::Result<()> {
    let config = TrainConfig {
        data: Source::BarsAndStripes(3),
        hidden: 8,
        epochs: 1000,
        batch: 16,
        ..TrainConfig::default()
    };
    let dataset = config.data.load()?;
    let mut trainer = Trainer::new(&config, dataset.clone())?;
    for _ in 0..config.epochs {
        trainer.epoch(|_| {})?;
    }
    let rbm = trainer.rbm()?;
    let mut backend = Cpu::open(rbm.shape());
    let model = backend.model_of(&rbm)?;
    let options = AisOptions { replicas: 10, rounds: 200, temperatures: 1000, ..AisOptions::default() };
    let mut evaluator = Evaluator::new(&mut backend, Some(options), &dataset)?;
    let estimate = evaluator.run(&mut backend, model, &rbm, &dataset)?;
    let exact = exact::log_likelihood(&rbm, &dataset.train.rows)?;
    let (low, high) = (estimate.train_log_likelihood_low, estimate.train_log_likelihood_high);
    println!("exact {exact:.4} nats a case; estimated between {low:.4} and {high:.4}");
    assert!(low - 0.05 <= exact && exact <= high + 0.05);
    Ok(())
}
