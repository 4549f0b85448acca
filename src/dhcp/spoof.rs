//! Messages in another machine's name.
//!
//! Leases, and with them a node's configuration and image, go by hardware addresses. Any machine can write another's into
//! a message; only the frame that it comes in tells who sent it. DHCP snooping of switches drops such messages too
//! ("ip dhcp snooping verify mac-address").

use std::{collections::BTreeMap, time::Duration};

use crate::{
    dhcp::{Notice, Packet},
    ids::{Mac, Time},
};

/// How often the same two machines are told of.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Pairs that are told of in that time: whoever makes addresses up must not fill log and memory.
const MOST: usize = 32;

/// Who has spoken for whom, and when that was told.
#[derive(Debug, Default)]
pub struct Spoofs(BTreeMap<(Mac, Mac), Time>);

impl Spoofs {
    /// A message was dropped because its sender is not whom it speaks of: what to tell of it, if it is news.
    pub fn dropped(&mut self, packet: &Packet, now: Time) -> Option<Notice> {
        let (source, mac) = (packet.sender().mac, packet.mac());
        self.0.retain(|_, said| now.since(*said) < SAY_AGAIN);
        if self.0.contains_key(&(source, mac)) || self.0.len() >= MOST {
            return None;
        }
        self.0.insert((source, mac), now);
        Some(Notice::Spoofed { source, mac, kind: packet.kind() })
    }
}
