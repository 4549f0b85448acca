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
        let boots = arch.is_some() || class.starts_with(b"PXEClient") || class.starts_with(b"HTTPClient");
        let reboots =
            packet.kind() == MessageType::Request && packet.server().is_none() && packet.ciaddr().is_none();
        let kind = packet.kind();
        Client { mac: packet.mac(), arch, boots, kind, fresh: kind == MessageType::Discover || reboots }
    }

    /// Whether it asks for something to boot.
    pub fn wants_boot(&self) -> bool {
        self.boots
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

/// `PXEClient:Arch:00007:UNDI:003000` (RFC 4578 section 2, and UEFI's `HTTPClient`).
fn arch_of_class(class: &[u8]) -> Option<Arch> {
    let text = std::str::from_utf8(class).ok()?;
    let rest = text.strip_prefix("PXEClient:Arch:").or_else(|| text.strip_prefix("HTTPClient:Arch:"))?;
    rest.get(..5)?.parse::<u16>().ok().map(Arch::from)
}
