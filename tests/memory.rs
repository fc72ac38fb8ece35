//! Sizes that no machine has: every command reckons before it allocates, and answers at once with the figures and with what
//! would fit.

mod common;

use std::time::Instant;

use common::program::{refuse, succeed};

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
    let cases: [(&[&str], &[&str], &[&str]); 11] = [
        (&shifter, &["--hidden", "100000000"], &["GB", "choose a smaller --hidden"]),
        (&shifter, &["--hidden", "18446744073709551615"], &["GB", "smaller --hidden"]),
        (&shifter, &["--hidden", "100000000", "--optimizer", "adam"], &["GB", "smaller --hidden"]),
        (&pcd, &["1000000000000"], &["GB", "fewer --chains"]),
        (&pt, &["50000000"], &["GB", "fewer --chains"]),
        (&["sample", "run", "--device", "cpu"], &["--chains", "16777216"], &["GB", "fewer --chains"]),
        (
            &["sample", "run", "--device", "cpu", "--tempered", "1000"],
            &["--chains", "1000000"],
            &["GB", "--tempered"],
        ),
        (
            &["eval", "run", "--device", "cpu", "--log-z", "ais"],
            &["--chains", "10000000"],
            &["GB", "fewer --chains"],
        ),
        (&["bench", "--device", "cpu"], &["--hidden", "10000000000"], &["GB", "--hidden"]),
        (&["bench", "--device", "cpu"], &["--visible", "10000000000"], &["GB", "--visible"]),
        (&["bench", "--device", "cpu"], &["--batch", "4000000000"], &["GB", "--batch"]),
    ];
    for (command, size, expected) in cases {
        let start = Instant::now();
        refuse(folder, &[command, size].concat(), expected);
        // Loading MNIST takes a second; writing to so much memory would take minutes.
        assert!(start.elapsed().as_secs() < 60, "{command:?} {size:?} took {:?}", start.elapsed());
    }
}
