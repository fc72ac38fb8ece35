//! A model in 64 bits, on its way from or to another program, and exact changes of its units.

use crate::{
    data::Encoding,
    rbm::{Layers, Rbm, Shape, Side},
    units::{Block, Kind, Layer},
};

/// Parameters in 64 bits, in the order of [`Rbm`]: W row by row, the potentials of the visible units, those of the hidden
/// units.
#[derive(Clone, Debug, PartialEq)]
pub struct Wide {
    pub layers: Layers,
    pub weights: Vec<f64>,
    pub potentials: [Vec<f64>; 2],
}

impl From<&Rbm> for Wide {
    fn from(rbm: &Rbm) -> Self {
        let widen = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect();
        Self {
            layers: rbm.layers().clone(),
            weights: widen(rbm.weights()),
            potentials: [Side::Visible, Side::Hidden].map(|side| widen(rbm.potentials(side))),
        }
    }
}

impl Wide {
    /// A model of these layers, whose numbers must be as many as they have parameters.
    ///
    /// # Errors
    /// Of what there is too much or too little.
    pub fn new(
        layers: Layers,
        weights: Vec<f64>,
        potentials: [Vec<f64>; 2],
    ) -> std::result::Result<Self, String> {
        let Shape { visible, hidden } = layers.shape();
        let lengths = [visible * hidden, layers.visible.parameters(), layers.hidden.parameters()];
        let [of_visible, of_hidden] = &potentials;
        for ((what, values), expected) in
            [("weights", &weights), ("visible potentials", of_visible), ("hidden potentials", of_hidden)]
                .iter()
                .zip(lengths)
        {
            if values.len() != expected {
                return Err(format!(
                    "expected {expected} {what} of {} × {} units, found {}",
                    layers.visible,
                    layers.hidden,
                    values.len()
                ));
            }
        }
        Ok(Self { layers, weights, potentials })
    }

    /// The parameters of one kind of unit as most programs have them: the field θ and the precision γ, or, of double-rectified
    /// units, those of positive states and of negative ones: θ₊, θ₋, γ₊, γ₋.
    pub fn rows(&self, side: Side, kind: Kind) -> Vec<Vec<f64>> {
        let plane = |number| self.plane(side, number).to_vec();
        match kind {
            Kind::DoubleRelu => {
                let both = || self.plane(side, 0).iter().zip(self.plane(side, 3));
                let (above, below) = both().map(|(theta, delta)| (theta + delta, theta - delta)).unzip();
                vec![above, below, plane(1), plane(2)]
            }
            _ => (0..kind.parameters()).map(plane).collect(),
        }
    }

    /// The potentials of one kind of unit, of what [`Wide::rows`] has.
    pub fn potentials(kind: Kind, rows: Vec<Vec<f64>>) -> Vec<f64> {
        match (kind, &rows[..]) {
            (Kind::DoubleRelu, [above, below, positive, negative]) => {
                let join = |sign: f64| {
                    above.iter().zip(below).map(move |(above, below)| (above + sign * below) / 2.0)
                };
                [join(1.0).collect(), positive.clone(), negative.clone(), join(-1.0).collect::<Vec<_>>()]
                    .concat()
            }
            _ => rows.concat(),
        }
    }

    /// The model in 32 bits.
    pub fn rbm(&self) -> Rbm {
        let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect();
        let [visible, hidden] = &self.potentials;
        Rbm::from_tensors(&self.layers, [narrow(&self.weights), narrow(visible), narrow(hidden)])
    }

    /// The numbers of columns.
    pub fn shape(&self) -> Shape {
        self.layers.shape()
    }

    /// A parameter of all columns of a side, by its number ([`Kind::parameters`]).
    pub fn plane(&self, side: Side, number: usize) -> &[f64] {
        let columns = self.layers.side(side).columns();
        &self.potentials[side.number() as usize][number * columns..][..columns]
    }

    /// The weights, columns of the hidden side × columns of the visible side.
    pub fn turned(&self) -> Vec<f64> {
        let Shape { visible, hidden } = self.shape();
        (0..hidden)
            .flat_map(|j| (0..visible).map(move |i| (i, j)))
            .map(|(i, j)| self.weights[i * hidden + j])
            .collect()
    }

    /// Whether every number is one of 32 bits.
    pub fn is_narrow(&self) -> bool {
        let mut all = self.weights.iter().chain(self.potentials.iter().flatten());
        all.all(|&x| f64::from(x as f32) == x)
    }

    /// The same model of other states y of a side's units, x = offset + factor·y for each column. Energies change by a constant.
    ///
    /// ```text
    /// −x W h − θ x + γ x²/2   ⇒   W′ = factor·W,  θ′ = factor·(θ − γ offset),  γ′ = factor² γ,  c′ = c + Σ offset·W
    /// ```
    pub fn of_other_states(mut self, side: Side, offset: &[f64], factor: &[f64]) -> Self {
        let Shape { visible: m, hidden: n } = self.shape();
        let other = side.other().number() as usize;
        for i in 0..m {
            for j in 0..n {
                let (own, others) = if side == Side::Visible { (i, j) } else { (j, i) };
                let weight = &mut self.weights[i * n + j];
                self.potentials[other][others] += offset[own] * *weight;
                *weight *= factor[own];
            }
        }
        let columns = self.layers.side(side).columns();
        let planes = self.layers.side(side).planes();
        let potentials = &mut self.potentials[side.number() as usize];
        for column in 0..columns {
            let gamma = if planes > 1 { potentials[columns + column] } else { 0.0 };
            let theta = &mut potentials[column];
            *theta = factor[column] * (*theta - gamma * offset[column]);
            for number in 1..planes.min(3) {
                potentials[number * columns + column] *= factor[column] * factor[column];
            }
        }
        self
    }

    /// The model of the numbers as they are in files of data, without their standardisation, and whether that changed it.
    pub fn of_plain_numbers(self, encoding: &Encoding) -> (Self, bool) {
        if encoding.means.is_empty() {
            return (self, false);
        }
        let deviations = || encoding.deviations.iter().map(|&deviation| f64::from(deviation));
        let offset =
            encoding.means.iter().zip(deviations()).map(|(&mean, deviation)| -f64::from(mean) / deviation);
        let factor = deviations().map(|deviation| 1.0 / deviation).collect::<Vec<_>>();
        (self.of_other_states(Side::Visible, &offset.collect::<Vec<_>>(), &factor), true)
    }

    /// The model with units of 0 and 1 in place of spins, or the reverse: s = 2x − 1.
    pub fn of_states(mut self, to: Kind) -> Self {
        for side in [Side::Visible, Side::Hidden] {
            let layer = self.layers.side(side);
            let (mut offset, mut factor) = (vec![0.0; layer.columns()], vec![1.0; layer.columns()]);
            let changed = |kind: Kind| kind != to && matches!(kind, Kind::Binary | Kind::Spin);
            for place in layer.places().filter(|place| changed(place.kind)) {
                (offset[place.column], factor[place.column]) =
                    if to == Kind::Spin { (0.5, 0.5) } else { (-1.0, 2.0) };
            }
            let blocks = layer.blocks().iter();
            let layer =
                Layer::new(blocks.map(|&block| Block {
                    kind: if changed(block.kind) { to } else { block.kind },
                    ..block
                }));
            self = self.of_other_states(side, &offset, &factor);
            match side {
                Side::Visible => self.layers.visible = layer,
                Side::Hidden => self.layers.hidden = layer,
            }
        }
        self
    }

    /// The model with the states of the visible Potts units in another order of their letters.
    ///
    /// # Panics
    /// If the two do not have the same letters, or the units not as many states.
    pub fn of_other_letters(mut self, from: &str, to: &str) -> Self {
        let from: Vec<char> = from.chars().collect();
        let place = |letter| from.iter().position(|&other| other == letter).expect("the same letters");
        let places: Vec<usize> = to.chars().map(place).collect();
        let Shape { visible, hidden } = self.shape();
        assert!(visible.is_multiple_of(places.len()), "whole units");
        let columns =
            (0..visible).map(|column| column / places.len() * places.len() + places[column % places.len()]);
        let columns: Vec<usize> = columns.collect();
        self.weights = columns.iter().flat_map(|&i| self.weights[i * hidden..][..hidden].to_vec()).collect();
        self.potentials[0] = columns.iter().map(|&i| self.potentials[0][i]).collect();
        self
    }

    /// The kind of a side's units, if they are all of one; Potts units have one number of states.
    pub fn kind(&self, side: Side) -> Option<Kind> {
        let blocks = self.layers.side(side).blocks();
        let kind = blocks.first()?.kind;
        blocks.iter().all(|block| block.kind == kind).then_some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::random_model, reference};

    /// Free energies of some states, less that of the first.
    fn free_energies(rbm: &Rbm, states: &[Vec<f32>]) -> Vec<f64> {
        let all: Vec<f64> = states.iter().map(|v| reference::free_energy(rbm, 1.0, v)).collect();
        all.iter().map(|energy| energy - all[0]).collect()
    }

    fn close(one: &[f64], other: &[f64]) {
        for (one, other) in one.iter().zip(other) {
            assert!((one - other).abs() < 1e-5 * one.abs().max(1.0), "{one} {other}");
        }
    }

    #[test]
    fn spins_and_zeros_and_ones_are_the_same_model() {
        let layers = Layers {
            visible: "3 binary, 1 potts:3, 2 gaussian".parse().unwrap(),
            hidden: "2 binary, 1 drelu, 2 spin".parse().unwrap(),
        };
        let rbm = random_model(&layers, 0.7, 3, |x| 1.5 + x.abs());
        let states: Vec<Vec<f32>> = (0..6)
            .map(|n| {
                vec![
                    f32::from(n as u8 & 1),
                    f32::from(n as u8 >> 1 & 1),
                    f32::from(n as u8 >> 2),
                    0.0,
                    1.0,
                    0.0,
                    0.3 * n as f32,
                    -0.5,
                ]
            })
            .collect();
        let spins = Wide::from(&rbm).of_states(Kind::Spin);
        assert_eq!(spins.layers.visible.to_string(), "3 spin, 1 potts:3, 2 gaussian");
        let as_spins = |v: &Vec<f32>| {
            v.iter().enumerate().map(|(i, &x)| if i < 3 { 2.0 * x - 1.0 } else { x }).collect()
        };
        let of_spins: Vec<Vec<f32>> = states.iter().map(as_spins).collect();
        close(&free_energies(&rbm, &states), &free_energies(&spins.rbm(), &of_spins));
        let back = spins.of_states(Kind::Binary);
        close(&free_energies(&rbm, &states), &free_energies(&back.rbm(), &states));
    }

    #[test]
    fn letters_in_another_order_are_the_same_model() {
        let layers = Layers { visible: "2 potts:3".parse().unwrap(), hidden: "2 spin".parse().unwrap() };
        let rbm = random_model(&layers, 0.7, 5, |x| x);
        let other = Wide::from(&rbm).of_other_letters("AB-", "-AB");
        // B- and A- become …
        let states = [vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0], vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]];
        let turned = [vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0]];
        close(&free_energies(&rbm, &states), &free_energies(&other.rbm(), &turned));
        assert_eq!(other.of_other_letters("-AB", "AB-"), Wide::from(&rbm));
    }

    #[test]
    fn standardisation_is_folded_into_the_parameters() {
        let layers =
            Layers { visible: "2 binary, 2 gaussian".parse().unwrap(), hidden: "3 spin".parse().unwrap() };
        let rbm = random_model(&layers, 0.7, 4, |x| 1.5 + x.abs());
        let mut encoding = Encoding::new(layers.visible.clone());
        (encoding.means, encoding.deviations) = (vec![0.0, 0.0, 5.0, -2.0], vec![1.0, 1.0, 2.0, 0.25]);
        let files = [vec![0.0, 1.0, 4.0, -2.25], vec![1.0, 1.0, 7.0, -1.5], vec![0.0, 0.0, 5.5, -2.0]];
        let units = |x: &Vec<f32>| {
            (0..4).map(|i| (x[i] - encoding.means[i]) / encoding.deviations[i]).collect::<Vec<f32>>()
        };
        let (plain, changed) = Wide::from(&rbm).of_plain_numbers(&encoding);
        assert!(changed);
        let encoded: Vec<_> = files.iter().map(units).collect();
        close(&free_energies(&rbm, &encoded), &free_energies(&plain.rbm(), &files));
    }
}
