//! A client by the book, for what no installed one can.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::{
    io::{Error, Result},
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

/// Fetches a file; the first packet that is not what it has to be ends that. For each ACK it takes a moment, as if it were a machine of
/// its own.
pub fn fetch(server: SocketAddr, file: &str, blksize: usize, windowsize: usize) -> Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(1 << 22)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let options = format!("blksize\0{blksize}\0windowsize\0{windowsize}\0");
    let request = [b"\0\x01", file.as_bytes(), b"\0octet\0", options.as_bytes()].concat();
    socket.send_to(&request, server)?;
    let mut buffer = vec![0; blksize + 5];
    let (length, peer) = socket.recv_from(&mut buffer)?;
    assert_eq!(buffer[2..length], *options.as_bytes());
    let (mut got, mut number, mut in_window, mut is_told) = (Vec::new(), 0u16, 0, false);
    socket.send_to(&[0, 4, 0, 0], peer)?;
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        if from != peer || length < 4 || buffer[1] != 3 {
            return Err(Error::other(String::from_utf8_lossy(&buffer[..length]).into_owned()));
        }
        if buffer[2..4] == number.wrapping_add(1).to_be_bytes() {
            got.extend_from_slice(&buffer[4..length]);
            (number, in_window, is_told) = (number.wrapping_add(1), in_window + 1, false);
            if length == blksize + 4 && in_window < windowsize {
                continue;
            }
        } else if std::mem::replace(&mut is_told, true) {
            // RFC 7440 section 4: what is missing is said once.
            continue;
        }
        in_window = 0;
        std::thread::park_timeout(Duration::from_micros(100));
        socket.send_to(&[[0, 4], number.to_be_bytes()].concat(), peer)?;
        if !is_told && length < blksize + 4 {
            return Ok(got);
        }
    }
}
