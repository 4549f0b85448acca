//! The sockets of the DHCP server: datagrams to the owner, its actions to the wire.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{net::UdpSocket, sync::mpsc, time::sleep};

use crate::{
    clock::Clock,
    dhcp::{
        Action, Destination, Overheard, Packet, Reply, frame, overheard,
        probe::{Due, Probes},
        raw::{FrameSocket, Frames},
    },
    handle::{Handle, Message},
    ids::{Mac, Time},
};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Discard (RFC 863): where Wake-on-LAN's packets are sent by custom, for nobody to read.
const DISCARD_PORT: u16 = 9;
/// Where PXE clients ask what to boot, beside another DHCP server (PXE specification 2.1).
const BOOT_SERVER_PORT: u16 = 4011;
/// Room for a burst of thousands of machines that are switched on at once; the kernel's default holds about 200.
const RECEIVE_BUFFER: usize = 8 << 20;
const AFTER_ERROR: Duration = Duration::from_millis(10);
/// Longer than any datagram on Ethernet with a usual MTU; longer ones are cut off and refused.
const LONGEST: usize = 4096;

/// The interface that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// The kernel's number of it; a plugged-in adapter that returns has a new one.
    pub index: u32,
    /// Its hardware address.
    pub mac: Mac,
}

/// Why the sockets can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has the port.
    #[error(
        "UDP port {port} is taken: another DHCP server runs on this machine; stop it (`ss -lunp 'sport = {port}'` \
         shows it)"
    )]
    PortTaken {
        /// 67, or 4011.
        port: u16,
    },
    /// Not root.
    #[error(
        "opening {what} is not permitted; run as root, or with CAP_NET_BIND_SERVICE, CAP_NET_RAW and CAP_NET_ADMIN"
    )]
    NotPermitted {
        /// Which socket.
        what: &'static str,
    },
    /// Anything else.
    #[error("can't open {what} on {interface}")]
    Other {
        /// Which socket.
        what: &'static str,
        /// Where.
        interface: String,
        /// The kernel's reason.
        source: io::Error,
    },
}

/// The open sockets, and the probes that run.
#[derive(Debug)]
pub struct Adapter {
    sockets: Sockets,
    probes: Probes,
    clock: Clock,
}

#[derive(Debug)]
struct Sockets {
    address: Ipv4Addr,
    mac: Mac,
    datagrams: UdpSocket,
    boot_server: UdpSocket,
    frames: FrameSocket,
    /// What other servers say.
    replies: FrameSocket,
}

impl Adapter {
    /// Opens the sockets on `link`, whose address is `address`.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(link: &Link, address: Ipv4Addr) -> Result<Adapter, OpenError> {
        let sockets = Sockets::open(link, address)?;
        Ok(Adapter { sockets, probes: Probes::default(), clock: Clock::starting_after(Time::default()) })
    }

    /// The interface has another hardware address now, as a bridge when a machine is plugged into it. The sockets stay
    /// open, so that no datagram is lost.
    pub fn readdress(&mut self, mac: Mac) {
        self.sockets.mac = mac;
    }

    /// Opens them anew, on an interface that changed. Probes go on: whoever waits for one is not to wait longer.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn reopen(self, link: &Link, address: Ipv4Addr) -> Result<Adapter, OpenError> {
        let Adapter { sockets, probes, clock } = self;
        // First, because they have the port.
        drop(sockets);
        Ok(Adapter { sockets: Sockets::open(link, address)?, probes, clock })
    }

    /// Serves until the owner is gone or the interface is.
    ///
    /// # Errors
    /// The kernel's, when the interface went away.
    pub async fn run(
        &mut self,
        handle: Handle,
        actions: &mut mpsc::UnboundedReceiver<Action>,
    ) -> io::Result<()> {
        let Adapter { sockets, probes, clock } = self;
        tokio::select! {
            ended = sockets.act(probes, *clock, &handle, actions) => ended,
            () = receive(&sockets.datagrams, sockets, (&handle, *clock), |packet, _| Message::Packet(packet)) => Ok(()),
            () = receive(&sockets.boot_server, sockets, (&handle, *clock), Message::BootServerPacket) => Ok(()),
            () = sockets.listen(&handle, *clock) => Ok(()),
        }
    }
}

impl Sockets {
    fn open(link: &Link, address: Ipv4Addr) -> Result<Sockets, OpenError> {
        let failed = |what, port| {
            move |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => OpenError::PortTaken { port },
                io::ErrorKind::PermissionDenied => OpenError::NotPermitted { what },
                _ => OpenError::Other { what, interface: link.name.clone(), source },
            }
        };
        let datagrams =
            datagram_socket(&link.name, SERVER_PORT).map_err(failed("UDP port 67", SERVER_PORT))?;
        let boot_server = datagram_socket(&link.name, BOOT_SERVER_PORT)
            .map_err(failed("UDP port 4011", BOOT_SERVER_PORT))?;
        let frames = FrameSocket::open(link.index, Frames::Arp).map_err(failed("a packet socket", 0))?;
        let replies =
            FrameSocket::open(link.index, Frames::DhcpReplies).map_err(failed("a packet socket", 0))?;
        Ok(Sockets { address, mac: link.mac, datagrams, boot_server, frames, replies })
    }

    /// Sends, and probes.
    async fn act(
        &self,
        probes: &mut Probes,
        clock: Clock,
        handle: &Handle,
        actions: &mut mpsc::UnboundedReceiver<Action>,
    ) -> io::Result<()> {
        let mut frame = vec![0; LONGEST];
        loop {
            let wait = probes.deadline().map(|deadline| clock.until(deadline));
            tokio::select! {
                action = actions.recv() => match action {
                    None => return Ok(()),
                    Some(Action::Send(reply)) => self.send(handle, &reply, clock),
                    Some(Action::Probe(id, address)) => probes.start(id, address, clock.now()),
                    Some(Action::Seek) => self.seek(),
                    Some(Action::Wake(mac)) => self.wake(mac),
                },
                received = self.frames.receive(&mut frame) => match received {
                    Ok(length) => {
                        let address = frame::arp_in_use(&frame[..length], self.mac);
                        if let Some(id) = address.and_then(|address| probes.seen(address)) {
                            handle.tell(Message::Probed(id, true)).await;
                        }
                    }
                    Err(error) if is_gone(&error) => return Err(error),
                    Err(error) => tracing::debug!(%error, "can't receive ARP"),
                },
                () = async { sleep(wait.unwrap_or_default()).await }, if wait.is_some() => {}
            }
            for due in probes.due(clock.now()) {
                match due {
                    Due::Send(address) => self.emit(&frame::arp_probe(self.mac, address)),
                    Due::Free(id) => handle.tell(Message::Probed(id, false)).await,
                }
            }
        }
    }

    /// Hands what other servers say to the owner.
    async fn listen(&self, handle: &Handle, clock: Clock) {
        let mut frame = vec![0; LONGEST];
        loop {
            match self.replies.receive(&mut frame).await {
                Ok(length) => {
                    if let Some(heard) = Overheard::decode(&frame[..length], self.mac) {
                        handle.packets().keep(heard.client, clock.now(), frame[..length].to_vec());
                        handle.tell(Message::Overheard(heard)).await;
                    }
                }
                // `act` sees when the interface is gone.
                Err(error) => {
                    tracing::debug!(%error, "can't listen");
                    sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Asks whether another server is there, as a machine without an address would.
    #[allow(clippy::disallowed_methods)] // A question's number tells nothing and decides nothing.
    fn seek(&self) {
        let mut xid = [0; 4];
        if let Err(error) = getrandom::fill(&mut xid) {
            tracing::debug!(%error, "the kernel gives no random numbers");
        }
        let payload = overheard::question(self.mac, u32::from_be_bytes(xid));
        let everybody = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
        self.emit(&frame::datagram(
            (self.mac, frame::EVERYBODY),
            everybody,
            (CLIENT_PORT, SERVER_PORT),
            &payload,
        ));
    }

    /// Calls a machine that is switched off; thrice, because nobody says whether it heard.
    fn wake(&self, mac: Mac) {
        let addresses = (self.address, Ipv4Addr::BROADCAST);
        let call = frame::magic_packet(mac);
        let frame =
            frame::datagram((self.mac, frame::EVERYBODY), addresses, (DISCARD_PORT, DISCARD_PORT), &call);
        (0..3).for_each(|_| self.emit(&frame));
    }

    /// Sends a reply, and keeps it as it is on the wire or, where the kernel makes the frame, as it will be.
    fn send(&self, handle: &Handle, Reply { to, kind, payload }: &Reply, clock: Clock) {
        tracing::trace!(?to, ?kind, "sent");
        // Every reply has the client's address in its header (RFC 2131 section 2).
        let client = payload.get(28..34).and_then(|mac| mac.try_into().ok()).map_or(Mac([0; 6]), Mac);
        let (mac, address, ports) = match *to {
            Destination::Broadcast => (frame::EVERYBODY, Ipv4Addr::BROADCAST, (SERVER_PORT, CLIENT_PORT)),
            Destination::Hardware(mac, address) => (mac, address, (SERVER_PORT, CLIENT_PORT)),
            Destination::Address(address) => (client, address, (SERVER_PORT, CLIENT_PORT)),
            Destination::Relay(address) => (client, address, (SERVER_PORT, SERVER_PORT)),
            Destination::BootServerPort(peer) => (client, *peer.ip(), (BOOT_SERVER_PORT, peer.port())),
        };
        let frame = frame::datagram((self.mac, mac), (self.address, address), ports, payload);
        let peer = SocketAddrV4::new(address, ports.1);
        match *to {
            // As a frame, too: the source address is this server's, whatever else the interface has.
            Destination::Broadcast | Destination::Hardware(..) => self.emit(&frame),
            Destination::Address(_) | Destination::Relay(_) => send_to(&self.datagrams, payload, peer),
            Destination::BootServerPort(_) => send_to(&self.boot_server, payload, peer),
        }
        handle.packets().keep(client, clock.now(), frame);
    }

    fn emit(&self, frame: &[u8]) {
        if let Err(error) = self.frames.send(frame) {
            tracing::debug!(%error, "can't send a frame");
        }
    }
}

fn send_to(socket: &UdpSocket, payload: &[u8], peer: SocketAddrV4) {
    // What can't be sent now is lost, as any packet may be: the client asks again.
    if let Err(error) = socket.try_send_to(payload, peer.into()) {
        tracing::debug!(%peer, %error, "can't send");
    }
}

/// Hands every message to the owner. A burst waits in the kernel's buffer while the owner is busy.
async fn receive(
    socket: &UdpSocket,
    own: &Sockets,
    (handle, clock): (&Handle, Clock),
    message: impl Fn(Packet, SocketAddrV4) -> Message,
) {
    let port = socket.local_addr().map_or(SERVER_PORT, |address| address.port());
    let mut datagram = vec![0; LONGEST];
    loop {
        let (length, from) = match socket.recv_from(&mut datagram).await {
            Ok((length, SocketAddr::V4(from))) => (length, from),
            // The socket is IPv4's.
            Ok((_, SocketAddr::V6(_))) => continue,
            // An ICMP error of an earlier send, or the interface is down: `act` sees when it is gone.
            Err(error) => {
                tracing::debug!(%error, "can't receive");
                sleep(AFTER_ERROR).await;
                continue;
            }
        };
        match Packet::decode(&datagram[..length]) {
            Ok(packet) => {
                let (mac, kind, xid) = (packet.mac(), packet.kind(), packet.message().xid());
                tracing::trace!(%mac, ?kind, xid, "received");
                // The socket does not say whom it was sent to; who has no address sends to everybody.
                let to = if from.ip().is_unspecified() {
                    (frame::EVERYBODY, Ipv4Addr::BROADCAST)
                } else {
                    (own.mac, own.address)
                };
                let frame = frame::datagram(
                    (mac, to.0),
                    (*from.ip(), to.1),
                    (from.port(), port),
                    &datagram[..length],
                );
                handle.packets().keep(mac, clock.now(), frame);
                handle.tell(message(packet, from)).await;
            }
            Err(reason) => tracing::debug!(%from, %reason, "not a DHCP client's message"),
        }
    }
}

fn datagram_socket(interface: &str, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    // Beyond the system's limit with CAP_NET_ADMIN, else up to it.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Whether an error says that the interface went away.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO))
}
