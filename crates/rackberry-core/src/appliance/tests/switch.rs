//! One machine does not speak for another: who sends a packet or asks for a file is told by the switch.

use super::*;
use crate::dhcp::Sender;

const UEFI: &str = "PXEClient:Arch:00007:UNDI:003000";
const BIOS: &str = "PXEClient:Arch:00000:UNDI:002001";
const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// On the switch, and nobody's node.
const THIEF: Mac = Mac([2, 0, 0, 0, 0, 9]);

/// A machine's message, in the frame of another.
pub(super) fn sent_by(
    sender: Mac,
    address: Ipv4Addr,
    mac: Mac,
    kind: MessageType,
    more: &[DhcpOption],
) -> dhcp::Packet {
    let mut message = Message::new_with_id(7, NONE, NONE, NONE, NONE, &mac.0);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message.opts_mut().insert(DhcpOption::ClassIdentifier(UEFI.into()));
    more.iter().cloned().for_each(|option| drop(message.opts_mut().insert(option)));
    if matches!(kind, MessageType::Release | MessageType::Inform) {
        message.set_ciaddr(address);
    }
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    let sender = Sender { mac: sender, address: SocketAddrV4::new(address, 68) };
    dhcp::Packet::read(&bytes, sender).unwrap()
}

impl World {
    fn hears(&mut self, packet: &dhcp::Packet) -> Outcome {
        let outcome = self.appliance.packet(packet, self.now);
        let copy = Outcome { changes: outcome.changes.clone(), effects: Vec::new() };
        self.take(copy);
        outcome
    }

    /// What a machine gets that has an address, as the switch tells.
    fn get_by(&mut self, address: Ipv4Addr, hardware: Option<Mac>, path: &str) -> Answer {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let target = route::parse(path, query).unwrap();
        let from = Requester { address, hardware };
        self.ask(Ask::Fetch { from, via: Via::Http, extent: Extent::Whole, target })
    }
}

fn notes(outcome: &Outcome) -> Vec<String> {
    let notes = outcome.effects.iter().filter_map(|effect| match effect {
        Effect::Note(note) => Some(note.to_string()),
        _ => None,
    });
    notes.collect()
}

/// Two plain datagrams: give up the own lease, and ask for the same address in the victim's name. Then the address would be
/// the victim's, with its configuration and its secrets.
#[test]
fn nobody_gets_an_address_in_another_machines_name() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    let theirs = address(ONE);
    for kind in [
        MessageType::Discover,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Release,
        MessageType::Inform,
    ] {
        for wanted in [theirs, [10, 10, 10, 150].into()] {
            let more = [
                DhcpOption::ServerIdentifier([10, 10, 10, 1].into()),
                DhcpOption::RequestedIpAddress(wanted),
            ];
            let outcome = world.hears(&sent_by(THIEF, wanted, ONE, kind, &more));
            assert!(outcome.changes.is_empty(), "{kind:?}: {:?}", outcome.changes);
            assert!(outcome.effects.iter().all(|effect| matches!(effect, Effect::Note(_))), "{kind:?}");
            assert_eq!(world.node(ONE).address, Some(theirs));
        }
    }
    // Its own message counts.
    let release = sent_by(ONE, theirs, ONE, MessageType::Release, &[]);
    assert!(!world.hears(&release).changes.is_empty());
}

#[test]
fn who_speaks_for_others_is_named_in_the_log_once() {
    let mut world = World::new();
    let spoofed = sent_by(THIEF, address(ONE), ONE, MessageType::Request, &[]);
    let said = notes(&world.hears(&spoofed));
    assert!(
        matches!(&said[..], [words] if words.contains("02:00:00:00:00:09") && words.contains(&ONE.to_string())),
        "{said:?}"
    );
    assert_eq!(notes(&world.hears(&spoofed)), [""; 0], "not again at once");
}

/// Beside a router: a datagram to port 4011, or a REQUEST that the router is to answer, tells of its sender only.
#[test]
fn beside_a_router_nobody_takes_another_machines_place() {
    let mut world = World::of(settings_in("proxy"));
    world.arm(false, &[]);
    let place: Ipv4Addr = [10, 10, 10, 151].into();
    let requested = [DhcpOption::RequestedIpAddress(place)];
    let request = sent_by(THIEF, place, ONE, MessageType::Request, &requested);
    assert!(world.hears(&request).changes.is_empty());
    let boot_server = SocketAddrV4::new(place, 4011);
    let mut message = Message::new_with_id(7, place, NONE, NONE, NONE, &ONE.0);
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Request));
    message.opts_mut().insert(DhcpOption::ClassIdentifier(UEFI.into()));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    let mut relayed = bytes.clone();
    relayed[24..28].copy_from_slice(&place.octets());
    for (mac, bytes, learns) in [(THIEF, &bytes, false), (THIEF, &relayed, false), (ONE, &bytes, true)] {
        let packet = dhcp::Packet::read(bytes, Sender { mac, address: boot_server }).unwrap();
        let outcome = world.appliance.boot_server_packet(&packet, boot_server, world.now);
        assert_eq!(!outcome.changes.is_empty(), learns, "{mac}: {outcome:?}");
        assert_eq!(told(&outcome).is_some(), learns, "{mac}");
        world.take(outcome);
    }
    assert_eq!(world.node(ONE).address, Some(place));
}

/// Beside a router, whose REQUESTs need not be heard: a machine is known by the hardware address that answers for its network
/// address, and by nothing that it says of itself.
#[test]
fn beside_a_router_the_switch_tells_who_asks() {
    let mut world = World::of(settings_in("proxy"));
    world.arm(false, &[]);
    let discover = pxe(ONE, MessageType::Discover, BIOS, &[]);
    world.hears(&discover);
    let (peer, thief): (Ipv4Addr, Ipv4Addr) = ([10, 10, 10, 150].into(), [10, 10, 10, 151].into());
    let named = [
        "/pxelinux.cfg/01-52-54-00-00-00-01",
        "/grub/grub.cfg-01-52-54-00-00-00-01",
        "/boot.ipxe?mac=52:54:00:00:00:01",
    ];
    for hardware in [None, Some(THIEF), Some(TWO)] {
        for path in named {
            let answer = world.get_by(thief, hardware, path);
            let installs = matches!(&answer, Answer::Text { body, .. } if body.contains("vmlinuz"));
            assert!(!installs, "{hardware:?} {path}: {answer:?}");
        }
    }
    let Answer::Text { body, .. } = world.get_by(peer, Some(ONE), named[0]) else { panic!("no menu") };
    assert!(body.contains("KERNEL"), "{body}");
    assert_eq!(world.node(ONE).address, Some(peer));
    // It has another address at its next start (another lease of the router's), and is known at once.
    let other: Ipv4Addr = [10, 10, 10, 152].into();
    assert!(is_given(&world.get_by(other, Some(ONE), named[0])));
    assert_eq!(world.node(ONE).address, Some(other));
}

#[test]
fn beside_a_router_other_machines_leave_no_trace() {
    let mut world = World::of(settings_in("proxy"));
    let place: Ipv4Addr = [10, 10, 10, 151].into();
    let wants = [DhcpOption::RequestedIpAddress(place)];
    let outcome = world.hears(&pxe(THIEF, MessageType::Request, "udhcp", &wants));
    assert!(outcome.changes.is_empty(), "{:?}", outcome.changes);
    world.get_by(place, Some(THIEF), "/pxelinux.0");
    assert!(world.leases.is_empty(), "nobody's business");
    // With addresses of its own, leases tell who is who.
    let mut world = World::new();
    world.get_by(place, Some(ONE), "/pxelinux.0");
    assert!(world.leases.is_empty());
}
