//! Requests in others' names: whose address stands in them gets what the server says, and has not asked.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod fixture;

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use fixture::{Fixture, fixture, wait_until};

const REQUEST: &[u8] = b"\0\x01exact\0octet\0";
const WITH_OPTIONS: &[u8] = b"\0\x01exact\0octet\0blksize\x001428\0windowsize\x0064\0";

/// A socket of the machine whose address is written into requests; it answers nothing.
fn victim(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

/// Packets that a victim gets until it has got none for as long as the server's first retransmission would take.
fn packets(socket: &UdpSocket) -> Vec<usize> {
    let (mut lengths, mut last) = (Vec::new(), now());
    while last.elapsed() < Duration::from_millis(1200) {
        if let Ok((length, _)) = socket.recv_from(&mut [0; 2000]) {
            (last, lengths) = (now(), [lengths, vec![length]].concat());
        }
    }
    lengths
}

#[allow(clippy::disallowed_methods, reason = "a test of real time")]
fn now() -> Instant {
    Instant::now()
}

/// Gets a file in lock-step, as a machine does that is there.
fn fetches(fixture: &Fixture, socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.send_to(REQUEST, fixture.address).unwrap();
    let mut got = Vec::new();
    loop {
        let mut buffer = [0; 2000];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[1], 3, "a block: {:?}", String::from_utf8_lossy(&buffer[..length]));
        socket.send_to(&[0, 4, buffer[2], buffer[3]], from).unwrap();
        got.extend_from_slice(&buffer[4..length]);
        if length < 516 {
            break;
        }
    }
    assert_eq!(got, fixture.contents["exact"]);
}

#[test]
fn each_request_is_answered_by_one_packet_until_somebody_is_there() {
    let fixture = fixture();
    for (request, answer) in [(REQUEST, 516), (WITH_OPTIONS, WITH_OPTIONS.len() - 12)] {
        let victim = victim("127.0.0.1");
        victim.send_to(request, fixture.address).unwrap();
        assert_eq!(packets(&victim), [answer]);
        victim.send_to(request, fixture.address).unwrap();
        assert_eq!(packets(&victim), [answer], "asked again, answered again");
    }
}

#[test]
fn a_flood_in_ones_name_is_cut_and_others_are_served_meanwhile() {
    let fixture = fixture();
    let victims: Vec<UdpSocket> = (0..400).map(|_| victim("127.0.0.2")).collect();
    let machine = UdpSocket::bind("127.0.0.3:0").unwrap();
    for (number, victim) in victims.iter().enumerate() {
        victim.send_to(REQUEST, fixture.address).unwrap();
        if number % 100 == 99 {
            fetches(&fixture, &machine);
        }
    }
    fetches(&fixture, &machine);
    wait_until("all is read", || fixture.files.opened.lock().unwrap().len() >= 32);
    let heard: usize = victims
        .iter()
        .map(|victim| {
            victim.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| victim.recv(&mut [0; 2000]).ok()).count()
        })
        .sum();
    assert!((1..=48).contains(&heard), "{heard} packets for 400 requests");
    assert!(fixture.clients.of([127, 0, 0, 2].into()) <= 16, "few transfers wait for nobody");
}

/// 256 addresses that nobody has take every place; a machine that is there gets one all the same.
#[test]
fn transfers_that_nobody_answers_give_way() {
    let fixture = fixture();
    let victims: Vec<UdpSocket> =
        (0..400).map(|number| victim(&format!("127.0.{}.{}", 1 + number / 200, 1 + number % 200))).collect();
    for victim in &victims {
        victim.send_to(REQUEST, fixture.address).unwrap();
    }
    let machine = UdpSocket::bind("127.0.0.3:0").unwrap();
    fetches(&fixture, &machine);
}
