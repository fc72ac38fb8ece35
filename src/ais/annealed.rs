//! Annealed importance sampling between the base and a model, in either direction, with resampling.

use super::{Progress, population::Population};
use crate::{
    backend::{Backend, BackendExt, Draw, FreeEnergy, HalfStep, Memory, Model, Pair, Path, Values},
    base::Base,
    error::Result,
    rbm::Side,
    rng::{Address, Stream, uniform_at},
};

/// The runs of one seed. They share no random numbers.
#[derive(Clone, Copy)]
pub struct Run {
    /// Replaces the sweep in the addresses of its random numbers.
    number: u32,
    /// Whether chains are resampled. A run that must find as many modes as possible doesn't: it keeps light ones.
    resamples: bool,
}

impl Run {
    /// From the data's base rates to the model.
    pub const FORWARD: Self = Self { number: 0, resamples: true };
    const REVERSE: Self = Self { number: 1, resamples: true };
    /// From even odds to the model, without resampling.
    pub const SCATTERED: Self = Self { number: 2, resamples: false };

    /// Gibbs steps in the model, from given hidden states.
    const FROM_HIDDEN: Self = Self { number: 3, resamples: false };

    /// From the centre of a cell to the model.
    pub fn of_cell(cell: usize) -> Self {
        Self { number: 4 + cell as u32, resamples: true }
    }

    /// The draw of a layer's units at a step.
    fn draw(self, seed: u64, layer: Side, step: u32) -> Draw {
        Draw::of(seed, Stream::Anneal, layer, step).sweep(self.number)
    }
}

/// Annealed chains: their weights, and F at their current temperature.
struct Chains {
    population: Population,
    energies: Vec<f64>,
}

impl Chains {
    /// Updates each log w for a move to another temperature, where F is `energies`.
    fn weigh(&mut self, energies: &[f64]) {
        self.population.weigh(self.energies.iter().zip(energies).map(|(last, now)| last - now));
    }
}

/// The endpoints of the path.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    pub base: &'a Base,
    pub model: Model,
}

/// Buffers for chains on a device.
pub struct Annealed {
    pair: Pair,
    before: Values,
    after: Values,
    /// The base at the start or the end.
    base: Values,
    chains: usize,
    seed: u64,
    pub progress: Progress,
}

impl Annealed {
    /// Allocates `chains` chains.
    pub fn new(memory: &mut dyn Memory, chains: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            pair: memory.pair(chains)?,
            before: memory.values(chains)?,
            after: memory.values(chains)?,
            base: memory.values(memory.layers().base_len())?,
            chains,
            seed,
            progress: Progress::default(),
        })
    }

    /// The seed of its random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Anneals from the base to the model.
    pub fn forward(
        &self,
        backend: &mut dyn Backend,
        way: Way,
        temperatures: &[f32],
        run: Run,
    ) -> Result<Population> {
        // At β = 0, with all hidden units off, the visible units follow the base.
        let zeros = vec![0.0; self.chains * backend.shape().hidden];
        backend.write_units(self.pair.hidden, &zeros, &zeros);
        let path = self.path(backend, way);
        self.sample(backend, path, run, Side::Visible, 0, 0.0);
        let energies = self.base_energies(backend, way.base)?;
        let mut chains = Chains { population: Population::new(energies.len()), energies };
        for (step, &beta) in (1..).zip(temperatures) {
            // At β = 1 only the last weights are left to take.
            let moves = step as usize != temperatures.len();
            self.visit(backend, path, (beta, step), run, moves, &mut chains)?;
        }
        Ok(chains.population)
    }

    /// Anneals from samples of the model to the base. The weights estimate 1/Z.
    pub fn reverse(
        &self,
        backend: &mut dyn Backend,
        way: Way,
        temperatures: &[f32],
        samples: &[f32],
    ) -> Result<Population> {
        backend.write_units(self.pair.visible, samples, samples);
        let path = self.path(backend, way);
        let energies = self.free_energies(backend, path, 1.0, self.after)?;
        let mut chains = Chains { population: Population::new(energies.len()), energies };
        for step in (1..temperatures.len()).rev() {
            let place = (temperatures[step - 1], step as u32);
            self.visit(backend, path, place, Run::REVERSE, true, &mut chains)?;
        }
        chains.weigh(&self.base_energies(backend, way.base)?);
        Ok(chains.population)
    }

    /// Visible states after some Gibbs steps in the model from hidden states, row by row.
    pub fn settle(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        states: &[f32],
        steps: u32,
    ) -> Result<Vec<f32>> {
        backend.write_units(self.pair.hidden, states, states);
        for step in 0..steps {
            self.sample(backend, model.into(), Run::FROM_HIDDEN, Side::Visible, step, 1.0);
            self.sample(backend, model.into(), Run::FROM_HIDDEN, Side::Hidden, step, 1.0);
            backend.submit()?;
        }
        self.states(backend)
    }

    /// Visits the next temperature: weighs the chains, resamples if needed, and takes a Gibbs step.
    fn visit(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        (beta, step): (f32, u32),
        run: Run,
        moves: bool,
        chains: &mut Chains,
    ) -> Result<()> {
        chains.weigh(&self.free_energies(backend, path, beta, self.before)?);
        self.progress.add(self.chains as u64);
        if !moves {
            return Ok(());
        }
        let address = Address::new(Stream::Resample, step).sweep(run.number);
        let uniform = uniform_at(self.seed, address, 0, 0);
        if run.resamples
            && let Some(drawn) = chains.population.resample(uniform.into())
        {
            let width = backend.shape().visible;
            let states = self.states(backend)?;
            let states: Vec<f32> =
                drawn.iter().flat_map(|chain| &states[chain * width..][..width]).copied().collect();
            backend.write_units(self.pair.visible, &states, &states);
        }
        self.sample(backend, path, run, Side::Hidden, step, beta);
        self.sample(backend, path, run, Side::Visible, step, beta);
        chains.energies = self.free_energies(backend, path, beta, self.after)?;
        Ok(())
    }

    /// Writes the base, and returns its path to the model.
    fn path(&self, backend: &mut dyn Backend, Way { base, model }: Way) -> Path {
        backend.write_values(self.base, base.potentials());
        Path { model, base: Some(self.base) }
    }

    /// Half a Gibbs step of the chains, to layer `to`.
    fn sample(&self, backend: &mut dyn Backend, path: Path, run: Run, to: Side, step: u32, beta: f32) {
        let Pair { visible, hidden } = self.pair;
        let (from, to_units) = match to {
            Side::Visible => (hidden, visible),
            Side::Hidden => (visible, hidden),
        };
        let op = HalfStep::new(self.chains, run.draw(self.seed, to, step)).at(beta);
        backend.sample(&op, path, from, to_units);
    }

    /// Visible states of the chains, row by row.
    pub fn states(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        Ok(backend.read_units(self.pair.visible, self.chains)?.1)
    }

    /// −log f_0 of the chains' states.
    fn base_energies(&self, backend: &mut dyn Backend, base: &Base) -> Result<Vec<f64>> {
        let (visible, states) = (backend.shape().visible, self.states(backend)?);
        Ok(states.chunks(visible).map(|visible| -base.log_density(visible)).collect())
    }

    /// F of the chains' states, computed in `values`.
    fn free_energies(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        beta: f32,
        values: Values,
    ) -> Result<Vec<f64>> {
        backend.free_energy(&FreeEnergy::new(self.chains).at(beta), path, self.pair.visible, values);
        let numbers = backend.read_values(values, self.chains)?;
        Ok(numbers.into_iter().map(f64::from).collect())
    }
}

/// `count` temperatures from above 0 to 1, equally many between each two `neighbours`, which run from 1 down to about 0.
/// Where those are swapped equally often, the segments are equally long: a path of constant speed (Gelman and Meng 1998).
pub fn temperatures(neighbours: &[f32], count: usize) -> Vec<f32> {
    let segments = neighbours.len() - 1;
    let node = |number: usize| if number == 0 { 0.0 } else { f64::from(neighbours[segments - number]) };
    (1..=count)
        .map(|k| {
            let place = segments as f64 * k as f64 / count as f64;
            let segment = (place as usize).min(segments - 1);
            let share = place - segment as f64;
            ((1.0 - share) * node(segment) + share * node(segment + 1)).max(1e-6) as f32
        })
        .collect()
}
