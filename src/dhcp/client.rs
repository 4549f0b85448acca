//! Who a client is, as far as booting goes.

use dhcproto::v4::{DhcpOption, MessageType, OptionCode};

use crate::{
    dhcp::Packet,
    ids::{Arch, Mac},
};

/// A DHCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its hardware address.
    pub mac: Mac,
    /// What it boots with, where it says so (option 93, or the number in option 60).
    pub arch: Option<Arch>,
    boots: bool,
    pxe: bool,
    ipxe: bool,
    kind: MessageType,
    fresh: bool,
}

impl Client {
    /// Who sent `packet`.
    pub fn of(packet: &Packet) -> Client {
        let options = packet.message().opts();
        let class = match options.get(OptionCode::ClassIdentifier) {
            Some(DhcpOption::ClassIdentifier(class)) => class.as_slice(),
            _ => &[],
        };
        let arch = match options.get(OptionCode::ClientSystemArchitecture) {
            Some(DhcpOption::ClientSystemArchitecture(code)) => Some(Arch::from(u16::from(*code))),
            _ => arch_of_class(class),
        };
        // Firmware and loaders name themselves; a system that runs from its disk sends neither.
        let pxe = class.starts_with(b"PXEClient");
        let boots = arch.is_some() || pxe || class.starts_with(b"HTTPClient");
        let reboots =
            packet.kind() == MessageType::Request && packet.server().is_none() && packet.ciaddr().is_none();
        let kind = packet.kind();
        Client {
            mac: packet.mac(),
            arch,
            boots,
            pxe,
            ipxe: is_ipxe(packet),
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

    /// Whether it is iPXE, which boots scripts.
    pub fn is_ipxe(&self) -> bool {
        self.ipxe
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

/// By its user class (option 77), which it sends without the length byte of RFC 3004, others with it; or by its own
/// option 175.
fn is_ipxe(packet: &Packet) -> bool {
    let options = packet.message().opts();
    let by_class = matches!(
        options.get(OptionCode::UserClass),
        Some(DhcpOption::UserClass(class)) if class == b"iPXE" || class == b"\x04iPXE"
    );
    by_class || options.contains(OptionCode::Unknown(175))
}

/// `PXEClient:Arch:00007:UNDI:003000` (RFC 4578 section 2, and UEFI's `HTTPClient`).
fn arch_of_class(class: &[u8]) -> Option<Arch> {
    let text = std::str::from_utf8(class).ok()?;
    let rest = text.strip_prefix("PXEClient:Arch:").or_else(|| text.strip_prefix("HTTPClient:Arch:"))?;
    rest.get(..5)?.parse::<u16>().ok().map(Arch::from)
}
