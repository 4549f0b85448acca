//! One transfer, without I/O: packets and the time in, what to send out.
//!
//! Blocks are counted from 1 in 64 bits; only on the wire are they 16 bits wide and begin again at 0 after
//! 65,535, as every server does that sends files of more than 32 MB to firmware.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    options::{Limits, Negotiated},
    packet::{ErrorCode, Packet},
};

/// Blocks that come twice make some clients send an ACK for each of them. If each of those ACKs brought the
/// window's rest again, every round would have more copies. So a hole in a window that was sent again is filled
/// only when nothing more is heard for this long.
const HESITATION: Duration = Duration::from_millis(20);
/// A request that is repeated sooner than this after its answer was sent has crossed it on the way.
const CROSSING: Duration = Duration::from_millis(100);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The client's machine started anew, see [`Clients::restarted`](crate::Clients::restarted).
    Restarted,
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
    acked: u64,
    sent: u64,
    /// Whether the window in flight has blocks that were sent before.
    recovering: bool,
    /// Whether the deadline is that of a hesitation, see [`HESITATION`].
    hesitating: bool,
    first_timeout: Duration,
    timeout: Duration,
    longest_timeout: Duration,
    patience: Duration,
    resend_at: Duration,
    progress_at: Duration,
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
            acked: 0,
            sent: 0,
            recovering: false,
            hesitating: false,
            first_timeout: negotiated.timeout,
            timeout: negotiated.timeout,
            longest_timeout: limits.longest_timeout.max(negotiated.timeout),
            patience: limits.patience.max(negotiated.timeout * 3),
            resend_at: now + negotiated.timeout,
            progress_at: now,
        };
        let step = if transfer.negotiating { Step::OptionAck } else { transfer.window(now) };
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
        if self.is_heard || now.saturating_sub(self.sent_at()) < CROSSING {
            return Step::Wait;
        }
        self.progress(now);
        self.resend(now)
    }

    fn ack(&mut self, number: u16, now: Duration) -> Step {
        if self.negotiating {
            // RFC 2347: the OACK is acknowledged as block 0.
            if number != 0 {
                return Step::Wait;
            }
            (self.negotiating, self.is_heard) = (false, true);
            self.progress(now);
            return self.window(now);
        }
        // How far beyond what was acknowledged, on the wire's 16 bits.
        let ahead = u64::from(number.wrapping_sub(self.acked as u16));
        let is_whole = self.acked + ahead == self.sent;
        // RFC 1123 section 4.2.3.1: a repeated ACK must not make a repeated block. In a window it may say that
        // the first block is missing (RFC 7440 section 4).
        let is_hole = ahead == 0 && self.window > 1 && !is_whole;
        if self.acked + ahead > self.sent || (ahead == 0 && !is_hole) {
            return Step::Wait;
        }
        if ahead > 0 {
            self.is_heard = true;
            self.acked += ahead;
            self.progress(now);
        }
        if self.acked == self.last {
            return Step::End(End::Complete);
        }
        if is_whole {
            self.recovering = false;
            return self.window(now);
        }
        if self.recovering {
            (self.hesitating, self.resend_at) = (true, now + HESITATION.min(self.first_timeout));
            return Step::Wait;
        }
        self.recovering = true;
        self.window(now)
    }

    /// [`Transfer::deadline`] is here.
    pub fn timeout(&mut self, now: Duration) -> Step {
        if now < self.resend_at {
            return Step::Wait;
        }
        if now.saturating_sub(self.progress_at) >= self.patience {
            return Step::End(End::TimedOut);
        }
        if self.hesitating {
            return self.window(now);
        }
        self.timeout = (self.timeout * 2).min(self.longest_timeout);
        self.resend(now)
    }

    /// What the client has not acknowledged.
    fn resend(&mut self, now: Duration) -> Step {
        self.recovering = true;
        if self.negotiating {
            self.resend_at = now + self.timeout;
            return Step::OptionAck;
        }
        self.window(now)
    }

    fn progress(&mut self, now: Duration) {
        (self.timeout, self.progress_at) = (self.first_timeout, now);
    }

    /// When something was sent last, unless this is a hesitation.
    fn sent_at(&self) -> Duration {
        self.resend_at.saturating_sub(self.timeout)
    }

    /// The window after what was acknowledged.
    fn window(&mut self, now: Duration) -> Step {
        (self.hesitating, self.resend_at) = (false, now + self.timeout);
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
