//! Summary of a data set.

use serde::Serialize;

use super::{Cases, Dataset, Packing};

/// Summary of a data set, for people and for reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Values of a case.
    pub units: usize,
    /// Height and width of a case as an image.
    pub image: (usize, usize),
    /// Packing of the values: `bits`, `bytes` or `floats`.
    pub packing: &'static str,
    /// The parts: `train`, and `validation` and `test` if there are any.
    pub parts: Vec<Part>,
    /// Units with the same value in all training cases.
    pub constant_units: usize,
}

/// A part of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `train`, `validation` or `test`.
    pub name: &'static str,
    /// The number of cases.
    pub cases: usize,
    /// The smallest value.
    pub least: f32,
    /// The largest value.
    pub greatest: f32,
    /// The mean of all values; for binary ones, the fraction of 1s.
    pub density: f64,
    /// The fraction of values above 0.5.
    pub above_half: f64,
    /// Class names and their numbers of cases.
    pub classes: Vec<(String, usize)>,
}

impl Summary {
    /// Reads all values.
    pub fn of(dataset: &Dataset) -> Self {
        let layout = dataset.train.rows.layout();
        let parts = [
            ("train", Some(&dataset.train)),
            ("validation", dataset.validation.as_ref()),
            ("test", dataset.test.as_ref()),
        ];
        let mut row = vec![0.0; layout.units];
        let (mut low, mut high) = (vec![f32::INFINITY; layout.units], vec![f32::NEG_INFINITY; layout.units]);
        for case in 0..dataset.train.rows.len() {
            layout.unpack(dataset.train.rows.row(case), &mut row);
            low.iter_mut().zip(&row).for_each(|(low, x)| *low = low.min(*x));
            high.iter_mut().zip(&row).for_each(|(high, x)| *high = high.max(*x));
        }
        Self {
            units: layout.units,
            image: dataset.image,
            packing: match layout.packing {
                Packing::Bits => "bits",
                Packing::Bytes => "bytes",
                Packing::Floats => "floats",
            },
            parts: parts
                .into_iter()
                .filter_map(|(name, cases)| Some(part(name, cases?, &dataset.classes)))
                .collect(),
            constant_units: low.iter().zip(&high).filter(|(low, high)| low == high).count(),
        }
    }
}

fn part(name: &'static str, cases: &Cases, classes: &[String]) -> Part {
    let rows = &cases.rows;
    let values = (rows.len() * rows.layout().units) as f64;
    let mut row = vec![0.0; rows.layout().units];
    let (mut least, mut greatest, mut sum, mut above) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0);
    for case in 0..rows.len() {
        rows.layout().unpack(rows.row(case), &mut row);
        for &x in &row {
            (least, greatest) = (least.min(x), greatest.max(x));
            sum += f64::from(x);
            above += usize::from(x > 0.5);
        }
    }
    let count =
        |class: usize| cases.labels.iter().flatten().filter(|&&label| usize::from(label) == class).count();
    let counts = classes.iter().enumerate().map(|(class, name)| (name.clone(), count(class)));
    Part {
        name,
        cases: rows.len(),
        least,
        greatest,
        density: sum / values,
        above_half: above as f64 / values,
        classes: counts.filter(|(_, count)| *count > 0).collect(),
    }
}
