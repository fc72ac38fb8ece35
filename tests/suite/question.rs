//! "Contrastive divergence in RBM: my cost does not decrease. What is wrong?" The question that started this project,
//! answered: its recipe on its own 3000 images gives its two plateaus, and this trainer learns from the same images.
//!
//! The two plateaus are Σx² and Σ(1−x)²: all visible units off, and all on. They move together because the gradient of
//! every visible bias is a sum over everything, `T.sum(x.T[:])`, and so the same number, about 10⁵, for each.

use rbm_gpu::{
    backend::{Ascent, Backend, BackendExt, Contrast, Draw, HalfStep, Memory, Pair, Update},
    config::{DeviceChoice, TrainConfig},
    cpu::Cpu,
    data::{Dataset, Rows, Source},
    rbm::{Rbm, Shape, Side},
    rng::{Address, Philox, Stream, fill},
    train::Trainer,
};

const CASES: usize = 3000;
const ALL_OFF: f64 = 258_872.775_070_19;
const ALL_ON: f64 = 2_003_326.798_507_69;

/// MNIST's training images 41933 ≤ i < 44933 with pixels divided by 256: the only window whose sums match.
fn images() -> Rows {
    let mnist = Source::Mnist.load().unwrap().train.rows;
    let bytes: Vec<u8> = (41_933..41_933 + CASES)
        .flat_map(|i| mnist.values(i).map(|x| (x * 255.0).round() as u8).collect::<Vec<_>>())
        .collect();
    Rows::from_bytes(784, &bytes, 1.0 / 256.0)
}

/// Σ (x − p)² over all cases.
fn cost(x: &[f32], p: &[f32]) -> f64 {
    x.iter().zip(p).map(|(x, p)| (f64::from(*x) - f64::from(*p)).powi(2)).sum()
}

#[test]
fn the_questions_recipe_gives_its_two_plateaus() {
    let rows = images();
    let x: Vec<f32> = (0..CASES).flat_map(|row| rows.values(row).collect::<Vec<_>>()).collect();
    let near = |cost: f64, plateau: f64| (cost - plateau).abs() < 1e-8 * plateau;
    assert!(near(cost(&x, &vec![0.0; x.len()]), ALL_OFF));
    assert!(near(cost(&x, &vec![1.0; x.len()]), ALL_ON));

    // The post's code, line by line, on the native path. Its weights are N(0, 1), and its random numbers are drawn
    // once, when the graph is built.
    let shape = Shape { visible: 784, hidden: 500 };
    let rate = 0.1;
    let mut rbm = Rbm::zeros(shape);
    let mut generator = Philox::new(1, Stream::Weights, 0);
    for weight in rbm.weights_mut() {
        *weight = rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut generator);
    }
    let mut backend = Cpu::open(shape);
    let mut units = |layer| backend.units(layer, CASES).unwrap();
    let (x_states, vis, vis_states) = (units(Side::Visible), units(Side::Visible), units(Side::Visible));
    let (x_grey, hid, hid2) = (units(Side::Visible), units(Side::Hidden), units(Side::Hidden));
    let mut binary = vec![0.0; x.len()];
    for (row, states) in binary.chunks_mut(784).enumerate() {
        fill(1, Address::new(Stream::Binarize, 0), row as u32, 0, states);
        states.iter_mut().zip(&x[row * 784..]).for_each(|(u, x)| *u = f32::from(*x > *u));
    }
    backend.write_units(x_states, &binary, &binary); // x_states = x > rand
    backend.write_units(x_grey, &x, &x);
    let model = backend.model_of(&rbm).unwrap();
    let half_step = |layer, sweep| HalfStep::new(CASES, Draw::of(1, Stream::Train, layer, 0).sweep(sweep));
    let total = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();

    let mut costs = Vec::new();
    for _ in 0..14 {
        backend.write_model(model, &rbm);
        backend.sample(&half_step(Side::Hidden, 0), model.into(), x_states, hid);
        backend.sample(&half_step(Side::Visible, 0), model.into(), hid, vis_states);
        backend.sample(&half_step(Side::Hidden, 1), model.into(), vis_states, hid2);
        let (means, _) = backend.read_units(vis_states, CASES).unwrap();
        costs.push(cost(&x, &means));
        // w += rate · (xᵀ hid − visᵀ hid2): a sum over the cases, while ours is a mean.
        backend.write_units(vis, &means, &means);
        let sums = Update::new(Contrast::new(CASES, CASES), Ascent::new(rate * CASES as f32));
        let positive = Pair { visible: x_grey, hidden: hid };
        let negative = Pair { visible: vis, hidden: hid2 };
        backend.update(&sums, positive, negative, None, model, None);
        rbm.weights_mut().copy_from_slice(backend.read_model(model).unwrap().weights());
        // by += rate · (sum(x) − sum(vis)): one number for every unit; bh likewise.
        let (hid, hid2) =
            (backend.read_units(hid, CASES).unwrap().0, backend.read_units(hid2, CASES).unwrap().0);
        let visible_step = rate * (total(&x) - total(&means)) as f32;
        let hidden_step = rate * (total(&hid) - total(&hid2)) as f32;
        rbm.visible_bias_mut().iter_mut().for_each(|bias| *bias += visible_step);
        rbm.hidden_bias_mut().iter_mut().for_each(|bias| *bias += hidden_step);
    }
    let plateaus: Vec<_> = costs[1..]
        .iter()
        .map(|&cost| {
            assert!(near(cost, ALL_OFF) || near(cost, ALL_ON), "neither plateau: {costs:?}");
            if near(cost, ALL_OFF) { "off" } else { "on" }
        })
        .collect();
    assert!(plateaus.contains(&"off") && plateaus.contains(&"on"), "{costs:?}");
}

#[test]
fn this_trainers_recipe_learns_from_the_same_images() {
    let config = TrainConfig { device: DeviceChoice::Cpu, epochs: 11, ..TrainConfig::default() };
    let mut trainer = Trainer::new(&config, Dataset::new((28, 28), images())).unwrap();
    let mut costs = Vec::new();
    for _ in 0..config.epochs {
        costs.push(trainer.epoch(|_| {}).unwrap().reconstruction_error * CASES as f64);
    }
    assert!(costs.is_sorted_by(|before, after| after < before), "the cost must fall: {costs:?}");
    assert!(costs[10] < 60_000.0, "the cost at epoch 11: {costs:?}");
    println!("{costs:?}");
}
