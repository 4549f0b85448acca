//! What strangers may have of a pool that runs out.
//!
//! Hardware addresses are made up easily, and a pool is soon leased to machines that don't exist. So an address is kept for
//! each machine that is listed or was installed from here and holds none at present; strangers' leases are short once the pool is scarce,
//! by which it recovers; and a known machine that finds it empty all the same has a stranger's lease that nobody answers
//! for.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use super::{DhcpOutcome, Lease, QUARANTINE, Server, pool::Pool};
use crate::ids::{Deadlines, Mac, Time};

/// How long a stranger's lease lasts at most while the pool is scarce. Whoever is there renews it.
const SHORT: Duration = Duration::from_secs(15 * 60);

/// Who asks for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// A machine that is listed or was installed from here.
    Known,
    /// Any other one. So many addresses are kept for known machines.
    Stranger {
        /// Addresses that it must leave.
        kept: usize,
    },
}

/// Who is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests {
    known: BTreeSet<Mac>,
    /// Strangers that were found to be where their leases say, and until when that is believed.
    there: Deadlines<Mac>,
}

impl Guests {
    /// A machine is heard.
    pub fn is(&mut self, mac: Mac, guest: Guest) {
        match guest {
            Guest::Known => self.known.insert(mac),
            Guest::Stranger { .. } => self.known.remove(&mac),
        };
    }

    pub fn tick(&mut self, now: Time) {
        self.there.take_due(now);
    }
}

impl Server {
    /// Whether less than a quarter of the pool is left, so that it matters who gets it.
    pub fn is_scarce(&self, now: Time) -> bool {
        let quarter = self.pool_size().div_ceil(4);
        // Those that are over need counting only where there would be too few without them.
        let taken_at_most = self.leases.len() + self.offers.len() + self.in_use.len();
        self.pool_size().saturating_sub(taken_at_most) < quarter && self.left(now) < quarter
    }

    /// Whether an address is kept for a machine with these cards already: it holds one, or has one outside of the pool.
    pub fn has_its_own(&self, cards: &[Mac], now: Time) -> bool {
        let pool = Pool::new(self.pool);
        let is_apart = |card: &Mac| self.reserved.get(card).is_some_and(|address| !pool.contains(*address));
        cards.iter().any(|card| is_apart(card) || self.lease_of(*card, now).is_some())
    }

    /// How many addresses a pool has.
    pub(super) fn pool_size(&self) -> usize {
        let (first, last) = (u32::from(self.pool.0), u32::from(self.pool.1));
        usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Addresses that nobody has, is offered or was found to use: so many at least.
    fn left(&self, now: Time) -> usize {
        let taken = self.leases.in_force(now) + self.offers.len() + self.in_use.len();
        self.pool_size().saturating_sub(taken)
    }

    /// Whether a machine may have one more address of the pool.
    pub(super) fn has_room(&self, guest: Guest, now: Time) -> bool {
        match guest {
            Guest::Known | Guest::Stranger { kept: 0 } => true,
            Guest::Stranger { kept } => self.left(now) > kept,
        }
    }

    /// How long a lease lasts.
    pub(super) fn lease_time(&self, guest: Guest, now: Time) -> Duration {
        match guest {
            Guest::Stranger { .. } if self.is_scarce(now) => self.terms.lease.min(SHORT),
            Guest::Known | Guest::Stranger { .. } => self.terms.lease,
        }
    }

    /// For a known machine: the address of the stranger's lease that ends first. It must be probed.
    pub(super) fn strangers_lease(&self, guest: Guest, now: Time) -> Option<Ipv4Addr> {
        let pool = Pool::new(self.pool);
        let may_go = |lease: &&Lease| {
            let is_stranger = !self.names.contains_key(&lease.mac) && !self.guests.known.contains(&lease.mac);
            is_stranger && self.guests.there.get(lease.mac).is_none_or(|until| until <= now)
        };
        let is_left = |lease: &&Lease| {
            let address = lease.address;
            let is_kept = self.reserved_for.contains_key(&address) || self.offered.contains_key(&address);
            pool.contains(address) && !is_kept && self.in_use.get(address).is_none()
        };
        if guest != Guest::Known || !self.probing {
            return None;
        }
        let leases = self.leases.all().filter(may_go).filter(is_left);
        leases.min_by_key(|lease| lease.until).map(|lease| lease.address)
    }

    /// Somebody answers for the address that was to be offered. Whether that may be the stranger that has leased it; then
    /// it is left alone.
    pub(super) fn keeps_its_lease(&mut self, offer: Lease, now: Time) -> bool {
        let holder = self.mac_of(offer.address, now).filter(|holder| *holder != offer.mac);
        holder.into_iter().for_each(|holder| self.guests.there.set(holder, now + QUARANTINE));
        holder.is_some()
    }

    /// Nobody answers for the address that is to be offered: whoever had leased it has it no more.
    pub(super) fn take_over(&mut self, offer: Lease, now: Time, out: &mut DhcpOutcome) {
        let holder = self.mac_of(offer.address, now).filter(|holder| *holder != offer.mac);
        out.changes.extend(holder.and_then(|holder| self.leases.drop(holder)));
    }
}
