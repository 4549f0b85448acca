//! A client that believes nothing: each option, each block's number and each byte must be what it has to be.

use std::{
    io::{Error, Result},
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Room for a whole window, and more.
const RECEIVE_BUFFER: usize = 1 << 22;
/// Longer than any server waits before it sends again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub blksize: usize,
    pub windowsize: u64,
    /// A block that it does not take when it comes for the first time, as if that had got lost.
    pub lost: Option<u64>,
}

/// What a transfer was like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fetched {
    /// Packets that had to be sent again, or came twice.
    pub disorder: u64,
    /// From the moment at which the lost block was there, to the moment at which it was there again.
    pub recovery: Option<Duration>,
}

#[allow(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

fn wrong(what: String) -> Error {
    Error::other(what)
}

/// Fetches a file, and compares it with what it is.
pub fn fetch(server: SocketAddr, name: &str, expected: &[u8], asked: Asked) -> Result<Fetched> {
    let Asked { blksize, windowsize, lost } = asked;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut options = vec![("blksize", blksize.to_string())];
    if windowsize > 1 {
        options.push(("windowsize", windowsize.to_string()));
    }
    let words = options.iter().flat_map(|(name, value)| [name, value.as_str()]);
    let words: Vec<&str> = [name, "octet"].into_iter().chain(words).collect();
    socket.send_to(&[b"\0\x01", format!("{}\0", words.join("\0")).as_bytes()].concat(), server)?;
    let mut buffer = vec![0; blksize + 5];
    let (length, peer) = socket.recv_from(&mut buffer)?;
    let agreed = options.iter().flat_map(|(name, value)| [*name, value.as_str()]).collect::<Vec<_>>();
    let said = String::from_utf8_lossy(&buffer[2..length]).to_ascii_lowercase();
    if buffer[..2] != [0, 6] || said.trim_end_matches('\0') != agreed.join("\0") {
        return Err(wrong(format!(
            "{agreed:?} are answered by {:?}",
            String::from_utf8_lossy(&buffer[..length])
        )));
    }
    socket.connect(peer)?;
    socket.send(&[0, 4, 0, 0])?;
    take(&socket, &mut buffer, expected, (blksize, windowsize, lost))
}

fn take(
    socket: &UdpSocket,
    buffer: &mut [u8],
    expected: &[u8],
    (blksize, windowsize, mut lost): (usize, u64, Option<u64>),
) -> Result<Fetched> {
    let (mut fetched, mut missed) = (Fetched::default(), None);
    let (mut got, mut in_window, mut is_told) = (0u64, 0u64, false);
    loop {
        let length = socket.recv(buffer)?;
        if length < 4 || buffer[..2] != [0, 3] {
            return Err(wrong(format!("{:?}", String::from_utf8_lossy(&buffer[..length.min(80)]))));
        }
        let number = u16::from_be_bytes([buffer[2], buffer[3]]);
        if lost == Some(got + 1) && number == (got + 1) as u16 {
            (lost, missed) = (None, Some(now()));
            continue;
        }
        if number != (got + 1) as u16 {
            fetched.disorder += 1;
            // RFC 7440 section 4: it says once what it has, and waits for what is behind that. Without windows, a block that comes again is
            // acknowledged again (RFC 1350).
            if (windowsize == 1 && number == got as u16) || (windowsize > 1 && !is_told) {
                (is_told, in_window) = (true, 0);
                ack(socket, got)?;
            }
            continue;
        }
        if let Some(missed) = missed.take() {
            fetched.recovery = Some(missed.elapsed());
        }
        let start = got as usize * blksize;
        let data = &buffer[4..length];
        if expected.get(start..(start + blksize).min(expected.len())) != Some(data) {
            return Err(wrong(format!("block {} has other bytes", got + 1)));
        }
        (got, in_window, is_told) = (got + 1, in_window + 1, false);
        let is_last = data.len() < blksize;
        if is_last || in_window == windowsize {
            in_window = 0;
            ack(socket, got)?;
        }
        if is_last {
            return Ok(fetched);
        }
    }
}

fn ack(socket: &UdpSocket, block: u64) -> Result<()> {
    let [high, low] = (block as u16).to_be_bytes();
    socket.send(&[0, 4, high, low]).map(drop)
}
