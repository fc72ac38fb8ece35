//! Spin glasses as D-Wave's tools have them, in JSON: p(s) ∝ e^(−H(s)), H(s) = Σ h_i s_i + Σ J_ij s_i s_j, spins of ±1.
//!
//! ```json
//! {"h": {"0": 0.5, "1": -0.25}, "J": [["0", "1", -1.0]], "visible": ["0"]}
//! ```
//!
//! `h` may be a list, whose spins are 0, 1, 2 …, and `J` an object with keys as in `"0,1"` or `"(0, 1)"`. `visible` or `hidden` has
//! the spins of one side in order; no two spins of a side may be coupled.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Write},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    error::{Error, Result, excerpt, list},
    rbm::{Layers, Side},
    units::{Kind, Layer},
};

use super::{Import, Read, unfit, wide::Wide};

/// A spin's name: numbers come in their order, before other names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Spin(Reverse<Option<Reverse<i64>>>, String);

impl Spin {
    fn named(name: &str) -> Self {
        let name = name.trim().trim_matches(['\'', '"']);
        Self(Reverse(name.parse().ok().map(Reverse)), name.into())
    }

    /// `None` of what is no name.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => Some(Self::named(name)),
            Value::Number(number) => Some(Self::named(&number.to_string())),
            _ => None,
        }
    }
}

/// The fields and couplings.
struct Glass {
    fields: BTreeMap<Spin, f64>,
    couplings: BTreeMap<(Spin, Spin), f64>,
}

fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|x| x.is_finite())
}

/// Reads `h` and `J`.
fn glass(json: &Value) -> std::result::Result<Glass, String> {
    let short = |value: &Value| excerpt(&value.to_string());
    let mut fields = BTreeMap::new();
    let mut field = |spin: Spin, value: &Value| match finite(value) {
        Some(x) => {
            fields.insert(spin, x);
            Ok(())
        }
        None => Err(format!("expected a number for h of {}, found {}", excerpt(&spin.1), short(value))),
    };
    match &json["h"] {
        Value::Object(h) => h.iter().try_for_each(|(name, value)| field(Spin::named(name), value))?,
        Value::Array(h) => {
            h.iter()
                .enumerate()
                .try_for_each(|(number, value)| field(Spin::named(&number.to_string()), value))?;
        }
        Value::Null => {}
        other => return Err(format!("expected h as an object or a list, found {}", short(other))),
    }
    let mut couplings = BTreeMap::new();
    let mut coupling = |one: Option<Spin>, other: Option<Spin>, value: &Value, shown: &dyn Fn() -> String| {
        let (Some(one), Some(other), Some(x)) = (one, other, finite(value)) else {
            return Err(format!("expected two spins and a number in J, found {}", shown()));
        };
        if one == other {
            return Err(format!(
                "expected a coupling of two spins in J, found {} with itself",
                excerpt(&one.1)
            ));
        }
        for spin in [&one, &other] {
            fields.entry(spin.clone()).or_insert(0.0);
        }
        // The same pair may be given either way round: dimod adds them, too.
        let pair = if one < other { (one, other) } else { (other, one) };
        *couplings.entry(pair).or_insert(0.0) += x;
        Ok(())
    };
    match &json["J"] {
        Value::Array(all) => {
            for one in all {
                let part = |at: usize| one.get(at).unwrap_or(&Value::Null);
                let whole = one.as_array().is_some_and(|parts| parts.len() == 3);
                let spin = |at: usize| if whole { Spin::of(part(at)) } else { None };
                coupling(spin(0), spin(1), part(2), &|| short(one))?;
            }
        }
        Value::Object(all) => {
            for (pair, value) in all {
                let inner = pair.trim().trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
                let (one, other) = inner.split_once(',').map_or((None, None), |(one, other)| {
                    (Some(Spin::named(one)), Some(Spin::named(other)).filter(|spin| !spin.1.contains(',')))
                });
                coupling(one, other, value, &|| excerpt(pair))?;
            }
        }
        other => return Err(format!("expected J as a list or an object, found {}", short(other))),
    }
    Ok(Glass { fields, couplings })
}

/// The two sides of a graph in which all spins hang together; none if there are no two sides, or spins that do not.
fn sides(glass: &Glass) -> Option<[Vec<Spin>; 2]> {
    let mut beside: HashMap<&Spin, Vec<&Spin>> = HashMap::new();
    for (one, other) in glass.couplings.keys() {
        beside.entry(one).or_default().push(other);
        beside.entry(other).or_default().push(one);
    }
    let mut side: HashMap<&Spin, usize> = HashMap::new();
    let mut next = vec![(glass.fields.keys().next()?, 0)];
    while let Some((spin, own)) = next.pop() {
        match side.insert(spin, own) {
            Some(before) if before != own => return None,
            Some(_) => continue,
            None => next.extend(beside.get(spin).into_iter().flatten().map(|&other| (other, 1 - own))),
        }
    }
    let of =
        |wanted: usize| glass.fields.keys().filter(|spin| side.get(spin) == Some(&wanted)).cloned().collect();
    (side.len() == glass.fields.len()).then(|| [of(0), of(1)])
}

/// The spins of one side, in the order of the file, if it names them.
fn named(json: &Value, side: &str, glass: &Glass) -> std::result::Result<Option<Vec<Spin>>, String> {
    let Some(names) = json.get(side) else { return Ok(None) };
    let spins: Option<Vec<Spin>> = names.as_array().and_then(|names| names.iter().map(Spin::of).collect());
    let spins = spins.ok_or_else(|| {
        format!("expected {side} as a list of spins, found {}", excerpt(&names.to_string()))
    })?;
    let distinct: BTreeSet<&Spin> = spins.iter().collect();
    if distinct.len() < spins.len() {
        return Err(format!("expected each spin once in {side}"));
    }
    match spins.iter().find(|spin| !glass.fields.contains_key(spin)) {
        Some(spin) => Err(format!("{side} has {}, which has neither h nor J", excerpt(&spin.1))),
        None => Ok(Some(spins)),
    }
}

/// Reads a model.
pub fn read(path: &Path, bytes: &[u8], wanted: &Import) -> Result<Read> {
    let bad = |reason: String| Error::Model { path: path.into(), reason };
    let json: Value = serde_json::from_slice(bytes).map_err(|error| {
        bad(format!("expected JSON with h and J of a spin glass: {}", excerpt(&error.to_string())))
    })?;
    let glass = glass(&json).map_err(bad)?;
    let [visible, hidden] = ["visible", "hidden"].map(|side| named(&json, side, &glass));
    let (visible, hidden) = (visible.map_err(bad)?, hidden.map_err(bad)?);
    let rest = |side: &[Spin]| {
        let side: BTreeSet<&Spin> = side.iter().collect();
        glass.fields.keys().filter(|spin| !side.contains(spin)).cloned().collect::<Vec<_>>()
    };
    let mut notes = vec!["a spin glass, p ∝ e^(−H): the signs of h and J are turned".to_string()];
    let (visible, hidden) = match (visible, hidden) {
        (Some(visible), Some(hidden)) => (visible, hidden),
        (Some(visible), None) => (visible.clone(), rest(&visible)),
        (None, Some(hidden)) => (rest(&hidden), hidden),
        (None, None) => {
            let cure = "name the visible spins in order: add \"visible\": [\"0\", \"1\", …]";
            let Some([one, other]) = sides(&glass) else {
                return Err(bad(format!(
                    "which spins are visible cannot be told from the couplings; {cure}"
                )));
            };
            let (visible, hidden) = match wanted.columns {
                Some(columns) if columns == one.len() && columns != other.len() => (one, other),
                Some(columns) if columns == other.len() && columns != one.len() => (other, one),
                _ => {
                    let sizes = format!("{} and {}", one.len(), other.len());
                    return Err(bad(format!(
                        "two sides of {sizes} spins, either of which may be visible; {cure}, or name the ‹data›"
                    )));
                }
            };
            notes.push(format!(
                "the {} spins that fit the data are visible, in the order of their names",
                visible.len()
            ));
            (visible, hidden)
        }
    };
    let (m, n) = (visible.len(), hidden.len());
    let place = |side: &[Spin]| side.iter().cloned().zip(0..).collect::<HashMap<Spin, usize>>();
    let (rows, columns) = (place(&visible), place(&hidden));
    if rows.len() + columns.len() != glass.fields.len() || rows.keys().any(|spin| columns.contains_key(spin))
    {
        return Err(bad("expected each spin in one of visible and hidden".into()));
    }
    // The matrix of a glass of few couplings may be far larger than the file.
    let needed = crate::memory::product(&[m, n, 8]);
    if needed > (24 << 20).max(256 * bytes.len() as u64) {
        return Err(bad(format!(
            "expected more couplings between {m} visible and {n} hidden spins than {}: a matrix of weights would be mostly empty",
            glass.couplings.len()
        )));
    }
    let mut weights = vec![0.0; m * n];
    for ((one, other), &coupling) in &glass.couplings {
        let pair = match (rows.get(one), columns.get(other), rows.get(other), columns.get(one)) {
            (Some(i), Some(j), ..) | (_, _, Some(i), Some(j)) => i * n + j,
            _ => {
                let side = if rows.contains_key(one) { "visible" } else { "hidden" };
                return Err(bad(format!(
                    "expected couplings between visible and hidden spins only, found one of two {side} spins, {} and {}",
                    excerpt(&one.1),
                    excerpt(&other.1)
                )));
            }
        };
        weights[pair] -= coupling;
    }
    let biases =
        [&visible, &hidden].map(|side| side.iter().map(|spin| -glass.fields[spin]).collect::<Vec<f64>>());
    let layers = Layers { visible: Layer::of(Kind::Spin, m), hidden: Layer::of(Kind::Spin, n) };
    if m == 0 || n == 0 {
        return Err(bad(format!(
            "expected visible and hidden spins, found {m} and {n}: {}",
            list(["h", "J"])
        )));
    }
    let wide = Wide::new(layers, weights, biases).map_err(bad)?;
    Ok(Read { wide, letters: None, notes })
}

/// Writes a model: the visible spins are 0, 1, 2 …, and the hidden ones follow. Couplings of 0 are left out.
pub fn write(wide: &Wide) -> Result<impl Fn(&mut dyn Write) -> io::Result<()>> {
    let spins = [Side::Visible, Side::Hidden].map(|side| wide.kind(side) == Some(Kind::Spin));
    if spins != [true, true] {
        return Err(unfit(&wide.layers, "a spin glass has spins only", Some(Kind::Spin)));
    }
    let (m, n) = (wide.shape().visible, wide.shape().hidden);
    let fields = wide.potentials.iter().flatten();
    let h: serde_json::Map<String, Value> =
        fields.enumerate().map(|(spin, theta)| (spin.to_string(), json!(0.0 - theta))).collect();
    let pairs = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
    let couplings =
        pairs.map(|(i, j)| (i, m + j, wide.weights[i * n + j])).filter(|(_, _, weight)| *weight != 0.0);
    let couplings: Vec<Value> =
        couplings.map(|(i, j, weight)| json!([i.to_string(), j.to_string(), -weight])).collect();
    let names = |range: std::ops::Range<usize>| range.map(|spin| spin.to_string()).collect::<Vec<_>>();
    let json = json!({ "h": h, "J": couplings, "visible": names(0..m), "hidden": names(m..m + n) });
    Ok(move |out: &mut dyn Write| {
        serde_json::to_writer(&mut *out, &json)?;
        out.write_all(b"\n")
    })
}
