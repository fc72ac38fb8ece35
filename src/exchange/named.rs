//! A matrix of weights and two biases under common names, or under any: the readers of `import` and of the doctor.
//!
//! Names say which bias is of the visible units: `vbias`, `bv`, `v_bias`, `visible_bias`, `a` beside `b`, `b` beside `c`; and
//! `fc.bias` beside `fc.weight` is of the hidden units. Lengths say which way round the matrix is, and of a square one its name:
//! `components_` and PyTorch's `….weight` are [hidden, visible], `weights`, `weight_matrix`, `kernel` [visible, hidden]. Data say
//! which side is visible where names do not.

use crate::{
    error::{Result, excerpt, list},
    rbm::Layers,
    units::{Kind, Layer},
};

use super::{
    Import, Names, Read,
    tensors::{Tensor, Tensors},
    wide::Wide,
};

/// The last part of a name, in lower case.
fn last(name: &str) -> String {
    name.rsplit(['.', '/']).next().unwrap_or(name).to_lowercase()
}

/// Names of matrices of weights, in lower case; `true` of [hidden, visible]. `W` is either.
const WEIGHTS: [(&str, Option<bool>); 12] = [
    ("components_", Some(true)),
    ("weights", Some(false)),
    ("weight_matrix", Some(false)),
    ("kernel", Some(false)),
    ("vishid", Some(false)),
    ("w_vh", Some(false)),
    ("wvh", Some(false)),
    ("w_hv", Some(true)),
    ("hidvis", Some(true)),
    ("weight", Some(true)),
    ("w", None),
    ("w_", None),
];

/// Names of biases in lower case, which do not contain `bias` or `intercept`.
const BIASES: [&str; 16] =
    ["a", "b", "c", "b0", "b1", "b2", "bh", "bv", "hb", "vb", "b_h", "b_v", "h_b", "v_b", "bhid", "bvis"];

/// Whether an array of a file may be one of these.
pub fn is_wanted(name: &str) -> bool {
    let last = last(name);
    let is_bias = BIASES.contains(&&*last) || last.contains("bias") || last.contains("intercept");
    is_bias || WEIGHTS.iter().any(|(weights, _)| *weights == last)
}

/// What the name of a bias says of its units.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    Visible,
    Hidden,
    /// By habit only: data may say otherwise.
    PerhapsVisible,
    PerhapsHidden,
    Nothing,
}

fn says(name: &str, other: &str, weights: &str) -> Says {
    let short = last(name);
    let stem = |name: &str| name.rsplit_once(['.', '/']).map(|(stem, _)| stem.to_string());
    let is_output = short == "bias" && stem(name).is_some() && stem(name) == stem(weights);
    match &*short {
        _ if is_output => Says::Hidden,
        "a" => Says::PerhapsVisible,
        "b" if last(other) == "a" => Says::PerhapsHidden,
        "b" if last(other) == "c" => Says::PerhapsVisible,
        "c" => Says::PerhapsHidden,
        _ if short.contains("hid") => Says::Hidden,
        _ if short.contains('v') => Says::Visible,
        _ if short.contains('h') => Says::Hidden,
        _ => Says::Nothing,
    }
}

/// Reads a model with the names of one of the schemes, exactly.
fn of_scheme(tensors: &mut Tensors, names: Names) -> Result<Wide> {
    let [w, c, b] = names.names();
    let weights = tensors.take(w)?;
    let [rows, columns] = weights.shape[..] else {
        let found = excerpt(&format!("{:?}", weights.shape));
        return Err(tensors.bad(format!("expected {w} with 2 dimensions, found {found}")));
    };
    let (visible, hidden) = if names.is_transposed() { (columns, rows) } else { (rows, columns) };
    if visible == 0 || hidden == 0 {
        return Err(
            tensors.bad(format!("expected at least one unit in each layer, found {visible} × {hidden}"))
        );
    }
    let mut bias = |name: &str, units: usize| {
        let array = tensors.take(name)?;
        // A row or column matrix counts as a vector.
        if array.values.len() != units || !array.is_vector() {
            return Err(tensors.bad(format!(
                "expected {name} of {units} values, as {w} has, found {}",
                excerpt(&format!("{:?}", array.shape))
            )));
        }
        Ok(array.values)
    };
    let (hidden_bias, visible_bias) = (bias(c, hidden)?, bias(b, visible)?);
    wide(tensors, weights, names.is_transposed(), [visible_bias, hidden_bias])
}

/// A binary model of these arrays.
fn wide(tensors: &Tensors, weights: Tensor, turned: bool, biases: [Vec<f64>; 2]) -> Result<Wide> {
    let [m, n] = [biases[0].len(), biases[1].len()];
    let Tensor { values, .. } = weights;
    let values = match turned {
        false => values,
        true => (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| values[j * m + i]).collect(),
    };
    let layers = Layers { visible: Layer::of(Kind::Binary, m), hidden: Layer::of(Kind::Binary, n) };
    Wide::new(layers, values, biases).map_err(|reason| tensors.bad(reason))
}

/// Reads a model with names of one of the schemes, or with common ones, or any.
pub fn read(mut tensors: Tensors, wanted: &Import) -> Result<Read> {
    let has = |names: &Names| names.names().iter().all(|name| tensors.arrays.contains_key(*name));
    if let Some(names) = Names::ALL.into_iter().find(has) {
        let wide = of_scheme(&mut tensors, names)?;
        return Ok(Read { wide, letters: None, notes: Vec::new() });
    }
    match foreign(&mut tensors, wanted)? {
        Some((wide, how)) => Ok(Read { wide, letters: None, notes: vec![how] }),
        None => {
            let expected: Vec<_> = Names::ALL.map(|names| names.names().join(", ")).into();
            Err(tensors.bad(format!(
                "expected one matrix of weights and two biases as long as its sides, of floating-point numbers, as arrays {}; found {}",
                expected.join("; or "),
                list(&tensors.found)
            )))
        }
    }
}

/// The model in arrays of any names, and how it was read; `None` if there are none of a model.
fn foreign(tensors: &mut Tensors, wanted: &Import) -> Result<Option<(Wide, String)>> {
    let is_matrix = |array: &Tensor| array.shape.len() == 2 && !array.shape.contains(&1);
    let matrices: Vec<&String> =
        tensors.arrays.iter().filter(|(_, array)| is_matrix(array)).map(|(name, _)| name).collect();
    let known: Vec<&String> = matrices
        .iter()
        .copied()
        .filter(|name| WEIGHTS.iter().any(|(weights, _)| *weights == last(name)))
        .collect();
    let name = match (&matrices[..], &known[..]) {
        ([one], _) | (_, [one]) => (*one).clone(),
        _ => return Ok(None),
    };
    let weights = tensors.arrays[&name].clone();
    let [rows, columns] = weights.shape[..] else { return Ok(None) };
    let is_bias = |array: &Tensor| array.is_vector() && [rows, columns].contains(&array.values.len());
    let all: Vec<&String> = tensors
        .arrays
        .iter()
        .filter(|(other, array)| **other != name && is_bias(array))
        .map(|(name, _)| name)
        .collect();
    let known: Vec<&String> = all.iter().copied().filter(|name| is_wanted(name)).collect();
    let [one, other] = match (&all[..], &known[..]) {
        (&[one, other], _) | (_, &[one, other]) => [one.clone(), other.clone()],
        _ => return Ok(None),
    };
    let length = |name: &String| tensors.arrays[name].values.len();
    let (of_one, of_other) = (says(&one, &other, &name), says(&other, &one, &name));
    let is = |says: Says, hidden: bool| match hidden {
        true => matches!(says, Says::Hidden | Says::PerhapsHidden),
        false => matches!(says, Says::Visible | Says::PerhapsVisible),
    };
    let sure = [of_one, of_other].iter().any(|says| matches!(says, Says::Visible | Says::Hidden));
    // By name; else the first is the visible units'.
    let hidden_first = is(of_one, true) && !is(of_other, true) || is(of_other, false) && !is(of_one, false);
    let told =
        hidden_first || is(of_one, false) && !is(of_other, false) || is(of_other, true) && !is(of_one, true);
    let [mut visible, mut hidden] = if hidden_first { [other, one] } else { [one, other] };
    if let Some(data) = wanted.columns
        && length(&visible) != data
        && length(&hidden) == data
        && !sure
    {
        (visible, hidden) = (hidden, visible);
    }
    let fits_data = wanted.columns == Some(length(&visible)) && rows != columns;
    if !told && !fits_data && !wanted.may_guess {
        return Err(tensors.bad(format!(
            "{} and {} do not say which bias is of the visible units; name the ‹data›, or the arrays vbias and hbias",
            excerpt(&visible),
            excerpt(&hidden)
        )));
    }
    let (m, n) = (length(&visible), length(&hidden));
    let by_name = WEIGHTS.iter().find(|(weights, _)| *weights == last(&name)).and_then(|(_, turned)| *turned);
    let is_square = rows == columns;
    let turned = match is_square {
        true => match by_name {
            Some(turned) => turned,
            None if wanted.may_guess => false,
            None => {
                return Err(tensors.bad(format!(
                    "{} is square, {rows}×{columns}, and its name does not say which side is visible; name it weight_matrix, with a \
                     row for each visible unit, or components_, with a row for each hidden one",
                    excerpt(&name)
                )));
            }
        },
        false => (rows, columns) != (m, n),
    };
    if turned && (columns, rows) != (m, n) || !turned && (rows, columns) != (m, n) {
        return Ok(None);
    }
    let how = format!(
        "{} {rows}×{columns} as {}, {} as b, {} as c{}",
        excerpt(&name),
        if turned { "Wᵀ" } else { "W" },
        excerpt(&visible),
        excerpt(&hidden),
        if is_square && by_name.is_none() { "; a square matrix may be the other way round" } else { "" }
    );
    let biases = [&visible, &hidden].map(|name| tensors.arrays[name].values.clone());
    Ok(Some((wide(tensors, weights, turned, biases)?, how)))
}
