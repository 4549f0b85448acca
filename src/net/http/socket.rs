//! A connection's socket: sends files where hyper writes what stands in for them, gives up on clients that take nothing,
//! and can end without a farewell.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    bulk::Lane,
    sendfile::{Outlet, Part, TURN, is_stand_in},
};

/// Tells a socket to hold as much unsent as the kernel finds good, and nothing.
const AS_KERNEL_LIKES: u32 = 0;
const NOTHING: u32 = 1;
/// A file's end that the kernel has taken may be megabytes, and nobody sees them go: that takes longer than one byte, so many
/// times what a client has for that.
const DRAINING: u32 = 5;

/// A stream socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static {
    /// Has the runtime that this is called in wait for it. Another one's would have to wake this one each time.
    fn come_here(&mut self) -> io::Result<()>;
    /// From how many bytes on that wait in it unsent it is full.
    fn hold_unsent(&self, bytes: u32);
    /// Closing it then sends RST, and its addresses and ports are free at once (RFC 9293 section 3.10.5, ABORT).
    fn reset_when_closed(&self);
    /// Waits until it may take something.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Writes in a way of one's own, without waiting. Would it block, it is not ready any more.
    fn try_write_by(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn come_here(&mut self) -> io::Result<()> {
        *self = TcpStream::from_std(self.as_fd().try_clone_to_owned()?.into())?;
        Ok(())
    }

    fn hold_unsent(&self, bytes: u32) {
        // Without it, as much waits as the kernel finds good.
        let _ = SockRef::from(self).set_tcp_notsent_lowat(bytes);
    }

    fn reset_when_closed(&self) {
        // It fails only when there is no connection any more.
        let _ = self.set_zero_linger();
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        TcpStream::poll_write_ready(self, cx)
    }

    fn try_write_by(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}

impl Socket for UnixStream {
    fn come_here(&mut self) -> io::Result<()> {
        *self = UnixStream::from_std(self.as_fd().try_clone_to_owned()?.into())?;
        Ok(())
    }

    fn hold_unsent(&self, _: u32) {}

    fn reset_when_closed(&self) {}

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        UnixStream::poll_write_ready(self, cx)
    }

    fn try_write_by(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}

/// Waits until the socket takes something of what `write` gives it.
fn poll_write_by<S: Socket>(
    socket: &S,
    cx: &mut Context<'_>,
    mut write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_write_by(|| write(socket.as_fd())) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

/// Whether the socket holds less than it may; the kernel tells when it does again.
fn is_writable(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&now))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(0),
    }
}

/// What hyper takes for the socket. A write fails when the peer has taken no byte for some time, and then the connection
/// ends by a reset. Reads wait: hyper has its own limit for headers, and bodies have theirs.
#[derive(Debug)]
pub(super) struct Connected<S: Socket> {
    socket: S,
    /// Whether it ends by a reset.
    reset: Arc<AtomicBool>,
    patience: Patience,
    outlet: Arc<Outlet>,
    lane: Arc<Lane>,
    /// Whether the bulk runtime waits for the socket.
    is_in_bulk: bool,
    /// The file whose bytes are sent now.
    sending: Option<Part>,
    /// Bytes of it that were sent in this turn.
    turn: usize,
    /// All of it is in the kernel, which has not sent all of that.
    is_draining: bool,
}

impl<S: Socket> Connected<S> {
    /// `socket`, which may stand still for `patience`, and ends by a reset if `reset` is set then. Files come by `outlet`.
    pub(super) fn new(
        socket: S,
        patience: Duration,
        reset: Arc<AtomicBool>,
        (outlet, lane): (Arc<Outlet>, Arc<Lane>),
    ) -> Connected<S> {
        let patience = Patience { limit: patience, times: 1, since: None, waiting: None };
        let is_in_bulk = lane.is_bulk_here();
        Connected {
            socket,
            reset,
            patience,
            outlet,
            lane,
            is_in_bulk,
            sending: None,
            turn: 0,
            is_draining: false,
        }
    }

    /// Has this runtime wait for the socket.
    fn come_here(&mut self) -> io::Result<()> {
        let is_bulk_here = self.lane.is_bulk_here();
        if self.is_in_bulk != is_bulk_here {
            self.socket.come_here()?;
            self.is_in_bulk = is_bulk_here;
        }
        Ok(())
    }

    fn socket(&mut self) -> io::Result<Pin<&mut S>> {
        self.come_here()?;
        Ok(Pin::new(&mut self.socket))
    }

    /// Sends bytes of the file that a stand-in stands for.
    fn poll_send(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if !self.lane.is_bulk_here() {
            self.lane.join_bulk();
            return Poll::Pending;
        }
        if self.turn >= TURN {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.come_here()?;
        if self.sending.is_none() {
            self.sending = self.outlet.take();
        }
        let Some(part) = &mut self.sending else {
            return Poll::Ready(Err(io::Error::other("nothing is there to be sent")));
        };
        ready!(part.poll_in_memory(cx))?;
        let written = poll_write_by(&self.socket, cx, |socket| part.send(socket, most));
        let moved = written.map(|sent| sent.and_then(|sent| Ok((sent, part.advance(sent)?))));
        let (sent, is_last) = ready!(self.or_late(moved, cx))?;
        self.turn += sent;
        if is_last {
            self.sending = None;
            self.turn = 0;
            self.is_draining = true;
            self.patience.times = DRAINING;
            self.socket.hold_unsent(NOTHING);
        }
        Poll::Ready(Ok(sent))
    }

    /// Waits until the kernel has sent a file's last bytes. Only then the time for the next request begins: its end is a
    /// reset, which would take them away from a client that is slow to take them.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_draining {
            self.come_here()?;
            let drained = poll_write_by(&self.socket, cx, is_writable);
            ready!(self.or_late(drained, cx))?;
            self.is_draining = false;
            self.patience.times = 1;
            self.socket.hold_unsent(AS_KERNEL_LIKES);
            self.lane.leave_bulk();
        }
        Poll::Ready(Ok(()))
    }

    fn or_late<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            self.turn = 0;
        }
        let written = self.patience.or_late(written, cx);
        if matches!(&written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut) {
            self.reset.store(true, Relaxed);
        }
        written
    }

    fn poll_write_all_kinds(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bufs = bufs.iter().position(|buf| !buf.is_empty()).map_or(bufs, |first| &bufs[first..]);
        match bufs.iter().position(|buf| is_stand_in(buf)) {
            Some(0) => self.poll_send(cx, bufs[0].len()),
            Some(before) => {
                self.come_here()?;
                // A head leaves together with what follows it.
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                let send = |socket: BorrowedFd<'_>| {
                    Ok(sendmsg(socket, &bufs[..before], &mut SendAncillaryBuffer::default(), flags)?)
                };
                let written = poll_write_by(&self.socket, cx, send);
                self.or_late(written, cx)
            }
            None => {
                let written = self.socket()?.poll_write_vectored(cx, bufs);
                self.or_late(written, cx)
            }
        }
    }
}

impl<S: Socket> Drop for Connected<S> {
    fn drop(&mut self) {
        if self.reset.load(Relaxed) {
            self.socket.reset_when_closed();
        }
    }
}

impl<S: Socket> AsyncRead for Connected<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, buf)
    }
}

impl<S: Socket> AsyncWrite for Connected<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_all_kinds(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_all_kinds(cx, bufs)
    }

    /// Without it, hyper would copy what stands in for files.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drained(cx))?;
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}

/// How long a peer may take nothing.
#[derive(Debug)]
struct Patience {
    limit: Duration,
    /// So many of them.
    times: u32,
    /// Since when it takes nothing.
    since: Option<Instant>,
    /// Set at most once in `limit`, not at each wait: a fast client has thousands of them a second.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn or_late<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.since = None;
            return written;
        }
        #[allow(clippy::disallowed_methods)] // An adapter that waits for the network may.
        let end = *self.since.get_or_insert_with(Instant::now) + self.limit * self.times;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if waiting.deadline() > end {
            waiting.as_mut().reset(end);
        }
        while waiting.as_mut().poll(cx).is_ready() {
            if waiting.deadline() >= end {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            waiting.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
