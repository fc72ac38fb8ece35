//! Limits the work of one submission to about a quarter of a second, so that no driver takes it for hung and the desktop on
//! the same GPU stays responsive. Learns the device's speed on the way.

use std::time::Duration;

use crate::clock::{Clock, System};

/// Target time of a submission, in seconds.
const SECONDS: f64 = 0.25;
/// Assumed multiply-adds per second, until a higher rate was measured.
const SLOWEST: f64 = 1e9;

/// Recorded work, and the measured speed of the device.
#[derive(Debug)]
pub struct Pace<C = System> {
    clock: C,
    recorded: f64,
    /// Work sent since the last wait.
    sent: f64,
    since: Duration,
    /// The highest measured rate, in multiply-adds per second.
    rate: f64,
}

impl Pace {
    /// A device of unknown speed.
    pub fn new() -> Self {
        Self::with(System::new())
    }
}

impl<C: Clock> Pace<C> {
    fn with(clock: C) -> Self {
        Self { clock, recorded: 0.0, sent: 0.0, since: Duration::ZERO, rate: SLOWEST }
    }

    /// Whether the recorded work must be sent before `work` more is recorded.
    pub fn is_full(&self, work: f64) -> bool {
        self.recorded > 0.0 && self.recorded + work > SECONDS * self.rate
    }

    /// Counts a dispatch.
    pub fn record(&mut self, work: f64) {
        self.recorded += work;
    }

    /// The recorded work is sent.
    pub fn send(&mut self) {
        // The device may have been idle until now.
        if self.sent == 0.0 && self.recorded > 0.0 {
            self.since = self.clock.now();
        }
        self.sent += std::mem::take(&mut self.recorded);
    }

    /// A wait has ended: the device has done all or most of what was sent.
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

    /// A clock that advances by a second per reading.
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
        assert!(!pace.is_full(1e12), "a single dispatch always fits");
        pace.record(0.2 * SLOWEST);
        assert!(!pace.is_full(0.04 * SLOWEST) && pace.is_full(0.06 * SLOWEST));
        pace.send();
        assert!(!pace.is_full(1e12));
        pace.sent = 1e12;
        pace.waited();
        pace.record(1e11);
        assert!(!pace.is_full(1e11) && pace.is_full(2e11), "the measured rate is higher");
    }
}
