//! RFC 2131 as a script of packets at stated times.

mod forms;
mod odd;
mod properties;
mod starved;

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use dhcproto::{
    Decodable, Decoder, Encodable, Encoder,
    v4::{DhcpOption, Flags, Message, MessageType, OptionCode},
};
use proptest::prelude::*;

use super::*;
use crate::{
    config::{self, Settings},
    ids::{Arch, Mac, Time},
};

const ME: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);
const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);

fn settings(more: &str) -> Settings {
    let text = format!("[dhcp]\npool = '10.10.10.100-10.10.10.103'\n{more}");
    config::parse(&[("test.toml".into(), text)]).unwrap()
}

fn server(more: &str) -> Server {
    Server::new(&settings(&format!("probe = false\n{more}")))
}

/// A client's message, as bytes and back.
#[derive(Clone)]
struct Ask {
    mac: Mac,
    message: Message,
    /// What a relay agent adds.
    agent: Vec<u8>,
}

fn ask(mac: Mac, kind: MessageType) -> Ask {
    let mut message = Message::new_with_id(7, NONE, NONE, NONE, NONE, &mac.0);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    Ask { mac, message, agent: Vec::new() }
}

impl Ask {
    fn with(mut self, option: DhcpOption) -> Ask {
        self.message.opts_mut().insert(option);
        self
    }
    fn wants(self, address: [u8; 4]) -> Ask {
        self.with(DhcpOption::RequestedIpAddress(address.into()))
    }
    fn from(mut self, address: [u8; 4]) -> Ask {
        self.message.set_ciaddr(address);
        self
    }
    fn of(self, server: Ipv4Addr) -> Ask {
        self.with(DhcpOption::ServerIdentifier(server))
    }
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        if !self.agent.is_empty() {
            assert_eq!(bytes.pop(), Some(255));
            bytes.extend([82, self.agent.len() as u8]);
            bytes.extend(&self.agent);
            bytes.push(255);
        }
        bytes
    }
    fn packet(&self) -> Packet {
        let packet = Packet::decode(&self.bytes()).unwrap();
        assert_eq!(packet.mac(), self.mac);
        packet
    }
}

fn sent(outcome: &DhcpOutcome) -> Option<(Destination, Message)> {
    outcome.actions.iter().find_map(|action| match action {
        Action::Send(reply) => Some((reply.to, Message::decode(&mut Decoder::new(&reply.payload)).unwrap())),
        Action::Probe(..) | Action::Verify(_) | Action::Seek | Action::Wake(_) => None,
    })
}

fn kind_and_address(outcome: &DhcpOutcome) -> Option<(MessageType, Ipv4Addr)> {
    sent(outcome).map(|(_, message)| (message.opts().msg_type().unwrap(), message.yiaddr()))
}

/// DISCOVER and REQUEST; the address that it ends with.
fn lease(server: &mut Server, mac: Mac, now: u64) -> Option<Ipv4Addr> {
    let offer =
        server.handle(&ask(mac, MessageType::Discover).packet(), &Boot::None, Guest::Known, Time(now));
    let (_, address) = kind_and_address(&offer)?;
    let request = ask(mac, MessageType::Request).of(ME).wants(address.octets());
    let ack = server.handle(&request.packet(), &Boot::None, Guest::Known, Time(now));
    assert_eq!(kind_and_address(&ack), Some((MessageType::Ack, address)));
    let until = Time(now) + Duration::from_secs(3600);
    assert!(ack.changes.contains(&LeaseChange::Put(Lease { mac, address, until })));
    Some(address)
}

#[test]
fn discover_offer_request_ack() {
    let mut server = server("router = '10.10.10.254'\ndns = ['8.8.8.8']\ndomain = 'rack.lan'");
    let asks = vec![OptionCode::DomainNameServer, OptionCode::DomainName];
    let discover = ask(A, MessageType::Discover).with(DhcpOption::ParameterRequestList(asks));
    let outcome = server.handle(&discover.packet(), &Boot::None, Guest::Known, Time(0));
    assert_eq!(outcome.changes, [], "an offer is no lease");
    let (to, offer) = sent(&outcome).unwrap();
    assert_eq!(to, Destination::Hardware(A, offer.yiaddr()));
    let options = offer.opts();
    let get = |code: OptionCode| options.get(code).unwrap().clone();
    assert_eq!(get(OptionCode::ServerIdentifier), DhcpOption::ServerIdentifier(ME));
    assert_eq!(get(OptionCode::AddressLeaseTime), DhcpOption::AddressLeaseTime(3600));
    assert_eq!(get(OptionCode::Renewal), DhcpOption::Renewal(1800));
    assert_eq!(get(OptionCode::Rebinding), DhcpOption::Rebinding(3150));
    assert_eq!(get(OptionCode::SubnetMask), DhcpOption::SubnetMask([255, 255, 255, 0].into()));
    assert_eq!(get(OptionCode::Router), DhcpOption::Router(vec![[10, 10, 10, 254].into()]));
    assert_eq!(get(OptionCode::DomainNameServer), DhcpOption::DomainNameServer(vec![[8, 8, 8, 8].into()]));
    assert_eq!(get(OptionCode::DomainName), DhcpOption::DomainName("rack.lan".into()));
    assert_eq!((offer.siaddr(), offer.fname()), (NONE, None), "no boot data");
    assert_eq!(lease(&mut server, A, 1), Some(offer.yiaddr()));
    assert_eq!(server.mac_of(offer.yiaddr(), Time(2)), Some(A));
}

#[test]
fn nobody_gets_what_it_did_not_ask_for() {
    let mut server = server("dns = ['8.8.8.8']\nntp = ['8.8.8.8']\ndomain = 'rack.lan'");
    let list = DhcpOption::ParameterRequestList(vec![OptionCode::Router]);
    let discover = ask(A, MessageType::Discover).with(list).packet();
    let (_, offer) = sent(&server.handle(&discover, &Boot::None, Guest::Known, Time(0))).unwrap();
    for code in [OptionCode::DomainNameServer, OptionCode::NtpServers, OptionCode::DomainName] {
        assert!(!offer.opts().contains(code), "{code:?}");
    }
}

#[test]
fn the_broadcast_flag_and_relays_decide_where_it_goes() {
    let mut server = server("");
    let mut discover = ask(A, MessageType::Discover);
    discover.message.set_flags(Flags::default().set_broadcast());
    assert_eq!(
        sent(&server.handle(&discover.packet(), &Boot::None, Guest::Known, Time(0))).unwrap().0,
        Destination::Broadcast
    );

    let relay = Ipv4Addr::new(10, 10, 10, 2);
    let mut relayed = ask(A, MessageType::Discover);
    relayed.agent = vec![1, 3, b'e', b't', b'h'];
    relayed.message.set_giaddr(relay);
    let outcome = server.handle(&relayed.packet(), &Boot::None, Guest::Known, Time(0));
    assert_eq!(sent(&outcome).unwrap().0, Destination::Relay(relay));
    let Action::Send(reply) = &outcome.actions[0] else { panic!() };
    let end = reply.payload.iter().rposition(|byte| *byte == 255).unwrap();
    assert_eq!(reply.payload[end - 7..end], [82, 5, 1, 3, b'e', b't', b'h'], "echoed, last");

    relayed.message.set_giaddr([192, 168, 1, 1]);
    let foreign = server.handle(&relayed.packet(), &Boot::None, Guest::Known, Time(0));
    assert_eq!(foreign.actions, []);
    assert!(matches!(foreign.notices[..], [Notice::ForeignRelay { .. }]));
}

#[test]
fn a_nak_is_broadcast_and_through_a_relay_says_so() {
    let mut server = server("");
    let stranger = ask(A, MessageType::Request).wants([192, 168, 1, 7]);
    let (to, nak) = sent(&server.handle(&stranger.packet(), &Boot::None, Guest::Known, Time(0))).unwrap();
    assert_eq!((to, nak.opts().msg_type()), (Destination::Broadcast, Some(MessageType::Nak)));
    let mut relayed = ask(A, MessageType::Request).of(ME).wants([10, 10, 10, 77]);
    relayed.message.set_giaddr([10, 10, 10, 2]);
    let (to, nak) = sent(&server.handle(&relayed.packet(), &Boot::None, Guest::Known, Time(0))).unwrap();
    assert_eq!(to, Destination::Relay([10, 10, 10, 2].into()));
    assert!(nak.flags().broadcast());
}

#[test]
fn request_by_the_state_that_it_is_sent_in() {
    let mut server = server("");
    let address = lease(&mut server, A, 0).unwrap();
    let mut kind =
        |ask: Ask, at| kind_and_address(&server.handle(&ask.packet(), &Boot::None, Guest::Known, Time(at)));
    // INIT-REBOOT
    let again = ask(A, MessageType::Request).wants(address.octets());
    assert_eq!(kind(again, 1), Some((MessageType::Ack, address)));
    let other = ask(A, MessageType::Request).wants([10, 10, 10, 99]);
    assert_eq!(kind(other, 1), Some((MessageType::Nak, NONE)));
    let anothers = ask(B, MessageType::Request).wants(address.octets());
    assert_eq!(kind(anothers, 1), Some((MessageType::Nak, NONE)));
    let unknown = ask(B, MessageType::Request).wants([10, 10, 10, 101]);
    let silent = kind(unknown, 1);
    assert!(silent.is_none() || address == Ipv4Addr::new(10, 10, 10, 101), "{silent:?}");
    // RENEWING, REBINDING
    let renew = ask(A, MessageType::Request).from(address.octets());
    assert_eq!(kind(renew, 1_800_000), Some((MessageType::Ack, address)));
    let thief = ask(B, MessageType::Request).from(address.octets());
    assert_eq!(kind(thief, 1_800_000), Some((MessageType::Nak, NONE)));
    // SELECTING another server
    let away = ask(A, MessageType::Request).of([10, 10, 10, 9].into()).wants(address.octets());
    assert_eq!(kind(away, 1_800_000), None);
    assert_eq!(server.mac_of(address, Time(1_800_000)), Some(A), "its lease stays until it ends");
}

#[test]
fn an_ack_to_a_renewal_goes_to_the_client_itself() {
    let mut server = server("");
    let address = lease(&mut server, A, 0).unwrap();
    let renew = ask(A, MessageType::Request).from(address.octets()).packet();
    assert_eq!(
        sent(&server.handle(&renew, &Boot::None, Guest::Known, Time(9))).unwrap().0,
        Destination::Address(address)
    );
}

#[test]
fn release_decline_inform() {
    let mut server = server("");
    let address = lease(&mut server, A, 0).unwrap();
    let inform = ask(A, MessageType::Inform).from(address.octets());
    let (to, ack) = sent(&server.handle(&inform.packet(), &Boot::None, Guest::Known, Time(1))).unwrap();
    assert_eq!((to, ack.yiaddr()), (Destination::Address(address), NONE));
    assert!(!ack.opts().contains(OptionCode::AddressLeaseTime));

    let foreign = ask(B, MessageType::Release).of(ME).from(address.octets());
    assert_eq!(server.handle(&foreign.packet(), &Boot::None, Guest::Known, Time(2)), DhcpOutcome::default());
    let release = ask(A, MessageType::Release).of(ME).from(address.octets());
    server.handle(&release.packet(), &Boot::None, Guest::Known, Time(2));
    assert_eq!(server.mac_of(address, Time(3)), None);
    assert_eq!(lease(&mut server, A, 4), Some(address), "the same again");

    let foreign = ask(B, MessageType::Decline).of(ME).wants(address.octets());
    assert_eq!(server.handle(&foreign.packet(), &Boot::None, Guest::Known, Time(5)), DhcpOutcome::default());
    let decline = ask(A, MessageType::Decline).of(ME).wants(address.octets());
    let outcome = server.handle(&decline.packet(), &Boot::None, Guest::Known, Time(5));
    assert_eq!(outcome.changes, [LeaseChange::Drop(A)]);
    assert!(matches!(outcome.notices[..], [Notice::InUse { .. }]));
    assert_ne!(lease(&mut server, A, 6), Some(address), "left alone");
    server.tick(Time(5 + 600_000));
    assert!(!server.in_use_now().contains(&address), "and given back after ten minutes");
}

#[test]
fn reservations_are_kept_for_their_node() {
    let mut server = server("[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:0a'\naddress = '10.10.10.101'");
    let others: BTreeSet<_> =
        (0..3).map(|i| lease(&mut server, Mac([2, 0, 0, 0, 1, i]), 0).unwrap()).collect();
    assert_eq!(others.len(), 3);
    assert!(!others.contains(&Ipv4Addr::new(10, 10, 10, 101)));
    let full = server.handle(&ask(B, MessageType::Discover).packet(), &Boot::None, Guest::Known, Time(1));
    assert!(matches!(full.notices[..], [Notice::PoolIsEmpty { .. }]));
    let said = server.handle(&ask(B, MessageType::Discover).packet(), &Boot::None, Guest::Known, Time(2));
    assert_eq!(said, DhcpOutcome::default(), "said once a minute");
    let name = vec![OptionCode::Hostname];
    let discover = ask(A, MessageType::Discover).with(DhcpOption::ParameterRequestList(name));
    let (_, offer) = sent(&server.handle(&discover.packet(), &Boot::None, Guest::Known, Time(1))).unwrap();
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(10, 10, 10, 101));
    assert_eq!(offer.opts().get(OptionCode::Hostname), Some(&DhcpOption::Hostname("n1".into())));
}

#[test]
fn a_full_pool_gives_the_longest_expired_address() {
    let mut server = server("");
    let first = lease(&mut server, Mac([2, 0, 0, 0, 1, 0]), 0).unwrap();
    for i in 1..4 {
        lease(&mut server, Mac([2, 0, 0, 0, 1, i]), u64::from(i)).unwrap();
    }
    assert_eq!(lease(&mut server, A, 3_600_000), Some(first));
}

#[test]
fn a_new_address_is_probed_and_others_do_not_wait() {
    let mut server = Server::new(&settings(""));
    let boot = Boot::None;
    let discover = server.handle(&ask(A, MessageType::Discover).packet(), &boot, Guest::Known, Time(0));
    let [Action::Probe(probe, address)] = discover.actions[..] else { panic!("{discover:?}") };
    let other = server.handle(&ask(B, MessageType::Discover).packet(), &boot, Guest::Known, Time(1));
    let [Action::Probe(other_probe, other_address)] = other.actions[..] else { panic!("{other:?}") };
    assert_ne!(address, other_address);
    // Asked again meanwhile: no second probe.
    assert_eq!(
        server.handle(&ask(A, MessageType::Discover).packet(), &boot, Guest::Known, Time(2)),
        DhcpOutcome::default()
    );
    // The machine itself answers for it, which hinders nobody; another one does, and another address is probed.
    assert_eq!(server.probed(probe, Some(A), Time(2)), DhcpOutcome::default());
    let taken = server.probed(probe, Some(B), Time(3));
    let Some(Action::Probe(next, next_address)) = taken.actions.last() else { panic!("{taken:?}") };
    assert!(*next_address != address && *next_address != other_address);
    let free = server.probed(other_probe, None, Time(4));
    assert_eq!(kind_and_address(&free), Some((MessageType::Offer, other_address)));
    assert_eq!(
        kind_and_address(&server.probed(*next, None, Time(5))),
        Some((MessageType::Offer, *next_address))
    );
    assert_eq!(server.probed(probe, None, Time(6)), DhcpOutcome::default(), "over long ago");
}

#[test]
fn a_probe_that_got_lost_is_sent_again() {
    let mut server = Server::new(&settings(""));
    let discover = ask(A, MessageType::Discover).packet();
    let [Action::Probe(probe, address)] =
        server.handle(&discover, &Boot::None, Guest::Known, Time(0)).actions[..]
    else {
        panic!()
    };
    assert_eq!(server.handle(&discover, &Boot::None, Guest::Known, Time(999)).actions, []);
    assert_eq!(
        server.handle(&discover, &Boot::None, Guest::Known, Time(1000)).actions,
        [Action::Probe(probe, address)]
    );
    assert_eq!(server.handle(&discover, &Boot::None, Guest::Known, Time(1500)).actions, []);
    assert_eq!(
        kind_and_address(&server.probed(probe, None, Time(1600))),
        Some((MessageType::Offer, address))
    );
}

#[test]
fn boot_data_goes_into_the_header_and_the_option_that_is_asked_for() {
    let mut server = server("");
    let boot = Boot::Load { server: ME, file: "pxelinux.0".into() };
    let uuid = DhcpOption::ClientMachineIdentifier(vec![0; 17]);
    let discover = ask(A, MessageType::Discover)
        .with(DhcpOption::ParameterRequestList(vec![OptionCode::BootfileName]))
        .with(uuid.clone());
    let (_, offer) = sent(&server.handle(&discover.packet(), &boot, Guest::Known, Time(0))).unwrap();
    assert_eq!((offer.siaddr(), offer.fname()), (ME, Some(&b"pxelinux.0\0"[..])));
    assert_eq!(
        offer.opts().get(OptionCode::BootfileName),
        Some(&DhcpOption::BootfileName(b"pxelinux.0\0".to_vec()))
    );
    assert_eq!(offer.opts().get(OptionCode::ClientMachineIdentifier), Some(&uuid));
}

#[test]
fn what_does_not_fit_overflows_into_file_and_sname() {
    let servers = "['8.8.8.1','8.8.8.2','8.8.8.3','8.8.8.4','8.8.8.5','8.8.8.6','8.8.8.7','8.8.8.8']";
    let domain = ["a23456789012345678901234"; 4].join(".");
    let mut server = server(&format!("dns = {servers}\nntp = {servers}\ndomain = '{domain}'"));
    let asks = vec![OptionCode::DomainNameServer, OptionCode::NtpServers, OptionCode::DomainName];
    let mut discover = ask(A, MessageType::Discover).with(DhcpOption::ParameterRequestList(asks));
    discover.agent = vec![7; 130];
    let outcome = server.handle(&discover.packet(), &Boot::None, Guest::Known, Time(0));
    let Action::Send(reply) = &outcome.actions[0] else { panic!() };
    assert!(reply.payload.len() <= 576 - 28, "{}", reply.payload.len());
    let (_, offer) = sent(&outcome).unwrap();
    assert_eq!(offer.opts().get(OptionCode::OptionOverload), Some(&DhcpOption::OptionOverload(1)));
    let file = offer.fname().unwrap();
    assert_eq!(file[..2], [15, u8::try_from(domain.len()).unwrap()]);
    assert!(file[2..].starts_with(domain.as_bytes()));
}

#[test]
fn a_client_is_known_by_what_its_firmware_sends() {
    let pxe =
        |class: &str| ask(A, MessageType::Discover).with(DhcpOption::ClassIdentifier(class.into())).packet();
    let client = Client::of(&pxe("PXEClient:Arch:00007:UNDI:003000"));
    assert_eq!((client.arch, client.wants_boot(), client.is_discover()), (Some(Arch::EfiX64), true, true));
    let system = Client::of(&ask(A, MessageType::Request).wants([10, 10, 10, 100]).packet());
    assert!(!system.wants_boot() && system.starts_afresh());
    let renewal = Client::of(&ask(A, MessageType::Request).from([10, 10, 10, 100]).packet());
    assert!(!renewal.starts_afresh());
}

#[test]
fn what_is_no_message_is_refused_with_the_reason() {
    let good = ask(A, MessageType::Discover).bytes();
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        Packet::decode(&bad)
    };
    assert_eq!(Packet::decode(&good[..100]), Err(Malformed::Short(100)));
    assert_eq!(with(0, 2), Err(Malformed::NotRequest(2)));
    assert_eq!(with(236, 0), Err(Malformed::NoMagic));
    assert_eq!(with(1, 6), Err(Malformed::NotEthernet(6, 6)));
    assert_eq!(with(2, 16), Err(Malformed::NotEthernet(1, 16)));
    assert_eq!(with(28, 1), Err(Malformed::BadMac(Mac([1, 0, 0, 0, 0, 0xa]))));
    assert_eq!(Packet::decode(&good[..240]), Err(Malformed::NoType));
}

impl Server {
    fn in_use_now(&self) -> Vec<Ipv4Addr> {
        self.quarantined().collect()
    }
}
