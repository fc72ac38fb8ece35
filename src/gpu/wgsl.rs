//! Declarations that Rust and WGSL share, written once in Rust.

use crate::{
    backend::{
        Ascent, Draw, Gather,
        operation::{ADAM_EPSILON, ADAM_FIRST, ADAM_SECOND, MULTIPLY_ADDS},
    },
    rbm::Side,
    units::{Domain, Kind, PRECISIONS, truncated},
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
    for kind in Kind::ALL {
        source += &format!("const {} = {}u;\n", constant(kind), kind.number());
    }
    for (name, number) in
        [("ADAM_FIRST", ADAM_FIRST), ("ADAM_SECOND", ADAM_SECOND), ("ADAM_EPSILON", ADAM_EPSILON)]
    {
        source += &format!("const {name} = {number:?};\n");
    }
    source
}

/// The mathematics of a unit with one column, by the block's kind: what [`crate::units::Unit`] is on the host. x is the input, bias
/// included; parameters are those after the bias, by their numbers; u is a uniform number in [0, 1).
pub fn kinds() -> String {
    let input = [("x", "f32"), ("parameters", "vec4<f32>")];
    let drawn = [("x", "f32"), ("parameters", "vec4<f32>"), ("mean", "f32"), ("u", "f32")];
    let singles = || Kind::ALL.into_iter().filter(|kind| kind.domain() != Domain::OneHot);
    let shaders: String = singles().map(Kind::shader).collect();
    let functions: [(_, &[_], _); 4] = [
        ("expectation", &input, "vec4<f32>"),
        ("draw", &drawn, "f32"),
        ("cumulant", &input, "f32"),
        // That of a binary unit, the default, is that of a Potts unit's column, too.
        ("statistics", &[("state", "f32")], "vec4<f32>"),
    ];
    let functions = functions.map(|(function, parameters, result)| {
        let names: Vec<_> = parameters.iter().map(|(name, _)| *name).collect();
        let parameters: Vec<_> = parameters.iter().map(|(name, of)| format!("{name}: {of}")).collect();
        let call = |kind: Kind| format!("{}_{function}({})", kind.name(), names.join(", "));
        switch(
            &format!("kind_{function}({})", parameters.join(", ")),
            result,
            singles().map(|k| (k, call(k))),
        )
    });
    let precisions = Kind::ALL.map(|kind| (kind, format!("{}u", kind.precisions().len())));
    shaders + &functions.concat() + &switch("kind_precisions()", "u32", precisions)
}

/// A function of the block's kind. The first case is the default.
fn switch(head: &str, result: &str, cases: impl IntoIterator<Item = (Kind, String)>) -> String {
    let case = |(at, (kind, value)): (usize, (Kind, String))| {
        let case = if at == 0 { "default".into() } else { format!("case {}", constant(kind)) };
        format!("        {case}: {{ return {value}; }}\n")
    };
    let cases: String = cases.into_iter().enumerate().map(case).collect();
    format!("\nfn {head} -> {result} {{\n    switch params.kind {{\n{cases}    }}\n}}\n")
}

/// The name of a kind's number.
fn constant(kind: Kind) -> String {
    kind.name().to_uppercase()
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
