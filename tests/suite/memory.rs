//! Sizes that no machine has: every command computes its memory before it allocates, and answers at once with the
//! figures and with what would fit. Also: a long run keeps its memory on the device.

use std::time::Instant;

use crate::common::{
    self,
    program::{refuse, succeed, text},
};
use rbm_gpu::{
    config::{ByEpoch, Estimator, TrainConfig},
    data::Source,
    gpu::Gpu,
    rbm::Shape,
    train::Trainer,
};

#[test]
fn absurd_sizes_are_answered_with_figures() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train =
        ["train", "--device", "cpu", "--epochs", "1", "--limit", "200", "--hidden", "4", "--out", "run"];
    succeed(folder, &train);
    let shifter = ["train", "--data", "shifter", "--device", "cpu", "--out", "new"];
    let pcd = [&shifter[..], &["--estimator", "pcd", "--chains"]].concat();
    let pt = [&shifter[..], &["--estimator", "pt", "--temperatures", "256", "--chains"]].concat();
    let tt = [&shifter[..], &["--estimator", "tt", "--temperatures", "256", "--hidden"]].concat();
    let cases: [(&[&str], &[&str], &[&str]); 12] = [
        (&shifter, &["--hidden", "100000000"], &["GB", "choose a smaller --hidden"]),
        (&shifter, &["--hidden", "18446744073709551615"], &["GB", "smaller --hidden"]),
        (&shifter, &["--hidden", "100000000", "--optimizer", "adam"], &["GB", "smaller --hidden"]),
        (&pcd, &["1000000000000"], &["GB", "fewer --chains"]),
        (&pt, &["50000000"], &["GB", "fewer --chains"]),
        (&tt, &["1000000"], &["GB", "fewer --temperatures, or a smaller --hidden, at most about"]),
        (&["sample", "run", "--device", "cpu"], &["--chains", "16777216"], &["GB", "fewer --chains"]),
        (
            &["sample", "run", "--device", "cpu", "--tempered", "1000"],
            &["--chains", "1000000"],
            &["GB", "--tempered"],
        ),
        (
            &["eval", "run", "--device", "cpu", "--log-z", "ais"],
            &["--chains", "10000000"],
            &["--chains × --replicas × --rounds must be at most 2147483648", "4 bytes each"],
        ),
        (&["bench", "--device", "cpu"], &["--hidden", "10000000000"], &["GB", "--hidden"]),
        (&["bench", "--device", "cpu"], &["--visible", "10000000000"], &["GB", "--visible"]),
        (&["bench", "--device", "cpu"], &["--batch", "4000000000"], &["GB", "--batch"]),
    ];
    for (command, size, expected) in cases {
        let start = Instant::now();
        refuse(folder, &[command, size].concat(), expected);
        // Loading MNIST takes a second; writing to that much memory would take minutes.
        assert!(start.elapsed().as_secs() < 60, "{command:?} {size:?} took {:?}", start.elapsed());
    }
}

/// The limits of a control group are tested in src/memory/limits.rs: making one needs root.
#[test]
#[cfg(target_os = "linux")]
fn what_the_shell_limits_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let train = |hidden: &str| {
        let limited = "ulimit -v 1000000; exec \"$0\" \"$@\"";
        let options =
            ["train", "--data", "shifter", "--device", "cpu", "--epochs", "1", "--out", "run", "--hidden"];
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(folder.path()).args(["-c", limited, env!("CARGO_BIN_EXE_rbm-gpu")]).args(options);
        shell.arg(hidden).output().unwrap()
    };
    // 304 MB of weights would fit, but not what learning keeps besides.
    let output = train("100000");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("GB of memory are left") && message.contains("at most about"), "{message}");
    assert!(train("1000").status.success());
}

/// `soak.sh` tests the host's memory over 1000 epochs.
#[test]
fn no_buffer_is_made_while_a_run_goes_on() {
    let test = "no_buffer_is_made_while_a_run_goes_on";
    let Some(context) = common::context_of_its_own(test) else { return };
    let config = TrainConfig {
        data: Source::BarsAndStripes(4),
        hidden: 6,
        batch: 4,
        epochs: 120,
        estimator: Estimator::Pt,
        temperatures: 3,
        k: ByEpoch::from(1),
        average: 0.5,
        eval_every: Some(10),
        ..TrainConfig::default()
    };
    for stream in [false, true] {
        let gpu = Gpu::new(context.clone(), Shape { visible: 16, hidden: 6 }, None).unwrap();
        let cases = config.data.load().unwrap();
        let mut trainer = Trainer::with_backend(&config, cases, Box::new(gpu), stream).unwrap();
        let mut taken = Vec::new();
        while trainer.epochs_done() < config.epochs {
            trainer.epoch(|_| {}).unwrap();
            let state = trainer.state().unwrap();
            trainer.restore(&state).unwrap();
            taken.extend(context.allocated());
        }
        println!("{} epochs, streamed {stream}: {:?} to {:?}", taken.len(), taken.first(), taken.last());
        let most = |part: &[(usize, u64)]| part.iter().copied().max();
        let (first, rest) = taken.split_at(taken.len() / 4);
        assert!(most(rest) <= most(first), "{:?} pieces and bytes, then {:?}", most(first), most(rest));
    }
}
