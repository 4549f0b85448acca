//! Sockets that a runtime watches for one thing only.
//!
//! tokio's own sockets are watched for room to send as well, and Linux tells of that for each packet that has left: one needless
//! wake-up a block.

use std::{io, net::UdpSocket};

use tokio::io::{Interest, unix::AsyncFd};

/// Watches a socket, which must not block; inside of a runtime.
#[allow(unsafe_code)]
pub(crate) fn watch(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    // SAFETY: the socket owns its file descriptor, which stays open and the same until the socket is dropped. The socket belongs to the
    // `AsyncFd` from here on, which gives it back only when it does not watch it any more.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}
