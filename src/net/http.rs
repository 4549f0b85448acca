//! The HTTP server: HTTP/1.1 (RFC 9110, RFC 9112) on TCP ports for nodes and people, and on a Unix socket for
//! the command line. It decides nothing: what a request gets is the owner's answer.

mod api;
mod bind;
mod body;
mod bulk;
mod crowd;
mod download;
mod events;
mod file;
mod guess_limit;
mod metrics;
mod nodes;
mod openapi;
mod page;
mod port_owner;
mod response;
mod router;
mod sendfile;
mod socket;
mod transfer;

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch},
    time::{sleep, timeout},
};

use rackberry_core::config::Settings;

pub use self::{api::Token, bind::BindError};
use self::{
    bulk::{Bulk, Lane, Lanes},
    crowd::{Admission, Crowd},
    guess_limit::GuessLimit,
    metrics::Counters,
    nodes::NodesText,
    sendfile::Outlet,
    socket::{Connected, Socket},
};
use crate::service::{
    handle::Handle,
    seen::{Seen, Snapshot},
};

/// What the server listens on and how patient it is.
#[derive(Debug, Clone)]
pub struct Options {
    /// TCP addresses and ports.
    pub addresses: Vec<SocketAddrV4>,
    /// Path of the control socket, if one is served.
    pub socket: Option<PathBuf>,
    /// How long and how much clients may take.
    pub limits: Limits,
    /// The configuration in force, for the names that mean this service.
    pub settings: watch::Receiver<Arc<Settings>>,
}

/// Bounds on what clients can take up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Network connections at once; more wait in the kernel.
    pub connections: usize,
    /// Connections of one network address at once; more are closed.
    pub connections_each: usize,
    /// Connections to the control socket at once.
    pub socket_connections: usize,
    /// Clients of the events at once; more are refused.
    pub event_clients: usize,
    /// Bytes of a request's header.
    pub header: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Time for a request's header to arrive, from the connection's start or the last response's end.
    pub header_time: Duration,
    /// Time for a request's body to arrive.
    pub body_time: Duration,
    /// Time in which a client must take at least one byte of what is sent.
    pub stall_time: Duration,
    /// Time that running requests have to end when the server stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            connections_each: 64,
            socket_connections: 64,
            event_clients: 64,
            header: 16 * 1024,
            body: 64 * 1024,
            header_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
            stall_time: Duration::from_secs(60),
            stop_time: Duration::from_secs(5),
        }
    }
}

/// A server whose sockets are open.
#[derive(Debug)]
pub struct HttpServer {
    ports: Vec<TcpListener>,
    control: Option<UnixListener>,
    socket: Option<PathBuf>,
    shared: Shared,
    gone: mpsc::Receiver<()>,
    bulk: Bulk,
}

/// Where a connection comes from: the listener says so, nothing that a client sends.
#[derive(Debug, Clone, Copy)]
enum Peer {
    /// A TCP port.
    Network(Ipv4Addr),
    /// The control socket.
    Socket,
}

/// What all connections share.
#[derive(Debug, Clone)]
struct Shared {
    handle: Handle,
    seen: Seen,
    /// The state as a line of JSON, as long as somebody follows it.
    lines: watch::Sender<Arc<str>>,
    /// Somebody follows it from now on.
    followed: Arc<Notify>,
    nodes_text: Arc<NodesText>,
    token: watch::Receiver<Option<Token>>,
    settings: watch::Receiver<Arc<Settings>>,
    guesses: Arc<GuessLimit>,
    crowd: Crowd,
    limits: Limits,
    counters: Arc<Counters>,
    event_clients: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    /// Closed when the last connection and the last report of a transfer are through.
    alive: mpsc::Sender<()>,
    lanes: Lanes,
}

impl HttpServer {
    /// Listens on everything in `options`. `seen` is what the events show, `token` is what
    /// network clients must know to give orders, and `stop` says when to end (as its sender's end does).
    ///
    /// # Errors
    /// [`BindError`] names the port or socket and the remedy.
    pub fn bind(
        options: Options,
        handle: Handle,
        seen: Seen,
        token: watch::Receiver<Option<Token>>,
        stop: watch::Receiver<bool>,
    ) -> Result<HttpServer, BindError> {
        let Options { addresses, socket, limits, settings } = options;
        let ports = addresses.into_iter().map(bind::port).collect::<Result<_, _>>()?;
        let control = socket.as_deref().map(bind::socket).transpose()?;
        let (alive, gone) = mpsc::channel(1);
        let bulk = Bulk::start().map_err(BindError::Thread)?;
        let event_clients = Arc::new(Semaphore::new(limits.event_clients));
        let counters = Arc::default();
        let shared = Shared {
            handle,
            seen,
            lines: watch::Sender::new(events::line(&Snapshot::default())),
            followed: Arc::default(),
            nodes_text: Arc::default(),
            token,
            settings,
            guesses: Arc::default(),
            crowd: Crowd::default(),
            limits,
            counters,
            event_clients,
            stop,
            alive,
            lanes: bulk.lanes(),
        };
        Ok(HttpServer { ports, control, socket, shared, gone, bulk })
    }

    /// The TCP addresses, with the ports that the kernel chose where 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.ports.iter().filter_map(|port| port.local_addr().ok()).collect()
    }

    /// Serves until told to stop; then lets requests end, for [`Limits::stop_time`] at most.
    pub async fn run(self) {
        let HttpServer { ports, control, socket, shared, mut gone, bulk } = self;
        let mut stop = shared.stop.clone();
        let slots = Arc::new(Semaphore::new(shared.limits.connections));
        for port in ports {
            let (shared, slots) = (shared.clone(), Arc::clone(&slots));
            tokio::spawn(accept(shared, slots, async move || {
                let (stream, peer) = port.accept().await?;
                // Answers are written in one go; small ones must not wait for more.
                let _ = stream.set_nodelay(true);
                Ok((stream, network(peer)))
            }));
        }
        if let Some(control) = control {
            let slots = Arc::new(Semaphore::new(shared.limits.socket_connections));
            tokio::spawn(accept(shared.clone(), slots, async move || {
                Ok((control.accept().await?.0, Some(Peer::Socket)))
            }));
        }
        tokio::select! {
            // Connections live on when the state changes no more.
            () = async {
                events::write(shared.seen.clone(), shared.lines.clone(), &shared.followed).await;
                std::future::pending().await
            } => {}
            () = stopped(&mut stop) => {}
        }
        if let Some(socket) = socket {
            // The next start replaces a socket that stays behind.
            let _ = std::fs::remove_file(socket);
        }
        let patience = shared.limits.stop_time + Duration::from_secs(1);
        drop(shared);
        let _ = timeout(patience, gone.recv()).await;
        drop(bulk);
    }
}

/// Waits for the word to stop; the end of its sender is one, too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits until the machine on the other end starts anew; it knows nothing of this connection then.
async fn restarted(restarts: &mut broadcast::Receiver<Ipv4Addr>, peer: Peer) {
    loop {
        match restarts.recv().await {
            Ok(address) if matches!(peer, Peer::Network(own) if own == address) => return,
            // Those that were missed will time out.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The peer's IPv4 address; the service has no other networks.
fn network(peer: SocketAddr) -> Option<Peer> {
    match peer.ip() {
        IpAddr::V4(ip) => Some(Peer::Network(ip)),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map(Peer::Network),
    }
}

async fn accept<S>(
    shared: Shared,
    slots: Arc<Semaphore>,
    mut next: impl AsyncFnMut() -> std::io::Result<(S, Option<Peer>)>,
) where
    S: Socket,
{
    let mut stop = shared.stop.clone();
    let accepting = async {
        loop {
            match next().await {
                Ok((stream, Some(peer))) => {
                    let place = match peer {
                        Peer::Network(client) => {
                            match shared.crowd.enter(client, shared.limits.connections_each) {
                                Some(place) => Some(place),
                                None => {
                                    // Nothing of it is kept, not even in the kernel.
                                    stream.reset_when_closed();
                                    continue;
                                }
                            }
                        }
                        Peer::Socket => None,
                    };
                    let Some(slot) = slot(&shared, &slots).await else { return };
                    let lane = Arc::<Lane>::default();
                    let guest = Guest { peer, lane: Arc::clone(&lane), place, slot };
                    let connection = connection(shared.clone(), stream, guest);
                    shared.lanes.run(connection, lane);
                }
                Ok((_, None)) => {}
                Err(error) => {
                    // Out of descriptors, most likely: some will come back.
                    tracing::warn!(%error, "can't accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stopped(&mut stop) => {}
    }
}

/// One of the connections that there may be at once. Others wait for it; where none is left, one that never asked for
/// anything gives way.
async fn slot(shared: &Shared, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Some(slot);
    }
    shared.crowd.make_room();
    Arc::clone(slots).acquire_owned().await.ok()
}

/// Who is at the other end of a connection, and what the connection takes up.
struct Guest {
    peer: Peer,
    lane: Arc<Lane>,
    place: Option<Admission>,
    slot: OwnedSemaphorePermit,
}

async fn connection<S: Socket>(shared: Shared, socket: S, Guest { peer, lane, place, slot }: Guest) {
    let (limits, mut stop, counters) = (shared.limits, shared.stop.clone(), Arc::clone(&shared.counters));
    let mut restarts = shared.handle.restarts().subscribe();
    counters.opened();
    let shared = Arc::new(shared);
    let reset = Arc::new(AtomicBool::new(false));
    let outlet = Arc::<Outlet>::default();
    let service = service_fn(|request| {
        let (shared, outlet) = (Arc::clone(&shared), Arc::clone(&outlet));
        place.iter().for_each(Admission::has_asked);
        async move {
            let response = router::respond(shared, peer, request).await;
            Ok::<_, Infallible>(response.map(|body| body.on(&outlet)))
        }
    });
    let mut builder = http1::Builder::new();
    // GRUB 2.06 knows `Content-Length` in these letters only, and without it waits for the connection's end.
    builder.title_case_headers(true);
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_time).max_buf_size(limits.header);
    let ways = (Arc::clone(&outlet), lane);
    let socket = TokioIo::new(Connected::new(socket, limits.stall_time, Arc::clone(&reset), ways));
    let mut serving = std::pin::pin!(builder.serve_connection(socket, service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            timeout(limits.stop_time, serving).await.unwrap_or_else(|_| {
                tracing::debug!(?peer, "a connection was cut, because the service stops");
                Ok(())
            })
        }
        () = restarted(&mut restarts, peer) => {
            reset.store(true, Relaxed);
            Ok(())
        }
        () = async {
            match &place {
                Some(place) => place.shown_out().await,
                None => std::future::pending().await,
            }
        } => {
            reset.store(true, Relaxed);
            Ok(())
        }
    };
    if let Err(error) = served {
        tracing::debug!(?peer, %error, "a connection broke");
        // Who is silent for so long may be GRUB on a machine that is off by now. It closes no connection and uses the same
        // ports after each start: what stays of one here, be it only in the kernel, would swallow the next.
        reset.fetch_or(error.is_timeout(), Relaxed);
    }
    counters.closed();
    drop((slot, place));
}
