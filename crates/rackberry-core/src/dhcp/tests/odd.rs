//! Options as they should not be, and texts as their readers want them.

use super::*;
use crate::dhcp::Sender;

/// A DISCOVER or REQUEST with these bytes before and behind its own options.
fn with_bytes(kind: u8, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let mut bytes = ask(A, MessageType::Discover).bytes();
    bytes.truncate(240);
    bytes.extend(before);
    bytes.extend([53, 1, kind, 50, 4, 10, 10, 10, 102, 60, 9]);
    bytes.extend(b"PXEClient");
    bytes.extend([93, 2, 0, 7, 55, 3, 1, 3, 67]);
    bytes.extend(behind);
    bytes.push(255);
    bytes
}

fn option(code: u8, value: &[u8]) -> Vec<u8> {
    [&[code, u8::try_from(value.len()).unwrap()], value].concat()
}

/// That the rest of the packet was read.
fn is_read(bytes: &[u8]) {
    let packet = Packet::decode(bytes).unwrap_or_else(|error| panic!("{error}: {:?}", &bytes[240..]));
    assert_eq!((packet.kind(), packet.mac()), (MessageType::Discover, A));
    assert_eq!(packet.requested(), Some([10, 10, 10, 102].into()));
    assert!(packet.wants(OptionCode::BootfileName));
    assert!(!packet.wants(OptionCode::Hostname));
    let client = Client::of(&packet);
    assert_eq!((client.arch, client.is_pxe()), (Some(Arch::EfiX64), true));
    let outcome = server("").handle(&packet, &Boot::None, Guest::Known, Time(0));
    assert_eq!(kind_and_address(&outcome), Some((MessageType::Offer, [10, 10, 10, 102].into())));
}

#[test]
fn an_option_that_cannot_be_read_costs_itself_only() {
    let gbk = [0xb2, 0xc6, 0xce, 0xf1, 0xb5, 0xe7, 0xc4, 0xd4];
    for odd in [
        // Host names: Latin-1, GBK, rubbish, with a zero, empty.
        option(12, b"B\xfcro"),
        option(12, &gbk),
        option(12, &[0xff, 0xff]),
        option(12, b"host\0"),
        option(12, b"."),
        option(12, b""),
        // Lengths that the options don't have.
        option(57, &[5]),
        option(57, &[5, 0xdc, 0]),
        option(54, &[10, 10, 10]),
        option(61, b""),
        option(77, b""),
        option(97, b""),
        option(175, b""),
        option(52, b""),
        option(82, b""),
        option(81, &[0xff; 3]),
        option(116, b""),
        option(119, &[0xc0, 0xff, 0x3f]),
        option(124, &[0, 0, 0, 9, 200]),
        option(125, &[0, 0]),
        option(121, &[33, 1]),
        option(43, &[9, 255, 1]),
        // Unknown ones, padding, and one whose end is not there.
        option(224, &[0xff; 255]),
        vec![0; 60],
    ] {
        is_read(&with_bytes(1, &odd, &[]));
        is_read(&with_bytes(1, &[], &odd));
    }
    is_read(&with_bytes(1, &[], &[12, 200, b'x']));
    is_read(&with_bytes(1, &[], &[12]));
}

#[test]
fn a_longer_value_than_there_can_be_is_read_as_far_as_it_goes() {
    let bytes = with_bytes(1, &[], &[]);
    let mut long = bytes[..240].to_vec();
    long.extend(option(53, &[1, 0]));
    long.extend(option(50, &[10, 10, 10, 102, 0, 0]));
    long.extend(option(93, &[0, 7, 0, 0]));
    long.extend(option(60, b"PXEClient"));
    long.extend(option(55, &[1, 3, 67]));
    long.push(255);
    is_read(&long);
}

#[test]
fn texts_end_as_their_readers_want_them() {
    let more = "domain = 'rack.lan'\n[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:0a'";
    let boot = Boot::Load { server: ME, file: "grubx64.efi".into() };
    let asks = [12, 15, 66, 67].map(OptionCode::from).to_vec();
    for (name, end) in [(None, ""), (Some("host"), ""), (Some("host\0"), "\0")] {
        let mut discover = ask(A, MessageType::Discover).with(DhcpOption::ParameterRequestList(asks.clone()));
        if let Some(name) = name {
            discover = discover.with(DhcpOption::Hostname(name.into()));
        }
        let outcome = server(more).handle(&discover.packet(), &boot, Guest::Known, Time(0));
        let (_, offer) = sent(&outcome).expect("an offer");
        let get = |code: u8| offer.opts().get(code.into()).cloned();
        // As dnsmasq does: for everybody, because firmware takes the option's successors for the name's end.
        assert_eq!(get(67), Some(DhcpOption::BootfileName(b"grubx64.efi\0".to_vec())));
        assert_eq!(get(66), Some(DhcpOption::TFTPServerName(b"10.10.10.1\0".to_vec())));
        // As dnsmasq and ISC's server do: as the client itself writes them.
        assert_eq!(get(12), Some(DhcpOption::Hostname(format!("n1{end}"))), "{name:?}");
        assert_eq!(get(15), Some(DhcpOption::DomainName(format!("rack.lan{end}"))), "{name:?}");
    }
}

/// A boot file as firmware reads it that takes option 67 for a C string: wherever the option stands.
#[test]
fn option_67_read_as_a_c_string_is_the_boot_file() {
    let boot = Boot::Load { server: ME, file: "lpxelinux.0".into() };
    for asks in [vec![67], vec![67, 12, 15], vec![12, 15, 66, 67, 6], vec![]] {
        let list = asks.into_iter().map(OptionCode::from).collect::<Vec<_>>();
        let mut discover = ask(A, MessageType::Discover);
        if !list.is_empty() {
            discover = discover.with(DhcpOption::ParameterRequestList(list));
        }
        let outcome = server("domain = 'rack.lan'").handle(&discover.packet(), &boot, Guest::Known, Time(0));
        let Some(Action::Send(reply)) = outcome.actions.first() else { panic!("no offer") };
        let options = &reply.payload[240..];
        let at = options.windows(11).position(|bytes| bytes == b"lpxelinux.0").expect("the option");
        assert_eq!(options[at - 2..at], [67, 12]);
        assert_eq!(options[at..].split(|byte| *byte == 0).next(), Some(&b"lpxelinux.0"[..]));
    }
}

/// Who sent it counts as much as whom it names.
#[test]
fn only_its_sender_or_a_relay_agent_speaks_for_a_machine() {
    let sent_by = |mac, relay: Option<[u8; 4]>| {
        let mut ask = ask(A, MessageType::Request).wants([10, 10, 10, 101]);
        if let Some(relay) = relay {
            ask.message.set_giaddr(relay);
        }
        Packet::read(&ask.bytes(), Sender { mac, address: "10.10.10.7:68".parse().unwrap() }).unwrap()
    };
    assert!(sent_by(A, None).speaks_for_itself());
    assert!(!sent_by(B, None).speaks_for_itself());
    assert!(sent_by(B, Some([10, 10, 10, 2])).speaks_for_itself(), "a relay agent's frame");
}

#[test]
fn who_speaks_for_others_is_told_of_once_a_minute() {
    let spoofed = |number: u8| {
        let sender = Sender { mac: Mac([2, 0, 0, 0, 1, number]), address: "10.10.10.7:68".parse().unwrap() };
        Packet::read(&ask(A, MessageType::Release).bytes(), sender).unwrap()
    };
    let mut spoofs = Spoofs::default();
    let notice = spoofs.judge(&spoofed(1), Time(0)).unwrap_err().expect("news");
    let words = notice.to_string();
    assert!(words.contains("RELEASE in the name of 02:00:00:00:00:0a"), "{words}");
    assert!(words.contains("because 02:00:00:00:01:01 has sent it"), "{words}");
    assert_eq!(spoofs.judge(&spoofed(1), Time(59_999)), Err(None));
    assert!(spoofs.judge(&spoofed(1), Time(60_000)).unwrap_err().is_some());
    let told = (0..=255).filter(|number| spoofs.judge(&spoofed(*number), Time(61_000)) != Err(None)).count();
    assert!((20..40).contains(&told), "{told} of 256 at once");
}

/// Whoever writes a relay agent's address into a message speaks for machines that are beyond one, and for no others.
#[test]
fn a_relay_agent_speaks_for_machines_beyond_it_only() {
    let relay = Sender { mac: Mac([2, 0, 0, 0, 1, 1]), address: "10.10.10.2:67".parse().unwrap() };
    let relayed = |mac| {
        let mut ask = ask(mac, MessageType::Request).wants([10, 10, 10, 101]);
        ask.message.set_giaddr([10, 10, 10, 2]);
        Packet::read(&ask.bytes(), relay).unwrap()
    };
    let mut spoofs = Spoofs::default();
    assert_eq!(spoofs.judge(&relayed(A), Time(0)), Ok(()));
    assert_eq!(spoofs.judge(&relayed(A), Time(1)), Ok(()));
    assert_eq!(
        spoofs.judge(&ask(A, MessageType::Discover).packet(), Time(2)),
        Ok(()),
        "it is on the switch itself"
    );
    let notice = spoofs.judge(&relayed(A), Time(3)).unwrap_err().expect("news");
    assert!(notice.to_string().contains("as the relay agent 10.10.10.2"), "{notice}");
    assert_eq!(spoofs.judge(&relayed(B), Time(4)), Ok(()));
    // Half a day later it may have been plugged in elsewhere.
    assert_eq!(spoofs.judge(&relayed(A), Time(12 * 3_600_000 + 2)), Ok(()));
    // However many machines are heard, memory stays bounded.
    for number in 0..9000u32 {
        let [_, b, c, d] = number.to_be_bytes();
        let _ =
            spoofs.judge(&ask(Mac([2, 1, 0, b, c, d]), MessageType::Discover).packet(), Time(13 * 3_600_000));
    }
}

proptest! {
    /// Any bytes in any options of a client's, behind or before those that count: the packet is read.
    #[test]
    fn no_option_drops_a_packet(
        odd in proptest::collection::vec((1u8..255, proptest::collection::vec(any::<u8>(), 0..60)), 0..8),
        cut in proptest::collection::vec(any::<u8>(), 0..3),
    ) {
        // Those that count are what the test looks for; 52 moves options into fields that are not theirs here.
        let counts = |code: u8| [50, 52, 53, 55, 60, 93].contains(&code);
        let odd: Vec<u8> =
            odd.iter().filter(|(code, _)| !counts(*code)).flat_map(|(code, value)| option(*code, value)).collect();
        let before = with_bytes(1, &odd, &[]);
        let behind = with_bytes(1, &[], &[odd, cut].concat());
        for bytes in [before, behind] {
            let packet = Packet::decode(&bytes).unwrap();
            prop_assert_eq!((packet.kind(), packet.mac()), (MessageType::Discover, A));
            prop_assert_eq!(packet.requested(), Some([10, 10, 10, 102].into()));
            prop_assert_eq!(Client::of(&packet).arch, Some(Arch::EfiX64));
        }
    }
}
