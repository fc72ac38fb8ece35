//! What Rust and WGSL share, written once, in Rust: the parameters of a dispatch, their flags, and constants.

use crate::backend::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, FAST_SHARE, MULTIPLY_ADDS, Params};

/// The end of every module.
pub fn shared() -> String {
    let mut source = format!("\n// Made by the host.\n{}", Params::WGSL);
    for (name, flag) in Params::FLAGS {
        source += &format!("const {name} = {flag}u;\n");
    }
    for (name, number) in [
        ("FAST_SHARE", FAST_SHARE),
        ("ADAM_FIRST", ADAM_FIRST),
        ("ADAM_SECOND", ADAM_SECOND),
        ("ADAM_EPSILON", ADAM_EPSILON),
    ] {
        source += &format!("const {name} = {number:?};\n");
    }
    source + &format!("const MULTIPLY_ADDS = {MULTIPLY_ADDS}u;\n")
}
