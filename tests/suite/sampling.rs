//! Uses of a trained model, on every backend: samples against the enumerated distribution, filled-in cases against the
//! exact conditional expectation, features against the equation.

use crate::common;
use rbm_gpu::{
    backend::Backend,
    base::Base,
    check::{largest_difference, random_model, random_rbm},
    data::Rows,
    inference::Inference,
    inpaint::{Effort, inpaint},
    rbm::{Layers, Rbm, Shape, Side},
    reference::{free_energy, hidden_input, sigmoid},
    sample::{Clamped, Sampler, random_starts},
    units::Marginals,
};

fn inference(backend: Box<dyn Backend>, rbm: &Rbm, rows: usize) -> Inference {
    Inference::with_backend(backend, rbm, rows, 5).unwrap()
}

/// Independent units, each on with this probability.
fn base(rbm: &Rbm, share: f64) -> Base {
    Base::new(rbm.layers(), Marginals::of_shares(vec![share; rbm.shape().visible]))
}

/// p(v) for every v: bit i of the index is unit i.
fn distribution(rbm: &Rbm) -> Vec<f64> {
    let units = rbm.shape().visible;
    let state = |index: usize| -> Vec<f32> { (0..units).map(|i| (index >> i & 1) as f32).collect() };
    let weights: Vec<f64> =
        (0..1 << units).map(|index| (-free_energy(rbm, 1.0, &state(index))).exp()).collect();
    let z: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / z).collect()
}

/// The frequency of each v, in the order of [`distribution`].
fn frequencies(states: &[f32], units: usize) -> Vec<f64> {
    let mut counts = vec![0.0; 1 << units];
    for state in states.chunks(units) {
        let index: usize = state.iter().enumerate().map(|(i, &v)| (v as usize) << i).sum();
        counts[index] += units as f64 / states.len() as f64;
    }
    counts
}

/// Half the sum of absolute differences.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[test]
fn samples_are_distributed_as_the_model_says() {
    let shape = Shape { visible: 4, hidden: 3 };
    let rbm = random_rbm(shape, 1.0, 3);
    let expected = distribution(&rbm);
    let chains = 4000;
    let starts = random_starts(&shape.into(), chains, 1);
    assert!(distance(&frequencies(&starts, 4), &expected) > 0.2, "the start is somewhere else");
    for (name, backend) in common::all("samples_are_distributed_as_the_model_says", shape) {
        let mut sampler =
            Sampler::new(inference(backend, &rbm, chains), &base(&rbm, 0.3), &starts, 1).unwrap();
        sampler.advance(30).unwrap();
        let (means, states) = sampler.read().unwrap();
        // 16 shares of 4000 samples: about 0.025 from chance alone.
        let off = distance(&frequencies(&states, 4), &expected);
        assert!(off < 0.05, "{name}: {off} from the enumerated distribution");
        assert!(means.iter().all(|mean| (0.0..=1.0).contains(mean)), "{name}");
    }
}

/// Two states, all on and all off, equally probable, with odds of e^20 against any path between them: plain chains stay,
/// tempered ones cross.
#[test]
fn tempered_chains_cross_between_modes() {
    let shape = Shape { visible: 8, hidden: 4 };
    let weight = 2.5;
    let tensors = [vec![weight; 32], vec![-weight * 4.0 / 2.0; 8], vec![-weight * 8.0 / 2.0; 4]];
    let rbm = Rbm::from_tensors(shape, tensors);
    let chains = 200;
    let starts = vec![1.0; chains * 8];
    for (name, backend) in common::fast("tempered_chains_cross_between_modes", shape) {
        let mut sampler =
            Sampler::new(inference(backend, &rbm, chains), &base(&rbm, 0.5), &starts, 1).unwrap();
        sampler.advance(100).unwrap();
        assert!(frequencies(&sampler.read().unwrap().1, 8)[255] > 0.95, "{name}: plain chains stay");
    }
    for (name, backend) in common::fast("tempered_chains_cross_between_modes", shape) {
        let mut sampler =
            Sampler::new(inference(backend, &rbm, chains), &base(&rbm, 0.5), &starts, 8).unwrap();
        sampler.advance(60).unwrap();
        let off = distance(&frequencies(&sampler.read().unwrap().1, 8), &distribution(&rbm));
        assert!(off < 0.15, "{name}: {off} from the enumerated distribution");
        assert!(sampler.exchange_rates().unwrap().iter().all(|rate| (0.2..=1.0).contains(rate)), "{name}");
    }
}

#[test]
fn what_is_missing_is_filled_in_with_its_expectation() {
    let shape = Shape { visible: 5, hidden: 3 };
    let rbm = random_rbm(shape, 1.0, 4);
    let p = distribution(&rbm);
    let unknown = [false, true, false, true, true];
    let cases: Vec<f32> = (0..8).flat_map(|case| (0..5).map(move |i| ((case * 5) >> i & 1) as f32)).collect();
    let mut expected = cases.clone();
    for case in expected.chunks_mut(5) {
        let known = |index: usize| (0..5).all(|i| unknown[i] || (index >> i & 1) as f32 == case[i]);
        let matching: Vec<usize> = (0..32).filter(|&index| known(index)).collect();
        let total: f64 = matching.iter().map(|&index| p[index]).sum();
        for i in (0..5).filter(|&i| unknown[i]) {
            let on: f64 = matching.iter().filter(|&&index| index >> i & 1 == 1).map(|&index| p[index]).sum();
            case[i] = (on / total) as f32;
        }
    }
    let rows = Rows::from_values(5, &cases);
    for (name, backend) in common::fast("what_is_missing_is_filled_in_with_its_expectation", shape) {
        let mut inference = inference(backend, &rbm, 8);
        let effort = Effort { chains: 20, steps: 200 };
        let filled = inpaint(&mut inference, &rows, &unknown, &base(&rbm, 0.5), effort).unwrap();
        let error = largest_difference(&filled, &expected);
        assert!(error < 0.04, "{name}: {error}");
        let kept = filled.iter().zip(&cases).zip(unknown.iter().cycle());
        assert!(
            kept.filter(|(_, unknown)| !**unknown).all(|((a, b), _)| a == b),
            "{name}: a known value changed"
        );
    }
}

#[test]
fn features_are_the_probabilities_of_hidden_units() {
    let shape = Shape { visible: 9, hidden: 6 };
    let rbm = random_rbm(shape, 1.0, 5);
    // More than one part, and values between grey levels.
    let values: Vec<f32> = (0..1100 * 9).map(|i| (i * 37 % 1009) as f32 / 1009.0).collect();
    let rows = Rows::from_values(9, &values);
    let expected: Vec<f32> = values
        .chunks(9)
        .flat_map(|v| (0..6).map(|j| sigmoid(hidden_input(&rbm, v, j)) as f32).collect::<Vec<_>>())
        .collect();
    for (name, backend) in common::fast("features_are_the_probabilities_of_hidden_units", shape) {
        let mut inference = inference(backend, &rbm, 512);
        let error = largest_difference(&inference.transform(&rows).unwrap(), &expected);
        assert!(error < 1e-6, "{name}: {error:e}");
        assert_eq!(inference.reconstruct(&rows).unwrap().len(), values.len());
    }
}

/// Features of every kind of hidden unit are its means, on every backend.
#[test]
fn features_of_every_kind_are_means() {
    let layers = Layers {
        visible: "2 binary, 1 potts:3, 1 gaussian".parse().unwrap(),
        hidden: "2 binary, 1 spin, 1 potts:3, 1 gaussian, 1 relu, 1 drelu".parse().unwrap(),
    };
    let rbm = random_model(&layers, 1.0, 3, |x| 1.0 + x.abs());
    let (width, hidden) = (layers.visible.columns(), layers.hidden.columns());
    let states = random_starts(&layers, 40, 1);
    let expected = states
        .chunks(width)
        .flat_map(|v| rbm_gpu::reference::expectation(&rbm, Side::Hidden, v)[..hidden].to_vec());
    let expected: Vec<f32> = expected.map(|mean| mean as f32).collect();
    for (name, backend) in common::one_of_each("features_of_every_kind_are_means", &layers) {
        let found = inference(backend, &rbm, 40).transform(&Rows::from_values(width, &states)).unwrap();
        let off = largest_difference(&found, &expected);
        assert!(off < 2e-5, "{name}: {off}");
    }
}

/// Units that keep their states, each chain its own, of either layer: the others follow the model given them.
#[test]
fn clamped_units_stay_and_the_others_follow_them() {
    let layers = Layers {
        visible: "2 binary, 1 potts:3, 1 spin".parse().unwrap(),
        hidden: "2 binary, 1 gaussian".parse().unwrap(),
    };
    let rbm = random_model(&layers, 1.0, 3, |x| 1.0 + x.abs());
    let chains = 4000;
    let base = Base::neutral(&layers);
    let starts = random_starts(&layers, chains, 1);
    // The first binary unit is on in even chains; the Potts unit is in its last state.
    let known: Vec<f32> =
        (0..chains).flat_map(|chain| [f32::from(chain % 2 == 0), 0.0, 0.0, 0.0, 1.0, 1.0]).collect();
    let mask = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0].repeat(chains);
    let visible = Clamped { layer: Side::Visible, known, mask };
    let hidden = Clamped {
        layer: Side::Hidden,
        known: [0.0, 1.0, 0.0].repeat(chains),
        mask: [0.0, 1.0, 0.0].repeat(chains),
    };
    let test = "clamped_units_stay_and_the_others_follow_them";
    for clamps in [vec![visible.clone()], vec![visible.clone(), hidden.clone()]] {
        for (name, backend) in common::one_of_each(test, &layers) {
            let inference = Inference::with_backend(backend, &rbm, chains, 5).unwrap();
            let mut sampler = Sampler::clamped(inference, &base, &starts, 3, &clamps).unwrap();
            sampler.advance(40).unwrap();
            let (_, states) = sampler.read().unwrap();
            let (mut counts, mut weights) = ([[0.0; 4]; 2], [[0.0; 4]; 2]);
            for (chain, state) in states.chunks(6).enumerate() {
                assert_eq!(state[0], f32::from(chain % 2 == 0), "{name}");
                assert_eq!(state[2..5], [0.0, 0.0, 1.0], "{name}");
                counts[chain % 2][state[1] as usize + 2 * usize::from(state[5] > 0.0)] += 2.0 / chains as f64;
            }
            // With the second hidden unit on, its weights are biases, and it adds nothing more.
            let mut given = rbm.clone();
            if clamps.len() == 2 {
                for column in 0..6 {
                    let weight = given.weights()[column * 3 + 1];
                    given.visible_bias_mut()[column] += weight;
                    given.weights_mut()[column * 3 + 1] = 0.0;
                }
            }
            for (odd, weights) in weights.iter_mut().enumerate() {
                for (at, weight) in weights.iter_mut().enumerate() {
                    let spin = if at >= 2 { 1.0 } else { -1.0 };
                    let state = [1.0 - odd as f32, (at % 2) as f32, 0.0, 0.0, 1.0, spin];
                    *weight = (-free_energy(&given, 1.0, &state)).exp();
                }
                let sum: f64 = weights.iter().sum();
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            for (counts, weights) in counts.iter().zip(&weights) {
                let off = distance(counts, weights);
                assert!(off < 0.04, "{name}, {} layers: {off}: {counts:?}, {weights:?}", clamps.len());
            }
        }
    }
}
