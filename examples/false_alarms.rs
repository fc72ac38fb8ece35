//! Trains small healthy models by sensible recipes, on data with something to learn, and counts the doctor's warnings:
//! `cargo run --release --no-default-features --example false_alarms -- 400`. At most 1 run in 200 may have one.

use rand::Rng;
use rbm_gpu::{
    config::{DeviceChoice, Estimator, LearningRate, Switch, TrainConfig},
    data::{Cases, Dataset, Rows},
    rng::{Philox, Stream},
    train::{Event, Trainer},
};

/// Uniform numbers of one run.
struct Draws(Philox);

impl Draws {
    fn uniform(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// Between two numbers, evenly in their logarithms.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.uniform())
    }
}

/// Binary cases: each column is a noisy copy of one of a few factors, turned on where its density says so.
fn data(draws: &mut Draws, (cases, columns, factors): (usize, usize, usize), density: f64) -> Dataset {
    let noise = draws.between(0.02, 0.2);
    let place: Vec<usize> = (0..columns).map(|_| (draws.uniform() * factors as f64) as usize).collect();
    let densities: Vec<f64> =
        (0..columns).map(|_| (density * draws.between(0.7, 1.4)).clamp(0.02, 0.98)).collect();
    let mut values = Vec::with_capacity(cases * columns);
    for _ in 0..cases {
        let levels: Vec<f64> = (0..factors).map(|_| draws.uniform()).collect();
        for (&factor, &density) in place.iter().zip(&densities) {
            let level = if draws.uniform() < noise { draws.uniform() } else { levels[factor] };
            values.push(f32::from(u8::from(level < density)));
        }
    }
    Dataset::new((1, columns), Cases::from(Rows::from_values(columns, &values)))
}

/// A recipe that suits the size: no more hidden units than there is to learn, and so many updates that weights from N(0, 0.01²)
/// grow. At first they grow by ε λ/4 of themselves an update, where λ is the largest eigenvalue of the columns' covariance.
fn recipe(
    draws: &mut Draws,
    (cases, columns, factors): (usize, usize, usize),
    density: f64,
    seed: u64,
) -> TrainConfig {
    let batch = (cases / 10).clamp(4, 50);
    let learning_rate = draws.between(0.04, 0.15);
    let largest = columns as f64 / factors as f64 * density * (1.0 - density);
    let updates = draws.between(1500.0, 4000.0).max(150.0 / (learning_rate * largest));
    let is_persistent = draws.uniform() < 0.4;
    let most = (cases as f64 / 4.0).min(3.0 * factors as f64);
    let is_dense = density > 0.5;
    TrainConfig {
        device: DeviceChoice::Cpu,
        hidden: draws.between(2.0, most.max(3.0)) as usize,
        batch,
        epochs: (updates / (cases as f64 / batch as f64)).ceil() as usize,
        learning_rate: learning_rate as f32,
        momentum: if is_persistent { 0.0 } else { 0.5 }.into(),
        weight_decay: 0.0002,
        estimator: if is_persistent { Estimator::Pcd } else { Estimator::Cd },
        centred: if is_dense || is_persistent { Switch::On } else { Switch::Off },
        lr_schedule: if is_persistent { LearningRate::Linear } else { LearningRate::Constant },
        seed,
        ..TrainConfig::default()
    }
}

fn main() -> rbm_gpu::Result<()> {
    let runs = std::env::args().nth(1).map_or(200, |count| count.parse().expect("expected a number of runs"));
    let mut alarms = 0;
    for seed in 0..runs {
        let mut draws = Draws(Philox::new(seed, Stream::Synthetic, 17));
        let (cases, columns) = (draws.between(20.0, 5000.0) as usize, draws.between(5.0, 200.0) as usize);
        let density = 0.02 + 0.96 * draws.uniform();
        // Columns are of one factor with some others.
        let factors = 1 + (draws.uniform() * (columns as f64 / 4.0).min(8.0)) as usize;
        let size = (cases, columns, factors);
        let dataset = loop {
            let dataset = data(&mut draws, size, density);
            let means = dataset.train.marginals().means;
            if (0.02..0.98).contains(&(means.iter().sum::<f64>() / columns as f64)) {
                break dataset;
            }
        };
        let config = recipe(&mut draws, size, density, seed);
        let mut trainer = Trainer::new(&config, dataset)?;
        let mut found = Vec::new();
        for _ in 0..config.epochs {
            trainer.epoch(|event| {
                if let Event::Finding(finding) = event {
                    found.push(format!("{}: {}", finding.name, finding.seen));
                }
            })?;
        }
        alarms += usize::from(!found.is_empty());
        for finding in found {
            println!(
                "seed {seed}: {cases}×{columns}, density {density:.2}, {} hidden units, {:?}, lr {:.3}, batch {}, {} epochs: {finding}",
                config.hidden, config.estimator, config.learning_rate, config.batch, config.epochs
            );
        }
    }
    println!("{alarms} of {runs} healthy runs have warnings");
    assert!(alarms * 200 <= runs as usize, "at most 1 in 200");
    Ok(())
}
