//! Annealed importance sampling between the base and a model, either way, by chains of which the light ones are replaced.

use super::{Base, Progress, population::Population};
use crate::{
    backend::{Backend, Params, Units, Values},
    error::Result,
    rbm::Layer,
    rng::{Stream, uniform_at},
};

/// What a draw is for, in the place of the Gibbs sweep: runs of one seed share no random number.
#[derive(Clone, Copy)]
pub struct Run {
    number: u32,
    /// Whether light chains are replaced. Those that are to find as many modes as they can are not, however light a mode.
    resamples: bool,
}

impl Run {
    /// From the data's base rates to the model.
    pub const FORWARD: Self = Self { number: 0, resamples: true };
    const REVERSE: Self = Self { number: 1, resamples: true };
    /// To the model, wherever chains get to.
    pub const SCATTERED: Self = Self { number: 2, resamples: false };

    /// In the model, from given hidden states.
    const FROM_HIDDEN: Self = Self { number: 3, resamples: false };

    /// From the centre of a cell to the model.
    pub fn of_cell(cell: usize) -> Self {
        Self { number: 4 + cell as u32, resamples: true }
    }
}

/// Annealed chains on their way: their weights, and F at the temperature where they were last.
struct Chains {
    population: Population,
    energies: Vec<f64>,
}

impl Chains {
    /// Adds to each log w what going on to another temperature does, where F is `energies`.
    fn weigh(&mut self, energies: &[f64]) {
        self.population.weigh(self.energies.iter().zip(energies).map(|(last, now)| last - now));
    }
}

/// The way from the base to a model.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    pub base: &'a Base,
    /// The model's visible biases.
    pub bias: &'a [f32],
}

/// Room for chains on a device.
pub struct Annealed {
    visible: Units,
    hidden: Units,
    before: Values,
    after: Values,
    bias: Values,
    params: Params,
    pub progress: Progress,
}

impl Annealed {
    /// For as many chains as `params` has.
    pub fn new(backend: &mut dyn Backend, params: Params) -> Result<Self> {
        let chains = params.chains as usize;
        Ok(Self {
            visible: backend.units(Layer::Visible, chains)?,
            hidden: backend.units(Layer::Hidden, chains)?,
            before: backend.values(chains)?,
            after: backend.values(chains)?,
            bias: backend.values(params.visible as usize)?,
            params,
            progress: Progress::default(),
        })
    }

    /// Annealed from the base to the model.
    pub fn forward(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        temperatures: &[f32],
        run: Run,
    ) -> Result<Population> {
        // Hidden units that are off leave the visible ones to their biases.
        let zeros = vec![0.0; self.params.chains as usize * self.params.shape().hidden];
        backend.write_units(self.hidden, &zeros, &zeros);
        self.set_bias(backend, &path.base.bias);
        let params = self.params.sample(Stream::AnnealedVisible, run.number);
        backend.sample_visible(&params, self.hidden, self.visible);
        let energies = self.base_energies(backend, path.base)?;
        let mut chains = Chains { population: Population::new(energies.len()), energies };
        for (step, &beta) in (1..).zip(temperatures) {
            // At β = 1 the last weights are taken, and there is no need to move on.
            let moves = step as usize != temperatures.len();
            self.visit(backend, path, (beta, step), run, moves, &mut chains)?;
        }
        Ok(chains.population)
    }

    /// Annealed from samples of the model to the base: weights that estimate 1/Z.
    pub fn reverse(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        temperatures: &[f32],
        samples: &[f32],
    ) -> Result<Population> {
        backend.write_units(self.visible, samples, samples);
        self.set_bias(backend, path.bias);
        backend.free_energy(&self.params, self.visible, self.after);
        let energies = self.read(backend, self.after)?;
        let mut chains = Chains { population: Population::new(energies.len()), energies };
        for step in (1..temperatures.len()).rev() {
            let place = (temperatures[step - 1], step as u32);
            self.visit(backend, path, place, Run::REVERSE, true, &mut chains)?;
        }
        chains.weigh(&self.base_energies(backend, path.base)?);
        Ok(chains.population)
    }

    /// The visible states that some Gibbs steps in the model lead to from hidden states, row by row.
    pub fn settle(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        states: &[f32],
        steps: u32,
    ) -> Result<Vec<f32>> {
        self.set_bias(backend, path.bias);
        backend.write_units(self.hidden, states, states);
        for step in 0..steps {
            let params = Params { step, ..self.params };
            let draw = |stream| params.sample(stream, Run::FROM_HIDDEN.number);
            backend.sample_visible(&draw(Stream::AnnealedVisible), self.hidden, self.visible);
            backend.sample_hidden(&draw(Stream::AnnealedHidden), self.visible, self.hidden);
            backend.submit()?;
        }
        self.states(backend)
    }

    /// Goes on to another temperature: weighs the chains where they are, draws them anew if that is due, lets them move.
    fn visit(
        &self,
        backend: &mut dyn Backend,
        path: Path,
        (beta, step): (f32, u32),
        run: Run,
        moves: bool,
        chains: &mut Chains,
    ) -> Result<()> {
        self.set_bias(backend, &path.base.towards(path.bias, beta));
        let params = Params { beta, step, ..self.params };
        backend.free_energy(&params, self.visible, self.before);
        chains.weigh(&self.read(backend, self.before)?);
        self.progress.add(params.chains.into());
        if !moves {
            return Ok(());
        }
        let draw = Stream::AnnealedHidden.draw(run.number);
        // One number for all chains, in the place of a chain that there is not.
        let uniform = uniform_at(params.seed(), step, draw, u32::MAX, 0);
        if run.resamples
            && let Some(drawn) = chains.population.resample(uniform.into())
        {
            let width = params.visible as usize;
            let states = self.states(backend)?;
            let states: Vec<f32> =
                drawn.iter().flat_map(|chain| &states[chain * width..][..width]).copied().collect();
            backend.write_units(self.visible, &states, &states);
        }
        backend.sample_hidden(&params.sample(Stream::AnnealedHidden, run.number), self.visible, self.hidden);
        backend.sample_visible(
            &params.sample(Stream::AnnealedVisible, run.number),
            self.hidden,
            self.visible,
        );
        backend.free_energy(&params, self.visible, self.after);
        chains.energies = self.read(backend, self.after)?;
        Ok(())
    }

    pub fn set_bias(&self, backend: &mut dyn Backend, bias: &[f32]) {
        backend.write_values(self.bias, bias);
        backend.set_visible_bias(&self.params, self.bias);
    }

    /// The visible states of the chains, row by row.
    pub fn states(&self, backend: &mut dyn Backend) -> Result<Vec<f32>> {
        Ok(backend.read_units(self.visible, self.params.chains as usize)?.1)
    }

    /// −log f_0 where the chains are.
    fn base_energies(&self, backend: &mut dyn Backend, base: &Base) -> Result<Vec<f64>> {
        let shape = self.params.shape();
        let states = self.states(backend)?;
        Ok(states.chunks(shape.visible).map(|visible| -base.log_density(shape, visible)).collect())
    }

    fn read(&self, backend: &mut dyn Backend, values: Values) -> Result<Vec<f64>> {
        let numbers = backend.read_values(values, self.params.chains as usize)?;
        Ok(numbers.into_iter().map(f64::from).collect())
    }
}

/// So many temperatures from 0, without it, to 1, as many between each two neighbours of these, from 1 down to all but 0: where
/// those are swapped equally often, the way between them is equally long (Gelman and Meng 1998; a path of constant speed).
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
