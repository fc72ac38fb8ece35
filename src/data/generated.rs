//! Small data sets with known optima.

use super::{Dataset, Rows};

/// 2^13 cases of 144 units: enough, and quickly made.
pub const LARGEST_BARS: usize = 12;

/// Every image of `n`×`n` pixels whose columns are each all on or all off, then every such image by rows. 2·2^n cases; the
/// empty and the full image occur twice (MacKay 2003, section 43.2).
pub fn bars_and_stripes(n: usize) -> Dataset {
    let image = |pattern: usize, by_rows: bool| {
        (0..n * n).map(move |pixel| pattern >> (if by_rows { pixel / n } else { pixel % n }) & 1 == 1)
    };
    let bits: Vec<bool> = [false, true]
        .into_iter()
        .flat_map(|by_rows| (0..1 << n).flat_map(move |pattern| image(pattern, by_rows)))
        .collect();
    dataset((n, n), &bits)
}

/// The labelled shifter ensemble (MacKay 2003, section 43.2): 8 bits; the same bits rotated one place to the left, not at
/// all, or to the right; and three bits for the direction. 19 units, 3·256 cases.
pub fn shifter() -> Dataset {
    let case = |pattern: u8, shift: usize| {
        let turned = [pattern.rotate_left(1), pattern, pattern.rotate_right(1)][shift];
        let bits = move |byte: u8| (0..8).map(move |bit| byte >> bit & 1 == 1);
        bits(pattern).chain(bits(turned)).chain((0..3).map(move |label| label == shift))
    };
    let bits: Vec<bool> =
        (0..3).flat_map(|shift| (0..=255).flat_map(move |pattern| case(pattern, shift))).collect();
    dataset((1, 19), &bits)
}

fn dataset(image: (usize, usize), bits: &[bool]) -> Dataset {
    Dataset::new(image, Rows::from_bits(image.0 * image.1, bits))
}
