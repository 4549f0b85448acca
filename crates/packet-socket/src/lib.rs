//! A packet socket: frames as they are on the wire. UDP sockets can't send to a client that does not answer
//! ARP yet (RFC 2131 section 4.1), can't send ARP at all, and don't tell which machine on the switch has sent a datagram.
//!
//! The unsafe calls of the DHCP server are here: neither std nor socket2 makes a link-layer address, and tokio
//! takes a promise about the descriptor of a socket that is not its own.

mod filter;

use std::{
    future::poll_fn,
    io::{self, IoSliceMut},
    os::fd::AsRawFd as _,
    task::Poll,
};

use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::UdpSocket,
};

/// Room for a burst of thousands of machines that are switched on at once; the kernel's default holds some hundred.
const RECEIVE_BUFFER: usize = 8 << 20;
/// `struct tpacket_auxdata` of linux/if_packet.h, which begins with the status.
const AUXDATA: usize = 20;
/// The frame's UDP checksum is left to a network card that it never came to: it is from this machine, or from a virtual
/// one upon it.
const CHECKSUM_NOT_READY: u32 = 1 << 3;

/// Sockets at most that share that room, where the system's limit lets none have all of it.
const SHARES: usize = 32;
/// `PACKET_FANOUT_ROLLOVER` of packet(7): each frame goes to one socket of the group, to the next where one is full.
const ROLLOVER: libc::c_int = 3;

/// A socket that sends any frame on one interface.
#[derive(Debug)]
pub struct FrameSocket {
    first: AsyncFd<Socket>,
    /// Those that receive what has no room in the first.
    more: Vec<AsyncFd<Socket>>,
}

/// Which frames a socket receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// ARP, without those that this machine sends.
    Arp,
    /// What DHCP clients send to this machine or to everybody: UDP datagrams in IPv4 to ports 67 and 4011.
    DhcpRequests,
    /// What DHCP servers send: UDP datagrams in IPv4 from port 67.
    DhcpReplies,
    /// All, without those that are sent on this interface.
    All,
}

/// A frame that was received into a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes of the frame in the buffer; what it did not hold is lost.
    pub length: usize,
    /// Whether the checksum of the UDP datagram in it is what was sent.
    pub has_checksum: bool,
}

impl FrameSocket {
    /// Opens it on the interface with the kernel's number `index`; inside of a tokio runtime.
    ///
    /// # Errors
    /// Without CAP_NET_RAW, or when the interface is gone.
    pub fn open(index: u32, frames: Frames) -> io::Result<FrameSocket> {
        let first = socket(frames)?;
        first.attach_filter(&filter::of(frames, index))?;
        first.bind(&link_address(index, kind(frames))?)?;
        let more = if frames == Frames::DhcpRequests { shares(&first, index, frames)? } else { Vec::new() };
        let more = more.into_iter().map(register).collect::<io::Result<_>>()?;
        Ok(FrameSocket { first: register(first)?, more })
    }

    /// Sends one frame, Ethernet header first.
    ///
    /// # Errors
    /// The kernel's; `WouldBlock` when its queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.first.get_ref().send(frame).map(drop)
    }

    /// Receives one frame into `buffer`. One task may wait for frames.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        poll_fn(|context| {
            for socket in [&self.first].into_iter().chain(&self.more) {
                while let Poll::Ready(ready) = socket.poll_read_ready(context)? {
                    let mut ready = ready;
                    if let Ok(received) = ready.try_io(|socket| read(socket.get_ref(), buffer)) {
                        return Poll::Ready(received);
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// What the kernel calls such frames.
fn kind(frames: Frames) -> u16 {
    match frames {
        Frames::Arp => libc::ETH_P_ARP as u16,
        Frames::DhcpRequests | Frames::DhcpReplies => libc::ETH_P_IP as u16,
        Frames::All => libc::ETH_P_ALL as u16,
    }
}

fn socket(frames: Frames) -> io::Result<Socket> {
    // Protocol 0 receives nothing until a bind names interface and protocol.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    set(&socket, libc::PACKET_AUXDATA, 1)?;
    if frames == Frames::All {
        set(&socket, libc::PACKET_IGNORE_OUTGOING, 1)?;
    }
    if frames == Frames::DhcpRequests {
        make_room(&socket);
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// More sockets that receive with the first one, so that all together have the room for a burst: the service has no
/// privilege to go beyond the system's limit for one.
fn shares(first: &Socket, index: u32, frames: Frames) -> io::Result<Vec<Socket>> {
    // The kernel tells twice what was asked for, because its own records take place, too.
    let room = (first.recv_buffer_size()? / 2).max(1);
    let count = RECEIVE_BUFFER.div_ceil(room).min(SHARES) - 1;
    // The group's number is this process's own.
    let group = (std::process::id() & 0xffff) as libc::c_int | ROLLOVER << 16;
    // While the interface is down there can be no group, on older kernels; it is opened anew when that is up.
    if count == 0 || set(first, libc::PACKET_FANOUT, group).is_err() {
        return Ok(Vec::new());
    }
    let share = || {
        let socket = socket(frames)?;
        // It must not receive what the others do before it is one of them.
        socket.attach_filter(&filter::nothing())?;
        socket.bind(&link_address(index, kind(frames))?)?;
        set(&socket, libc::PACKET_FANOUT, group)?;
        socket.attach_filter(&filter::of(frames, index))?;
        Ok(socket)
    };
    (0..count).map(|_| share()).collect()
}

fn read(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut beside = nix::cmsg_space!([u8; AUXDATA]);
    let received = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut beside), MsgFlags::empty())?;
    let status = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Unknown(data) => Some(u32::from_ne_bytes(*data.data_bytes.first_chunk()?)),
        _ => None,
    });
    let has_checksum = status.is_none_or(|status| status & CHECKSUM_NOT_READY == 0);
    Ok(Received { length: received.bytes, has_checksum })
}

/// A UDP socket on an interface that sends only. It has the port, so that nobody else answers there and the kernel tells no
/// client that nobody does; what comes to it is dropped, because it is received as frames.
///
/// # Errors
/// The kernel's; the port may be taken.
pub fn sender(interface: &str, address: std::net::SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.attach_filter(&filter::nothing())?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Beyond the system's limit with CAP_NET_ADMIN, else up to it.
fn make_room(socket: &Socket) {
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
}

/// An option of packet(7) that is a number.
#[allow(unsafe_code)]
fn set(socket: &Socket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the value is one int, as these options take.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw const value).cast(), length)
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
