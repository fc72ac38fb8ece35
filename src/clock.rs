//! Wall time of a run. No result depends on it.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time since a fixed moment of this clock; never decreases.
    fn now(&self) -> Duration;

    /// Time since `then`, a reading of this clock.
    fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }
}

/// The operating system's clock. A browser needs another, given by the caller.
#[derive(Debug)]
pub struct System(Instant);

impl System {
    /// Starts now.
    #[expect(clippy::new_without_default, reason = "the moment matters")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for System {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
