//! A run that stops and resumes equals the run that did not stop, to the last bit.

use std::sync::Arc;

use crate::common;
use rbm_gpu::{
    backend::{Backend, Memory, Model},
    checkpoint::{self, Opaque, State},
    clock::System,
    config::{
        ByEpoch, DeviceChoice, Estimator, LearningRate, Optimizer, Switch, TrainConfig, Uniforms,
        VisibleStates,
    },
    cpu::Cpu,
    data::{Dataset, Source},
    finding::Finding,
    gpu::Gpu,
    likelihood::{LogZMethod, Look},
    rbm::{Rbm, Shape},
    train::{
        Advance, EpochMetrics, Event, Trainer,
        observer::{Begin, Observer, StepTaken, Watched},
    },
};

const SHAPE: Shape = Shape { visible: 16, hidden: 6 };

/// 32 cases in minibatches of 4: 8 steps an epoch; 24 steps.
fn config() -> TrainConfig {
    TrainConfig {
        data: Source::BarsAndStripes(4),
        hidden: SHAPE.hidden,
        epochs: 3,
        batch: 4,
        momentum: ByEpoch::from(0.8),
        ..TrainConfig::default()
    }
}

/// Every kind of run with a state of its own from step to step.
fn kinds() -> Vec<(&'static str, TrainConfig)> {
    let plain = || TrainConfig { momentum: ByEpoch::from(0.0), ..config() };
    let pcd = || TrainConfig { estimator: Estimator::Pcd, chains: Some(5), ..config() };
    vec![
        ("cd", config()),
        (
            "k and momentum by the epoch",
            TrainConfig {
                k: "1@0,3@1".parse().unwrap(),
                momentum: "0.5@0,0.9@1".parse().unwrap(),
                visible_states: VisibleStates::Mean,
                ..config()
            },
        ),
        ("pcd", pcd()),
        (
            "density",
            TrainConfig { centred: Switch::On, lr_schedule: LearningRate::Linear, average: 0.6, ..pcd() },
        ),
        ("pt", TrainConfig { estimator: Estimator::Pt, temperatures: 4, k: ByEpoch::from(8), ..pcd() }),
        (
            "tt",
            TrainConfig {
                estimator: Estimator::Tt,
                temperatures: 6,
                k: ByEpoch::from(20),
                learning_rate: 1.0,
                // 11 steps an epoch: rungs are added at its end and within it.
                batch: 3,
                ..pcd()
            },
        ),
        ("adam", TrainConfig { optimizer: Optimizer::Adam, learning_rate: 0.01, average: 0.5, ..config() }),
        ("standardised", TrainConfig { standardised: Switch::On, learning_rate: 0.01, ..config() }),
        ("clipped", TrainConfig { clip: Some(0.05), l1b: Some(0.001), ..config() }),
        ("nesterov", TrainConfig { nesterov: true, sparsity: Some(0.2), max_norm: Some(1.0), ..config() }),
        ("fast weights", TrainConfig { fast_weights: Some(0.1), estimator: Estimator::Pcd, ..plain() }),
        ("the host's uniforms", TrainConfig { uniforms: Some(Uniforms::Host), ..pcd() }),
    ]
}

fn trainer(config: &TrainConfig, backend: Box<dyn Backend>, stream: bool) -> Trainer {
    Trainer::with_backend(config, config.data.load().unwrap(), backend, stream).unwrap()
}

/// Trains up to a step, or to the end.
fn advance(trainer: &mut Trainer, epochs: usize, to: Option<usize>) -> Vec<EpochMetrics> {
    let mut metrics = Vec::new();
    trainer.pause_at(to);
    while trainer.epochs_done() < epochs {
        let emit = |event| {
            if let Event::Epoch(epoch) = event {
                metrics.push(epoch);
            }
        };
        let advance = trainer.advance(emit, |step| Some(step) == to).unwrap();
        if advance == Advance::Paused || Some(trainer.steps_done()) == to {
            break;
        }
    }
    metrics
}

/// The number, error and cost of each epoch.
type Figures = Vec<(usize, f64, Option<f64>)>;

/// What to compare at the end: the model, the whole state, and the figures without times.
fn end(trainer: &mut Trainer, metrics: &[EpochMetrics]) -> (Rbm, State, Figures) {
    let mut state = trainer.state().unwrap();
    state.position.observer = None;
    state.position.findings.clear();
    let figures = metrics
        .iter()
        .map(|metrics| (metrics.epoch, metrics.reconstruction_error, metrics.training_reconstruction_error));
    (trainer.rbm().unwrap(), state, figures.collect())
}

fn cpu() -> Box<dyn Backend> {
    Box::new(Cpu::open(SHAPE))
}

fn each_kind(open: &dyn Fn() -> Box<dyn Backend>, stops: &[usize]) {
    for (kind, config) in kinds() {
        for stream in [false, true] {
            let mut whole = trainer(&config, open(), stream);
            let initial = whole.rbm().unwrap();
            let metrics = advance(&mut whole, config.epochs, None);
            let expected = end(&mut whole, &metrics);
            assert!(expected.0 != initial, "{kind}: nothing was learnt");
            for &stop in stops {
                let mut first = trainer(&config, open(), stream);
                let mut metrics = advance(&mut first, config.epochs, Some(stop));
                assert_eq!(first.steps_done(), stop, "{kind}");
                let bytes = checkpoint::to_bytes(&first.state().unwrap()).unwrap();
                drop(first);
                let mut second = trainer(&config, open(), stream);
                second.restore(&checkpoint::from_bytes(bytes).unwrap()).unwrap();
                metrics.extend(advance(&mut second, config.epochs, None));
                let found = end(&mut second, &metrics);
                assert!(found == expected, "{kind}, streamed: {stream}, stopped after step {stop}");
            }
        }
    }
}

#[test]
fn on_the_native_path() {
    each_kind(&cpu, &[1, 3, 7, 8, 9, 13, 16, 17, 20, 23]);
}

#[test]
fn on_an_adapter() {
    let Some(context) = common::context("a run that resumes") else { return };
    each_kind(&|| Box::new(Gpu::new(context.clone(), SHAPE, None).unwrap()), &[1, 8, 13, 23]);
}

/// A file may claim any rungs.
#[test]
fn a_ladder_of_other_rungs_is_refused() {
    let config = kinds().into_iter().find(|(kind, _)| *kind == "tt").unwrap().1;
    let mut whole = trainer(&config, cpu(), false);
    // The steps after which the ladder changed.
    let (mut before, mut changed) = (None, Vec::new());
    for step in 1..=30 {
        advance(&mut whole, config.epochs, Some(step));
        let ladder = whole.state().unwrap().position.ladder;
        if before.replace(ladder.clone()) != Some(ladder) {
            changed.push(step);
        }
    }
    let an_epoch = whole.state().unwrap().position.steps_an_epoch;
    let is_at_an_end = |step: &usize| step.is_multiple_of(an_epoch);
    assert!(
        changed[1..].iter().any(is_at_an_end) && !changed[1..].iter().all(is_at_an_end),
        "{changed:?} of {an_epoch}"
    );
    let state = whole.state().unwrap();
    whole.restore(&state).unwrap();
    let far =
        [vec![(0, 0), (9, 9), (1, 0)], vec![(0, 0), (0, 0), (1, 0)], vec![(0, 0)], vec![(1, 0), (0, 0)]];
    for wrong in far.map(Some).into_iter().chain([None]) {
        let mut state = state.clone();
        state.position.ladder = wrong;
        let message = trainer(&config, cpu(), false).restore(&state).unwrap_err().to_string();
        assert!(message.contains("expected 0 first, 1 last") && message.contains("at most 6"), "{message}");
    }
}

/// Replicas that follow the model for its likelihood are part of the state, so that a look after a resume finds what it
/// would have found.
#[test]
fn looks_go_on_too() {
    // Too large to enumerate at a look: 25 × 25.
    let config = TrainConfig {
        data: Source::BarsAndStripes(5),
        hidden: 25,
        eval_every: Some(1),
        estimator: Estimator::Pcd,
        ..config()
    };
    let shape = Shape { visible: 25, hidden: 25 };
    let open = || trainer(&config, Box::new(Cpu::open(shape)), false);
    let looks = |metrics: Vec<EpochMetrics>| -> Vec<Look> {
        for event in metrics.iter().cloned().map(Event::Epoch) {
            let line = event.line().unwrap();
            assert_eq!(Event::from_line(line.as_bytes()).unwrap(), event, "{line}");
        }
        metrics.into_iter().map(|epoch| Look { seconds: 0.0, ..epoch.eval.unwrap() }).collect()
    };
    let expected = looks(advance(&mut open(), config.epochs, None));
    assert_eq!(expected[2].likelihood.log_z.log_z_method, LogZMethod::Tempering);
    // 16 steps an epoch: within the first epoch, after the first look, and within the third.
    for stop in [5, 16, 37] {
        let mut first = open();
        let mut metrics = advance(&mut first, config.epochs, Some(stop));
        let bytes = checkpoint::to_bytes(&first.state().unwrap()).unwrap();
        let mut second = open();
        second.restore(&checkpoint::from_bytes(bytes).unwrap()).unwrap();
        metrics.extend(advance(&mut second, config.epochs, None));
        assert_eq!(looks(metrics), expected, "stopped after step {stop}");
    }
}

#[test]
fn a_state_of_another_run_is_refused() {
    let mut one = trainer(&config(), cpu(), false);
    let state = one.state().unwrap();
    let other = TrainConfig { optimizer: Optimizer::Adam, ..config() };
    let refused = trainer(&other, cpu(), false).restore(&state).unwrap_err().to_string();
    assert!(refused.contains("squares_weights [16, 6]"), "{refused}");
}

#[test]
fn device_choice_is_no_part_of_a_state() {
    // A run begun on one device resumes on another.
    let config = TrainConfig { device: DeviceChoice::Reference, ..config() };
    let mut first = Trainer::new(&config, config.data.load().unwrap()).unwrap();
    advance(&mut first, 3, Some(5));
    let mut second = trainer(&config, cpu(), false);
    second.restore(&first.state().unwrap()).unwrap();
    advance(&mut second, 3, None);
    assert_eq!(second.epochs_done(), 3);
}

/// Counts the steps and the epochs of which it is told.
#[derive(Default)]
struct Counter([usize; 2]);

impl Observer for Counter {
    fn before_step(&mut self, _: &mut dyn Backend, _: &Watched, first: bool, _: u32) -> rbm_gpu::Result<()> {
        assert_eq!(first, self.0[0].is_multiple_of(8));
        Ok(())
    }
    fn after_step(&mut self, _: &mut dyn Backend, _: &StepTaken) -> rbm_gpu::Result<()> {
        self.0[0] += 1;
        Ok(())
    }
    fn after_epoch(&mut self, _: &mut dyn Backend, _: Model, _: f64) -> rbm_gpu::Result<()> {
        self.0[1] += 1;
        Ok(())
    }
    fn diverged(&mut self, _: &str) {}
    fn take(&mut self) -> Vec<Finding> {
        Vec::new()
    }
    fn untaken(&self) -> &[Finding] {
        &[]
    }
    fn memory(&self) -> Option<Opaque> {
        Opaque::of(&self.0)
    }
    fn remember(&mut self, memory: &Opaque, _: &[Finding], _: usize) -> rbm_gpu::Result<()> {
        self.0 = memory.read().unwrap();
        Ok(())
    }
}

#[test]
fn whoever_watches_is_told_of_each_step_once() {
    let open = || {
        let (data, clock) = (config().data.load().unwrap(), Arc::new(System::new()));
        let observe = |_: &mut dyn Memory, _: &TrainConfig, _: &Dataset| -> rbm_gpu::Result<Begin> {
            Ok(Box::new(|_| Ok(Box::new(Counter::default()))))
        };
        Trainer::build(&config(), data, cpu(), false, clock, Some(&observe)).unwrap()
    };
    let mut first = open();
    advance(&mut first, 3, Some(13));
    let bytes = checkpoint::to_bytes(&first.state().unwrap()).unwrap();
    let state = checkpoint::from_bytes(bytes).unwrap();
    let mut second = open();
    second.restore(&state).unwrap();
    advance(&mut second, 3, None);
    let memory = second.observer().unwrap().memory().unwrap();
    assert_eq!(memory.read::<[usize; 2]>().unwrap(), [24, 3]);
    // This memory is not the doctor's.
    let refused = trainer(&config(), cpu(), false).restore(&state).unwrap_err().to_string();
    assert!(refused.contains("no-doctor"), "{refused}");
}
