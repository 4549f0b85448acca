//! Files that are asked for: opened, looked at, and small ones read.

use std::{
    fs::{File, Metadata},
    io::{self, IoSliceMut},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2},
    io::{ReadWriteFlags, preadv2, retry_on_intr},
};
use tokio::task::spawn_blocking;

use crate::storage::scan;
use rackberry_core::{assets::folder::Stamp, http::range::Meta};

/// Bytes up to which a file is read at once: with the reply's head in one write, that is less work than sendfile.
pub(super) const SMALL: u64 = 32 * 1024;

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
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Its length and validators as of the opening.
    pub(super) meta: Meta,
    /// By what a change of it is seen.
    pub(super) content: FileVersion,
    /// All of a small file.
    pub(super) bytes: Option<Bytes>,
}

/// Length and time of change of a file's content. (The entry's time of change is another after a new file took its name,
/// which is nothing to who sends the old one.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileVersion(u64, i64);

impl FileVersion {
    /// A file's content now.
    pub(super) fn of(meta: &Metadata) -> FileVersion {
        FileVersion(meta.len(), scan::stamp(meta).content)
    }
}

/// Whether opening and reading may wait for a disk.
#[derive(Debug, Clone, Copy)]
enum Disk {
    /// No: what is not in memory is an error.
    Untouched,
    /// Yes; blocks.
    Awaited,
}

impl OpenFile {
    /// Opens a file that must have this length and these times, where that matters. What is in memory is opened here, which
    /// spares a small reply the way to another thread and back; for the rest that thread waits for the disk.
    pub(super) async fn open(path: &Path, state: Option<(u64, Stamp)>) -> Result<OpenFile, FileError> {
        match OpenFile::open_by(Disk::Untouched, path, state) {
            // Whatever it is: that it is not in memory, that this kernel can't tell, or what the thread will find as well.
            Err(FileError::Io(_)) => {}
            done => return done,
        }
        let path = path.to_owned();
        let opening = spawn_blocking(move || OpenFile::open_by(Disk::Awaited, &path, state));
        opening.await.unwrap_or_else(|ended| Err(io::Error::other(ended).into()))
    }

    fn open_by(disk: Disk, path: &Path, state: Option<(u64, Stamp)>) -> Result<OpenFile, FileError> {
        let file = disk.open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(FileError::NotRegular);
        }
        if state.is_some_and(|state| state != (meta.len(), scan::stamp(&meta))) {
            return Err(FileError::Changed);
        }
        let content = FileVersion::of(&meta);
        let bytes = match meta.len() <= SMALL {
            true => Some(disk.read(&file, content)?),
            false => None,
        };
        let modified = meta.modified()?.duration_since(UNIX_EPOCH).ok();
        let meta = Meta { len: meta.len(), modified, inode: meta.ino() };
        Ok(OpenFile { path: path.to_owned(), file, meta, content, bytes })
    }
}

impl Disk {
    fn open(self, path: &Path) -> io::Result<File> {
        // NONBLOCK, so that opening a pipe that nobody writes to does not wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(match self {
            Disk::Untouched => openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?.into(),
            Disk::Awaited => retry_on_intr(|| open(path, flags, Mode::empty()))?.into(),
        })
    }

    /// All of a small file, which does not change meanwhile.
    fn read(self, file: &File, content: FileVersion) -> Result<Bytes, FileError> {
        let mut bytes = vec![0; usize::try_from(content.0).map_err(io::Error::other)?];
        match self {
            Disk::Untouched => {
                let read = preadv2(file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT);
                if read.map_err(io::Error::from)? != bytes.len() {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
                }
            }
            Disk::Awaited => file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => FileError::Changed,
                _ => error.into(),
            })?,
        }
        match FileVersion::of(&file.metadata()?) == content {
            true => Ok(bytes.into()),
            false => Err(FileError::Changed),
        }
    }
}
