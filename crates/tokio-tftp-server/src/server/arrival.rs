//! Packets with the moment at which the kernel got them. Requests come to one socket and what belongs to a transfer to
//! another, so nothing else tells which of two was first.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nix::sys::{
    socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
    },
    time::TimeSpec,
};
use socket2::Socket;

/// When a packet came, by the system's clock: good for telling which of two was first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival(Duration);

/// A packet's length, its sender, and when it came.
pub(crate) type Received = (usize, SocketAddr, Arrival);

/// Has the kernel say of each packet when it came.
pub(crate) fn mark_arrivals(socket: &Socket) -> io::Result<()> {
    Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
}

/// Room for what the kernel says beside a packet.
#[derive(Debug)]
pub(crate) struct Beside(Vec<u8>);

impl Default for Beside {
    fn default() -> Beside {
        Beside(nix::cmsg_space!(TimeSpec))
    }
}

/// The next packet; `flags` say whether it is waited for.
pub(crate) fn read(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
    beside: &mut Beside,
    flags: MsgFlags,
) -> io::Result<Received> {
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut beside.0), flags)?;
    let sender = received.address.as_ref().and_then(network).ok_or(io::ErrorKind::InvalidData)?;
    let marked = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(Arrival(at.into())),
        _ => None,
    });
    Ok((received.bytes, sender, marked.unwrap_or_else(Arrival::now)))
}

fn network(address: &SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|four| SocketAddr::V4((*four).into()));
    four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddr::V6((*six).into())))
}

impl Arrival {
    #[allow(clippy::disallowed_methods, reason = "the driver is where the time comes from")]
    fn now() -> Arrival {
        Arrival(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}
