//! Numbers that a file may lack. JSON has no NaN: a number that is not finite is written as `null`. Missing or `null`, it is
//! read as NaN.

use serde::{Deserialize, Deserializer};

/// The number of a missing key.
pub(crate) fn missing() -> f64 {
    f64::NAN
}

/// The number of a key that is there.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(missing))
}

/// Whether to leave the key out.
pub(crate) fn is_unknown(number: &f64) -> bool {
    number.is_nan()
}
