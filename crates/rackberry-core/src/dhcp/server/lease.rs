//! Leases, and the table of them.

use std::{collections::BTreeMap, net::Ipv4Addr};

use crate::ids::{Changed, Deadlines, Mac, Time};

/// An address that a machine holds, or held last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// Hardware address of the machine that holds it.
    pub mac: Mac,
    /// The address that it holds.
    pub address: Ipv4Addr,
    /// When it ends, unless it is renewed.
    pub until: Time,
}

/// A change for the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseChange {
    /// A lease as it is now.
    Put(Lease),
    /// A lease that is nobody's any more.
    Drop(Mac),
}

impl LeaseChange {
    /// Whose lease it is about.
    pub fn mac(&self) -> Mac {
        match self {
            Self::Put(lease) => lease.mac,
            Self::Drop(mac) => *mac,
        }
    }
}

impl Lease {
    /// Whether it has not ended by now.
    pub fn is_in_force(&self, now: Time) -> bool {
        now < self.until
    }
}

/// One lease for each machine, one machine for each address. Expired leases stay, so that a machine gets its
/// old address back, until another one needs it.
#[derive(Debug, Clone, Default)]
pub(in crate::dhcp) struct Leases {
    by_mac: BTreeMap<Mac, Lease>,
    by_address: BTreeMap<Ipv4Addr, Mac>,
    /// The ends of those that are in force.
    ends: Deadlines<Mac>,
    /// Whose lease came, changed or went.
    pub changed: Changed,
}

impl Leases {
    pub fn of(&self, mac: Mac) -> Option<&Lease> {
        self.by_mac.get(&mac)
    }

    pub fn at(&self, address: Ipv4Addr) -> Option<&Lease> {
        self.by_address.get(&address).and_then(|mac| self.by_mac.get(mac))
    }

    /// Keeps `lease`; whoever held the address or whatever the machine held before is no more.
    pub fn put(&mut self, lease: Lease) -> Vec<LeaseChange> {
        let mut changes = Vec::new();
        if let Some(other) = self.by_address.get(&lease.address).copied().filter(|other| *other != lease.mac)
        {
            self.drop(other);
            changes.push(LeaseChange::Drop(other));
        }
        if let Some(old) = self.by_mac.insert(lease.mac, lease) {
            self.by_address.remove(&old.address);
        }
        self.by_address.insert(lease.address, lease.mac);
        self.ends.set(lease.mac, lease.until);
        self.changed.note(lease.mac);
        changes.push(LeaseChange::Put(lease));
        changes
    }

    pub fn drop(&mut self, mac: Mac) -> Option<LeaseChange> {
        let lease = self.by_mac.remove(&mac)?;
        self.by_address.remove(&lease.address);
        self.ends.remove(mac);
        self.changed.note(mac);
        Some(LeaseChange::Drop(mac))
    }

    /// Time passed: what is over is waited for no more.
    pub fn tick(&mut self, now: Time) {
        self.ends.take_due(now);
    }

    /// How many there are, those that are over included.
    pub fn len(&self) -> usize {
        self.by_mac.len()
    }

    /// How many are in force.
    pub fn in_force(&self, now: Time) -> usize {
        self.ends.ahead(now)
    }

    pub fn all(&self) -> impl Iterator<Item = &Lease> {
        self.by_mac.values()
    }
}
