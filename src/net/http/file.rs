//! Files, read in big pieces, one piece ahead of the socket, and never on a thread that serves sockets.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSliceMut},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::UNIX_EPOCH,
};

use rustix::{
    fs::OFlags,
    io::{ReadWriteFlags, preadv2},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{body::Piece, transfer::Transfer};
use crate::storage::scan;
use rackberry_core::{assets::folder::Stamp, http::range::Meta};

/// Bytes in a piece. A connection holds two of them at most.
const PIECE: usize = 256 * 1024;

/// Why a file can't be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// It is a folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// It is not what the last scan found.
    #[error("it has changed")]
    Changed,
    /// The system says no.
    #[error("can't be opened")]
    Io(#[from] io::Error),
}

/// An open regular file.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: File,
    /// Its length and validators as of the opening.
    pub(super) meta: Meta,
}

impl OpenFile {
    /// Opens a file that must have this length and these times, where that matters; blocks.
    pub(super) fn open(path: &Path, state: Option<(u64, Stamp)>) -> Result<OpenFile, FileError> {
        // NONBLOCK, so that opening a pipe that nobody writes to does not wait.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(FileError::NotRegular);
        }
        if state.is_some_and(|state| state != (meta.len(), scan::stamp(&meta))) {
            return Err(FileError::Changed);
        }
        let modified = meta.modified()?.duration_since(UNIX_EPOCH).ok();
        let meta = Meta { len: meta.len(), modified, inode: meta.ino() };
        Ok(OpenFile { path: path.to_owned(), file, meta })
    }
}

/// Part of a file, as the body of a reply. A file that turns out shorter than it was is an error, which closes
/// the connection: the client sees that bytes are missing.
///
/// What the page cache has is read at once, which never waits for a disk. Otherwise a blocking thread reads, and
/// then, while that piece goes to the socket, the next one too.
#[derive(Debug)]
pub(super) struct FileBody {
    path: PathBuf,
    file: Arc<File>,
    /// Offset of the next piece.
    at: u64,
    /// Offset behind the last one.
    until: u64,
    reading: Option<JoinHandle<io::Result<Filled>>>,
    transfer: Arc<Transfer>,
}

/// A buffer and how many bytes of it are the file's.
type Filled = (Vec<u8>, usize);

impl FileBody {
    /// `len` bytes from `start`.
    pub(super) fn new(file: OpenFile, start: u64, len: u64, transfer: Arc<Transfer>) -> FileBody {
        let OpenFile { path, file, .. } = file;
        FileBody { path, file: Arc::new(file), at: start, until: start + len, reading: None, transfer }
    }

    /// Bytes that are not in a piece yet.
    pub(super) fn remaining(&self) -> u64 {
        self.until - self.at
    }

    /// The next piece.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        if self.remaining() == 0 {
            return Poll::Ready(None);
        }
        if self.reading.is_none() {
            match self.read_cached() {
                Ok(filled) => return Poll::Ready(Some(Ok(self.piece(filled)))),
                Err((buffer, got)) => self.reading = Some(self.read_disk(buffer, got)),
            }
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let filled = match done.unwrap_or_else(|ended| Err(io::Error::other(ended))) {
            Ok(filled) => filled,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), at = self.at, %error, "a file that is being sent can't be read on");
                return Poll::Ready(Some(Err(error)));
            }
        };
        let piece = self.piece(filled);
        if self.remaining() > 0 {
            let buffer = self.transfer.buffer(self.next_len());
            self.reading = Some(self.read_disk(buffer, 0));
        }
        Poll::Ready(Some(Ok(piece)))
    }

    fn piece(&mut self, (buffer, len): Filled) -> Piece {
        self.at += len as u64;
        Piece::new(buffer, len, Arc::clone(&self.transfer))
    }

    fn next_len(&self) -> usize {
        usize::try_from(self.remaining()).map_or(PIECE, |left| left.min(PIECE))
    }

    /// The next piece if all of it is in memory; otherwise a buffer, and how much of it is filled.
    fn read_cached(&self) -> Result<Filled, Filled> {
        let len = self.next_len();
        let mut buffer = self.transfer.buffer(len);
        let mut slices = [IoSliceMut::new(&mut buffer[..len])];
        // An error is "not in memory", or that this file system can't tell; the blocking read finds the rest.
        let got = preadv2(&self.file, &mut slices, self.at, ReadWriteFlags::NOWAIT).unwrap_or(0);
        if got == len { Ok((buffer, len)) } else { Err((buffer, got)) }
    }

    fn read_disk(&self, mut buffer: Vec<u8>, got: usize) -> JoinHandle<io::Result<Filled>> {
        let (file, at, len) = (Arc::clone(&self.file), self.at, self.next_len());
        spawn_blocking(move || {
            file.read_exact_at(&mut buffer[got..len], at + got as u64)?;
            Ok((buffer, len))
        })
    }
}
