//! What a client's datagram says.
//!
//! dhcproto takes an option's length on trust and gives up at the first option it can't read. Datagrams come
//! from firmware of every age, and from anybody, so they are taken apart here first: options that this server
//! reads are kept where their length is right, all others are left out, and dhcproto decodes the rest.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcproto::{
    Decodable, Decoder,
    v4::{DhcpOption, Message, MessageType, OptionCode},
};

use crate::ids::Mac;

/// Length of everything before the options (RFC 2131 section 2).
const HEADER: usize = 236;
/// The magic cookie that begins the options (RFC 2131 section 3).
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
const PAD: u8 = 0;
const OVERLOAD: u8 = 52;
const AGENT: u8 = 82;
const END: u8 = 255;
/// Ethernet, and its addresses' length (RFC 2131 section 2, `htype` and `hlen`).
const ETHERNET: [u8; 2] = [1, 6];

/// A message of a client, from Ethernet, with a message type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    message: Message,
    kind: MessageType,
    mac: Mac,
    agent: Option<Vec<u8>>,
}

/// Why a datagram is no message of a DHCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Cut off.
    #[error("only {0} bytes long; a message has at least {least}", least = HEADER + MAGIC.len())]
    Short(usize),
    /// Not from a client.
    #[error("operation {0} is not BOOTREQUEST")]
    NotRequest(u8),
    /// Plain BOOTP, or something else.
    #[error("no DHCP options")]
    NoMagic,
    /// Not from Ethernet.
    #[error("hardware type {0} with addresses of {1} bytes is not Ethernet")]
    NotEthernet(u8, u8),
    /// A group's address, or none.
    #[error("{0} is not a machine's hardware address")]
    BadMac(Mac),
    /// No option 53.
    #[error("no message type")]
    NoType,
}

impl Packet {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with it.
    pub fn decode(datagram: &[u8]) -> Result<Packet, Malformed> {
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
        let mut address = [0; 6];
        address.copy_from_slice(&header[28..34]);
        let mac = Mac(address);
        if !mac.is_unicast() {
            return Err(Malformed::BadMac(mac));
        }
        let mut options = options(header, &datagram[HEADER + 4..]);
        let agent = options.remove(&AGENT);
        let message = tidied(header, &options).ok_or(Malformed::NoType)?;
        let kind = message.opts().msg_type().ok_or(Malformed::NoType)?;
        Ok(Packet { message, kind, mac, agent })
    }

    /// The message, with those of its options that this server reads.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// DISCOVER, REQUEST, ...
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

    /// The address that the client uses already, if any.
    pub fn ciaddr(&self) -> Option<Ipv4Addr> {
        Some(self.message.ciaddr()).filter(|address| !address.is_unspecified())
    }

    /// The relay agent that passed it on, if any.
    pub fn giaddr(&self) -> Option<Ipv4Addr> {
        Some(self.message.giaddr()).filter(|address| !address.is_unspecified())
    }

    /// Option 50: the address that the client would like.
    pub fn requested(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::RequestedIpAddress) {
            Some(DhcpOption::RequestedIpAddress(address)) => Some(*address),
            _ => None,
        }
    }

    /// Option 54: the server that the client means.
    pub fn server(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(address)) => Some(*address),
            _ => None,
        }
    }

    /// Whether option 55 asks for an option.
    pub fn wants(&self, code: OptionCode) -> bool {
        match self.message.opts().get(OptionCode::ParameterRequestList) {
            Some(DhcpOption::ParameterRequestList(list)) => list.contains(&code),
            _ => false,
        }
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

/// Adds the options of one field, up to its END or to where it is cut off.
fn collect(mut field: &[u8], options: &mut BTreeMap<u8, Vec<u8>>) {
    while let [code, rest @ ..] = field {
        match *code {
            PAD => field = rest,
            END => return,
            code => {
                let [length, rest @ ..] = rest else { return };
                let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { return };
                options.entry(code).or_default().extend_from_slice(value);
                field = rest;
            }
        }
    }
}

/// Whether this server reads an option, and it is as long as its kind must be.
fn is_readable(code: u8, value: &[u8]) -> bool {
    let lengths = match code {
        50 | 54 => 4..=4,
        53 => 1..=1,
        57 => 2..=2,
        // Host name, parameter list, vendor class, client id, user class, architecture, machine id, iPXE's own.
        12 | 55 | 60 | 61 | 77 | 97 | 175 => 1..=255,
        93 => 2..=255,
        _ => return false,
    };
    lengths.contains(&value.len())
}

fn tidied(header: &[u8], options: &BTreeMap<u8, Vec<u8>>) -> Option<Message> {
    let mut bytes = header.to_vec();
    // Nothing that a client writes there is read, and text need not be text.
    bytes[SNAME].fill(0);
    bytes[FILE].fill(0);
    bytes.extend_from_slice(&MAGIC);
    for (code, value) in options.iter().filter(|(code, value)| is_readable(**code, value)) {
        // Option 93 is a list; the first architecture is the one that runs.
        let value = if *code == 93 { &value[..2] } else { value.as_slice() };
        bytes.push(*code);
        bytes.push(u8::try_from(value.len()).ok()?);
        bytes.extend_from_slice(value);
    }
    bytes.push(END);
    Message::decode(&mut Decoder::new(&bytes)).ok()
}
