//! A pool that machines which don't exist have leased, and those that do.

use super::*;

const SHORT: Duration = Duration::from_secs(900);

fn mac(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac([2, 1, a, b, c, d])
}

/// As [`lease`], and what it says of its length.
fn lease_as(server: &mut Server, mac: Mac, guest: Guest, now: u64) -> Option<(Ipv4Addr, Duration)> {
    let offer = server.handle(&ask(mac, MessageType::Discover).packet(), &Boot::None, guest, Time(now));
    let (_, address) = kind_and_address(&offer)?;
    let request = ask(mac, MessageType::Request).of(ME).wants(address.octets());
    let ack = server.handle(&request.packet(), &Boot::None, guest, Time(now));
    let until = ack.changes.iter().find_map(|change| match change {
        LeaseChange::Put(lease) if lease.mac == mac => Some(lease.until),
        _ => None,
    });
    let (_, said) = sent(&ack)?;
    let Some(DhcpOption::AddressLeaseTime(seconds)) = said.opts().get(OptionCode::AddressLeaseTime) else {
        panic!("no lease time")
    };
    let length = Duration::from_secs((*seconds).into());
    assert_eq!(until, Some(Time(now) + length), "what is said is what is kept");
    Some((address, length))
}

fn pool_of_32(more: &str) -> Server {
    let text = format!("[dhcp]\npool = '10.10.10.100-10.10.10.131'\n{more}");
    Server::new(&config::parse(&[("test.toml".into(), text)]).unwrap())
}

#[test]
fn random_addresses_leave_what_is_kept_for_known_machines_and_the_pool_recovers() {
    let mut server = pool_of_32("probe = false");
    let guest =
        |server: &Server, now| Guest::Stranger { kept: if server.is_scarce(Time(now)) { 4 } else { 0 } };
    let mut lengths = Vec::new();
    for number in 0..4000 {
        let guest = guest(&server, 0);
        lengths.extend(lease_as(&mut server, mac(number), guest, 0).map(|(_, length)| length));
    }
    assert_eq!(lengths.len(), 28);
    assert_eq!(lengths.iter().filter(|length| **length == SHORT).count(), 4, "the last ones: {lengths:?}");
    // None by other forms of asking, either.
    let scarce = guest(&server, 1);
    for address in 100..=131 {
        let renewal = ask(mac(5000), MessageType::Request).from([10, 10, 10, address]);
        let said = server.handle(&renewal.packet(), &Boot::None, scarce, Time(1));
        assert_ne!(kind_and_address(&said).map(|(kind, _)| kind), Some(MessageType::Ack), "{address}");
    }
    for known in 1..=4 {
        let (_, length) =
            lease_as(&mut server, Mac([2, 0, 0, 0, 0, known]), Guest::Known, 2).expect("an address");
        assert_eq!(length, Duration::from_secs(3600));
    }
    // An hour later nobody has renewed anything.
    let guest = guest(&server, 3_600_001);
    assert_eq!(guest, Guest::Stranger { kept: 0 });
    assert!(lease_as(&mut server, mac(9000), guest, 3_600_001).is_some());
}

#[test]
fn a_stranger_that_is_there_goes_on_with_its_address() {
    let mut server = pool_of_32("probe = false");
    for number in 0..28 {
        lease_as(&mut server, mac(number), Guest::Stranger { kept: 0 }, 0).expect("an address");
    }
    let scarce = Guest::Stranger { kept: 9 };
    assert_eq!(lease_as(&mut server, mac(99), scarce, 1), None, "none is left for one more");
    let (_, length) = lease_as(&mut server, mac(3), scarce, 2).expect("it has one");
    assert_eq!(length, SHORT);
}

/// Asks, and says who answers to the probes of what it is to be offered, until there is an OFFER.
fn probed(server: &mut Server, mac: Mac, answers: &[Mac]) -> DhcpOutcome {
    let discover = ask(mac, MessageType::Discover).packet();
    let mut out = server.handle(&discover, &Boot::None, Guest::Known, Time(10));
    let mut answers = answers.iter();
    while let Some(probe) = out.actions.iter().find_map(|action| match action {
        Action::Probe(probe, _) => Some(*probe),
        _ => None,
    }) {
        out = server.probed(probe, answers.next().copied(), Time(400));
    }
    out
}

#[test]
fn a_known_machine_gets_a_strangers_address_that_nobody_answers_for() {
    let mut server = Server::new(&settings("[[node]]\nname = 'a'\nmac = '02:00:00:00:00:0a'\n"));
    let lease = |number: u8| Lease {
        mac: mac(number.into()),
        address: Ipv4Addr::new(10, 10, 10, 100 + number),
        until: Time(1_000_000 + u64::from(number)),
    };
    server.restore((0..4).map(lease).collect());
    // The first is there, the second is not.
    let out = probed(&mut server, A, &[mac(0)]);
    assert_eq!(kind_and_address(&out), Some((MessageType::Offer, lease(1).address)));
    assert_eq!(out.changes, [LeaseChange::Drop(mac(1))]);
    assert!(server.in_use_now().is_empty(), "nobody's address is put out of service");
    assert_eq!(server.address_of(mac(0), Time(500)), Some(lease(0).address));
    let stranger = server.handle(
        &ask(mac(9), MessageType::Discover).packet(),
        &Boot::None,
        Guest::Stranger { kept: 0 },
        Time(500),
    );
    assert_eq!(kind_and_address(&stranger), None, "a stranger gets nobody's");
}

#[test]
fn who_declines_all_that_it_is_offered_takes_a_quarter_of_the_pool_at_most() {
    let mut server = pool_of_32("probe = false");
    for number in 0..200 {
        let guest = Guest::Stranger { kept: 0 };
        let discover = ask(mac(number), MessageType::Discover).packet();
        let offer = server.handle(&discover, &Boot::None, guest, Time(0));
        let Some((_, address)) = kind_and_address(&offer) else { continue };
        let decline = ask(mac(number), MessageType::Decline).of(ME).wants(address.octets());
        server.handle(&decline.packet(), &Boot::None, guest, Time(0));
    }
    assert_eq!(server.in_use_now().len(), 8);
    assert!(lease_as(&mut server, A, Guest::Known, 1).is_some());
}
