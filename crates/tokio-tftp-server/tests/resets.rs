//! Machines that are reset in the middle of a transfer and ask again from the same port, as GRUB (25300), Intel's ROM (2070)
//! and the Raspberry Pi's (49153) do. dnsmasq and tftpd-hpa answer each request at once, with what it asks for.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod fixture;

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use fixture::{Fixture, SLOW, fixture, raw, wait_until};
use proptest::prelude::*;
use tokio_tftp_server::End;

/// Sooner than any retransmission of the server's or of a client's.
const AT_ONCE: Duration = Duration::from_millis(250);
const BIG: &str = "grub/x86_64-efi/normal.mod";
const OTHER: &str = "exact";

fn request(file: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = [b"\0\x01", file.as_bytes(), b"\0octet\0"].concat();
    for (name, value) in options {
        bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    bytes
}

fn ack(number: u16) -> Vec<u8> {
    [[0, 4], number.to_be_bytes()].concat()
}

/// The next packet that comes within a time.
fn hear(socket: &UdpSocket, within: Duration) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2000];
    socket.set_read_timeout(Some(within)).unwrap();
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Some((buffer[..length].to_vec(), from)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// What the firmware of a machine that was reset does not get any more.
fn drain(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    while socket.recv_from(&mut [0; 2000]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
}

/// Fetches a file from this socket; every packet must be of the one transfer and come at once.
fn fetch(fixture: &Fixture, socket: &UdpSocket, file: &str, options: &[(&str, &str)]) {
    socket.send_to(&request(file, options), fixture.address).unwrap();
    let (packet, from) = hear(socket, AT_ONCE).unwrap_or_else(|| panic!("{file} is not answered"));
    take(fixture, socket, file, (packet, from), |sender| {
        assert_eq!(sender, from, "{file}: a packet of another transfer");
        true
    });
}

/// Takes a transfer to its end, from its first packet on; packets of senders that are not `wanted` are passed over.
fn take(
    fixture: &Fixture,
    socket: &UdpSocket,
    file: &str,
    (mut packet, from): (Vec<u8>, SocketAddr),
    wanted: impl Fn(SocketAddr) -> bool,
) {
    let (mut got, mut number, mut blksize, mut window) = (Vec::new(), 0u16, 512, 1);
    loop {
        match packet[1] {
            6 => {
                let said: Vec<String> = packet[2..]
                    .split(|byte| *byte == 0)
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect();
                let value = |name| said.iter().position(|word| word == name).map(|at| said[at + 1].as_str());
                blksize = value("blksize").map_or(512, |size| size.parse().unwrap());
                window = value("windowsize").map_or(1, |size| size.parse().unwrap());
            }
            3 => {
                number += 1;
                assert_eq!(packet[2..4], number.to_be_bytes(), "{file}");
                got.extend_from_slice(&packet[4..]);
            }
            _ => panic!("{file}: {packet:?}"),
        }
        let is_last = packet[1] == 3 && packet.len() < 4 + blksize;
        if is_last || number % window == 0 {
            socket.send_to(&ack(number), from).unwrap();
        }
        if is_last {
            break;
        }
        let next = std::iter::from_fn(|| hear(socket, AT_ONCE)).find(|(_, sender)| wanted(*sender));
        packet = next.unwrap_or_else(|| panic!("{file} stops at {number}")).0;
    }
    assert!(got == fixture.contents[file], "{file}: other bytes");
}

/// Begins a transfer and acknowledges some packets of it; the port that it comes from.
fn begin(fixture: &Fixture, socket: &UdpSocket, request: &[u8], acks: usize) -> SocketAddr {
    socket.send_to(request, fixture.address).unwrap();
    let (mut packet, from) = hear(socket, AT_ONCE).expect("an answer");
    for _ in 0..acks {
        let number = if packet[1] == 6 { 0 } else { u16::from_be_bytes([packet[2], packet[3]]) };
        socket.send_to(&ack(number), from).unwrap();
        packet = hear(socket, AT_ONCE).expect("the next packet").0;
    }
    from
}

#[test]
fn a_machine_that_was_reset_gets_what_it_asks_for_at_once() {
    let fixture = fixture();
    let options: [&[(&str, &str)]; 3] =
        [&[], &[("blksize", "1024")], &[("tsize", "0"), ("blksize", "1024"), ("windowsize", "4")]];
    for before in options {
        for acks in [0, 1, 2, 5] {
            for (file, after) in [(OTHER, before), (OTHER, options[1]), (BIG, options[0]), (BIG, before)] {
                let socket = raw(&fixture);
                let first = request(BIG, before);
                begin(&fixture, &socket, &first, acks);
                if acks == 0 && request(file, after) == first {
                    // That one is a repetition: its answer comes again when it can't have crossed the request.
                    std::thread::park_timeout(Duration::from_millis(150));
                }
                // What is in flight of a window arrives yet; a reset takes longer.
                let window = before.iter().any(|(name, _)| *name == "windowsize");
                while window && hear(&socket, Duration::from_millis(120)).is_some() {}
                drain(&socket);
                fetch(&fixture, &socket, file, after);
            }
        }
    }
}

/// A request that is repeated because its answer got lost is the same one: the same transfer answers, at once, however long
/// it has been silent.
#[test]
fn a_repeated_request_is_answered_by_its_own_transfer() {
    let fixture = fixture();
    for options in [&[][..], &[("blksize", "1024")]] {
        let socket = raw(&fixture);
        let asked = request(OTHER, options);
        let from = begin(&fixture, &socket, &asked, 0);
        for _ in 0..3 {
            // Sooner than the transfer's own retransmission.
            std::thread::park_timeout(Duration::from_millis(300));
            drain(&socket);
            socket.send_to(&asked, fixture.address).unwrap();
            assert_eq!(hear(&socket, Duration::from_millis(100)).expect("an answer").1, from);
        }
        assert_eq!(fixture.files.opened.lock().unwrap().iter().filter(|file| *file == OTHER).count(), 1);
        fixture.files.opened.lock().unwrap().clear();
    }
}

/// EDK2 and others give up after the length was told, or in the middle, and ask again in the same moment.
#[test]
fn an_abort_and_a_request_in_the_same_moment() {
    let fixture = fixture();
    let abort = b"\0\x05\0\x08User aborted the transfer\0";
    for round in 0..300 {
        let socket = raw(&fixture);
        let first = request(OTHER, &[("tsize", "0")]);
        let from = begin(&fixture, &socket, &first, round % 3);
        // What is said before the abort is on its way yet.
        socket.send_to(abort, from).unwrap();
        let second = if round % 2 == 0 { &first } else { &request(OTHER, &[("blksize", "1000")]) };
        socket.send_to(second, fixture.address).unwrap();
        let (packet, again) = hear(&socket, AT_ONCE).unwrap_or_else(|| panic!("round {round} is lost"));
        assert_eq!((packet[1], again == from), (6, false), "round {round}");
        socket.send_to(abort, again).unwrap();
    }
}

/// Acknowledgements of a transfer that was cut short are answered by nobody: not by an ERROR, which the client would take
/// for the new request's answer, and not by the kernel.
#[test]
fn late_packets_of_a_dead_transfer_change_nothing() {
    let fixture = fixture();
    let socket = raw(&fixture);
    let dead = begin(&fixture, &socket, &request(BIG, &[("blksize", "1024")]), 4);
    drain(&socket);
    let alive = begin(&fixture, &socket, &request(OTHER, &[]), 0);
    assert_ne!(dead, alive);
    for number in 0..9 {
        socket.send_to(&ack(number), dead).unwrap();
    }
    socket.send_to(b"\0\x05\0\0late\0", dead).unwrap();
    // The new one's first block is not acknowledged by any of that: it is sent again when it is asked for, and nothing else is.
    assert_eq!(hear(&socket, Duration::from_millis(800)), None);
    socket.send_to(&request(OTHER, &[]), fixture.address).unwrap();
    let (packet, from) = hear(&socket, AT_ONCE).expect("its first block");
    assert_eq!((from, &packet[..4]), (alive, &[0, 3, 0, 1][..]));
    assert!(packet[4..] == fixture.contents[OTHER][..512]);
    socket.send_to(&ack(1), alive).unwrap();
    let (packet, from) = hear(&socket, AT_ONCE).expect("the next block");
    assert_eq!((from, &packet[..4]), (alive, &[0, 3, 0, 2][..]));
    assert_eq!(*fixture.files.ends.lock().unwrap(), [(BIG.to_owned(), End::Superseded)]);
}

#[test]
fn who_asks_for_something_else_does_not_wait_for_the_first_decision() {
    let fixture = fixture();
    let socket = raw(&fixture);
    socket.send_to(&request("slow", &[]), fixture.address).unwrap();
    fetch(&fixture, &socket, OTHER, &[]);
    assert!(fixture.files.ends.lock().unwrap().iter().all(|(file, _)| file != "slow"), "not decided yet");
    assert_eq!(hear(&socket, SLOW + AT_ONCE), None, "nothing is heard of what was given up");
    assert_eq!(fixture.files.ends.lock().unwrap().last(), Some(&("slow".to_owned(), End::Superseded)));
}

/// A machine that starts anew is told of by its DHCP server, say: its transfers end, other machines' go on.
#[test]
fn a_restarted_machine_hears_nothing_more_of_its_transfers() {
    let fixture = fixture();
    let (socket, neighbour) = (raw(&fixture), UdpSocket::bind("127.0.0.2:0").unwrap());
    let asked = request(OTHER, &[]);
    begin(&fixture, &socket, &asked, 0);
    // Who has answered once is sent things again.
    let other = begin(&fixture, &neighbour, &asked, 1);
    fixture.clients.restarted([127, 0, 0, 1].into());
    // Longer than the time until a retransmission.
    assert_eq!(hear(&socket, Duration::from_millis(800)), None);
    assert_eq!(hear(&neighbour, AT_ONCE).expect("a retransmission").1, other);
    // The same request is another one now.
    fetch(&fixture, &socket, OTHER, &[]);
    let ends = || fixture.files.ends.lock().unwrap().clone();
    wait_until("both have ended", || ends().len() == 2);
    assert_eq!(ends(), [(OTHER.to_owned(), End::Restarted), (OTHER.to_owned(), End::Complete)]);
}

#[test]
fn a_storm_of_requests_from_one_port_leaves_the_last_one() {
    let fixture = fixture();
    let socket = raw(&fixture);
    for round in 0..3000 {
        let file = ["small", "slow", OTHER, "nothing"][round % 4];
        socket.send_to(&request(file, &[("tsize", "0")]), fixture.address).unwrap();
    }
    // Until the decisions that were asked for in vain are made, somebody may be asked to come again.
    let answered = |socket: &UdpSocket| {
        socket.send_to(&request(BIG, &[("blksize", "500")]), fixture.address).unwrap();
        std::iter::from_fn(|| hear(socket, AT_ONCE)).any(|(packet, from)| {
            let is_it = packet == b"\0\x06blksize\x00500\0";
            is_it && socket.send_to(b"\0\x05\0\0enough\0", from).is_ok()
        })
    };
    let other = raw(&fixture);
    wait_until("both are answered", || answered(&socket) && answered(&other));
    drain(&socket);
    fetch(&fixture, &socket, BIG, &[]);
}

#[derive(Debug, Clone)]
enum Act {
    Ask { file: usize, options: usize },
    Ack(u16),
    Abort,
    Wait,
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0usize..3, 0usize..3).prop_map(|(file, options)| Act::Ask { file, options }),
        3 => (0u16..4).prop_map(Act::Ack),
        1 => Just(Act::Abort),
        1 => Just(Act::Wait),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever a client has said from its port before, late and nonsense included: a request that no earlier one is the
    /// same as is answered at once, with its own file.
    #[test]
    fn no_history_of_a_port_spoils_its_next_request(acts in prop::collection::vec(act(), 0..12)) {
        const FILES: [&str; 3] = [OTHER, BIG, "small"];
        const OPTIONS: [&[(&str, &str)]; 3] = [&[], &[("tsize", "0")], &[("blksize", "600"), ("windowsize", "3")]];
        let fixture = fixture();
        let socket = raw(&fixture);
        let mut last = None;
        for act in acts {
            match act {
                Act::Ask { file, options } => {
                    socket.send_to(&request(FILES[file], OPTIONS[options]), fixture.address).unwrap();
                    last = hear(&socket, Duration::from_millis(3)).map(|(_, from)| from).or(last);
                }
                Act::Ack(number) => drop(last.map(|from| socket.send_to(&ack(number), from))),
                Act::Abort => drop(last.map(|from| socket.send_to(b"\0\x05\0\0no\0", from))),
                Act::Wait => std::thread::park_timeout(Duration::from_millis(2)),
                Act::Restart => fixture.clients.restarted([127, 0, 0, 1].into()),
            }
        }
        // What is in flight of those that it ends is passed over; no other request asks for such blocks.
        socket.send_to(&request(BIG, &[("blksize", "450")]), fixture.address).unwrap();
        let mut heard = std::iter::from_fn(|| hear(&socket, AT_ONCE));
        let first = heard.find(|(packet, _)| packet == b"\0\x06blksize\x00450\0").expect("an answer");
        take(&fixture, &socket, BIG, first.clone(), |sender| sender == first.1);
    }
}
