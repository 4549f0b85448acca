//! Independent clients: tftp-hpa, atftp, curl.

#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

mod fixture;

use std::{process::Command, time::Duration};

use fixture::{LONG, fixture, fixture_with, raw, wait_until};
use tokio_tftp_server::End;

#[test]
fn clients_get_every_file_whole() {
    let fixture = fixture();
    for client in [
        "tftp -m octet HOST PORT -c get FILE got",
        "atftp --get -r FILE -l got HOST PORT",
        "atftp --option 'blksize 1428' --option 'tsize 0' --get -r FILE -l got HOST PORT",
        "atftp --option 'blksize 1428' --option 'windowsize 8' --get -r FILE -l got HOST PORT",
        "curl -sS -o got tftp://HOST:PORT/FILE",
        "curl -sS --tftp-blksize 1428 -o got tftp://HOST:PORT/FILE",
        "curl -sS --tftp-no-options -o got tftp://HOST:PORT/FILE",
    ] {
        for file in ["small", "exact", "grub/x86_64-efi/normal.mod"] {
            fixture.gets(client, file);
        }
    }
    fixture.gets("tftp -m octet HOST PORT -c get FILE got", "empty");
    fixture.gets("atftp --get -r FILE -l got HOST PORT", "empty");
    assert!(fixture.files.ends.lock().unwrap().iter().all(|(_, end)| *end == End::Complete));
}

#[test]
fn files_of_more_than_65535_blocks() {
    let fixture = fixture_with(Some(LONG));
    fixture.gets("curl -sS --tftp-no-options -o got tftp://HOST:PORT/FILE", "rollover");
    fixture.gets(
        "atftp --option 'blksize 512' --option 'windowsize 16' --get -r FILE -l got HOST PORT",
        "rollover",
    );
}

#[test]
fn refusals_are_in_the_servers_words() {
    let fixture = fixture();
    let said = |line: &str| {
        let output = fixture.run(line);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let missing = said("tftp -m octet HOST PORT -c get nothing got");
    assert!(missing.contains("there is no nothing"), "{missing}");
    let gone = said("tftp -m octet HOST PORT -c get gone got");
    assert!(gone.contains("No such file"), "{gone}");
    std::fs::write(fixture.dir.path().join("mine"), "x").unwrap();
    let written = said("tftp -m octet HOST PORT -c put mine yours");
    assert!(written.contains("read-only"), "{written}");
    let written = said("curl -sS -T mine tftp://HOST:PORT/yours");
    assert!(!written.is_empty());
}

#[test]
fn text_mode_has_the_networks_line_ends() {
    let fixture = fixture();
    // tftp-hpa turns them back.
    fixture.run("tftp -m netascii HOST PORT -c get text got");
    assert_eq!(std::fs::read(fixture.dir.path().join("got")).unwrap(), b"one\ntwo\n");
}

#[test]
fn edk2s_probe_is_a_probe() {
    let fixture = fixture();
    let socket = raw(&fixture);
    socket.send_to(b"\0\x01small\0octet\0tsize\x000\0", fixture.address).unwrap();
    let mut buffer = [0; 600];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"\0\x06tsize\x00100\0");
    socket.send_to(b"\0\x05\0\x08User aborted the transfer\0", from).unwrap();
    let ends = || fixture.files.ends.lock().unwrap().clone();
    wait_until("the transfer ends", || !ends().is_empty());
    assert_eq!(ends(), [("small".to_owned(), End::Probe)]);
}

/// Its link lets no large packet pass: the acknowledged options arrive, the blocks don't.
#[test]
fn who_gets_no_block_is_offered_smaller_ones() {
    let fixture = fixture();
    let offered = || {
        let socket = raw(&fixture);
        socket.send_to(b"\0\x01exact\0octet\0blksize\x001428\0", fixture.address).unwrap();
        let mut buffer = [0; 1500];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let offered = String::from_utf8_lossy(&buffer[2..length]).into_owned();
        socket.send_to(b"\0\x04\0\0", from).unwrap();
        std::thread::park_timeout(Duration::from_millis(900));
        offered
    };
    assert_eq!(offered(), "blksize\x001428\0");
    assert_eq!(offered(), "blksize\x001024\0");
    assert_eq!(offered(), "blksize\x00512\0");
    // tftp-hpa gets its file, in blocks of that size.
    let got = fixture.dir.path().join("got");
    let ask = Command::new("tftp")
        .args(["-m", "binary", "127.0.0.1", &fixture.address.port().to_string(), "-c", "get", "exact"])
        .arg(&got)
        .output()
        .unwrap();
    assert!(ask.status.success(), "{ask:?}");
    assert_eq!(std::fs::read(&got).unwrap(), fixture.contents["exact"]);
}

#[test]
fn strangers_and_repeated_requests_do_not_disturb() {
    let fixture = fixture();
    let (socket, stranger) = (raw(&fixture), raw(&fixture));
    let request = b"\0\x01exact\0octet\0blksize\x001428\0";
    // Twice: the second one is a retransmission and starts nothing.
    socket.send_to(request, fixture.address).unwrap();
    socket.send_to(request, fixture.address).unwrap();
    let mut buffer = [0; 2000];
    let (_, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(buffer[1], 6);
    stranger.send_to(&[0, 4, 0, 0], from).unwrap();
    let (_, _) = stranger.recv_from(&mut buffer).unwrap();
    assert_eq!(buffer[..4], [0, 5, 0, 5], "unknown transfer ID");
    let mut got = Vec::new();
    for block in 0..=4u8 {
        socket.send_to(&[0, 4, 0, block], from).unwrap();
        if block == 4 {
            break;
        }
        let (length, again) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((again, buffer[..4].to_vec()), (from, vec![0, 3, 0, block + 1]));
        got.extend_from_slice(&buffer[4..length]);
    }
    assert!(got == fixture.contents["exact"]);
}

#[test]
fn nonsense_is_answered_or_ignored() {
    let fixture = fixture();
    let socket = raw(&fixture);
    let mut buffer = [0; 600];
    for (packet, code) in [
        (&b"\0\x01small\0mail\0"[..], 4),
        (b"\0\x09what", 4),
        (b"\0\x01small", 4),
        (b"\0", 4),
        (b"\0\x04\0\x01", 4),
        (b"\0\x02up\0octet\0", 2),
    ] {
        let socket = raw(&fixture);
        socket.send_to(packet, fixture.address).unwrap();
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..4], [0, 5, 0, code], "{packet:?}: {:?}", &buffer[..length]);
    }
    // An error is not answered: what comes next is the answer to what comes next.
    socket.send_to(b"\0\x05\0\0oops\0", fixture.address).unwrap();
    socket.send_to(b"\0\x01small\0octet\0", fixture.address).unwrap();
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!((length, buffer[1]), (104, 3));
}

#[test]
fn what_a_reader_yields_arrives_whole() {
    let mut fixture = fixture();
    fixture.contents.insert("zeros".into(), vec![0; 70_000]);
    for client in [
        "curl -sS -o got tftp://HOST:PORT/FILE",
        "atftp --option 'blksize 1428' --option 'windowsize 8' --get -r FILE -l got HOST PORT",
        "atftp --option 'blksize 512' --option 'windowsize 64' --get -r FILE -l got HOST PORT",
    ] {
        fixture.gets(client, "zeros");
    }
}

/// Those that wait for a block, and those whose file has not been found yet.
#[test]
fn clients_are_told_when_the_server_stops() {
    let fixture = fixture();
    let mut buffer = [0; 600];
    let (waits, asks) = (raw(&fixture), raw(&fixture));
    waits.send_to(b"\0\x01exact\0octet\0", fixture.address).unwrap();
    waits.recv_from(&mut buffer).unwrap();
    asks.send_to(b"\0\x01slow\0octet\0", fixture.address).unwrap();
    wait_until("it is looked for", || fixture.files.opened.lock().unwrap().len() == 2);
    fixture.stop();
    for socket in [waits, asks] {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..4], [0, 5, 0, 0]);
        assert_eq!(buffer[4..length], *b"this server is being stopped\0");
    }
    let ends = || fixture.files.ends.lock().unwrap().clone();
    wait_until("both are told", || ends().len() == 2);
    assert!(ends().iter().all(|(_, end)| *end == End::Stopped), "{:?}", ends());
}
