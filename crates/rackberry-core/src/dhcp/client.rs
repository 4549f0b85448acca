//! Who a client is, as far as booting goes.

use dhcproto::v4::{DhcpOption, MessageType, OptionCode};

use crate::{
    dhcp::{Packet, options::options},
    ids::{Arch, Mac, MachineId},
};

/// A DHCP client, as far as booting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The hardware address that the message speaks of (`chaddr`).
    pub mac: Mac,
    /// What it boots with, where it says so (option 93, or the number in option 60).
    pub arch: Option<Arch>,
    /// What its firmware calls the machine (option 97), where that tells anything.
    pub machine: Option<MachineId>,
    boots: bool,
    pxe: bool,
    uboot: bool,
    ipxe: Option<Ipxe>,
    kind: MessageType,
    fresh: bool,
}

impl Client {
    /// Whom a message speaks of, and what that boots with.
    pub fn of(packet: &Packet) -> Client {
        let options = packet.message().opts();
        let class = match options.get(OptionCode::ClassIdentifier) {
            Some(DhcpOption::ClassIdentifier(class)) => class.as_slice(),
            _ => &[],
        };
        // Firmware and loaders name themselves; a system that runs from its disk sends neither.
        let pxe = class.starts_with(b"PXEClient");
        let arch = match options.get(OptionCode::ClientSystemArchitecture) {
            Some(DhcpOption::ClientSystemArchitecture(code)) => Some(Arch::from(u16::from(*code))),
            _ => arch_of_class(class),
        };
        let arch = match arch {
            // Early Pi 4s leave their vendor class out of the REQUEST (raspberrypi/rpi-eeprom#82), so it does not count.
            Some(Arch::Bios) if is_raspberry_pi(packet) => Some(Arch::RaspberryPi),
            arch => arch,
        };
        let boots = arch.is_some() || pxe || class.starts_with(b"HTTPClient");
        // The field itself: some clients renew a lease with option 50, too.
        let reboots = packet.kind() == MessageType::Request
            && packet.server().is_none()
            && packet.ciaddr_field().is_none();
        let kind = packet.kind();
        Client {
            mac: packet.mac(),
            arch,
            machine: machine(packet),
            boots,
            pxe,
            uboot: class.starts_with(b"U-Boot") || class.starts_with(UBOOT_EFI),
            ipxe: ipxe(packet),
            kind,
            fresh: kind == MessageType::Discover || reboots,
        }
    }

    /// Whether it asks for something to boot.
    pub fn wants_boot(&self) -> bool {
        self.boots
    }

    /// Whether it speaks PXE: its vendor class (option 60) begins with `PXEClient`.
    pub fn is_pxe(&self) -> bool {
        self.pxe
    }

    /// Whether it is U-Boot, which takes an OFFER without an address for its own.
    pub fn is_uboot(&self) -> bool {
        self.uboot
    }

    /// Whether it is a UEFI firmware that boots from a URL: its vendor class begins with `HTTPClient`.
    pub fn is_http(&self) -> bool {
        self.arch.is_some_and(Arch::boots_by_http)
    }

    /// Whether it is iPXE.
    pub fn is_ipxe(&self) -> bool {
        self.ipxe.is_some()
    }

    /// Whether it is an iPXE that can fetch its script by HTTP; the ones in some network cards can't.
    pub fn boots_scripts(&self) -> bool {
        self.ipxe.is_some_and(|ipxe| ipxe.http)
    }

    /// Whether it is a DISCOVER.
    pub fn is_discover(&self) -> bool {
        self.kind == MessageType::Discover
    }

    /// Whether it comes up without an address of its own: a DISCOVER, or a REQUEST in state INIT-REBOOT
    /// (RFC 2131 section 4.3.2).
    pub fn starts_afresh(&self) -> bool {
        self.fresh
    }
}

fn machine(packet: &Packet) -> Option<MachineId> {
    match packet.message().opts().get(OptionCode::ClientMachineIdentifier) {
        Some(DhcpOption::ClientMachineIdentifier(id)) => MachineId::of_option(id),
        _ => None,
    }
}

/// How U-Boot begins its vendor class when it asks as UEFI does: it writes the number, 11, in hexadecimal digits.
const UBOOT_EFI: &[u8] = b"PXEClient:Arch:0000b";

/// What an iPXE says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ipxe {
    http: bool,
}

/// By its user class (option 77), which it sends without the length byte of RFC 3004, others with it; or by its own
/// option 175, which lists what it was built with.
fn ipxe(packet: &Packet) -> Option<Ipxe> {
    const OWN: OptionCode = OptionCode::Unknown(175);
    const HTTP: u8 = 19;
    let options = packet.message().opts();
    let by_class = matches!(
        options.get(OptionCode::UserClass),
        Some(DhcpOption::UserClass(class)) if class == b"iPXE" || class == b"\x04iPXE"
    );
    match options.get(OWN) {
        Some(DhcpOption::Unknown(own)) => Some(Ipxe { http: has_feature(own.data(), HTTP) }),
        _ => by_class.then_some(Ipxe { http: true }),
    }
}

/// Whether a feature is among those that option 175 encapsulates (code, length, value), and not zero.
fn has_feature(own: &[u8], feature: u8) -> bool {
    let value = options(own).find_map(|(code, value)| (code == feature).then_some(value));
    value.is_some_and(|value| value.iter().any(|byte| *byte != 0))
}

/// Who a Raspberry Pi's boot ROM or bootloader is: its maker's addresses (IEEE registry), or the machine's identifier
/// (option 97).
///
/// That begins with `RPi4` or `RPi5` since 2020, then comes the board's revision, the last four bytes of the hardware
/// address and the serial number, numbers little-endian (Raspberry Pi documentation, `DHCP_OPTION97`). Their own
/// provisioning server expects the four letters in either order. Older ones repeat the serial number four times, and
/// the Pi 3B's ROM a constant, which says nothing.
fn is_raspberry_pi(packet: &Packet) -> bool {
    const MAKER: [[u8; 3]; 7] = [
        [0xb8, 0x27, 0xeb],
        [0xdc, 0xa6, 0x32],
        [0xe4, 0x5f, 0x01],
        [0x28, 0xcd, 0xc1],
        [0xd8, 0x3a, 0xdd],
        [0x2c, 0xcf, 0x67],
        [0x88, 0xa2, 0x9e],
    ];
    let by_id = matches!(
        packet.message().opts().get(OptionCode::ClientMachineIdentifier),
        Some(DhcpOption::ClientMachineIdentifier(id))
            if id.get(1..4) == Some(b"RPi") || id.get(2..5) == Some(b"iPR")
    );
    by_id || MAKER.contains(&[packet.mac().0[0], packet.mac().0[1], packet.mac().0[2]])
}

/// `PXEClient:Arch:00007:UNDI:003000` (RFC 4578 section 2, and UEFI's `HTTPClient`).
fn arch_of_class(class: &[u8]) -> Option<Arch> {
    let text = std::str::from_utf8(class).ok()?;
    let rest = text.strip_prefix("PXEClient:Arch:").or_else(|| text.strip_prefix("HTTPClient:Arch:"))?;
    rest.get(..5)?.parse::<u16>().ok().map(Arch::from)
}
