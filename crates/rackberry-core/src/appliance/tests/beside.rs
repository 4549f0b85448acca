//! Beside another DHCP server, and before it is known whether there is one.

use super::*;

/// In mode `auto`: from the moment that another server is seen nothing goes out, what waits for a probe included.
#[test]
fn no_offer_goes_out_before_the_look_ends_or_beside_another_server() {
    let text = "[dhcp]\nprobe = true\n[assets]\nverify = 'unsigned-ok'\n".to_owned();
    let settings = Arc::new(config::parse(&[("test".into(), text)]).unwrap());
    let mut appliance = Appliance::new(settings, catalog(), Stored::default(), [7; 32], NOW);
    let none = Ipv4Addr::UNSPECIFIED;
    let mut discover = Message::new_with_id(7, none, none, none, none, &ONE.0);
    discover.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
    let mut bytes = Vec::new();
    discover.encode(&mut Encoder::new(&mut bytes)).unwrap();
    let discover = dhcp::Packet::decode(&bytes).unwrap();
    let probe = |outcome: &Outcome| {
        outcome.effects.iter().find_map(|effect| match effect {
            Effect::Dhcp(dhcp::Action::Probe(id, _)) => Some(*id),
            Effect::Dhcp(dhcp::Action::Send(reply)) => panic!("{reply:?} went out"),
            _ => None,
        })
    };
    let offers = |outcome: &Outcome| {
        outcome.effects.iter().any(|effect| matches!(effect, Effect::Dhcp(dhcp::Action::Send(_))))
    };
    assert_eq!(probe(&appliance.packet(&discover, NOW)), None, "no interface yet");
    appliance.linked(Mac([2, 0, 0, 0, 0, 0xee]), NOW);
    assert_eq!(probe(&appliance.packet(&discover, NOW + Duration::from_secs(4))), None, "still looking");
    let later = NOW + Duration::from_secs(6);
    appliance.tick(later);
    let parked = probe(&appliance.packet(&discover, later)).expect("a probe");
    let from = dhcp::Sender { mac: TWO, address: SocketAddrV4::new([10, 10, 10, 254].into(), 67) };
    let other = dhcp::ServerReply { server: *from.address.ip(), from, client: TWO, xid: 1, is_answer: true };
    appliance.server_reply(&other, later);
    assert!(!offers(&appliance.probed(parked, None, later)), "the other server was seen meanwhile");
    assert_eq!(probe(&appliance.packet(&discover, later)), None);
    // After its silence the same machine is served.
    let end = later + Duration::from_secs(200);
    appliance.tick(end);
    let parked = probe(&appliance.packet(&discover, end)).expect("a probe");
    assert!(offers(&appliance.probed(parked, None, end)));
}

/// What a proxied machine hears, and its file: from port 67, or from port 4011.
pub(super) fn told(outcome: &Outcome) -> Option<(Ipv4Addr, String)> {
    outcome.effects.iter().find_map(|effect| match effect {
        Effect::Dhcp(dhcp::Action::Send(reply)) => {
            let message = Message::decode(&mut Decoder::new(&reply.payload)).unwrap();
            let file = String::from_utf8(message.fname().unwrap_or_default().to_vec()).unwrap();
            Some((message.yiaddr(), file.trim_end_matches('\0').to_owned()))
        }
        _ => None,
    })
}

pub(super) fn pxe(mac: Mac, kind: MessageType, class: &str, more: &[DhcpOption]) -> dhcp::Packet {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac.0);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message.opts_mut().insert(DhcpOption::ClassIdentifier(class.as_bytes().to_vec()));
    more.iter().cloned().for_each(|option| drop(message.opts_mut().insert(option)));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    dhcp::Packet::decode(&bytes).unwrap()
}

/// Beside a router: no address from here, the loader of each kind of client, and machines are known by what they say
/// to the router.
#[test]
fn beside_a_router_machines_are_told_what_to_boot_and_known_by_their_requests() {
    const UEFI: &str = "PXEClient:Arch:00007:UNDI:003000";
    const IPXE_UEFI: &str = "PXEClient:Arch:00007:UNDI:003010";
    const SCRIPT: &str = "http://10.10.10.1/boot.ipxe?mac=52:54:00:00:00:01";
    let mut world = World::of(settings_in("proxy"));
    let ipxe = [DhcpOption::UserClass(b"iPXE".to_vec())];
    let peer: Ipv4Addr = [10, 10, 10, 150].into();
    let boot_server = SocketAddrV4::new(peer, 4011);
    let given =
        [DhcpOption::ServerIdentifier([10, 10, 10, 254].into()), DhcpOption::RequestedIpAddress(peer)];
    let hears = |world: &mut World, kind, class: &str, more: &[DhcpOption]| {
        let now = world.now;
        let outcome = world.appliance.packet(&pxe(ONE, kind, class, more), now);
        let told = told(&outcome);
        world.take(outcome);
        told
    };
    // Disarmed: a listed UEFI machine is led to its disk, a BIOS goes there by itself.
    let none = Ipv4Addr::UNSPECIFIED;
    let discover = MessageType::Discover;
    assert_eq!(
        hears(&mut world, discover, UEFI, &[]),
        Some((none, String::new())),
        "asked again on port 4011"
    );
    let ack =
        world.appliance.boot_server_packet(&pxe(ONE, MessageType::Request, UEFI, &[]), boot_server, NOW);
    assert_eq!(told(&ack), Some((none, "diskx64.efi".into())));
    assert_eq!(hears(&mut world, discover, "PXEClient:Arch:00000:UNDI:002001", &ipxe), None);
    // Armed.
    world.arm(false, &[]);
    assert_eq!(hears(&mut world, discover, UEFI, &[]), Some((none, String::new())));
    assert_eq!(world.node(ONE).stage, Stage::Discovered);
    assert_eq!(hears(&mut world, MessageType::Request, UEFI, &given), None, "the router's to answer");
    assert_eq!(world.node(ONE).address, Some(peer), "known by its REQUEST");
    let now = world.now;
    let ack =
        world.appliance.boot_server_packet(&pxe(ONE, MessageType::Request, UEFI, &[]), boot_server, now);
    assert_eq!(told(&ack), Some((none, "snponly.efi".into())));
    let Answer::File { transfer: Some(transfer), .. } = world.get_from(peer, "/snponly.efi") else {
        panic!("no loader")
    };
    let progress = Progress { transfer, total: 9, start: 0, sent: 9, end: Some(TransferEnd::Complete) };
    let outcome = world.appliance.progress(progress, now);
    world.take(outcome);
    assert_eq!(world.node(ONE).stage, Stage::Loading);
    assert_eq!(world.node(ONE).offer_style, Some(crate::ids::OfferStyle::RoundTrip));
    // The iPXE that it was given asks anew: that is no new start of the machine.
    assert_eq!(hears(&mut world, discover, IPXE_UEFI, &ipxe), Some((none, SCRIPT.into())));
    assert_eq!(world.node(ONE).stage, Stage::Loading);
    let Answer::Text { body, .. } = world.get_from(peer, "/boot.ipxe?mac=52:54:00:00:00:01") else {
        panic!("no script")
    };
    assert!(body.contains("kernel http://10.10.10.1/g/"), "{body}");
    // It survives a restart by whom it knows, and the script is nobody else's.
    world.restart_in("proxy");
    assert_eq!(world.appliance.node_views(world.now)[0].address, Some(peer));
    let other = world.get_from([10, 10, 10, 151].into(), "/boot.ipxe?mac=52:54:00:00:00:01");
    assert!(matches!(other, Answer::Refused(Refusal::Forbidden(_))), "{other:?}");
}
