//! The sockets of the DHCP server: frames to the owner, its actions to the wire.

mod presence;
mod receive;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{net::UdpSocket, sync::mpsc, time::sleep};

use crate::service::{
    clock::Clock,
    handle::{Handle, Message},
};
use packet_socket::{FrameSocket, Frames};
use rackberry_core::{
    dhcp::{
        Action, Asker, Destination, Presence, Reply, frame,
        probe::{Due, Probes, Purpose},
        server_reply,
    },
    ids::{Mac, Time},
};

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Discard (RFC 863): where Wake-on-LAN's packets are sent by custom, for nobody to read.
const DISCARD_PORT: u16 = 9;
/// Where PXE clients ask what to boot, beside another DHCP server (PXE specification 2.1).
const BOOT_SERVER_PORT: u16 = 4011;
const AFTER_ERROR: Duration = Duration::from_millis(10);
/// Longer than any frame of Ethernet with a usual MTU; longer ones are cut off and refused.
const LONGEST: usize = 4096;
/// The service's own questions whose answers may be on their way yet: two minutes of them.
const QUESTIONS: usize = 8;

/// The interface that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What the kernel calls it.
    pub name: String,
    /// The kernel's number of it; a plugged-in adapter that returns has a new one.
    pub index: u32,
    /// The hardware address that frames are sent from.
    pub mac: Mac,
    /// The address to which everybody in the service's network listens.
    pub broadcast: Ipv4Addr,
}

/// Why the sockets can't be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum OpenError {
    /// Another server has the port.
    #[error(
        "UDP port {port} is taken: another DHCP server runs on this machine; stop it (`ss -lunp 'sport = {port}'` \
         shows it)"
    )]
    PortTaken { port: u16 },
    /// Not root.
    #[error(
        "opening {what} is not permitted; run as root, or with CAP_NET_BIND_SERVICE, CAP_NET_RAW and CAP_NET_ADMIN"
    )]
    NotPermitted { what: &'static str },
    /// Anything else.
    #[error("can't open {what} on {interface}")]
    Other { what: &'static str, interface: String, source: io::Error },
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
    /// What its own questions say of it.
    asker: Asker,
    broadcast: Ipv4Addr,
    interface: String,
    mac: Mac,
    /// These two send; what comes to their ports is received as frames.
    datagrams: UdpSocket,
    boot_server: UdpSocket,
    /// Sends frames, and receives ARP.
    frames: FrameSocket,
    /// What clients say.
    requests: FrameSocket,
    /// What other servers say.
    replies: FrameSocket,
    /// Numbers of the service's own last questions.
    questions: Mutex<VecDeque<u32>>,
}

impl Adapter {
    /// Opens the sockets on `link`, whose address is `address`.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(link: &Link, address: Ipv4Addr, asker: Asker) -> Result<Adapter, OpenError> {
        let sockets = Sockets::open(link, address, asker)?;
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
        let asker = sockets.asker;
        // First, because they have the port.
        drop(sockets);
        Ok(Adapter { sockets: Sockets::open(link, address, asker)?, probes, clock })
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
            () = sockets.receive(&handle, *clock) => Ok(()),
            () = sockets.listen(&handle, *clock) => Ok(()),
        }
    }
}

impl Sockets {
    fn open(link: &Link, address: Ipv4Addr, asker: Asker) -> Result<Sockets, OpenError> {
        let failed = |what, port| {
            move |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => OpenError::PortTaken { port },
                io::ErrorKind::PermissionDenied => OpenError::NotPermitted { what },
                _ => OpenError::Other { what, interface: link.name.clone(), source },
            }
        };
        let any = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        // First of all, because who has these ports answers clients already.
        let datagrams = packet_socket::sender(&link.name, any(SERVER_PORT))
            .map_err(failed("UDP port 67", SERVER_PORT))?;
        let boot_server = packet_socket::sender(&link.name, any(BOOT_SERVER_PORT))
            .map_err(failed("UDP port 4011", BOOT_SERVER_PORT))?;
        let open = |frames| FrameSocket::open(link.index, frames).map_err(failed("a packet socket", 0));
        Ok(Sockets {
            address,
            asker,
            broadcast: link.broadcast,
            interface: link.name.clone(),
            mac: link.mac,
            datagrams,
            boot_server,
            frames: open(Frames::Arp)?,
            requests: open(Frames::DhcpRequests)?,
            replies: open(Frames::DhcpReplies)?,
            questions: Mutex::default(),
        })
    }

    /// Carries out what the owner wants sent and probed.
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
                    Some(Action::Probe(id, address)) => {
                        probes.start(Purpose::Offer(id), address, clock.now());
                    }
                    Some(Action::Verify(address)) => probes.start(Purpose::Server, address, clock.now()),
                    Some(Action::Seek) => self.seek(),
                    Some(Action::Wake(mac)) => self.wake(mac),
                },
                received = self.frames.receive(&mut frame) => match received {
                    Ok(received) => {
                        if let Some((address, by)) = frame::arp_in_use(&frame[..received.length], self.mac) {
                            self.seen(probes, handle, address, by).await;
                        }
                    }
                    Err(error) if is_gone(&error) => return Err(error),
                    Err(error) => tracing::debug!(%error, "can't receive ARP"),
                },
                () = async { sleep(wait.unwrap_or_default()).await }, if wait.is_some() => {}
            }
            for due in probes.due(clock.now()) {
                let message = match due {
                    Due::Send(address) => {
                        self.emit(&frame::arp_probe(self.mac, address));
                        continue;
                    }
                    Due::Over(_, Purpose::Offer(id)) => Message::Probed(id, None),
                    Due::Over(address, Purpose::Server) => Message::Verified(address, Presence::Absent),
                };
                handle.tell(message).await;
            }
        }
    }

    /// Somebody uses an address.
    async fn seen(&self, probes: &mut Probes, handle: &Handle, address: Ipv4Addr, by: Mac) {
        for purpose in probes.seen(address, by) {
            match purpose {
                Purpose::Offer(id) => handle.tell(Message::Probed(id, Some(by))).await,
                Purpose::Server => {
                    probes.end(address, purpose);
                    let (interface, own, handle) = (self.interface.clone(), self.address, handle.clone());
                    tokio::spawn(async move {
                        let refuses =
                            presence::refuses(&interface, own, SocketAddrV4::new(address, SERVER_PORT)).await;
                        let presence = if refuses { Presence::Refuses(by) } else { Presence::There(by) };
                        handle.tell(Message::Verified(address, presence)).await;
                    });
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
        let xid = u32::from_be_bytes(xid);
        {
            // Whoever panicked while holding it left whole numbers.
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            questions.truncate(QUESTIONS - 1);
            questions.push_front(xid);
        }
        let payload = server_reply::question(self.mac, xid, self.asker);
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
            Destination::Inquirer(peer) => (client, *peer.ip(), (SERVER_PORT, peer.port())),
        };
        let frame = frame::datagram((self.mac, mac), (self.address, address), ports, payload);
        let peer = SocketAddrV4::new(address, ports.1);
        match *to {
            // As a frame: the source address is this server's, whatever else the interface has, and a client that can't
            // answer ARP yet, or no more, gets it.
            Destination::Broadcast | Destination::Hardware(..) | Destination::Address(_) => self.emit(&frame),
            Destination::Relay(_) | Destination::Inquirer(_) => send_to(&self.datagrams, payload, peer),
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

/// Whether an error says that the interface went away.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO))
}
