//! A data set: packed rows, one case each, and how its cases look as images.
//!
//! Rows are kept as they are shipped to the device, padded to whole 32-bit words: one bit a unit where every value is 0
//! or 1, one byte where pixels are grey, an `f32` where values lie between ([`Rows::from_values`]). MNIST takes 47 MB
//! this way, a quarter of its size in `f32`.
//!
//! [`Source`] says where the data come from, [`Selection`] which part of them is taken and what it means.

mod binarize;
pub(crate) mod csv;
pub(crate) mod file;
mod generated;
pub(crate) mod idx;
pub(crate) mod images;
mod known;
pub mod npy;
mod numbers;
mod rows;
mod selection;
mod source;
mod summary;

pub use binarize::Binarize;
pub use rows::{Packing, RowLayout, Rows};
pub(crate) use selection::spread_out;
pub use selection::{ImageSize, Selection, Switch};
pub use source::Source;
pub use summary::Summary;

use crate::rng::{Philox, Stream};

/// Training cases, and test and validation cases where there are any.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Height and width of a case as an image; their product is the number of visible units.
    pub image: (usize, usize),
    /// The cases to learn from.
    pub train: Cases,
    /// Cases that are never learnt from: the ones that the data set keeps for the last judgement.
    pub test: Option<Cases>,
    /// Cases that were split off the training cases, to watch the training by.
    pub validation: Option<Cases>,
    /// What the classes are called: a label is an index into these.
    pub classes: Vec<String>,
}

impl Dataset {
    /// Training cases of one kind, without anything else.
    pub fn new(image: (usize, usize), rows: Rows) -> Self {
        let train = Cases { rows, labels: None };
        Self { image, train, test: None, validation: None, classes: Vec::new() }
    }

    /// The cases by which training is watched: the validation cases, else the test cases, else the training cases.
    pub fn held_out(&self) -> &Cases {
        self.validation.as_ref().or(self.test.as_ref()).unwrap_or(&self.train)
    }

    /// What [`Dataset::held_out`] are called.
    pub fn held_out_name(&self) -> &'static str {
        match (&self.validation, &self.test) {
            (Some(_), _) => "validation cases",
            (None, Some(_)) => "test cases",
            (None, None) => "the training cases",
        }
    }

    /// The data set as a finished model is judged by it: the validation cases stand in for test cases where there are
    /// none, and are left out where there are.
    pub fn judging(mut self) -> Self {
        let validation = self.validation.take();
        self.test = self.test.or(validation);
        self
    }

    /// Whether every value is 0 or 1.
    pub fn is_binary(&self) -> bool {
        self.parts().all(|cases| cases.rows.is_binary())
    }

    /// All cases, by parts.
    pub fn parts(&self) -> impl Iterator<Item = &Cases> {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()].into_iter().flatten()
    }

    /// The data set with other rows in place of each part's; the second argument is the part's number.
    fn map(self, rows: impl Fn(Rows, u32) -> Rows) -> Self {
        let map = |cases: Cases, part| Cases { rows: rows(cases.rows, part), ..cases };
        Self {
            train: map(self.train, 0),
            test: self.test.map(|test| map(test, 1)),
            validation: self.validation.map(|validation| map(validation, 2)),
            ..self
        }
    }

    /// The data set with every value drawn once, as the probability of a 1: the same for the same seed.
    pub fn sample(self, seed: u64) -> Self {
        self.map(|rows, part| rows.sample(seed, part))
    }

    /// The data set with 1 − x in the place of every value x.
    pub fn invert(self) -> Self {
        self.map(|rows, _| rows.invert())
    }

    /// The data set with every value above 0.5 turned to 1 and every other to 0.
    pub fn threshold(self) -> Self {
        self.map(|rows, _| rows.threshold())
    }

    /// The data set made binary in one of the ways, or not.
    pub fn binarize(self, how: Binarize, seed: u64) -> Self {
        match how {
            Binarize::Threshold => self.threshold(),
            Binarize::Sample => self.sample(seed),
            Binarize::None => self,
        }
    }

    /// Splits a share of the training cases off as validation cases, at random but always the same ones, so that a later
    /// evaluation splits as training did.
    fn split(&mut self, share: f64) {
        use rand::seq::SliceRandom;
        let cases = self.train.rows.len();
        let mut order: Vec<usize> = (0..cases).collect();
        order.shuffle(&mut Philox::new(0, Stream::Split, 0));
        let (validation, train) = order.split_at_mut((cases as f64 * share).round() as usize);
        train.sort_unstable();
        validation.sort_unstable();
        self.validation = Some(self.train.select(validation));
        self.train = self.train.select(train);
    }
}

/// Rows and, where known, the class of each.
#[derive(Clone, Debug)]
pub struct Cases {
    /// One row a case.
    pub rows: Rows,
    /// One class a case: indices into [`Dataset::classes`].
    pub labels: Option<Vec<u8>>,
}

impl Cases {
    /// The cases of these rows, in this order.
    pub fn select(&self, cases: &[usize]) -> Self {
        let labels = self.labels.as_ref().map(|labels| cases.iter().map(|&case| labels[case]).collect());
        Self { rows: self.rows.select(cases), labels }
    }

    /// At most `count` cases to look at: the same number of each class where classes are known, in their order; else the
    /// first ones.
    pub fn pictured(&self, count: usize) -> Vec<usize> {
        let count = self.rows.len().min(count);
        let Some(labels) = &self.labels else { return (0..count).collect() };
        let mut of_class = vec![Vec::new(); 256];
        labels.iter().enumerate().for_each(|(case, &label)| of_class[usize::from(label)].push(case));
        of_class.retain(|cases| !cases.is_empty());
        let columns = of_class.len().clamp(1, 20);
        (0..count.div_ceil(columns))
            .flat_map(|nth| of_class.iter().filter_map(move |cases| cases.get(nth).copied()))
            .take(count)
            .collect()
    }
}
