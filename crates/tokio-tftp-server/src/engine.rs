//! The thread in which packets are sent and received.
//!
//! All transfers run in one thread of its own: it wakes up once for all that have something to do, and no packet wakes another
//! thread. What a handler does runs in the runtime of whoever called the server.

use std::{io, thread};

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
        Ok(Engine { runtime: handle, _stop: stop })
    }

    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }
}
