//! The lookout for other DHCP servers, and for machines that speak in others' names.

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use crate::{
    appliance::{Appliance, Effect, Note, Outcome},
    dhcp::{self, ServingMode},
    ids::Time,
};

impl Appliance {
    /// What a machine's message tells of other servers.
    pub(super) fn look_out(&mut self, packet: &dhcp::Packet, now: Time) -> dhcp::DhcpOutcome {
        match (packet.kind(), packet.server()) {
            (MessageType::Discover, _) => self.rogue_detection.asked(now),
            // Who chooses a server names it beside the address it was offered, and has none yet (RFC 2131 table 5); others name one
            // of earlier days. Beyond a relay agent is another network, which may have a server of its own.
            (MessageType::Request, Some(server))
                if packet.giaddr().is_none()
                    && packet.requested().is_some()
                    && packet.ciaddr_field().is_none() =>
            {
                self.rogue_detection.named(server, packet.mac(), packet.message().xid(), now)
            }
            _ => dhcp::DhcpOutcome::default(),
        }
    }

    /// The interface is there, or there again.
    pub fn linked(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.rogue_detection.linked(now);
        self.take_detection(outcome, &mut out);
        out
    }

    /// Another DHCP server said something.
    pub fn server_reply(&mut self, heard: &dhcp::ServerReply, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.rogue_detection.heard(heard, now);
        self.take_detection(outcome, &mut out);
        out
    }

    /// Who is at an address that is said to be another DHCP server's.
    pub fn verified(&mut self, address: Ipv4Addr, presence: dhcp::Presence, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.rogue_detection.verified(address, presence, now);
        self.take_detection(outcome, &mut out);
        out
    }

    /// What is to be told of another DHCP server.
    pub fn other_server(&self) -> Option<String> {
        self.rogue_detection.trouble()
    }

    /// Takes over what the lookout wants done; offers that are out stand no longer than the leave to make them.
    pub(super) fn take_detection(&mut self, outcome: dhcp::DhcpOutcome, out: &mut Outcome) {
        if self.rogue_detection.serving_mode() != ServingMode::Full {
            self.dhcp.stand_down();
        }
        out.take_dhcp(outcome);
    }
}

/// A message does not count for the machine that it speaks of: nothing is decided by it.
pub(super) fn turned_away(news: Option<dhcp::Notice>) -> Outcome {
    let effects = news.map(|notice| Effect::Note(Note::Dhcp(notice))).into_iter().collect();
    Outcome { effects, ..Outcome::default() }
}
