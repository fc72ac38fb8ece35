//! Effective couplings between pairs of sites: which sites of an alignment, or which spins, depend on each other directly.
//!
//! ```text
//! J_ij(a,b) = ⟨log p(v: a,b) − log p(v: a,b') − log p(v: a',b) + log p(v: a',b')⟩     over the cases v, and over all a', b'
//! F_ij      = √Σ_ab J_ij(a,b)²                                                        Frobenius norm
//! S_ij      = F_ij − F_i F_j / F                                                      average product correction
//! ```
//!
//! v: a,b is the case v with the states a and b at the sites i and j. The first line is the effective coupling of Tubiana, Cocco
//! and Monasson (2019, "Learning protein constitutive motifs from sequence data", section "Contact map estimation"); the mean over
//! a' and b' is the zero-sum gauge. F_i is the mean of F_ij over j, and F that of all pairs (Dunn, Wahl and Gloor 2008, "Mutual
//! information without the influence of phylogeny or entropy dramatically improves residue contact prediction").

use std::path::PathBuf;

use rayon::prelude::*;

use crate::{
    data::{Cases, Source},
    error::{Result, usage},
    memory,
    model::{self, DataOptions, Stored},
    rbm::{Rbm, Side},
    units::{Kind, Place},
};

/// How the differences of log p are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Measure {
    /// Themselves, averaged over cases.
    #[default]
    Differences,
    /// To second order in the weights: Σ_μ w_iμ(a) w_jμ(b) ⟨Var(h_μ|v)⟩. Exact for Gaussian hidden units, and quick.
    Variances,
}

/// What pairs are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Score {
    /// The norm after the average product correction, which is for many sites with few contacts each.
    #[default]
    Corrected,
    /// The norm.
    Norm,
}

/// Options of contacts: the model, its data, and how couplings are measured.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct ContactOptions {
    /// A run's folder, or a model's file
    pub model: PathBuf,
    /// The data.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub data: DataOptions,
    /// differences (of log p, averaged over cases) or variances (to second order in the weights: quick, for many sites)
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "HOW",
            value_enum,
            default_value = "differences",
            hide_possible_values = true
        )
    )]
    pub measure: Measure,
    /// Training cases that differences are averaged over, evenly spread [default: as many as some seconds allow]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub cases: Option<usize>,
    /// Count the gap's couplings in the norm: by default that letter is left out
    #[cfg_attr(feature = "cli", arg(long))]
    pub with_gap: bool,
}

/// Contacts of a model's sites.
#[derive(Clone, Debug)]
pub struct Contacts {
    /// Number of sites: the visible units.
    pub sites: usize,
    /// Frobenius norms: sites × sites, symmetric, 0 on the diagonal.
    pub raw: Vec<f64>,
    /// Norms after the average product correction, likewise.
    pub corrected: Vec<f64>,
    /// J in −J s s' of spins s, s' = ±1, likewise, if all sites have two states.
    pub couplings: Option<Vec<f64>>,
    /// Cases that were averaged over.
    pub cases: usize,
}

/// A pair of sites, counted from 0, and its scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The sites, the lower one first.
    pub sites: (usize, usize),
    /// Frobenius norm.
    pub raw: f64,
    /// Norm after the average product correction.
    pub corrected: f64,
    /// J of two spins, if the sites have two states.
    pub coupling: Option<f64>,
}

/// Evaluations of a cumulant in some seconds.
const WORK: usize = 4_000_000_000;
/// The fewest cases, whatever the work.
const FEWEST_CASES: usize = 16;
/// Intervals of a tabulated cumulant.
const INTERVALS: usize = 4096;

/// Measures a model's contacts on its training cases, or on the named ones.
///
/// # Errors
/// Those of [`model::open`], [`DataOptions::load`] and [`contacts`].
pub fn measure(options: &ContactOptions) -> Result<(Stored, Source, Contacts)> {
    if options.cases == Some(0) {
        return usage!("‹cases› must be at least 1, found 0");
    }
    let found = model::open(&options.model)?;
    check(&found.rbm)?;
    let (source, dataset) = options.data.load(&found)?;
    let gap = found.encoding.letters.as_ref().and_then(|letters| letters.chars().position(|x| x == '-'));
    let left_out = gap.filter(|_| !options.with_gap);
    let contacts = contacts(&found.rbm, &dataset.train, options.measure, options.cases, left_out)?;
    Ok((found, source, contacts))
}

/// Whether a model has sites that couple.
fn check(rbm: &Rbm) -> Result<()> {
    let layer = &rbm.layers().visible;
    if let Some(block) = layer.blocks().iter().find(|block| block.kind.states().is_none()) {
        return usage!(
            "contacts are between visible units with states, binary, spin or potts; the model has {} in {layer}",
            block.kind
        );
    }
    if layer.units() < 2 {
        return usage!("contacts are between two visible units or more; the model has {layer}");
    }
    Ok(())
}

/// The contacts of a model's sites, averaged over some of these cases by their weights; `left_out` is a state that is left out
/// of the norms.
///
/// # Errors
/// [`crate::Error::Usage`] for visible units without states, or fewer than two.
pub fn contacts(
    rbm: &Rbm,
    cases: &Cases,
    measure: Measure,
    count: Option<usize>,
    left_out: Option<usize>,
) -> Result<Contacts> {
    check(rbm)?;
    let sites: Vec<Site> = rbm.layers().visible.places().map(|place| Site::new(rbm, place)).collect();
    let units: Vec<Hidden> =
        rbm.layers().hidden.places().map(|place| Hidden::new(rbm, place, &sites)).collect();
    let n = sites.len();
    memory::check(
        &format!("the couplings of {n} sites"),
        memory::product(&[n, n, 40]),
        "train on fewer sites",
    )?;
    let states: usize = sites.iter().map(|site| site.states).sum();
    let squares: usize = sites.iter().map(|site| site.states.pow(2)).sum();
    let work = (states * states - squares) / 2 * rbm.shape().hidden;
    let count = count.unwrap_or((WORK / work.max(1)).max(FEWEST_CASES));
    let count = if measure == Measure::Variances { usize::MAX } else { count };
    let cases = weighty(cases).some(count);
    let inputs = Inputs::of(rbm, &cases);
    let variances = match measure {
        Measure::Differences => Vec::new(),
        Measure::Variances => units.par_iter().map(|unit| unit.covariance(&inputs)).collect(),
    };
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
    let of_pair = |&(i, j): &(usize, usize)| {
        let (one, other) = (&sites[i], &sites[j]);
        let mut coupling = vec![0.0; one.states * other.states];
        match measure {
            Measure::Differences => {
                units.iter().for_each(|unit| unit.add(&inputs, one, other, &mut coupling))
            }
            Measure::Variances => {
                let each = units.iter().zip(&variances);
                each.for_each(|(unit, variance)| unit.add_product(variance, one, other, &mut coupling));
            }
        }
        centre(&mut coupling, other.states);
        let squares =
            coupling.chunks(other.states).enumerate().filter(|(a, _)| Some(*a) != left_out).flat_map(
                |(_, row)| row.iter().enumerate().filter(|(b, _)| Some(*b) != left_out).map(|(_, x)| x * x),
            );
        // The states +1, +1.
        (squares.sum::<f64>().sqrt(), coupling[coupling.len() - 1])
    };
    let scores: Vec<(f64, f64)> = pairs.par_iter().map(of_pair).collect();
    let square = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut all = vec![0.0; n * n];
        for (&(i, j), score) in pairs.iter().zip(&scores) {
            (all[i * n + j], all[j * n + i]) = (of(score), of(score));
        }
        all
    };
    let raw = square(&|score| score.0);
    let corrected = corrected(&raw, n);
    let are_spins = sites.iter().all(|site| site.states == 2);
    let couplings = are_spins.then(|| square(&|score| score.1));
    Ok(Contacts { sites: n, raw, corrected, couplings, cases: cases.rows.len() })
}

impl Contacts {
    /// One of the scores: sites × sites.
    pub fn scores(&self, score: Score) -> &[f64] {
        match score {
            Score::Corrected => &self.corrected,
            Score::Norm => &self.raw,
        }
    }

    /// The pairs of sites at least this far from each other, from the largest score to the smallest.
    pub fn ranked(&self, separation: usize, score: Score) -> Vec<Pair> {
        let n = self.sites;
        let pair = |i: usize, j: usize| Pair {
            sites: (i, j),
            raw: self.raw[i * n + j],
            corrected: self.corrected[i * n + j],
            coupling: self.couplings.as_ref().map(|couplings| couplings[i * n + j]),
        };
        let far = |i: usize| (i + separation.max(1)).min(n);
        let mut pairs: Vec<Pair> = (0..n).flat_map(|i| (far(i)..n).map(move |j| pair(i, j))).collect();
        let of = |pair: &Pair| self.scores(score)[pair.sites.0 * n + pair.sites.1];
        pairs.sort_by(|one, other| of(other).total_cmp(&of(one)).then(one.sites.cmp(&other.sites)));
        pairs
    }
}

/// The cases whose weight is above 0.
fn weighty(cases: &Cases) -> Cases {
    match &cases.weights {
        None => cases.clone(),
        Some(weights) => {
            let kept: Vec<usize> = (0..weights.len()).filter(|&case| weights[case] > 0.0).collect();
            cases.select(&kept)
        }
    }
}

/// F_ij − F_i F_j / F.
fn corrected(raw: &[f64], n: usize) -> Vec<f64> {
    let means: Vec<f64> = raw.chunks(n).map(|row| row.iter().sum::<f64>() / (n - 1) as f64).collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    let correct = |at: usize| {
        let (i, j) = (at / n, at % n);
        match i == j || mean == 0.0 {
            true => 0.0,
            false => raw[at] - means[i] * means[j] / mean,
        }
    };
    (0..n * n).map(correct).collect()
}

/// Subtracts the means of rows and columns: the zero-sum gauge.
fn centre(matrix: &mut [f64], columns: usize) {
    for row in matrix.chunks_mut(columns) {
        let mean = row.iter().sum::<f64>() / columns as f64;
        row.iter_mut().for_each(|x| *x -= mean);
    }
    let rows = matrix.len() / columns;
    for column in 0..columns {
        let mean = matrix.iter().skip(column).step_by(columns).sum::<f64>() / rows as f64;
        matrix.iter_mut().skip(column).step_by(columns).for_each(|x| *x -= mean);
    }
}

/// A visible unit.
struct Site {
    place: Place,
    states: usize,
    /// For each hidden column, what each state adds to its input.
    inputs: Vec<f64>,
}

impl Site {
    fn new(rbm: &Rbm, place: Place) -> Self {
        let hidden = rbm.shape().hidden;
        let states = place.kind.states().unwrap_or(0);
        let mut inputs = vec![0.0; hidden * states];
        let mut state = vec![0.0; place.kind.columns()];
        for number in 0..states {
            place.kind.state::<f64>(number, &mut state);
            for (at, &s) in state.iter().enumerate().filter(|(_, s)| **s != 0.0) {
                let row = &rbm.weights()[(place.column + at) * hidden..][..hidden];
                for (column, &weight) in row.iter().enumerate() {
                    inputs[column * states + number] += s * f64::from(weight);
                }
            }
        }
        Self { place, states, inputs }
    }

    /// What each state adds to the input of a hidden column.
    fn of(&self, column: usize) -> &[f64] {
        &self.inputs[column * self.states..][..self.states]
    }

    /// What the site adds in a case with these visible values.
    fn own(&self, column: usize, visible: &[f32]) -> f64 {
        let own = &visible[self.place.column..][..self.place.kind.columns()];
        match self.place.kind {
            Kind::Potts { .. } => {
                let states = self.of(column).iter().zip(own).filter(|(_, v)| **v != 0.0);
                states.map(|(x, &v)| x * f64::from(v)).sum()
            }
            // The last state is 1.
            _ => f64::from(own[0]) * self.of(column)[1],
        }
    }

    /// The range of what its states add.
    fn range(&self, column: usize) -> (f64, f64) {
        let (low, high) = (f64::INFINITY, f64::NEG_INFINITY);
        self.of(column).iter().fold((low, high), |(low, high), &x| (low.min(x), high.max(x)))
    }
}

/// The cases: their visible values, the inputs of the hidden columns, and their weights, which add up to 1.
struct Inputs {
    visible: Vec<Vec<f32>>,
    hidden: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl Inputs {
    fn of(rbm: &Rbm, cases: &Cases) -> Self {
        let columns = rbm.shape().hidden;
        let visible: Vec<Vec<f32>> =
            (0..cases.rows.len()).map(|case| cases.rows.values(case).collect()).collect();
        let input = |visible: &Vec<f32>| {
            let mut inputs = vec![0.0; columns];
            for (&v, row) in visible.iter().zip(rbm.weights().chunks(columns)).filter(|(v, _)| **v != 0.0) {
                inputs.iter_mut().zip(row).for_each(|(input, &w)| *input += f64::from(v) * f64::from(w));
            }
            inputs
        };
        let hidden = visible.par_iter().map(input).collect();
        let weight = |case: usize| cases.weights.as_ref().map_or(1.0, |weights| f64::from(weights[case]));
        let sum: f64 = (0..visible.len()).map(weight).sum();
        let weights = (0..visible.len()).map(|case| weight(case) / sum).collect();
        Self { visible, hidden, weights }
    }
}

/// A hidden unit.
struct Hidden {
    place: Place,
    parameters: Vec<f64>,
    /// The cumulant over all inputs that states of the visible units give, if the unit has one column.
    curve: Option<Curve>,
}

impl Hidden {
    fn new(rbm: &Rbm, place: Place, sites: &[Site]) -> Self {
        let (kind, columns) = (place.kind, rbm.shape().hidden);
        let at =
            |number: usize| number * columns + place.column..number * columns + place.column + kind.columns();
        let potentials = rbm.potentials(Side::Hidden);
        let parameters: Vec<f64> =
            (0..kind.parameters()).flat_map(|number| &potentials[at(number)]).map(|&x| x.into()).collect();
        let curve = (kind.columns() == 1).then(|| {
            let ranges = sites.iter().map(|site| site.range(place.column));
            let (low, high) = ranges.fold((0.0, 0.0), |sum, range| (sum.0 + range.0, sum.1 + range.1));
            let mut expectation = vec![0.0; parameters.len()];
            Curve::new((low, high), |x| {
                kind.unit().expectation(&parameters, &[x], &mut expectation);
                (kind.unit().cumulant(&parameters, &[x]), expectation[0])
            })
        });
        Self { place, parameters, curve }
    }

    /// Adds the cumulant with all pairs of two sites' states, averaged over the cases.
    fn add(&self, inputs: &Inputs, one: &Site, other: &Site, sums: &mut [f64]) {
        let columns = self.place.column..self.place.column + self.place.kind.columns();
        let is_coupled = |site: &Site| {
            columns.clone().any(|column| site.of(column).iter().any(|&x| x != site.of(column)[0]))
        };
        if !is_coupled(one) || !is_coupled(other) {
            return;
        }
        let cases = || inputs.visible.iter().zip(&inputs.hidden).zip(&inputs.weights);
        let rest = |column: usize, visible: &[f32], hidden: &[f64]| {
            hidden[column] - one.own(column, visible) - other.own(column, visible)
        };
        if let Some(curve) = &self.curve {
            let column = self.place.column;
            let (of_one, of_other) = (one.of(column), other.of(column));
            for ((visible, hidden), weight) in cases() {
                let rest = rest(column, visible, hidden);
                for (sums, a) in sums.chunks_mut(other.states).zip(of_one) {
                    let x = rest + a;
                    sums.iter_mut().zip(of_other).for_each(|(sum, b)| *sum += weight * curve.at(x + b));
                }
            }
            return;
        }
        let (unit, mut input) = (self.place.kind.unit(), vec![0.0; columns.len()]);
        for ((visible, hidden), weight) in cases() {
            let rest: Vec<f64> = columns.clone().map(|column| rest(column, visible, hidden)).collect();
            for (at, sum) in sums.iter_mut().enumerate() {
                let (a, b) = (at / other.states, at % other.states);
                for ((input, rest), column) in input.iter_mut().zip(&rest).zip(columns.clone()) {
                    *input = rest + one.of(column)[a] + other.of(column)[b];
                }
                *sum += weight * unit.cumulant(&self.parameters, &input);
            }
        }
    }

    /// The covariances of its columns, averaged over the cases.
    fn covariance(&self, inputs: &Inputs) -> Vec<f64> {
        let kind = self.place.kind;
        let columns = kind.columns();
        let mut expectation = vec![0.0; self.parameters.len()];
        let mut covariance = vec![0.0; columns * columns];
        for (hidden, weight) in inputs.hidden.iter().zip(&inputs.weights) {
            kind.unit().expectation(
                &self.parameters,
                &hidden[self.place.column..][..columns],
                &mut expectation,
            );
            for (at, sum) in covariance.iter_mut().enumerate() {
                let (s, t) = (at / columns, at % columns);
                let together = match s == t {
                    true => kind.mean_square(expectation[s], |number| expectation[number * columns + s]),
                    // Of a Potts unit's states there is one.
                    false => 0.0,
                };
                *sum += weight * (together - expectation[s] * expectation[t]);
            }
        }
        covariance
    }

    /// Adds the cumulant's second order in the weights of two sites.
    fn add_product(&self, covariance: &[f64], one: &Site, other: &Site, sums: &mut [f64]) {
        let columns = self.place.kind.columns();
        for (at, c) in covariance.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            let (s, t) = (self.place.column + at / columns, self.place.column + at % columns);
            for (sums, a) in sums.chunks_mut(other.states).zip(one.of(s)) {
                sums.iter_mut().zip(other.of(t)).for_each(|(sum, b)| *sum += c * a * b);
            }
        }
    }
}

/// A smooth function in a table, with cubic interpolation between its values and slopes (Hermite).
struct Curve {
    low: f64,
    per_unit: f64,
    /// Values and slopes, the slopes times the width of an interval.
    knots: Vec<(f64, f64)>,
}

impl Curve {
    fn new((low, high): (f64, f64), mut of: impl FnMut(f64) -> (f64, f64)) -> Self {
        let width = ((high - low) / INTERVALS as f64).max(1e-9);
        let knot = |at: usize| {
            let (value, slope) = of(low + at as f64 * width);
            (value, slope * width)
        };
        Self { low, per_unit: 1.0 / width, knots: (0..=INTERVALS).map(knot).collect() }
    }

    #[inline]
    fn at(&self, x: f64) -> f64 {
        let place = (x - self.low) * self.per_unit;
        let index = (place.max(0.0) as usize).min(INTERVALS - 1);
        let t = place - index as f64;
        let ((y, slope), (next, next_slope)) = (self.knots[index], self.knots[index + 1]);
        let rise = next - y;
        y + t
            * (slope + t * ((3.0 * rise - 2.0 * slope - next_slope) + t * (slope + next_slope - 2.0 * rise)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::random_model, data::Rows, rbm::Layers, reference};

    fn model(visible: &str, hidden: &str) -> Rbm {
        let layers = Layers { visible: visible.parse().unwrap(), hidden: hidden.parse().unwrap() };
        random_model(&layers, 0.7, 5, |x| 0.5 + x.abs())
    }

    /// Cases with all kinds of states, and their weights.
    fn cases(rbm: &Rbm, count: usize) -> Cases {
        let columns = rbm.shape().visible;
        let mut states = vec![0.0; count * columns];
        for (row, state) in states.chunks_mut(columns).enumerate() {
            for (at, place) in rbm.layers().visible.places().enumerate() {
                let number = (5 * row + 3 * at + row / 3) % place.kind.states().unwrap();
                place.kind.state(number, &mut state[place.column..][..place.kind.columns()]);
            }
        }
        let weights = (0..count).map(|case| (case % 3) as f32).collect();
        Cases { weights: Some(weights), ..Rows::from_values(columns, &states).into() }
    }

    /// √ΣJ² and J of the last states, from free energies.
    fn by_definition(rbm: &Rbm, cases: &Cases, i: usize, j: usize, left_out: Option<usize>) -> (f64, f64) {
        let places: Vec<Place> = rbm.layers().visible.places().collect();
        let [p, q] = [i, j].map(|site| places[site].kind.states().unwrap());
        let mut sums = vec![0.0; p * q];
        let mut total = 0.0;
        for case in 0..cases.rows.len() {
            let weight = f64::from(cases.weights.as_ref().unwrap()[case]);
            total += weight;
            for (at, sum) in sums.iter_mut().enumerate() {
                let mut v: Vec<f32> = cases.rows.values(case).collect();
                for (site, state) in [(i, at / q), (j, at % q)] {
                    let Place { kind, column } = places[site];
                    kind.state(state, &mut v[column..][..kind.columns()]);
                }
                *sum -= weight * reference::free_energy(rbm, 1.0, &v);
            }
        }
        let mean = |of: &dyn Fn(usize) -> bool| {
            let chosen: Vec<f64> = (0..p * q).filter(|&at| of(at)).map(|at| sums[at] / total).collect();
            chosen.iter().sum::<f64>() / chosen.len() as f64
        };
        let coupling = |a: usize, b: usize| {
            mean(&|at| at == a * q + b) - mean(&|at| at / q == a) - mean(&|at| at % q == b) + mean(&|_| true)
        };
        let states = (0..p * q).map(|at| (at / q, at % q));
        let counted = states.filter(|&(a, b)| Some(a) != left_out && Some(b) != left_out);
        (counted.map(|(a, b)| coupling(a, b).powi(2)).sum::<f64>().sqrt(), coupling(p - 1, q - 1))
    }

    #[test]
    fn couplings_are_differences_of_free_energies() {
        for (visible, hidden) in [
            ("4 potts:4", "2 binary, 1 spin, 1 gaussian, 1 relu, 2 drelu"),
            ("3 potts:3, 2 binary, 2 spin", "1 potts:3, 2 binary"),
            ("5 binary", "1 potts:4, 1 drelu"),
            ("5 spin", "3 gaussian"),
        ] {
            let rbm = model(visible, hidden);
            let cases = cases(&rbm, 12);
            for left_out in [None, Some(1)] {
                let found = contacts(&rbm, &cases, Measure::Differences, None, left_out).unwrap();
                assert_eq!(found.cases, 8, "those of weight 0 are not counted");
                for pair in found.ranked(1, Score::Norm) {
                    let (i, j) = pair.sites;
                    let (norm, coupling) = by_definition(&rbm, &cases, i, j, left_out);
                    assert!((pair.raw - norm).abs() < 1e-6, "{visible} × {hidden}: {pair:?}, {norm}");
                    if let Some(found) = pair.coupling {
                        assert!(
                            (found - coupling).abs() < 1e-6,
                            "{visible} × {hidden}: {pair:?}, {coupling}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn variances_are_exact_for_gaussian_units_and_near_for_small_weights() {
        for (hidden, scale, tolerance) in [
            ("3 gaussian", 1.0, 1e-5),
            ("4 binary, 2 spin, 1 relu, 1 drelu", 0.01, 0.02),
            ("2 potts:3", 0.01, 0.02),
        ] {
            let mut rbm = model("4 potts:4", hidden);
            rbm.weights_mut().iter_mut().for_each(|w| *w *= scale);
            let cases = cases(&rbm, 12);
            let [exact, near] = [Measure::Differences, Measure::Variances]
                .map(|measure| contacts(&rbm, &cases, measure, None, None).unwrap());
            let largest = exact.raw.iter().copied().fold(0.0, f64::max);
            for (exact, near) in exact.raw.iter().zip(&near.raw) {
                assert!(
                    (exact - near).abs() <= tolerance * largest,
                    "{hidden}: {exact} {near}, of {largest}"
                );
            }
        }
    }

    #[test]
    fn the_correction_takes_off_what_a_site_has_with_all() {
        // Norms that are products of numbers of the sites are nothing but these.
        let of_sites = [1.0, 2.0, 0.5];
        let raw: Vec<f64> = (0..9)
            .map(|at| if at / 3 == at % 3 { 0.0 } else { of_sites[at / 3] * of_sites[at % 3] })
            .collect();
        let found = corrected(&raw, 3);
        // F_0 = 1.25, F_1 = 1.5, F_2 = 0.75, F = 3.5/3.
        assert!((found[1] - (2.0 - 1.25 * 1.5 / (3.5 / 3.0))).abs() < 1e-12);
        assert!((found[2] - (0.5 - 1.25 * 0.75 / (3.5 / 3.0))).abs() < 1e-12);
        assert_eq!((found[0], found[3]), (0.0, found[1]));
        assert_eq!(corrected(&[0.0; 9], 3), [0.0; 9]);
    }

    #[test]
    fn units_without_states_have_no_contacts() {
        for (visible, expected) in [("2 gaussian, 1 binary", "gaussian"), ("1 potts:4", "two visible units")]
        {
            let layers = Layers { visible: visible.parse().unwrap(), hidden: "1 binary".parse().unwrap() };
            let rbm = Rbm::zeros(layers);
            let rows = Rows::from_values(rbm.shape().visible, &vec![0.0; rbm.shape().visible]);
            let message =
                contacts(&rbm, &rows.into(), Measure::Variances, None, None).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
