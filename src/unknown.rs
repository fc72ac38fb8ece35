//! Optional numbers of a file. JSON has no NaN, so a non-finite number is written as `null`. A missing or `null` number is
//! read as NaN.

use serde::{Deserialize, Deserializer};

/// Value of a missing key.
pub(crate) fn missing() -> f64 {
    f64::NAN
}

/// Reads a number or `null`.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(missing))
}

/// Whether to omit the key.
pub(crate) fn is_unknown(number: &f64) -> bool {
    number.is_nan()
}
