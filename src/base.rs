//! Independent units, whose Z is known: where paths to a model begin, and where chains start.

use std::borrow::Cow;

use crate::{
    data::Rows,
    rbm::Layers,
    reference::Potentials,
    rng::{self, Address, Stream},
    units::{Layer, Marginals, Unit},
};

/// Independent units: visible ones with the moments of some data, and hidden ones without an inclination.
#[derive(Clone, Debug)]
pub struct Base {
    layers: Layers,
    potentials: Vec<f32>,
    marginals: Marginals,
    log_z: f64,
    /// The hidden units' part of it.
    hidden_log_z: f64,
}

/// log Σ e^(potential) over a layer's states, or the log of the integral.
fn log_z(layer: &Layer, potentials: &[f32]) -> f64 {
    Potentials::new(layer, potentials).cumulant(&vec![0.0; layer.columns()])
}

impl Base {
    /// From the moments of the visible units in the data. Potentials fit moments that are clipped as for an initial model,
    /// because a model may turn on a unit that is never on in the data.
    ///
    /// # Panics
    /// If there are not as many moments as visible columns.
    pub fn new(layers: impl Into<Layers>, marginals: Marginals) -> Self {
        let layers = layers.into();
        let potentials = layers.base(marginals.moments());
        // The hidden units of a block are alike.
        let of_block = |of_one: Layer, units: usize| units as f64 * log_z(&of_one, &of_one.neutral());
        let blocks = layers.hidden.blocks().iter();
        let hidden_log_z = blocks.map(|block| of_block(Layer::of(block.kind, 1), block.units)).sum();
        let of_visible = log_z(&layers.visible, &potentials[..layers.visible.parameters()]);
        Self { potentials, marginals, log_z: of_visible + hidden_log_z, hidden_log_z, layers }
    }

    /// Of units without an inclination: each state of a discrete unit is as likely as the others.
    pub fn neutral(layers: impl Into<Layers>) -> Self {
        let layers = layers.into();
        let marginals = layers.visible.neutral_marginals();
        Self::new(layers, marginals)
    }

    /// With other means of the visible units, and the old variances. Those matter to continuous units alone.
    pub fn around(&self, means: Vec<f64>) -> Self {
        Self::new(self.layers.clone(), Marginals { means, variances: self.marginals.variances.clone() })
    }

    /// With even odds on the states of all discrete visible units; continuous ones stay as they are.
    pub fn even(&self) -> Self {
        let mut marginals = self.layers.visible.neutral_marginals();
        for place in self.layers.visible.places().filter(|place| place.kind.states().is_none()) {
            marginals.means[place.column] = self.marginals.means[place.column];
            marginals.variances[place.column] = self.marginals.variances[place.column];
        }
        Self::new(self.layers.clone(), marginals)
    }

    /// The layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// [`Layers::base`]: the potentials of the visible units, then those of the hidden ones.
    pub fn potentials(&self) -> &[f32] {
        &self.potentials
    }

    /// The potentials of the visible units.
    pub fn of_visible(&self) -> &[f32] {
        &self.potentials[..self.layers.visible.parameters()]
    }

    /// The moments of the visible units.
    pub fn marginals(&self) -> &Marginals {
        &self.marginals
    }

    /// log Z of both layers.
    pub fn log_z(&self) -> f64 {
        self.log_z
    }

    /// log f(v), so that the log density is log f(v) − log Z.
    pub fn log_density(&self, visible: &[f32]) -> f64 {
        Potentials::new(&self.layers.visible, self.of_visible()).sum(visible) + self.hidden_log_z
    }

    /// log Σ_m f(o, m) of a case's observed columns o over its missing ones m, which are NaN.
    pub fn log_marginal(&self, visible: &[f32]) -> f64 {
        let potentials = Potentials::new(&self.layers.visible, self.of_visible());
        let of_unit = |(unit, parameters, at): (&dyn Unit, Vec<f64>, std::ops::Range<usize>)| {
            let state: Vec<f64> = visible[at].iter().copied().map(f64::from).collect();
            match state[0].is_nan() {
                true => unit.cumulant(&parameters, &vec![0.0; state.len()]),
                false => unit.potential(&parameters, &state),
            }
        };
        potentials.units().map(|(unit, own, at)| of_unit((unit, own, at))).sum::<f64>() + self.hidden_log_z
    }

    /// The means of the hidden units.
    pub fn hidden_means(&self) -> Vec<f64> {
        self.layers.hidden.neutral_marginals().means
    }

    /// The rows with missing values drawn from the independent units: where chains start, not what is learnt.
    pub fn filled<'a>(&self, rows: &'a Rows, seed: u64) -> Cow<'a, Rows> {
        if !rows.has_missing() {
            return Cow::Borrowed(rows);
        }
        let columns = self.layers.visible.columns();
        let drawn = self.draw(seed, Address::new(Stream::Complete, 1), 0, rows.len());
        let fill = |(x, drawn): (f32, &f32)| if x.is_nan() { *drawn } else { x };
        let values =
            drawn.chunks(columns).enumerate().flat_map(|(row, drawn)| rows.values(row).zip(drawn).map(fill));
        Cow::Owned(Rows::from_values(columns, &values.collect::<Vec<_>>()))
    }

    /// Visible states of chains from `first_chain` on, row by row. Random numbers are those of an address.
    pub fn draw(&self, seed: u64, address: Address, first_chain: usize, chains: usize) -> Vec<f32> {
        let columns = self.layers.visible.columns();
        let potentials = Potentials::new(&self.layers.visible, self.of_visible());
        let units: Vec<(&dyn Unit, Vec<f64>, _)> = potentials.units().collect();
        let means: Vec<f32> = self.marginals.means.iter().map(|&mean| mean as f32).collect();
        let zeros = vec![0.0; columns];
        let mut states = vec![0.0; chains * columns];
        let mut uniforms = vec![0.0; columns];
        for (chain, state) in (first_chain..).zip(states.chunks_mut(columns)) {
            rng::fill(seed, address, chain as u32, 0, &mut uniforms);
            for (unit, parameters, at) in &units {
                let uniform = uniforms[at.start];
                let state = &mut state[at.clone()];
                unit.draw(parameters, &zeros[at.clone()], &means[at.clone()], uniform, state);
            }
        }
        states
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Kind;

    #[test]
    fn draws_have_the_moments_of_the_data() {
        let visible: Layer = "2 binary, 1 spin, 1 potts:3, 1 gaussian".parse().unwrap();
        let layers = Layers { visible: visible.clone(), hidden: Layer::of(Kind::Binary, 2) };
        let means = vec![0.2, 0.7, -0.4, 0.5, 0.2, 0.3, 1.5];
        let mut variances: Vec<f64> = means.iter().map(|p| p * (1.0 - p)).collect();
        (variances[2], variances[6]) = (1.0 - 0.4 * 0.4, 4.0);
        let base = Base::new(layers, Marginals { means, variances });
        let chains = 20_000;
        let states = base.draw(3, Address::new(Stream::Chains, 0), 0, chains);
        let Marginals { means, variances } = base.marginals();
        for (column, (mean, variance)) in means.iter().zip(variances).enumerate() {
            let values = || states.iter().skip(column).step_by(visible.columns()).map(|&x| f64::from(x));
            let found = values().sum::<f64>() / chains as f64;
            assert!(
                (found - mean).abs() < 5.0 * (variance / chains as f64).sqrt(),
                "{column}: {found}, {mean}"
            );
            let spread = values().map(|x| (x - found).powi(2)).sum::<f64>() / chains as f64;
            assert!((spread / variance - 1.0).abs() < 0.06, "{column}: {spread}, {variance}");
        }
        // One of each Potts unit's columns.
        assert!(states.chunks(7).all(|state| state[3..6].iter().sum::<f32>() == 1.0));
    }
}
