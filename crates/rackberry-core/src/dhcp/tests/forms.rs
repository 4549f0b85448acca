//! The forms in which clients send what RFC 2131 describes. What the other servers do with each was measured with dnsmasq 2.90
//! (`--dhcp-authoritative`) and ISC's server 4.4.3 (`authoritative`).

use super::*;
use crate::dhcp::Sender;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 77);
const ELSEWHERE: [u8; 4] = [192, 168, 7, 7];

fn request() -> Ask {
    ask(A, MessageType::Request)
}

/// A server that has leased A its address, and the address.
fn leased() -> (Server, Ipv4Addr) {
    let mut server = server("");
    let address = lease(&mut server, A, 0).unwrap();
    (server, address)
}

/// A server that has offered A an address, and the address.
fn offered() -> (Server, Ipv4Addr) {
    let mut server = server("");
    let offer = server.handle(&ask(A, MessageType::Discover).packet(), &Boot::None, Guest::Known, Time(0));
    let (_, address) = kind_and_address(&offer).unwrap();
    (server, address)
}

/// What is said to a REQUEST of A's, and to where.
fn said(server: &mut Server, ask: &Ask) -> Option<(MessageType, Ipv4Addr, Destination)> {
    let outcome = server.handle(&ask.packet(), &Boot::None, Guest::Known, Time(1000));
    sent(&outcome).map(|(to, message)| (message.opts().msg_type().unwrap(), message.yiaddr(), to))
}

#[test]
fn renewals_and_reboots_are_acknowledged_in_every_form_that_others_acknowledge() {
    let (mut server, own) = leased();
    let (o, here) = (own.octets(), Destination::Address(own));
    let there = Destination::Hardware(A, own);
    for (what, ask, to) in [
        ("RENEW: ciaddr", request().from(o), here),
        // Both (RENEW of VPCS and others).
        ("ciaddr and option 50", request().from(o).wants(o), there),
        ("ciaddr and option 54", request().from(o).of(ME), here),
        ("ciaddr, options 50 and 54", request().from(o).wants(o).of(ME), there),
        // Both; a client that keeps the identifier of the server that it had.
        ("ciaddr and another server", request().from(o).of(OTHER), here),
        // ISC; dnsmasq says NAK.
        ("ciaddr, option 50 and another server", request().from(o).wants(o).of(OTHER), there),
        ("ciaddr and server 0.0.0.0", request().from(o).of(NONE), here),
        ("ciaddr and option 50 of 0.0.0.0", request().from(o).wants([0; 4]), here),
        ("INIT-REBOOT: option 50", request().wants(o), there),
        // dnsmasq; ISC answers to the stale address.
        ("option 50 and a stale ciaddr", request().wants(o).from(ELSEWHERE), there),
        // ISC; dnsmasq says NAK.
        ("option 50 and server 0.0.0.0", request().wants(o).of(NONE), there),
    ] {
        assert_eq!(said(&mut server, &ask), Some((MessageType::Ack, own, to)), "{what}");
        assert_eq!(server.mac_of(own, Time(1000)), Some(A), "{what}");
    }
}

#[test]
fn an_offered_address_is_acknowledged_in_every_form_that_others_acknowledge() {
    let o = |address: Ipv4Addr| address.octets();
    type Form = fn(Ask, [u8; 4]) -> Ask;
    let forms: [(&str, Form); 6] = [
        ("SELECTING: options 50 and 54", |ask, o| ask.wants(o).of(ME)),
        // Both.
        ("option 50 alone", |ask, o| ask.wants(o)),
        // dnsmasq.
        ("options 50 and 54, and a stale ciaddr", |ask, o| ask.wants(o).of(ME).from(ELSEWHERE)),
        ("option 50 and a stale ciaddr", |ask, o| ask.wants(o).from(ELSEWHERE)),
        ("ciaddr alone", |ask, o| ask.from(o)),
        // Neither.
        ("option 54 alone", |ask, _| ask.of(ME)),
    ];
    for (what, form) in forms {
        let (mut server, address) = offered();
        let said = said(&mut server, &form(request(), o(address)));
        let Some((MessageType::Ack, given, to)) = said else { panic!("{what}: {said:?}") };
        assert_eq!(given, address, "{what}");
        let expected = if what.starts_with("ciaddr") {
            Destination::Address(address)
        } else {
            Destination::Hardware(A, address)
        };
        assert_eq!(to, expected, "{what}");
        assert_eq!(server.mac_of(address, Time(1000)), Some(A), "{what}");
    }
}

#[test]
fn what_is_not_this_machines_is_still_refused_or_left_to_others() {
    let (mut server, own) = leased();
    let b = |ask: Ask| Ask { mac: B, ..ask };
    let theirs = ask(B, MessageType::Request);
    let (nak, everybody) = (MessageType::Nak, Destination::Broadcast);
    let refused = Some((nak, NONE, everybody));
    for ask in [
        theirs.clone().from(own.octets()),
        theirs.clone().from(own.octets()).wants(own.octets()),
        theirs.clone().wants(own.octets()).of(ME),
        theirs.clone().wants(own.octets()),
        theirs.clone().wants(ELSEWHERE),
        theirs.clone().wants(ELSEWHERE).from(ELSEWHERE),
    ] {
        assert_eq!(said(&mut server, &b(ask)), refused);
    }
    for ask in [
        theirs.clone().from([10, 10, 10, 102]).of(OTHER),
        theirs.clone().wants([10, 10, 10, 102]).of(OTHER),
        theirs.clone().of(OTHER),
        theirs,
    ] {
        assert_eq!(said(&mut server, &b(ask)), None, "another server's");
    }
    assert_eq!(server.mac_of(own, Time(1000)), Some(A));
}

/// RFC 2131 table 5: `ciaddr` is zero there. NetworkManager's client sends its old address, which it has no more.
#[test]
fn a_ciaddr_that_must_be_zero_counts_for_nothing() {
    for stale in [[10, 10, 10, 101], [10, 10, 10, 200], ELSEWHERE, [255; 4], [127, 0, 0, 1]] {
        let mut server = server("");
        let discover = ask(A, MessageType::Discover).from(stale);
        let outcome = server.handle(&discover.packet(), &Boot::None, Guest::Known, Time(0));
        let (to, offer) = sent(&outcome).expect("an offer");
        assert_eq!(to, Destination::Hardware(A, offer.yiaddr()), "{stale:?}");
        assert_eq!(offer.ciaddr(), NONE, "RFC 2131 table 3");
        let mut loud = discover.clone();
        loud.message.set_flags(Flags::default().set_broadcast());
        let outcome = server.handle(&loud.packet(), &Boot::None, Guest::Known, Time(0));
        assert_eq!(sent(&outcome).expect("an offer").0, Destination::Broadcast);

        let selecting = request().wants(offer.yiaddr().octets()).of(ME).from(stale);
        let outcome = server.handle(&selecting.packet(), &Boot::None, Guest::Known, Time(1));
        let (to, ack) = sent(&outcome).expect("an answer");
        let expected = Destination::Hardware(A, offer.yiaddr());
        assert_eq!((to, ack.opts().msg_type()), (expected, Some(MessageType::Ack)), "{stale:?}");

        let decline = ask(A, MessageType::Decline).of(ME).wants(offer.yiaddr().octets()).from(stale);
        let outcome = server.handle(&decline.packet(), &Boot::None, Guest::Known, Time(2));
        assert!(matches!(outcome.notices[..], [Notice::InUse { .. }]), "{stale:?}");
    }
}

fn inform(own: Option<[u8; 4]>, from: &str) -> Packet {
    let ask = ask(A, MessageType::Inform);
    let ask = own.map_or(ask.clone(), |own| ask.from(own));
    Packet::read(&ask.bytes(), Sender { mac: A, address: from.parse().unwrap() }).unwrap()
}

/// ISC's server answers to `ciaddr` or, without one, to where the message came from; dnsmasq to the port it came from.
#[test]
fn an_inform_is_answered_to_the_address_that_its_sender_has() {
    let to = |packet: &Packet| {
        let outcome = server("").handle(packet, &Boot::None, Guest::Known, Time(0));
        sent(&outcome).map(|(to, ack)| {
            assert_eq!((ack.opts().msg_type(), ack.yiaddr()), (Some(MessageType::Ack), NONE));
            assert!(!ack.opts().contains(OptionCode::AddressLeaseTime));
            to
        })
    };
    let sender = |text: &str| Some(Destination::Inquirer(text.parse().unwrap()));
    let own = Some([10, 10, 10, 60]);
    assert_eq!(to(&inform(own, "10.10.10.60:68")), sender("10.10.10.60:68"));
    assert_eq!(to(&inform(own, "10.10.10.60:40000")), sender("10.10.10.60:40000"), "a program's");
    assert_eq!(to(&inform(own, "0.0.0.0:68")), Some(Destination::Address([10, 10, 10, 60].into())));
    assert_eq!(to(&inform(None, "10.10.10.60:68")), sender("10.10.10.60:68"));
    assert_eq!(to(&inform(None, "10.10.10.60:40000")), sender("10.10.10.60:40000"));
    assert_eq!(to(&inform(None, "0.0.0.0:68")), None, "nobody knows where to");
    let mut relayed = ask(A, MessageType::Inform);
    relayed.message.set_giaddr([10, 10, 10, 2]);
    let outcome = server("").handle(&relayed.packet(), &Boot::None, Guest::Known, Time(0));
    let (to, ack) = sent(&outcome).expect("an answer");
    assert_eq!(to, Destination::Relay([10, 10, 10, 2].into()));
    assert!(ack.flags().broadcast(), "the relay agent knows no address of its client's");
}

/// dnsmasq: "if no requested options, send everything, not nothing". ISC's server does the same.
#[test]
fn who_sends_no_list_gets_all_that_there_is() {
    let more = "router = '10.10.10.254'\ndns = ['8.8.8.8']\nntp = ['8.8.4.4']\ndomain = 'rack.lan'\n\
                [[node]]\nname = 'n1'\nmac = '02:00:00:00:00:0a'";
    let boot = Boot::Load { server: ME, file: "pxelinux.0".into() };
    for kind in [MessageType::Discover, MessageType::Inform] {
        let packet = ask(A, kind).from([10, 10, 10, 100]).packet();
        let outcome = server(more).handle(&packet, &boot, Guest::Known, Time(0));
        let (_, answer) = sent(&outcome).expect("an answer");
        for code in [1, 3, 6, 12, 15, 28, 42, 54, 66, 67].map(OptionCode::from) {
            assert!(answer.opts().contains(code), "{kind:?}: {code:?}");
        }
    }
}

/// A machine that has the address already, by a fixed configuration or through Intel AMT, answers the probe for it: by its own
/// hardware address, or by its other card's.
#[test]
fn who_answers_for_its_own_address_keeps_it() {
    let node =
        "[[node]]\nname = 'n1'\nmacs = ['02:00:00:00:00:0a', '02:00:00:00:00:1a']\naddress = '10.10.10.101'";
    let reserved = Ipv4Addr::new(10, 10, 10, 101);
    for own in [A, Mac([2, 0, 0, 0, 0, 0x1a])] {
        let mut server = Server::new(&settings(node));
        let discover = ask(A, MessageType::Discover).packet();
        let outcome = server.handle(&discover, &Boot::None, Guest::Known, Time(0));
        let [Action::Probe(probe, address)] = outcome.actions[..] else { panic!("{outcome:?}") };
        assert_eq!(address, reserved);
        assert_eq!(server.probed(probe, Some(own), Time(1)), DhcpOutcome::default(), "the probe goes on");
        let offer = server.probed(probe, None, Time(300));
        assert_eq!(kind_and_address(&offer), Some((MessageType::Offer, reserved)));
        // The same, and another machine has it, too.
        let mut server = Server::new(&settings(node));
        server.handle(&discover, &Boot::None, Guest::Known, Time(0));
        server.probed(probe, Some(own), Time(1));
        let outcome = server.probed(probe, Some(B), Time(2));
        assert!(outcome.notices.contains(&Notice::InUse { address: reserved, mac: A }), "{outcome:?}");
        assert!(matches!(outcome.actions[..], [Action::Probe(_, other)] if other != reserved));
    }
}
