//! Trains on the shifter ensemble, then draws from the model: `cargo run --release --example sample`

use rbm_gpu::{
    base::Base,
    config::TrainConfig,
    data::Source,
    inference::Inference,
    picture,
    sample::{Sampler, random_starts},
    train::Trainer,
};

pub fn main() -> rbm_gpu::Result<()> {
    let config = TrainConfig {
        data: Source::Shifter,
        hidden: 24,
        epochs: 300,
        batch: 32,
        cd: Some(5),
        ..TrainConfig::default()
    };
    let dataset = config.data.load()?;
    let (image, marginals) = (dataset.image, dataset.train.marginals());
    let mut trainer = Trainer::new(&config, dataset)?;
    for _ in 0..config.epochs {
        trainer.epoch(|_| {})?;
    }
    let rbm = trainer.rbm()?;
    let chains = 5;
    let inference = Inference::open(&rbm, &config.device, chains, config.seed)?;
    let starts = random_starts(rbm.layers(), chains, config.seed);
    let base = Base::new(rbm.layers(), marginals);
    let mut sampler = Sampler::new(inference, &base, &starts, 10)?;
    sampler.advance(500)?;
    let (_, states) = sampler.read()?;
    println!("8 bits, the same shifted, and which way: left, not at all, right\n");
    print!("{}", picture::blocks(&states, image));
    Ok(())
}
