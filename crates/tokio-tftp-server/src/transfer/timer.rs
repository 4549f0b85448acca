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

    /// A window was acknowledged that was sent more than once, so nobody knows which copy brought the answer (Karn's
    /// algorithm): the back-off stays until a clean measurement, lest a client that needs longer than it did gets each block twice.
    pub fn arrived_after_all(&mut self) {
        self.current = match self.measured {
            None => self.first,
            Some(_) => self.current.min(self.first.max(self.unhurried())),
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
