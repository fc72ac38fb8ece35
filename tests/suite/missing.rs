//! Missing values: what is sampled for them, the likelihood of what was observed, and learning from it.

use rbm_gpu::{
    base::Base,
    check::random_model,
    config::{ByEpoch, LearningRate, TrainConfig, Uniforms},
    data::{Cases, Dataset, Encoding, Rows},
    exact,
    inference::Inference,
    inpaint::{Effort, Wanted, impute},
    likelihood::Evaluator,
    rbm::{Layers, Rbm, Side},
    reference,
    train::Trainer,
    units::{Block, Kind, Layer},
};

use crate::common;

const VISIBLE: &str = "2 binary, 1 spin, 1 potts:3, 2 gaussian";

fn model(seed: u64) -> Rbm {
    let layers = Layers { visible: VISIBLE.parse().unwrap(), hidden: "3 binary, 1 spin".parse().unwrap() };
    random_model(&layers, 0.7, seed, |x| 1.0 + x.abs())
}

/// Rows of states of a model's visible units, the units with NaN in a pattern that differs from case to case.
fn cases(rbm: &Rbm, count: usize) -> Rows {
    let layer = &rbm.layers().visible;
    let base = Base::neutral(rbm.layers().clone());
    let address = rbm_gpu::rng::Address::new(rbm_gpu::rng::Stream::Synthetic, 1);
    let mut states = base.draw(3, address, 0, count);
    for (case, state) in states.chunks_mut(layer.columns()).enumerate() {
        for (unit, place) in layer.places().enumerate() {
            if (case * 7 + unit * 5) % 3 == 0 {
                state[place.column..][..place.kind.columns()].fill(f32::NAN);
            }
        }
    }
    Rows::from_values(layer.columns(), &states)
}

/// The part of a model with these visible units, with or without the hidden units' own parameters.
fn part(rbm: &Rbm, units: &[usize], keeps_hidden: bool) -> Rbm {
    let layers = rbm.layers();
    let places: Vec<_> = layers.visible.places().collect();
    let kinds: Vec<Kind> = units.iter().map(|&unit| places[unit].kind).collect();
    let of_unit = |&unit: &usize| places[unit].column..places[unit].column + places[unit].kind.columns();
    let columns: Vec<usize> = units.iter().flat_map(of_unit).collect();
    let visible = Layer::new(kinds.into_iter().map(|kind| Block { kind, units: 1 }));
    let (all, hidden) = (layers.visible.columns(), layers.hidden.columns());
    let mut parameters: Vec<f32> =
        columns.iter().flat_map(|&column| &rbm.weights()[column * hidden..][..hidden]).copied().collect();
    for plane in rbm.potentials(Side::Visible).chunks(all).take(visible.planes()) {
        parameters.extend(columns.iter().map(|&column| plane[column]));
    }
    let keep = f32::from(keeps_hidden);
    parameters.extend(rbm.potentials(Side::Hidden).iter().map(|x| x * keep));
    Rbm::from_parameters(Layers { visible, hidden: layers.hidden.clone() }, parameters)
}

/// log Σ_m e^(−F(o, m)) of a case, and the means of its missing columns: by all states of the hidden units, given which the missing
/// units are independent.
fn exact_case(rbm: &Rbm, case: &[f32]) -> (f64, Vec<f64>) {
    let layer = &rbm.layers().visible;
    let units: Vec<usize> = (0..layer.units()).collect();
    let places: Vec<_> = layer.places().collect();
    let (missing, known): (Vec<usize>, Vec<usize>) =
        units.into_iter().partition(|&unit| case[places[unit].column].is_nan());
    let (of_missing, of_known) = (part(rbm, &missing, false), part(rbm, &known, true));
    let state: Vec<f32> = case.iter().copied().filter(|x| !x.is_nan()).collect();
    let mut logs = Vec::new();
    exact::for_each_state_of(&rbm.layers().hidden, |h| {
        let own =
            -reference::energy(&of_known, &state, h) + reference::log_marginal(&of_missing, Side::Hidden, h);
        logs.push((own, reference::expectation(&of_missing, Side::Visible, h)));
    });
    let largest = logs.iter().fold(f64::NEG_INFINITY, |most, (log, _)| most.max(*log));
    let all = largest + logs.iter().map(|(log, _)| (log - largest).exp()).sum::<f64>().ln();
    let mut means = vec![0.0; of_missing.shape().visible];
    for (log, of_state) in &logs {
        let share = (log - all).exp();
        means.iter_mut().zip(of_state).for_each(|(mean, x)| *mean += share * x);
    }
    (all, means)
}

#[test]
fn missing_values_have_the_means_that_the_observed_ones_leave_them() {
    let rbm = model(4);
    let rows = cases(&rbm, 12);
    let base = Base::new(rbm.layers(), Cases::from(rows.clone()).marginals());
    let effort = Effort { chains: 60, steps: 400 };
    let wanted = Wanted { draws: true, hidden: true };
    for (name, backend) in common::one_of_each("missing_values_have_the_means", rbm.layers().clone()) {
        let mut inference = Inference::with_backend(backend, &rbm, 12, 1).unwrap();
        let imputed = impute(&mut inference, &rows, &base, effort, wanted).unwrap();
        let columns = rbm.shape().visible;
        for case in 0..rows.len() {
            let state: Vec<f32> = rows.values(case).collect();
            let (_, expected) = exact_case(&rbm, &state);
            let found = &imputed.visible[case * columns..][..columns];
            let of_missing = found.iter().zip(&state).filter(|(_, x)| x.is_nan()).map(|(mean, _)| *mean);
            for (mean, expected) in of_missing.zip(expected) {
                let error = (f64::from(mean) - expected).abs();
                assert!(error < 0.08, "{name}: case {case}: {mean} for {expected}");
            }
            // What was observed stays, in draws too.
            for states in imputed.draws.chunks(columns).skip(case).step_by(rows.len()).chain([found]) {
                assert!(states.iter().zip(&state).all(|(a, x)| a == x || x.is_nan()), "{name}: case {case}");
            }
        }
        assert_eq!(imputed.hidden.len(), rows.len() * rbm.shape().hidden);
        assert_eq!(imputed.draws.len(), effort.chains * rows.len() * columns);
        // Features are those means.
        assert_eq!(inference.transform(&rows).unwrap().len(), imputed.hidden.len());
    }
}

#[test]
fn a_likelihood_is_that_of_the_observed_part() {
    let rbm = model(6);
    let rows = cases(&rbm, 30);
    let expected: f64 =
        (0..rows.len()).map(|case| exact_case(&rbm, &rows.values(case).collect::<Vec<_>>()).0).sum();
    let expected = expected / rows.len() as f64 - exact::log_partition_function(&rbm).unwrap();
    let encoding = Encoding::new(rbm.layers().visible.clone());
    let dataset = Dataset { encoding, ..Dataset::new((1, 6), rows) };
    for (name, mut backend) in
        common::one_of_each("a_likelihood_is_that_of_the_observed", rbm.layers().clone())
    {
        use rbm_gpu::backend::BackendExt;
        let model = backend.model_of(&rbm).unwrap();
        let mut evaluator = Evaluator::new(&mut *backend, None, &dataset).unwrap();
        let found = evaluator.run(&mut *backend, model, &rbm, &dataset).unwrap();
        let error = found.train_log_likelihood - expected;
        // Low on average, so that nothing is flattered.
        assert!((-0.1..0.06).contains(&error), "{name}: {} for {expected}", found.train_log_likelihood);
        assert!(found.pseudo_log_likelihood.is_finite() && found.reconstruction_error > 0.0, "{name}");
    }
}

/// Cases whose second unit copies the first, and whose third is the other's opposite, each missing in every third case: their
/// dependence is learnt, though two of three cases lack something of it.
#[test]
fn what_is_missing_does_not_count_as_observed() {
    let values: Vec<f32> = (0..600)
        .flat_map(|case| {
            let x = (case * 7 % 5 < 3) as u8 as f32;
            let row = [x, x, 1.0 - x];
            (0..3).map(move |unit| if (case + unit) % 3 == 0 { f32::NAN } else { row[unit] })
        })
        .collect();
    let dataset = || Dataset::new((1, 3), Rows::from_values(3, &values));
    let config = TrainConfig {
        hidden: 3,
        epochs: 120,
        batch: 50,
        learning_rate: 0.2,
        lr_schedule: LearningRate::Linear,
        average: 0.5,
        weight_decay: 0.001,
        k: ByEpoch::from(3),
        no_doctor: true,
        ..TrainConfig::default()
    };
    let shape = rbm_gpu::rbm::Shape { visible: 3, hidden: 3 };
    let run = |config: &TrainConfig, backend: Box<dyn rbm_gpu::backend::Backend>, stream| {
        let mut trainer = Trainer::with_backend(config, dataset(), backend, stream).unwrap();
        (0..config.epochs).for_each(|_| drop(trainer.epoch(|_| {}).unwrap()));
        trainer.rbm().unwrap()
    };
    for (name, backend) in common::one_of_each("what_is_missing_does_not_count_as_observed", shape) {
        let rbm = run(&config, backend, false);
        let p = exact::visible_distribution(&rbm).unwrap();
        // Bit 0 is the first unit.
        let (on, off) = (p[0b011], p[0b100]);
        assert!(on + off > 0.85 && (on / (on + off) - 0.6).abs() < 0.08, "{name}: {p:?}");
    }
    // Uniforms from the host and streamed rows give the same bits.
    let config = TrainConfig { epochs: 2, ..config };
    let of = |uniforms, stream| {
        let config = TrainConfig { uniforms: Some(uniforms), ..config.clone() };
        run(&config, Box::new(rbm_gpu::cpu::Cpu::open(shape)), stream)
    };
    let expected = of(Uniforms::Device, false);
    for (uniforms, stream) in [(Uniforms::Device, true), (Uniforms::Host, false), (Uniforms::Host, true)] {
        assert!(of(uniforms, stream) == expected, "{uniforms:?} uniforms, streamed rows {stream}");
    }
}
