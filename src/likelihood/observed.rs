//! The likelihood of what was observed of a case with missing values: p(o) = Σ_m p(o, m).
//!
//! The sum over the missing values is estimated by annealed importance sampling (Neal 2001) with the observed units clamped, from
//! independent units ([`Base`]), whose sum is known, to the model:
//!
//! ```text
//! log w = Σ_k F_(k−1)(o, m_(k−1)) − F_k(o, m_(k−1)),   E[w] = Σ_m e^(−F(o, m)) / Σ_m e^(−F_0(o, m))
//! ```
//!
//! The mean of w over some chains is taken for each case. By Jensen's inequality its logarithm is low on average, so that a likelihood
//! is not flattered.

use std::ops::Range;

use crate::{
    backend::{Backend, BackendExt, Draw, FreeEnergy, HalfStep, Memory, Model, Pair, Path, Values},
    base::Base,
    completion::Completion,
    data::{Encoding, Rows},
    error::Result,
    exact::LogSum,
    rbm::Side,
    rng::{Address, Stream},
};

/// The effort for a case.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Chains.
    pub chains: usize,
    /// Temperatures of each, the last of them β = 1.
    pub temperatures: usize,
}

/// Buffers for the missing values of cases on a device.
pub struct Observed {
    completion: Completion,
    energies: Values,
    base: Values,
}

impl Observed {
    /// Allocates for so many cases at a time.
    pub fn new(memory: &mut dyn Memory, rows: usize) -> Result<Self> {
        let completion = Completion::new(memory, rows)?;
        let base = memory.values(memory.layers().base_len())?;
        Ok(Self { completion, energies: memory.values(rows)?, base })
    }

    /// Where the cases are gathered.
    pub fn completion(&self) -> &Completion {
        &self.completion
    }

    /// Writes where chains start.
    pub fn start(&self, backend: &mut dyn Backend, base: &Base) {
        self.completion.start(backend, base);
        backend.write_values(self.base, base.potentials());
    }

    /// −log Σ_m e^(−F(o, m)) of each of the gathered cases, whose numbers these are in `rows`: F(v) where nothing is missing.
    pub fn free_energies(
        &self,
        backend: &mut dyn Backend,
        (model, base): (Model, &Base),
        pair: Pair,
        (rows, cases): (&Rows, Range<usize>),
        Effort { chains, temperatures }: Effort,
    ) -> Result<Vec<f64>> {
        let (path, count) = (Path { model, base: Some(self.base) }, cases.len());
        let mut sums: Vec<LogSum> = (0..count).map(|_| LogSum::default()).collect();
        for chain in 0..chains {
            let states =
                base.draw(1, Address::new(Stream::Complete, 2).sweep(chain as u32), cases.start, count);
            self.completion.fill(backend, count, pair.visible);
            backend.write_units(pair.visible, &states, &states);
            self.completion.clamp(backend, count, pair.visible);
            let mut weights = vec![0.0; count];
            let mut last = self.energies(backend, path, pair, count, 0.0)?;
            for step in 1..=temperatures {
                let beta = step as f32 / temperatures as f32;
                let now = self.energies(backend, path, pair, count, beta)?;
                weights
                    .iter_mut()
                    .zip(last.iter().zip(&now))
                    .for_each(|(log, (last, now))| *log += last - now);
                if step == temperatures {
                    break;
                }
                let address = Address::new(Stream::Complete, 2 + step as u32).sweep(chain as u32);
                let half = |side: Side| {
                    let draw = Draw::at(1, address.layer(side.number())).chains_from(cases.start as u32);
                    HalfStep::new(count, draw).at(beta)
                };
                backend.sample(&half(Side::Hidden), path, pair.visible, pair.hidden);
                backend.sample(&half(Side::Visible), path, pair.hidden, pair.visible);
                self.completion.clamp(backend, count, pair.visible);
                last = self.energies(backend, path, pair, count, beta)?;
            }
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| sum.add(weight));
        }
        let of_case = |(sum, case): (LogSum, usize)| {
            let observed: Vec<f32> = rows.values(case).collect();
            -(sum.value() - (chains as f64).ln() + base.log_marginal(&observed))
        };
        Ok(sums.into_iter().zip(cases).map(of_case).collect())
    }

    fn energies(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        pair: Pair,
        count: usize,
        beta: f32,
    ) -> Result<Vec<f64>> {
        backend.free_energy(&FreeEnergy::new(count).at(beta), path, pair.visible, self.energies);
        let energies = backend.read_values(self.energies, count)?;
        Ok(energies.into_iter().map(f64::from).collect())
    }
}

/// log |d(file's numbers)/d(units)| of each case, of its observed units.
pub fn log_volumes(encoding: &Encoding, rows: &Rows) -> Vec<f64> {
    if encoding.deviations.is_empty() || !rows.has_missing() {
        return vec![encoding.log_volume(); rows.len()];
    }
    let logs: Vec<f64> = encoding.deviations.iter().map(|&deviation| f64::from(deviation).ln()).collect();
    let of_case = |case| {
        let known = rows.values(case).zip(&logs).filter(|(x, _)| !x.is_nan());
        known.map(|(_, log)| log).sum()
    };
    (0..rows.len()).map(of_case).collect()
}
