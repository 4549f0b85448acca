//! What the server says, and to whom.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};

use super::encode::{END, encode};

use crate::{
    config::Settings,
    dhcp::{Client, Packet},
    ids::{Arch, Mac, OfferStyle},
};

/// What a Raspberry Pi looks for in option 43.
const PI_ITEM: &[u8] = b"Raspberry Pi Boot";
/// The ROM of the Pi 3B gets the item's length wrong and wants three spaces after it (Raspberry Pi documentation, known
/// problems of network boot, as the next).
const PI_3B_ITEM: &[u8] = b"Raspberry Pi Boot   ";
/// By this machine identifier (option 97) it is known.
const PI_3B_ID: [u8; 17] = *b"\0DDDDDDDDDDDDDDDD";

/// What a client is to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// Nothing from here: the firmware goes on by itself.
    None,
    /// A file, from a server.
    Load {
        /// The TFTP server that has it.
        server: Ipv4Addr,
        /// The file's name there, or a URL for those who boot by HTTP; empty for clients that know themselves what to
        /// ask the server for.
        file: String,
    },
}

/// A message for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where it goes.
    pub to: Destination,
    /// OFFER, ACK or NAK.
    pub kind: MessageType,
    /// The DHCP message, as the UDP payload.
    pub payload: Vec<u8>,
}

/// Where a message goes (RFC 2131 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To a relay agent, server port.
    Relay(Ipv4Addr),
    /// To a client that has this address, client port.
    Address(Ipv4Addr),
    /// To everybody on the network, client port.
    Broadcast,
    /// To a client that can't answer ARP yet: this hardware address, this network address.
    Hardware(Mac, Ipv4Addr),
    /// From port 4011, to where a REQUEST on that port came from.
    BootServerPort(SocketAddrV4),
    /// To where an INFORM came from, which may be a program with a port of its own.
    Inquirer(SocketAddrV4),
}

/// What a lease says beside the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dhcp) struct Terms {
    pub server: Ipv4Addr,
    pub mask: Ipv4Addr,
    pub broadcast: Ipv4Addr,
    pub router: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub ntp: Vec<Ipv4Addr>,
    pub domain: Option<String>,
    pub lease: Duration,
}

impl Terms {
    /// Those of the configuration.
    pub fn of(Settings { network, dhcp, .. }: &Settings) -> Terms {
        Terms {
            server: network.address,
            mask: network.mask(),
            broadcast: network.broadcast(),
            router: dhcp.router,
            dns: dhcp.dns.clone(),
            ntp: dhcp.ntp.clone(),
            domain: dhcp.domain.clone(),
            lease: dhcp.lease,
        }
    }
}

/// What an OFFER or ACK grants.
#[derive(Debug, Clone, Copy)]
pub(in crate::dhcp) struct Granted<'a> {
    pub kind: MessageType,
    pub address: Option<Ipv4Addr>,
    pub boot: &'a Boot,
}

/// OFFER or ACK. Without a lease (to an INFORM) it names no address and no times (RFC 2131 section 4.3.5).
pub(in crate::dhcp) fn grant(
    request: &Packet,
    Granted { kind, address, boot }: Granted<'_>,
    name: Option<&str>,
    terms: &Terms,
) -> Reply {
    let mut message = answer(request);
    if request.kind() == MessageType::Inform && request.giaddr().is_some() && request.ciaddr().is_none() {
        // A relay agent can't know where to send what names no address.
        message.set_flags(Flags::default().set_broadcast());
    }
    let mut options = vec![DhcpOption::MessageType(kind), DhcpOption::ServerIdentifier(terms.server)];
    if let Some(address) = address {
        message.set_yiaddr(address);
        let seconds = u32::try_from(terms.lease.as_secs()).unwrap_or(u32::MAX);
        options.push(DhcpOption::AddressLeaseTime(seconds));
        options.push(DhcpOption::Renewal(seconds / 2));
        options.push(DhcpOption::Rebinding(seconds - seconds / 8));
    }
    options.push(DhcpOption::SubnetMask(terms.mask));
    options.push(DhcpOption::BroadcastAddr(terms.broadcast));
    if let Boot::Load { server, file } = boot {
        message.set_siaddr(*server);
        message.set_fname_str(file);
        options.extend(vendor(&Client::of(request), request));
        if request.wants(OptionCode::BootfileName) && !file.is_empty() {
            options.push(boot_file(file));
        }
        if request.wants(OptionCode::TFTPServerName) {
            options.push(tftp_server(*server));
        }
        // RFC 4578 section 2.3: the server echoes it; some firmware insists.
        options.extend(request.message().opts().get(OptionCode::ClientMachineIdentifier).cloned());
    }
    options.extend(terms.router.map(|router| DhcpOption::Router(vec![router])));
    if !terms.dns.is_empty() && request.wants(OptionCode::DomainNameServer) {
        options.push(DhcpOption::DomainNameServer(terms.dns.clone()));
    }
    if let Some(name) = name.filter(|_| request.wants(OptionCode::Hostname)) {
        options.push(DhcpOption::Hostname(text(name, request)));
    }
    if let Some(domain) = terms.domain.as_ref().filter(|_| request.wants(OptionCode::DomainName)) {
        options.push(DhcpOption::DomainName(text(domain, request)));
    }
    if !terms.ntp.is_empty() && request.wants(OptionCode::NtpServers) {
        options.push(DhcpOption::NtpServers(terms.ntp.clone()));
    }
    let to = destination(request, address);
    Reply { to, kind, payload: encode(request, message, options) }
}

/// Option 67. RFC 2132 wants no zero at its end, but firmware of many makers reads it as a C string and asks for the name with
/// the next option's bytes behind it. dnsmasq ends options 66 and 67 with a zero for everybody, and so all clients
/// know that.
fn boot_file(name: &str) -> DhcpOption {
    DhcpOption::BootfileName(zero_ended(name))
}

/// Option 66, as [`boot_file`].
fn tftp_server(server: Ipv4Addr) -> DhcpOption {
    DhcpOption::TFTPServerName(zero_ended(&server.to_string()))
}

fn zero_ended(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// Any other text, as the client itself writes texts.
fn text(text: &str, request: &Packet) -> String {
    if request.ends_in_zero() { format!("{text}\0") } else { text.to_owned() }
}

/// A proxy's OFFER: no address, and where to go on (PXE specification 2.1 section 2.2.3). To everybody, because the
/// client has no address yet.
pub(in crate::dhcp) fn proxy_offer(request: &Packet, boot: &Boot, style: OfferStyle, own: Ipv4Addr) -> Reply {
    let boot = match (style, boot) {
        (OfferStyle::Direct, boot) => boot.clone(),
        // The client is told the file on port 4011.
        (OfferStyle::RoundTrip, _) => Boot::None,
    };
    let client = Client::of(request);
    let mut options = vendor(&client, request);
    if client.arch == Some(Arch::RaspberryPi) {
        // The Pi 3 knows no siaddr: it asks the server that has given the address, if this does not tell it better
        // (raspberrypi/firmware#801). What comes after option 43 counts.
        options.push(tftp_server(own));
    }
    if options.is_empty() {
        options.push(class("PXEClient"));
        if style == OfferStyle::Direct {
            // PXE_DISCOVERY_CONTROL: don't look for boot servers, take the file that this packet names.
            options.push(DhcpOption::VendorExtensions(vec![6, 1, 8, 255]));
        }
    }
    if let (true, Boot::Load { file, .. }) = (client.is_http(), &boot) {
        // URLs may be longer than the field.
        options.push(boot_file(file));
    }
    let to = request.giaddr().map_or(Destination::Broadcast, Destination::Relay);
    proxy(request, (MessageType::Offer, to), &boot, options, own)
}

/// The ACK of port 4011: what to boot.
pub(in crate::dhcp) fn proxy_ack(request: &Packet, boot: &Boot, to: Destination, own: Ipv4Addr) -> Reply {
    proxy(request, (MessageType::Ack, to), boot, vec![class("PXEClient")], own)
}

fn class(name: &str) -> DhcpOption {
    DhcpOption::ClassIdentifier(name.as_bytes().to_vec())
}

/// What some clients must read to believe that this is their boot server: UEFI HTTP Boot its own class (UEFI
/// specification 2.10 section 24.7.3.1), a Raspberry Pi a PXE menu with an item of this name.
fn vendor(client: &Client, request: &Packet) -> Vec<DhcpOption> {
    match client.arch {
        Some(arch) if arch.boots_by_http() => vec![class("HTTPClient")],
        Some(Arch::RaspberryPi) => vec![class("PXEClient"), DhcpOption::VendorExtensions(pi_menu(request))],
        _ => Vec::new(),
    }
}

/// Option 43 for a Raspberry Pi: discovery control 3 (no search for boot servers), the prompt `PXE` without a wait, and
/// a menu whose one item it looks for.
fn pi_menu(request: &Packet) -> Vec<u8> {
    let is_3b = matches!(
        request.message().opts().get(OptionCode::ClientMachineIdentifier),
        Some(DhcpOption::ClientMachineIdentifier(id)) if *id == PI_3B_ID
    );
    let item = if is_3b { PI_3B_ITEM } else { PI_ITEM };
    let mut menu = b"\x06\x01\x03\x0a\x04\x00PXE\x09".to_vec();
    // Boot server type 0 and the item's own length come before it.
    menu.extend([item.len() as u8 + 3, 0, 0, item.len() as u8]);
    menu.extend(item);
    menu.push(END);
    menu
}

fn proxy(
    request: &Packet,
    (kind, to): (MessageType, Destination),
    boot: &Boot,
    more: Vec<DhcpOption>,
    own: Ipv4Addr,
) -> Reply {
    let mut message = answer(request);
    message.set_siaddr(own);
    if let Boot::Load { file, .. } = boot {
        message.set_fname_str(file);
    } else {
        // The field stays free of options: firmware takes whatever is there for a file's name.
        message.set_fname_str("");
    }
    let mut options = vec![DhcpOption::MessageType(kind), DhcpOption::ServerIdentifier(own)];
    options.extend(more);
    options.extend(request.message().opts().get(OptionCode::ClientMachineIdentifier).cloned());
    Reply { to, kind, payload: encode(request, message, options) }
}

/// NAK: to everybody, because the client's address is what is wrong (RFC 2131 section 4.1).
pub(in crate::dhcp) fn refuse(request: &Packet, server: Ipv4Addr, why: &str) -> Reply {
    let mut message = answer(request);
    message.set_ciaddr(Ipv4Addr::UNSPECIFIED);
    let to = match request.giaddr() {
        Some(relay) => {
            // So that the relay broadcasts it (RFC 2131 section 4.3.2).
            message.set_flags(Flags::default().set_broadcast());
            Destination::Relay(relay)
        }
        None => Destination::Broadcast,
    };
    let options = vec![
        DhcpOption::MessageType(MessageType::Nak),
        DhcpOption::ServerIdentifier(server),
        DhcpOption::Message(text(why, request)),
    ];
    Reply { to, kind: MessageType::Nak, payload: encode(request, message, options) }
}

/// The fields that every answer copies (RFC 2131 table 3).
fn answer(request: &Packet) -> Message {
    let asked = request.message();
    let mut message = Message::new_with_id(
        asked.xid(),
        request.ciaddr().unwrap_or(Ipv4Addr::UNSPECIFIED),
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::UNSPECIFIED,
        asked.giaddr(),
        &request.mac().0,
    );
    message.set_opcode(Opcode::BootReply).set_flags(asked.flags());
    message
}

fn destination(request: &Packet, address: Option<Ipv4Addr>) -> Destination {
    match (request.giaddr(), request.ciaddr(), address) {
        (Some(relay), ..) => Destination::Relay(relay),
        (None, own, _) if request.kind() == MessageType::Inform => inquirer(request, own),
        (None, Some(own), _) => Destination::Address(own),
        (None, None, Some(address)) if !request.message().flags().broadcast() => {
            Destination::Hardware(request.mac(), address)
        }
        _ => Destination::Broadcast,
    }
}

/// The sender of an INFORM has an address. Where it does not say so (`ciaddr`), its datagram does, as for ISC's server.
fn inquirer(request: &Packet, own: Option<Ipv4Addr>) -> Destination {
    let sender = request.sender().address;
    match own {
        Some(own) if own != *sender.ip() => Destination::Address(own),
        _ => Destination::Inquirer(sender),
    }
}
