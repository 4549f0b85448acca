//! The server: requests on one port, each transfer on a socket of its own.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use nix::sys::socket::MsgFlags;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use crate::{
    options::Limits,
    packet::{ErrorCode, FileRequest, Packet},
    server::arrival::{self, Arrival, Beside, Received},
    server::caution::{BlockBackOff, Caution},
    server::clients::{Clients, Verdict},
    server::drive::{self, Job},
    server::engine::Engine,
    server::handler::Handler,
    server::unproven::Unproven,
    server::watched::watch,
};

/// Room for the requests of many machines that are switched on at once.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Longest request: a name of 255 bytes, and options.
const LONGEST: usize = 2048;
/// How long late packets to a transfer that was cut short are swallowed.
const MUTE: Duration = Duration::from_secs(5);
/// Transfers of one address whose client has not answered yet.
const SILENT: usize = 16;
/// How long a server that stops waits for handlers.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where to serve, and within which limits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Address and port of requests; transfers have ports of the kernel's choice on the same address.
    pub address: SocketAddr,
    /// The only interface to serve (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Limits.
    pub limits: Limits,
    /// Whether clients that get none of their blocks are offered smaller ones.
    pub back_off: BlockBackOff,
}

impl Options {
    /// At this address, on every interface, with the default limits.
    pub fn new(address: SocketAddr) -> Options {
        Options { address, interface: None, limits: Limits::default(), back_off: BlockBackOff::default() }
    }
}

/// Why a server can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody has the port.
    #[error("UDP port {port} is taken by another program; stop it (`ss -lunp 'sport = {port}'` shows it)", port = .0.port())]
    Taken(SocketAddr),
    /// Ports below 1024 are privileged.
    #[error("UDP port {port} needs a privilege: root, or CAP_NET_BIND_SERVICE", port = .0.port())]
    Privilege(SocketAddr),
    /// Anything else.
    #[error("can't listen on UDP {address}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    socket: AsyncFd<UdpSocket>,
    address: SocketAddr,
    options: Options,
    clients: Clients,
}

impl Server {
    /// Listens; inside of a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`] names the port.
    pub fn bind(options: Options) -> Result<Server, BindError> {
        let address = options.address;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken(address),
            io::ErrorKind::PermissionDenied => BindError::Privilege(address),
            _ => BindError::Other { address, source },
        };
        let socket = socket(address, &options).map_err(failed)?;
        // A burst of requests must not be lost; where this is refused, the kernel's default holds.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        let address = socket.local_addr().map_err(failed)?;
        let socket = watch(socket, Interest::READABLE).map_err(failed)?;
        Ok(Server { socket, address, options, clients: Clients::default() })
    }

    /// The address and port, as the kernel chose them where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The clients that have transfers.
    pub fn clients(&self) -> Clients {
        self.clients.clone()
    }

    /// Serves until `stop` is ready. The clients of transfers that run then are sent an ERROR, and their handlers are told.
    ///
    /// # Errors
    /// When there is no thread for the transfers.
    pub async fn run(self, handler: impl Handler, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (again, mut repeated) = mpsc::unbounded_channel();
        let mut desk = Desk {
            server: &self,
            handler: Arc::new(handler),
            engine: Arc::new(Engine::start()?),
            running: JoinSet::new(),
            caution: Caution::new(self.options.back_off),
            unproven: Unproven::default(),
            // Those that were cut short have not all ended yet.
            places: Arc::new(Semaphore::new(2 * self.options.limits.transfers)),
            mute: Arc::new(Semaphore::new(self.options.limits.transfers)),
            again,
            last: 0,
        };
        let mut packet = ([0; LONGEST], Beside::default());
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return desk.stop().await,
                Some(ended) = desk.running.join_next() => report(ended),
                // The channel has a sender as long as the desk stands.
                Some((peer, request)) = repeated.recv() => desk.answer_again(peer, &request),
                received = self.receive(&mut packet) => match received {
                    Ok((length, peer, at)) => desk.receive(peer, &packet.0[..length], at),
                    Err(error) => {
                        // An ICMP error about an earlier refusal.
                        tracing::debug!(%error, "can't receive");
                        tokio::task::yield_now().await;
                    }
                },
            }
        }
    }

    async fn receive(&self, (buffer, beside): &mut ([u8; LONGEST], Beside)) -> io::Result<Received> {
        let read = |socket: &UdpSocket| arrival::read(socket, buffer, beside, MsgFlags::MSG_DONTWAIT);
        self.socket.async_io(Interest::READABLE, read).await
    }
}

/// What answers requests.
struct Desk<'a, H: Handler> {
    server: &'a Server,
    handler: Arc<H>,
    engine: Arc<Engine>,
    running: JoinSet<()>,
    caution: Caution,
    unproven: Unproven,
    /// How many transfers may run, with those that end.
    places: Arc<Semaphore>,
    /// How many sockets of transfers that were cut short may stay open for a while.
    mute: Arc<Semaphore>,
    again: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
    /// Number of the last transfer.
    last: u64,
}

impl<H: Handler> Desk<'_, H> {
    fn receive(&mut self, peer: SocketAddr, packet: &[u8], at: Arrival) {
        let (code, message) = match Packet::decode(packet) {
            Ok(Packet::Read(asked)) => match self.server.clients.asked(peer, packet, at) {
                Verdict::Told => return,
                Verdict::Answer => return self.answer(peer, asked, packet),
            },
            Ok(Packet::Write(_)) => (ErrorCode::AccessViolation, "this server is read-only".into()),
            // An error must not be answered by an error.
            Ok(Packet::Error { .. }) => return,
            Ok(_) => (ErrorCode::IllegalOperation, "this port takes requests only".into()),
            Err(error) => (ErrorCode::IllegalOperation, error.to_string()),
        };
        drive::refuse(self.server.socket.get_ref(), peer, code, message);
    }

    /// A transfer was ended by a request that it could not answer itself. If its client has asked for yet another thing since,
    /// that counts.
    fn answer_again(&mut self, peer: SocketAddr, request: &[u8]) {
        if !self.server.clients.has(peer)
            && let Ok(Packet::Read(asked)) = Packet::decode(request)
        {
            self.answer(peer, asked, request);
        }
    }

    fn answer(&mut self, peer: SocketAddr, asked: FileRequest, request: &[u8]) {
        if let Err(message) = self.begin(peer, asked, request) {
            drive::refuse(self.server.socket.get_ref(), peer, ErrorCode::NotDefined, message);
        }
    }

    fn begin(&mut self, peer: SocketAddr, asked: FileRequest, request: &[u8]) -> Result<(), String> {
        let Server { clients, options, address, .. } = self.server;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let most = options.limits.transfers;
        let Some(place) = place.ok().filter(|_| clients.make_room(peer.ip(), SILENT.min(most), most)) else {
            return Err("all transfers are taken; ask again later".into());
        };
        if !self.unproven.may_answer(peer.ip(), drive::now()) {
            // Not even a word: it would go to whom the address belongs to.
            tracing::debug!(%peer, "nobody there answers; it gets no more for now");
            return Ok(());
        }
        let socket = socket((address.ip(), 0).into(), options)
            .map_err(|error| format!("no socket is left: {error}"))?;
        let (limits, trial) = self.caution.begin(peer.ip(), &options.limits, drive::now());
        self.last += 1;
        let seat = clients.seat(peer, self.last, request.to_vec());
        let (handler, engine, mute) =
            (Arc::clone(&self.handler), Arc::clone(&self.engine), Arc::clone(&self.mute));
        let (again, request, unproven) = (self.again.clone(), request.to_vec(), self.unproven.clone());
        self.running.spawn(async move {
            let left =
                drive::answer(Job { peer, asked, socket, limits, trial, unproven, seat }, handler, engine)
                    .await;
            drop(place);
            if left.again {
                // The server is gone: nobody is to be answered.
                let _ = again.send((peer, request));
            }
            if let (Some(socket), Ok(_place)) = (left.mute, mute.try_acquire()) {
                tokio::time::sleep(MUTE).await;
                drop(socket);
            }
        });
        Ok(())
    }

    /// Ends all transfers, and waits until that is told.
    async fn stop(self) -> io::Result<()> {
        self.server.clients.stop();
        let places = u32::try_from(2 * self.server.options.limits.transfers).unwrap_or(u32::MAX);
        // A handler that takes longer is cut off.
        let _ = timeout(FAREWELL, self.places.acquire_many(places)).await;
        Ok(())
    }
}

/// A handler's panic ends its transfer only.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a transfer failed");
    }
}

fn socket(address: SocketAddr, options: &Options) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if let Some(interface) = &options.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    arrival::mark_arrivals(&socket)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
