//! Files go from the page cache to the socket by sendfile(2): their bytes are not copied through this process.
//!
//! hyper frames replies and keeps connections, and it writes bytes that lie in memory. So a file's body gives it slices that
//! stand in for the file's bytes; they are known by their address, and nobody reads them. Where hyper hands one to the
//! connection's socket (`io.rs`), that sends so many bytes of the file instead. The file itself comes there by the
//! connection's [`Outlet`]. A transfer counts what sendfile says that the kernel took, nothing else.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::fd::BorrowedFd,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use rustix::{
    fs::{Advice, fadvise, sendfile},
    io::{Errno, ReadWriteFlags, preadv2},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    file::{FileError, FileVersion, OpenFile},
    transfer::Transfer,
};

/// Bytes that a connection sends at most before it is the next one's turn. So many are looked for in memory, and read from
/// the disk, at once.
pub(super) const TURN: usize = 2 * 1024 * 1024;

/// The memory that stands in for files. Nobody touches it, so it takes up addresses only.
static STAND_IN: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; TURN].into_boxed_slice());

/// Stands in for the next of `left` bytes of a file.
pub(super) fn stand_in(left: usize) -> &'static [u8] {
    &STAND_IN[..left.min(TURN)]
}

/// Whether bytes of a file are to be sent instead of this.
pub(super) fn is_stand_in(bytes: &[u8]) -> bool {
    std::ptr::eq(bytes.as_ptr(), STAND_IN.as_ptr())
}

/// The way of files to one connection's socket. hyper takes the next body when the last one is written, so one place is
/// enough.
#[derive(Debug, Default)]
pub(super) struct Outlet(Mutex<Option<Part>>);

impl Outlet {
    /// The file that the next stand-ins stand for.
    pub(super) fn put(&self, part: Part) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
    }

    /// The file that was put there, if any.
    pub(super) fn take(&self) -> Option<Part> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Part of a file that is being sent.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: Arc<File>,
    /// What was in it when it was opened.
    content: FileVersion,
    /// Offset of the next byte.
    at: u64,
    /// Offset behind the last one.
    until: u64,
    /// Offset up to which the file is in memory.
    in_memory: u64,
    reading: Option<JoinHandle<()>>,
    transfer: Arc<Transfer>,
}

impl Part {
    /// `len` bytes from `start`.
    pub(super) fn new(file: OpenFile, (start, len): (u64, u64), transfer: Arc<Transfer>) -> Part {
        let OpenFile { path, file, content, .. } = file;
        Part {
            path,
            file: Arc::new(file),
            content,
            at: start,
            until: start + len,
            in_memory: start,
            reading: None,
            transfer,
        }
    }

    /// Bytes that are not sent yet.
    pub(super) fn left(&self) -> u64 {
        self.until - self.at
    }

    /// Waits until the next bytes are in memory, so that sending them waits for no disk. A blocking thread reads what is not.
    ///
    /// # Errors
    /// When the file has changed since it was opened: the connection ends, and its client sees that bytes are missing.
    pub(super) fn poll_in_memory(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.at < self.in_memory {
            return Poll::Ready(Ok(()));
        }
        if self.reading.is_none() {
            self.check()?;
        }
        let end = self.until.min(self.at + TURN as u64);
        if self.reading.is_none() && !is_in_memory(&self.file, end - 1) {
            let (file, at) = (Arc::clone(&self.file), self.at);
            self.reading = Some(spawn_blocking(move || read(&file, at, end)));
        }
        if let Some(reading) = &mut self.reading {
            // If it failed, sendfile will, and tells why.
            let _ = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
        }
        self.in_memory = end;
        Poll::Ready(Ok(()))
    }

    /// Sends up to `most` bytes of what is in memory, as many as the socket takes now. That the file is shorter than it was is an error.
    pub(super) fn send(&self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        let most = usize::try_from(self.in_memory - self.at).map_or(most, |there| there.min(most));
        let mut at = self.at;
        match sendfile(socket, &self.file, Some(&mut at), most) {
            Ok(0) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Err(Errno::IO) => Err(self.broken(Errno::IO.into())),
            sent => Ok(sent?),
        }
    }

    /// The kernel has taken `sent` bytes; says whether those were the last ones.
    ///
    /// # Errors
    /// When the file has changed meanwhile: what was written over while its last bytes went is not complete.
    pub(super) fn advance(&mut self, sent: usize) -> io::Result<bool> {
        let is_last = self.left() == sent as u64;
        if is_last {
            self.check()?;
        }
        self.at += sent as u64;
        self.transfer.advance(sent);
        Ok(is_last)
    }

    fn check(&self) -> io::Result<()> {
        match FileVersion::of(&self.file.metadata()?) == self.content {
            true => Ok(()),
            false => Err(self.broken(io::Error::other(FileError::Changed))),
        }
    }

    fn broken(&self, error: io::Error) -> io::Error {
        tracing::warn!(path = %self.path.display(), at = self.at, %error, "a file that is being sent can't be read on");
        error
    }
}

/// Whether a byte of the file can be had without waiting. Pages come and go in order, so one stands for those before it.
fn is_in_memory(file: &File, at: u64) -> bool {
    let mut byte = [0];
    // An error is "no", or that this file system can't tell.
    preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT).is_ok()
}

/// Brings a part of the file into memory; blocks. The disk goes on with what follows while this part is sent.
fn read(file: &File, mut at: u64, end: u64) {
    let window = std::num::NonZero::new(2 * TURN as u64);
    // A file system that does not read ahead reads later.
    let _ = fadvise(file, at, window, Advice::WillNeed);
    // Sending to nowhere waits for the disk and copies nothing.
    let Ok(nowhere) = File::options().write(true).open("/dev/null") else { return };
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        if !sendfile(&nowhere, file, Some(&mut at), left).is_ok_and(|sent| sent > 0) {
            return;
        }
    }
}
