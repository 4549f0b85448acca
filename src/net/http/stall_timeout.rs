//! A socket that gives up on clients that take nothing, and can end without a farewell.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::{Sleep, sleep},
};

/// A socket that can be made to leave nothing behind when it is closed.
pub(super) trait Abrupt {
    /// Closing it then sends RST, and its addresses and ports are free at once (RFC 9293 section 3.10.5, ABORT).
    fn reset_when_closed(&self);
}

impl Abrupt for TcpStream {
    fn reset_when_closed(&self) {
        // It fails only when there is no connection any more.
        let _ = self.set_zero_linger();
    }
}

impl Abrupt for UnixStream {
    fn reset_when_closed(&self) {}
}

/// Fails a write when the peer has taken no byte for some time. Reads wait: hyper has its own limit for headers,
/// and bodies have theirs.
#[derive(Debug)]
pub(super) struct Impatient<S: Abrupt> {
    inner: S,
    /// Whether it ends by a reset.
    reset: Arc<AtomicBool>,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S: Abrupt> Impatient<S> {
    /// `inner`, which may stand still for `patience`, and ends by a reset if `reset` is set then.
    pub(super) fn new(inner: S, patience: Duration, reset: Arc<AtomicBool>) -> Impatient<S> {
        Impatient { inner, reset, patience, waiting: None }
    }

    fn or_late<T>(&mut self, poll: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = None;
            return poll;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Abrupt> Drop for Impatient<S> {
    fn drop(&mut self) {
        if self.reset.load(Relaxed) {
            self.inner.reset_when_closed();
        }
    }
}

impl<S: Abrupt + AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: Abrupt + AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.or_late(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.or_late(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.or_late(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.or_late(poll, cx)
    }
}
