//! Declarations that Rust and WGSL share, written once in Rust.

use crate::backend::{
    Ascent, Draw, Gather,
    operation::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, MULTIPLY_ADDS},
};

/// Source shared by all modules: [`Draw`], named numbers and constants. The kernel's own
/// [`crate::backend::operation::Operation::WGSL`] comes in addition.
pub fn shared() -> String {
    let mut source = format!("\n// Made by the host.\n{}", Draw::STRUCT);
    for (name, number) in [Draw::CHOICES, Gather::CHOICES, Ascent::CHOICES].concat() {
        source += &format!("const {name} = {number}u;\n");
    }
    for (name, number) in
        [("ADAM_FIRST", ADAM_FIRST), ("ADAM_SECOND", ADAM_SECOND), ("ADAM_EPSILON", ADAM_EPSILON)]
    {
        source += &format!("const {name} = {number:?};\n");
    }
    source + &format!("const MULTIPLY_ADDS = {MULTIPLY_ADDS}u;\n")
}
