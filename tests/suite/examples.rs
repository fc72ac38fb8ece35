//! The examples run, and are as short as promised.

#[path = "../../examples/likelihood.rs"]
mod likelihood;
#[path = "../../examples/sample.rs"]
mod sample;
#[path = "../../examples/train.rs"]
mod train;

#[test]
fn examples_run() {
    crate::common::quiet_driver();
    train::main().unwrap();
    sample::main().unwrap();
    likelihood::main().unwrap();
}

#[test]
fn examples_are_short() {
    for (name, text) in [
        ("train", include_str!("../../examples/train.rs")),
        ("sample", include_str!("../../examples/sample.rs")),
        ("likelihood", include_str!("../../examples/likelihood.rs")),
    ] {
        assert!(text.lines().count() < 40, "{name}");
    }
}
