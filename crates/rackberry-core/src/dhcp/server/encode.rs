//! A reply's bytes: as many of its options as the client can take.

use dhcproto::{
    Encodable, Encoder,
    v4::{DhcpOption, Message, UnknownOption},
};

use crate::dhcp::Packet;

/// Bytes of IP and UDP headers, which option 57 counts.
const IP_UDP: usize = 28;
/// Longest datagram that is sent, whatever a client would take: one Ethernet frame.
const MTU: usize = 1500;
/// Fields before the options, with the magic cookie.
const HEADER: usize = 240;
/// BOOTP's shortest message (RFC 1542 section 2.1); old firmware and relays drop shorter ones.
const SHORTEST: usize = 300;
const AGENT: u8 = 82;
/// Ends options, and a menu of a Raspberry Pi.
pub(super) const END: u8 = 255;

/// Writes a message with as many of its options, most important first, as the client can take: in the options
/// field, then in `file` and `sname` (option overload, RFC 2132 section 9.3).
pub(super) fn encode(request: &Packet, mut message: Message, options: Vec<DhcpOption>) -> Vec<u8> {
    let largest = request.largest_datagram().min(MTU) - IP_UDP;
    // RFC 3046 section 2.2: what the relay agent added comes back to it, last, and counts.
    let agent = request
        .agent()
        .filter(|value| value.len() <= 255)
        .map(|value| bytes(&DhcpOption::Unknown(UnknownOption::new(AGENT.into(), value.to_vec()))));
    let agent = agent.filter(|agent| HEADER + agent.len() + 64 <= largest).unwrap_or_default();
    // Room for the overload option (3) and END.
    let mut main = OptionField::new(largest - HEADER - agent.len() - 4);
    let mut file = OptionField::new(if message.fname().is_none() { 127 } else { 0 });
    let mut sname = OptionField::new(63);
    for option in &options {
        let bytes = bytes(option);
        let _ = main.take(&bytes) || file.take(&bytes) || sname.take(&bytes);
    }
    let overload = u8::from(!file.bytes.is_empty()) | u8::from(!sname.bytes.is_empty()) << 1;
    if overload != 0 {
        main.bytes.extend(bytes(&DhcpOption::OptionOverload(overload)));
    }
    if !file.bytes.is_empty() {
        message.set_fname(&file.ended());
    }
    if !sname.bytes.is_empty() {
        message.set_sname(&sname.ended());
    }
    let mut payload = bytes(&message);
    payload.truncate(HEADER);
    payload.extend(main.bytes);
    payload.extend(agent);
    payload.push(END);
    if payload.len() < SHORTEST {
        payload.resize(SHORTEST, 0);
    }
    payload
}

/// A place for options.
struct OptionField {
    bytes: Vec<u8>,
    room: usize,
}

impl OptionField {
    fn new(room: usize) -> OptionField {
        OptionField { bytes: Vec::new(), room }
    }

    /// Takes an option if it fits.
    fn take(&mut self, option: &[u8]) -> bool {
        let fits = self.bytes.len() + option.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(option);
        }
        fits
    }

    fn ended(mut self) -> Vec<u8> {
        self.bytes.push(END);
        self.bytes
    }
}

/// What dhcproto writes. It refuses only fields that are too long, which these are not.
fn bytes(value: &impl Encodable) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = value.encode(&mut Encoder::new(&mut bytes));
    bytes
}
