//! What is said to a client that has, or has been offered, an address.

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::{Question, Server, reply::Granted};
use crate::{
    dhcp::{Action, Boot, DhcpOutcome, Lease, Packet, server::reply},
    ids::Time,
};

impl Server {
    /// RFC 2131 section 4.3.2. Table 4 tells the client's states apart by what a REQUEST has and lacks; clients leave
    /// things out and add others, and what dnsmasq or ISC's server acknowledges of that is acknowledged here.
    pub(super) fn request(&mut self, question: Question<'_>, out: &mut DhcpOutcome) {
        let Question { packet, .. } = question;
        let mac = packet.mac();
        let (requested, own) = (packet.requested(), packet.ciaddr_field());
        // Who renews a lease has its address. Some say so in option 50, too; another one there means that `ciaddr` is stale.
        let renewed = own.filter(|own| requested.is_none_or(|requested| requested == *own));
        let held = self.leases.of(mac).map(|lease| lease.address);
        let offered = self.offers.get(&mac).map(|offer| offer.address);
        let offered = offered.filter(|_| !self.parked.contains_key(&mac));
        match (packet.server(), renewed, requested) {
            // SELECTING, or a renewal that names its server. The offer may have been made before a restart of this server.
            (Some(server), ..) if server == self.terms.server => {
                match requested.or(renewed).or(offered).filter(|address| self.may_keep(*address, question)) {
                    Some(address) => self.acknowledge(question, address, out),
                    None => self.refuse(packet, "this address was not offered", out),
                }
            }
            // A renewal that names the server of an earlier lease.
            (Some(_), Some(own), _) if held == Some(own) && self.may_keep(own, question) => {
                self.acknowledge(question, own, out);
            }
            // It chose another server.
            (Some(_), ..) => self.withdraw(mac),
            (None, Some(own), _) => self.renew(question, own, out),
            // SELECTING by who does not name the server.
            (None, None, Some(address)) if offered == Some(address) && self.may_keep(address, question) => {
                self.acknowledge(question, address, out);
            }
            (None, None, Some(address)) => self.reboot(question, address, out),
            (None, None, None) => {}
        }
    }

    /// INIT-REBOOT. Of a client that is not known nothing is said: another server may know it.
    fn reboot(&mut self, question: Question<'_>, address: Ipv4Addr, out: &mut DhcpOutcome) {
        let Question { packet, now, .. } = question;
        let mac = packet.mac();
        let held = self.leases.of(mac).map(|lease| lease.address);
        if packet.giaddr().is_none() && !self.is_here(address) {
            self.refuse(packet, "this address is of another network", out);
        } else if held == Some(address) && self.may_keep(address, question) {
            self.acknowledge(question, address, out);
        } else if held.is_some() || self.mac_of(address, now).is_some() {
            self.refuse(packet, "this address is not this machine's", out);
        }
    }

    /// RENEWING and REBINDING. A client that is not known (this server may have lost its state) keeps an address that is
    /// free.
    fn renew(&mut self, question: Question<'_>, address: Ipv4Addr, out: &mut DhcpOutcome) {
        let Question { packet, .. } = question;
        if self.may_keep(address, question) {
            self.acknowledge(question, address, out);
        } else {
            self.refuse(packet, "this address is not this machine's", out);
        }
    }

    fn acknowledge(&mut self, question: Question<'_>, address: Ipv4Addr, out: &mut DhcpOutcome) {
        let Question { packet, boot, guest, now } = question;
        let (mac, lease) = (packet.mac(), self.lease_time(guest, now));
        self.withdraw(mac);
        out.changes.extend(self.leases.put(Lease { mac, address, until: now + lease }));
        self.say(packet, Granted { kind: MessageType::Ack, address: Some(address), boot }, lease, out);
    }

    fn refuse(&mut self, packet: &Packet, why: &str, out: &mut DhcpOutcome) {
        self.withdraw(packet.mac());
        out.actions.push(Action::Send(reply::refuse(packet, self.terms.server, why)));
    }

    /// RFC 2131 section 4.3.3: the client found the address in use.
    pub(super) fn decline(&mut self, packet: &Packet, now: Time, out: &mut DhcpOutcome) {
        let mac = packet.mac();
        let ours = packet.server().is_none_or(|server| server == self.terms.server);
        let Some(address) = packet.requested().filter(|_| ours) else { return };
        let offered = self.offers.get(&mac).map(|offer| offer.address);
        let held = self.leases.of(mac).map(|lease| lease.address);
        // Nobody takes another machine's address out of service.
        if offered != Some(address) && held != Some(address) {
            return;
        }
        self.withdraw(mac);
        if held == Some(address) {
            out.changes.extend(self.leases.drop(mac));
        }
        // Who declines all that it is offered takes a part of the pool away at most; what is offered is probed.
        if self.quarantined().count() < self.pool_size().div_ceil(4) {
            self.quarantine(address, mac, now, out);
        }
    }

    /// RFC 2131 section 4.3.4: the lease ends now, but is remembered.
    pub(super) fn release(&mut self, packet: &Packet, now: Time, out: &mut DhcpOutcome) {
        let held = self.leases.of(packet.mac()).copied();
        if let Some(lease) = held.filter(|lease| packet.ciaddr() == Some(lease.address)) {
            out.changes.extend(self.leases.put(Lease { until: now, ..lease }));
        }
    }

    /// RFC 2131 section 4.3.5.
    pub(super) fn inform(&mut self, packet: &Packet, boot: &Boot, out: &mut DhcpOutcome) {
        // Without an address in either place, nothing would arrive.
        let sender = packet.sender().address;
        if packet.ciaddr().is_some() || packet.giaddr().is_some() || !sender.ip().is_unspecified() {
            let granted = Granted { kind: MessageType::Ack, address: None, boot };
            self.say(packet, granted, self.terms.lease, out);
        }
    }
}
