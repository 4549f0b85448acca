//! Files are sent by a thread of their own, so that nothing else waits behind them: no small reply, and not the owner of the
//! state. A connection works there as long as its next bytes are a file's.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Threads that read from disks for it. More would make a disk's head, or a card, jump between more places.
const READERS: usize = 8;

/// The thread; it ends with this.
#[derive(Debug)]
pub(super) struct Bulk {
    lanes: Lanes,
    /// Its end ends the thread.
    _running: oneshot::Sender<()>,
}

/// Where connections work: both runtimes.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    small: Handle,
    bulk: Handle,
}

/// Where one connection works, and where it wants to.
#[derive(Debug, Default)]
pub(super) struct Lane {
    is_bulk_here: AtomicBool,
    wants_bulk: AtomicBool,
}

impl Bulk {
    /// Starts the thread, beside the present runtime.
    pub(super) fn start() -> io::Result<Bulk> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(READERS).build()?;
        let lanes =
            Lanes { small: Handle::try_current().map_err(io::Error::other)?, bulk: runtime.handle().clone() };
        let (running, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("http-bulk".into()).spawn(move || {
            // The sender's end is what is waited for.
            let _ = runtime.block_on(ended);
            // A disk that hangs must not hold up the end.
            runtime.shutdown_background();
        })?;
        Ok(Bulk { lanes, _running: running })
    }

    /// Where connections work.
    pub(super) fn lanes(&self) -> Lanes {
        self.lanes.clone()
    }
}

impl Lanes {
    /// Runs a connection, which says by `lane` where it wants to work.
    pub(super) fn run(&self, connection: impl Future<Output = ()> + Send + 'static, lane: Arc<Lane>) {
        self.go_on(Box::pin(connection), lane);
    }

    fn go_on(&self, connection: Connection, lane: Arc<Lane>) {
        let is_bulk = lane.wants_bulk.load(Relaxed);
        let runtime = if is_bulk { &self.bulk } else { &self.small };
        let stay = Stay { connection: Some(connection), lane, is_bulk, lanes: self.clone() };
        drop(runtime.spawn(stay));
    }
}

impl Lane {
    /// Of a connection that works where files are sent, and never moves.
    #[cfg(test)]
    pub(super) fn bulk_only() -> Lane {
        Lane { is_bulk_here: true.into(), wants_bulk: true.into() }
    }

    /// Whether the connection works where files are sent.
    pub(super) fn is_bulk_here(&self) -> bool {
        self.is_bulk_here.load(Relaxed)
    }

    /// Says that it wants to. It goes there when it has nothing else to do.
    pub(super) fn join_bulk(&self) {
        self.wants_bulk.store(true, Relaxed);
    }

    /// Says that it wants back.
    pub(super) fn leave_bulk(&self) {
        self.wants_bulk.store(false, Relaxed);
    }
}

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection's stay in one runtime.
struct Stay {
    connection: Option<Connection>,
    lane: Arc<Lane>,
    is_bulk: bool,
    lanes: Lanes,
}

impl Future for Stay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut connection) = self.connection.take() else { return Poll::Ready(()) };
        self.lane.is_bulk_here.store(self.is_bulk, Relaxed);
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.lane.wants_bulk.load(Relaxed) == self.is_bulk {
            self.connection = Some(connection);
            return Poll::Pending;
        }
        // Polled anew there, it waits there for whatever it waited for here.
        self.lanes.go_on(connection, Arc::clone(&self.lane));
        Poll::Ready(())
    }
}
