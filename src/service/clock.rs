//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rackberry_core::ids::Time;

/// Makes [`Time`]s: the wall clock's value at the start (or the last time the journal kept, where the wall
/// clock is behind it), then the monotonic clock, so that setting the wall clock moves no deadline.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Time,
    started: Instant,
    /// The kernel's monotonic clock at that moment.
    monotonic: Duration,
}

impl Clock {
    /// A clock that never shows a time before `last`.
    #[allow(clippy::disallowed_methods)] // This is the clock.
    pub fn starting_after(last: Time) -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock { start: (Time::default() + wall).max(last), started: Instant::now(), monotonic: monotonic() }
    }

    /// The present moment, never before one that was told already.
    pub fn now(&self) -> Time {
        self.start + self.started.elapsed()
    }

    /// The moment at which the kernel's monotonic clock (CLOCK_MONOTONIC) showed `time`.
    pub fn at_monotonic(&self, time: Duration) -> Time {
        match time.checked_sub(self.monotonic) {
            Some(since) => self.start + since,
            None => self.start - (self.monotonic - time),
        }
    }

    /// How long from now until `time`; zero when it is past.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}

/// What the kernel stamps its events with.
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = Duration::from_secs(now.tv_sec.try_into().unwrap_or(0));
    seconds + Duration::from_nanos(now.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_time_is_ours() {
        let clock = Clock::starting_after(Time(5_000_000_000_000));
        let (before, at, after) = (clock.now(), clock.at_monotonic(monotonic()), clock.now());
        assert!(before <= at + Duration::from_millis(1) && at <= after + Duration::from_millis(1));
        assert_eq!(clock.at_monotonic(Duration::ZERO), clock.start - clock.monotonic);
    }
}
