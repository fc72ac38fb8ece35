//! A part of a checkpoint that only its writer can read.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

/// JSON, kept byte for byte: whoever carries it need not know its type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opaque(Box<RawValue>);

impl Opaque {
    /// Writes a value.
    pub fn of(what: &impl Serialize) -> Option<Self> {
        to_raw_value(what).ok().map(Self)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// What is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.0.get())
    }
}

impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
