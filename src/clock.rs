//! The time that a run takes. Nothing that a model depends on asks for it.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Tells how much time has passed.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time since a moment that stays the same while the clock is there. It never goes back.
    fn now(&self) -> Duration;

    /// The time since `then`, a moment of this clock.
    fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }
}

/// The operating system's clock. A browser has another, which whoever runs a model there hands in.
#[derive(Debug)]
pub struct System(Instant);

impl System {
    /// Begins now.
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
