//! Beside another DHCP server: who a machine is without a lease from here, and what it is told to boot.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcproto::v4::MessageType;

use crate::{
    appliance::{Appliance, Change, Effect, Outcome},
    dhcp::{self, Standing},
    http::route::Route,
    ids::{Mac, Time},
};

/// How long a machine is known by an address that another server gave it. Renewals of its lease are not to be heard,
/// so this is longer than an install takes and shorter than such servers let an address rest.
const KNOWN: Duration = Duration::from_secs(12 * 3600);
/// A machine whose firmware asked for a boot less than this ago may be named by its loader's request (BOOTIF).
const BOOTING: Duration = Duration::from_secs(10 * 60);

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
        let offer = self.proxy.offer(packet, node, boot, worked, self.settings.network.address);
        out.effects.extend(offer.map(Effect::Dhcp));
    }

    /// A packet on port 4011, and who sent it.
    pub fn boot_server_packet(&mut self, packet: &dhcp::Packet, peer: SocketAddrV4, now: Time) -> Outcome {
        let mut out = Outcome::default();
        if self.interlock.standing() != Standing::Proxy {
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

    /// A loader's request names its machine (pxelinux and GRUB in their menus' names, iPXE in its script's URL, a
    /// Raspberry Pi in its files' folder). Beside another server that tells whose the address is, if nothing has told it
    /// yet and that machine is booting.
    pub(super) fn learn_from_request(&mut self, peer: Ipv4Addr, route: &Route, now: Time, out: &mut Outcome) {
        let named = match route {
            Route::PxelinuxMenu(name) => Mac::from_bootif(name).ok(),
            Route::GrubMenu(name) => {
                name.strip_prefix("grub.cfg-").and_then(|name| Mac::from_bootif(name).ok())
            }
            Route::IpxeScript(mac) => Some(*mac),
            Route::File(path) => self.pi_named(path),
            _ => None,
        };
        let Some(mac) = named.filter(|_| self.interlock.standing() == Standing::Proxy) else { return };
        let unknown = self.dhcp.mac_of(peer, now).is_none() && self.dhcp.address_of(mac, now).is_none();
        let booting = self.nodes.get(mac).is_some_and(|node| now.since(node.seen) < BOOTING);
        if unknown && booting {
            self.learn(mac, peer, now, out);
        }
    }

    /// Whether somebody asks of whom nothing is known, which the table of neighbours may tell.
    pub fn is_stranger(&self, peer: Ipv4Addr, now: Time) -> bool {
        self.interlock.standing() == Standing::Proxy && self.dhcp.mac_of(peer, now).is_none()
    }

    /// Whose a stranger's address is: its REQUEST to the other server was not heard.
    pub fn met(&mut self, mac: Mac, peer: Ipv4Addr, now: Time) -> Outcome {
        let mut out = Outcome::default();
        self.learn(mac, peer, now, &mut out);
        out
    }

    /// Only of nodes: other machines of this network are nobody's business here.
    fn learn(&mut self, mac: Mac, address: Ipv4Addr, now: Time, out: &mut Outcome) {
        if self.nodes.is_listed(mac) || self.nodes.get(mac).is_some() {
            out.changes.extend(self.dhcp.learn(mac, address, now + KNOWN).into_iter().map(Change::Lease));
        }
    }
}
