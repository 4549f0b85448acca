//! What other DHCP servers say: read from frames, because no socket of this service gets their messages.

use std::net::Ipv4Addr;

use dhcproto::{
    Encodable, Encoder,
    v4::{DhcpOption, Flags, Message, MessageType, OptionCode},
};

use crate::ids::Mac;

const SERVER_PORT: [u8; 2] = 67u16.to_be_bytes();
const UDP: u8 = 17;
const BOOTREPLY: u8 = 2;
const MAGIC: [u8; 4] = [99, 130, 83, 99];

/// Another server's OFFER or ACK that gives an address to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overheard {
    /// The server, as it names itself (option 54).
    pub server: Ipv4Addr,
    /// Who sent the frame: the server, or the relay agent before it.
    pub mac: Mac,
    /// Whom it answers.
    pub client: Mac,
    /// Whether it answers a question of this service's own.
    pub is_answer: bool,
}

impl Overheard {
    /// Reads an Ethernet frame; `own` is the interface's address. Offers without an address (those of a PXE proxy)
    /// don't count: they do no harm.
    pub fn decode(frame: &[u8], own: Mac) -> Option<Overheard> {
        let mac = Mac(frame.get(6..12)?.try_into().ok()?);
        let payload = udp_payload(frame, SERVER_PORT)?;
        let gives = payload.get(16..20)? != [0; 4];
        if mac == own || payload.first() != Some(&BOOTREPLY) || !gives || payload.get(236..240)? != MAGIC {
            return None;
        }
        let (mut kind, mut server) = (None, None);
        let mut field = &payload[240..];
        while let [code, rest @ ..] = field {
            if *code == 0 {
                field = rest;
                continue;
            }
            let Some((value, rest)) =
                rest.split_first().and_then(|(n, rest)| rest.split_at_checked((*n).into()))
            else {
                break;
            };
            match (*code, value) {
                (255, _) => break,
                (53, [value]) => kind = Some(MessageType::from(*value)),
                (54, [a, b, c, d]) => server = Some(Ipv4Addr::new(*a, *b, *c, *d)),
                _ => {}
            }
            field = rest;
        }
        let is_grant = matches!(kind, Some(MessageType::Offer | MessageType::Ack));
        let server = server.filter(|_| is_grant)?;
        let client = Mac(payload.get(28..34)?.try_into().ok()?);
        Some(Overheard { server, mac, client, is_answer: client == own })
    }
}

/// The payload of an unfragmented UDP datagram from `port`.
fn udp_payload(frame: &[u8], port: [u8; 2]) -> Option<&[u8]> {
    let ip = frame.get(14..).filter(|_| frame[12..14] == [8, 0])?;
    let fragment = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x3fff;
    if ip[0] >> 4 != 4 || fragment != 0 || *ip.get(9)? != UDP {
        return None;
    }
    let udp = ip.get(usize::from(ip[0] & 15) * 4..)?;
    (udp.get(..2)? == port).then(|| udp.get(8..)).flatten()
}

/// The service's own question: a DISCOVER of the interface `mac`, whose answers go to everybody, because this
/// machine has another address than the one that it will be offered.
pub(super) fn question(mac: Mac, xid: u32) -> Vec<u8> {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(xid, none, none, none, none, &mac.0);
    message.set_flags(Flags::default().set_broadcast());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    options.insert(DhcpOption::ClassIdentifier(b"rackberry: is there a DHCP server?".to_vec()));
    options.insert(DhcpOption::ParameterRequestList(vec![OptionCode::SubnetMask, OptionCode::Router]));
    let mut bytes = Vec::new();
    // dhcproto refuses only fields that are too long, which these are not.
    let _ = message.encode(&mut Encoder::new(&mut bytes));
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dhcp::{Packet, frame};

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
    const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 7]);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 254);

    fn reply(kind: MessageType, client: Mac, address: Ipv4Addr) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(1, none, address, none, none, &client.0);
        message.set_opcode(dhcproto::v4::Opcode::BootReply);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        message.opts_mut().insert(DhcpOption::ServerIdentifier(SERVER));
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let everywhere = (SERVER, Ipv4Addr::BROADCAST);
        frame::datagram((ROUTER, frame::EVERYBODY), everywhere, (67, 68), &bytes)
    }

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 7);

    #[test]
    fn offers_and_acks_of_others_are_heard() {
        for kind in [MessageType::Offer, MessageType::Ack] {
            let heard = Overheard { server: SERVER, mac: ROUTER, client: CLIENT, is_answer: false };
            assert_eq!(Overheard::decode(&reply(kind, CLIENT, ADDRESS), OWN), Some(heard));
            let heard = Overheard { client: OWN, is_answer: true, ..heard };
            assert_eq!(
                Overheard::decode(&reply(kind, OWN, ADDRESS), OWN),
                Some(heard),
                "to the own question"
            );
        }
    }

    #[test]
    fn what_gives_no_address_is_no_server_of_addresses() {
        let offer = reply(MessageType::Offer, CLIENT, Ipv4Addr::UNSPECIFIED);
        assert_eq!(Overheard::decode(&offer, OWN), None, "a PXE proxy's");
        assert_eq!(Overheard::decode(&reply(MessageType::Nak, CLIENT, ADDRESS), OWN), None);
        assert_eq!(Overheard::decode(&reply(MessageType::Offer, CLIENT, ADDRESS), ROUTER), None, "one's own");
        let mut from_client = reply(MessageType::Offer, CLIENT, ADDRESS);
        from_client[34..36].copy_from_slice(&[0, 68]);
        assert_eq!(Overheard::decode(&from_client, OWN), None);
    }

    #[test]
    fn the_question_is_a_discover_that_is_answered_to_everybody() {
        let packet = Packet::decode(&question(OWN, 77)).unwrap();
        assert_eq!((packet.kind(), packet.mac()), (MessageType::Discover, OWN));
        assert_eq!(packet.message().xid(), 77);
        assert!(packet.message().flags().broadcast());
        assert!(!crate::dhcp::Client::of(&packet).wants_boot());
    }

    proptest! {
        #[test]
        fn any_frame_is_read_without_panic(
            frame in proptest::collection::vec(any::<u8>(), 0..400),
            (at, byte) in (0usize..400, any::<u8>()),
            cut in 0usize..400,
        ) {
            let _ = Overheard::decode(&frame, OWN);
            let mut near = reply(MessageType::Offer, CLIENT, ADDRESS);
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            let _ = Overheard::decode(&near[..cut.min(near.len())], OWN);
        }
    }
}
