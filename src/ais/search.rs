//! Searches for mass that chains from the data's base rates miss: chains annealed to the model from elsewhere.
//!
//! From even odds on all visible units, chains reach modes that no data are in; so do Gibbs steps from hidden states with
//! one unit on. From the rates of one group of cases, or of the states so reached, chains find that group's mode, however
//! far it is from all others. From each centre, only chains that end in its cell count: with w from [`super::annealed`],
//!
//! ```text
//! E[w · 1(v in the cell)] = Z_cell         Σ_cells Z_cell = Z
//! ```
//!
//! As annealed estimates these are hardly ever high, so mass that they find is real. If replicas missed it, their log Z is
//! too low, and the fraction of time that they spent in the cell is less than Z_cell / Z.

use serde::Serialize;

use super::{
    Estimate, Measured,
    annealed::{self, Annealed, Run, Way},
    cells::{Cells, Share, Visits},
};
use crate::{
    backend::Backend,
    data::Rows,
    error::Result,
    rbm::Side,
    rng::{self, Address, Stream, uniform_at},
    units::{Domain, Layer, Place},
};

/// Chains from each place.
pub const CHAINS: usize = 40;
/// Groups of cases; of states reached from even odds; and of states reached from hidden units.
const GROUPS: [usize; 3] = [16, 4, 10];
/// Gibbs steps from hidden states.
const STEPS: u32 = 20;
/// The most values of cases that are grouped: a fraction of a second's work.
const MOST_NUMBERS: usize = 1 << 21;
/// Temperatures from even odds, and from each centre.
const TEMPERATURES: [usize; 2] = [500, 250];

/// Mass found by chains annealed from elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Search {
    /// log Z from even odds on all visible units.
    pub even: Estimate,
    /// log Z as the sum over all cells.
    pub cells: Measured,
    /// The cells. Centres are means of groups of cases or of states reached.
    pub parts: Vec<Part>,
}

/// A cell of the visible states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Log mass, from chains annealed from the centre.
    pub annealed: Measured,
    /// The fraction of time that replicas at β = 1 spent there, of chains started at the base.
    pub from_base: Share,
    /// The fraction of time that replicas at β = 1 spent there, of chains started at data.
    pub from_data: Share,
}

/// The part of a search before the replicas are measured.
pub struct Found {
    even: Estimate,
    cells: Cells,
    masses: Vec<Measured>,
}

/// Searches with `annealed`, which has room for [`CHAINS`] chains.
pub fn search(
    annealed: &Annealed,
    backend: &mut dyn Backend,
    way: Way,
    data: &Rows,
    inverse_temperatures: &[f32],
) -> Result<Found> {
    let visible = backend.shape().visible;
    let [many, few] = TEMPERATURES.map(|count| annealed::temperatures(inverse_temperatures, count));
    let even = way.base.even();
    let from_even = annealed.forward(backend, Way { base: &even, ..way }, &many, Run::SCATTERED)?;

    let mut cells = Cells::new(visible);
    let some = data.some((MOST_NUMBERS / visible).max(GROUPS[0]));
    let cases: Vec<f32> = (0..some.len()).flat_map(|case| some.values(case)).collect();
    let scattered = annealed.states(backend)?;
    let settled = annealed.settle(
        backend,
        way.model,
        &hidden_states(&way.base.layers().hidden, annealed.seed()),
        STEPS,
    )?;
    for (states, (number, groups)) in [cases, scattered, settled].iter().zip((0..).zip(GROUPS)) {
        let uniform = |at: usize| {
            uniform_at(annealed.seed(), Address::new(Stream::Cells, at as u32).sweep(number), 0, 0)
        };
        cells.add_groups(states, groups, uniform);
    }
    let mut masses = Vec::with_capacity(cells.centres().len());
    for (cell, centre) in cells.centres().enumerate() {
        let base = way.base.around(centre.iter().copied().map(f64::from).collect());
        let population = annealed.forward(backend, Way { base: &base, ..way }, &few, Run::of_cell(cell))?;
        let states = annealed.states(backend)?;
        let stayed: Vec<bool> = states.chunks(visible).map(|state| cells.nearest(state) == cell).collect();
        let Estimate { log_z, standard_error, .. } =
            population.estimate_where(base.log_z(), 1.0, |chain| stayed[chain]);
        masses.push(Measured { log_z, standard_error });
    }
    Ok(Found { even: from_even.estimate(even.log_z(), 1.0), cells, masses })
}

/// Hidden states, one row per chain. Chain j has only hidden unit j on. Chains beyond the last hidden unit have each
/// column on with probability 1/2.
fn hidden_states(layer: &Layer, seed: u64) -> Vec<f32> {
    let hidden = layer.columns();
    let alone = hidden.min(CHAINS);
    let mut states = vec![0.0; CHAINS * hidden];
    for (chain, states) in states.chunks_mut(hidden).enumerate() {
        if chain < alone {
            states[chain * hidden / alone] = 1.0;
        } else {
            let address = Address::new(Stream::Cells, 0).layer(Side::Hidden.number());
            rng::fill(seed, address, chain as u32, 0, states);
            states.iter_mut().for_each(|state| *state = f32::from(*state < 0.5));
        }
        for Place { kind, column } in layer.places() {
            let state = &mut states[column..][..kind.columns()];
            match kind.domain() {
                Domain::Signs => state[0] = 2.0 * state[0] - 1.0,
                Domain::OneHot => {
                    let on = state.iter().position(|&on| on == 1.0).unwrap_or(0);
                    kind.state(on, state);
                }
                Domain::Bits | Domain::Real | Domain::NotNegative => {}
            }
        }
    }
    states
}

impl Found {
    /// The cells, to count visits by.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Adds the replicas' visits.
    pub fn beside(self, visits: &Visits, chains: usize) -> Search {
        let parts = self.masses.iter().enumerate().map(|(cell, &annealed)| Part {
            annealed,
            from_base: visits.share(cell, 0..chains / 2),
            from_data: visits.share(cell, chains / 2..chains),
        });
        Search { even: self.even, cells: sum(&self.masses), parts: parts.collect() }
    }
}

/// log of the sum of numbers, from their logs. −∞ with no error adds nothing.
fn sum(logarithms: &[Measured]) -> Measured {
    let largest = logarithms.iter().map(|part| part.log_z).fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut variance) = (0.0, 0.0);
    for Measured { log_z, standard_error } in logarithms.iter().filter(|part| part.log_z > f64::NEG_INFINITY)
    {
        let mass = (log_z - largest).exp();
        sum += mass;
        variance += (mass * standard_error).powi(2);
    }
    Measured { log_z: largest + sum.ln(), standard_error: variance.sqrt() / sum }
}
