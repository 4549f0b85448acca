//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ids::Time;

/// Makes [`Time`]s: the wall clock's value at the start (or the last time the journal kept, where the wall
/// clock is behind it), then the monotonic clock, so that setting the wall clock moves no deadline.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Time,
    started: Instant,
}

impl Clock {
    /// A clock that never shows a time before `last`.
    #[allow(clippy::disallowed_methods)] // This is the clock.
    pub fn starting_after(last: Time) -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock { start: (Time::default() + wall).max(last), started: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.start + self.started.elapsed()
    }

    /// How long from now until `time`; zero when it is past.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }
}
