//! Raspberry Pis, by packets in the form that their documentation and others' captures show: the ROMs of the Pi 3B and
//! 3B+, the bootloaders of the Pi 4 and 5. They go by TFTP to U-Boot, and that to the kernel.

use dhcproto::v4::{Architecture, OptionCode, UnknownOption};

use super::{
    captures::{said, stocked},
    *,
};

mod kinds;

use kinds::*;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 254);
/// What the router gives.
const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 150);
const PXE: &str = "PXEClient:Arch:00000:UNDI:002001";
/// U-Boot's, as it asks for pxelinux's menus, and as UEFI does.
const UBOOT: &str = "U-Boot.armv8";
const UBOOT_EFI: &str = "PXEClient:Arch:0000b:UNDI:003000";
/// Option 43, in the documentation's packet.
const MENU: &[u8] = b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";
const MENU_3B: &[u8] = b"\x06\x01\x03\x0a\x04\x00PXE\x09\x17\x00\x00\x14Raspberry Pi Boot   \xff";
/// The board's revision, as option 97 has it.
const REVISION: [u8; 4] = [0x11, 0x31, 0xa0, 0];
const CONFIG: &str = "raspberry-pi/config.txt";
const LOADER: &str = "raspberry-pi/u-boot.bin";

/// A client's message.
fn message(mac: Mac, kind: MessageType, class: Option<&str>, arch: u16) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(0x26f3_0339, none, none, none, none, &mac.0);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ClientSystemArchitecture(Architecture::from(arch)));
    options.insert(DhcpOption::Unknown(UnknownOption::new(94.into(), vec![1, 2, 1])));
    if let Some(class) = class {
        options.insert(DhcpOption::ClassIdentifier(class.as_bytes().to_vec()));
    }
    message
}

/// It chooses a server's offer.
fn choose(message: &mut Message, server: Ipv4Addr, address: Ipv4Addr) {
    message.opts_mut().insert(DhcpOption::ServerIdentifier(server));
    message.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
}

fn bytes(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

impl Pi {
    fn message(&self, kind: MessageType) -> Message {
        let class = if kind == MessageType::Request { self.requests == Some(true) } else { true };
        let mut message = message(self.mac, kind, class.then_some(PXE), 0);
        let options = message.opts_mut();
        let asks = self.asks.iter().map(|code| OptionCode::from(*code)).collect();
        options.insert(DhcpOption::ParameterRequestList(asks));
        options.insert(DhcpOption::ClientMachineIdentifier([&[0], &self.id[..]].concat()));
        message
    }

    fn world(&self, mode: &str, own: &[&str]) -> World {
        let network = format!("mode = '{mode}'");
        stocked(&network, &[("pi", self.mac)], own)
    }

    /// It is switched on and has an address: from here, or from the router.
    fn start(&self, world: &mut World, mode: &str) -> (Option<Message>, Ipv4Addr) {
        let offer = said(world, &bytes(&self.message(MessageType::Discover)), None);
        let address = match mode {
            "full" => offer.as_ref().expect("an OFFER").yiaddr(),
            _ => GIVEN,
        };
        if self.requests.is_some() {
            let mut request = self.message(MessageType::Request);
            choose(&mut request, if mode == "full" { HERE } else { ROUTER }, address);
            let ack = said(world, &bytes(&request), None);
            assert_eq!(ack.is_some(), mode == "full", "the router's to answer");
            assert!(ack.is_none_or(|ack| ack.opts().msg_type() == Some(MessageType::Ack)));
        }
        (offer, address)
    }

    /// U-Boot asks, from the same address.
    fn uboot_asks(&self, world: &mut World, mode: &str, address: Ipv4Addr, class: &str, arch: u16) {
        for kind in [MessageType::Discover, MessageType::Request] {
            let mut message = message(self.mac, kind, Some(class), arch);
            let codes = [1, 3, 6, 12, 17].map(OptionCode::from).to_vec();
            message.opts_mut().insert(DhcpOption::ParameterRequestList(codes));
            if kind == MessageType::Request {
                choose(&mut message, if mode == "full" { HERE } else { ROUTER }, address);
            }
            let answer = said(world, &bytes(&message), None);
            assert_eq!(
                answer.is_some(),
                mode == "full",
                "{class}: it would take a proxy's offer for the only one"
            );
            let Some(answer) = answer else { continue };
            assert_eq!((answer.yiaddr(), answer.siaddr()), (address, HERE));
            let file = answer.fname().map(|name| name.split(|byte| *byte == 0).next().unwrap().to_vec());
            let loader = if arch == 11 { &b"grubaa64.efi"[..] } else { b"" };
            assert_eq!(file.unwrap_or_default(), loader, "{class}");
        }
    }
}

fn tftp(world: &mut World, peer: Ipv4Addr, name: &str) -> Answer {
    tftp_of(world, at(peer), name)
}

fn tftp_of(world: &mut World, from: Requester, name: &str) -> Answer {
    let target = route::tree(name).unwrap();
    let answer = world.ask(Ask::Fetch { from, via: Via::Tftp, extent: Extent::Whole, target });
    if let Answer::File { transfer: Some(transfer), .. } = answer {
        let end = Some(TransferEnd::Complete);
        let outcome =
            world.appliance.progress(Progress { transfer, total: 9, start: 0, sent: 9, end }, world.now);
        world.take(outcome);
    }
    answer
}

/// The path of the file that is sent.
fn sent(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::File { path, .. } => path.to_str(),
        Answer::Refused(Refusal::NotFound(_)) => None,
        other => panic!("{other:?}"),
    }
}

fn option(message: &Message, code: u8) -> Option<Vec<u8>> {
    let option = message.opts().get(OptionCode::from(code))?;
    let mut bytes = Vec::new();
    option.encode(&mut Encoder::new(&mut bytes)).unwrap();
    Some(bytes[2..].to_vec())
}

/// What its documentation says must be in an offer.
#[test]
fn an_armed_pi_is_told_what_it_looks_for() {
    for pi in all() {
        for mode in ["full", "proxy"] {
            let mut world = pi.world(mode, &[]);
            world.arm(false, &[]);
            let (offer, _) = pi.start(&mut world, mode);
            let offer = offer.expect("an OFFER");
            assert_eq!(offer.siaddr(), HERE, "{mode} {pi:?}");
            assert_eq!(option(&offer, 60).as_deref(), Some(&b"PXEClient"[..]));
            assert_eq!(option(&offer, 43).as_deref(), Some(pi.menu), "{mode} {pi:?}");
            assert_eq!(option(&offer, 66).as_deref(), Some(&b"10.10.10.1\0"[..]), "{mode} {pi:?}");
            assert_eq!(option(&offer, 54), Some(HERE.octets().to_vec()));
            assert_eq!(option(&offer, 97), Some([&[0], &pi.id[..]].concat()));
            assert_eq!(offer.yiaddr().is_unspecified(), mode == "proxy");
            let file = offer.fname().unwrap_or_default();
            assert!(file.iter().all(|byte| *byte == 0), "it knows what to ask for");
            assert_eq!(world.node(pi.mac).stage, Stage::Discovered);
        }
    }
}

/// From the bootloader to the kernel.
#[test]
fn a_pi_goes_by_its_firmware_and_u_boot_to_its_kernel() {
    for pi in all() {
        for mode in ["full", "proxy"] {
            let at = |name: &str| format!("{mode} {} {name}", pi.serial);
            let mut world = pi.world(mode, &[]);
            world.arm(false, &[]);
            let (_, address) = pi.start(&mut world, mode);
            for (name, expected) in &pi.files {
                // Nothing but the switch tells whose the first request of a Pi 3 is that sent no REQUEST.
                let from = Requester { address, hardware: Some(pi.mac) };
                let answer = tftp_of(&mut world, from, name);
                assert_eq!(sent(&answer), *expected, "{}", at(name));
            }
            assert_eq!(world.node(pi.mac).stage, Stage::Loading, "{}", at("u-boot"));
            assert_eq!(world.node(pi.mac).address, Some(address));
            pi.uboot_asks(&mut world, mode, address, UBOOT, 22);
            let node = world.node(pi.mac);
            assert_eq!((node.stage, node.granted, node.diagnosis), (Stage::Loading, true, None));
            let menu = tftp(&mut world, address, &format!("pxelinux.cfg/{}", pi.mac.bootif()));
            let Answer::Text { body: menu, .. } = menu else { panic!("{}: {menu:?}", at("menu")) };
            for word in ["KERNEL ", "INITRD "] {
                let (_, rest) = menu.split_once(word).expect("a line");
                let path = rest.lines().next().unwrap();
                assert!(path.starts_with("g/") && path.contains("/arm64-usr/"), "{}: {menu}", at(word));
                assert!(is_given(&tftp(&mut world, address, path)), "{}", at(path));
            }
            let node = world.node(pi.mac);
            assert_eq!(
                (node.stage, node.granted, node.writes),
                (Stage::Booting, true, 0),
                "{}",
                at("kernel")
            );
        }
    }
}

/// U-Boot's second way, after the first one came to nothing.
#[test]
fn u_boot_may_ask_as_uefi_does() {
    for mode in ["full", "proxy"] {
        let pi = pi_4();
        let mut world = pi.world(mode, &[]);
        world.arm(false, &[]);
        let (_, address) = pi.start(&mut world, mode);
        tftp(&mut world, address, "5b154510/u-boot.bin");
        pi.uboot_asks(&mut world, mode, address, UBOOT, 22);
        pi.uboot_asks(&mut world, mode, address, UBOOT_EFI, 11);
        let node = world.node(pi.mac);
        assert_eq!((node.stage, node.granted, node.diagnosis), (Stage::Loading, true, None));
        // GRUB's menu.
        let Answer::Text { body, .. } = tftp(&mut world, address, "grub/grub.cfg") else { panic!("no menu") };
        assert!(body.contains("linux (http,10.10.10.1)/g/"), "{body}");
        // The next start begins again at its firmware.
        pi.start(&mut world, mode);
        assert_eq!(sent(&tftp(&mut world, address, "5b154510/config.txt")), Some(CONFIG));
        assert_eq!(world.node(pi.mac).stage, Stage::Discovered);
    }
}

/// It gets its address like anybody, and nothing to boot: so it goes on to what comes next in its order.
#[test]
fn a_pi_that_is_not_to_install_goes_on_to_its_disk() {
    for pi in all() {
        for mode in ["full", "proxy"] {
            let mut world = pi.world(mode, &[]);
            let (offer, address) = pi.start(&mut world, mode);
            assert_eq!(offer.is_some(), mode == "full");
            for message in offer.iter() {
                assert_eq!((option(message, 43), option(message, 60)), (None, None));
                assert!(message.siaddr().is_unspecified());
            }
            for (name, _) in &pi.files {
                assert_eq!(sent(&tftp(&mut world, address, name)), None, "{mode} {name}");
            }
            assert_eq!(world.node(pi.mac).stage, Stage::Idle);
        }
    }
}

/// The arming ends between its U-Boot and the menu.
#[test]
fn u_boot_without_a_grant_gets_no_menu() {
    let pi = pi_4();
    let mut world = pi.world("full", &[]);
    world.arm(false, &[]);
    let (_, address) = pi.start(&mut world, "full");
    world.order(Command::Disarm);
    assert_eq!(sent(&tftp(&mut world, address, "5b154510/u-boot.bin")), None);
    assert_eq!(sent(&tftp(&mut world, address, &format!("pxelinux.cfg/{}", pi.mac.bootif()))), None);
}

/// Somebody's own files win: single ones for all Raspberry Pis, and a whole folder for one of them.
#[test]
fn own_files_win_and_a_pis_own_folder_is_its_only_one() {
    let pi = pi_4();
    let own = ["loaders/raspberry-pi/config.txt", "loaders/raspberry-pi/9ffefdef/u-boot.bin"];
    let mut world = pi.world("full", &own);
    world.arm(false, &[]);
    let (_, address) = pi.start(&mut world, "full");
    let mut asks = |name: &str| sent(&tftp(&mut world, address, name)).map(str::to_owned);
    assert_eq!(asks("5b154510/config.txt").as_deref(), Some(own[0]));
    assert_eq!(asks("config.txt").as_deref(), Some(own[0]));
    assert_eq!(asks("5b154510/start4.elf").as_deref(), Some("raspberry-pi/start4.elf"));
    // TFTP_PREFIX=2
    assert_eq!(asks("dc-a6-32-2e-f8-ed/config.txt").as_deref(), Some(own[0]));
    assert_eq!(asks("9ffefdef/config.txt"), None, "not mixed");
    assert_eq!(asks("9ffefdef/u-boot.bin").as_deref(), Some(own[1]));
    assert_eq!(world.node(pi.mac).stage, Stage::Loading);
}

/// A PC that is no Raspberry Pi: neither such an offer nor such files.
#[test]
fn nobody_else_gets_a_pis_files() {
    let mut pc = Pi { mac: ONE, ..pi_4() };
    pc.id[..4].copy_from_slice(b"DELL");
    for mode in ["full", "proxy"] {
        let mut world = pc.world(mode, &[]);
        world.arm(false, &[]);
        let (offer, address) = pc.start(&mut world, mode);
        assert_ne!(option(&offer.expect("an OFFER"), 43).as_deref(), Some(MENU));
        for (name, _) in &pc.files {
            assert_eq!(sent(&tftp(&mut world, address, name)), None, "{mode} {name}");
        }
    }
}

/// Of an address that was only offered, nobody else speaks for a machine, and only Raspberry Pis for themselves.
#[test]
fn only_a_pi_takes_up_an_offer_without_a_request() {
    let pi = pi_3b();
    let mut world = pi.world("full", &[]);
    world.arm(false, &[]);
    let (offer, address) = pi.start(&mut world, "full");
    assert!(world.leases.is_empty());
    let stranger = Ipv4Addr::from(u32::from(address) + 1);
    assert_eq!(sent(&tftp(&mut world, stranger, "bootcode.bin")), None);
    let other = Requester { address, hardware: Some(ONE) };
    assert_eq!(sent(&tftp_of(&mut world, other, "bootcode.bin")), None, "another machine has the address");
    assert!(world.leases.is_empty());
    assert!(is_given(&tftp(&mut world, address, "bootcode.bin")));
    let lease = world.leases[&pi.mac];
    assert_eq!((lease.address, offer.expect("an OFFER").yiaddr()), (address, address));
    assert!(lease.until > world.now + Duration::from_secs(600), "as long as any lease");
    let mut pc = stocked("mode = 'full'", &[("one", ONE)], &[]);
    pc.arm(false, &[]);
    let discover = bytes(&message(ONE, MessageType::Discover, Some(PXE), 0));
    let offer = said(&mut pc, &discover, None).expect("an OFFER");
    tftp(&mut pc, offer.yiaddr(), "pxelinux.0");
    assert!(pc.leases.is_empty());
}
