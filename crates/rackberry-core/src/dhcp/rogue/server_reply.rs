//! What other DHCP servers say: read from frames, because no socket of this service gets their messages.

use std::net::Ipv4Addr;

use dhcproto::{
    Encodable, Encoder,
    v4::{DhcpOption, Flags, Message, MessageType, OptionCode},
};

use crate::{
    dhcp::{
        Packet, Sender,
        datagram::Datagram,
        options::{MAGIC, options},
    },
    ids::Mac,
};

const SERVER_PORT: u16 = 67;
const BOOTREPLY: u8 = 2;

/// Another server's OFFER or ACK that gives an address to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerReply {
    /// The server, as it names itself (option 54).
    pub server: Ipv4Addr,
    /// Who sent the frame: the server, or the relay agent before it.
    pub from: Sender,
    /// Hardware address of the machine that it answers.
    pub client: Mac,
    /// The conversation's number, which the client has chosen.
    pub xid: u32,
    /// Whether it answers a question of this service's own.
    pub is_answer: bool,
}

impl ServerReply {
    /// Reads a datagram; `own` is the interface's address, and `asked` the numbers of the service's own questions. Offers
    /// without an address (those of a PXE proxy) don't count: they do no harm.
    pub fn read(datagram: &Datagram, own: Mac, asked: &[u32]) -> Option<ServerReply> {
        let Datagram { from, payload, .. } = *datagram;
        let gives = payload.get(16..20)? != [0; 4];
        let is_reply = from.address.port() == SERVER_PORT && payload[0] == BOOTREPLY;
        if from.mac == own || !is_reply || !gives || payload.get(236..240)? != MAGIC {
            return None;
        }
        let (mut kind, mut server) = (None, None);
        for (code, value) in options(&payload[240..]) {
            match (code, value) {
                (53, [value]) => kind = Some(MessageType::from(*value)),
                (54, [a, b, c, d]) => server = Some(Ipv4Addr::new(*a, *b, *c, *d)),
                _ => {}
            }
        }
        let is_grant = matches!(kind, Some(MessageType::Offer | MessageType::Ack));
        let server = server.filter(|_| is_grant)?;
        let client = Mac(payload.get(28..34)?.try_into().ok()?);
        let xid = u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?);
        // Whoever sends an old answer again does not know the number of the question that is open.
        Some(ServerReply { server, from, client, xid, is_answer: client == own && asked.contains(&xid) })
    }
}

/// What a service does when it hears that another server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// It gives way, so two of its kind have to agree on who does.
    GivesWay,
    /// It goes on.
    Insists,
}

/// How the question of a service begins that gives way, in its vendor class.
const GIVES_WAY: &[u8] = b"rackberry-auto:";

impl Asker {
    fn class(self) -> &'static [u8] {
        match self {
            Self::GivesWay => b"rackberry-auto: is there a DHCP server?",
            Self::Insists => b"rackberry: is there a DHCP server?",
        }
    }
}

/// Whether a message is the question of another service of this kind that gives way to others.
pub fn is_peers_question(packet: &Packet) -> bool {
    let class = packet.message().opts().get(OptionCode::ClassIdentifier);
    matches!(class, Some(DhcpOption::ClassIdentifier(class)) if class.starts_with(GIVES_WAY))
}

/// The service's own question: a DISCOVER of the interface `mac`, whose answers go to everybody, because this
/// machine has another address than the one that it will be offered.
pub fn question(mac: Mac, xid: u32, asker: Asker) -> Vec<u8> {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(xid, none, none, none, none, &mac.0);
    message.set_flags(Flags::default().set_broadcast());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    options.insert(DhcpOption::ClassIdentifier(asker.class().to_vec()));
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

    use std::net::SocketAddrV4;

    use super::*;
    use crate::dhcp::{datagram::Checksum, frame};

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
        bytes
    }

    fn heard_from(port: u16, payload: &[u8], own: Mac, asked: &[u32]) -> Option<ServerReply> {
        let everywhere = (SERVER, Ipv4Addr::BROADCAST);
        let frame = frame::datagram((ROUTER, frame::EVERYBODY), everywhere, (port, 68), payload);
        ServerReply::read(&Datagram::read(&frame, Checksum::AsSent).unwrap(), own, asked)
    }

    fn heard(payload: &[u8]) -> Option<ServerReply> {
        heard_from(67, payload, OWN, &[1])
    }

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 7);

    #[test]
    fn offers_and_acks_of_others_are_heard() {
        for kind in [MessageType::Offer, MessageType::Ack] {
            let from = Sender { mac: ROUTER, address: SocketAddrV4::new(SERVER, 67) };
            let of_client = ServerReply { server: SERVER, from, client: CLIENT, xid: 1, is_answer: false };
            assert_eq!(heard(&reply(kind, CLIENT, ADDRESS)), Some(of_client));
            let own = reply(kind, OWN, ADDRESS);
            let answer = ServerReply { client: OWN, is_answer: true, ..of_client };
            assert_eq!(heard(&own), Some(answer), "to the own question");
            let old = ServerReply { is_answer: false, ..answer };
            assert_eq!(heard_from(67, &own, OWN, &[2, 3]), Some(old), "to no question that is open");
        }
    }

    #[test]
    fn what_gives_no_address_is_no_server_of_addresses() {
        let offer = reply(MessageType::Offer, CLIENT, Ipv4Addr::UNSPECIFIED);
        assert_eq!(heard(&offer), None, "a PXE proxy's");
        assert_eq!(heard(&reply(MessageType::Nak, CLIENT, ADDRESS)), None);
        let good = reply(MessageType::Offer, CLIENT, ADDRESS);
        assert_eq!(heard_from(67, &good, ROUTER, &[1]), None, "one's own");
        assert_eq!(heard_from(68, &good, OWN, &[1]), None, "a client's");
    }

    #[test]
    fn the_question_is_a_discover_that_is_answered_to_everybody() {
        let packet = Packet::decode(&question(OWN, 77, Asker::GivesWay)).unwrap();
        assert!(is_peers_question(&packet));
        assert!(!is_peers_question(&Packet::decode(&question(OWN, 77, Asker::Insists)).unwrap()));
        assert_eq!((packet.kind(), packet.mac()), (MessageType::Discover, OWN));
        assert_eq!(packet.message().xid(), 77);
        assert!(packet.message().flags().broadcast());
        assert!(!crate::dhcp::Client::of(&packet).wants_boot());
    }

    proptest! {
        #[test]
        fn any_payload_is_read_without_panic(
            payload in proptest::collection::vec(any::<u8>(), 0..400),
            (at, byte) in (0usize..400, any::<u8>()),
            cut in 0usize..400,
        ) {
            let _ = heard(&payload);
            let mut near = reply(MessageType::Offer, CLIENT, ADDRESS);
            if let Some(place) = near.get_mut(at) {
                *place = byte;
            }
            let _ = heard(&near[..cut.min(near.len())]);
        }
    }
}
