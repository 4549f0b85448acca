//! Conversations of real firmware (tests/data/dhcp), replayed: every packet is understood, and every client is told
//! what it needs. What that is was found out with the firmware itself; here it stays so.

use std::{collections::BTreeSet, sync::LazyLock};

use dhcproto::v4::OptionCode;

use super::*;

mod read;

use read::*;

/// The server of the captures; the service has its address here.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const NODE: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 1]);
const UBOOT: Mac = Mac([0x52; 6]);
const OVERFLOW: u8 = 52;

/// Who asks, as the facts about boot clients tell them apart; the number is option 93.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ipxe(u16),
    Pxe(u16),
    Http(u16),
    Uboot,
    System,
}

const EVERYBODY: [Who; 8] = [
    Who::Ipxe(0),
    Who::Ipxe(7),
    Who::Pxe(7),
    Who::Pxe(11),
    Who::Http(16),
    Who::Http(19),
    Who::Uboot,
    Who::System,
];

fn who(payload: &[u8]) -> Who {
    let options = options(payload);
    let value = |wanted: u8| options.iter().find(|(code, _)| *code == wanted).map(|(_, value)| *value);
    let arch = value(93).map(|value| u16::from_be_bytes(value.try_into().unwrap()));
    let class = value(60).unwrap_or_default();
    match arch {
        Some(22) => Who::Uboot,
        Some(arch) if value(175).is_some() => Who::Ipxe(arch),
        Some(arch) if class.starts_with(b"PXEClient") => Who::Pxe(arch),
        Some(arch) if class.starts_with(b"HTTPClient") => Who::Http(arch),
        _ => Who::System,
    }
}

fn decoded(payload: &[u8]) -> Message {
    Message::decode(&mut Decoder::new(payload)).unwrap()
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

/// A service with every loader, and a system for both kinds of processor.
pub(super) fn stocked(network: &str, nodes: &[(&str, Mac)], own: &[&str]) -> World {
    let nodes = nodes.iter().map(|(name, mac)| format!("[[node]]\nname = '{name}'\nmac = '{mac}'\n"));
    let text = format!(
        "[network]\n{network}\n[dhcp]\nprobe = false\n[assets]\nverify = 'unsigned-ok'\n{}",
        nodes.collect::<String>()
    );
    let settings = Arc::new(config::parse(&[("test".into(), text)]).unwrap());
    let mut world = World::with(settings, stock(own));
    world.appliance.linked(Mac([2, 0, 0, 0, 0, 0xee]), NOW);
    world
}

fn stock(own: &[&str]) -> Arc<Catalog> {
    let files = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"];
    let mut assets: Vec<Found> = own.iter().map(|name| found(name, None)).collect();
    for folder in ["", "arm64-usr/"] {
        let path = |name: &str| format!("coreos/1010.5.0/{folder}coreos_production_{name}");
        assets.extend(files.iter().map(|name| found(&path(name), None)));
    }
    assets.push(found("cloud-configs/default.yml.j2", Some("#cloud-config\nhostname: {{ node.name }}\n")));
    let pis = ["bootcode.bin", "config.txt", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"];
    let pis = pis.iter().chain(&["bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb"]);
    let pis = pis.map(|name| found(&format!("raspberry-pi/{name}"), None));
    let loaders = crate::boot::files();
    let loaders = Folder::new("loaders".into(), loaders.map(|name| found(name, None)).chain(pis));
    // The signing keys are read once.
    Arc::new(Catalog::new(vec![Folder::new("assets".into(), assets)], loaders, Some(&catalog())).all_good())
}

fn world(mode: &str) -> World {
    let network = format!("mode = '{mode}'\naddress = '{HERE}/24'");
    let mut world = stocked(&network, &[("node", NODE), ("uboot", UBOOT)], &[]);
    assert!(matches!(world.arm(false, &[]), Answer::Done(_)));
    world
}

/// What the service says to a client's datagram.
pub(super) fn said(world: &mut World, payload: &[u8], boot_server: Option<SocketAddrV4>) -> Option<Message> {
    let packet = dhcp::Packet::decode(payload).unwrap();
    let outcome = match boot_server {
        Some(peer) => world.appliance.boot_server_packet(&packet, peer, world.now),
        None => world.appliance.packet(&packet, world.now),
    };
    let said = outcome.effects.iter().find_map(|effect| match effect {
        Effect::Dhcp(dhcp::Action::Send(reply)) => Some(decoded(&reply.payload)),
        _ => None,
    });
    world.take(outcome);
    said
}

/// The file, in the header or in option 67.
fn file_of(message: &Message) -> String {
    let bytes = match message.opts().get(OptionCode::BootfileName) {
        Some(DhcpOption::BootfileName(name)) => name.clone(),
        _ => message.fname().unwrap_or_default().to_vec(),
    };
    String::from_utf8(bytes).unwrap().trim_end_matches('\0').to_owned()
}

fn class_of(message: &Message) -> Option<&[u8]> {
    match message.opts().get(OptionCode::ClassIdentifier) {
        Some(DhcpOption::ClassIdentifier(class)) => Some(class),
        _ => None,
    }
}

fn script_of(mac: Mac) -> String {
    format!("http://{HERE}/boot.ipxe?mac={mac}")
}

#[test]
fn every_packet_is_understood_and_survives_being_written_again() {
    for (name, datagrams) in captures() {
        for (number, datagram) in datagrams.iter().enumerate() {
            let theirs = decoded(&datagram.payload);
            assert_eq!(decoded(&encoded(&theirs)), theirs, "{name} {number}");
            if !datagram.is_clients() {
                assert!(dhcp::Packet::decode(&datagram.payload).is_err(), "{name} {number} is a server's");
                continue;
            }
            let packet = dhcp::Packet::decode(&datagram.payload).unwrap();
            let again = dhcp::Packet::decode(&encoded(packet.message())).unwrap();
            assert_eq!(again, packet, "{name} {number}");
            assert_eq!(
                (packet.message().xid(), packet.mac().0.as_slice()),
                (theirs.xid(), theirs.chaddr()),
                "{name} {number}"
            );
            for (code, option) in packet.message().opts().iter() {
                assert_eq!(theirs.opts().get(*code), Some(option), "{name} {number}");
            }
            for code in [50, 53, 54, 55, 57, 60, 77, 93, 97, 175].map(OptionCode::from) {
                let kept = packet.message().opts().contains(code);
                assert_eq!(kept, theirs.opts().contains(code), "{name} {number}: {code:?}");
            }
        }
    }
}

/// The first table of the facts: who sends which options in a DISCOVER, in order. Whoever is in it has a capture.
#[test]
fn every_kind_of_client_is_among_the_captures_and_as_it_was_described() {
    let mut seen = BTreeSet::new();
    for (name, datagrams) in captures() {
        for Datagram { payload, .. } in datagrams.iter().filter(|datagram| datagram.is_clients()) {
            let client = who(payload);
            let options = options(payload);
            if options[0] != (53, &[1]) {
                continue;
            }
            seen.insert(client);
            let codes: Vec<u8> = options.iter().map(|(code, _)| *code).filter(|code| *code != 0).collect();
            let expected: &[u8] = match client {
                Who::Ipxe(_) => &[53, 57, 93, 94, 60, 77, 55, 175, 61, 97],
                Who::Pxe(_) | Who::Http(_) => &[53, 57, 55, 97, 94, 93, 60],
                Who::Uboot => &[53, 57, 93, 94, 60, 55],
                Who::System => continue,
            };
            assert_eq!(codes, expected, "{name}: {client:?}");
            let client = dhcp::Client::of(&dhcp::Packet::decode(payload).unwrap());
            assert!(client.wants_boot() && client.is_discover() && client.starts_afresh(), "{name}");
        }
    }
    assert_eq!(seen, BTreeSet::from(EVERYBODY));
}

/// Alone on the network: an address, and what each kind of client boots with.
#[test]
fn alone_every_client_hears_what_it_needs() {
    let mut served = BTreeSet::new();
    for (name, datagrams) in captures() {
        let mut world = world("full");
        for (number, datagram) in datagrams.iter().filter(|datagram| datagram.is_clients()).enumerate() {
            let at = format!("{name}, client's packet {number}");
            let boot_server = (datagram.to.port() == 4011).then_some(datagram.from);
            let asked = dhcp::Packet::decode(&datagram.payload).unwrap();
            let answer = said(&mut world, &datagram.payload, boot_server);
            let is_ours = asked.kind() == MessageType::Discover || asked.server() == Some(HERE);
            assert_eq!(answer.is_some(), is_ours && boot_server.is_none(), "{at}");
            let Some(answer) = answer else { continue };
            served.insert((who(&datagram.payload), asked.kind() == MessageType::Discover));
            has_an_address(&answer, &asked, &at);
            boots(&answer, &datagram.payload, &asked, &at);
        }
    }
    let both = |who| [(who, true), (who, false)];
    assert_eq!(served, EVERYBODY.into_iter().flat_map(both).collect());
}

fn has_an_address(answer: &Message, asked: &dhcp::Packet, at: &str) {
    let kind = if asked.kind() == MessageType::Discover { MessageType::Offer } else { MessageType::Ack };
    assert_eq!((answer.opts().msg_type(), answer.xid()), (Some(kind), asked.message().xid()), "{at}");
    assert!(HERE.octets()[..3] == answer.yiaddr().octets()[..3], "{at}: {}", answer.yiaddr());
    if let Some(wanted) = asked.requested() {
        assert_eq!(answer.yiaddr(), wanted, "{at}");
    }
    let server = DhcpOption::ServerIdentifier(HERE);
    assert_eq!(answer.opts().get(OptionCode::ServerIdentifier), Some(&server), "{at}");
    for code in [51, 58, 59, 1, 28].map(OptionCode::from) {
        assert!(answer.opts().contains(code), "{at}: {code:?}");
    }
    assert!(!answer.opts().contains(OptionCode::from(OVERFLOW)), "{at}: some firmware knows no overload");
}

/// What a full answer names for a client to boot.
fn boots(answer: &Message, payload: &[u8], asked: &dhcp::Packet, at: &str) {
    let (file, client) = (file_of(answer), who(payload));
    match client {
        Who::Ipxe(_) => assert_eq!(file, script_of(asked.mac()), "{at}"),
        Who::Pxe(7) => assert_eq!(file, "grubx64.efi", "{at}"),
        Who::Pxe(11) => assert_eq!(file, "grubaa64.efi", "{at}"),
        Who::Http(arch) => {
            let name = if arch == 16 { "grubx64.efi" } else { "grubaa64.efi" };
            assert_eq!(file, format!("http://{HERE}/{name}"), "{at}");
            assert!(answer.opts().contains(OptionCode::BootfileName), "{at}: a URL's place is option 67");
            assert_eq!(class_of(answer), Some(&b"HTTPClient"[..]), "{at}");
        }
        Who::Uboot | Who::System => assert_eq!(file, "", "{at}"),
        Who::Pxe(_) => panic!("{at}: {client:?}"),
    }
    let siaddr = if client == Who::System { Ipv4Addr::UNSPECIFIED } else { HERE };
    assert_eq!(answer.siaddr(), siaddr, "{at}");
}

/// Beside a router: no address, an OFFER for those who understand one, and the file on port 4011 at the latest.
#[test]
fn beside_a_router_every_client_hears_what_it_needs() {
    let (mut offered, mut asked_again) = (BTreeSet::new(), BTreeSet::new());
    for (name, datagrams) in captures() {
        let mut world = world("proxy");
        for (number, datagram) in datagrams.iter().filter(|datagram| datagram.is_clients()).enumerate() {
            let at = format!("{name}, client's packet {number}");
            let client = who(&datagram.payload);
            let asked = dhcp::Packet::decode(&datagram.payload).unwrap();
            let boot_server = (datagram.to.port() == 4011).then_some(datagram.from);
            let answer = said(&mut world, &datagram.payload, boot_server);
            let on_67 = asked.kind() == MessageType::Discover && boot_server.is_none();
            let understands = !matches!(client, Who::Uboot | Who::System);
            assert_eq!(answer.is_some(), understands && (on_67 || boot_server.is_some()), "{at}");
            let Some(answer) = answer else { continue };
            names_the_boot_server(&answer, client, &datagram.payload, &at);
            let file = file_of(&answer);
            if boot_server.is_some() {
                asked_again.insert(client);
                assert!(!file.is_empty(), "{at}: nobody is asked after this");
            } else {
                offered.insert(client);
            }
            match client {
                Who::Ipxe(_) => assert_eq!(file, script_of(asked.mac()), "{at}"),
                Who::Http(16) => assert_eq!(file, format!("http://{HERE}/grubx64.efi"), "{at}"),
                Who::Http(_) => assert_eq!(file, format!("http://{HERE}/grubaa64.efi"), "{at}"),
                Who::Pxe(7) if !file.is_empty() => assert_eq!(file, "snponly.efi", "{at}"),
                Who::Pxe(_) if !file.is_empty() => assert_eq!(file, "ipxe-arm64.efi", "{at}"),
                _ => {}
            }
        }
    }
    let understanding = EVERYBODY.into_iter().filter(|who| !matches!(who, Who::Uboot | Who::System));
    assert_eq!(offered, understanding.collect());
    assert_eq!(asked_again, BTreeSet::from([Who::Ipxe(0), Who::Pxe(7), Who::Pxe(11)]));
}

fn names_the_boot_server(answer: &Message, client: Who, payload: &[u8], at: &str) {
    assert_eq!((answer.yiaddr(), answer.siaddr()), (Ipv4Addr::UNSPECIFIED, HERE), "{at}");
    let own: &[u8] = if matches!(client, Who::Http(_)) { b"HTTPClient" } else { b"PXEClient" };
    assert_eq!(class_of(answer), Some(own), "{at}");
    let server = DhcpOption::ServerIdentifier(HERE);
    assert_eq!(answer.opts().get(OptionCode::ServerIdentifier), Some(&server), "{at}");
    let id = decoded(payload).opts().get(OptionCode::ClientMachineIdentifier).cloned();
    assert_eq!(answer.opts().get(OptionCode::ClientMachineIdentifier).cloned(), id, "{at}");
    for code in [51, 58, 59, 1, 3].map(OptionCode::from) {
        assert!(!answer.opts().contains(code), "{at}: {code:?} is the router's business");
    }
}

/// However iPXE says that it is iPXE, it gets its script; a loader would lead it to itself again.
#[test]
fn ipxe_gets_its_script_by_any_of_its_marks() {
    let own = OptionCode::from(175);
    let mut tried = 0;
    for (name, datagrams) in captures() {
        let clients = datagrams.iter().filter(|datagram| datagram.is_clients());
        let ipxes = clients.filter(|datagram| matches!(who(&datagram.payload), Who::Ipxe(_)));
        let messages = ipxes.map(|datagram| decoded(&datagram.payload));
        for raw in messages.filter(|raw| raw.opts().msg_type() == Some(MessageType::Discover)) {
            let class = DhcpOption::UserClass(b"iPXE".to_vec());
            assert_eq!(raw.opts().get(OptionCode::UserClass), Some(&class), "{name}: raw");
            let mut prefixed = raw.clone();
            prefixed.opts_mut().insert(DhcpOption::UserClass(b"\x04iPXE".to_vec()));
            let mut by_class = raw.clone();
            by_class.opts_mut().remove(own);
            let mut by_prefixed_class = prefixed.clone();
            by_prefixed_class.opts_mut().remove(own);
            let mut by_own = raw.clone();
            by_own.opts_mut().remove(OptionCode::UserClass);
            let marked = [raw, prefixed, by_class, by_prefixed_class, by_own];
            for (number, message) in marked.iter().enumerate() {
                for mode in ["full", "proxy"] {
                    let answer = said(&mut world(mode), &encoded(message), None).expect("an answer");
                    assert_eq!(file_of(&answer), script_of(NODE), "{name} {number} {mode}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 100, "{tried}");
}

proptest! {
    /// Whatever becomes of a client's packet on its way: nothing breaks, and what is answered can be read.
    #[test]
    fn a_damaged_packet_breaks_nothing(which: usize, at: usize, byte: u8, cut in 0..80usize, mode in prop::sample::select(&["full", "proxy"][..])) {
        static PACKETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            let all = captures().into_iter().flat_map(|(_, datagrams)| datagrams);
            all.filter(Datagram::is_clients).map(|datagram| datagram.payload).collect()
        });
        let mut payload = PACKETS[which % PACKETS.len()].clone();
        let at = at % payload.len();
        payload[at] = byte;
        payload.truncate(payload.len() - cut);
        if dhcp::Packet::decode(&payload).is_ok() {
            let mut world = world(mode);
            said(&mut world, &payload, None);
            said(&mut world, &payload, Some(SocketAddrV4::new(HERE, 4011)));
        }
    }
}
