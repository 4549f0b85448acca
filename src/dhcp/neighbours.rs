//! The kernel's table of neighbours: which hardware address answers for a network address (arp(7), proc(5)).

use std::{fs, net::Ipv4Addr};

use crate::ids::Mac;

const TABLE: &str = "/proc/net/arp";
/// The entry is complete (`ATF_COM` of linux/if_arp.h).
const COMPLETE: u32 = 2;

/// The hardware address of somebody whose packet was just received. Nothing where the kernel does not know it.
pub fn mac_of(address: Ipv4Addr) -> Option<Mac> {
    find(&fs::read_to_string(TABLE).ok()?, address)
}

/// Columns: IP address, HW type, Flags, HW address, Mask, Device.
fn find(table: &str, address: Ipv4Addr) -> Option<Mac> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [ip, "0x1", flags, mac, ..] = columns.as_slice() else { return None };
        let flags = u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok()?;
        let is_it = ip.parse() == Ok(address) && flags & COMPLETE != 0;
        is_it.then(|| mac.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_entries_count() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.10.10.150     0x1         0x2         52:54:00:00:00:01     *        br0\n\
                     10.10.10.151     0x1         0x0         00:00:00:00:00:00     *        br0\n\
                     10.10.10.15      0x1         0x6         52:54:00:00:00:02     *        br0\n";
        let of = |last| find(table, Ipv4Addr::new(10, 10, 10, last)).map(|mac| mac.to_string());
        assert_eq!(of(150).as_deref(), Some("52:54:00:00:00:01"));
        assert_eq!(of(15).as_deref(), Some("52:54:00:00:00:02"), "an entry made by hand is one, too");
        assert_eq!((of(151), of(1)), (None, None));
        assert_eq!(find("", Ipv4Addr::LOCALHOST), None);
    }
}
