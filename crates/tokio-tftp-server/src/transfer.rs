//! One transfer, without I/O: packets and the time in, what to send out.
//!
//! Blocks are counted from 1 in 64 bits; only on the wire are they 16 bits wide and begin again at 0 after
//! 65,535, as every server does that sends files of more than 32 MB to firmware.

mod timer;

use alloc::string::String;
use core::{ops::RangeInclusive, time::Duration};

use timer::Timer;

use crate::{
    options::{Limits, Negotiated},
    packet::{ErrorCode, Packet},
};

/// Blocks that come twice make some clients send an ACK for each of them. If each of those ACKs brought the
/// window's rest again, every round would have more copies. So a hole in a window that was sent again is filled
/// only when nothing more is heard for this long, or for a round trip, if that is longer.
const HESITATION: Duration = Duration::from_millis(20);
/// A request that is repeated sooner than this after its answer was sent has crossed it on the way.
const CROSSING: Duration = Duration::from_millis(100);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Send the OACK.
    OptionAck,
    /// Send these blocks.
    Blocks(RangeInclusive<u64>),
    /// Wait for a packet, or until [`Transfer::deadline`].
    Wait,
    /// It is over.
    End(End),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The client has everything.
    Complete,
    /// The client wanted to know the options only: EDK2 asks for the length that way and comes again.
    Probe,
    /// The client gave up, and said so.
    Aborted {
        /// Its error code.
        code: ErrorCode,
        /// Its words.
        message: String,
    },
    /// The client fell silent.
    TimedOut,
    /// The client asked for something else from the same port, or anew for the same.
    Superseded,
    /// The client's machine started anew, see `Clients::restarted`.
    Restarted,
    /// The server was stopped; the client was told.
    Stopped,
    /// This side failed: the file could not be read, or a packet not be sent.
    Failed(String),
}

/// The sender of a file of known length. Times are relative to any fixed moment.
#[derive(Debug, Clone)]
pub struct Transfer {
    blksize: u64,
    window: u64,
    total: u64,
    /// Number of the last block, which is shorter than the others, and may be empty.
    last: u64,
    /// Whether the OACK waits for its ACK.
    negotiating: bool,
    /// Whether the client has acknowledged anything.
    is_heard: bool,
    /// Copies that may be sent by themselves before that.
    copies_left: u32,
    acked: u64,
    sent: u64,
    flight: Flight,
    /// Whether the window before had blocks that were sent more than once: they may be acknowledged more than once yet.
    echoes: bool,
    /// The last window that was sent again because its time was up: its end, and how long the client needed. If the client
    /// acknowledges it once more, it was not necessary.
    late: Option<(u64, Duration)>,
    /// Whether the deadline is that of a hesitation, see [`HESITATION`].
    hesitating: bool,
    timer: Timer,
    patience: Duration,
    resend_at: Duration,
    progress_at: Duration,
}

/// What is on its way to the client: the OACK, or a window.
#[derive(Debug, Clone, Copy, Default)]
struct Flight {
    /// When it was sent for the first time.
    first_at: Duration,
    /// When it, or a part of it, was sent last.
    last_at: Duration,
    /// Whether parts of it were sent before.
    resent: bool,
    /// Whether that was because its time was up.
    timed_out: bool,
}

impl Transfer {
    /// A transfer of `total` bytes that begins at `now`, and its first step.
    pub fn new(total: u64, negotiated: &Negotiated, limits: &Limits, now: Duration) -> (Transfer, Step) {
        let blksize = u64::from(negotiated.blksize.max(1));
        let mut transfer = Transfer {
            blksize,
            window: u64::from(negotiated.windowsize.max(1)),
            total,
            last: total / blksize + 1,
            negotiating: !negotiated.answer.is_empty(),
            is_heard: false,
            copies_left: limits.unasked_copies,
            acked: 0,
            sent: 0,
            flight: Flight::default(),
            echoes: false,
            late: None,
            hesitating: false,
            timer: Timer::new(negotiated, limits),
            patience: limits.patience.max(negotiated.timeout * 3),
            resend_at: now + negotiated.timeout,
            progress_at: now,
        };
        let step = transfer.depart(now);
        (transfer, step)
    }

    /// Where a block's bytes are in the file: offset and length.
    pub fn place(&self, block: u64) -> (u64, usize) {
        let offset = block.saturating_sub(1) * self.blksize;
        let length = self.total.saturating_sub(offset).min(self.blksize);
        (offset, usize::try_from(length).unwrap_or_default())
    }

    /// Bytes that the client has said it has.
    pub fn acknowledged(&self) -> u64 {
        (self.acked * self.blksize).min(self.total)
    }

    /// Whether the client has acknowledged anything, be it the options.
    pub fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// When [`Transfer::timeout`] is due.
    pub fn deadline(&self) -> Duration {
        self.resend_at
    }

    /// The first block that may be asked for again.
    pub fn first_unacknowledged(&self) -> u64 {
        self.acked + 1
    }

    /// When something was sent last.
    pub fn sent_at(&self) -> Duration {
        self.flight.last_at
    }

    /// A packet of the client's came.
    pub fn receive(&mut self, packet: &Packet, now: Duration) -> Step {
        match packet {
            Packet::Ack(number) => self.ack(*number, now),
            Packet::Error { .. } if self.negotiating => Step::End(End::Probe),
            Packet::Error { code, message } => {
                Step::End(End::Aborted { code: *code, message: message.clone() })
            }
            // Nonsense: what is missing is sent again in time.
            _ => Step::Wait,
        }
    }

    /// The client's request came again, before it acknowledged anything: its answer got lost. It gets it at once, and
    /// patience begins anew.
    pub fn repeated(&mut self, now: Duration) -> Step {
        if self.is_heard || now.saturating_sub(self.flight.last_at) < CROSSING {
            return Step::Wait;
        }
        self.progress_at = now;
        self.timer.forgive();
        self.send_again(now)
    }

    fn ack(&mut self, number: u16, now: Duration) -> Step {
        if self.negotiating {
            // RFC 2347: the OACK is acknowledged as block 0.
            if number != 0 {
                return Step::Wait;
            }
            (self.negotiating, self.is_heard) = (false, true);
            return self.advance(now);
        }
        self.look_for_haste(number);
        // How far beyond what was acknowledged, on the wire's 16 bits.
        let ahead = u64::from(number.wrapping_sub(self.acked as u16));
        if self.acked + ahead > self.sent {
            return Step::Wait;
        }
        if ahead == 0 {
            return self.acknowledged_again(now);
        }
        let is_whole = self.acked + ahead == self.sent;
        self.is_heard = true;
        self.acked += ahead;
        if self.acked == self.last {
            return Step::End(End::Complete);
        }
        if is_whole {
            return self.advance(now);
        }
        self.progress_at = now;
        if self.flight.resent {
            self.timer.arrived_after_all(now.saturating_sub(self.flight.last_at));
            self.hesitate(now);
            // The client begins a window with each ACK; the end of this one has not been sent. It fills the window, or shows the hole.
            return self.extend(now);
        }
        self.send_again(now)
    }

    /// A second ACK of what was sent twice.
    fn look_for_haste(&mut self, number: u16) {
        if let Some((block, time)) = self.late
            && number == wire_number(block)
        {
            self.late = None;
            self.timer.was_hasty(time);
        }
    }

    /// RFC 1123 section 4.2.3.1: a repeated ACK must not make a repeated block. In a window it may say that the first block is
    /// missing (RFC 7440 section 4), or that blocks have come twice.
    fn acknowledged_again(&mut self, now: Duration) -> Step {
        if self.window == 1 {
            return Step::Wait;
        }
        if self.flight.resent || self.echoes {
            self.hesitate(now);
            return Step::Wait;
        }
        self.send_again(now)
    }

    /// [`Transfer::deadline`] is here.
    pub fn timeout(&mut self, now: Duration) -> Step {
        if now < self.resend_at {
            return Step::Wait;
        }
        if now.saturating_sub(self.progress_at) >= self.patience {
            return Step::End(End::TimedOut);
        }
        if !self.is_heard {
            if self.copies_left == 0 {
                // Whoever asked asks again, or was never there.
                self.resend_at = self.progress_at + self.patience;
                return Step::Wait;
            }
            self.copies_left -= 1;
        }
        if !self.hesitating {
            self.flight.timed_out = true;
            self.timer.back_off();
        }
        self.send_again(now)
    }

    /// All that was sent has arrived: on with the next window.
    fn advance(&mut self, now: Duration) -> Step {
        let took = now.saturating_sub(self.flight.first_at);
        if self.flight.resent {
            self.timer.arrived_after_all(now.saturating_sub(self.flight.last_at));
        } else {
            self.timer.measure(took);
        }
        if self.flight.timed_out {
            self.late = Some((self.acked, took));
        }
        self.echoes = self.flight.resent;
        self.progress_at = now;
        self.depart(now)
    }

    /// Copies may be on their way yet; what is missing then shows in what else is heard, or in silence. That an ACK comes again and
    /// again delays it no further than the time of a retransmission.
    fn hesitate(&mut self, now: Duration) {
        let time = self.timer.current();
        let pause = HESITATION.max(self.timer.round_trip());
        self.resend_at = (now + pause).min(self.flight.last_at + time).max(now);
        self.hesitating = true;
    }

    /// What of the window was never sent.
    fn extend(&mut self, now: Duration) -> Step {
        let (from, to) = (self.sent + 1, (self.acked + self.window).min(self.last));
        if from > to {
            return Step::Wait;
        }
        (self.sent, self.flight.last_at) = (to, now);
        (self.hesitating, self.resend_at) = (false, now + self.timer.current());
        Step::Blocks(from..=to)
    }

    fn send_again(&mut self, now: Duration) -> Step {
        self.flight.resent = true;
        self.send(now)
    }

    fn depart(&mut self, now: Duration) -> Step {
        self.flight = Flight { first_at: now, ..Flight::default() };
        self.send(now)
    }

    /// The OACK, or the window after what was acknowledged.
    fn send(&mut self, now: Duration) -> Step {
        self.flight.last_at = now;
        (self.hesitating, self.resend_at) = (false, now + self.timer.current());
        if self.negotiating {
            return Step::OptionAck;
        }
        let to = (self.acked + self.window).min(self.last);
        self.sent = self.sent.max(to);
        Step::Blocks(self.acked + 1..=to)
    }
}

/// A block's number on the wire.
pub fn wire_number(block: u64) -> u16 {
    block as u16
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod recovery_tests;
