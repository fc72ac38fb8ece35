//! Findings from the figures of a data set: a check for each thing that can be wrong with it.

use super::{
    DataFigures,
    units::{free, has_numbers},
};
use crate::{
    config::TrainConfig,
    finding::{Finding, Severity},
    units::{Kind, Layer},
};

/// The most bits of rows that repeat by chance, as their columns go together: the sum over the columns.
const MOST_REPEATED: f64 = 128.0;

type Check = fn(&DataFigures) -> Option<Finding>;

/// The checks, in the order of their findings.
const CHECKS: [Check; 14] = [
    DataFigures::not_finite,
    DataFigures::missing,
    DataFigures::outside,
    DataFigures::unscaled,
    DataFigures::label,
    DataFigures::inverted,
    DataFigures::copied_rows,
    DataFigures::copied_columns,
    DataFigures::constant,
    DataFigures::one_hot,
    DataFigures::categories,
    DataFigures::grey,
    DataFigures::binary,
    DataFigures::sparse,
];

fn share(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

impl DataFigures {
    /// Findings from these figures; `hidden` are the hidden units, if known.
    pub fn findings(&self, hidden: Option<&Layer>) -> Vec<Finding> {
        if let Some(alike) = self.alike() {
            let before = [Self::not_finite, Self::outside].iter().filter_map(|check| check(self));
            return before.chain([alike]).collect();
        }
        let checks = CHECKS.iter().filter_map(|check| check(self));
        checks.chain(self.parameters(hidden)).collect()
    }

    /// Missing values.
    fn missing(&self) -> Option<Finding> {
        (self.missing > 0).then(|| {
            let values = self.cases * self.units;
            Finding::note(
                "values-missing",
                format!("{} of {values} values are missing (NaN), {:.1} %", self.missing, share(self.missing, values)),
                "rbm-gpu train samples them given the observed ones; most other programs take NaN for a number, and one update makes \
                 every parameter that it meets NaN",
                "none is needed here; in your own code, leave these cases out, x = x[np.isfinite(x).all(axis=1)], or fill them in: \
                 rbm-gpu impute",
            )
        })
    }

    /// Infinite values.
    fn not_finite(&self) -> Option<Finding> {
        if let Some((case, unit, value)) = &self.first_not_finite {
            return Some(Finding::error(
                "values-not-finite",
                format!(
                    "{} of {} values are infinite; the first is case {case}, unit {unit}: {value}",
                    self.not_finite,
                    self.cases * self.units
                ),
                "one update makes every parameter that such a value meets NaN, and rbm-gpu train refuses them",
                "leave these cases out, or put the column's mean in their place; in your own code: \
                 x = x[np.isfinite(x).all(axis=1)]",
            ));
        }
        None
    }

    /// Values beyond [0, 1], or far below 1.
    fn outside(&self) -> Option<Finding> {
        if let Some((case, unit, value)) = self.first_outside {
            let seen = format!(
                "{} of {} values are outside [0, 1], from {:.6} to {:.6}; the first is case {case}, unit {unit}: \
                 {value}",
                self.outside,
                self.cases * self.units,
                self.smallest,
                self.largest
            );
            let why = "a visible unit is on or off, and a grey value is the probability that it is on; p(v|h) = σ(b + hWᵀ) \
                       cannot reach a value outside [0, 1], so the gradient pushes for ever (Hinton 2010, section 13)";
            let is_label = self.label_column.as_ref().is_some_and(|&(column, _)| column == unit);
            if let Some(mark) = self.mark {
                return Some(Finding::error(
                    "values-outside-0-1",
                    format!("{seen}; no other number is below 0"),
                    format!(
                        "{mark} beside 0 and 1 most likely stands for what is missing, not seen or not rated; as a value it would pull \
                         every unit that it meets below off"
                    ),
                    format!(
                        "name it as missing, ‹missing={mark}›; else leave these cases out, or put the column's mean in its place. Not \
                         x ← (x + 1) / 2, which makes off of missing, and a half of off"
                    ),
                ));
            }
            if is_label && self.columns_outside == 1 {
                // The check for a label says it, with what to do about a label.
            } else if self.columns_outside * 2 < self.units {
                return Some(Finding::error(
                    "unscaled-columns",
                    format!("{seen}; these are {} of {} columns", self.columns_outside, self.units),
                    why,
                    "scale these columns to [0, 1], each by its own smallest and largest value, or leave them out; in your \
                     own code: x ← (x − min) / (max − min)",
                ));
            } else {
                let fix = if self.smallest >= -1.0 && self.largest <= 1.0 && self.grey < 1.0 {
                    "choose ‹visible=spin›, or map −1 and 1 to 0 and 1; in your own code: x ← (x + 1) / 2"
                } else if self.smallest < 0.0 {
                    "the values were standardised or centred, as for Gaussian visible units, but these units are \
                     binary: choose ‹visible=gaussian›, or take the original values, divided by the largest (‹divide-by›); in your own code: \
                     x ← (x − min) / (max − min), with one min and max for all columns of an image, or each its own"
                } else {
                    &format!(
                        "divide by the largest value, ‹divide-by={}›; in your own code: x ← x / {0}, or x / 255 for grey levels",
                        self.largest
                    )
                };
                return Some(Finding::error("values-outside-0-1", seen, why, fix));
            }
        } else if self.layer.is_none() && self.largest > 0.0 && self.largest < 0.1 {
            return Some(Finding::error(
                "values-scaled-twice",
                format!("the largest value is {:.6}, 1/{:.0}", self.largest, 1.0 / self.largest),
                "as probabilities of being on, such values leave every visible unit off: 0 and 1 were divided by 255, or \
                 bytes were divided twice",
                "save the data as bytes from 0 to 255; in your own code: divide once",
            ));
        }
        None
    }

    /// Columns of Gaussian units on different scales.
    fn unscaled(&self) -> Option<Finding> {
        let unscaled = self.unscaled.as_ref()?;
        let ((small, smallest), (large, largest)) = (unscaled.smallest, unscaled.largest);
        let seen = match small == large {
            true => format!("the standard deviation of column {} is {smallest:.3e}", small + 1),
            false => format!(
                "the standard deviations of {} columns go from {smallest:.3e} (column {}) to {largest:.3e} (column {})",
                unscaled.columns,
                small + 1,
                large + 1
            ),
        };
        Some(Finding::warning(
            "unscaled-columns",
            seen,
            "the gradient of W_ij is in units of column i, so one learning rate is too high for a wide column and too low for a \
             narrow one (Hinton 2010, section 13.2)",
            "‹standardize=on›: each column less its mean, divided by its standard deviation; in your own code: x ← (x − mean) / \
             deviation, of the training cases",
        ))
    }

    /// Rows that are all equal; no other check is worth running then.
    fn alike(&self) -> Option<Finding> {
        if self.cases > 1 && self.duplicated_rows + 1 == self.cases || self.constant_columns == self.units {
            return Some(Finding::error(
                "all-rows-alike",
                match self.cases {
                    1 => "there is one row".into(),
                    cases => format!("all {cases} rows are the same, and all columns are constant"),
                },
                "there is nothing to learn but the visible biases",
                "look at how the file was written, and name another with ‹data›",
            ));
        }
        None
    }

    /// A column that looks like a class.
    fn label(&self) -> Option<Finding> {
        if let Some((column, reason)) = &self.label_column {
            let label = Finding::warning(
                "label-column",
                format!(
                    "column {} of {} looks like a class, not like a measurement: {reason}",
                    column + 1,
                    self.units
                ),
                match self.layer {
                    None => {
                        "the model spends its hidden units on predicting a number that is no pixel; as a value in [0, 1] it \
                         means nothing, and later accuracies come from it"
                    }
                    Some(_) => {
                        "the model spends its hidden units on predicting a number whose distances mean nothing, and later \
                         accuracies come from it"
                    }
                },
                format!(
                    "‹label-column› {} for a table, else leave the column out; to learn classes on purpose, give each its own \
                     unit, of which one is on (Hinton 2010, section 16)",
                    column + 1
                ),
            );
            let severity = if self.outside > 0 { Severity::Error } else { label.severity };
            return Some(Finding { severity, ..label });
        }
        None
    }

    /// A background that is on.
    fn inverted(&self) -> Option<Finding> {
        if self.layer.is_none() && self.density > 0.7 && self.outside == 0 {
            return Some(Finding::warning(
                "inverted-data",
                format!("the mean of all values is {:.3}: the background is on", self.density),
                "sums over visible units are then large and shared by all hidden units, and learning is slow and poor: on \
                 flipped MNIST 16 hidden units lose several nats (Melchior, Fischer and Wiskott 2016)",
                "invert the values, or train with ‹centred=on›; in your own code: x ← 1 − x, or take v − ⟨v⟩ and h − ⟨h⟩ in the \
                 gradient",
            ));
        }
        None
    }

    /// Repeated rows.
    fn copied_rows(&self) -> Option<Finding> {
        // Where few different rows are possible, or are likely, because columns go together, some repeat by chance, and others do
        // not. Copies in bulk leave none alone.
        let different = self.cases - self.duplicated_rows;
        let are_few = self.bits <= MOST_REPEATED && self.single_rows * 10 > different;
        let by_chance = are_few || self.bits < (self.cases as f64).log2() + 2.0;
        if self.duplicated_rows * 2 > self.cases && !by_chance {
            return Some(Finding::warning(
                "duplicated-rows",
                format!(
                    "{} of {} rows ({:.1} %) repeat an earlier one",
                    self.duplicated_rows,
                    self.cases,
                    share(self.duplicated_rows, self.cases)
                ),
                "copies are no new cases: the model learns the few distinct ones by heart, and test cases that are copies of \
                 training cases prove nothing",
                "remove the copies, unless they are meant as weights of the cases",
            ));
        } else if self.duplicated_rows > 0 {
            return Some(Finding::note(
                "duplicated-rows",
                format!(
                    "{} of {} rows ({:.1} %) repeat an earlier one",
                    self.duplicated_rows,
                    self.cases,
                    share(self.duplicated_rows, self.cases)
                ),
                if by_chance && self.duplicated_rows * 2 > self.cases {
                    "rows of so few bits repeat by chance; if that is not the reason, the model learns the few distinct \
                     ones by heart"
                } else {
                    "a few copies do no harm; make sure that none are in both training and test cases"
                },
                "nothing, if the data are meant to be so",
            ));
        }
        None
    }

    /// Repeated columns.
    fn copied_columns(&self) -> Option<Finding> {
        if let Some((first, second)) = self.equal_columns {
            let most = self.copied_columns * 2 > self.units;
            let make = if most { Finding::warning } else { Finding::note };
            return Some(make(
                "duplicated-columns",
                format!(
                    "columns that repeat an earlier one: {}; columns {first} and {second}, for example",
                    self.duplicated_columns
                ),
                "a copied unit counts twice in every sum, and its likelihood is that of a copy",
                "leave out the copies, unless they are there by chance, as at the border of images",
            ));
        }
        None
    }

    /// Columns that never change.
    fn constant(&self) -> Option<Finding> {
        if self.constant_columns > 0 {
            let most = self.constant_columns * 10 > self.units * 9;
            let make = if most { Finding::warning } else { Finding::note };
            return Some(make(
                "constant-columns",
                format!(
                    "{} of {} columns ({:.1} %) never change",
                    self.constant_columns,
                    self.units,
                    share(self.constant_columns, self.units)
                ),
                match self.layer.as_ref().is_some_and(has_numbers) {
                    false => {
                        "a unit that never changes has a bias of ±∞ at the optimum; its base rate is clipped to 0.001…0.999 \
                         here, other programs get parameters that are not finite"
                    }
                    true => {
                        "a unit that never changes has a precision or a bias of ±∞ at the optimum; its variance is taken for \
                         at least 0.0001 here, other programs get parameters that are not finite"
                    }
                },
                match self.layer {
                    None => {
                        "nothing for the borders of images; else leave the columns out. In your own code: b = log(p/(1−p)) \
                         with p clipped"
                    }
                    Some(_) => "leave the columns out",
                },
            ));
        }
        None
    }

    /// A block of one-hot columns.
    fn one_hot(&self) -> Option<Finding> {
        if let Some((first, count)) = self.one_hot {
            return Some(Finding::note(
                "one-hot-columns",
                format!("of columns {first} to {}, each row has exactly one on", first + count - 1),
                "these look like a class with a unit for each: the model then learns p(v, class)",
                "nothing, if that is meant; else leave the columns out",
            ));
        }
        None
    }

    /// Categories with a binary unit for each value.
    fn categories(&self) -> Option<Finding> {
        let blocks = self.one_hot_blocks?;
        let last = blocks.first + blocks.columns();
        Some(Finding::warning(
            "one-hot-data",
            format!(
                "columns {} to {last} are {} blocks of {} columns: in each row, exactly one of each block is on",
                blocks.first + 1,
                blocks.count,
                blocks.size
            ),
            "a block is one category, but binary units know nothing of that: the model spends its hidden units on learning that one \
             of them is on, and its samples have blocks with none or several",
            format!(
                "save each block as one column, the number of its state from 0 to {}, or as letters (a FASTA file), and choose \
                 ‹visible=potts›:{}; in your own code: x.reshape(-1, {}, {}).argmax(2), and a softmax over each block",
                blocks.size - 1,
                blocks.size,
                blocks.count,
                blocks.size
            ),
        ))
    }

    /// Values between 0 and 1.
    fn grey(&self) -> Option<Finding> {
        if self.grey > 0.0 {
            return Some(Finding::note(
                "grey-values",
                format!("{:.1} % of the values are between 0 and 1", 100.0 * self.grey),
                "a grey value is taken as the probability of being on; likelihoods are only defined for binary data, and \
                 depend on how they were made binary (Salakhutdinov and Murray 2008)",
                "‹binarize=sample› draws them anew for each minibatch, threshold and none are the other choices; in your own \
                 code: use one and the same x for the hidden units and for the statistics",
            ));
        }
        None
    }

    /// Values that are all 0 or 1.
    fn binary(&self) -> Option<Finding> {
        if self.layer.is_none() && self.grey == 0.0 && self.not_finite == 0 {
            return Some(Finding::note(
                "binary-values",
                "all values are 0 or 1",
                "an RBM's likelihood is that of such data. If grey levels were meant, they have been lost: by a threshold, or by \
                 a division of whole numbers, which leaves 1 only where a pixel had its largest value",
                "nothing, if that is meant; else, in your own code: x ← x / 255.0 and not x // 255",
            ));
        }
        None
    }

    /// Units that are hardly ever on.
    fn sparse(&self) -> Option<Finding> {
        if self.layer.is_none() && self.density < 0.01 && self.outside == 0 {
            return Some(Finding::warning(
                "sparse-data",
                format!(
                    "the mean of all values is {:.5}: fewer than one unit in a hundred is on",
                    self.density
                ),
                "with so little to see a case, all hidden units may take the same state for every case, on or off",
                "leave out columns that are hardly ever on, use ‹batch› and ‹lr› for many rare events (more cases, a smaller \
                 rate), and look at the hidden units with rbm-gpu doctor RUN; b must begin at log(p/(1−p))",
            ));
        }
        None
    }

    /// More parameters than the data have bits; only a note if the number of hidden units is the default.
    fn parameters(&self, hidden: Option<&Layer>) -> Option<Finding> {
        // Numbers have no bits.
        if self.layer.as_ref().is_some_and(has_numbers) {
            return None;
        }
        let usual = Layer::of(Kind::Binary, TrainConfig::default().hidden);
        let own = hidden.unwrap_or(&usual);
        let ((biases, visible), (others, columns)) =
            (self.layer.as_ref().map_or((self.units, self.units), free), free(own));
        let units = own.units();
        let parameters = visible as f64 * columns as f64 + biases as f64 + others as f64;
        let bits = self.bits * self.cases as f64;
        if self.outside > 0 || bits <= 0.0 || parameters <= bits {
            return None;
        }
        let many = hidden.is_some() && parameters > 30.0 * bits;
        Some(if many { Finding::warning } else { Finding::note }(
            "more-parameters-than-bits",
            format!(
                "{units} hidden units{} have {parameters} parameters for {} cases of at most {:.0} bits each: {:.2} parameters a \
                 bit",
                if hidden.is_some() { "" } else { ", as rbm-gpu train has by default," },
                self.cases,
                self.bits,
                parameters / bits
            ),
            "each case constrains the parameters by as many bits as it takes to describe it; with many more parameters the \
             model learns the cases by heart (Hinton 2010, section 12)",
            "fewer ‹hidden› units, more cases, ‹weight-decay›, and stop when the free-energy gap grows",
        ))
    }
}
