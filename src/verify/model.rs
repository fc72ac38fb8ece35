//! End-to-end checks: chains stay in the model's distribution, and log Z is right.

use super::{Check, Open};
use crate::{
    ais::{AisOptions, Annealer},
    backend::{BackendExt, Draw, HalfStep, Pair},
    base::Base,
    check::random_rbm,
    data::Rows,
    error::Result,
    exact,
    rbm::{Shape, Side},
    rng::{Address, Stream, uniform_at},
};

const CHAINS: usize = 20_000;
const SWEEPS: u32 = 20;
/// The largest deviation that passes, in standard errors.
const SURPRISING: f64 = 5.0;

/// Chains drawn exactly from p(v) must stay in p(v): after twenty Gibbs sweeps, Pearson's χ² of the counts of all states is
/// still that of a sample.
pub fn stationarity(open: &Open) -> Result<Vec<Check>> {
    let shape = Shape { visible: 6, hidden: 4 };
    let rbm = random_rbm(shape, 1.0, 9);
    let distribution = exact::visible_distribution(&rbm)?;
    let mut states = Vec::with_capacity(CHAINS * shape.visible);
    for chain in 0..CHAINS {
        let u = f64::from(uniform_at(5, Address::new(Stream::Synthetic, 0).sweep(2), chain as u32, 0));
        let mut below = 0.0;
        let number = distribution.iter().position(|p| {
            below += p;
            u < below
        });
        let number = number.unwrap_or(distribution.len() - 1);
        states.extend((0..shape.visible).map(|unit| (number >> unit & 1) as f32));
    }
    let mut backend = open(shape.into(), CHAINS)?;
    let Pair { visible, hidden } = backend.pair(CHAINS)?;
    let model = backend.model_of(&rbm)?;
    backend.write_units(visible, &states, &states);
    for sweep in 0..SWEEPS {
        let draw = |layer| HalfStep::new(CHAINS, Draw::of(2, Stream::Train, layer, 0).sweep(sweep));
        backend.sample(&draw(Side::Hidden), model.into(), visible, hidden);
        backend.sample(&draw(Side::Visible), model.into(), hidden, visible);
    }
    let mut counts = vec![0.0; distribution.len()];
    for state in backend.read_units(visible, CHAINS)?.1.chunks(shape.visible) {
        let number = state.iter().rev().fold(0, |number, &unit| number << 1 | usize::from(unit == 1.0));
        counts[number] += 1.0;
    }
    // Rare states are pooled.
    let (mut chi_squared, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
    let mut cell = |count: f64, expected: f64| {
        chi_squared += (count - expected).powi(2) / expected;
        cells += 1.0;
    };
    for (count, p) in counts.iter().zip(&distribution) {
        let expected = p * CHAINS as f64;
        if expected < 10.0 {
            rare = (rare.0 + count, rare.1 + expected);
        } else {
            cell(*count, expected);
        }
    }
    if rare.1 > 1.0 {
        cell(rare.0, rare.1);
    }
    let freedom: f64 = cells - 1.0;
    let mut check = Check::new("chains stay in p(v)", "standard errors of χ²", SURPRISING);
    let deviation = (chi_squared - freedom).abs() / (2.0 * freedom).sqrt();
    check.see(deviation, || format!("χ² {chi_squared:.1} for {freedom} degrees of freedom"));
    check.cases = CHAINS;
    Ok(vec![check])
}

/// log Z of a small model, by annealed importance sampling on the device, against enumeration.
pub fn log_z(open: &Open) -> Result<Vec<Check>> {
    let shape = Shape { visible: 20, hidden: 10 };
    let rbm = random_rbm(shape, 0.3, 4);
    let expected = exact::log_partition_function(&rbm)?;
    let options =
        AisOptions { chains: 200, replicas: 6, rounds: 200, annealed: 200, temperatures: 300, seed: 1 };
    let mut backend = open(shape.into(), options.chains)?;
    let model = backend.model_of(&rbm)?;
    let mut annealer = Annealer::new(&mut *backend, options)?;
    let starts = Rows::from_bits(shape.visible, &(0..20 * 64).map(|i| i * i % 7 < 3).collect::<Vec<_>>());
    let found = annealer.run(&mut *backend, model, &Base::neutral(shape), &starts)?;
    let mut check = Check::new("log Z by sampling", "nats from enumeration", 0.1);
    check.see((found.log_z - expected).abs(), || format!("{:.4}, exactly {expected:.4}", found.log_z));
    Ok(vec![check])
}
