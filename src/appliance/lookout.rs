//! The lookout for other DHCP servers.

use dhcproto::v4::MessageType;

use crate::{
    appliance::{Appliance, Outcome},
    dhcp::{self, Standing},
    ids::Time,
};

impl Appliance {
    /// What a machine's message tells of other servers.
    pub(super) fn look_out(&mut self, packet: &dhcp::Packet, now: Time) -> dhcp::Outcome {
        match (packet.kind(), packet.server()) {
            (MessageType::Discover, _) => self.interlock.asked(now),
            // Beyond a relay agent is another network, which may have a server of its own.
            (MessageType::Request, Some(server)) if packet.giaddr().is_none() => {
                self.interlock.named(server, now)
            }
            _ => dhcp::Outcome::default(),
        }
    }

    /// The interface is there, or there again.
    pub fn linked(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.interlock.linked(now);
        self.take_sighting(outcome, &mut out);
        out
    }

    /// Another DHCP server said something.
    pub fn overheard(&mut self, heard: &dhcp::Overheard, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.interlock.heard(heard, now);
        self.take_sighting(outcome, &mut out);
        out
    }

    /// What is to be told of another DHCP server.
    pub fn other_server(&self) -> Option<String> {
        self.interlock.trouble()
    }

    /// Takes over what the lookout wants done; offers that are out stand no longer than the leave to make them.
    pub(super) fn take_sighting(&mut self, outcome: dhcp::Outcome, out: &mut Outcome) {
        if self.interlock.standing() != Standing::Full {
            self.dhcp.stand_down();
        }
        out.take_dhcp(outcome);
    }
}
