//! How much work goes into one submission: as much as the device does in a quarter of a second, so that no driver takes it for
//! hung and the desktop on the same GPU still moves. How fast the device is shows itself on the way.

use std::time::Duration;

use crate::clock::{Clock, System};

/// Seconds that a submission may take, about.
const SECONDS: f64 = 0.25;
/// Multiply-adds a second that any device can do, until more were seen.
const SLOWEST: f64 = 1e9;

/// The work recorded, and what the device has shown that it can do.
#[derive(Debug)]
pub struct Pace<C = System> {
    clock: C,
    recorded: f64,
    /// Sent off since the device was last waited for.
    sent: f64,
    since: Duration,
    /// The most multiply-adds a second that were seen.
    rate: f64,
}

impl Pace {
    /// Nothing is known of the device yet.
    pub fn new() -> Self {
        Self::with(System::new())
    }
}

impl<C: Clock> Pace<C> {
    fn with(clock: C) -> Self {
        Self { clock, recorded: 0.0, sent: 0.0, since: Duration::ZERO, rate: SLOWEST }
    }

    /// Whether what was recorded must be sent off before there is more of it.
    pub fn is_full(&self, work: f64) -> bool {
        self.recorded > 0.0 && self.recorded + work > SECONDS * self.rate
    }

    /// Counts a dispatch in.
    pub fn record(&mut self, work: f64) {
        self.recorded += work;
    }

    /// What was recorded is sent off.
    pub fn send(&mut self) {
        // Until now it may have had nothing to do.
        if self.sent == 0.0 && self.recorded > 0.0 {
            self.since = self.clock.now();
        }
        self.sent += std::mem::take(&mut self.recorded);
    }

    /// The device was waited for, and has done what was sent off, or most of it.
    pub fn waited(&mut self) {
        if self.sent > 0.0 {
            self.rate = self.rate.max(self.sent / self.clock.since(self.since).as_secs_f64().max(1e-4));
            self.sent = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Each time it is asked, a second has passed.
    #[derive(Debug, Default)]
    struct Seconds(AtomicU64);

    impl Clock for Seconds {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    #[test]
    fn a_submission_is_as_large_as_the_device_is_fast() {
        let mut pace = Pace::with(Seconds::default());
        assert!(!pace.is_full(1e12), "one dispatch goes whatever it is");
        pace.record(0.2 * SLOWEST);
        assert!(!pace.is_full(0.04 * SLOWEST) && pace.is_full(0.06 * SLOWEST));
        pace.send();
        assert!(!pace.is_full(1e12));
        pace.sent = 1e12;
        pace.waited();
        pace.record(1e11);
        assert!(!pace.is_full(1e11) && pace.is_full(2e11), "the device showed that it can do more");
    }
}
