use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// A moment on the service's own time line: milliseconds since 1970 as far as the machine knew when it
/// started, never backwards, not even across restarts, and untouched by a clock that is set meanwhile (a
/// Raspberry Pi has none of its own). Good for deadlines and leases; the log has the wall clock's time.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Time(pub u64);

impl Time {
    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(duration.as_millis().try_into().unwrap_or(u64::MAX)))
    }
}
