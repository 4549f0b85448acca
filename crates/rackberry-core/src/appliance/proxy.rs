//! Beside another DHCP server: who a machine is without a lease from here, and what it is told to boot.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcproto::v4::MessageType;

use crate::{
    appliance::{Appliance, Change, Effect, Outcome, Requester, lookout::turned_away},
    dhcp::{self, ServingMode},
    ids::{Mac, Time},
};

/// How long a machine is known by an address that another server gave it. Renewals of its lease are not to be heard,
/// so this is longer than an install takes and shorter than such servers let an address rest.
const KNOWN: Duration = Duration::from_secs(12 * 3600);

impl Appliance {
    /// A packet on port 67 while another server hands out the addresses.
    pub(super) fn beside(&mut self, packet: &dhcp::Packet, boot: &dhcp::Boot, now: Time, out: &mut Outcome) {
        let mac = packet.mac();
        if packet.kind() == MessageType::Request
            && packet.giaddr().is_none()
            && let Some(address) = packet.requested().or(packet.ciaddr())
        {
            self.learn(mac, address, now, out);
        }
        let node = self.nodes.key(mac);
        let worked = self.nodes.get(mac).and_then(|node| node.offer_style);
        let machine = dhcp::ProxyClient { node, worked };
        let offer = self.proxy.offer(packet, machine, boot, self.settings.network.address);
        out.effects.extend(offer.map(Effect::Dhcp));
    }

    /// A packet on port 4011, and who sent it.
    pub fn boot_server_packet(&mut self, packet: &dhcp::Packet, peer: SocketAddrV4, now: Time) -> Outcome {
        // Relay agents pass nothing on that is sent to one server.
        if packet.giaddr().is_some() || !packet.speaks_for_itself() {
            return turned_away(self.spoofs.news(packet, now));
        }
        let mut out = Outcome::default();
        if self.rogue_detection.serving_mode() != ServingMode::Proxy {
            return out;
        }
        if packet.ciaddr() == Some(*peer.ip()) {
            self.learn(packet.mac(), *peer.ip(), now, &mut out);
        }
        let boot = self.boot_file(&dhcp::Client::of(packet), now);
        let answer = dhcp::Proxy::answer(packet, peer, &boot, self.settings.network.address);
        out.effects.extend(answer.map(Effect::Dhcp));
        out
    }

    /// A loader was fetched: how its node was led to it is what works with that node.
    pub(super) fn remember_offer_style(&mut self, mac: Mac, now: Time, out: &mut Outcome) {
        if let Some(style) = self.proxy.progressed(self.nodes.key(mac)) {
            let update = self.nodes.change(mac, now, |node| node.offer_style = Some(style));
            self.note(update, out);
        }
    }

    /// Beside another server, the switch tells whose an address is, whatever its requests say: a machine is known by the
    /// hardware address that answers for it, from its first request on.
    pub(super) fn recognize(&mut self, from: Requester, now: Time, out: &mut Outcome) {
        if let Some(mac) = from.hardware
            && self.rogue_detection.serving_mode() == ServingMode::Proxy
        {
            self.learn(mac, from.address, now, out);
        }
    }

    /// Only of nodes: other machines of this network are nobody's business here.
    fn learn(&mut self, mac: Mac, address: Ipv4Addr, now: Time, out: &mut Outcome) {
        if self.nodes.is_listed(mac) || self.nodes.get(mac).is_some() {
            out.changes.extend(self.dhcp.learn(mac, address, now + KNOWN).into_iter().map(Change::Lease));
        }
    }
}
