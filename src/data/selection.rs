//! The part of a data set to use, and the meaning of its numbers: options of every command that takes data.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Encoding, Keep, UnknownLetters,
    table::{Column, ColumnUse, Use},
};
use crate::{
    error::{Error, Result, usage},
    units::{Kinds, Layer},
};

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they say it all")]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    /// Whether it is off.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

/// The part of a data set to use, and the meaning of its numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(default)]
pub struct Selection {
    /// Column of a table with the classes: its name, or its number from 1 [default: a column named label]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMN", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Columns of a table to leave out: names, or numbers from 1, as in id,7
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "COLUMNS", value_delimiter = ',', help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// What columns of a table are for, by name or number: binary, spin, gaussian, potts (categories), label or drop, as in
    /// age:gaussian,city:potts [default: what their values are, if they are not all of one scale]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "COLUMN:TYPE", value_delimiter = ',', help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<ColumnUse>>,
    /// Marks of a missing value, besides empty cells, NA, NaN, null and ?: as in -1
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "MARKS",
            value_delimiter = ',',
            allow_hyphen_values = true,
            help_heading = "Data"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Use only these classes, as in 3,5
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "CLASSES", value_delimiter = ',', help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Use at most N training and N test cases, evenly spread over the data set
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Share of the training cases to hold out for validation: always the same cases
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Divide the file's numbers by X, so that they are from 0 to 1 [default: 255 if they go up to that]
    #[cfg_attr(feature = "cli", arg(long, value_name = "X", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divide_by: Option<f32>,
    /// Invert the data, 1 − x for x: on or off
    #[cfg_attr(feature = "cli", arg(
        long,
        value_name = "SWITCH",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        hide_possible_values = true,
        help_heading = "Data"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invert: Option<Switch>,
    /// Height and width of a case as an image, for pictures [default: the file's, or a square]
    #[cfg_attr(feature = "cli", arg(long, value_name = "HxW", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSize>,
    /// Kinds of the visible units: binary, spin, gaussian or potts:Q (whole numbers from 0 to Q − 1); or a list by column, as
    /// in "4 binary, potts:3, 2 gaussian" [default: what the data are]
    // A run's config.json has the number of visible columns under the name `visible`.
    #[cfg_attr(
        feature = "cli",
        arg(id = "visible_units", long = "visible", value_name = "KINDS", help_heading = "Data")
    )]
    #[serde(rename = "visible_units", skip_serializing_if = "Option::is_none")]
    pub visible: Option<Kinds>,
    /// Standardise the columns of gaussian units, by mean and deviation of the training cases: on or off [default: on]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "SWITCH", value_enum, hide_possible_values = true, help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardize: Option<Switch>,
    /// Weights of the training cases in every mean: an .npy or .csv file with a number for each [default: arrays named weights
    /// and weights_test in an .npz file, or all alike]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_shown")]
    pub weights: Option<PathBuf>,
    /// Weights 1/#{cases with at least this share of equal values, itself included}, counted over the whole file: 0.8 is usual
    /// for alignments, and 0.9001 means fewer than 10 % of sites different, where 0.9 means at most 10 %
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reweight: Option<f64>,
    /// Letters of an alignment, the states of its units in order: protein, rna or dna, with the gap last; -protein, -rna or -dna,
    /// with the gap first; or the letters themselves [default: protein, rna or dna, by the letters found]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "LETTERS", allow_hyphen_values = true, help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    /// Lower-case letters and dots of an alignment: keep (as letters and gaps) or drop (they are insertions) [default: drop of .a2m,
    /// .a3m and Stockholm files, there whole columns; keep of FASTA files]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "WHAT", value_enum, hide_possible_values = true, help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inserts: Option<Keep>,
    /// Letters of an alignment that the alphabet does not have, such as X, B, Z or N: gap (they become gaps), drop (their
    /// sequences are dropped) or refuse (the file is refused) [default: gap, or refuse without a gap]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "WHAT", value_enum, hide_possible_values = true, help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_letters: Option<UnknownLetters>,
    /// Sequences of an alignment that came before: keep or drop [default: keep]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "WHAT", value_enum, hide_possible_values = true, help_heading = "Data")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<Keep>,
    /// The first index of a file of sparse rows (.svmlight): 0 or 1 [default: 0 if it occurs, else 1]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_index: Option<u32>,
    /// Accept any numbers, even NaN: for the doctor, which says what is wrong with them
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(skip)]
    pub any_numbers: bool,
    /// What a model knows of the table it was trained on: for reading others
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(skip)]
    pub trained: Option<Trained>,
}

/// What a model knows of the table it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The visible units.
    pub layer: Layer,
    /// Their columns, if these have types of their own.
    pub columns: Vec<Column>,
    /// What whole numbers are divided by, if that was found: else 1.
    pub scale: f32,
    /// The columns that were left out, and that of the classes, by their names or numbers.
    pub others: Vec<ColumnUse>,
}

impl Selection {
    /// Checks the ranges, without the data.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option, its range and the value found.
    pub fn check(&self) -> Result<()> {
        if self.limit == Some(0) {
            return usage!("‹limit› must be at least 1, found 0");
        }
        if let Some(share) = self.validation.filter(|share| !(0.0..1.0).contains(share)) {
            return usage!("‹validation› must be at least 0 and below 1, found {share}");
        }
        if let Some(x) = self.divide_by.filter(|x| !(*x > 0.0 && x.is_finite())) {
            return usage!("‹divide-by› must be above 0 and finite, found {x}");
        }
        if let Some(share) = self.reweight.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            return usage!(
                "‹reweight› must be above 0 and at most 1, a share of equal values such as 0.8, found {share}"
            );
        }
        if self.weights.is_some() {
            if self.reweight.is_some() {
                return usage!("‹weights› and ‹reweight› both give weights; leave one of them out");
            }
            if self.drops_sequences() {
                return usage!(
                    "‹weights› has a weight for each sequence of the file, and ‹duplicates=drop› and ‹unknown-letters=drop› \
                     drop some; count the weights with ‹reweight›, or drop the sequences from the file first"
                );
            }
        }
        if let Some(first) = self.first_index.filter(|&first| first > 1) {
            return usage!("‹first-index› must be 0 or 1, found {first}");
        }
        Ok(())
    }

    /// Whether the numbers of the file are taken as they are, because units of other kinds than binary are wanted.
    pub fn is_raw(&self) -> bool {
        self.any_numbers || self.visible.as_ref().is_some_and(|kinds| !kinds.are_binary())
    }

    /// The selection that reads data for a model with this encoding, whose training data had these other columns.
    pub fn of_encoding(self, encoding: &Encoding, others: Vec<ColumnUse>) -> Self {
        let trained = Trained {
            layer: encoding.layer.clone(),
            columns: encoding.columns.clone(),
            scale: encoding.scale,
            others,
        };
        Self {
            visible: Some(Kinds::from(&encoding.layer)),
            alphabet: encoding.letters.clone(),
            trained: Some(trained),
            ..self
        }
    }

    /// The columns of a table that are not for units, as far as the options say.
    pub fn others(&self) -> Vec<ColumnUse> {
        let of = |of: Use| move |column: &String| ColumnUse { column: column.clone(), of };
        let dropped = self.drop.iter().flatten().map(of(Use::Drop));
        let label = self.label_column.iter().map(of(Use::Label));
        let named = self.columns.iter().flatten().filter(|one| matches!(one.of, Use::Drop | Use::Label));
        label.chain(dropped).chain(named.cloned()).collect()
    }

    /// Whether sequences of an alignment may be dropped.
    fn drops_sequences(&self) -> bool {
        self.duplicates == Some(Keep::Drop) || self.unknown_letters == Some(UnknownLetters::Drop)
    }

    /// The first option that only alignments have, and that was given.
    pub(super) fn of_alignments(&self) -> Option<&'static str> {
        let options = [
            ("inserts", self.inserts.is_some()),
            ("unknown-letters", self.unknown_letters.is_some()),
            ("duplicates", self.duplicates.is_some()),
        ];
        options.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
    }

    /// Whether the data are inverted.
    pub fn is_inverted(&self) -> bool {
        self.invert == Some(Switch::On)
    }

    /// These options, completed by those of `other`.
    pub fn or(&self, other: &Self) -> Self {
        let (this, other) = (self.clone(), other.clone());
        Self {
            label_column: this.label_column.or(other.label_column),
            drop: this.drop.or(other.drop),
            columns: this.columns.or(other.columns),
            missing: this.missing.or(other.missing),
            classes: this.classes.or(other.classes),
            limit: this.limit.or(other.limit),
            validation: this.validation.or(other.validation),
            divide_by: this.divide_by.or(other.divide_by),
            invert: this.invert.or(other.invert),
            image: this.image.or(other.image),
            visible: this.visible.or(other.visible),
            standardize: this.standardize.or(other.standardize),
            weights: this.weights.or(other.weights),
            reweight: this.reweight.or(other.reweight),
            alphabet: this.alphabet.or(other.alphabet),
            inserts: this.inserts.or(other.inserts),
            unknown_letters: this.unknown_letters.or(other.unknown_letters),
            duplicates: this.duplicates.or(other.duplicates),
            first_index: this.first_index.or(other.first_index),
            any_numbers: this.any_numbers,
            trained: this.trained.or(other.trained),
        }
    }
}

/// Writes a path for display only: one that is not UTF-8 cannot be read back.
pub(crate) fn as_shown<S: serde::Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

/// Height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize(pub usize, pub usize);

impl ImageSize {
    /// The guessed size of cases of `units` values: a square, or else a line.
    pub fn guess(units: usize) -> Self {
        let side = units.isqrt();
        if side * side == units { Self(side, side) } else { Self(1, units) }
    }
}

impl FromStr for ImageSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let size = |text: &str| text.parse().ok().filter(|size| (1..=1 << 20).contains(size));
        match text.split_once('x').and_then(|(height, width)| Some(Self(size(height)?, size(width)?))) {
            Some(size) => Ok(size),
            None => usage!("expected a height and a width, as in 28x28, found {text:?}"),
        }
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}x{}", self.0, self.1)
    }
}
