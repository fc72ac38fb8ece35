//! The likelihood: estimates against exact values, brackets that contain them, doubt where it is due; and `eval` as a
//! user meets it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::common::{
    self,
    program::{refuse, succeed},
};
use rbm_gpu::{
    ais::{Ais, AisOptions, Annealer, Progress},
    backend::{Backend, BackendExt},
    base::Base,
    check::{random_model, random_rbm, random_states},
    config::{Binarize, DeviceChoice, Estimator, TrainConfig},
    cpu::Cpu,
    data::{Cases, Dataset, Encoding, Rows, Source},
    exact,
    likelihood::Evaluator,
    model,
    rbm::{Layers, Rbm, Shape},
    rng::{Address, Stream},
    train::Trainer,
    units::{Kind, Marginals},
};
use serde_json::Value;

/// Binary rows, about a third of the bits on.
fn some_rows(units: usize, rows: usize) -> Rows {
    let bits: Vec<bool> = (0..rows * units).map(|i| i * i % 31 < 10).collect();
    Rows::from_bits(units, &bits)
}

fn anneal(backend: &mut dyn Backend, rbm: &Rbm, base: &Base, starts: &Rows, options: AisOptions) -> Ais {
    let model = backend.model_of(rbm).unwrap();
    let mut annealer = Annealer::new(backend, options).unwrap();
    annealer.run(backend, model, base, starts).unwrap()
}

/// An estimate on the native path, with the rows' base rates.
fn estimate(rbm: &Rbm, rows: &Rows, options: AisOptions) -> Ais {
    let base = Base::new(rbm.shape(), Marginals::of_shares(rows.density()));
    anneal(&mut Cpu::open(rbm.shape()), rbm, &base, rows, options)
}

/// Enough for models of some tens of units.
const SHORT: AisOptions =
    AisOptions { chains: 100, replicas: 12, rounds: 500, annealed: 100, temperatures: 1000, seed: 1 };

/// The estimate must be within 0.05 nat of the exact value, which must be in its bracket, and without doubt.
fn assert_is_exact(name: &str, rbm: &Rbm, ais: &Ais) {
    let exact = exact::log_partition_function(rbm).unwrap();
    assert!((ais.log_z - exact).abs() <= 0.05, "{name}: exact {exact}, {ais:?}");
    assert!(ais.log_z_low <= exact && exact <= ais.log_z_high, "{name}: exact {exact}, {ais:?}");
    assert!(ais.log_z_low <= ais.log_z && ais.log_z <= ais.log_z_high, "{name}: {ais:?}");
    assert!(ais.doubt.is_none(), "{name}: {ais:?}");
}

#[test]
fn estimates_are_exact_on_small_models_with_strong_weights() {
    let options = SHORT;
    for (seed, (visible, hidden, deviation)) in
        (1..).zip([(1, 1, 2.0), (20, 12, 0.5), (12, 40, 0.5), (30, 20, 1.0), (16, 16, 1.5)])
    {
        let rbm = random_rbm(Shape { visible, hidden }, deviation, seed);
        let ais = estimate(&rbm, &some_rows(visible, 50), options);
        assert_is_exact(&format!("{visible} × {hidden}, N(0, {deviation}²)"), &rbm, &ais);
    }
}

/// Every kind has a base whose Z is known, a path from it, and an exact value to compare with.
#[test]
fn estimates_are_exact_for_every_kind() {
    for (number, (visible, hidden, deviation)) in (1..).zip([
        ("16 binary", "5 gaussian, 3 relu, 4 drelu", 0.4),
        ("12 spin", "10 binary", 0.5),
        ("10 spin", "10 spin", 0.3),
        ("6 potts:5", "4 potts:3, 4 binary", 0.5),
        ("5 potts:5", "6 drelu", 0.4),
        ("12 gaussian", "10 binary, 2 potts:3", 0.5),
        ("8 gaussian", "6 gaussian", 0.15),
        ("4 binary, 2 potts:3, 3 gaussian, 2 spin", "8 binary", 0.7),
    ]) {
        let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
        let rbm = random_model(&layers, deviation, number, |x| 0.8 + x.abs());
        let starts = Base::neutral(&layers).draw(number, Address::new(Stream::Synthetic, 0), 0, 64);
        let rows = Rows::from_values(layers.visible.columns(), &starts);
        let base = Base::new(&layers, Cases::from(rows.clone()).marginals());
        let ais = anneal(&mut Cpu::open(&layers), &rbm, &base, &rows, SHORT);
        assert_is_exact(&format!("{visible} × {hidden}"), &rbm, &ais);
    }
}

/// Models trained with persistent chains have modes far apart: annealed chains alone are 0.05 to 0.1 nat off.
#[test]
fn the_estimate_is_exact_on_models_of_mnist() {
    let dataset = Source::Mnist.load().unwrap().threshold();
    for estimator in [Estimator::Cd, Estimator::Pcd] {
        let config = TrainConfig {
            hidden: 20,
            epochs: 3,
            estimator,
            binarize: Binarize::Threshold,
            eval_every: Some(1),
            device: DeviceChoice::Cpu,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(&config, dataset.clone()).unwrap();
        let mut rbm = trainer.rbm().unwrap();
        for _ in 0..config.epochs {
            let look = trainer.epoch(|_| {}).unwrap().eval.unwrap().likelihood.log_z;
            rbm = trainer.rbm().unwrap();
            // Replicas follow, however much the model changed since the last look; a look that lags must not be called
            // reliable.
            let exact = exact::log_partition_function(&rbm).unwrap();
            let holds = look.log_z_low <= exact && exact <= look.log_z_high;
            assert!(holds || !look.reliable, "{estimator:?}: exact {exact}, {look:?}");
        }

        let options = AisOptions { replicas: 20, rounds: 1200, temperatures: 8000, ..SHORT };
        let ais = estimate(&rbm, &dataset.train.rows, options);
        assert_is_exact(&format!("MNIST, 20 hidden units, {estimator:?}"), &rbm, &ais);
    }
}

#[test]
fn every_backend_gives_the_same_figures() {
    let test = "every_backend_gives_the_same_figures";
    let shape = Shape { visible: 30, hidden: 15 };
    let rbm = random_rbm(shape, 0.5, 1);
    let velocity = random_rbm(shape, 0.1, 2);
    let dataset = Dataset {
        test: Some(some_rows(30, 70).into()),
        ..Dataset::new((5, 6), some_rows(30, 1100)) // more than two parts
    };
    let options =
        AisOptions { chains: 60, replicas: 6, rounds: 60, annealed: 150, temperatures: 200, seed: 1 };
    let run = |backend: &mut dyn Backend, ais| {
        let models = [&rbm, &velocity].map(|rbm| backend.model_of(rbm).unwrap());
        let mut evaluator = Evaluator::new(backend, ais, &dataset).unwrap();
        let likelihood = evaluator.run(backend, models[0], &rbm, &dataset).unwrap();
        // It may be called in the middle of training.
        let after = models.map(|model| backend.read_model(model).unwrap());
        assert!(after == [rbm.clone(), velocity.clone()], "the model and its velocity are as they were");
        likelihood
    };
    let expected = run(&mut common::reference(shape), None);
    let exact = exact::log_likelihood(&rbm, &dataset.train.rows).unwrap();
    assert!((expected.train_log_likelihood - exact).abs() < 1e-5);
    for (name, mut backend) in common::all(test, shape) {
        let found = run(&mut *backend, None);
        let figures = |likelihood: &rbm_gpu::likelihood::Likelihood| {
            [
                likelihood.train_log_likelihood,
                likelihood.test_log_likelihood.unwrap(),
                likelihood.free_energy_gap.unwrap(),
                likelihood.pseudo_log_likelihood,
                likelihood.reconstruction_error,
            ]
        };
        for (found, expected) in figures(&found).into_iter().zip(figures(&expected)) {
            assert!((found - expected).abs() < 1e-4, "{name}: {found}, reference {expected}");
        }
        let estimated = run(&mut *backend, Some(options));
        assert!(estimated == run(&mut *backend, Some(options)), "{name}: the same seed, the same answer");
        let ais = estimated.log_z.ais.unwrap();
        let error = ais.log_z - expected.log_z.log_z;
        assert!(error.abs() < 0.15, "{name}: {error} from the exact value; {ais:?}");
    }
}

#[test]
fn another_seed_is_another_estimate() {
    let rbm = random_rbm(Shape { visible: 20, hidden: 12 }, 0.5, 2);
    let with = |seed| {
        let options =
            AisOptions { chains: 50, replicas: 4, rounds: 10, annealed: 50, temperatures: 100, seed };
        estimate(&rbm, &some_rows(20, 50), options).forward.log_z
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
}

#[test]
fn progress_adds_up_to_the_steps_that_are_expected() {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };
    let rbm = random_rbm(Shape { visible: 20, hidden: 12 }, 0.5, 2);
    let options =
        AisOptions { chains: 10, replicas: 4, rounds: 215, annealed: 20, temperatures: 30, seed: 1 };
    let mut backend = Cpu::open(rbm.shape());
    let model = backend.model_of(&rbm).unwrap();
    let mut annealer = Annealer::new(&mut backend, options).unwrap();
    let done = Arc::new(AtomicU64::new(0));
    let told = done.clone();
    annealer.set_progress(Progress::new(move |steps| {
        told.fetch_add(steps, Ordering::Relaxed);
    }));
    let rows = some_rows(20, 50);
    let base = Base::new(rbm.shape(), Marginals::of_shares(rows.density()));
    annealer.run(&mut backend, model, &base, &rows).unwrap();
    assert_eq!(done.load(Ordering::Relaxed), options.steps());
}

/// Two phases with a wide gap between them: almost all mass is at v = 1, and a base of rare units never sees it.
#[test]
fn mass_that_the_forward_chains_miss_is_cause_for_doubt() {
    let shape = Shape { visible: 60, hidden: 1 };
    let mut rbm = Rbm::zeros(shape);
    rbm.visible_bias_mut().fill(-3.0);
    rbm.weights_mut().fill(8.0);
    rbm.hidden_bias_mut().fill(-270.0);
    let exact = exact::log_partition_function(&rbm).unwrap();
    assert!(exact > 25.0, "the mass is not where the hidden unit is off: {exact}");
    let base = Base::new(shape, Marginals::of_shares(vec![0.05; 60]));
    let all_on = Rows::from_bits(60, &vec![true; 60 * 10]);
    let options = AisOptions { chains: 50, temperatures: 300, ..SHORT };
    let ais = anneal(&mut Cpu::open(shape), &rbm, &base, &all_on, options);
    assert!(ais.doubt.as_ref().is_some_and(|doubt| doubt.contains("bracket")), "{ais:?}");
    assert!(ais.log_z_low <= exact && exact <= ais.log_z_high + 0.5, "exact {exact}, {ais:?}");
}

/// A model with a mode around each pattern, with these shares of the mass, one hidden unit for each.
fn modes(patterns: &[Vec<bool>], strength: f32, shares: &[f64]) -> Rbm {
    let shape = Shape { visible: patterns[0].len(), hidden: patterns.len() };
    let mut rbm = Rbm::zeros(shape);
    for (unit, (pattern, share)) in patterns.iter().zip(shares).enumerate() {
        let on = pattern.iter().filter(|&&on| on).count() as f64;
        for (i, &on) in pattern.iter().enumerate() {
            rbm.weights_mut()[i * shape.hidden + unit] = if on { strength } else { -strength };
        }
        // Without biases: Π (1 + e^±w) over the units.
        let softplus = |x: f64| x.exp().ln_1p();
        let strength = f64::from(strength);
        let mass = on * softplus(strength) + (pattern.len() as f64 - on) * softplus(-strength);
        rbm.hidden_bias_mut()[unit] = (60.0 + share.ln() - mass) as f32;
    }
    rbm
}

/// Cases near a pattern: in each, one unit is flipped.
fn near(pattern: &[bool], cases: usize) -> Vec<bool> {
    (0..cases)
        .flat_map(|case| pattern.iter().enumerate().map(move |(unit, &on)| on ^ (unit == case % 60)))
        .collect()
}

/// Modes far apart: what one half of the chains, or all of them, miss shows in the data, or in chains that begin
/// elsewhere.
#[test]
fn modes_that_replicas_miss_are_cause_for_doubt() {
    // The patterns differ in two of three units.
    let pattern: Vec<bool> = random_states(1, 60, 1).iter().map(|&x| x > 0.5).collect();
    let other = pattern.iter().enumerate().map(|(unit, on)| on ^ !unit.is_multiple_of(3)).collect();
    let patterns = [pattern, other];
    let exactly = |rbm: &Rbm| exact::log_partition_function(rbm).unwrap();
    let expect = |name: &str, rbm: &Rbm, bits: &[bool]| {
        let ais = estimate(rbm, &Rows::from_bits(60, bits), AisOptions { rounds: 1200, ..SHORT });
        assert!(ais.doubt.is_some(), "{name}: exact {}, {ais:?}", exactly(rbm));
        assert!(ais.log_z_high < exactly(rbm), "{name}: no chain misses anything: {ais:?}");
        ais
    };
    // There are no data where 95 % of the mass is, and all estimates from the base rates of the data agree.
    let rbm = modes(&patterns, 3.0, &[0.05, 0.95]);
    let ais = expect("no data in the heavy mode", &rbm, &near(&patterns[0], 300));
    assert!((ais.search.cells.log_z - exactly(&rbm)).abs() < 0.5, "{:?}", ais.search);
    // Few cases are in a narrow mode of 3 %. Chains start from every sixth case, which misses these, and do not find it.
    let rbm = modes(&patterns, 6.0, &[0.97, 0.03]);
    let bits = [near(&patterns[0], 1), near(&patterns[1], 5), near(&patterns[0], 294)].concat();
    let ais = expect("a narrow mode", &rbm, &bits);
    assert!((ais.search.cells.log_z - exactly(&rbm)).abs() < 0.1, "{:?}", ais.search);
}

#[test]
fn weights_beyond_all_measure_give_doubt_and_no_number() {
    let shape = Shape { visible: 30, hidden: 30 };
    let mut rbm = random_rbm(shape, 1.0, 1);
    rbm.weights_mut().iter_mut().for_each(|w| *w *= 1e37);
    let ais =
        estimate(&rbm, &some_rows(30, 20), AisOptions { chains: 20, rounds: 20, temperatures: 20, ..SHORT });
    assert!(ais.doubt.is_some(), "{ais:?}");
}

/// Runs `rbm-gpu eval` in `folder`.
fn eval(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rbm-gpu"))
        .current_dir(folder)
        .arg("eval")
        .args(arguments)
        .env_remove("RBM_GPU_DATA")
        .output()
        .unwrap()
}

fn eval_json(folder: &Path, arguments: &[&str]) -> Value {
    let output = eval(folder, &[arguments, &["--json", "--device", "cpu"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An IDX file of 3×4 images.
fn images(count: u32, value: impl Fn(usize) -> u8) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    [count, 3, 4].iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend((0..count as usize * 12).map(value));
    file
}

/// A folder with a grey and a binary data set of 12 units, and a model as a run writes it.
fn workplace() -> (tempfile::TempDir, Rbm) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &dyn Fn(usize) -> u8| {
        let data = folder.path().join(name);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("train-images-idx3-ubyte"), images(40, value)).unwrap();
        fs::write(data.join("t10k-images-idx3-ubyte"), images(20, value)).unwrap();
    };
    write("grey", &|i| (i * 37 % 256) as u8);
    write("binary", &|i| if i * i % 7 < 3 { 255 } else { 0 });
    let rbm = random_rbm(Shape { visible: 12, hidden: 6 }, 0.5, 3);
    save(&folder.path().join("run/model.safetensors"), &rbm, Source::Path("binary".into()));
    (folder, rbm)
}

fn save(path: &Path, rbm: &Rbm, data: Source) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let encoding = Encoding::of(Kind::Binary, rbm.shape().visible);
    model::save(path, rbm, &TrainConfig { data, ..TrainConfig::default() }, &encoding).unwrap();
}

#[test]
fn eval_answers_with_all_it_promised() {
    let (folder, rbm) = workplace();
    let folder = folder.path();
    let report = eval_json(folder, &["run"]);
    let promised = [
        "log_z",
        "log_z_low",
        "log_z_high",
        "train_log_likelihood",
        "test_log_likelihood",
        "reconstruction_error",
        "pseudo_log_likelihood",
        "free_energy_gap",
    ];
    for key in promised {
        assert!(report[key].is_f64(), "{key} in {report}");
    }
    assert_eq!((&report["reliable"], &report["log_z_method"]), (&Value::from(true), &"enumeration".into()));
    assert_eq!((&report["binarize"], &report["data"]), (&"threshold".into(), &"binary".into()));
    let near = |key: &str, expected: f64| {
        let found = report[key].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-5, "{key}: {found}, expected {expected}");
    };
    let dataset = Source::Path(folder.join("binary")).load().unwrap().threshold();
    near("log_z", exact::log_partition_function(&rbm).unwrap());
    near("train_log_likelihood", exact::log_likelihood(&rbm, &dataset.train.rows).unwrap());
    let test = dataset.test.unwrap();
    near("test_log_likelihood", exact::log_likelihood(&rbm, &test.rows).unwrap());

    // The folder and the file, the metadata and the option, must give the same.
    let file = eval_json(folder, &["run/model.safetensors", "--data", "binary", "--binarize", "none"]);
    for key in promised {
        assert_eq!(file[key], report[key], "{key}");
    }
    let estimated = eval_json(folder, &["run", "--log-z", "ais", "--rounds", "200", "--temperatures", "500"]);
    assert_eq!(estimated["log_z_method"], "ais");
    assert!((estimated["log_z"].as_f64().unwrap() - report["log_z"].as_f64().unwrap()).abs() < 0.1);
    assert!(estimated["ais"]["forward"]["effective_chains"].as_f64().unwrap() > 25.0, "{estimated}");

    // Grey data are drawn once, by the seed alone.
    let drawn = |seed| eval_json(folder, &["run", "--data", "grey", "--binarize", "sample", "--seed", seed]);
    let figure = |report: Value| report["test_log_likelihood"].as_f64().unwrap();
    assert_eq!(figure(drawn("1")), figure(drawn("1")));
    assert_ne!(figure(drawn("1")), figure(drawn("2")));

    // Without test cases there are no figures of them.
    save(
        &folder.join("bars/model.safetensors"),
        &random_rbm(Shape { visible: 9, hidden: 30 }, 0.1, 1),
        Source::BarsAndStripes(3),
    );
    let bars = eval_json(folder, &["bars"]);
    assert!(bars["test_log_likelihood"].is_null() && bars["free_energy_gap"].is_null(), "{bars}");
    assert!(bars["train_log_likelihood"].is_f64(), "{bars}");

    let table = eval(folder, &["run", "--device", "cpu"]);
    let table = String::from_utf8(table.stdout).unwrap();
    for part in ["log Z", "exact", "on above 0.5", "log-likelihood, test", "reliable", "a unit"] {
        assert!(table.contains(part), "{part} in {table}");
    }
}

#[test]
fn what_eval_cannot_use_is_explained() {
    let (folder, rbm) = workplace();
    let folder = folder.path();
    let binary = || Source::Path("binary".into());
    for (name, value) in [("nan", f32::NAN), ("infinity", f32::INFINITY)] {
        let mut bad = rbm.clone();
        bad.weights_mut()[7] = value;
        save(&folder.join(name).join("model.safetensors"), &bad, binary());
    }
    save(&folder.join("wide/model.safetensors"), &Rbm::zeros(Shape { visible: 13, hidden: 6 }), binary());
    save(&folder.join("grown/model.safetensors"), &Rbm::zeros(Shape { visible: 12, hidden: 30 }), binary());
    save(&folder.join("large/model.safetensors"), &Rbm::zeros(Shape { visible: 26, hidden: 26 }), binary());
    save(&folder.join("empty/model.safetensors"), &Rbm::zeros(Shape { visible: 12, hidden: 0 }), binary());
    let bytes = fs::read(folder.join("run/model.safetensors")).unwrap();
    fs::write(folder.join("cut.safetensors"), &bytes[..bytes.len() - 9]).unwrap();
    fs::write(folder.join("text.safetensors"), "this is no model").unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let anonymous = safetensors::serialize(tensors.tensors(), None).unwrap();
    fs::write(folder.join("anonymous.safetensors"), anonymous).unwrap();

    let cases: &[(&[&str], &[&str])] = &[
        (&["absent"], &["absent", "a run's folder", "found nothing"]),
        (&["binary"], &["a run's folder", "found a folder without model.safetensors"]),
        (&["cut.safetensors"], &["not a complete safetensors file"]),
        (&["text.safetensors"], &["not a complete safetensors file"]),
        (&["anonymous.safetensors"], &["metadata", "--data"]),
        (&["nan"], &["weights[7] = NaN", "finite"]),
        (&["infinity"], &["weights[7] = inf", "finite"]),
        (&["empty"], &["at least one unit", "12 × 0"]),
        (&["wide"], &["expected data of 13 units", "found 12", "--data"]),
        (&["run", "--data", "mnist"], &["expected data of 12 units", "found 784"]),
        (&["run", "--data", "absent"], &["absent", "No such file"]),
        (&["run", "--data", "grey", "--binarize", "none"], &["binary", "grey", "--binarize threshold"]),
        (&["large", "--log-z", "enumeration"], &["26 × 26", "at most 25", "--log-z ais"]),
        (&["run", "--chains", "3"], &["--chains must be from 4", "found 3"]),
        (&["run", "--chains", "99999999999"], &["--chains must be from 4"]),
        (&["run", "--rounds", "9"], &["--rounds must be from 10", "found 9"]),
        (&["run", "--replicas", "1"], &["--replicas must be from 2 to 1000", "found 1"]),
        (&["run", "--rounds", "10000000"], &["--chains × --replicas × --rounds must be at most"]),
        (&["run", "--temperatures", "9"], &["--temperatures must be from 10"]),
        (&["run", "--temperatures", "x"], &["invalid value 'x'"]),
        (&["run", "--device", "no-such-device"], &["no such device"]),
        (&["run", "--binarize", "maybe"], &["threshold", "sample", "none"]),
        (&[], &["<MODEL>"]),
    ];
    for (arguments, expected) in cases {
        let output = eval(folder, arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty() && !message.contains("panicked"), "{arguments:?}: {message}");
        for part in *expected {
            assert!(message.contains(part), "{arguments:?}: expected {part:?} in {message:?}");
        }
    }
    // A model that is wide in only one layer can be enumerated.
    assert_eq!(eval_json(folder, &["grown"])["log_z_method"], "enumeration");
}

#[test]
fn the_processor_and_an_adapter_agree() {
    let Some(context) = common::context("the_processor_and_an_adapter_agree") else { return };
    let (folder, _) = workplace();
    let on = |device: &str, method: &str| -> Value {
        let short = ["--temperatures", "200", "--replicas", "6", "--rounds", "60"];
        let arguments = [&["run", "--json", "--device", device, "--log-z", method][..], &short].concat();
        let output = eval(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let name = &context.info().name;
    for (method, tolerance) in [("enumeration", 1e-4), ("ais", 0.2)] {
        let (cpu, adapter) = (on("cpu", method), on(name, method));
        let keys = |report: &Value| report.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&cpu), keys(&adapter));
        for key in ["log_z", "test_log_likelihood", "pseudo_log_likelihood", "reconstruction_error"] {
            let difference = cpu[key].as_f64().unwrap() - adapter[key].as_f64().unwrap();
            assert!(difference.abs() < tolerance, "{method}, {key}: {difference} apart");
        }
    }
}

/// Another program's model comes without the name of its data: log Z needs none.
#[test]
fn a_model_without_data_has_its_log_z() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, numbers) in
        [("weights", "1,-2\n0.5,1\n-1,2\n"), ("hidden_bias", "0.5\n-0.5\n"), ("visible_bias", "0\n1\n-1\n")]
    {
        fs::create_dir_all(folder.join("csv")).unwrap();
        fs::write(folder.join("csv").join(name).with_extension("csv"), numbers).unwrap();
    }
    succeed(folder, &["import", "csv", "-o", "bare.safetensors"]);
    let few =
        ["--rounds", "20", "--replicas", "3", "--temperatures", "20", "--annealed", "8", "--chains", "8"];
    let eval = |how: &str| -> Value {
        let arguments =
            [&["eval", "bare.safetensors", "--device", "cpu", "--json", "--log-z", how], &few[..]].concat();
        serde_json::from_str(&succeed(folder, &arguments)).unwrap()
    };
    let (exact, estimated) = (eval("enumeration"), eval("ais"));
    // Σ_h e^(cᵀh) Π_i (1 + e^(b_i + Σ_j W_ij h_j)).
    let of_hidden = |h: [f64; 2]| {
        let visible = [(0.0, [1.0, -2.0]), (1.0, [0.5, 1.0]), (-1.0, [-1.0, 2.0])];
        let factor = |(b, w): (f64, [f64; 2])| 1.0 + (b + w[0] * h[0] + w[1] * h[1]).exp();
        (0.5 * h[0] - 0.5 * h[1]).exp() * visible.map(factor).iter().product::<f64>()
    };
    let z: f64 = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]].map(of_hidden).iter().sum();
    let number = |report: &Value, key: &str| report[key].as_f64().unwrap();
    assert!((number(&exact, "log_z") - z.ln()).abs() < 1e-5, "{exact}, expected {}", z.ln());
    assert!((number(&estimated, "log_z") - z.ln()).abs() < 1.0, "{estimated}, expected {}", z.ln());
    for report in [exact, estimated] {
        assert!(
            report["train_log_likelihood"].is_null() && report["pseudo_log_likelihood"].is_null(),
            "{report}"
        );
        assert_eq!((&report["data"], &report["train_cases"]), (&"none".into(), &0.into()));
    }
    refuse(folder, &["eval", "bare.safetensors"], &["--log-z enumeration", "--log-z ais", "--data"]);
}
