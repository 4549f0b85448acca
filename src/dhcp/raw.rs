//! A packet socket: frames as they are on the wire. UDP sockets can't send to a client that does not answer
//! ARP yet (RFC 2131 section 4.1), and can't send ARP at all.
//!
//! The unsafe calls of the DHCP server are here: neither std nor socket2 makes a link-layer address, and tokio
//! takes a promise about the descriptor of a socket that is not its own.

use std::{
    io::{self, Read as _},
    os::fd::AsRawFd as _,
};

use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use tokio::io::{Interest, unix::AsyncFd};

/// A socket that sends any frame on one interface.
#[derive(Debug)]
pub struct FrameSocket {
    socket: AsyncFd<Socket>,
}

/// Which frames a socket receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// ARP, without those that this machine sends.
    Arp,
    /// What DHCP servers send: UDP datagrams in IPv4 from port 67.
    DhcpReplies,
    /// All, without those that are sent on this interface.
    All,
}

impl FrameSocket {
    /// Opens it on the interface with the kernel's number `index`; inside of a tokio runtime.
    ///
    /// # Errors
    /// Without CAP_NET_RAW, or when the interface is gone.
    pub fn open(index: u32, frames: Frames) -> io::Result<FrameSocket> {
        let kind = match frames {
            Frames::Arp => libc::ETH_P_ARP as u16,
            Frames::DhcpReplies => libc::ETH_P_IP as u16,
            Frames::All => libc::ETH_P_ALL as u16,
        };
        // Protocol 0 receives nothing until the bind below names interface and protocol.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        if frames == Frames::DhcpReplies {
            socket.attach_filter(&dhcp_replies())?;
        }
        socket.bind(&link_address(index, kind)?)?;
        if frames == Frames::All {
            ignore_outgoing(&socket)?;
        }
        socket.set_nonblocking(true)?;
        Ok(FrameSocket { socket: register(socket)? })
    }

    /// Sends one frame, Ethernet header first.
    ///
    /// # Errors
    /// The kernel's; `WouldBlock` when its queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.get_ref().send(frame).map(drop)
    }

    /// Receives one frame; returns its length in `buffer`.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.async_io(Interest::READABLE, |mut socket| socket.read(buffer)).await
    }
}

/// A filter for the kernel (its own BPF, as tcpdump makes for `udp src port 67`): without it, every frame of every
/// image transfer would be copied to this process.
fn dhcp_replies() -> [SockFilter; 9] {
    let load = |width, mode, at| SockFilter::new((libc::BPF_LD | width | mode) as u16, 0, 0, at);
    // Go on if equal, else skip so many instructions, to the last one, which drops.
    let equals =
        |value, skip| SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 0, skip, value);
    [
        load(libc::BPF_B, libc::BPF_ABS, 23),
        equals(libc::IPPROTO_UDP as u32, 6),
        load(libc::BPF_H, libc::BPF_ABS, 20),
        // A later fragment has no ports.
        SockFilter::new((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16, 4, 0, 0x1fff),
        SockFilter::new((libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16, 0, 0, 14),
        load(libc::BPF_H, libc::BPF_IND, 14),
        equals(67, 1),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::from(u16::MAX)),
        SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
    ]
}

/// `PACKET_IGNORE_OUTGOING` of packet(7): sockets for all frames would get their own, too.
#[allow(unsafe_code)]
fn ignore_outgoing(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the value is one int, as this option takes.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code)]
fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor; nothing here replaces or closes it before the AsyncFd is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    Ok(registered?)
}

/// `sockaddr_ll` of packet(7): interface and protocol are all that bind looks at.
#[allow(unsafe_code)]
fn link_address(index: u32, kind: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the storage that socket2 gives is zeroed and large enough for every address of the kernel's; a
    // zeroed sockaddr_ll is valid, and its whole length is set.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = libc::AF_PACKET as u16;
            (*address).sll_protocol = kind.to_be();
            (*address).sll_ifindex = index;
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    }?;
    Ok(address)
}
