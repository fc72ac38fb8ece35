//! The random numbers: known answers, and the same words on the device as on the host.

use std::collections::HashMap;

use crate::common;
use rbm_gpu::{
    backend::{BackendExt, Draw, Gather, HalfStep},
    check::wrong_states,
    data::{Packing, RowLayout},
    rbm::{Rbm, Shape, Side},
    rng::{self, Address, Stream, philox, uniform},
};

/// Random123's known-answer vectors for philox4x32-10: counter, key, output.
const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
    ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
    (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
        [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
    ),
];

#[test]
fn philox_gives_the_known_answers() {
    for (counter, key, expected) in KNOWN {
        assert_eq!(philox(counter, key), expected, "counter {counter:x?}, key {key:x?}");
    }
    assert_eq!((uniform(0), uniform(u32::MAX)), (0.0, 1.0 - 2f32.powi(-24)));
    // One at a time, and as vectors of counters, from the first unit and from another.
    let address = Address::new(Stream::Sample, 6).layer(3).sweep(9);
    for first in [0, 20] {
        let mut filled = [0.0; 139];
        rng::fill(5, address, 8, first, &mut filled);
        for (unit, u) in (first..).zip(filled) {
            // Side, chain, sweep and stream, step.
            let words = philox([(3 << 26) | (unit / 4), 8, 9 << 8 | Stream::Sample as u32, 6], rng::key(5));
            assert_eq!(u, uniform(words[unit as usize % 4]));
            assert_eq!(u, rng::uniform_at(5, address, 8, unit));
        }
    }
}

/// A device shows its uniforms only through u < p. With p = u the unit must stay off, with the next larger number it
/// must be on. So the device's u equals the host's, to the last bit.
#[test]
fn the_device_draws_the_same_uniforms_to_the_last_bit() {
    let shape = Shape { visible: 11, hidden: 1 };
    for (name, mut backend) in common::all("the_device_draws_the_same_uniforms_to_the_last_bit", shape) {
        for ([layer_and_unit, chain, purpose, step], key, _) in KNOWN {
            let seed = u64::from(key[1]) << 32 | u64::from(key[0]);
            let address = Address::from_words([layer_and_unit >> 26 << 26, purpose, step]);
            for unit in 0..shape.visible {
                let u = rng::uniform_at(seed, address, chain, unit as u32);
                for (value, expected) in [(u, 0.0), (u.next_up(), 1.0)] {
                    let layout = RowLayout { units: shape.visible, packing: Packing::Bytes, scale: value };
                    let data = backend.data(layout, 1).unwrap();
                    backend.write_data(data, &[0x0101_0101; 3]);
                    backend.write_order(data, &[0]);
                    let visible = backend.units(Side::Visible, 1).unwrap();
                    let draw = Draw::at(seed, address).chains_from(chain);
                    backend.gather(&Gather::new(layout, 1).drawn(draw), data, visible);
                    let state = backend.read_units(visible, 1).unwrap().1[unit];
                    assert_eq!(state, expected, "{name}: unit {unit}: {u} < {value}");
                }
            }
        }
    }
}

#[test]
fn device_words_are_bit_equal_to_host_words() {
    let shape = Shape { visible: 1001, hidden: 1 };
    let rows = 40;
    let mut biased = Rbm::zeros(shape);
    biased.visible_bias_mut().iter_mut().zip(-500..).for_each(|(b, i)| *b = i as f32 * 0.01);
    for (name, mut backend) in common::all("device_words_are_bit_equal_to_host_words", shape) {
        let model = backend.model_of(&biased).unwrap();
        // The hidden units were never written: they are off, and p = σ(b).
        let hidden = backend.units(Side::Hidden, rows).unwrap();
        let visible = backend.units(Side::Visible, rows).unwrap();
        for (seed, step, sweep, first_chain) in
            [(0, 0, 0, 0), (u64::MAX, u32::MAX, Address::SWEEPS - 1, 1 << 31)]
        {
            let draw = Draw::of(seed, Stream::Train, Side::Visible, step);
            let draw = draw.sweep(sweep).chains_from(first_chain);
            backend.sample(&HalfStep::new(rows, draw), model.into(), hidden, visible);
            let (means, states) = backend.read_units(visible, rows).unwrap();
            assert_eq!(wrong_states(&draw, 1001, &means, &states), 0, "{name}");
            assert!(
                (means[0] - 0.00669285).abs() < 1e-6 && (means[500] - 0.5).abs() < 1e-6,
                "{name}: p = σ(b)"
            );
            let on: f32 = states.iter().sum();
            let expected: f32 = means.iter().sum();
            let deviation = means.iter().map(|p| p * (1.0 - p)).sum::<f32>().sqrt();
            assert!((on - expected).abs() < 5.0 * deviation, "{name}: {on} units on, expected {expected}");
        }
    }
}

/// The address of the uniforms of four units: stream, layer, sweep, step, chain and the first unit.
type Purpose = (Stream, [u32; 5]);

/// All streams.
const STREAMS: [Stream; 14] = [
    Stream::Train,
    Stream::Binarize,
    Stream::Weights,
    Stream::Order,
    Stream::Synthetic,
    Stream::Chains,
    Stream::Split,
    Stream::Sample,
    Stream::Exchange,
    Stream::Swap,
    Stream::Anneal,
    Stream::Resample,
    Stream::Evaluation,
    Stream::Cells,
];

/// The largest layer, sweep, step, chain and first of four units.
const LARGEST: [u32; 5] = [63, Address::SWEEPS - 1, u32::MAX, u32::MAX, (1 << 28) - 4];

fn address((stream, [layer, sweep, step, ..]): Purpose) -> Address {
    Address::new(stream, step).layer(layer).sweep(sweep)
}

#[test]
fn one_uniform_belongs_to_one_unit_only() {
    // All combinations of each field's least two and largest values, and each bit of a field alone.
    let [layers, sweeps, steps, chains, units] = LARGEST.map(|largest| [0, 1, largest]);
    let units = units.map(|unit| if unit == 1 { 4 } else { unit });
    let mut purposes: Vec<Purpose> = Vec::new();
    for stream in STREAMS {
        for number in 0..3_usize.pow(5) {
            let at = [0, 1, 2, 3, 4].map(|field| number / 3_usize.pow(field) % 3);
            purposes
                .push((stream, [layers[at[0]], sweeps[at[1]], steps[at[2]], chains[at[3]], units[at[4]]]));
        }
        for (field, largest) in LARGEST.into_iter().enumerate() {
            for bit in (0..32).map(|bit| 1 << bit).filter(|bit| largest & bit != 0) {
                let mut fields = [0; 5];
                fields[field] = bit;
                purposes.push((stream, fields));
            }
        }
    }
    // Some addresses are in both sets.
    let mut seen = HashMap::new();
    for purpose @ (_, [.., chain, first]) in purposes {
        let mut uniforms = [0.0; 4];
        rng::fill(1, address(purpose), chain, first, &mut uniforms);
        assert_eq!(uniforms[3], rng::uniform_at(1, address(purpose), chain, first + 3), "{purpose:?}");
        // By chance, two of 10⁴ counters share the same 4 × 24 bits once in 10²¹ times.
        let other = *seen.entry(uniforms.map(f32::to_bits)).or_insert(purpose);
        assert_eq!(other, purpose, "the same numbers");
    }
    assert!(seen.len() > 14 * 3_usize.pow(5), "{} counters", seen.len());
}

#[test]
fn a_draw_keeps_its_address_and_its_seed() {
    for stream in STREAMS {
        let [layer, sweep, step, chain, _] = LARGEST;
        for (sweep, seed) in [(0, 1), (1, 1 << 32), (sweep, u64::MAX)] {
            let address = Address::new(stream, step).layer(layer).sweep(sweep);
            // Fields are independent of each other and of their order; the last setting counts.
            assert_eq!(address, Address::new(stream, step).sweep(5).sweep(sweep).layer(1).layer(layer));
            assert_eq!(address, Address::from_words(address.words()));
            let draw = Draw::at(seed, address).chains_from(chain);
            assert_eq!((draw.address(), draw.seed()), (address, seed));
            // The chain after the last is the first.
            assert_eq!((draw.chain(0), draw.chain(1)), (chain, 0));
            assert_eq!(draw.sweep(7).address(), address.sweep(7));
        }
    }
}
