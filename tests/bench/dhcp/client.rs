//! Machines that ask for addresses: many at once, in one process, behind a relay agent (RFC 1542 section 4), because their
//! frames can't be from as many cards.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use dhcproto::{
    Decodable as _, Decoder, Encodable as _, Encoder,
    v4::{Architecture, DhcpOption, Message, MessageType, OptionCode},
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// A message that was lost is sent again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// How often somebody asks who waits for a server to start.
const ASK: Duration = Duration::from_millis(1);
/// The relay agent's address.
pub const RELAY: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 90);

/// `first`: asks until an OFFER comes, and says when that was.
/// `load GROUP NUMBER AT_ONCE`: so many machines, so many of them at a time, get a lease each.
pub fn main(words: &[String]) {
    let socket = UdpSocket::bind((RELAY, 67)).expect("a socket");
    rustix::net::sockopt::set_socket_recv_buffer_size(socket.as_fd(), 4 << 20).expect("a buffer");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().expect("a number");
    match words[..] {
        ["first"] => first(&socket),
        ["load", group, machines, at_once] => {
            load(&socket, number(group) << 16, number(machines), number(at_once));
        }
        _ => panic!("first, or load GROUP NUMBER AT_ONCE"),
    }
}

/// Nanoseconds since the machine was started: the same clock in every process.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn first(socket: &UdpSocket) {
    socket.set_read_timeout(Some(ASK)).expect("a time");
    println!("asking");
    for number in 0xffff_0000.. {
        send(socket, &message(number, MessageType::Discover));
        if receive(socket).is_some() {
            println!("{}", now());
            return;
        }
    }
}

/// How far a machine is, and when it sent something.
struct Machine {
    sent: Instant,
    message: Message,
}

fn load(socket: &UdpSocket, group: u32, machines: u32, at_once: u32) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time");
    let began = Instant::now();
    let (mut next, mut done, mut repeated, mut refused) = (0, 0, 0, 0);
    let mut asking: BTreeMap<u32, Machine> = BTreeMap::new();
    let mut told = Instant::now();
    while done < machines {
        while next < machines && asking.len() < at_once as usize {
            let message = message(group + next, MessageType::Discover);
            send(socket, &message);
            asking.insert(group + next, Machine { sent: Instant::now(), message });
            next += 1;
        }
        if let Some(reply) = receive(socket)
            && let Some(machine) = asking.get_mut(&reply.xid())
        {
            match reply.opts().msg_type() {
                Some(MessageType::Offer) => {
                    machine.message = request(reply.xid(), &reply);
                    machine.sent = Instant::now();
                    send(socket, &machine.message);
                }
                Some(MessageType::Ack) => {
                    asking.remove(&reply.xid());
                    done += 1;
                }
                // It was offered to others too. Clients begin anew (RFC 2131 section 3.1).
                Some(MessageType::Nak) => {
                    machine.message = message(reply.xid(), MessageType::Discover);
                    machine.sent = Instant::now();
                    send(socket, &machine.message);
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        if told.elapsed() >= AGAIN / 4 {
            told = Instant::now();
            for machine in asking.values_mut().filter(|machine| machine.sent.elapsed() >= AGAIN) {
                send(socket, &machine.message);
                machine.sent = Instant::now();
                repeated += 1;
            }
        }
    }
    println!(
        "{}",
        json!({ "seconds": began.elapsed().as_secs_f64(), "repeated": repeated, "refused": refused })
    );
}

/// As PXE firmware says it.
fn message(number: u32, kind: MessageType) -> Message {
    let [a, b, c, d] = number.to_be_bytes();
    let mac = [2, 0xbe, a, b, c, d];
    let mut message =
        Message::new(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, RELAY, &mac);
    message.set_xid(number).set_hops(1);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ClassIdentifier(b"PXEClient:Arch:00007:UNDI:003001".to_vec()));
    options.insert(DhcpOption::ClientSystemArchitecture(Architecture::X64));
    options.insert(DhcpOption::MaxMessageSize(1472));
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::SubnetMask,
        OptionCode::Router,
        OptionCode::DomainNameServer,
        OptionCode::TFTPServerName,
        OptionCode::BootfileName,
    ]));
    message
}

fn request(number: u32, offer: &Message) -> Message {
    let mut request = message(number, MessageType::Request);
    request.opts_mut().insert(DhcpOption::RequestedIpAddress(offer.yiaddr()));
    if let Some(server) = offer.opts().get(OptionCode::ServerIdentifier) {
        request.opts_mut().insert(server.clone());
    }
    request
}

fn send(socket: &UdpSocket, message: &Message) {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).expect("it can be written");
    // Nobody is there yet, or the network is full: it is sent again.
    let _ = socket.send_to(&bytes, "10.10.10.1:67");
}

fn receive(socket: &UdpSocket) -> Option<Message> {
    let mut bytes = [0; 1500];
    let (length, _) = socket.recv_from(&mut bytes).ok()?;
    Message::decode(&mut Decoder::new(&bytes[..length])).ok()
}
