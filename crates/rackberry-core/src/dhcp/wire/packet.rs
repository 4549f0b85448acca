//! What a client's datagram says.
//!
//! dhcproto takes an option's length on trust and gives up at the first option it can't read. Datagrams come
//! from firmware of every age, and from anybody, so they are taken apart here first: of the options that this server
//! reads, each that can be read is kept, and what can't be costs nothing but itself.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
};

use dhcproto::{
    Decodable, Decoder,
    v4::{DhcpOption, Message, MessageType, OptionCode},
};

use crate::{
    dhcp::options::{self, MAGIC},
    ids::Mac,
};

/// Length of everything before the options (RFC 2131 section 2).
const HEADER: usize = 236;
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
const HOST_NAME: u8 = 12;
const OVERLOAD: u8 = 52;
const AGENT: u8 = 82;
const END: u8 = 255;
/// Ethernet, and its addresses' length (RFC 2131 section 2, `htype` and `hlen`).
const ETHERNET: [u8; 2] = [1, 6];

/// Who sent a datagram, as its headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The source address of the frame.
    pub mac: Mac,
    /// The datagram's source, which is unspecified where the client has no address yet.
    pub address: SocketAddrV4,
}

/// A message of a client, from Ethernet, with a message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    message: Message,
    kind: MessageType,
    mac: Mac,
    sender: Sender,
    agent: Option<Vec<u8>>,
    ends_in_zero: bool,
}

/// Why a datagram is no message of a DHCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than a DHCP message without options.
    #[error("only {0} bytes long; a message has at least {least}", least = HEADER + MAGIC.len())]
    Short(usize),
    /// Not from a client.
    #[error("operation {0} is not BOOTREQUEST")]
    NotRequest(u8),
    /// Plain BOOTP, or something else.
    #[error("no DHCP options")]
    NoMagic,
    /// From another kind of network than Ethernet.
    #[error("hardware type {0} with addresses of {1} bytes is not Ethernet")]
    NotEthernet(u8, u8),
    /// A group's address, or none.
    #[error("{0} is not a machine's hardware address")]
    BadMac(Mac),
    /// Without option 53: BOOTP, or cut off.
    #[error("no message type")]
    NoType,
}

impl Packet {
    /// Reads a datagram that `sender` sent.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn read(datagram: &[u8], sender: Sender) -> Result<Packet, Malformed> {
        let (header, field) = parts(datagram)?;
        let mac = Mac(address(header));
        if !mac.is_unicast() {
            return Err(Malformed::BadMac(mac));
        }
        let mut options = options(header, field);
        let agent = options.remove(&AGENT);
        let ends_in_zero = options.get(&HOST_NAME).is_some_and(|name| name.last() == Some(&0));
        let message = tidied(header, &options).ok_or(Malformed::NoType)?;
        let kind = message.opts().msg_type().ok_or(Malformed::NoType)?;
        Ok(Packet { message, kind, mac, sender, agent, ends_in_zero })
    }

    /// As [`Packet::read`], of a machine without an address that speaks for itself.
    ///
    /// # Errors
    /// As there.
    #[cfg(test)]
    pub fn decode(datagram: &[u8]) -> Result<Packet, Malformed> {
        let mac = parts(datagram).map_or(Mac([0; 6]), |(header, _)| Mac(address(header)));
        Packet::read(datagram, Sender { mac, address: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68) })
    }

    /// Who sent it, as its headers say.
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// Whether the machine that it speaks of has sent it: the frame came from the client's hardware address, or a relay
    /// agent passed the message on. Switches with DHCP snooping ask the same ("verify mac-address").
    pub fn speaks_for_itself(&self) -> bool {
        self.giaddr().is_some() || self.sender.mac == self.mac
    }

    /// The message, with those of its options that this server reads.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// What the message is: DISCOVER, REQUEST, ...
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// The client's hardware address: what leases are keyed by, because firmware, loader and system of one
    /// machine send different client identifiers (option 61).
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// The relay agent's option, to be echoed as it came (RFC 3046 section 2.2).
    pub fn agent(&self) -> Option<&[u8]> {
        self.agent.as_deref()
    }

    /// The address that the client uses already, if any; nothing where RFC 2131 table 5 wants the field to be zero, which not
    /// all clients know: in a DISCOVER, a DECLINE, and a REQUEST that asks for an address by option 50. dnsmasq passes
    /// over it there, too.
    pub fn ciaddr(&self) -> Option<Ipv4Addr> {
        let is_void = match self.kind {
            MessageType::Discover | MessageType::Decline => true,
            MessageType::Request => self.requested().is_some(),
            _ => false,
        };
        self.ciaddr_field().filter(|_| !is_void)
    }

    /// The field `ciaddr` as it came, unless it is zero.
    pub fn ciaddr_field(&self) -> Option<Ipv4Addr> {
        Some(self.message.ciaddr()).filter(|address| !address.is_unspecified())
    }

    /// The relay agent that passed it on, if any.
    pub fn giaddr(&self) -> Option<Ipv4Addr> {
        Some(self.message.giaddr()).filter(|address| !address.is_unspecified())
    }

    /// Option 50: the address that the client would like.
    pub fn requested(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::RequestedIpAddress) {
            Some(DhcpOption::RequestedIpAddress(address)) => Some(*address).filter(|it| !it.is_unspecified()),
            _ => None,
        }
    }

    /// Option 54: the server that the client means. Zero means none, as it does for ISC's server.
    pub fn server(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(address)) => Some(*address).filter(|it| !it.is_unspecified()),
            _ => None,
        }
    }

    /// Whether option 55 asks for an option. Who sends no list asks for all that there is, as with dnsmasq and ISC's server.
    pub fn wants(&self, code: OptionCode) -> bool {
        match self.message.opts().get(OptionCode::ParameterRequestList) {
            Some(DhcpOption::ParameterRequestList(list)) => list.contains(&code),
            _ => true,
        }
    }

    /// Whether the client ends its own texts with a zero (its host name, option 12). Such clients read the server's texts in
    /// the same way; dnsmasq and ISC's server answer them so.
    pub fn ends_in_zero(&self) -> bool {
        self.ends_in_zero
    }

    /// Option 57: the longest IP datagram that the client takes; 576 where it does not say, or says less
    /// (RFC 2132 section 9.10).
    pub fn largest_datagram(&self) -> usize {
        match self.message.opts().get(OptionCode::MaxMessageSize) {
            Some(DhcpOption::MaxMessageSize(size)) => usize::from(*size).max(576),
            _ => 576,
        }
    }
}

/// Header and options field of a client's message from Ethernet.
fn parts(datagram: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (Some(header), Some(magic)) = (datagram.get(..HEADER), datagram.get(HEADER..HEADER + 4)) else {
        return Err(Malformed::Short(datagram.len()));
    };
    if header[0] != 1 {
        return Err(Malformed::NotRequest(header[0]));
    }
    if magic != MAGIC {
        return Err(Malformed::NoMagic);
    }
    if header[1..3] != ETHERNET {
        return Err(Malformed::NotEthernet(header[1], header[2]));
    }
    Ok((header, &datagram[HEADER + 4..]))
}

/// The field `chaddr`.
fn address(header: &[u8]) -> [u8; 6] {
    let mut address = [0; 6];
    address.copy_from_slice(&header[28..34]);
    address
}

/// All options by code, parts of the same code joined (RFC 3396), those in `file` and `sname` included where
/// option 52 says so (RFC 2132 section 9.3).
fn options(header: &[u8], field: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut options = BTreeMap::new();
    collect(field, &mut options);
    let overload = options.get(&OVERLOAD).and_then(|value| value.first()).copied().unwrap_or(0);
    if overload & 1 != 0 {
        collect(&header[FILE], &mut options);
    }
    if overload & 2 != 0 {
        collect(&header[SNAME], &mut options);
    }
    options
}

/// Adds the options of one field.
fn collect(field: &[u8], all: &mut BTreeMap<u8, Vec<u8>>) {
    for (code, value) in options::options(field) {
        all.entry(code).or_default().extend_from_slice(value);
    }
}

/// As much of an option's value as this server reads, if it reads that option and the value is long enough.
fn readable(code: u8, value: &[u8]) -> Option<&[u8]> {
    let (least, most) = match code {
        50 | 54 => (4, 4),
        53 => (1, 1),
        // Of the list in option 93, the first architecture is the one that runs.
        57 | 93 => (2, 2),
        // Host name, parameter list, vendor class, client id, user class, machine id, iPXE's own.
        12 | 55 | 60 | 61 | 77 | 97 | 175 => (1, 255),
        _ => return None,
    };
    value.get(..value.len().min(most)).filter(|value| value.len() >= least)
}

fn tidied(header: &[u8], options: &BTreeMap<u8, Vec<u8>>) -> Option<Message> {
    let mut bytes = header.to_vec();
    // Nothing that a client writes there is read, and text need not be text.
    bytes[SNAME].fill(0);
    bytes[FILE].fill(0);
    bytes.extend(MAGIC);
    bytes.push(END);
    let mut message = Message::decode(&mut Decoder::new(&bytes)).ok()?;
    let readable = options.iter().filter_map(|(code, value)| Some((*code, readable(*code, value)?)));
    for (code, value) in readable {
        // Each by itself: a host name that is not UTF-8 is no reason to give no address.
        let option = [&[code, u8::try_from(value.len()).ok()?], value].concat();
        if let Ok(option) = DhcpOption::decode(&mut Decoder::new(&option)) {
            message.opts_mut().insert(option);
        }
    }
    Some(message)
}
