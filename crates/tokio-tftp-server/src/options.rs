//! Option negotiation (RFC 2347).

use alloc::{
    borrow::ToOwned as _,
    string::{String, ToString as _},
    vec::Vec,
};
use core::time::Duration;

/// The options of a request that this server knows. Values that the RFCs don't allow count as absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestedOptions {
    /// RFC 2348: bytes of a block, 8 to 65,464.
    pub blksize: Option<u16>,
    /// RFC 2349: seconds until a retransmission, 1 to 255.
    pub timeout: Option<u8>,
    /// RFC 2349: whether the file's length is asked for.
    pub tsize: bool,
    /// RFC 7440: blocks that may be sent before an ACK, 1 to 65,535.
    pub windowsize: Option<u16>,
}

/// Bounds on what clients can ask for and take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest block. Beyond 1468 bytes (an Ethernet frame) packets are fragmented, which some firmware can't
    /// put together.
    pub blksize: u16,
    /// Largest window.
    pub windowsize: u16,
    /// Time until the first retransmission as long as no round trip has been measured; each further one takes twice as long.
    pub first_timeout: Duration,
    /// Time until the first retransmission, however short the measured round trips are: firmware may be busy for a moment.
    pub shortest_timeout: Duration,
    /// Longest time until a retransmission.
    pub longest_timeout: Duration,
    /// Time without any progress after which a transfer ends.
    pub patience: Duration,
    /// Transfers at once. One whose client has not answered yet gives way to a new one.
    pub transfers: usize,
    /// Copies of the first packet that are sent by themselves before the client has answered. Anybody can write another's
    /// address into a request, and that other one would get them; a client that got nothing asks again.
    pub unasked_copies: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            blksize: 1468,
            windowsize: 64,
            first_timeout: Duration::from_millis(500),
            shortest_timeout: Duration::from_millis(10),
            longest_timeout: Duration::from_secs(8),
            patience: Duration::from_secs(30),
            transfers: 256,
            unasked_copies: 0,
        }
    }
}

/// What a transfer goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// Bytes of a block.
    pub blksize: u16,
    /// Blocks of a window.
    pub windowsize: u16,
    /// Time until the first retransmission.
    pub timeout: Duration,
    /// Whether that time follows the measured round trips: not if the client has asked for it.
    pub adapts: bool,
    /// The answer; empty if nothing was asked for that this server knows, and then there is no OACK.
    pub answer: Vec<(String, String)>,
}

impl RequestedOptions {
    /// Reads them. Names are compared in any case; of an option that comes twice the first counts.
    pub fn read(options: &[(String, String)]) -> RequestedOptions {
        let value = |name: &str| {
            options.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let number = |name| value(name).and_then(|value| value.parse::<u16>().ok());
        RequestedOptions {
            blksize: number("blksize").filter(|size| (8..=65464).contains(size)),
            timeout: number("timeout").and_then(|time| u8::try_from(time).ok()).filter(|time| *time > 0),
            tsize: value("tsize").is_some_and(|value| value.parse::<u64>().is_ok()),
            windowsize: number("windowsize").filter(|size| *size > 0),
        }
    }

    /// What a transfer of `total` bytes goes by; `None` where the length is not known.
    pub fn negotiate(&self, limits: &Limits, total: Option<u64>) -> Negotiated {
        let blksize = self.blksize.map(|size| size.min(limits.blksize));
        let windowsize = self.windowsize.map(|size| size.min(limits.windowsize));
        let mut answer = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            answer.extend(value.map(|value| (name.to_owned(), value)));
        };
        say("blksize", blksize.map(|size| size.to_string()));
        say("timeout", self.timeout.map(|time| time.to_string()));
        say("tsize", total.filter(|_| self.tsize).map(|total| total.to_string()));
        say("windowsize", windowsize.map(|size| size.to_string()));
        Negotiated {
            blksize: blksize.unwrap_or(512),
            windowsize: windowsize.unwrap_or(1),
            timeout: self.timeout.map_or(limits.first_timeout, |time| Duration::from_secs(time.into())),
            adapts: self.timeout.is_none(),
            answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(options: &[(&str, &str)]) -> RequestedOptions {
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        RequestedOptions::read(&options)
    }

    #[test]
    fn what_is_asked_for_is_answered_within_limits() {
        let asked = read(&[
            ("BLKSIZE", "65464"),
            ("tsize", "0"),
            ("windowsize", "4"),
            ("timeout", "3"),
            ("odd", "1"),
        ]);
        let got = asked.negotiate(&Limits::default(), Some(99));
        assert_eq!((got.blksize, got.windowsize, got.timeout), (1468, 4, Duration::from_secs(3)));
        let answer: Vec<_> = got.answer.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(answer, [("blksize", "1468"), ("timeout", "3"), ("tsize", "99"), ("windowsize", "4")]);
    }

    #[test]
    fn nothing_asked_for_nothing_answered() {
        let got = read(&[]).negotiate(&Limits::default(), Some(99));
        assert_eq!((got.blksize, got.windowsize, got.answer.len()), (512, 1, 0));
    }

    #[test]
    fn values_that_the_standards_forbid_count_as_absent() {
        for (name, value) in [
            ("blksize", "7"),
            ("blksize", "65465"),
            ("blksize", "-1"),
            ("blksize", ""),
            ("timeout", "0"),
            ("timeout", "256"),
            ("tsize", "x"),
            ("windowsize", "0"),
            ("windowsize", "65536"),
        ] {
            assert_eq!(read(&[(name, value)]), RequestedOptions::default(), "{name}={value}");
        }
    }

    proptest! {
        #[test]
        fn answers_stay_within_limits(blksize: u16, windowsize: u16, total: Option<u64>) {
            let limits = Limits::default();
            let asked = read(&[("blksize", &blksize.to_string()), ("windowsize", &windowsize.to_string()), ("tsize", "0")]);
            let got = asked.negotiate(&limits, total);
            prop_assert!(got.blksize >= 8 && got.blksize <= limits.blksize);
            prop_assert!(got.windowsize >= 1 && got.windowsize <= limits.windowsize);
            prop_assert_eq!(got.answer.iter().any(|(name, _)| name == "tsize"), total.is_some());
        }
    }
}
