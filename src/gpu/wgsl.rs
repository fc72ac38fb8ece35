//! Declarations that Rust and WGSL share, written once in Rust.

use crate::{
    backend::{
        Ascent, Draw, Gather,
        operation::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, MULTIPLY_ADDS},
    },
    rbm::Side,
    units::{Kind, PRECISIONS, truncated},
};

/// Source shared by all modules: [`Draw`], named numbers and constants. The kernel's own
/// [`crate::backend::operation::Operation::WGSL`] comes in addition.
pub fn shared() -> String {
    let mut source = format!("\n// Made by the host.\n{}", Draw::STRUCT);
    let numbers = [
        ("VISIBLE", Side::Visible.number()),
        ("HIDDEN", Side::Hidden.number()),
        ("PRECISIONS_END", PRECISIONS.end as u32),
        ("MULTIPLY_ADDS", MULTIPLY_ADDS as u32),
        ("NEWTON_STEPS", truncated::NEWTON_STEPS as u32),
    ];
    for (name, number) in [Draw::CHOICES, Gather::CHOICES, Ascent::CHOICES, &numbers].concat() {
        source += &format!("const {name} = {number}u;\n");
    }
    for (name, number) in Kind::NAMES.iter().zip(0..) {
        source += &format!("const {} = {number}u;\n", name.to_uppercase());
    }
    for (name, number) in
        [("ADAM_FIRST", ADAM_FIRST), ("ADAM_SECOND", ADAM_SECOND), ("ADAM_EPSILON", ADAM_EPSILON)]
    {
        source += &format!("const {name} = {number:?};\n");
    }
    source
}

/// The polynomials of `shaders/shared/truncated.wgsl`, by Horner's rule.
pub fn polynomials() -> String {
    let polynomials = [
        ("mills_polynomial", truncated::MILLS),
        ("excess_polynomial", truncated::EXCESS),
        ("square_polynomial", truncated::SQUARE),
        ("erfinv_near", truncated::ERFINV_NEAR),
        ("erfinv_far", truncated::ERFINV_FAR),
    ];
    let function = |(name, coefficients): (&str, &[f64])| {
        let [rest @ .., last] = coefficients else { unreachable!("no polynomial is empty") };
        let sum = rest.iter().rev().fold(format!("{last:?}"), |sum, term| format!("({term:?} + t * {sum})"));
        format!("\nfn {name}(t: f32) -> f32 {{\n    return {sum};\n}}\n")
    };
    polynomials.into_iter().map(function).collect()
}
