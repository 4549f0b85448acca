//! What is asked of the server's state.

use std::net::Ipv4Addr;

use super::{Server, pool::Pool};
use crate::{
    dhcp::Lease,
    ids::{Changed, Mac, Time},
};

impl Server {
    /// When [`Server::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        [self.offers_end.first(), self.in_use.first()].into_iter().flatten().min()
    }

    /// Who holds an address.
    pub fn mac_of(&self, address: Ipv4Addr, now: Time) -> Option<Mac> {
        self.leases.at(address).filter(|lease| lease.is_in_force(now)).map(|lease| lease.mac)
    }

    /// Who is offered an address and has not taken it yet.
    pub fn offered_to(&self, address: Ipv4Addr) -> Option<Mac> {
        self.offered.get(&address).copied()
    }

    /// Which address a machine holds.
    pub fn address_of(&self, mac: Mac, now: Time) -> Option<Ipv4Addr> {
        self.lease_of(mac, now).map(|lease| lease.address)
    }

    /// The lease that a machine holds.
    pub fn lease_of(&self, mac: Mac, now: Time) -> Option<&Lease> {
        self.leases.of(mac).filter(|lease| lease.is_in_force(now))
    }

    /// Whose lease came, changed or went.
    pub fn changed(&mut self) -> &mut Changed {
        &mut self.leases.changed
    }

    /// How many leases hold.
    pub fn leases_in_force(&self, now: Time) -> usize {
        self.leases.in_force(now)
    }

    /// Addresses that others were found to use.
    pub fn quarantined(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.in_use.keys()
    }

    /// Whether these are one machine's cards, as the configuration says.
    pub(super) fn is_same_machine(&self, one: Mac, other: Mac) -> bool {
        let name = |mac| self.names.get(&mac);
        one == other || (name(one).is_some() && name(one) == name(other))
    }

    /// Whether the settings let a machine have an address: its reservation, or one of the pool if it has none.
    pub(super) fn is_for(&self, address: Ipv4Addr, mac: Mac) -> bool {
        match self.reserved.get(&mac) {
            Some(reserved) if self.in_use.get(*reserved).is_some() => Pool::new(self.pool).contains(address),
            Some(reserved) => *reserved == address,
            None => Pool::new(self.pool).contains(address),
        }
    }

    pub(super) fn is_here(&self, address: Ipv4Addr) -> bool {
        (self.network.0..=self.network.1).contains(&address.into())
    }
}
