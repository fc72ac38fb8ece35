//! A data set: packed rows, one case each, and how its cases look as images.
//!
//! Rows are stored as they go to the device, padded to whole 32-bit words: one bit per unit if every value is 0 or 1, one
//! byte for grey pixels, an `f32` for other values ([`Rows::from_values`]). MNIST takes 47 MB this way, a quarter of its
//! size in `f32`.
//!
//! [`Source`] says where the data come from, [`Selection`] which part is used and what the numbers mean.

mod alignment;
mod alphabet;
mod arrangement;
mod binarize;
mod encoding;
pub mod fasta;
pub(crate) mod file;
pub(crate) mod foreign;
mod generated;
pub(crate) mod hdf5;
pub(crate) mod idx;
pub(crate) mod images;
mod known;
pub(crate) mod labels;
mod load;
pub mod npy;
mod numbers;
pub(crate) mod ranges;
pub(crate) mod recognised;
mod reweight;
mod rows;
mod selection;
mod source;
mod sparse;
mod stockholm;
mod summary;
pub(crate) mod svmlight;
pub mod table;
mod weights;

#[cfg(feature = "cli")]
pub(crate) use alignment::{Form as AlignmentForm, load as load_alignment};
pub use alignment::{Keep, UnknownLetters};
pub use binarize::Binarize;
pub use encoding::Encoding;
#[cfg(feature = "report")]
pub(crate) use rows::end_to_end;
pub(crate) use rows::spread_out;
use rows::starts;
pub use rows::{Packing, RowLayout, Rows};
pub(crate) use selection::as_shown;
pub use selection::{ImageSize, Selection, Switch, Trained};
pub use source::Source;
pub use summary::{ColumnSummary, Sparse, Summary};

use std::collections::BTreeMap;

use crate::{
    memory,
    rng::{Philox, Stream},
    units::{Kind, Marginals},
};

/// Training cases, with test and validation cases if there are any.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Height and width of a case as an image; their product is the number of visible units.
    pub image: (usize, usize),
    /// The visible units, and what their values mean.
    pub encoding: Encoding,
    /// Training cases.
    pub train: Cases,
    /// Test cases, never learnt from.
    pub test: Option<Cases>,
    /// Validation cases, split off the training cases to monitor training.
    pub validation: Option<Cases>,
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// How the file was read, where that is not plain: for people.
    pub notes: Vec<String>,
}

impl Dataset {
    /// A data set of training cases for binary units, without other parts.
    pub fn new(image: (usize, usize), train: impl Into<Cases>) -> Self {
        let train = train.into();
        let encoding = Encoding::of(Kind::Binary, train.rows.layout().units);
        Self { image, encoding, train, test: None, validation: None, classes: Vec::new(), notes: Vec::new() }
    }

    /// Cases for monitoring: the validation cases, else the test cases, else the training cases.
    pub fn held_out(&self) -> &Cases {
        self.validation.as_ref().or(self.test.as_ref()).unwrap_or(&self.train)
    }

    /// The name of [`Dataset::held_out`].
    pub fn held_out_name(&self) -> &'static str {
        match (&self.validation, &self.test) {
            (Some(_), _) => "validation cases",
            (None, Some(_)) => "test cases",
            (None, None) => "the training cases",
        }
    }

    /// The data set for judging a finished model: validation cases replace missing test cases, and are dropped otherwise.
    pub fn judging(mut self) -> Self {
        let validation = self.validation.take();
        self.test = self.test.or(validation);
        self
    }

    /// Whether a value is missing.
    pub fn has_missing(&self) -> bool {
        self.parts().any(|cases| cases.rows.has_missing())
    }

    /// Whether every value is 0 or 1, or missing.
    pub fn is_binary(&self) -> bool {
        self.parts().all(|cases| cases.rows.is_binary())
    }

    /// Turns the rows of all parts, which are the file's, into rows of an encoding's units.
    ///
    /// # Errors
    /// Those of [`Encoding::encode`].
    pub(crate) fn encoded(self, encoding: Encoding, source: &Source) -> crate::error::Result<Self> {
        let encode = |cases: Cases, part: &str| {
            let place = |row: usize, column: usize| format!("{source}: {part} case {row}, column {column}");
            Ok::<_, crate::Error>(Cases { rows: encoding.encode(cases.rows, place)?, ..cases })
        };
        let was_sparse = self.train.rows.is_sparse();
        let train = encode(self.train, "training")?;
        let mut notes = self.notes;
        if was_sparse && !train.rows.is_sparse() {
            let bytes = memory::gb(train.rows.bytes());
            notes.push(format!("the training rows of these units are not sparse: they take {bytes}"));
        }
        let encoded = Self {
            train,
            notes,
            validation: self.validation.map(|cases| encode(cases, "validation")).transpose()?,
            test: self.test.map(|cases| encode(cases, "test")).transpose()?,
            encoding,
            ..self
        };
        // Parts with and without missing values take one way.
        Ok(match encoded.has_missing() {
            true => encoded.map(|rows, _| rows.into_floats()),
            false => encoded,
        })
    }

    /// Gives all cases weights that count similar ones once, among the cases of all parts.
    ///
    /// # Errors
    /// Those of [`reweight::weights`].
    fn reweighted(mut self, share: f64, source: &Source) -> crate::error::Result<Self> {
        let sites = self.encoding.file_columns();
        let parts: Vec<&Cases> = self.parts().collect();
        let weights = reweight::weights(&source.to_string(), &parts, share)?;
        let effective: f64 = weights.iter().flatten().map(|&weight| f64::from(weight)).sum();
        let cases: usize = parts.iter().map(|cases| cases.rows.len()).sum();
        self.notes.push(format!(
            "weights 1/#{{cases with at most {} of {sites} values different, itself included}}, counted over all {cases} \
             cases: effective number {effective:.2}",
            reweight::most_different(sites, share)
        ));
        let mut weights = weights.into_iter();
        self.train.weights = weights.next();
        for cases in [&mut self.validation, &mut self.test].into_iter().flatten() {
            cases.weights = weights.next();
        }
        Ok(self)
    }

    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = &Cases> {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()].into_iter().flatten()
    }

    /// Replaces the rows of each part; the second argument is the number of the part.
    fn map(self, rows: impl Fn(Rows, u32) -> Rows) -> Self {
        let map = |cases: Cases, part| Cases { rows: rows(cases.rows, part), ..cases };
        Self {
            train: map(self.train, 0),
            test: self.test.map(|test| map(test, 1)),
            validation: self.validation.map(|validation| map(validation, 2)),
            ..self
        }
    }

    /// Draws every value once, as the probability of a 1. Deterministic for a seed. Data for units that are not all binary
    /// stay as they are.
    pub fn sample(self, seed: u64) -> Self {
        if !self.encoding.layer.is_binary() {
            return self;
        }
        self.map(|rows, part| rows.sample(seed, part))
    }

    /// Replaces every value x of binary units by 1 − x.
    pub fn invert(self) -> Self {
        self.map(|rows, _| rows.invert())
    }

    /// Replaces values above 0.5 by 1, others by 0. Data for units that are not all binary stay as they are.
    pub fn threshold(self) -> Self {
        if !self.encoding.layer.is_binary() {
            return self;
        }
        self.map(|rows, _| rows.threshold())
    }

    /// Makes the data set binary in one of the ways, or leaves it.
    pub fn binarize(self, how: Binarize, seed: u64) -> Self {
        match how {
            Binarize::Threshold => self.threshold(),
            Binarize::Sample => self.sample(seed),
            Binarize::None => self,
        }
    }

    /// Splits a fraction of the training cases off as validation cases, at random with a fixed seed, so that a later
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

/// Rows and, if known, their classes.
#[derive(Clone, Debug)]
pub struct Cases {
    /// One row per case.
    pub rows: Rows,
    /// One class per case: indices into [`Dataset::classes`].
    pub labels: Option<Vec<u32>>,
    /// The weight of each case in every mean over cases, at least 0; alike if `None`.
    pub weights: Option<Vec<f32>>,
}

impl From<Rows> for Cases {
    /// Cases without labels, of one weight.
    fn from(rows: Rows) -> Self {
        Self { rows, labels: None, weights: None }
    }
}

impl Cases {
    /// The mean over the cases, by their weights.
    ///
    /// # Panics
    /// If there is not a number for each case.
    pub fn mean(&self, numbers: &[f64]) -> f64 {
        assert_eq!(numbers.len(), self.rows.len(), "a number for each case");
        match &self.weights {
            None => numbers.iter().sum::<f64>() / numbers.len() as f64,
            Some(weights) => {
                let weights = || weights.iter().map(|&weight| f64::from(weight));
                let sum: f64 = numbers.iter().zip(weights()).map(|(number, weight)| number * weight).sum();
                sum / weights().sum::<f64>()
            }
        }
    }

    /// The means and variances of the columns, by the cases' weights, over the values that are not missing.
    pub fn marginals(&self) -> Marginals {
        let weights = self.weights.as_deref();
        let means = match weights {
            None => self.rows.density(),
            Some(_) => self.rows.column_means(weights, |_, x| x),
        };
        if self.rows.layout().packing == Packing::Bits {
            return Marginals::of_shares(means);
        }
        let variances = self.rows.column_means(weights, |column, x| (x - means[column]).powi(2));
        Marginals { means, variances }
    }

    /// The cases with these indices, in this order.
    pub fn select(&self, cases: &[usize]) -> Self {
        let labels = self.labels.as_ref().map(|labels| cases.iter().map(|&case| labels[case]).collect());
        let weights = self.weights.as_ref().map(|weights| cases.iter().map(|&case| weights[case]).collect());
        Self { rows: self.rows.select(cases), labels, weights }
    }

    /// At most `count` cases, spread over all, which may be in some order.
    pub fn some(&self, count: usize) -> Self {
        self.select(&starts(self.rows.len(), count))
    }

    /// Indices of at most `count` cases to show: equally many of each class, in the order of classes, if those are known;
    /// else the first.
    pub fn pictured(&self, count: usize) -> Vec<usize> {
        let count = self.rows.len().min(count);
        let Some(labels) = &self.labels else { return (0..count).collect() };
        let mut of_class = BTreeMap::<u32, Vec<usize>>::new();
        labels.iter().enumerate().for_each(|(case, &label)| of_class.entry(label).or_default().push(case));
        let of_class: Vec<_> = of_class.into_values().collect();
        let columns = of_class.len().clamp(1, 20);
        (0..count.div_ceil(columns))
            .flat_map(|nth| of_class.iter().filter_map(move |cases| cases.get(nth).copied()))
            .take(count)
            .collect()
    }
}
