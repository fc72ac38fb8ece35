//! Trains on bars and stripes and compares the model with the optimum: `cargo run --release --example train`

use rbm_gpu::{config::TrainConfig, data::Source, exact, train::Trainer};

pub fn main() -> rbm_gpu::Result<()> {
    let config = TrainConfig {
        data: Source::BarsAndStripes(4),
        hidden: 16,
        epochs: 2000,
        batch: 32,
        learning_rate: 0.1,
        weight_decay: 0.0,
        cd: Some(5),
        ..TrainConfig::default()
    };
    let dataset = config.data.load()?;
    let rows = dataset.train.rows.clone();
    let mut trainer = Trainer::new(&config, dataset)?;
    println!("on {}", trainer.device());
    for epoch in 1..=config.epochs {
        let metrics = trainer.epoch(|_| {})?;
        if epoch % 200 == 0 {
            let log_likelihood = exact::log_likelihood(&trainer.rbm()?, &rows)?;
            println!("epoch {epoch}: error {:.3}, {log_likelihood:.3} nats", metrics.reconstruction_error);
        }
    }
    println!("a perfect model: -3.379 nats");
    Ok(())
}
