//! Free memory, checked before large allocations: if something doesn't fit, the program reports the figures instead of
//! aborting.

mod limits;

use sysinfo::{MemoryRefreshKind, System};

use crate::error::{Result, usage};

/// Allocations smaller than this are not checked.
pub(crate) const SMALL: u64 = 64 << 20;

/// Bytes left of the host's memory or of this process's limits; `None` if unknown.
pub fn left() -> Option<u64> {
    let of_host = System::new().ok().and_then(|mut system| {
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        Some(system.available_memory()).filter(|&bytes| bytes > 0)
    });
    of_host.into_iter().chain(limits::left()).min()
}

/// The product of some numbers, or `u64::MAX` on overflow, because options and headers may say anything.
pub fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product, &factor| product.saturating_mul(factor as u64))
}

/// Compares the bytes that `what` will need on the host with the bytes left; `remedy` says how to need fewer.
///
/// # Errors
/// [`crate::Error::Usage`] with both figures.
pub fn check(what: &str, bytes: u64, remedy: &str) -> Result<()> {
    match if bytes > SMALL { left() } else { None } {
        Some(left) if bytes > left => {
            usage!("{what} take {}, but {} of memory are left; {remedy}", gb(bytes), gb(left))
        }
        _ => Ok(()),
    }
}

/// Bytes for people: `1.50 GB`.
pub(crate) fn gb(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 * 1e-9)
}
