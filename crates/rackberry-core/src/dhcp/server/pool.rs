//! The order in which a machine is offered addresses.

use std::net::Ipv4Addr;

use crate::ids::Mac;

/// Addresses from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dhcp) struct Pool {
    first: u32,
    last: u32,
}

impl Pool {
    pub fn new((first, last): (Ipv4Addr, Ipv4Addr)) -> Pool {
        Pool { first: first.into(), last: last.into() }
    }

    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address.into())
    }

    /// Every address once, from a place that follows from the machine's own: so it is likely to get the same
    /// one again even from a server that has forgotten it.
    pub fn from(&self, mac: Mac) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let Pool { first, last } = *self;
        let size = u64::from(last.saturating_sub(first)) + 1;
        let start = hash(mac) % size;
        (0..size).filter_map(move |step| {
            let offset = u32::try_from((start + step) % size).ok()?;
            first.checked_add(offset).map(Ipv4Addr::from)
        })
    }
}

/// FNV-1a: spreads addresses that differ in the last bits only.
fn hash(mac: Mac) -> u64 {
    mac.0
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_address_comes_once_and_is_inside(first: u32, length in 0u32..600, mac: [u8; 6]) {
            let last = first.saturating_add(length);
            let pool = Pool::new((first.into(), last.into()));
            let mut all: Vec<Ipv4Addr> = pool.from(Mac(mac)).collect();
            prop_assert!(all.iter().all(|address| pool.contains(*address)));
            all.sort();
            all.dedup();
            prop_assert_eq!(all.len() as u64, u64::from(last - first) + 1);
        }
    }
}
