//! How much of something may happen: some at once, and then so often.

use std::time::Duration;

use crate::ids::Time;

/// So many at once, and one more in each pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// After that, one in this time.
    pub pause: Duration,
}

/// What is left of a rate (a token bucket).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    left: u32,
    /// When the last one was put back.
    since: Time,
}

impl Bucket {
    /// With all of it.
    pub fn full(rate: Rate, now: Time) -> Bucket {
        Bucket { left: rate.burst, since: now }
    }

    /// How many are left now.
    pub fn left(&mut self, rate: Rate, now: Time) -> u32 {
        let pauses = now.since(self.since).as_millis() / rate.pause.as_millis().max(1);
        let back = u32::try_from(pauses).unwrap_or(u32::MAX).min(rate.burst - self.left.min(rate.burst));
        self.left += back;
        // What was waited for beyond whole pauses counts for the next one, unless there is no more to put back.
        self.since = if self.left >= rate.burst { now } else { self.since + rate.pause * back };
        self.left
    }

    /// Takes some; more than there are is all of them.
    pub fn take(&mut self, count: u32) {
        self.left = self.left.saturating_sub(count);
    }

    /// Whether nothing was taken from it for so long that it is as a new one.
    pub fn is_full(mut self, rate: Rate, now: Time) -> bool {
        self.left(rate, now) >= rate.burst
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { burst: 5, pause: Duration::from_secs(10) };

    #[test]
    fn a_burst_and_then_one_in_each_pause() {
        let mut bucket = Bucket::full(RATE, Time(0));
        let mut taken = |now| {
            let left = bucket.left(RATE, Time(now));
            bucket.take(left.min(1));
            left > 0
        };
        assert_eq!((0..9).filter(|_| taken(1)).count(), 5);
        assert!(!taken(9_999));
        assert!(taken(10_001) && !taken(10_002));
        assert!(taken(20_001) && taken(39_999) && !taken(40_000));
        assert!(taken(40_001), "parts of a pause are not lost");
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_pauses(waits in prop::collection::vec(0u64..30_000, 1..200)) {
            let (mut bucket, mut now, mut taken) = (Bucket::full(RATE, Time(0)), 0, 0);
            for wait in waits {
                now += wait;
                if bucket.left(RATE, Time(now)) > 0 {
                    bucket.take(1);
                    taken += 1;
                }
            }
            prop_assert!(taken <= 5 + now / 10_000);
        }
    }
}
