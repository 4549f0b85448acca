//! What holds whatever clients say, in whatever order.

use super::*;

fn kinds() -> impl Strategy<Value = MessageType> {
    use MessageType::{Decline, Discover, Inform, Release, Request};
    proptest::sample::select(vec![Discover, Request, Decline, Release, Inform])
}

fn addresses() -> impl Strategy<Value = Option<Ipv4Addr>> {
    proptest::option::of((98u8..106).prop_map(|last| Ipv4Addr::new(10, 10, 10, last)))
}

proptest! {
    #[test]
    fn any_datagram_is_read_or_refused(head in proptest::collection::vec(any::<u8>(), 0..260), tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Packet::decode(&head);
        let mut framed = ask(A, MessageType::Discover).bytes();
        framed.truncate(240);
        framed.extend(tail);
        if let Ok(packet) = Packet::decode(&framed) {
            let _ = server("").handle(&packet, &Boot::None, Guest::Known, Time(0));
        }
    }

    /// Whatever clients say in whatever order: no address is two machines', none is handed out that may not be.
    #[test]
    fn no_address_is_given_twice(script in proptest::collection::vec((kinds(), 0u8..7, addresses(), addresses(), any::<bool>(), 0u64..2_000_000), 1..60)) {
        let mut server = server("[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\naddress = '10.10.10.101'");
        let mut now = 0;
        let mut kept = std::collections::BTreeMap::new();
        for (kind, mac, requested, own, ours, wait) in script {
            now += wait;
            let mac = Mac([2, 0, 0, 0, 0, mac]);
            let mut message = ask(mac, kind);
            if let Some(requested) = requested { message = message.wants(requested.octets()); }
            if let Some(own) = own { message = message.from(own.octets()); }
            if ours { message = message.of(ME); }
            server.tick(Time(now));
            let outcome = server.handle(&message.packet(), &Boot::None, Guest::Known, Time(now));
            for change in &outcome.changes {
                match change {
                    LeaseChange::Put(lease) => { kept.insert(lease.mac, *lease); }
                    LeaseChange::Drop(mac) => { kept.remove(mac); }
                }
            }
            let holders: Vec<&Lease> = kept.values().filter(|lease| lease.is_in_force(Time(now))).collect();
            let distinct: BTreeSet<_> = holders.iter().map(|lease| lease.address).collect();
            prop_assert_eq!(distinct.len(), holders.len(), "journaled leases collide");
            for lease in holders {
                prop_assert_eq!(server.mac_of(lease.address, Time(now)), Some(lease.mac));
                let reserved = lease.address == Ipv4Addr::new(10, 10, 10, 101);
                prop_assert_eq!(reserved, lease.mac == Mac([2, 0, 0, 0, 0, 1]));
            }
            if let Some((MessageType::Ack, address)) = kind_and_address(&outcome)
                && kind != MessageType::Inform
            {
                prop_assert_eq!(server.mac_of(address, Time(now)), Some(mac));
            }
        }
    }
}
