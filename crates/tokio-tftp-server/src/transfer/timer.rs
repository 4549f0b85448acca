//! How long a transfer waits for an ACK before it sends again (RFC 6298 in spirit).

use core::time::Duration;

use crate::options::{Limits, Negotiated};

/// What is added to the smoothed round trip at least: the time that a client needs may vary by that without being noticed before.
const GRANULARITY: Duration = Duration::from_millis(1);

/// The retransmission timer of one transfer.
#[derive(Debug, Clone)]
pub(super) struct Timer {
    /// Until something was measured, and the most that a back-off leaves to the next window.
    first: Duration,
    /// Firmware that is busy for a moment (it writes to flash, it asks for an address by ARP) must not be flooded.
    shortest: Duration,
    longest: Duration,
    /// Whether the time follows measured round trips. One that the client asked for (RFC 2349) does not.
    adapts: bool,
    measured: Option<Measured>,
    current: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    smoothed: Duration,
    variation: Duration,
}

impl Timer {
    pub fn new(negotiated: &Negotiated, limits: &Limits) -> Timer {
        let first = negotiated.timeout;
        Timer {
            first,
            shortest: limits.shortest_timeout.min(first),
            longest: limits.longest_timeout.max(first),
            adapts: negotiated.adapts,
            measured: None,
            current: first,
        }
    }

    /// Time from a window's departure to its retransmission.
    pub fn current(&self) -> Duration {
        self.current
    }

    /// What a client's answer takes, as far as that is known.
    pub fn round_trip(&self) -> Duration {
        self.measured.map(|measured| measured.smoothed + measured.variation).unwrap_or_default()
    }

    /// A window that was sent once was acknowledged after `time` (section 2).
    pub fn measure(&mut self, time: Duration) {
        let measured = match self.measured {
            None => Measured { smoothed: time, variation: time / 2 },
            Some(Measured { smoothed, variation }) => Measured {
                smoothed: smoothed * 7 / 8 + time / 8,
                variation: variation * 3 / 4 + smoothed.abs_diff(time) / 4,
            },
        };
        self.measured = Some(measured);
        self.current = self.unhurried();
    }

    /// Blocks were acknowledged that were sent more than once, `time` after the last copy. Nobody knows which copy brought
    /// the answer. If one round trip has passed since the last one, it was that: the others got lost. If not, the client may
    /// need longer than it did, and the back-off stays until a clean measurement, lest it gets each block twice (Karn's
    /// algorithm).
    pub fn arrived_after_all(&mut self, time: Duration) {
        let unhurried = self.unhurried();
        self.current = match self.measured {
            None => self.first,
            Some(Measured { smoothed, variation }) => {
                let latest = smoothed + (variation * 4).max(GRANULARITY);
                let was_lost = (smoothed / 2..=latest).contains(&time);
                if was_lost { unhurried } else { self.current.min(self.first.max(unhurried)) }
            }
        };
    }

    /// A window's time is up.
    pub fn back_off(&mut self) {
        self.current = (self.current * 2).min(self.longest);
    }

    /// What was sent again had arrived before: it was acknowledged twice. The client needed `time`; from now on it has twice that.
    pub fn was_hasty(&mut self, time: Duration) {
        self.shortest = self.shortest.max((time * 2).min(self.first));
        self.current = self.current.max(self.shortest);
    }

    /// Patience begins anew.
    pub fn forgive(&mut self) {
        self.current = self.unhurried();
    }

    fn unhurried(&self) -> Duration {
        match self.measured.filter(|_| self.adapts) {
            None => self.first,
            Some(Measured { smoothed, variation }) => {
                (smoothed + (variation * 4).max(GRANULARITY)).clamp(self.shortest, self.longest)
            }
        }
    }
}
