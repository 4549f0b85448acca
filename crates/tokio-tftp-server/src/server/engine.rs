//! The thread in which packets are sent and received.
//!
//! All transfers run in one thread of its own: it wakes up once for all that have something to do, and no packet wakes another
//! thread. What a handler does runs in the runtime of whoever called the server.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinHandle,
};

/// Threads that read what is not in memory yet.
const READERS: usize = 8;

/// Runs transfers until it is dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    runtime: Handle,
    running: Running,
    /// The thread ends when this does.
    _stop: oneshot::Sender<()>,
}

impl Engine {
    pub fn start() -> io::Result<Engine> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(READERS)
            .thread_name("tftp-read")
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        thread::Builder::new().name("tftp".into()).spawn(move || {
            let _ = runtime.block_on(stopped);
            // Nobody waits for a disk that does not answer.
            runtime.shutdown_background();
        })?;
        Ok(Engine { runtime: handle, running: Running::default(), _stop: stop })
    }

    /// Runs a transfer. It is told with how many others it has to share the thread.
    pub fn spawn<T, F>(&self, transfer: impl FnOnce(Running) -> F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let running = Running(Arc::clone(&self.running.0));
        running.0.fetch_add(1, Ordering::Relaxed);
        self.runtime.spawn(transfer(running))
    }
}

/// A transfer among those that run.
#[derive(Debug, Default)]
pub(crate) struct Running(Arc<AtomicUsize>);

impl Running {
    /// Whether it is the only one. If another one begins in this moment, that waits a moment.
    pub fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
