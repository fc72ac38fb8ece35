//! Weights that count similar sequences once: 1/#{sequences with at least some share of equal sites, itself included} (Morcos et
//! al. 2011, "Direct-coupling analysis of residue coevolution", equation 2 of the supplement).

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::Cases;
use crate::{
    error::{Result, bad_data},
    level::Level,
};

/// Sites compared before the number of differences is looked at.
const PART: usize = 32;
/// Sequences of a tile: two tiles of a hundred sites fit the first cache.
const TILE: usize = 128;

/// The most sites in which sequences of this length may differ, and still have this share of equal ones.
pub fn most_different(sites: usize, share: f64) -> usize {
    // A share such as 0.8 of 5 sites is 4 sites, though not in floating point.
    let least_equal = (share * sites as f64 - 1e-9 * sites as f64).ceil().max(0.0) as usize;
    sites - least_equal.min(sites)
}

/// The weights of the cases of all parts, each counted among all of them.
///
/// # Errors
/// [`crate::Error::Data`] for values that are not at most 256 different ones: equal numbers make no similar cases.
pub fn weights(name: &str, parts: &[&Cases], share: f64) -> Result<Vec<Vec<f32>>> {
    let sites = parts.first().map_or(0, |cases| cases.rows.layout().units);
    let stride = sites.next_multiple_of(PART);
    let mut values: Vec<u32> = Vec::new();
    let mut codes = Vec::new();
    for cases in parts {
        for row in 0..cases.rows.len() {
            let end = codes.len() + stride;
            for x in cases.rows.values(row) {
                let x = x.to_bits();
                let code = values.iter().position(|&value| value == x).unwrap_or_else(|| {
                    values.push(x);
                    values.len() - 1
                });
                let Ok(code) = u8::try_from(code) else {
                    return bad_data!(
                        "{name}: ‹reweight› counts equal values of letters, states or zeros and ones; expected at most \
                         256 different values, found more"
                    );
                };
                codes.push(code);
            }
            codes.resize(end, 0);
        }
    }
    let counts = similar(Level::chosen()?, &codes, stride, most_different(sites, share));
    let mut counts = counts.into_iter();
    Ok(parts
        .iter()
        .map(|cases| counts.by_ref().take(cases.rows.len()).map(|count| 1.0 / count as f32).collect())
        .collect())
}

/// For each row how many rows, itself included, differ from it in at most `most` places.
fn similar(level: Level, codes: &[u8], stride: usize, most: usize) -> Vec<u32> {
    let tiles: Vec<&[u8]> = codes.chunks(TILE * stride).collect();
    let counts: Vec<AtomicU32> = (0..codes.len() / stride).map(|_| AtomicU32::new(1)).collect();
    // Later rows have fewer tiles after them; whole numbers add up alike in any order.
    (0..tiles.len()).into_par_iter().with_max_len(1).for_each(|one| {
        let mut own = [0; TILE];
        for (other, tile) in tiles.iter().enumerate().skip(one) {
            let mut theirs = [0; TILE];
            level.run(
                #[inline(always)]
                || count(tiles[one], tile, (stride, most), one == other, &mut own, &mut theirs),
            );
            for (at, found) in theirs.iter().enumerate().filter(|(_, found)| **found > 0) {
                counts[other * TILE + at].fetch_add(*found, Ordering::Relaxed);
            }
        }
        for (at, found) in own.iter().enumerate().filter(|(_, found)| **found > 0) {
            counts[one * TILE + at].fetch_add(*found, Ordering::Relaxed);
        }
    });
    counts.into_iter().map(AtomicU32::into_inner).collect()
}

/// Counts the similar pairs of two tiles, for both rows of each; of one tile with itself each pair once.
#[inline(always)]
fn count(
    one: &[u8],
    other: &[u8],
    (stride, most): (usize, usize),
    is_same: bool,
    own: &mut [u32; TILE],
    theirs: &mut [u32; TILE],
) {
    for (i, row) in one.chunks(stride).enumerate() {
        let first = if is_same { i + 1 } else { 0 };
        for (j, with) in other.chunks(stride).enumerate().skip(first) {
            let mut different = 0;
            let parts = row.as_chunks::<PART>().0.iter().zip(with.as_chunks::<PART>().0);
            for (row, with) in parts {
                let mut part = 0_u8;
                for (x, y) in row.iter().zip(with) {
                    part += u8::from(x != y);
                }
                different += usize::from(part);
                if different > most {
                    break;
                }
            }
            if different <= most {
                own[i] += 1;
                theirs[j] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Rows,
        rng::{Philox, Stream},
    };
    use rand::RngExt;

    #[test]
    fn weights_are_counted_as_their_definition_says() {
        for (rows, sites, states) in [(1, 1, 2), (300, 7, 3), (129, 40, 2), (200, 100, 1), (150, 33, 21)] {
            let mut random = Philox::new(rows as u64, Stream::Synthetic, 0);
            let values: Vec<f32> = (0..rows * sites).map(|_| random.random_range(0..states) as f32).collect();
            for share in [0.4, 0.8, 1.0] {
                let row = |row: usize| &values[row * sites..][..sites];
                let identity = |one: usize, other: usize| {
                    row(one).iter().zip(row(other)).filter(|(x, y)| x == y).count() as f64 / sites as f64
                };
                let expected: Vec<f32> = (0..rows)
                    .map(|one| {
                        1.0 / (0..rows).filter(|&other| identity(one, other) >= share - 1e-12).count() as f32
                    })
                    .collect();
                let half = rows / 2;
                let all = Cases::from(Rows::from_values(sites, &values));
                let parts = [
                    all.select(&(0..half).collect::<Vec<_>>()),
                    all.select(&(half..rows).collect::<Vec<_>>()),
                ];
                let found = weights("f", &[&parts[0], &parts[1]], share).unwrap();
                assert_eq!(found.concat(), expected, "{rows} × {sites}, {share}");
            }
        }
    }

    #[test]
    fn a_share_of_sites_is_a_whole_number_of_them() {
        for (sites, share, most) in
            [(5, 0.8, 1), (31, 0.9, 3), (30, 0.9, 3), (30, 0.9001, 2), (10, 0.7, 3), (9, 1.0, 0)]
        {
            assert_eq!(most_different(sites, share), most, "{share} of {sites}");
        }
        let values: Vec<f32> = (0..300).map(|x| x as f32 / 7.0).collect();
        let cases = Cases::from(Rows::from_values(3, &values));
        let message = weights("f", &[&cases], 0.8).unwrap_err().to_string();
        assert!(message.contains("at most 256 different values"), "{message}");
    }
}
