//! A transfer's socket.

use std::{
    io::{self, IoSlice},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, sendto},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    server::arrival::{self, Beside, Received},
    server::watched::watch,
};

/// Segments that every kernel since 4.18 takes at once (UDP_MAX_SEGMENTS).
const MOST_SEGMENTS: usize = 64;
/// Longest payload of a UDP packet (RFC 768 in IPv4), which holds for all segments together.
const LONGEST: usize = 65_507;

/// A client that answers in less time is waited for on its socket, if there is no other one.
pub(crate) const SOON: Duration = Duration::from_millis(1);

/// A socket that sends to one client.
#[derive(Debug)]
pub(crate) struct TransferSocket {
    socket: AsyncFd<UdpSocket>,
    peer: SocketAddr,
    address: SockaddrStorage,
    /// Whether the kernel cuts long payloads into packets on the way to this client.
    cuts: bool,
    beside: Beside,
}

impl TransferSocket {
    /// Inside of the runtime that the transfer runs in.
    pub fn new(socket: UdpSocket, peer: SocketAddr) -> io::Result<TransferSocket> {
        // Who must not wait says so with each call.
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(SOON))?;
        let socket = watch(socket, Interest::READABLE)?;
        Ok(TransferSocket { socket, peer, address: peer.into(), cuts: true, beside: Beside::default() })
    }

    /// The socket itself.
    pub fn into_inner(self) -> UdpSocket {
        self.socket.into_inner()
    }

    /// For what is sent to others.
    pub fn plain(&self) -> &UdpSocket {
        self.socket.get_ref()
    }

    /// The next packet.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let TransferSocket { socket, beside, .. } = self;
        let read = |socket: &UdpSocket| arrival::read(socket, buffer, beside, MsgFlags::MSG_DONTWAIT);
        socket.async_io(Interest::READABLE, read).await
    }

    /// The next packet, if one is there already.
    pub fn receive_waiting(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        // Not by way of the runtime, which may not have heard yet that there is something to read.
        let TransferSocket { socket, beside, .. } = self;
        arrival::read(socket.get_ref(), buffer, beside, MsgFlags::MSG_DONTWAIT)
    }

    /// The next packet, if it comes within about [`SOON`] (the kernel's tick may be longer). The thread does nothing else meanwhile, which
    /// saves the system call that waits for many.
    pub fn receive_soon(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let TransferSocket { socket, beside, .. } = self;
        arrival::read(socket.get_ref(), buffer, beside, MsgFlags::empty())
    }

    /// Sends packets of `stride` bytes each, but for the last, which may be shorter: by one system call for many where that
    /// is possible (UDP_SEGMENT).
    pub async fn send(&mut self, packets: &[u8], stride: usize) -> io::Result<()> {
        let most = (LONGEST / stride).clamp(1, MOST_SEGMENTS);
        let count = packets.len().div_ceil(stride);
        // Equal parts: two of 32, not 44 and 20.
        let part = count.div_ceil(count.div_ceil(most).max(1)).max(1);
        for packets in packets.chunks(part * stride) {
            if packets.len() <= stride {
                self.send_one(packets).await?;
            } else if !self.cuts || !self.send_cut(packets, stride).await? {
                for packet in packets.chunks(stride) {
                    self.send_one(packet).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether the kernel could.
    async fn send_cut(&mut self, packets: &[u8], stride: usize) -> io::Result<bool> {
        let Ok(segment) = u16::try_from(stride) else { return Ok(false) };
        loop {
            let parts = [IoSlice::new(packets)];
            let segments = [ControlMessage::UdpGsoSegments(&segment)];
            let socket = self.plain().as_raw_fd();
            match sendmsg(socket, &parts, &segments, MsgFlags::MSG_DONTWAIT, Some(&self.address)) {
                Ok(_) => return Ok(true),
                // The packets don't fit into a frame (EINVAL, EMSGSIZE), the device can't make checksums (EIO), or the
                // kernel does not know how.
                Err(
                    error @ (Errno::EINVAL
                    | Errno::EMSGSIZE
                    | Errno::EIO
                    | Errno::EOPNOTSUPP
                    | Errno::ENOPROTOOPT),
                ) => {
                    tracing::debug!(peer = %self.peer, %error, "packets go one by one");
                    self.cuts = false;
                    return Ok(false);
                }
                Err(error) => {
                    if !self.again_after(error.into()).await? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    async fn send_one(&self, packet: &[u8]) -> io::Result<()> {
        loop {
            let socket = self.plain().as_raw_fd();
            match sendto(socket, packet, &self.address, MsgFlags::MSG_DONTWAIT) {
                Ok(_) => return Ok(()),
                Err(error) => {
                    if !self.again_after(error.into()).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whether to try again.
    async fn again_after(&self, error: io::Error) -> io::Result<bool> {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Err(error),
            io::ErrorKind::Interrupted => Ok(true),
            io::ErrorKind::WouldBlock => {
                // The buffer is full. Watched for room for this once.
                let watched = watch(self.plain().try_clone()?, Interest::WRITABLE)?;
                watched.writable().await?.retain_ready();
                Ok(true)
            }
            // An ICMP error about an earlier packet, or no memory: this one is lost, which is what retransmission
            // is for.
            _ => {
                tracing::debug!(peer = %self.peer, %error, "can't send");
                Ok(false)
            }
        }
    }
}
