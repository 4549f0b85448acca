//! Messages in another machine's name.
//!
//! Leases, and with them a node's configuration and image, go by hardware addresses. Any machine can write another's into
//! a message; only the frame that it comes in tells who sent it. DHCP snooping of switches drops such messages too
//! ("ip dhcp snooping verify mac-address"), and those of relay agents where none is expected. Here a relay agent may speak
//! for machines that are beyond it, which those are not that were heard on this switch themselves.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    dhcp::{Notice, Packet},
    ids::{Mac, Time, Told},
};

/// A machine that was heard on this switch so recently is not beyond a relay agent.
const HERE: Duration = Duration::from_secs(12 * 3600);
/// Machines that are remembered.
const MOST_HERE: usize = 4096;
/// How often those that are over are looked for, once there are so many.
const SWEEP_AGAIN: Duration = Duration::from_secs(10);

/// Who is on this switch, and who has spoken for others.
#[derive(Debug, Clone, Default)]
pub struct Spoofs {
    here: BTreeMap<Mac, Time>,
    told: Told<(Mac, Mac)>,
    full_until: Time,
}

impl Spoofs {
    /// Whether a message counts for the machine that it speaks of.
    ///
    /// # Errors
    /// If not, what to tell of it, where that is news.
    pub fn judge(&mut self, packet: &Packet, now: Time) -> Result<(), Option<Notice>> {
        let mac = packet.mac();
        if packet.sender().mac == mac {
            // While a flood of addresses fills it, it is not looked through for each of them.
            if self.here.len() >= MOST_HERE && !self.here.contains_key(&mac) && now >= self.full_until {
                self.here.retain(|_, heard| now.since(*heard) < HERE);
                self.full_until = now + SWEEP_AGAIN;
            }
            if self.here.len() < MOST_HERE || self.here.contains_key(&mac) {
                self.here.insert(mac, now);
            }
            return Ok(());
        }
        let is_here = self.here.get(&mac).is_some_and(|heard| now.since(*heard) < HERE);
        if !packet.speaks_for_itself() || is_here {
            return Err(self.news(packet, now));
        }
        Ok(())
    }

    /// What to tell of a message that does not count.
    pub fn news(&mut self, packet: &Packet, now: Time) -> Option<Notice> {
        let (source, mac) = (packet.sender().mac, packet.mac());
        let is_news = self.told.is_news((source, mac), now);
        is_news.then(|| Notice::Spoofed { source, mac, kind: packet.kind(), relay: packet.giaddr() })
    }
}
