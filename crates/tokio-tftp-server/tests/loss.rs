//! Real clients over a link that takes its time and loses packets.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod fixture;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use fixture::{Fixture, fixture};
use tokio_tftp_server::End;

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);
const FILE: &str = "grub/x86_64-efi/normal.mod";

#[allow(clippy::disallowed_methods, reason = "a link takes time")]
fn now() -> Instant {
    Instant::now()
}

/// Which packets of data get lost.
type Lost = fn(u64) -> bool;

/// A relay between clients and a server, that drops what it is told to drop. A client has it for the server.
struct Link {
    address: SocketAddr,
    /// How many packets of data it has passed on or lost, and which ones get lost.
    lost: Arc<Mutex<(u64, Lost)>>,
}

impl Link {
    fn to(server: SocketAddr) -> Link {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = front.local_addr().unwrap();
        let lost = Arc::new(Mutex::new((0, (|_| false) as Lost)));
        // Whom the client has spoken to last, and who it is.
        let ends = Arc::new(Mutex::new((server, address)));
        let (told, of_clients) = (Arc::clone(&ends), later(back.try_clone().unwrap()));
        let ear = front.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((length, client)) = ear.recv_from(&mut buffer) {
                let mut ends = told.lock().unwrap();
                if buffer[1] == 1 {
                    ends.0 = server;
                }
                ends.1 = client;
                let _ = of_clients.send((now() + ROUND_TRIP / 2, buffer[..length].to_vec(), ends.0));
            }
        });
        let (counted, of_server) = (Arc::clone(&lost), later(front));
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((length, transfer)) = back.recv_from(&mut buffer) {
                let mut ends = ends.lock().unwrap();
                ends.0 = transfer;
                let mut counted = counted.lock().unwrap();
                counted.0 += u64::from(buffer[1] == 3);
                if buffer[1] != 3 || !(counted.1)(counted.0) {
                    let _ = of_server.send((now() + ROUND_TRIP / 2, buffer[..length].to_vec(), ends.1));
                }
            }
        });
        Link { address, lost }
    }

    /// Fetches a file; how long that took.
    fn fetch(&self, fixture: &Fixture, client: &str, lost: Lost) -> Duration {
        *self.lost.lock().unwrap() = (0, lost);
        let start = now();
        fixture.gets(&client.replace("PORT", &self.address.port().to_string()), FILE);
        start.elapsed()
    }
}

/// Sends packets when it is time, from `socket`.
fn later(socket: UdpSocket) -> mpsc::Sender<(Instant, Vec<u8>, SocketAddr)> {
    let (sender, packets) = mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
    thread::spawn(move || {
        for (due, packet, to) in packets {
            thread::park_timeout(due.saturating_duration_since(now()));
            let _ = socket.send_to(&packet, to);
        }
    });
    sender
}

/// Seven of 137 blocks: with a fixed time of half a second, that were three and a half seconds more. (With options, curl asks for a time
/// of six seconds, and gets it.)
#[test]
fn a_lost_block_costs_less_than_three_round_trips() {
    let fixture = fixture();
    let link = Link::to(fixture.address);
    let curl = "curl -sS --tftp-no-options -o got tftp://HOST:PORT/FILE";
    let clean = link.fetch(&fixture, curl, |_| false);
    let bad = link.fetch(&fixture, curl, |number| number % 20 == 0);
    let more = bad.saturating_sub(clean);
    assert!(more < 7 * 3 * ROUND_TRIP + Duration::from_millis(500), "{more:?}");
    assert!(fixture.files.ends.lock().unwrap().iter().all(|(_, end)| *end == End::Complete));
}

#[test]
fn windows_with_holes_arrive_whole() {
    let fixture = fixture();
    let link = Link::to(fixture.address);
    for window in [4, 16, 64] {
        let client = format!(
            "atftp --option 'blksize 512' --option 'windowsize {window}' --get -r FILE -l got HOST PORT"
        );
        for lost in [(|number| number % 13 == 0) as Lost, |number| number % 40 < 3, |number| number == 1] {
            let took = link.fetch(&fixture, &client, lost);
            assert!(took < Duration::from_secs(10), "{took:?} with windows of {window}");
        }
    }
}
