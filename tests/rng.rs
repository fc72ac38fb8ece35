//! The random numbers: known answers, and the same words on the device as on the host.

mod common;

use rbm_gpu::{
    backend::Params,
    check::wrong_states,
    data::{Packing, RowLayout},
    rbm::{Layer, Rbm, Shape},
    rng::{self, Stream, philox, uniform},
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
    // One at a time, and a vector of counters at a time, from the first unit on and from another.
    for first in [0, 20] {
        let mut filled = [0.0; 139];
        rng::fill(5, 6, 7, 8, first, &mut filled);
        for (unit, u) in (first..).zip(filled) {
            assert_eq!(u, rng::uniform_at(5, 6, 7, 8, unit));
        }
    }
}

/// A device shows its uniforms only through u < p. With p = u the unit must stay off, with the next larger number it
/// must be on: so the device's u is the host's, to the last bit.
#[test]
fn the_device_draws_the_same_uniforms_to_the_last_bit() {
    let shape = Shape { visible: 11, hidden: 1 };
    for (name, mut backend) in common::all("the_device_draws_the_same_uniforms_to_the_last_bit", shape) {
        for ([_, chain, draw, step], key, _) in KNOWN {
            let seed = u64::from(key[1]) << 32 | u64::from(key[0]);
            for unit in 0..shape.visible {
                let u = rng::uniform_at(seed, step, draw, chain, unit as u32);
                for (value, expected) in [(u, 0.0), (u.next_up(), 1.0)] {
                    let layout = RowLayout { units: shape.visible, packing: Packing::Bytes, scale: value };
                    let data = backend.data(layout, 1).unwrap();
                    backend.write_data(data, &[0x0101_0101; 3]);
                    backend.write_order(data, &[0]);
                    let visible = backend.units(Layer::Visible, 1).unwrap();
                    let params = Params::new(shape, 1, seed).layout(layout);
                    let flags = params.flags | Params::SAMPLE;
                    let params = Params { first_chain: chain, draw, step, flags, ..params };
                    backend.gather(&params, data, visible);
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
    biased.visible_bias.iter_mut().zip(-500..).for_each(|(b, i)| *b = i as f32 * 0.01);
    for (name, mut backend) in common::all("device_words_are_bit_equal_to_host_words", shape) {
        backend.write_rbm(&biased, &Rbm::zeros(shape));
        // Nobody has written the hidden units: they are off, and p = σ(b).
        let hidden = backend.units(Layer::Hidden, rows).unwrap();
        let visible = backend.units(Layer::Visible, rows).unwrap();
        for (seed, step, sweep, first_chain) in [(0, 0, 0, 0), (u64::MAX, u32::MAX, (1 << 28) - 1, 1 << 31)] {
            let params = Params { step, first_chain, ..Params::new(shape, rows, seed) };
            let params = params.sample(Stream::Visible, sweep);
            backend.sample_visible(&params, hidden, visible);
            let (means, states) = backend.read_units(visible, rows).unwrap();
            assert_eq!(wrong_states(&params, 1001, &means, &states), 0, "{name}");
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

#[test]
fn one_uniform_belongs_to_one_unit_only() {
    let mut seen = std::collections::HashSet::new();
    for stream in [Stream::Hidden, Stream::Visible, Stream::Binarize] {
        for (step, sweep, chain) in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)] {
            for group in 0..4 {
                let words = philox([group, chain, stream.draw(sweep), step], rng::key(1));
                assert!(seen.insert(words), "{stream:?}: step {step}, sweep {sweep}, chain {chain}");
            }
        }
    }
}
