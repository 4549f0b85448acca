//! The server: requests on one port, each transfer on a socket of its own.

use std::{
    collections::HashSet,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use socket2::{Domain, Socket, Type};
use tokio::{net::UdpSocket, task::JoinSet};

use crate::{
    caution::Caution,
    drive,
    handler::Handler,
    options::Limits,
    packet::{ErrorCode, Packet},
};

/// Room for the requests of many machines that are switched on at once.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Longest request: a name of 255 bytes, and options.
const LONGEST: usize = 2048;

/// Where to serve, and within which limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address and port of requests; transfers have ports of the kernel's choice on the same address.
    pub address: SocketAddr,
    /// The only interface to serve (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Limits.
    pub limits: Limits,
}

impl Options {
    /// At this address, on every interface, with the default limits.
    pub fn new(address: SocketAddr) -> Options {
        Options { address, interface: None, limits: Limits::default() }
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
    socket: UdpSocket,
    address: SocketAddr,
    options: Options,
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
        Ok(Server { socket, address, options })
    }

    /// The address and port, as the kernel chose them where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; transfers that run are cut off then.
    ///
    /// # Errors
    /// When the socket fails for good.
    pub async fn run(self, handler: impl Handler, stop: impl Future<Output = ()>) -> io::Result<()> {
        let handler = Arc::new(handler);
        let mut running = JoinSet::new();
        let peers = Arc::<Mutex<HashSet<SocketAddr>>>::default();
        let caution = Caution::default();
        let mut buffer = [0; LONGEST];
        let mut stop = std::pin::pin!(stop);
        loop {
            let (length, peer) = tokio::select! {
                () = &mut stop => return Ok(()),
                Some(ended) = running.join_next() => {
                    report(ended);
                    continue;
                }
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok(received) => received,
                    Err(error) => {
                        // An ICMP error about an earlier refusal.
                        tracing::debug!(%error, "can't receive");
                        tokio::task::yield_now().await;
                        continue;
                    }
                },
            };
            let (code, message) = match Packet::decode(&buffer[..length]) {
                // A client that got no answer yet asks again, from the same port: one transfer is enough.
                Ok(Packet::Read(_)) if locked(&peers).contains(&peer) => continue,
                Ok(Packet::Read(_)) if running.len() >= self.options.limits.transfers => {
                    (ErrorCode::NotDefined, "all transfers are taken; ask again later".into())
                }
                Ok(Packet::Read(request)) => match socket((self.address.ip(), 0).into(), &self.options) {
                    Ok(socket) => {
                        let handler = Arc::clone(&handler);
                        let (limits, trial) = caution.begin(peer.ip(), &self.options.limits, drive::now());
                        let entry = Entry::new(&peers, peer);
                        running.spawn(async move {
                            drive::answer(socket, peer, request, handler, limits, trial).await;
                            drop(entry);
                        });
                        continue;
                    }
                    Err(error) => (ErrorCode::NotDefined, format!("no socket is left: {error}")),
                },
                Ok(Packet::Write(_)) => (ErrorCode::AccessViolation, "this server is read-only".into()),
                // An error must not be answered by an error.
                Ok(Packet::Error { .. }) => continue,
                Ok(_) => (ErrorCode::IllegalOperation, "this port takes requests only".into()),
                Err(error) => (ErrorCode::IllegalOperation, error.to_string()),
            };
            drive::refuse(&self.socket, peer, code, message).await;
        }
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
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// A client that has a transfer; it may have the next one when this is dropped.
struct Entry {
    peers: Arc<Mutex<HashSet<SocketAddr>>>,
    peer: SocketAddr,
}

impl Entry {
    fn new(peers: &Arc<Mutex<HashSet<SocketAddr>>>, peer: SocketAddr) -> Entry {
        locked(peers).insert(peer);
        Entry { peers: Arc::clone(peers), peer }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        locked(&self.peers).remove(&self.peer);
    }
}

fn locked(peers: &Mutex<HashSet<SocketAddr>>) -> std::sync::MutexGuard<'_, HashSet<SocketAddr>> {
    peers.lock().unwrap_or_else(PoisonError::into_inner)
}
