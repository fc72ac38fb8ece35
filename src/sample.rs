//! Fantasy particles: chains of Gibbs steps that forget where they started, and so show what a model believes in.
//!
//! Where modes are far apart, a chain stays in one. Parallel tempering (Swendsen and Wang 1986; Desjardins et al. 2010)
//! runs a replica of each chain at each of several inverse temperatures β, from small, where modes melt, to 1, and lets
//! neighbours exchange their states with the probability that leaves every replica's distribution as it is:
//!
//! ```text
//! min(1, e^(F_r(v_r) + F_s(v_s) − F_r(v_s) − F_s(v_r)))        F_r is the free energy at β_r
//! F_r(v) = −(1 − β_r) b0ᵀv − β_r bᵀv − Σ_j softplus(β_r (c_j + (vW)_j))
//! ```
//!
//! What is left at small β are independent units that are on as often as in the data, whose base rates b0 comes from
//! ([`Base`]): far closer to the model than fair coins.

use crate::{
    ais::Base,
    backend::{Params, Units, Values},
    error::{Result, usage},
    inference::Inference,
    rbm::{Layer, Rbm},
    rng::{self, Stream},
};

/// Where chains start. Data are spread evenly over the training cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Start {
    /// Visible units that are each on with the probability of one half.
    Random,
    /// Training cases.
    Data,
    /// The mean of the training cases.
    Mean,
}

/// So many fair coins for each chain: chains × units.
pub fn random_starts(chains: usize, units: usize, seed: u64) -> Vec<f32> {
    let mut states = vec![0.0; chains * units];
    for (chain, states) in states.chunks_mut(units).enumerate() {
        rng::fill(seed, 0, Stream::Chains.draw(0), chain as u32, 0, states);
        states.iter_mut().for_each(|state| *state = f32::from(*state < 0.5));
    }
    states
}

/// Chains on a device, at one or more temperatures.
pub struct Sampler {
    inference: Inference,
    chains: usize,
    replicas: Vec<Replica>,
    /// Free energies of one replica.
    energies: Values,
    steps: u32,
    exchanges: Vec<Exchanges>,
}

/// All chains at one temperature.
struct Replica {
    beta: f32,
    /// The visible biases that the kernels are given.
    bias: Values,
    visible: Units,
    hidden: Units,
}

/// How often two neighbouring temperatures exchanged states.
#[derive(Clone, Copy, Default)]
struct Exchanges {
    tried: usize,
    done: usize,
}

impl Sampler {
    /// Chains that start at these states (chains × visible units, from 0 to 1), at `temperatures` inverse temperatures
    /// k/temperatures between `base` and the model: 1 is plain Gibbs sampling.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for no chains or no temperature, [`crate::Error::Device`] if there is no room.
    pub fn new(
        mut inference: Inference,
        rbm: &Rbm,
        base: &Base,
        starts: &[f32],
        temperatures: usize,
    ) -> Result<Self> {
        let chains = starts.len() / rbm.shape.visible;
        if chains == 0 {
            return usage!("sampling needs at least 1 chain, found 0");
        }
        if !(1..=1000).contains(&temperatures) {
            return usage!("--tempered must be from 1 to 1000 temperatures, found {temperatures}");
        }
        let backend = &mut inference.backend;
        let mut replicas = Vec::new();
        for temperature in 1..=temperatures {
            let beta = temperature as f32 / temperatures as f32;
            let bias = backend.values(rbm.shape.visible)?;
            backend.write_values(bias, &base.towards(&rbm.visible_bias, beta));
            let visible = backend.units(Layer::Visible, chains)?;
            backend.write_units(visible, starts, starts);
            replicas.push(Replica { beta, bias, visible, hidden: backend.units(Layer::Hidden, chains)? });
        }
        let energies = backend.values(chains)?;
        let exchanges = vec![Exchanges::default(); temperatures - 1];
        Ok(Self { inference, chains, replicas, energies, steps: 0, exchanges })
    }

    /// Takes so many Gibbs steps, each v to h to v, with exchanges between the temperatures after each.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn advance(&mut self, steps: usize) -> Result<()> {
        for _ in 0..steps {
            for (replica, number) in self.replicas.iter().zip(0..) {
                let params = Params { beta: replica.beta, step: self.steps, ..self.inference.params };
                let params = params.minibatch(0, self.chains);
                let backend = &mut self.inference.backend;
                if self.replicas.len() > 1 {
                    backend.set_visible_bias(&params, replica.bias);
                }
                let draw = |stream: Stream| params.sample(stream, number);
                backend.sample_hidden(&draw(Stream::SampledHidden), replica.visible, replica.hidden);
                backend.sample_visible(&draw(Stream::SampledVisible), replica.hidden, replica.visible);
            }
            // Pairs take turns: 0 and 1, 2 and 3, …; then 1 and 2, 3 and 4, …
            for pair in (self.steps as usize % 2..self.exchanges.len()).step_by(2) {
                self.exchange(pair)?;
            }
            self.inference.backend.submit()?;
            self.steps += 1;
        }
        Ok(())
    }

    /// Lets the chains of two neighbouring temperatures exchange their states.
    fn exchange(&mut self, pair: usize) -> Result<()> {
        let [colder, hotter] = [pair + 1, pair];
        let [own_colder, of_colder] = [colder, hotter].map(|at| self.free_energy(colder, at));
        let [of_hotter, own_hotter] = [colder, hotter].map(|at| self.free_energy(hotter, at));
        let (own_colder, of_colder, of_hotter, own_hotter) =
            (own_colder?, of_colder?, of_hotter?, own_hotter?);
        let draw = Stream::Exchange.draw(pair as u32);
        let exchanged: Vec<usize> = (0..self.chains)
            .filter(|&chain| {
                let gain = own_colder[chain] + own_hotter[chain] - of_colder[chain] - of_hotter[chain];
                let u = rng::uniform_at(self.inference.params.seed(), self.steps, draw, chain as u32, 0);
                f64::from(u) < gain.exp()
            })
            .collect();
        self.exchanges[pair].tried += self.chains;
        self.exchanges[pair].done += exchanged.len();
        if exchanged.is_empty() {
            return Ok(());
        }
        let [a, b] = [colder, hotter].map(|at| self.replicas[at].visible);
        let (backend, units) = (&mut self.inference.backend, self.inference.params.visible as usize);
        let (mut means_a, mut states_a) = backend.read_units(a, self.chains)?;
        let (mut means_b, mut states_b) = backend.read_units(b, self.chains)?;
        for chain in exchanged {
            let row = chain * units..(chain + 1) * units;
            means_a[row.clone()].swap_with_slice(&mut means_b[row.clone()]);
            states_a[row.clone()].swap_with_slice(&mut states_b[row]);
        }
        backend.write_units(a, &means_a, &states_a);
        backend.write_units(b, &means_b, &states_b);
        Ok(())
    }

    /// F at the temperature of one replica, of the states of another.
    fn free_energy(&mut self, temperature: usize, states: usize) -> Result<Vec<f64>> {
        let replica = &self.replicas[temperature];
        let params = Params { beta: replica.beta, ..self.inference.params }.minibatch(0, self.chains);
        let backend = &mut self.inference.backend;
        backend.set_visible_bias(&params, replica.bias);
        backend.free_energy(&params, self.replicas[states].visible, self.energies);
        Ok(backend.read_values(self.energies, self.chains)?.into_iter().map(f64::from).collect())
    }

    /// The chains at temperature 1: p(v|h) of the last step, and the states drawn from it; chains × visible units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn read(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        let last = self.replicas.len() - 1;
        self.inference.backend.read_units(self.replicas[last].visible, self.chains)
    }

    /// The share of tried exchanges that were made, by pairs of neighbouring temperatures, the hottest first.
    pub fn exchange_rates(&self) -> Vec<f64> {
        self.exchanges.iter().map(|pair| pair.done as f64 / pair.tried.max(1) as f64).collect()
    }
}
